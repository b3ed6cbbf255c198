"""The picture of a change: acts over time, allowed against enforced, with what was done and said meanwhile.

One row a lane, all over the same seconds. A row is a thousand units wide,
whatever the page is; marks are merged into one path a lane.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tetraproof.observing.gap import ACTS_ENDED, ALLOWED, ENFORCED, UNKNOWN, VERSION
from tetraproof.report.drawing import Tick, ticks
from tetraproof.report.result import GapResult, HappeningResult, PulseResult

WIDTH, HEIGHT = 1000.0, 10
#: A beat is drawn at least so wide, or it would not be seen.
_NARROWEST = 0.8
_WORDS = {ENFORCED: "killed", ALLOWED: "allowed", UNKNOWN: "neither"}
#: What happens outside of the picture, or says nothing in it.
_LEFT_OUT = {"apply", VERSION, ACTS_ENDED}


@dataclass(frozen=True)
class Lane:
    """The beats of one outcome, as one path."""

    outcome: str
    word: str
    count: int
    path: str


@dataclass(frozen=True)
class Band:
    """A gap: where it lies, and how long it was."""

    at: float
    width: float
    middle: float
    words: str


@dataclass(frozen=True)
class Note:
    """A happening: between which places it lies (one place where it is certain), and its words."""

    at: float
    width: float
    what: str
    said: str
    words: str


@dataclass(frozen=True)
class Picture:
    """One node's picture."""

    node: str
    lanes: tuple[Lane, ...]
    bands: tuple[Band, ...]
    notes: tuple[Note, ...]
    ticks: tuple[Tick, ...]
    words: str


def picture(pulse: PulseResult) -> Picture:
    """The picture of what became of the repeated act on one node."""
    end = max((beat[1] for beat in pulse.beats), default=0.0) or 1.0
    lanes = tuple(_lanes(pulse, end))
    bands = tuple(_band(gap, end) for gap in pulse.gaps)
    counted = ", ".join(f"{lane.count} {lane.word}" for lane in lanes)
    unenforced = "; ".join(band.words for band in bands) or "no gap was seen"
    return Picture(
        pulse.node,
        lanes,
        bands,
        tuple(_notes(pulse.happenings, end)),
        tuple(ticks(0.0, end)),
        f"{len(pulse.beats)} acts on {pulse.node} in {end:.0f} s: {counted}. {unenforced}",
    )


def _lanes(pulse: PulseResult, end: float) -> Iterator[Lane]:
    for outcome, word in _WORDS.items():
        beats = [beat for beat in pulse.beats if beat[2] == outcome]
        if beats or outcome != UNKNOWN:
            path = "".join(_mark(started, ended, end) for started, ended, _ in beats)
            yield Lane(outcome, word, len(beats), path)


def _mark(started: float, ended: float, end: float) -> str:
    at, width = _place(started, end), max(_NARROWEST, _place(ended, end) - _place(started, end))
    return f"M{at:g} 0h{width:.3g}v{HEIGHT}h-{width:.3g}z"


def _band(gap: GapResult, end: float) -> Band:
    at, to = _place(gap.started, end), _place(gap.ended, end)
    if gap.measured_ms is None:
        words = f"nothing enforced for at least {gap.at_least_ms / 1000:.1f} s"
    else:
        words = f"nothing enforced for {gap.measured_ms / 1000:.1f} s"
    return Band(at, round(to - at, 2), round((at + to) / 2 / WIDTH * 100, 2), words)


def _notes(happenings: Sequence[HappeningResult], end: float) -> Iterator[Note]:
    seen = set()
    for one in happenings:
        if one.what in _LEFT_OUT or one.earliest is None or one.latest is None or (one.what, one.said) in seen:
            continue
        seen.add((one.what, one.said))
        if one.latest <= 0 or one.earliest > end:
            continue
        at, to = _place(one.earliest, end), _place(one.latest, end)
        when = f"{one.earliest:.1f} to {one.latest:.1f} s after the first act"
        yield Note(at, max(_NARROWEST, round(to - at, 2)), one.what, one.said, when)


def _place(seconds: float, end: float) -> float:
    return round(min(max(seconds, 0.0), end) / end * WIDTH, 2)
