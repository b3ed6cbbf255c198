"""Corrected: nginx and its workers are exempt and the site is served; of all else only cat may open the page."""

from fixtures.nginx import CORRECTION_ACTS, EDITED, NGINX, OPENED, OPENED_BESIDE, PAGE
from tetraproof.suite import Exactly, Exit, Kprobe, Run, limit, policy

# two corrections that promise the same: nginx exempt by its PID and descent, or by its binary
pytestmark = policy("block-nginx-write-index-pid-1-only", "block-nginx-write-index-exempt-nginx")

acts = CORRECTION_ACTS


def test_cat_is_allowed(run: Run) -> None:
    """The one program on the list reads the page, and no enforcement is reported."""
    assert run.cat.printed(PAGE)
    assert run.cat.succeeded
    assert Kprobe("fd_install") not in run.cat.timeline


def test_reading_by_another_program_is_killed(run: Run) -> None:
    """Whatever is not on the list may not even read."""
    assert run.head.killed
    assert Exactly(1, OPENED.by("/usr/bin/head")) in run.head.timeline


def test_sed_is_killed(run: Run) -> None:
    """Editing the page by sed is killed."""
    assert run.sed.killed
    assert Exactly(1, OPENED.by("/usr/bin/sed")) in run.sed.timeline
    assert run.left_by_sed.printed(PAGE)


def test_vi_is_killed(run: Run) -> None:
    """Editing the page by vi is killed."""
    assert run.vi.killed
    assert Exactly(1, OPENED.by("/usr/bin/vi")) in run.vi.timeline
    assert run.left_by_vi.printed(PAGE)


def test_appending_is_killed(run: Run) -> None:
    """Appending to the page from a shell is killed."""
    assert run.append.killed
    assert Exactly(1, OPENED.by("/usr/bin/bash")) in run.append.timeline
    assert run.left_by_append.printed(PAGE)


def test_truncating_is_killed(run: Run) -> None:
    """Truncating a file in the guarded directory opens it, and is killed."""
    assert run.truncated.killed
    assert Exactly(1, OPENED_BESIDE.by("/usr/bin/bash")) in run.truncated.timeline


def test_a_copy_of_cat_is_killed(run: Run) -> None:
    """A copy of cat under another name is not on the list."""
    assert run.copied_cat.killed
    assert Exit("/usr/bin/cp", status=0) in run.copied_cat.timeline
    assert Exactly(1, OPENED.by("/tmp/cat2")) in run.copied_cat.timeline


def test_cat_is_allowed_to_the_end(run: Run) -> None:
    """After all that was tried cat may still read the page, whatever the impostor has made of it."""
    assert run.cat_after.printed(PAGE, EDITED)
    assert run.cat_after.succeeded
    assert Kprobe("fd_install") not in run.cat_after.timeline


def test_nginx_serves_while_it_is_guarded(run: Run) -> None:
    """The page is served: nginx itself is exempt, its workers included."""
    assert run.served.printed_as(run.cat_after)
    assert run.served.succeeded
    assert OPENED.by(NGINX) not in run.served.surroundings


def test_nginx_serves_again(run: Run) -> None:
    """The page is served a second time: what was exempt once stays so."""
    assert run.served_again.printed_as(run.cat_after)
    assert run.served_again.succeeded
    assert OPENED.by(NGINX) not in run.served_again.surroundings


def test_every_kill_is_counted(run: Run) -> None:
    """The agent's own counter of enforcements agrees with what it reported."""
    assert run.counts(enforce=run.reported(OPENED_BESIDE))


@limit("cat overwritten by another program")
def test_an_impostor_under_the_name_of_cat(run: Run) -> None:
    """The list names a path, not a program: whoever may overwrite /usr/bin/cat edits the page by its name."""
    assert run.impostor.stopped


@limit("rename into place")
def test_a_file_renamed_into_the_guarded_directory(run: Run) -> None:
    """A file made elsewhere can be moved into the guarded directory."""
    assert run.renamed.stopped
