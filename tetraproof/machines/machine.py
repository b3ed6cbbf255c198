"""Where commands run: this machine, or a guest on another kernel.

Both see the same folders under the same paths, so what one writes the other reads.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tetraproof.errors import TetraproofError
from tetraproof.pacing.progress import awaiting
from tetraproof.text import command_line, head

#: Seconds that a command which was asked to end is given for it.
_PATIENCE = 20.0
#: Characters of a command that is awaited.
_SHOWN = 80


def called(argv: Sequence[str]) -> str:
    """What a command is called while it is awaited: without the folder of its program, and not all of a long one."""
    return head(command_line([Path(argv[0]).name, *argv[1:]]), _SHOWN)


class MachineLost(TetraproofError):  # noqa: N818 - what happened, by its name
    """The machine no longer answers: what was asked of it has no outcome."""


@dataclass(frozen=True)
class Completed:
    """A command that ended: its exit code (128 and the number for a signal), and what it wrote.

    `exit_code` is nothing where it never ended; `broken` then says why, in a clause. One that is `unstarted` was never
    begun; where the place for it is `gone`, no other will be.
    """

    exit_code: int | None
    stdout: bytes = b""
    stderr: bytes = b""
    broken: str = ""
    unstarted: bool = False
    gone: bool = False

    @property
    def output(self) -> str:
        """Standard output as text."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """Standard error as text, or why the command never ended."""
        return self.broken or self.stderr.decode("utf-8", "replace")

    @property
    def ok(self) -> bool:
        """Whether it ended with exit code 0."""
        return self.exit_code == 0


class Background(Protocol):
    """A command that goes on."""

    @property
    def runs(self) -> bool:
        """Whether it still does."""
        ...

    def stop(self) -> None:
        """End it, and await its end."""
        ...


class Machine(Protocol):
    """Runs commands as root. Raises `MachineLost` once it does not answer."""

    @property
    def name(self) -> str:
        """What it calls itself; a node's name where there is no Kubernetes."""
        ...

    @property
    def kernel(self) -> str:
        """The release of its kernel, as `uname -r` says it."""
        ...

    def run(
        self,
        argv: Sequence[str],
        *,
        seconds: float,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command to its end; one that takes longer than `seconds` is killed."""
        ...

    def start(self, argv: Sequence[str], output: Path, errors: Path) -> Background:
        """Start a command that writes to these files."""
        ...

    def reach(self, address: str) -> str:
        """The path of a socket of ours that leads to one there (its path, or `127.0.0.1:port`); nothing if none can."""
        ...

    def close(self) -> None:
        """Leave the machine as it was found."""
        ...


class ThisMachine:
    """The machine that we run on."""

    def __init__(self) -> None:
        self.name = os.uname().nodename
        self.kernel = os.uname().release

    def run(
        self,
        argv: Sequence[str],
        *,
        seconds: float,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command to its end."""
        try:
            with awaiting(called(argv)):
                done = subprocess.run(  # noqa: S603 - no shell
                    argv,
                    input=stdin,
                    stdin=subprocess.DEVNULL if stdin is None else None,
                    capture_output=True,
                    timeout=seconds,
                    check=False,
                    env={**os.environ, **(environment or {})},
                )
        except subprocess.TimeoutExpired as error:
            return Completed(None, error.stdout or b"", error.stderr or b"", f"no end within {seconds:.0f} s")
        except OSError as error:
            return Completed(None, broken=f"{argv[0]} could not be started: {error.strerror}", unstarted=True)
        return Completed(done.returncode if done.returncode >= 0 else 128 - done.returncode, done.stdout, done.stderr)

    def start(self, argv: Sequence[str], output: Path, errors: Path) -> Background:
        """Start a command that writes to these files."""
        with output.open("ab") as out, errors.open("ab") as err:
            return _Process(
                subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True),  # noqa: S603
                f"the end of {called(argv)}",
            )

    def reach(self, address: str) -> str:
        """There is no way to go."""
        del address
        return ""

    def close(self) -> None:
        """Nothing was changed."""


class _Process:
    """A process on this machine."""

    def __init__(self, process: subprocess.Popen[bytes], end: str) -> None:
        self._process = process
        self._end = end

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        if self.runs:
            self._process.send_signal(signal.SIGTERM)
        try:
            with awaiting(self._end):
                self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
