"""What reports call things: the verdicts' meanings, a policy's name within its run, and the anchor of its section."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from tetraproof.report.result import PolicyResult, Result, RunResult
from tetraproof.verdict import Verdict

#: Each verdict in a clause, in the order of a legend.
MEANINGS = {
    "conforms": "nothing refutes a promise, and the stream was heard to its end",
    "violates": "an outcome, an event or the policy's state refutes a promise",
    "inconclusive": "it could not be judged: no proof of listening, a loss, or a broken act",
    "unsupported": "kernel or agent lacks what the policy needs, by the agent's own word",
    "unrecorded": "the recording holds no such policy or act, so replay cannot tell",
}
NOT_JUDGED = "not judged"
#: What took less, in seconds, is not worth a word.
_WORTH_TELLING = 0.5
#: From so many policies on a folder is told in one line where nothing of it was recorded.
_SEVERAL = 6
_NOT_IN_A_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Share:
    """One verdict's part of a bar, in percent of its width."""

    verdict: str
    count: int
    start: float
    width: float


def several(results: Iterable[Result]) -> frozenset[str]:
    """The policies that occur more than once in one of the results."""
    return frozenset(
        name
        for result in results
        for name, times in Counter(policy.name for policy in result.policies).items()
        if times > 1
    )


def names(result: Result, twice: Iterable[str]) -> tuple[str, ...]:
    """What each policy is called: its name, and ` (scenario)` for those in `twice`. No two are the same.

    The scenario that is named like its policy needs no mention.
    """
    return _unlike([_name(policy, frozenset(twice)) for policy in result.policies], " ")


def anchors(result: Result) -> tuple[str, ...]:
    """The id of each policy's section on the run's page, `policy-<slug>`."""
    return tuple(f"policy-{slug}" for slug in slugs(names(result, several([result]))))


def slugs(texts: Iterable[str]) -> tuple[str, ...]:
    """Each text as a part of an address: lower case letters, digits and hyphens; no two are the same."""
    return _unlike([_NOT_IN_A_SLUG.sub("-", text.lower()).strip("-")[:80] or "unnamed" for text in texts], "-")


def passes(policy: PolicyResult) -> tuple[str, ...]:
    """The labels of the limits that pass."""
    return tuple(limit.label for limit in policy.limits if limit.result == "passes")


def reason(policy: PolicyResult) -> str:
    """The policy's line without what stands beside it anyway: its verdict, and what passes."""
    beside = f"passes: {', '.join(passes(policy))}"
    return policy.line.removeprefix(policy.verdict).removesuffix(beside).strip(" ·")


def kind(policy: PolicyResult) -> str:
    """What sort of violation it is, to tell apart at a glance; nothing where the policy does not violate."""
    if policy.verdict != "violates":
        return ""
    if policy.loading == "violates":
        return "not in force"
    return "known" if _explained(policy) else "new"


def _explained(policy: PolicyResult) -> bool:
    """Whether findings explain all that is refuted of it."""
    refuted = [claim for claim in policy.claims if claim.verdict == "violates"]
    return bool(refuted) and all(claim.finding and claim.finding_seen for claim in refuted)


def shares(counts: dict[str, int]) -> tuple[Share, ...]:
    """The parts of a bar, in the order of the legend."""
    known = [*MEANINGS, NOT_JUDGED]
    ordered = [(name, counts[name]) for name in sorted(counts, key=lambda name: _at(known, name)) if counts[name] > 0]
    total, start, parts = sum(count for _, count in ordered), 0.0, []
    for verdict, count in ordered:
        width = 100 * count / total
        parts.append(Share(verdict, count, round(start, 2), round(width, 2)))
        start += width
    return tuple(parts)


def headline(result: Result) -> str:
    """The whole result in a clause: of the policies that there is a record of, how many conform.

    What is no policy (the agent under settings, changes of the installation) is counted where there is nothing else.
    """
    own = [policy for policy in result.policies if policy.about == "policy"] or list(result.policies)
    recorded = [policy for policy in own if policy.verdict != str(Verdict.UNRECORDED)] or own
    total = len(recorded)
    if not total:
        return "no policy was judged"
    conform = sum(policy.verdict == str(Verdict.CONFORMS) for policy in recorded)
    return f"{conform} of {total} {'policy conforms' if total == 1 else 'policies conform'}"


def unrecorded_folders(result: Result) -> dict[str, int]:
    """The folders of suites with several policies of which none was recorded, and how many each has."""
    folders: dict[str, list[bool]] = {}
    for policy in result.policies:
        nothing = policy.verdict == policy.loading == str(Verdict.UNRECORDED)
        folders.setdefault(str(PurePath(policy.suite).parent), []).append(nothing)
    return {folder: len(said) for folder, said in folders.items() if len(said) >= _SEVERAL and all(said)}


def gravity(policy: PolicyResult) -> int:
    """How much a policy wants to be looked at: a violation that nothing explains first, what conforms last."""
    if policy.verdict == str(Verdict.VIOLATES):
        return 2 if _explained(policy) else 0
    order = [Verdict.INCONCLUSIVE, None, Verdict.UNSUPPORTED, Verdict.CONFORMS, Verdict.UNRECORDED]
    return 1 + next((at for at, verdict in enumerate(order) if policy.verdict == str(verdict)), len(order))


def surprising(policy: PolicyResult) -> bool:
    """Whether it violates and nothing explains that, or could not be judged."""
    return gravity(policy) <= 1


def known_verdict(verdict: str | None) -> str:
    """The verdict as the name of its colour and sign; `none` for what has neither."""
    return verdict if verdict in MEANINGS else "none"


def _name(policy: PolicyResult, twice: frozenset[str]) -> str:
    if policy.name in twice and policy.scenario not in {"", policy.name}:
        return f"{policy.name} ({policy.scenario})"
    return policy.name


def _unlike(texts: Sequence[str], glue: str) -> tuple[str, ...]:
    """The texts in order, a repeated one with a number behind it."""
    taken: dict[str, None] = {}
    for text in texts:
        candidate, number = text, 2
        while candidate in taken:
            candidate, number = f"{text}{glue}{number}", number + 1
        taken[candidate] = None
    return tuple(taken)


def _at(order: Sequence[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


def spent(run: RunResult) -> Iterator[str]:
    """Where a live run's time went, and what it adds to its own acts and policies; nothing on replay."""
    if not run.spent:
        return
    other = run.seconds - sum(run.spent.values())
    told = sorted({**run.spent, "other": other}.items(), key=lambda one: -one[1])
    yield f"{run.seconds:.0f} s: " + ", ".join(
        f"{name} {seconds:.0f} s" for name, seconds in told if seconds >= _WORTH_TELLING
    )
    if run.added is not None:
        yield (
            f"besides its acts and the loading of its policies, setting up, sentinels and setting agents apart, "
            f"the run took {run.added:.0%} of what these took"
        )
