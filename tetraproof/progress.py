"""How long work says where it is: whoever works is given a `Tell`, and says a line when there is news."""

from __future__ import annotations

from typing import Protocol


class Tell(Protocol):
    """Takes one line about work that goes on: what, how far, the last thing seen."""

    def __call__(self, line: str, /) -> None:
        """Say `line`."""
        ...


def silent(line: str, /) -> None:
    """Say nothing."""
    del line
