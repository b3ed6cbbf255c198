"""Judging: refuted beats unheard beats conforms, in whatever order a test asserts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tetraproof.answer import MOST_UNANSWERED, Asked, Undecided, Unknown, ask, judge, refutations
from tetraproof.verdict import Verdict

UNHEARD = Unknown(Verdict.INCONCLUSIVE, "no sentinel was heard")
UNRECORDED = Unknown(Verdict.UNRECORDED, "it was not recorded")
UNSUPPORTED = Unknown(Verdict.UNSUPPORTED, "this agent keeps no counters")

Values = Mapping[str, bool | Unknown]
Body = Callable[[], None]
# a variable's name, ("not", f), ("and", f, g) or ("or", f, g)
Formula = str | tuple["Formula", ...]


def q(name: str, answer: bool | Unknown) -> bool:
    """Ask the question `name` about an act."""
    return ask("act", name, answer, lambda: f"{name} is {answer}")


class Held:
    """Something to ask with `in`, as a timeline is."""

    def __init__(self, answers: Values) -> None:
        self._answers = answers

    def __contains__(self, name: str) -> bool:
        return q(name, self._answers[name])


def evaluate(formula: Formula, value: Callable[[str], bool]) -> bool:
    """What Python makes of a formula, lazily, as an `assert` would."""
    if isinstance(formula, str):
        return value(formula)
    match formula:
        case ("not", one):
            return not evaluate(one, value)
        case ("and", one, other):
            return evaluate(one, value) and evaluate(other, value)
        case (_, one, other):
            return evaluate(one, value) or evaluate(other, value)
    raise AssertionError(formula)


def completions(values: Values) -> Iterator[dict[str, bool]]:
    """Every way in which the unknown ones could turn out."""
    unknown = [name for name, value in values.items() if isinstance(value, Unknown)]
    for turned in itertools.product([True, False], repeat=len(unknown)):
        yield {
            **{name: value for name, value in values.items() if isinstance(value, bool)},
            **dict(zip(unknown, turned, strict=True)),
        }


def supervaluation(formula: Formula, values: Values) -> Verdict:
    """By brute force: fails every way, passes every way, or neither."""
    ways = {evaluate(formula, way.__getitem__) for way in completions(values)}
    return Verdict.INCONCLUSIVE if len(ways) > 1 else Verdict.CONFORMS if ways == {True} else Verdict.VIOLATES


NAMES = "abcde"
formulas = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: st.tuples(st.just("not"), inner) | st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    max_leaves=8,
)
valuations = st.fixed_dictionaries({name: st.sampled_from([True, False, UNHEARD]) for name in NAMES})
SOME_UNHEARD: Values = dict(zip(NAMES, [UNHEARD, UNHEARD, True, False, UNHEARD], strict=True))


@settings(deadline=None)
@given(formulas, valuations)
@example(("or", "a", ("not", "a")), SOME_UNHEARD)
@example(("and", "a", ("not", "a")), SOME_UNHEARD)
@example(("and", ("or", "a", "b"), ("not", "b")), SOME_UNHEARD)
def test_a_judgement_is_the_supervaluation(formula: Formula, values: Values) -> None:
    """Whatever is asserted of whatever answers, judging agrees with trying every way by brute force."""

    def body() -> None:
        assert evaluate(formula, lambda name: q(name, values[name]))

    assert judge(body).verdict == supervaluation(formula, values)


@settings(deadline=None)
@given(st.lists(formulas, min_size=1, max_size=3), valuations)
def test_several_assertions_are_one_conjunction_in_any_order(each: list[Formula], values: Values) -> None:
    """A test's verdict does not depend on the order of its assertions."""
    whole: Formula = each[0]
    for other in each[1:]:
        whole = ("and", whole, other)
    for order in itertools.permutations(each):

        def body(order: tuple[Formula, ...] = order) -> None:
            for formula in order:
                assert evaluate(formula, lambda name: q(name, values[name]))

        assert judge(body).verdict == supervaluation(whole, values)


@pytest.mark.parametrize("order", list(itertools.permutations("tfu")), ids="".join)
def test_refuted_beats_unheard_beats_conforms(order: tuple[str, ...]) -> None:
    """One refuted assertion refutes the test, wherever it stands, and says so."""
    answers: Values = {"t": True, "f": False, "u": UNHEARD}

    def body() -> None:
        for name in order:
            assert q(name, answers[name])

    judgement = judge(body)
    assert judgement.verdict is Verdict.VIOLATES
    assert judgement.reason == "f is False"
    assert judgement.decisive is not None
    assert judgement.decisive.question == "f"


def in_unheard(held: Held) -> None:
    assert "u" in held


def not_in_unheard(held: Held) -> None:
    assert "u" not in held


def either(held: Held) -> None:
    assert "u" in held or "t" in held


def both(held: Held) -> None:
    assert "u" in held and "f" in held  # noqa: PT018 - it is `and` that is tried


def asked_twice(held: Held) -> None:
    assert "u" in held
    assert "u" not in held


def tautology(held: Held) -> None:
    assert "u" in held or "u" not in held


def two_questions(held: Held) -> None:
    assert "u" in held or "v" not in held


def kept_in_a_variable(held: Held) -> None:
    heard = "u" in held
    assert heard == ("u" in held)


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (in_unheard, Verdict.INCONCLUSIVE),
        (not_in_unheard, Verdict.INCONCLUSIVE),
        (either, Verdict.CONFORMS),
        (both, Verdict.VIOLATES),
        (asked_twice, Verdict.VIOLATES),
        (tautology, Verdict.CONFORMS),
        (two_questions, Verdict.INCONCLUSIVE),
        (kept_in_a_variable, Verdict.CONFORMS),
    ],
)
def test_python_words_have_three_values(body: Callable[[Held], None], verdict: Verdict) -> None:
    """`in`, `not in`, `and`, `or` and `not`; the same question has the same answer."""
    held = Held({"t": True, "f": False, "u": UNHEARD, "v": UNHEARD})
    assert judge(lambda: body(held)).verdict is verdict


def test_the_same_question_of_another_act_is_another_question() -> None:
    """Two acts unheard are two unknowns."""

    def body() -> None:
        assert ask("one", "killed", UNHEARD, str) == ask("other", "killed", UNHEARD, str)

    assert judge(body).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([UNRECORDED], UNRECORDED),
        ([UNRECORDED, UNSUPPORTED], UNSUPPORTED),
        ([UNRECORDED, UNSUPPORTED, UNHEARD], UNHEARD),
        ([UNHEARD, UNRECORDED], UNHEARD),
    ],
)
def test_of_several_unknowns_the_worst_is_told(answers: list[Unknown], reason: Unknown) -> None:
    """Inconclusive outweighs unsupported outweighs unrecorded, with its own reason."""

    def body() -> None:
        for number, answer in enumerate(answers):
            assert q(str(number), answer)

    judgement = judge(body)
    assert (judgement.verdict, judgement.reason) == (reason.verdict, reason.reason)
    assert judgement.decisive is not None
    assert judgement.decisive.answer == reason


def test_an_assertion_that_asks_nothing_is_refuted_by_its_own_words() -> None:
    """A plain failed assertion still tells why."""

    def body() -> None:
        raise AssertionError("two is not three")

    judgement = judge(body)
    assert (judgement.verdict, judgement.reason) == (Verdict.VIOLATES, "two is not three")
    assert judgement.decisive is None


def test_a_body_that_asserts_nothing_conforms() -> None:
    """Nothing refutes it."""
    assert judge(lambda: None).verdict is Verdict.CONFORMS


def test_another_exception_passes_through() -> None:
    """A mistake in a suite is never taken for a verdict."""

    def body() -> None:
        raise KeyError("typo")

    with pytest.raises(KeyError):
        judge(body)


def needs_a_value() -> None:
    raise Undecided(UNRECORDED)


def needs_a_value_in_one_way() -> None:
    if q("u", UNHEARD):
        raise Undecided(UNRECORDED)


def refuted_before_it_needs_a_value() -> None:
    assert q("f", False)
    raise Undecided(UNRECORDED)


def unheard_before_it_needs_a_value() -> None:
    assert q("u", UNHEARD)
    raise Undecided(UNRECORDED)


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (needs_a_value, Verdict.UNRECORDED),
        (needs_a_value_in_one_way, Verdict.UNRECORDED),
        (refuted_before_it_needs_a_value, Verdict.VIOLATES),
        (unheard_before_it_needs_a_value, Verdict.UNRECORDED),
    ],
)
def test_a_value_that_nobody_knows_leaves_a_test_undecided(body: Body, verdict: Verdict) -> None:
    """A body that cannot go on is neither refuted nor conforming, unless it was refuted before."""
    assert judge(body).verdict is verdict


def test_outside_a_judgement_an_unknown_answer_is_an_error() -> None:
    """Nobody may take an unknown for a yes by asking it in passing."""
    assert q("t", True)
    with pytest.raises(Undecided, match="no sentinel"):
        q("u", UNHEARD)


def test_what_was_asked_is_kept_in_order() -> None:
    """A judgement names its acts, each once, and the assertion that failed."""

    def test_inner() -> None:
        assert ask("one", "killed", True, str)
        assert ask("", "loaded", True, str)
        assert ask("two", "killed", True, str)
        assert ask("one", "succeeded", False, lambda: "it did not")

    judgement = judge(test_inner)
    assert judgement.acts == ("one", "two")
    assert "test_answer.py" in judgement.location
    assert 'ask("one", "succeeded"' in judgement.location


def test_a_conforming_judgement_hangs_on_no_single_question() -> None:
    """Only what does not conform has a decisive question."""
    assert judge(lambda: q("t", True)).decisive is None


MANY = MOST_UNANSWERED + 3


def all_seen() -> None:
    for number in range(MANY):
        assert q(str(number), UNHEARD)


def none_seen() -> None:
    for number in range(MANY):
        assert not q(str(number), UNHEARD)


def only_the_last_counts() -> None:
    answers = [q(str(number), UNHEARD) for number in range(MANY)]
    assert answers[-1]


def only_the_last_counts_and_is_not_seen() -> None:
    answers = [q(str(number), UNHEARD) for number in range(MANY)]
    assert not answers[-1]


@pytest.mark.parametrize("body", [all_seen, none_seen, only_the_last_counts, only_the_last_counts_and_is_not_seen])
def test_more_unknowns_than_can_be_tried_are_never_a_verdict(body: Body) -> None:
    """Where not every way is tried, what was not tried decides nothing: neither refuted nor conforming."""
    assert judge(body).verdict is Verdict.INCONCLUSIVE


def test_a_body_is_not_run_more_often_than_the_cap_allows() -> None:
    """2 to the power of the cap, however many questions have no answer."""
    runs = 0

    def body() -> None:
        nonlocal runs
        runs += 1
        assert sum(q(str(number), UNHEARD) for number in range(2 * MOST_UNANSWERED)) >= 0

    judge(body)
    assert runs <= 2**MOST_UNANSWERED


def test_an_answered_question_needs_one_run() -> None:
    """A body without unknowns is run once."""
    runs = 0

    def body() -> None:
        nonlocal runs
        runs += 1
        assert q("t", True)

    judge(body)
    assert runs == 1


def test_as_many_unknowns_as_can_be_tried_are_judged() -> None:
    """At the cap itself nothing is given up yet."""

    def body() -> None:
        answers = [q(str(number), UNHEARD) for number in range(MOST_UNANSWERED)]
        assert answers[-1] or not answers[-1]

    assert judge(body).verdict is Verdict.CONFORMS


def test_a_known_no_behind_an_untried_unknown_refutes_nothing() -> None:
    """What hangs on an unknown that was never tried the other way is not certain."""

    def body() -> None:
        answers = [q(str(number), UNHEARD) for number in range(MANY)]
        assert not answers[-1] or q("f", False)

    assert judge(body).verdict is Verdict.INCONCLUSIVE


def test_a_known_no_behind_many_unknowns_refutes() -> None:
    """However many acts were not heard, one that is known to have failed refutes the test."""

    def body() -> None:
        for number in range(MANY):
            assert q(str(number), UNHEARD)
        assert q("f", False)

    assert judge(body).verdict is Verdict.VIOLATES


# everything that refutes


def no(*names: str) -> Body:
    """A body that asserts each of these in turn, and each is known to be no."""

    def body() -> None:
        for name in names:
            assert q(name, False)

    return body


def names_of(found: tuple[Asked, ...] | None) -> list[str] | None:
    return None if found is None else [asked.question for asked in found]


def denied() -> None:
    assert not q("t", True)


def fails_either_way() -> None:
    assert q("f", False)
    assert not q("f", False)


def asks_nothing() -> None:
    raise AssertionError("two is not three")


def asks_nothing_after_a_no() -> None:
    assert q("f", False)
    raise AssertionError("two is not three")


def asks_a_yes_and_fails_on_something_else() -> None:
    q("t", True)
    raise AssertionError("two is not three")


def one_of_two() -> None:
    assert q("a", False) or q("b", False)


def an_unknown_and_a_no() -> None:
    assert q("u", UNHEARD)
    assert q("f", False)


def an_unknown_that_must_be_no() -> None:
    assert not q("u", UNHEARD)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (lambda: None, []),
        (lambda: q("t", True), []),
        (no("f"), ["f"]),
        (no("f", "g", "h"), ["f", "g", "h"]),
        (denied, ["t"]),
        # the last that was asked is what it fails on; once that is turned round, it passes
        (one_of_two, ["b"]),
        (an_unknown_and_a_no, ["f"]),
        # what fails on an answer that is only assumed is refuted by nothing
        (an_unknown_that_must_be_no, None),
        (fails_either_way, None),
        (asks_nothing, None),
        (asks_nothing_after_a_no, None),
        (asks_a_yes_and_fails_on_something_else, None),
        (needs_a_value, None),
        (refuted_before_it_needs_a_value, None),
    ],
)
def test_every_refutation_is_found_or_none_is_known(body: Body, found: list[str] | None) -> None:
    """Each is turned round in turn, until the body passes; where it never does, nobody knows them all."""
    assert names_of(refutations(body)) == found


def test_a_refutation_is_told_as_it_was_answered() -> None:
    """Not as it was turned round to find the next one."""
    found = refutations(no("f", "g"))
    assert found is not None
    assert [asked.answer for asked in found] == [False, False]
    assert [asked.key for asked in found] == [("act", "f"), ("act", "g")]


def test_a_question_of_another_act_is_not_turned_round_with_it() -> None:
    """Two acts that were not killed are two refutations."""

    def body() -> None:
        assert ask("one", "killed", False, str)
        assert ask("other", "killed", False, str)

    found = refutations(body)
    assert found is not None
    assert [asked.act for asked in found] == ["one", "other"]


# what a judgement tells


def test_the_way_that_assumes_least_tells_the_refutation() -> None:
    """What is known to be no is told before what was only not heard."""

    def body() -> None:
        assert q("u", UNHEARD)
        assert q("f", False)

    judgement = judge(body)
    assert (judgement.verdict, judgement.reason) == (Verdict.VIOLATES, "f is False")
    assert [asked.question for asked in judgement.asked] == ["u", "f"]

    def other() -> None:
        assert not q("u", UNHEARD) and q("f", False)  # noqa: PT018 - it is `and` that is tried

    assert judge(other).reason == "f is False"


def test_a_body_that_cannot_go_on_tells_the_worst_of_its_reasons() -> None:
    """Of all the ways in which it could not."""

    def body() -> None:
        if q("u", UNHEARD):
            raise Undecided(UNRECORDED)
        raise Undecided(UNSUPPORTED)

    judgement = judge(body)
    assert (judgement.verdict, judgement.reason) == (UNSUPPORTED.verdict, UNSUPPORTED.reason)
    assert [asked.question for asked in judgement.asked] == ["u"]


def test_a_conforming_judgement_tells_what_it_asked_and_no_reason() -> None:
    """In order, with each answer."""

    def body() -> None:
        assert q("t", True)
        assert q("u", UNHEARD) or q("s", True)

    judgement = judge(body)
    assert (judgement.verdict, judgement.reason, judgement.location) == (Verdict.CONFORMS, "", "")
    assert [asked.question for asked in judgement.asked] == ["t", "u"]


def test_a_failed_assertion_without_words_says_that_it_has_none() -> None:
    """Nobody would know what to make of an empty reason."""

    def body() -> None:
        raise AssertionError

    judgement = judge(body)
    assert judgement.reason == "an assertion failed that asks nothing of an act"
    assert judgement.location == ""


def test_the_location_is_the_innermost_test() -> None:
    """A helper that asserts is not where a person looks first."""

    def helper() -> None:
        assert q("f", False)

    def test_outer() -> None:
        helper()

    judgement = judge(test_outer)
    path, line, text = judgement.location.split(":", 2)
    assert path == __file__
    assert int(line) == test_outer.__code__.co_firstlineno + 1
    assert text == " helper()"


def test_a_side_is_kept_with_its_question() -> None:
    """So that a finding speaks of that side of the act alone."""

    def body() -> None:
        assert ask("act", "killed", False, str, "outcome")
        assert ask("act", "told", True, str)

    (asked,) = judge(body).asked
    assert (asked.act, asked.question, asked.answer, asked.about) == ("act", "killed", False, "outcome")


def test_after_a_judgement_an_unknown_answer_is_an_error_again() -> None:
    """Also after one that ended by an error of the suite's own."""
    with pytest.raises(KeyError):
        judge(lambda: {}["typo"])
    with pytest.raises(Undecided) as undecided:
        q("u", UNHEARD)
    assert undecided.value.unknown is UNHEARD
    assert str(undecided.value) == UNHEARD.reason
