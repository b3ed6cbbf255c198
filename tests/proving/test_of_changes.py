"""Damages to a change: each is noticed by what the suites ask, and what must not matter does not."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from tests.builders import ROOT
from tetraproof.answer import judge
from tetraproof.judging.continuity import ChangeRun
from tetraproof.observing import gap
from tetraproof.observing.gap import Continuity, Happening
from tetraproof.observing.observation import Observed
from tetraproof.policies.policy import load
from tetraproof.proving.of_changes import damages
from tetraproof.recordings import change
from tetraproof.recordings.recording import open_recording

SHIPPED = ROOT / "recordings/k8s-1.36.2_tetragon-1.4.1-disable-kprobe-multi_debian-6.12.117"
POLICY = load(ROOT / "manifests/policies/block-fd-install.yaml")
SCENARIOS = ("gap-rollout-restart", "gap-upgrade-1.4.1-to-1.7.0")
PATH = "scenarios/{}/continuity.json"


def recorded(scenario: str) -> Observed:
    return change.observe(open_recording(SHIPPED), POLICY, scenario)


def as_a_live_run_records(scenario: str) -> Observed:
    """The shipped record with what older ones lack: twins, settings, the state in the end, a second node."""
    observed = recorded(scenario)
    told = observed.continuity
    assert told
    (pulse,) = told.pulses
    beats = tuple(replace(one, control=0) if one.exit_code == gap.KILLED else one for one in pulse.beats)
    begun, ended = told.first(gap.CHANGE_BEGINS), told.first(gap.ACTS_ENDED)
    assert begun
    assert ended
    nodes = ("a", "b")
    words = [one for one in told.happenings if one.what in {gap.ENABLED, gap.STATE, gap.ACTS_BEGIN, gap.ACTS_ENDED}]
    shared = [one for one in told.happenings if one not in words and not one.node]
    settings = [Happening(at, gap.SETTING, "debug: false") for at in (begun.at - 1, ended.at)]
    per_node = [replace(one, node=node) for one in words for node in nodes]
    last = [Happening(ended.at + 1, gap.STATE, "enabled", node) for node in nodes]
    told = replace(
        told,
        pulses=tuple(replace(pulse, node=node, beats=beats) for node in nodes),
        happenings=(*shared, *settings, *per_node, *last),
        nodes=nodes,
    )
    return Observed(scenario, observed.policy, {}, continuity=told)


def verdicts(told: Continuity) -> dict[str, str]:
    """What the suites on changes ask, each body's questions together."""
    run = ChangeRun(told, "guard")
    bodies = {
        "before and after": lambda: run.enforced_before and run.enforced_afterwards,
        "measured": lambda: run.measured,
        "done": lambda: run.done_means_enforced,
        "accepted": lambda: run.accepted,
        "kept": run.keeps,
        "unbroken": lambda: run.unbroken,
    }

    def judged(asked) -> str:
        def body() -> None:
            assert asked()

        return str(judge(body).verdict)

    return {name: judged(asked) for name, asked in bodies.items()}


def trials(observed: Observed):
    """Each damage, and which verdicts change by it."""
    told = observed.continuity
    path = PATH.format(observed.scenario)
    files = {path: msgspec.json.encode(told)}
    before = verdicts(told)
    for damage in damages(observed):
        after = verdicts(msgspec.json.decode(damage.to(files)[path], type=Continuity))
        yield damage, {name: after[name] for name in after if after[name] != before[name]}


@pytest.mark.parametrize("make", [recorded, as_a_live_run_records])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_damage_is_noticed_and_the_harmless_ones_are_not(scenario, make):
    """By a verdict of what is asked, not by the format."""
    told = list(trials(make(scenario)))
    assert [damage.kind for damage, changed in told if not damage.harmless and not changed] == []
    assert [damage.kind for damage, changed in told if damage.harmless and changed] == []
    assert {damage.harmless for damage, _ in told} == {True, False}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_damage_makes_enforcement_of_none(scenario):
    """What was refuted or open never conforms by it; only a roll-out that is said to be done later was said in time."""
    observed = as_a_live_run_records(scenario)
    better = [
        (damage.kind, name)
        for damage, changed in trials(observed)
        for name, verdict in changed.items()
        if verdict == "conforms"
    ]
    assert better == [("“rolled out” shifted", "done")]


def test_a_node_s_word_is_needed_of_each_node():
    """A damage to one of two nodes is noticed as one to the only one is."""
    kinds = [damage.what for damage, changed in trials(as_a_live_run_records(SCENARIOS[0])) if changed]
    assert {"a", "b"} <= set(kinds)


def test_what_was_no_change_has_no_damages():
    """Acts that were performed once are damaged elsewhere."""
    assert list(damages(Observed("baseline", None, {}))) == []


def test_every_damage_leaves_the_files_that_it_was_given():
    """A damage is done to a copy."""
    observed = recorded(SCENARIOS[0])
    path = PATH.format(SCENARIOS[0])
    files = {path: msgspec.json.encode(observed.continuity)}
    whole = dict(files)
    for damage in damages(observed):
        assert damage.to(files)[path] != whole[path]
        assert files == whole
