"""A policy at run time: its mode is changed, it is taken out of force and put back, by the agent's own commands."""

from fixtures.language import Files
from tetraproof.suite import Acts, Kprobe, Run, agent, policy

pytestmark = policy("language/at-run-time")

FILES = Files("at")
write = FILES.opened("run-time")
acts = Acts(
    near=FILES.opened("run-time-x"),
    first=write,
    to_monitor=agent("set-mode", "monitor"),
    monitored=write,
    to_enforce=agent("set-mode", "enforce"),
    enforced=write,
    off=agent("disable"),
    without=write,
    on=agent("enable"),
    again=write,
)
KILL = Kprobe("fd_install", file=FILES.path("run-time"), action="SIGKILL")


def test_it_is_enforced(run: Run) -> None:
    """Who opens the file is killed, and that is reported; who opens another is not."""
    assert run.first.killed
    assert KILL in run.first.timeline
    assert run.near.succeeded
    assert Kprobe() not in run.near.timeline


def test_in_monitor_mode_it_is_only_reported(run: Run) -> None:
    """Set to monitor, it reports what it would have done, and does nothing."""
    assert run.monitored.free
    assert KILL in run.monitored.timeline


def test_in_enforce_mode_it_is_enforced_again(run: Run) -> None:
    """Set to enforce, it kills again."""
    assert run.enforced.killed
    assert KILL in run.enforced.timeline


def test_disabled_it_does_nothing(run: Run) -> None:
    """Disabled, it does nothing and reports nothing."""
    assert run.without.succeeded
    assert Kprobe() not in run.without.timeline


def test_enabled_it_is_enforced_again(run: Run) -> None:
    """Enabled again, it kills, and reports it."""
    assert run.again.killed
    assert KILL in run.again.timeline
