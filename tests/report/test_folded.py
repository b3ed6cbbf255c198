"""A folder of suites of which a recording has nothing is told in one line."""

from __future__ import annotations

from msgspec.structs import replace

from tests.report.test_result import LEAST
from tetraproof.report.result import PolicyResult, Result
from tetraproof.report.summary import summary_text

NOTHING = PolicyResult("a", "", "", "suites/language/test_a.py", "unrecorded", "unrecorded", "unrecorded", "")


def summary(*policies: PolicyResult) -> list[str]:
    result: Result = replace(LEAST, policies=policies)
    return [line for line in summary_text(result, 200) if line.startswith(("unrecorded", "conforms"))]


def several(number: int, **changed: str) -> list[PolicyResult]:
    return [replace(NOTHING, name=f"language/{at}", **changed) for at in range(number)]


def test_many_that_nobody_recorded_are_one_line() -> None:
    """It says how many there are."""
    assert summary(*several(6)) == ["unrecorded  suites/language/ · 6 policies, of which the recording has none"]


def test_few_are_told_each() -> None:
    """Their names say more than a number."""
    assert len(summary(*several(5))) == 5


def test_one_that_was_recorded_has_all_of_them_told() -> None:
    """Then each may have a reason of its own."""
    other = replace(NOTHING, name="language/x", verdict="conforms", line="conforms", loading="conforms")
    assert len(summary(*several(6), other)) == 7


def test_a_folder_is_folded_for_itself() -> None:
    """What lies elsewhere is told as ever."""
    told = summary(*several(7), *several(2, suite="suites/files/test_b.py"))
    assert [line.split("·")[0].split()[1] for line in told] == ["suites/language/", "language/0", "language/1"]
