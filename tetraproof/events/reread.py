"""A stream that is too long to hold: its events are read anew whenever they are asked for, but for a few that are held.

A typed event takes eight kilobytes of memory, its place in a file takes eight bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, overload

from tetraproof.errors import RecordingError
from tetraproof.events.event import Event, parse

#: A stream of more bytes is too long to hold: what is made of it takes seven times as much memory.
LONG = 8 << 20
#: Opens the stream once more, at its beginning.
Open = Callable[[], BinaryIO]


class Reread(Sequence[Event]):
    """Events in order. One that is `held` is the same object each time, any other one that was just read.

    `places` are where their lines begin in the stream, `finish` is what is done to each once it is read.
    """

    def __init__(
        self, opened: Open, places: array[int], held: Mapping[int, Event], finish: Callable[[Event], Event]
    ) -> None:
        self._open = opened
        self._places = places
        self.held = held
        self._finish = finish
        #: What was found out of all of it, by the question: reading it takes its time.
        self.found: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Event: ...

    @overload
    def __getitem__(self, at: slice) -> list[Event]: ...

    def __getitem__(self, at: int | slice) -> Event | list[Event]:
        if isinstance(at, slice):
            return list(self.at(range(*at.indices(len(self)))))
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        return next(self.at([at % len(self)]))

    def __iter__(self) -> Iterator[Event]:
        return self.at(range(len(self)))

    def at(self, positions: Sequence[int]) -> Iterator[Event]:
        """The events at these positions, in their order. Raises `RecordingError` where the stream is another now."""
        with self._open() as source:
            for position in positions:
                event = self.held.get(position)
                yield self._read(source, position) if event is None else event

    def _read(self, source: BinaryIO, position: int) -> Event:
        source.seek(self._places[position])
        event = parse(source.readline())
        if not isinstance(event, Event):
            raise RecordingError(
                f"The stream that is judged was changed meanwhile: event {position + 1} is none any more.",
                remedy="judge it again, and leave it alone",
            )
        return self._finish(event)
