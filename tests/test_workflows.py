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
    summary = (tmp_path / "first/summary.md").read_text(encoding="utf-8")
    assert "1 policies on 2 cells" in summary
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
