"""This machine: commands end as they ended, what goes on can be ended, and nothing is left."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tetraproof.machines.machine import ThisMachine
from tetraproof.pacing.waiting import until

HERE = ThisMachine()


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -15 $$", 143), ("exit 137", 137)]
)
def test_an_exit_code_is_what_a_shell_gives(script: str, code: int) -> None:
    """128 and the number of a signal."""
    done = HERE.run(shell(script), seconds=20)
    assert (done.exit_code, done.broken, done.ok) == (code, "", code == 0)


def test_output_error_input_and_environment_go_through() -> None:
    """As bytes; what is no text is replaced only where text is asked for."""
    done = HERE.run(
        shell(r"cat; printf '\377'; echo $OWN >&2"), seconds=20, stdin=b"in", environment={"OWN": "x", "OTHER": "y"}
    )
    assert (done.stdout, done.stderr) == (b"in\xff", b"x\n")
    assert (done.output, done.complaint) == ("in\ufffd", "x\n")


def test_nothing_waits_for_our_own_input() -> None:
    """Without input there is the end of it."""
    assert HERE.run(["cat"], seconds=20).stdout == b""


def test_a_command_without_end_has_no_outcome() -> None:
    """It is killed, and what it wrote is kept."""
    done = HERE.run(shell("echo begun; exec sleep 1000"), seconds=2)
    assert (done.exit_code, done.output, done.ok) == (None, "begun\n", False)
    assert done.complaint == "no end within 2 s"


def test_a_program_that_is_not_there_has_no_outcome() -> None:
    """And says why."""
    done = HERE.run(["no-such-program"], seconds=20)
    assert done.exit_code is None
    assert done.complaint == "no-such-program could not be started: No such file or directory"


def test_what_goes_on_writes_to_its_files_and_is_ended(tmp_path: Path) -> None:
    """Appending, so that what was written before is kept; ending it twice is no error."""
    out, err = tmp_path / "out", tmp_path / "err"
    out.write_text("before\n", encoding="utf-8")
    going = HERE.start(shell("echo here; echo there >&2; exec sleep 1000"), out, err)
    until("its words", err.read_text, bool, 20)
    assert going.runs
    going.stop()
    assert not going.runs
    going.stop()
    assert out.read_text(encoding="utf-8") == "before\nhere\n"
    assert err.read_text(encoding="utf-8") == "there\n"


def test_what_has_ended_does_not_run(tmp_path: Path) -> None:
    """By itself."""
    going = HERE.start(["true"], tmp_path / "out", tmp_path / "out")
    until("its end", lambda: going.runs, lambda runs: not runs, 20)
    going.stop()


def test_what_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After it was asked to."""
    monkeypatch.setattr("tetraproof.machines.machine._PATIENCE", 0.3)
    script = "trap '' TERM; echo deaf; while :; do sleep 0.1; done"
    going = HERE.start(shell(script), tmp_path / "out", tmp_path / "out")
    until("its word", (tmp_path / "out").read_text, bool, 20)
    going.stop()
    assert not going.runs
    assert going._process.returncode == -signal.SIGKILL  # type: ignore[attr-defined]
