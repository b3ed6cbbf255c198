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
from tetraproof.report.result import ClaimResult, LimitResult, PinResult, PolicyResult
from tetraproof.text import safe, shorten
from tetraproof.verdict import Verdict

T = TypeVar("T")
#: What may be expected of a policy and of a promise, and what of a limit.
VERDICTS = tuple(str(verdict) for verdict in Verdict)
LIMITS = ("stops", "passes", *(str(one) for one in (Verdict.INCONCLUSIVE, Verdict.UNSUPPORTED, Verdict.UNRECORDED)))
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
    """The table as typed entries. Raises `RecordingError` naming the field, also where a verdict is none."""
    entries = {}
    for name, written in expected.items():
        try:
            entry = msgspec.convert(written, Entry)
        except msgspec.ValidationError as error:
            raise RecordingError(f"{_file(name)}: {safe(error)}.", remedy=_REMEDY) from error
        _check(_file(name, "verdict"), entry.verdict, VERDICTS)
        for field, pinned, words in (("promises", entry.promises, VERDICTS), ("limits", entry.limits, LIMITS)):
            for key, one in pinned.items():
                _check(_file(name, field, key), _told(one)[0], words)
        entries[name] = entry
    return entries


def _file(*fields: str) -> str:
    return f"expected.json: {': '.join(shorten(field, 60) for field in fields)}"


def _check(where: str, word: str, words: Sequence[str]) -> None:
    if word not in words:
        said = shorten(repr(word), 60)
        raise RecordingError(f"{where} is {said}, and there are {', '.join(words)}.", remedy=_REMEDY)
