"""Expectations: only what is stated is compared, and an event is used once."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from dirty_equals import Contains, IsInt, IsStr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.builders import BASH, CAT, event, execs, exits, hooked, started
from tetraproof.errors import UsageError
from tetraproof.events.event import Event
from tetraproof.judging.expectation import AllOf, Exactly, Exec, Exit, Expectation, InOrder, Kprobe
from tetraproof.judging.pattern import Pattern

SHELL = started(42, BASH, "-c ls")
SOCK = {"saddr": "10.0.0.6", "sport": 40000, "daddr": "203.0.113.10", "dport": 443}
OPENED = hooked(SHELL, file="/tmp/guarded")
CONNECTED = hooked(SHELL, function="tcp_connect", sock=SOCK, action="POST", policy="egress")
RESULT: dict[str, Any] = {"return": {"int_arg": -1}}
RETURNED = hooked(SHELL, function="sys_write", **RESULT)
EXITED, KILLED = exits(SHELL, 3), exits(SHELL, signal="SIGKILL")
CAPABLE = {"process": {**SHELL.json(), "cap": {"effective": ["CAP_KILL", "CAP_CHOWN"]}}}


@pytest.mark.parametrize(
    ("pattern", "told", "matches"),
    [
        (Exec(), execs(SHELL), True),
        (Exec(), EXITED, False),
        (Exec(BASH), execs(SHELL), True),
        (Exec(CAT), execs(SHELL), False),
        (Exec(arguments="-c ls"), execs(SHELL), True),
        (Exec(BASH, arguments="-c rm"), execs(SHELL), False),
        (Exec().in_pod("other/probe"), execs(SHELL), True),
        (Exec().in_pod("other/prob"), execs(SHELL), False),
        (Exit(BASH, status=3), EXITED, True),
        (Exit(status=0), EXITED, False),
        (Exit(status=0), exits(SHELL), True),
        (Exit(status=0), KILLED, False),
        (Exit(signal="SIGKILL"), KILLED, True),
        (Exit(signal="SIGKILL"), exits(SHELL, 137), False),
        (Exit(signal=""), EXITED, True),
        (Kprobe("fd_install"), OPENED, True),
        (Kprobe("fd_install", file="/tmp/guarded", action="SIGKILL"), OPENED, True),
        (Kprobe("fd_install", action="KPROBE_ACTION_SIGKILL"), OPENED, True),
        (Kprobe(action="POST"), OPENED, False),
        (Kprobe(file="/tmp/guarded2"), OPENED, False),
        (Kprobe(policy="guard"), OPENED, True),
        (Kprobe(policy="egress"), OPENED, False),
        (Kprobe(daddr="203.0.113.10", dport=443, saddr="10.0.0.6", sport=40000), CONNECTED, True),
        (Kprobe(dport="443"), CONNECTED, False),
        (Kprobe(file="/tmp/guarded"), CONNECTED, False),
        (Kprobe(returns=-1), RETURNED, True),
        (Kprobe(returns=-1), OPENED, False),
        (Kprobe(bytes=3), OPENED, True),
        # any value may be one of dirty-equals
        (Kprobe(file=IsStr(regex="/tmp/.+")), OPENED, True),
        (Kprobe(file=IsStr(regex="/etc/.+")), OPENED, False),
        (Kprobe(file=IsStr()), CONNECTED, False),
        (Kprobe(sport=IsInt(ge=32768)), CONNECTED, True),
        (Exec(BASH, capabilities=Contains("CAP_KILL")), event("process_exec", CAPABLE), True),
        (Exec(capabilities={"CAP_KILL", "CAP_CHOWN"}), event("process_exec", CAPABLE), True),
        (Exec(capabilities=Contains("CAP_SYS_ADMIN")), event("process_exec", CAPABLE), False),
        (Exec(capabilities={"CAP_KILL"}), execs(SHELL), False),
        # a kind that is not modelled
        (Pattern("lsm"), event("process_lsm", {"process": SHELL.json()}), True),
        (Kprobe(), event("process_lsm", {"process": SHELL.json()}), False),
    ],
    ids=str,
)
def test_only_what_is_stated_is_compared(pattern: Pattern, told: Event, *, matches: bool) -> None:
    """A pattern matches by its stated fields, and says the same field by field."""
    assert pattern.matches(told) is matches
    assert all(field.matches for field in pattern.hold(told)) is matches


def test_an_unknown_field_is_refused_at_once() -> None:
    """A typo in a suite is a mistake, not an expectation that never matches; what is known is named."""
    with pytest.raises(UsageError, match=r"'fiel'(.|\n)*file"):
        Kprobe("fd_install", fiel="/tmp/guarded")


def test_a_field_stated_again_replaces_the_first() -> None:
    """`by` and `in_pod` refine a copy."""
    general = Exec(CAT)
    assert general.by(BASH).matches(execs(SHELL))
    assert not general.matches(execs(SHELL))


EVERY: tuple[Expectation, ...] = (
    Kprobe(file=IsStr(regex="/tmp/.+"), action="POST"),
    InOrder(Exec(BASH), Kprobe(file=IsStr(regex="/tmp/.+"), action="POST"), same="sport"),
    AllOf(Kprobe(file=IsStr(regex="/tmp/.+"), action="POST"), Exit(status=IsInt())),
    Exactly(1, Kprobe(file=IsStr(regex="/tmp/.+"), action="POST")),
)
STREAM = (execs(SHELL), OPENED, CONNECTED, EXITED)


@pytest.mark.parametrize("expectation", EVERY, ids=lambda one: type(one).__name__)
def test_looking_changes_nothing(expectation: Expectation) -> None:
    """Neither the events nor the expectation: asked again it says the same, and reads the same in the report."""
    before, read = copy.deepcopy(STREAM), str(expectation)
    first = expectation.find(STREAM, closed=True)
    assert before == STREAM
    assert str(expectation) == read
    again = expectation.find(STREAM, closed=True)
    assert (again.met, again.events, again.text) == (first.met, first.events, first.text)


A, B, C = Kprobe("a"), Kprobe("b"), Kprobe("c")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (A, B),
        (Kprobe("a", sport=1), Kprobe("a", dport=1)),
        (Exec("a"), Exit("a")),
        (InOrder(A, B), InOrder(B, A)),
        (InOrder(A, B), AllOf(A, B)),
        (InOrder(A, B), InOrder(A, B, same="sport")),
        (Exactly(1, A), Exactly(2, A)),
        (Exactly(1, A), A),
    ],
    ids=str,
)
def test_different_expectations_read_differently(one: Expectation, other: Expectation) -> None:
    """What they read as is the question that is asked, and the same question has the same answer."""
    assert str(one) != str(other)


def hook(name: str, sport: int = 0) -> Event:
    """A hook of this name, of a connection from this port if one is given."""
    return hooked(SHELL, function=name, action="POST", sock={"sport": sport} if sport else None)


def hooks(names: str) -> list[Event]:
    """Hooks of these names: `a1` is `a` of the connection from port 1."""
    return [hook(name[0], int(name[1:] or 0)) for name in names.split()]


@pytest.mark.parametrize(
    ("expectation", "told", "met", "used"),
    [
        (A, "b a a", True, (1,)),
        (A, "b c", False, ()),
        (InOrder(A, B), "a b", True, (0, 1)),
        (InOrder(A, B), "c a c b c", True, (1, 3)),
        (InOrder(A, B), "b a", False, (1,)),
        (InOrder(A, A), "a", False, (0,)),
        (InOrder(A, A), "a b a", True, (0, 2)),
        (InOrder(A, B, same="sport"), "a1 b1", True, (0, 1)),
        (InOrder(A, B, same="sport"), "a1 b2", False, (0,)),
        (InOrder(A, B, same="sport"), "a1 a2 b2", True, (1, 2)),
        (InOrder(A, B, C, same="sport"), "a1 b1 a2 c2 b2 c1", True, (0, 1, 5)),
        (InOrder(A, B, C, same="sport"), "a1 b2 c1 a2 b1 c2", False, (0, 4)),
        (AllOf(A, B), "b a", True, (0, 1)),
        (AllOf(A, A), "a", False, (0,)),
        (AllOf(A, A), "a a", True, (0, 1)),
        (Exactly(2, A), "a b a", True, (0, 2)),
        (Exactly(1, A), "a b a", False, (0, 2)),
        (Exactly(1, A), "b", False, ()),
        (Exactly(0, A), "b", True, ()),
        (Exactly(0, A), "", True, ()),
        (A, "", False, ()),
        (AllOf(A), "", False, ()),
        (InOrder(A, same="sport"), "", False, ()),
    ],
)
def test_how_expectations_compose(expectation: Expectation, told: str, used: tuple[int, ...], *, met: bool) -> None:
    """In order with anything between, each by an event of its own, so many and no more."""
    found = expectation.find(hooks(told), closed=True)
    assert (found.met, found.events) == (met, used)


@pytest.mark.parametrize(
    ("expectation", "told", "met"),
    [
        (A, "a", True),
        (A, "b", None),
        (InOrder(A, B), "a b", True),
        (InOrder(A, B), "b a", None),
        (AllOf(A, B), "a", None),
        (AllOf(A, B), "b a", True),
        (Exactly(1, A), "", None),
        (Exactly(1, A), "a", None),
        (Exactly(1, A), "a a", False),
        (Exactly(0, A), "a", False),
    ],
)
def test_while_more_can_come_only_what_is_certain_is_said(
    expectation: Expectation, told: str, *, met: bool | None
) -> None:
    """What was seen was seen, one too many is one too many; everything else is open."""
    assert expectation.find(hooks(told), closed=False).met is met


def test_overlapping_expectations_are_assigned_not_grabbed() -> None:
    """The greedy trap: the general one must leave the only event that the strict one can have."""
    strict, general = Kprobe("a", sport=1), Kprobe("a")
    for parts in itertools.permutations([strict, general]):
        for told in ("a1 a2", "a2 a1"):
            assert AllOf(*parts).find(hooks(told), closed=True).met
    assert not AllOf(strict, general).find(hooks("a1"), closed=True).met


def test_a_step_keeps_what_it_states_of_the_field_that_all_agree_on() -> None:
    """`same` adds to what a step states, it does not replace it."""
    order = InOrder(Kprobe("a", sport=IsInt(ge=1024)), Kprobe("b"), same="sport")
    assert not order.find(hooks("a7 b7"), closed=True).met
    assert order.find(hooks("a7 b7 a4000 b4000"), closed=True).met


def test_every_step_agrees_on_a_field_that_every_kind_has() -> None:
    """`same="binary"` binds the exec and the exit as well, not kprobes only."""
    other = started(43, CAT, "-c ls")
    order = InOrder(Exec(), Exit(), same="binary")
    assert not order.find([execs(SHELL), exits(other)], closed=True).met
    assert order.find([execs(SHELL), exits(other), exits(SHELL)], closed=True).met


def test_steps_without_the_field_need_not_agree_on_it() -> None:
    """An exec has no port; it is in its turn all the same."""
    order = InOrder(Exec(BASH), A, B, Exit(BASH), same="sport")
    assert order.find([execs(SHELL), *hooks("a1 a2 b2"), EXITED], closed=True).events == (0, 2, 3, 4)


SMALL = st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 2)), max_size=5)
PATTERNS = st.sampled_from(
    [Kprobe(), A, B, Kprobe(sport=1), Kprobe(sport=2), Kprobe("a", sport=1), Kprobe("b", sport=2)]
)
PARTS = st.lists(PATTERNS, min_size=1, max_size=4)


def each_matches(parts: Sequence[Pattern], told: Sequence[Event], chosen: Sequence[int]) -> bool:
    """Whether these events answer for these parts, one for one."""
    return all(part.matches(told[at]) for part, at in zip(parts, chosen, strict=True))


@settings(deadline=None)
@given(PARTS, SMALL)
@example([Kprobe(), A, Kprobe(sport=1)], [("b", 1), ("a", 1), ("b", 2)])
def test_all_of_finds_an_assignment_where_there_is_one(parts: list[Pattern], told: list[tuple[str, int]]) -> None:
    """As many parts as by trying every assignment; and what it used answers for as many."""
    events = [hook(*one) for one in told]
    sizes = range(min(len(parts), len(events)), -1, -1)
    largest = next(
        size
        for size in sizes
        for some in itertools.combinations(parts, size)
        if any(each_matches(some, events, chosen) for chosen in itertools.permutations(range(len(events)), size))
    )
    found = AllOf(*parts).find(events, closed=True)
    assert found.met == (largest == len(parts))
    assert len(set(found.events)) == len(found.events) == largest


@settings(deadline=None)
@given(PARTS, SMALL, st.sampled_from(["", "sport"]))
@example([A, B, A], [("a", 1), ("a", 2), ("b", 2), ("a", 1), ("a", 2)], "sport")
def test_in_order_finds_a_subsequence_where_there_is_one(
    parts: list[Pattern], told: list[tuple[str, int]], same: str
) -> None:
    """The same as by trying every choice of events in order."""
    events = [hook(*one) for one in told]
    expected = any(
        each_matches(parts, events, chosen) and (not same or len({told[at][1] for at in chosen}) == 1)
        for chosen in itertools.combinations(range(len(events)), len(parts))
    )
    found = InOrder(*parts, same=same).find(events, closed=True)
    assert found.met is expected
    if expected:
        assert each_matches(parts, events, found.events)
        assert sorted(set(found.events)) == list(found.events)


@pytest.mark.parametrize(
    ("expectation", "told", "at", "missed"),
    [
        (Kprobe("a", sport=1, dport=9), "b1 a1 a2", 1, ["dport"]),
        (Kprobe("a", sport=1), "b2 a2", 1, ["sport"]),
        (InOrder(A, Kprobe("b", sport=1)), "b1 a b2", 2, ["sport"]),
        (AllOf(A, Kprobe("a", sport=1)), "a3 b2 a2", 2, ["sport"]),
        (AllOf(B, Kprobe("a", sport=1)), "b3 a2", 1, ["sport"]),
        (Exactly(1, Kprobe("a", sport=1)), "b2 a2", 1, ["sport"]),
    ],
)
def test_the_nearest_miss_is_told_field_by_field(
    expectation: Expectation, told: str, at: int, missed: list[str]
) -> None:
    """Where nothing matched, the event that came closest, by its place in the stream, and the fields it missed by."""
    events = hooks(told)
    found = expectation.find(events, closed=True)
    assert found.nearest is not None
    index, fields = found.nearest
    assert index == at
    assert [field.name for field in fields if not field.matches] == missed


def test_nothing_of_the_kind_has_no_nearest_miss() -> None:
    """An exit is never the nearest miss of a kprobe."""
    found = A.find([EXITED], closed=True)
    assert found.nearest is None
    assert "no event matched" in found.text


@pytest.mark.parametrize(
    ("expectation", "told", "word"),
    [
        (Kprobe("a", sport=1), "a2", "missed by 1 of 3 fields"),
        (InOrder(A, B), "b a", "step 2 of 2 came too early"),
        (InOrder(A, B), "a c", "step 2 of 2 did not follow"),
        (AllOf(A, B), "a", "1 of 2 found no event of their own"),
        (Exactly(1, A), "a a", "2 events matched where 1 should"),
    ],
)
def test_a_miss_says_how_it_went(expectation: Expectation, told: str, word: str) -> None:
    """One clause that a person can read."""
    assert word in expectation.find(hooks(told), closed=True).text


def test_a_set_is_said_in_one_order() -> None:
    """Whatever order it has: messages, and the names of tests, are the same at every run."""
    assert str(Exec(capabilities={"CAP_KILL", "CAP_CHOWN"})) == "exec capabilities={'CAP_CHOWN', 'CAP_KILL'}"
