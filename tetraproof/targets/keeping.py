"""What is kept of a scenario: a scene for each place, which the steps of a live run fill, and the recording has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import yaml

from tetraproof.errors import AgentGone, TetraproofError
from tetraproof.events.loss import keep
from tetraproof.observing.timeline import END
from tetraproof.pacing.progress import Tell
from tetraproof.pacing.waiting import Overdue, until
from tetraproof.policies.binding import Bindings
from tetraproof.policies.policy import Policy
from tetraproof.recordings.recorder import Recorder, as_json
from tetraproof.recordings.recording import ActRecord, ScenarioRecord, Unanswered
from tetraproof.verdict import Verdict

#: The time of an event; whoever writes it chooses the blanks around it.
_TIME = re.compile(rb'"time":\s*("[^"]+")')


@dataclass
class Scene:
    """A scenario on one place, as far as it has been observed: what the steps share.

    `position` is where its stream began, `listened` the seconds spent listening, `unguarded` what became of its agent
    while acts were performed. `suite` and `beside` are as a recording has them.
    """

    name: str
    place: str
    policy: Policy | None
    settings: Mapping[str, str]
    bindings: Bindings = field(default_factory=Bindings)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    position: int | None = None
    acts: list[ActRecord] = field(default_factory=list)
    lacking: Mapping[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    heard: bool | None = None
    settled_after: float | None = None
    state_known: bool = False
    unanswered: Unanswered | None = None
    failed: bool = False
    listened: float = 0.0
    unguarded: str = ""
    suite: str = ""
    beside: str = ""

    @property
    def applied(self) -> str:
        """The name of the policy, if there is one."""
        return self.policy.name if self.policy else ""

    def fail(self, error: TetraproofError) -> None:
        """Go no further here; what was observed so far is judged, if there is anything to judge it by."""
        self.failed = True
        self.notes += [error.sentence, *error.causes]
        if not self.state_known:
            self.unanswered = Unanswered(str(Verdict.INCONCLUSIVE), error.sentence)

    def record(self, nodes: tuple[str, ...]) -> tuple[ScenarioRecord, dict[str, bytes]]:
        """It as a recording has it: its entry, and its files. `nodes` are those that it speaks of."""
        files = {name: content for name, content in self.files.items() if content}
        files.setdefault("events.jsonl", b"")
        if self.policy is not None:
            files.setdefault("policy.yaml", manifest_of(self.policy).encode())
            files.setdefault("state.json", b"{}\n")
        files["acts.json"] = as_json(self.acts)
        entry = ScenarioRecord(
            self.name,
            policy=self.policy is not None,
            heard_to_the_end=self.heard,
            settled_after=self.settled_after,
            started=self.started.isoformat(),
            settings=dict(self.settings),
            bindings=self.bindings,
            notes=tuple(self.notes),
            unanswered=self.unanswered,
            nodes=nodes,
            suite=self.suite,
            beside=self.beside,
        )
        return entry, files


class Records(Protocol):
    """What keeping asks of a site: what each place's agent counts, has sent, exported and logged."""

    def metrics(self, place: str) -> str:
        """The metrics of a place's agent."""
        ...

    def heard(self, place: str, position: int, applied: str) -> bytes:
        """A place's stream since a position: the events of the run's pods, and those of the policy."""
        ...

    def compact(self, place: str, stream: bytes) -> bytes:
        """The same as `tetra getevents -o compact` prints it."""
        ...

    def export(self, place: str, since: datetime, heard: bytes) -> bytes:
        """The export log since a moment, once it shows `heard`; nothing where there is none."""
        ...

    def log(self, place: str, since: datetime) -> bytes:
        """A place's agent's log since a moment."""
        ...


@dataclass(frozen=True)
class Keeping:
    """Fills scenes with what the agents say of the whole of them, and puts them into the recording."""

    site: Records
    recorder: Recorder

    def begin(self, scene: Scene) -> None:
        """The agent's counters before anything is done."""
        scene.files["metrics-before.txt"] = self._metrics(scene)

    def end(self, scene: Scene) -> None:
        """The agent's counters after the last sentinel."""
        scene.files["metrics-after.txt"] = self._metrics(scene)

    def hear(self, scene: Scene) -> None:
        """The stream."""
        if scene.position is not None:
            scene.files["events.jsonl"] = self.site.heard(scene.place, scene.position, scene.applied)

    def gather(self, scene: Scene) -> None:
        """What others make of it; a policy may be taken away meanwhile."""
        if scene.position is None:
            return
        with suppress(TetraproofError):
            scene.files["agent.log"] = self.site.log(scene.place, scene.started)
            if scene.heard:
                last = _last(scene.files["events.jsonl"])
                scene.files["export.jsonl"] = self.site.export(scene.place, scene.started, last)

    def record(self, scene: Scene, nodes: Sequence[str]) -> None:
        """Put a scene into the recording, with the nodes that it speaks of; all of them where none is named."""
        self.recorder.add(*scene.record(tuple(nodes)))

    def print_compact(self, scenario: str, place: str) -> None:
        """Have the agent's own tetra print the stream: it costs as much as an act, and not every test wants to see it.

        What cannot be printed is not kept.
        """
        name = f"scenarios/{scenario}"
        stream = self.recorder.file(f"{name}/events.jsonl")
        with suppress(TetraproofError):
            if stream and (printed := self.site.compact(place, stream)):
                self.recorder.keep(f"{name}/events.compact.txt", printed)

    def _metrics(self, scene: Scene) -> bytes:
        lines = [line for line in self.site.metrics(scene.place).splitlines() if keep(line, scene.applied)]
        return ("\n".join(lines) + "\n").encode() if lines else b""


def exported_to(
    heard: bytes, ask: Callable[[], bytes], seconds: float, tell: Tell, *, otherwise: Callable[[], bytes]
) -> bytes:
    """An export log once it shows what is to be `heard`; what does not come is not awaited, and `otherwise` is judged.

    What `ask` raises of an agent that is gone ends the wait.
    """
    with suppress(Overdue):
        return until(
            "the end of the scenario in the export log",
            ask,
            lambda log: heard in log,
            seconds,
            tell=tell,
            shown=lambda log: f"{log.count(b'{')} lines",
            final=AgentGone,
        )
    return otherwise()


def _last(stream: bytes) -> bytes:
    """What only the last event of a stream has, as it stands in any log: its time, which counts nanoseconds."""
    times = _TIME.findall(stream.rstrip(b"\n").rpartition(b"\n")[2])
    return times[-1] if times else END.encode()


def manifest_of(policy: Policy) -> str:
    """The manifest of a policy whose bound values may have been replaced."""
    metadata: dict[str, Any] = {"name": policy.name}
    if policy.namespace:
        metadata["namespace"] = policy.namespace
    document = {"apiVersion": "cilium.io/v1alpha1", "kind": policy.kind, "metadata": metadata, "spec": policy.spec}
    return yaml.safe_dump(document, sort_keys=False)
