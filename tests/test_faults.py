"""Faults in a recording leave promises undecided, or the recording refused; none makes a false verdict."""

from __future__ import annotations

import json
import random

import pytest

from tests.builders import BASH, child, execs, exits, hooked, performed, recording, scenario_files, started
from tetraproof.events.event import Event, parse
from tetraproof.judging.claim import Claim
from tetraproof.judging.expectation import Exec, InOrder, Kprobe
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Act
from tetraproof.targets.replay import Replay
from tools import faults

SHELL = started(100, BASH, "-c one")
LS = child(SHELL, 101, "/usr/bin/ls", "-l")
OWN = [execs(SHELL), execs(LS), hooked(LS, file="/tmp/a"), exits(LS), exits(SHELL)]


def test_a_share_of_the_replays_has_no_false_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python tools/faults.py` makes a thousand."""
    monkeypatch.setattr("sys.argv", ["faults", "--replays", "135", "--seed", "5"])
    assert faults.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("all of them")
    assert int(lines[-1].split()[-6]) == 135
    assert all(int(line.split()[-6]) >= 10 for line in lines[1:-1])


def test_a_false_verdict_would_be_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An agent's word that is changed, and not hidden, is a lie, and is believed."""

    def lie(chance: random.Random, files: faults.Files, inside: str) -> str:
        del chance
        path = f"{inside}acts.json"
        acts = [{**act, "exit_code": 0 if act["exit_code"] else 137} for act in json.loads(files[path])]
        files[path] = json.dumps(acts).encode()
        return "every outcome turned round"

    monkeypatch.setattr(faults, "FAULTS", {"a lie": lie})
    monkeypatch.setattr("sys.argv", ["faults", "--replays", "5"])
    assert faults.main() == 1
    assert "is violates, and was conforms" in capsys.readouterr().out


def run_of(events: list[Event]) -> Run:
    files = scenario_files("guard", [performed(BASH, "-c", "one", id="one")], events, manifest="")
    acts = (Act((BASH, "-c", "one"), name="one"),)
    return Run(Replay(recording({"guard": files})).observe(None, {}, acts, "guard"), acts)


def garbled(one: Event, old: bytes, new: bytes) -> Event:
    assert old in one.line
    made = parse(one.line.replace(old, new, 1))
    assert isinstance(made, Event)
    return made


@pytest.mark.parametrize(
    ("old", "new", "unread"),
    [
        (b'"cwd": "/"', b'"cwd": "/\xff"', "process.cwd"),
        (b'"cwd"', b'"c\xffwd"', "process"),
        (b'"node_name"', b'"node\xff_name"', "node_name"),
        (b'"time"', b'"t\xffime"', "time"),
        (b'"cwd": "/"', b'"cwd": "\\ud800"', "process.cwd"),
    ],
)
def test_bytes_that_are_no_text_hide_what_they_stand_in(old: bytes, new: bytes, unread: str) -> None:
    """What is left of a value is no value, and what is left of a name no name."""
    assert unread in garbled(execs(SHELL), old, new).unread


def test_a_kind_whose_name_is_no_text_is_no_event() -> None:
    """Nobody can say which it is."""
    assert not isinstance(parse(b'{"process_\xff": {"process": {}}}'), Event)


def judged(events: list[Event], body: object) -> str:
    return Claim("it", body).judge(run_of(events)).word  # type: ignore[arg-type]


def told(run: Run) -> None:
    assert run.one.told


def listed(run: Run) -> None:
    assert Exec("/usr/bin/ls") in run.one.timeline


def nothing_beside(run: Run) -> None:
    assert Kprobe("fd_install") not in run.one.surroundings


@pytest.mark.parametrize("body", [told, listed, nothing_beside])
def test_without_a_fault_all_of_it_conforms(body: object) -> None:
    """Else the next tests would prove nothing."""
    assert judged(OWN, body) == "conforms"


@pytest.mark.parametrize("body", [told, listed, nothing_beside])
@pytest.mark.parametrize(
    ("at", "old", "new"),
    [
        (0, b'"arguments": "-c one"', b'"arguments": "-c \xff"'),
        (0, b'"arguments": "-c one"', b'"arguments": [1]'),
        (1, b'"parent_exec_id"', b'"parent\xff_exec_id"'),
    ],
)
def test_a_process_of_which_nobody_can_read_what_it_is_may_be_the_acts(
    at: int, old: bytes, new: bytes, body: object
) -> None:
    """And so may be all that it started."""
    events = [one if number != at else garbled(one, old, new) for number, one in enumerate(OWN)]
    if at == 0:  # nothing else tells it
        events[-1] = garbled(events[-1], b'"arguments": "-c one"', b'"arguments": 7')
    assert judged(events, body) != "violates"
    assert judged(events, told) == "inconclusive"


def test_the_link_to_a_parent_may_be_told_by_a_later_event() -> None:
    """One that is not told first claims nothing."""
    events = [OWN[0], garbled(OWN[1], b'"parent_exec_id"', b'"was_parent_exec_id"'), *OWN[2:]]
    assert judged(events, listed) == "conforms"


def test_what_must_agree_and_cannot_be_read_may_agree() -> None:
    """A port of a connection, of which one event cannot be read."""
    sock = {"saddr": "10.0.0.3", "daddr": "10.0.0.4", "sport": 4444, "dport": 80}
    calls = [hooked(SHELL, function=name, sock=sock) for name in ("tcp_connect", "tcp_close")]
    wanted = InOrder(Kprobe("tcp_connect"), Kprobe("tcp_close"), same="sport")

    def connected(run: Run) -> None:
        assert wanted in run.one.timeline

    assert judged([OWN[0], *calls, *OWN[1:]], connected) == "conforms"
    odd = garbled(calls[1], b'"sport": 4444', b'"sport": [1]')
    assert judged([OWN[0], calls[0], odd, *OWN[1:]], connected) == "inconclusive"
    other = garbled(calls[1], b'"sport": 4444', b'"sport": 5555')
    assert judged([OWN[0], calls[0], other, *OWN[1:]], connected) == "violates"


def test_an_export_that_cannot_be_read_in_part_is_no_other() -> None:
    """Nor one that differs in what nobody here knows."""

    def the_same(run: Run) -> None:
        assert run.export_tells_the_same("probe")

    for old, new, word in (
        (b'"cwd": "/"', b'"cwd": [1]', "inconclusive"),
        (b'"uid": 0', b'"uid": 0, "brand_new": 1', "inconclusive"),
        (b'"cwd": "/"', b'"cwd": "/tmp"', "violates"),
    ):
        files = scenario_files("guard", [performed(BASH, "-c", "one", id="one")], OWN, manifest="")
        stream = files["scenarios/guard/events.jsonl"]
        line = OWN[1].line
        files["scenarios/guard/export.jsonl"] = stream.replace(line, line.replace(old, new, 1))
        acts = (Act((BASH, "-c", "one"), name="one"),)
        run = Run(Replay(recording({"guard": files})).observe(None, {}, acts, "guard"), acts)
        assert Claim("it", the_same).judge(run).word == word, new


def test_what_an_event_says_can_be_written_down_again() -> None:
    """Half a character, in a value or a name, is a mark there."""
    odd = garbled(execs(SHELL), b'"cwd": "/"', b'"cwd": "\\ud800", "\\udc00": ["\\ud83d"]')
    assert json.loads(json.dumps(odd.json(), ensure_ascii=False).encode()) == odd.json()
    deep = b'"cwd": "\\ud800", "x": ' + b"[" * 900 + b"]" * 900
    assert garbled(execs(SHELL), b'"cwd": "/"', deep).json()["process_exec"]["process"]["cwd"] == "\ufffd"
