"""`verdicts.json`: the one model of a result. HTML, tables and matrices are drawn from it.

Its JSON Schema is `schemas/verdicts.schema.json`, made from these types.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tetraproof import decoding
from tetraproof.decoding import Source
from tetraproof.errors import RecordingError
from tetraproof.policies.binding import Bindings
from tetraproof.recordings.recording import Cell, Provenance
from tetraproof.text import shorten
from tetraproof.verdict import Verdict, worst

FORMAT = 1
FILE = "verdicts.json"
#: Bytes of a result that is read: one of a shipped recording has 1.4 MB.
MOST = 128 << 20
VERDICTS = tuple(str(verdict) for verdict in Verdict)
#: What may become of a limit.
RESULTS = ("stops", "passes", "not judged", *VERDICTS)


class EventResult(Struct, frozen=True):
    """One event on an act's timeline. `offset` in seconds from the act's first event; `event` as the agent wrote it."""

    offset: float
    kind: str
    own: bool
    text: str
    compact: str
    pod: str
    event: dict[str, Any]


class TimelineResult(Struct, frozen=True):
    """Everything around one act. `open` says why the stream's end was not heard; empty where it was.

    `left_out` counts further events of bystanders, of a stream too long to be held.
    """

    node: str
    seconds: float
    open: str
    events: tuple[EventResult, ...]
    left_out: int = 0


class ActResult(Struct, frozen=True):
    """One act. `missing` says why there is no outcome and no timeline. `role`: act, prepare, or not asked for."""

    name: str
    argv: tuple[str, ...]
    pod: str
    role: str
    stdin: str | None = None
    tty: bool = False
    missing: str = ""
    exit_code: int | None = None
    ended: str = ""
    stdout: str = ""
    stderr: str = ""
    timeline: TimelineResult | None = None


class ClaimResult(Struct, frozen=True):
    """One promise and its verdict; none where the policy is not in force, so nothing was judged.

    `title` is the promise in a sentence, `reason` the verdict's in one line, `message` the whole explanation.
    `finding` names the known refutation, or the one that was expected and not seen (`finding_seen` false). `line` is
    the test's in its suite, 0 for a promise of every policy.
    """

    name: str
    title: str
    verdict: str | None
    reason: str = ""
    message: str = ""
    finding: str = ""
    finding_seen: bool = False
    acts: tuple[str, ...] = ()
    location: str = ""
    node_id: str = ""
    line: int = 0


class LimitResult(Struct, frozen=True):
    """How far a policy reaches: `result` is `stops`, `passes`, or the verdict that kept it from being told."""

    name: str
    label: str
    title: str
    result: str
    reason: str = ""
    acts: tuple[str, ...] = ()
    node_id: str = ""
    line: int = 0


class GapResult(Struct, frozen=True):
    """A time without enforcement, in seconds since the first beat, and how long it was in milliseconds.

    `at_most_ms` and `measured_ms` are null where it is open on one side.
    """

    started: float
    ended: float
    acts: int
    at_least_ms: int
    at_most_ms: int | None
    measured_ms: int | None


class HappeningResult(Struct, frozen=True):
    """What was done or said: between two moments, in seconds since the first beat; null where that is not known."""

    what: str
    said: str
    earliest: float | None
    latest: float | None


class PulseResult(Struct, frozen=True):
    """The repeated act on one node: a beat is its start and end, in seconds since the first, and its outcome.

    `pause_ms` is the longest time between two beats: a shorter gap may not have shown.
    """

    node: str
    argv: tuple[str, ...]
    beats: tuple[tuple[float, float, str], ...]
    gaps: tuple[GapResult, ...]
    happenings: tuple[HappeningResult, ...]
    pause_ms: int


class ContinuityResult(Struct, frozen=True):
    """What became of enforcement while the installation was changed. `told` says it in clauses."""

    change: str
    command: str
    told: tuple[str, ...]
    pulses: tuple[PulseResult, ...]


class StateResult(Struct, frozen=True):
    """The agent's word on the policy on one node; counters after the acts, where it keeps any."""

    node: str
    state: str
    error: str = ""
    mode: str = ""
    counters: dict[str, int] | None = None


class NeedResult(Struct, frozen=True):
    """One need of the policy, whether it is met (null where nobody said), and where that was looked up."""

    why: str
    met: bool | None
    source: str


class PolicyResult(Struct, frozen=True):
    """One policy, as one scenario showed it. `line` is all of it in one line.

    `feature` is what of the policy language it is a case of; empty where it is none. `place` is where the policy lies,
    `file:line`, from where the run was started. `about` says what was judged: a policy, the agent under settings, a
    change of the installation, or the installation as it is.
    """

    name: str
    scenario: str
    title: str
    suite: str
    verdict: str
    line: str
    loading: str
    loading_reason: str
    manifest: str = ""
    spec: str = ""
    states: tuple[StateResult, ...] = ()
    needs: tuple[NeedResult, ...] = ()
    counts: dict[str, int] = {}
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    claims: tuple[ClaimResult, ...] = ()
    limits: tuple[LimitResult, ...] = ()
    acts: tuple[ActResult, ...] = ()
    continuity: ContinuityResult | None = None
    feature: str = ""
    place: str = ""
    about: str = "policy"


class FindingResult(Struct, frozen=True):
    """A known, explained refutation, and whether this run showed it."""

    id: str
    title: str
    seen: bool
    policies: tuple[str, ...] = ()


class PinResult(Struct, frozen=True):
    """How the run compares with the recording's `expected.json`: how many entries were held, and what differs."""

    held: int
    differences: tuple[str, ...]


class RunResult(Struct, frozen=True):
    """The run itself. `whole` is false when only some judgements were asked for (`K=`); `red` says why it is.

    `spent` says where a live run's time went, in seconds by what it was spent on; `added` is what that adds to its own
    acts and policies, as a share of these (see `tetraproof.pacing.account`).
    """

    id: str
    started: str
    seconds: float
    command: str
    whole: bool
    red: tuple[str, ...] = ()
    spent: dict[str, float] = {}
    added: float | None = None


class TargetResult(Struct, frozen=True):
    """Where it ran: the cell, the recording where there is one, what logical names were bound to.

    `nodes` maps the nodes to their kernels; where several were acted on, a policy's name ends on `@node`.
    """

    kind: str
    cell: Cell
    introduction: tuple[str, ...]
    bindings: Bindings
    recording: str = ""
    provenance: Provenance | None = None
    nodes: dict[str, str] = {}


class Result(Struct, frozen=True):
    """`verdicts.json`."""

    format: int
    tetraproof: str
    run: RunResult
    target: TargetResult
    policies: tuple[PolicyResult, ...]
    findings: tuple[FindingResult, ...] = ()
    pins: PinResult | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many policies have each verdict."""
        return dict(Counter(policy.verdict for policy in self.policies))


def verdict_of(claims: Iterable[ClaimResult]) -> Verdict:
    """A policy's verdict: the first of violates, inconclusive, … that any of its promises has."""
    found = worst(Verdict[claim.verdict.upper()] for claim in claims if claim.verdict)
    return Verdict.UNRECORDED if found is None else found


def one_line(
    verdict: Verdict,
    loading_reason: str,
    claims: Iterable[ClaimResult],
    limits: Iterable[LimitResult],
    titles: dict[str, str],
) -> str:
    """All of a policy in one line: its verdict, why, what is known of it, and what passes it."""
    claims = list(claims)
    held = sum(claim.verdict == "conforms" for claim in claims)
    judged = sum(claim.verdict is not None for claim in claims)
    parts = [str(verdict)]
    seen = list(dict.fromkeys(claim.finding for claim in claims if claim.finding and claim.finding_seen))
    parts += [f"known: {titles.get(finding, finding)}" for finding in seen]
    first = next((claim.reason for claim in claims if claim.verdict == str(verdict)), "")
    if held:
        parts.append(f"{held} of {judged} promises conform")
    if verdict is not Verdict.CONFORMS and not seen:
        parts.append(loading_reason or first)
    elif verdict is Verdict.VIOLATES:
        new = next((claim.reason for claim in claims if claim.verdict == str(verdict) and not claim.finding_seen), "")
        parts.append(f"not known before: {new}" if new else "")
    unheard = sum(claim.verdict == str(Verdict.INCONCLUSIVE) for claim in claims)
    if unheard and verdict is not Verdict.INCONCLUSIVE:
        parts.append(f"{unheard} could not be judged")
    passes = [limit.label for limit in limits if limit.result == "passes"]
    if passes:
        parts.append(f"passes: {', '.join(passes)}")
    return " · ".join(part for part in parts if part)


def read(path: Path) -> Result:
    """The result in a run's directory (or its `verdicts.json`). Raises `RecordingError` naming file and field."""
    file = path / FILE if path.is_dir() else path
    source = Source(file, "run the suites again")
    if not file.exists():
        raise RecordingError(f"There is no result {file}.", remedy="name the directory of a run")
    content = decoding.read_file(file, source, MOST)
    found = decoding.as_json(content, dict[str, Any], source, MOST).get("format")
    if found != FORMAT or isinstance(found, bool):
        raise source.refuse(f": format is {shorten(repr(found), 60)}, and this tetraproof reads {FORMAT}")
    result: Result = decoding.as_json(content, Result, source, MOST)
    for place, word, known in _words(result):
        if word not in known:
            raise source.refuse(f": {place} is {shorten(repr(word), 60)}, and there are {', '.join(known)}")
    return result


def _words(result: Result) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Every word of a verdict, with its place and those that there are."""
    for number, policy in enumerate(result.policies):
        place = f"policies[{number}]"
        yield f"{place}.verdict", policy.verdict, VERDICTS
        yield f"{place}.loading", policy.loading, VERDICTS
        for at, claim in enumerate(policy.claims):
            if claim.verdict is not None:
                yield f"{place}.claims[{at}].verdict", claim.verdict, VERDICTS
        for at, limit in enumerate(policy.limits):
            yield f"{place}.limits[{at}].result", limit.result, RESULTS


def encode(result: Result) -> bytes:
    """A result as the text of `verdicts.json`."""
    return msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of `verdicts.json`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Result)}
