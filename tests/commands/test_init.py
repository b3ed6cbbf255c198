"""`tetraproof init`: what it writes is taken by what reads it, and nothing that is there is touched."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders import POLICY, ROOT
from tetraproof.cli import main
from tetraproof.guests.workload import load as load_workloads
from tetraproof.settings.configuration import find
from tetraproof.settings.options import Options

FILES = {"tetraproof.toml", ".github/workflows/tetraproof.yml", "README.md", ".gitignore", "workloads/probe.yaml"}


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, list[str], str]:
    code = main(["init", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


def held(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_empty_folder_gets_what_is_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told what to type next."""
    monkeypatch.chdir(tmp_path)
    code, lines, told = said(capsys)
    assert (code, told) == (0, "")
    assert held(tmp_path).keys() == FILES
    assert {line.removeprefix("written: ") for line in lines if line.startswith("written: ")} == FILES
    assert lines[lines.index("next:") + 1 :] == [
        "    put a policy into policies/",
        "    tetraproof lint policies/",
        "    tetraproof draft policies/guard.yaml",
        "    tetraproof record --into recordings/mine --target standalone",
        "    tetraproof accept",
    ]
    assert (tmp_path / "workloads/probe.yaml").read_bytes() == (ROOT / "manifests/workloads/probe.yaml").read_bytes()
    assert len((tmp_path / "README.md").read_text().splitlines()) == 10


def test_what_is_there_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file by itself, a link that leads nowhere included; a second time nothing is written."""
    (tmp_path / "README.md").write_text("mine\n")
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    (tmp_path / "workloads").mkdir()
    (tmp_path / "workloads/probe.yaml").symlink_to("nowhere")
    code, lines, _ = said(capsys, tmp_path)
    assert code == 0
    assert lines[:5] == [
        "written: tetraproof.toml",
        "written: .github/workflows/tetraproof.yml",
        "left as it is: README.md",
        "left as it is: .gitignore (runs write into reports/, which it does not ignore)",
        "left as it is: workloads/probe.yaml",
    ]
    before = held(tmp_path)
    assert before["README.md"] == b"mine\n"
    assert (tmp_path / "workloads/probe.yaml").readlink() == Path("nowhere")
    _, again, _ = said(capsys, tmp_path)
    assert held(tmp_path) == before
    assert all(line.startswith("left as it is: ") for line in again[:5])


def test_the_configuration_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As it is written, and with every line that is commented out."""
    said(capsys, tmp_path)
    file = tmp_path / "tetraproof.toml"
    options = find(tmp_path).options({})
    assert options.policies == tmp_path / "policies"
    assert (options.target, options.kernel, options.bundle, options.slowness) == ("replay", "debian:6.12", "1.7.0", 1.0)
    text = file.read_text()
    commented = re.sub(r"^# ([a-z-]+ = )", r"\1", text, flags=re.MULTILINE)
    file.write_text(commented)
    assert len(find(tmp_path).values) == len(find(tmp_path).values.keys() & vars(Options()).keys()) == 13
    assert find(tmp_path).options({}).slowness == 3


def test_the_workload_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By what starts it in a guest."""
    said(capsys, tmp_path)
    assert [one.name for one in load_workloads(tmp_path / "workloads").workloads] == ["probe"]


def workflow(folder: Path) -> dict[Any, Any]:
    made: dict[Any, Any] = yaml.safe_load((folder / ".github/workflows/tetraproof.yml").read_text())
    return made


def test_the_workflow_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its actions are pinned by their hashes, it may only read, and each command that it types is one of ours."""
    said(capsys, tmp_path)
    made = workflow(tmp_path)
    assert made["permissions"] == {"contents": "read"}
    assert set(made[True]) == {"pull_request", "schedule", "workflow_dispatch"}  # YAML reads "on" as a truth
    steps = [step for job in made["jobs"].values() for step in job["steps"]]
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    lines = [line for step in steps for line in step.get("run", "").splitlines()]
    typed = [line.split()[1:] for line in lines if line.startswith("tetraproof ")]
    assert typed == [
        ["lint"],
        ["test", "--target", "replay"],
        ["report", "reports", "--format", "github"],
        ["report", "reports", "--format", "md", ">>", '"$GITHUB_STEP_SUMMARY"'],
        ["test", "--target", "standalone", "--slowness", "3"],
    ]


def test_what_the_nightly_installs_is_what_ci_installs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each package that guests need."""
    said(capsys, tmp_path)
    installed = next(
        step["run"] for step in workflow(tmp_path)["jobs"]["standalone"]["steps"] if "apt-get" in str(step)
    )
    needed = re.search(r"# guests.*\n(.*)", (ROOT / ".ci/run").read_text())
    assert needed is not None
    assert set(installed.replace("\\", "").split()) >= set(needed[1].split()) - {"file"}


@pytest.mark.parametrize("place", ["policies", "manifests/policies"])
def test_policies_that_are_there_are_found(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a usual place; the first of them is the one to draft a suite of."""
    (tmp_path / place / "team").mkdir(parents=True)
    (tmp_path / place / "team/guard.yml").write_text(POLICY)
    _, lines, _ = said(capsys, tmp_path)
    assert f"    tetraproof draft {place}/team/guard.yml" in lines
    assert find(tmp_path).options({}).policies == tmp_path / place
    assert f"`{place}/`" in (tmp_path / "README.md").read_text()


def test_a_project_that_says_where_its_things_are_is_heeded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And gets no second configuration."""
    (tmp_path / "pyproject.toml").write_text('[tool.tetraproof]\npolicies = "rules"\nworkloads = "pods"\n')
    _, lines, _ = said(capsys, tmp_path)
    assert lines[0] == "left as it is: pyproject.toml"
    assert not (tmp_path / "tetraproof.toml").exists()
    assert (tmp_path / "pods/probe.yaml").is_file()
    assert "    tetraproof lint rules/" in lines


def test_what_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a sentence, with exit code 2; so is a folder that there is not."""
    (tmp_path / "workloads").write_text("")
    code, _, told = said(capsys, tmp_path)
    assert code == 2
    assert told.startswith(f"tetraproof: {tmp_path}/workloads is no folder.\n")
    (tmp_path / ".github").mkdir(exist_ok=True)
    code, _, told = said(capsys, tmp_path / "nowhere")
    assert code == 2
    assert told.startswith(f"tetraproof: There is no folder {tmp_path}/nowhere.\n")
