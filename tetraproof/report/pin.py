"""What a shipped recording is known to show: `expected.json`, kept by hand, held against a run.

    {"override-symlink": {
        "verdict": "unsupported",
        "promises": {"test_applying_is_loading": {"verdict": "unsupported", "cites": "bpf_override_return"}},
        "limits": {}},
     "privileged-exec": {"verdict": "unrecorded", "cites": "no scenario whose policy says"}}

An entry that conforms is just its verdict. Any other cites what explains it: a
violation its finding, everything else words that its reason must hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tetraproof.errors import RecordingError
from tetraproof.report.result import ClaimResult, LimitResult, PinResult, PolicyResult
from tetraproof.text import safe, shorten
from tetraproof.verdict import Verdict

#: The parts of an entry that hold entries of their own.
PROMISES, LIMITS = PARTS = ("promises", "limits")
#: What may be expected of a policy and of a promise, and what of a limit.
VERDICTS = tuple(str(verdict) for verdict in Verdict)
REACHES = ("stops", "passes", *(str(one) for one in (Verdict.INCONCLUSIVE, Verdict.UNSUPPORTED, Verdict.UNRECORDED)))
#: Of two words on one limit the first is told: what passes is no wall, and what is unknown none either.
_REACHED = ("passes", *(str(one) for one in (Verdict.INCONCLUSIVE, Verdict.UNSUPPORTED, Verdict.UNRECORDED)), "stops")
_REMEDY = "mend the entry; docs/recordings.md tells its form"


class Cited(Struct, frozen=True, forbid_unknown_fields=True):
    """A verdict that does not conform, with what explains it."""

    verdict: str
    cites: str = ""


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """What is expected of one policy."""

    verdict: str
    cites: str = ""
    promises: dict[str, str | Cited] = {}
    limits: dict[str, str | Cited] = {}

    def part(self, name: str) -> Mapping[str, str | Cited]:
        """Its promises, or its limits."""
        return self.promises if name == PROMISES else self.limits


@dataclass(frozen=True)
class Judged:
    """A promise or a limit as a run showed it: its verdict (`seen`), why, and the finding whose evidence showed."""

    title: str
    seen: str
    reason: str
    finding: str = ""


def hold(expected: Mapping[str, Any], policies: Sequence[PolicyResult], *, whole: bool) -> PinResult:
    """Compare a run with what is expected of it. Entries that were not judged count only in a `whole` run."""
    entries = entries_of(expected)
    results = by_name(policies)
    differences: list[str] = []
    held = 0
    for key in entries if whole else [key for key in entries if key in results]:
        if key not in results:
            differences.append(f"{key} is expected, and was not judged")
            continue
        entry, policy = entries[key], results[key]
        found = list(_policy(key, entry, policy, whole=whole))
        differences += found
        held += _judged(entry, policy) - len(found)
    # a suite of the user's own, which nobody recorded, needs no entry
    more = [key for key in results.keys() - expected if results[key].loading != "unrecorded"]
    differences += [f"{key} was judged ({results[key].verdict}), and is not expected" for key in more]
    return PinResult(max(held, 0), tuple(differences))


def by_name(policies: Sequence[PolicyResult]) -> dict[str, PolicyResult]:
    """The policies by their names. What several suites judged of one is told together, as its entry has it.

    Of promises and limits of one name, as those that every policy makes, the one that outweighs the others is told.
    """
    told: dict[str, PolicyResult] = {}
    for policy in policies:
        before = told.get(policy.name)
        told[policy.name] = policy if before is None else _together(before, policy)
    return told


def _together(one: PolicyResult, other: PolicyResult) -> PolicyResult:
    claims: dict[str, ClaimResult] = {}
    for claim in (*one.claims, *other.claims):
        before = claims.get(claim.name)
        if before is None or _rank(claim) < _rank(before):
            claims[claim.name] = claim
    limits: dict[str, LimitResult] = {}
    for limit in (*one.limits, *other.limits):
        reached = limits.get(limit.label)
        if reached is None or _weight(limit.result, _REACHED) < _weight(reached.result, _REACHED):
            limits[limit.label] = limit
    # that one suite was not recorded says nothing of the other's promises
    loading = min((one, other), key=lambda policy: (policy.loading == "unrecorded", _weight(policy.loading, VERDICTS)))
    return replace(
        one,
        verdict=min(one.verdict, other.verdict, key=lambda word: _weight(word, VERDICTS)),
        loading=loading.loading,
        loading_reason=loading.loading_reason,
        claims=tuple(claims.values()),
        limits=tuple(limits.values()),
    )


def _rank(claim: ClaimResult) -> tuple[int, bool]:
    """Of refutations the one that nothing explains is the worse."""
    return _weight(claim.verdict, VERDICTS), claim.finding_seen


def _weight(word: str | None, order: Sequence[str]) -> int:
    """Where a word stands among those that outweigh the ones behind them; what was not judged stands behind all."""
    return order.index(word) if word in order else len(order)


def _judged(entry: Entry, policy: PolicyResult) -> int:
    """How many of an entry's promises and limits were judged."""
    judged = {claim.name for claim in policy.claims} & entry.promises.keys()
    return len(judged) + len({limit.label for limit in policy.limits} & entry.limits.keys())


def _policy(key: str, entry: Entry, policy: PolicyResult, *, whole: bool) -> Iterator[str]:
    if whole and entry.verdict != policy.verdict:
        yield f"{key} is {policy.verdict}, expected {entry.verdict}"
    if policy.loading == "unrecorded":
        # nobody can answer for any promise of it, and one entry says so
        if entry.verdict == "unrecorded" and not _cited(entry.cites, policy.loading_reason):
            yield f"{key}: its reason does not hold “{entry.cites}”: {policy.loading_reason}"
        return
    for part in PARTS:
        yield from _paired(key, part, entry.part(part), judged_in(policy, part), whole=whole)


def judged_in(policy: PolicyResult, part: str) -> dict[str, Judged]:
    """What was judged of a policy's promises or limits, by the name that an entry has."""
    if part == PROMISES:
        return {
            claim.name: Judged(claim.title, claim.verdict, claim.reason, claim.finding if claim.finding_seen else "")
            for claim in policy.claims
            if claim.verdict
        }
    return {
        limit.label: Judged(limit.title, limit.result, limit.reason)
        for limit in policy.limits
        if limit.result != "not judged"
    }


def holds(part: str, pinned: str | Cited, judged: Judged) -> bool:
    """Whether a promise or a limit is what an entry says of it, by what that cites."""
    return not any(_COMPARED[part]("", pinned, judged))


def _paired(
    key: str, part: str, pinned: Mapping[str, str | Cited], found: Mapping[str, Judged], *, whole: bool
) -> Iterator[str]:
    """Each entry held against what was judged under its name, and what only one side has."""
    called = {name: f"limit {name}" if part == LIMITS else name for name in (*found, *pinned)}
    for name in found.keys() - pinned.keys():
        yield f"{key}: {called[name]} was judged, and is not expected"
    for name, entry in pinned.items():
        if name in found:
            yield from _COMPARED[part](f"{key}: {called[name]}", entry, found[name])
        elif whole:
            yield f"{key}: {called[name]} is expected, and was not judged"


def _claim(where: str, pinned: str | Cited, claim: Judged) -> Iterator[str]:
    verdict, cites = told(pinned)
    if claim.seen != verdict:
        yield f"{where} is {claim.seen}, expected {verdict}: {claim.reason}"
    elif verdict == "violates" and (not cites or cites != claim.finding):
        yield f"{where} violates by {claim.finding or 'no known finding'}, expected {cites or 'a finding'}"
    elif verdict not in {"conforms", "violates"} and not _cited(cites, claim.reason):
        yield f"{where} is {verdict}, but its reason does not hold “{cites}”: {claim.reason}"


def _limit(where: str, pinned: str | Cited, limit: Judged) -> Iterator[str]:
    result, cites = told(pinned)
    if limit.seen != result:
        yield f"{where} is {limit.seen}, expected {result}"
    elif result not in {"stops", "passes"} and not _cited(cites, limit.reason):
        yield f"{where} is {result}, but its reason does not hold “{cites}”: {limit.reason}"


_COMPARED = {PROMISES: _claim, LIMITS: _limit}


def told(pinned: str | Cited) -> tuple[str, str]:
    """What an entry says: the verdict, and what it cites."""
    return (pinned, "") if isinstance(pinned, str) else (pinned.verdict, pinned.cites)


def _cited(cites: str, reason: str) -> bool:
    return bool(cites) and cites in reason


def entries_of(expected: Mapping[str, Any]) -> dict[str, Entry]:
    """The table as typed entries. Raises `RecordingError` naming the field, also where a verdict is none."""
    entries = {}
    for name, written in expected.items():
        try:
            entry = msgspec.convert(written, Entry)
        except msgspec.ValidationError as error:
            raise RecordingError(f"{_file(name)}: {safe(error)}.", remedy=_REMEDY) from error
        _check(_file(name, "verdict"), entry.verdict, VERDICTS)
        for field, pinned, words in ((PROMISES, entry.promises, VERDICTS), (LIMITS, entry.limits, REACHES)):
            for key, one in pinned.items():
                _check(_file(name, field, key), told(one)[0], words)
        entries[name] = entry
    return entries


def _file(*fields: str) -> str:
    return f"expected.json: {': '.join(shorten(field, 60) for field in fields)}"


def _check(where: str, word: str, words: Sequence[str]) -> None:
    if word not in words:
        said = shorten(repr(word), 60)
        raise RecordingError(f"{where} is {said}, and there are {', '.join(words)}.", remedy=_REMEDY)
