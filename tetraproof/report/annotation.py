"""A result where people look: annotations of a pull request, and a summary in Markdown.

A refuted promise is told at the line of the suite where it was asserted, and at the policy's own line. One that a
finding explains is a notice, one that could not be judged a warning, any other an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tetraproof.report import label
from tetraproof.report.result import ClaimResult, LimitResult, PolicyResult, Result
from tetraproof.text import safe, shorten

#: The words of GitHub's workflow commands.
ERROR, WARNING, NOTICE = "error", "warning", "notice"
_PLACE = re.compile(r"(?P<file>[^:]+):(?P<line>\d+)(?::|$)")
#: What stands for a verdict where there are no colours.
SIGNS = {"conforms": "✅", "violates": "❌", "inconclusive": "❓", "unsupported": "⛔", "unrecorded": "⬜"}
_WIDE = 300


@dataclass(frozen=True)
class Annotation:
    """One promise that does not conform: how grave it is, where it stands, and what is said of it."""

    level: str
    file: str
    line: int
    title: str
    text: str
    rule: str
    policy: str


def annotated(results: Iterable[Result]) -> Iterator[Annotation]:
    """What is to be told of results, promise by promise: at the suite's line, then at the policy's."""
    for result in results:
        for policy in result.policies:
            for claim in policy.claims:
                level = _level(claim)
                if level:
                    yield from _placed(level, policy, claim, result.target.cell.title)


def _level(claim: ClaimResult) -> str:
    if claim.verdict == "inconclusive":
        return WARNING
    if claim.verdict != "violates":
        return ""
    return NOTICE if claim.finding_seen else ERROR


def _placed(level: str, policy: PolicyResult, claim: ClaimResult, cell: str) -> Iterator[Annotation]:
    known = f" (known: {claim.finding})" if claim.finding_seen else ""
    title = f"{policy.name} {claim.verdict}{known}"
    text = f"{claim.title} {claim.reason} · {cell}"
    for path, at in (stands_at(policy, claim), _of(policy.place)):
        if path:
            yield Annotation(level, from_the_top(path), at or 1, title, text, claim.name, policy.name)


def stands_at(policy: PolicyResult, claim: ClaimResult | LimitResult) -> tuple[str, int]:
    """Where a claim was asserted, or else where its test is: a file of the user's, and the line, 0 where nobody knows.

    What a promise of every suite asserts stands in the library, which is among the user's files or in a venv there.
    """
    file, line = _of(claim.location) if isinstance(claim, ClaimResult) else ("", 0)
    theirs = file and not file.startswith(("/", "../", "tetraproof/")) and "site-packages" not in file
    return (file, line) if theirs else (policy.suite, claim.line)


def from_the_top(path: str) -> str:
    """A path from where the report is drawn as one from the top of its repository, which is how annotations name files.

    One that leads nowhere from here is left as it is.
    """
    here = Path.cwd()
    top = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    found = Path(os.path.normpath(here / path))
    with suppress(OSError):  # no file can be called so
        if found.is_relative_to(top) and found.is_file():
            return found.relative_to(top).as_posix()
    return path


def _of(place: str) -> tuple[str, int]:
    found = _PLACE.match(place)
    return (found["file"], int(found["line"])) if found else ("", 0)


def github(results: Sequence[Result]) -> str:
    """Workflow commands of GitHub Actions, a line each."""
    return "".join(
        f"::{one.level} file={_property(one.file)},line={one.line},title={_property(one.title)}::{_data(one.text)}\n"
        for one in annotated(results)
    )


def markdown(results: Sequence[Result]) -> str:
    """A summary for a job: each run in a line, and a table of its policies, what does not conform first."""
    return "\n".join(line for result in results for line in _summary(result)) + "\n"


def _summary(result: Result) -> Iterator[str]:
    yield f"### {escaped(result.target.cell.title)}"
    yield ""
    yield f"**{escaped(label.headline(result))}**" + (
        f", red: {escaped('; '.join(result.run.red))}" if result.run.red else ""
    )
    yield ""
    yield from ("| | policy | |", "| --- | --- | --- |")
    order = ["violates", "inconclusive", "unsupported", "unrecorded", "conforms"]
    for policy in sorted(result.policies, key=lambda one: order.index(one.verdict)):
        told = policy.line.removeprefix(policy.verdict).strip(" ·")
        yield f"| {SIGNS[policy.verdict]} {policy.verdict} | {escaped(policy.name)} | {escaped(shorten(told, _WIDE))} |"
    yield ""


def escaped(text: str) -> str:
    """A text that Markdown takes for nothing but text."""
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", safe(text))


def _data(text: str) -> str:
    return safe(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
