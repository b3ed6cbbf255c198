"""A partial description of one event, and how an event is held against it.

Only what is stated is compared, by `==`, so anything from dirty-equals stands for
a value. What can be stated of a kind is its vocabulary (`tetraproof.judging.vocabulary`);
anything else is refused at once. An event of which something stated could not be
read neither matches nor differs: it may be the one, and while it may, nothing can
be said.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import Struct

from tetraproof.errors import UsageError
from tetraproof.events import api
from tetraproof.events.event import Event
from tetraproof.events.protojson import message_of
from tetraproof.judging.vocabulary import ACTION, Word, word, words
from tetraproof.policies.hook import canonical, nearest, why_no_tracepoint, why_none


@dataclass(frozen=True)
class Doubt:
    """Why an event may be the one that is looked for, and may not. `setting` is the agent's that hides it, if one."""

    text: str
    setting: str = ""


@dataclass(frozen=True)
class Field:
    """One field of one event held against what was expected of it. `doubt` says why it could not be read."""

    name: str
    expected: Any
    actual: Any
    matches: bool
    doubt: str = ""


@dataclass(frozen=True)
class Found:
    """What an expectation found. `met` is nothing while the stream's end was not heard and more could come.

    It is nothing as well where an event could not be read that may decide it: `doubt` says why. `events` are indexes
    of the events that it used, `text` a clause that says how it went, `nearest` the index of the event that came
    closest and its fields.
    """

    met: bool | None
    events: tuple[int, ...]
    text: str
    nearest: tuple[int, tuple[Field, ...]] | None = None
    doubt: Doubt | None = None


@dataclass(frozen=True)
class Pattern:
    """A partial description of one event: its kind, and the fields that are stated.

    Raises `UsageError` for a kind that does not exist, a field that the kind does not have, and a name that can
    never stand there.
    """

    kind: str
    fields: tuple[tuple[str, Any], ...] = ()
    _text: str = field(default="", init=False, compare=False, repr=False)
    _stated: tuple[tuple[str, Word, Any], ...] = field(default=(), init=False, compare=False, repr=False)

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """Itself."""
        return (self,)

    def by(self, binary: object) -> Pattern:
        """The same, done by this program (its path)."""
        return self.having(binary=binary)

    def in_pod(self, pod: object) -> Pattern:
        """The same, in this pod (`namespace/name`)."""
        return self.having(pod=pod)

    def having(self, **fields: Any) -> Pattern:
        """The same, with these fields stated as well (or instead)."""
        kept = tuple((name, value) for name, value in self.fields if name not in fields)
        return replace(self, fields=(*kept, *fields.items()))

    def hold(self, event: Event) -> tuple[Field, ...]:
        """Every stated field held against `event`, the kind first."""
        return (Field("kind", self.kind, event.kind, self.kind == event.kind), *self._held(event))

    def _held(self, event: Event) -> Iterable[Field]:
        if event.kind != self.kind:
            return
        for name, meant, expected in self._stated:
            values = meant.read(event).values
            doubt = _compare(meant, expected, event)
            shown = values[0] if len(values) == 1 else values
            yield Field(name, expected, shown, doubt is True, doubt.text if isinstance(doubt, Doubt) else "")

    def match(self, event: Event) -> bool | Doubt:
        """Whether `event` says all that is stated; a doubt where something of it could not be read."""
        if event.kind != self.kind:
            return False
        doubt: Doubt | None = None
        for _, meant, expected in self._stated:
            compared = _compare(meant, expected, event)
            if compared is False:
                return False
            if isinstance(compared, Doubt):
                doubt = doubt or compared
        return doubt or True

    def matches(self, event: Event) -> bool:
        """Whether `event` says all that is stated, beyond doubt."""
        return self.match(event) is True

    def find(self, events: Sequence[Event], *, closed: bool) -> Found:
        """The first event that matches."""
        doubt: tuple[int, Doubt] | None = None
        for index, event in enumerate(events):
            matched = self.match(event)
            if matched is True:
                return Found(True, (index,), f"{self} was reported")
            if isinstance(matched, Doubt):
                doubt = doubt or (index, matched)
        nearest = nearest_to(self, events)
        if doubt:
            return Found(None, (), f"an event may be {self}: {doubt[1].text}", nearest, doubt[1])
        miss = f"no event matched {self}"
        if nearest:
            missed = sum(not field.matches for field in nearest[1])
            miss = f"no event matched; the nearest missed by {missed} of {len(nearest[1])} fields"
        return Found(False if closed else None, (), miss, nearest)

    def __post_init__(self) -> None:
        check(self.kind, dict(self.fields))
        stated = {name: _meant(name, value) for name, value in self.fields}
        object.__setattr__(self, "_stated", tuple((name, word(self.kind, name), one) for name, one in stated.items()))
        # told now: a value of dirty-equals reads otherwise once it has been compared
        told = " ".join(f"{name}={_said(value)}" for name, value in self.fields)
        object.__setattr__(self, "_text", f"{self.kind} {told}".rstrip())

    def __str__(self) -> str:
        return self._text


def _said(value: Any) -> str:
    """A value as a message says it, the same at every run: Python orders a set anew each time."""
    if isinstance(value, set | frozenset) and value:
        return f"{{{', '.join(sorted(map(repr, value)))}}}"
    return str(value)


def nearest_to(
    pattern: Pattern, events: Sequence[Event], without: Collection[int] = ()
) -> tuple[int, tuple[Field, ...]] | None:
    """The event of the pattern's kind that misses by the fewest fields, those `without` apart."""
    held = [
        (at, pattern.hold(event)) for at, event in enumerate(events) if event.kind == pattern.kind and at not in without
    ]
    return min(held, key=lambda item: sum(not field.matches for field in item[1]), default=None)


def check(kind: str, stated: Mapping[str, Any]) -> None:
    """Refuse what no event of this kind can ever say. Raises `UsageError` naming the field and the right word."""
    words(kind)
    for name, expected in stated.items():
        described = word(kind, name).message
        if isinstance(expected, Mapping) and described is not None:
            _check_message(kind, name, expected, described)
        if isinstance(expected, str) and (why := _impossible(kind, name, expected, stated)):
            raise UsageError(f"{kind} {name}={expected!r}: {why}.", remedy="write a name that exists")


def _impossible(kind: str, name: str, expected: str, stated: Mapping[str, Any]) -> str:
    if name in {"function", "function_name"} and kind == "kprobe":
        return why_none(expected)
    if name in {"action", "return_action"}:
        known = [one.removeprefix(ACTION) for one in api.NUMBERS["KprobeAction"].values()]
        return _unlike(expected.removeprefix(ACTION), known, "action")
    if name == "signal" and kind == "exit" and expected:
        return _unlike(expected, list(signal.Signals.__members__), "signal")
    if name == "event" and kind == "tracepoint" and isinstance(stated.get("subsys"), str):
        return why_no_tracepoint(stated["subsys"], expected)
    return ""


def _unlike(stated: str, known: list[str], what: str) -> str:
    if stated in known or (what == "signal" and re.fullmatch(r"SIGRT(MIN|MAX)[+-]?\d*", stated)):
        return ""
    near = nearest(stated, known)
    return f"there is no {what} of that name" + (f" (did you mean {near}?)" if near else "")


def _check_message(kind: str, name: str, expected: Mapping[str, Any], message: type[Struct]) -> None:
    for one, wanted in expected.items():
        if _attribute(one) not in message.__struct_fields__:
            near = nearest(one, message.__struct_fields__)
            known = ", ".join(message.__struct_fields__)
            raise UsageError(
                f"{kind} {name}: Tetragon's {message.__name__} has no field {one!r}.",
                remedy=f"did you mean {near}?" if near else f"known are {known}",
            )
        held = message_of(message, _attribute(one))
        if isinstance(wanted, Mapping) and held is not None:
            _check_message(kind, f"{name}.{one}", wanted, held)


def _attribute(name: str) -> str:
    return "return_" if name == "return" else name


def _meant(name: str, value: Any) -> Any:
    """A stated value in the form in which events are read: one name for a hook, an action without its prefix."""
    if name in {"function", "function_name"} and isinstance(value, str):
        return canonical(value)
    if name in {"action", "return_action"} and isinstance(value, str):
        return value.removeprefix(ACTION)
    return value


def _compare(meant: Word, expected: Any, event: Event) -> bool | Doubt:
    """Whether a word says in an event what was expected; a doubt where it cannot be read, or is not told."""
    read = meant.read(event)
    unread = event.could_not_read(*meant.paths)
    # what stands in the place of a value that could not be read at all is none that was told
    if unread and event.lacks(*meant.paths):
        return Doubt(f"its {unread} cannot be read")
    if any(holds(expected, value) for value in read.values):
        return True
    if unread:
        return Doubt(f"its {unread} cannot be read")
    if read.doubt:
        return Doubt(read.doubt)
    if meant.setting and all(value is None or value == () for value in read.values):
        return Doubt(f"an agent tells this only with {meant.setting}", meant.setting)
    return False


def holds(expected: Any, value: Any) -> bool:
    """Whether a value is what was expected.

    A mapping describes a message by some of its fields; of several texts (`tags`) a text is one.
    """
    if isinstance(expected, Mapping) and isinstance(value, Struct):
        return all(holds(wanted, getattr(value, _attribute(name), None)) for name, wanted in expected.items())
    if isinstance(value, tuple) and isinstance(expected, str):
        return expected in value
    if isinstance(value, tuple) and isinstance(expected, list | tuple):
        return len(value) == len(expected) and all(map(holds, expected, value))
    if isinstance(value, api.Namespace) and isinstance(expected, int):
        return expected == value.inum
    if isinstance(value, api.Container) and isinstance(expected, str):
        return expected in {value.name, value.id}
    return bool(expected == value)
