"""Sentinels: marked acts before and after the others, whose events prove that the stream was listened to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from tetraproof.errors import TetraproofError
from tetraproof.observing.act import Outcome, command
from tetraproof.observing.timeline import END, START
from tetraproof.pacing.account import SENTINELS, Account
from tetraproof.pacing.progress import Tell, silent
from tetraproof.pacing.waiting import Hopeless, Overdue, until
from tetraproof.recordings.recording import NodeRecord
from tetraproof.targets.acting import Acting
from tetraproof.targets.keeping import Scene

#: A start sentinel is repeated this often before the stream is taken for deaf.
_STARTS = 5
#: Seconds between two looks at the stream, at most: that costs little, and acts wait for it.
_LOOK = 0.3
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

    def ended(self, place: str) -> str:
        """How a place's stream has ended, in a clause; nothing where it goes on."""
        ...


class Unhearable(TetraproofError):  # noqa: N818 - what happened, by its name
    """A sentinel that nobody will hear: it cannot be performed, or its stream has ended."""


@dataclass(frozen=True)
class Sentinels:
    """Makes sentinels on a place. `nodes` say how many rings an agent reads, `seconds` how long one is waited for.

    One that cannot be heard any more is not waited for.
    """

    site: Streams
    acting: Acting
    nodes: Sequence[NodeRecord]
    seconds: float
    tell: Tell = silent

    def start(self, scene: Scene) -> None:
        """Begin the scene's stream, and see that it is listened to; the policy and the acts come after it."""
        scene.position = self.site.position(scene.place)
        for number in range(_STARTS):
            last = number == _STARTS - 1
            try:
                self._hear(scene, f"{START}-{number}", START, self.seconds / (1 if last else _SHORTER))
            except Hopeless:
                if not self.site.ended(scene.place):
                    return
                # nothing was done yet that it lacks
                scene.position = self.site.position(scene.place)
            except Overdue:
                continue
            else:
                return

    def end(self, scene: Scene) -> None:
        """Close the scene's stream: whether it was heard to its end is known from here on."""
        rings = next((node.rings for node in self.nodes if node.name == scene.place), 1)
        # an agent with a ring for each CPU keeps order within one only, so each gets a sentinel of its own
        cpus = range(rings) if rings > 1 else (None,)
        scene.heard = False
        try:
            for cpu in cpus:
                self._hear(scene, END, END, self.seconds, cpu)
            scene.heard = True
        except Overdue as error:
            why = f" ({error.why.sentence.removesuffix('.')})" if isinstance(error, Hopeless) else ""
            scene.notes.append(f"the stream was not heard to its end: the sentinel after the acts never came{why}")

    def _hear(self, scene: Scene, mark: str, role: str, seconds: float, cpu: int | None = None) -> None:
        """Await that a marked act, on a CPU of its own if one is named, is heard to its end. Raises `Overdue`."""
        argv = ("true", mark) if cpu is None else ("taskset", "-c", str(cpu), "true", f"{mark}-cpu-{cpu}")
        self._perform(scene, argv, role, seconds, cpu)
        wanted = f'{argv[-1]}"'.encode()
        position = scene.position or 0

        def heard() -> bool:
            lines = self.site.heard(scene.place, position, "").splitlines()
            return any(b'"process_exit"' in line and wanted in line for line in lines)

        def ask() -> bool:
            if heard():
                return True
            ended = self.site.ended(scene.place)
            # what it said last is there once it has ended
            if ended and not heard():
                raise Unhearable(f"The stream of {scene.place} has ended: {ended}.")
            return bool(ended)

        begun = datetime.now(UTC)
        try:
            until(
                f"the end of {mark} in the stream of {scene.place}",
                ask,
                bool,
                seconds,
                tell=self.tell,
                shown=lambda _: "not heard",
                longest=_LOOK,
                final=Unhearable,
            )
        finally:
            scene.listened += (datetime.now(UTC) - begun).total_seconds()

    def _perform(self, scene: Scene, argv: tuple[str, ...], role: str, seconds: float, cpu: int | None) -> None:
        """Perform a marked act; one that was refused for the moment again. Raises `Overdue`."""
        refused: Outcome | None = None

        def perform() -> Outcome:
            nonlocal refused
            if refused is not None:
                scene.acts.pop()  # it was never begun
            done = refused = self.acting.one(scene, command(*argv), role, cpu=cpu)
            if done.gone:
                raise Unhearable(f"{argv[-1]} cannot be performed: {done.broken}.")
            return done

        until(
            f"a place for {argv[-1]} on {scene.place}",
            perform,
            lambda done: not done.unstarted,
            seconds,
            tell=self.tell,
            shown=lambda done: done.broken,
            final=Unhearable,
        )


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
