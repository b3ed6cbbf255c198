"""`tetraproof report`: the report of a run drawn again, or several runs in one table."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tetraproof import filing
from tetraproof.nightly.grid import grid
from tetraproof.nightly.listing import listing, tally
from tetraproof.nightly.merging import merge
from tetraproof.report.annotation import github, markdown
from tetraproof.report.formats.junit import junit
from tetraproof.report.formats.sarif import sarif
from tetraproof.report.matrix import MOST_COLUMNS, matrix
from tetraproof.report.page import page
from tetraproof.report.result import FILE, Result
from tetraproof.report.result import read as read_result
from tetraproof.report.summary import summary_text
from tetraproof.text import safe

ABOUT = "draw the report of a run again; of several runs, their matrix"
WIDTH = 100
FORMATS = {"github": github, "junit": junit, "md": markdown, "sarif": sarif}


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="a run's folder, with its verdicts.json")
    parser.add_argument("--matrix", type=Path, metavar="FILE", help="write the merged table of all runs there")
    parser.add_argument("--all", action="store_true", help="with --matrix: list each feature of the policy language")
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON instead")
    parser.add_argument("--format", choices=sorted(FORMATS), help="print annotations or a summary for a job instead")


def run(given: argparse.Namespace) -> int:
    """Draw them. One difference from a recording's expected.json is exit code 1."""
    results = [(path, read_result(path)) for path in _runs(given.runs)]
    if given.json:
        print(json.dumps([_short(path, result) for path, result in results], indent=1))
        return 0
    if given.format:
        print(FORMATS[given.format]([result for _, result in results]), end="")
        return 0
    for path, result in results:
        filing.write(path / "index.html", page(result))
    if given.matrix:
        _matrix(results, given.matrix, everything=given.all)
        print(safe(f"matrix: {given.matrix}"))
        differences = [line for _, result in results if result.pins for line in result.pins.differences]
        for line in differences:
            print(safe(f"differs from expected.json: {line}"))
        return 1 if differences else 0
    for path, result in results:
        print("\n".join(summary_text(result, WIDTH)))
        print(safe(f"report: {path / 'index.html'}"))
    return 0


def _matrix(results: Sequence[tuple[Path, Result]], file: Path, *, everything: bool) -> None:
    base = file.resolve().parent
    if len(results) > MOST_COLUMNS:
        merged = merge([path for path, _ in results])
        filing.write(file, grid(merged, base))
        print(tally(merged.matrix))
        return
    linked = [(Path(os.path.relpath(path / "index.html", base)).as_posix(), result) for path, result in results]
    filing.write(file, matrix(linked))
    print(listing(linked, everything=everything))


def _runs(given: Sequence[Path]) -> list[Path]:
    """The folders of runs; a folder that holds runs stands for all of them, and a run's verdicts.json for the run."""
    given = [path.parent if path.name == FILE and path.is_file() else path for path in given]
    found = [run.parent for path in given if not (path / FILE).is_file() for run in sorted(path.glob(f"*/{FILE}"))]
    return [path for path in given if (path / FILE).is_file()] + found or list(given)


def _short(path: Path, result: Result) -> dict[str, Any]:
    return {
        "run": str(path),
        "cell": result.target.cell.title,
        "red": list(result.run.red),
        "policies": {policy.name: {"verdict": policy.verdict, "line": policy.line} for policy in result.policies},
    }
