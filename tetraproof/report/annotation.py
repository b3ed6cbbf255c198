"""A result where people look: annotations of a pull request (GitHub, SARIF), and a summary in Markdown.

A refuted promise is told at the line of the suite where it was asserted, and at the policy's own line. One that a
finding explains is a notice, one that could not be judged a warning, any other an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tetraproof
from tetraproof.report import label
from tetraproof.report.result import ClaimResult, PolicyResult, Result
from tetraproof.text import safe, shorten

#: The words of GitHub's workflow commands, and SARIF's for the same.
ERROR, WARNING, NOTICE = "error", "warning", "notice"
_SARIF = {ERROR: "error", WARNING: "warning", NOTICE: "note"}
_PLACE = re.compile(r"(?P<file>[^:]+):(?P<line>\d+)(?::|$)")
#: What stands for a verdict where there are no colours.
SIGNS = {"conforms": "✅", "violates": "❌", "inconclusive": "❓", "unsupported": "⛔", "unrecorded": "⬜"}
_WIDE = 300
_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


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
    file, line = _of(claim.location)
    # what a promise of every suite asserts stands in the library, and not among the user's files
    if not file or file.startswith(("/", "tetraproof/")):
        file, line = policy.suite, 1
    for path, at in ((file, line), _of(policy.place)):
        if path:
            yield Annotation(level, path, at, title, text, claim.name, policy.name)


def _of(place: str) -> tuple[str, int]:
    found = _PLACE.match(place)
    return (found["file"], int(found["line"])) if found else ("", 0)


def github(results: Sequence[Result]) -> str:
    """Workflow commands of GitHub Actions, a line each."""
    return "".join(
        f"::{one.level} file={_property(one.file)},line={one.line},title={_property(one.title)}::{_data(one.text)}\n"
        for one in annotated(results)
    )


def sarif(results: Sequence[Result]) -> str:
    """A SARIF 2.1.0 log: a rule for each promise, a result for each that does not conform."""
    told = list(annotated(results))
    rules = {one.rule: {"id": one.rule, "name": one.rule, "shortDescription": {"text": one.rule}} for one in told}
    driver = {"name": "tetraproof", "version": tetraproof.__version__, "rules": list(rules.values())}
    run = {
        "tool": {"driver": driver},
        "results": [_sarif_result(one) for one in told],
        "columnKind": "unicodeCodePoints",
    }
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _sarif_result(one: Annotation) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": one.file}, "region": {"startLine": one.line}}
    return {
        "ruleId": one.rule,
        "level": _SARIF[one.level],
        "message": {"text": f"{one.title}: {one.text}"},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"promise/v1": f"{one.policy}/{one.rule}/{one.file}"},
    }


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
