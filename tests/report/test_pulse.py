"""The picture of a change: acts over time, and what was done and said meanwhile."""

import re

import pytest

from tests.pulses import ASKED, BEATS, OK, OTHER, K, changed, pulse
from tetraproof.observing import gap
from tetraproof.observing.gap import Happening
from tetraproof.report.assembly import continuity_result
from tetraproof.report.pulse import WIDTH, picture
from tetraproof.report.result import PulseResult


def drawn(told):
    (one,) = continuity_result(told).pulses
    return picture(one)


def places(path):
    """Where the marks of a lane begin, as shares of the width."""
    return [round(float(at) / WIDTH, 3) for at in re.findall(r"M([\d.]+) ", path)]


def test_every_beat_is_in_the_lane_of_its_outcome():
    """Beats a second apart from 0 to 6.2 s."""
    enforced, allowed = drawn(changed(BEATS, happenings=ASKED)).lanes
    assert (enforced.word, enforced.count, allowed.word, allowed.count) == ("killed", 4, "allowed", 3)
    assert places(enforced.path) == [pytest.approx(at / 6.2, abs=0.001) for at in (0, 1, 5, 6)]
    assert places(allowed.path) == [pytest.approx(at / 6.2, abs=0.001) for at in (2, 3, 4)]


def test_beats_that_tell_nothing_have_a_lane_where_there_are_any():
    assert [lane.word for lane in drawn(changed(pulse(K, OTHER, K))).lanes] == ["killed", "allowed", "neither"]
    assert [(lane.word, lane.count) for lane in drawn(changed(pulse(K, K))).lanes] == [("killed", 2), ("allowed", 0)]


def test_a_gap_is_a_band_with_its_length():
    """From the end of the last enforced beat (1.2 s) to the start of the next one (5 s)."""
    (band,) = drawn(changed(BEATS)).bands
    assert (band.at, band.width) == (
        pytest.approx(1.2 / 6.2 * WIDTH, abs=0.1),
        pytest.approx(3.8 / 6.2 * WIDTH, abs=0.1),
    )
    assert band.middle == pytest.approx(3.1 / 6.2 * 100, abs=0.1)
    assert band.words == "nothing enforced for 3.8 s"
    (open_band,) = drawn(changed(pulse(K, OK, OK))).bands
    assert open_band.words == "nothing enforced for at least 0.8 s"


def test_what_was_said_is_drawn_where_it_may_have_been():
    """Said at 1008.0 by the asking machine: between 2.2 and 3.5 s after the first act."""
    notes = {note.what: note for note in drawn(changed(BEATS, happenings=ASKED)).notes}
    rolled = notes[gap.ROLLED_OUT]
    assert (rolled.at, rolled.width) == (
        pytest.approx(2.2 / 6.2 * WIDTH, abs=0.1),
        pytest.approx(1.3 / 6.2 * WIDTH, abs=0.1),
    )
    assert rolled.words == "2.2 to 3.5 s after the first act"


def test_what_lies_outside_or_is_said_twice_is_left_out():
    extra = (
        Happening(900.0, "apply"),
        Happening(1007.0, gap.POD, "t-1 pending"),
        Happening(1007.5, gap.POD, "t-1 pending"),
        Happening(1007.6, gap.VERSION, "v1"),
        Happening(2000.0, gap.POD, "t-1 running"),
    )
    told = [(note.what, note.said) for note in drawn(changed(BEATS, happenings=(*ASKED, *extra))).notes]
    assert told.count((gap.POD, "t-1 pending")) == 1
    assert not {"apply", gap.VERSION, gap.ACTS_ENDED} & {what for what, _ in told}
    assert (gap.POD, "t-1 running") not in told


def test_without_clocks_to_compare_nothing_said_is_drawn():
    assert drawn(changed(BEATS, happenings=ASKED[1:-1])).notes == ()


def test_the_words_tell_the_picture_to_who_does_not_see_it():
    assert drawn(changed(BEATS)).words == "7 acts on n in 6 s: 4 killed, 3 allowed. nothing enforced for 3.8 s"
    assert drawn(changed(pulse(K, K))).words.endswith("2 killed, 0 allowed. no gap was seen")


def test_a_pulse_without_beats_is_an_empty_picture():
    assert continuity_result(changed(pulse())).pulses == ()
    assert picture(PulseResult("n", (), (), (), (), 0)).bands == ()
