"""The five verdicts, from the worst to the best, and how many become one."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class Verdict(IntEnum):
    """How a promise fares. The order is that in which one outweighs another."""

    VIOLATES = 0
    INCONCLUSIVE = 1
    UNSUPPORTED = 2
    UNRECORDED = 3
    CONFORMS = 4

    def __str__(self) -> str:
        return self.name.lower()


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The verdict that outweighs the others; nothing where there are none."""
    return min(verdicts, default=None)
