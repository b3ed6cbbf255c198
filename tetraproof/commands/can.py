"""`tetraproof can`: on which recorded cells a feature of the policy language, or all that a policy uses, is proven."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from tetraproof.errors import UsageError
from tetraproof.language.feature import known, used
from tetraproof.language.proven import IN_USE, WORDS, WORKS, Shown, Told, asked, shown
from tetraproof.policies.directory import load_file, load_folder
from tetraproof.recordings.recording import INDEX, recordings_in
from tetraproof.settings import shipped
from tetraproof.text import safe

ABOUT = "say on which recorded kernels and agents a feature of the policy language, or a policy, is proven to work"
#: How many policies are named for one word.
_NAMED = 3


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument(
        "what", metavar="FEATURE|POLICY.yaml", help="matchArgs/Postfix, matchArgs, matchActions/Override; or a policy"
    )
    parser.add_argument("--kernel", default="", metavar="VERSION", help="only cells of this kernel: 6.1")
    parser.add_argument("--tetragon", default="", metavar="VERSION", help="only cells of this agent: 1.7.0")
    parser.add_argument(
        "--recordings", type=Path, metavar="DIR", help="a folder of recordings (default: those shipped)"
    )
    parser.add_argument("--policies", type=Path, metavar="DIR", help="the policies that they are of (default: shipped)")
    parser.add_argument("--json", action="store_true", help="print an object a line: each feature on each cell")


def run(given: argparse.Namespace) -> int:
    """Answer. Ends with 0 where on each cell all of it works or is in use, with 1 otherwise."""
    policies = load_folder(given.policies or shipped.root() / "manifests/policies").policies
    folder = given.recordings or shipped.root() / "recordings"
    found = recordings_in(folder)
    if not found:
        raise UsageError(
            f"There is no recording in {safe(folder)}.", remedy=f"name a folder whose folders hold {INDEX}"
        )
    cells = [
        one
        for one in shown(found, policies)
        if _is(one.cell.kernel, given.kernel) and _is(one.cell.tetragon, given.tetragon)
    ]
    if not cells:
        raise UsageError(
            f"No recording is of kernel {given.kernel or 'any'} with Tetragon {given.tetragon or 'any'}.",
            remedy="leave --kernel or --tetragon out to see all that there are",
        )
    features = _features(given.what, cells)
    answers = [(cell, [cell.of(feature) for feature in features]) for cell in cells]
    for line in _as_json(answers) if given.json else _as_text(given.what, features, answers):
        print(line)
    return 0 if all(told.word in {WORKS, IN_USE} for _, all_told in answers for told in all_told) else 1


def _features(what: str, cells: Iterable[Shown]) -> tuple[str, ...]:
    """The features that are asked about."""
    if what.endswith((".yaml", ".yml")) or Path(what).is_file():
        return _used(Path(what))
    in_use = {one for cell in cells for proof in cell.proofs for one in proof.uses}
    features = asked(what.strip("/."), in_use)
    if not features:
        near = difflib.get_close_matches(what, {*known(), *in_use}, 3, 0.5)
        raise UsageError(
            f"The policy language has no feature {what!r}.",
            remedy=f"did you mean {' or '.join(near)}?" if near else "write it as matchArgs/Postfix, or name a policy",
        )
    return features


def _used(path: Path) -> tuple[str, ...]:
    if not path.exists():
        raise UsageError(f"There is no policy {safe(path)}.", remedy="name a file that holds one")
    folder = load_file(path)
    for problem in folder.problems.values():
        raise problem
    if not folder.policies:
        raise UsageError(f"There is no policy in {safe(path)}.", remedy="name a file that holds one")
    return tuple(sorted({one for policy in folder.policies.values() for one in used(policy.spec)}))


def _is(version: str, wanted: str) -> bool:
    """Whether a version is the wanted one, or one of its series: 6.1.170 of 6.1, and 6.12 is not."""
    parts = version.removeprefix("v").replace("-", ".").replace("+", ".").split(".")
    return parts[: len(wanted.split("."))] == wanted.removeprefix("v").split(".") if wanted else True


def _as_json(answers: Iterable[tuple[Shown, list[Told]]]) -> Iterator[str]:
    for cell, features in answers:
        for told in features:
            by = [{"policy": one.policy, "verdict": one.verdict, "why": one.why} for one in told.by]
            yield json.dumps(
                {"feature": told.feature, "recordings": cell.recordings, "cell": cell.cell.title}
                | {"is": told.word, "by": by}
            )


def _as_text(what: str, features: tuple[str, ...], answers: Iterable[tuple[Shown, list[Told]]]) -> Iterator[str]:
    yield safe(what) if features == (what,) else f"{safe(what)}: {len(features)} features"
    for cell, all_told in answers:
        yield ""
        yield safe(cell.cell.title)
        for word in WORDS:
            said = [told for told in all_told if told.word == word]
            if said and len(features) == 1:
                yield f"  {word}{_by(said[0])}"
            elif said:
                shown_by = [told.feature + ("" if word in {WORKS, IN_USE} else _by(told)) for told in said]
                yield f"  {word}: {', '.join(shown_by)}"


def _by(told: Told) -> str:
    """By which policies, and why where it does not work."""
    if not told.by:
        return ""
    names = ", ".join(safe(one.policy) for one in told.by[:_NAMED])
    more = f" and {len(told.by) - _NAMED} more" if len(told.by) > _NAMED else ""
    why = f": {safe(told.by[0].why)}" if told.by[0].why else ""
    return f" ({names}{more}{why})"
