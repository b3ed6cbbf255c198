"""The time in which nothing was enforced, while an installation was changed under an act that is repeated.

A **beat** is one repetition: begun, ended, and how. Beats are dated by the
clock of their node, so the length of a gap needs no other clock. What was done
and said meanwhile (**happenings**) is dated by the machine that asked, and the
two clocks differ by seconds: what is said across them is a range, taken from
what must have come before what, never from an assumption.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from msgspec import Struct

KILLED = 137
ENFORCED, ALLOWED, UNKNOWN = "enforced", "allowed", "unknown"

#: What a happening may be. The first two bound the beats: acts began after them, and all had ended before the last.
ENABLED, ACTS_BEGIN, ACTS_ENDED = "enabled", "acts begin", "acts ended"
CHANGE_BEGINS, CHANGE_RETURNED, ROLLED_OUT = "change begins", "change returned", "rolled out"
STATE, VERSION, POD = "policy state", "version", "pod"
REFUSED, SETTING = "change refused", "setting"


class Beat(Struct, frozen=True, array_like=True):
    """One repetition of the act: seconds since 1970 by the node's clock, and the exit code (null: no answer)."""

    started: float
    ended: float
    exit_code: int | None

    @property
    def outcome(self) -> str:
        """What became of it, by its exit code alone: 137 is killed, 0 went through, all else tells nothing."""
        return {KILLED: ENFORCED, 0: ALLOWED}.get(-1 if self.exit_code is None else self.exit_code, UNKNOWN)


class Pulse(Struct, frozen=True, forbid_unknown_fields=True):
    """The repeated act on one node, in order. `argv` is what was repeated."""

    node: str
    beats: tuple[Beat, ...]
    argv: tuple[str, ...] = ()

    @property
    def pause(self) -> float:
        """The longest time in seconds between two beats: a gap that is shorter may lie in it unseen."""
        return max((later.started - earlier.ended for earlier, later in pairwise(self.beats)), default=0.0)


class Happening(Struct, frozen=True, forbid_unknown_fields=True):
    """What was done or said: seconds since 1970 by the clock of the machine that asked. `node` where it is of one."""

    at: float
    what: str
    said: str = ""
    node: str = ""


class Continuity(Struct, frozen=True, forbid_unknown_fields=True):
    """One change of an installation, with the act repeated on each node and everything that happened meanwhile.

    `change` is its kind (`rollout-restart`, `upgrade`, `rollback`, `configure`), `command` what was typed.
    """

    change: str
    command: str
    pulses: tuple[Pulse, ...]
    happenings: tuple[Happening, ...]

    def first(self, what: str, node: str = "", said: str = "", after: float = float("-inf")) -> Happening | None:
        """The first happening of a kind: of this node or of none, saying this (anything if empty), after a moment."""
        return next(
            (
                one
                for one in self.happenings
                if one.what == what and one.node in {"", node} and said in one.said and one.at >= after
            ),
            None,
        )


@dataclass(frozen=True)
class Span:
    """A time in seconds that lies somewhere between `low` and `high`."""

    low: float
    high: float

    def __str__(self) -> str:
        if f"{self.low:.1f}" == f"{self.high:.1f}":
            return f"{self.low:.1f} s"
        return f"{self.low:.1f} to {self.high:.1f} s"


@dataclass(frozen=True)
class Gap:
    """One time on one node in which acts were allowed, between the beats that were enforced before and after it.

    `before` or `after` is missing where the beats begin or end in the gap: it is then open on that side.
    """

    node: str
    before: Beat | None
    allowed: tuple[Beat, ...]
    after: Beat | None

    @property
    def closed(self) -> bool:
        """Whether it is bounded on both sides."""
        return self.before is not None and self.after is not None

    @property
    def at_least(self) -> int:
        """Milliseconds in which certainly nothing was enforced: from the first allowed beat's end to the last's start.

        Where in a beat the act itself lies is not known, so the inner ends of the outermost beats count.
        """
        return max(0, _ms(self.allowed[-1].started - self.allowed[0].ended))

    @property
    def at_most(self) -> int | None:
        """Milliseconds beyond which something was enforced again: the outer ends of the enforced beats around it."""
        return _ms(self.after.ended - self.before.started) if self.before and self.after else None

    @property
    def measured(self) -> int | None:
        """Milliseconds from the end of the last enforced beat to the start of the next one."""
        return _ms(self.after.started - self.before.ended) if self.before and self.after else None

    def __str__(self) -> str:
        acts = f"{len(self.allowed)} {'act was' if len(self.allowed) == 1 else 'acts were'} allowed"
        if self.measured is None:
            side = "from the first act on" if self.before is None else "to the last act"
            return f"on {self.node} nothing was enforced {side}, for at least {self.at_least} ms: {acts}"
        return (
            f"on {self.node} nothing was enforced for {self.measured} ms "
            f"(at least {self.at_least}, at most {self.at_most}): {acts}"
        )


def gaps(pulse: Pulse) -> tuple[Gap, ...]:
    """Every gap of a pulse, in order. A beat of unknown outcome neither opens nor closes one."""
    found: list[Gap] = []
    before: Beat | None = None
    allowed: list[Beat] = []
    for beat in pulse.beats:
        if beat.outcome == ALLOWED:
            allowed.append(beat)
        elif beat.outcome == ENFORCED:
            if allowed:
                found.append(Gap(pulse.node, before, tuple(allowed), beat))
            before, allowed = beat, []
    if allowed:
        found.append(Gap(pulse.node, before, tuple(allowed), None))
    return tuple(found)


def clock(continuity: Continuity, pulse: Pulse) -> Span | None:
    """How far the node's clock is ahead of the asking machine's, in seconds; nothing where that cannot be said.

    The first beat began after the asking machine began the acts (or, where that was not noted, saw the policy
    enabled), and the last had ended before it saw that all had.
    """
    begun = continuity.first(ACTS_BEGIN, pulse.node) or continuity.first(ENABLED, pulse.node)
    ended = continuity.first(ACTS_ENDED, pulse.node)
    if begun is None or ended is None or not pulse.beats:
        return None
    span = Span(pulse.beats[-1].ended - ended.at, pulse.beats[0].started - begun.at)
    return span if span.low <= span.high else None


def on_node(happening: Happening, offset: Span) -> Span:
    """When a happening was, by the node's clock."""
    return Span(happening.at + offset.low, happening.at + offset.high)


def early(continuity: Continuity, pulse: Pulse, happening: Happening | None) -> Span | None:
    """How long before enforcement was back something was said; negative where it was back by then already.

    Nothing where it was not said, where no closed gap is there, or where the clocks cannot be compared.
    """
    offset = clock(continuity, pulse)
    back = next((gap.after for gap in reversed(gaps(pulse)) if gap.after), None)
    if happening is None or offset is None or back is None:
        return None
    said = on_node(happening, offset)
    return Span(back.started - said.high, back.ended - said.low)


def tell(continuity: Continuity) -> Iterator[str]:
    """What there is to say of it, each in a clause; the first of each node is the gap itself."""
    for pulse in continuity.pulses:
        found = gaps(pulse)
        yield from (str(gap) for gap in found)
        if not found:
            yield f"on {pulse.node} every act was enforced; a gap of up to {_ms(pulse.pause)} ms would not have shown"
        yield from _told_too_early(continuity, pulse)
        unknown = sum(beat.outcome == UNKNOWN for beat in pulse.beats)
        if unknown:
            yield f"on {pulse.node} {unknown} of {len(pulse.beats)} acts ended in a way that tells nothing"
        offset = clock(continuity, pulse)
        if offset is None:
            yield f"the clocks of {pulse.node} and of the asking machine cannot be compared"
        else:
            yield (
                f"{pulse.node}'s clock less the asking machine's: {offset.low:+.1f} to {offset.high:+.1f} s, "
                f"and what is said across the two is uncertain by as much"
            )


def _told_too_early(continuity: Continuity, pulse: Pulse) -> Iterator[str]:
    begun = continuity.first(CHANGE_BEGINS, pulse.node)
    since = begun.at if begun else float("-inf")
    for happening, words in (
        (continuity.first(ROLLED_OUT, pulse.node, after=since), "rollout status said done"),
        (continuity.first(STATE, pulse.node, "enabled", after=since), "the agent was first heard to call it enabled"),
    ):
        before = early(continuity, pulse, happening)
        if before and before.low > 0:
            yield f"{words} {before} before enforcement was back on {pulse.node}"
        elif before and before.high < 0:
            yield f"{words} {Span(-before.high, -before.low)} after enforcement was back on {pulse.node}"
        elif before:
            yield f"{words} when enforcement came back on {pulse.node}, give or take the clocks ({before} before)"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def pulses(beats: Sequence[tuple[str, Beat]]) -> tuple[Pulse, ...]:
    """Beats of several nodes, sorted into a pulse for each."""
    nodes = dict.fromkeys(node for node, _ in beats)
    return tuple(
        Pulse(node, tuple(sorted((beat for of, beat in beats if of == node), key=lambda beat: beat.started)))
        for node in nodes
    )
