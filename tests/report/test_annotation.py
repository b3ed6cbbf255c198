"""Annotations of a pull request: each refuted promise at its lines, as grave as it is, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.builders import write_tree
from tests.report.test_result import LEAST
from tetraproof.report.annotation import Annotation, annotated, github, markdown
from tetraproof.report.formats.sarif import sarif
from tetraproof.report.result import ClaimResult, PolicyResult, Result

SUITE, POLICY = "suites/test_a.py", "manifests/policies/guard.yaml"
REFUTED = ClaimResult(
    "test_a", "It is killed.", "violates", "guard: act a was not killed.", location=f"{SUITE}:7: assert run.a.killed"
)


def a_result(*claims: ClaimResult, **fields: Any) -> Result:
    policy = PolicyResult(
        "guard", "", "", SUITE, "violates", "violates · why", "conforms", "", claims=claims, place=f"{POLICY}:3"
    )
    return replace(LEAST, policies=(replace(policy, **fields),))


def told(*claims: ClaimResult, **fields: Any) -> list[Annotation]:
    return list(annotated([a_result(*claims, **fields)]))


@pytest.mark.parametrize(
    ("changed", "level"),
    [
        ({}, "error"),
        ({"finding": "known-one", "finding_seen": True}, "notice"),
        ({"finding": "known-one", "finding_seen": False}, "error"),
        ({"verdict": "inconclusive"}, "warning"),
        ({"verdict": "conforms"}, None),
        ({"verdict": "unsupported"}, None),
        ({"verdict": "unrecorded"}, None),
        ({"verdict": None}, None),
    ],
)
def test_a_promise_is_as_grave_as_its_verdict(changed: dict[str, Any], level: str | None) -> None:
    """What conforms, and what the kernel cannot, is no news of a pull request."""
    assert {one.level for one in told(replace(REFUTED, **changed))} == ({level} if level else set())


def test_it_is_told_at_the_suite_s_line_and_at_the_policy_s() -> None:
    """Whoever changed either sees it."""
    assert [(one.file, one.line) for one in told(REFUTED)] == [(SUITE, 7), (POLICY, 3)]


@pytest.mark.parametrize(
    "location",
    [
        "",
        "tetraproof/language/case.py:9: assert x",
        "/usr/lib/a.py:9: assert x",
        "../venv/lib/a.py:9: assert x",
        ".venv/lib/python3.13/site-packages/tetraproof/plugin/collecting.py:9: assert x",
    ],
)
@pytest.mark.parametrize(("line", "at"), [(0, 1), (12, 12)])
def test_what_the_library_asserts_is_told_at_the_suite(location: str, line: int, at: int) -> None:
    """A file that is not among the user's has no line there; the test may have one, also where nothing was asserted."""
    refuted = replace(REFUTED, location=location, line=line)
    assert [(one.file, one.line) for one in told(refuted)] == [(SUITE, at), (POLICY, 3)]


def test_a_project_in_a_folder_is_told_from_the_top_of_its_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As annotations name files; the suite may be named so already, where pytest's root is the repository's."""
    write_tree({".git/HEAD": "", f"security/{POLICY}": ""}, tmp_path)
    monkeypatch.chdir(tmp_path / "security")
    refuted = replace(REFUTED, location=f"security/{SUITE}:7: assert run.a.killed")
    assert [(one.file, one.line) for one in told(refuted)] == [(f"security/{SUITE}", 7), (f"security/{POLICY}", 3)]
    monkeypatch.chdir(tmp_path)
    assert [one.file for one in told(refuted)] == [f"security/{SUITE}", POLICY]
    (tmp_path / ".git/HEAD").unlink()
    (tmp_path / ".git").rmdir()
    monkeypatch.chdir(tmp_path / "security")
    assert [one.file for one in told(refuted)] == [f"security/{SUITE}", POLICY]


def test_a_policy_of_no_file_is_told_at_the_suite_alone() -> None:
    """Of an older result nobody knows where it lay."""
    assert [one.file for one in told(REFUTED, place="")] == [SUITE]


def test_github_reads_each_as_one_line_whatever_it_says() -> None:
    """A line break, a comma, a colon and a percent sign end nothing."""
    text = github([a_result(replace(REFUTED, reason="50% of a, b: ::error::no\nmore\r\x1b[31m"), name="a,b:c")])
    lines = text.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert re.fullmatch(r"::error file=[^,:]+,line=\d+,title=[^,:]+::[^\r\n\x1b]+", line)
    assert "50%25 of a" in lines[0]
    assert "title=a%2Cb%3Ac violates" in lines[0]


def test_sarif_has_a_rule_for_each_promise_and_a_result_for_each_place() -> None:
    """By the levels that SARIF has."""
    other = replace(REFUTED, name="test_b", finding="x", finding_seen=True)
    (run,) = json.loads(sarif([a_result(REFUTED, other), a_result(REFUTED)]))["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["test_a", "test_b"]
    assert [one["level"] for one in run["results"]] == ["error", "error", "note", "note", "error", "error"]
    assert {one["ruleId"] for one in run["results"]} == {"test_a", "test_b"}
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": SUITE}, "region": {"startLine": 7}}


def test_a_file_of_any_name_is_an_address() -> None:
    """As SARIF names files; one that no file system takes is told as it is."""
    (run,) = json.loads(sarif([a_result(REFUTED, place=f"{'x' * 5000}:1")]))["runs"]
    assert run["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "x" * 5000
    (run,) = json.loads(sarif([a_result(replace(REFUTED, location=""), suite="suites/a b%.py")]))["runs"]
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "suites/a%20b%25.py"


def test_a_result_without_refutations_annotates_nothing() -> None:
    """And is whole SARIF all the same."""
    assert github([LEAST]) == ""
    assert json.loads(sarif([LEAST]))["runs"][0]["results"] == []


def test_the_summary_begins_with_what_does_not_conform() -> None:
    """A name that Markdown would read as something else is read as itself."""
    good = replace(a_result().policies[0], name="a*b|c", verdict="conforms", line="conforms · all")
    text = markdown([replace(a_result(REFUTED), policies=(good, *a_result(REFUTED).policies))])
    rows = [line for line in text.splitlines() if line.startswith(("| ✅", "| ❌"))]
    assert rows == ["| ❌ violates | guard | why |", r"| ✅ conforms | a\*b\|c | all |"]
    assert text.startswith("### ")
