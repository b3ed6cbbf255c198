"""Corrected by what is done: whoever writes the page is killed before anything is written, whoever reads is free."""

from dirty_equals import IsStr

from fixtures.nginx import CORRECTION_ACTS, HTML, INDEX, PAGE
from tetraproof.suite import Exit, InOrder, Kprobe, Run, limit, policy

pytestmark = policy("block-nginx-write-index-by-mask")

acts = CORRECTION_ACTS
HOOK = "security_file_permission"
MAY_WRITE = 2
WRITTEN = Kprobe(HOOK, file=INDEX, mask=MAY_WRITE, action="SIGKILL")
WRITTEN_BESIDE = Kprobe(HOOK, file=IsStr(regex=f"{HTML}.+"), mask=MAY_WRITE, action="SIGKILL")


def test_cat_may_read(run: Run) -> None:
    """Cat reads the page, and no enforcement is reported."""
    assert run.cat.printed(PAGE)
    assert run.cat.succeeded
    assert Kprobe(HOOK) not in run.cat.timeline


def test_any_program_may_read(run: Run) -> None:
    """So does a program that is on no list."""
    assert run.head.printed(PAGE)
    assert run.head.succeeded
    assert Kprobe(HOOK) not in run.head.timeline


def test_a_copy_of_cat_may_read(run: Run) -> None:
    """So does a copy of cat: there is no list to be on."""
    assert run.copied_cat.printed(PAGE)
    assert run.copied_cat.succeeded
    assert Exit("/usr/bin/cp", status=0) in run.copied_cat.timeline
    assert Kprobe(HOOK) not in run.copied_cat.timeline


def test_sed_is_killed(run: Run) -> None:
    """Editing by sed is killed as it writes its copy beside the page."""
    assert run.sed.killed
    assert WRITTEN_BESIDE.by("/usr/bin/sed") in run.sed.timeline
    assert run.left_by_sed.printed(PAGE)


def test_vi_is_killed(run: Run) -> None:
    """Editing by vi is killed as it writes its swap file beside the page."""
    assert run.vi.killed
    assert WRITTEN_BESIDE.by("/usr/bin/vi") in run.vi.timeline
    assert run.left_by_vi.printed(PAGE)


def test_appending_is_killed(run: Run) -> None:
    """Appending to the page from a shell is killed."""
    assert run.append.killed
    # the hook may run twice before the kill takes effect (recorded), so once is not promised
    assert WRITTEN.by("/usr/bin/bash") in run.append.timeline
    assert run.left_by_append.printed(PAGE)


def test_an_impostor_is_killed(run: Run) -> None:
    """Another program under the name of cat is killed as it writes: names do not matter here."""
    assert run.impostor.exited(137)
    assert InOrder(WRITTEN_BESIDE.by("/usr/bin/cat"), Exit("/usr/bin/cat", signal="SIGKILL")) in run.impostor.timeline


def test_the_page_is_unchanged(run: Run) -> None:
    """After all that was tried the page is what it was."""
    assert run.cat_after.printed(PAGE)
    assert run.cat_after.succeeded
    assert Kprobe(HOOK) not in run.cat_after.timeline


def test_nginx_serves_while_it_is_guarded(run: Run) -> None:
    """The page is served as it was."""
    assert run.served.printed(PAGE)
    assert run.served.succeeded
    assert Kprobe(HOOK) not in run.served.surroundings


def test_nginx_serves_again(run: Run) -> None:
    """The page is served a second time."""
    assert run.served_again.printed(PAGE)
    assert run.served_again.succeeded
    assert Kprobe(HOOK) not in run.served_again.surroundings


def test_every_kill_is_counted(run: Run) -> None:
    """The agent's own counter of enforcements agrees with what it reported."""
    assert run.counts(enforce=run.reported(WRITTEN_BESIDE))


@limit("truncation")
def test_truncating_a_file(run: Run) -> None:
    """Truncation is no write: a file in the guarded directory can be emptied."""
    assert run.truncated.stopped


@limit("rename into place")
def test_a_file_renamed_into_the_guarded_directory(run: Run) -> None:
    """A file made elsewhere can be moved into the guarded directory."""
    assert run.renamed.stopped
