"""Where the time of a live run went, in seconds of the clock, by what it was spent on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tetraproof.pacing.progress import awaiting

#: What a run cannot do without: its acts, and its policies being loaded.
OWN = ("acts", "loading policies")
#: What closes the stream of a scenario, counted apart.
SENTINELS = "sentinels"
#: Once a run, whatever it judges: what asks the place, and what makes it.
SETTING_UP = "setting up"
MAKING, LOADING_IMAGES, INSTALLING = "making the cluster", "loading images", "installing Tetragon"
ONCE = (SETTING_UP, MAKING, LOADING_IMAGES, INSTALLING)
#: What a scenario asks for besides its policy: agents that are set otherwise, and started for that.
SETTING_AGENTS = "setting the agents"
#: Of so many seconds of its own a share says something; of fewer it says how quick the acts were.
_A_MEASURE = 30.0


class Account:
    """Seconds by what they were spent on. What is spent inside of something else is counted there only."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def spending(self, what: str, within: str = "") -> Iterator[None]:
        """Count what the body takes; `within` is what is being counted around it, and does not count this."""
        begun = time.monotonic()
        try:
            with awaiting(what, stage=True):
                yield
        finally:
            seconds = time.monotonic() - begun
            self.add(what, seconds)
            if within:
                self.add(within, -seconds)

    def add(self, what: str, seconds: float) -> None:
        """Count `seconds`, which may be negative: what was counted elsewhere."""
        self.spent[what] = self.spent.get(what, 0.0) + seconds

    def added(self, seconds: float) -> float | None:
        """What a run of `seconds` adds to its own acts and loadings, as a share of these; nothing where they are few.

        Sentinels are counted apart; what happens once, whatever is judged, is left out, and so is what a scenario asks
        for besides.
        """
        own = sum(self.spent.get(name, 0.0) for name in OWN)
        apart = sum(self.spent.get(name, 0.0) for name in (SENTINELS, SETTING_AGENTS, *ONCE))
        return round((seconds - own - apart) / own, 3) if own >= _A_MEASURE else None
