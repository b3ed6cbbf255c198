"""`tetraproof compare`: what changed from one run, recording or matrix to another."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tetraproof.comparing.comparison import Comparison, Turned, cells, compare
from tetraproof.errors import UsageError
from tetraproof.nightly.merging import MATRIX, as_results, read_matrix
from tetraproof.recordings.recording import INDEX, recordings_in
from tetraproof.report.result import FILE, Result, read
from tetraproof.settings import shipped
from tetraproof.text import safe, shorten
from tetraproof.verdict import Verdict

ABOUT = "say what changed from one run, recording or matrix to another: verdicts, and behaviour beneath equal ones"
#: How many fields that are told otherwise are printed; --all prints every one.
_FIELDS = 20
_WIDE = 400


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    kinds = "a run's folder, its verdicts.json, a recording (a folder, or the name of a shipped one), a folder of runs,"
    kinds += " a matrix.json"
    parser.add_argument("before", metavar="BEFORE", help=kinds)
    parser.add_argument("after", metavar="AFTER", help="likewise")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON instead")
    parser.add_argument("--all", action="store_true", help=f"print every field that differs, not the first {_FIELDS}")


def run(given: argparse.Namespace) -> int:
    """Compare. Ends with 1 where a promise that conformed no longer does."""
    with tempfile.TemporaryDirectory(prefix="tetraproof-") as scratch:
        before, after = (
            _results(what, Path(scratch) / side) for what, side in ((given.before, "a"), (given.after, "b"))
        )
    compared = list(_paired(before, after))
    if given.json:
        told = [{"before": _of(one.before), "after": _of(one.after), **_plain(one)} for one in compared]
        print(msgspec.json.format(msgspec.json.encode(told), indent=1).decode())
    else:
        print("\n\n".join("\n".join(_lines(one, every=given.all)) for one in compared))
    return 1 if any(one.worse for one in compared) else 0


def _results(what: str, scratch: Path) -> list[Result]:
    """The results that a word on the command line stands for."""
    path = Path(what)
    if path.is_file() and path.name == MATRIX:
        return as_results(read_matrix(path))
    if path.is_file() or (path / FILE).is_file():
        return [read(path)]
    for recording in (path, shipped.root() / "recordings" / what):
        if (recording / INDEX).is_file():
            return [_replayed(recording, scratch)]
    runs = sorted(path.glob(f"*/{FILE}")) if path.is_dir() else []
    if not runs and (path / MATRIX).is_file():
        return as_results(read_matrix(path))
    if not runs:
        known = ", ".join(one.name for one in recordings_in(shipped.root() / "recordings"))
        raise UsageError(
            f"There is no run, no recording and no folder of runs {safe(what)}.",
            remedy=f"name a folder that holds {FILE} or {INDEX}, or one of {known}",
        )
    return [read(one) for one in runs]


def _replayed(recording: Path, scratch: Path) -> Result:
    """What replaying a recording comes to, by the shipped suites or the project's own."""
    words = ["test", "--target", "replay", "--recording", str(recording), "--reports", str(scratch), "--run-id", "run"]
    words += ["--shipped"] if shipped.within(recording) else []
    print(f"tetraproof: replaying {safe(recording.name)}", file=sys.stderr)
    done = subprocess.run(  # noqa: S603 - no shell
        [sys.executable, "-m", "tetraproof", *words, "-q"],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode > 1 or not (scratch / "run" / FILE).is_file():
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("tetraproof: ")]
        raise UsageError(
            f"{safe(recording.name)} could not be replayed.",
            causes=[safe(line.removeprefix("tetraproof: ")) for line in said[-2:]],
            remedy=f"tetraproof test --target replay --recording {safe(recording)} says more",
        )
    return read(scratch / "run")


def _paired(before: list[Result], after: list[Result]) -> Iterator[Comparison]:
    """Two results, or those of the same cell."""
    if len(before) == len(after) == 1:
        yield compare(before[0], after[0])
        return
    earlier, later = cells(before), cells(after)
    same = [title for title in earlier if title in later]
    if not same:
        raise UsageError(
            "No cell is in both.",
            causes=[f"before: {', '.join(map(safe, earlier))}", f"after: {', '.join(map(safe, later))}"],
            remedy="name one run of each",
        )
    for title in same:
        yield compare(earlier[title], later[title])


def _of(result: Result) -> dict[str, str]:
    return {"cell": result.target.cell.title, "run": result.run.id, "started": result.run.started}


def _plain(one: Comparison) -> dict[str, object]:
    return {
        "compared": one.compared,
        "only_before": one.gone,
        "only_after": one.new,
        "verdicts": one.turned,
        "worse": [f"{turned.policy}: {turned.promise}" for turned in one.worse],
        "behaviour": one.behaved,
        "fields": one.retold,
    }


def _lines(one: Comparison, *, every: bool) -> Iterator[str]:
    yield f"{_titled(one.before)}  before"
    yield f"{_titled(one.after)}  after"
    yield f"{one.compared} policies were judged in both"
    for names, where in ((one.gone, "before"), (one.new, "after")):
        if names:
            yield f"  only {where}: {shorten(', '.join(names), _WIDE)}"
    yield from _headed("verdicts that changed", _verdicts(one))
    yield from _headed("acts that ended or were told otherwise", _acts(one))
    yield from _headed("fields that events tell otherwise", _fields(one, every=every))
    if not (one.turned or one.behaved or one.retold):
        yield "nothing changed"
    if one.worse:
        yield from ("", f"{len(one.worse)} of the promises that conformed no longer do")


def _headed(title: str, lines: Iterator[str]) -> Iterator[str]:
    first = next(lines, None)
    if first is not None:
        yield from ("", title, first)
        yield from lines


def _verdicts(one: Comparison) -> Iterator[str]:
    """Those that both tell; what only one of them has a record of is a line for each policy."""
    unrecorded: dict[tuple[str, str], list[Turned]] = {}
    for turned in one.turned:
        where = _only_in(turned)
        if where and not turned.worse:
            unrecorded.setdefault((where, turned.policy), []).append(turned)
        else:
            yield _turned(turned)
    for (where, policy), several in unrecorded.items():
        promises = [turned for turned in several if turned.promise]
        said = next((turned for turned in several if not turned.promise), None)
        verdict = f", {said.after if where == 'after' else said.before}" if said else ""
        yield f"  {safe(policy)}: recorded only {where}{verdict} ({len(promises)} promises and limits)"


def _only_in(turned: Turned) -> str:
    if turned.before == str(Verdict.UNRECORDED):
        return "after"
    return "before" if turned.after == str(Verdict.UNRECORDED) else ""


def _acts(one: Comparison) -> Iterator[str]:
    before = ""
    for behaved in one.behaved:
        where = safe(f"{behaved.policy} · {behaved.act}")
        if where != before:
            yield f"  {where}"
        before = where
        yield f"    {shorten(behaved.what, _WIDE)}"


def _fields(one: Comparison, *, every: bool) -> Iterator[str]:
    shown = one.retold if every else one.retold[:_FIELDS]
    for told in shown:
        events = f"{told.events} {'event' if told.events == 1 else 'events'} of {', '.join(told.kinds)}"
        change = f"{shorten(told.before, 60)} → {shorten(told.after, 60)}"
        yield f"  {safe(told.way)}: {change} ({events}; first {safe(told.first)})"
    if len(shown) < len(one.retold):
        yield f"  and {len(one.retold) - len(shown)} more (--all)"


def _turned(turned: Turned) -> str:
    what = f"{turned.policy}: {turned.promise}" if turned.promise else turned.policy
    mark = "✗" if turned.worse else " "
    reason = f" · {shorten(turned.reason, _WIDE)}" if turned.reason else ""
    return f"{mark} {safe(what)}: {turned.before} → {turned.after}{reason}"


def _titled(result: Result) -> str:
    return safe(f"{result.target.cell.title}, {result.target.kind} {result.run.started[:10]}")
