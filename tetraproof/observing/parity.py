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


def compare(stream: Sequence[Event], export: Sequence[Event], condition: Condition) -> Parity:
    """Compare the events that pass `condition`, between the stream's first event and its last."""
    told, exported = [_canonical(event) for event in stream], [_canonical(event) for event in export]
    if not told or told[0] not in exported or told[-1] not in exported:
        return Parity(heard=False)
    begin, end = exported.index(told[0]), len(exported) - exported[::-1].index(told[-1])
    return Parity(
        heard=True,
        only_stream=_more(stream, told, exported, condition),
        only_export=_more(export[begin:end], exported[begin:end], told, condition),
    )


def _more(
    events: Sequence[Event], texts: Sequence[str], other: Sequence[str], condition: Condition
) -> tuple[Event, ...]:
    """The events that the other side has not, or not as often."""
    left = Counter(other)
    more = []
    for event, text in zip(events, texts, strict=True):
        if left[text]:
            left[text] -= 1
        elif condition(event):
            more.append(event)
    return tuple(more)


def _canonical(event: Event) -> str:
    return json.dumps(event.json(), sort_keys=True)
