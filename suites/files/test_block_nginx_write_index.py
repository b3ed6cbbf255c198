"""Only cat may open what nginx serves; sed, vi and all else are killed, nginx itself is exempt."""

from fixtures.findings import PID_0_EXEMPTS_EVERYTHING
from fixtures.nginx import (
    APPEND,
    APPENDED,
    CAT,
    COPIED_CAT,
    EDITED,
    FRESH,
    HEAD,
    HTML,
    KILLED_WORKER,
    LEFT,
    OPENED,
    OPENED_BESIDE,
    PAGE,
    SED,
    SERVED,
    VI,
    edited,
    head_read,
    unguarded,
    worker_killed,
)
from tetraproof.suite import Acts, Exactly, Exit, Kprobe, Run, command, finding, look, policy, shell

# the guide's own form, and the same with followForks: both promise the same
pytestmark = policy("block-nginx-write-index", "block-nginx-write-index-follow-forks")

acts = Acts(
    fresh=FRESH,
    cat=CAT,
    sed=SED,
    cat_after=CAT,
    vi=VI,
    left_by_vi=LEFT,
    append=APPEND,
    left_by_append=LEFT,
    new_file=shell(f"echo x > {HTML}new.html", pod="nginx"),
    left_by_new_file=look(command("stat", "-c", "%s", f"{HTML}new.html", pod="nginx")),
    head=HEAD,
    outside=shell("echo x > /tmp/outside && cat /tmp/outside", pod="nginx"),
    copied_cat=COPIED_CAT,
    served=SERVED,
    served_again=SERVED,
    workers=command("ps", "-eo", "pid,ppid,comm", pod="nginx"),
)


def test_cat_is_allowed(run: Run) -> None:
    """The one program on the list reads the page, and no enforcement is reported."""
    assert run.cat.printed(PAGE)
    assert run.cat.succeeded
    assert Kprobe("fd_install") not in run.cat.timeline


@unguarded("sed", edited)
def test_sed_is_killed(run: Run) -> None:
    """Editing the page by sed is killed."""
    assert run.sed.killed
    assert Exactly(1, OPENED.by("/usr/bin/sed")) in run.sed.timeline


@finding(
    PID_0_EXEMPTS_EVERYTHING,
    edited,
    of="block-nginx-write-index-follow-forks",
)
def test_the_page_is_unchanged(run: Run) -> None:
    """After sed the page is what it was, and cat may still read it."""
    assert run.cat_after.printed(PAGE)
    assert run.cat_after.succeeded
    assert Kprobe("fd_install") not in run.cat_after.timeline


@unguarded("vi", lambda run: run.vi.exited(1) and run.vi.free and edited(run) and run.left_by_vi.printed(EDITED))
def test_vi_is_killed(run: Run) -> None:
    """Editing the page by vi is killed."""
    assert run.vi.killed
    assert Exactly(1, OPENED.by("/usr/bin/vi")) in run.vi.timeline
    assert run.left_by_vi.printed(PAGE)


@unguarded(
    "append",
    lambda run: run.append.succeeded and run.left_by_append.printed(APPENDED) and run.served.printed(APPENDED),
)
def test_appending_is_killed(run: Run) -> None:
    """Appending to the page from a shell is killed."""
    assert run.append.killed
    assert Exactly(1, OPENED.by("/usr/bin/bash")) in run.append.timeline
    assert run.left_by_append.printed(PAGE)


@unguarded("new_file", lambda run: run.new_file.succeeded and run.left_by_new_file.printed("2\n"))
def test_a_new_page_is_killed(run: Run) -> None:
    """Making another file in the guarded directory is killed."""
    assert run.new_file.killed
    assert Exactly(1, OPENED_BESIDE.by("/usr/bin/bash")) in run.new_file.timeline
    assert run.left_by_new_file.printed("0\n")


@unguarded("head", head_read)
def test_reading_by_another_program_is_killed(run: Run) -> None:
    """Whatever is not on the list may not even read."""
    assert run.head.killed
    assert Exactly(1, OPENED.by("/usr/bin/head")) in run.head.timeline


@unguarded("copied_cat", lambda run: run.copied_cat.printed(APPENDED) and run.copied_cat.succeeded)
def test_a_copy_of_cat_is_killed(run: Run) -> None:
    """A copy of cat under another name is not on the list."""
    assert run.copied_cat.killed
    assert Exit("/usr/bin/cp", status=0) in run.copied_cat.timeline
    assert Exactly(1, OPENED.by("/tmp/cat2")) in run.copied_cat.timeline


def test_files_elsewhere_are_free(run: Run) -> None:
    """Outside of the guarded directory nothing is enforced."""
    assert run.outside.printed("x\n")
    assert run.outside.succeeded
    assert Kprobe("fd_install") not in run.outside.timeline


@worker_killed("served")
def test_nginx_serves_while_it_is_guarded(run: Run) -> None:
    """The page is served: nginx itself is exempt, its workers included."""
    # the page itself, or what the form that guards nothing let become of it
    assert run.served.printed(PAGE, APPENDED)
    assert run.served.succeeded
    assert KILLED_WORKER not in run.served.surroundings


@worker_killed("served_again")
def test_nginx_serves_again(run: Run) -> None:
    """The page is served a second time: what was exempt once stays so."""
    # the page itself, or what the form that guards nothing let become of it
    assert run.served_again.printed(PAGE, APPENDED)
    assert run.served_again.succeeded
    assert KILLED_WORKER not in run.served_again.surroundings


def test_the_value_1_exempts_the_master(run: Run) -> None:
    """PID 1 of the container, nginx's master, lives through it all."""
    assert run.workers.said("    1     0 nginx\n")
    assert run.workers.succeeded


@unguarded("head", head_read)
def test_the_value_0_exempts_nobody_that_is_let_in(run: Run) -> None:
    """A program that kubectl exec starts has PID 0 for a parent (ps shows it) and is not exempt for that."""
    assert run.workers.said("     0 ps\n")
    assert run.head.killed


def test_every_kill_is_counted(run: Run) -> None:
    """The agent's own counter of enforcements agrees with what it reported."""
    assert run.counts(enforce=run.reported(OPENED_BESIDE))
