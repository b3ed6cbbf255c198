"""`tetraproof draft`: a suite, drawn from a policy."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from tetraproof.drafting.derivation import draft
from tetraproof.drafting.outline import Suite
from tetraproof.drafting.place import load_places
from tetraproof.drafting.rendering import written
from tetraproof.errors import UsageError
from tetraproof.policies.crd import DEFAULT
from tetraproof.policies.policy import load
from tetraproof.settings import shipped
from tetraproof.settings.configuration import find
from tetraproof.settings.options import Options

ABOUT = "write a suite that proves a policy, drawn from the policy itself (docs/drafting.md)"


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument("policy", type=Path, help="the policy's file")
    parser.add_argument("-o", "--output", metavar="FILE", help="the suite's file, - for standard output")
    parser.add_argument("--suites", type=Path, metavar="DIR", help="where it goes (default: the configured, or suites)")
    parser.add_argument(
        "--workloads",
        type=Path,
        metavar="DIR",
        help="the pods that it may act in (default: workloads, else those shipped)",
    )
    parser.add_argument("--crd", metavar="VERSION", help="whose CRD the policy is judged by (default: that of 1.7.0)")
    parser.add_argument("--force", action="store_true", help="write over a suite that is there")


def run(given: argparse.Namespace) -> int:
    """Draft it, write it down, and say what is left to a person."""
    told = {"suites": [given.suites] if given.suites else None, "workloads": given.workloads, "crd": given.crd}
    options = find(Path.cwd()).options(told)
    policy = load(given.policy, crd=options.crd or DEFAULT)
    suite = draft(policy, given.policy.stem, load_places(_workloads(options)))
    text = written(suite)
    if given.output == "-":
        print(text, end="")
        return 0
    chosen = given.output or options.suites[0] / f"test_{_word(given.policy.stem)}.py"
    path = Path(os.path.relpath(chosen))
    _write(path, text, force=given.force)
    print(*_summary(path, suite), *_next(given.policy, path, options), sep="\n")
    return 0


def _summary(path: Path, suite: Suite) -> list[str]:
    limits = sum(bool(test.limit) for test in suite.tests)
    counts = (_some(len(suite.acts), "act"), _some(len(suite.tests) - limits, "promise"), _some(limits, "limit"))
    first = f"{path}: {', '.join(counts)}" if suite.tests else f"{path}: nothing could be drawn from {suite.policy}"
    return [first, *(f"  to do: {todo}" for todo in suite.todos)]


def _next(policy: Path, path: Path, options: Options) -> list[str]:
    """What to do now."""
    lines = ["read it: what it promises is what the policy says, and you know what it should say"]
    if not policy.resolve().is_relative_to(options.policies.resolve()):
        where = os.path.relpath(options.policies)
        lines.append(f"a run looks for the policy in {where}: put it there, or name its folder by --policies")
    return [*lines, f"then run it: tetraproof test {path}"]


def _some(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _word(stem: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")


def _workloads(options: Options) -> Path:
    """The workloads that are configured or there, else those that are shipped."""
    if options.workloads.is_dir() or options.workloads.name != Options.workloads.name:
        return Path(os.path.relpath(options.workloads))
    return shipped.root() / "manifests/workloads"


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
