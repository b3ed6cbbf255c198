"""What an expectation says that it found: whether, with which events, how it went, and what came nearest."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.builders import BASH, CAT, execs, exits, hooked, started
from tetraproof.errors import UsageError
from tetraproof.events.event import Event, parse
from tetraproof.judging.expectation import (
    AllOf,
    Exactly,
    Exec,
    Exit,
    Expectation,
    InOrder,
    Kprobe,
    Loader,
    Lsm,
    RateLimit,
    Throttle,
    Tracepoint,
    Uprobe,
    Usdt,
)
from tetraproof.judging.pattern import Doubt, Pattern

SHELL = started(42, BASH, "-c ls")
A, B, C = Kprobe("a"), Kprobe("b"), Kprobe("c")
KILLED = Kprobe("a", action="SIGKILL")
UNREAD = Doubt("its action cannot be read")


def hook(name: str, sport: int = 0) -> Event:
    """A hook of this name, of a connection from this port if one is given; `a?` is one whose action is not readable."""
    made = hooked(SHELL, function=name[0], action="POST", sock={"sport": sport} if sport else None)
    if not name.endswith("?"):
        return made
    told = made.json()
    told["process_kprobe"]["action"] = 77
    again = parse(json.dumps(told).encode())
    assert isinstance(again, Event)
    return again


def hooks(names: str) -> list[Event]:
    """Hooks of these names: `a1` is `a` of the connection from port 1."""
    return [hook(name if name.endswith("?") else name[0], int(name[1:].strip("?") or 0)) for name in names.split()]


Told = tuple[bool | None, tuple[int, ...], str, int | None, Doubt | None]
NEAREST = "no event matched; the nearest missed by"


@pytest.mark.parametrize(
    ("expectation", "events", "told"),
    [
        (A, "b a", (True, (1,), "kprobe function=a was reported", None, None)),
        (A, "b", (False, (), f"{NEAREST} 1 of 2 fields", 0, None)),
        (A, "", (False, (), "no event matched kprobe function=a", None, None)),
        # the first of those that missed by the fewest
        (Kprobe("a", sport=1, dport=2), "b1 a2 a3 b3", (False, (), f"{NEAREST} 2 of 4 fields", 0, None)),
        (Kprobe("a", sport=1), "b2 a2 a3", (False, (), f"{NEAREST} 1 of 3 fields", 1, None)),
        # a doubt: the first is told, and a certain one outweighs it
        (KILLED, "b a? a?", (None, (), f"an event may be {KILLED}: its action cannot be read", 1, UNREAD)),
        (Kprobe("a", action="POST"), "a? a", (True, (1,), "kprobe function=a action=POST was reported", None, None)),
        # in order
        (InOrder(A, B), "a c b", (True, (0, 2), "all 2 were reported in order", None, None)),
        (InOrder(A, B), "b a", (False, (1,), "step 2 of 2 came too early: kprobe function=b", None, None)),
        (InOrder(A, B), "a c", (False, (0,), "step 2 of 2 did not follow: kprobe function=b", 1, None)),
        (InOrder(A, A), "a", (False, (0,), "step 2 of 2 did not follow: kprobe function=a", None, None)),
        (InOrder(A, B), "c", (False, (), "step 1 of 2 did not follow: kprobe function=a", 0, None)),
        (InOrder(A, B, C), "a b", (False, (0, 1), "step 3 of 3 did not follow: kprobe function=c", None, None)),
        (
            InOrder(A, KILLED),
            "a a?",
            (
                None,
                (0,),
                f"step 2 of 2 did not follow: {KILLED}; one may: its action cannot be read",
                1,
                UNREAD,
            ),
        ),
        (InOrder(KILLED, B), "b a?", (False, (), f"step 1 of 2 did not follow: {KILLED}", 1, None)),
        # the way that gets furthest is told
        (
            InOrder(A, B, C, same="sport"),
            "a1 a2 b2",
            (False, (1, 2), "step 3 of 3 did not follow: kprobe function=c", None, None),
        ),
        # all of
        (AllOf(A, B), "b c a", (True, (0, 2), "all 2 were reported", None, None)),
        (AllOf(A, B, C), "a", (False, (0,), "2 of 3 found no event of their own: kprobe function=b", None, None)),
        (AllOf(A, B), "a c", (False, (0,), "1 of 2 found no event of their own: kprobe function=b", 1, None)),
        (
            AllOf(A, KILLED),
            "a a?",
            (
                None,
                (0,),
                f"1 of 2 found no event of their own: {KILLED}; one may: its action cannot be read",
                1,
                UNREAD,
            ),
        ),
        # so many
        (Exactly(2, A), "a b a", (True, (0, 2), "2 events matched where 2 should: kprobe function=a", None, None)),
        (Exactly(1, A), "a a", (False, (0, 1), "2 events matched where 1 should: kprobe function=a", None, None)),
        (Exactly(1, A), "b", (False, (), "0 events matched where 1 should: kprobe function=a", 0, None)),
        (Exactly(0, A), "b", (True, (), "0 events matched where 0 should: kprobe function=a", 0, None)),
        (
            Exactly(1, KILLED),
            "a a?",
            (
                None,
                (),
                f"0 events matched where 1 should: {KILLED}; 1 more may: its action cannot be read",
                0,
                UNREAD,
            ),
        ),
        # one that could be the one too many leaves it open; one that could not make it enough refutes
        (
            Exactly(1, Kprobe("a", action="POST")),
            "a a?",
            (
                None,
                (0,),
                "1 events matched where 1 should: kprobe function=a action=POST; 1 more may: its action cannot be read",
                None,
                UNREAD,
            ),
        ),
        (Exactly(2, KILLED), "a?", (False, (), f"0 events matched where 2 should: {KILLED}", 0, None)),
        (Exactly(0, KILLED), "a", (True, (), f"0 events matched where 0 should: {KILLED}", 0, None)),
    ],
)
def test_what_was_found_is_told_whole(expectation: Expectation, events: str, told: Told) -> None:
    """Which events it used are marked in the report, and so is the one that came nearest."""
    met, used, text, nearest, doubt = told
    found = expectation.find(hooks(events), closed=True)
    assert (found.met, found.events, found.text) == (met, used, text)
    assert (found.nearest[0] if found.nearest else None) == nearest
    assert found.doubt == doubt
    # while more can come, a no is no answer yet, and how it went is told the same
    open_ = expectation.find(hooks(events), closed=False)
    too_many = isinstance(expectation, Exactly) and len(used) > expectation.count
    certain = met is True and not isinstance(expectation, Exactly)
    assert open_.met is (False if too_many else True if certain else None)
    assert (open_.events, open_.text, open_.doubt) == (used, text, doubt)
    assert (open_.nearest[0] if open_.nearest else None) == nearest


def test_each_field_of_the_nearest_is_told() -> None:
    """What was expected, what is there, whether that is it, and why it cannot be read."""
    found = Kprobe("a", sport=1, action="SIGKILL").find([hook("a?", 2)], closed=True)
    assert found.nearest is not None
    told = [(one.name, one.expected, one.actual, one.matches, one.doubt) for one in found.nearest[1]]
    assert told == [
        ("kind", "kprobe", "kprobe", True, ""),
        ("function", "a", "a", True, ""),
        ("sport", 1, 2, False, ""),
        ("action", "SIGKILL", "", False, "its action cannot be read"),
    ]
    assert [one.name for one in Kprobe("a").hold(execs(SHELL))] == ["kind"]
    (kind,) = Kprobe("a").hold(execs(SHELL))
    assert (kind.expected, kind.actual, kind.matches) == ("kprobe", "exec", False)


def test_several_values_of_a_field_are_told_together() -> None:
    """Two files were named, and neither is the one."""
    told = hook("a").json()
    told["process_kprobe"]["args"] = [{"string_arg": "/a"}, {"string_arg": "/b"}]
    made = parse(json.dumps(told).encode())
    assert isinstance(made, Event)
    assert [one.actual for one in Kprobe(file="/c").hold(made)] == ["kprobe", ("/a", "/b")]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (Exec, "exec"),
        (lambda: Exec(CAT, uid=0), "exec binary=/usr/bin/cat uid=0"),
        (lambda: Exit(signal="SIGKILL").by(BASH), "exit signal=SIGKILL binary=/usr/bin/bash"),
        (lambda: Kprobe("fd_install", file="/a"), "kprobe function=fd_install file=/a"),
        (lambda: Tracepoint("syscalls", "sys_enter_ptrace"), "tracepoint subsys=syscalls event=sys_enter_ptrace"),
        (lambda: Lsm("file_open", policy="p"), "lsm function=file_open policy=p"),
        (lambda: Uprobe("/bin/bash", "readline"), "uprobe path=/bin/bash symbol=readline"),
        (lambda: Usdt("/bin/app", "p", "start"), "usdt path=/bin/app provider=p name=start"),
        (lambda: Loader("/lib/x.so"), "loader path=/lib/x.so"),
        (lambda: Throttle("THROTTLE_START", cgroup="c"), "throttle type=THROTTLE_START cgroup=c"),
        (lambda: RateLimit(3), "rate-limit dropped=3"),
        (lambda: Kprobe("a").in_pod("a/b"), "kprobe function=a pod=a/b"),
        (lambda: Kprobe("a", sport=1).having(sport=2, dport=3), "kprobe function=a sport=2 dport=3"),
        (lambda: InOrder(A, B), "in order: kprobe function=a, kprobe function=b"),
        (lambda: InOrder(A, B, same="sport"), "in order of the same sport: kprobe function=a, kprobe function=b"),
        (lambda: AllOf(A, B), "all of: kprobe function=a, kprobe function=b"),
        (lambda: Exactly(2, A), "exactly 2 kprobe function=a"),
    ],
)
def test_an_expectation_reads_as_what_it_expects(make: Callable[[], Expectation], text: str) -> None:
    """It is the question that is asked, and the same question has the same answer."""
    assert str(make()) == text


@pytest.mark.parametrize(
    ("expectation", "parts"),
    [(A, (A,)), (InOrder(A, B), (A, B)), (AllOf(B, A), (B, A)), (Exactly(0, A), (A,))],
)
def test_an_expectation_names_its_parts(expectation: Expectation, parts: tuple[Pattern, ...]) -> None:
    """Each of them is held against what the policy hooks."""
    assert expectation.patterns == parts


def test_patterns_of_the_same_fields_are_the_same() -> None:
    """Whatever they read as."""
    assert Kprobe("a").having(sport=1) == Kprobe("a", sport=1)
    assert Kprobe("a") != Kprobe("b")
    assert Kprobe("a", action="KPROBE_ACTION_SIGKILL").match(hooked(SHELL, function="a")) is True


def test_a_field_to_agree_on_must_exist() -> None:
    """Of any kind; what an event has not, it need not agree on."""
    with pytest.raises(UsageError) as refused:
        InOrder(A, B, same="sprot")
    assert "No kind of event has a field 'sprot' to agree on." in str(refused.value)
    assert str(refused.value).endswith("name one, or leave it out")
    found = InOrder(Exec(), A, B, Exit(), same="sport").find(
        [execs(SHELL), *hooks("a1 a2 b2"), exits(SHELL)], closed=True
    )
    assert (found.met, found.events) == (True, (0, 2, 3, 4))


def test_assigning_takes_a_chain_of_others_with_it() -> None:
    """A part that is placed last may move all that were placed before it."""
    parts: list[Any] = [Kprobe(), Kprobe("a"), Kprobe(sport=1), Kprobe("a", sport=1)]
    events = hooks("a1 a2 b1 c3")
    for order in (parts, parts[::-1], [parts[2], parts[0], parts[3], parts[1]]):
        found = AllOf(*order).find(events, closed=True)
        assert (found.met, found.events) == (True, (0, 1, 2, 3))
    assert AllOf(*parts, Kprobe("a")).find(events, closed=True).met is False
