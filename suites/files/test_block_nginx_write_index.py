"""Only cat may open what nginx serves; sed, vi and all else are killed, nginx itself is exempt."""

from collections.abc import Callable

from fixtures import Acts, Exactly, Exit, Kprobe, Run, command, finding, policy, shell
from suites.files.nginx import (
    APPEND,
    CAT,
    COPIED_CAT,
    FRESH,
    HEAD,
    HTML,
    NGINX,
    OPENED,
    OPENED_BESIDE,
    PAGE,
    SED,
    SERVED,
    VI,
)
from suites.findings import PID_0_EXEMPTS_EVERYTHING, WORKERS_ARE_KILLED

# the guide's own form, and the same with followForks: both promise the same
pytestmark = policy("block-nginx-write-index", "block-nginx-write-index-follow-forks")

acts = Acts(
    fresh=FRESH,
    cat=CAT,
    sed=SED,
    cat_after=CAT,
    vi=VI,
    append=APPEND,
    new_file=shell(f"echo x > {HTML}new.html", pod="nginx"),
    head=HEAD,
    outside=shell("echo x > /tmp/outside && cat /tmp/outside", pod="nginx"),
    copied_cat=COPIED_CAT,
    served=SERVED,
    served_again=SERVED,
    workers=command("ps", "-eo", "pid,ppid,comm", pod="nginx"),
)
KILLED_WORKER = OPENED.by(NGINX)


def unguarded(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Known of the form with followForks: the act reaches its end, and no event tells of it."""

    def shows(run: Run) -> bool:
        act = getattr(run, name)
        return (act.exited(0) or act.exited(1)) and Kprobe("fd_install") not in act.timeline

    return finding(PID_0_EXEMPTS_EVERYTHING, shows, of="block-nginx-write-index-follow-forks")


def worker_killed(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Known of the guide's form: the worker that would have answered is killed, and curl is left without an answer."""

    def shows(run: Run) -> bool:
        act = getattr(run, name)
        # an empty reply, or a connection that was reset
        return (act.exited(52) or act.exited(56)) and KILLED_WORKER in act.surroundings

    return finding(WORKERS_ARE_KILLED, shows)


def test_cat_is_allowed(run: Run) -> None:
    """The one program on the list reads the page, and no enforcement is reported."""
    assert run.cat.printed(PAGE)
    assert Kprobe("fd_install") not in run.cat.timeline


@unguarded("sed")
def test_sed_is_killed(run: Run) -> None:
    """Editing the page by sed is killed."""
    assert run.sed.killed
    assert Exactly(1, OPENED.by("/usr/bin/sed")) in run.sed.timeline


@finding(
    PID_0_EXEMPTS_EVERYTHING,
    lambda run: run.sed.succeeded and run.cat_after.printed("bye-index\n"),
    of="block-nginx-write-index-follow-forks",
)
def test_the_page_is_unchanged(run: Run) -> None:
    """After sed the page is what it was, and cat may still read it."""
    assert run.cat_after.printed(PAGE)
    assert Kprobe("fd_install") not in run.cat_after.timeline


@unguarded("vi")
def test_vi_is_killed(run: Run) -> None:
    """Editing the page by vi is killed."""
    assert run.vi.killed
    assert Exactly(1, OPENED.by("/usr/bin/vi")) in run.vi.timeline


@unguarded("append")
def test_appending_is_killed(run: Run) -> None:
    """Appending to the page from a shell is killed."""
    assert run.append.killed
    assert Exactly(1, OPENED.by("/usr/bin/bash")) in run.append.timeline


@unguarded("new_file")
def test_a_new_page_is_killed(run: Run) -> None:
    """Making another file in the guarded directory is killed."""
    assert run.new_file.killed
    assert Exactly(1, OPENED_BESIDE.by("/usr/bin/bash")) in run.new_file.timeline


@unguarded("head")
def test_reading_by_another_program_is_killed(run: Run) -> None:
    """Whatever is not on the list may not even read."""
    assert run.head.killed
    assert Exactly(1, OPENED.by("/usr/bin/head")) in run.head.timeline


@unguarded("copied_cat")
def test_a_copy_of_cat_is_killed(run: Run) -> None:
    """A copy of cat under another name is not on the list."""
    assert run.copied_cat.killed
    assert Exit("/usr/bin/cp", status=0) in run.copied_cat.timeline
    assert Exactly(1, OPENED.by("/tmp/cat2")) in run.copied_cat.timeline


def test_files_elsewhere_are_free(run: Run) -> None:
    """Outside of the guarded directory nothing is enforced."""
    assert run.outside.printed("x\n")
    assert Kprobe("fd_install") not in run.outside.timeline


@worker_killed("served")
def test_nginx_serves_while_it_is_guarded(run: Run) -> None:
    """The page is served: nginx itself is exempt, its workers included."""
    assert run.served.succeeded
    assert KILLED_WORKER not in run.served.surroundings


@worker_killed("served_again")
def test_nginx_serves_again(run: Run) -> None:
    """The page is served a second time: what was exempt once stays so."""
    assert run.served_again.succeeded
    assert KILLED_WORKER not in run.served_again.surroundings


def test_the_value_1_exempts_the_master(run: Run) -> None:
    """PID 1 of the container, nginx's master, lives through it all."""
    assert run.workers.said("    1     0 nginx\n")


@unguarded("head")
def test_the_value_0_exempts_nobody_that_is_let_in(run: Run) -> None:
    """A program that kubectl exec starts has PID 0 for a parent (ps shows it) and is not exempt for that."""
    assert run.workers.said("     0 ps\n")
    assert run.head.killed


def test_every_kill_is_counted(run: Run) -> None:
    """The agent's own counter of enforcements agrees with what it reported."""
    assert run.counts(enforce=run.reported(OPENED_BESIDE))
