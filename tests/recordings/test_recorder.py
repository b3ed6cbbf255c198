"""A recording that grows: whatever was added reads back, alone and all together."""

from __future__ import annotations

from pathlib import Path

import pytest

from tetraproof.errors import RecordingError
from tetraproof.policies.binding import Bindings
from tetraproof.recordings.recorder import Recorder, as_json
from tetraproof.recordings.recording import FORMAT, Cell, Index, Provenance, ScenarioRecord, open_recording

INDEX = Index(
    FORMAT,
    Cell(tetragon="0.0.0", kubernetes="", kernel="6.12.0-made", target="standalone", label="", digest=""),
    Provenance("2026-11-25T00:00:00Z", "here", "a test"),
    (),
    Bindings(),
    {},
    (),
)


def recorder() -> Recorder:
    made = Recorder("made", INDEX, {"environment/tetra-probe.txt": b"multi_kprobe: true\n"})
    for name in ("first", "second"):
        made.add(ScenarioRecord(name, policy=False), {"events.jsonl": b"", "acts.json": b"[]", "note": name.encode()})
    return made


def test_what_is_written_is_a_whole_recording(tmp_path: Path) -> None:
    """Sealed, with every scenario in its order."""
    recorder().write(tmp_path / "made")
    read = open_recording(tmp_path / "made")
    assert [one.name for one in read.index.scenarios] == ["first", "second"]
    assert read.in_scenario("second", "note") == b"second"
    assert read.text("environment/tetra-probe.txt") == "multi_kprobe: true\n"


def test_one_scenario_is_judged_alone() -> None:
    """What the others are does not matter to it."""
    alone = recorder().only("second")
    assert [one.name for one in alone.index.scenarios] == ["second"]
    assert alone.in_scenario("second", "note") == b"second"


def test_a_scenario_that_is_observed_again_replaces_the_first() -> None:
    """There is one of each name."""
    made = recorder()
    made.add(ScenarioRecord("first", policy=False, notes=("again",)), {"events.jsonl": b"", "acts.json": b"[]"})
    assert [(one.name, one.notes) for one in made.index.scenarios] == [("second", ()), ("first", ("again",))]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A folder that holds something is somebody's."""
    (tmp_path / "theirs").touch()
    with pytest.raises(RecordingError):
        recorder().write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_json_ends_with_a_line() -> None:
    """As all files of a recording do."""
    assert as_json({"a": 1}) == b'{\n "a": 1\n}\n'
