"""Timelines: what belongs to an act, in which order, and when its end is proven heard."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

from tests.builders import (
    BASH,
    CAT,
    NODE,
    Proc,
    child,
    event,
    execs,
    exits,
    fork,
    framed,
    hooked,
    in_place,
    lines_of,
    of_sentinel,
    performed,
    pod_on,
    sentinel,
    started,
)
from tetraproof.events.event import MASK, Event, parse
from tetraproof.observing.timeline import END, START, Node, Performed, in_order, same_arguments, timelines

OTHER = "other-node"
NODES = {NODE: Node(NODE), OTHER: Node(OTHER)}


def whole(process: Proc, at: float = 0.0, status: int = 0) -> list[Event]:
    """A process that starts and ends."""
    return [execs(process, at), exits(process, status, at=at + 0.5)]


def command(pid: int, *argv: str) -> Proc:
    """What the runtime starts for an act."""
    return started(pid, f"/usr/bin/{argv[0]}", " ".join(argv[1:]))


NGINX = Proc(1564, "/usr/sbin/nginx", "-g daemon off;", "default/nginx-795c6cd55d-jvmml", ktime=2.0)
SHELL_ACT, SHELL = performed("bash", "-c", "x"), command(100, "bash", "-c", "x")
CHILD = child(SHELL, 101, CAT, "/tmp/a")
GRANDCHILD = child(CHILD, 102, "/usr/bin/head")
SUBSHELL = fork(SHELL, 103)
OF_SUBSHELL = child(SUBSHELL, 104, "/usr/bin/tail")
REPLACED = in_place(SHELL, "/usr/bin/stat", "/tmp/a")
AFTER_REPLACED = child(REPLACED, 105, "/usr/bin/dd")


@pytest.mark.parametrize(
    "events",
    [
        whole(SHELL),
        [execs(SHELL), *whole(CHILD), exits(SHELL)],
        [execs(SHELL), execs(CHILD), *whole(GRANDCHILD), exits(CHILD), exits(SHELL)],
        # a fork that has not exec'ed tells no exec, and its child may come before its exit
        [execs(SHELL), *whole(OF_SUBSHELL), exits(SUBSHELL), exits(SHELL)],
        # an exec in place: a new exec id whose parent is the old one
        [execs(SHELL), execs(REPLACED), *whole(AFTER_REPLACED), exits(REPLACED)],
        # a child that outlives the shell
        [execs(SHELL), execs(CHILD), exits(SHELL), hooked(CHILD, file="/tmp/a"), exits(CHILD)],
    ],
    ids=["itself", "child", "grandchild", "subshell", "exec in place", "orphan"],
)
def test_whatever_descends_from_the_act_is_its_own(events: list[Event]) -> None:
    """By exec id and parent exec id, through forks and execs in place; other processes are bystanders."""
    (line,) = lines_of([SHELL_ACT], [*events[:1], *whole(NGINX), *events[1:]])
    assert line.own == tuple(events)
    assert line.bystanders == tuple(whole(NGINX))
    assert line.root == SHELL.pid


def test_a_parent_without_events_of_its_own_is_no_gap() -> None:
    """A subshell still running tells nothing of itself: its child's event says whose child it is."""
    inner = [execs(OF_SUBSHELL), hooked(OF_SUBSHELL, file="/tmp/a"), exits(OF_SUBSHELL)]
    (line,) = lines_of([SHELL_ACT], [execs(SHELL), *inner, exits(SHELL)])
    assert line.own == (execs(SHELL), *inner, exits(SHELL))


def test_ancestry_in_a_circle_ends() -> None:
    """Exec ids that name each other as parents hang nothing, and belong to nobody."""
    one = Proc(7, BASH, "x")
    other = replace(one, pid=8, parent=one)
    circle = [execs(replace(one, parent=other)), execs(other)]
    (line,) = lines_of([SHELL_ACT], [execs(SHELL), *circle, exits(SHELL)])
    assert line.own == (execs(SHELL), exits(SHELL))
    assert line.bystanders == tuple(circle)


FIRST, SECOND, THIRD = (performed("cat", f"/tmp/{name}") for name in "abc")
ONE, TWO, THREE = (command(200 + n, "cat", f"/tmp/{name}") for n, name in enumerate("abc"))


def test_a_bystander_belongs_to_the_window_it_falls_into() -> None:
    """From an act's first event to that of the next act, or to the end sentinel."""
    before, during, between, after = (hooked(NGINX, file=f"/tmp/{n}") for n in range(4))
    one, two = lines_of(
        [FIRST, SECOND],
        [before, execs(ONE), during, exits(ONE), between, execs(TWO), exits(TWO), after],
    )
    assert one.bystanders == (during, between)
    assert two.bystanders == (after,)
    assert before not in one.bystanders


def test_another_act_is_no_bystander() -> None:
    """What an earlier act still does while the next one runs stays with the earlier one."""
    late = [execs(child(ONE, 300, "/usr/bin/sleep")), exits(child(ONE, 300, "/usr/bin/sleep"))]
    one, two = lines_of([FIRST, SECOND], [execs(ONE), exits(ONE), execs(TWO), *late, exits(TWO)])
    assert one.own == (execs(ONE), exits(ONE), *late)
    assert two.bystanders == ()


def test_an_act_without_events_leaves_its_neighbours_theirs() -> None:
    """It has no events and no process; the window around it is kept as what bystanders did."""
    seen = hooked(NGINX, file="/tmp/x")
    one, two, three = lines_of([FIRST, SECOND, THIRD], [*whole(ONE), seen, *whole(THREE)])
    assert one.own == tuple(whole(ONE))
    assert (two.own, two.root) == ((), None)
    assert two.bystanders == (seen,)
    assert three.own == tuple(whole(THREE))


def test_identical_acts_have_their_events_in_turn() -> None:
    """The same command three times is three acts."""
    pids = (201, 202, 203)
    lines = lines_of([FIRST, FIRST, FIRST], [one for pid in pids for one in whole(command(pid, "cat", "/tmp/a"))])
    assert [line.root for line in lines] == list(pids)


def test_an_act_without_events_does_not_take_those_of_its_later_twin() -> None:
    """If the first of two identical acts is not told, the acts between are found all the same."""
    _, two, last = lines_of([FIRST, SECOND, FIRST], [*whole(TWO), *whole(command(203, "cat", "/tmp/a"))])
    assert two.root == TWO.pid
    assert last.root == 203


def test_the_same_command_in_another_pod_is_not_the_act() -> None:
    """Nor one that somebody else's shell has started."""
    elsewhere = replace(ONE, pod="other/another")
    not_by_the_runtime = child(SHELL, 150, CAT, "/tmp/a")
    (line,) = lines_of([FIRST], [*whole(elsewhere), *whole(not_by_the_runtime), *whole(ONE)])
    assert line.root == ONE.pid


@pytest.mark.parametrize(
    ("argv", "told", "same"),
    [
        (("bash", "-c", "echo 'foo' > /tmp/a"), "-c \"echo 'foo' > /tmp/a\"", True),
        (("bash", "-c", 'echo "foo"'), '-c "echo \\"foo\\""', True),
        (("cat", "/tmp/a"), "/tmp/a", True),
        (("cat", "/tmp/a"), "/tmp/b", False),
        (("cat", "/tmp/a", "/tmp/b"), "/tmp/a", False),
        (("cat",), "", True),
        (("cat",), "/tmp/a", False),
        # a long list may be cut, a short one not
        (("sh", "-c", "x" * 5000), "-c " + "x" * 4000, True),
        (("sh", "-c", "x" * 5000), "-c " + "y" * 4000, False),
        (("sh", "-c", "xx"), "-c x", False),
        (("sh", "x" * 500), "x" * 201, True),
        (("sh", "x" * 500), "x" * 200, False),
    ],
)
def test_arguments_are_compared_as_an_agent_writes_them(argv: tuple[str, ...], told: str, *, same: bool) -> None:
    """Joined and quoted, perhaps cut."""
    assert same_arguments(argv, told) is same


def test_a_program_without_arguments_is_told_by_its_name() -> None:
    """`bash` alone is not `sh` alone."""
    sh, bash = started(50, "/usr/bin/sh"), started(51, BASH)
    (line,) = lines_of([performed("bash")], [*whole(sh), *whole(bash)])
    assert line.root == 51


# hearing


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        ({}, ""),
        ({"heard": False}, "no sentinel was heard on node tetra-node after the acts"),
        ({"begun": False}, "was not heard before the acts began"),
    ],
)
def test_a_timeline_is_closed_by_what_was_heard(frame: dict[str, Any], word: str) -> None:
    """A start sentinel proves that the stream listened, an end sentinel that it listened to the end."""
    (line,) = lines_of([FIRST], whole(ONE), **frame)
    assert word in line.open
    assert bool(line.open) == bool(word)
    assert line.own == tuple(whole(ONE))


def test_the_next_act_bounds_a_timeline_and_does_not_close_it() -> None:
    """Only the sentinel proves that a window was heard to its end."""
    one, _ = lines_of([FIRST, SECOND], [*whole(ONE), *whole(TWO)], heard=False)
    assert one.own == tuple(whole(ONE))
    assert one.open


def test_a_sentinel_that_was_performed_and_not_heard_proves_nothing() -> None:
    """Its outcome is no event."""
    every, stream = framed([FIRST], whole(ONE), heard=False)
    assert every[-1].outcome.exit_code == 0
    assert timelines(every, stream, NODES)[1].open


def test_what_comes_after_the_sentinel_is_too_late() -> None:
    """An act's event behind the end sentinel is not its own: nobody waits for what comes after the end."""
    every, stream = framed([FIRST], [execs(ONE)])
    (line,) = timelines(every, [*stream, exits(ONE)], NODES)[1:-1]
    assert line.own == (execs(ONE),)
    assert not line.open


def test_losses_open_every_timeline_of_their_node() -> None:
    """What the agent itself says that it lost outweighs a sentinel."""
    lossy = {NODE: Node(NODE, lost="the agent lost 3")}
    assert lines_of([FIRST], whole(ONE), lossy)[0].open == "the agent lost 3"
    assert lines_of([FIRST], whole(ONE), {OTHER: Node(OTHER, lost="the agent lost 3")})[0].open == ""


@pytest.mark.parametrize("kind", ["process_throttle", "rate_limit_info"])
def test_events_held_back_open_every_timeline(kind: str) -> None:
    """An agent that throttled or limited what it sent has proven no absence."""
    (line,) = lines_of([FIRST], [execs(ONE), event(kind, {}), exits(ONE)])
    assert "held events back" in line.open


# several nodes


def replaced_time(one: Event) -> Event:
    """The event as an agent writes it that tells no time."""
    made = parse(json.dumps({name: value for name, value in one.json().items() if name != "time"}).encode())
    assert isinstance(made, Event)
    return made


def on(node: str, pid: int, name: str) -> tuple[Performed, Proc]:
    """An act on a node, and its process."""
    act = performed("cat", name, pod=pod_on(node), node=node)
    return act, started(pid, CAT, name, pod=pod_on(node), node=node)


@pytest.mark.parametrize(
    ("closed", "open_on"),
    [((NODE, OTHER), []), ((NODE,), [OTHER]), ((OTHER,), [NODE]), ((), [NODE, OTHER])],
    ids=["both", "the first", "the second", "none"],
)
def test_every_node_needs_its_own_sentinel(closed: tuple[str, ...], open_on: list[str]) -> None:
    """A sentinel heard on one node says nothing of another one's stream."""
    (here, mine), (there, theirs) = on(NODE, 60, "/tmp/here"), on(OTHER, 60, "/tmp/there")
    starts = [sentinel(START, node=node) for node in NODES]
    ends = [sentinel(END, node=node) for node in NODES]
    stream = [one for number, act in enumerate(starts) for one in of_sentinel(act, 10, number)]
    stream += [*whole(mine, 2), *whole(theirs, 3)]
    stream += [one for number, act in enumerate(ends) if act.node in closed for one in of_sentinel(act, 90, 8 + number)]
    lines = timelines([*starts, here, there, *ends], stream, NODES)[2:4]
    assert [line.node for line in lines if line.open] == open_on
    assert [line.own for line in lines] == [tuple(whole(mine, 2)), tuple(whole(theirs, 3))]


def test_the_same_pids_on_two_nodes_are_two_processes() -> None:
    """An exec id begins with its node."""
    (here, mine), (there, theirs) = on(NODE, 60, "/tmp/x"), on(OTHER, 60, "/tmp/x")
    stream = [execs(mine, 1), execs(theirs, 2), exits(mine, at=3), exits(theirs, at=4)]
    one, other = timelines([here, there], stream, NODES)
    assert {event.node for event in one.own} == {NODE}
    assert {event.node for event in other.own} == {OTHER}


def test_events_of_one_moment_on_two_nodes_are_merged() -> None:
    """Nodes need not agree on who was first: two events at the same time, or without any, are no error."""
    same = [execs(started(1, node=node), 1.0) for node in NODES]
    assert sorted(one.node for one in in_order(same)) == sorted(NODES)
    timeless = [replaced_time(one) for one in same]
    assert sorted(one.node for one in in_order(timeless)) == sorted(NODES)


def test_nodes_are_merged_by_time_and_each_keeps_its_own_order() -> None:
    """A node's stream is never reordered, whatever its clock says."""
    mine = [execs(started(1, node=NODE), at) for at in (1.0, 5.0, 4.0)]
    theirs = [execs(started(2, node=OTHER), at) for at in (2.0, 6.0)]
    merged = in_order([*theirs, *mine])
    assert [one for one in merged if one.node == NODE] == mine
    assert [one for one in merged if one.node == OTHER] == theirs
    assert merged[:2] == [mine[0], theirs[0]]
    assert merged[-1] == theirs[-1]


# one ring for each CPU


RINGS = {NODE: Node(NODE, rings=2)}


def per_cpu(*pinned: int | None) -> tuple[list[Performed], list[Event]]:
    """An agent with a ring for each of two CPUs, read one after the other.

    The act's exec came through ring 0, its kprobe through ring 1. The reader drains ring 0 first, so the
    sentinel of CPU 0 arrives before an earlier event of CPU 1: order holds within a ring only.
    """
    start, ends = sentinel(START), [sentinel(END, cpu=cpu, number=n) for n, cpu in enumerate(pinned)]
    of_ring_0 = [execs(ONE, 1.0), exits(ONE, at=1.5)]
    of_ring_1 = [hooked(ONE, file="/tmp/a", at=1.2)]
    heard = [of_sentinel(end, 9000 + number, 2.0 + number) for number, end in enumerate(ends)]
    stream = [*of_sentinel(start, 1), *of_ring_0, *(heard[0] if heard else []), *of_ring_1, *chain(*heard[1:])]
    return [start, FIRST, *ends], stream


@pytest.mark.parametrize(
    ("pinned", "closed"),
    [((0,), False), ((0, 1), True), ((1, 0), True), ((0, 0), False), ((None,), False), ((None, 0), False), ((), False)],
    ids=str,
)
def test_a_ring_for_each_cpu_needs_a_sentinel_for_each(pinned: tuple[int | None, ...], *, closed: bool) -> None:
    """One sentinel passes by what another ring still holds; one pinned to each CPU does not."""
    every, stream = per_cpu(*pinned)
    line = timelines(every, stream, RINGS)[1]
    assert (not line.open) is closed


def test_an_event_that_a_sentinel_of_another_ring_overtook_is_kept() -> None:
    """Between the two sentinels the other ring's events are in time."""
    every, stream = per_cpu(0, 1)
    line = timelines(every, stream, RINGS)[1]
    assert hooked(ONE, file="/tmp/a", at=1.2) in line.own


def test_one_sentinel_would_have_hidden_it() -> None:
    """With one sentinel the event is behind it: had that one closed the timeline, absence would have been claimed."""
    every, stream = per_cpu(0)
    line = timelines(every, stream, RINGS)[1]
    assert hooked(ONE, file="/tmp/a", at=1.2) not in line.own
    assert "reads 2 rings" in line.open


# time


def test_order_is_the_streams_and_not_the_clocks() -> None:
    """On a busy node the clock runs backwards within one process; offsets then do as well, and nothing moves."""
    told = [execs(ONE, 10.0), hooked(ONE, file="/tmp/a", at=9.9), exits(ONE, at=10.2)]
    (line,) = lines_of([FIRST], told)
    assert line.own == tuple(told)
    assert [round(entry.offset, 3) for entry in line.whole] == [0.0, -0.1, 0.2]


def test_time_zero_is_the_acts_first_event() -> None:
    """Not the first event of its window, and never the asking machine's clock."""
    ahead = replace(FIRST, started="2027-01-01T00:00:00+00:00")
    (line,) = lines_of([ahead], [hooked(NGINX, file="/tmp/x", at=0.5), execs(ONE, 3.0), exits(ONE, at=4.0)])
    assert [entry.offset for entry in line.whole if entry.own] == [0.0, 1.0]
    assert line.seconds == 1.0


def test_an_asking_machine_that_is_seconds_ahead_changes_nothing() -> None:
    """What an act's start was by another clock decides nothing."""
    told = [*whole(ONE, 1.0), *whole(TWO, 2.0)]
    right = lines_of([FIRST, SECOND], told)
    ahead = [replace(act, started=f"2026-11-23T07:00:0{7 - n}+00:00") for n, act in enumerate([FIRST, SECOND])]
    assert lines_of(ahead, told) == right


def test_nothing_performed_and_nothing_heard_is_no_error() -> None:
    """An empty stream is an open one."""
    assert timelines([], [], {}) == []
    (line,) = timelines([FIRST], [], {})
    assert line.open
    assert (line.whole, line.seconds) == ((), 0.0)


def test_an_event_without_a_time_is_no_time_zero() -> None:
    """The first that tells one is; those that tell none stand at zero."""
    timeless = replaced_time(execs(ONE))
    (line,) = lines_of([FIRST], [timeless, hooked(ONE, file="/tmp/a", at=5.0), exits(ONE, at=6.5)])
    assert [entry.offset for entry in line.whole] == [0.0, 0.0, 1.5]


# what nobody can tell whose it is


def nobodys(made: Event, *, side: str = "process", **changes: Any) -> Event:
    """The event with its process changed: a field of None is taken away, all of it where nothing is named."""
    value = made.json()
    body = value["process_kprobe"]
    if changes:
        body[side] = {name: one for name, one in {**body[side], **changes}.items() if one is not None}
    else:
        del body[side]
    again = parse(json.dumps(value).encode())
    assert isinstance(again, Event)
    return again


def of_node(made: Event, node: str) -> Event:
    """The event as of another node, or of none."""
    again = parse(json.dumps({**made.json(), "node_name": node}).encode())
    assert isinstance(again, Event)
    return again


BY_NGINX = hooked(NGINX, file="/tmp/x", at=2.0)
PROBE = {"namespace": "other", "name": "probe"}


@pytest.mark.parametrize(
    ("made", "stray"),
    [
        # whose it is, is known
        (BY_NGINX, False),
        (nobodys(BY_NGINX), True),
        (nobodys(BY_NGINX, exec_id=None, pod=None), True),
        (nobodys(BY_NGINX, exec_id=None, pod=PROBE), True),
        # nobody knows the process, and the pod is another
        (nobodys(BY_NGINX, exec_id=None), False),
        (nobodys(BY_NGINX, exec_id=7, pod=7), True),
        (nobodys(BY_NGINX, exec_id=[], pod=None), True),
        (nobodys(BY_NGINX, exec_id=[], pod=PROBE), True),
        (nobodys(BY_NGINX, exec_id=[]), False),
        # what nobody can read of it is its pod, so it may have been the act's
        (nobodys(BY_NGINX, pod=7), True),
        # its parent is what nobody can read: it may descend from the act
        (nobodys(BY_NGINX, parent_exec_id=[], pod=None), True),
        (nobodys(BY_NGINX, parent_exec_id=[], pod=PROBE), True),
        (nobodys(BY_NGINX, parent_exec_id=[]), False),
        # something else of it cannot be read, and whose it is can
        (nobodys(BY_NGINX, uid=[], pod=None), False),
        # another node's is nobody's here; one of no node may be
        (of_node(nobodys(BY_NGINX), OTHER), False),
        (of_node(nobodys(BY_NGINX), ""), True),
        # a kind that has no process says nothing of anybody
        (event("test", {}, at=2.0), False),
    ],
)
def test_what_may_be_the_acts_is_a_stray_in_its_window(made: Event, *, stray: bool) -> None:
    """It is no event of its own, and whoever says that the act has no such event must mind it."""
    told = [execs(ONE, 1.0), made, exits(ONE, at=3.0)]
    (line,) = lines_of([FIRST], told, {NODE: Node(NODE)})
    assert line.own == (told[0], told[2])
    strays = [entry.event for entry in line.whole if entry.stray]
    assert strays == ([made] if stray else [])
    assert line.possible == ((*told[:1], made, *told[2:]) if stray else line.own)


def test_a_stray_belongs_to_the_window_that_it_falls_into() -> None:
    """What came while another act ran is not this one's."""
    made = nobodys(BY_NGINX)
    one, two = lines_of([FIRST, SECOND], [*whole(ONE), execs(TWO), made, exits(TWO)])
    assert [entry.stray for entry in one.whole] == [False, False]
    assert [entry.stray for entry in two.whole] == [False, True, False]


# what the runtime still did


CONTAINER = "2c3696150d73"
SHIM = Proc(ONE.pid, "/usr/bin/runc", f"init --id {CONTAINER}", pod="", ktime=5.0)
ANOTHER_SHIM = Proc(999, "/usr/bin/runc", f"init --id {CONTAINER}", pod="", ktime=6.0)
IN_CONTAINER = replace(FIRST, container=CONTAINER)


def entries(line: Any) -> list[tuple[Event, bool, bool]]:
    """The events of a timeline, whether each is the act's own, and whether it is the runtime's still."""
    return [(entry.event, entry.own, entry.runtime) for entry in line.whole]


def test_what_the_process_did_before_it_became_the_acts_program_is_the_acts_and_the_runtimes() -> None:
    """By its pid, before its exec; it is not told as the act's own story."""
    early = hooked(SHIM, file="/etc/passwd", at=-1.0)
    late = hooked(SHIM, file="/etc/group", at=0.5)
    told = [execs(SHIM), early, execs(ONE), late, exits(ONE, at=1.0)]
    (line,) = lines_of([FIRST], told)
    assert (early, True, True) in entries(line)
    assert line.own == (early, told[2], told[4])
    assert line.told == (told[2], told[4])
    # after the exec there is no such process of the runtime's any more: it is somebody else's
    assert (late, False, False) in entries(line)
    # the time is counted from the first event of the act, the runtime's included
    assert [round(entry.offset, 3) for entry in line.whole if entry.own] == [0.0, 1.0, 2.0]


def test_another_process_of_the_runtime_is_not_the_acts() -> None:
    """Nor is one of that number on another node, nor one in a pod."""
    for stranger in (
        replace(SHIM, pid=998),
        replace(SHIM, node=OTHER),
        replace(SHIM, pod="other/another"),
    ):
        early = hooked(stranger, file="/etc/passwd")
        (line,) = lines_of([FIRST], [early, *whole(ONE)], {NODE: Node(NODE)})
        assert line.own == tuple(whole(ONE))


def test_of_an_act_that_was_refused_the_runtimes_process_that_names_its_container_is_its_own() -> None:
    """Within its window, and one process only: a second one is of somebody else."""
    first, more = hooked(ANOTHER_SHIM, file="/a"), hooked(ANOTHER_SHIM, file="/b")
    second = hooked(replace(ANOTHER_SHIM, pid=998), file="/c")
    (line, next_act) = lines_of([IN_CONTAINER, SECOND], [first, second, more, *whole(TWO)])
    assert line.own == (first, more)
    assert line.root is None
    assert line.told == ()
    assert (second, False, False) in entries(line)
    assert next_act.own == tuple(whole(TWO))


@pytest.mark.parametrize(
    ("act", "shim"),
    [
        # nobody knows its container, or the process names another one
        (FIRST, ANOTHER_SHIM),
        (replace(FIRST, container="another"), ANOTHER_SHIM),
        (IN_CONTAINER, replace(ANOTHER_SHIM, node=OTHER)),
        (IN_CONTAINER, replace(ANOTHER_SHIM, pod="other/probe")),
    ],
)
def test_a_process_that_does_not_name_the_acts_container_is_a_bystander(act: Performed, shim: Proc) -> None:
    """It may be anybody's."""
    made = hooked(shim, file="/a")
    (line, _) = lines_of([act, SECOND], [made, *whole(TWO)], {NODE: Node(NODE)})
    assert line.own == ()


def test_the_runtimes_own_start_and_end_are_not_the_acts() -> None:
    """Only what it did meanwhile is."""
    told = [execs(ANOTHER_SHIM), hooked(ANOTHER_SHIM, file="/a"), exits(ANOTHER_SHIM)]
    (line, _) = lines_of([IN_CONTAINER, SECOND], [*told, *whole(TWO)])
    assert line.own == (told[1],)


def test_outside_of_its_window_the_runtime_did_it_for_another_act() -> None:
    """What came after the next act had begun is not of the one before."""
    made = hooked(ANOTHER_SHIM, file="/a")
    (line, _) = lines_of([IN_CONTAINER, SECOND], [execs(TWO), made, exits(TWO)])
    assert line.own == ()


@pytest.mark.parametrize(
    ("act", "shim", "may_be"),
    [
        (IN_CONTAINER, ANOTHER_SHIM, True),
        # of an act whose container nobody knows, of another node, of somebody's pod
        (FIRST, ANOTHER_SHIM, False),
        (IN_CONTAINER, replace(ANOTHER_SHIM, node=OTHER), False),
        (IN_CONTAINER, replace(ANOTHER_SHIM, pod="other/probe"), False),
    ],
)
def test_a_masked_process_of_the_runtime_may_be_that_of_an_act_that_was_refused(
    act: Performed, shim: Proc, *, may_be: bool
) -> None:
    """The mask may hide the container that it would name; an act that began has its own process."""
    made = hooked(replace(shim, arguments=f"--root{MASK}"), file="/a")
    (refused, begun) = lines_of([act, SECOND], [made, *whole(TWO)], {NODE: Node(NODE)})
    assert [entry.stray for entry in refused.whole] == [may_be]
    assert not any(entry.stray for entry in begun.whole)
    assert refused.own == ()


@pytest.mark.parametrize(("pod", "may_be"), [("", True), ("other/another", False)])
def test_a_process_of_the_runtime_without_a_number_may_be_the_one_that_became_the_acts(
    pod: str, *, may_be: bool
) -> None:
    """By its number it would be known, and it cannot be read; one in another pod is none."""
    told = hooked(replace(SHIM, pod=pod), file="/etc/passwd", at=-1.0).line
    unread = parse(told.replace(b'"pid": %d' % SHIM.pid, b'"pid": "?"', 1))
    assert isinstance(unread, Event)
    assert "process.pid" in unread.unread
    (line,) = lines_of([FIRST], [unread, *whole(ONE)])
    assert [entry.stray for entry in line.whole if entry.event is unread] == ([True] if may_be else [])


def test_of_two_refused_acts_each_has_its_own() -> None:
    """In their order: the first process is the first act's."""
    one, two = (hooked(replace(ANOTHER_SHIM, pid=pid), file="/a") for pid in (997, 998))
    act = performed("cat", "/tmp/b", container=CONTAINER)
    first, second = lines_of([IN_CONTAINER, act], [one, two])
    assert (first.own, second.own) == ((one,), (two,))


# which process is the act's


@pytest.mark.parametrize(
    ("argv", "binary", "arguments", "found"),
    [
        # arguments tell programs apart: what `cat` is here may be busybox
        (("cat", "/tmp/a"), "/bin/busybox", "/tmp/a", True),
        (("cat", "/tmp/a"), CAT, "/tmp/b", False),
        # without any, the name of the program must, wherever it lies
        (("/usr/local/bin/cat",), CAT, "", True),
        (("cat",), "/opt/a/b/cat", "", True),
        (("/opt/cat/dog",), CAT, "", False),
        (("cat",), "/usr/bin/tac", "", False),
        (("cat",), "cat", "", True),
    ],
)
def test_an_acts_process_is_known_by_its_arguments_or_else_by_its_name(
    argv: tuple[str, ...], binary: str, arguments: str, *, found: bool
) -> None:
    """A path may be told otherwise than it was asked for."""
    (line,) = lines_of([performed(*argv)], whole(started(100, binary, arguments)))
    assert line.root == (100 if found else None)


def test_a_process_without_an_id_is_nobodys_root() -> None:
    """Everything that has none would descend from it."""
    nameless = json.loads(execs(ONE).line)
    del nameless["process_exec"]["process"]["exec_id"]
    made = parse(json.dumps(nameless).encode())
    assert isinstance(made, Event)
    (line,) = lines_of([FIRST], [made, nobodys(BY_NGINX)])
    assert line.root is None
    assert line.own == ()


def test_where_nobody_missed_anything_nothing_is_open() -> None:
    """Neither on the act's node nor on another one."""
    (line,) = lines_of([FIRST], whole(ONE))
    assert (line.open, line.around, line.act, line.node) == ("", "", FIRST.id, NODE)


def test_another_nodes_silence_opens_what_bystanders_did() -> None:
    """The act's own side is closed by its own node."""
    (line,) = lines_of([FIRST], whole(ONE), NODES)
    assert line.open == ""
    assert line.around == "the stream of node other-node was not heard before the acts began"


def test_a_node_without_a_name_is_told_as_such() -> None:
    """And events without a node prove nothing of any."""
    acts, events = framed([FIRST], whole(ONE))
    nowhere = [replace(act, node="") for act in acts]
    (line,) = timelines(nowhere, [], {"": Node("")})[1:-1]
    assert line.open == "the stream of node ? was not heard before the acts began"
    (line,) = timelines(nowhere, [of_node(one, "") for one in events], {"": Node("")})[1:-1]
    assert line.open == "an event of the stream names no node, so nobody can say whose it is"


def test_what_came_just_before_an_act_may_be_its_own() -> None:
    """Its first events may be those that nobody can tell; what came before the act before it is that one's."""
    first, early = (nobodys(hooked(NGINX, file=f"/tmp/{name}", at=2.0)) for name in "xy")
    bystander = hooked(NGINX, file="/tmp/z", at=2.0)
    events = [execs(ONE, 1.0), first, exits(ONE, at=1.5), bystander, early, execs(TWO, 3.0), exits(TWO, at=4.0)]
    one, two = lines_of([FIRST, SECOND], events)
    assert [entry.event for entry in one.whole if entry.stray] == [first, early]
    assert [entry.event for entry in two.whole if entry.stray] == [early]
    assert two.possible == (early, *two.own)
    assert bystander not in two.bystanders


def test_before_the_first_act_the_start_sentinel_is_the_bound() -> None:
    """What came before it is of nobody here."""
    start, end = sentinel(START), sentinel(END)
    before, early = (nobodys(hooked(NGINX, file=f"/tmp/{name}")) for name in "xy")
    stream = [before, *of_sentinel(start, 1), early, *whole(ONE), *of_sentinel(end, 9999, 900.0)]
    line = timelines([start, FIRST, end], stream, {NODE: Node(NODE)})[1]
    assert [entry.event for entry in line.whole if entry.stray] == [early]
