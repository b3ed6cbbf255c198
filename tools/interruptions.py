"""Runs on the target kind, interrupted at random moments, and what they leave: counted.

    python -m tools.interruptions RUNS

On tools made of scripts over the mock cluster (`tests/kinds.py`): Ctrl-C once and twice, SIGTERM and kill -9 in turn.
Of each it counts whether anything is left, and whether the next run removes it.
"""

from __future__ import annotations

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
from tests.targets.test_on_kind import nothing_is_left, written

HOW = ("Ctrl-C once", "Ctrl-C twice", "SIGTERM", "kill -9")
#: Seconds that kind and Helm take for their steps, so that a moment in the middle of them is met.
STEPS = {"pulls": LONG[:5], "prepares": LONG[:10], "installs": LONG[:7], "deletes": LONG[:5]}
#: A run that is left alone takes about so many seconds.
LONGEST = 9.0


def main(runs: int, seed: int) -> int:
    """Print the counts; the exit code is 1 where anything is wrong."""
    chance = random.Random(seed)  # noqa: S311 - moments, no secrets
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
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
    for (how, what), count in sorted(counts.items()):
        print(f"{count:4} {how}: {what}")
    return int(any(what.startswith("wrong") for _, what in counts))


def came(kinds: Kinds, folder: Path, how: str, chance: random.Random) -> str:
    """What came of one run."""
    process = started(kinds, folder)
    time.sleep(chance.uniform(0.5, LONGEST))
    signs = {"SIGTERM": [signal.SIGTERM], "kill -9": [signal.SIGKILL], "Ctrl-C once": [signal.SIGINT]}
    for sign in signs.get(how, [signal.SIGINT, signal.SIGINT]):
        if process.poll() is None:
            os.killpg(process.pid, sign)
            time.sleep(chance.uniform(0, 1))
    output, _ = process.communicate(timeout=120)
    if "tetraproof: " not in output and nothing_is_left(kinds, folder):
        return "nothing was left, as nothing had begun: Python was still loading"
    if "Traceback" in output or process.returncode not in {0, 2, -signal.SIGKILL, -signal.SIGINT, -signal.SIGTERM}:
        return f"wrong: exit code {process.returncode}: {output[-300:]}"
    if nothing_is_left(kinds, folder):
        return "nothing was left"
    if "what was made is removed" in output:
        return f"wrong: removed, it said: {output[-300:]}"
    return after(kinds, folder)


def after(kinds: Kinds, folder: Path) -> str:
    """What becomes of what was left."""
    process = started(kinds, folder)
    output, _ = process.communicate(timeout=120)
    if process.returncode == 0 and nothing_is_left(kinds, folder):
        return "the next run removed what was left"
    # the one named command, where whose it is was not noted yet
    words = [str(kinds.bin / "kind"), "delete", "cluster", "--name", "made"]
    if " ".join(["kind", *words[1:]]) in output:
        subprocess.run(words, check=True, capture_output=True, env=dict(kinds.environment()))  # noqa: S603 - no shell
        if not kinds.clusters:
            return "the named command removed what was left"
    return f"wrong: left for good: {output[-500:]}"


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 13))  # noqa: PLR2004 - words
