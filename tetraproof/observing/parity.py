"""Whether the export log tells the same as the stream, in the window that both cover."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tetraproof.events.event import Event
from tetraproof.events.stream import Condition


@dataclass(frozen=True)
class Parity:
    """What only one of the two tells. `heard` says whether the export covers the stream from end to end."""

    heard: bool
    only_stream: tuple[Event, ...] = ()
    only_export: tuple[Event, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both tell the same events, as JSON values, as often."""
        return not self.only_stream and not self.only_export

    @property
    def unknown(self) -> bool:
        """Whether events of both sides say the same in all that is known here, so that only something else differs."""
        told = {(event.time, event.node): event for event in self.only_stream}
        return any(
            (mine := told.get((event.time, event.node))) is not None and mine.detail == event.detail
            for event in self.only_export
        )


def compare(stream: Sequence[Event], export: Sequence[Event], condition: Condition) -> Parity:
    """Compare the events that pass `condition`, between the stream's first event and its last."""
    if not stream:
        return Parity(heard=False)
    first, last = _canonical(stream[0]), _canonical(stream[-1])
    begin = end = None
    passing: list[tuple[int, Event]] = []
    for at, event in enumerate(export):
        text = _canonical(event)
        if text == first and begin is None:
            begin = at
        if text == last:
            end = at + 1
        if condition(event):
            passing.append((at, event))
    if begin is None or end is None:
        return Parity(heard=False)
    told, exported = [event for event in stream if condition(event)], [event for _, event in passing]
    within = [event for at, event in passing if begin <= at < end]
    return Parity(heard=True, only_stream=_more(told, exported), only_export=_more(within, told))


def _more(events: Sequence[Event], other: Sequence[Event]) -> tuple[Event, ...]:
    """The events that the other side has not, or not as often."""
    left = Counter(map(_canonical, other))
    more = []
    for event in events:
        text = _canonical(event)
        if left[text]:
            left[text] -= 1
        else:
            more.append(event)
    return tuple(more)


def _canonical(event: Event) -> str:
    return json.dumps(event.json(), sort_keys=True)
