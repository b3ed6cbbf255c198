"""A program of this machine, run to its end and heard line by line: one that hangs is told from one that works."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from tetraproof.errors import TetraproofError
from tetraproof.pacing.progress import awaiting
from tetraproof.text import shorten

#: Seconds that a download or an installation may go on without a word.
SILENCE = 600.0
_KILLED_AFTER = 20.0
_CAUSES = 4
#: Where programs lie that only root is expected to start.
_SYSTEM = "/usr/sbin:/sbin"


class ProgramError(TetraproofError):
    """A program is missing, failed or fell silent; the causes are its own last words."""


def find(program: str) -> str:
    """The path of a program, those that are meant for root included; empty where there is none."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM}") or ""


def need(*programs: str) -> None:
    """Raises `ProgramError` for the first program that is not installed."""
    for program in programs:
        if not find(program):
            raise ProgramError(f"{program} is not installed.")


def run(
    argv: Sequence[str],
    heard: Callable[[str], float] = lambda _: SILENCE,
    environment: Mapping[str, str] | None = None,
    *,
    called: str = "",
    folder: str | None = None,
) -> str:
    """Run a command to its end, and return what it wrote. Raises `ProgramError`.

    `heard` is told each line, first an empty one, and says how many seconds the next may take; `called` is what
    errors call it; `folder` is where it runs.
    """
    called = called or argv[0]
    need(argv[0])
    process = subprocess.Popen(  # noqa: S603 - no shell
        [find(argv[0]), *argv[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
        cwd=folder,
        start_new_session=True,
    )
    said: list[str] = []
    with awaiting(called, lambda: said[-1] if said else ""):
        return _ended(process, heard, called, said)


def _ended(process: subprocess.Popen[str], heard: Callable[[str], float], called: str, said: list[str]) -> str:
    """What a command wrote, once it has ended."""
    coming: SimpleQueue[str | None] = SimpleQueue()
    threading.Thread(target=_read, args=(process, coming), daemon=True).start()
    patience = SILENCE
    try:
        patience = heard("")
        while (line := coming.get(timeout=patience)) is not None:
            said.append(line.rstrip())
            patience = heard(said[-1])
        code = process.wait()
    except Empty:
        raise ProgramError(f"{called} said nothing for {patience:.0f} s.", causes=_last(said)) from None
    finally:
        _end(process)
    if code:
        raise ProgramError(f"{called} failed with exit code {code}.", causes=_last(said))
    return "\n".join(said)


def _read(process: subprocess.Popen[str], coming: SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            coming.put(line)
    coming.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    """End a command and all that it started, if it still runs."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_KILLED_AFTER)


def _last(said: Sequence[str]) -> list[str]:
    """What a command that failed said of it: its errors, or else its last lines."""
    errors = [line for line in said if line.startswith(("E: ", "Error"))]
    return [shorten(line, 200) for line in (errors or said)[-_CAUSES:]]
