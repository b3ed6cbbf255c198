"""What a run writes: whole or not at all, for its owner's eyes alone, and told in a sentence where it cannot be.

A file is written beside its place and then put there, so whoever reads it never sees half of one, whatever happens:
a full disk, an interrupt, a kill. Evidence may hold what is nobody else's business, so files get mode 0600.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tetraproof.errors import OutputError

#: Of folders that hold what a run observed.
PRIVATE = 0o700
#: What to do where something cannot be written.
ROOM = "make room there, or name another folder (REPORTS=, RECORD=)"


def folder(path: Path) -> Path:
    """`path`, made with mode 0700 where it was not there. Raises `OutputError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=PRIVATE, exist_ok=True)
    except (OSError, ValueError) as error:  # a name with a NUL in it
        raise _cannot(path, error) from error
    return path


def new_folder(path: Path) -> Path:
    """A folder that was not there: `path`, or beside one that is there the next of `path-2`, `path-3`, …, mode 0700.

    Of two runs that begin in one second each has its own. Raises `OutputError`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made, number = path, 1
        while True:
            try:
                made.mkdir(mode=PRIVATE)
            except FileExistsError:
                number += 1
                made = path.with_name(f"{path.name}-{number}")
            else:
                return made
    except (OSError, ValueError) as error:
        raise _cannot(path, error) from error


def write(path: Path, content: bytes | str) -> None:
    """Put a file at `path`, in the place of one that is there, with mode 0600. Raises `OutputError`.

    Nothing is left of it where it could not be written whole.
    """
    data = content.encode() if isinstance(content, str) else content
    beside = ""
    try:
        # made with mode 0600
        handle, beside = tempfile.mkstemp(prefix=f".{path.name[:60]}-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(beside).replace(path)
    except BaseException as error:  # an interrupt as well leaves nothing half written
        with suppress(OSError):
            if beside:
                Path(beside).unlink()
        if isinstance(error, OSError | ValueError):
            raise _cannot(path, error) from error
        raise


@contextmanager
def staged(files: Mapping[str, bytes], path: Path) -> Iterator[Path]:
    """A folder of these files, by their paths with slashes, that takes the place of `path` when the block ends well.

    It is a folder beside it until then, and is gone where the block fails. Raises `OutputError`.
    """
    made: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # made with mode 0700
        made = Path(tempfile.mkdtemp(prefix=f".{path.name[:60]}-", dir=path.parent))
        for name, content in files.items():
            _make(made, name, content)
        yield made
        _put(made, path)
    except OSError as error:
        raise _cannot(path, error) from error
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)


def _make(within: Path, name: str, content: bytes) -> None:
    """A new file in a folder, with the folders that its name has."""
    *folders, own = name.split("/")
    for one in folders:
        within = within / one
        within.mkdir(mode=PRIVATE, exist_ok=True)
    new = os.open(within / own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(new, "wb") as file:
        file.write(content)


def _put(made: Path, path: Path) -> None:
    """Put a folder in the place of another, which stays where that fails."""
    if not path.exists():
        made.rename(path)
        return
    before = made.with_name(f"{made.name}-before")
    path.rename(before)
    try:
        made.rename(path)
    except BaseException:
        before.rename(path)
        raise
    shutil.rmtree(before)


def _cannot(path: Path, error: Exception) -> OutputError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return OutputError(f"{path} cannot be written: {why}.", remedy=ROOM)
