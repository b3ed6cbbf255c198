"""What every live target does: apply the policy, perform the acts between two sentinels, take it away again.

It observes into a recording and has `replay` judge that, so a live run and its recording
cannot come to different verdicts. Where several nodes are acted on, a policy is applied
once, the acts are performed on all of them side by side, and each is a scenario of its own.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime

from tetraproof.account import SENTINELS, Account
from tetraproof.answer import Unknown
from tetraproof.deadline import Deadlines
from tetraproof.errors import AgentError, TetraproofError
from tetraproof.events.loss import keep
from tetraproof.machines.machine import MachineLost
from tetraproof.observing.act import Act, Outcome, command
from tetraproof.observing.observation import Observed
from tetraproof.observing.timeline import END, START
from tetraproof.policies.binding import Bindings, PodBinding, fill, unbound
from tetraproof.policies.policy import Policy, with_values
from tetraproof.progress import Tell
from tetraproof.recordings.recorder import Recorder, as_json
from tetraproof.recordings.recording import ActRecord, Cell, Unanswered
from tetraproof.targets import Unanswerable, applying
from tetraproof.targets.keeping import Scene, manifest_of
from tetraproof.targets.replay import Replay
from tetraproof.targets.site import Site, States
from tetraproof.verdict import Verdict
from tetraproof.waiting import Overdue, until

#: A start sentinel is repeated this often before the stream is taken for deaf.
_START_SENTINELS = 5


class Live:
    """A live target: everything but the place."""

    def __init__(  # noqa: PLR0913 - where, what is kept, and how
        self,
        kind: str,
        site: Site,
        recorder: Recorder,
        deadlines: Deadlines,
        *,
        introduction: Sequence[str],
        tell: Tell,
        account: Account,
    ) -> None:
        self.kind = kind
        self.site = site
        self.recorder = recorder
        self.account = account
        self._deadlines = deadlines
        self._introduction = tuple(introduction)
        self._tell = tell
        self._observed: dict[tuple[str, tuple[Act, ...]], set[str]] = {}

    @property
    def cell(self) -> Cell:
        """The point of the matrix that is judged."""
        return self.recorder.index.cell

    @property
    def bindings(self) -> Bindings:
        """What the suites' logical names are here."""
        return self.recorder.index.bindings

    @property
    def nodes(self) -> dict[str, str]:
        """The nodes there, and the kernel of each."""
        return {node.name: node.kernel for node in self.recorder.index.nodes}

    def introduction(self) -> Sequence[str]:
        """What is judged, and where."""
        return self._introduction

    def scenarios(self, name: str, policy: Policy | None, settings: Mapping[str, str]) -> Sequence[str]:
        """One for each place, made when the first of them is observed."""
        del policy, settings
        places = self.site.places
        return [name] if len(places) == 1 else [f"{name}@{place}" for place in places]

    def observe(
        self, policy: Policy | None, settings: Mapping[str, str], acts: Sequence[Act], scenario: str
    ) -> Observed:
        """Apply the policy, perform the acts, close with a sentinel; and have replay read what came of it."""
        places = self.site.places
        name = scenario if len(places) == 1 else scenario.rpartition("@")[0]
        done = self._observed.get((name, tuple(acts)), set())
        if scenario not in done:
            self._everywhere(name, policy, settings, acts)
            done = {name} if len(places) == 1 else {f"{name}@{place}" for place in places}
            self._observed[name, tuple(acts)] = done
        observed = self._judged(policy, settings, acts, scenario)
        place = places[0] if len(places) == 1 else scenario.rpartition("@")[2]

        def ask_compact() -> tuple[str, ...] | Unknown:
            self._have_printed(scenario, place)
            return self._judged(policy, settings, acts, scenario).compact

        return dataclasses.replace(observed, ask_compact=functools.cache(ask_compact))

    def _judged(
        self, policy: Policy | None, settings: Mapping[str, str], acts: Sequence[Act], scenario: str
    ) -> Observed:
        return Replay(self.recorder.only(scenario)).observe(policy, settings, acts, scenario)

    def _have_printed(self, scenario: str, place: str) -> None:
        """Have the agent's own tetra print the stream, which costs as much as an act, once a test wants to see it."""
        name = f"scenarios/{scenario}"
        stream = self.recorder.file(f"{name}/events.jsonl")
        with suppress(TetraproofError), self.account.spending("evidence"):
            if stream and (printed := self.site.compact(place, stream)):
                self.recorder.keep(f"{name}/events.compact.txt", printed)

    def look(self) -> Observed:
        """What is installed, as it was found when the run began."""
        return Replay(self.recorder.only("")).look()

    # one scenario, on all places

    def _everywhere(self, name: str, policy: Policy | None, settings: Mapping[str, str], acts: Sequence[Act]) -> None:
        site = self.site
        bound = self._bound(policy, acts)
        several = len(site.places) > 1
        scenes = [Scene(f"{name}@{place}" if several else name, place, bound, settings) for place in site.places]
        interrupted = True
        try:
            self._perform(name, scenes, bound, acts)
            interrupted = False
        except Unanswerable as error:
            self._unanswered(scenes, Unanswered(str(error.verdict), str(error)))
            interrupted = False
        except TetraproofError as error:
            for scene in scenes:
                scene.fail(error)
            interrupted = False
        finally:
            # also when interrupted: what was observed is kept
            with self.account.spending("evidence"):
                self._each(scenes, lambda scene: self._gather(scene, whole=not interrupted), failed=True)
            if bound is not None and not interrupted:
                self._remove(bound, scenes)
            for scene in scenes:
                self._keep(scene)

    def _bound(self, policy: Policy | None, acts: Sequence[Act]) -> Policy | None:
        """The policy with its values and its namespace as they are here.

        One that names no namespace is for the namespace that it is applied to: that of the first act's pod.
        """
        if policy is None:
            return None
        bindings = self.site.bindings(self.site.places[0])
        namespace = bindings.namespaces.get(policy.namespace, policy.namespace)
        if not namespace and policy.kind == "TracingPolicyNamespaced":
            pods = (bindings.pod(act.pod) for act in acts)
            namespace = next((pod.namespace for pod in pods if pod is not None), "")
        return dataclasses.replace(with_values(policy, bindings.ranges), namespace=namespace)

    def _perform(self, name: str, scenes: list[Scene], policy: Policy | None, acts: Sequence[Act]) -> None:
        account = self.account
        # an agent is set only for what can be had here
        refused = (self.site.unsupported(policy) if policy else "") or self.site.configure(scenes[0].settings)
        if refused:
            raise Unanswerable(refused, Verdict.UNSUPPORTED)
        ahead = next((at for at, act in enumerate(acts) if not act.prepare), len(acts))
        for scene in scenes:
            scene.bindings = self.site.bindings(scene.place)
        with account.spending("evidence"):
            self._each(scenes, lambda scene: self._begin(scene, acts))
        with account.spending("acts"):
            self._each(scenes, lambda scene: self._acts(scene, acts[:ahead], first=True))
        self._sentinels(scenes, self._start_sentinel)
        if policy is not None:
            with account.spending("loading policies"):
                self._apply(name, scenes, policy)
        for scene in scenes:
            scene.state_known = True
        with account.spending("acts"):
            self._each(scenes, lambda scene: self._acts(scene, acts[ahead:]))
        self._sentinels(scenes, self._end_sentinel)
        with account.spending("evidence"):
            self._end(scenes, policy)

    def _each(self, scenes: Sequence[Scene], do: Callable[[Scene], None], *, failed: bool = False) -> None:
        """Do something on every place side by side; what fails on one of them leaves the others alone."""

        def guarded(scene: Scene) -> None:
            try:
                do(scene)
            except TetraproofError as error:
                scene.fail(error)

        chosen = [scene for scene in scenes if failed or not scene.failed]
        if len(chosen) == 1:
            guarded(chosen[0])
        elif chosen:
            with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
                doing = [pool.submit(guarded, scene) for scene in chosen]
                try:
                    wait(doing)
                except BaseException:
                    self.site.interrupt()
                    raise
            for one in doing:
                one.result()

    def _unanswered(self, scenes: Sequence[Scene], why: Unanswered) -> None:
        for scene in scenes:
            scene.unanswered = scene.unanswered or why

    def _begin(self, scene: Scene, acts: Sequence[Act]) -> None:
        scene.lacking = self.site.lacking(scene.place, acts)
        scene.files["metrics-before.txt"] = self._metrics(scene)

    def _end(self, scenes: Sequence[Scene], policy: Policy | None) -> None:
        if policy is not None:
            try:
                states = until(
                    "the agents' word afterwards", self.site.states, bool, self._deadlines.command, forgives=AgentError
                )
            except Overdue as error:  # one that does not answer leaves the others their say
                states = self.site.answers()
                for scene in scenes:
                    if not states.keys() >= set(self.site.nodes(scene.place)):
                        scene.notes.append(error.sentence)
            self._told(scenes, "state-after.json", states)
            gone = self.site.disturbed()
            for scene in scenes:
                scene.notes += [
                    f"on {node}: {how}" for node, how in gone.items() if node in self.site.nodes(scene.place)
                ]
        self._each(scenes, lambda scene: scene.files.update({"metrics-after.txt": self._metrics(scene)}))

    def _told(self, scenes: Sequence[Scene], file: str, states: States) -> None:
        for scene in scenes:
            own = {node: states[node] for node in self.site.nodes(scene.place) if node in states}
            scene.files[file] = as_json(own)

    # acts

    def _acts(self, scene: Scene, acts: Sequence[Act], *, first: bool = False) -> None:
        """Perform the acts; where the machine is lost on the way, the rest is recorded as never performed."""
        lost: MachineLost | None = None
        for number, act in enumerate(acts, 1):
            if not first:
                self._tell(f"{scene.name}: act {number} of {len(acts)}, {act.name}")
            if lost is None:
                try:
                    scene.acts.append(self._act(act, scene))
                except MachineLost as error:
                    lost = error
            if lost is not None:
                scene.acts.append(self._act(act, scene, broken=lost.sentence))
        if lost is not None:
            raise lost

    def _act(self, act: Act, scene: Scene, role: str = "", broken: str = "", cpu: int | None = None) -> ActRecord:
        values = scene.bindings.values()
        pod = scene.bindings.pod(act.pod)
        argv = tuple(fill(part, values) for part in act.argv)
        missing = [name for part in act.argv for name in unbound(part, values)]
        lacks = scene.lacking.get(act.name, "") if not role else ""
        started = ""
        if pod is None:
            broken = broken or f"there is no pod of {act.pod} here"
        elif missing:
            broken = broken or f"{missing[0]} is bound to nothing here"
        if pod is None or broken or lacks:
            outcome = Outcome(None, broken=lacks or broken)
        else:
            started = _now()
            outcome = self.site.perform(act, pod, argv)
        pod = pod or PodBinding("", act.pod, node=scene.place)
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
            lacks=lacks,
            role=role or ("prepare" if act.prepare else "act"),
            cpu=cpu,
            started=started,
            ended=_now() if started else "",
        )

    # sentinels

    def _sentinels(self, scenes: Sequence[Scene], make: Callable[[Scene], None]) -> None:
        """Make a sentinel on every place; what is spent on listening for it is counted by itself."""
        for scene in scenes:
            scene.listened = 0.0
        with self.account.spending(SENTINELS):
            self._each(scenes, make)
        listened = max(scene.listened for scene in scenes)
        self.account.add(SENTINELS, -listened)
        self.account.add("waiting for the stream", listened)

    def _start_sentinel(self, scene: Scene) -> None:
        scene.position = self.site.position(scene.place)
        for number in range(_START_SENTINELS):
            if self._sentinel(scene, f"{START}-{number}", START, last=number == _START_SENTINELS - 1):
                return

    def _end_sentinel(self, scene: Scene) -> None:
        rings = next((node.rings for node in self.recorder.index.nodes if node.name == scene.place), 1)
        # an agent with a ring for each CPU keeps order within one only, so each gets a sentinel of its own
        cpus = range(rings) if rings > 1 else (None,)
        scene.heard = all(self._sentinel(scene, END, END, last=True, cpu=cpu) for cpu in cpus)
        if not scene.heard:
            scene.notes.append("the stream was not heard to its end: the sentinel after the acts never came")

    def _sentinel(self, scene: Scene, mark: str, role: str, *, last: bool, cpu: int | None = None) -> bool:
        """Whether a marked act, on a CPU of its own if one is named, was heard to its end."""
        argv = ("true", mark) if cpu is None else ("taskset", "-c", str(cpu), "true", f"{mark}-cpu-{cpu}")
        scene.acts.append(self._act(command(*argv), scene, role, cpu=cpu))
        wanted = f'{argv[-1]}"'.encode()
        position = scene.position or 0

        def heard() -> bool:
            lines = self.site.heard(scene.place, position, "").splitlines()
            return any(b'"process_exit"' in line and wanted in line for line in lines)

        begun = datetime.now(UTC)
        try:
            until("a sentinel's exit", heard, bool, self._deadlines.sentinel / (1 if last else 6))
        except Overdue:
            return False
        finally:
            scene.listened += (datetime.now(UTC) - begun).total_seconds()
        return True

    # the policy

    def _apply(self, name: str, scenes: Sequence[Scene], policy: Policy) -> None:
        self._tell(f"{name}: applying {policy.kind} {policy.name}")
        begun = datetime.now(UTC)
        fitted = self.site.fitted(policy)
        manifest = manifest_of(fitted)
        for scene in scenes:
            scene.files["policy.yaml"] = manifest_of(policy).encode()
            if manifest != manifest_of(policy):
                scene.files["applied.yaml"] = manifest.encode()
                scene.notes.append(
                    f"applied confined to what is the run's own: {_confinement(policy, fitted)} (applied.yaml)"
                )
        refused = self.site.apply(policy, manifest)
        states: States = {}
        try:
            states = until(
                f"the state of {policy.name}",
                self.site.states,
                lambda states: bool(states) and all(applying.settled(policy, told) for told in states.values()),
                # one that was refused at once may leave no state to wait for
                self._deadlines.policy if not refused else 0,
                tell=self._tell,
                shown=lambda states: applying.words(policy, states),
                forgives=AgentError,
            )
        except Overdue as error:
            with suppress(AgentError):
                states = self.site.states()
            why = error.sentence if not refused else f"applying it said: {refused}"
            for scene in scenes:
                scene.notes.append(why)
            if refused:
                states = {
                    node: told if applying.of(policy, told) else [*told, applying.failed(policy, refused)]
                    for node, told in states.items()
                }
        for node, how in self.site.disturbed().items():
            states[node] = [applying.failed(policy, f"while the policy was loading, {how}")]
        for scene in scenes:
            scene.settled_after = (datetime.now(UTC) - begun).total_seconds()
        self._told(scenes, "state.json", states)

    def _remove(self, policy: Policy, scenes: Sequence[Scene]) -> None:
        with self.account.spending("removing policies"):
            try:
                self.site.remove(policy)
            except TetraproofError as error:
                for scene in scenes:
                    scene.notes.append(f"the policy could not be taken away: {error.sentence}")

    # what is kept

    def _metrics(self, scene: Scene) -> bytes:
        lines = [line for line in self.site.metrics(scene.place).splitlines() if keep(line, scene.applied)]
        return ("\n".join(lines) + "\n").encode() if lines else b""

    def _gather(self, scene: Scene, *, whole: bool) -> None:
        """The stream, and where there is time for it what others make of it."""
        if scene.position is None:
            return
        scene.files["events.jsonl"] = self.site.heard(scene.place, scene.position, scene.applied)
        if whole:
            with suppress(TetraproofError):
                scene.files["agent.log"] = self.site.log(scene.place, scene.started)
                if scene.heard:
                    scene.files["export.jsonl"] = self.site.export(scene.place, scene.started, END.encode())

    def _keep(self, scene: Scene) -> None:
        several = len(self.site.places) > 1
        self.recorder.add(*scene.record(tuple(self.site.nodes(scene.place)) if several else ()))


def _confinement(policy: Policy, fitted: Policy) -> str:
    """What a policy asks for besides as it is applied, in a clause."""
    selector = fitted.spec.get("podSelector")
    if selector == policy.spec.get("podSelector"):
        return "by the namespaces of their processes"
    return "podSelector " + ", ".join(
        f"{name}: {value}" for name, value in (selector or {}).get("matchLabels", {}).items()
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()
