"""How long it takes to join many results, and how much memory: `python benchmarks/merge_cells.py`.

It may be told how many cells and policies, and where to keep the page. The results are made up: each policy has ten
promises and the line of a real one.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from msgspec.structs import replace

from tetraproof.nightly.grid import grid
from tetraproof.nightly.merging import encode, merge
from tetraproof.nightly.wording import markdown
from tetraproof.policies.binding import Bindings
from tetraproof.recordings.recording import Cell
from tetraproof.report.result import FILE, FORMAT, ClaimResult, PolicyResult, Result, RunResult, TargetResult
from tetraproof.report.result import encode as encode_result

#: Features that every third policy is a case of, each in another group of the language.
FEATURES = ("kprobes.call", "args/file", "matchArgs/Prefix/file", "matchPIDs/In", "matchActions/Signal", "options/x")


def a_result(number: int, policies: int) -> Result:
    """One cell of so many policies, of which every seventh is refuted; every tenth says what no other cell does."""
    kubernetes = ("", "1.34.1", "1.36.2")[number // 4 % 3]
    cell = Cell(("1.4.1", "1.5.0", "1.6.1", "1.7.0")[number % 4], kubernetes, f"6.12.{number // 12}", "standalone")
    run = RunResult(f"run-{number}", f"2026-11-27T03:{number % 60:02}:00", 60.0, "make test", whole=True)
    made = []
    for at in range(policies):
        verdict = "violates" if (at + number) % 7 == 0 else "unsupported" if (at * number) % 11 == 1 else "conforms"
        claims = tuple(ClaimResult(f"test_promise_{one}", "A promise.", verdict) for one in range(10))
        line = f"{verdict} · 10 of 10 promises conform · passes: hard link, rename into place"
        if at % 10 == 0:
            line += f" · seen on node-{number}"
        one = PolicyResult(f"policy-{at}", f"policy-{at}", "", "suites/a.py", verdict, line, verdict, "", claims=claims)
        made.append(replace(one, feature=f"{FEATURES[at % 6]}/{at}") if at % 3 == 0 else one)
    target = TargetResult("standalone", cell, (), Bindings())
    return replace(Result(FORMAT, "0.1.0", run, target, ()), policies=tuple(made))


def main(cells: int = 2000, policies: int = 150, kept: str = "") -> None:
    """Make, join, tell."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for number in range(cells):
            (folder / str(number)).mkdir()
            (folder / str(number) / FILE).write_bytes(encode_result(a_result(number, policies)))
        size = sum(file.stat().st_size for file in folder.rglob(FILE))
        begun, busy = time.perf_counter(), time.process_time()
        merged = merge([folder])
        joined = time.perf_counter()
        text = encode(merged.matrix)
        markdown(merged.matrix)
        page = grid(merged, folder)
        told, busy = time.perf_counter(), time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{cells} cells of {policies} policies, {size >> 20} MiB: joined in {joined - begun:.1f} s", end=", ")
    print(f"written ({len(text) >> 20} MiB, a page of {len(page) >> 10} KiB) in {told - joined:.1f} s", end=", ")
    print(f"of which {busy:.1f} s of the processor, at most {peak} MiB of memory")
    if kept:
        Path(kept).write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:])
