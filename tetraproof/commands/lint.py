"""`tetraproof lint`: what policies get wrong, what they need, and what they leave open; no cluster is asked."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tetraproof.errors import PolicyError, UsageError
from tetraproof.policies import crd as crds
from tetraproof.policies.confinement import without_kubernetes
from tetraproof.policies.directory import Folder, load_file, load_folder, load_text
from tetraproof.policies.inspection.loophole import Loophole
from tetraproof.policies.inspection.mistake import mistakes
from tetraproof.policies.inspection.survey import RULES, known_to, loopholes
from tetraproof.policies.manifest import Document
from tetraproof.policies.policy import Policy
from tetraproof.policies.requirement import demanded_mode, requirements
from tetraproof.settings.configuration import find
from tetraproof.settings.options import spelled
from tetraproof.text import safe, shorten

ABOUT = "read policies: what is wrong with them, what they need, what they leave open"
_STDIN = "-"
#: How many names of what is passed over are printed; --json has them all.
_NAMED = 20
#: How many hooks are named in a line.
_HOOKS = 6


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="a file, a folder with all below it, or - for standard input (default: the project's policies)",
    )
    parser.add_argument(
        "--crd",
        default="",
        metavar="VERSION|FILE",
        help=f"whose CRD judges: {', '.join(crds.VERSIONS)}, or a CRD's file",
    )
    parser.add_argument(
        "--explain", metavar="RULE", default="", help="say when a rule tells of something, and where it was seen"
    )
    parser.add_argument("--strict", action="store_true", help="end with 1 where something is left open as well")
    parser.add_argument(
        "--json", action="store_true", help="print an object a line: each problem, policy, file passed over"
    )


def run(given: argparse.Namespace) -> int:
    """Read them all. Ends with 0 where none is bad, with 1 where one is."""
    if given.explain:
        print(_explained(given.explain))
        return 0
    configuration = find(Path.cwd())
    configured = configuration.options({})
    crd = given.crd or configured.crd or crds.DEFAULT
    paths = given.paths or [str(_near(configured.policies))]
    found = _read(paths, crd)
    if not found.policies and not found.problems:
        passed = f": {len(found.passed_over)} files were passed over" if found.passed_over else ""
        raise UsageError(
            f"There is no policy in {', '.join(paths)}{passed}.",
            causes=[f"{source}: {why}" for source, why in list(found.passed_over.items())[:_NAMED]],
            remedy="name files or folders that hold one",
        )
    show = _as_json if given.json else _as_text
    for line in show(found, crd):
        print(line)
    return 1 if found.problems or (given.strict and any(one.new for one in found.policies)) else 0


@dataclass(frozen=True)
class Problem:
    """What is wrong, as a clause that names its field, with its place and what to do about it."""

    file: str
    line: int
    field: str
    said: str
    remedy: str


@dataclass(frozen=True)
class Linted:
    """A policy that nothing is wrong with; `known` are the rules of which it says itself that they tell of it."""

    policy: Policy
    loopholes: tuple[Loophole, ...]
    known: frozenset[str]
    line_of: Callable[[Loophole], int]
    file: str

    @property
    def new(self) -> list[Loophole]:
        """What is told of it and it does not say itself."""
        return [one for one in self.loopholes if one.id not in self.known]


@dataclass
class Found:
    """What all paths hold."""

    problems: list[Problem] = field(default_factory=list)
    policies: list[Linted] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)


def _read(paths: list[str], crd: str) -> Found:
    crds.schema(crd)
    found = Found()
    seen: set[str] = set()
    for path in paths:
        _sort(_folder(path, crd), found, seen)
    found.problems.sort(key=lambda problem: (problem.file, problem.line, problem.field))
    found.policies.sort(key=lambda linted: (linted.file, linted.policy.line))
    found.passed_over = dict(sorted(found.passed_over.items()))
    return found


def _folder(path: str, crd: str) -> Folder:
    if path == _STDIN:
        try:
            return load_text(sys.stdin.buffer.read().decode("utf-8-sig"), _STDIN, crd=crd)
        except (OSError, UnicodeDecodeError, AttributeError) as error:
            raise UsageError(f"Standard input cannot be read: {error}.", remedy="pipe manifests into it") from error
    if Path(path).is_dir():
        return load_folder(Path(path), crd=crd)
    if not Path(path).exists():
        raise UsageError(f"There is no file and no folder {path}.", remedy="name where the policies lie")
    return load_file(Path(path), crd=crd)


def _sort(folder: Folder, found: Found, seen: set[str]) -> None:
    """Add what a folder holds to what was found; a file that two paths lead to counts once."""

    def new(source: str) -> bool:
        return os.path.realpath(source) not in seen

    kept = [policy for policy in folder.policies.values() if new(policy.source)]
    for source, error in folder.problems.items():
        told = (error, *error.more) if new(source) else ()
        if told and all(one.unfilled for one in told):
            found.passed_over[source] = "it is a template, whose {{ … }} are still to be filled in"
        else:
            found.problems += [_problem(source, one) for one in told]
    found.passed_over |= {source: why for source, why in folder.passed_over.items() if new(source)}
    for policy in kept:
        _judge(policy, found)
    sources = (*folder.problems, *folder.passed_over, *(policy.source for policy in kept))
    seen |= {os.path.realpath(source) for source in sources}


def _judge(policy: Policy, found: Found) -> None:
    document = Document(policy.text, policy.line, policy.source)
    file = policy.source.removesuffix(f":{policy.line}")

    def line_of(way: tuple[str | int, ...]) -> int:
        return document.line_of((*policy.within, *way))

    wrong = mistakes(policy)
    for one in wrong:
        place = _field(one.way)
        found.problems.append(Problem(file, line_of(one.way), place, f"{place}: {one.said}", one.remedy))
    try:
        known = known_to(policy)
    except PolicyError as error:
        error.line = line_of(error.way)
        found.problems.append(_problem(policy.source, error))
        return
    if not wrong:
        found.policies.append(Linted(policy, loopholes(policy), known, lambda one: line_of(one.way), file))


def _problem(source: str, error: PolicyError) -> Problem:
    # a source with several documents has the line in its name
    before, _, number = source.rpartition(":")
    file = before if number.isdecimal() and before else source
    said = error.sentence.removeprefix(source).removeprefix(":").strip().rstrip(".")
    return Problem(file, error.line or 1, _field(error.way), said, spelled(error.remedy, "tetraproof"))


def _field(way: tuple[str | int, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in way)
    return shorten(text.removeprefix("."), 150)


def _as_text(found: Found, crd: str) -> Iterator[str]:
    others = ", ".join(version for version in crds.VERSIONS if version != crd)
    yield f"judged by the CRD of {_called(crd)} (--crd takes another: {others}, or a CRD's file)"
    for problem in found.problems:
        mend = f". To mend it: {problem.remedy}" if problem.remedy else ""
        yield safe(f"{problem.file}:{problem.line}: {problem.said}{mend}")
    for linted in found.policies:
        yield from (safe(line) for line in _block(linted))
    yield from (safe(line) for line in _passed_over(found.passed_over))
    new = sum(len(one.new) for one in found.policies)
    known = sum(len(one.loopholes) for one in found.policies) - new
    told = f"{_count(new, 'thing')} left open" + (f", {known} more that are known" if known else "")
    yield (
        f"{_count(len(found.policies), 'policy fits', 'policies fit')}, {_count(len(found.problems), 'problem')}, "
        f"{told}{' (--explain RULE says more)' if new + known else ''}"
    )


def _block(linted: Linted) -> Iterator[str]:
    policy = linted.policy
    yield f"{linted.file}:{policy.line}: {policy.name} fits, and {_does(policy)}"
    needs = "; ".join(why for _, why in _needs(policy))
    yield f"    needs: {needs or 'nothing in particular'}"
    for one in linted.loopholes:
        about = ", ".join(one.of[:_HOOKS]) + (f" and {len(one.of) - _HOOKS} more" if len(one.of) > _HOOKS else "")
        said = f"{about}: {one.said}" if about else one.said
        known = "known to be " if one.id in linted.known else ""
        yield f"    {known}open at line {linted.line_of(one)}: {said} [{one.id}, {one.basis}]"


def _does(policy: Policy) -> str:
    """What a policy is there for, and where, in a clause."""
    does = {"enforce": "enforces", "monitor": "reports what it would enforce"}.get(
        demanded_mode(policy), "only reports"
    )
    if policy.hooks_nothing:
        does = "does nothing"
    if policy.kind == "TracingPolicyNamespaced":
        where = f"the namespace {policy.namespace}" if policy.namespace else "whatever namespace it is applied in"
        return f"{does}, in {where}"
    return does


def _needs(policy: Policy) -> Iterator[tuple[str, str]]:
    """What a policy needs, each by its name and with the reason."""
    taken = [version for version in crds.VERSIONS if crds.takes(policy.spec, version)]
    if len(taken) < len(crds.VERSIONS):
        known = ", ".join(taken)
        yield known, f"a Tetragon whose CRD takes it ({known})" if known else "a Tetragon whose CRD is this one"
    kubernetes = without_kubernetes(policy, "")
    if kubernetes:
        yield "Kubernetes", kubernetes
    for need in requirements(policy):
        yield " or ".join(need.any_of), need.why


def _passed_over(files: Mapping[str, str]) -> Iterator[str]:
    for source, why in list(files.items())[:_NAMED]:
        yield f"{source}: passed over: {why}"
    if len(files) > _NAMED:
        yield f"{len(files) - _NAMED} more were passed over (--json names them)"


def _as_json(found: Found, crd: str) -> Iterator[str]:
    told: list[dict[str, Any]] = [{"kind": "judged by", "crd": crd}]
    told += [{"kind": "problem", **vars(problem)} for problem in found.problems]
    told += [_policy_json(linted) for linted in found.policies]
    told += [{"kind": "passed over", "file": source, "why": why} for source, why in found.passed_over.items()]
    return (json.dumps(one) for one in told)


def _policy_json(linted: Linted) -> dict[str, Any]:
    policy = linted.policy
    return {
        "kind": "policy",
        "file": linted.file,
        "line": policy.line,
        "name": policy.name,
        "namespace": policy.namespace,
        "does": _does(policy),
        "needs": [{"need": need, "why": why} for need, why in _needs(policy)],
        "open": [
            {
                "id": one.id,
                "line": linted.line_of(one),
                "of": one.of,
                "said": one.said,
                "basis": one.basis,
                "seen": one.seen,
                "known": one.id in linted.known,
            }
            for one in linted.loopholes
        ],
    }


def _explained(rule: str) -> str:
    """What is to be said of a rule. Raises `UsageError` for one that there is not."""
    known = {one.id: one for one in RULES}
    if rule not in known:
        near = difflib.get_close_matches(rule, known, 1)
        remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise UsageError(f"There is no rule {rule}.", remedy=remedy)
    return f"{rule}: told of {known[rule].about.replace('`', '')}; {known[rule].seen}"


def _near(path: Path) -> Path:
    """A path as a person would type it from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _called(crd: str) -> str:
    return f"Tetragon {crd}" if crd in crds.VERSIONS else crd


def _count(number: int, noun: str, nouns: str = "") -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {nouns or noun + 's'}"
