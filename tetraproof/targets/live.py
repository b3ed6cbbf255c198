"""What every live target does: apply the policy, perform the acts between two sentinels, take it away again.

It observes into a recording and has `replay` judge that, so a live run and its recording
cannot come to different verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import yaml

from tetraproof.act import Act, Outcome, command
from tetraproof.binding import Bindings, PodBinding, fill, unbound
from tetraproof.deadline import Deadlines
from tetraproof.errors import TetraproofError
from tetraproof.loss import keep
from tetraproof.machine import MachineLost
from tetraproof.observation import Observed
from tetraproof.policy import Policy, with_values
from tetraproof.progress import Tell
from tetraproof.recorder import Recorder, as_json
from tetraproof.recording import ActRecord, Cell, ScenarioRecord, Unanswered
from tetraproof.targets.replay import Replay
from tetraproof.timeline import END, START
from tetraproof.verdict import Verdict
from tetraproof.waiting import Overdue, until

#: A start sentinel is repeated this often before the stream is taken for deaf.
_START_SENTINELS = 5
_SETTLED = {"enabled", "load_error", "error", "disabled"}


class Site(Protocol):
    """Where a live target acts: pods to act in, agents to ask, a stream to listen to."""

    @property
    def bindings(self) -> Bindings:
        """What the suites' logical names are here."""
        ...

    def unsupported(self, policy: Policy) -> str:
        """Why a policy cannot be had here whatever the agent says, in a clause; nothing where it can."""
        ...

    def configure(self, settings: Mapping[str, str]) -> str:
        """See that the agent is set so (settings that are not named are as they were at first).

        Says why it cannot be, in a clause.
        """
        ...

    def perform(self, act: Act, pod: PodBinding, argv: Sequence[str]) -> Outcome:
        """Perform an act in a pod."""
        ...

    def fitted(self, policy: Policy) -> Policy:
        """The policy as it is applied here: confined to what is ours, where others are there as well."""
        ...

    def apply(self, policy: Policy, manifest: str) -> str:
        """Apply a policy; what was refused, in a clause, where it was."""
        ...

    def remove(self, policy: Policy) -> None:
        """Take a policy away, and await that it is gone."""
        ...

    def states(self) -> dict[str, list[dict[str, Any]]]:
        """What the agent of each node says of every policy."""
        ...

    def metrics(self) -> str:
        """The agents' metrics."""
        ...

    def position(self) -> int:
        """Where in the stream we are."""
        ...

    def heard(self, position: int, applied: str) -> bytes:
        """The stream since a position: the events of the run's pods, and those of the policy."""
        ...

    def compact(self, stream: bytes) -> bytes:
        """The same as `tetra getevents -o compact` prints it."""
        ...

    def log(self) -> bytes:
        """The agents' logs so far."""
        ...


@dataclass
class _Scene:
    """A scenario while it is observed."""

    name: str
    policy: Policy | None
    settings: Mapping[str, str]
    started: str = field(default_factory=lambda: _now())  # noqa: PLW0108 - it is defined below
    acts: list[ActRecord] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    heard: bool | None = None
    settled_after: float | None = None
    state_known: bool = False


class Live:
    """A live target: everything but the place."""

    def __init__(  # noqa: PLR0913, PLR0917 - where, what is kept, and how
        self,
        kind: str,
        site: Site,
        recorder: Recorder,
        deadlines: Deadlines,
        introduction: Sequence[str],
        tell: Tell,
    ) -> None:
        self.kind = kind
        self.site = site
        self.recorder = recorder
        self._deadlines = deadlines
        self._introduction = tuple(introduction)
        self._tell = tell

    @property
    def cell(self) -> Cell:
        """The point of the matrix that is judged."""
        return self.recorder.index.cell

    @property
    def bindings(self) -> Bindings:
        """What the suites' logical names are here."""
        return self.recorder.index.bindings

    def introduction(self) -> Sequence[str]:
        """What is judged, and where."""
        return self._introduction

    def scenarios(self, name: str, policy: Policy | None, settings: Mapping[str, str]) -> Sequence[str]:
        """One, made when it is observed."""
        del policy, settings
        return [name]

    def observe(
        self, policy: Policy | None, settings: Mapping[str, str], acts: Sequence[Act], scenario: str
    ) -> Observed:
        """Apply the policy, perform the acts, close with a sentinel; and have replay read what came of it."""
        bound = with_values(policy, self.bindings.ranges) if policy else None
        scene = _Scene(scenario, bound, settings)
        reason = self.site.unsupported(bound) if bound else ""
        unanswered = Unanswered(str(Verdict.UNSUPPORTED), reason) if reason else None
        try:
            if unanswered is None:
                unanswered = self._perform(scene, acts)
        except TetraproofError as error:
            scene.notes += [error.sentence, *error.causes]
            if not scene.state_known:
                unanswered = Unanswered(str(Verdict.INCONCLUSIVE), error.sentence)
        finally:
            # also when interrupted: what was observed is kept
            self._keep(scene, unanswered)
        return Replay(self.recorder.only(scenario)).observe(policy, settings, acts, scenario)

    def _perform(self, scene: _Scene, acts: Sequence[Act]) -> Unanswered | None:
        refused = self.site.configure(scene.settings)
        if refused:
            return Unanswered(str(Verdict.UNSUPPORTED), refused)
        bindings = self.site.bindings
        ahead = next((at for at, act in enumerate(acts) if not act.prepare), len(acts))
        for act in acts[:ahead]:
            scene.acts.append(self._act(act, bindings))
        scene.files["metrics-before.txt"] = self._metrics(scene)
        position = self.site.position()
        try:
            self._start_sentinel(scene, bindings, position)
            if scene.policy is not None:
                self._apply(scene, scene.policy)
            scene.state_known = True
            self._acts(scene, acts[ahead:], bindings)
            self._end_sentinel(scene, bindings, position)
            if scene.policy is not None:
                scene.files["state-after.json"] = as_json(self.site.states())
            scene.files["metrics-after.txt"] = self._metrics(scene)
        finally:
            scene.files["events.jsonl"] = self.site.heard(position, scene.policy.name if scene.policy else "")
            if scene.policy is not None:
                with suppress(TetraproofError):
                    self.site.remove(scene.policy)
        return None

    def _acts(self, scene: _Scene, acts: Sequence[Act], bindings: Bindings) -> None:
        """Perform the acts; where the machine is lost on the way, the rest is recorded as never performed."""
        lost: MachineLost | None = None
        for number, act in enumerate(acts, 1):
            self._tell(f"{scene.name}: act {number} of {len(acts)}, {act.name}")
            if lost is None:
                try:
                    scene.acts.append(self._act(act, bindings))
                except MachineLost as error:
                    lost = error
            if lost is not None:
                pod = bindings.pod(act.pod) or PodBinding("", act.pod)
                argv = tuple(fill(part, bindings.values()) for part in act.argv)
                scene.acts.append(_record(act, argv, pod, Outcome(None, broken=lost.sentence), role="", cpu=None))
        if lost is not None:
            raise lost

    def _act(self, act: Act, bindings: Bindings, role: str = "", cpu: int | None = None) -> ActRecord:
        values = bindings.values()
        pod = bindings.pod(act.pod)
        argv = tuple(fill(part, values) for part in act.argv)
        if pod is None:
            outcome, pod = Outcome(None, broken=f"there is no pod of {act.pod} here"), PodBinding("", act.pod)
        elif missing := [name for part in act.argv for name in unbound(part, values)]:
            outcome = Outcome(None, broken=f"{missing[0]} is bound to nothing here")
        else:
            started = _now()
            outcome = self.site.perform(act, pod, argv)
            return _record(act, argv, pod, outcome, role=role, cpu=cpu, started=started)
        return _record(act, argv, pod, outcome, role=role, cpu=cpu)

    def _apply(self, scene: _Scene, policy: Policy) -> None:
        self._tell(f"{scene.name}: applying {policy.kind} {policy.name}")
        begun = datetime.now(UTC)
        scene.files["policy.yaml"] = manifest_of(policy).encode()
        manifest = manifest_of(self.site.fitted(policy))
        if manifest != manifest_of(policy):
            scene.files["applied.yaml"] = manifest.encode()
            scene.notes.append("applied confined to the run's own containers (applied.yaml)")
        refused = self.site.apply(policy, manifest)

        def ask() -> dict[str, list[dict[str, Any]]]:
            return self.site.states()

        try:
            states = until(
                f"the state of {policy.name}",
                ask,
                lambda states: all(_settled(policy, told) for told in states.values()),
                # one that was refused at once may leave no state to wait for
                self._deadlines.policy if not refused else 0,
                tell=self._tell,
                shown=lambda states: _state_words(policy, states),
            )
        except Overdue as error:
            states = ask()
            scene.notes.append(error.sentence if not refused else f"applying it said: {refused}")
            if refused:
                states = {
                    node: [*told, *([] if _of(policy, told) else [_refused(policy, refused)])]
                    for node, told in states.items()
                }
        scene.settled_after = (datetime.now(UTC) - begun).total_seconds()
        scene.files["state.json"] = as_json(states)

    def _start_sentinel(self, scene: _Scene, bindings: Bindings, position: int) -> None:
        for number in range(_START_SENTINELS):
            if self._sentinel(
                scene, bindings, f"{START}-{number}", START, position, last=number == _START_SENTINELS - 1
            ):
                return

    def _end_sentinel(self, scene: _Scene, bindings: Bindings, position: int) -> None:
        scene.heard = self._sentinel(scene, bindings, END, END, position, last=True)
        if not scene.heard:
            scene.notes.append("the stream was not heard to its end: the sentinel after the acts never came")

    def _sentinel(  # noqa: PLR0913 - a mark, where it is made, and how long it is listened for
        self, scene: _Scene, bindings: Bindings, mark: str, role: str, position: int, *, last: bool
    ) -> bool:
        """Whether a marked act was heard to its end."""
        act = self._act(command("true", mark), bindings, role)
        scene.acts.append(act)
        wanted = f'"{mark}"'.encode()

        def heard() -> int:
            lines = self.site.heard(position, "").splitlines()
            return sum(wanted in line for line in lines)

        try:
            # its exec and its exit
            until("a sentinel's event", heard, lambda lines: lines > 1, self._deadlines.sentinel / (1 if last else 6))
        except Overdue:
            return False
        return True

    def _metrics(self, scene: _Scene) -> bytes:
        name = scene.policy.name if scene.policy else ""
        lines = [line for line in self.site.metrics().splitlines() if keep(line, name)]
        return ("\n".join(lines) + "\n").encode() if lines else b""

    def _keep(self, scene: _Scene, unanswered: Unanswered | None) -> None:
        files = {name: content for name, content in scene.files.items() if content or name == "events.jsonl"}
        files.setdefault("events.jsonl", b"")
        if scene.policy is not None:
            files.setdefault("policy.yaml", manifest_of(scene.policy).encode())
            files.setdefault("state.json", b"{}\n")
        files["acts.json"] = as_json(scene.acts)
        with suppress(TetraproofError):
            files["agent.log"] = self.site.log()
            if compact := self.site.compact(files["events.jsonl"]):
                files["events.compact.txt"] = compact
        self.recorder.add(
            ScenarioRecord(
                scene.name,
                scene.policy is not None,
                scene.heard,
                scene.settled_after,
                scene.started,
                dict(scene.settings),
                Bindings(self.site.bindings.workloads),
                tuple(scene.notes),
                unanswered,
            ),
            files,
        )


def manifest_of(policy: Policy) -> str:
    """The manifest of a policy whose bound values may have been replaced."""
    metadata: dict[str, Any] = {"name": policy.name}
    if policy.namespace:
        metadata["namespace"] = policy.namespace
    document = {"apiVersion": "cilium.io/v1alpha1", "kind": policy.kind, "metadata": metadata, "spec": policy.spec}
    return yaml.safe_dump(document, sort_keys=False)


def _record(  # noqa: PLR0913 - one argument for each part of the record
    act: Act,
    argv: tuple[str, ...],
    pod: PodBinding,
    outcome: Outcome,
    *,
    role: str,
    cpu: int | None,
    started: str = "",
) -> ActRecord:
    return ActRecord(
        id=act.name or argv[-1],
        namespace=pod.namespace,
        pod=pod.name,
        argv=argv,
        exit_code=outcome.exit_code,
        node=pod.node,
        stdin=act.stdin,
        tty=act.tty,
        stdout=outcome.stdout,
        stderr=outcome.stderr,
        broken=outcome.broken,
        role=role or ("prepare" if act.prepare else "act"),
        cpu=cpu,
        started=started,
        ended=_now() if started else "",
    )


def _of(policy: Policy, told: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in told if (str(one.get("namespace", "")), one.get("name")) == policy.key]


def _settled(policy: Policy, told: Sequence[Mapping[str, Any]]) -> bool:
    words = [str(one.get("state", "")).removeprefix("TP_STATE_").lower() for one in _of(policy, told)]
    return bool(words) and all(word in _SETTLED for word in words)


def _state_words(policy: Policy, states: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    words = [
        f"{node} says {next((one.get('state') for one in _of(policy, told)), 'nothing')}"
        for node, told in states.items()
    ]
    return ", ".join(words)


def _refused(policy: Policy, error: str) -> dict[str, str]:
    """The state of a policy that the agent refused at once, and so keeps no state of."""
    return {"name": policy.name, "namespace": policy.namespace, "state": "TP_STATE_LOAD_ERROR", "error": error}


def _now() -> str:
    return datetime.now(UTC).isoformat()
