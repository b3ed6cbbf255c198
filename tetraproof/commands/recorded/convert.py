"""`tetraproof convert`: raw records of a real run, made into a recording."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tetraproof.errors import UsageError
from tetraproof.recordings.conversion import Choice, convert
from tetraproof.recordings.recording import open_recording, write
from tetraproof.text import safe

ABOUT = "make a recording of raw records (docs/recordings.md)"


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument("raw", type=Path, help="the folder of one cell's raw records")
    parser.add_argument("destination", type=Path, help="where to write the recording: a new folder")
    parser.add_argument("--only", nargs="+", default=[], metavar="SCENARIO", help="only these scenarios")
    parser.add_argument("--without", nargs="+", default=[], metavar="SCENARIO", help="all but these")
    parser.add_argument("--export", nargs="*", metavar="SCENARIO", help="keep the export log of these only")
    parser.add_argument("--trim", action="store_true", help="leave out events of namespaces not acted in")
    parser.add_argument(
        "--neutral", action="append", default=[], metavar="FOLDER=NAME", help="what a folder is called in the recording"
    )
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")


def run(given: argparse.Namespace) -> int:
    """Convert, and say what was made and what was left out."""
    if not given.raw.is_dir():
        raise UsageError(f"There is no folder {given.raw}.", remedy="name the folder of one cell's raw records")
    export = None if given.export is None else tuple(given.export)
    names = dict(_named(one) for one in given.neutral)
    files = convert(given.raw, Choice(tuple(given.only), tuple(given.without), export, given.trim, names))
    write(files, given.destination)
    recording = open_recording(given.destination)
    left_out = recording.index.provenance.left_out
    scenarios = [scenario.name for scenario in recording.index.scenarios]
    if given.json:
        print(json.dumps({"recording": str(given.destination), "scenarios": scenarios, "left_out": left_out}, indent=1))
        return 0
    size = sum(map(len, files.values())) / 1e6
    print(safe(f"{given.destination}: {len(scenarios)} scenarios, {size:.2f} MB"))
    for line in left_out:
        print(safe(f"  left out: {line}"))
    return 0


def _named(text: str) -> tuple[str, str]:
    """A folder, and what it is called. Raises `UsageError`."""
    folder, _, name = text.partition("=")
    if not (folder.startswith("/") and folder.strip("/") and name.startswith("/")):
        raise UsageError(
            f"--neutral {text!r} is no folder and its name.",
            remedy="write --neutral /home/alice/project=/home/user/project",
        )
    return folder.rstrip("/"), name
