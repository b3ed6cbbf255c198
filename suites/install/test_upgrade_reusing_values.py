"""An upgrade with `--reuse-values`, so that nothing that was set at the installation is lost."""

from fixtures.findings import REUSED_VALUES_LACK_NEW_ONES
from tetraproof.suite import Run, change, finding

pytestmark = change("upgrade-reusing-values", under="block-fd-install")


@finding(REUSED_VALUES_LACK_NEW_ONES, lambda run: run.change.refused_with("nil pointer"))
def test_the_upgrade_is_accepted(run: Run) -> None:
    """Helm upgrades from the older chart to the newer one."""
    assert run.change.accepted


def test_the_policy_enforces_before_and_after(run: Run) -> None:
    """Whether or not the upgrade is accepted, a policy that was in force before is in force afterwards."""
    assert run.change.enforced_before
    assert run.change.enforced_afterwards
