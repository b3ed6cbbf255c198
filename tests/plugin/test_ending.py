"""However a run ends, what it leaves is whole or not there, and is told in a sentence with the documented exit code."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.builders import NEWEST, ROOT
from tetraproof.cli import main
from tetraproof.report.result import FILE, read

SUITE = "suites/files/test_block_fd_install.py"


def words(reports: Path, *more: str) -> list[str]:
    own = ["--target", "replay", "--recording", str(NEWEST), "--reports", str(reports), "--run-id", "run"]
    return [sys.executable, "-m", "tetraproof", "test", *own, *more, "-p", "no:cacheprovider"]


def left(reports: Path) -> list[str]:
    return sorted(path.name for path in (reports / "run").iterdir()) if (reports / "run").is_dir() else []


def on_a_disk_of(size: int) -> None:
    """No file may grow beyond so many bytes: as a full disk does it, in the middle of a file."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [20_000, 60_000, 150_000])
def test_on_a_full_disk_the_run_says_so(size: int, tmp_path: Path) -> None:
    """Its verdicts are told all the same, and nothing half written is left for anybody to read."""
    done = subprocess.run(
        words(tmp_path, SUITE),
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        preexec_fn=lambda: on_a_disk_of(size),
        check=False,
    )
    assert done.returncode == 2, done.stdout
    assert "conforms  block-fd-install" in done.stdout
    last = [line for line in done.stdout.splitlines() if line][-4:]
    assert any(line.startswith("tetraproof: ") and "cannot be written: File too large." in line for line in last), last
    assert "  to mend it: make room there, or name another folder" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "INTERNALERROR" not in done.stdout
    assert [name for name in left(tmp_path) if name.startswith(".")] == []
    for name in ("verdicts.json", "index.html"):
        path = tmp_path / "run" / name
        assert not path.exists() or path.stat().st_size > 0
    if (tmp_path / "run" / FILE).exists():
        assert read(tmp_path / "run").run.whole is False


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_judged(tmp_path: Path) -> None:
    """In a sentence that names it."""
    (tmp_path / "file").write_bytes(b"")
    done = subprocess.run(words(tmp_path / "file", SUITE), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"tetraproof: {tmp_path / 'file'}/run cannot be written: " in done.stderr


def test_what_is_written_is_its_owners_alone(tmp_path: Path) -> None:
    """The run's folder, and each file of evidence in it."""
    done = subprocess.run(words(tmp_path, SUITE), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    run = tmp_path / "run"
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    assert {stat.S_IMODE((run / name).stat().st_mode) for name in ("verdicts.json", "index.html")} == {0o600}


def interrupted(reports: Path, numbers: list[int], after: float) -> tuple[int, str]:
    """A run that is sent signals after so many seconds; its exit code, and all that it said."""
    process = subprocess.Popen(
        words(reports), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    time.sleep(after)
    for number in numbers:
        if process.poll() is None:
            process.send_signal(number)
            time.sleep(0.05)
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


@pytest.mark.parametrize("number", range(8))
def test_whenever_it_is_interrupted_nothing_half_written_is_left(number: int, tmp_path: Path) -> None:
    """Once or twice, by the terminal, by whoever terminates it, and by a terminal that is closed."""
    chance = random.Random(number)
    numbers = [(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[number % 3]] * (1 + number // 4)
    code, said = interrupted(tmp_path, numbers, chance.uniform(0.6, 4.0))
    # a run that had ended before is no interrupted one; Python itself may not have begun
    assert code in {0, 1, 2, *(-one for one in numbers)}, said
    assert "Traceback (most recent call last)" not in said or code < 0, said
    assert [name for name in left(tmp_path) if name.startswith(".")] == []
    if (tmp_path / "run" / FILE).exists():
        result = read(tmp_path / "run")
        # all was judged, and what is written beside it was not
        late = result.run.whole and "Interrupted while the report was written." in said
        assert (code == 2) is (not result.run.whole or late), said
        assert result.run.whole is not any("interrupted" in one for one in result.run.red)


def test_an_interrupted_run_says_so_in_what_it_leaves(tmp_path: Path) -> None:
    """Not whole, and red, whatever conformed up to then."""
    suite = tmp_path / "suites"
    suite.mkdir()
    (suite / "test_it.py").write_text(
        "import os, signal\n"
        "from tetraproof.suite import Acts, policy, shell\n"
        'pytestmark = policy("block-fd-install")\n'
        "acts = Acts(bar=shell(\"echo 'foo' > /tmp/bar\"))\n\n\n"
        "def test_well(run):\n    assert run.bar.succeeded\n\n\n"
        "def test_cut(run):\n    os.kill(os.getpid(), signal.SIGTERM)\n    assert run.bar.succeeded\n\n\n"
        "def test_never(run):\n    assert run.bar.killed\n"
    )
    more = ["--suites", str(suite), "--policies", "manifests/policies", "-p", "no:cacheprovider"]
    done = subprocess.run(words(tmp_path, *more), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    told = json.loads((tmp_path / "run" / FILE).read_bytes())
    assert told["run"]["whole"] is False
    assert told["run"]["red"][0] == "it was interrupted, so not all was judged"
    names = [claim["name"] for policy in told["policies"] for claim in policy["claims"]]
    assert "test_well" in names
    assert "test_never" not in names
    assert "it was interrupted, so not all was judged" in done.stdout


def test_a_command_that_is_interrupted_ends_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the exit code that a shell gives it."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tetraproof.commands.recorded.verify.open_recording", interrupt)
    assert main(["verify", "x"]) == 130
    assert capsys.readouterr().err == "tetraproof: interrupted\n"


def test_a_proof_ends_and_can_be_interrupted(tmp_path: Path) -> None:
    """Its workers are ended by it, whatever the run itself heeds."""
    path = ROOT / "recordings/k8s-1.36.2_tetragon-1.4.1-disable-kprobe-multi_debian-6.12.117_unfiltered-stream"
    command = [
        sys.executable,
        "-m",
        "tetraproof",
        "test",
        "--target",
        "replay",
        "--prove",
        "--recording",
        str(path),
        "-q",
    ]
    command += ["--reports", str(tmp_path), "--run-id", "run", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    assert (tmp_path / "run/prove.json").is_file()
    command[command.index(str(path))] = str(NEWEST)
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    time.sleep(4)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 2


def test_a_proof_whose_worker_is_killed_says_so(tmp_path: Path) -> None:
    """And awaits nobody."""
    command = [sys.executable, "-m", "tetraproof", "test", "--target", "replay", "--prove", "-q"]
    command += ["--recording", str(NEWEST), "--reports", str(tmp_path), "--run-id", "run", "-p", "no:cacheprovider"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (workers := children.read_text(encoding="ascii").split()):
        time.sleep(0.05)
    os.kill(int(workers[0]), signal.SIGKILL)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 2, told
    assert "was killed from outside" in told
