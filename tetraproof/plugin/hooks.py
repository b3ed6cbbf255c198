"""What others of the plugin may listen to."""

from __future__ import annotations

from tetraproof.judging.claim import Judged
from tetraproof.judging.scenario import Run


def pytest_tetraproof_judged(run: Run, judged: Judged) -> None:
    """A test was judged on a run."""
