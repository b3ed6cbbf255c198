"""Acts performed on a place: each becomes a record, whether it ended, broke, or could not be tried at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from msgspec.structs import replace

from tetraproof.errors import AgentError, TetraproofError
from tetraproof.machines.machine import Completed, MachineLost
from tetraproof.observing.act import Act, Outcome, order_of
from tetraproof.pacing.progress import Tell, silent
from tetraproof.policies.binding import PodBinding, fill, unbound
from tetraproof.policies.policy import Policy
from tetraproof.recordings.recording import ActRecord
from tetraproof.targets.keeping import Scene


class Pods(Protocol):
    """What acting asks of a site: pods to act in."""

    def lacking(self, place: str, acts: Sequence[Act]) -> Mapping[str, str]:
        """The acts that cannot be tried there, by name, and what they lack, in a clause."""
        ...

    def perform(self, act: Act, pod: PodBinding, argv: Sequence[str]) -> Outcome:
        """Perform an act in a pod. Raises `MachineLost` where no further one can be."""
        ...

    def order(self, place: str, policy: Policy, order: Sequence[str]) -> Completed:
        """Tell the agent of a place something of the policy, by `tetra tracingpolicy`. Raises `MachineLost`."""
        ...

    def disturbed(self) -> Mapping[str, str]:
        """The nodes whose agent is not the one that the policy was applied to, and what became of it, in a clause."""
        ...

    def gone(self, place: str) -> Mapping[str, str]:
        """The workloads whose pod there is not the one that it was, and what became of it, in a clause."""
        ...


@dataclass(frozen=True)
class Acting:
    """Performs acts on a place, in their order."""

    site: Pods

    def survey(self, scene: Scene, acts: Sequence[Act]) -> None:
        """See which of the acts lack something there."""
        scene.lacking = self.site.lacking(scene.place, acts)

    def perform(self, scene: Scene, acts: Sequence[Act], tell: Tell = silent) -> None:
        """Perform the acts; where the machine is lost on the way, the rest is recorded as never performed.

        Raises that `MachineLost` in the end.
        """
        lost: MachineLost | None = None
        first = len(scene.acts)
        for number, act in enumerate(acts, 1):
            tell(f"{scene.name}: act {number} of {len(acts)}, {act.name}")
            if lost is None:
                try:
                    self.one(scene, act)
                except MachineLost as error:
                    lost = error
            if lost is not None:
                self.one(scene, act, broken=lost.sentence)
            else:
                self._watch(scene, first)
        if lost is not None:
            raise lost
        self._see_workloads(scene, acts, first)

    def _told(self, scene: Scene, order: Sequence[str]) -> Outcome:
        """What became of what the agent was told."""
        if scene.policy is None:
            return Outcome(None, broken="there is no policy that an agent could be told of", unstarted=True)
        try:
            done = self.site.order(scene.place, scene.policy, order)
        except AgentError as error:
            return Outcome(None, broken=error.sentence, unstarted=True)
        return Outcome(done.exit_code, done.output, done.complaint, done.broken, done.unstarted)

    def _watch(self, scene: Scene, first: int) -> None:
        """Note the acts that no agent enforced: from the one before that after which its agent was not the same."""
        how = scene.unguarded
        if not how and scene.policy is not None and scene.state_known:
            # what cannot be asked now is asked after the next act, and at the end
            with suppress(TetraproofError):
                how = scene.unguarded = self.site.disturbed().get(scene.place, "")
            if how:
                since = max(first, len(scene.acts) - 2)
                scene.acts[since:] = [_disturbed(act, _unguarded(how)) for act in scene.acts[since:]]
                names = f"{scene.acts[since].id} ({scene.acts[since].started})"
                scene.notes.append(f"{how}: what was done from act {names} on shows nothing against the policy")
        elif how:
            scene.acts[-1] = _disturbed(scene.acts[-1], _unguarded(how))

    def _see_workloads(self, scene: Scene, acts: Sequence[Act], first: int) -> None:
        """Note the acts that speak to a workload that is gone."""
        gone: Mapping[str, str] = {}
        with suppress(TetraproofError):
            gone = self.site.gone(scene.place)
        for at, act in enumerate(acts, first):
            for workload, how in gone.items():
                # an act in the pod itself had it until its end, or has no outcome
                if any(f"{{{workload}." in part for part in act.argv):
                    scene.acts[at] = _disturbed(scene.acts[at], how)
        scene.notes += [f"{how}: what was asked of it shows nothing against the policy" for how in gone.values()]

    def one(self, scene: Scene, act: Act, role: str = "", broken: str = "", cpu: int | None = None) -> Outcome:
        """Perform one act, unless it lacks something or is `broken` already, and add its record to the scene.

        `role` is a sentinel's, `cpu` the one that it keeps to. Returns what became of it. Raises `MachineLost`.
        """
        values = scene.bindings.values()
        order = order_of(act)
        pod = PodBinding("", act.pod, node=scene.place) if order else scene.bindings.pod(act.pod)
        argv = tuple(fill(part, values) for part in act.argv)
        missing = [name for part in act.argv for name in unbound(part, values)]
        lacks = scene.lacking.get(act.name, "") if not role else ""
        started = ""
        if pod is None:
            broken = broken or f"there is no pod of {act.pod} here"
        elif order and not scene.state_known:
            broken = broken or "no policy is in force yet that an agent could be told of"
        elif missing:
            broken = broken or f"{missing[0]} is bound to nothing here"
        if pod is None or broken or lacks:
            outcome = Outcome(None, broken=lacks or broken, unstarted=True, gone=True)
        else:
            started = _now()
            outcome = self._told(scene, order) if order else self.site.perform(act, pod, argv)
        pod = pod or PodBinding("", act.pod, node=scene.place)
        scene.acts.append(
            ActRecord(
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
                lacks=lacks,
                role=role or ("prepare" if act.prepare else "act"),
                cpu=cpu,
                started=started,
                ended=_now() if started else "",
            )
        )
        return outcome


def _unguarded(how: str) -> str:
    return f"no agent enforced the policy any more: {how}"


def _disturbed(act: ActRecord, how: str) -> ActRecord:
    return act if act.disturbed else replace(act, disturbed=how)


def _now() -> str:
    return datetime.now(UTC).isoformat()
