"""Lifecycles: every way of telling an act wrongly is found, and no recorded act is told wrongly."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.builders import (
    BASH,
    CAT,
    RECORDINGS,
    child,
    execs,
    exits,
    fork,
    hooked,
    in_place,
    lines_of,
    performed,
    started,
)
from tetraproof.event import Event, Exit, Process
from tetraproof.lifecycle import exit_code, exit_of, faults
from tetraproof.observation import Observed
from tetraproof.recording import Recording, open_recording
from tetraproof.targets.replay import Replay
from tetraproof.timeline import Performed

ACT = performed("bash", "-c", "x")
SHELL = started(100, BASH, "-c x")
CHILD = child(SHELL, 101, CAT, "/tmp/a")
SUBSHELL = fork(SHELL, 102)
TAIL = child(SUBSHELL, 103, "/usr/bin/tail")
STAT = in_place(SHELL, "/usr/bin/stat", "/tmp/a")
WHOLE = [
    execs(SHELL),
    execs(CHILD),
    hooked(CHILD, file="/tmp/a", action="POST"),
    exits(CHILD, at=0.1),
    exits(SHELL, at=0.2),
]
KILLED_ACT = performed("bash", "-c", "x", exit_code=137)
REFUSED_ACT = performed("bash", "-c", "x", exit_code=126, stderr="OCI runtime exec failed: exec failed: EPERM\n")


def found(act: Performed, events: list[Event]) -> list[tuple[str, bool]]:
    """The faults of an act that these events tell, in words."""
    (line,) = lines_of([act], events)
    return [(fault.text, fault.missing) for fault in faults(act, line)]


@pytest.mark.parametrize(
    ("act", "events"),
    [
        (ACT, WHOLE),
        (ACT, [execs(SHELL), exits(SHELL)]),
        (KILLED_ACT, [execs(SHELL), hooked(SHELL, file="/tmp/a"), exits(SHELL, signal="SIGKILL")]),
        (KILLED_ACT, [execs(SHELL), exits(SHELL, 137)]),
        (ACT, [execs(SHELL), execs(TAIL), exits(TAIL), exits(SUBSHELL), exits(SHELL)]),
        (ACT, [execs(SHELL), execs(STAT), exits(STAT)]),
        (ACT, [execs(SHELL), execs(CHILD), exits(SHELL), exits(CHILD)]),
        (REFUSED_ACT, []),
        (performed("bash", "-c", "x", exit_code=None, broken="cut off"), [execs(SHELL), exits(SHELL, 3)]),
    ],
    ids=["child", "alone", "killed", "137", "subshell", "in place", "outlived", "refused", "no outcome"],
)
def test_a_whole_act_has_no_fault(act: Performed, events: list[Event]) -> None:
    """From exec to exit, once, in order, ending as it ended."""
    assert found(act, events) == []


def without(at: int) -> list[Event]:
    return WHOLE[:at] + WHOLE[at + 1 :]


def swapped(at: int) -> list[Event]:
    return [*WHOLE[:at], WHOLE[at + 1], WHOLE[at], *WHOLE[at + 2 :]]


def twice(at: int) -> list[Event]:
    return [*WHOLE[: at + 1], *WHOLE[at:]]


ELSEWHERE = replace(CHILD, pod="other/another")


@pytest.mark.parametrize(
    ("events", "word", "missing"),
    [
        ([], "no event of this act", True),
        (without(0), "does not begin with the exec of bash", True),
        (without(1), "no exec event of /usr/bin/cat", True),
        (without(3), "no exit event of /usr/bin/cat", True),
        (without(4), "no exit event of /usr/bin/bash", True),
        (twice(0), "the exec event of /usr/bin/bash is told 2 times", False),
        (twice(2), "the kprobe event of /usr/bin/cat is told 2 times", False),
        (twice(4), "the exit event of /usr/bin/bash is told 2 times", False),
        ([WHOLE[1], WHOLE[0], *WHOLE[2:]], "does not begin with the exec of bash", False),
        ([WHOLE[1], WHOLE[0], *WHOLE[2:]], "/usr/bin/cat is told before the process that started it", False),
        (swapped(1), "/usr/bin/cat acts before its exec is told", False),
        (swapped(2), "/usr/bin/cat acts after its exit is told", False),
        ([*WHOLE[:3], exits(replace(CHILD, binary=BASH), at=0.1), WHOLE[4]], "two values of binary", False),
        ([*WHOLE[:3], exits(replace(CHILD, arguments="/tmp/b"), at=0.1), WHOLE[4]], "two values of arguments", False),
        ([*WHOLE[:3], exits(ELSEWHERE, at=0.1), WHOLE[4]], "two values of pod", False),
        ([*WHOLE[:3], exits(ELSEWHERE, at=0.1), WHOLE[4]], "told of pod other/another", False),
        ([execs(replace(SHELL, binary="/usr/bin/sh")), exits(SHELL)], "the program is told as /usr/bin/sh", False),
        ([execs(SHELL), exits(SHELL, 3)], "says it ended with exit 3, who asked saw exit 0", False),
        ([execs(SHELL), exits(SHELL, signal="SIGKILL")], "says it ended with SIGKILL, who asked saw exit 0", False),
    ],
)
def test_every_fault_is_found(events: list[Event], word: str, *, missing: bool) -> None:
    """What is told wrongly is a fault at once; what is not told, only once the end was heard."""
    assert [is_missing for text, is_missing in found(ACT, events) if word in text] == [missing]


def test_two_exits_of_different_times_are_a_fault() -> None:
    """A second exit that is no copy of the first is told after the process is gone."""
    assert found(ACT, [execs(SHELL), exits(SHELL), exits(SHELL, at=9.0)]) == [
        ("/usr/bin/bash acts after its exit is told", False)
    ]


def test_137_told_by_the_agent_and_seen_by_who_asked_is_no_fault_with_either_word() -> None:
    """A shell gives 128 and the signal's number; both words mean the same exit code."""
    assert found(KILLED_ACT, [execs(SHELL), exits(SHELL, signal="SIGTERM")]) == [
        ("the agent says it ended with SIGTERM, who asked saw exit 137", False)
    ]


@pytest.mark.parametrize(
    ("status", "signal", "code"),
    [(0, "", 0), (3, "", 3), (0, "SIGKILL", 137), (0, "SIGTERM", 143), (137, "", 137), (0, "SIGNEW", -1)],
)
def test_the_exit_code_is_a_shells(status: int, signal: str, code: int) -> None:
    """An unknown signal is the exit code of nothing."""
    assert exit_code(Exit(Process(), status=status, signal=signal)) == code


def test_the_exit_of_an_act_is_its_own_process_and_no_child() -> None:
    """By the pid, which survives an exec in place."""
    (line,) = lines_of([ACT], [execs(SHELL), execs(CHILD), exits(CHILD, 7), execs(STAT), exits(STAT, 5)])
    told = exit_of(line)
    assert told is not None
    assert told.status == 5
    assert exit_of(lines_of([ACT], [execs(SHELL)])[0]) is None


# what was recorded


@cache
def opened(path: Path) -> Recording:
    return open_recording(path)


SHIPPED = [
    pytest.param(path, scenario.name, id=f"{path.name.removeprefix('k8s-')}/{scenario.name}")
    for path in sorted(RECORDINGS.iterdir())
    if path.is_dir()
    for scenario in opened(path).index.scenarios
    if not scenario.change
]


def observed(path: Path, scenario: str) -> Observed:
    return Replay(opened(path)).observe(None, {}, (), scenario)


@pytest.mark.parametrize(("path", "scenario"), SHIPPED)
def test_no_recorded_act_is_told_wrongly(path: Path, scenario: str) -> None:
    """Every act of every shipped scenario; where the stream's end was not heard, what is missing does not count."""
    acts = observed(path, scenario).others
    assert acts
    for done in acts:
        told = [fault for fault in faults(done.performed, done.timeline) if not (fault.missing and done.timeline.open)]
        assert told == [], done.performed.id


def test_enough_is_recorded_to_prove_something() -> None:
    """Without enforced scenarios heard to their end the test above would prove nothing."""
    every = [observed(*param.values) for param in SHIPPED]  # type: ignore[arg-type]
    enforced = [one for one in every if all(state.enabled for state in one.states)]
    assert sum(not done.timeline.open for one in enforced for done in one.others) > 150
