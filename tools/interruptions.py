"""Runs on the target kind, interrupted at random moments, and what they leave: counted.

    python -m tools.interruptions RUNS [SEED]
    python -m tools.interruptions RUNS [SEED] --live SECONDS

Ctrl-C once and twice, SIGTERM and kill -9 in turn. Of each it counts whether anything is left, and what removes it.

On tools made of scripts over the mock cluster (`tests/kinds.py`), or with `--live` on a real kind, where a run that is
left alone takes so many seconds; `TETRAPROOF_KIND_OPTIONS` are as for `make live-kind`. There the runs follow one
another, and what one has left is removed by the next.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.api_server import ApiServer
from tests.kinds import LONG, Kinds, started
from tests.live import test_kind as real
from tests.targets.test_on_kind import nothing_is_left, written
from tetraproof.kubernetes.kind.engine import Engine, find
from tetraproof.pacing.waiting import until

HOW = ("Ctrl-C once", "Ctrl-C twice", "SIGTERM", "kill -9")
#: Seconds that kind and Helm take for their steps, so that a moment in the middle of them is met.
STEPS = {"pulls": LONG[:5], "prepares": LONG[:10], "installs": LONG[:7], "deletes": LONG[:5]}
#: A run that is left alone takes about so many seconds.
LONGEST = 9.0
#: How a run ends that was interrupted, or was done before.
_CODES = {0, 1, 2, -signal.SIGKILL}
_REMOVED = "what was made is removed"
Counts = collections.Counter[tuple[str, str]]


def main(runs: int, seed: int, seconds: float) -> int:
    """Print the counts; the exit code is 1 where anything is wrong."""
    chance = random.Random(seed)  # noqa: S311 - moments, no secrets
    counts = live(runs, chance, seconds) if seconds else scripted(runs, chance)
    for (how, what), count in sorted(counts.items()):
        print(f"{count:4} {how}: {what}")
    return int(any(what.startswith("wrong") for _, what in counts))


def signalled(process: subprocess.Popen[str], how: str, chance: random.Random) -> None:
    """As a terminal or a supervisor does it."""
    signs = {"SIGTERM": [signal.SIGTERM], "kill -9": [signal.SIGKILL], "Ctrl-C once": [signal.SIGINT]}
    for sign in signs.get(how, [signal.SIGINT, signal.SIGINT]):
        if process.poll() is None:
            os.killpg(process.pid, sign)
            time.sleep(chance.uniform(0, 1))


def wrong(code: int, output: str, *, left: bool) -> str:
    """What is wrong with how a run ended and what it said, or nothing."""
    if "Traceback" in output:
        return f"wrong: a traceback: {output[-600:]}"
    if code in {-signal.SIGINT, -signal.SIGTERM} and not output and not left:
        return ""  # Python had not begun
    if code not in _CODES:
        return f"wrong: exit code {code}: {output[-300:]}"
    if left and _REMOVED in output:
        return f"wrong: removed, it said: {output[-300:]}"
    return ""


# on scripts


def scripted(runs: int, chance: random.Random) -> Counts:
    """What came of so many runs, each on a mock cluster of its own."""
    counts: Counts = collections.Counter()
    for number in range(runs):
        how = HOW[number % len(HOW)]
        with ApiServer() as api, tempfile.TemporaryDirectory() as folder:
            api.lingers = 0
            kinds = Kinds(api, Path(folder))
            written(Path(folder))
            for name, text in STEPS.items():
                kinds.set(name, text)
            counts[how, came(kinds, Path(folder), how, chance)] += 1
            kinds.close()
    return counts


def came(kinds: Kinds, folder: Path, how: str, chance: random.Random) -> str:
    """What came of one run."""
    process = started(kinds, folder)
    time.sleep(chance.uniform(0.1, LONGEST))
    signalled(process, how, chance)
    output, _ = process.communicate(timeout=120)
    left = not nothing_is_left(kinds, folder)
    if problem := wrong(process.returncode, output, left=left):
        return problem
    return after(kinds, folder) if left else "nothing was left"


def after(kinds: Kinds, folder: Path) -> str:
    """What becomes of what was left."""
    process = started(kinds, folder)
    output, _ = process.communicate(timeout=120)
    if process.returncode == 0 and nothing_is_left(kinds, folder):
        return "the next run removed what was left"
    return f"wrong: left for good: {output[-500:]}"


# on a real kind


def live(runs: int, chance: random.Random, seconds: float) -> Counts:
    """What came of so many runs, one after the other on one machine; each is told as it ends."""
    counts: Counts = collections.Counter()
    waiting: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder, engine = Path(name), find()
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        for number in range(runs):
            how, moment = HOW[number % len(HOW)], chance.uniform(0.2, seconds)
            there = settled(engine)
            process, told = begun(folder, number)
            time.sleep(moment)
            step = [line for line in said(told).splitlines() if line.startswith("tetraproof: ")][-1:]
            signalled(process, how, chance)
            process.wait(timeout=real.MINUTES)
            now, output = settled(engine), said(told)
            if waiting and not there & now:
                counts.update((one, "a later run removed what was left") for one in waiting)
                waiting.clear()
            own = now - there
            if problem := wrong(process.returncode, output, left=bool(own)):
                counts[how, problem] += 1
            elif not own:
                counts[how, "nothing was left"] += 1
            elif how == "kill -9":
                waiting.append(how)
            else:
                counts[how, f"wrong: left: {output[-300:]}"] += 1
            print(f"{number + 1:3} {how:12} at {moment:5.1f} s: exit {process.returncode}, {len(own)} left;", *step)
            sys.stdout.flush()
        # whatever the last of them left is the next run's to remove
        process, told = begun(folder, runs)
        until("the nodes", lambda: "kind: Preparing nodes" in said(told) or process.poll() is not None, bool, 600)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=real.MINUTES)
        counts.update((one, "a later run removed what was left") for one in waiting)
        if not real.nothing_is_left(engine, folder):
            counts["the end", f"wrong: left for good: {said(told)[-500:]}"] += 1
    return counts


def begun(folder: Path, number: int) -> tuple[subprocess.Popen[str], Path]:
    """A run that has just been started, and the file of what it says."""
    told = folder / f"{number}.log"
    with told.open("w", encoding="utf-8") as file:
        return real.started(folder / str(number), output=file), told


def said(told: Path) -> str:
    """What a run has said so far."""
    return told.read_text(encoding="utf-8")


def settled(engine: Engine) -> frozenset[str]:
    """The containers that there are when no more come or go: the engine goes on with what it was asked for."""
    seen: list[frozenset[str]] = []

    def look() -> bool:
        seen.append(engine.containers(real.NAME) or frozenset())
        return len(seen) > 2 and seen[-1] == seen[-2] == seen[-3]  # noqa: PLR2004 - for two seconds

    until("the engine", look, bool, 120, every=1.0, longest=1.0)
    return seen[-1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=13)
    parser.add_argument("--live", type=float, default=0.0, metavar="SECONDS")
    given = parser.parse_args()
    sys.exit(main(given.runs, given.seed, given.live))
