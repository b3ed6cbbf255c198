"""`tetraproof can`: what recordings are pinned to show of a feature, and of all that a policy uses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.builders import POLICY, recording_files, reindexed, write_tree
from tetraproof.cli import main
from tetraproof.policies.policy import FEATURE

CASE = POLICY.replace("name: guard", f"name: guard\n  annotations: {{{FEATURE}: matchArgs/Equal/file}}")
PREFIX = POLICY.replace("name: guard", "name: other").replace("Equal", "Prefix")
OLD, NEW = {"tetragon": "1.4.1", "kernel": "6.1.170"}, {"tetragon": "1.7.0", "kernel": "6.12.117+deb12-amd64"}


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Policies, and a folder for recordings of them."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/guard.yaml").write_text(CASE, encoding="utf-8")
    (tmp_path / "policies/other.yaml").write_text(PREFIX, encoding="utf-8")
    (tmp_path / "recordings").mkdir()
    return tmp_path


def record(world: Path, name: str, cell: dict[str, str], **expected: Any) -> None:
    made = recording_files()
    index = json.loads(made["recording.json"])
    files = reindexed(made, cell=index["cell"] | cell)
    write_tree({**files, "expected.json": json.dumps(expected).encode()}, world / "recordings" / name)


def asked(world: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["can", *words, "--recordings", str(world / "recordings"), "--policies", str(world / "policies")])
    return code, "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("entry", "code", "said"),
    [
        ({"verdict": "conforms"}, 0, "  works (guard)"),
        (
            {"verdict": "violates", "promises": {"test_x": {"verdict": "violates", "cites": "a-finding"}}},
            1,
            "  fails (guard: a-finding)",
        ),
        ({"verdict": "unsupported", "cites": "no helper"}, 1, "  unsupported (guard: no helper)"),
        ({"verdict": "inconclusive", "cites": "unheard"}, 1, "  cannot be told (guard: unheard)"),
        ({"verdict": "unrecorded", "cites": "none"}, 1, "  not tried"),
    ],
)
def test_a_case_of_it_says_what_becomes_of_a_feature(
    world: Path, capsys: pytest.CaptureFixture[str], entry: dict[str, Any], code: int, said: str
) -> None:
    """With the reason, where it does not work."""
    record(world, "new", NEW, guard=entry)
    told = asked(world, capsys, "matchArgs/Equal/file")
    assert told[0] == code
    assert said in told[1].splitlines()


def test_a_policy_that_merely_uses_it_is_no_case(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is in use; where that policy is refuted, nothing is said of the feature."""
    record(world, "new", NEW, other={"verdict": "conforms"})
    code, told = asked(world, capsys, "matchArgs/Prefix/file")
    assert code == 0
    assert told.splitlines() == [
        "matchArgs/Prefix/file",
        "",
        "Tetragon 1.7.0 (defaults) · kernel 6.12.117+deb12-amd64 · Kubernetes 0.0.0",
        "  in use (other)",
    ]
    record(world, "new", NEW, other={"verdict": "violates"})
    code, told = asked(world, capsys, "matchArgs/Prefix/file")
    assert (code, told.splitlines()[-1]) == (1, "  not tried")


@pytest.mark.parametrize(
    ("one", "another", "said"),
    [
        ({"verdict": "conforms"}, {"verdict": "violates"}, "  works in part (other)"),
        (
            {"verdict": "conforms"},
            {"verdict": "unsupported", "cites": "no helper"},
            "  works in part (other: no helper)",
        ),
        ({"verdict": "violates"}, {"verdict": "unsupported", "cites": "no helper"}, "  fails (guard)"),
        ({"verdict": "conforms"}, {"verdict": "conforms"}, "  works (guard, other)"),
    ],
)
def test_of_several_cases_those_that_do_not_conform_are_told(
    world: Path, capsys: pytest.CaptureFixture[str], one: dict[str, Any], another: dict[str, Any], said: str
) -> None:
    """What works in one case and not in another works in part; of what works in none the gravest is told."""
    (world / "policies/other.yaml").write_text(CASE.replace("name: guard", "name: other"), encoding="utf-8")
    record(world, "new", NEW, guard=one, other=another)
    code, told = asked(world, capsys, "matchArgs/Equal/file")
    assert (code, told.splitlines()[-1]) == (0 if "works (" in said else 1, said)


def test_recordings_of_one_cell_are_one_and_a_cell_can_be_chosen(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the series of its kernel and its agent: 6.1 is not 6.12."""
    record(world, "a", NEW, guard={"verdict": "conforms"})
    record(world, "b", NEW, other={"verdict": "conforms"})
    record(world, "c", OLD, guard={"verdict": "violates"})
    _, told = asked(world, capsys, "matchArgs/Equal/file")
    assert sum(line.startswith("Tetragon") for line in told.splitlines()) == 2
    code, told = asked(world, capsys, "matchArgs/Equal/file", "--kernel", "6.1")
    assert (code, "1.4.1" in told, "6.12" in told) == (1, True, False)
    assert asked(world, capsys, "matchArgs/Equal/file", "--tetragon", "v1.7")[0] == 0


def test_a_policy_is_asked_about_by_all_that_it_uses(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An object a line for a program."""
    record(world, "a", NEW, guard={"verdict": "conforms"})
    code, told = asked(world, capsys, str(world / "policies/guard.yaml"), "--json")
    found = {one["feature"]: one["is"] for one in map(json.loads, told.splitlines())}
    assert code == 0
    assert found["matchArgs/Equal"] == "works"
    assert found["matchActions/Sigkill"] == "in use"
    assert asked(world, capsys, str(world / "policies/other.yaml"))[0] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["matchArg/Postfx"], "did you mean matchArgs/Postfix"),
        (["none.yaml"], "There is no policy none.yaml"),
        (["matchArgs/Equal/file", "--kernel", "9.9"], "No recording is of kernel 9.9 with Tetragon any"),
        (["matchArgs/Equal/file", "--tetragon", "1"], "No recording is of kernel any with Tetragon 1"),
    ],
)
def test_what_there_is_not_is_told(
    world: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """In a sentence, with exit code 2."""
    record(world, "a", OLD | {"tetragon": "2.0"}, guard={"verdict": "conforms"})
    code, told = asked(world, capsys, *words)
    assert code == 2
    assert said in told


def test_a_folder_without_recordings_is_told(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rather than that nothing was tried."""
    code, told = asked(world, capsys, "matchArgs/Equal/file")
    assert code == 2
    assert "There is no recording in" in told


def test_what_is_shipped_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """Without any option."""
    assert main(["can", "matchActions/Sigkill", "--tetragon", "1.7.0"]) in {0, 1}
    assert "Tetragon 1.7.0" in capsys.readouterr().out
