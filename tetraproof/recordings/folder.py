"""A folder of files read into memory, from whoever it may come; a stream that is too long for that stays where it is.

Only what is a file in the folder itself is read: a symbolic link may lead out of
it, a device or a pipe may never end, and a name may steer the terminal that an
error is printed on.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tetraproof.errors import RecordingError
from tetraproof.events.reread import LONG
from tetraproof.text import safe

#: Bytes of one file, and of all of them: they are held in memory. The largest that is shipped has 0.1 MB.
MOST_OF_A_FILE = 128 * 1024 * 1024
MOST_IN_ALL = 512 * 1024 * 1024
#: Bytes of a stream: it is read where it lies.
MOST_OF_A_STREAM = 64 << 30
_STREAMS = (".jsonl", ".compact.txt")
#: More files than this, or folders in one another, are no recording.
MOST_FILES = 100_000
DEEPEST = 32
_LONGEST_NAME = 255
_BLOCK = 1 << 20
_UNREADABLE = "make it readable, or copy the recording again"


@dataclass(frozen=True)
class Long:
    """A stream that is left where it lies, as it was when it was found: `shown` is its name in errors."""

    path: Path
    shown: str
    identity: tuple[int, ...]

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.identity[2]

    def open(self) -> BinaryIO:
        """Open it at its beginning. Raises `RecordingError` where it is another one by now."""
        opened = _opened(self.path, self.shown)
        if _identity(os.fstat(opened)) != self.identity:
            os.close(opened)
            raise RecordingError(f"{self.shown} was changed while it was judged.", remedy="judge it again, alone")
        return os.fdopen(opened, "rb")


class Files(Mapping[str, bytes]):
    """The files of a folder by their path, in order: held in memory, but for streams that are too long for that."""

    def __init__(self, held: Mapping[str, bytes], streams: Mapping[str, Long]) -> None:
        self._held = held
        self._streams = streams

    def __getitem__(self, path: str) -> bytes:
        stream = self._streams.get(path)
        if stream is None:
            return self._held[path]
        if stream.size > MOST_OF_A_FILE:
            raise _too_large(stream.shown, MOST_OF_A_FILE)
        with stream.open() as file:
            return file.read()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._held, *self._streams}))

    def __len__(self) -> int:
        return len(self._held) + len(self._streams)

    def __contains__(self, path: object) -> bool:
        return path in self._held or path in self._streams

    def without(self, path: str) -> Files:
        """All but this one."""
        return Files({name: content for name, content in self._held.items() if name != path}, self._streams)

    def stream(self, path: str) -> Long | None:
        """The stream of that path, if it is one that is not held."""
        return self._streams.get(path)


def opened(files: Mapping[str, bytes], path: str) -> tuple[BinaryIO, int]:
    """A file of these to be read from its beginning, and its size; an empty one where there is none of that path."""
    stream = files.stream(path) if isinstance(files, Files) else None
    if stream is not None:
        return stream.open(), stream.size
    content = files.get(path) or b""
    return io.BytesIO(content), len(content)


def sum_of(files: Mapping[str, bytes], path: str) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with opened(files, path)[0] as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def read(folder: Path) -> Files:
    """Every file below a folder, by its path there with slashes, in order. Raises `RecordingError`."""
    files: dict[str, bytes] = {}
    streams: dict[str, Long] = {}
    left = MOST_IN_ALL
    for path in sorted(_below(folder, "", 0)):
        shown = f"{safe(folder.name)}/{safe(path)}"
        if path.endswith(_STREAMS) and (stream := _long(folder / path, shown)) is not None:
            streams[path] = stream
            continue
        content = read_file(folder / path, shown)
        left -= len(content)
        if left < 0:
            raise RecordingError(
                f"{safe(folder.name)} holds more than {_size(MOST_IN_ALL)}.",
                remedy="leave out what is no part of a recording, or record fewer scenarios at a time",
            )
        files[path] = content
    return Files(files, streams)


def _long(path: Path, shown: str) -> Long | None:
    """A stream that is too long to hold; nothing where it is not."""
    about = path.lstat()
    if not stat.S_ISREG(about.st_mode) or about.st_size <= LONG:
        return None
    if about.st_size > MOST_OF_A_STREAM:
        raise _too_large(shown, MOST_OF_A_STREAM)
    return Long(path.absolute(), shown, _identity(about))


def _identity(about: os.stat_result) -> tuple[int, ...]:
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def read_file(path: Path, shown: str) -> bytes:
    """The content of a file that is no link, device or pipe; `shown` is its name. Raises `RecordingError`."""
    opened = _opened(path, shown)
    with os.fdopen(opened, "rb") as file:
        about = os.fstat(opened)
        # what grows meanwhile is not read on
        content = file.read(MOST_OF_A_FILE + 1) if about.st_size <= MOST_OF_A_FILE else None
    if content is None or len(content) > MOST_OF_A_FILE:
        raise _too_large(shown, MOST_OF_A_FILE)
    return content


def _opened(path: Path, shown: str) -> int:
    """A plain file, open to be read."""
    try:
        # neither through a link nor waiting for whoever writes into a pipe
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            raise _no_file(shown, "a symbolic link") from error
        raise RecordingError(f"{shown} cannot be read: {error.strerror}.", remedy=_UNREADABLE) from error
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise _no_file(shown, "no plain file")
    return opened


def _too_large(shown: str, most: int) -> RecordingError:
    return RecordingError(f"{shown} is larger than {_size(most)}.", remedy="record fewer scenarios at a time")


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
