"""Damages: each changes just what it says, and none of them is what the files already were."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache

import pytest

from tests.builders import (
    BASH,
    MANIFESTS,
    NEWEST,
    child,
    execs,
    exits,
    hooked,
    performed,
    run_of,
    scenario_files,
    started,
)
from tests.test_agents import acts as declared
from tetraproof.act import shell
from tetraproof.damage import Damage, damages
from tetraproof.event import Event
from tetraproof.observation import Done, Observed
from tetraproof.policy import load
from tetraproof.recording import Recording, from_files, open_recording, sealed
from tetraproof.targets.replay import Replay

EVENTS, ACTS, STATE = (f"scenarios/block-fd-install/{name}" for name in ("events.jsonl", "acts.json", "state.json"))


@cache
def recorded() -> Recording:
    return open_recording(NEWEST)


@cache
def observed() -> Observed:
    return Replay(recorded()).observe(load(MANIFESTS / "block-fd-install.yaml"), {}, declared(), "block-fd-install")


@cache
def every() -> tuple[Damage, ...]:
    return tuple(damages(observed()))


KINDS = sorted({damage.kind for damage in every()})


def one_of(kind: str, act: str = "") -> Damage:
    return next(damage for damage in every() if damage.kind == kind and act in ("", damage.act))


@pytest.mark.parametrize("kind", KINDS)
def test_a_damage_changes_one_file_and_the_original_stays(kind: str) -> None:
    """The stream, the acts or the state; and tetra's rendering of a changed stream is no witness any more."""
    before = dict(recorded().files)
    after = one_of(kind).to(before)
    assert before == dict(recorded().files)
    gone = before.keys() - after.keys()
    assert gone <= {"scenarios/block-fd-install/events.compact.txt"}
    assert len([path for path in after if after[path] != before[path]]) == 1
    assert from_files("made", sealed(after))


def lines(kind: str, act: str = "guarded") -> tuple[list[bytes], list[bytes]]:
    before = recorded().files
    return before[EVENTS].splitlines(), one_of(kind, act).to(before)[EVENTS].splitlines()


def test_events_are_dropped_doubled_delayed_and_swapped() -> None:
    """One at a time."""
    before, after = lines("event dropped")
    assert Counter(before) - Counter(after) == Counter({next(iter(Counter(before) - Counter(after))): 1})
    assert len(after) == len(before) - 1
    before, after = lines("event duplicated")
    assert sum((Counter(after) - Counter(before)).values()) == 1
    before, after = lines("event delayed past the window")
    assert Counter(before) == Counter(after)
    assert after[-1] != before[-1]
    before, after = lines("two events swapped")
    assert Counter(before) == Counter(after)
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 2


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.endswith("altered")])
def test_an_alteration_changes_one_event_to_another_that_is_read(kind: str) -> None:
    """It stays an event, of another binary, pod, action, file or exit."""
    before, after = lines(kind)
    changed = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert len(changed) == 1
    one, other = (json.loads(line) for line in changed[0])
    assert one.keys() == other.keys()
    assert one != other


@pytest.mark.parametrize("code", [0, 137])
def test_an_outcome_is_turned_into_another(code: int) -> None:
    """Of one act, which had another before."""
    damage = one_of(f"exit code turned into {code}")
    before, after = (json.loads(files[ACTS]) for files in (recorded().files, damage.to(recorded().files)))
    changed = [(one["exit_code"], other["exit_code"]) for one, other in zip(before, after, strict=True) if one != other]
    assert len(changed) == 1
    assert changed[0][0] != changed[0][1] == code


def test_every_event_of_every_act_is_damaged() -> None:
    """None is spared."""
    dropped = {id(damage.event) for damage in every() if damage.kind == "event dropped"}
    # what set the scene was not recorded there
    done = [one for one in observed().acts.values() if isinstance(one, Done)]
    own = {id(event) for one in done for event in one.timeline.own}
    assert dropped == own


def test_harmless_is_what_no_promise_is_about() -> None:
    """And all of it leaves every original event in place."""
    harmless = [damage for damage in every() if damage.harmless and not damage.act]
    assert {damage.kind for damage in harmless} == {"noise of other pods", "an unknown field", "a blank line"}
    for damage in harmless:
        after = damage.to(recorded().files)[EVENTS].splitlines()
        told = [json.loads(line) for line in after if line.strip()]
        assert len([one for one in told if b"stranger" not in json.dumps(one).encode()]) == len(observed().stream)


def test_a_scenario_without_acts_and_events_has_no_damages() -> None:
    """There is nothing to do damage to, and nothing breaks."""
    assert list(damages(Observed("guard", None, {}))) == []


def test_lines_that_are_no_events_keep_their_place() -> None:
    """A notice between two events does not shift a damage onto its neighbour."""
    notice = b"tail: x has been replaced"
    stream = recorded().files[EVENTS].splitlines()
    files = {**recorded().files, EVENTS: b"\n".join([*stream[:3], notice, *stream[3:]]) + b"\n"}
    run = Replay(from_files("made", sealed(files)))
    seen = run.observe(load(MANIFESTS / "block-fd-install.yaml"), {}, declared(), "block-fd-install")
    for damage in damages(seen):
        if damage.kind == "event dropped" and damage.act == "guarded":
            assert damage.event is not None
            after = damage.to(files)[EVENTS].splitlines()
            assert damage.event.line not in after
            assert notice in after


def kinds_of(*events: Event) -> list[tuple[str, str]]:
    """Every damage to an act that these events tell, with its event."""
    act = performed("bash", "-c", "x")
    run = run_of({"it": (shell("x"), act)}, events)
    return [(damage.kind, damage.what) for damage in damages(run.observed) if damage.act]


SHELL = started(100, BASH, "-c x")
ONE, OTHER = child(SHELL, 101, "/usr/bin/cp"), child(SHELL, 102, "/usr/bin/mv")


def test_arguments_are_altered_by_what_they_are() -> None:
    """A file by its path, a connection by either address."""
    file = [kind for kind, what in kinds_of(execs(SHELL), hooked(SHELL, file="/tmp/a")) if what.startswith("kprobe")]
    assert (file.count("path altered"), file.count("address altered")) == (1, 0)
    sock = [
        kind for kind, what in kinds_of(execs(SHELL), hooked(SHELL, sock={"saddr": "10.0.0.1"})) if "kprobe" in what
    ]
    assert (sock.count("path altered"), sock.count("address altered")) == (0, 2)


def test_only_the_order_of_related_events_means_something() -> None:
    """Of one process, or of one that started the other; that of two children is nobody's promise."""
    told = kinds_of(execs(SHELL), execs(ONE), execs(OTHER), exits(ONE), exits(OTHER), exits(SHELL))
    harmful = [what for kind, what in told if kind == "two events swapped"]
    harmless = [what for kind, what in told if kind == "unrelated events reordered"]
    assert harmful == [f"exec of {BASH} and exec of /usr/bin/cp"]
    assert len(harmless) == 4


@pytest.mark.parametrize(("before", "after"), [("POST", "SIGKILL"), ("SIGKILL", "POST"), ("OVERRIDE", "POST")])
def test_an_action_is_altered_to_another(before: str, after: str) -> None:
    """What was posted is said to be killed, and the other way round."""
    act = performed("bash", "-c", "x")
    files = scenario_files("made", [act], [execs(SHELL), hooked(SHELL, file="/tmp/a", action=before), exits(SHELL)])
    run = run_of({"it": (shell("x"), act)}, [execs(SHELL), hooked(SHELL, file="/tmp/a", action=before), exits(SHELL)])
    (damage,) = [damage for damage in damages(run.observed) if damage.kind == "action altered"]
    assert f'"KPROBE_ACTION_{after}"'.encode() in damage.to(files)["scenarios/made/events.jsonl"]
