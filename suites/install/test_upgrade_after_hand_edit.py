"""`tetragon-config` is edited by hand, as the guide does it; then Helm upgrades."""

from fixtures.findings import HAND_EDIT_BLOCKS_HELM, HAND_EDIT_IS_UNDONE
from tetraproof.suite import Run, change, finding

pytestmark = change("upgrade-after-hand-edit", under="block-fd-install")
EDITED = "enable-process-cred"


@finding(HAND_EDIT_BLOCKS_HELM, lambda run: run.change.refused_with("conflict"))
def test_the_upgrade_is_accepted(run: Run) -> None:
    """Helm upgrades an installation whose ConfigMap was edited by hand."""
    assert run.change.accepted


@finding(HAND_EDIT_IS_UNDONE, lambda run: run.change.accepted and not run.change.keeps(EDITED))
def test_the_edit_lasts(run: Run) -> None:
    """What was edited still holds afterwards."""
    assert run.change.keeps(EDITED)


def test_the_policy_enforces_before_and_after(run: Run) -> None:
    """A policy that was in force before is in force afterwards, whatever Helm says."""
    assert run.change.enforced_before
    assert run.change.enforced_afterwards
