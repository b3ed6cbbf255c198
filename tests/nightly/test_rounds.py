"""A round of cells: each is a run of its own, one that breaks leaves the others, and a cut round is gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import ROOT, write_tree
from tests.plugin.test_run import small
from tetraproof.nightly.rounds import NOTE, room
from tetraproof.report.result import FILE


def a_project(folder: Path, *recordings: str) -> Path:
    """A project with this repository's suites and policies, and small recordings of its own."""
    for name in ("suites", "fixtures", "manifests"):
        (folder / name).symlink_to(ROOT / name)
    settings = 'suites = "suites/files"\npolicies = "manifests/policies"\nworkloads = "manifests/workloads"\n'
    (folder / "tetraproof.toml").write_text(settings, encoding="utf-8")
    (folder / "conftest.py").touch()
    (folder / "matrix.yaml").write_text("recordings: all\n", encoding="utf-8")
    for name in recordings:
        write_tree(small(folder), folder / "recordings" / name)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_project(tmp_path, "a", "b", "c")


def ended_after_one_cell(project: Path, end: Callable[[subprocess.Popen[str]], None]) -> tuple[str, int]:
    """Begin a round, and end it once the first of its cells has; what it said of that, and its exit code."""
    with subprocess.Popen(
        [sys.executable, "-m", "tetraproof", "matrix", "run", "--jobs", "1"],
        cwd=project,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(project)},
    ) as process:
        assert process.stdout is not None
        first = next(line for line in process.stdout if line.startswith("[1/3]"))
        end(process)
        process.communicate(timeout=300)
    return first, process.returncode


def a_round(project: Path, *words: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "tetraproof", "matrix", "run", *words],
        cwd=project,
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"PYTHONPATH": str(project)},
    )
    return done.returncode, [line for line in done.stdout.splitlines() if line.startswith("[")]


def test_every_cell_is_run_and_joined(project: Path) -> None:
    """Each into a folder of its own, with what it said; a round that is done is begun anew the next time."""
    code, told = a_round(project)
    assert code == 0
    assert sorted(line.split()[1] for line in told) == ["a:", "b:", "c:"]
    assert all(" in " in line for line in told)
    matrix = json.loads((project / "reports/matrix/matrix.json").read_bytes())
    assert [cell["recording"] for cell in matrix["cells"]] == ["a", "b", "c"]
    for name in ("a", "b", "c"):
        assert {FILE, NOTE, "output.log", "index.html"} <= {
            path.name for path in (project / "reports/matrix" / name).iterdir()
        }
    assert (project / "reports/matrix/index.html").is_file()
    assert all(" in " in line for line in a_round(project, "--cell", "a")[1])


def test_a_cell_that_breaks_leaves_the_others(project: Path) -> None:
    """It is named with where it says why, and the round ends with 1."""
    (project / "recordings/b/recording.json").write_text("{", encoding="utf-8")
    code, told = a_round(project)
    assert code == 1
    broken = next(line for line in told if "b: broke" in line)
    log = project / "reports/matrix/b/output.log"
    assert str(log) in broken
    assert "is no JSON" in log.read_text(encoding="utf-8")
    assert [
        cell["recording"] for cell in json.loads((project / "reports/matrix/matrix.json").read_bytes())["cells"]
    ] == ["a", "c"]


def test_a_round_that_is_interrupted_loses_no_finished_cell(project: Path) -> None:
    """The next one takes it as it was, and runs the others."""
    first, code = ended_after_one_cell(project, lambda process: process.send_signal(signal.SIGINT))
    assert code == 130
    assert "a: green in" in first
    assert not (project / "reports/matrix/round.done").exists()
    assert not (project / "reports/matrix/c" / NOTE).exists()
    code, told = a_round(project)
    assert code == 0
    assert sum("as it was" in line for line in told) in {1, 2}
    assert any(line.endswith("a: green as it was") for line in told)


def test_one_that_was_killed_loses_no_finished_cell_either(project: Path) -> None:
    """Nothing of it could be put in order."""
    ended_after_one_cell(project, lambda process: process.kill())
    assert any(line.endswith("a: green as it was") for line in a_round(project)[1])


def test_a_cell_of_other_words_is_run_again(project: Path) -> None:
    """What it was is not what it is."""
    note = project / "reports/matrix/a" / NOTE
    a_round(project, "--cell", "a")
    (project / "reports/matrix/round.done").unlink()
    assert any("as it was" in line for line in a_round(project, "--cell", "a")[1])
    (project / "reports/matrix/round.done").unlink()
    note.write_text(note.read_text(encoding="utf-8").replace("--target=replay", "--target=kind"), encoding="utf-8")
    assert not any("as it was" in line for line in a_round(project, "--cell", "a")[1])


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"words": 1}', '{"code": "0"}'])
def test_a_note_that_is_none_has_its_cell_run_again(project: Path, note: str) -> None:
    """Cut, or somebody else's."""
    a_round(project, "--cell", "a")
    (project / "reports/matrix/round.done").unlink()
    (project / "reports/matrix/a" / NOTE).write_text(note, encoding="utf-8")
    code, told = a_round(project, "--cell", "a")
    assert code == 0
    assert not any("as it was" in line for line in told)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none.yaml",), "There is no matrix none.yaml."),
        (("--cell", "x"), "matrix.yaml has no cell x."),
        (("--jobs", "-1"), "--jobs is -1."),
    ],
)
def test_what_there_is_not_is_told(project: Path, words: tuple[str, ...], said: str) -> None:
    """With exit code 2."""
    done = subprocess.run(
        [sys.executable, "-m", "tetraproof", "matrix", "run", *words],
        cwd=project,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert said in done.stderr


def test_there_is_always_room_for_one() -> None:
    """A guest on a machine of one core, too; asked for more, more."""
    light, heavy = room()
    assert light >= heavy >= 1
    assert room(5)[0] == 5
