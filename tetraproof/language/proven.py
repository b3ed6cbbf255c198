"""On which recorded cells a feature is proven: what recordings are pinned to show of the policies that use it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tetraproof.language.feature import known, used, within
from tetraproof.policies.policy import Policy
from tetraproof.recordings.recording import Cell, Recording, open_recording
from tetraproof.report.pin import Entry, entries_of
from tetraproof.verdict import Verdict

#: What can be said of a feature on a cell. It `works` where every case of it conforms, and `works in part` where one
#: does and another does not; where none was tried, and a policy that conforms uses it, it is `in use`.
WORKS, FAILS, UNSUPPORTED, UNTOLD = "works", "fails", "unsupported", "cannot be told"
PART, UNTRIED, IN_USE = "works in part", "not tried", "in use"
#: The gravest first.
WORDS = (FAILS, UNSUPPORTED, UNTOLD, PART, UNTRIED, IN_USE, WORKS)
_OF_VERDICT = {
    str(Verdict.CONFORMS): WORKS,
    str(Verdict.VIOLATES): FAILS,
    str(Verdict.UNSUPPORTED): UNSUPPORTED,
    str(Verdict.INCONCLUSIVE): UNTOLD,
}


@dataclass(frozen=True)
class Proof:
    """What a cell shows of one policy: its verdict, why, the feature it is a case of, and all that it uses."""

    policy: str
    verdict: str
    why: str
    feature: str
    uses: frozenset[str]


@dataclass(frozen=True)
class Shown:
    """All that the recordings of one cell show."""

    recordings: tuple[str, ...]
    cell: Cell
    proofs: tuple[Proof, ...]

    def of(self, feature: str) -> Told:
        """What it says of a feature: by the cases of it; where there is none, by a policy that works and uses it."""
        own = [one for one in self.proofs if one.feature and within(one.feature, feature)]
        cases = [(_OF_VERDICT[one.verdict], one) for one in own if one.verdict in _OF_VERDICT]
        if cases:
            word = min((word for word, _ in cases), key=WORDS.index)
            shows = tuple(one for said, one in cases if said == word)
            partly = word != WORKS and any(said == WORKS for said, _ in cases)
            return Told(feature, PART if partly else word, shows)
        using = [one for one in self.proofs if any(within(name, feature) for name in one.uses)]
        working = tuple(one for one in using if one.verdict == str(Verdict.CONFORMS))
        return Told(feature, IN_USE if working else UNTRIED, working)


@dataclass(frozen=True)
class Told:
    """What a cell says of a feature, and by which of its policies."""

    feature: str
    word: str
    by: tuple[Proof, ...]


def shown(folders: Iterable[Path], policies: Mapping[str, Policy]) -> Iterator[Shown]:
    """What the recordings in `folders` are pinned to show of `policies`, cell by cell. Raises `RecordingError`."""
    cells: dict[str, list[Recording]] = {}
    for folder in folders:
        recording = open_recording(folder)
        cells.setdefault(recording.index.cell.title, []).append(recording)
    for recordings in cells.values():
        proofs = (proof for one in recordings for proof in _proofs(one, policies))
        yield Shown(tuple(one.name for one in recordings), recordings[0].index.cell, tuple(proofs))


def asked(text: str, more: Iterable[str] = ()) -> tuple[str, ...]:
    """The features that `text` names: one, or all that are a part of it; those of `more` as well as the CRD's."""
    return tuple(sorted(one for one in {*known(), *more} if within(one, text)))


def _proofs(recording: Recording, policies: Mapping[str, Policy]) -> Iterator[Proof]:
    for name, entry in entries_of(recording.expected or {}).items():
        policy = policies.get(name.partition("@")[0])
        if policy is not None:
            yield _proof(policy, name, entry)


def _proof(policy: Policy, name: str, entry: Entry) -> Proof:
    cited = [entry.cites, *(getattr(one, "cites", "") for one in (*entry.promises.values(), *entry.limits.values()))]
    return Proof(name, entry.verdict, next(filter(None, cited), ""), policy.feature, used(policy.spec))
