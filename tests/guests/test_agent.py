"""The agent: believed only when it says that it runs, asked by tetra, and ended with its own last words kept."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from tests.hosts import Going, Machine
from tetraproof.errors import AgentError
from tetraproof.guests.agent import DEFAULT_ADDRESS, Agent, existing, is_running, start
from tetraproof.guests.bundle import Bundle
from tetraproof.machines.machine import Completed, MachineLost
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.waiting import until

DEADLINES = Deadlines().scaled(0.02)
ROOT = Path("/bundle")
BUNDLE = Bundle(ROOT, ROOT / "bin/tetragon", ROOT / "bin/tetra", ROOT / "bpf")
RUNS = "Health Status: running\n"
LISTENING = '{"level":"info","msg":"Listening for events..."}\n'
CONFIG = {"bpf-lib": "/bundle/bpf", "rb-size": 0, "disable-kprobe-multi": True, "cluster-name": "", "field": [1]}


def says(text: str, *, ends: bool = False):
    """An agent that logs `text`, and perhaps ends."""

    def begins(going: Going) -> None:
        going.output.write_text(text, encoding="utf-8")
        going.runs = not ends

    return begins


def started(machine: Machine, tmp_path: Path, **settings: str) -> Agent:
    return start(machine, BUNDLE, tmp_path, settings, DEADLINES, run_id="debian-6.1", number=3)


def test_an_agent_runs_when_it_says_so(tmp_path: Path) -> None:
    """Its socket, its maps and its log are the run's own, and the user's settings come last."""
    machine = Machine({"status": RUNS}, begins=says(LISTENING))
    agent = started(machine, tmp_path, **{"rb-size": "1M", "metrics-server": ""})
    (going,) = machine.going
    assert going.argv[0] == "/bundle/bin/tetragon"
    options = dict(word.removeprefix("--").split("=", 1) for word in going.argv[1:])
    assert options["bpf-dir"] == "tetraproof-debian-6-1", "the BPF file system takes no dot"
    assert options["server-address"] == "unix:///run/tetraproof-debian-6.1/agent-3.sock"
    assert options["bpf-lib"] == "/bundle/bpf"
    assert options["export-filename"] == str(tmp_path / "export-3.jsonl")
    assert (options["rb-size"], options["metrics-server"]) == ("1M", "")
    assert going.output == tmp_path / "agent-3.log"
    assert agent.runs
    agent.stop()
    assert (going.stopped, agent.runs) == (1, False)


@pytest.mark.parametrize(
    ("status", "runs"),
    [
        (RUNS, True),
        ("Health Status: status error: agent not ready\n", False),
        ("failed to connect: connection error: running out of patience", False),
        ("", False),
    ],
)
def test_tetras_exit_code_says_nothing(status: str, runs: bool) -> None:
    """It is 0 when tetra says that there is an error."""
    assert is_running(status) is runs


@pytest.mark.parametrize(
    ("begins", "status", "causes"),
    [
        (says("level=fatal no BTF\n", ends=True), RUNS, ["The agent ended while it started.", "level=fatal no BTF"]),
        (says(LISTENING), "status error: not ready", ["the agent's word that it runs was awaited", "Listening"]),
        (says("still loading\n"), RUNS, ["the agent was awaited and did not come", "still loading"]),
    ],
)
def test_one_that_does_not_start_gives_its_last_words(begins, status: str, causes: list[str], tmp_path: Path) -> None:
    """It ended, never said that it runs, or never listened: whichever, it is ended, and its log is told."""
    machine = Machine({"status": status}, begins=begins)
    with pytest.raises(AgentError, match=r"The agent did not start\.") as refused:
        started(machine, tmp_path)
    assert machine.going[0].stopped == 1
    told = "\n".join(refused.value.causes)
    for cause in causes:
        assert cause in told
    assert "AGENT_OPTIONS=" in refused.value.remedy


def test_an_interrupt_ends_it(tmp_path: Path) -> None:
    """Also while it starts."""

    def interrupted(argv, stdin) -> Completed:
        raise KeyboardInterrupt

    machine = Machine({"status": interrupted}, begins=says(LISTENING))
    with pytest.raises(KeyboardInterrupt):
        started(machine, tmp_path)
    assert machine.going[0].stopped == 1


def test_a_machine_that_is_lost_is_told_as_that(tmp_path: Path) -> None:
    """It is not the agent's fault, and nothing can be stopped on it."""
    machine = Machine(begins=says(LISTENING))
    machine.answers["status"] = lambda argv, stdin: (_ for _ in ()).throw(MachineLost("gone"))
    with pytest.raises(MachineLost, match="gone"):
        started(machine, tmp_path)


def test_an_agent_that_runs_already_is_asked_and_left_alone() -> None:
    """At the address of the package, or the one named."""
    machine = Machine({"status": RUNS})
    agent = existing(machine, "tetra", DEFAULT_ADDRESS, Deadlines())
    assert machine.asked == [["tetra", "status", "--server-address", DEFAULT_ADDRESS, "--timeout", "60s"]]
    agent.stop()
    assert agent.runs
    assert (agent.log, agent.settings, machine.going) == ("", {}, [])


def test_where_none_runs_that_is_told() -> None:
    """With what tetra said."""
    machine = Machine({"status": Completed(1, b"", b"dial unix: no such file")})
    with pytest.raises(AgentError, match=r"No agent answers at unix:///x.*no such file"):
        existing(machine, "tetra", "unix:///x", DEADLINES)


def test_its_settings_are_its_own_word(tmp_path: Path) -> None:
    """From its log, whatever it was given; what it was given where it says nothing."""
    log = tmp_path / "agent.log"
    agent = Agent(Machine(), "tetra", "x", DEADLINES, log=log, given={"rb-size": "1M"})
    assert agent.settings == {"rb-size": "1M"}
    log.write_text(f"no JSON\n{json.dumps({'msg': 'config settings', 'config': CONFIG})}\n", encoding="utf-8")
    assert agent.settings == {
        "bpf-lib": "/bundle/bpf",
        "rb-size": "0",
        "disable-kprobe-multi": "true",
        "cluster-name": "",
        "field": "[1]",
    }


@pytest.mark.parametrize(
    ("answer", "policies"),
    [('{"policies": [{"name": "guard"}]}', [{"name": "guard"}]), ("{}", []), ("", []), ('{"policies": null}', [])],
)
def test_its_policies_are_listed(answer: str, policies: list[dict[str, str]]) -> None:
    """None is an empty list."""
    assert Agent(Machine({"list": answer}), "tetra", "x", DEADLINES).states() == policies


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("<html>", "is no JSON"),
        ('["x"]', "is no JSON"),
        (Completed(1, b"{}", b"refused"), "does not list its policies"),
        (Completed(None, broken="no end within 1 s"), "does not list its policies"),
    ],
)
def test_a_list_that_is_none_is_no_empty_list(answer, sentence: str) -> None:
    """Nothing is known of the policies then."""
    with pytest.raises(AgentError, match=sentence):
        Agent(Machine({"list": answer}), "tetra", "x", DEADLINES).states()


def test_its_metrics_are_the_body_of_the_answer() -> None:
    """Without the header; nothing where it serves none."""
    answer = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\ntetragon_events 1\n"
    assert Agent(Machine({"/dev/tcp": answer}), "tetra", "x", DEADLINES).metrics() == "tetragon_events 1\n"
    refused = Completed(1, b"", b"Connection refused")
    assert Agent(Machine({"/dev/tcp": refused}), "tetra", "x", DEADLINES).metrics() == ""


def test_its_stream_goes_into_a_file(tmp_path: Path) -> None:
    """As JSON, its complaints beside it."""
    machine = Machine()
    Agent(machine, "tetra", "unix:///x", DEADLINES).stream(tmp_path / "events.jsonl")
    assert machine.going[0].argv == ["tetra", "getevents", "-o", "json", "--server-address", "unix:///x"]
    assert machine.going[0].output == tmp_path / "events.jsonl"


# where the agent can be reached from this machine


def nearby(tmp_path: Path, script: str = 'echo "$@"') -> tuple[Agent, Machine]:
    """An agent whose socket and metrics lead here, and a `tetra` that is a script."""
    tetra = tmp_path / "tetra"
    tetra.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    tetra.chmod(0o755)
    doors = {"/run/agent.sock": "/here/door", "127.0.0.1:22112": str(tmp_path / "metrics")}
    machine = Machine(doors=doors)
    return Agent(machine, str(tetra), "unix:///run/agent.sock", DEADLINES), machine


def test_tetra_runs_here_where_the_agent_can_be_reached(tmp_path: Path) -> None:
    """It begins at once here; what it says of the machine itself is asked there."""
    agent, machine = nearby(tmp_path)
    assert agent.tetra("status").output.startswith("status --server-address unix:///here/door --timeout ")
    assert machine.asked == []
    agent.tetra("probe")
    (asked,) = machine.lines("probe")
    assert "unix:///run/agent.sock" in asked
    following = agent.stream(tmp_path / "events.jsonl")
    until("its end", lambda: following.runs, lambda runs: not runs, 30)
    written = (tmp_path / "events.jsonl").read_text(encoding="utf-8")
    assert written == "getevents -o json --server-address unix:///here/door\n"
    assert machine.going == []


def test_a_stream_that_nothing_is_carried_to_has_ended(tmp_path: Path) -> None:
    """Its reader here goes on, and would hear nothing any more."""
    agent, machine = nearby(tmp_path, "exec sleep 600")
    following = agent.stream(tmp_path / "events.jsonl")
    assert following.runs
    machine.doors.clear()
    assert not following.runs
    following.stop()


def test_a_machine_that_is_lost_is_known_though_tetra_runs_here(tmp_path: Path) -> None:
    """Where tetra fails the machine itself is asked for a word: its agent did not simply fall silent."""
    agent, machine = nearby(tmp_path, "echo refused >&2; exit 1")
    with pytest.raises(AgentError, match="does not list its policies"):
        agent.states()
    machine.lost = True
    for ask in (agent.states, agent.metrics):
        with pytest.raises(MachineLost):
            ask()


def test_metrics_are_read_over_there(tmp_path: Path) -> None:
    """No program starts for them; where nobody serves any there are none."""
    agent, machine = nearby(tmp_path)
    assert agent.metrics() == ""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "metrics"))
        listening.listen()

        def serve() -> None:
            caller, _ = listening.accept()
            with caller:
                assert caller.recv(1000).startswith(b"GET /metrics HTTP/1.0\r\n")
                caller.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n# HELP\ntetragon_events 7\n")

        thread = threading.Thread(target=serve)
        thread.start()
        assert agent.metrics() == "# HELP\ntetragon_events 7\n"
        thread.join()
    assert not machine.lines("bash")
