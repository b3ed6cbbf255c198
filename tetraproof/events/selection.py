"""Which events of a stream are asked for, with the meaning of tetra's own filters (`tetra getevents --pods …`).

Tetra's source (`pkg/filters`) decides: a choice that is empty lets everything through, all choices must agree, and an
event that names no process passes none that asks about one.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Protocol

from msgspec import Struct

from tetraproof.errors import UsageError
from tetraproof.events import api
from tetraproof.events.event import KINDS, Event, Process
from tetraproof.events.regexp import search

#: tetra's word for an event of none of its types.
_UNDEFINED = "undef"
#: The kinds by tetra's words for them, which are the names of the fields.
_TYPES = dict(zip(api.KINDS, KINDS, strict=True)) | {_UNDEFINED: _UNDEFINED}
#: The kinds whose policy tetra's filter asks for; it does not ask a USDT's.
_WITH_POLICY = frozenset({"kprobe", "tracepoint", "uprobe", "lsm"})


class Condition(Protocol):
    """Anything that says of an event whether it passes."""

    def __call__(self, event: Event, /) -> bool:
        """Whether `event` passes."""
        ...


class Selection(Struct, frozen=True):
    """What is asked for.

    Namespaces and policies match as a whole (what has no pod is in the empty namespace); a pattern, of a namespace, a
    pod, a container or a process's binary, where it is found in the name; an event type is `PROCESS_EXEC`, or the kind
    as it is shown here, `exec`.
    """

    namespaces: tuple[str, ...] = ()
    namespace_patterns: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    event_types: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()

    def condition(self) -> Condition:
        """The filter. Raises `UsageError` for a pattern or an event type that is none."""
        conditions = [_in_namespaces(frozenset(self.namespaces))] if self.namespaces else []
        for option, patterns, name in (
            ("--namespace-regex", self.namespace_patterns, _namespace),
            ("--pods", self.pods, _pod),
            ("--containers", self.containers, _container),
            ("--process", self.processes, _binary),
        ):
            if patterns:
                conditions.append(_named([search(pattern, whence=option) for pattern in patterns], name))
        if self.event_types:
            conditions.append(_of_kinds(frozenset(map(kind_of, self.event_types))))
        if self.policies:
            conditions.append(_of_policies(frozenset(self.policies)))
        return conditions[0] if len(conditions) == 1 else _all(conditions)

    def could_not_read(self, event: Event) -> str:
        """The path of what this asks about and could not be read, so that nobody knows whether the event passes."""
        if not event.unread:
            return ""
        asked = [
            path
            for path, choice in (
                ("process.pod.namespace", self.namespaces + self.namespace_patterns),
                ("process.pod.name", self.pods),
                ("process.pod.container.name", self.containers),
                ("process.binary", self.processes),
                ("policy_name", self.policies if event.kind in _WITH_POLICY else ()),
            )
            if choice
        ]
        return event.could_not_read(*asked) if asked else ""


def listed(value: str) -> list[str]:
    """The values of an option that may hold several, with commas between them, quoted where one holds a comma.

    As tetra takes them: `a,b`, `"a{1,3}",b`, `a,` (and the empty one). Raises `ValueError` for a quote out of place.
    """
    values, rest = [], value
    if "\n" in value or "\r" in value:
        raise ValueError("it has a line break")
    while rest:
        if rest.startswith('"'):
            one, rest = _quoted(rest[1:])
        else:
            end = rest.find(",") if "," in rest else len(rest)
            one, rest = rest[:end], rest[end:]
            if '"' in one:
                raise ValueError("a quote stands within a value that does not begin with one")
        values.append(one)
        if rest == ",":
            values.append("")
        rest = rest[1:]
    return values


def kind_of(event_type: str) -> str:
    """The kind that `event_type` names. Raises `UsageError` with the nearest right word."""
    written = event_type.strip().lower().replace("-", "_")
    for word in (written, f"process_{written}", f"{written}_info"):
        if word in _TYPES:
            return _TYPES[word]
    words = {kind.replace("-", "_"): field for field, kind in _TYPES.items()} | {field: field for field in _TYPES}
    near = get_close_matches(written, words, 1, 0.5)
    hint = f"perhaps {words[near[0]].upper()} is meant; " if near else ""
    raise UsageError(
        f"--event-types: there is no event type {event_type!r}.",
        remedy=f"{hint}there are {', '.join(map(str.upper, _TYPES))}",
    )


def _quoted(rest: str) -> tuple[str, str]:
    """A value up to its closing quote, two of which are one, and what follows."""
    value = ""
    while True:
        inside, closed, rest = rest.partition('"')
        if not closed:
            raise ValueError("a quote is not closed")
        value += inside
        if not rest.startswith('"'):
            break
        value, rest = value + '"', rest[1:]
    if rest and not rest.startswith(","):
        raise ValueError("something stands behind a closing quote")
    return value, rest


def _all(conditions: list[Condition]) -> Condition:
    return lambda event: all(passes(event) for passes in conditions)


def _in_namespaces(wanted: frozenset[str]) -> Condition:
    def passes(event: Event) -> bool:
        process = getattr(event.detail, "process", None) or _process(event)
        if process is None:
            return False
        pod = process.pod
        return ("" if pod is None else pod.namespace) in wanted

    return passes


def _named(searches: list[Callable[[str], bool]], name: Callable[[Process], str | None]) -> Condition:
    def passes(event: Event) -> bool:
        process = _process(event)
        text = None if process is None else name(process)
        return text is not None and any(found(text) for found in searches)

    return passes


def _of_kinds(kinds: frozenset[str]) -> Condition:
    return lambda event: (event.kind if event.kind in KINDS else _UNDEFINED) in kinds


def _of_policies(wanted: frozenset[str]) -> Condition:
    def passes(event: Event) -> bool:
        policy = getattr(event.detail, "policy_name", "") if event.kind in _WITH_POLICY else ""
        return bool(policy) and policy in wanted

    return passes


def _process(event: Event) -> Process | None:
    """The process that an event names, be it one of which nothing is told."""
    if isinstance(event.detail, dict):
        return event.process if isinstance(event.detail.get("process"), dict) else None
    process: Process | None = getattr(event.detail, "process", None)
    return process


def _namespace(process: Process) -> str | None:
    return process.pod.namespace if process.pod else None


def _pod(process: Process) -> str | None:
    return process.pod.name if process.pod else None


def _container(process: Process) -> str | None:
    return process.pod.container.name if process.pod and process.pod.container else None


def _binary(process: Process) -> str:
    return process.binary
