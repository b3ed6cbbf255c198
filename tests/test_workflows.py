"""The workflows that are shipped: pinned, with the least that they may, and every command in them is there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders import ROOT
from tests.nightly.test_rounds import a_project
from tetraproof.cli import main

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTION = ROOT / "action.yml"
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(path: Path) -> Iterator[dict[str, Any]]:
    document = read(path)
    if "runs" in document:
        yield from document["runs"]["steps"]
    for job in document.get("jobs", {}).values():
        yield from job["steps"]


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.name)
def test_whatever_is_used_is_pinned_by_its_hash_and_says_its_version(path: Path) -> None:
    """A tag can be moved."""
    for step in steps(path):
        if "uses" in step:
            assert PINNED.fullmatch(step["uses"])
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if re.search(r"uses: actions/", line)]
    assert all(re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line) for line in lines)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_and_a_job_that_writes_says_so(path: Path) -> None:
    """One alone does: the one that publishes."""
    document = read(path)
    assert document["permissions"] == {"contents": "read"}
    writing = [name for name, job in document["jobs"].items() if "permissions" in job]
    assert writing == (["merge"] if path.name == "nightly.yml" else [])
    assert all("timeout-minutes" in job for job in document["jobs"].values())


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.name)
def test_no_value_of_anybody_s_is_put_into_a_script(path: Path) -> None:
    """It comes by the environment, which no shell reads as words."""
    for step in steps(path):
        if "run" in step:
            assert "${{" not in step["run"]
            checked = subprocess.run(["/bin/bash", "-n", "-c", step["run"]], check=False, capture_output=True)
            assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.name)
def test_every_command_of_ours_is_one_that_there_is(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the options that it has."""
    found = set()
    for step in steps(path):
        for words in re.findall(r"""/tetraproof"? +([a-z][a-z -]*)""", step.get("run", "")):
            command = shlex.split(words)[0]
            found.add(command)
            with pytest.raises(SystemExit) as ended:
                main([command, "--help"])
            assert ended.value.code == 0
    capsys.readouterr()
    assert found or path.name == "ci.yml"


def zizmor(*paths: Path) -> subprocess.CompletedProcess[str]:
    """All that it knows, pedantries included, but that a job has no name beside its own; it asks nothing of anybody."""
    program = Path(sys.executable).with_name("zizmor")
    words = ["--offline", "--no-progress", "--persona=pedantic", "--min-severity=low", "--color=never"]
    return subprocess.run([program, *words, *paths], check=False, capture_output=True, text=True, timeout=60)


def initiated(folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The workflow that a repository of one's own begins with."""
    assert main(["init", str(folder)]) == 0
    capsys.readouterr()
    return folder / ".github/workflows/tetraproof.yml"


def test_zizmor_finds_nothing_in_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In ours, in the action, and in the one that init writes; what is left as it is says why, at its line."""
    begun = initiated(tmp_path, capsys)
    found = zizmor(*WORKFLOWS, ACTION, begun)
    assert found.returncode == 0, found.stdout
    lines = [line for path in (*WORKFLOWS, ACTION, begun) for line in path.read_text(encoding="utf-8").splitlines()]
    ignored = [line.partition("zizmor: ignore")[2] for line in lines if "zizmor: ignore" in line]
    assert {one.partition("]")[0] for one in ignored} == {"[unpinned-images", "[artipacked"}


def test_zizmor_would_find_what_a_workflow_must_not_do(tmp_path: Path) -> None:
    """A stranger's words in a script, an action by its tag."""
    bad = tmp_path / ".github/workflows/bad.yml"
    bad.parent.mkdir(parents=True)
    text = WORKFLOWS[0].read_text(encoding="utf-8")
    text = text.replace("bash .ci/run", "echo ${{ github.head_ref }}")
    bad.write_text(re.sub(r"checkout@\S+", "checkout@v4", text), encoding="utf-8")
    found = zizmor(bad)
    assert found.returncode != 0
    for rule in ("template-injection", "unpinned-uses"):
        assert f"[{rule}]" in found.stdout


def test_actionlint_finds_nothing_in_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the types of every expression, and with shellcheck where that is there."""
    folder = os.environ.get("TETRAPROOF_TOOLS", "")
    program = shutil.which("actionlint", path=f"{folder}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        pytest.skip("actionlint is neither on PATH nor in TETRAPROOF_TOOLS")
    paths = [*WORKFLOWS, initiated(tmp_path, capsys)]
    found = subprocess.run([program, *paths], check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert found.returncode == 0, found.stdout


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_night_is_run_from_its_file(tmp_path: Path) -> None:
    """Its steps, one after another, on small recordings: cells, joined, compared with the night before, kept."""
    (tmp_path / "project").mkdir()
    project = a_project(tmp_path / "project", "a", "b")
    (project / "Makefile").write_text(".venv/run:\n\t@true\n", encoding="utf-8")
    command = project / ".venv/bin/tetraproof"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m tetraproof "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=project, check=True)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "a"], cwd=project, check=True)
    told = a_night(project, tmp_path / "first")
    assert told.returncode == 0, told.stdout
    assert "replaced: actions/deploy-pages" in told.stdout
    assert told.stdout.count("left out of step 2 of cell") == 1
    summary = (tmp_path / "first/summary.md").read_text(encoding="utf-8")
    assert "1 policy on 2 cells" in summary
    assert "What changed" not in summary
    assert len(list((project / "past/nights").glob("*.json"))) == 1

    # what the tool leaves out, and what a new checkout lacks
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "origin"], check=True)
    subprocess.run(["git", "remote", "add", "origin", tmp_path / "origin"], cwd=project, check=True)
    subprocess.run(["git", "push", "-q", "origin", "HEAD:history"], cwd=project / "past", check=True)
    subprocess.run(["git", "worktree", "remove", "--force", "past"], cwd=project, check=True)
    for left in ("cells", "site", "results"):
        shutil.rmtree(project / left, ignore_errors=True)
    told = a_night(project, tmp_path / "second")
    assert told.returncode == 0, told.stdout
    summary = (tmp_path / "second/summary.md").read_text(encoding="utf-8")
    assert "### What changed since the last night" in summary
    assert "nothing changed" in summary
    assert "✅ conforms since" in summary
    assert len(list((project / "past/nights").glob("*.json"))) == 2


def a_night(project: Path, into: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.workflow", str(ROOT / ".github/workflows/nightly.yml"), "--into", str(into)],
        cwd=project,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{project}"},
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
