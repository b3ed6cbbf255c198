"""`tetraproof matrix`: the cells of a matrix, a round of them on this machine, and results joined into one table."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from tetraproof import filing
from tetraproof.errors import UsageError
from tetraproof.nightly import wording
from tetraproof.nightly.axes import FILE as AXES_FILE
from tetraproof.nightly.axes import Cell
from tetraproof.nightly.axes import read as read_axes
from tetraproof.nightly.grid import PAGE, grid
from tetraproof.nightly.history import past, with_history
from tetraproof.nightly.listing import listing, tally
from tetraproof.nightly.merging import MATRIX, Merged, encode, merge
from tetraproof.nightly.rounds import Round
from tetraproof.report.matrix import MOST_COLUMNS, matrix
from tetraproof.report.result import FILE, read
from tetraproof.settings.configuration import find
from tetraproof.text import safe

ABOUT = "the cells of matrix.yaml: list them, run them on this machine, join results of any machines"
SUMMARY = "matrix.md"


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    doing = parser.add_subparsers(required=True, metavar="WHAT", dest="what")
    listed = doing.add_parser("cells", help="list the cells", allow_abbrev=False)
    ran = doing.add_parser("run", help="run every cell that has no result yet, and join them", allow_abbrev=False)
    for one in (listed, ran):
        one.add_argument("file", type=Path, nargs="?", help=f"the matrix (default: {AXES_FILE})")
        one.add_argument("--cell", action="append", default=[], metavar="NAME", help="only this cell; may be repeated")
    listed.add_argument(
        "--format", choices=("lines", "github", "jobs"), default="lines", help="how they are told (default: lines)"
    )
    listed.add_argument("--image", default="", help="jobs: the image that has tetraproof")
    ran.add_argument("--into", type=Path, help="where results are written (default: the reports' folder, matrix)")
    ran.add_argument("--jobs", type=int, default=0, metavar="N", help="so many at once (default: as there is room)")
    joined = doing.add_parser("merge", help="join results into one matrix", allow_abbrev=False)
    joined.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="folders that hold results, however deep")
    joined.add_argument("--into", type=Path, help="where the matrix is written (default: the first folder)")
    joined.add_argument("--history", type=Path, metavar="DIR", help="past matrices: how long each verdict stands")
    for one in (ran, joined):
        one.add_argument(
            "--all", action="store_true", help="list each feature of the policy language, not their number"
        )


def run(given: argparse.Namespace) -> int:
    """List (0), run or merge: 0, or 1 where a verdict is not as pinned, a cell broke or a result cannot be read."""
    if given.what == "merge":
        return _merge(given.folders, given.into or given.folders[0], given.history, everything=given.all)
    cells = _cells(given)
    if given.what == "run":
        return _run(cells, given)
    told = {"lines": wording.lines, "github": wording.github}.get(given.format)
    print(told(cells) if told else wording.jobs(cells, given.image), end="")
    return 0


def _cells(given: argparse.Namespace) -> list[Cell]:
    options = find(Path.cwd()).options({})
    file = given.file or Path(AXES_FILE)
    if not file.exists():
        raise UsageError(
            f"There is no matrix {safe(file)}.", remedy=f"write {AXES_FILE}; docs/matrix.md tells its form"
        )
    cells = {cell.name: cell for cell in read_axes(file, options.recordings)}
    for name in given.cell:
        if name not in cells:
            raise UsageError(f"{safe(file)} has no cell {safe(name)}.", remedy=f"there are {', '.join(cells)}")
    return [cells[name] for name in given.cell or cells]


def _run(cells: list[Cell], given: argparse.Namespace) -> int:
    if given.jobs < 0:
        raise UsageError(f"--jobs is {given.jobs}.", remedy="write how many cells are run at once")
    into = given.into or find(Path.cwd()).options({}).reports / "matrix"

    def tell(line: str) -> None:
        print(safe(line), flush=True)

    tell(f"{len(cells)} cells into {os.path.relpath(into)}")
    ended = Round(into, tell).run(cells, given.jobs)
    folders = [into / one.cell.name for one in ended if not one.broke]
    code = _merge(folders, into, everything=given.all) if folders else 1
    return max(code, int(any(one.broke for one in ended)))


def _merge(folders: list[Path], into: Path, history: Path | None = None, *, everything: bool) -> int:
    merged = merge(folders)
    if history is not None:
        if not history.is_dir():
            raise UsageError(f"There is no folder {safe(history)}.", remedy="make it: the first night has no past")
        earlier, refused = past(history)
        merged = replace(merged, matrix=with_history(merged.matrix, earlier), refused=merged.refused | refused)
    for file, why in merged.refused.items():
        print(
            f"tetraproof: left out: {safe(why)}" if file in why else f"tetraproof: left out: {safe(file)}: {safe(why)}",
            file=sys.stderr,
        )
    if not merged.matrix.cells:
        raise UsageError("No result could be read.", remedy=f"name folders that hold a {FILE}")
    filing.folder(into)
    filing.write(into / MATRIX, encode(merged.matrix))
    filing.write(into / SUMMARY, wording.markdown(merged.matrix).encode())
    draw(merged, into / PAGE, everything=everything)
    differences = [line for cell in merged.matrix.cells for line in cell.differences]
    for line in differences:
        print(safe(f"differs from expected.json: {line}"))
    return 1 if differences or merged.refused else 0


def draw(merged: Merged, page: Path, *, everything: bool) -> None:
    """The table in the terminal, and the page; of very many runs a tally and a grid."""
    folder = page.resolve().parent
    if len(merged.files) > MOST_COLUMNS:
        filing.write(page, grid(merged, folder))
        print(tally(merged.matrix))
    else:
        linked = [(_address(file, folder), read(file)) for file in merged.files]
        standing = {
            f"{quote(_address(origin.file, folder))}#{origin.anchors[name]}": wording.standing(field)
            for cell, origin in zip(merged.matrix.cells, merged.origins, strict=True)
            for name, field in cell.policies.items()
            if name in origin.anchors
        }
        filing.write(page, matrix(linked, standing))
        print(listing(linked, standing=standing, everything=everything))
    print(safe(f"matrix: {page}"))


def _address(file: Path, folder: Path) -> str:
    return Path(os.path.relpath(file.parent / PAGE, folder)).as_posix()
