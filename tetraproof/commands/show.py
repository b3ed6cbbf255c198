"""`tetraproof events`: any getevents or export stream, read and shown."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tetraproof.errors import UsageError
from tetraproof.events.event import Event, Malformed
from tetraproof.events.remark import Remarks
from tetraproof.events.selection import Selection, listed
from tetraproof.events.stream import read
from tetraproof.judging.explanation import what_happened
from tetraproof.tetra.compact import printer
from tetraproof.tetra.dialect import made_by, told_as
from tetraproof.text import safe

ABOUT = "read any getevents or export stream"
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


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told: a file, a form, and tetra's own filters."""
    parser.add_argument("file", help="a file of JSON lines, - for standard input")
    parser.add_argument("-o", "--output", choices=("compact", "json", "table"), default="compact")
    parser.add_argument(
        "--tetragon",
        default="",
        metavar="VERSION",
        help="whose compact lines to print (default: the recording's, or the newest)",
    )
    filters = parser.add_argument_group(
        "filters",
        "as tetra getevents has them: each takes several values with commas between them, all filters must agree, "
        "and regular expressions are RE2's",
    )
    for field, (words, about) in _FILTERS.items():
        filters.add_argument(*words.split(), dest=field, action="append", default=[], metavar="…", help=about)
    filters.add_argument("--host", action="store_true", help="only what is in no pod, beside the namespaces given")


def run(given: argparse.Namespace) -> int:
    """Show what is chosen of the stream, and say at the end what could not be read."""
    selection = _selection(given)
    condition = selection.condition()
    version = given.tetragon or ("" if given.file == "-" else made_by(Path(given.file)))
    remarks = Remarks("" if given.output != "compact" or (version and not given.tetragon) else told_as(version))
    show = _row if given.output == "table" else _json if given.output == "json" else printer(version)
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a terminal's encoding lacks is shown as an escape
        sys.stdout.reconfigure(errors="backslashreplace")
    with _source(given.file) as source, _quiet_ends(given.file, remarks) as ending:
        if given.output == "table":
            print(_HEADER)
        everything, write = selection == Selection(), sys.stdout.write
        for told in read(source):
            if isinstance(told, Malformed):
                remarks.add(told)
            elif everything or condition(told):
                write(f"{show(told)}\n")
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
        raise UsageError(
            f"{file} cannot be read and shown to its end: {error.strerror}.", remedy="see the disk that it lies on"
        ) from error
    finally:
        with suppress(BrokenPipeError):
            for line in remarks.lines():
                print(f"tetraproof: {line}", file=sys.stderr)


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
        raise UsageError(f"{file} cannot be read: {error.strerror}.", remedy="name a file of JSON lines") from error
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
