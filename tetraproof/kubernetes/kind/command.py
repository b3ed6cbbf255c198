"""A command of kind: in a session of its own, so that the terminal's interrupt reaches the run alone, which ends it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from tetraproof.pacing.progress import Tell, silent
from tetraproof.pacing.waiting import until
from tetraproof.text import shorten

#: A line in which kind says what it is about to do, or has done.
_STEP = re.compile(r"^\s*[•✓✗]\s*(.+?)[\s.…]*$")
#: What it decorates these with.
_PICTURE = re.compile(r"[^\x20-\x7e]+")
#: Seconds that a command which is told to end is given to do so.
_ENDING = 5.0


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code, and what it printed and said."""

    code: int
    printed: str
    said: str

    @property
    def ok(self) -> bool:
        """Whether it did what it was to."""
        return self.code == 0

    @property
    def complaint(self) -> list[str]:
        """Its last words, a few lines of them."""
        lines = [line.strip() for line in self.said.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")]
        return [shorten(line, 300) for line in dict.fromkeys([*errors[:1], *lines[-5:]])]


def run(  # noqa: PLR0913 - what, where, until when, and who is told
    words: Sequence[str],
    environment: Mapping[str, str],
    seconds: float,
    *,
    what: str,
    tell: Tell = silent,
    folder: Path | None = None,
    watch: Callable[[], None] = lambda: None,
    outlived: list[int] | None = None,
) -> Done:
    """Run it to its end, `watch`ing meanwhile; its steps are told as it takes them.

    `what` names what is awaited, as a noun. Whatever interrupts this ends the command first, with all that it started;
    where `outlived` is given, only the command is ended, and its process group is noted there. Raises `Overdue`.
    """
    with TemporaryFile() as printed, TemporaryFile() as said:
        with subprocess.Popen(  # noqa: S603 - no shell
            words,
            # held as long as we live, and closed by the kernel if we are killed (making.py)
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=said,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        ) as child:
            steps = _Steps(said, tell)

            def ended() -> int | None:
                code = child.poll()
                steps.tell()
                watch()
                return code

            try:
                code = until(
                    what,
                    ended,
                    lambda code: code is not None,
                    seconds,
                    tell=tell,
                    shown=lambda _: steps.last or "nothing yet",
                    longest=0.5,
                )
            except BaseException:
                if outlived is None:
                    _end(child)
                else:
                    outlived.append(child.pid)
                    _end_alone(child)
                raise
        return Done(code or 0, _read(printed), _read(said))


class _Steps:
    """What kind says of its steps, as it comes."""

    def __init__(self, said: IO[bytes], tell: Tell) -> None:
        self._said = said
        self._tell = tell
        self._told = 0
        self.last = ""

    def tell(self) -> None:
        """Say every step that was not said yet."""
        # the last may not be whole yet
        for line in _read(self._said).split("\n")[self._told : -1]:
            self._told += 1
            found = _STEP.match(line)
            step = " ".join(_PICTURE.sub(" ", found[1]).split()).rstrip(" .") if found else ""
            if step and step != self.last:
                self.last = step
                self._tell(f"kind: {step}")


def _read(file: IO[bytes]) -> str:
    """All that was written to a file, whole lines and what follows them."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode("utf-8", "replace")


def lives(group: int) -> bool:
    """Whether anything of a process group is there."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _end_alone(child: subprocess.Popen[bytes]) -> None:
    """Have a command end itself, and leave what it started to its own end."""
    child.terminate()
    try:
        child.wait(_ENDING)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a command with all that it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_ENDING)
            break
    # whom it started may have outlived it
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
