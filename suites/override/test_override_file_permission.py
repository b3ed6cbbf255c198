"""Reading and writing one file is refused with EPERM, and whoever tries lives."""

from tetraproof.suite import Acts, Exactly, Exit, Kprobe, Run, command, look, policy, prepare, shell

# with kprobe-multi as the agent has it, and turned off for the policy
pytestmark = policy("override-file-permission", "override-file-permission-single")

FILE = "/etc/lab-guarded"
acts = Acts(
    guarded=prepare(shell(f"echo guarded > {FILE}")),
    read=command("cat", FILE),
    write=shell(f"echo x > {FILE}"),
    left_by_write=look(command("stat", "-c", "%s", FILE)),
    by_python=command("python3", "-c", f"open('{FILE}').read()"),
    other=command("cat", "/etc/hostname"),
)
HOOK = "security_file_permission"
MAY_WRITE, MAY_READ = 2, 4
REFUSED = Kprobe(HOOK, file=FILE, action="OVERRIDE", returns=-1)
READING, WRITING = (Kprobe(HOOK, file=FILE, action="OVERRIDE", returns=-1, mask=mask) for mask in (MAY_READ, MAY_WRITE))


def test_reading_is_refused(run: Run) -> None:
    """Reading the file fails with EPERM, reported as an override."""
    assert run.read.denied
    assert Exactly(1, READING.by("/usr/bin/cat")) in run.read.timeline
    assert Exit("/usr/bin/cat", status=1) in run.read.timeline


def test_writing_is_refused(run: Run) -> None:
    """Writing the file fails with EPERM, reported as an override."""
    assert run.write.denied
    assert Exactly(1, WRITING.by("/usr/bin/bash")) in run.write.timeline
    assert Exit("/usr/bin/bash", status=1) in run.write.timeline
    # what was there is gone all the same: the shell truncates the file as it opens it
    assert run.left_by_write.printed("0\n")


def test_a_program_sees_the_error(run: Run) -> None:
    """A program is told errno 1, not left to guess."""
    assert run.by_python.denied
    assert run.by_python.said("PermissionError: [Errno 1] Operation not permitted")
    assert Exactly(1, READING.by("/usr/bin/python3")) in run.by_python.timeline


def test_other_files_are_free(run: Run) -> None:
    """Another file is read, and no enforcement is reported."""
    assert run.other.succeeded
    assert run.other.said("probe")
    assert Kprobe(HOOK) not in run.other.timeline


def test_every_refusal_is_counted(run: Run) -> None:
    """The agent's own counter of enforcements agrees with what it reported."""
    refused = run.reported(REFUSED)
    assert run.counts(enforce=refused)
    if run.keeps("override"):
        assert run.counts(override=refused, signal=0)
