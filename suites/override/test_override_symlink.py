"""A system call is overridden: a symbolic link to /etc/passwd is refused with EPERM."""

from tetraproof.suite import Acts, Exactly, Exit, Kprobe, Run, command, look, policy, prepare, shell

pytestmark = policy("override-symlink")

acts = Acts(
    clean=prepare(command("rm", "-f", "/tmp/l1", "/tmp/l2")),
    guarded=command("ln", "-s", "/etc/passwd", "/tmp/l1"),
    left=look(shell("test -L /tmp/l1; echo $?")),
    other=command("ln", "-s", "/etc/hostname", "/tmp/l2"),
    made=look(command("readlink", "/tmp/l2")),
)
HOOK = "sys_symlinkat"
REFUSED = Kprobe(HOOK, arg0="/etc/passwd", action="OVERRIDE")


def test_linking_the_guarded_file_is_refused(run: Run) -> None:
    """The link is refused with EPERM, reported as an override, and ln lives to say so."""
    assert run.guarded.denied
    assert Exactly(1, REFUSED.by("/usr/bin/ln").having(arg2="/tmp/l1")) in run.guarded.timeline
    assert Exit("/usr/bin/ln", status=1) in run.guarded.timeline
    assert run.left.printed("1\n")


def test_other_links_are_free(run: Run) -> None:
    """A link to another file is made, and no enforcement is reported."""
    assert run.other.succeeded
    assert Kprobe(HOOK) not in run.other.timeline
    assert run.made.printed("/etc/hostname\n")


def test_every_refusal_is_counted(run: Run) -> None:
    """The agent's own counter of enforcements agrees with what it reported."""
    refused = run.reported(REFUSED)
    assert run.counts(enforce=refused)
    if run.keeps("override"):
        assert run.counts(override=refused, signal=0)
