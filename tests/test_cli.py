"""The commands: for scripts as well as people, and never with a traceback."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import NEWEST, ROOT, read_tree, write_tree
from tests.test_result import WHOLE
from tetraproof.cli import main
from tetraproof.recording import EXPECTED, write
from tetraproof.result import FILE, encode

STREAM = NEWEST / "scenarios/block-fd-install/events.jsonl"
COMPACT = (NEWEST / "scenarios/block-fd-install/events.compact.txt").read_text(encoding="utf-8").splitlines()


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str], str]:
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


def test_events_are_shown_as_tetra_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Line for line what tetra itself printed."""
    assert said(["events", str(STREAM)], capsys) == (0, COMPACT, "")


def test_events_as_json_are_what_was_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    """The same JSON values again."""
    _, lines, _ = said(["events", str(STREAM), "-o", "json"], capsys)
    assert [json.loads(line) for line in lines] == [json.loads(line) for line in STREAM.read_bytes().splitlines()]


def test_events_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A header, and a line an event."""
    _, lines, _ = said(["events", str(STREAM), "-o", "table"], capsys)
    assert lines[0].split() == ["time", "kind", "pod", "what"]
    assert len(lines) == len(COMPACT) + 1


@pytest.mark.parametrize(
    ("options", "share"),
    [
        (["--namespace", "other"], 1.0),
        (["--namespace", "galaxy,elsewhere"], 0.0),
        (["--pods", "^probe$,x"], 1.0),
        (["--pods", "^prob$"], 0.0),
    ],
)
def test_events_are_filtered_as_tetra_filters(
    options: list[str], share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """By namespaces and by pods."""
    _, lines, _ = said(["events", str(STREAM), *options], capsys)
    assert len(lines) == share * len(COMPACT)


def test_events_are_read_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that is no event is told on standard error, and costs none of the others."""
    content = STREAM.read_bytes() + b"tail: x has been replaced\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    code, lines, told = said(["events", "-"], capsys)
    assert (code, lines) == (0, COMPACT)
    assert told.startswith("tetraproof: a line is no event: ")


def whole(tmp_path: Path, name: str = "run") -> Path:
    (tmp_path / name).mkdir()
    (tmp_path / name / FILE).write_bytes(encode(WHOLE))
    return tmp_path / name


def test_a_report_is_drawn_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one run its page, of several their matrix; as JSON for scripts."""
    runs = [whole(tmp_path, "a"), whole(tmp_path, "b")]
    code, lines, _ = said(["report", str(runs[0])], capsys)
    assert code == 0
    assert any(line.startswith("violates  ") for line in lines)
    assert (runs[0] / "index.html").is_file()
    code, _, _ = said(["report", str(tmp_path), "--matrix", str(tmp_path / "matrix.html")], capsys)
    assert code == 1, "a difference from what is expected is red"
    assert "a/index.html" in (tmp_path / "matrix.html").read_text(encoding="utf-8")
    code, lines, _ = said(["report", str(tmp_path), "--json"], capsys)
    told = json.loads("\n".join(lines))
    assert [one["policies"]["guard"]["verdict"] for one in told] == ["violates", "violates"]


def test_verify_tells_what_a_recording_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a line, or as JSON."""
    code, lines, _ = said(["verify", str(NEWEST)], capsys)
    assert code == 0
    assert "is whole" in lines[0]
    _, lines, _ = said(["verify", str(NEWEST), "--json"], capsys)
    assert json.loads("\n".join(lines))["acts"]["block-fd-install"] > 10
    write({path: body for path, body in read_tree(NEWEST).items() if path != EXPECTED}, tmp_path / "copy")
    (tmp_path / "copy/scenarios/block-fd-install/acts.json").write_bytes(b"[]")
    code, _, told = said(["verify", str(tmp_path / "copy")], capsys)
    assert code == 2
    assert "another checksum" in told


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["events", "nowhere.jsonl"], "nowhere.jsonl cannot be read: No such file"),
        (["events", "."], ". cannot be read: Is a directory"),
        (["events", str(STREAM), "--pods", "("], "--pods: '(' is no regular expression"),
        (["verify", "nowhere"], "There is no recording nowhere."),
        (["report", "nowhere"], "There is no result"),
        (["convert", "nowhere", "made"], "There is no folder nowhere."),
    ],
)
def test_bad_input_is_told_in_a_sentence(arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, with exit code 2."""
    code, lines, told = said(arguments, capsys)
    assert (code, lines) == (2, [])
    assert told.startswith("tetraproof: ")
    assert word in told


def test_a_matrix_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder is named."""
    code, _, told = said(["report", str(whole(tmp_path)), "--matrix", str(tmp_path / "nowhere/matrix.html")], capsys)
    assert code == 2
    assert "nowhere" in told


def test_a_destination_that_is_a_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not written over."""
    raw = write_tree({"environment/node.json": '{"metadata": {"name": "n"}}', "s/probes.json": "[]"}, tmp_path / "raw")
    (tmp_path / "taken").write_text("x", encoding="utf-8")
    code, _, told = said(["convert", str(raw), str(tmp_path / "taken")], capsys)
    assert code == 2
    assert "taken" in told
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "x"


def test_the_command_is_the_module() -> None:
    """`python -m tetraproof`, from anywhere; a reader that leaves early is no error."""
    command = f"{sys.executable} -m tetraproof events {STREAM} | head -1"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == COMPACT[:1]
    assert done.stderr == ""
