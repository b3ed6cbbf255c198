"""Tetragon is installed at a version, and every node has an agent that runs."""

from tetraproof.suite import Run, installation

pytestmark = installation()


def test_every_agent_runs(run: Run) -> None:
    """`tetra status` says on every node that the agent runs."""
    assert run.installation.runs


def test_the_agents_are_of_the_version_that_was_asked_for(run: Run) -> None:
    """Every agent says of itself that it is of the installed chart's version."""
    assert run.installation.agents_are_as_asked


def test_the_command_is_of_the_version_that_was_asked_for(run: Run) -> None:
    """So is the `tetra` in its container, which is told apart from the agent."""
    assert run.installation.command_is_as_asked


def test_every_node_has_an_agent(run: Run) -> None:
    """The DaemonSet wants more than no agents, all of them are ready, and no node is without one."""
    assert run.installation.covers_every_node


def test_the_crds_are_established(run: Run) -> None:
    """The CRDs of both kinds of policy are there and established."""
    assert run.installation.crds_are_established


def test_nothing_is_wrong_with_it(run: Run) -> None:
    """No agent is missing, silent, crashing, without its image, stale, or of another version than the others."""
    assert run.installation.sound
