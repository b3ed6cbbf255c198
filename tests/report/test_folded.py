"""What a report says first, and what it folds: a folder of suites of which a recording has nothing is one line."""

from __future__ import annotations

from msgspec.structs import replace

from tests.report.test_result import LEAST
from tetraproof.report.label import gravity, headline
from tetraproof.report.page import page
from tetraproof.report.result import ClaimResult, PolicyResult, Result
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


def test_the_headline_counts_policies_that_there_is_a_record_of() -> None:
    """And neither what nobody recorded, nor what is no policy."""
    good = replace(NOTHING, name="a", verdict="conforms")
    policies = (good, replace(good, name="b", verdict="violates"), NOTHING, replace(good, name="c", about="change"))
    assert headline(replace(LEAST, policies=policies)) == "1 of 2 policies conform"
    assert headline(replace(LEAST, policies=(replace(good, about="installation"),))) == "1 of 1 policy conforms"
    assert headline(replace(LEAST, policies=(NOTHING,))) == "0 of 1 policy conforms"


def test_what_wants_to_be_looked_at_comes_first() -> None:
    """A violation that nothing explains, what could not be judged, what is known, then the rest."""
    claim = ClaimResult("test_a", "a", "violates")
    new = replace(NOTHING, name="new", verdict="violates", loading="conforms", claims=(claim,))
    known = replace(new, name="known", claims=(replace(claim, finding="x", finding_seen=True),))
    others = [replace(NOTHING, name=word, verdict=word) for word in ("conforms", "unsupported", "inconclusive")]
    told = [policy.name for policy in sorted([NOTHING, *others, known, new], key=gravity)]
    assert told == ["new", "inconclusive", "known", "unsupported", "conforms", "a"]


def test_the_page_folds_what_the_terminal_folds() -> None:
    """Nothing is drawn of it but the line."""
    text = page(replace(LEAST, policies=tuple(several(6))))
    assert "6 policies, of which the recording has none" in text
    assert "language/3" not in text
