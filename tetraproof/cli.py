"""The `tetraproof` commands, for scripts as well as people."""

from __future__ import annotations

import argparse
import json
import os.path
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import tetraproof
from tetraproof import kubeconfig, leftovers, tool
from tetraproof.cluster import Cluster
from tetraproof.compact import compact
from tetraproof.conversion import Choice, convert
from tetraproof.deadline import Deadlines
from tetraproof.errors import TetraproofError, UsageError
from tetraproof.event import Event, Malformed
from tetraproof.explanation import what_happened
from tetraproof.helm import Helm
from tetraproof.recording import open_recording, write
from tetraproof.report.matrix import matrix, matrix_text
from tetraproof.report.page import page
from tetraproof.report.summary import summary_text
from tetraproof.result import FILE, Result
from tetraproof.result import read as read_result
from tetraproof.stream import Condition, matching, read
from tetraproof.text import safe

WIDTH = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Bad input is told in a sentence on standard error, with exit code 2."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        code: int = given.command(given)
    except TetraproofError as error:
        print(f"tetraproof: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tetraproof", description=tetraproof.__doc__)
    parser.add_argument("--version", action="version", version=tetraproof.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about, description=about)
        made.set_defaults(command=run)
        return made

    converting = command("convert", _convert, "make a recording of raw records (docs/recordings.md)")
    converting.add_argument("raw", type=Path, help="the folder of one cell's raw records")
    converting.add_argument("destination", type=Path, help="where to write the recording: a new folder")
    converting.add_argument("--only", nargs="+", default=[], metavar="SCENARIO", help="only these scenarios")
    converting.add_argument("--without", nargs="+", default=[], metavar="SCENARIO", help="all but these")
    converting.add_argument("--export", nargs="*", metavar="SCENARIO", help="keep the export log of these only")
    converting.add_argument("--trim", action="store_true", help="leave out events of namespaces not acted in")

    converting.add_argument("--json", action="store_true", help="print what was made as JSON")

    verifying = command("verify", _verify, "check a recording: format, schema, checksums, nothing missing")
    verifying.add_argument("recording", type=Path)
    verifying.add_argument("--json", action="store_true", help="print what it holds as JSON")

    showing = command("events", _events, "read any getevents or export stream")
    showing.add_argument("file", help="a file of JSON lines, - for standard input")
    showing.add_argument("-o", "--output", choices=("compact", "json", "table"), default="compact")
    showing.add_argument("--namespace", default="", help="only these namespaces (comma-separated), as tetra has it")
    showing.add_argument(
        "--pods", default="", help="only pods whose name matches (comma-separated regular expressions)"
    )

    proving = command("prove", _prove, "damage the recordings, and see that the suites notice")
    proving.add_argument("--recording", default="", help="only this one (default: every shipped recording)")
    proving.add_argument("--json", action="store_true", help="print what came of each damage as JSON")

    reporting = command("report", _report, "draw the report of a run again; of several runs, their matrix")
    reporting.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="a run's folder, with its verdicts.json")
    reporting.add_argument("--matrix", type=Path, metavar="FILE", help="write the merged table of all runs there")
    reporting.add_argument("--json", action="store_true", help="print the verdicts as JSON instead")

    cleaning = command(
        "clean-cluster", _clean_cluster, "list what killed runs left on a cluster, and remove it if told"
    )
    cleaning.add_argument("--context", required=True, help="the context of the kubeconfig")
    cleaning.add_argument("--kubeconfig", default="", help="default: KUBECONFIG, then ~/.kube/config")
    cleaning.add_argument("--helm", default="", help="the helm to uninstall with (default: that on PATH)")
    cleaning.add_argument("--yes", action="store_true", help="remove what is listed")
    return parser


def _convert(given: argparse.Namespace) -> int:
    if not given.raw.is_dir():
        raise UsageError(f"There is no folder {given.raw}.", remedy="name the folder of one cell's raw records")
    export = None if given.export is None else tuple(given.export)
    files = convert(given.raw, Choice(tuple(given.only), tuple(given.without), export, given.trim))
    write(files, given.destination)
    recording = open_recording(given.destination)
    left_out = recording.index.provenance.left_out
    scenarios = [scenario.name for scenario in recording.index.scenarios]
    if given.json:
        print(json.dumps({"recording": str(given.destination), "scenarios": scenarios, "left_out": left_out}, indent=1))
        return 0
    print(f"{given.destination}: {len(scenarios)} scenarios, {sum(map(len, files.values())) / 1e6:.2f} MB")
    for line in left_out:
        print(f"  left out: {line}")
    return 0


def _verify(given: argparse.Namespace) -> int:
    recording = open_recording(given.recording)
    acts = {scenario.name: len(recording.acts(scenario.name)) for scenario in recording.index.scenarios}
    if given.json:
        print(json.dumps({"recording": recording.name, "cell": recording.index.cell.title, "acts": acts}, indent=1))
    else:
        print(
            f"{recording.name} is whole: {len(acts)} scenarios, {sum(acts.values())} acts, {len(recording.files)} files"
        )
    return 0


def _events(given: argparse.Namespace) -> int:
    condition = _condition(given.namespace, given.pods)
    with _source(given.file) as source:
        lines = (line for line in read(source) if isinstance(line, Malformed) or condition(line))
        if given.output == "table":
            return _table(lines)
        for line in lines:
            if isinstance(line, Malformed):
                print(f"tetraproof: a line is no event: {line.reason}", file=sys.stderr)
            else:
                print(json.dumps(line.json()) if given.output == "json" else compact(line))
    return 0


def _condition(namespaces: str, pods: str) -> Condition:
    try:
        return matching(filter(None, namespaces.split(",")), filter(None, pods.split(",")))
    except re.error as error:
        raise UsageError(f"--pods: {error.pattern!r} is no regular expression: {error}.") from error


@contextmanager
def _source(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115 - closed below, once opening has been told apart from reading
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
    with source:
        yield source


def _table(lines: Iterator[Event | Malformed]) -> int:
    """A line an event, in columns of fixed width, so that an endless stream shows as it comes."""
    print(f"{'time':15}  {'kind':8}  {'pod':30}  what")
    for line in lines:
        if isinstance(line, Malformed):
            print(f"{'':15}  {'-':8}  {'':30}  no event: {safe(line.reason)}")
        else:
            time = f"{line.time:%H:%M:%S.%f}" if line.time else ""
            print(f"{time:15}  {safe(line.kind):8}  {safe(line.pod or line.node):30}  {safe(what_happened(line))}")
    return 0


def _prove(given: argparse.Namespace) -> int:
    words = [sys.executable, "-m", "pytest", "suites", "--target", "replay", "--prove", "-q"]
    words += ["--recording", given.recording] if given.recording else []
    if not given.json:
        return subprocess.run(words, check=False).returncode  # noqa: S603 - our own pytest, no shell
    with TemporaryDirectory() as reports:
        words += ["--reports", reports, "--run-id", "prove"]
        code = subprocess.run(words, check=False, stdout=sys.stderr).returncode  # noqa: S603 - likewise
        written = Path(reports, "prove", "prove.json")
        if written.is_file():
            print(written.read_text(encoding="utf-8"))
    return code


def _report(given: argparse.Namespace) -> int:
    results = [(path, read_result(path)) for path in _runs(given.runs)]
    if given.json:
        print(json.dumps([_short(path, result) for path, result in results], indent=1))
        return 0
    for path, result in results:
        (path / "index.html").write_text(page(result), encoding="utf-8")
    if given.matrix:
        base = given.matrix.resolve().parent
        linked = [(Path(os.path.relpath(path / "index.html", base)).as_posix(), result) for path, result in results]
        try:
            given.matrix.write_text(matrix(linked), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{given.matrix} cannot be written: {error.strerror}.") from error
        print(matrix_text(linked))
        print(f"matrix: {given.matrix}")
        differences = [line for _, result in results if result.pins for line in result.pins.differences]
        for line in differences:
            print(f"differs from expected.json: {line}")
        return 1 if differences else 0
    for path, result in results:
        print("\n".join(summary_text(result, WIDTH)))
        print(f"report: {path / 'index.html'}")
    return 0


def _clean_cluster(given: argparse.Namespace) -> int:
    with TemporaryDirectory() as folder:
        own = Path(folder, "kubeconfig")
        kubeconfig.copy(given.context, own, given.kubeconfig)
        cluster = Cluster(own, given.context, Deadlines())
        found = leftovers.find(cluster)
        for one in found:
            print(one)
        if found and given.yes:

            def uninstall() -> None:
                helm = tool.find("helm", given.helm)
                Helm(helm, own, given.context, Path(folder, "helm"), Deadlines().rollout).uninstall()

            leftovers.remove(cluster, found, Deadlines(), lambda line: print(line, file=sys.stderr), uninstall)
    told = "removed" if given.yes else "to remove them: make clean-cluster YES=1, when no run is going on"
    print(f"{len(found)} left on the cluster of {given.context}; {told}" if found else "nothing is left on the cluster")
    return 0


def _runs(given: Sequence[Path]) -> list[Path]:
    """The folders of runs; a folder that holds runs stands for all of them."""
    found = [run.parent for path in given if not (path / FILE).is_file() for run in sorted(path.glob(f"*/{FILE}"))]
    return [path for path in given if (path / FILE).is_file()] + found or list(given)


def _short(path: Path, result: Result) -> dict[str, Any]:
    return {
        "run": str(path),
        "cell": result.target.cell.title,
        "red": list(result.run.red),
        "policies": {policy.name: {"verdict": policy.verdict, "line": policy.line} for policy in result.policies},
    }
