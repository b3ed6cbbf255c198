"""`tetraproof draft`: a suite, drawn from a policy."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from tetraproof.drafting.draft import draft
from tetraproof.drafting.place import load_places
from tetraproof.drafting.suite import Suite
from tetraproof.drafting.writing import written
from tetraproof.errors import UsageError
from tetraproof.policies.crd import DEFAULT
from tetraproof.policies.policy import load

ABOUT = "write a suite that proves a policy, drawn from the policy itself (docs/drafting.md)"
#: Where suites lie, and workloads, where nothing else is said.
SUITES, WORKLOADS = Path("suites"), (Path("workloads"), Path("manifests/workloads"))


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument("policy", type=Path, help="the policy's file")
    parser.add_argument("-o", "--output", metavar="FILE", help="the suite's file, - for standard output")
    parser.add_argument("--suites", type=Path, default=SUITES, metavar="DIR", help=f"where it goes (default: {SUITES})")
    known = " or ".join(map(str, WORKLOADS))
    parser.add_argument(
        "--workloads",
        type=Path,
        metavar="DIR",
        help=f"the pods that it may act in (default: {known}, whichever is there)",
    )
    parser.add_argument(
        "--crd", default=DEFAULT, metavar="VERSION", help=f"whose CRD the policy is judged by (default: {DEFAULT})"
    )
    parser.add_argument("--force", action="store_true", help="write over a suite that is there")


def run(given: argparse.Namespace) -> int:
    """Draft it, write it down, and say what is left to a person."""
    stem = given.policy.stem
    suite = draft(load(given.policy, crd=given.crd), stem, load_places(_workloads(given.workloads)))
    text = written(suite)
    if given.output == "-":
        print(text, end="")
        return 0
    path = Path(given.output) if given.output else given.suites / f"test_{_word(stem)}.py"
    _write(path, text, force=given.force)
    for line in _summary(path, suite):
        print(line)
    return 0


def _summary(path: Path, suite: Suite) -> list[str]:
    limits = sum(bool(test.limit) for test in suite.tests)
    promises = len(suite.tests) - limits
    acts = sum(not act.prepare for act in suite.acts.values())
    counted = ", ".join((_some(acts, "act"), _some(promises, "promise"), _some(limits, "limit")))
    lines = [f"{path}: {counted}" if suite.tests else f"{path}: nothing could be drawn from {suite.policy}"]
    lines += [f"  to do: {todo}" for todo in suite.todos]
    return [*lines, "read it: what it promises is what the policy says, and you know what it should say"]


def _some(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _word(stem: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")


def _workloads(given: Path | None) -> Path:
    found = given or next((path for path in WORKLOADS if path.is_dir()), None)
    if found is None:
        raise UsageError(
            "There is no folder of workloads here, so nobody knows where to act.",
            remedy="name the one with their manifests: --workloads DIR",
        )
    return found


def _write(path: Path, text: str, *, force: bool) -> None:
    if path.exists() and not force:
        raise UsageError(
            f"{path} is there already, and is not written over.", remedy="choose another file with -o, or --force"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
