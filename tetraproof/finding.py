"""A known, explained refutation: `docs/findings.md` tells it with the record that shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tetraproof.answer import judge
from tetraproof.scenario import Run
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

    def seen_in(self, run: Run) -> bool:
        """Whether the evidence is there beyond doubt; any other refutation of the same promise is new."""

        def body() -> None:
            assert self.shows(run)

        return judge(body).verdict is Verdict.CONFORMS
