"""What is installed, by the agents' and the cluster's word, and what a test may ask of it."""

from __future__ import annotations

import json

import msgspec
import pytest

from tests.builders import NEWEST
from tetraproof.answer import judge
from tetraproof.errors import RecordingError
from tetraproof.observing.inventory import CRDS, FILE, Agent, InstallationRun, Inventory, is_running, of_files, versions
from tetraproof.recordings.recording import open_recording

RUNNING = "Health Status: running"
SOUND = Inventory(
    (Agent("a", RUNNING, "1.7.0", "1.7.0"), Agent("b", RUNNING, "1.7.0", "1.7.0")),
    asked="1.7.0",
    nodes=("a", "b"),
    wanted=2,
    ready=2,
    crds=dict.fromkeys(CRDS, True),
    troubles=(),
)
QUESTIONS = (
    "runs",
    "agents_are_as_asked",
    "command_is_as_asked",
    "covers_every_node",
    "crds_are_established",
    "sound",
)


def judged(question: str, inventory: Inventory) -> tuple[str, str]:
    """The verdict and the message of a test that asserts the question."""

    def body() -> None:
        assert getattr(InstallationRun(inventory), question)

    judgement = judge(body)
    return str(judgement.verdict), judgement.reason


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_sound_installation_conforms(question: str) -> None:
    assert judged(question, SOUND)[0] == "conforms"


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_nobody_asked_is_unrecorded(question: str) -> None:
    assert judged(question, Inventory())[0] == "unrecorded"


@pytest.mark.parametrize(
    ("question", "changed", "told"),
    [
        ("runs", {"agents": (SOUND.agents[0], Agent("b", "status error: connection refused", "1.7.0"))}, "on b"),
        ("agents_are_as_asked", {"agents": (SOUND.agents[0], Agent("b", RUNNING, "1.7.0", "1.4.1"))}, "1.4.1"),
        ("agents_are_as_asked", {"asked": "1.4.1"}, "1.4.1 was asked for"),
        ("command_is_as_asked", {"agents": (Agent("a", RUNNING, "1.4.1", "1.7.0"),)}, "tetra is 1.4.1"),
        ("covers_every_node", {"ready": 1}, "1 of 2"),
        ("covers_every_node", {"wanted": 0, "ready": 0}, "0 of 0"),
        ("covers_every_node", {"nodes": ("a", "b", "c")}, "none on c"),
        ("crds_are_established", {"crds": {CRDS[0]: True}}, CRDS[1]),
        ("sound", {"troubles": ("No agent is on c.",)}, "No agent is on c."),
    ],
)
def test_what_is_wrong_violates_and_is_told(question: str, changed: dict, told: str) -> None:
    verdict, said = judged(question, msgspec.structs.replace(SOUND, **changed))
    assert verdict == "violates"
    assert told in said


def test_the_agent_and_the_command_are_told_apart() -> None:
    """A newer `tetra` beside an older agent is no agent as asked."""
    mixed = msgspec.structs.replace(SOUND, agents=(Agent("a", RUNNING, "1.7.0", "1.4.1"),))
    assert judged("command_is_as_asked", mixed)[0] == "conforms"
    assert judged("agents_are_as_asked", mixed)[0] == "violates"
    assert versions("CLI version: v1.7.0\nServer version: v1.4.1\n") == {"CLI": "1.7.0", "Server": "1.4.1"}


@pytest.mark.parametrize(
    ("said", "runs"),
    [
        ("Health Status: running", True),
        ('status error: rpc error: code = Unavailable desc = connection error: "running"', False),
        ("", False),
    ],
)
def test_status_is_read_and_its_exit_code_is_not(said: str, runs: bool) -> None:
    """Tetra exits with 0 while it says that there is an error."""
    assert is_running(said) is runs


def test_older_recordings_tell_what_they_hold() -> None:
    """Status, the command's version and the DaemonSet's counts are there; nobody asked the agent's version."""
    recording = open_recording(NEWEST)
    found = of_files(recording.text, "tetra-node")
    assert (found.agents, found.asked) == ((Agent("tetra-node", RUNNING, "1.7.0", ""),), "1.7.0")
    assert (found.wanted, found.ready, found.crds) == (1, 1, None)


def test_what_a_live_run_noted_goes_before() -> None:
    """A recording of ours has all of it in one file."""
    files = {FILE: msgspec.json.encode(SOUND).decode()}
    assert of_files(files.get, "a") == SOUND


def test_a_damaged_note_is_told() -> None:
    with pytest.raises(RecordingError, match="environment"):
        of_files({FILE: json.dumps({"agents": 3})}.get, "a")
