"""A folder of files read into memory, from whoever it may come.

Only what is a file in the folder itself is read: a symbolic link may lead out of
it, a device or a pipe may never end, and a name may steer the terminal that an
error is printed on.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tetraproof.errors import RecordingError
from tetraproof.text import safe

#: Bytes of one file, and of all of them: they are held in memory. The largest that is shipped has 0.1 MB.
MOST_OF_A_FILE = 128 * 1024 * 1024
MOST_IN_ALL = 512 * 1024 * 1024
#: More files than this, or folders in one another, are no recording.
MOST_FILES = 100_000
DEEPEST = 32
_LONGEST_NAME = 255
_UNREADABLE = "make it readable, or copy the recording again"


def read(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path there with slashes, in order. Raises `RecordingError`."""
    files: dict[str, bytes] = {}
    left = MOST_IN_ALL
    for path in sorted(_below(folder, "", 0)):
        content = read_file(folder / path, f"{safe(folder.name)}/{safe(path)}")
        left -= len(content)
        if left < 0:
            raise RecordingError(
                f"{safe(folder.name)} holds more than {_size(MOST_IN_ALL)}.",
                remedy="leave out what is no part of a recording, or record fewer scenarios at a time",
            )
        files[path] = content
    return files


def read_file(path: Path, shown: str) -> bytes:
    """The content of a file that is no link, device or pipe; `shown` is its name. Raises `RecordingError`."""
    try:
        # neither through a link nor waiting for whoever writes into a pipe
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            raise _no_file(shown, "a symbolic link") from error
        raise RecordingError(f"{shown} cannot be read: {error.strerror}.", remedy=_UNREADABLE) from error
    with os.fdopen(opened, "rb") as file:
        about = os.fstat(opened)
        if not stat.S_ISREG(about.st_mode):
            raise _no_file(shown, "no plain file")
        # what grows meanwhile is not read on
        content = file.read(MOST_OF_A_FILE + 1) if about.st_size <= MOST_OF_A_FILE else None
    if content is None or len(content) > MOST_OF_A_FILE:
        raise RecordingError(
            f"{shown} is larger than {_size(MOST_OF_A_FILE)}.", remedy="record fewer scenarios at a time"
        )
    return content


def fault_of_name(name: str) -> str:
    """Why a name can be none of a file, a scenario or a node, in a clause; nothing where it can."""
    if not name:
        return "it is empty"
    if name in {".", ".."} or "/" in name or "\\" in name:
        return "it leads to another folder"
    if not name.isprintable():
        return "it holds characters that cannot be printed"
    return "it is too long" if len(name.encode()) > _LONGEST_NAME else ""


def fault_of_path(path: str) -> str:
    """Why a path with slashes is none of a file inside of a folder, in a clause; nothing where it is one."""
    if path.startswith("/"):
        return "it is absolute"
    return next((fault for part in path.split("/") if (fault := fault_of_name(part))), "")


def _below(folder: Path, inside: str, depth: int, seen: list[int] | None = None) -> Iterator[str]:
    """The paths of all files below a folder; what is neither file nor folder is refused."""
    seen = seen if seen is not None else [0]
    shown = safe(folder.name)
    if depth > DEEPEST:
        raise RecordingError(f"{shown}: folders lie more than {DEEPEST} deep in one another.", remedy="remove them")
    try:
        entries = list(os.scandir(folder / inside))
    except OSError as error:
        raise RecordingError(f"{shown}/{safe(inside)} cannot be read: {error.strerror}.", remedy=_UNREADABLE) from error
    for entry in entries:
        path = f"{inside}/{entry.name}" if inside else entry.name
        seen[0] += 1
        if seen[0] > MOST_FILES:
            raise RecordingError(
                f"{shown} holds more than {MOST_FILES} files and folders.", remedy="name the folder of one recording"
            )
        if fault := fault_of_name(entry.name):
            raise RecordingError(
                f"{shown}: {safe(path)} is no name of a recording's file: {fault}.", remedy="rename or remove it"
            )
        if entry.is_symlink():
            raise _no_file(f"{shown}/{safe(path)}", "a symbolic link")
        if entry.is_dir(follow_symlinks=False):
            yield from _below(folder, path, depth + 1, seen)
        elif entry.is_file(follow_symlinks=False):
            yield path
        else:
            raise _no_file(f"{shown}/{safe(path)}", "no plain file")


def _no_file(shown: str, what: str) -> RecordingError:
    return RecordingError(
        f"{shown} is {what}, and a recording holds plain files only.", remedy="put the file itself there, or remove it"
    )


def _size(count: int) -> str:
    return f"{count // (1024 * 1024)} MiB"
