"""What a run writes is whole or not there, and its owner's alone."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tetraproof import filing
from tetraproof.errors import OutputError

FILES = {"a": b"one", "b/c/d": b"two"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def full_disk() -> Iterator[None]:
    """No file grows beyond a hundred bytes; not around a whole test, since pytest writes its dots to a file as well."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Whatever stood there before, and whatever the umask says."""
    path = tmp_path / "verdicts.json"
    path.write_bytes(b"old")
    path.chmod(0o644)
    before = os.umask(0)
    try:
        filing.write(path, "new")
    finally:
        os.umask(before)
    assert (path.read_bytes(), mode(path), left(tmp_path)) == (b"new", 0o600, ["verdicts.json"])


def test_a_folder_is_its_owners_alone(tmp_path: Path) -> None:
    """One that was there keeps its mode."""
    assert mode(filing.folder(tmp_path / "reports/run")) == 0o700
    tmp_path.chmod(0o755)
    assert mode(filing.folder(tmp_path)) == 0o755


def test_on_a_full_disk_the_old_file_stays(tmp_path: Path) -> None:
    """It is told in a sentence, and nothing half written is left."""
    path = tmp_path / "verdicts.json"
    filing.write(path, "old")
    told = r"verdicts\.json cannot be written: File too large\.\n  to mend it: make room"
    with full_disk(), pytest.raises(OutputError, match=told):
        filing.write(path, "x" * 101)
    assert (path.read_bytes(), left(tmp_path)) == (b"old", ["verdicts.json"])


def test_on_a_full_disk_the_old_folder_stays(tmp_path: Path) -> None:
    """The whole of it."""
    with filing.staged(FILES, tmp_path / "kept"):
        pass
    with (
        full_disk(),
        pytest.raises(OutputError, match="kept cannot be written: File too large"),
        filing.staged({**FILES, "e": b"x" * 101}, tmp_path / "kept"),
    ):
        pass
    assert left(tmp_path) == ["kept"]
    assert (tmp_path / "kept/b/c/d").read_bytes() == b"two"
    assert not (tmp_path / "kept/e").exists()


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), MemoryError(), OSError(errno.ENOSPC, "No space left on device")]
)
@pytest.mark.parametrize("call", ["fdopen", "replace"])
def test_whatever_ends_it_leaves_nothing_half_written(
    call: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt is an interrupt still."""

    def fail(*_: object, **__: object) -> None:
        raise error

    path = tmp_path / "index.html"
    filing.write(path, "old")
    with monkeypatch.context() as patched:
        patched.setattr(*((os, "fdopen") if call == "fdopen" else (Path, "replace")), fail)
        with pytest.raises(OutputError if isinstance(error, OSError) else type(error)):
            filing.write(path, "new")
    assert (path.read_text(), left(tmp_path)) == ("old", ["index.html"])


def test_a_folder_takes_the_place_of_another_at_once(tmp_path: Path) -> None:
    """With modes for nobody else; what is checked meanwhile is checked beside it."""
    place = tmp_path / "kept"
    (place / "old").mkdir(parents=True)
    with filing.staged(FILES, place) as made:
        assert (place / "old").exists()
        assert (made / "a").read_bytes() == b"one"
    assert left(place) == ["a", "b"]
    assert [mode(place), mode(place / "b"), mode(place / "b/c/d")] == [0o700, 0o700, 0o600]
    assert left(tmp_path) == ["kept"]


def test_where_the_block_fails_nothing_was_done(tmp_path: Path) -> None:
    """Its error goes on."""
    with pytest.raises(ZeroDivisionError), filing.staged(FILES, tmp_path / "kept"):
        raise ZeroDivisionError
    assert left(tmp_path) == []


@pytest.mark.parametrize("path", ["file/run", "n" * 300, "nul\0"])
def test_a_place_that_is_none_is_told(path: str, tmp_path: Path) -> None:
    """In a sentence that names it."""
    (tmp_path / "file").write_bytes(b"")
    for attempt in (lambda: filing.write(tmp_path / path / "x", "y"), lambda: filing.folder(tmp_path / path)):
        with pytest.raises(OutputError, match="cannot be written: "):
            attempt()


def test_of_two_that_begin_at_once_each_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """The second is named after the first, and neither sees the other's files."""
    path = tmp_path / "reports/20261127-163438-standalone"
    made = [filing.new_folder(path) for _ in range(3)]
    assert [one.name for one in made] == [path.name, f"{path.name}-2", f"{path.name}-3"]
    assert {mode(one) for one in made} == {0o700}


def test_where_no_folder_can_be_made_that_is_said(tmp_path: Path) -> None:
    """A file stands where its folder should be."""
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(OutputError, match="reports/run cannot be written"):
        filing.new_folder(tmp_path / "reports/run")
