"""One round of a matrix: every cell is a run of its own, side by side as far as the machine allows, and resumed.

A round that was cut is gone on with: a cell whose run has ended is not run again while its words are the same, and
one that broke, or was cut, is. After a round that came to its end the next one begins anew.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from tetraproof import filing
from tetraproof.nightly.axes import Cell
from tetraproof.pacing.progress import Tell
from tetraproof.report.result import FILE

#: What a finished cell's folder holds of how it was run.
NOTE = "cell.json"
_LOG = "output.log"
#: Stands in a round's folder once all of its cells have ended.
_DONE = "round.done"
#: Bytes of memory that a guest or a cluster wants for itself.
_ROOM = 3 << 30
#: Seconds until what was interrupted is ended.
_PATIENCE = 120.0


@dataclass(frozen=True)
class Ended:
    """What came of a cell: its exit code, whether it was run now, and how long that took."""

    cell: Cell
    code: int
    seconds: float
    again: bool

    @property
    def broke(self) -> bool:
        """Whether it has no result."""
        return self.code not in {0, 1}


@dataclass
class Round:
    """Runs cells, each into a folder of its own under `folder`."""

    folder: Path
    tell: Tell
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, cells: Sequence[Cell], jobs: int = 0) -> list[Ended]:
        """Run all of them, `jobs` at once (0: as the machine has room). An interrupt ends those that run."""
        light, heavy = room(jobs)
        done: list[Ended] = []
        filing.folder(self.folder)
        # until this round has come to its end
        going_on = not (self.folder / _DONE).is_file()
        (self.folder / _DONE).unlink(missing_ok=True)
        if not going_on:
            for cell in cells:
                (self.folder / cell.name / NOTE).unlink(missing_ok=True)
        # guests have workers of their own, so that none of the others waits for one
        with ThreadPoolExecutor(max_workers=light) as quick, ThreadPoolExecutor(max_workers=heavy) as slow:
            waiting = {(slow if cell.heavy else quick).submit(self._one, cell) for cell in cells}
            try:
                while waiting:
                    ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for one in ended:
                        done.append(self._told(one, len(done) + 1, len(cells)))
            except BaseException:
                self._stop()
                raise
        filing.write(self.folder / _DONE, b"")
        return sorted(done, key=lambda one: list(cells).index(one.cell))

    def _told(self, ended: Future[Ended], number: int, total: int) -> Ended:
        one = ended.result()
        how = "broke" if one.broke else "red" if one.code else "green"
        when = f"in {one.seconds:.0f} s" if one.again else "as it was"
        where = f"; {self.folder / one.cell.name / _LOG} says why" if one.broke else ""
        self.tell(f"[{number}/{total}] {one.cell.name}: {how} {when}{where}")
        return one

    def _one(self, cell: Cell) -> Ended:
        finished = self._finished(cell)
        return self._run(cell) if finished is None else Ended(cell, finished, 0.0, again=False)

    def _finished(self, cell: Cell) -> int | None:
        """The exit code of a cell that was run to its end by the same words; nothing where it was not."""
        folder = self.folder / cell.name
        try:
            note = json.loads((folder / NOTE).read_bytes())
        except (OSError, ValueError):
            return None
        same = isinstance(note, dict) and note.get("words") == list(cell.words)
        code = note.get("code") if same else None
        return code if isinstance(code, int) and code in {0, 1} and (folder / FILE).is_file() else None

    def _run(self, cell: Cell) -> Ended:
        folder = filing.folder(self.folder / cell.name)
        for stale in (NOTE, FILE):
            (folder / stale).unlink(missing_ok=True)
        own = [f"--reports={self.folder}", f"--run-id={cell.name}"]
        begun = monotonic()
        with (folder / _LOG).open("wb") as log:
            process = self._start([sys.executable, "-m", "tetraproof", "test", *cell.words, *own], log)
            code = process.wait() if process else -signal.SIGINT
        with self._lock:
            self._running.discard(process) if process else None
        if code in {0, 1} and (folder / FILE).is_file():
            note = {"name": cell.name, "values": dict(cell.values), "words": cell.words, "code": code}
            filing.write(folder / NOTE, json.dumps(note, indent=1).encode() + b"\n")
        else:
            code = 2
        return Ended(cell, code, monotonic() - begun, again=True)

    def _start(self, command: list[str], log: object) -> subprocess.Popen[bytes] | None:
        """Start a cell in a session of its own, so that an interrupt of the terminal's reaches it once, by us."""
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(  # noqa: S603 - no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # type: ignore[call-overload]
            )
            self._running.add(process)
            return process  # type: ignore[no-any-return]

    def _stop(self) -> None:
        """Interrupt what runs, and wait: a live run takes away what it made. None is begun any more."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            process.send_signal(signal.SIGINT)
        if running:
            self.tell(f"interrupted: {len(running)} cells end in order")
        for process in running:
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def room(jobs: int = 0) -> tuple[int, int]:
    """How many cells are run at once, and how many of these may be guests or clusters: as cores and memory allow."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    light = jobs or cores
    # an emulated guest is starved by another on the same core
    return light, max(1, min(jobs or cores // 2, memory // _ROOM))
