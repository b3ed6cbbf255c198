"""How long work says where it is: whoever works is given a `Tell`, and says a line when there is news.

Where there is none for a while, a `Narrator` says what is awaited: whoever asks what may answer slowly does so within
`awaiting`, which names it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Protocol, Self

#: Seconds of silence after which a narrator says what is awaited.
SILENCE = 8.0
#: What is awaited for less than so many seconds is hardly what is slow.
_A_WHILE = 1.0


class Tell(Protocol):
    """Takes one line about work that goes on: what, how far, the last thing seen."""

    def __call__(self, line: str, /) -> None:
        """Say `line`."""
        ...


def silent(line: str, /) -> None:
    """Say nothing."""
    del line


@dataclass(eq=False)
class _Awaited:
    """Something that is awaited since a moment, by one thread; a `stage` is what others are awaited within."""

    what: str
    said: Callable[[], str]
    stage: bool
    since: float
    thread: int


#: What is awaited, outermost first. Whoever tells holds the lock: until the line is told nobody goes on, so that lines
#: come one after another, and none while pytest changes what becomes of the terminal.
_AWAITED: list[_Awaited] = []
_CHANGED = threading.Condition(threading.RLock())


@contextmanager
def awaiting(what: str, said: Callable[[], str] = str, *, stage: bool = False) -> Iterator[None]:
    """Name what the body awaits, as a noun; `said` is the last that was heard of it, in a clause.

    A `stage` of work is named beside what is awaited in it.
    """
    one = _Awaited(what, said, stage, monotonic(), threading.get_ident())
    try:
        with _CHANGED:
            _AWAITED.append(one)
            _CHANGED.notify_all()
        yield
    finally:
        with _CHANGED:
            if one in _AWAITED:
                _AWAITED.remove(one)


class Narrator:
    """Says every line, and where none came for `limit` seconds what is awaited; until it is closed."""

    def __init__(self, say: Tell, limit: float = SILENCE) -> None:
        self._say = say
        self._limit = limit
        self._last = monotonic()
        self._closed = False
        self._thread = threading.Thread(target=self._narrate, daemon=True)
        self._thread.start()

    def __call__(self, line: str, /) -> None:
        """Say `line`."""
        with _CHANGED:
            self._last = monotonic()
            self._say(line)

    def close(self) -> None:
        """Break no silence any more."""
        with _CHANGED:
            self._closed = True
            _CHANGED.notify_all()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _narrate(self) -> None:
        with _CHANGED:
            while not self._closed:
                left = self._last + self._limit - monotonic()
                if not _AWAITED:
                    _CHANGED.wait()
                elif left > 0:
                    _CHANGED.wait(left)
                else:
                    self(_line(_AWAITED))


def _line(awaited: list[_Awaited]) -> str:
    """What is awaited, for how long, and within what."""
    now = monotonic()
    # of what one thread awaits the innermost says most, once it takes a while
    waits = {one.thread: one for one in awaited if not one.stage and now - one.since >= _A_WHILE}
    stages = [one for one in awaited if one.stage]
    told = min(waits.values(), key=lambda one: one.since, default=stages[-1] if stages else awaited[-1])
    others = [f"{len(waits) - 1} more"] if len(waits) > 1 else []
    seconds = f"for {now - told.since:.0f} s"
    line = f"{told.what}, {seconds} now" if told.stage else f"awaiting {told.what} {seconds}"
    if said := told.said():
        line += f": {said}"
    beside = [*dict.fromkeys(one.what for one in stages if one is not told), *others]
    return f"{line} ({', '.join(beside)})" if beside else line
