"""What a run holds of this machine beyond its own folder: noted before it is made, so that a killed run's is found.

A note lies under the user's own state directory. As long as its run lives it is locked, and the kernel lets go of the
lock whatever ends the run: a note that nobody holds is of a run that is gone. No process number can be mistaken.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from tetraproof.errors import UsageError


def root() -> Path:
    """The folder of all notes; `XDG_STATE_HOME` moves it."""
    return user_state_path("tetraproof")


class Note:
    """A note that is held by this run: what it says is in `told`, as whoever held it before left it.

    `what` names what is noted, as a noun; `kind` and `name` are its file's.
    """

    def __init__(self, kind: str, name: str, what: str) -> None:
        """Hold it. Raises `UsageError` where another run does, and where notes cannot be written."""
        folder = root() / kind
        self.path = folder / f"{_plain(name)}.json"
        self._lock = self.path.with_suffix(".lock")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._held: int | None = _hold(self._lock)
        except OSError as error:
            raise _unwritable(folder, error) from error
        self.told = _read(self.path)
        if self._held is None:
            process = f"process {self.told['pid']}" if "pid" in self.told else "another process"
            raise UsageError(f"Another run uses {what}: {process}.", remedy="await its end, or end it")

    def write(self, **told: Any) -> None:
        """Note this instead, with our process. It is there whole, or what was there before is. Raises `UsageError`."""
        self.told = {**told, "pid": os.getpid()}
        unfinished = self.path.with_suffix(".new")
        try:
            unfinished.write_text(json.dumps(self.told, indent=1), encoding="utf-8")
            unfinished.replace(self.path)
        except OSError as error:
            raise _unwritable(self.path.parent, error) from error

    def add(self, **told: Any) -> None:
        """Note this besides."""
        self.write(**{**self.told, **told})

    def forget(self) -> None:
        """There is nothing to note any more."""
        self.told = {}
        self.path.unlink(missing_ok=True)

    def release(self) -> None:
        """Let go of it; what is noted stays."""
        if self._held is not None:
            if not self.path.exists():
                # while it is held, so that nobody holds a lock that is gone
                self._lock.unlink(missing_ok=True)
            os.close(self._held)
            self._held = None


def left(kind: str) -> Iterator[Note]:
    """The notes of a kind whose runs are gone, each held until the next is asked for."""
    for path in sorted((root() / kind).glob("*.json")):
        with suppress(UsageError):
            note = Note(kind, path.stem, path.stem)
            try:
                if note.told:
                    yield note
            finally:
                note.release()


def _unwritable(folder: Path, error: OSError) -> UsageError:
    sentence = f"{folder} cannot be written: {error.strerror}."
    return UsageError(sentence, remedy="set XDG_STATE_HOME to a folder that can")


def _plain(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "_", name)


def _hold(path: Path) -> int | None:
    """A lock on a file that is there, by its number; none where somebody else has it."""
    while True:
        number = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # whoever let go of it may have taken the file away meanwhile
            if path.exists() and os.fstat(number).st_ino == path.stat().st_ino:
                return number
        except BlockingIOError:
            os.close(number)
            return None
        except FileNotFoundError:
            pass
        os.close(number)


def _read(path: Path) -> dict[str, Any]:
    """What a note says; nothing where there is none, or none that can be read."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
