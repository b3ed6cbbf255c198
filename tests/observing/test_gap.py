"""Gaps: how long nothing was enforced, between what bounds, and what was said when."""

import pytest

from tests.pulses import ASKED, BEATS, NONE, OK, OTHER, K, changed, pulse
from tetraproof.observing import gap
from tetraproof.observing.gap import Beat, Gap, Happening, Pulse, Span


def test_a_gap_is_bounded_by_what_was_enforced_around_it():
    (found,) = gap.gaps(pulse(K, K, OK, OK, OK, K, K))
    assert (found.before.started, found.after.started, len(found.allowed)) == (1001.0, 1005.0, 3)
    assert found.closed
    # from the first allowed beat's end to the last one's start: 1002.2 to 1004.0
    assert found.at_least == 1800
    # from the last enforced beat's end to the next one's start: 1001.2 to 1005.0
    assert found.measured == 3800
    # from the last enforced beat's start to the next one's end: 1001.0 to 1005.2
    assert found.at_most == 4200
    assert str(found) == "on n nothing was enforced for 3800 ms (at least 1800, at most 4200): 3 acts were allowed"


def test_one_allowed_act_is_a_gap_of_at_least_nothing():
    (found,) = gap.gaps(pulse(K, OK, K))
    assert (found.at_least, found.measured, found.at_most) == (0, 1800, 2200)
    assert "1 act was allowed" in str(found)


@pytest.mark.parametrize(
    ("codes", "found"),
    [
        ((), []),
        ((K, K, K), []),
        ((OK, K), [(None, 1, K)]),
        ((K, OK), [(K, 1, None)]),
        ((OK, OK), [(None, 2, None)]),
        ((K, OK, K, OK, OK, K), [(K, 1, K), (K, 2, K)]),
        # what tells nothing neither opens nor closes a gap
        ((K, OTHER, K), []),
        ((K, OK, OTHER, OK, K), [(K, 2, K)]),
        ((K, OK, NONE, K), [(K, 1, K)]),
    ],
)
def test_gaps_are_told_apart(codes, found):
    def code(beat):
        return beat.exit_code if beat else None

    assert [(code(one.before), len(one.allowed), code(one.after)) for one in gap.gaps(pulse(*codes))] == found


def test_an_open_gap_has_no_upper_bound():
    for codes, side in (((OK, OK, K), "from the first act on"), ((K, OK, OK), "to the last act")):
        (found,) = gap.gaps(pulse(*codes))
        assert not found.closed
        assert found.at_most is None
        assert found.measured is None
        assert str(found) == f"on n nothing was enforced {side}, for at least 800 ms: 2 acts were allowed"


def test_a_beat_of_unknown_outcome_widens_the_bounds_and_nothing_else():
    (plain,), (widened,) = gap.gaps(pulse(K, OK, K)), gap.gaps(pulse(K, OTHER, OK, OTHER, K))
    assert widened.at_least == plain.at_least == 0
    assert (widened.measured, widened.at_most) == (3800, 4200)


@pytest.mark.parametrize(
    ("code", "outcome"), [(137, "enforced"), (0, "allowed"), (1, "unknown"), (None, "unknown"), (-1, "unknown")]
)
def test_an_outcome_is_an_exit_code_s(code, outcome):
    assert Beat(0.0, 1.0, code).outcome == outcome


def test_the_pause_is_the_longest_time_between_two_acts():
    assert pulse(K, K, K).pause == pytest.approx(0.8)
    assert Pulse("n", (Beat(0, 1, 0), Beat(1.5, 2, 0), Beat(5, 6, 0))).pause == 3
    assert pulse(K).pause == 0
    assert pulse().pause == 0


def test_the_clocks_are_compared_by_what_must_have_come_before_what():
    """The first act (1000.0) began after 1004.5, the last (1006.2) had ended before 1012.0."""
    offset = gap.clock(changed(BEATS, happenings=ASKED), BEATS)
    assert (offset.low, offset.high) == (pytest.approx(-5.8), pytest.approx(-4.5))


def test_where_nobody_noted_when_the_acts_began_the_policy_was_enabled_before():
    offset = gap.clock(changed(BEATS, happenings=[one for one in ASKED if one.what != gap.ACTS_BEGIN]), BEATS)
    assert offset.high == pytest.approx(-3.0)


@pytest.mark.parametrize("missing", [(gap.ACTS_ENDED,), (gap.ACTS_BEGIN, gap.ENABLED)])
def test_clocks_that_nothing_compares_are_not_compared(missing):
    told = changed(BEATS, happenings=[one for one in ASKED if one.what not in missing])
    assert gap.clock(told, BEATS) is None
    assert "the clocks of n and of the asking machine cannot be compared" in list(gap.tell(told))


def test_clocks_that_contradict_themselves_are_not_compared():
    told = changed(BEATS, happenings=(Happening(1000.0, gap.ACTS_BEGIN), Happening(1003.0, gap.ACTS_ENDED)))
    assert gap.clock(told, BEATS) is None


def test_how_long_before_enforcement_was_back_something_was_said():
    """Said at 1008.0, by the node's clock between 1002.2 and 1003.5; back between 1005.0 and 1005.2."""
    told = changed(BEATS, happenings=ASKED)
    early = gap.early(told, BEATS, told.first(gap.ROLLED_OUT))
    assert (early.low, early.high) == (pytest.approx(1.5), pytest.approx(3.0))
    late = gap.early(told, BEATS, told.first(gap.STATE, said="enabled"))
    assert late.high < 0
    assert gap.early(told, BEATS, None) is None


def test_what_there_is_to_say():
    assert list(gap.tell(changed(BEATS, happenings=ASKED))) == [
        "on n nothing was enforced for 3800 ms (at least 1800, at most 4200): 3 acts were allowed",
        "rollout status said done 1.5 to 3.0 s before enforcement was back on n",
        "the agent was first heard to call it enabled 2.5 to 4.0 s after enforcement was back on n",
        "n's clock less the asking machine's: -5.8 to -4.5 s, and what is said across the two is uncertain by as much",
    ]


def test_what_was_said_around_the_moment_is_not_told_as_before_or_after():
    told = changed(BEATS, happenings=(*ASKED[:3], Happening(1010.0, gap.ROLLED_OUT), ASKED[-1]))
    (line,) = [line for line in gap.tell(told) if "rollout status" in line]
    assert line.startswith("rollout status said done when enforcement came back on n, give or take the clocks")


def test_what_was_said_before_the_change_says_nothing_of_it():
    told = changed(BEATS, happenings=(Happening(1005.0, gap.STATE, "enabled"), *ASKED))
    assert [line for line in gap.tell(told) if "call it enabled" in line] == [
        "the agent was first heard to call it enabled 2.5 to 4.0 s after enforcement was back on n"
    ]


def test_no_gap_is_told_with_what_could_not_have_been_seen():
    whole = pulse(K, K, K)
    assert next(gap.tell(changed(whole))) == (
        "on n every act that tells anything was enforced; a gap of up to 800 ms would not have shown"
    )


def test_acts_that_tell_nothing_are_counted():
    assert "on n 2 of 4 acts ended in a way that tells nothing" in list(gap.tell(changed(pulse(K, OTHER, NONE, K))))


def test_each_node_is_told_by_itself():
    told = changed(pulse(K, OK, K, node="a"), pulse(K, K, K, node="b"))
    lines = list(gap.tell(told))
    assert any(line.startswith("on a nothing was enforced for") for line in lines)
    assert any(line.startswith("on b every act that tells anything was") for line in lines)


def test_a_happening_of_another_node_is_not_this_one_s():
    told = changed(happenings=(Happening(1.0, gap.STATE, "enabled", "a"), Happening(2.0, gap.STATE, "enabled", "b")))
    assert told.first(gap.STATE, "b").at == 2.0
    assert told.first(gap.STATE, "a").at == 1.0
    assert told.first(gap.STATE, "a", after=1.5) is None
    assert told.first(gap.STATE, said="loading") is None


def test_beats_of_several_nodes_become_a_pulse_each_in_order():
    beats = [("b", Beat(2.0, 2.1, 0)), ("a", Beat(3.0, 3.1, 137)), ("b", Beat(1.0, 1.1, 137))]
    made = gap.pulses(beats)
    assert [(one.node, [beat.started for beat in one.beats]) for one in made] == [("b", [1.0, 2.0]), ("a", [3.0])]


@pytest.mark.parametrize(
    ("code", "control", "outcome"),
    [
        (137, None, "enforced"),
        (137, 0, "enforced"),
        # what the policy leaves alone died as well, so it may have been something else
        (137, 137, "unknown"),
        (137, 1, "unknown"),
        (0, 137, "allowed"),
        (1, 0, "unknown"),
    ],
)
def test_a_kill_counts_where_the_twin_goes_through(code, control, outcome):
    assert Beat(0.0, 1.0, code, control).outcome == outcome


BOUND = gap.LONGEST_SILENCE


def held(*beats):
    return Pulse("n", tuple(Beat(*beat) for beat in beats))


@pytest.mark.parametrize(
    ("beats", "silences"),
    [
        ([], []),
        ([(0, 1, K), (1 + BOUND, 9, K)], []),
        ([(0, 1, K), (1.1 + BOUND, 9, K)], [(1, 1.1 + BOUND)]),
        # one act that takes so long met it once
        ([(0, 1, K), (2, 8, K), (9, 10, K)], [(2, 8)]),
        # what tells nothing ends no silence, wherever it stands
        ([(0, 1, K), (3, 4, OTHER), (6, 7, NONE), (8, 9, K)], [(1, 8)]),
        ([(0, 1, OTHER), (6, 7, K)], [(0, 6)]),
        ([(0, 1, K), (3, 4, OTHER), (6, 7, OTHER)], [(1, 7)]),
        ([(0, 1, K), (11, 12, K), (13, 14, K), (70, 71, K)], [(1, 11), (14, 70)]),
    ],
)
def test_a_silence_is_a_time_in_which_no_act_tells_anything(beats, silences):
    assert [(one.since, one.until) for one in held(*beats).silences] == [
        (pytest.approx(since), pytest.approx(until)) for since, until in silences
    ]


def test_a_silence_is_told_with_its_place():
    told = list(gap.tell(changed(held((100, 101, K), (162, 163, K)))))
    assert (
        "on n for 61.0 s, from 1.0 s after the first act on, no act is told of that was killed or went through" in told
    )


@pytest.mark.parametrize(
    ("beats", "fault"),
    [
        ([], ""),
        ([(0, 1, K), (1, 2, K)], ""),
        ([(0, 1, K), (3, 2, K)], "act 2 of 2 ends before it begins"),
        ([(0, 2, K), (1, 3, K)], "act 2 of 2 begins before the one before it has ended"),
        ([(5, 6, K), (1, 2, K), (7, 8, K)], "act 2 of 3 begins before the one before it has ended"),
        ([(0, 1, K), (float("nan"), 2, K)], "act 2 of 2 has a time that is none"),
        ([(0, float("inf"), K)], "act 1 of 1 has a time that is none"),
    ],
)
def test_beats_that_have_no_order_are_told(beats, fault):
    assert held(*beats).fault == fault
    told = list(gap.tell(changed(held(*beats))))
    assert not fault or told == [f"on n {fault}, so that nothing can be measured"]


def test_a_node_without_beats_is_told():
    told = changed(pulse(K, K, node="a"), pulse(node="b"), nodes=("a", "b", "c"))
    lines = list(gap.tell(told))
    assert lines[:2] == [f"on {node} no act was repeated, and nothing is known" for node in "bc"]


def test_every_node_that_is_spoken_of_must_have_been_watched():
    told = changed(
        pulse(K, node="a"),
        happenings=(Happening(1, gap.ENABLED, node="b"), Happening(2, gap.POD, "t", "d"), Happening(3, gap.STATE)),
        nodes=("c",),
    )
    assert told.everywhere == ("c", "a", "b")


def test_the_agents_words_stand_in_their_order():
    told = changed(
        pulse(K),
        happenings=(Happening(5, gap.STATE, "loading"), Happening(2, gap.ENABLED), Happening(3, gap.POD, "x")),
    )
    assert [(one.at, one.what) for one in told.words("n")] == [(2, gap.ENABLED), (5, gap.STATE)]
    # on two nodes a word that names none may be of the other
    two = changed(pulse(K, node="a"), pulse(K, node="b"), happenings=told.happenings)
    assert two.words("a") == ()


def test_the_first_of_a_kind_is_the_earliest_wherever_it_stands():
    told = changed(happenings=(Happening(5, gap.STATE, "late"), Happening(2, gap.STATE, "early")))
    assert told.first(gap.STATE).said == "early"


@pytest.mark.parametrize(("span", "words"), [(Span(1.0, 1.0), "1.0 s"), (Span(1.04, 2.0), "1.0 to 2.0 s")])
def test_a_span_is_told_as_what_is_known(span, words):
    assert str(span) == words


def test_a_gap_needs_allowed_acts():
    assert Gap("n", None, (Beat(0, 1, 0),), None).at_least == 0
