"""A known, explained refutation: `docs/findings.md` tells it with the record that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tetraproof.answer import Asked, judge
from tetraproof.judging.scenario import Run
from tetraproof.verdict import Verdict


@dataclass(frozen=True)
class Finding:
    """`id` is its heading in docs/findings.md, `title` what a user learns from one line of the report."""

    id: str
    title: str


@dataclass(frozen=True)
class Known:
    """A finding where it is known: the evidence of this very refutation, and the policy it is known of (or any)."""

    finding: Finding
    shows: Callable[[Run], bool]
    policy: str = ""

    def explains(self, run: Run, refuted: Iterable[Asked] | None) -> bool:
        """Whether the evidence is there beyond doubt, and speaks of all that was refuted; any other is new.

        Evidence speaks of a refutation where it asks about the same side of the same act.
        """
        evidence = self._seen_in(run)
        if evidence is None or refuted is None:
            return False
        spoken_of = {(asked.act, asked.about) for asked in evidence}
        return all((asked.act, asked.about) in spoken_of for asked in refuted)

    def _seen_in(self, run: Run) -> tuple[Asked, ...] | None:
        """What the evidence asked, where it is there."""

        def body() -> None:
            assert self.shows(run)

        judgement = judge(body)
        return judgement.asked if judgement.verdict is Verdict.CONFORMS else None
