"""The agent is restarted while it is set to keep its sensors (`keep-sensors-on-exit`, without `release-pinned-bpf`)."""

from fixtures.findings import KEPT_SENSORS_LEAVE_A_GAP
from tetraproof.suite import Run, change, finding

pytestmark = change("rollout-restart-keeping-sensors", under="block-fd-install")


def test_the_policy_enforces_before_and_after(run: Run) -> None:
    """A policy that was in force before the restart is in force after it, without being applied again."""
    assert run.change.enforced_before
    assert run.change.enforced_afterwards


@finding(
    KEPT_SENSORS_LEAVE_A_GAP,
    lambda run: run.change.enforced_before and run.change.enforced_afterwards and run.change.measured,
)
def test_acts_during_the_restart_are_enforced(run: Run) -> None:
    """No act goes through while the agent restarts: that is what the sensors are kept for."""
    assert run.change.unbroken
