"""Give every reader of somebody's bytes what nobody should write, and see that it ends in an answer or in a sentence.

    python tools/fuzz.py                          a million cases
    python tools/fuzz.py --cases 2000             a share of them, as CI runs it
    python tools/fuzz.py --only raw --first 1234 --cases 1    one case again

A fault is an exception that is no sentence of ours, a sentence that names no file or no way out, more than ten seconds
or 1.5 GB, and a character that steers a terminal. Faults are counted by where they happened; what made the first of
each kind is kept in `build/fuzz/`. Exit code 1 where there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tetraproof.errors import TetraproofError
from tools.readers import READERS, Reader, Refused

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "build/fuzz"
#: Seconds and bytes that one case may take.
LONGEST, MOST = 10, 1536 << 20
#: Cases that a worker takes at a time.
_AT_A_TIME = 50
#: Characters of a sentence that somebody is to read.
_LONGEST_SENTENCE = 1000


class TooLong(BaseException):
    """A case takes longer than it may."""


@dataclass(frozen=True)
class Fault:
    """What went wrong, and where: faults of one `kind` are counted together."""

    kind: str
    reader: str
    case: int
    path: str
    told: str


@dataclass
class Tally:
    """What came of the cases of a reader."""

    cases: int = 0
    answered: int = 0
    refused: int = 0
    slowest: float = 0.0
    faults: list[Fault] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count another one's cases too."""
        self.cases += other.cases
        self.answered += other.answered
        self.refused += other.refused
        self.slowest = max(self.slowest, other.slowest)
        self.faults += other.faults


def run(reader: Reader, first: int, count: int, seed: int) -> Tally:
    """Try `count` cases of a reader, from the case `first` on."""
    tally = Tally()
    seeds = dict(reader.seeds())
    paths = sorted(seeds)
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - quicker than a disk, where it is there
    with tempfile.TemporaryDirectory(prefix="tetraproof-fuzz-", dir=place) as folder:
        own = Path(folder, "given")
        for path, content in seeds.items():
            (own / path).parent.mkdir(parents=True, exist_ok=True)
            (own / path).write_bytes(content)
        for case in range(first, first + count):
            # the same case is the same bytes, whichever worker makes them
            chance = random.Random(f"{seed} {reader.name} {case}")  # noqa: S311 - no secret
            path = chance.choice(paths)
            spoiled = reader.spoil(chance, path, seeds[path])
            (own / path).write_bytes(spoiled)
            begun = time.monotonic()
            fault = _try(reader, own, path, case)
            tally.slowest = max(tally.slowest, time.monotonic() - begun)
            tally.cases += 1
            if isinstance(fault, Fault):
                tally.faults.append(fault)
                _keep(fault, spoiled)
            elif fault:
                tally.refused += 1
            else:
                tally.answered += 1
            (own / path).write_bytes(seeds[path])
    return tally


def _try(reader: Reader, folder: Path, path: str, case: int) -> Fault | bool:
    """One case: a fault, or whether the reader refused it."""

    def fault(kind: str, told: str) -> Fault:
        return Fault(kind, reader.name, case, path, told)

    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    faulthandler.dump_traceback_later(6 * LONGEST, exit=True)
    try:
        shown = reader.read(folder, path)
    except (TetraproofError, Refused) as error:
        wrong = _unfit(str(error), path)
        return fault(f"sentence: {wrong}", str(error)[:500]) if wrong else True
    except TooLong as error:
        return fault(f"more than {LONGEST} s in {_place(error)}", "")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it is a fault
        return fault(f"{type(error).__name__} in {_place(error)}", f"{error!r}"[:500])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
    return fault("what is printed steers a terminal", _steering(shown)) if _steering(shown) else False


def _unfit(told: str, path: str) -> str:
    """Why an error is no clear sentence, in a clause."""
    sentence = told.split("\n", maxsplit=1)[0]
    if _steering(told):
        return "it steers a terminal"
    if len(sentence) > _LONGEST_SENTENCE:
        return "it is too long"
    if not any(name in told for name in Path(path).parts):
        return "it names no file"
    return "" if "to mend it" in told else "it says nothing of what to do"


def _steering(text: str) -> str:
    """The first piece of a text that is no plain line."""
    for line in text.split("\n"):
        if not line.isprintable():
            return repr(line[:200])
    return ""


def _place(error: BaseException) -> str:
    """The innermost line of ours that an exception came by."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/tetraproof/" in frame.filename]
    return f"{frames[-1].filename.rpartition('/tetraproof/')[2]}:{frames[-1].lineno}" if frames else "no line of ours"


def _keep(fault: Fault, content: bytes) -> None:
    """Keep what made the first faults of a kind."""
    name = "".join(one if one.isalnum() else "-" for one in f"{fault.reader} {fault.kind}")[:100]
    place = KEPT / name
    place.mkdir(parents=True, exist_ok=True)
    if len(list(place.iterdir())) < 6:  # noqa: PLR2004 - three cases, each with what was told
        (place / f"{fault.case}-{Path(fault.path).name}").write_bytes(content)
        (place / f"{fault.case}.txt").write_text(f"{fault}\n", encoding="utf-8")


def _bounded() -> None:
    """Bound a worker's memory, and have its cases end in time."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST + (512 << 20), MOST + (512 << 20)))
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def too_long(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        raise TooLong

    signal.signal(signal.SIGALRM, too_long)


def _task(task: tuple[str, int, int, int]) -> tuple[str, Tally]:
    name, first, count, seed = task
    reader = next(one for one in READERS if one.name == name)
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        return name, run(reader, first, count, seed)


def _tasks(cases: int, first: int, only: tuple[str, ...], seed: int) -> Iterator[tuple[str, int, int, int]]:
    readers = [one for one in READERS if not only or one.name in only]
    total = sum(one.share for one in readers)
    for reader in readers:
        own = max(1, round(cases * reader.share / total))
        for at in range(first, first + own, _AT_A_TIME):
            yield reader.name, at, min(_AT_A_TIME, first + own - at), seed


def main() -> int:
    """Try the cases, and tell what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000_000, help="how many (default: a million)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case (default: 0)")
    parser.add_argument("--only", default="", help=f"only these readers: {', '.join(one.name for one in READERS)}")
    parser.add_argument("--seed", type=int, default=1, help="other cases (default: 1)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="how many workers (default: all processors)"
    )
    asked = parser.parse_args()
    only = tuple(filter(None, asked.only.split(",")))
    shutil.rmtree(KEPT, ignore_errors=True)
    tallies = {one.name: Tally() for one in READERS if not only or one.name in only}
    begun = time.monotonic()
    tasks = list(_tasks(asked.cases, asked.first, only, asked.seed))
    random.Random(asked.seed).shuffle(tasks)  # noqa: S311 - so that what is told meanwhile is of all
    with multiprocessing.get_context("fork").Pool(asked.jobs, initializer=_bounded, maxtasksperchild=20) as pool:
        for name, tally in pool.imap_unordered(_task, tasks):
            tallies[name].add(tally)
    print(f"{'reader':14} {'cases':>9} {'answered':>9} {'refused':>9} {'faults':>7}  slowest")
    for name, tally in tallies.items():
        print(
            f"{name:14} {tally.cases:9,} {tally.answered:9,} {tally.refused:9,} {len(tally.faults):7,}"
            f"  {tally.slowest:.1f} s"
        )
    every = [fault for tally in tallies.values() for fault in tally.faults]
    kinds = sorted({(fault.reader, fault.kind) for fault in every})
    for reader, kind in kinds:
        same = [fault for fault in every if (fault.reader, fault.kind) == (reader, kind)]
        print(
            f"{len(same):7,} times {reader}: {kind}; first case {same[0].case} ({same[0].path}): {same[0].told!r:.300}"
        )
    print(
        f"{sum(tally.cases for tally in tallies.values()):,} cases, {len(every):,} faults of {len(kinds)} kinds, "
        f"{time.monotonic() - begun:.0f} s"
    )
    return 1 if every else 0


if __name__ == "__main__":
    sys.exit(main())
