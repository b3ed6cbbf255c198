"""In monitor mode the policy tells whom it would kill, and kills nobody."""

from fixtures.findings import MONITOR_SAYS_SIGKILL
from tetraproof.suite import Acts, Exactly, Kprobe, Run, finding, policy, prepare, shell

pytestmark = policy("block-fd-install-monitor")

acts = Acts(
    clean=prepare(shell("rm -f /tmp/bar /tmp/tetragon")),
    guarded=shell("echo 'foo' > /tmp/tetragon"),
    bar=shell("echo 'foo' > /tmp/bar"),
)
GUARDED = Kprobe("fd_install", file="/tmp/tetragon").by("/usr/bin/bash")


def test_the_mode_is_monitor(run: Run) -> None:
    """The agent says that the policy is in monitor mode."""
    assert run.in_mode("monitor")


def test_writing_the_guarded_file_goes_through(run: Run) -> None:
    """Writing the guarded file succeeds: nobody is killed."""
    assert run.guarded.succeeded


def test_writing_the_guarded_file_is_reported(run: Run) -> None:
    """Writing the guarded file is reported, once."""
    assert Exactly(1, GUARDED) in run.guarded.timeline


@finding(
    MONITOR_SAYS_SIGKILL,
    lambda run: run.guarded.succeeded and Kprobe("fd_install", action="SIGKILL") in run.guarded.timeline,
)
def test_the_event_tells_what_happened(run: Run) -> None:
    """The event names no kill, since none took place."""
    assert Kprobe("fd_install", action="SIGKILL") not in run.guarded.timeline
    assert Kprobe("fd_install", action="POST") in run.guarded.timeline


def test_the_counters_tell_what_happened(run: Run) -> None:
    """The agent counts what it would have enforced as monitored, and nothing as enforced."""
    assert run.counts(enforce=0, monitor=run.reported(GUARDED))


def test_writing_another_file_is_not_reported(run: Run) -> None:
    """Writing any other file succeeds and is not reported."""
    assert run.bar.succeeded
    assert Kprobe("fd_install") not in run.bar.timeline
