"""`tetraproof prove`: recordings damaged in every way, and who notices."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ABOUT = "damage the recordings, and see that the suites notice"


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument("--recording", default="", help="only this one (default: every recording of the project)")
    parser.add_argument(
        "--suites", action="append", default=[], metavar="DIR", help="only these; may be repeated (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="print what came of each damage as JSON")


def run(given: argparse.Namespace) -> int:
    """Have pytest collect the suites, and prove instead of testing."""
    words = [sys.executable, "-m", "tetraproof", "test", "--target", "replay", "--prove", "-q"]
    words += ["--recording", given.recording] if given.recording else []
    words += [f"--suites={folder}" for folder in given.suites]
    if not given.json:
        return subprocess.run(words, check=False).returncode  # noqa: S603 - our own pytest, no shell
    with TemporaryDirectory() as reports:
        words += ["--reports", reports, "--run-id", "prove"]
        code = subprocess.run(words, check=False, stdout=sys.stderr).returncode  # noqa: S603 - likewise
        written = Path(reports, "prove", "prove.json")
        if written.is_file():
            print(written.read_text(encoding="utf-8"))
    return code
