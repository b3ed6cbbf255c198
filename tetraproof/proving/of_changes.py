"""Damages to a change of an installation: acts that nobody saw, exit codes and states that lie, a node left out.

As `tetraproof.proving.damage` has them for acts and events: each changes one thing of one
scenario's `continuity.json`, and the suites must notice. Not among them is an act at
the edge of a gap that is told as killed: nothing else witnesses a single act, and the
gap is told shorter by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from msgspec.structs import replace

from tetraproof.observing import gap
from tetraproof.observing.gap import ALLOWED, ENFORCED, Beat, Continuity, Gap, Happening, Pulse
from tetraproof.observing.observation import Observed
from tetraproof.proving.damage import Damage

#: A change to what was observed.
Change = Callable[[Continuity], Continuity]
#: Seconds of which no act is told. Far beyond what the clocks leave open.
_MINUTE = 60.0
_HOUR = 3600.0


def damages(observed: Observed) -> Iterator[Damage]:
    """Every damage that can be done to an observed change, and the harmless ones; none where none was observed."""
    told = observed.continuity
    if told is None:
        return
    for kind, what, change in _all(told):
        yield Damage(kind, "", what, _written(observed.scenario, change))
    for kind, what, change in _harmless(told):
        yield Damage(kind, "", what, _written(observed.scenario, change), harmless=True)


def _all(told: Continuity) -> Iterator[tuple[str, str, Change]]:
    for pulse in told.pulses:
        if pulse.beats:
            yield from _of_beats(told, pulse)
        yield "a node's pulse dropped", pulse.node, _pulses(pulse.node, lambda _: None)
    yield from _of_words(told)
    yield from _of_moments(told)
    yield from _of_what_was_asked_for(told)


# what became of the acts


def _of_beats(told: Continuity, pulse: Pulse) -> Iterator[tuple[str, str, Change]]:
    first, last = pulse.beats[0].started, pulse.beats[-1].ended
    middle = max(first, (first + last - _MINUTE) / 2)
    for where, since, until in (
        ("the first", first, first + _MINUTE),
        ("a", middle, middle + _MINUTE),
        ("the last", last - _MINUTE, last),
    ):
        yield f"{where} minute of acts dropped", pulse.node, _beats(pulse, _without(since, until))
    for one in gap.gaps(pulse):
        if one.closed:
            yield from _of_gap(pulse, one)
    enforced = [at for at, beat in enumerate(pulse.beats) if beat.outcome == ENFORCED]
    if enforced:
        for where, at in (("first", enforced[0]), ("last", enforced[-1])):
            yield f"the {where} enforced act turned into allowed", pulse.node, _beats(pulse, _code(at, 0))
            yield (
                f"the {where} enforced act turned into one that tells nothing",
                pulse.node,
                _beats(pulse, _code(at, 1)),
            )
        # one that lies well before the end, where the agents have long called the policy enabled
        steady = enforced[-gap.STEADY - 1 :]
        yield "an enforced act afterwards turned into allowed", pulse.node, _beats(pulse, _code(steady[0], 0))
        if any(beat.control == 0 for beat in pulse.beats):
            yield "the twins of the acts die as well", pulse.node, _beats(pulse, _twins)
    half = len(pulse.beats) // 2
    yield "the node's clock set back", "by an hour, in the middle", _beats(pulse, _set_back(half))
    yield "an act ends before it begins", pulse.node, _beats(pulse, _turned(half))
    if half and half + 1 < len(pulse.beats):
        yield "two acts overlap", pulse.node, _beats(pulse, _overlapping(half))
    if told.nodes or len(told.pulses) > 1:
        twice = replace(told, pulses=(*told.pulses, pulse))
        yield "a node's pulse told twice", pulse.node, lambda _: twice


def _of_gap(pulse: Pulse, one: Gap) -> Iterator[tuple[str, str, Change]]:
    allowed = [at for at, beat in enumerate(pulse.beats) if beat.outcome == ALLOWED and beat in one.allowed]
    if len(allowed) > 2:  # noqa: PLR2004 - one that has allowed acts on both sides
        at = allowed[len(allowed) // 2]
        yield "an allowed act amid others turned into killed", pulse.node, _beats(pulse, _code(at, gap.KILLED))
    assert one.after is not None
    yield "no act after the gap", pulse.node, _beats(pulse, _without(one.after.started, float("inf")))


def _without(since: float, until: float) -> Callable[[list[Beat]], list[Beat]]:
    return lambda beats: [beat for beat in beats if not (since <= beat.started and beat.ended <= until)]


def _code(at: int, code: int) -> Callable[[list[Beat]], list[Beat]]:
    return lambda beats: [*beats[:at], replace(beats[at], exit_code=code), *beats[at + 1 :]]


def _twins(beats: list[Beat]) -> list[Beat]:
    return [replace(beat, control=gap.KILLED) if beat.control == 0 else beat for beat in beats]


def _set_back(at: int) -> Callable[[list[Beat]], list[Beat]]:
    return lambda beats: [*beats[:at], *(_moved(beat, -_HOUR) for beat in beats[at:])]


def _turned(at: int) -> Callable[[list[Beat]], list[Beat]]:
    return lambda beats: [
        replace(beat, started=beat.ended + 1.0) if number == at else beat for number, beat in enumerate(beats)
    ]


def _overlapping(at: int) -> Callable[[list[Beat]], list[Beat]]:
    return lambda beats: [*beats[:at], replace(beats[at], ended=beats[at + 1].ended), *beats[at + 1 :]]


def _moved(beat: Beat, seconds: float) -> Beat:
    return replace(beat, started=beat.started + seconds, ended=beat.ended + seconds)


# what was said


def _of_words(told: Continuity) -> Iterator[tuple[str, str, Change]]:
    begun = told.first(gap.CHANGE_BEGINS)
    if begun is None:
        return
    for node in told.everywhere:
        words = told.words(node)
        before = [one for one in words if one.at < begun.at]
        since = [one for one in words if one.at >= begun.at]
        if before:
            yield "the state before dropped", node, _dropped(before)
        if not since:
            continue
        last = since[-1]
        others = [one for one in since if one.said != gap.ENABLED]
        yield "the state afterwards dropped", node, _dropped(since)
        if others:  # what was heard last is then that the policy is not there yet
            yield "the last state dropped", node, _dropped([one for one in since if one.at > others[-1].at])
        for word in ("load_error", "disabled", "unknown to it", "loading", "no answer"):
            yield f"the last state turned into {word}", node, _said(last, word)


def _of_moments(told: Continuity) -> Iterator[tuple[str, str, Change]]:
    if not told.happenings:
        return
    moments = [one.at for one in told.happenings]
    # beyond all that happened
    span = max(moments) - min(moments) + _HOUR
    for what, by in (
        (gap.CHANGE_BEGINS, -span),
        (gap.CHANGE_BEGINS, span),
        (gap.ENABLED, span),
        (gap.STATE, -span),
        (gap.ACTS_ENDED, _MINUTE),
        (gap.ACTS_ENDED, -_MINUTE),
        (gap.ACTS_BEGIN, -_MINUTE),
        (gap.ROLLED_OUT, span),
        (gap.CHANGE_RETURNED, -span),
    ):
        some = [one for one in told.happenings if one.what == what]
        if some:
            yield f"“{what}” shifted", f"by {by:+.0f} s", _shifted(what, by)
    for what in (gap.CHANGE_BEGINS, gap.CHANGE_RETURNED, gap.ROLLED_OUT, gap.ACTS_ENDED):
        some = [one for one in told.happenings if one.what == what]
        if some:
            yield f"“{what}” dropped", "", _dropped(some)


def _of_what_was_asked_for(told: Continuity) -> Iterator[tuple[str, str, Change]]:
    begun = told.first(gap.CHANGE_BEGINS)
    returned = told.first(gap.CHANGE_RETURNED)
    if begun is None:
        return
    if returned is not None:
        refused = Happening(returned.at, gap.REFUSED, "refused on purpose")
        yield "the change refused", "", _happenings(lambda all_: [refused if one == returned else one for one in all_])
    after = [one for one in told.happenings if one.what == gap.SETTING and one.at > begun.at]
    if after:
        name = after[-1].said.partition(":")[0]
        yield "a setting lost", name, _said(after[-1], f"{name}: lost on purpose")
        yield "the settings afterwards dropped", "", _dropped(after)


def _dropped(some: list[Happening]) -> Change:
    return _happenings(lambda all_: [one for one in all_ if one not in some])


def _said(one: Happening, word: str) -> Change:
    changed = replace(one, what=gap.STATE if one.what == gap.ENABLED else one.what, said=word)
    return _happenings(lambda all_: [changed if other == one else other for other in all_])


def _shifted(what: str, by: float) -> Change:
    return _happenings(lambda all_: [replace(one, at=one.at + by) if one.what == what else one for one in all_])


# what must not matter


def _harmless(told: Continuity) -> Iterator[tuple[str, str, Change]]:
    yield "happenings in another order", "the last one first", _happenings(lambda all_: list(reversed(all_)))
    if told.happenings:
        more = Happening(told.happenings[0].at, "of a later version", "something")
        yield "a happening of an unknown kind", "", _happenings(lambda all_: [*all_, more])
        yield (
            "another clock",
            "of the asking machine, by an hour",
            _happenings(lambda all_: [replace(one, at=one.at + _HOUR) for one in all_]),
        )
    yield "another clock", "of every node, by an hour", _every_beat(lambda beat: _moved(beat, _HOUR))
    yield (
        "beats that stand closer",
        "each ended a millisecond earlier",
        _every_beat(lambda beat: replace(beat, ended=max(beat.started, beat.ended - 0.001))),
    )


def _every_beat(change: Callable[[Beat], Beat]) -> Change:
    return lambda told: replace(
        told, pulses=tuple(replace(one, beats=tuple(map(change, one.beats))) for one in told.pulses)
    )


# how it is written


def _pulses(node: str, change: Callable[[Pulse], Pulse | None]) -> Change:
    def apply(told: Continuity) -> Continuity:
        changed = (change(one) if one.node == node else one for one in told.pulses)
        return replace(told, pulses=tuple(one for one in changed if one is not None))

    return apply


def _beats(pulse: Pulse, change: Callable[[list[Beat]], list[Beat]]) -> Change:
    return _pulses(pulse.node, lambda one: replace(one, beats=tuple(change(list(one.beats)))))


def _happenings(change: Callable[[list[Happening]], list[Happening]]) -> Change:
    return lambda told: replace(told, happenings=tuple(change(list(told.happenings))))


def _written(scenario: str, change: Change) -> Callable[[dict[str, bytes]], None]:
    path = f"scenarios/{scenario}/continuity.json"

    def apply(files: dict[str, bytes]) -> None:
        told = msgspec.json.decode(files[path], type=Continuity)
        files[path] = msgspec.json.encode(change(told))

    return apply
