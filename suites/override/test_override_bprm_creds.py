"""Starting a set-user-id program is refused with EPERM before it runs."""

from fixtures.findings import OLD_IMAGE_HIDES_THE_EVENT
from tetraproof.suite import Acts, Exactly, Exec, Exit, InOrder, Kprobe, Run, command, finding, policy, shell

# with kprobe-multi as the agent has it, and turned off for the policy
pytestmark = policy("override-bprm-creds", "override-bprm-creds-single")

acts = Acts(
    direct=command("passwd", "--help"),
    by_shell=shell("passwd --help; echo rc=$?"),
    plain=command("true"),
)
HOOK = "security_bprm_creds_from_file"
REFUSED = Kprobe(HOOK, file="/usr/bin/passwd", action="OVERRIDE", returns=-1)


def test_starting_it_from_a_shell_is_refused(run: Run) -> None:
    """The shell is told EPERM, says so with exit code 126, and lives."""
    assert run.by_shell.printed("rc=126\n")
    assert run.by_shell.said("Operation not permitted")
    assert Exactly(1, REFUSED.by("/usr/bin/bash")) in run.by_shell.timeline
    # the fork that was to become passwd ends with 126, the shell lives
    assert InOrder(REFUSED, Exit("/usr/bin/bash", status=126)) in run.by_shell.timeline
    assert Exit("/usr/bin/bash", status=0) in run.by_shell.timeline
    assert Exec("/usr/bin/passwd") not in run.by_shell.timeline


def test_starting_it_from_the_runtime_is_refused(run: Run) -> None:
    """Without a shell it is the runtime that is refused: the program never runs."""
    assert run.direct.denied
    assert Exec("/usr/bin/passwd") not in run.direct.timeline


@finding(
    OLD_IMAGE_HIDES_THE_EVENT,
    lambda run: (
        run.direct.denied
        and REFUSED not in run.direct.timeline
        # where nobody counted: the same program, started by a shell, is reported
        and (run.counted_more_than(REFUSED) if run.keeps_count else REFUSED in run.by_shell.timeline)
    ),
)
def test_every_refusal_is_reported(run: Run) -> None:
    """Each refusal is reported, also that of a program that the runtime starts."""
    assert REFUSED in run.by_shell.timeline
    assert Exactly(1, REFUSED) in run.direct.timeline


def test_other_programs_are_free(run: Run) -> None:
    """A program that is not set-user-id starts, and no enforcement is reported."""
    assert run.plain.succeeded
    assert Kprobe(HOOK) not in run.plain.timeline


def test_every_refusal_is_counted(run: Run) -> None:
    """The agent counts both refusals, whether the stream shows them or not."""
    assert run.counts(enforce=2)
