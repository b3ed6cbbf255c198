"""Whether the export log tells the same as the stream, in the window that both cover."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tetraproof.event import Event
from tetraproof.stream import Condition


@dataclass(frozen=True)
class Parity:
    """What only one of the two tells. `heard` says whether the export reaches to the stream's last event."""

    heard: bool
    only_stream: tuple[Event, ...] = ()
    only_export: tuple[Event, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both tell the same events, as JSON values."""
        return not self.only_stream and not self.only_export


def compare(stream: Sequence[Event], export: Sequence[Event], condition: Condition) -> Parity:
    """Compare the events that pass `condition`, between the stream's first event and its last."""
    told, exported = ({_canonical(event): event for event in side} for side in (stream, export))
    order = list(exported)
    shared = [order.index(key) for key in (*list(told)[:1], *list(told)[-1:]) if key in exported]
    if len(shared) < 2:  # noqa: PLR2004 - both ends of the window
        return Parity(heard=False)
    window = order[shared[0] : shared[1] + 1]
    return Parity(
        heard=True,
        only_stream=tuple(event for key, event in told.items() if key not in exported and condition(event)),
        only_export=tuple(exported[key] for key in window if key not in told and condition(exported[key])),
    )


def _canonical(event: Event) -> str:
    return json.dumps(event.json(), sort_keys=True)
