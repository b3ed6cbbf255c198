"""The words with which an expectation asks of an event, for each kind of event.

Whatever Tetragon's definition says of a kind can be asked by its own name
(`policy_name`, `ima_hash`), of its process likewise (`uid`, `cwd`), and of its
arguments by position (`arg1`), by type (`sock_arg`), by label (`labelled`) or by
what they mean (`file`, `daddr`, `bytes`). What cannot be read is told as such: it
is neither what was expected nor something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from msgspec import Struct

from tetraproof.errors import UsageError
from tetraproof.events import api
from tetraproof.events.argument import FORMS, MEANINGS, form_of, scalar, unread, unresolved
from tetraproof.events.event import KINDS, MASK, Argument, Event, Process
from tetraproof.events.protojson import message_of
from tetraproof.policies.hook import canonical, nearest

#: What stands in front of every action in an event.
ACTION = "KPROBE_ACTION_"
_POSITION = re.compile(r"(arg|data)(\d+)")
#: Flags by which the agent says that it knows less of a process or a path than there is.
_CUT_ARGUMENTS = ("truncArgs", "errorArgs", "miss", "unknown")
_CUT_BINARY = ("truncFilename", "errorFilename", "miss", "unknown")
_CUT_CWD = ("noCWDSupport", "errorCWD", "needsCWD", "unknown")


@dataclass(frozen=True)
class Read:
    """What a word means in one event: every value that it may stand for, and why there may be others, in a clause."""

    values: tuple[Any, ...]
    doubt: str = ""


@dataclass(frozen=True)
class Word:
    """How one word is read, where in the detail that lies, and the agent's setting without which it is not told."""

    read: Callable[[Event], Read]
    paths: tuple[str, ...]
    setting: str = ""
    #: The message that it reads, where it may be described by its fields.
    message: type[Struct] | None = None


@cache
def words(kind: str) -> Mapping[str, Word]:
    """Every word that a kind has. Raises `UsageError` for a kind that does not exist."""
    if kind not in KINDS:
        near = nearest(kind, KINDS)
        raise UsageError(
            f"There is no kind of event {kind!r}.",
            remedy=f"did you mean {near}?" if near else f"Tetragon's kinds are {', '.join(KINDS)}",
        )
    fields = KINDS[kind].__struct_fields__
    found = {word: made for side, made_of in _SIDES.items() if side in fields for word, made in made_of().items()}
    # a USDT's own flags are the agent's notes on it: `flags` is what every kind says of its process
    direct = [name for name in fields if name not in {"parent", "data", *_SIDES} and name not in found]
    found |= {name: _direct(name, KINDS[kind]) for name in direct}
    found |= {short: found[name] for short, name in _SHORT.items() if name in found}
    if kind == "exit":
        # a status is told of what no signal ended
        found["status"] = Word(
            lambda event: Read((None if event.detail.signal else event.detail.status,)), ("status", "signal")
        )
    return found


def word(kind: str, name: str) -> Word:
    """One word of a kind. Raises `UsageError` with the nearest right one."""
    known = words(kind)
    if name in known:
        return known[name]
    found = _POSITION.fullmatch(name)
    fields = KINDS[kind].__struct_fields__
    if found and {"arg": "args"}.get(found[1], found[1]) in fields:
        return _at(found[1], int(found[2]))
    near = nearest(name, known)
    raise UsageError(
        f"An event of the kind {kind} has no field {name!r} to expect.",
        remedy=f"did you mean {near}?" if near else f"known are {', '.join(sorted(known))}",
    )


def value_of(event: Event, name: str) -> Any:
    """The first value that a word has in an event; nothing where its kind has no such word."""
    found = words(event.kind).get(name) if event.kind in KINDS else None
    return found.read(event).values[0] if found else None


def unread_of(event: Event, name: str) -> str:
    """What of a word's value could not be read in an event; nothing where all was, or its kind has no such word."""
    found = words(event.kind).get(name) if event.kind in KINDS and event.unread else None
    return event.could_not_read(*found.paths) if found else ""


# what the kind itself says

#: The short names of fields that every suite names.
_SHORT = {
    "function": "function_name",
    "policy": "policy_name",
    "subsystem": "subsys",
    "dropped": "number_of_dropped_process_events",
}


def _direct(name: str, kind: type[Struct]) -> Word:
    def read(event: Event) -> Read:
        value = getattr(event.detail, name)
        if name in {"action", "return_action"}:
            return Read((value.removeprefix(ACTION),))
        if name == "function_name":
            # every call has a function: without one it is not told, or told in another way
            return Read((canonical(value),), "" if value else "its function is not told")
        return Read((value,))

    return Word(read, (name,), message=message_of(kind, name))


# what is said of its process


def _of_process() -> dict[str, Word]:
    found = {name: _process_field(name) for name in Process.__struct_fields__}
    found["arguments"] = Word(_arguments, ("process.arguments",))
    found["binary"] = Word(_unless_flagged("binary", _CUT_BINARY), ("process.binary",))
    found["cwd"] = Word(_unless_flagged("cwd", _CUT_CWD), ("process.cwd",))
    found["pod"] = Word(lambda event: Read((event.pod,)), ("process.pod.namespace", "process.pod.name"))
    found["container"] = Word(_container, ("process.pod.container",), message=api.Container)
    found["workload"] = Word(
        lambda event: Read((getattr(event.process.pod, "workload", ""),)), ("process.pod.workload",)
    )
    found["labels"] = Word(
        lambda event: Read((getattr(event.process.pod, "pod_labels", None),)), ("process.pod.pod_labels",)
    )
    found["capabilities"] = Word(_capabilities, ("process.cap",), "enable-process-cred")
    found["credentials"] = found["process_credentials"] = Word(
        lambda event: Read((event.process.process_credentials,)),
        ("process.process_credentials",),
        "enable-process-cred",
        api.ProcessCredentials,
    )
    found["namespaces"] = found["ns"] = Word(
        lambda event: Read((event.process.ns,)), ("process.ns",), "enable-process-ns", api.Namespaces
    )
    found["parent"] = Word(lambda event: Read((event.parent.binary if event.parent else None,)), ("parent",))
    found["node"] = Word(
        lambda event: Read((event.node,), "" if event.node else "its node is not told"), ("node_name",)
    )
    return found


def _process_field(name: str) -> Word:
    def read(event: Event) -> Read:
        value = getattr(event.process, name)
        return Read((value,), f"its {name} is not told" if value is None or not _is_told(event) else "")

    return Word(read, (f"process.{name}",), message=message_of(Process, name))


def _unless_flagged(name: str, flags: tuple[str, ...]) -> Callable[[Event], Read]:
    def read(event: Event) -> Read:
        process = event.process
        flagged = next((flag for flag in process.flags.split() if flag in flags), "") if process.flags else ""
        doubt = f"the agent flags its process {flagged}" if flagged else ""
        return Read((getattr(process, name),), doubt or ("" if _is_told(event) else "its process is not told"))

    return read


def _arguments(event: Event) -> Read:
    read = _unless_flagged("arguments", _CUT_ARGUMENTS)(event)
    masked = MASK in event.process.arguments
    return Read(read.values, read.doubt or ("the agent masked a part of its arguments" if masked else ""))


def _is_told(event: Event) -> bool:
    return getattr(event.detail, "process", None) is not None


def _container(event: Event) -> Read:
    pod = event.process.pod
    return Read((pod.container if pod else None,))


def _capabilities(event: Event) -> Read:
    cap = event.process.cap
    return Read((frozenset(cap.effective) if cap else None,))


def _ancestors(event: Event) -> Read:
    return Read((tuple(one.binary for one in event.detail.ancestors),))


# what is said of its arguments


def _of_arguments() -> dict[str, Word]:
    found = {form: _by_form(form) for form in FORMS}
    found |= {name: _meaning(name, read) for name, read in MEANINGS.items()}
    found["labelled"] = Word(_labelled, ("args",))
    return found


def _given(event: Event) -> tuple[Argument, ...]:
    given: tuple[Argument, ...] = event.detail.args
    return given


def _by_form(form: str) -> Word:
    def read(event: Event) -> Read:
        given = _given(event)
        found = tuple(value for argument in given if (value := getattr(argument, form)) is not None)
        return Read(found or (None,), unread(given))

    return Word(read, ("args",), message=message_of(Argument, form))


def _meaning(name: str, read: Callable[[Argument], Iterator[Any]]) -> Word:
    def read_all(event: Event) -> Read:
        given = _given(event)
        found = tuple(value for argument in given for value in read(argument))
        return Read(found or (None,), unread(given) or (unresolved(given) if name == "file" else ""))

    return Word(read_all, ("args",))


def _at(side: str, position: int) -> Word:
    field = "args" if side == "arg" else side

    def read(event: Event) -> Read:
        given = getattr(event.detail, field)
        if position >= len(given):
            return Read((None,))
        value = scalar(given[position])
        whole = getattr(given[position], form_of(given[position]) or "label")
        return Read((value,) if value is whole else (value, whole), unread((given[position],)))

    return Word(read, (f"{field}.{position}",))


def _labelled(event: Event) -> Read:
    given = _given(event)
    return Read(({one.label: scalar(one) for one in given if one.label},), unread(given))


def _returned(event: Event) -> Read:
    value = event.detail.return_
    if value is None:
        return Read((None,))
    whole, plain = getattr(value, form_of(value) or "label"), scalar(value)
    return Read((plain,) if plain is whole else (plain, whole), unread((value,)))


#: What a kind's message holds besides plain fields, and the words for that.
_SIDES: Mapping[str, Callable[[], dict[str, Word]]] = {
    "process": _of_process,
    "ancestors": lambda: {"ancestors": Word(_ancestors, ("ancestors",), "enable-ancestors")},
    "args": _of_arguments,
    "return_": lambda: {"returns": Word(_returned, ("return",))},
}
