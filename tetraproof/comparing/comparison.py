"""What changed from one result to another: verdicts, what became of acts, and what the agent told of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tetraproof.comparing.plain import Names, plain, same, without_numbers
from tetraproof.report import label
from tetraproof.report.result import ActResult, PolicyResult, Result
from tetraproof.verdict import Verdict

NONE = "none"
_CONFORMS = "conforms"


@dataclass(frozen=True)
class Turned:
    """A verdict that changed: of a policy, of a promise of it, or what becomes of a limit."""

    policy: str
    promise: str
    before: str
    after: str
    reason: str = ""

    @property
    def worse(self) -> bool:
        """Whether a promise that conformed no longer does."""
        return bool(self.promise) and self.before == _CONFORMS != self.after


@dataclass(frozen=True)
class Behaved:
    """What became of an act, or was told of it, otherwise than before. `what` says it in a clause."""

    policy: str
    act: str
    what: str


@dataclass
class Retold:
    """A field that events tell otherwise: from what to what, of how many, of which kinds, and of which act first."""

    way: str
    before: str
    after: str
    first: str
    events: int = 0
    kinds: list[str] = field(default_factory=list)


#: By the way to the field, and what it said and says.
_Retold = dict[tuple[str, str, str], Retold]


@dataclass
class Comparison:
    """All that changed, and which policies only one of the two has; `compared` counts those that both judged."""

    before: Result
    after: Result
    compared: int = 0
    gone: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    turned: list[Turned] = field(default_factory=list)
    behaved: list[Behaved] = field(default_factory=list)
    retold: list[Retold] = field(default_factory=list)

    @property
    def worse(self) -> list[Turned]:
        """The promises that conformed and no longer do."""
        return [one for one in self.turned if one.worse]


def compare(before: Result, after: Result) -> Comparison:
    """What changed from `before` to `after`."""
    made = Comparison(before, after)
    twice = label.several([before, after])
    earlier = dict(zip(label.names(before, twice), before.policies, strict=True))
    later = dict(zip(label.names(after, twice), after.policies, strict=True))
    names = Names(before.target.bindings), Names(after.target.bindings)
    made.gone = [name for name in earlier if name not in later]
    made.new = [name for name in later if name not in earlier]
    retold: _Retold = {}
    for name in [name for name in earlier if name in later]:
        made.compared += str(Verdict.UNRECORDED) not in {earlier[name].verdict, later[name].verdict}
        made.turned += _turned(name, earlier[name], later[name])
        made.behaved += _behaved(name, earlier[name], later[name], names, retold)
    made.retold = sorted(retold.values(), key=lambda one: (-one.events, one.way))
    return made


def _turned(name: str, before: PolicyResult, after: PolicyResult) -> Iterator[Turned]:
    if before.verdict != after.verdict:
        yield Turned(name, "", before.verdict, after.verdict, label.reason(after))
    claims = {one.name: one for one in before.claims}
    for claim in after.claims:
        earlier = claims.pop(claim.name, None)
        was, now = (earlier.verdict or label.NOT_JUDGED) if earlier else NONE, claim.verdict or label.NOT_JUDGED
        if was != now:
            yield Turned(name, claim.name, was, now, claim.reason)
    for claim in claims.values():
        yield Turned(name, claim.name, claim.verdict or label.NOT_JUDGED, NONE, "there is no such promise any more")
    limits = {one.label: one for one in before.limits}
    for limit in after.limits:
        reached = limits[limit.label].result if limit.label in limits else NONE
        if reached != limit.result:
            yield Turned(name, f"limit {limit.label}", reached, limit.result, limit.reason)


def _behaved(
    name: str,
    before: PolicyResult,
    after: PolicyResult,
    names: tuple[Names, Names],
    retold: _Retold,
) -> Iterator[Behaved]:
    acts = {one.name: one for one in before.acts if one.role == "act"}
    for act in after.acts:
        earlier = acts.get(act.name)
        # what was not performed has said so by its promises' verdicts
        if act.role == "act" and earlier is not None and not act.missing and not earlier.missing:
            yield from (Behaved(name, act.name, what) for what in _ended(earlier, act, names))
            yield from (
                Behaved(name, act.name, what) for what in _told(f"{name} · {act.name}", earlier, act, names, retold)
            )


def _ended(before: ActResult, after: ActResult, names: tuple[Names, Names]) -> Iterator[str]:
    if before.ended != after.ended:
        yield f"{before.ended} before, {after.ended} now"
    for stream in ("stdout", "stderr"):
        was, now = getattr(before, stream), getattr(after, stream)
        if not same(without_numbers(was, names[0]), without_numbers(now, names[1])):
            yield f"{stream} was {_shown(was)}, and is {_shown(now)}"


def _told(
    where: str,
    before: ActResult,
    after: ActResult,
    names: tuple[Names, Names],
    retold: _Retold,
) -> Iterator[str]:
    """What the agent told of an act: events that are gone, new, or came in another order; fields go to `retold`."""
    was, now = _own(before, names[0]), _own(after, names[1])
    if before.timeline and after.timeline and bool(before.timeline.open) != bool(after.timeline.open):
        yield (
            "its stream was heard to the end before, and is not now"
            if after.timeline.open
            else ("its stream was not heard to the end before, and is now")
        )
    matcher = difflib.SequenceMatcher(None, [one.key for one in was], [one.key for one in now], autojunk=False)
    lost: list[_Told] = []
    added: list[_Told] = []
    for sort, first, end, begin, stop in matcher.get_opcodes():
        if sort == "equal":
            for left, right in zip(was[first:end], now[begin:stop], strict=True):
                _fields(where, left, right, retold)
        else:
            lost += was[first:end]
            added += now[begin:stop]
    for one in lost:
        moved = next((other for other in added if other.key == one.key), None)
        if moved is not None:
            added.remove(moved)
            yield f"another order: {one.text}"
        else:
            yield f"no more told: {one.text}"
    yield from (f"newly told: {one.text}" for one in added)


@dataclass(frozen=True)
class _Told:
    """One event: what it is told by, its line, and its fields."""

    key: tuple[str, ...]
    text: str
    kind: str
    fields: Mapping[str, str]


#: What an event is, wherever its kind tells it; two that agree in these are the same event told twice.
_KEY = ("process.binary", "function_name", "subsys", "event", "path", "symbol", "action", "signal", "status")


def _own(act: ActResult, names: Names) -> list[_Told]:
    events = [one for one in (act.timeline.events if act.timeline else ()) if one.own]
    return [_told_of(one.kind, names.told(one.text), one.event, names) for one in events]


def _told_of(kind: str, text: str, event: Mapping[str, Any], names: Names) -> _Told:
    inner = next((value for value in event.values() if isinstance(value, Mapping)), {})
    fields = plain(inner, names)
    return _Told((kind, *(fields.get(way, "") for way in _KEY)), f"{kind} {text}", kind, fields)


def _fields(where: str, before: _Told, after: _Told, retold: _Retold) -> None:
    for way in dict.fromkeys([*before.fields, *after.fields]):
        was, now = before.fields.get(way, NONE), after.fields.get(way, NONE)
        if not same(was, now):
            found = retold.setdefault((way, was, now), Retold(way, was, now, where))
            found.events += 1
            found.kinds += [] if before.kind in found.kinds else [before.kind]


def _shown(text: str) -> str:
    shown = repr(text.strip())
    return shown if len(shown) <= _WIDE else f"{shown[: _WIDE - 1]}…"


_WIDE = 80


def cells(results: Sequence[Result]) -> dict[str, Result]:
    """Results by their cell's title, and the recording where they are of one."""
    return {" · ".join(filter(None, (result.target.cell.title, result.target.recording))): result for result in results}
