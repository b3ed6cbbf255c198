"""A system call is overridden: a symbolic link to /etc/passwd is refused with EPERM."""

from fixtures import Acts, Exactly, Exit, Kprobe, Run, command, policy, prepare

pytestmark = policy("override-symlink")

acts = Acts(
    clean=prepare(command("rm", "-f", "/tmp/l1", "/tmp/l2")),
    guarded=command("ln", "-s", "/etc/passwd", "/tmp/l1"),
    other=command("ln", "-s", "/etc/hostname", "/tmp/l2"),
)
REFUSED = Kprobe(action="OVERRIDE")


def test_linking_the_guarded_file_is_refused(run: Run) -> None:
    """The link is refused with EPERM, reported as an override, and ln lives to say so."""
    assert run.guarded.denied
    assert Exactly(1, REFUSED.by("/usr/bin/ln")) in run.guarded.timeline
    assert Exit("/usr/bin/ln", status=1) in run.guarded.timeline


def test_other_links_are_free(run: Run) -> None:
    """A link to another file is made, and no enforcement is reported."""
    assert run.other.succeeded
    assert REFUSED not in run.other.timeline


def test_every_refusal_is_counted(run: Run) -> None:
    """The agent's own counter of enforcements agrees with what it reported."""
    assert run.counts(enforce=run.reported(REFUSED))
