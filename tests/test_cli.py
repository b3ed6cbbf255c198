"""The commands: for scripts as well as people, and never with a traceback."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import NEWEST, ROOT, read_tree, write_tree
from tests.report.test_result import WHOLE
from tetraproof.cli import main
from tetraproof.recordings.recording import EXPECTED, write
from tetraproof.report.result import FILE, encode

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
        (["-n", "galaxy", "-n", "other"], 1.0),
        (["--namespace-regex", "^o"], 1.0),
        (["--pods", "^probe$,x"], 1.0),
        (["--pods", "^prob$"], 0.0),
        (["--pod", '"pro{1,2}",b{2,3}'], 1.0),
        (["--pods", ""], 1.0),
        (["--host"], 0.0),
        (["--containers", "."], 1.0),
        (["--process", "^/"], 1.0),
        (["--policy-names", "nobody"], 0.0),
        (["-e", "rate-limit"], 0.0),
        (["--event-types", "PROCESS_EXEC,exit", "--event-types", "PROCESS_KPROBE"], 1.0),
    ],
)
def test_events_are_filtered_as_tetra_filters(
    options: list[str], share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """By namespaces, pods and all else that tetra filters by."""
    code, lines, _ = said(["events", str(STREAM), *options], capsys)
    assert (code, len(lines)) == (0, share * len(COMPACT))


def test_events_of_a_kind(capsys: pytest.CaptureFixture[str]) -> None:
    """Those and no others."""
    _, lines, _ = said(["events", str(STREAM), "-e", "exec"], capsys)
    assert lines == [line for line in COMPACT if line.startswith("🚀")]
    assert lines


def piped(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_events_are_read_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that is no event is told on standard error, and costs none of the others."""
    piped(STREAM.read_bytes() + b"tail: x has been replaced\n", monkeypatch)
    code, lines, told = said(["events", "-", "--tetragon", "1.7.0"], capsys)
    assert (code, lines) == (0, COMPACT)
    first, second = told.splitlines()
    assert first == "tetraproof: a line is no event: a notice of the export container: the log file was rotated"
    assert second == "tetraproof: Told as Tetragon 1.7.0 tells it."


def test_a_stream_that_names_no_version_is_told_as_what_it_is_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it matters: in compact lines."""
    piped(STREAM.read_bytes(), monkeypatch)
    _, lines, told = said(["events", "-"], capsys)
    assert len(lines) == len(COMPACT)
    assert "the stream does not say which version made it" in told
    piped(STREAM.read_bytes(), monkeypatch)
    assert said(["events", "-", "-o", "table"], capsys)[2] == ""


ODD = {"process_exec": {"process": {"pid": 7, "binary": "/x", "pod": {"namespace": 5, "name": "cart-7"}}}}
STARTED = {"jsonPayload": {"message": "started"}}


@pytest.mark.parametrize("output", ["compact", "json", "table"])
def test_each_kind_of_what_is_no_event_is_told_once(
    output: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With how many there are of it, and what shows what they hold; and never as an event."""
    lines = [json.dumps(STARTED)] * 3 + ["level=info", "{", "level=warn", json.dumps({"a": 1}), json.dumps(ODD)]
    piped("\n".join(lines).encode(), monkeypatch)
    code, shown, told = said(["events", "-", "-o", output, "--namespace", "shop"], capsys)
    entry, unread = "an entry of Cloud Logging that holds no event", "process.pod.namespace"
    assert (code, len(shown)) == (0, int(output == "table"))
    assert told.splitlines()[:5] == [
        f"tetraproof: 3 lines are no events: {entry}; to unwrap: jq -c .jsonPayload",
        "tetraproof: 2 lines are no events: not JSON",
        "tetraproof: a line is no event: JSON over several lines that does not end",
        "tetraproof: a line is no event: a JSON object that names no event",
        f"tetraproof: an event is not shown, and may be meant: {unread} could not be read, which the filter asks for",
    ]
    assert len(told.splitlines()) == 5 + (output == "compact")


def test_kinds_of_what_is_no_event_are_bounded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that is hostile fills neither the memory nor the terminal."""
    lines = [json.dumps({f"k{number}": {"process_exec": {"process": {"pid": 1}}}}) for number in range(500)]
    piped("\n".join(lines).encode(), monkeypatch)
    _, shown, told = said(["events", "-", "-o", "json"], capsys)
    assert shown == []
    assert len(told.splitlines()) == 51
    assert told.splitlines()[-1] == "tetraproof: 450 lines are no events: of other kinds"


def test_wrapped_events_are_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As what they are, in every output."""
    lines = STREAM.read_bytes().splitlines()
    piped(b"\n".join(b'{"kubernetes": {"pod_name": "x"}, "log": %s}' % line for line in lines), monkeypatch)
    assert said(["events", "-", "--tetragon", "1.7.0"], capsys)[1] == COMPACT
    piped(json.dumps([{"jsonPayload": json.loads(line)} for line in lines], indent=2).encode(), monkeypatch)
    _, shown, told = said(["events", "-", "-o", "json"], capsys)
    assert [json.loads(line) for line in shown] == [json.loads(line) for line in lines]
    assert told == ""


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"process_exec": {"process": {"pid": 1, "binary": "\u009b\u202e\x7f😀"}}}',
         '{"process_exec": {"process": {"pid": 1, "binary": "\\u009b\\u202e\\u007f\\ud83d\\ude00"}}}'),
        ('{"process_exec":\t{"process": {"pid": 1.0}}, "new": 1e999}',
         '{"process_exec": {"process": {"pid": 1.0}}, "new": 1e999}'),
        ('{"process_exec": {"process": {"pid": 1}}, "new": ' + "9" * 5000 + "}",
         '{"process_exec": {"process": {"pid": 1}}, "new": ' + "9" * 5000 + "}"),
    ],
)  # fmt: skip
def test_json_is_what_came_and_harmless(
    line: str, shown: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In ASCII, numbers as they were, whatever they are."""
    piped(line.encode(), monkeypatch)
    assert said(["events", "-", "-o", "json"], capsys) == (0, [shown], "")


LINES = STREAM.read_bytes().splitlines()
PIECES = st.sampled_from(
    [b"{", b"}", b"[", b"]", b'"', b"\\", b",", b"null", b"\xff", b"1e999", b"9" * 5000, b"\n", b"NaN", b"\x00"]
)


@given(
    st.lists(st.tuples(st.sampled_from(LINES), st.integers(0, 3000), st.integers(0, 30), PIECES), max_size=4),
    st.sampled_from(["compact", "json", "table"]),
    st.sampled_from([[], ["--pods", "^p"], ["--host"], ["-e", "exec"], ["--process", "."], ["--policy-names", "x"]]),
)
@settings(deadline=None, max_examples=60)
def test_no_stream_crashes_the_command(
    edits: list[tuple[bytes, int, int, bytes]], output: str, options: list[str]
) -> None:
    """Lines that are damaged anywhere are shown or told."""
    content = b"\n".join(line[:at] + piece + line[at + length :] for line, at, length, piece in edits)
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with (
        patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(content))),
        patch.object(sys, "stdout", out),
        patch.object(sys, "stderr", io.StringIO()),
    ):
        assert main(["events", "-", "-o", output, *options]) == 0


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
        (["events", str(STREAM), "--pods", "(?=cart)"], "--pods: '(?=cart)' is no regular expression"),
        (["events", str(STREAM), "--process", 'a"b'], "--process: a quote stands within a value"),
        (["events", str(STREAM), "-e", "tracepiont"], "perhaps PROCESS_TRACEPOINT is meant"),
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


def test_standard_input_that_is_closed_is_told() -> None:
    """Not with a traceback."""
    command = f"{sys.executable} -m tetraproof events - <&-"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("tetraproof: Standard input is closed")


def test_a_pipe_that_is_closed_ends_the_command_quietly() -> None:
    """With the exit code of a program that nobody reads any more."""
    # more than a pipe holds: what is less may be written whole before its reader has gone
    streams = f"{STREAM} " * 100
    command = f"set -o pipefail; {sys.executable} -m tetraproof events <(cat {streams}) | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("\n")) == (141, 1)
    assert "Error" not in done.stderr


def test_an_interrupt_ends_the_command_quietly() -> None:
    """With the exit code of a program that was interrupted, and what is to be said of the stream so far."""
    command = [sys.executable, "-m", "tetraproof", "events", "-"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONUNBUFFERED": "1"},
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdin.write(b"level=info\n" + STREAM.read_bytes().splitlines()[0] + b"\n")
        running.stdin.flush()
        assert running.stdout.readline()
        running.send_signal(signal.SIGINT)
        told = running.communicate(timeout=60)[1].decode()
        assert running.returncode == 130
    assert told.startswith("tetraproof: a line is no event: not JSON\n")
    assert "Traceback" not in told
