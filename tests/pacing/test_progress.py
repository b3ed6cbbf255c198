"""Progress: every line is said, and where none comes for a while what is awaited."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

import pytest

from tetraproof.pacing import progress
from tetraproof.pacing.progress import Narrator, awaiting
from tetraproof.pacing.waiting import until


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that stands still until it is told to go on; then whoever sleeps on it wakes."""
    now = [1000.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress, "_AWAITED", [])

    def go_on(seconds: float) -> None:
        with progress._CHANGED:
            now[0] += seconds
            progress._CHANGED.notify_all()

    return go_on


@contextmanager
def narrated(limit: float = 8.0) -> Iterator[tuple[Narrator, SimpleQueue[str]]]:
    lines: SimpleQueue[str] = SimpleQueue()
    with Narrator(lines.put, limit) as narrator:
        yield narrator, lines


def next_of(lines: SimpleQueue[str]) -> str:
    return lines.get(timeout=30)


def test_silence_is_broken_by_what_is_awaited(clock: Callable[[float], None]) -> None:
    """Once its limit is reached, with how long that is awaited and within what; and again after as long."""
    with narrated() as (_, lines), awaiting("setting up", stage=True):
        clock(2)
        with awaiting("the machine's word"):
            clock(5.5)
            assert lines.empty()
            clock(1)
            assert next_of(lines) == "awaiting the machine's word for 6 s (setting up)"
            clock(7)
            assert lines.empty()
            clock(1)
            assert next_of(lines) == "awaiting the machine's word for 14 s (setting up)"


def test_a_line_is_no_silence(clock: Callable[[float], None]) -> None:
    """It is said at once, and the limit begins anew."""
    with narrated() as (narrator, lines), awaiting("it"):
        clock(7)
        narrator("a line")
        assert next_of(lines) == "a line"
        clock(7)
        assert lines.empty()
        clock(1)
        assert next_of(lines) == "awaiting it for 15 s"


def test_nothing_is_said_where_nothing_is_awaited(clock: Callable[[float], None]) -> None:
    """Whoever computes is not awaited; nor is anything said of what was awaited before."""
    with narrated() as (narrator, lines):
        clock(100)
        narrator("begun")
        with awaiting("it"):
            clock(1)
        clock(100)
        narrator("ended")
        assert [next_of(lines), next_of(lines)] == ["begun", "ended"]
        assert lines.empty()


def test_of_several_within_each_other_the_innermost_that_takes_a_while_is_named(
    clock: Callable[[float], None],
) -> None:
    """A short question says less than what it is asked for."""
    with narrated() as (_, lines), awaiting("a state", lambda: "loading"):
        clock(7.5)
        with awaiting("tetra"):
            clock(0.5)
            assert next_of(lines) == "awaiting a state for 8 s: loading"
            clock(8)
            assert next_of(lines) == "awaiting tetra for 8 s"


def test_of_several_side_by_side_the_longest_is_named_and_the_others_are_counted(
    clock: Callable[[float], None],
) -> None:
    """Each node has a thread of its own."""
    begun, end = threading.Barrier(2), threading.Event()

    def other() -> None:
        with awaiting("node b"):
            begun.wait(30)
            end.wait(30)

    with narrated() as (_, lines), awaiting("node a"):
        clock(3)
        thread = threading.Thread(target=other)
        thread.start()
        begun.wait(30)
        clock(5)
        assert next_of(lines) == "awaiting node a for 8 s (1 more)"
        end.set()
        thread.join()


def test_a_stage_in_which_nothing_is_awaited_is_named_itself(clock: Callable[[float], None]) -> None:
    """Work of our own may take long as well."""
    with narrated() as (_, lines), awaiting("guard", stage=True), awaiting("evidence", stage=True):
        clock(8)
        assert next_of(lines) == "evidence, for 8 s now (guard)"


def test_what_is_waited_for_names_itself_and_its_last_answer(clock: Callable[[float], None]) -> None:
    """Though nobody gave it anybody to tell."""
    with narrated() as (_, lines):
        answers = iter(["starting", "starting"])
        said: list[str] = []

        def ask() -> str:
            answer = next(answers, "")
            if not answer:
                clock(9)
                said.append(next_of(lines))
            return answer

        until("the agent", ask, lambda answer: not answer, 10, every=0.001)
        assert said == ["awaiting the agent for 9 s: starting"]


def test_a_narrator_that_is_closed_says_nothing(clock: Callable[[float], None]) -> None:
    """Not of another run in the same process, either."""
    with narrated() as (_, closed):
        pass
    with narrated() as (_, lines), awaiting("it"):
        clock(8)
        assert next_of(lines) == "awaiting it for 8 s"
        assert closed.empty()


def test_whoever_is_awaited_goes_on_once_the_line_is_said(clock: Callable[[float], None]) -> None:
    """What becomes of the terminal is not changed meanwhile."""
    saying, go = threading.Event(), threading.Event()
    order: list[str] = []

    def say(line: str) -> None:
        saying.set()
        go.wait(30)
        order.append(line)

    def other() -> None:
        saying.wait(30)
        go.set()

    with Narrator(say, 8):
        threading.Thread(target=other).start()
        with awaiting("it"):
            clock(8)
            saying.wait(30)
        order.append("gone on")
    assert order == ["awaiting it for 8 s", "gone on"]
