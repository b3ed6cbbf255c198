"""A result as JUnit: what passed, failed, could not be judged and was left out, as its readers take it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.builders import write_tree
from tests.report.test_annotation import POLICY, REFUTED, SUITE, a_result
from tetraproof.cli import main
from tetraproof.commands.redraw import FORMATS
from tetraproof.report.formats.junit import junit
from tetraproof.report.result import FILE, ClaimResult, FindingResult, LimitResult, Result, encode

HELD = ClaimResult("test_b", "It is free.", "conforms")
KNOWN = replace(REFUTED, finding="workers", finding_seen=True, message="It was not.\n  timeline")


def green(*claims: ClaimResult, **fields: Any) -> Result:
    result = a_result(*claims, **fields)
    return replace(result, run=replace(result.run, red=()))


def parsed(*results: Result) -> ET.Element:
    return ET.fromstring(junit(results))  # our own text


def cases(*results: Result) -> list[ET.Element]:
    return list(parsed(*results).iter("testcase"))


def properties(element: ET.Element) -> dict[str | None, str | None]:
    return {one.get("name"): one.get("value") for one in element.findall("properties/property")}


def of(claim: ClaimResult | LimitResult) -> ET.Element:
    limits = (claim,) if isinstance(claim, LimitResult) else ()
    claims = (claim,) if isinstance(claim, ClaimResult) else ()
    found = replace(green(*claims, limits=limits), findings=(FindingResult("workers", "Workers die.", seen=True),))
    (case,) = cases(found)
    return case


@pytest.mark.parametrize(
    ("claim", "tag", "word", "message"),
    [
        (HELD, None, "conforms", ""),
        (replace(HELD, finding="workers"), None, "conforms", ""),
        (REFUTED, "failure", "violates", "guard: act a was not killed."),
        (replace(REFUTED, finding="workers"), "failure", "violates", "guard: act a was not killed."),
        (KNOWN, "skipped", "known finding", "known finding workers: Workers die."),
        (
            replace(REFUTED, verdict="inconclusive"),
            "error",
            "inconclusive",
            "inconclusive: guard: act a was not killed.",
        ),
        (
            replace(HELD, verdict="unsupported", reason="no fmodret"),
            "skipped",
            "unsupported",
            "unsupported: no fmodret",
        ),
        (
            replace(HELD, verdict="unrecorded", reason="nobody asked"),
            "skipped",
            "unrecorded",
            "unrecorded: nobody asked",
        ),
        (replace(HELD, verdict=None, reason="not in force"), "skipped", "not judged", "not judged: not in force"),
        (LimitResult("test_l", "rename", "t", "stops"), None, "limit stops", ""),
        (LimitResult("test_l", "rename", "t", "passes"), "skipped", "limit passes", "limit: rename passes"),
        (LimitResult("test_l", "rename", "t", "inconclusive", "why"), "skipped", "inconclusive", "inconclusive: why"),
    ],
)
def test_each_verdict_is_told_apart(claim: ClaimResult | LimitResult, tag: str | None, word: str, message: str) -> None:
    """By the element, by its type, and by how its message and its text begin: not everybody reads all three."""
    case = of(claim)
    found = [element for element in case if element.tag != "properties"]
    assert [element.tag for element in found] == ([tag] if tag else [])
    assert properties(case)["verdict"] == word
    for element in found:
        assert (element.get("type"), element.get("message")) == (word, message)
        assert element.text


def test_a_refutation_has_its_place_in_front_and_a_known_one_has_it_too() -> None:
    """The first line of a failure's text is where some look for it."""
    (failure,) = of(replace(REFUTED, message="It was not.\n  timeline")).iter("failure")
    assert failure.text == f"{SUITE}:7: assert run.a.killed\nIt was not.\n  timeline"
    (skipped,) = of(KNOWN).iter("skipped")
    assert skipped.text == f"known finding workers: Workers die.\n{failure.text}"


def test_a_case_says_where_it_is_and_of_what() -> None:
    """Its policy as the class, the file and, where it was asserted, the line; cell and finding as properties."""
    limits = (LimitResult("test_l", "rename", "t", "stops", line=15),)
    result = green(KNOWN, replace(HELD, line=9), replace(HELD, name="test_applying"), limits=limits)
    known, held, common, limit = cases(result)
    assert {name: known.get(name) for name in ("classname", "name", "file", "line")} == {
        "classname": "guard",
        "name": "test_a",
        "file": SUITE,
        "line": "7",
    }
    assert [(one.get("name"), one.get("file"), one.get("line")) for one in (held, common, limit)] == [
        ("test_b", SUITE, "9"),
        ("test_applying", SUITE, None),
        ("test_l", SUITE, "15"),
    ]
    cell = result.target.cell.title
    assert properties(known) == {
        "verdict": "known finding",
        "finding": "workers",
        "title": "It is killed.",
        "cell": cell,
    }
    (suite,) = parsed(result)
    assert (suite.get("name"), properties(suite)["cell"], properties(suite)["policy"]) == ("guard", cell, "guard")


def test_a_suite_and_the_file_count_what_is_in_them() -> None:
    """Each element of a case under its own name."""
    result = green(REFUTED, KNOWN, HELD, replace(REFUTED, verdict="inconclusive"))
    root = parsed(replace(result, policies=(*result.policies, replace(result.policies[0], name="other"))))
    counted = ("tests", "failures", "errors", "skipped")
    assert [[suite.get(name) for name in counted] for suite in root] == [["4", "1", "1", "1"]] * 2
    assert [root.get(name) for name in counted] == ["8", "2", "2", "2"]


def test_no_two_cases_are_called_alike() -> None:
    """Of two with one class and one name GitLab shows the first: parameters, scenarios, cells, runs differ."""
    result = green(replace(HELD, node_id=f"{SUITE}::test_b[x]"), replace(HELD, node_id=f"{SUITE}::test_b[y]"), REFUTED)
    twice = replace(result, policies=(*result.policies, replace(result.policies[0], scenario="again")))
    elsewhere = replace(twice, target=replace(twice.target, cell=replace(twice.target.cell, kernel="6.1.9")))
    again = replace(twice, run=replace(twice.run, id="another"))
    found = [(case.get("classname"), case.get("name")) for case in cases(twice, elsewhere, again)]
    assert len(set(found)) == len(found) == 18
    assert {name for _, name in found} == {"test_b[x]", "test_b[y]", "test_a"}
    # Jenkins takes all before the last dot for a package
    assert {str(name).rpartition(".")[2] for name, _ in found} == {"guard", "guard (again)"}


def test_a_run_that_is_red_by_no_promise_has_a_case_that_fails() -> None:
    """Whoever reads the file alone sees what the exit code says."""
    known = green(KNOWN)
    red = replace(known, run=replace(known.run, red=("nothing conforms", "2 differences")))
    assert len(cases(known)) == 1
    (_, told) = cases(red)
    assert (told.get("classname"), told.get("name")) == ("the run", "is green")
    assert [one.get("message") for one in told.iter("failure")] == ["nothing conforms; 2 differences"]
    refuted = green(REFUTED)
    assert len(cases(replace(refuted, run=replace(refuted.run, red=("1 promise violated",))))) == 1


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_printed_as_it_is_made(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the command, of all runs in a folder."""
    results = [a_result(REFUTED), a_result(KNOWN)]
    for number, result in enumerate(results):
        write_tree({f"{number}/{FILE}": encode(result)}, tmp_path)
    assert main(["report", str(tmp_path), "--format", name]) == 0
    assert capsys.readouterr().out == FORMATS[name](results)


def test_whatever_was_typed_is_text() -> None:
    """No markup, no escape, and nothing that XML cannot hold."""
    evil = replace(REFUTED, reason='</failure>&"\x00\x1b[31m\ud800', title="]]>\x08", message="a\x0bb\nc\ufffe")
    text = junit([a_result(evil, name="a<b>&", place=f"{POLICY}:3")])
    assert text.isascii()
    (case,) = ET.fromstring(text).iter("testcase")
    assert case.get("classname") == "a<b>&"
    assert properties(case)["title"] == "]]>\\x08"
    (failure,) = case.iter("failure")
    assert str(failure.get("message")).startswith('</failure>&"')
    assert str(failure.text).endswith("\nc\\ufffe")
