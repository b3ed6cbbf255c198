"""Opening /tmp/tetragon is killed; opening anything else is left alone."""

from tetraproof.suite import (
    Acts,
    Exactly,
    Exec,
    Exit,
    InOrder,
    Kprobe,
    Run,
    command,
    limit,
    look,
    policy,
    prepare,
    shell,
    typed,
)

pytestmark = policy("block-fd-install")

#: What a writer left in the guarded file, right after it was stopped.
LEFT = look(command("stat", "-c", "%s", "/tmp/tetragon"))
EMPTY = "0\n"
KEYS = ("echo 'foo' > /tmp/bar", "echo still here", "echo 'foo' > /tmp/tetragon", "echo not reached")
acts = Acts(
    clean=prepare(shell("rm -f /tmp/{bar,tetragon,tetragon2,link,hard,x}")),
    bar=shell("echo 'foo' > /tmp/bar"),
    guarded=shell("echo 'foo' > /tmp/tetragon"),
    size=command("stat", "-c", "%s", "/tmp/tetragon"),
    read=command("cat", "/tmp/tetragon"),
    relative=shell("cd /tmp; echo foo > tetragon"),
    left_by_relative=LEFT,
    symlink=shell("ln -sf /tmp/tetragon /tmp/link; echo foo > /tmp/link"),
    left_by_symlink=LEFT,
    lookalike=shell("echo foo > /tmp/tetragon2"),
    elsewhere=shell("mkdir -p /root/tmp; echo foo > /root/tmp/tetragon"),
    child=shell("dd if=/dev/zero of=/tmp/tetragon bs=1 count=1 2>/dev/null; echo parent survives with $?"),
    left_by_child=LEFT,
    piped=typed(*KEYS),
    left_by_piped=LEFT,
    terminal=typed(*KEYS, tty=True),
    left_by_terminal=LEFT,
    proc_root=shell("echo foo > /proc/self/root/tmp/tetragon"),
    left_by_proc_root=LEFT,
    hard_link=shell("ln /tmp/tetragon /tmp/hard && echo foo > /tmp/hard && stat -c %s /tmp/tetragon"),
    exit_137=shell("exit 137"),
    renamed=shell("echo foo > /tmp/x && mv /tmp/x /tmp/tetragon && echo moved"),
)
GUARDED = Kprobe("fd_install", file="/tmp/tetragon", action="SIGKILL")
BY_BASH = GUARDED.by("/usr/bin/bash")
ENDED = Exit("/usr/bin/bash", signal="SIGKILL")


def test_writing_the_guarded_file_is_killed(run: Run) -> None:
    """Writing the guarded file ends the shell with SIGKILL, and the agent reports it once, in its turn."""
    assert run.guarded.killed
    assert InOrder(Exec("/usr/bin/bash"), BY_BASH, ENDED) in run.guarded.timeline
    assert Exactly(1, GUARDED) in run.guarded.timeline


def test_nothing_is_written(run: Run) -> None:
    """The killed writer leaves nothing in the guarded file."""
    assert run.size.printed(EMPTY)


def test_reading_the_guarded_file_is_killed(run: Run) -> None:
    """Reading the guarded file is killed as well: it is opened all the same."""
    assert run.read.killed
    assert Exactly(1, GUARDED.by("/usr/bin/cat")) in run.read.timeline


def test_a_relative_path_is_killed(run: Run) -> None:
    """The guarded file is guarded by whatever path it is opened: relative to its directory."""
    assert run.relative.killed
    assert Exactly(1, BY_BASH) in run.relative.timeline
    assert run.left_by_relative.printed(EMPTY)


def test_a_symlink_is_killed(run: Run) -> None:
    """The guarded file is guarded behind a symbolic link."""
    assert run.symlink.killed
    assert Exit("/usr/bin/ln", status=0) in run.symlink.timeline
    assert Exactly(1, BY_BASH) in run.symlink.timeline
    assert run.left_by_symlink.printed(EMPTY)


def test_a_path_through_proc_is_killed(run: Run) -> None:
    """The guarded file is guarded behind /proc/self/root."""
    assert run.proc_root.killed
    assert Exactly(1, BY_BASH) in run.proc_root.timeline
    assert run.left_by_proc_root.printed(EMPTY)


def test_a_child_is_killed_and_its_shell_survives(run: Run) -> None:
    """Only the process that opens the file is killed, not the shell that started it."""
    assert run.child.printed("parent survives with 137\n")
    assert InOrder(GUARDED.by("/usr/bin/dd"), Exit("/usr/bin/dd", signal="SIGKILL")) in run.child.timeline
    assert Exactly(1, GUARDED) in run.child.timeline
    assert Exit("/usr/bin/bash", status=0) in run.child.timeline
    assert run.left_by_child.printed(EMPTY)


def test_an_interactive_shell_is_killed(run: Run) -> None:
    """A shell that reads its commands lives through /tmp/bar and ends at /tmp/tetragon."""
    assert run.piped.killed_after("still here\n")
    assert Exactly(1, BY_BASH) in run.piped.timeline
    assert run.left_by_piped.printed(EMPTY)


def test_a_shell_in_a_terminal_is_killed(run: Run) -> None:
    """So does a shell in a terminal, as the guide shows it."""
    assert run.terminal.killed_after("still here")
    assert Exactly(1, BY_BASH) in run.terminal.timeline
    assert run.left_by_terminal.printed(EMPTY)


def test_writing_another_file_goes_through(run: Run) -> None:
    """Writing any other file succeeds and reports no enforcement."""
    assert run.bar.succeeded
    assert Kprobe("fd_install") not in run.bar.timeline


def test_a_name_that_only_begins_alike_is_free(run: Run) -> None:
    """A file whose name begins with the guarded one's is left alone."""
    assert run.lookalike.succeeded
    assert Kprobe("fd_install") not in run.lookalike.timeline


def test_the_same_name_in_another_directory_is_free(run: Run) -> None:
    """A file of the same name elsewhere is left alone."""
    assert run.elsewhere.succeeded
    assert Exit("/usr/bin/mkdir", status=0) in run.elsewhere.timeline
    assert Kprobe("fd_install") not in run.elsewhere.timeline


def test_ending_with_137_by_itself_is_no_kill(run: Run) -> None:
    """A process that exits with 137 by itself is not taken for a killed one."""
    assert run.exit_137.exited(137)
    assert Kprobe("fd_install") not in run.exit_137.timeline


def test_compact_shows_the_kill(run: Run) -> None:
    """`getevents -o compact` shows the exec, the open of the guarded file, and the exit by SIGKILL."""
    assert run.guarded.shown(
        "🚀 process {probe.pod} /usr/bin/bash -c \"echo 'foo' > /tmp/tetragon\"",
        "📬 open    {probe.pod} /usr/bin/bash /tmp/tetragon",
        "💥 exit    {probe.pod} /usr/bin/bash -c \"echo 'foo' > /tmp/tetragon\" SIGKILL",
    )


def test_every_kill_is_counted(run: Run) -> None:
    """The agent's own counter of enforcements agrees with what it reported."""
    killed = run.reported(GUARDED)
    assert run.counts(enforce=killed)
    if run.keeps("signal"):
        assert run.counts(signal=killed, override=0)


@limit("hard link")
def test_a_hard_link_to_the_guarded_file(run: Run) -> None:
    """The guarded file can be written through a hard link, which is another path."""
    assert run.hard_link.stopped


@limit("rename into place")
def test_a_file_renamed_onto_the_guarded_path(run: Run) -> None:
    """A file made elsewhere can be moved onto the guarded path."""
    assert run.renamed.stopped
