"""What a run showed, made into what its recording is expected to show: kept, added, asked for, or gone.

What conforms is added without a question. Of everything else, and of what is pinned otherwise, a person decides: the
answer is what explains it, and it is taken only where the run says so too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tetraproof.report.pin import PARTS, PROMISES, Cited, Entry, by_name, entries_of, holds, judged_in, told
from tetraproof.report.result import PolicyResult
from tetraproof.verdict import Verdict, worst

#: What is pinned by its word alone.
PLAIN = (str(Verdict.CONFORMS), "stops", "passes")


@dataclass(frozen=True)
class OpenEntry:
    """An entry that a person decides about: a promise or a limit of a policy, or (without a name) a policy unrecorded.

    `seen` is its verdict in the run and `reason` why; `finding` the one whose evidence showed. `pinned` is what is
    expected now, in words, empty where it is nothing.
    """

    policy: str
    part: str
    name: str
    title: str
    seen: str
    reason: str
    finding: str
    pinned: str

    @property
    def key(self) -> str:
        """What it is called in an answer: `policy::test`."""
        return f"{self.policy}::{self.name}" if self.name else self.policy

    @property
    def suggestion(self) -> str:
        """The one answer that can be right, where there is but one."""
        return self.seen if self.seen in PLAIN else self.finding if self.seen == str(Verdict.VIOLATES) else ""

    @property
    def unanswerable(self) -> str:
        """Why no answer would be taken, in a clause; nothing where one may be."""
        if self.seen == str(Verdict.VIOLATES) and not self.finding:
            return "it violates by no known finding: explain it in the suite with @finding(…), and run again"
        return "" if self.reason or self.suggestion else "the run gives no reason for it"

    def why_not(self, answer: str) -> str:
        """Why an answer does not explain it, in a clause; nothing where it does."""
        if self.suggestion:
            return "" if answer == self.suggestion else f"only {self.suggestion} is"
        if self.unanswerable:
            return self.unanswerable
        return "" if answer and answer in self.reason else f"its reason does not hold “{answer}”: {self.reason}"

    def pin(self, answer: str) -> Any:
        """The entry that an answer makes."""
        return self.seen if self.seen in PLAIN else {"verdict": self.seen, "cites": answer}


@dataclass(frozen=True)
class Acceptance:
    """A run beside what is expected of it.

    `expected` is the table as it is, `added` what the run showed besides that needs no answer, by policy and part;
    `open` what does, `gone` the keys of what is expected and was not judged.
    """

    expected: Mapping[str, Any]
    policies: Mapping[str, PolicyResult]
    added: Mapping[str, Mapping[str, Mapping[str, str]]]
    open: tuple[OpenEntry, ...]
    gone: tuple[str, ...]

    def table(self, answers: Mapping[OpenEntry, str], *, prune: bool = False) -> dict[str, Any]:
        """The table with what was added and answered, in the order of that which is; `prune` drops what is gone."""
        gone = set(self.gone) if prune else set()
        made = {}
        for name in dict.fromkeys((*self.expected, *self.policies)):
            entry = self._entry(name, answers, gone)
            if entry is not None:
                made[name] = entry
        return made

    def _entry(self, name: str, answers: Mapping[OpenEntry, str], gone: set[str]) -> Any:
        """The entry of one policy; nothing where it has none."""
        before = self.expected.get(name)
        if name in gone:
            return None
        policy = self.policies.get(name)
        if policy is None:
            return before
        asked = [one for one in self.open if one.policy == name]
        answered = {one: answers[one] for one in asked if one in answers}
        whole = next((one for one in asked if not one.name), None)
        if whole is not None:
            return whole.pin(answered[whole]) if whole in answered else before
        parts = {part: self._part(name, part, before, answered, gone) for part in PARTS}
        if not any(parts.values()):
            return before
        words = (one if isinstance(one, str) else one["verdict"] for one in parts[PROMISES].values())
        found = worst(Verdict[word.upper()] for word in words)
        settled = len(answered) == len(asked) or before is None
        verdict = policy.verdict if len(answered) == len(asked) else str(found or policy.verdict)
        kept = {key: value for key, value in (before or {}).items() if key not in {"cites", *PARTS}}
        kept["verdict"] = verdict if settled else kept["verdict"]
        return kept | {part: value for part, value in parts.items() if value or part in (before or {})}

    def _part(
        self, name: str, part: str, before: Any, answered: Mapping[OpenEntry, str], gone: set[str]
    ) -> dict[str, Any]:
        entries = {key: one for key, one in ((before or {}).get(part) or {}).items() if f"{name}::{key}" not in gone}
        entries |= self.added.get(name, {}).get(part, {})
        return entries | {one.name: one.pin(answer) for one, answer in answered.items() if one.part == part}


def accept(expected: Mapping[str, Any], policies: Sequence[PolicyResult]) -> Acceptance:
    """A whole run beside what is expected of it. Raises `RecordingError` where the table is none."""
    entries = entries_of(expected)
    results = by_name(policies)
    added: dict[str, dict[str, dict[str, str]]] = {}
    asked: list[OpenEntry] = []
    gone = [name for name in entries if name not in results]
    for name, policy in results.items():
        entry = entries.get(name)
        if policy.loading == str(Verdict.UNRECORDED):
            asked += _unrecorded(policy, entry)
            continue
        for part in PARTS:
            pinned = entry.part(part) if entry else {}
            found = judged_in(policy, part)
            gone += [f"{name}::{key}" for key in pinned if key not in found]
            for one in _compared(policy, part, pinned):
                if one.pinned or one.seen not in PLAIN:
                    asked.append(one)
                else:
                    added.setdefault(name, {}).setdefault(part, {})[one.name] = one.seen
    return Acceptance(expected, results, added, tuple(asked), tuple(gone))


def written(table: Mapping[str, Any]) -> str:
    """The table as a person writes it: an entry that cites stands on one line."""
    return _written(table, "") + "\n"


def _unrecorded(policy: PolicyResult, entry: Entry | None) -> Iterator[OpenEntry]:
    """A policy that nobody can answer for needs an entry only where there is one that says otherwise."""
    seen = str(Verdict.UNRECORDED)
    if entry is not None and not (entry.verdict == seen and entry.cites and entry.cites in policy.loading_reason):
        yield OpenEntry(
            policy.name,
            "",
            "",
            policy.title,
            seen,
            policy.loading_reason,
            "",
            _words(Cited(entry.verdict, entry.cites)),
        )


def _compared(policy: PolicyResult, part: str, pinned: Mapping[str, str | Cited]) -> Iterator[OpenEntry]:
    """What was judged of a policy and is not pinned so."""
    for name, one in judged_in(policy, part).items():
        if name not in pinned or not holds(part, pinned[name], one):
            yield OpenEntry(
                policy.name,
                part,
                name,
                one.title,
                one.seen,
                one.reason,
                one.finding,
                _words(pinned[name]) if name in pinned else "",
            )


def _words(pinned: str | Cited) -> str:
    verdict, cites = told(pinned)
    return f"{verdict}, citing “{cites}”" if cites else verdict


def _written(value: Any, indent: str) -> str:
    if not isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    if not value or ("verdict" in value and not any(isinstance(one, Mapping) for one in value.values())):
        return json.dumps(value, ensure_ascii=False)
    inner = f"{indent}  "
    rows = (f"{inner}{json.dumps(name, ensure_ascii=False)}: {_written(one, inner)}" for name, one in value.items())
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
