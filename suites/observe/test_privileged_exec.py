"""Starting a set-user-id program is reported, and nobody is stopped."""

from fixtures.findings import OLD_IMAGE_HIDES_THE_EVENT
from tetraproof.suite import Acts, Exactly, Exec, Exit, InOrder, Kprobe, Run, command, finding, policy, shell

# with the unused argument left out, and spelled out as `nop`: both must say the same
pytestmark = policy("privileged-exec", "privileged-exec-with-nop")

acts = Acts(
    direct=command("passwd", "--help"),
    by_shell=shell("passwd --help; echo rc=$?"),
    plain=command("true"),
)
HOOK = "security_bprm_creds_from_file"
PRIVILEGED = Kprobe(HOOK, file="/usr/bin/passwd", action="POST")


def test_starting_it_from_a_shell_is_reported(run: Run) -> None:
    """It is reported by the shell that starts it, before the new program is in place, and once."""
    program = "/usr/bin/passwd"
    wanted = InOrder(PRIVILEGED.by("/usr/bin/bash"), Exec(program), Exit(program, status=0))
    assert wanted in run.by_shell.timeline
    assert Exactly(1, PRIVILEGED) in run.by_shell.timeline


@finding(
    OLD_IMAGE_HIDES_THE_EVENT,
    lambda run: (
        run.direct.succeeded
        and Exec("/usr/bin/passwd") in run.direct.timeline
        and PRIVILEGED not in run.direct.timeline
        # where nobody counted: the same program, started by a shell, is reported
        and (run.counted_more_than(PRIVILEGED) if run.keeps_count else PRIVILEGED in run.by_shell.timeline)
    ),
)
def test_starting_it_from_the_runtime_is_reported(run: Run) -> None:
    """It is reported as well when kubectl exec starts it, with no shell between, and once."""
    assert PRIVILEGED in run.direct.timeline
    assert Exactly(1, PRIVILEGED) in run.direct.timeline


def test_nobody_is_stopped(run: Run) -> None:
    """The policy only observes: the program runs, however it was started."""
    assert run.direct.succeeded
    assert run.by_shell.succeeded
    assert run.by_shell.said("rc=0")


def test_other_programs_are_not_reported(run: Run) -> None:
    """A program that is not set-user-id is not reported."""
    assert run.plain.succeeded
    assert Kprobe(HOOK) not in run.plain.timeline


def test_both_are_counted(run: Run) -> None:
    """The agent counts both, whether the stream shows them or not."""
    assert run.counts(post=2, enforce=0)
