"""Explanations: what a person reads when a test fails."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.builders import BASH, event, execs, exits, hooked, lines_of, performed, started
from tetraproof.events.event import Event
from tetraproof.judging.expectation import Kprobe
from tetraproof.judging.explanation import MOST_EVENTS, how_it_ended, of_act, what_happened
from tetraproof.observing.act import Outcome
from tetraproof.observing.timeline import Performed

SHELL = started(100, BASH, "-c x")
ACT = performed("bash", "-c", "x", id="guarded")
SOCK = {"saddr": "10.0.0.6", "sport": 40000, "daddr": "203.0.113.10", "dport": 443}
STEERING = "\x1b[2J\x1b]0;owned\x07\u202e\r\nact forged"


def told(act: Performed, events: list[Event], **frame: Any) -> list[str]:
    (line,) = lines_of([act], events, **frame)
    return of_act("guard: why.", act, line).splitlines()


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (execs(SHELL), "/usr/bin/bash -c x"),
        (execs(started(1, BASH)), "/usr/bin/bash"),
        (exits(SHELL, 3), "/usr/bin/bash  3"),
        (exits(SHELL, signal="SIGKILL"), "/usr/bin/bash  SIGKILL"),
        (hooked(SHELL, file="/tmp/a"), "fd_install  /tmp/a  SIGKILL  /usr/bin/bash"),
        (
            hooked(SHELL, function="f", sock=SOCK, action="POST"),
            "f  10.0.0.6:40000 → 203.0.113.10:443  POST  /usr/bin/bash",
        ),
        (hooked(SHELL, function="f", action="POST"), "f  POST  /usr/bin/bash"),
        (event("process_lsm", {"process": SHELL.json()}), "/usr/bin/bash"),
    ],
)
def test_an_event_in_a_few_words(one: Event, words: str) -> None:
    """Who, what, and how it went."""
    assert what_happened(one) == words


def test_a_timeline_is_told_line_by_line() -> None:
    """The act with its outcome, its events with their times, and whether the stream was heard."""
    lines = told(ACT, [execs(SHELL, 1.0), hooked(SHELL, file="/tmp/a", at=1.25), exits(SHELL, at=1.5)])
    assert [line.split()[0] for line in lines] == [
        "guard:",
        "timeline",
        "▸",
        "ended",
        "+0.000",
        "+0.250",
        "+0.500",
        "▪",
    ]
    assert "node tetra-node · window 0.50 s · 3 events · stream alive to the end" in lines[1]
    assert "bash -c x   in other/probe" in lines[2]
    unheard = told(ACT, [execs(SHELL)], heard=False)
    assert "no sentinel was heard" in unheard[1]
    assert not any("▪" in line for line in unheard)


def test_what_matched_and_what_came_nearest_is_marked() -> None:
    """With the fields of the nearest miss, and what was expected of each."""
    events = [execs(SHELL), hooked(SHELL, file="/tmp/b", at=0.5), exits(SHELL, at=1.0)]
    (line,) = lines_of([ACT], events)
    found = Kprobe("fd_install", file="/tmp/a").find(line.own, closed=True)
    message = of_act("guard: why.", ACT, line, found, line.own)
    assert "≈ kprobe" in message
    assert "nearest miss +0.500" in message
    assert "function  fd_install  ✓" in message
    assert "file      /tmp/b  ✗ expected /tmp/a" in message
    found = Kprobe("fd_install").find(line.own, closed=True)
    assert "✓ kprobe" in of_act("guard: why.", ACT, line, found, line.own)


def test_a_long_timeline_is_cut_in_the_middle() -> None:
    """Both ends stay, and the cut says how much it left out."""
    many = [hooked(SHELL, file=f"/tmp/{n}", at=n / 100) for n in range(MOST_EVENTS + 10)]
    lines = told(ACT, [execs(SHELL), *many, exits(SHELL, at=9.0)])
    assert sum(line.split()[0].startswith("+") for line in lines) == MOST_EVENTS
    assert any("12 events more" in line for line in lines)
    assert "/tmp/0 " in "\n".join(lines)
    assert f"/tmp/{MOST_EVENTS + 9} " in "\n".join(lines)


@pytest.mark.parametrize(
    ("act", "events", "words"),
    [
        (ACT, [execs(SHELL), exits(SHELL)], "exit 0; the agent tells 0"),
        (ACT, [execs(SHELL)], "exit 0; the agent tells no exit of it"),
        (
            replace(ACT, outcome=Outcome(137)),
            [execs(SHELL), exits(SHELL, signal="SIGKILL")],
            "exit 137; the agent tells SIGKILL",
        ),
        (
            replace(ACT, outcome=Outcome(1, "out\n", "err\n")),
            [execs(SHELL)],
            "exit 1; the agent tells no exit of it; it said “out”",
        ),
        (
            replace(ACT, outcome=Outcome(1, "", "err\n")),
            [execs(SHELL)],
            "exit 1; the agent tells no exit of it; it said “err”",
        ),
        (replace(ACT, outcome=Outcome(None, broken="cut")), [], "no outcome: cut; the agent tells no exit of it"),
    ],
)
def test_how_an_act_ended(act: Performed, events: list[Event], words: str) -> None:
    """What the one who asked saw, what the agent says, and the act's own last words."""
    (line,) = lines_of([act], events)
    assert how_it_ended(act, line) == words


@pytest.mark.parametrize(
    "act",
    [
        performed("bash", "-c", STEERING, id="guarded"),
        replace(ACT, id=STEERING),
        replace(ACT, outcome=Outcome(1, STEERING, STEERING)),
        replace(ACT, outcome=Outcome(None, broken=STEERING)),
        replace(ACT, pod=STEERING),
        replace(ACT, node=STEERING),
    ],
    ids=["argv", "id", "output", "broken", "pod", "node"],
)
def test_no_act_can_steer_the_terminal(act: Performed) -> None:
    """Whatever a stranger typed comes out as an escape; and forges no line."""
    lines = told(act, [execs(SHELL), exits(SHELL)])
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("act forged") for line in lines)
    (line,) = lines_of([act], [execs(SHELL)])
    assert how_it_ended(act, line).isprintable()


@pytest.mark.parametrize(
    "one",
    [
        execs(replace(SHELL, binary=STEERING, pid=101)),
        hooked(SHELL, function=STEERING),
        hooked(SHELL, file=STEERING),
        exits(SHELL, signal=STEERING),
        event(f"process_{STEERING}", {"process": SHELL.json()}),
    ],
    ids=["binary", "function", "file", "signal", "kind"],
)
def test_no_event_can_steer_the_terminal(one: Event) -> None:
    """Nor can what an agent repeats of a stranger."""
    (line,) = lines_of([ACT], [execs(SHELL), one])
    found = Kprobe("fd_install", file="/tmp/a").find(line.own, closed=True)
    assert json.dumps(STEERING).strip('"').encode() in one.line
    assert all(part.isprintable() for part in of_act("guard: why.", ACT, line, found, line.own).splitlines())
