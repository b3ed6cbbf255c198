"""Claims: a promise or a limit on a run, and what is known to refute it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.builders import policy, state
from tetraproof.answer import Undecided, Unknown, ask
from tetraproof.judging.claim import Claim
from tetraproof.judging.finding import Finding, Known
from tetraproof.judging.scenario import Run
from tetraproof.observing.observation import Observed
from tetraproof.verdict import Verdict

UNHEARD = Unknown(Verdict.INCONCLUSIVE, "no sentinel was heard")
WORKERS = Finding("workers", "the site goes down")
Body = Callable[[Run], None]


def run(told: str = "enabled", error: str = "") -> Run:
    return Run(Observed("made", policy(), {}, states=(state(told=told, error=error),)))


def holds(_: Run) -> None:
    assert ask("it", "killed", True, str)


def fails(_: Run) -> None:
    assert ask("it", "killed", False, lambda: "it was not killed")


def unheard(_: Run) -> None:
    assert ask("it", "killed", UNHEARD, str)


def loads(run: Run) -> None:
    assert run.loaded


def known(shows: object = True, of: str = "") -> Known:
    def evidence(_: Run) -> bool:
        if isinstance(shows, Undecided):
            raise shows
        return ask("it", "evidence", shows, str) if isinstance(shows, bool | Unknown) else bool(shows)

    return Known(WORKERS, evidence, of)


@pytest.mark.parametrize(
    ("claim", "word"),
    [
        (Claim("a", holds), "conforms"),
        (Claim("a", fails), "violates"),
        (Claim("a", unheard), "inconclusive"),
        (Claim("a", holds, limit="rename"), "stops"),
        (Claim("a", fails, limit="rename"), "passes"),
        (Claim("a", unheard, limit="rename"), "inconclusive"),
        (Claim("a", fails, known=(known(),)), "known workers"),
        # a refutation is known only by its evidence, beyond doubt
        (Claim("a", fails, known=(known(shows=False),)), "violates"),
        (Claim("a", fails, known=(known(UNHEARD),)), "violates"),
        (Claim("a", fails, known=(known(Undecided(UNHEARD)),)), "violates"),
        (Claim("a", fails, known=(known(shows=False), known())), "known workers"),
        # and nothing but a violation is known
        (Claim("a", holds, known=(known(),)), "conforms"),
        (Claim("a", unheard, known=(known(),)), "inconclusive"),
        (Claim("a", fails, limit="rename", known=(known(),)), "passes"),
    ],
)
def test_how_a_claim_fares(claim: Claim, word: str) -> None:
    """A promise by its verdict, a limit by what becomes of the act, a known refutation by its finding."""
    assert claim.judge(run()).word == word


@pytest.mark.parametrize(
    ("error", "verdict"),
    [("invalid argument", Verdict.VIOLATES), ("override action not supported", Verdict.UNSUPPORTED)],
)
@pytest.mark.parametrize("body", [holds, fails, unheard])
def test_where_the_policy_is_not_in_force_nothing_is_judged(body: Body, error: str, verdict: Verdict) -> None:
    """Neither for nor against it: that something is possible then proves nothing."""
    judged = Claim("a", body, known=(known(),)).judge(run("load_error", error))
    assert judged.word == "not judged"
    assert not judged.judged
    assert judged.known is None
    assert "the policy is not in force" in judged.judgement.reason
    assert judged.judgement.verdict is verdict


def test_loading_is_the_one_promise_that_is_judged_all_the_same() -> None:
    """Told once, with the agent's word."""
    judged = Claim("a", loads, about_loading=True).judge(run("load_error", "invalid argument"))
    assert judged.word == "violates"
    assert "invalid argument" in judged.judgement.reason
    refused = Known(WORKERS, lambda run: run.refused_with("invalid argument"))
    excused = Claim("a", loads, known=(refused,), about_loading=True).judge(run("load_error", "invalid argument"))
    assert excused.word == "known workers"


def test_what_only_explains_excuses_nothing() -> None:
    """A policy that is not in force is the worst news there is, until somebody has acknowledged it of this policy."""
    refused = Known(WORKERS, lambda run: run.refused_with("invalid argument"))
    claim = Claim("a", loads, about_loading=True, explaining=(refused,))
    judged = claim.judge(run("load_error", "invalid argument"))
    assert (judged.word, judged.explained) == ("violates", refused)
    assert claim.judge(run("load_error", "no such file")).explained is None


def asks(*questions: tuple[str, str, bool]) -> Body:
    """A body that asserts several questions: of which act, about what, with which answer."""

    def body(_: Run) -> None:
        for act, about, answer in questions:
            assert ask(act, f"{act} {about}", answer, str, about)

    return body


def of(*sides: tuple[str, str]) -> Known:
    """A finding whose evidence asks about these sides of acts, and is there."""
    return Known(WORKERS, lambda _: all(ask(act, f"{act} {about} is so", True, str, about) for act, about in sides))


@pytest.mark.parametrize(
    ("body", "evidence", "word"),
    [
        (asks(("it", "outcome", False)), of(("it", "outcome")), "known workers"),
        (asks(("it", "outcome", True), ("it", "own", False)), of(("it", "own")), "known workers"),
        # two refutations, and the evidence speaks of both
        (asks(("it", "outcome", False), ("it", "own", False)), of(("it", "outcome"), ("it", "own")), "known workers"),
        # a second one that it does not speak of, before or after: another side, another act
        (asks(("it", "outcome", False), ("it", "own", False)), of(("it", "outcome")), "violates"),
        (asks(("it", "own", False), ("it", "outcome", False)), of(("it", "outcome")), "violates"),
        (asks(("it", "outcome", False), ("that", "outcome", False)), of(("it", "outcome")), "violates"),
        (asks(("it", "outcome", False)), of(("that", "outcome")), "violates"),
        (asks(("it", "outcome", False)), of(), "violates"),
    ],
)
def test_a_finding_excuses_just_the_refutations_that_its_evidence_speaks_of(
    body: Body, evidence: Known, word: str
) -> None:
    """A second refutation in the same body, or another cause, is new."""
    assert Claim("a", body, known=(evidence,)).judge(run()).word == word


def test_an_assertion_that_asks_nothing_is_no_known_refutation() -> None:
    """Nobody can tell what it was about."""

    def body(_: Run) -> None:
        assert ask("it", "outcome", False, str, "outcome") or True
        assert False, "a slip"  # noqa: B011, PT015 - a suite's own

    assert Claim("a", body, known=(of(("it", "outcome")),)).judge(run()).word == "violates"


@pytest.mark.parametrize("limit", ["", "rename"])
def test_what_is_not_judged_says_so_whole(limit: str) -> None:
    """With the claim itself, the reason, and nothing known or explained, for a limit as for a promise."""
    claim = Claim("a", fails, limit=limit, known=(known(),), explaining=(known(),))
    judged = claim.judge(run("load_error", "invalid argument"))
    assert judged.claim is claim
    assert judged.judged is False
    assert judged.word == "not judged"
    assert (judged.known, judged.explained) == (None, None)
    assert judged.judgement.reason == (
        "the policy is not in force: applied, but not in force on tetra-node: invalid argument"
    )
    assert judged.judgement.asked == ()


@pytest.mark.parametrize(
    ("body", "limit"), [(holds, ""), (unheard, ""), (fails, "rename"), (holds, "rename"), (fails, "")]
)
def test_what_nothing_explains_is_explained_by_nothing(body: Body, limit: str) -> None:
    """Only a violation of a promise is known or explained."""
    claim = Claim("a", body, limit=limit, explaining=(known(),) if body is not fails or limit else ())
    judged = claim.judge(run())
    assert judged.claim is claim
    assert judged.judged is True
    assert (judged.known, judged.explained) == (None, None)


def test_what_is_known_explains_as_well() -> None:
    """The first that is known is told; what only explains is told where nothing is known."""
    first, second, none = known(), known(), known(shows=False)
    judged = Claim("a", fails, known=(none, first), explaining=(second,)).judge(run())
    assert (judged.known, judged.explained) == (first, first)
    judged = Claim("a", fails, known=(none,), explaining=(none, second)).judge(run())
    assert (judged.known, judged.explained) == (None, second)


def test_a_limit_that_cannot_be_judged_keeps_its_verdict() -> None:
    """It neither stops nor passes."""

    def undecided(_: Run) -> None:
        raise Undecided(Unknown(Verdict.UNRECORDED, "nobody did it"))

    assert Claim("a", undecided, limit="rename").judge(run()).word == "unrecorded"


def test_evidence_that_asks_nothing_speaks_of_nothing() -> None:
    """Whatever it says: it may be of another act."""
    assert Claim("a", fails, known=(known(shows="so it is"),)).judge(run()).known is None
