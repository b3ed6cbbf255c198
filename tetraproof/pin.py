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

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from tetraproof.errors import RecordingError
from tetraproof.result import ClaimResult, LimitResult, PinResult, PolicyResult

T = TypeVar("T")


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


def hold(expected: Mapping[str, Any], policies: Sequence[PolicyResult], *, whole: bool) -> PinResult:
    """Compare a run with what is expected of it. Entries that were not judged count only in a `whole` run."""
    entries = entries_of(expected)
    results = {policy.name: policy for policy in policies}
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
    claims = {claim.name: claim for claim in policy.claims if claim.verdict}
    yield from _paired(key, entry.promises, claims, _claim, whole=whole)
    limits = {f"limit {limit.label}": limit for limit in policy.limits if limit.result != "not judged"}
    pinned = {f"limit {label}": result for label, result in entry.limits.items()}
    yield from _paired(key, pinned, limits, _limit, whole=whole)


def _paired(
    key: str,
    pinned: Mapping[str, str | Cited],
    found: Mapping[str, T],
    compare: Callable[[str, str | Cited, T], Iterator[str]],
    *,
    whole: bool,
) -> Iterator[str]:
    """Each entry held against what was judged under its name, and what only one side has."""
    for name in found.keys() - pinned.keys():
        yield f"{key}: {name} was judged, and is not expected"
    for name, entry in pinned.items():
        if name in found:
            yield from compare(f"{key}: {name}", entry, found[name])
        elif whole:
            yield f"{key}: {name} is expected, and was not judged"


def _claim(where: str, pinned: str | Cited, claim: ClaimResult) -> Iterator[str]:
    verdict, cites = _told(pinned)
    seen = claim.finding if claim.finding_seen else ""
    if claim.verdict != verdict:
        yield f"{where} is {claim.verdict}, expected {verdict}: {claim.reason}"
    elif verdict == "violates" and (not cites or cites != seen):
        yield f"{where} violates by {seen or 'no known finding'}, expected {cites or 'a finding'}"
    elif verdict not in {"conforms", "violates"} and not _cited(cites, claim.reason):
        yield f"{where} is {verdict}, but its reason does not hold “{cites}”: {claim.reason}"


def _limit(where: str, pinned: str | Cited, limit: LimitResult) -> Iterator[str]:
    result, cites = _told(pinned)
    if limit.result != result:
        yield f"{where} is {limit.result}, expected {result}"
    elif result not in {"stops", "passes"} and not _cited(cites, limit.reason):
        yield f"{where} is {result}, but its reason does not hold “{cites}”: {limit.reason}"


def _told(pinned: str | Cited) -> tuple[str, str]:
    return (pinned, "") if isinstance(pinned, str) else (pinned.verdict, pinned.cites)


def _cited(cites: str, reason: str) -> bool:
    return bool(cites) and cites in reason


def entries_of(expected: Mapping[str, Any]) -> dict[str, Entry]:
    """The table as typed entries. Raises `RecordingError` naming the field."""
    entries = {}
    for name, written in expected.items():
        try:
            entries[name] = msgspec.convert(written, Entry)
        except msgspec.ValidationError as error:
            remedy = "mend the entry; docs/recordings.md tells its form"
            raise RecordingError(f"expected.json: {name}: {error}.", remedy=remedy) from error
    return entries
