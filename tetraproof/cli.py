"""The `tetraproof` commands, for scripts as well as people."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import tetraproof
from tetraproof.deadline import Deadlines
from tetraproof.errors import TetraproofError, UsageError
from tetraproof.events.event import Event, Malformed
from tetraproof.events.remark import Remarks
from tetraproof.events.selection import Selection, listed
from tetraproof.events.stream import read
from tetraproof.judging.explanation import what_happened
from tetraproof.kubernetes import kubeconfig, leftovers
from tetraproof.kubernetes.cluster import Cluster
from tetraproof.kubernetes.helm import Helm
from tetraproof.machines import tool
from tetraproof.recordings.conversion import Choice, convert
from tetraproof.recordings.recording import INDEX, open_recording, write
from tetraproof.report.matrix import matrix, matrix_text
from tetraproof.report.page import page
from tetraproof.report.result import FILE, Result
from tetraproof.report.result import read as read_result
from tetraproof.report.summary import summary_text
from tetraproof.tetra.compact import below, compact
from tetraproof.tetra.dialect import told_as
from tetraproof.text import safe

WIDTH = 100
#: The exit codes of a program that a signal ended, as a shell tells them: SIGINT, SIGPIPE.
INTERRUPTED, CLOSED_PIPE = 130, 141

#: tetra's filters: by the field of a selection, the words for the option and what it is about.
_FILTERS = {
    "namespaces": ("-n --namespaces --namespace", "only these namespaces"),
    "namespace_patterns": ("--namespace-regex", "only namespaces in whose name a regular expression is found"),
    "pods": ("--pod --pods", "only pods in whose name a regular expression is found"),
    "containers": ("--containers", "only containers in whose name a regular expression is found"),
    "processes": ("--processes --process", "only processes in whose binary a regular expression is found"),
    "event_types": ("-e --event-types", "only these types of event: PROCESS_EXEC or exec"),
    "policies": ("--policy-names", "only what these policies report"),
}
_NOT_PLAIN = re.compile(r"[^ -~]")
_HEADER = f"{'time':15}  {'kind':10}  {'pod':30}  what"


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
    showing.add_argument(
        "--tetragon",
        default="",
        metavar="VERSION",
        help="whose compact lines to print (default: the recording's, or the newest)",
    )
    filters = showing.add_argument_group(
        "filters",
        "as tetra getevents has them: each takes several values with commas between them, all filters must agree, "
        "and regular expressions are RE2's",
    )
    for field, (words, about) in _FILTERS.items():
        filters.add_argument(*words.split(), dest=field, action="append", default=[], metavar="…", help=about)
    filters.add_argument("--host", action="store_true", help="only what is in no pod, beside the namespaces given")

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
    selection = _selection(given)
    condition = selection.condition()
    version = given.tetragon or _recorded_with(given.file)
    remarks = Remarks("" if given.output != "compact" or (version and not given.tetragon) else told_as(version))
    show = {"table": _row, "json": _json}.get(given.output, partial(_compact, version=version))
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a terminal's encoding lacks is shown as an escape
        sys.stdout.reconfigure(errors="backslashreplace")
    with _source(given.file) as source, _quiet_ends(given.file, remarks) as ending:
        if given.output == "table":
            print(_HEADER)
        for told in read(source):
            if isinstance(told, Malformed):
                remarks.add(told)
            elif condition(told):
                print(show(told))
            elif told.unread and (path := selection.could_not_read(told)):
                remarks.could_not_filter(path)
        sys.stdout.flush()
    return ending.code


class _Ending:
    """The exit code with which a command ends."""

    code = 0


@contextmanager
def _quiet_ends(file: str, remarks: Remarks) -> Iterator[_Ending]:
    """Whoever reads may leave, or interrupt: what is to be said of the stream so far is said, and no traceback."""
    ending = _Ending()
    try:
        yield ending
    except BrokenPipeError:
        ending.code = CLOSED_PIPE
        _let_go_of_standard_output()
    except KeyboardInterrupt:
        ending.code = INTERRUPTED
    except OSError as error:
        raise UsageError(f"{file} cannot be read and shown to its end: {error.strerror}.") from error
    finally:
        with suppress(BrokenPipeError):
            for line in remarks.lines():
                print(f"tetraproof: {line}", file=sys.stderr)


def _recorded_with(file: str) -> str:
    """The version of the tetra that was recorded with a stream; nothing where it lies in no recording."""
    if file == "-":
        return ""
    for folder in Path(file).absolute().parents[:4]:
        with suppress(OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
            cell = json.loads((folder / INDEX).read_bytes())["cell"]
            return str(cell.get("cli") or cell["tetragon"])
    return ""


def _compact(event: Event, version: str) -> str:
    return "\n".join((compact(event, version), *below(event, version)))


def _selection(given: argparse.Namespace) -> Selection:
    choices = {}
    for field, (words, _) in _FILTERS.items():
        try:
            choices[field] = tuple(value for written in getattr(given, field) for value in listed(written))
        except ValueError as error:
            raise UsageError(
                f"{words.split()[-1]}: {error}.",
                remedy="values stand with commas between them, in double quotes where they hold one",
            ) from error
    if given.host:
        choices["namespaces"] += ("",)
    return Selection(**choices)


def _let_go_of_standard_output() -> None:
    """Whoever read it is gone: what is still to be written goes nowhere, and nothing complains of that at the end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _source(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        if sys.stdin is None:
            raise UsageError("Standard input is closed, and - stands for it.", remedy="pipe a stream, or name a file")
        yield sys.stdin.buffer
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115 - closed below, once opening has been told apart from reading
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
    with source:
        yield source


def _json(event: Event) -> str:
    """The event's own JSON in one line of ASCII, its numbers as they came."""
    return _NOT_PLAIN.sub(_escaped, event.line.decode(errors="replace"))


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    if character in "\t\r\n":  # between values only: within a text JSON has them escaped
        return " "
    return json.dumps(character)[1:-1] if not character.isascii() else f"\\u{ord(character):04x}"


def _row(event: Event) -> str:
    """One line in columns of fixed width, so that an endless stream shows as it comes."""
    time = f"{event.time:%H:%M:%S.%f}" if event.time else ""
    return f"{time:15}  {safe(event.kind):10}  {safe(event.pod or event.node):30}  {safe(what_happened(event))}"


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
