"""Sentinels: marked acts before and after the others, whose events prove that the stream was listened to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from tetraproof.account import SENTINELS, Account
from tetraproof.observing.act import command
from tetraproof.observing.timeline import END, START
from tetraproof.recordings.recording import NodeRecord
from tetraproof.targets.acting import Acting
from tetraproof.targets.keeping import Scene
from tetraproof.waiting import Overdue, until

#: A start sentinel is repeated this often before the stream is taken for deaf.
_STARTS = 5
#: One that is repeated is waited for this many times shorter than the last.
_SHORTER = 6


class Streams(Protocol):
    """What sentinels ask of a site: each place's stream."""

    def position(self, place: str) -> int:
        """Where in a place's stream we are."""
        ...

    def heard(self, place: str, position: int, applied: str) -> bytes:
        """A place's stream since a position: the events of the run's pods, and those of the policy."""
        ...


@dataclass(frozen=True)
class Sentinels:
    """Makes sentinels on a place. `nodes` say how many rings an agent reads, `seconds` how long one is waited for."""

    site: Streams
    acting: Acting
    nodes: Sequence[NodeRecord]
    seconds: float

    def start(self, scene: Scene) -> None:
        """Begin the scene's stream, and see that it is listened to; the policy and the acts come after it."""
        scene.position = self.site.position(scene.place)
        for number in range(_STARTS):
            last = number == _STARTS - 1
            if self._heard(scene, f"{START}-{number}", START, self.seconds / (1 if last else _SHORTER)):
                return

    def end(self, scene: Scene) -> None:
        """Close the scene's stream: whether it was heard to its end is known from here on."""
        rings = next((node.rings for node in self.nodes if node.name == scene.place), 1)
        # an agent with a ring for each CPU keeps order within one only, so each gets a sentinel of its own
        cpus = range(rings) if rings > 1 else (None,)
        scene.heard = all(self._heard(scene, END, END, self.seconds, cpu) for cpu in cpus)
        if not scene.heard:
            scene.notes.append("the stream was not heard to its end: the sentinel after the acts never came")

    def _heard(self, scene: Scene, mark: str, role: str, seconds: float, cpu: int | None = None) -> bool:
        """Whether a marked act, on a CPU of its own if one is named, was heard to its end."""
        argv = ("true", mark) if cpu is None else ("taskset", "-c", str(cpu), "true", f"{mark}-cpu-{cpu}")
        self.acting.one(scene, command(*argv), role, cpu=cpu)
        wanted = f'{argv[-1]}"'.encode()
        position = scene.position or 0

        def heard() -> bool:
            lines = self.site.heard(scene.place, position, "").splitlines()
            return any(b'"process_exit"' in line and wanted in line for line in lines)

        begun = datetime.now(UTC)
        try:
            until("a sentinel's exit", heard, bool, seconds)
        except Overdue:
            return False
        finally:
            scene.listened += (datetime.now(UTC) - begun).total_seconds()
        return True


@contextmanager
def counted(account: Account, scenes: Sequence[Scene]) -> Iterator[None]:
    """Count what the body takes, which makes a sentinel on every place, and what is spent on listening by itself."""
    for scene in scenes:
        scene.listened = 0.0
    with account.spending(SENTINELS):
        yield
    listened = max(scene.listened for scene in scenes)
    account.add(SENTINELS, -listened)
    account.add("waiting for the stream", listened)
