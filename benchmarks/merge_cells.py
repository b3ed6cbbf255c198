"""How long it takes to join many results, and how much memory: `python benchmarks/merge_cells.py [cells] [policies]`.

The results are made up: each of so many policies with ten promises and the line of a real one.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from msgspec.structs import replace

from tetraproof.nightly.merging import encode, merge
from tetraproof.nightly.wording import markdown
from tetraproof.policies.binding import Bindings
from tetraproof.recordings.recording import Cell
from tetraproof.report.result import FILE, FORMAT, ClaimResult, PolicyResult, Result, RunResult, TargetResult
from tetraproof.report.result import encode as encode_result


def a_result(number: int, policies: int) -> Result:
    """One cell of so many policies, of which every seventh is refuted."""
    cell = Cell("1.7.0", "1.36.2", f"6.12.{number}", "standalone")
    run = RunResult(f"run-{number}", "2026-11-27T03:00:00", 60.0, "make test", whole=True)
    made = []
    for at in range(policies):
        verdict = "violates" if (at + number) % 7 == 0 else "conforms"
        claims = tuple(ClaimResult(f"test_promise_{one}", "A promise.", verdict) for one in range(10))
        line = f"{verdict} · 10 of 10 promises conform · passes: hard link, rename into place"
        made.append(
            PolicyResult(f"policy-{at}", f"policy-{at}", "", "suites/a.py", verdict, line, verdict, "", claims=claims)
        )
    return replace(
        Result(FORMAT, "0.1.0", run, TargetResult("standalone", cell, (), Bindings()), ()), policies=tuple(made)
    )


def main(cells: int = 2000, policies: int = 150) -> None:
    """Make, join, tell."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for number in range(cells):
            (folder / str(number)).mkdir()
            (folder / str(number) / FILE).write_bytes(encode_result(a_result(number, policies)))
        size = sum(file.stat().st_size for file in folder.rglob(FILE))
        begun = time.perf_counter()
        merged = merge([folder])
        joined = time.perf_counter()
        text = encode(merged.matrix)
        markdown(merged.matrix)
        told = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{cells} cells of {policies} policies, {size >> 20} MiB: joined in {joined - begun:.1f} s", end=", ")
    print(f"written ({len(text) >> 20} MiB) in {told - joined:.1f} s, at most {peak} MiB of memory")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
