"""What a timeline should hold: partial descriptions of events, and how they compose.

    GUARDED = Kprobe("fd_install", file="/tmp/tetragon", action="SIGKILL")
    assert GUARDED.by("/usr/bin/bash") in run.guarded.timeline
    assert Kprobe("fd_install") not in run.bar.timeline
    assert InOrder(Exec("/usr/bin/curl"), CONNECT, SENT, CLOSED) in run.curl.timeline
    assert Exactly(1, CONNECT) in run.curl.timeline

Each kind of event has its word, which makes a pattern (`tetraproof.judging.pattern`).
An expectation matches one event only once: overlapping ones are assigned to events
so that as many as possible find theirs (`AllOf`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tetraproof.errors import UsageError
from tetraproof.events.event import KINDS, Event
from tetraproof.judging.pattern import Doubt, Found, Pattern, nearest_to
from tetraproof.judging.vocabulary import unread_of, value_of, words


class Expectation(Protocol):
    """Anything that can be looked for `in` a timeline."""

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """The descriptions of single events that it is made of."""
        ...

    def find(self, events: Sequence[Event], *, closed: bool) -> Found:
        """Look for this in `events`; `closed` when no more can come."""
        ...


def Exec(binary: object = None, **fields: Any) -> Pattern:  # noqa: N802 - reads as the kind of event that it expects
    """A program was started: `binary`, and what is said of its process (`arguments`, `pod`, `uid`, `capabilities`)."""
    return _pattern("exec", binary=binary, **fields)


def Exit(binary: object = None, **fields: Any) -> Pattern:  # noqa: N802
    """A process ended: `status` (only where no signal ended it) or `signal`, `binary`, and what is said of it."""
    return _pattern("exit", binary=binary, **fields)


def Kprobe(function: object = None, **fields: Any) -> Pattern:  # noqa: N802
    """A hooked kernel function was called: `action`, `returns`, its arguments (`file`, `daddr`, `arg1`), who did it."""
    return _pattern("kprobe", function=function, **fields)


def Tracepoint(subsys: object = None, event: object = None, **fields: Any) -> Pattern:  # noqa: N802
    """A tracepoint was passed: `subsys` and `event` as under /sys/kernel/tracing/events, `action`, its arguments."""
    return _pattern("tracepoint", subsys=subsys, event=event, **fields)


def Lsm(function: object = None, **fields: Any) -> Pattern:  # noqa: N802
    """A hook of the Linux security modules was called: `file_open`, without `security_`."""
    return _pattern("lsm", function=function, **fields)


def Uprobe(path: object = None, symbol: object = None, **fields: Any) -> Pattern:  # noqa: N802
    """A function of a program or library was called: the file's `path`, its `symbol` or `offset`."""
    return _pattern("uprobe", path=path, symbol=symbol, **fields)


def Usdt(path: object = None, provider: object = None, name: object = None, **fields: Any) -> Pattern:  # noqa: N802
    """A static probe of a program was passed: the file's `path`, the probe's `provider` and `name`."""
    return _pattern("usdt", path=path, provider=provider, name=name, **fields)


def Loader(path: object = None, **fields: Any) -> Pattern:  # noqa: N802
    """A program or library was mapped to be run: its `path` and `buildid`."""
    return _pattern("loader", path=path, **fields)


def Throttle(type: object = None, **fields: Any) -> Pattern:  # noqa: A002, N802 - Tetragon's own name of the field
    """The agent began or ceased to hold back a cgroup's events: `type`, `cgroup`."""
    return _pattern("throttle", type=type, **fields)


def RateLimit(dropped: object = None, **fields: Any) -> Pattern:  # noqa: N802
    """The export left events out by its rate limit: how many it `dropped`."""
    return _pattern("rate-limit", dropped=dropped, **fields)


@dataclass(frozen=True)
class InOrder:
    """Each in its turn, with anything between; all agreeing on the field `same`, where one is named."""

    steps: tuple[Pattern, ...]
    same: str = ""

    def __init__(self, *steps: Pattern, same: str = "") -> None:
        if same and not any(same in words(kind) for kind in KINDS):
            raise UsageError(f"No kind of event has a field {same!r} to agree on.", remedy="name one, or leave it out")
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "same", same)

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """Its steps."""
        return self.steps

    def find(self, events: Sequence[Event], *, closed: bool) -> Found:
        """The earliest event for each step; every event is used once."""
        unread = {id(event): path for event in events if self.same and (path := unread_of(event, self.same))}
        told = [event for event in events if id(event) not in unread] if self.same else []
        values = dict.fromkeys(value_of(event, self.same) for event in told)
        agreed = [value for value in values if value is not None] or [None]

        def find(fits: Fits) -> Found:
            # what cannot be read agrees where doubts are given their way
            odd = frozenset(unread) if fits is Pattern.matches else frozenset()
            tried = [self._find(events, value, fits, odd, closed=closed) for value in agreed]
            return max(tried, key=lambda found: (found.met is True, len(found.events)))

        doubts = [
            Doubt(f"{unread[id(event)]} of an event cannot be read, and may be the same {self.same}")
            for event in events
            if id(event) in unread and any(step.match(event) is not False for step in self.steps)
        ]
        return _beyond_doubt(find, self.steps, events, doubts)

    def _find(
        self, events: Sequence[Event], agreed: object, matches: Fits, odd: frozenset[int], *, closed: bool
    ) -> Found:
        def fits(step: Pattern, event: Event) -> bool:
            if not matches(step, event) or id(event) in odd:
                return False
            # what has no such field (an exec has no port) need not agree on it
            unread = bool(self.same) and bool(unread_of(event, self.same))
            return agreed is None or unread or value_of(event, self.same) in (agreed, None)

        used: list[int] = []
        for step in self.steps:
            begin = used[-1] + 1 if used else 0
            at = next((index for index in range(begin, len(events)) if fits(step, events[index])), None)
            if at is None:
                earlier = next((index for index in range(begin) if fits(step, events[index])), None)
                why = "came too early" if earlier is not None and earlier not in used else "did not follow"
                text = f"step {len(used) + 1} of {len(self.steps)} {why}: {step}"
                return Found(False if closed else None, tuple(used), text, nearest_to(step, events, set(range(begin))))
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

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """Its parts."""
        return self.parts

    def find(self, events: Sequence[Event], *, closed: bool) -> Found:
        """As many parts as can find an event of their own (a maximum matching)."""
        return _beyond_doubt(lambda fits: self._find(events, fits, closed=closed), self.parts, events)

    def _find(self, events: Sequence[Event], fits: Fits, *, closed: bool) -> Found:
        choices = [[at for at, event in enumerate(events) if fits(part, event)] for part in self.parts]
        taken = _assign(choices)
        missing = [part for index, part in enumerate(self.parts) if index not in taken.values()]
        if not missing:
            return Found(True, tuple(sorted(taken)), f"all {len(self.parts)} were reported")
        text = f"{len(missing)} of {len(self.parts)} found no event of their own: {missing[0]}"
        return Found(False if closed else None, tuple(sorted(taken)), text, nearest_to(missing[0], events, set(taken)))

    def __str__(self) -> str:
        return f"all of: {', '.join(map(str, self.parts))}"


@dataclass(frozen=True)
class Exactly:
    """That many events, no more and no fewer."""

    count: int
    part: Pattern

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """What is counted."""
        return (self.part,)

    def find(self, events: Sequence[Event], *, closed: bool) -> Found:
        """Every event that matches; more than `count` is refuted even while more can come."""
        matched = [self.part.match(event) for event in events]
        found = tuple(at for at, one in enumerate(matched) if one is True)
        doubts = [one for one in matched if isinstance(one, Doubt)]
        text = f"{len(found)} events matched where {self.count} should: {self.part}"
        nearest = None if found else nearest_to(self.part, events)
        if len(found) > self.count:
            return Found(False, found, text, nearest)
        if doubts and len(found) + len(doubts) >= self.count:
            return Found(None, found, f"{text}; {len(doubts)} more may: {doubts[0].text}", nearest, doubts[0])
        return Found(len(found) == self.count if closed else None, found, text, nearest)

    def __str__(self) -> str:
        return f"exactly {self.count} {self.part}"


#: Whether an event may stand for a pattern.
Fits = Callable[[Pattern, Event], bool]


def _beyond_doubt(
    find: Callable[[Fits], Found], parts: Sequence[Pattern], events: Sequence[Event], more: Sequence[Doubt] = ()
) -> Found:
    """What is found with what matches for certain; undecided where it is met only with events that may match."""
    certain = find(Pattern.matches)
    if certain.met is True:
        return certain
    doubts = [one for part in parts for event in events if isinstance(one := part.match(event), Doubt)] + list(more)
    if doubts and find(lambda part, event: part.match(event) is not False).met is True:
        return replace(certain, met=None, doubt=doubts[0], text=f"{certain.text}; one may: {doubts[0].text}")
    return certain


def _pattern(kind: str, **fields: Any) -> Pattern:
    return Pattern(kind, tuple((name, value) for name, value in fields.items() if value is not None))


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
