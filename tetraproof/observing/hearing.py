"""The streams of a recorded scenario, read: held where they are short, and sifted where they are not."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from tetraproof.answer import Unknown
from tetraproof.events.event import Event, Malformed
from tetraproof.events.reread import LONG, Reread
from tetraproof.events.stream import named_pods, read
from tetraproof.observing.observation import Sparse
from tetraproof.observing.sifting import Sieve
from tetraproof.observing.timeline import Crowd, Performed
from tetraproof.verdict import Verdict

#: Kinds of lines that are no events, of which a note is made.
_MOST_NOTES = 50


@dataclass(frozen=True)
class Heard:
    """A stream: all of it, what is held of it, and the crowd around that where that is not all.

    `notes` are on its other lines, `unread` says why one of those may have been an event.
    """

    stream: Sequence[Event]
    held: Sequence[Event]
    crowd: Crowd | None
    notes: tuple[str, ...]
    unread: str


class Hearing:
    """Reads the streams of a scenario. `opened` opens one by its name, and says how long it is.

    `containers` maps the ids of containers to their pods, for events that name no pod; `pods` are those that suites
    may ask about.
    """

    def __init__(
        self,
        opened: Callable[[str], tuple[BinaryIO, int]],
        containers: Mapping[str, tuple[str, str]],
        pods: Sequence[str],
    ) -> None:
        self._opened = opened
        self._finish = named_pods(containers)
        self._pods = pods

    def events(
        self, file: str, performed: Sequence[Performed] = (), take: Callable[[Event], None] = lambda _: None
    ) -> Heard:
        """The events of a file, each of which is given to `take`; what concerns the acts `performed` is held."""
        notes: dict[str, int] = {}
        unread = ""
        source, size = self._opened(file)
        places, held = array("q"), list[Event]()
        sieve = Sieve(performed, self._pods) if size > LONG else None
        with source:
            for line in read(source, places):
                place = places.pop()
                if isinstance(line, Malformed):
                    note = f"{file} holds a line that is no event: {line.reason}"
                    notes[note if note in notes or len(notes) < _MOST_NOTES else f"{file} holds other such lines"] = 1
                    unread = unread if line.notice else f"a line of the stream could not be read: {line.reason}"
                    continue
                event = self._finish(line)
                take(event)
                if sieve is None:
                    held.append(event)
                else:
                    sieve.take(event, place)
        if sieve is None:
            return Heard(tuple(held), held, None, tuple(notes), unread)
        return Heard(*sieve.sifted(self._reread(file)), tuple(notes), unread)

    def _reread(self, file: str) -> Callable[[array[int], Mapping[int, Event]], Reread]:
        return lambda places, held: Reread(lambda: self._opened(file)[0], places, held, self._finish)

    def printed(self, stream: Sequence[Event]) -> Sequence[str] | Unknown:
        """What `tetra getevents -o compact` made of the stream, line by line."""
        held = stream.held if isinstance(stream, Reread) else None
        source, _ = self._opened("events.compact.txt")
        kept: dict[int, str] = {}
        count = 0
        with source:
            for at, line in enumerate(_lines(source)):
                count += 1
                if held is None or at in held:
                    kept[at] = line
        if count != len(stream):
            return Unknown(Verdict.UNRECORDED, "no compact output of these very events was recorded")
        return tuple(kept.values()) if held is None else Sparse(count, kept)


def _lines(source: BinaryIO) -> Iterator[str]:
    """The lines of a text without their line breaks."""
    return (line.removesuffix(b"\n").decode("utf-8", "replace") for line in source)
