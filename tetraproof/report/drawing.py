"""An act's timeline as a picture: what is drawn where, in percent of the width. The template draws it.

Time goes to the right. The act's own events stand above the line, bystanders
below it. Marks that would cover each other are moved apart, and a stem from
each leads to its true time on the line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tetraproof.observing.enforcement import enforces
from tetraproof.report.result import EventResult, TimelineResult
from tetraproof.text import shorten

#: More events than this are cut in the middle: on the page the ends are what is read.
MOST_EVENTS = 60
#: Each shape of a mark, in a clause, in the order of a legend.
SHAPES = {
    "exec": "a program starts",
    "hook": "a hooked function is called",
    "enforced": "… and the agent says that it enforced",
    "exit-0": "exit with 0",
    "exit-n": "exit with another code",
    "exit-signal": "ended by a signal",
    "other": "anything else",
}
_LEFT, _RIGHT = 2.0, 88.0
_GAP = 3.2
_MOST_TICKS = 5


@dataclass(frozen=True)
class Mark:
    """One event: `time` is its place on the line, `at` the place of its shape above or below it."""

    time: float
    at: float
    own: bool
    shape: str
    words: str


@dataclass(frozen=True)
class Tick:
    """A time written at the line."""

    at: float
    text: str


@dataclass(frozen=True)
class Picture:
    """What is drawn of a timeline. `last` is the place of its last event, `words` all of it in a sentence."""

    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    last: float
    words: str
    open: str

    @property
    def bystanders(self) -> bool:
        """Whether anything stands below the line."""
        return not all(mark.own for mark in self.marks)


def picture(timeline: TimelineResult, act: str) -> Picture:
    """The picture of an act's timeline."""
    head, _, tail = cut(timeline.events)
    events = [*head, *tail]
    offsets = [event.offset for event in events]
    begin, end = min(offsets, default=0.0), max(offsets, default=0.0)
    places: dict[int, float] = {}
    for own in (True, False):
        side = sorted((at for at, event in enumerate(events) if event.own is own), key=lambda at: offsets[at])
        times = [_place(offsets[at], begin, end) for at in side]
        places |= dict(zip(side, _spread(times), strict=True))
    marks = tuple(
        Mark(_place(event.offset, begin, end), places[at], event.own, shape(event), _words(event))
        for at, event in enumerate(events)
    )
    last = max((mark.time for mark in marks), default=_LEFT)
    return Picture(marks, tuple(ticks(begin, end, _LEFT, _RIGHT)), last, _sentence(timeline, act), timeline.open)


def cut(events: Sequence[EventResult]) -> tuple[Sequence[EventResult], int, Sequence[EventResult]]:
    """The events to show: the first ones, how many are left out, the last ones."""
    if len(events) <= MOST_EVENTS:
        return events, 0, ()
    half = MOST_EVENTS // 2
    return events[:half], len(events) - 2 * half, events[-half:]


def shape(event: EventResult) -> str:
    """The shape of an event's mark, by its kind and by what the agent says it did."""
    fields = _fields(event)
    if event.kind == "exec":
        return "exec"
    if event.kind == "exit":
        if fields.get("signal"):
            return "exit-signal"
        return "exit-n" if fields.get("status") else "exit-0"
    if _enforces(fields):
        return "enforced"
    return "hook" if fields.get("process") else "other"


def _fields(event: EventResult) -> dict[str, Any]:
    found = event.event.get(f"process_{event.kind}")
    return found if isinstance(found, dict) else {}


def _enforces(fields: dict[str, Any]) -> bool:
    actions = (fields.get("action"), fields.get("return_action"))
    return any(isinstance(action, str) and enforces(action) for action in actions)


def _words(event: EventResult) -> str:
    return shorten(f"{event.offset:+.3f} s {event.kind}: {event.text}" + ("" if event.own else " (a bystander)"), 160)


def _sentence(timeline: TimelineResult, act: str) -> str:
    number = len(timeline.events)
    told = f"{number} event{'' if number == 1 else 's'} in {timeline.seconds:.2f} s"
    heard = f"not heard to its end: {timeline.open}" if timeline.open else "heard to its end"
    return f"Timeline of act {act} on {timeline.node or 'its node'}: {told}, {heard}"


def _place(offset: float, begin: float, end: float) -> float:
    if end <= begin:
        return _LEFT
    return round(_LEFT + (_RIGHT - _LEFT) * (offset - begin) / (end - begin), 2)


def _spread(times: Sequence[float]) -> list[float]:
    """Places near to `times`, which are in order, a gap apart from each other."""
    gap = min(_GAP, (_RIGHT - _LEFT) / max(1, len(times) - 1))
    places: list[float] = []
    for time in times:
        places.append(max(time, places[-1] + gap) if places else time)
    limit = _RIGHT
    for at in range(len(places) - 1, -1, -1):
        places[at] = round(max(_LEFT, min(places[at], limit)), 2)
        limit = places[at] - gap
    return places


def ticks(begin: float, end: float, left: float = 0.0, right: float = 100.0) -> list[Tick]:
    """Round seconds between two moments, placed between `left` and `right`, which are percents."""
    span = end - begin
    if not 0 < span < math.inf:
        return [Tick(left, "0 s")]
    rough = span / (_MOST_TICKS - 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    first, last = math.ceil(begin / step), math.floor(end / step)
    places = [left + (right - left) * (number * step - begin) / span for number in range(first, last + 1)]
    return [
        Tick(round(place, 2), f"{number * step:g} s")
        for place, number in zip(places, range(first, last + 1), strict=True)
    ]
