"""How fast events are read and matched, against plain JSON, and how much memory that takes.

Only ratios within one run mean something: both sides read the same lines on the
same machine, in turns. Nothing is asserted; the table is for a reader.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import cycle
from pathlib import Path

import orjson

from tetraproof.cli import main as main_of_tetraproof
from tetraproof.events.event import Event, Kprobe
from tetraproof.events.stream import events, matching, read

RECORDINGS = Path(__file__).parents[1] / "recordings"
MEGABYTE = 1_000_000

Work = Callable[[Path], int]


def load_json(path: Path) -> int:
    """The baseline: each line as plain JSON. The number of lines."""
    count = 0
    with path.open("rb") as source:
        for line in source:
            orjson.loads(line)
            count += 1
    return count


def read_and_match(path: Path) -> int:
    """Each line as an event, asked for its namespace and the file of its call. The number of matches."""
    with path.open("rb") as source:
        return sum(map(is_guarded_file, filter(matching(namespaces=["other"]), events(read(source)))))


def parse(path: Path) -> int:
    """Each line as an event, and nothing more. The number of events."""
    with path.open("rb") as source:
        return sum(1 for _ in events(read(source)))


def show_compact(path: Path) -> int:
    """What `tetraproof events` prints, whose time is to be at most 2.5 times that of `parse`. The exit code."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        return main_of_tetraproof(["events", str(path), "--tetragon", "1.7.1"])


def keep_all(path: Path) -> int:
    """The counter-check of the memory: all events held at once. The number of events."""
    with path.open("rb") as source:
        return len(list(events(read(source))))


WORK: dict[str, Work] = {work.__name__: work for work in (load_json, read_and_match, parse, show_compact, keep_all)}


def is_guarded_file(event: Event) -> bool:
    """Whether a call had the guarded file as an argument."""
    return isinstance(event.detail, Kprobe) and any(
        argument.file_arg is not None and argument.file_arg.path == "/tmp/tetragon"  # noqa: S108 - compared only
        for argument in event.detail.args
    )


def write_stream(path: Path, recorded: Iterable[Path], size: int) -> None:
    """Fill `path` with whole recorded lines, over and over, up to `size` bytes; holds one line at a time."""
    with path.open("wb") as stream:
        for part in cycle(recorded):
            with part.open("rb") as source:
                for line in source:
                    if stream.tell() + len(line) > size:
                        return
                    stream.write(line)


def seconds(work: Work, path: Path) -> float:
    """How long a work takes, in seconds."""
    start = time.perf_counter()
    work(path)
    return time.perf_counter() - start


def peak_memory(name: str, path: Path) -> int:
    """The peak memory of a work in a process of its own, in the system's unit (Linux: KiB)."""
    command = [sys.executable, __file__, "--peak-of", name, "--stream", str(path)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603 - ourselves


def measure(recorded: list[Path], megabytes: int, rounds: int) -> Iterable[str]:
    """The lines of the table."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.jsonl"), Path(folder, "large.jsonl")
        write_stream(small, recorded, megabytes * MEGABYTE // 10)
        write_stream(large, recorded, megabytes * MEGABYTE)

        # First, while this process is small: Linux counts the parent's memory at the start of a child as the child's.
        memory = {name: (peak_memory(name, small), peak_memory(name, large)) for name in WORK}

        lines, matches = load_json(large), read_and_match(large)
        taken: dict[str, list[float]] = {name: [] for name in WORK if name != keep_all.__name__}
        for _ in range(rounds):
            for name, times in taken.items():
                times.append(seconds(WORK[name], large))

    yield f"{lines} events in {megabytes} MB, {matches} of them match; best of {rounds} rounds"
    yield f"{'':20}{'events/s':>12}{'MB/s':>8}{'time':>8}"
    for name, times in taken.items():
        best, ratio = min(times), min(times) / min(taken["load_json"])
        yield f"{name:20}{lines / best:12.0f}{megabytes / best:8.0f}{ratio:7.2f}x"
    yield ""
    yield f"{'peak memory':20}{f'{megabytes / 10:g} MB':>12}{f'{megabytes} MB':>8}{'ratio':>8}"
    for name, (few, many) in memory.items():
        yield f"{name:20}{few:12}{many:8}{many / few:7.2f}x"


def main() -> None:
    """Measure and print, or, as the child of a measurement, do one work and print the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=100, help="size of the stream (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="how often to measure each (default: %(default)s)")
    parser.add_argument(
        "--recordings", type=Path, default=RECORDINGS, help="folder of recordings (default: the shipped)"
    )
    parser.add_argument("--peak-of", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--stream", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.megabytes < 1 or options.rounds < 1:
        parser.error("sizes and rounds are whole numbers from 1 on")
    if options.peak_of:
        WORK[options.peak_of](options.stream)
        sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\n")
        return
    recorded = [path for path in sorted(options.recordings.glob("*/scenarios/*/events.jsonl")) if path.stat().st_size]
    if not recorded:
        parser.error(f"no recorded events in {options.recordings}")
    for line in measure(recorded, options.megabytes, options.rounds):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
