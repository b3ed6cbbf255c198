"""A policy that was applied before the installation is changed: what becomes of it meanwhile, and afterwards."""

from fixtures.findings import DONE_BEFORE_ENFORCED
from tetraproof.suite import Run, change, finding, limit

pytestmark = change("rollout-restart", "upgrade", "rollback", under="block-fd-install")


def test_the_policy_enforces_before_and_after(run: Run) -> None:
    """A policy that was in force before the change is in force after it, without being applied again."""
    assert run.change.enforced_before
    assert run.change.enforced_afterwards


def test_no_time_goes_unenforced_unmeasured(run: Run) -> None:
    """Whatever time goes unenforced is bounded on both sides, in milliseconds, on every node."""
    assert run.change.measured


@finding(DONE_BEFORE_ENFORCED, lambda run: run.change.enforced_afterwards and not run.change.done_means_enforced)
def test_done_means_enforced(run: Run) -> None:
    """When kubectl rollout status says that the change is done, policies are in force again."""
    assert run.change.done_means_enforced


def test_what_was_asked_for_is_kept(run: Run) -> None:
    """The change is accepted, and what was asked of the agent at its installation still holds afterwards."""
    assert run.change.accepted
    assert run.change.keeps()


@limit("acts meanwhile")
def test_acts_during_the_change(run: Run) -> None:
    """An act that falls into the change is enforced like any other."""
    assert run.change.unbroken
