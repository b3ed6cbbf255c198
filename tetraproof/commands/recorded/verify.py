"""`tetraproof verify`: whether a recording is whole."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tetraproof.recordings.recording import open_recording

ABOUT = "check a recording: format, schema, checksums, nothing missing"


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument("recording", type=Path)
    parser.add_argument("--json", action="store_true", help="print what it holds as JSON")


def run(given: argparse.Namespace) -> int:
    """Open it, which checks all of it, and say what it holds."""
    recording = open_recording(given.recording)
    acts = {scenario.name: len(recording.acts(scenario.name)) for scenario in recording.index.scenarios}
    if given.json:
        print(json.dumps({"recording": recording.name, "cell": recording.index.cell.title, "acts": acts}, indent=1))
    else:
        print(
            f"{recording.name} is whole: {len(acts)} scenarios, {sum(acts.values())} acts, {len(recording.files)} files"
        )
    return 0
