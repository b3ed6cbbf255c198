"""Waiting: until it is settled, or until its deadline, which tells what was awaited, how often, and the last answer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tetraproof.errors import AgentError, AgentGone, TetraproofError, UsageError
from tetraproof.pacing.waiting import Hopeless, Overdue, until


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """A clock that sleeping moves, and nothing else; it holds its time and how long was slept each time."""
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        now.append(seconds)

    monkeypatch.setattr("tenacity.nap.time.sleep", sleep)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return iter([now]).__next__()


def test_the_answer_that_settles_is_returned(clock: list[float]) -> None:
    """Nothing is asked after it; an answer that is there at once costs no time."""
    answers = iter(["starting", "running", "never asked"])
    assert until("the agent", answers.__next__, lambda answer: answer == "running", 10) == "running"
    assert until("the rest", answers.__next__, bool, 10) == "never asked"
    assert len(clock) == 2


def test_what_does_not_come_is_told(clock: list[float]) -> None:
    """What, how often, how long, and the last answer; and what to do on a slow machine."""
    numbers = count(1)
    with pytest.raises(Overdue) as overdue:
        until("the policy's state", lambda: next(numbers), lambda _: False, 10, shown=lambda number: f"state {number}")
    times = len(clock)
    assert overdue.value.what == "the policy's state"
    assert overdue.value.sentence == (
        f"the policy's state was awaited and did not come: asked {times} times in 10 s; "
        f"the last answer was state {times}."
    )
    assert "SLOWNESS=2" in overdue.value.remedy


def test_an_empty_answer_is_told_as_nothing(clock: list[float]) -> None:
    """Also where it was asked but once."""
    del clock
    with pytest.raises(Overdue, match=r"asked once in 0 s; the last answer was nothing\."):
        until("a word", str, bool, 0)


def test_pauses_grow_to_ten_times_the_first(clock: list[float]) -> None:
    """So that what is quick is seen at once, and what is slow is not disturbed."""
    with pytest.raises(Overdue):
        until("it", lambda: False, bool, 20, every=0.2)
    assert clock[1] == pytest.approx(0.2)
    assert max(clock[1:]) == pytest.approx(2.0)


def test_news_come_every_five_seconds(clock: list[float]) -> None:
    """They say what is still awaited, for how long, and the last answer."""
    del clock
    told: list[str] = []
    with pytest.raises(Overdue):
        until("the guest", lambda: "booting", lambda _: False, 18, tell=told.append)
    assert len(told) == 3
    assert told[0].startswith("awaiting the guest for ")
    assert told[0].endswith("s: booting")


def test_an_error_of_the_question_is_no_answer(clock: list[float]) -> None:
    """It is not waited over."""
    del clock

    def ask() -> bool:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        until("it", ask, bool, 10)


def test_a_failure_that_is_forgiven_is_asked_again(clock: list[float]) -> None:
    """An agent that does not answer once may answer the next time."""
    del clock
    answers = iter([TetraproofError("The agent does not answer."), "running"])

    def ask() -> str:
        answer = next(answers)
        if isinstance(answer, TetraproofError):
            raise answer
        return answer

    assert until("the agent", ask, bool, 10, forgives=TetraproofError) == "running"


def test_a_failure_that_is_forgiven_to_the_end_is_told(clock: list[float]) -> None:
    """And one that is not ends the waiting at once."""

    def ask() -> str:
        raise UsageError("It is no policy.")

    with pytest.raises(Overdue, match=r"the last answer was It is no policy\."):
        until("the agent", ask, bool, 10, forgives=TetraproofError)
    slept = len(clock)
    with pytest.raises(UsageError):
        until("the agent", ask, bool, 10, forgives=AgentError)
    assert len(clock) == slept


def test_an_answer_that_no_other_follows_ends_the_waiting(clock: list[float]) -> None:
    """At once, though its kind is forgiven; and says why, with no word of slowness."""
    answers = iter([AgentError("It does not answer."), AgentGone("The agent has ended.", causes=["panic: no"])])

    def ask() -> str:
        raise next(answers)

    with pytest.raises(Hopeless) as hopeless:
        until("the agent's word", ask, bool, 10, forgives=AgentError, final=AgentGone)
    assert hopeless.value.sentence == "the agent's word was awaited and cannot come any more: The agent has ended."
    assert hopeless.value.causes == ("panic: no",)
    assert hopeless.value.remedy == ""
    assert isinstance(hopeless.value.why, AgentGone)
    assert len(clock) == 2
