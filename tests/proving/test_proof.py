"""Proving: a suite that looks away is found out, a suite that looks is not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tests.builders import (
    BASH,
    POLICY,
    child,
    execs,
    exits,
    hooked,
    performed,
    policy,
    recording,
    scenario_files,
    started,
)
from tetraproof.events.event import Event
from tetraproof.judging.claim import Claim
from tetraproof.judging.expectation import Exactly, Kprobe
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Acts, command, prepare, shell
from tetraproof.proving.proof import SHARE, Outcome, Trial, prove, report
from tetraproof.recordings.recording import Recording

SHELL, FREE = started(100, BASH, '-c "echo x > /tmp/guarded"'), started(200, BASH, '-c "echo x > /tmp/free"')
COPY = child(FREE, 201, "/usr/bin/cp", "a b")
ACTS = tuple(Acts(guarded=shell("echo x > /tmp/guarded"), free=shell("echo x > /tmp/free")))


@cache
def made() -> Recording:
    killed = performed("bash", "-c", "echo x > /tmp/guarded", id="g", exit_code=137)
    free = performed("bash", "-c", "echo x > /tmp/free", id="f")
    events = [execs(SHELL), hooked(SHELL, file="/tmp/guarded"), exits(SHELL, signal="SIGKILL")]
    events += [execs(FREE), execs(COPY), exits(COPY), exits(FREE)]
    return recording({"guard": scenario_files("guard", [killed, free], events)})


def loads(run: Run) -> None:
    assert run.loaded


def told(run: Run) -> None:
    for act in run.acts:
        assert act.told


def kills(run: Run) -> None:
    assert run.guarded.killed
    assert Exactly(1, Kprobe("fd_install", file="/tmp/guarded", action="SIGKILL")) in run.guarded.timeline


def frees(run: Run) -> None:
    assert run.free.succeeded
    assert Kprobe() not in run.free.timeline


def sleeps(_: Run) -> None:
    pass


LOADS = Claim("loads", loads, about_loading=True)
SHARP = (LOADS, Claim("told", told), Claim("kills", kills), Claim("frees", frees))


def outcomes(*claims: Claim, scenario: str = "guard") -> list[Outcome]:
    return list(prove(made(), [Trial("guard", policy(), {}, scenario, ACTS, claims)]))


UNREAD = "a value that cannot be read"


def test_a_sharp_suite_catches_every_damage() -> None:
    """Whatever is done to an act, a promise about it notices; harmless ones change nothing."""
    found = [one for one in outcomes(*SHARP) if one.kind != UNREAD and "cannot be read" not in one.what]
    assert len(found) > 100
    assert [one for one in found if not one.harmless and not one.caught_by and not one.rule] == []
    assert [one for one in found if one.harmless and one.changed] == []
    _, failed = report(found)
    assert not failed


def test_a_sharp_suite_takes_nothing_that_cannot_be_read_for_said() -> None:
    """What rests on a value that cannot be read is not judged: it neither conforms nor violates."""
    found = [one for one in outcomes(*SHARP) if one.kind == UNREAD or "cannot be read" in one.what]
    assert [one for one in found if not one.caught_by and not one.rule] == []
    assert [one for one in found if one.accused] == []


@pytest.mark.parametrize(
    ("claims", "survives"),
    [
        ((LOADS, Claim("sleeps", sleeps)), "event dropped"),
        ((LOADS, *SHARP[1:2], Claim("sleeps", sleeps)), "action altered"),
        ((LOADS, *SHARP[2:3]), "exit code turned into 137"),
    ],
    ids=["asks nothing", "asks nothing of enforcement", "asks nothing of one act"],
)
def test_a_suite_that_looks_away_is_found_out(claims: tuple[Claim, ...], survives: str) -> None:
    """A damage that no promise notices survives, and the proof fails."""
    found = outcomes(*claims)
    unexplained = {one.kind for one in found if not one.harmless and not one.caught_by and not one.rule}
    lines, failed = report(found)
    assert survives in unexplained
    assert failed
    assert any("survivors" in line for line in lines)


def test_only_a_promise_about_the_damaged_act_catches_it() -> None:
    """A promise about another act that happens to change does not count."""
    found = outcomes(*SHARP)
    kprobe = next(one for one in found if one.kind == "event dropped" and one.what.startswith("kprobe"))
    assert kprobe.caught_by == ("kills",)
    of_free = {name for one in found if one.act == "free" for name in one.caught_by}
    assert "kills" not in of_free


def test_a_trial_that_nobody_answers_proves_nothing() -> None:
    """No scenario, no outcome."""
    assert outcomes(*SHARP, scenario="") == []


ONE = Outcome(
    "made", "guard", "event dropped", "it", "kprobe event", harmless=False, caught_by=("kills",), changed=("kills",)
)
MISSED = replace(ONE, caught_by=(), changed=())


@pytest.mark.parametrize(
    ("found", "failed"),
    [
        ([ONE], False),
        ([ONE, MISSED], True),
        ([ONE, replace(MISSED, rule="not in force")], False),
        ([ONE] * 99 + [replace(MISSED, rule="an equal event beside it")], False),
        ([ONE] * 9 + [replace(MISSED, rule="an equal event beside it")], True),
        ([ONE, replace(MISSED, harmless=True)], False),
        ([ONE, replace(ONE, harmless=True)], True),
        ([ONE, replace(ONE, accused=("kills",))], True),
        ([ONE, replace(MISSED, rule="the export unasked")], False),
        ([], True),
    ],
)
def test_when_the_proof_fails(found: list[Outcome], *, failed: bool) -> None:
    """Too small a share, a survivor that no rule explains, a harmless change that is noticed; and no damage at all."""
    lines, red = report(found)
    assert red is failed
    assert "damages caught" in lines[-1]
    assert 90 < SHARE <= 100


def test_survivors_are_named() -> None:
    """With recording, suite, act and what was done."""
    lines, _ = report([ONE, MISSED, replace(ONE, harmless=True, kind="a blank line")])
    assert any("unexplained: made  guard  it: event dropped (kprobe event)" in line for line in lines)
    assert any("not ignored: made  guard  it: a blank line" in line for line in lines)
    assert lines[-1].startswith("1 of 2 damages caught (50.0 %), 1 survivors unexplained, 1 harmless")


# rules: damages that are none


SOCK = {"saddr": "10.0.0.6", "sport": 40000, "daddr": "203.0.113.10", "dport": 443}


def ruled(events: list[Event], *claims: Claim, exit_code: int = 137, **frame: Any) -> dict[tuple[str, str], set[str]]:
    """By kind and event the rules under which damages to one act survive."""
    act = performed("bash", "-c", "echo x > /tmp/guarded", id="g", exit_code=exit_code)
    text = POLICY.replace("fd_install", frame.get("function", "fd_install"))
    files = scenario_files("guard", [act], events, manifest=text)
    change = frame.get("change")
    made = recording({"guard": change(files) if change else files}, bindings={"ranges": {"ranges.pods": "10.0.0.0/18"}})
    trial = Trial("guard", policy(text), {}, "guard", ACTS[:1], claims)
    found: dict[tuple[str, str], set[str]] = {}
    for one in prove(made, [trial]):
        if not one.harmless and not one.caught_by:
            found.setdefault((one.kind, one.what.split()[0]), set()).add(one.rule)
    return found


def connects(run: Run) -> None:
    assert Kprobe("tcp_connect") in run.guarded.timeline


HOOK = hooked(SHELL, file="/tmp/guarded")
CHILD = child(SHELL, 102, "/usr/bin/cp")
TO = hooked(SHELL, function="tcp_connect", sock=SOCK)
TO_A_POD = hooked(SHELL, function="tcp_connect", sock={**SOCK, "daddr": "10.0.0.2"})
ENDS = exits(SHELL, signal="SIGKILL")


def opens(run: Run) -> None:
    assert Kprobe("fd_install", file="/tmp/guarded", action="SIGKILL") in run.guarded.timeline


def test_an_equal_event_beside_it_is_enough() -> None:
    """The hook ran twice for one call; without a twin the same damage is not explained."""
    twice = ruled([execs(SHELL), HOOK, hooked(SHELL, file="/tmp/guarded", at=0.1), ENDS], LOADS, Claim("opens", opens))
    assert twice["event dropped", "kprobe"] == {"an equal event beside it"}
    once = ruled([execs(SHELL), HOOK, ENDS], LOADS, Claim("opens", opens))
    assert ("event dropped", "kprobe") not in once


OTHER_FILE = hooked(SHELL, file="/tmp/other", at=0.1)


def test_one_event_of_several_is_enough_where_one_is_promised() -> None:
    """And is not where their number is."""
    events = [execs(SHELL), HOOK, OTHER_FILE, ENDS]
    assert ruled(events, LOADS, Claim("opens", opens))["event dropped", "kprobe"] == {"one of several"}

    def opens_twice(run: Run) -> None:
        assert Exactly(2, Kprobe("fd_install")) in run.guarded.timeline

    assert ("event dropped", "kprobe") not in ruled(events, LOADS, Claim("opens", opens_twice))


def counted(files: dict[str, bytes]) -> dict[str, bytes]:
    told = {"state.json": b"{}", "state-after.json": b'{"post": "2"}'}
    paths = {f"scenarios/guard/{name}": counters for name, counters in told.items()}
    stats = {path: b'"stats": {"action_counters": ' + counters + b'}, "mode"' for path, counters in paths.items()}
    return {**files, **{path: files[path].replace(b'"mode"', said) for path, said in stats.items()}}


def test_what_is_counted_is_about_each_act() -> None:
    """A promise about the agents' counters notices an event that is lost, whichever act it is of."""

    def counts(run: Run) -> None:
        assert run.counts(post=run.reported(Kprobe()))

    found = ruled([execs(SHELL), HOOK, OTHER_FILE, ENDS], LOADS, Claim("counts", counts), change=counted)
    assert ("event dropped", "kprobe") not in found
    assert ("event of an unknown kind", "kprobe") not in found


def test_an_act_that_is_only_left_alone_may_fail() -> None:
    """One that is to succeed may not."""
    events = [execs(SHELL), exits(SHELL)]

    def is_free(run: Run) -> None:
        assert run.guarded.free

    def succeeds(run: Run) -> None:
        assert run.guarded.succeeded

    assert ruled(events, LOADS, Claim("free", is_free), exit_code=0)["what is allowed fails", "exit"] == {"may fail"}
    assert ("what is allowed fails", "exit") not in ruled(events, LOADS, Claim("s", succeeds), exit_code=0)


def test_what_only_prepares_is_proven_by_what_follows_it() -> None:
    """Its own events are no promise; that it failed, or that nobody knows, is noticed after it."""
    put = started(90, "/usr/bin/dd", "of=/tmp/program", pod=SHELL.pod)
    scene = performed("dd", "of=/tmp/program", id="p", role="prepare")
    act = performed("bash", "-c", "echo x > /tmp/guarded", id="g", exit_code=137)
    files = scenario_files("guard", [scene, act], [execs(put), exits(put), execs(SHELL), HOOK, ENDS])
    acts = (*Acts(p=prepare(command("dd", "of=/tmp/program"))), ACTS[0])
    trial = Trial("guard", policy(), {}, "guard", acts, (LOADS, Claim("kills", kills)))
    found = [one for one in prove(recording({"guard": files}), [trial]) if not one.harmless]
    of_it = [one for one in found if one.act == "p"]
    assert of_it
    assert {one.rule for one in of_it} == {"only prepares"}
    noticed = {one.kind for one in found if one.act == "" and one.caught_by}
    assert {"a preparation failed", "outcome lost", "exit code turned into 137"} <= noticed


def test_which_program_the_runtime_is_is_no_promise() -> None:
    """Of what it did before the act's program was in place; that it did it is one."""
    early = hooked(replace(SHELL, binary="/usr/bin/runc", pod="", parent=None), file="/tmp/guarded")
    found = ruled([early, execs(SHELL), ENDS], LOADS, Claim("opens", opens))
    assert found["binary altered", "kprobe"] == {"the runtime's own"}
    assert "the runtime's own" in found["a value that cannot be read", "process.binary"]
    assert ("event dropped", "kprobe") not in found
    assert ("action altered", "kprobe") not in found
    late = ruled([execs(SHELL), HOOK, ENDS], LOADS, Claim("opens", opens))
    assert all("the runtime's own" not in rules for rules in late.values())


def test_the_exit_code_of_a_helper_is_no_promise() -> None:
    """That of the act's own process is one."""
    events = [execs(SHELL), execs(CHILD), exits(CHILD), ENDS]
    assert ruled(events, LOADS, Claim("kills", lambda run: run.guarded.exited(137)))["exit code altered", "exit"] == {
        "a helper's exit code",
        "",
    }


@pytest.mark.parametrize(("event", "rules"), [(TO, {"a resolved name"}), (TO_A_POD, {""})], ids=["outside", "a pod"])
def test_which_outside_address_a_name_resolves_to_is_no_promise(event: Event, rules: set[str]) -> None:
    """An address inside the ranges is one."""
    found = ruled([execs(SHELL), event, ENDS], LOADS, Claim("connects", connects), function="tcp_connect")
    assert found["address altered", "kprobe"] == rules


def in_error(files: dict[str, bytes]) -> dict[str, bytes]:
    state = files["scenarios/guard/state.json"].replace(b"TP_STATE_ENABLED", b"TP_STATE_LOAD_ERROR")
    return {**files, "scenarios/guard/state.json": state}


def cut(files: dict[str, bytes]) -> dict[str, bytes]:
    lines = files["scenarios/guard/events.jsonl"].splitlines(keepends=True)
    return {**files, "scenarios/guard/events.jsonl": b"".join(lines[:-2])}


@pytest.mark.parametrize(("change", "rule"), [(in_error, "not in force"), (cut, "not heard")], ids=["in error", "cut"])
def test_what_was_not_judged_before_cannot_be_damaged(change: object, rule: str) -> None:
    """Not in force, or not heard to its end."""
    found = ruled([execs(SHELL), HOOK, ENDS], LOADS, Claim("opens", sleeps), change=change)
    assert {one for rules in found.values() for one in rules} == {rule}
