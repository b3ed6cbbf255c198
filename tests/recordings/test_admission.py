"""What a recording says must mean something: its names, its words, its nodes and its times."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from tests.builders import NAME, NODE, POLICY, performed, recording_files, reindexed, scenario_files
from tests.pulses import K, changed, pulse
from tetraproof.errors import RecordingError
from tetraproof.observing import gap
from tetraproof.observing.gap import Happening
from tetraproof.recordings.recording import INDEX, from_files, sealed

Files = dict[str, bytes]
ACTS, STATE, AFTER = (f"scenarios/guard/{file}" for file in ("acts.json", "state.json", "state-after.json"))
CHANGE = "scenarios/change/continuity.json"


def whole() -> Files:
    act = performed("bash", "-c", "x", started="2026-11-23T07:00:00+00:00")
    return recording_files({"guard": scenario_files("guard", [act])})


def scenario(**fields: Any) -> Callable[[Files], Files]:
    """The only scenario of the index with fields changed."""

    def change(files: Files) -> Files:
        told = msgspec.json.decode(files[INDEX])["scenarios"][0]
        return reindexed(files, scenarios=[{**told, **fields}])

    return change


def act(**fields: Any) -> Callable[[Files], Files]:
    def change(files: Files) -> Files:
        acts = json.loads(files[ACTS])
        acts[1].update(fields)
        return sealed({**files, ACTS: json.dumps(acts).encode()})

    return change


def states(told: Any, path: str = STATE) -> Callable[[Files], Files]:
    return lambda files: sealed({**files, path: json.dumps(told).encode()})


def indexed(**fields: Any) -> Callable[[Files], Files]:
    return lambda files: reindexed(files, **fields)


def refusal(files: Mapping[str, bytes]) -> RecordingError:
    with pytest.raises(RecordingError) as refused:
        from_files(NAME, files)
    error = refused.value
    assert error.sentence.startswith(f"{NAME}/")
    assert error.sentence.isprintable()
    assert error.remedy
    return error


@pytest.mark.parametrize("verdict", ["conforms", "violates", "unrecorded", "", "UNSUPPORTED", "unsupported\n"])
def test_a_recording_decides_no_verdict(verdict: str) -> None:
    """Where nothing was performed, that is unsupported or inconclusive."""
    error = refusal(scenario(unanswered={"verdict": verdict, "reason": "so"})(whole()))
    assert f"{INDEX}: scenarios.guard.unanswered.verdict is" in error.sentence
    assert "unsupported or inconclusive" in error.remedy


@pytest.mark.parametrize("verdict", ["unsupported", "inconclusive"])
def test_what_may_be_unanswered(verdict: str) -> None:
    """Both are read."""
    files = scenario(unanswered={"verdict": verdict, "reason": "so"})(whole())
    assert from_files(NAME, files).index.scenarios[0].unanswered.verdict == verdict


NAMES = ["", ".", "..", "../x", "a/b", "a\\b", "/etc", "a\x1b[31m", "a\nb", "a\u202e", "x" * 300]


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_s_name_leads_nowhere_else(name: str) -> None:
    """It is the name of a folder."""
    assert f"{INDEX}: scenarios[0].name is" in refusal(scenario(name=name)(whole())).sentence


@pytest.mark.parametrize("name", NAMES)
def test_a_node_s_name_leads_nowhere_else(name: str) -> None:
    """Files are called by it."""
    assert f"{INDEX}: nodes[1].name is" in refusal(indexed(nodes=[{"name": NODE}, {"name": name}])(whole())).sentence


def test_a_name_stands_once() -> None:
    """Which of the two would be meant is not known."""
    files = whole()
    told = msgspec.json.decode(files[INDEX])["scenarios"]
    assert "scenarios[1].name: guard stands there twice" in refusal(reindexed(files, scenarios=told * 2)).sentence
    assert f"nodes[1].name: {NODE} stands there twice" in refusal(reindexed(files, nodes=[{"name": NODE}] * 2)).sentence


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (scenario(nodes=[NODE, "other"]), f"scenarios.guard.nodes 'other' is none of the recording's nodes ({NODE})"),
        (act(node="other"), "act 1 (bash -c x): node 'other' is none of the recording's nodes"),
        (act(node="\x1b[31m"), "node '\\x1b[31m' is none of the recording's nodes"),
        (states({"other": []}), "state.json: node 'other' is none of the recording's nodes"),
        (states({"other": []}, AFTER), "state-after.json: node 'other' is none of the recording's nodes"),
        (
            act(role="judge"),
            "act 1 (bash -c x): role is 'judge', and there are act, prepare, sentinel-start, sentinel-",
        ),
        (act(role=""), "role is ''"),
        (act(role="Act"), "role is 'Act'"),
        (act(id="\x1b[31mred", role="x"), "act 1 (\\e[31mred): role is 'x'"),
        (states({NODE: [{"name": 1}]}), f"state.json: {NODE}[0].name is no text"),
        (states({NODE: [{"name": "g", "state": []}]}), f"{NODE}[0].state is no text"),
        (states({NODE: [{"name": "g"}, {"stats": "x"}]}, AFTER), f"{NODE}[1].stats is no object"),
        (states({NODE: [{"stats": {"action_counters": [1]}}]}), f"{NODE}[0].stats.action_counters is no object"),
        (indexed(cell={"tetragon": "1\x1b[2J", "kubernetes": "", "kernel": "", "target": "x"}), "cell.tetragon holds"),
        (indexed(settings={"a": "1\x07"}), "settings.a holds characters that cannot be printed"),
        (indexed(settings={"a\x07": "1"}), "settings holds characters that cannot be printed"),
        (scenario(notes=["fine", "\x1b]0;x"]), "scenarios[0].notes[1] holds characters that cannot be printed"),
    ],
)
def test_what_a_recording_says_means_something(change: Callable[[Files], Files], told: str) -> None:
    """Otherwise it is refused with file and field."""
    assert told in refusal(change(whole())).sentence


TIMES = {
    "2026-11-23T07:00:00": "no time of RFC 3339 with its zone",
    "2026-11-23 07:00:00+00:00": "no time of RFC 3339",
    "20261123T070000Z": "no time of RFC 3339",
    "2026-W48-1T07:00:00Z": "no time of RFC 3339",
    "2026-11-23": "no time of RFC 3339",
    "soon": "no time of RFC 3339",
    "2026-02-30T07:00:00Z": "there is no such time",
    "2026-13-01T07:00:00Z": "there is no such time",
    "2026-11-23T25:00:00Z": "there is no such time",
    "2026-11-23T07:00:00+99:00": "there is no such time",
    "0000-01-01T00:00:00Z": "there is no such time",
    "2026-11-23T07:00:00Z\n": "no time of RFC 3339",
    "٢٠٢٦-11-23T07:00:00Z": "no time of RFC 3339",
}


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("field", ["started", "ended"])
def test_a_time_has_a_zone_and_exists(field: str, time: str) -> None:
    """Without its zone it would be compared with those that have one."""
    sentence = refusal(act(**{field: time})(whole())).sentence
    assert f"act 1 (bash -c x): {field} is" in sentence
    assert TIMES[time] in sentence


def test_the_index_s_times_are_times_too() -> None:
    """When the run was recorded, and when each scenario began."""
    assert "scenarios.guard.started is" in refusal(scenario(started="soon")(whole())).sentence
    made = {"recorded": "2026-11-23", "where": "here", "made_by": "tests"}
    assert "provenance.recorded is" in refusal(indexed(provenance=made)(whole())).sentence


@pytest.mark.parametrize(
    "time", ["", "2026-11-23T07:00:00Z", "2026-11-23T07:00:00.1+02:00", "2026-11-23T07:00:00.123456789-11:30"]
)
def test_times_that_are_read(time: str) -> None:
    """And none, where nothing was begun."""
    assert from_files(NAME, act(started=time)(whole())).acts("guard")[1].started == time


def of_change(told: Any, change: str = "upgrade") -> Files:
    """A recording of one change."""
    content = told if isinstance(told, bytes) else msgspec.json.encode(told)
    files = {CHANGE: content, "scenarios/change/policy.yaml": POLICY.encode()}
    made = recording_files({"change": files})
    return reindexed(made, scenarios=[{"name": "change", "change": change}])


def beats(*rows: str) -> bytes:
    inside = f'[{{"node": "{NODE}", "beats": [{", ".join(rows)}]}}]'
    return f'{{"change": "upgrade", "command": "", "happenings": [], "pulses": {inside}}}'.encode()


@pytest.mark.parametrize(
    ("told", "word"),
    [
        (changed(pulse(K, node="other")), "pulses 'other' is none of the recording's nodes"),
        (changed(pulse(K, node=NODE), nodes=("other",)), "nodes 'other' is none of the recording's nodes"),
        (
            changed(happenings=[Happening(1, gap.STATE, node="other")]),
            "happenings 'other' is none of the recording's nodes",
        ),
        (changed(pulse(K, node=NODE), pulse(K, node=NODE)), f"pulses: {NODE} is told of 2 times"),
        (changed(pulse(K, node=NODE), change="rollback"), "change is 'rollback', and the index calls the scenario's"),
        (beats("[1, 2, 256]"), "at `$.pulses[0].beats[0][2]`"),
        (beats("[1, 2, -1]"), "at `$.pulses[0].beats[0][2]`"),
        (beats("[1, 2, 137, 999]"), "at `$.pulses[0].beats[0][3]`"),
        (beats("[NaN, 2, 0]"), "is no JSON"),
        (beats("[1, 1e999, 0]"), "Number out of range"),
        (beats("[1, 1e300, 0]"), "at `$.pulses[0].beats[0][1]`"),
        (beats("[-1, 2, 0]"), "at `$.pulses[0].beats[0][0]`"),
        (beats("[1, 2]"), "at `$.pulses[0].beats[0]`"),
        (beats("null"), "at `$.pulses[0].beats[0]`"),
        (b"null", "Expected `object`, got `null`"),
        (b"[" * 100_000, f"{CHANGE}: "),
        (beats("[1, 2, " + "9" * 5000 + "]"), "at `$.pulses[0].beats[0][2]`"),
        (beats("[1, 2, 0]").replace(b'"happenings": [],', b'"happenings": [], "happenings": [],'), "stands twice"),
    ],
)
def test_a_change_is_of_the_recording_s_nodes(told: Any, word: str) -> None:
    """And of the kind that the index says; its beats have times and exit codes."""
    error = refusal(of_change(told))
    assert CHANGE in error.sentence
    assert word in error.sentence


def test_a_change_that_is_read() -> None:
    """With a twin's exit code, and without, as older recordings have it."""
    made = from_files(NAME, of_change(beats("[1, 2, 137]", "[3, 4, 137, 0]", "[5, 6, null, null]")))
    assert [beat.control for beat in made.continuity("change").pulses[0].beats] == [None, 0, None]
