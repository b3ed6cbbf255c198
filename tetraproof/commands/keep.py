"""`tetraproof record`: a live run that is kept as a recording, or added to one."""

from __future__ import annotations

import argparse

from tetraproof.commands import test
from tetraproof.errors import UsageError

ABOUT = "run suites live, and keep what was observed as a recording, or add it to one (--into)"
PASSES_ON = True


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told: the options of `tetraproof test`."""
    test.add(parser)
    parser.usage = "tetraproof record (--into DIR | --record DIR) [what tetraproof test takes]"


def run(given: argparse.Namespace) -> int:
    """As `tetraproof test`, where a folder is named. Raises `UsageError`."""
    if given.record is None and given.into is None:
        raise UsageError(
            "tetraproof record needs to know where to.",
            remedy="INTO=recordings/mine adds to that recording, or makes it",
        )
    return test.run(given)
