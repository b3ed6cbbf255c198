"""Acceptance: what a run showed is pinned so that the run holds, and nothing is pinned that nobody answered for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import RECORDINGS
from tests.report.test_pin import cited, claim, judged, limit
from tetraproof.errors import RecordingError
from tetraproof.report.acceptance import PLAIN, Acceptance, OpenEntry, accept, written
from tetraproof.report.pin import hold
from tetraproof.report.result import ClaimResult, LimitResult, PolicyResult, verdict_of

LACK = "bpf_override_return helper not available"
KNOWN = claim("violates", "it was not killed", "workers", seen=True)


def right(one: OpenEntry) -> str:
    """An answer that explains it."""
    return one.suggestion or one.reason


def answered(acceptance: Acceptance) -> dict[OpenEntry, str]:
    return {one: right(one) for one in acceptance.open if not one.unanswerable}


def only(expected: Any, policy: PolicyResult) -> tuple[Acceptance, OpenEntry]:
    acceptance = accept(expected, [policy])
    (one,) = acceptance.open
    return acceptance, one


def test_what_conforms_needs_no_answer() -> None:
    """A limit, whichever way, neither: it never changes a verdict."""
    acceptance = accept({}, [judged(claim("conforms"), limits=(limit("passes"),))])
    assert acceptance.open == acceptance.gone == ()
    assert acceptance.added == {"guard": {"promises": {"test_a": "conforms"}, "limits": {"rename": "passes"}}}
    assert acceptance.table({}) == {
        "guard": {"verdict": "conforms", "promises": {"test_a": "conforms"}, "limits": {"rename": "passes"}}
    }


@pytest.mark.parametrize(
    ("seen", "answer", "wrong"),
    [
        (KNOWN, "workers", ["", "killed", "other"]),
        (claim("unsupported", f"refused: {LACK}"), LACK, ["", "no BTF"]),
        (claim("unsupported", f"refused: {LACK}"), "refused", ["Refused"]),
        (claim("inconclusive", "no sentinel was heard"), "no sentinel", ["workers"]),
        (claim("unrecorded", "act x was not recorded"), "act x", ["act y"]),
    ],
)
def test_what_does_not_conform_wants_what_explains_it(seen: ClaimResult, answer: str, wrong: list[str]) -> None:
    """A violation its finding, all else words that its reason holds; then the run holds."""
    policy = judged(seen, claim("conforms", name="test_b"), verdict=str(seen.verdict))
    acceptance, one = only({}, policy)
    assert one.key == "guard::test_a"
    assert (one.seen, one.pinned) == (seen.verdict, "")
    assert all(one.why_not(bad) for bad in wrong)
    assert not one.why_not(answer)
    table = acceptance.table({one: answer})
    assert table["guard"]["promises"]["test_a"] == {"verdict": seen.verdict, "cites": answer}
    assert hold(table, [policy], whole=True).differences == ()


def test_a_violation_that_nothing_explains_cannot_be_pinned() -> None:
    """Its finding is declared in the suite first."""
    acceptance, one = only({}, judged(claim("violates", "it was not killed"), verdict="violates"))
    assert "explain it in the suite" in one.unanswerable
    assert one.why_not("workers")
    assert acceptance.table({}) == {}


@pytest.mark.parametrize(
    ("pinned", "seen"),
    [
        ("conforms", KNOWN),
        (cited("violates", "workers"), claim("conforms")),
        (cited("violates", "other"), KNOWN),
        (cited("unsupported", "no BTF"), claim("unsupported", LACK)),
        ("unsupported", claim("unsupported", LACK)),
    ],
)
def test_what_is_pinned_otherwise_is_asked(pinned: Any, seen: ClaimResult) -> None:
    """Also where it conforms now; left unanswered, it stays as it is."""
    policy = judged(seen, verdict=str(seen.verdict))
    before = {"guard": {"verdict": "conforms", "promises": {"test_a": pinned}}}
    acceptance, one = only(before, policy)
    assert one.pinned
    assert acceptance.table({}) == before
    table = acceptance.table({one: right(one)})
    assert table["guard"]["verdict"] == seen.verdict
    assert hold(table, [policy], whole=True).differences == ()


def test_a_limit_that_changed_is_asked() -> None:
    """By its label; the answer is what it is now."""
    policy = judged(claim("conforms"), limits=(limit("passes"),))
    before = {"guard": {"verdict": "conforms", "promises": {"test_a": "conforms"}, "limits": {"rename": "stops"}}}
    acceptance, one = only(before, policy)
    assert (one.key, one.pinned, one.why_not("stops"), one.why_not("passes")) == (
        "guard::rename",
        "stops",
        "only passes is",
        "",
    )
    assert acceptance.table({one: "passes"})["guard"]["limits"] == {"rename": "passes"}


def test_what_holds_is_kept_as_it_is() -> None:
    """With its order and what it cites, and what is new behind it."""
    before = {
        "other": {"verdict": "conforms", "promises": {"test_a": "conforms"}},
        "guard": {"verdict": "violates", "promises": {"test_b": "conforms", "test_a": cited("violates", "workers")}},
    }
    guard = judged(claim("conforms", name="test_c"), KNOWN, claim("conforms", name="test_b"), verdict="violates")
    acceptance = accept(before, [guard, PolicyResult(**{**_fields(judged(claim("conforms"))), "name": "other"})])
    assert acceptance.open == ()
    table = acceptance.table({})
    assert list(table) == ["other", "guard"]
    assert list(table["guard"]["promises"].items()) == [
        ("test_b", "conforms"),
        ("test_a", cited("violates", "workers")),
        ("test_c", "conforms"),
    ]


def _fields(policy: PolicyResult) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in policy.__struct_fields__}


def test_what_is_gone_is_kept_until_it_is_pruned() -> None:
    """A policy, a promise, a limit."""
    before = {
        "guard": {
            "verdict": "conforms",
            "promises": {"test_a": "conforms", "test_old": "conforms"},
            "limits": {"link": "stops"},
        },
        "gone": {"verdict": "unrecorded", "cites": "x"},
    }
    acceptance = accept(before, [judged(claim("conforms"))])
    assert acceptance.gone == ("gone", "guard::test_old", "guard::link")
    assert acceptance.table({}) == before
    pruned = acceptance.table({}, prune=True)
    assert pruned == {"guard": {"verdict": "conforms", "promises": {"test_a": "conforms"}, "limits": {}}}
    assert hold(pruned, [judged(claim("conforms"))], whole=True).differences == ()


UNRECORDED = judged(
    claim("unrecorded", "x"), verdict="unrecorded", loading="unrecorded", why="it has no scenario whose policy says"
)


def test_a_policy_that_nobody_recorded_needs_no_entry() -> None:
    """And one that says so is kept; one that says otherwise is asked for, as a whole."""
    assert accept({}, [UNRECORDED]).table({}) == {}
    said = {"guard": cited("unrecorded", "no scenario")}
    assert accept(said, [UNRECORDED]).open == ()
    before = {"guard": {"verdict": "conforms", "promises": {"test_a": "conforms"}}}
    acceptance, one = only(before, UNRECORDED)
    assert (one.key, one.name, one.pinned) == ("guard", "", "conforms")
    assert acceptance.table({}) == before
    table = acceptance.table({one: "no scenario"})
    assert table == said
    assert hold(table, [UNRECORDED], whole=True).differences == ()


def test_a_policy_that_is_recorded_now_gets_its_promises() -> None:
    """In the place of the one entry."""
    acceptance = accept({"guard": cited("unrecorded", "x")}, [judged(claim("conforms"))])
    assert acceptance.table({}) == {"guard": {"verdict": "conforms", "promises": {"test_a": "conforms"}}}


def test_of_a_new_policy_only_what_was_answered_is_pinned() -> None:
    """Its verdict is that of what stands there."""
    policy = judged(KNOWN, claim("conforms", name="test_b"), verdict="violates")
    acceptance = accept({}, [policy])
    assert acceptance.table({}) == {"guard": {"verdict": "conforms", "promises": {"test_b": "conforms"}}}
    assert acceptance.table(answered(acceptance))["guard"]["verdict"] == "violates"


def test_a_table_that_is_none_is_refused() -> None:
    """Before anything is made of it."""
    with pytest.raises(RecordingError):
        accept({"guard": {"verdict": "fine"}}, [])


NAMES = ["test_a", "test_b", "test_c"]
REASONS = st.sampled_from(["", "no sentinel was heard", f"refused: {LACK}", "act x was not recorded"])
CLAIMS = st.builds(
    lambda name, verdict, reason, finding: ClaimResult(
        name, "t", verdict, reason, finding=finding, finding_seen=bool(finding) and verdict == "violates"
    ),
    st.sampled_from(NAMES),
    st.sampled_from([None, "conforms", "violates", "inconclusive", "unsupported", "unrecorded"]),
    REASONS,
    st.sampled_from(["", "workers", "masks"]),
)
REACHES = st.builds(
    lambda label, result, reason: LimitResult("test_l", label, "t", result, reason),
    st.sampled_from(["rename", "link"]),
    st.sampled_from(["stops", "passes", "inconclusive", "not judged"]),
    REASONS,
)


@st.composite
def policies(draw: st.DrawFn, name: str) -> PolicyResult:
    loaded = ClaimResult("test_loaded", "t", draw(st.sampled_from(["conforms", "unsupported"])), f"refused: {LACK}")
    claims = (loaded, *draw(st.lists(CLAIMS, max_size=3, unique_by=lambda one: one.name)))
    limits = tuple(draw(st.lists(REACHES, max_size=2, unique_by=lambda one: one.label)))
    unrecorded = draw(st.booleans()) and draw(st.booleans())
    return PolicyResult(
        name,
        name,
        "t",
        "s",
        "unrecorded" if unrecorded else str(verdict_of(claims)),
        "",
        "unrecorded" if unrecorded else "conforms",
        "it has no scenario" if unrecorded else "",
        claims=claims,
        limits=limits,
    )


PINNED = st.sampled_from(["conforms", "violates", "unsupported"]) | st.builds(
    cited,
    st.sampled_from(["violates", "unsupported", "inconclusive", "unrecorded"]),
    st.sampled_from(["workers", LACK]),
)
ENTRIES = st.builds(
    lambda verdict, promises, limits: {"verdict": verdict, "promises": promises, "limits": limits},
    st.sampled_from(["conforms", "violates"]),
    st.dictionaries(st.sampled_from(NAMES), PINNED, max_size=3),
    st.dictionaries(st.sampled_from(["rename", "link"]), st.sampled_from(["stops", "passes"]), max_size=2),
)


@settings(max_examples=400, deadline=None)
@given(
    expected=st.dictionaries(st.sampled_from(["guard", "other", "gone"]), ENTRIES, max_size=3),
    guard=policies("guard"),
    other=policies("other"),
    leave=st.booleans(),
)
def test_a_run_holds_what_was_accepted_of_it(
    expected: dict[str, Any], guard: PolicyResult, other: PolicyResult, *, leave: bool
) -> None:
    """Whatever was expected before; what nobody could or did answer for differs, and is as it was."""
    acceptance = accept(expected, [guard, other])
    answers = {} if leave else answered(acceptance)
    table = json.loads(written(acceptance.table(answers, prune=True)))
    differences = hold(table, [guard, other], whole=True).differences
    left = [one for one in acceptance.open if one not in answers]
    assert left or not differences
    for one in left:
        before = (
            (expected.get(one.policy) or {}).get(one.part, {}).get(one.name) if one.name else expected.get(one.policy)
        )
        after = (table.get(one.policy) or {}).get(one.part, {}).get(one.name) if one.name else table.get(one.policy)
        assert before == after
    if not left:
        assert accept(table, [guard, other]).open == ()


@pytest.mark.parametrize("table", sorted(RECORDINGS.glob("*/expected.json")), ids=lambda path: path.parent.name)
def test_a_table_is_written_as_people_write_it(table: Any) -> None:
    """As the shipped ones are, but that a limit never stands on its policy's line."""
    text = table.read_text(encoding="utf-8").replace(
        '"limits": {"acts meanwhile": "passes"}', '"limits": {\n      "acts meanwhile": "passes"\n    }'
    )
    assert written(json.loads(text)) == text


def test_plain_words_are_those_that_cite_nothing() -> None:
    """As the pins have it."""
    assert PLAIN == ("conforms", "stops", "passes")
