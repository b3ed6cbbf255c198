"""A result as JUnit: a suite for each policy, a case for each promise and each limit of it.

What reads such files reads little of them. GitLab takes a case's classname, name and file, and the text within failure,
error and skipped; Jenkins takes skipped's message, failure's message and text, and properties where it is told to;
dorny/test-reporter takes a failure's text, and may look for the place in its first line. So message and text both say
why.

A known finding is skipped, with a type and first words of its own, and with the refutation as its text. It did not
pass: it refutes. As a failure it would have Jenkins call every green run unstable, and GitLab tell of a failed test at
every push.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tetraproof.report import label
from tetraproof.report.annotation import from_the_top, stands_at
from tetraproof.report.result import ClaimResult, LimitResult, Result
from tetraproof.text import safe, safe_block

#: The elements of a case that did not pass, and how a suite counts them.
_COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}
#: Acts are performed once for all promises, so none took a time of its own; some readers want a number.
_NO_TIME = "0.000"
#: What a run is called among its policies, where it is red by none of their promises.
_RUN = "the run"


@dataclass(frozen=True)
class _Ended:
    """How a case ended: its verdict in a word, the element that says so, if any, its message and its text."""

    word: str
    tag: str = ""
    message: str = ""
    text: str = ""


def junit(results: Sequence[Result]) -> str:
    """The results as one file, in ASCII, so that it is the same however it is printed."""
    cells = Counter(result.target.cell.title for result in results)
    root = ET.Element("testsuites", name="tetraproof", time=f"{sum(result.run.seconds for result in results):.3f}")
    for result in results:
        cell = result.target.cell.title
        of = cell if cells[cell] == 1 else f"{cell} · {result.run.id}"
        # Jenkins parts a package from its class at the last dot
        root.extend(_suites(result, f"{safe(of).replace('.', '_')}." if len(results) > 1 else ""))
    for counted in ("tests", *_COUNTED.values()):
        root.set(counted, str(sum(int(suite.attrib[counted]) for suite in root)))
    ET.indent(root, " ")
    written: bytes = ET.tostring(root, encoding="us-ascii", xml_declaration=True)
    return written.decode("ascii") + "\n"


def _suites(result: Result, package: str) -> Iterator[ET.Element]:
    titles = {finding.id: finding.title for finding in result.findings}
    red = False
    for policy, name in zip(result.policies, label.names(result, label.several([result])), strict=True):
        suite = _suite(result, name, {"policy": policy.name, "verdict": policy.verdict, "line": policy.line})
        for called, claim in _called([*policy.claims, *policy.limits]):
            ended = _claim(claim, titles) if isinstance(claim, ClaimResult) else _limit(claim)
            own = {"finding": claim.finding} if isinstance(claim, ClaimResult) else {"limit": claim.label}
            told = {"verdict": ended.word, **own, "title": claim.title, "cell": result.target.cell.title}
            suite.append(_case(package + name, called, ended, told, stands_at(policy, claim)))
            red = red or ended.tag in {"failure", "error"}
        yield _counted(suite)
    if result.run.red and not red:
        suite = _suite(result, _RUN, {})
        ended = _Ended("red", "failure", "; ".join(result.run.red))
        suite.append(_case(package + _RUN, "is green", ended, {"cell": result.target.cell.title}, ("", 0)))
        yield _counted(suite)


def _called(claims: Sequence[ClaimResult | LimitResult]) -> Iterator[tuple[str, ClaimResult | LimitResult]]:
    """Each by its name, or by the whole of it where another is called so: of two GitLab takes the first."""
    times = Counter(claim.name for claim in claims)
    for claim in claims:
        yield (claim.name if times[claim.name] == 1 else claim.node_id.rpartition("::")[2] or claim.name), claim


def _claim(claim: ClaimResult, titles: Mapping[str, str]) -> _Ended:
    said = claim.message or claim.reason
    text = f"{claim.location}\n{said}" if claim.location else said
    match claim.verdict:
        case None:
            return _Ended(label.NOT_JUDGED, "skipped", f"{label.NOT_JUDGED}: {claim.reason}")
        case "conforms":
            return _Ended("conforms")
        case "violates" if claim.finding_seen:
            known = f"known finding {claim.finding}: {titles.get(claim.finding, '')}"
            return _Ended("known finding", "skipped", known, f"{known}\n{text}")
        case "violates":
            return _Ended("violates", "failure", claim.reason, text)
        case "inconclusive":
            return _Ended("inconclusive", "error", f"inconclusive: {claim.reason}", text)
        case verdict:
            return _Ended(verdict, "skipped", f"{verdict}: {claim.reason}")


def _limit(limit: LimitResult) -> _Ended:
    if limit.result == "stops":
        return _Ended("limit stops")
    if limit.result == "passes":
        return _Ended("limit passes", "skipped", f"limit: {limit.label} passes")
    return _Ended(limit.result, "skipped", f"{limit.result}: {limit.reason}")


def _suite(result: Result, name: str, told: Mapping[str, str]) -> ET.Element:
    suite = ET.Element("testsuite", name=safe(name), timestamp=safe(result.run.started), time=_NO_TIME)
    _properties(suite, {"cell": result.target.cell.title, "run": result.run.id, **told})
    return suite


def _case(classname: str, name: str, ended: _Ended, told: Mapping[str, str], place: tuple[str, int]) -> ET.Element:
    case = ET.Element("testcase", classname=safe(classname), name=safe(name), time=_NO_TIME)
    file, line = place
    if file:
        case.set("file", safe(from_the_top(file)))
    if line:
        case.set("line", str(line))
    _properties(case, told)
    if ended.tag:
        element = ET.SubElement(case, ended.tag, type=ended.word, message=safe(ended.message))
        element.text = safe_block(ended.text or ended.message)
    return case


def _properties(element: ET.Element, told: Mapping[str, str]) -> None:
    properties = ET.SubElement(element, "properties")
    for name, value in told.items():
        if value:
            ET.SubElement(properties, "property", name=name, value=safe(value))


def _counted(suite: ET.Element) -> ET.Element:
    suite.set("tests", str(len(suite.findall("testcase"))))
    for tag, counted in _COUNTED.items():
        suite.set(counted, str(len(suite.findall(f"testcase/{tag}"))))
    return suite
