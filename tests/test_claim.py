"""Claims: a promise or a limit on a run, and what is known to refute it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.builders import policy, state
from tetraproof.answer import Undecided, Unknown, ask
from tetraproof.claim import Claim
from tetraproof.finding import Finding, Known
from tetraproof.observation import Observed
from tetraproof.scenario import Run
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
    excused = Claim("a", loads, known=(known(),), about_loading=True).judge(run("load_error", "invalid argument"))
    assert excused.word == "known workers"
