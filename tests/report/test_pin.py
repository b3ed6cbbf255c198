"""Pins: every verdict of a shipped recording is expected, and each that does not conform cites why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fixtures import findings
from tests.builders import RECORDINGS
from tetraproof.errors import RecordingError, TetraproofError
from tetraproof.judging import loading
from tetraproof.judging.finding import Finding
from tetraproof.report.acceptance import accept
from tetraproof.report.pin import entries_of, hold
from tetraproof.report.result import ClaimResult, LimitResult, PolicyResult
from tetraproof.verdict import Verdict

LACK = "bpf_override_return helper not available"


def judged(
    *claims: ClaimResult,
    limits: tuple[LimitResult, ...] = (),
    verdict: str = "conforms",
    loading: str = "conforms",
    why: str = "",
) -> PolicyResult:
    return PolicyResult("guard", "guard", "t", "s", verdict, "", loading, why, claims=claims, limits=limits)


def claim(
    verdict: str | None, reason: str = "", finding: str = "", *, seen: bool = False, name: str = "test_a"
) -> ClaimResult:
    return ClaimResult(name, "t", verdict, reason, finding=finding, finding_seen=seen)


def limit(result: str, reason: str = "", label: str = "rename") -> LimitResult:
    return LimitResult("test_l", label, "t", result, reason)


def differences(entry: Any, policy: PolicyResult, *, whole: bool = True) -> tuple[str, ...]:
    return hold({"guard": entry}, [policy], whole=whole).differences


def entry(pinned: Any, verdict: str = "conforms", **limits: Any) -> dict[str, Any]:
    return {"verdict": verdict, "promises": {"test_a": pinned}, "limits": limits}


def cited(verdict: str, cites: str = "") -> dict[str, str]:
    return {"verdict": verdict, **({"cites": cites} if cites else {})}


KNOWN = claim("violates", "killed", "workers", seen=True)


@pytest.mark.parametrize(
    ("pinned", "told", "word"),
    [
        ("conforms", claim("conforms"), ""),
        ("conforms", claim("violates", "it was not killed"), "is violates, expected conforms: it was not killed"),
        ("conforms", KNOWN, "is violates, expected conforms"),
        (cited("violates", "workers"), KNOWN, ""),
        (cited("violates", "workers"), claim("conforms"), "is conforms, expected violates"),
        (
            cited("violates", "workers"),
            claim("violates", "another way"),
            "violates by no known finding, expected workers",
        ),
        (cited("violates", "workers"), claim("violates", finding="other", seen=True), "violates by other"),
        (cited("violates", "workers"), claim("violates", finding="workers"), "expected workers"),
        (cited("unsupported", LACK), claim("unsupported", f"the agent refuses: {LACK}"), ""),
        (cited("unsupported", LACK), claim("unsupported", "no BTF"), f"its reason does not hold “{LACK}”: no BTF"),
        (cited("inconclusive", "no sentinel"), claim("inconclusive", "no sentinel was heard"), ""),
        (cited("unrecorded", "x"), claim("unrecorded", "y"), "does not hold “x”"),
        # whatever does not conform must cite why
        ("unsupported", claim("unsupported", "no BTF"), "does not hold"),
        (cited("inconclusive"), claim("inconclusive", "no sentinel"), "does not hold"),
        ("violates", claim("violates", "it was not killed"), "expected a finding"),
        (cited("violates"), claim("violates", "it was not killed"), "expected a finding"),
    ],
)
def test_a_promise_is_held_against_its_pin(pinned: Any, told: ClaimResult, word: str) -> None:
    """The verdict, and what it cites; a difference names policy and promise."""
    found = differences(entry(pinned), judged(told))
    assert bool(found) == bool(word)
    assert all(one.startswith("guard: test_a ") and word in one for one in found)


@pytest.mark.parametrize(
    ("pinned", "told", "word"),
    [
        ("passes", limit("passes"), ""),
        ("stops", limit("passes"), "limit rename is passes, expected stops"),
        (cited("inconclusive", "no sentinel"), limit("inconclusive", "no sentinel was heard"), ""),
        (cited("inconclusive", "no sentinel"), limit("inconclusive", "a broken exec"), "does not hold"),
        ("inconclusive", limit("inconclusive", "no sentinel"), "does not hold"),
    ],
)
def test_a_limit_is_held_against_its_pin(pinned: Any, told: LimitResult, word: str) -> None:
    """Stops or passes; what kept it from being told is cited."""
    found = differences(entry("conforms", rename=pinned), judged(claim("conforms"), limits=(told,)))
    assert bool(found) == bool(word)
    assert all(word in one for one in found)


@pytest.mark.parametrize("whole", [True, False])
def test_what_nobody_expects_differs(*, whole: bool) -> None:
    """A new policy, promise or limit must be pinned before it counts."""
    assert "was judged" in hold({}, [judged(claim("conforms"))], whole=whole).differences[0]
    new = judged(claim("conforms"), claim("conforms", name="test_b"), limits=(limit("stops"),))
    found = differences(entry("conforms"), new, whole=whole)
    assert len(found) == 2
    assert any("test_b" in one for one in found)
    assert any("limit rename" in one for one in found)


@pytest.mark.parametrize(("whole", "count"), [(True, 1), (False, 0)])
def test_what_was_not_judged_differs_only_in_a_whole_run(count: int, *, whole: bool) -> None:
    """`K=` selects judgements; those that it left out are not missed."""
    assert (
        len(
            hold(
                {"guard": entry("conforms"), "other": entry("conforms")}, [judged(claim("conforms"))], whole=whole
            ).differences
        )
        == count
    )
    assert len(differences(entry("conforms"), judged(), whole=whole)) == count
    assert len(differences(entry("conforms", rename="stops"), judged(claim("conforms")), whole=whole)) == count


def test_a_policys_verdict_is_pinned_as_well() -> None:
    """Of all promises together; of a part of them it says nothing."""
    worse = judged(claim("conforms"), verdict="violates")
    assert differences(entry("conforms"), worse) == ("guard is violates, expected conforms",)
    assert differences(entry("conforms"), worse, whole=False) == ()


@pytest.mark.parametrize(
    ("pinned", "word"),
    [
        (cited("unrecorded", "no scenario whose"), ""),
        (cited("unrecorded", "no metrics"), "does not hold “no metrics”"),
        (cited("unrecorded"), "does not hold"),
        (entry("conforms"), "is unrecorded, expected conforms"),
    ],
)
def test_an_unrecorded_policy_has_one_entry(pinned: Any, word: str) -> None:
    """Nobody can answer for any promise of it, and the entry cites why."""
    unrecorded = judged(
        claim("unrecorded", "x"), verdict="unrecorded", loading="unrecorded", why="it has no scenario whose policy says"
    )
    found = differences(pinned, unrecorded)
    assert bool(found) == bool(word)
    assert all(word in one for one in found)


@pytest.mark.parametrize("swapped", [False, True])
def test_what_two_suites_judge_of_one_policy_is_told_together(*, swapped: bool) -> None:
    """Each has its own promises; of one that both make, the worse is told, and a finding hides no other refutation."""
    known = claim("violates", "killed", "workers", seen=True, name="test_told")
    unknown = claim("violates", "not killed", name="test_told")
    one = judged(claim("conforms"), known, limits=(limit("stops"),), verdict="violates")
    other = judged(claim("conforms", name="test_b"), unknown, limits=(limit("passes"),), verdict="violates")
    both = [other, one] if swapped else [one, other]
    pinned = {"test_a": "conforms", "test_b": "conforms", "test_told": cited("violates", "workers")}
    table = {"guard": {"verdict": "violates", "promises": pinned, "limits": {"rename": "passes"}}}
    (difference,) = hold(table, both, whole=True).differences
    assert difference == "guard: test_told violates by no known finding, expected workers"
    assert accept(table, both).gone == ()
    well = [judged(claim("conforms"), known), judged(claim("conforms", name="test_b"))]
    table["guard"] |= {"verdict": "conforms", "limits": {}}
    assert hold(table, well, whole=True).differences == ()


def test_what_was_not_judged_has_no_entry() -> None:
    """Promises of a policy that is not in force."""
    told = judged(claim(None), limits=(limit("not judged"),), verdict="violates")
    assert differences({"verdict": "violates"}, told) == ()


def test_how_many_entries_were_held() -> None:
    """Differences count once each, and never below nothing."""
    both = {
        "verdict": "conforms",
        "promises": {"test_a": "conforms", "test_b": "conforms"},
        "limits": {"rename": "stops"},
    }
    told = judged(claim("conforms"), claim("conforms", name="test_b"), limits=(limit("stops"),))
    assert hold({"guard": both}, [told], whole=True).held == 3
    worse = judged(claim("violates"), claim("conforms", name="test_b"), limits=(limit("stops"),))
    assert hold({"guard": both}, [worse], whole=True).held == 2


@pytest.mark.parametrize("pinned", ["conforms", None, ["conforms"], {"verdict": "conforms", "promises": ["test_a"]}])
def test_an_entry_of_another_shape_is_told(pinned: Any) -> None:
    """The table is kept by hand: a slip in it is a difference or an error in a sentence, never a Python error."""
    try:
        found = differences(pinned, judged(claim("conforms")))
    except TetraproofError as error:
        found = (error.sentence,)
    assert found


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"verdict": "conform"}, "expected.json: guard: verdict is 'conform', and there are violates, inconclusive"),
        ({"verdict": ""}, "guard: verdict is ''"),
        ({"verdict": "passes"}, "guard: verdict is 'passes'"),
        ({"verdict": "\x1b[31m"}, "guard: verdict is '\\x1b[31m'"),
        (entry("fine"), "guard: promises: test_a is 'fine', and there are"),
        (entry("stops"), "guard: promises: test_a is 'stops'"),
        (entry(cited("Violates", "x")), "guard: promises: test_a is 'Violates'"),
        (
            entry("conforms", rename="stop"),
            "guard: limits: rename is 'stop', and there are stops, passes, inconclusive",
        ),
        (entry("conforms", rename="conforms"), "guard: limits: rename is 'conforms'"),
        (entry("conforms", rename=cited("violates", "x")), "guard: limits: rename is 'violates'"),
        ({"verdict": "conforms", "\x1b[31m": 1}, "guard: Object contains unknown field"),
        (None, "guard: Expected `object`, got `null`"),
    ],
)
def test_a_verdict_that_there_is_not_is_refused(written: Any, told: str) -> None:
    """It could never be held against anything: a slip of the pen would be a difference for ever, or never one."""
    with pytest.raises(RecordingError) as refused:
        entries_of({"guard": written})
    assert told in refused.value.sentence
    assert refused.value.sentence.isprintable()
    assert "mend the entry" in refused.value.remedy


# the shipped tables

TABLES = sorted(RECORDINGS.glob("*/expected.json"))
FINDINGS = {one.id for module in (findings, loading) for one in vars(module).values() if isinstance(one, Finding)}


def cells(table: Path) -> list[tuple[str, Any]]:
    """Every pinned promise and limit of a table."""
    return [
        (f"{policy}: {name}", pinned)
        for policy, one in json.loads(table.read_bytes()).items()
        for kind in ("promises", "limits")
        for name, pinned in one.get(kind, {}).items()
    ]


def test_every_shipped_recording_has_its_table() -> None:
    """Kept by hand beside it."""
    assert {table.parent for table in TABLES} == {path for path in RECORDINGS.iterdir() if path.is_dir()}


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.parent.name)
def test_every_entry_that_does_not_conform_cites_why(table: Path) -> None:
    """A violation a finding that the suites know, everything else words of its reason."""
    words = {str(verdict) for verdict in Verdict} | {"stops", "passes"}
    for name, pinned in cells(table):
        verdict, cites = (pinned, "") if isinstance(pinned, str) else (pinned["verdict"], pinned.get("cites", ""))
        assert verdict in words, name
        assert cites or verdict in {"conforms", "stops", "passes"}, name
        assert verdict != "violates" or cites in FINDINGS, name


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.parent.name)
def test_a_policys_verdict_is_the_worst_of_its_promises(table: Path) -> None:
    """No entry contradicts itself."""
    for name, one in json.loads(table.read_bytes()).items():
        promises = [
            pinned if isinstance(pinned, str) else pinned["verdict"] for pinned in one.get("promises", {}).values()
        ]
        if promises:
            assert one["verdict"] == str(min(Verdict[word.upper()] for word in promises)), name
