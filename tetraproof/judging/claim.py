"""One test as the library sees it: a promise or a limit, judged on a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tetraproof.answer import Judgement, judge, refutations
from tetraproof.judging.finding import Known
from tetraproof.judging.scenario import Run
from tetraproof.verdict import Verdict


@dataclass(frozen=True)
class Claim:
    """A test's name and body, what is known to refute it, and `limit`, the label of what a limit is about.

    `about_loading` is the one promise that is judged although the policy is not in force. What is `explaining` a
    refutation and is not known of this policy excuses nothing.
    """

    name: str
    body: Callable[[Run], object]
    limit: str = ""
    known: tuple[Known, ...] = ()
    about_loading: bool = False
    explaining: tuple[Known, ...] = ()

    def judge(self, run: Run) -> Judged:
        """How the claim fares on `run`."""
        loading = run.loading
        if loading.verdict is not Verdict.CONFORMS and not self.about_loading:
            reason = f"the policy is not in force: {loading.reason}"
            return Judged(self, Judgement(loading.verdict, reason), judged=False)
        judgement = judge(lambda: self.body(run))
        known = explained = None
        if judgement.verdict is Verdict.VIOLATES and not self.limit:
            refuted = refutations(lambda: self.body(run))
            known = next((one for one in self.known if one.explains(run, refuted)), None)
            explained = known or next((one for one in self.explaining if one.explains(run, refuted)), None)
        return Judged(self, judgement, judged=True, known=known, explained=explained)


@dataclass(frozen=True)
class Judged:
    """A claim with its judgement. `judged` is false where the policy is not in force, so nothing was."""

    claim: Claim
    judgement: Judgement
    judged: bool
    known: Known | None = None
    explained: Known | None = None

    @property
    def word(self) -> str:
        """The verdict; for a limit what becomes of the act; `known` for a violation by a finding."""
        if not self.judged:
            return "not judged"
        verdict = self.judgement.verdict
        if self.claim.limit:
            words = {Verdict.CONFORMS: "stops", Verdict.VIOLATES: "passes"}
            return words.get(verdict, str(verdict))
        return f"known {self.known.finding.id}" if self.known else str(verdict)
