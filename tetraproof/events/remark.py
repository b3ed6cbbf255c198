"""What is to be said of a stream once, when it was read: its lines that are no events, by kind.

A stream of a log collector may hold a million lines of a kind. Each kind is told in one line, with how many there
were and, where it is known, the command that shows what they hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from typing import TypeVar

from tetraproof.events.event import Malformed
from tetraproof.text import safe

#: Kinds that are told apart; a stream may hold any text, and what is kept of it is bounded.
_MOST_KINDS = 50

_Key = TypeVar("_Key", bound=Hashable)


class Remarks:
    """Remarks on a stream, gathered line by line."""

    def __init__(self, last: str = "") -> None:
        """Nothing was remarked yet; `last` is a remark on how all was read."""
        self._last = last
        self._kinds: Counter[tuple[str, str]] = Counter()
        self._unfiltered: Counter[str] = Counter()

    def add(self, told: Malformed) -> None:
        """One line, or one value over several, that is no event."""
        # what stands in brackets says where in the line, which differs from line to line
        kind = told.reason.partition(" (")[0], told.remedy
        self._count(self._kinds, kind, ("of other kinds", ""), told.lines)

    def could_not_filter(self, path: str) -> None:
        """One event that did not pass the filter, in which what is asked for could not be read."""
        self._count(self._unfiltered, path, "other values", 1)

    def lines(self) -> Iterator[str]:
        """A line for each kind, as a sentence without its end."""
        for (kind, remedy), count in self._kinds.items():
            told = f"{count} lines are no events" if count > 1 else "a line is no event"
            yield safe(f"{told}: {kind}{f'; to unwrap: {remedy}' if remedy else ''}")
        for path, count in self._unfiltered.items():
            told = f"{count} events are" if count > 1 else "an event is"
            yield safe(f"{told} not shown, and may be meant: {path} could not be read, which the filter asks for")
        if self._last:
            yield self._last

    @staticmethod
    def _count(counted: Counter[_Key], key: _Key, others: _Key, more: int) -> None:
        counted[key if key in counted or len(counted) < _MOST_KINDS else others] += more
