"""The time in which nothing was enforced, while an installation was changed under an act that is repeated.

A **beat** is one repetition: begun, ended, and how. Beats are dated by the
clock of their node, so the length of a gap needs no other clock. What was done
and said meanwhile (**happenings**) is dated by the machine that asked, and the
two clocks differ by seconds: what is said across them is a range, taken from
what must have come before what, never from an assumption.

What nobody watched is not known: a **silence** is a time in which no act is told
of whose end tells anything, and one that is longer than `LONGEST_SILENCE` may
hide a gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from msgspec import Meta, Struct

KILLED = 137
ENFORCED, ALLOWED, UNKNOWN = "enforced", "allowed", "unknown"

#: Seconds without an act that tells anything, beyond which nobody can say what was enforced meanwhile. On the
#: recorded nodes, emulated and of one CPU, the longest time between two acts is 0.9 s, and so is the longest act.
LONGEST_SILENCE = 5.0
#: Seconds that may be missing at the two ends of the acts together: from when they were begun to the first one, and
#: from the last one to when all had ended. Recorded: 7.0 and 5.0 s, of two execs that an emulated node takes its time
#: for.
LONGEST_AT_THE_ENDS = 15.0
#: So many enforced acts in a row say that enforcement is there. One alone may have died of something else.
STEADY = 5

#: What a happening may be. The first two bound the beats: acts began after them, and all had ended before the last.
ENABLED, ACTS_BEGIN, ACTS_ENDED = "enabled", "acts begin", "acts ended"
CHANGE_BEGINS, CHANGE_RETURNED, ROLLED_OUT = "change begins", "change returned", "rolled out"
STATE, VERSION, POD = "policy state", "version", "pod"
REFUSED, SETTING = "change refused", "setting"

#: Seconds since 1970, to the end of the year 9999: what is beyond is no time.
LAST_MOMENT = 253_402_300_799
Moment = Annotated[float, Meta(ge=0, le=LAST_MOMENT)]
ExitCode = Annotated[int, Meta(ge=0, le=255)]


class Beat(Struct, frozen=True, array_like=True):
    """One repetition of the act: seconds since 1970 by the node's clock, and the exit code (null: no answer).

    `control` is the exit code of a twin of the act that the policy leaves alone, begun right after it (null: there
    was none). Where that did not end with 0, the act's own 137 says nothing about the policy.
    """

    started: Moment
    ended: Moment
    exit_code: ExitCode | None
    control: ExitCode | None = None

    @property
    def outcome(self) -> str:
        """What became of it: 137 is killed if the twin went through, 0 went through, all else tells nothing."""
        if self.exit_code == 0:
            return ALLOWED
        return ENFORCED if self.exit_code == KILLED and not self.control else UNKNOWN


@dataclass(frozen=True)
class Silence:
    """A time in which no act is told of whose end tells anything, in seconds after the first act."""

    since: float
    until: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.until - self.since

    def __str__(self) -> str:
        return (
            f"for {self.seconds:.1f} s, from {self.since:.1f} s after the first act on, "
            f"no act is told of that was killed or went through"
        )


class Pulse(Struct, frozen=True, forbid_unknown_fields=True):
    """The repeated act on one node, in order. `argv` is what was repeated."""

    node: str
    beats: tuple[Beat, ...]
    argv: tuple[str, ...] = ()

    @property
    def pause(self) -> float:
        """The longest time in seconds between two beats: a gap that is shorter may lie in it unseen."""
        return max((later.started - earlier.ended for earlier, later in pairwise(self.beats)), default=0.0)

    @property
    def silences(self) -> tuple[Silence, ...]:
        """Every time that is longer than `LONGEST_SILENCE` in which nothing tells what was enforced.

        Acts that tell nothing do not end one. An act that takes so long is one too: what it met, it met once.
        """
        if not self.beats:
            return ()
        zero = self.beats[0].started
        telling = (moment for beat in self.beats if beat.outcome != UNKNOWN for moment in (beat.started, beat.ended))
        return tuple(
            Silence(earlier - zero, later - zero)
            for earlier, later in pairwise((zero, *telling, self.beats[-1].ended))
            if later - earlier > LONGEST_SILENCE
        )

    @property
    def fault(self) -> str:
        """Why the beats cannot be put in an order, in a clause; nothing where they can."""
        count = len(self.beats)
        for number, beat in enumerate(self.beats, 1):
            if not (math.isfinite(beat.started) and math.isfinite(beat.ended)):
                return f"act {number} of {count} has a time that is none"
            if beat.ended < beat.started:
                return f"act {number} of {count} ends before it begins"
        for number, (earlier, later) in enumerate(pairwise(self.beats), 2):
            if later.started < earlier.ended:
                return f"act {number} of {count} begins before the one before it has ended"
        return ""


class Happening(Struct, frozen=True, forbid_unknown_fields=True):
    """What was done or said: seconds since 1970 by the clock of the machine that asked. `node` where it is of one."""

    at: Moment
    what: str
    said: str = ""
    node: str = ""


class Continuity(Struct, frozen=True, forbid_unknown_fields=True):
    """One change of an installation, with the act repeated on each node and everything that happened meanwhile.

    `change` is its kind (`rollout-restart`, `upgrade`, `rollback`, `configure`), `command` what was typed. `nodes`
    are those that the act was to be repeated on (older recordings do not say).
    """

    change: str
    command: str
    pulses: tuple[Pulse, ...]
    happenings: tuple[Happening, ...]
    nodes: tuple[str, ...] = ()

    @property
    def everywhere(self) -> tuple[str, ...]:
        """The nodes that must have been watched: those named, those with a pulse, those whose agent was asked."""
        asked = (one.node for one in self.happenings if one.what in {ENABLED, STATE} and one.node)
        return tuple(dict.fromkeys((*self.nodes, *(pulse.node for pulse in self.pulses), *asked)))

    def first(self, what: str, node: str = "", said: str = "", after: float = float("-inf")) -> Happening | None:
        """The earliest happening of a kind: of this node or of none, saying this (anything if empty), since `after`."""
        found = (
            one
            for one in self.happenings
            if one.what == what and one.node in {"", node} and said in one.said and one.at >= after
        )
        return min(found, key=lambda one: one.at, default=None)

    def words(self, node: str) -> tuple[Happening, ...]:
        """What was heard of the policy's state on a node, in order. What names no node is of the only one there is."""
        of = {node, ""} if len(self.everywhere) == 1 else {node}
        told = (one for one in self.happenings if one.what in {ENABLED, STATE} and one.node in of)
        return tuple(sorted(told, key=lambda one: one.at))


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
    for node in continuity.everywhere:
        if not any(pulse.beats for pulse in continuity.pulses if pulse.node == node):
            yield f"on {node} no act was repeated, and nothing is known"
    for pulse in continuity.pulses:
        if not pulse.beats:
            continue
        if pulse.fault:
            yield f"on {pulse.node} {pulse.fault}, so that nothing can be measured"
            continue
        found = gaps(pulse)
        yield from (str(gap) for gap in found)
        if not found and any(beat.outcome == ENFORCED for beat in pulse.beats):
            yield (
                f"on {pulse.node} every act that tells anything was enforced; "
                f"a gap of up to {_ms(pulse.pause)} ms would not have shown"
            )
        yield from (f"on {pulse.node} {silence}" for silence in pulse.silences)
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
