"""What a timeline should hold: partial descriptions of events, and how they compose.

    GUARDED = Kprobe("fd_install", file="/tmp/tetragon", action="SIGKILL")
    assert GUARDED.by("/usr/bin/bash") in run.guarded.timeline
    assert Kprobe("fd_install") not in run.bar.timeline
    assert InOrder(Exec("/usr/bin/curl"), CONNECT, SENT, CLOSED) in run.curl.timeline
    assert Exactly(1, CONNECT) in run.curl.timeline

Only what is stated is compared, by `==`, so anything from dirty-equals stands
for a value. An expectation matches one event only once: overlapping ones are
assigned to events so that as many as possible find theirs (`AllOf`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from tetraproof.event import Argument, Event, File, Sock
from tetraproof.event import Exec as ExecDetail
from tetraproof.event import Exit as ExitDetail
from tetraproof.event import Kprobe as KprobeDetail


@dataclass(frozen=True)
class Field:
    """One field of one event held against what was expected of it."""

    name: str
    expected: Any
    actual: Any

    @property
    def matches(self) -> bool:
        """Whether the event says what was expected."""
        return bool(self.expected == self.actual)


@dataclass(frozen=True)
class Found:
    """What an expectation found. `met` is nothing while the stream's end was not heard and more could come.

    `events` are indexes of the events that it used, `text` a clause that says how it went, `nearest` the
    index of the event that came closest and its fields.
    """

    met: bool | None
    events: tuple[int, ...]
    text: str
    nearest: tuple[int, tuple[Field, ...]] | None = None


class Expectation(Protocol):
    """Anything that can be looked for `in` a timeline."""

    def find(self, events: Sequence[Event], *, closed: bool) -> Found:
        """Look for this in `events`; `closed` when no more can come."""
        ...


@dataclass(frozen=True)
class Pattern:
    """A partial description of one event: its kind, and the fields that are stated."""

    kind: str
    fields: tuple[tuple[str, Any], ...] = ()
    _text: str = field(default="", init=False, compare=False, repr=False)

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
        read = [Field(name, value, _READ[name](event)) for name, value in self.fields]
        return (Field("kind", self.kind, event.kind), *read)

    def matches(self, event: Event) -> bool:
        """Whether `event` says all that is stated."""
        return event.kind == self.kind and all(_READ[name](event) == value for name, value in self.fields)

    def find(self, events: Sequence[Event], *, closed: bool) -> Found:
        """The first event that matches."""
        for index, event in enumerate(events):
            if self.matches(event):
                return Found(True, (index,), f"{self} was reported")
        nearest = _nearest(self, events)
        miss = f"no event matched {self}"
        if nearest:
            missed = sum(not field.matches for field in nearest[1])
            miss = f"no event matched; the nearest missed by {missed} of {len(nearest[1])} fields"
        return Found(False if closed else None, (), miss, nearest)

    def __post_init__(self) -> None:
        # told now: a value of dirty-equals reads otherwise once it has been compared
        told = " ".join(f"{name}={value!s}" for name, value in self.fields)
        object.__setattr__(self, "_text", f"{self.kind} {told}".rstrip())

    def __str__(self) -> str:
        return self._text


def Exec(binary: object = None, **fields: Any) -> Pattern:  # noqa: N802 - reads as the kind of event that it expects
    """A program was started: `binary`, `arguments`, `pod`, `capabilities` (effective, a set of names)."""
    return _pattern("exec", binary=binary, **fields)


def Exit(binary: object = None, **fields: Any) -> Pattern:  # noqa: N802
    """A process ended: `status` (only where no signal ended it) or `signal`, `binary`, `pod`."""
    return _pattern("exit", binary=binary, **fields)


def Kprobe(function: object = None, **fields: Any) -> Pattern:  # noqa: N802
    """A hooked function was called: `action`, `file`, `saddr`, `sport`, `daddr`, `dport`, `bytes`, `returns`."""
    return _pattern("kprobe", function=function, **fields)


@dataclass(frozen=True)
class InOrder:
    """Each in its turn, with anything between; all agreeing on the field `same`, where one is named."""

    steps: tuple[Pattern, ...]
    same: str = ""

    def __init__(self, *steps: Pattern, same: str = "") -> None:
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "same", same)

    def find(self, events: Sequence[Event], *, closed: bool) -> Found:
        """The earliest event for each step; every event is used once."""
        values = dict.fromkeys(_READ[self.same](event) for event in events) if self.same else {}
        agreed = [value for value in values if value is not None] or [None]
        tried = [self._find(events, value, closed=closed) for value in agreed]
        return max(tried, key=lambda found: (found.met is True, len(found.events)))

    def _find(self, events: Sequence[Event], agreed: object, *, closed: bool) -> Found:
        def fits(step: Pattern, event: Event) -> bool:
            # what has no such field (an exec has no port) need not agree on it
            return step.matches(event) and (agreed is None or _READ[self.same](event) in (agreed, None))

        used: list[int] = []
        for step in self.steps:
            begin = used[-1] + 1 if used else 0
            at = next((index for index in range(begin, len(events)) if fits(step, events[index])), None)
            if at is None:
                earlier = next((index for index in range(begin) if fits(step, events[index])), None)
                why = "came too early" if earlier is not None and earlier not in used else "did not follow"
                text = f"step {len(used) + 1} of {len(self.steps)} {why}: {step}"
                return Found(False if closed else None, tuple(used), text, _nearest(step, events, set(range(begin))))
            used.append(at)
        return Found(True, tuple(used), f"all {len(self.steps)} were reported in order")

    def __str__(self) -> str:
        agreeing = f" of the same {self.same}" if self.same else ""
        return f"in order{agreeing}: {', '.join(map(str, self.steps))}"


@dataclass(frozen=True)
class AllOf:
    """Each by an event of its own, in any order."""

    parts: tuple[Pattern, ...]

    def __init__(self, *parts: Pattern) -> None:
        object.__setattr__(self, "parts", parts)

    def find(self, events: Sequence[Event], *, closed: bool) -> Found:
        """As many parts as can find an event of their own (a maximum matching)."""
        choices = [[at for at, event in enumerate(events) if part.matches(event)] for part in self.parts]
        taken = _assign(choices)
        missing = [part for index, part in enumerate(self.parts) if index not in taken.values()]
        if not missing:
            return Found(True, tuple(sorted(taken)), f"all {len(self.parts)} were reported")
        text = f"{len(missing)} of {len(self.parts)} found no event of their own: {missing[0]}"
        return Found(False if closed else None, tuple(sorted(taken)), text, _nearest(missing[0], events, set(taken)))

    def __str__(self) -> str:
        return f"all of: {', '.join(map(str, self.parts))}"


@dataclass(frozen=True)
class Exactly:
    """That many events, no more and no fewer."""

    count: int
    part: Pattern

    def find(self, events: Sequence[Event], *, closed: bool) -> Found:
        """Every event that matches; more than `count` is refuted even while more can come."""
        found = tuple(at for at, event in enumerate(events) if self.part.matches(event))
        text = f"{len(found)} events matched where {self.count} should: {self.part}"
        met = len(found) == self.count if closed or len(found) > self.count else None
        return Found(met, found, text, None if found else _nearest(self.part, events))

    def __str__(self) -> str:
        return f"exactly {self.count} {self.part}"


def _pattern(kind: str, **fields: Any) -> Pattern:
    for name in fields:
        if name not in _READ:
            raise TypeError(f"an event has no field {name!r} to expect; known are {', '.join(sorted(_READ))}")
    return Pattern(kind, tuple((name, value) for name, value in fields.items() if value is not None))


def _nearest(
    pattern: Pattern, events: Sequence[Event], without: Collection[int] = ()
) -> tuple[int, tuple[Field, ...]] | None:
    """The event of the pattern's kind that misses by the fewest fields, those `without` apart."""
    held = [
        (at, pattern.hold(event)) for at, event in enumerate(events) if event.kind == pattern.kind and at not in without
    ]
    return min(held, key=lambda item: sum(not field.matches for field in item[1]), default=None)


def _assign(choices: Sequence[Sequence[int]]) -> dict[int, int]:
    """A largest assignment of parts to events, each event once: event -> part (augmenting paths)."""
    taken: dict[int, int] = {}

    def place(part: int, tried: set[int]) -> bool:
        for at in choices[part]:
            if at not in tried:
                tried.add(at)
                if at not in taken or place(taken[at], tried):
                    taken[at] = part
                    return True
        return False

    for part in range(len(choices)):
        place(part, set())
    return taken


def _arguments(event: Event) -> tuple[Argument, ...]:
    return event.detail.args if isinstance(event.detail, KprobeDetail) else ()


def _file(event: Event) -> str | None:
    found = (argument.file_arg or argument.path_arg for argument in _arguments(event))
    return next((file.path for file in found if isinstance(file, File)), None)


def _of_sock(name: str) -> Callable[[Event], Any]:
    def read(event: Event) -> Any:
        socks = (argument.sock_arg for argument in _arguments(event))
        return next((getattr(sock, name) for sock in socks if isinstance(sock, Sock)), None)

    return read


def _of_kprobe(read: Callable[[KprobeDetail], Any]) -> Callable[[Event], Any]:
    return lambda event: read(event.detail) if isinstance(event.detail, KprobeDetail) else None


def _int_argument(event: Event) -> int | None:
    return next((argument.int_arg for argument in _arguments(event) if argument.int_arg is not None), None)


def _status(event: Event) -> int | None:
    detail = event.detail
    return detail.status if isinstance(detail, ExitDetail) and not detail.signal else None


def _capabilities(event: Event) -> frozenset[str] | None:
    detail = event.detail
    cap = detail.process.cap if isinstance(detail, ExecDetail | ExitDetail) else None
    return frozenset(cap.effective) if cap else None


_READ: Mapping[str, Callable[[Event], Any]] = {
    "binary": lambda event: event.process.binary,
    "arguments": lambda event: event.process.arguments,
    "pod": lambda event: event.pod,
    "status": _status,
    "signal": lambda event: event.detail.signal if isinstance(event.detail, ExitDetail) else None,
    "function": _of_kprobe(lambda kprobe: kprobe.function_name),
    "action": _of_kprobe(lambda kprobe: kprobe.action.removeprefix("KPROBE_ACTION_")),
    "policy": _of_kprobe(lambda kprobe: kprobe.policy_name),
    "returns": _of_kprobe(lambda kprobe: kprobe.return_.int_arg if kprobe.return_ else None),
    "file": _file,
    "saddr": _of_sock("saddr"),
    "sport": _of_sock("sport"),
    "daddr": _of_sock("daddr"),
    "dport": _of_sock("dport"),
    "bytes": _int_argument,
    "mask": _int_argument,
    "capabilities": _capabilities,
}
