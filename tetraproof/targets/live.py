"""What every live target does: apply the policy, perform the acts between two sentinels, take it away again.

It observes into a recording and has `replay` judge that, so a live run and its recording
cannot come to different verdicts. Where several nodes are acted on, a policy is applied
once, the acts are performed on all of them side by side, and each is a scenario of its own.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

from tetraproof.answer import Unknown
from tetraproof.errors import TetraproofError
from tetraproof.observing.act import Act
from tetraproof.observing.gap import Continuity
from tetraproof.observing.observation import Observed
from tetraproof.pacing.account import Account
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import Tell, awaiting
from tetraproof.policies.binding import Bindings
from tetraproof.policies.policy import Policy
from tetraproof.recordings.record import numbered
from tetraproof.recordings.recorder import Recorder, as_json
from tetraproof.recordings.recording import Cell, ScenarioRecord, Unanswered
from tetraproof.targets import Unanswerable, scenario_of
from tetraproof.targets.acting import Acting, Pods
from tetraproof.targets.applying import Agents, Applying, bound, not_found
from tetraproof.targets.keeping import Keeping, Records, Scene, manifest_of
from tetraproof.targets.replay import Replay
from tetraproof.targets.sentinels import Sentinels, Streams, counted
from tetraproof.verdict import Verdict


class Site(Pods, Agents, Streams, Records, Protocol):
    """Where a live target acts, whatever that is made of: what each step of a run asks of it, and its places.

    A place is a node that is acted on, by its name. What nobody says anything of raises `TetraproofError`.
    """

    @property
    def places(self) -> Sequence[str]:
        """The nodes that are acted on."""
        ...

    def bindings(self, place: str) -> Bindings:
        """What the suites' logical names are there."""
        ...

    def interrupt(self) -> None:
        """Give up every act that runs."""
        ...


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
        self._names: dict[tuple[str, tuple[Act, ...]], str] = {}
        self._observed: dict[str, set[str]] = {}
        self._changes: dict[tuple[str, tuple[str, str]], str] = {}
        self._applying = Applying(site, deadlines, tell)
        self._acting = Acting(site)
        self._sentinels = Sentinels(site, self._acting, recorder.index.nodes, deadlines.sentinel, tell)
        self._keeping = Keeping(site, recorder)

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
        return [self._scenario(name, place) for place in self.site.places]

    def observe(
        self,
        policy: Policy | None,
        settings: Mapping[str, str],
        acts: Sequence[Act],
        scenario: str,
        suite: str = "",
    ) -> Observed:
        """Apply the policy, perform the acts, close with a sentinel; and have replay read what came of it."""
        places = self.site.places
        name, place = scenario, places[0]
        if len(places) > 1:
            name, _, place = scenario.rpartition("@")
        # of one policy the acts of each suite are a scenario of their own
        key = name, tuple(acts)
        own = self._names.setdefault(key, numbered(name, {*self._names.values(), *self._changes.values()}))
        if scenario not in self._observed.get(own, set()):
            beside = name if own != name else ""
            with awaiting(own, stage=True):
                self._run(own, policy, settings, acts, whose=(suite, beside))
            self._observed[own] = set(self.scenarios(name, policy, settings))
        scenario = self._scenario(own, place)

        def judged() -> Observed:
            return Replay(self.recorder.only(scenario)).observe(policy, settings, acts, scenario)

        def ask_compact() -> Sequence[str] | Unknown:
            with self.account.spending("evidence"):
                self._keeping.print_compact(scenario, place)
            return judged().compact

        return dataclasses.replace(judged(), ask_compact=functools.cache(ask_compact))

    def changes(self, change: str, policy: Policy) -> Sequence[str]:
        """One scenario, made when it is observed; of a change that is made under several policies one for each."""
        key = change, policy.key
        return [self._changes.setdefault(key, numbered(change, {*self._changes.values(), *self._names.values()}))]

    def observe_change(self, change: str, policy: Policy, scenario: str) -> Observed:
        """Have the installation changed while an act is repeated; why it cannot be is kept. Raises `Unanswerable`."""
        started = datetime.now(UTC).isoformat()
        manifest = manifest_of(policy).encode()
        try:
            continuity, place = self._changed(change, policy)
        except Unanswerable as error:
            unanswered = Unanswered(str(error.verdict), str(error))
            record = ScenarioRecord(scenario, change=change, started=started, unanswered=unanswered)
            self.recorder.add(record, {"policy.yaml": manifest})
            raise
        self.recorder.add(
            ScenarioRecord(
                scenario,
                change=change,
                started=started,
                bindings=self.site.bindings(place),
                notes=("applied confined to the run's own pods",),
            ),
            {"continuity.json": as_json(continuity), "policy.yaml": manifest},
        )
        return Replay(self.recorder.only(scenario)).observe_change(change, policy, scenario)

    def _changed(self, change: str, policy: Policy) -> tuple[Continuity, str]:
        """What became of the policy meanwhile, and the first place that it was seen on. Raises `Unanswerable`."""
        del change, policy
        raise Unanswerable(f"the target {self.kind} has no installation to change", Verdict.UNSUPPORTED)

    def look(self) -> Observed:
        """What is installed, as it was found when the run began."""
        return Replay(self.recorder.only("")).look()

    def _run(
        self,
        name: str,
        policy: Policy | None,
        settings: Mapping[str, str],
        acts: Sequence[Act],
        *,
        whose: tuple[str, str],
    ) -> None:
        """One scenario on all places side by side, from first to last; `whose` is its suite, and what it is beside."""
        site, spending = self.site, self.account.spending
        lacking = ""
        if policy is not None:
            here = site.bindings(site.places[0])
            lacking, policy = not_found(policy, here), bound(policy, here, acts)
        suite, beside = whose
        scenes = [Scene(self._scenario(name, place), place, policy, settings, suite=suite) for place in site.places]
        for scene in scenes:
            scene.beside = self._scenario(beside, scene.place) if beside else ""
        each = functools.partial(self._on_each, scenes)
        ahead = next((at for at, act in enumerate(acts) if not act.prepare), len(acts))
        with self._kept(scenes, policy):
            self._applying.make_way(policy, settings, lacking)
            for scene in scenes:
                scene.bindings = site.bindings(scene.place)
            with spending("evidence"):
                each(lambda scene: self._acting.survey(scene, acts), self._keeping.begin)
            with spending("acts"):
                each(lambda scene: self._acting.perform(scene, acts[:ahead]))
            with counted(self.account, scenes):
                each(self._sentinels.start)
            if policy is not None:
                with spending("loading policies"):
                    self._applying.apply(name, policy, scenes)
            for scene in scenes:
                scene.state_known = True
            with spending("acts"):
                each(lambda scene: self._acting.perform(scene, acts[ahead:], self._tell))
            with counted(self.account, scenes):
                each(self._sentinels.end)
            with spending("evidence"), self._beside(lambda: each(self._keeping.end)):
                if policy is not None:
                    self._applying.ask_again(policy, scenes)

    @contextmanager
    def _kept(self, scenes: Sequence[Scene], policy: Policy | None) -> Iterator[None]:
        """Whatever becomes of the body, what was observed is kept and the policy taken away; an interrupt passes on."""
        interrupted = True
        try:
            yield
            interrupted = False
        except Unanswerable as error:
            for scene in scenes:
                scene.unanswered = scene.unanswered or Unanswered(str(error.verdict), str(error))
            interrupted = False
        except TetraproofError as error:
            for scene in scenes:
                scene.fail(error)
            interrupted = False
        finally:
            with self.account.spending("evidence"):
                self._on_each(scenes, self._keeping.hear, failed=True)
                # after an interrupt the site is closed, and takes it away
                if not interrupted:
                    self._remove_and_gather(scenes, policy)
            for scene in scenes:
                self._keeping.record(scene, self.site.nodes(scene.place) if len(scenes) > 1 else ())

    def _remove_and_gather(self, scenes: Sequence[Scene], policy: Policy | None) -> None:
        """Take the policy away, and beside that gather what is not of the moment."""
        with self._beside(lambda: self._on_each(scenes, self._keeping.gather, failed=True)):
            if policy is not None:
                with self.account.spending("removing policies", within="evidence"):
                    self._applying.remove(policy, scenes)

    @contextmanager
    def _beside(self, work: Callable[[], None]) -> Iterator[None]:
        """Have `work` done beside the body; both have ended then, also after an interrupt."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            doing = pool.submit(work)
            try:
                yield
            except TetraproofError:
                raise
            except BaseException:
                self.site.interrupt()
                raise
        doing.result()

    def _on_each(self, scenes: Sequence[Scene], *steps: Callable[[Scene], None], failed: bool = False) -> None:
        """Take these steps on every place side by side; what fails on one of them leaves the others alone."""

        def guarded(scene: Scene) -> None:
            try:
                for step in steps:
                    step(scene)
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

    def _scenario(self, name: str, place: str) -> str:
        """The scenario of that name on a place."""
        named = scenario_of(name)
        return f"{named}@{place}" if len(self.site.places) > 1 else named
