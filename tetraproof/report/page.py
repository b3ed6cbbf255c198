"""A run's page, `index.html`: complete in itself, readable offline, and but for acts without JavaScript."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from tetraproof.report import label, pulse
from tetraproof.report.drawing import SHAPES, Picture, picture
from tetraproof.report.result import ActResult, ClaimResult, FindingResult, PolicyResult, Result
from tetraproof.report.template import render
from tetraproof.text import command_line

_PREPARE, _UNASKED = "prepare", "not asked for"
#: A name with the anchor of what it names on the page, or without where the page has none.
Link = tuple[str, str]


@dataclass(frozen=True)
class FindingView:
    """A finding in the list of them."""

    finding: FindingResult
    anchor: str
    policies: tuple[Link, ...]

    @property
    def title(self) -> str:
        """What a user learns of it in a line."""
        return self.finding.title

    @property
    def href(self) -> str:
        """Its address on the page."""
        return f"#{self.anchor}"


@dataclass(frozen=True)
class ClaimView:
    """A promise, with its own address and that of the finding that it shows."""

    claim: ClaimResult
    anchor: str
    reason: str
    finding: str
    href: str


@dataclass(frozen=True)
class ActView:
    """An act with its picture. `role` where it is not judged, `dim` if the suite declares no such act.

    `open` are those that a verdict hangs on.
    """

    act: ActResult
    anchor: str
    argv: str
    picture: Picture | None
    role: str
    dim: bool
    open: bool


@dataclass(frozen=True)
class PolicyView:
    """A policy's section; `counts` are its promises by verdict."""

    policy: PolicyResult
    name: str
    anchor: str
    reason: str
    kind: str
    passes: tuple[str, ...]
    counts: Mapping[str, int]
    claims: tuple[ClaimView, ...]
    acts: tuple[ActView, ...]
    pulses: tuple[pulse.Picture, ...]

    @property
    def folder(self) -> str:
        """The folder of its suite."""
        return str(PurePath(self.policy.suite).parent)

    @property
    def open(self) -> bool:
        """Whether it is to be looked at, at once."""
        return label.surprising(self.policy)


def page(result: Result) -> str:
    """The whole page as HTML."""
    names, anchors = label.names(result, label.several([result])), label.anchors(result)
    findings = _findings(result, _first([policy.name for policy in result.policies], anchors))
    known = {view.finding.id: view for view in findings}
    views = [
        _policy(policy, name, anchor, known)
        for policy, name, anchor in zip(result.policies, names, anchors, strict=True)
    ]
    folders = label.unrecorded_folders(result)
    views = [view for view in views if view.folder not in folders]
    return render(
        "page.html.j2",
        result=result,
        folders=folders,
        headline=label.headline(result),
        findings=sorted(findings, key=lambda view: not view.finding.seen),
        views=sorted(views, key=lambda view: label.gravity(view.policy)),
        counts=Counter(view.policy.verdict for view in views),
        suites=sorted({view.folder for view in views}),
        shapes=SHAPES,
        spent=list(label.spent(result.run)),
    )


def _findings(result: Result, anchors: Mapping[str, str]) -> list[FindingView]:
    slugs = label.slugs(finding.id for finding in result.findings)
    return [
        FindingView(finding, f"finding-{slug}", tuple((name, anchors.get(name, "")) for name in finding.policies))
        for finding, slug in zip(result.findings, slugs, strict=True)
    ]


def _policy(policy: PolicyResult, name: str, anchor: str, known: Mapping[str, FindingView]) -> PolicyView:
    acts, claims = _anchors(policy, anchor)
    return PolicyView(
        policy,
        name,
        anchor,
        label.reason(policy),
        label.kind(policy),
        label.passes(policy),
        policy.counts,
        tuple(_claim(claim, at, policy, known) for claim, at in zip(policy.claims, claims, strict=True)),
        tuple(_acts(policy, acts)),
        tuple(pulse.picture(one) for one in policy.continuity.pulses) if policy.continuity else (),
    )


def _claim(claim: ClaimResult, anchor: str, policy: PolicyResult, known: Mapping[str, FindingView]) -> ClaimView:
    view = known.get(claim.finding)
    title, href = (view.title, view.href) if view else (claim.finding, "#findings")
    # the section is headed by the policy's name
    return ClaimView(claim, anchor, claim.reason.removeprefix(f"{policy.name}: "), title, href)


def _first(names: Sequence[str], anchors: Sequence[str]) -> dict[str, str]:
    """Each name with the anchor of the first that bears it."""
    return dict(reversed(list(zip(names, anchors, strict=True))))


def _anchors(policy: PolicyResult, anchor: str) -> tuple[list[str], list[str]]:
    """The addresses of its acts, and of its promises."""
    slugs = label.slugs([*(act.name for act in policy.acts), *(claim.name for claim in policy.claims)])
    # a slug has no two hyphens in a row, so no policy's anchor is one of these
    all_of_them = [f"{anchor}--{slug}" for slug in slugs]
    return all_of_them[: len(policy.acts)], all_of_them[len(policy.acts) :]


def _acts(policy: PolicyResult, anchors: Sequence[str]) -> list[ActView]:
    decisive = {name for claim in policy.claims if claim.verdict in {"violates", "inconclusive"} for name in claim.acts}
    return [
        ActView(
            act,
            at,
            command_line(act.argv),
            picture(act.timeline, act.name) if act.timeline else None,
            act.role if act.role in {_PREPARE, _UNASKED} else "",
            act.role == _UNASKED,
            act.name in decisive,
        )
        for act, at in zip(policy.acts, anchors, strict=True)
    ]
