"""Named misbehaving agents: each does one thing wrong, and the real suite must say so with the right verdict.

An agent is a preset of damages (tetraproof.proving.proof), done to what a good agent
was recorded to do under the guide's first policy.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.builders import MANIFESTS, RECORDINGS
from tetraproof.judging.claim import Claim, Judged
from tetraproof.judging.scenario import Run
from tetraproof.marks import FINDING, LIMIT
from tetraproof.observing.observation import Done, Observed
from tetraproof.plugin.collecting import test_applying_is_loading, test_every_act_is_told
from tetraproof.policies.policy import load
from tetraproof.proving.damage import Damage, Scene
from tetraproof.proving.proof import damages
from tetraproof.recordings.recording import Recording, from_files, open_recording, sealed
from tetraproof.suite import Known
from tetraproof.targets.replay import Replay
from tetraproof.verdict import Verdict

POLICY = "block-fd-install"
SUITE = "suites.files.test_block_fd_install"
CELLS = ["k8s-1.36.2_tetragon-1.7.0_debian-6.12.117", "k8s-1.36.2_tetragon-1.4.1-disable-kprobe-multi_debian-6.12.117"]

# these are fixtures' own tests of a policy, used here as functions
LOADING, TOLD = test_applying_is_loading, test_every_act_is_told
del test_applying_is_loading, test_every_act_is_told


@cache
def suite() -> ModuleType:
    return importlib.import_module(SUITE)


@cache
def claims() -> tuple[Claim, ...]:
    """The suite's promises and limits, and those that every policy makes."""
    own = [test for name, test in vars(suite()).items() if name.startswith("test_")]
    return tuple(_claim(test) for test in (LOADING, TOLD, *own))


def _claim(test: Callable[..., object]) -> Claim:
    marks: list[pytest.Mark] = getattr(test, "pytestmark", [])
    limit = next((str(mark.args[0]) for mark in marks if mark.name == LIMIT), "")
    known: tuple[Known, ...] = tuple(mark.args[0] for mark in marks if mark.name == FINDING)
    return Claim(test.__name__, lambda run: test(run=run), limit, known, about_loading=test is LOADING)


@cache
def recorded(cell: str) -> Recording:
    return open_recording(RECORDINGS / cell)


def observed(recording: Recording) -> Observed:
    return Replay(recording).observe(load(MANIFESTS / f"{POLICY}.yaml"), {}, acts(), POLICY)


def acts() -> tuple[Any, ...]:
    return tuple(suite().acts)


def judged(recording: Recording) -> dict[str, Judged]:
    """What the suite makes of a recording, by the name of the test."""
    run = Run(observed(recording), acts())
    return {claim.name: claim.judge(run) for claim in claims()}


def verdicts(recording: Recording) -> dict[str, Verdict]:
    return {name: one.judgement.verdict for name, one in judged(recording).items() if not one.claim.limit}


# agents


Preset = Callable[[Damage, Observed], bool]


def of_kind(kind: str, act: str = "", event: str = "") -> Preset:
    """Every damage of a kind, to one act and one kind of event if they are named."""
    return lambda damage, _: (
        damage.kind == kind
        and (not act or damage.act == act)
        and (not event or (damage.event is not None and damage.event.kind == event))
    )


def of_root(kind: str, act: str, event: str) -> Preset:
    """The same, to the act's own process only."""

    def chosen(damage: Damage, seen: Observed) -> bool:
        done = seen.acts[act]
        own = isinstance(done, Done) and damage.event is not None and damage.event.process.pid == done.timeline.root
        return own and of_kind(kind, act, event)(damage, seen)

    return chosen


def before_the_end(damage: Damage, _: Observed) -> bool:
    return damage.kind == "stream cut" and damage.what.startswith("before its last")


def in_the_middle(damage: Damage, _: Observed) -> bool:
    return (damage.kind, damage.what) == ("stream cut", "in the middle")


def last_first(damage: Damage, order: Mapping[int, int]) -> int:
    """Damages name an event by its place, so what moves places is done from the end, after all that does not."""
    moves = damage.kind in {"event dropped", "event duplicated", "event delayed past the window"}
    return -order.get(id(damage.event), 0) if moves else -len(order) - 1


def misbehaving(cell: str, *presets: Preset) -> Recording:
    """The recording as an agent with these habits would have made it."""
    good = recorded(cell)
    seen = observed(good)
    chosen = [damage for damage in damages(Scene(seen, good.files)) if any(preset(damage, seen) for preset in presets)]
    assert all(any(preset(damage, seen) for damage in chosen) for preset in presets), "a preset damages nothing"
    files = dict(good.files)
    order = {id(event): at for at, event in enumerate(seen.stream)}
    for damage in sorted(chosen, key=lambda damage: last_first(damage, order)):
        files = damage.to(files)
    return from_files(good.name, sealed(files), good.expected)


WRITING, OTHER, CHILD = (
    "test_writing_the_guarded_file_is_killed",
    "test_writing_another_file_goes_through",
    "test_a_child_is_killed_and_its_shell_survives",
)
EVERY_ACT, COUNTED, APPLYING = "test_every_act_is_told", "test_every_kill_is_counted", "test_applying_is_loading"
BY_ITSELF = "test_ending_with_137_by_itself_is_no_kill"
V, C, I = Verdict.VIOLATES, Verdict.CONFORMS, Verdict.INCONCLUSIVE  # noqa: E741 - columns of a table

AGENTS: dict[str, tuple[tuple[Preset, ...], dict[str, Verdict]]] = {
    "drops the event of a kill": (
        (of_kind("event dropped", "guarded", "kprobe"),),
        {WRITING: V, COUNTED: V, OTHER: C, CHILD: C},
    ),
    "drops every event of an act": (
        (of_kind("event dropped", "guarded"),),
        {WRITING: V, EVERY_ACT: V, OTHER: C, CHILD: C},
    ),
    "drops the exit of a killed process": (
        (of_root("event dropped", "guarded", "exit"),),
        {WRITING: V, EVERY_ACT: V, OTHER: C},
    ),
    "drops the start of a process": (
        (of_root("event dropped", "bar", "exec"),),
        {EVERY_ACT: V, WRITING: C},
    ),
    "sends an event too late": (
        (of_kind("event delayed past the window", "guarded", "kprobe"),),
        {WRITING: V, OTHER: C},
    ),
    "reports a kill that it did not do": (
        (of_kind("exit code turned into 0", "guarded"),),
        {WRITING: V, EVERY_ACT: V, OTHER: C, CHILD: C},
    ),
    "reports a kill of what it should not even see": (
        (of_kind("exit code turned into 137", "bar"),),
        {OTHER: V, EVERY_ACT: V, WRITING: C},
    ),
    "kills without reporting the enforcement": (
        (of_kind("event dropped", "guarded", "kprobe"), of_kind("event dropped", "child", "kprobe")),
        {WRITING: V, CHILD: V, EVERY_ACT: C},
    ),
    "kills without a trace of a signal": (
        (of_kind("event dropped", "guarded", "kprobe"), of_root("exit code altered", "guarded", "exit")),
        {WRITING: V, EVERY_ACT: V, OTHER: C},
    ),
    "says that it only watched": (
        (of_kind("action altered", "guarded", "kprobe"),),
        {WRITING: V, COUNTED: V, EVERY_ACT: C, OTHER: C},
    ),
    "says enabled and enforces nothing": (
        (
            of_kind("exit code turned into 0", "guarded"),
            of_root("exit code altered", "guarded", "exit"),
            of_kind("event dropped", "guarded", "kprobe"),
        ),
        {APPLYING: C, EVERY_ACT: C, WRITING: V, OTHER: C},
    ),
    "blames another program": (
        (of_kind("binary altered", "guarded", "kprobe"),),
        {WRITING: V, EVERY_ACT: V, OTHER: C},
    ),
    "blames another file": (
        (of_kind("path altered", "guarded", "kprobe"),),
        {WRITING: V, OTHER: C},
    ),
    "reports a kill twice": (
        (of_kind("event duplicated", "guarded", "kprobe"),),
        {WRITING: V, EVERY_ACT: V, OTHER: C},
    ),
    "reports everything twice": (
        (of_kind("event duplicated"),),
        {WRITING: V, EVERY_ACT: V, CHILD: V},
    ),
    "tells things in the wrong order": (
        (of_kind("two events swapped", "guarded"),),
        {WRITING: V, EVERY_ACT: V, OTHER: C},
    ),
    "does not load the policy": (
        (of_kind("policy state turned to error"),),
        {APPLYING: V},
    ),
    "stops talking before the end": (
        (before_the_end,),
        {WRITING: I, EVERY_ACT: I, OTHER: I, APPLYING: C},
    ),
    "stops talking in the middle": (
        (in_the_middle,),
        {EVERY_ACT: I, OTHER: I, APPLYING: C},
    ),
}


@pytest.mark.parametrize("cell", CELLS)
def test_an_agent_that_behaves_conforms(cell: str) -> None:
    """The record as it is: every promise, on either version; without this the tests below would prove nothing."""
    found = verdicts(recorded(cell))
    # not all of them were recorded of 1.4.1
    assert set(found.values()) <= ({C} if cell == CELLS[0] else {C, Verdict.UNRECORDED})
    assert {found[name] for name in (WRITING, OTHER, CHILD, EVERY_ACT, COUNTED, APPLYING, BY_ITSELF)} == {C}
    assert len(found) > 12


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_that(agent: str, cell: str) -> None:
    """…is found out, by the verdict that fits what it does."""
    presets, expected = AGENTS[agent]
    if COUNTED in expected and cell != CELLS[0]:
        # 1.4.1 counts by binary, in metrics: one that is gone and one that never was are alike
        expected = {**expected, COUNTED: I}
    found = verdicts(misbehaving(cell, *presets))
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("cut", [before_the_end, in_the_middle], ids=lambda cut: cut.__name__)
def test_an_agent_whose_stream_dies_is_never_said_to_violate(cut: Preset, cell: str) -> None:
    """It could not be asked; and what it no longer told is never taken for a proof that nothing happened."""
    found = judged(misbehaving(cell, cut))
    promises = {name: one.judgement.verdict for name, one in found.items() if not one.claim.limit}
    assert {name for name, verdict in promises.items() if verdict is Verdict.VIOLATES} == set()
    for name in (OTHER, BY_ITSELF, "test_a_name_that_only_begins_alike_is_free"):
        assert promises[name] is Verdict.INCONCLUSIVE
        assert "no sentinel was heard" in found[name].judgement.reason


@pytest.mark.parametrize("cell", CELLS)
def test_an_agent_that_does_not_load_the_policy_violates_once(cell: str) -> None:
    """One verdict for the policy; that nothing else is enforced is not told act by act."""
    (preset,), _ = AGENTS["does not load the policy"]
    found = judged(misbehaving(cell, preset))
    assert [name for name, one in found.items() if one.judged] == [APPLYING]


@pytest.mark.parametrize("cell", CELLS)
def test_an_agent_that_drops_any_one_event_of_the_guarded_act(cell: str) -> None:
    """Whichever it is, some promise is refuted."""
    assert list(each_dropped(cell))
    for what, dropped in each_dropped(cell):
        assert Verdict.VIOLATES in verdicts(dropped).values(), what


def each_dropped(cell: str) -> Iterator[tuple[str, Recording]]:
    good = recorded(cell)
    seen = observed(good)
    for damage in damages(Scene(seen, good.files)):
        if of_kind("event dropped", "guarded")(damage, seen):
            yield damage.what, from_files(good.name, sealed(damage.to(good.files)), good.expected)


@pytest.mark.parametrize("cell", CELLS)
def test_an_agent_that_chatters_is_not_blamed(cell: str) -> None:
    """Events of other pods, fields of a later version, blank lines: every verdict stays."""
    good = recorded(cell)
    harmless = [damage for damage in damages(Scene(observed(good), good.files)) if damage.harmless and not damage.act]
    assert {damage.kind for damage in harmless} >= {"noise of other pods", "an unknown field", "a blank line"}
    for damage in harmless:
        worse = {
            name: verdict
            for name, verdict in verdicts(from_files(good.name, sealed(damage.to(good.files)))).items()
            if verdict not in {Verdict.CONFORMS, Verdict.UNRECORDED}
        }
        assert worse == {}, damage.kind


def test_presets_are_the_damages_of_prove() -> None:
    """One mechanism: whatever an agent here does wrong, `make prove` does to every recording."""
    good = recorded(CELLS[0])
    kinds = {damage.kind for damage in damages(Scene(observed(good), good.files))}
    named = {"event dropped", "event duplicated", "event delayed past the window", "binary altered", "action altered"}
    named |= {"path altered", "exit code altered", "exit code turned into 0", "exit code turned into 137"}
    named |= {"two events swapped", "stream cut", "policy state turned to error"}
    assert named <= kinds


def test_the_suite_is_the_shipped_one() -> None:
    """Judged here is what `make test` judges."""
    assert Path(str(suite().__file__)).name == "test_block_fd_install.py"
