"""A change as a test asks about it: three values, over all nodes."""

import pytest

from tests.pulses import ASKED, BEATS, NONE, OK, OTHER, K, changed, pulse
from tetraproof import gap
from tetraproof.answer import judge
from tetraproof.continuity import ChangeRun
from tetraproof.gap import Happening
from tetraproof.verdict import Verdict

QUESTIONS = ("enforced_before", "enforced_afterwards", "unbroken", "measured", "done_means_enforced")
YES, NO, UNHEARD, UNRECORDED = Verdict.CONFORMS, Verdict.VIOLATES, Verdict.INCONCLUSIVE, Verdict.UNRECORDED
#: Beats of half an hour, so that the clocks are beyond doubt.
LONG = {"start": 1000.0, "every": 60.0}


def judgement(question, told):
    run = ChangeRun(told, "guard")

    def body():
        assert getattr(run, question)

    return judge(body)


def verdicts(told):
    return {question: judgement(question, told).verdict for question in QUESTIONS}


def story(*codes, done=None, **others):
    """Beats a minute apart: the change begins after the third, and done is said a while after the beat `done`."""
    beats = pulse(*codes, **LONG, **others)
    asked = [
        Happening(999.0, gap.ACTS_BEGIN),
        Happening(1000.0 + 2.5 * 60, gap.CHANGE_BEGINS),
        *([] if done is None else [Happening(1000.0 + (done + 0.5) * 60, gap.ROLLED_OUT)]),
        Happening(beats.beats[-1].ended + 1.0, gap.ACTS_ENDED),
    ]
    return changed(beats, happenings=asked)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (story(K, K, K, K, K, K, done=4), (YES, YES, YES, YES, YES)),
        (story(K, K, K, OK, OK, K, done=3), (YES, YES, NO, YES, NO)),
        (story(K, K, K, OK, K, K, done=4), (YES, YES, NO, YES, YES)),
        (story(K, K, K, OK, OK, OK, done=3), (YES, NO, NO, NO, NO)),
        (story(K, OK, K, K, K, K, done=4), (NO, YES, NO, YES, YES)),
        (story(OK, OK, OK, OK, done=2), (NO, NO, NO, UNHEARD, NO)),
        (story(K, K, K, OTHER, K, K, done=3), (YES, YES, UNHEARD, YES, UNHEARD)),
        (story(K, K, K, OK, K, NONE, done=4), (YES, UNHEARD, NO, YES, YES)),
        (story(K, K, K, K, K, K), (YES, YES, YES, YES, UNRECORDED)),
        (changed(pulse(K, OK, K)), (UNHEARD, YES, NO, YES, UNRECORDED)),
        (changed(), (UNHEARD, UNHEARD, UNHEARD, UNHEARD, UNHEARD)),
        (changed(pulse()), (UNHEARD, UNHEARD, UNHEARD, UNHEARD, UNRECORDED)),
    ],
)
def test_each_question_has_its_answer(told, expected):
    assert verdicts(told) == dict(zip(QUESTIONS, expected, strict=True))


def test_one_node_that_refutes_is_enough():
    whole, broken = pulse(K, K, K, node="a"), pulse(K, OK, K, node="b")
    found = judgement("unbroken", changed(whole, broken))
    assert found.verdict is Verdict.VIOLATES
    assert found.reason.startswith("guard: on b nothing was enforced for 1800 ms")


def test_clocks_too_far_apart_to_tell_decide_nothing():
    asked = (*ASKED[:3], Happening(1010.0, gap.ROLLED_OUT), ASKED[-1])
    found = judgement("done_means_enforced", changed(BEATS, happenings=asked))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "the clocks are too far apart to tell" in found.reason


def test_done_said_without_clocks_to_compare_decides_nothing():
    asked = (Happening(1.0, gap.CHANGE_BEGINS), Happening(2.0, gap.ROLLED_OUT))
    assert judgement("done_means_enforced", changed(BEATS, happenings=asked)).verdict is Verdict.INCONCLUSIVE


def test_a_refutation_tells_everything_there_is_to_say():
    message = judgement("done_means_enforced", changed(BEATS, happenings=ASKED)).reason
    first, *rest = message.splitlines()
    assert first == "guard: rollout status said done 1.5 to 3.0 s before enforcement was back on n."
    assert [line.strip() for line in rest] == list(gap.tell(changed(BEATS, happenings=ASKED)))


def test_the_gaps_of_every_node_are_there():
    run = ChangeRun(changed(pulse(K, OK, K, node="a"), pulse(K, K, node="b"), pulse(K, OK, node="c")), "guard")
    assert [one.node for one in run.gaps] == ["a", "c"]
