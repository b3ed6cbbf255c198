"""A change as a test asks about it: three values, over all nodes."""

import pytest
from msgspec.structs import replace

from tests.pulses import ASKED, BEATS, NONE, OK, OTHER, K, changed, pulse
from tetraproof.answer import judge
from tetraproof.judging.continuity import ChangeRun
from tetraproof.observing import gap
from tetraproof.observing.gap import Beat, Happening, Pulse
from tetraproof.verdict import Verdict

QUESTIONS = ("enforced_before", "enforced_afterwards", "unbroken", "measured", "done_means_enforced")
YES, NO, UNHEARD, UNRECORDED = Verdict.CONFORMS, Verdict.VIOLATES, Verdict.INCONCLUSIVE, Verdict.UNRECORDED
#: Seconds between two beats: the clocks are beyond doubt, and one act that tells nothing is no silence, two are.
EVERY = 2.4
START = 1000.0
STEADY = gap.STEADY
#: Enough in a row to be the policy, and some more, so that those before the change are certain to be.
BEFORE, AFTER = (K,) * (STEADY + 1), (K,) * STEADY


def judgement(question, told):
    run = ChangeRun(told, "guard")

    def body():
        answer = getattr(run, question)
        assert answer() if callable(answer) else answer

    return judge(body)


def verdicts(told):
    return tuple(judgement(question, told).verdict for question in QUESTIONS)


def at(beat):
    """Halfway between a beat and the next one."""
    return START + (beat + 0.5) * EVERY


def story(*codes, node="n", word="enabled", begins=STEADY, **after):
    """Beats some seconds apart: the change begins after the beat `begins`, done is said after the beat `done`.

    The agent says that the policy is enabled before the change, something else in it, and `word` after beat `back`.
    """
    beats = pulse(*codes, start=START, every=EVERY, node=node)
    done, back, of = after.get("done"), after.get("back", len(codes) - STEADY), "" if node == "n" else node
    asked = [
        Happening(START - 2.0, gap.ENABLED, node=of),
        Happening(START - 0.5, gap.ACTS_BEGIN, node=of),
        Happening(at(begins), gap.CHANGE_BEGINS),
        Happening(at(begins) + 0.1, gap.STATE, "no answer", of),
        Happening(at(begins) + 0.2, gap.CHANGE_RETURNED, "upgraded"),
        *([] if done is None else [Happening(at(done), gap.ROLLED_OUT)]),
        *([Happening(max(at(back), at(begins) + 0.3), gap.STATE, word, of)] if word else []),
        Happening(beats.beats[-1].ended + 0.5, gap.ACTS_ENDED, node=of),
    ]
    return changed(beats, happenings=asked)


def with_happenings(told, what, **fields):
    """The happenings of a kind changed; left out where nothing is said of how."""
    kept = tuple(
        replace(one, **fields) if one.what == what else one for one in told.happenings if fields or one.what != what
    )
    return replace(told, happenings=kept)


WHOLE = story(*BEFORE, OK, OK, OK, *AFTER, done=len(BEFORE) + 1)
UNBROKEN = story(*BEFORE, *AFTER, done=len(BEFORE))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (UNBROKEN, (YES, YES, YES, YES, YES)),
        (WHOLE, (YES, YES, NO, YES, NO)),
        (story(*BEFORE, OK, *AFTER, done=9), (YES, YES, NO, YES, YES)),
        (story(*BEFORE, OK, OK, OK, done=7, word="loading"), (YES, NO, NO, NO, NO)),
        (story(K, OK, *BEFORE, *AFTER, done=9), (NO, YES, NO, UNHEARD, YES)),
        (story(OK, OK, OK, OK, OK, OK, OK, done=6), (NO, NO, NO, UNHEARD, NO)),
        (story(*BEFORE, OTHER, *AFTER, done=7), (YES, YES, UNHEARD, YES, UNHEARD)),
        (story(*BEFORE, OK, *AFTER, NONE, done=9), (YES, UNHEARD, NO, YES, YES)),
        (story(*BEFORE, *AFTER), (YES, YES, YES, YES, UNRECORDED)),
        # the last act counts, whatever the one before it tells
        (story(*BEFORE, *AFTER, OTHER, K), (YES, YES, UNHEARD, YES, UNRECORDED)),
        # one act that was killed between others may have died of something else
        (story(*BEFORE, OK, K, OK, *AFTER, done=9), (YES, YES, NO, UNHEARD, YES)),
        (story(*BEFORE, OK, K, K, K, K, back=6, done=9), (YES, UNHEARD, NO, UNHEARD, UNHEARD)),
        # went through although the agent had said for good that the policy is enabled
        (story(*BEFORE, K, K, OK, *AFTER, back=7, done=7), (YES, NO, NO, YES, NO)),
        (changed(pulse(K, OK, K)), (UNHEARD, UNHEARD, NO, UNHEARD, UNRECORDED)),
        (changed(pulse(OK, K)), (UNHEARD, UNHEARD, NO, NO, UNRECORDED)),
        (changed(), (UNHEARD,) * 5),
        (changed(pulse()), (UNHEARD,) * 5),
    ],
)
def test_each_question_has_its_answer(told, expected):
    assert verdicts(told) == expected


def beats_dropped(told, *numbers):
    (one,) = told.pulses
    kept = tuple(beat for number, beat in enumerate(one.beats) if number not in numbers)
    return replace(told, pulses=(replace(one, beats=kept),))


@pytest.mark.parametrize(
    "told",
    [story(*BEFORE, *AFTER, *AFTER, done=7), story(*BEFORE, OK, OK, OK, *AFTER, *AFTER, done=11)],
    ids=["unbroken", "a gap"],
)
@pytest.mark.parametrize("number", [2, 4, 7, 12])
def test_a_pause_beyond_the_bound_leaves_open_what_nothing_refutes(told, number):
    """Whatever it was in, before the change, in the gap or after it; it is named."""
    cut = beats_dropped(told, number, number + 1)
    before, after = verdicts(told), verdicts(cut)
    assert YES in before
    assert verdicts(beats_dropped(told, number))[1] is YES
    # a gap of which too much is missing may be none
    assert [one for one, was in zip(after, before, strict=True) if was is YES] == [UNHEARD] * before.count(YES)
    assert all(one in {NO, UNHEARD} for one in after)
    reason = judgement("enforced_afterwards", cut).reason
    assert reason.startswith(f"on n for 7.0 s, from {(number - 1) * EVERY + 0.2:.1f} s after the first act on, no act")


@pytest.mark.parametrize("some", [range(7), range(23, 30)], ids=["first", "last"])
def test_acts_that_are_not_told_of_at_the_ends_leave_it_open(some):
    """They were begun, or went on, for longer than it takes to begin them and to end them."""
    told = story(*(K,) * 30, done=16, begins=14, back=15)
    assert verdicts(told) == (YES,) * 5
    assert verdicts(beats_dropped(told, *some)) == (UNHEARD,) * 5
    assert "none is told of" in judgement("measured", beats_dropped(told, *some)).reason


def test_what_went_on_after_the_last_act_that_is_told_of_is_not_refuted_by_it():
    """The acts that would show whether enforcement came back are missing."""
    told = story(*BEFORE, OK, OK, *(K,) * 10, done=6)
    cut = beats_dropped(told, *range(8, 18))
    assert cut.pulses[0].beats[-1].exit_code == 0
    assert verdicts(told) == (YES, YES, NO, YES, NO)
    assert verdicts(cut) == (UNHEARD, UNHEARD, NO, UNHEARD, UNHEARD)


@pytest.mark.parametrize(
    "disorder",
    [
        lambda beats: (*beats[:3], beats[4], beats[3], *beats[5:]),
        lambda beats: (*beats[:3], replace(beats[3], ended=beats[4].ended), *beats[4:]),
        lambda beats: (*beats[:3], replace(beats[3], ended=beats[3].started - 1), *beats[4:]),
        lambda beats: (*beats[:3], replace(beats[3], started=float("nan")), *beats[4:]),
        lambda beats: (*beats[:-1], replace(beats[-1], ended=float("inf"))),
        lambda beats: (*beats[:4], *(Beat(one.started - 3600, one.ended - 3600, one.exit_code) for one in beats[4:])),
    ],
    ids=["swapped", "overlapping", "negative", "nan", "infinite", "a clock set back"],
)
def test_beats_without_an_order_decide_nothing(disorder):
    """But one that went through did, in whatever order."""
    for told, whole in ((UNBROKEN, UNHEARD), (WHOLE, NO)):
        (one,) = told.pulses
        broken = replace(told, pulses=(replace(one, beats=disorder(one.beats)),))
        assert verdicts(broken) == (UNHEARD, UNHEARD, whole, UNHEARD, UNHEARD)
    assert "act " in judgement("measured", broken).reason


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        ("enabled", YES),
        ("load_error", NO),
        ("error", NO),
        ("disabled", NO),
        ("skipped", NO),
        ("unknown to it", NO),
        ("loading", UNHEARD),
        ("no answer", UNHEARD),
        ("unknown", UNHEARD),
        ("partially_enabled", UNHEARD),
        ("a word of a later version", UNHEARD),
        ("", UNHEARD),
    ],
)
def test_the_agents_last_word_counts(word, verdict):
    """What it says after the change, whatever became of the acts; nobody's word is none."""
    told = story(*BEFORE, *AFTER, word=word)
    assert judgement("enforced_afterwards", told).verdict is verdict
    assert judgement("unbroken", told).verdict is (YES if verdict is YES else UNHEARD)
    if verdict is NO:
        first = judgement("enforced_afterwards", told).reason.splitlines()[0]
        assert first == f"guard: not enforced afterwards on n: the agent's last word on the policy is {word}."


def test_a_word_that_is_taken_back_counts_no_more():
    """Enabled at first, then no more."""
    told = story(*BEFORE, *AFTER)
    later = replace(told, happenings=(*told.happenings, Happening(at(11), gap.STATE, "load_error")))
    assert judgement("enforced_afterwards", later).verdict is NO


def test_killed_before_is_no_enforcement_without_the_agents_word():
    """137 has other causes. A word that came only after the change began is none of before."""
    for told in (
        with_happenings(UNBROKEN, gap.ENABLED),
        with_happenings(UNBROKEN, gap.ENABLED, at=at(STEADY) + 0.2),
    ):
        assert judgement("enforced_before", told).verdict is UNHEARD
        assert "137 alone is no enforcement" in judgement("enforced_before", told).reason
        assert judgement("unbroken", told).verdict is UNHEARD
        assert judgement("measured", told).verdict is UNHEARD
        assert judgement("enforced_afterwards", told).verdict is YES


def test_a_policy_that_its_agent_gave_up_before_was_not_in_force_before():
    """The agent's latest word before the change is what counts."""
    gone = (*UNBROKEN.happenings, Happening(at(2), gap.STATE, "load_error"))
    assert judgement("enforced_before", replace(UNBROKEN, happenings=gone)).verdict is NO


def test_a_word_that_names_no_node_is_nobody_s_where_there_are_two():
    """Which of them said it is not known."""
    told = story(*BEFORE, *AFTER)
    two = replace(told, pulses=(*told.pulses, replace(told.pulses[0], node="m")))
    assert judgement("enforced_afterwards", told).verdict is YES
    assert judgement("enforced_afterwards", two).verdict is UNHEARD


def two_nodes():
    """The same on two nodes, each with its agent's own word."""
    one, other = (story(*BEFORE, *AFTER, done=7, node=node) for node in "ab")
    mixed = (*one.happenings, *(happening for happening in other.happenings if happening.node))
    return changed(*one.pulses, *other.pulses, happenings=mixed, nodes=("a", "b"))


def test_every_node_must_have_a_pulse():
    """The one that has none is named; who names the nodes is the run, or the agents that were asked."""
    whole = two_nodes()
    assert verdicts(whole) == (YES,) * 5
    for lacking in (replace(whole, pulses=whole.pulses[:1]), replace(whole, pulses=whole.pulses[:1], nodes=())):
        assert verdicts(lacking) == (UNHEARD,) * 5
        assert judgement("unbroken", lacking).reason == "no act was repeated on b"
    told_only_of_one = replace(whole, nodes=("a", "b", "c"))
    assert judgement("measured", told_only_of_one).reason == "no act was repeated on c"


def test_a_node_that_is_told_of_twice_decides_nothing():
    """Which of the two it was is not known."""
    twice = replace(UNBROKEN, pulses=UNBROKEN.pulses * 2)
    assert verdicts(twice) == (UNHEARD,) * 5
    assert "more than once on n" in judgement("unbroken", twice).reason


def test_a_node_whose_agent_says_nothing_is_not_spoken_for_by_the_other():
    """Each agent's word is its own node's."""
    whole = two_nodes()
    silent = tuple(one for one in whole.happenings if not (one.what == gap.STATE and one.node == "b"))
    found = judgement("enforced_afterwards", replace(whole, happenings=silent))
    assert found.verdict is UNHEARD
    assert found.reason.startswith("no agent on b says after the change that the policy is enabled")


def test_one_node_that_refutes_is_enough():
    whole, broken = pulse(K, K, K, node="a"), pulse(K, OK, K, node="b")
    found = judgement("unbroken", changed(whole, broken))
    assert found.verdict is Verdict.VIOLATES
    assert found.reason.startswith("guard: on b nothing was enforced for 1800 ms")


@pytest.mark.parametrize(("shift", "question"), [(-600, "enforced_before"), (600, "enforced_before")])
def test_a_change_that_began_outside_of_the_acts_is_no_bound(shift, question):
    """Nothing is then known of before."""
    told = with_happenings(UNBROKEN, gap.CHANGE_BEGINS, at=at(STEADY) + shift)
    assert judgement(question, told).verdict is UNHEARD


@pytest.mark.parametrize(
    ("begins", "question"),
    [(0, "enforced_before"), (0, "unbroken"), (10, "enforced_afterwards"), (10, "unbroken")],
)
def test_acts_that_may_all_be_of_one_side_say_nothing_of_the_other(begins, question):
    """Both must have been watched: the change began beside the first act, or beside the last."""
    moment = START if begins == 0 else at(10) - EVERY / 2
    told = with_happenings(UNBROKEN, gap.CHANGE_BEGINS, at=moment)
    found = judgement(question, with_happenings(told, gap.STATE, at=moment + 0.1))
    assert found.verdict is UNHEARD
    assert "certain" in found.reason


def test_acts_that_end_before_the_agent_came_back_say_nothing_of_afterwards():
    """Enforced acts from before it called the policy enabled again are no witness of that."""
    found = judgement("enforced_afterwards", story(*BEFORE, *AFTER, back=10))
    assert found.verdict is UNHEARD
    assert found.reason == "on n no act is certain to have been begun after the agent called the policy enabled again"


def test_what_is_said_as_the_change_begins_is_of_afterwards():
    """And not of before."""
    begun = UNBROKEN.first(gap.CHANGE_BEGINS).at
    told = replace(UNBROKEN, happenings=(*UNBROKEN.happenings, Happening(begun, gap.STATE, "load_error")))
    assert judgement("enforced_before", told).verdict is YES
    silent = with_happenings(UNBROKEN, gap.STATE)
    said = replace(silent, happenings=(*silent.happenings, Happening(begun, gap.STATE, "enabled")))
    assert judgement("enforced_afterwards", silent).verdict is UNHEARD
    assert judgement("enforced_afterwards", said).verdict is YES


def test_a_twin_that_died_as_well_makes_a_kill_tell_nothing():
    """Whatever killed both was not the policy."""
    (one,) = UNBROKEN.pulses
    both = replace(UNBROKEN, pulses=(replace(one, beats=tuple(replace(beat, control=K) for beat in one.beats)),))
    assert verdicts(both) == (UNHEARD,) * 5
    fine = replace(UNBROKEN, pulses=(replace(one, beats=tuple(replace(beat, control=0) for beat in one.beats)),))
    assert verdicts(fine) == (YES,) * 5


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


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        (UNBROKEN, YES),
        (with_happenings(UNBROKEN, gap.CHANGE_RETURNED), UNHEARD),
        # returned before it was begun: of another one
        (with_happenings(UNBROKEN, gap.CHANGE_RETURNED, at=START), UNHEARD),
        (with_happenings(UNBROKEN, gap.CHANGE_BEGINS), UNHEARD),
        (replace(UNBROKEN, happenings=(*UNBROKEN.happenings, Happening(at(6), gap.REFUSED, "no\x1b[31m"))), NO),
    ],
)
def test_accepted_is_what_came_back_and_was_not_refused(told, verdict):
    found = judgement("accepted", told)
    assert found.verdict is verdict
    assert "\x1b" not in found.reason


def test_a_refusal_is_known_by_its_words():
    refused = ChangeRun(replace(UNBROKEN, happenings=(Happening(1, gap.REFUSED, "a conflict of two"),)), "guard")
    assert refused.refused_with("conflict")
    assert not refused.refused_with("nil pointer")
    assert not ChangeRun(UNBROKEN, "guard").refused_with("")


def test_what_is_noted_as_the_change_begins_is_of_before():
    begun = UNBROKEN.first(gap.CHANGE_BEGINS).at
    noted = [Happening(begun, gap.SETTING, "a: 1"), Happening(begun + 1, gap.SETTING, "a: 2")]

    def body():
        assert ChangeRun(replace(UNBROKEN, happenings=(*UNBROKEN.happenings, *noted)), "guard").keeps()

    assert judge(body).verdict is NO


@pytest.mark.parametrize(
    ("before", "after", "named", "verdict"),
    [
        (("a: 1", "b: 2"), ("a: 1", "b: 2"), (), YES),
        (("a: 1", "b: 2"), ("a: 1", "b: 3"), (), NO),
        (("a: 1", "b: 2"), ("a: 1", "b: 3"), ("a",), YES),
        (("a: 1",), ("a: 1", "b: 3"), (), YES),
        # not noted is not lost
        (("a: 1", "b: 2"), ("a: 1",), (), UNRECORDED),
        (("a: 1",), ("a: 1",), ("a", "b"), UNRECORDED),
        (("a: 1", "b: 2"), ("a: 2",), (), NO),
        ((), (), (), UNRECORDED),
        (("a: 1",), (), (), UNRECORDED),
        # the last that was noted on each side counts
        (("a: 0", "a: 1"), ("a: 1",), (), YES),
        (("a: 1",), ("a: 1", "a: 2"), (), NO),
    ],
)
def test_what_is_kept_of_the_settings(before, after, named, verdict):
    noted = [Happening(at(1) + number / 10, gap.SETTING, said) for number, said in enumerate(before)]
    noted += [Happening(at(8) + number / 10, gap.SETTING, said) for number, said in enumerate(after)]
    run = ChangeRun(replace(UNBROKEN, happenings=(*UNBROKEN.happenings, *noted)), "guard")

    def body():
        assert run.keeps(*named)

    assert judge(body).verdict is verdict


def test_an_unwatched_pulse_is_never_read_as_conforming():
    """A pulse of one beat, or of a minute's act, says next to nothing."""
    for beats in ((Beat(START, START + 0.2, K),), (Beat(START, START + 60, K),) * 1):
        told = replace(UNBROKEN, pulses=(Pulse("n", beats),))
        assert YES not in verdicts(told)


# what is asked, and why it has no answer


def asked(ask, told):
    """The judgement of a question, and the question as it was asked."""
    run = ChangeRun(told, "guard")

    def body():
        assert ask(run)

    found = judge(body)
    return found, found.asked[-1]


REFUSED = replace(UNBROKEN, happenings=(*UNBROKEN.happenings, Happening(at(6), gap.REFUSED, "a conflict")))
SAYS, ALONE = "no agent on n says", ", and 137 alone is no enforcement"
NOTHING_CAME = "nobody noted what came of the command that was to make the change"


def noted(before=(), after=()):
    """An unbroken change with settings that were noted before it and after."""
    some = [Happening(at(1) + number / 10, gap.SETTING, said) for number, said in enumerate(before)]
    some += [Happening(at(8) + number / 10, gap.SETTING, said) for number, said in enumerate(after)]
    return replace(UNBROKEN, happenings=(*UNBROKEN.happenings, *some))


@pytest.mark.parametrize(
    ("ask", "told", "name", "about", "verdict", "reason"),
    [
        (lambda run: run.accepted, REFUSED, "accepted", "acceptance", NO, "guard: a conflict"),
        (lambda run: not run.accepted, UNBROKEN, "accepted", "acceptance", NO, "guard: accepted"),
        (
            lambda run: run.accepted,
            with_happenings(UNBROKEN, gap.CHANGE_RETURNED),
            "accepted",
            "acceptance",
            UNHEARD,
            NOTHING_CAME,
        ),
        (
            lambda run: run.refused_with("b"),
            REFUSED,
            "refused with 'b'",
            "acceptance",
            NO,
            "guard: a conflict",
        ),
        (lambda run: run.refused_with(""), UNBROKEN, "refused with ''", "acceptance", NO, "guard: not refused"),
        (
            lambda run: run.keeps(),
            noted(["a: 1", "b: x: y"], ["a: 2", "b: z"]),
            "keeps its settings",
            "settings",
            NO,
            "guard: a: 1 was lost; now 2; b: x: y was lost; now z.",
        ),
        (
            lambda run: run.keeps("a", "b"),
            noted(["a: 1"], ["a: 1"]),
            "keeps a, b",
            "settings",
            UNRECORDED,
            "nothing was noted of the agent's settings b",
        ),
        (
            lambda run: run.keeps("a", "b"),
            noted([], ["a: 1"]),
            "keeps a, b",
            "settings",
            UNRECORDED,
            "nothing was noted of the agent's settings a, b",
        ),
        (
            lambda run: run.keeps(),
            noted(),
            "keeps its settings",
            "settings",
            UNRECORDED,
            "nothing was noted of the agent's settings",
        ),
        (
            lambda run: run.enforced_before,
            story(K, OK, *BEFORE, *AFTER),
            "enforced before",
            "acts",
            NO,
            "guard: not enforced before on n.",
        ),
        (
            lambda run: run.enforced_afterwards,
            story(*BEFORE, OK, OK, OK),
            "enforced afterwards",
            "acts",
            NO,
            "guard: not enforced afterwards on n.",
        ),
        (
            lambda run: not run.unbroken,
            UNBROKEN,
            "unbroken",
            "acts",
            NO,
            "guard: unbroken.",
        ),
        (
            lambda run: run.measured,
            changed(),
            "measured",
            "acts",
            UNHEARD,
            "no act was repeated on any node",
        ),
        (
            lambda run: run.measured,
            changed(pulse(OK, OTHER)),
            "measured",
            "acts",
            UNHEARD,
            "no act was enforced, so there is nothing to measure against",
        ),
        (
            lambda run: run.measured,
            story(*BEFORE, OK, K, OK, *AFTER),
            "measured",
            "acts",
            UNHEARD,
            "on n only 1 in a row was killed between others: that may have been something else than the policy",
        ),
        (
            lambda run: run.measured,
            story(*BEFORE, OK, K, K, OK, *AFTER),
            "measured",
            "acts",
            UNHEARD,
            "on n only 2 in a row were killed between others: that may have been something else than the policy",
        ),
        (
            lambda run: run.done_means_enforced,
            story(*BEFORE, *AFTER),
            "done means enforced",
            "acts",
            UNRECORDED,
            "nothing was recorded of what rollout status said",
        ),
        (
            lambda run: run.unbroken,
            story(*BEFORE, OTHER, *AFTER),
            "unbroken",
            "acts",
            UNHEARD,
            "acts ended in a way that tells nothing",
        ),
        (
            lambda run: run.unbroken,
            with_happenings(UNBROKEN, gap.CHANGE_BEGINS),
            "unbroken",
            "acts",
            UNHEARD,
            "when the change began is not known by the node's clock",
        ),
        (
            lambda run: run.enforced_before,
            with_happenings(UNBROKEN, gap.CHANGE_BEGINS),
            "enforced before",
            "acts",
            UNHEARD,
            "when the change began is not known by the node's clock",
        ),
        (
            lambda run: run.enforced_afterwards,
            with_happenings(UNBROKEN, gap.CHANGE_BEGINS),
            "enforced afterwards",
            "acts",
            UNHEARD,
            "when the change began is not known by the node's clock",
        ),
        (
            lambda run: run.enforced_afterwards,
            story(*BEFORE, K, K, K, OK, K, K, back=13),
            "enforced afterwards",
            "acts",
            UNHEARD,
            None,
        ),
        (
            lambda run: run.enforced_afterwards,
            story(*BEFORE, *AFTER, word=""),
            "enforced afterwards",
            "acts",
            UNHEARD,
            f"{SAYS} after the change that the policy is enabled (the last word heard of it is no answer){ALONE}",
        ),
        (
            lambda run: run.enforced_before,
            with_happenings(UNBROKEN, gap.ENABLED),
            "enforced before",
            "acts",
            UNHEARD,
            f"{SAYS} before the change that the policy is enabled (nobody said anything of it){ALONE}",
        ),
        (
            lambda run: run.enforced_before,
            story(K, K, K, *AFTER, begins=2),
            "enforced before",
            "acts",
            UNHEARD,
            None,
        ),
    ],
)
def test_each_question_has_its_name_and_its_reason(  # noqa: PLR0913, PLR0917 - a table
    ask, told, name, about, verdict, reason
):
    """Two questions of one name would have one answer."""
    found, question = asked(ask, told)
    assert found.verdict is verdict
    assert (question.act, question.question, question.about) == ("", name, about)
    assert reason in {None, found.reason.splitlines()[0]}


@pytest.mark.parametrize(("some", "steady"), [(STEADY - 1, False), (STEADY, True), (STEADY + 1, True)])
def test_so_many_in_a_row_are_the_policy(some, steady):
    """Before the change and after it; one fewer may have died of something else."""
    few, enough = (K,) * some, (K,) * (STEADY + 2)
    before = story(*few, *enough, begins=some - 1)
    found, _ = asked(lambda run: run.enforced_before, before)
    assert found.verdict is (YES if steady else UNHEARD)
    why = f"acts in a row were killed before, and {STEADY} are needed to say that it was the policy"
    assert found.reason == ("" if steady else f"only {some} {why}")
    after = story(*enough, OK, *few, begins=STEADY + 1, back=STEADY + 3)
    found, _ = asked(lambda run: run.enforced_afterwards, after)
    assert found.verdict is (YES if steady else UNHEARD)
    assert found.reason == ("" if steady else f"only {some} {why.replace('before', 'at the end')}")


def test_a_change_that_began_after_all_acts_had_ended_is_no_change_of_theirs():
    """As one that was begun in the moment in which they ended is."""
    ended = UNBROKEN.first(gap.ACTS_ENDED).at
    late = with_happenings(UNBROKEN, gap.CHANGE_BEGINS, at=ended + 0.1)
    assert asked(lambda run: run.enforced_before, late)[0].reason == (
        "when the change began is not known by the node's clock"
    )
    just = with_happenings(UNBROKEN, gap.CHANGE_BEGINS, at=ended)
    assert "certain" in asked(lambda run: run.unbroken, just)[0].reason


# each node for itself


def with_more(told, *happenings):
    """The change with more that happened."""
    return replace(told, happenings=(*told.happenings, *happenings))


@pytest.mark.parametrize("node", ["a", "b"])
def test_the_word_of_one_agent_is_no_word_of_the_other(node):
    """Before the change and after it: the node whose agent gave the policy up is named."""
    before = with_more(two_nodes(), Happening(at(2), gap.STATE, "load_error", node))
    found = judgement("enforced_before", before)
    assert (found.verdict, found.reason.splitlines()[0]) == (NO, f"guard: not enforced before on {node}.")
    assert judgement("enforced_afterwards", before).verdict is YES
    after = with_more(two_nodes(), Happening(at(11), gap.STATE, "load_error", node))
    found = judgement("enforced_afterwards", after)
    words = f"guard: not enforced afterwards on {node}: the agent's last word on the policy is load_error."
    assert (found.verdict, found.reason.splitlines()[0]) == (NO, words)
    assert judgement("enforced_before", after).verdict is YES


def test_what_went_through_after_its_own_agent_had_come_back_refutes():
    """Whenever the other's came back."""
    one, other = story(*BEFORE, K, K, OK, *AFTER, back=7, node="b"), story(*BEFORE, K, K, K, *AFTER, back=7, node="a")
    mixed = (*other.happenings, *(happening for happening in one.happenings if happening.node))
    told = changed(*other.pulses, *one.pulses, happenings=mixed, nodes=("a", "b"))
    found = judgement("enforced_afterwards", told)
    assert (found.verdict, found.reason.splitlines()[0]) == (NO, "guard: not enforced afterwards on b.")


def test_what_went_through_while_the_agent_had_not_come_back_for_good_does_not():
    """It called the policy enabled once, took it back, and called it enabled again."""
    told = story(*BEFORE, K, K, OK, K, K, *AFTER, back=10)
    flapping = with_more(told, Happening(at(6), gap.STATE, "enabled"), Happening(at(7) - 0.1, gap.STATE, "loading"))
    ordered = replace(flapping, happenings=tuple(sorted(flapping.happenings, key=lambda one: one.at)))
    assert judgement("enforced_afterwards", ordered).verdict is YES


def test_done_that_was_said_of_an_earlier_change_is_none_of_this_one():
    """Before it began."""
    told = with_happenings(UNBROKEN, gap.ROLLED_OUT, at=START)
    found = judgement("done_means_enforced", told)
    assert (found.verdict, found.reason) == (UNRECORDED, "nothing was recorded of what rollout status said")


def test_done_that_was_said_of_another_node_is_none_of_this_one():
    """Each is rolled out for itself."""
    told = with_happenings(two_nodes(), gap.ROLLED_OUT, node="b")
    assert judgement("done_means_enforced", told).verdict is UNRECORDED
    each = with_more(told, Happening(told.first(gap.ROLLED_OUT, "b").at, gap.ROLLED_OUT, node="a"))
    assert judgement("done_means_enforced", each).verdict is YES


def test_done_in_time_needs_what_every_question_needs():
    """The agents' word before and after, and acts on both sides."""
    told = story(*BEFORE, OK, *AFTER, done=9)
    assert judgement("done_means_enforced", told).verdict is YES
    for lacking in (with_happenings(told, gap.ENABLED), with_happenings(told, gap.STATE)):
        found = judgement("done_means_enforced", lacking)
        assert found.verdict is UNHEARD
        assert found.reason.startswith("no agent on n says ")


def test_done_that_was_said_without_clocks_to_compare_is_told_so():
    """A gap, and two clocks of which nobody knows how far they are apart."""
    told = with_happenings(story(*BEFORE, OK, *AFTER, done=9), gap.ACTS_BEGIN)
    found = judgement("done_means_enforced", with_happenings(told, gap.ACTS_ENDED))
    assert found.verdict is UNHEARD
    assert found.reason == "the clocks of the node and of the asking machine cannot be compared"


def test_what_was_noted_only_as_the_change_began_is_no_word_of_afterwards():
    """It was not looked at again, so nobody knows what became of it."""
    begun = UNBROKEN.first(gap.CHANGE_BEGINS).at
    found, _ = asked(lambda run: run.keeps(), with_more(UNBROKEN, Happening(begun, gap.SETTING, "a: 1")))
    assert (found.verdict, found.reason) == (UNRECORDED, "nothing was noted of the agent's settings a")


def test_acts_that_end_with_the_change_are_told_so():
    """No act is certain to be of afterwards."""
    told = with_happenings(UNBROKEN, gap.CHANGE_BEGINS, at=at(10) - EVERY / 2)
    told = with_happenings(told, gap.STATE, at=at(10))
    found, _ = asked(lambda run: run.unbroken, told)
    assert (found.verdict, found.reason) == (
        UNHEARD,
        "on n no act is certain to have been begun after the change began",
    )


@pytest.mark.parametrize(("some", "expected"), [(STEADY - 1, UNHEARD), (STEADY, YES)])
def test_done_in_time_is_steady_as_well(some, expected):
    """Too few in a row after what went through may have died of something else."""
    told = story(*BEFORE, OK, *(K,) * some, back=7, done=9)
    found, _ = asked(lambda run: run.done_means_enforced, told)
    assert found.verdict is expected
    why = f"only {some} acts in a row were killed at the end, and {STEADY} are needed to say that it was the policy"
    assert found.reason == (why if expected is UNHEARD else "")
