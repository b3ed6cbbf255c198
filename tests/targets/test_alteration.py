"""A change is made under a repeated act, all that is said of it is kept, and the installation is put back."""

from __future__ import annotations

import dataclasses
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.builders import policy
from tetraproof.errors import TetraproofError
from tetraproof.judging.continuity import ChangeRun
from tetraproof.kubernetes.helm import Chart, HelmError
from tetraproof.machines.machine import Completed
from tetraproof.observing import gap
from tetraproof.observing.gap import Continuity
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.waiting import Hopeless, Overdue
from tetraproof.policies.binding import Bindings, PodBinding
from tetraproof.targets import Unanswerable, alteration
from tetraproof.targets.alteration import ACT, CHANGES, alter
from tetraproof.verdict import Verdict

DEADLINES = Deadlines().scaled(0.005)


class Beating:
    """The act that goes on: a line for each repetition, ended by the code that the site says."""

    def __init__(self, site: Site, file: Path) -> None:
        self._site, self._file = site, file
        self._clock = 1000.0
        self._writing = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    ending = "its connection broke"

    @property
    def runs(self) -> bool:
        return not self._stopped.is_set()

    def beat(self, *codes: int) -> None:
        with self._writing, self._file.open("a", encoding="utf-8") as file:
            for code in codes:
                file.write(f"{self._clock} {self._clock + 0.1} {code} {self._site.twin if code == 137 else '-'}\n")
                self._clock += 1

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._stopped.wait(0.002):
            self.beat(self._site.goes_on)


@dataclass
class Installed:
    """An installation of one agent, which says of a policy what it is told to say."""

    site: Site
    done: list[str] = field(default_factory=list)
    set_to: dict[str, str] = field(default_factory=dict)

    def await_ready(self) -> None:
        self.done.append("ready")

    def refresh(self) -> bool:
        return True

    def rolled_out(self) -> bool:
        return True

    def restart(self) -> None:
        self.done.append("restart")
        self.site.changes()

    def settings(self) -> dict[str, str]:
        return dict(self.set_to)

    def configure(self, settings: dict[str, str | None]) -> None:
        self.done.append("configure")
        self.set_to = {**self.set_to, **{name: value for name, value in settings.items() if value is not None}}
        for name, value in settings.items():
            if value is None:
                self.set_to.pop(name, None)


@dataclass
class FakeHelm:
    """Helm, which does as it is told to."""

    site: Site
    said: list[tuple[str, ...]] = field(default_factory=list)
    revisions: int = 1
    refuses: str = ""

    def upgrade(self, chart: Chart, *words: str, pinned: bool = True) -> str:
        self.said.append(("upgrade", chart.reference, *words))
        if self.refuses:
            raise HelmError("helm upgrade tetragon failed.", causes=[self.refuses])
        self.revisions += 1
        self.site.changes()
        return 'Release "tetragon" has been upgraded.\nmore'

    def rollback(self, revision: int = 0) -> str:
        self.said.append(("rollback", str(revision)))
        self.revisions += 1
        self.site.changes()
        return "Rollback was a success!"

    def revision(self) -> int:
        return self.revisions


class Site:
    """Where it is changed: one node, one pod, one policy."""

    def __init__(self, folder: Path, changes: Callable[[Beating], None]) -> None:
        self.places, self.folder, self.revision = ("a",), folder, 1
        self.chart, self.newer = Chart("old"), Chart("new", "")
        self.asked_for: tuple[str, ...] = ("disable-kprobe-multi",)
        self.installation = Installed(self, set_to={"disable-kprobe-multi": "true"})
        self.helm = FakeHelm(self)
        self.applied: list[str] = []
        self.refusal = ""
        self.anew = 0
        self.changed = False
        #: What becomes of each act that is repeated.
        self.goes_on = 137
        #: What becomes of its twin.
        self.twin = "0"
        self.ran: list[list[str]] = []
        self._changes = changes
        self.beating: Beating
        self.cluster = SimpleNamespace(executor=SimpleNamespace(start=self._start, run=self._run))

    def changes(self) -> None:
        if hasattr(self, "beating"):
            self.changed = True
            self._changes(self.beating)

    def _start(self, place: object, argv: list[str], file: Path) -> Beating:
        assert tuple(argv[-len(ACT) :]) == ACT
        self.beating = Beating(self, file)
        return self.beating

    def _run(self, place: object, argv: list[str], *, seconds: float) -> Completed:
        self.ran.append(argv)
        self.beating.stop()
        return Completed(0)

    def bindings(self, place: str) -> Bindings:
        return Bindings({"probe": (PodBinding("ours", "probe", node=place),)})

    def unsupported(self, given: object) -> str:
        del given
        return self.refusal

    def fitted(self, given: object) -> object:
        return given

    def apply(self, given, manifest: str) -> str:
        self.applied.append(given.name)
        return ""

    def remove(self, given) -> None:
        self.applied.remove(given.name)

    def states(self) -> dict[str, list[dict[str, str]]]:
        return {"a": [{"name": name, "state": "TP_STATE_ENABLED"} for name in self.applied]}

    def listen_anew(self) -> None:
        self.anew += 1


def gap_of_three(beating: Beating) -> None:
    beating.beat(0, 0, 0, *[137] * 5)


def altered(site: Site, change: str) -> Continuity:
    return alter(site, change, policy(), DEADLINES, lambda line: None)


def test_an_act_that_is_repeated_no_more_is_not_awaited(tmp_path: Path) -> None:
    """Its pod was deleted: no deadline is sat out, and the failure says so."""
    site = Site(tmp_path, gap_of_three)
    site.goes_on = 0  # never enforced
    start = site.cluster.executor.start

    def ending(*given: object) -> Beating:
        begun: Beating = start(*given)
        begun.stop()
        return begun

    site.cluster.executor.start = ending
    with pytest.raises(Hopeless) as hopeless:
        alter(site, "rollout-restart", policy(), Deadlines(), lambda line: None)
    assert hopeless.value.what == "enforcement before the change"
    assert "is not repeated any more on a (its connection broke)" in hopeless.value.sentence
    assert site.applied == []


def said(continuity: Continuity, what: str) -> list[str]:
    return [one.said for one in continuity.happenings if one.what == what]


def test_the_gap_is_what_the_beats_say(tmp_path: Path) -> None:
    """Three acts went through between two that were killed."""
    site = Site(tmp_path, gap_of_three)
    told = altered(site, "rollout-restart")
    (found,) = gap.gaps(told.pulses[0])
    assert (len(found.allowed), found.measured, found.closed) == (3, 3900, True)
    assert told.command == "kubectl rollout restart -n kube-system ds/tetragon"
    assert said(told, gap.ROLLED_OUT) == ["successfully rolled out"]
    assert "enabled" in said(told, gap.STATE)


def test_enforcement_that_outlives_the_old_agent_is_not_enforcement_that_is_back(tmp_path: Path) -> None:
    """The old agent's programs go on for a while, then the new agent takes them away and loads its own."""
    site = Site(tmp_path, lambda beating: None)
    asked = count()

    def states() -> dict[str, list[dict[str, str]]]:
        times = next(asked) if site.changed else 99
        site.goes_on = 0 if 3 <= times < 6 else 137
        word = "ENABLED" if times >= 6 else "LOADING"
        return {"a": [{"name": "guard", "state": f"TP_STATE_{word}"}] if site.applied and times >= 3 else []}

    site.states = states
    told = altered(site, "rollout-restart")
    (found,) = gap.gaps(told.pulses[0])
    assert found.closed


def test_what_a_pulse_rests_on_is_recorded(tmp_path: Path) -> None:
    """The nodes that must have one, the twin of each act, the ends of the acts by node, the state in the end."""
    told = altered(Site(tmp_path, gap_of_three), "rollout-restart")
    assert told.nodes == ("a",)
    assert {(beat.exit_code, beat.control) for beat in told.pulses[0].beats} == {(137, 0), (0, None)}
    ends = [one for one in told.happenings if one.what in {gap.ACTS_BEGIN, gap.ACTS_ENDED}]
    assert [one.node for one in ends] == ["a", "a"]
    last = told.happenings[-1]
    assert (last.what, last.said, last.node) == (gap.STATE, "enabled", "a")
    assert last.at >= ends[-1].at


def test_acts_are_enforced_long_enough_around_the_change_to_be_certain(tmp_path: Path) -> None:
    """Longer than the clocks can be apart, by the node's own clock, on both sides of it."""
    told = altered(Site(tmp_path, gap_of_three), "rollout-restart")
    (found,) = gap.gaps(told.pulses[0])
    beats = told.pulses[0].beats
    assert found.before.ended - beats[0].started >= gap.LONGEST_AT_THE_ENDS
    assert beats[-1].ended - found.after.started >= gap.LONGEST_AT_THE_ENDS


def test_a_twin_that_dies_as_well_is_no_enforcement(tmp_path: Path) -> None:
    """Something kills whatever is started: nothing is changed then."""
    site = Site(tmp_path, gap_of_three)
    site.twin = "137"
    with pytest.raises(Overdue):
        altered(site, "rollout-restart")
    assert "restart" not in site.installation.done


def test_a_policy_that_is_gone_in_the_end_is_told(tmp_path: Path) -> None:
    """Enabled when the agents came back, and no more when the acts had ended."""
    site = Site(tmp_path, gap_of_three)
    whole = site.states
    site.states = lambda: whole() if not hasattr(site, "beating") or site.beating.runs else {"a": []}
    told = altered(site, "rollout-restart")
    assert (told.happenings[-1].what, told.happenings[-1].said) == (gap.STATE, "unknown to it")


@pytest.mark.parametrize(
    ("act", "codes"), [("kill -9 $$", "137 0"), ("exit 137", "137 0"), ("true", "0 -"), ("exit 3", "3 -")]
)
def test_the_loop_writes_what_is_read(tmp_path: Path, act: str, codes: str) -> None:
    """As bash runs it: the twin is tried where the act was killed; it ends when it is told to."""
    script = alteration._BEATING.replace("/tmp/", f"{tmp_path}/")
    run = subprocess.Popen(["bash", "-c", script, "bash", "bash", "-c", act], stdout=subprocess.PIPE, text=True)
    assert run.stdout
    begun, ended, *told = run.stdout.readline().split()
    (tmp_path / "tetraproof-stop").touch()
    run.communicate(timeout=20)
    assert float(begun) <= float(ended)
    assert " ".join(told) == codes
    assert (tmp_path / "tetraproof-free").exists() == codes.startswith("137")


def test_happenings_stand_in_their_order(tmp_path: Path) -> None:
    """What bounds the beats, and what is between."""
    told = altered(Site(tmp_path, gap_of_three), "rollout-restart")
    order = [one.what for one in told.happenings if one.what not in {gap.STATE, gap.SETTING, gap.ROLLED_OUT}]
    assert order == [gap.ENABLED, gap.ACTS_BEGIN, gap.CHANGE_BEGINS, gap.CHANGE_RETURNED, gap.ACTS_ENDED]


@pytest.mark.parametrize("change", list(CHANGES))
def test_everything_is_put_back(tmp_path: Path, change: str) -> None:
    """The policy is gone, the act has stopped, settings are as they were, and the streams begin anew."""
    site = Site(tmp_path, gap_of_three)
    before = site.installation.settings()
    altered(site, change)
    assert site.applied == []
    assert not site.beating.runs
    assert site.ran[-1][0] == "touch"
    assert {**site.installation.settings(), "enable-process-cred": ""} == {**before, "enable-process-cred": ""}
    assert site.installation.settings().get("enable-process-cred", "false") == "false"
    assert site.installation.done[-1] == "ready"
    assert site.anew == 1


def test_a_refusal_is_kept_in_its_words_and_rolled_back_from_nothing(tmp_path: Path) -> None:
    """Helm said no, so nothing was changed and nothing is rolled back."""
    site = Site(tmp_path, gap_of_three)
    site.helm.refuses = "nil pointer evaluating interface {}.enabled"
    told = altered(site, "upgrade-reusing-values")
    assert site.helm.said == [("upgrade", "new", "--reuse-values")]
    run = ChangeRun(told, "upgrade")
    assert run.refused_with("nil pointer")
    assert not run.refused_with("conflict")
    assert said(told, gap.CHANGE_RETURNED) == []


def test_an_upgrade_is_rolled_back_to_the_revision_that_was_there(tmp_path: Path) -> None:
    """Not to the one before, which may be another."""
    site = Site(tmp_path, gap_of_three)
    altered(site, "upgrade")
    assert site.helm.said == [("upgrade", "new"), ("rollback", "1")]
    assert site.revision == 3


def test_a_rollback_is_made_from_an_upgrade(tmp_path: Path) -> None:
    """The upgrade comes first, before any act is repeated."""
    site = Site(tmp_path, gap_of_three)
    told = altered(site, "rollback")
    assert [word for word, *_ in site.helm.said] == ["upgrade", "rollback", "rollback"]
    assert said(told, gap.CHANGE_RETURNED) == ["Rollback was a success!"]


def test_settings_are_noted_before_and_after(tmp_path: Path) -> None:
    """What the user asked for, and what the hand edit sets."""
    site = Site(tmp_path, gap_of_three)
    told = altered(site, "upgrade-after-hand-edit")
    assert said(told, gap.SETTING) == ["disable-kprobe-multi: true", "enable-process-cred: true"] * 2


def test_enforcement_that_never_comes_back_is_told_and_put_back_all_the_same(tmp_path: Path) -> None:
    """The gap stays open, and nobody waits for ever."""
    site = Site(tmp_path, lambda beating: setattr(site, "goes_on", 0))
    told = altered(site, "rollout-restart")
    (found,) = gap.gaps(told.pulses[0])
    assert not found.closed
    assert site.applied == []


def test_a_policy_that_is_never_enabled_ends_it_before_anything_is_changed(tmp_path: Path) -> None:
    """There is nothing to measure then: the change is inconclusive, and the run goes on."""
    site = Site(tmp_path, gap_of_three)
    site.states = dict  # no agent says anything
    with pytest.raises(Unanswerable, match="did not come into force") as caught:
        altered(site, "rollout-restart")
    assert caught.value.verdict is Verdict.INCONCLUSIVE
    assert "restart" not in site.installation.done
    assert site.applied == []


def test_a_policy_that_an_agent_could_not_load_is_not_awaited(tmp_path: Path) -> None:
    """Its word is final; the deadline would be an hour."""
    site = Site(tmp_path, gap_of_three)
    states = site.states

    def broken() -> dict[str, list[dict[str, object]]]:
        return {node: [{**one, "state": "TP_STATE_LOAD_ERROR"} for one in told] for node, told in states().items()}

    site.states = broken
    patient = dataclasses.replace(DEADLINES, policy=3600.0)
    with pytest.raises(Unanswerable, match="says load_error") as caught:
        alter(site, "rollout-restart", policy(), patient, lambda line: None)
    assert caught.value.verdict is Verdict.INCONCLUSIVE
    assert "restart" not in site.installation.done
    assert site.applied == []


def test_what_cannot_be_put_back_is_told(tmp_path: Path) -> None:
    """And the run goes on."""
    site = Site(tmp_path, gap_of_three)

    def refuse(revision: int = 0) -> str:
        raise TetraproofError("helm rollback failed.")

    site.helm.rollback = refuse
    lines: list[str] = []
    alter(site, "upgrade", policy(), DEADLINES, lines.append)
    assert any("could not be put back" in line for line in lines)


def test_nothing_is_changed_for_a_policy_that_cannot_be_had(tmp_path: Path) -> None:
    """It is unsupported before the installation is touched."""
    site = Site(tmp_path, gap_of_three)
    site.refusal = "a loader cannot be confined"
    with pytest.raises(Unanswerable, match="a loader cannot be confined"):
        altered(site, "upgrade")
    assert not site.applied
    assert not site.changed
    assert not site.installation.done
