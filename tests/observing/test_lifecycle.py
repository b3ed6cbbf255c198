"""Lifecycles: every way of telling an act wrongly is found, and no recorded act is told wrongly."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.builders import (
    BASH,
    CAT,
    NODE,
    RECORDINGS,
    Proc,
    child,
    execs,
    exits,
    fork,
    hooked,
    in_place,
    lines_of,
    performed,
    started,
)
from tetraproof.events.event import Event, Exit, Process, parse
from tetraproof.observing.lifecycle import exit_code, exit_of, faults, is_program, stray_of, unread_end
from tetraproof.observing.observation import Observed
from tetraproof.observing.timeline import Performed
from tetraproof.recordings.recording import Recording, open_recording
from tetraproof.targets.replay import Replay

ACT = performed("bash", "-c", "x")
SHELL = started(100, BASH, "-c x")
CHILD = child(SHELL, 101, CAT, "/tmp/a")
NGINX = started(7, "/usr/sbin/nginx", pod="default/nginx")
SUBSHELL = fork(SHELL, 102)
TAIL = child(SUBSHELL, 103, "/usr/bin/tail")
STAT = in_place(SHELL, "/usr/bin/stat", "/tmp/a")
WHOLE = [
    execs(SHELL),
    execs(CHILD),
    hooked(CHILD, file="/tmp/a", action="POST"),
    exits(CHILD, at=0.1),
    exits(SHELL, at=0.2),
]
KILLED_ACT = performed("bash", "-c", "x", exit_code=137)
REFUSED_ACT = performed("bash", "-c", "x", exit_code=126, stderr="OCI runtime exec failed: exec failed: EPERM\n")


def found(act: Performed, events: list[Event]) -> list[tuple[str, bool]]:
    """The faults of an act that these events tell, in words."""
    (line,) = lines_of([act], events)
    return [(fault.text, fault.missing) for fault in faults(act, line)]


@pytest.mark.parametrize(
    ("act", "events"),
    [
        (ACT, WHOLE),
        (ACT, [execs(SHELL), exits(SHELL)]),
        (KILLED_ACT, [execs(SHELL), hooked(SHELL, file="/tmp/a"), exits(SHELL, signal="SIGKILL")]),
        (KILLED_ACT, [execs(SHELL), exits(SHELL, 137)]),
        (ACT, [execs(SHELL), execs(TAIL), exits(TAIL), exits(SUBSHELL), exits(SHELL)]),
        (ACT, [execs(SHELL), execs(STAT), exits(STAT)]),
        (ACT, [execs(SHELL), execs(CHILD), exits(SHELL), exits(CHILD)]),
        (REFUSED_ACT, []),
        (performed("bash", "-c", "x", exit_code=None, broken="cut off"), [execs(SHELL), exits(SHELL, 3)]),
    ],
    ids=["child", "alone", "killed", "137", "subshell", "in place", "outlived", "refused", "no outcome"],
)
def test_a_whole_act_has_no_fault(act: Performed, events: list[Event]) -> None:
    """From exec to exit, once, in order, ending as it ended."""
    assert found(act, events) == []


def without(at: int) -> list[Event]:
    return WHOLE[:at] + WHOLE[at + 1 :]


def swapped(at: int) -> list[Event]:
    return [*WHOLE[:at], WHOLE[at + 1], WHOLE[at], *WHOLE[at + 2 :]]


def twice(at: int) -> list[Event]:
    return [*WHOLE[: at + 1], *WHOLE[at:]]


ELSEWHERE = replace(CHILD, pod="other/another")


@pytest.mark.parametrize(
    ("events", "word", "missing"),
    [
        ([], "no event of this act", True),
        (without(0), "does not begin with the exec of bash", True),
        (without(1), "no exec event of /usr/bin/cat", True),
        (without(3), "no exit event of /usr/bin/cat", True),
        (without(4), "no exit event of /usr/bin/bash", True),
        (twice(0), "the exec event of /usr/bin/bash is told 2 times", False),
        (twice(2), "the kprobe event of /usr/bin/cat is told 2 times", False),
        (twice(4), "the exit event of /usr/bin/bash is told 2 times", False),
        ([WHOLE[1], WHOLE[0], *WHOLE[2:]], "does not begin with the exec of bash", False),
        ([WHOLE[1], WHOLE[0], *WHOLE[2:]], "/usr/bin/cat is told before the process that started it", False),
        (swapped(1), "/usr/bin/cat acts before its exec is told", False),
        (swapped(2), "/usr/bin/cat acts after its exit is told", False),
        ([*WHOLE[:3], exits(replace(CHILD, binary=BASH), at=0.1), WHOLE[4]], "two values of binary", False),
        ([*WHOLE[:3], exits(replace(CHILD, arguments="/tmp/b"), at=0.1), WHOLE[4]], "two values of arguments", False),
        ([*WHOLE[:3], exits(ELSEWHERE, at=0.1), WHOLE[4]], "two values of pod", False),
        ([*WHOLE[:3], exits(ELSEWHERE, at=0.1), WHOLE[4]], "told of pod other/another", False),
        ([execs(replace(SHELL, binary="/usr/bin/sh")), exits(SHELL)], "the program is told as /usr/bin/sh", False),
        ([execs(SHELL), exits(SHELL, 3)], "says it ended with exit 3, who asked saw exit 0", False),
        ([execs(SHELL), exits(SHELL, signal="SIGKILL")], "says it ended with SIGKILL, who asked saw exit 0", False),
    ],
)
def test_every_fault_is_found(events: list[Event], word: str, *, missing: bool) -> None:
    """What is told wrongly is a fault at once; what is not told, only once the end was heard."""
    assert [is_missing for text, is_missing in found(ACT, events) if word in text] == [missing]


def test_two_exits_of_different_times_are_a_fault() -> None:
    """A second exit that is no copy of the first is told after the process is gone."""
    assert found(ACT, [execs(SHELL), exits(SHELL), exits(SHELL, at=9.0)]) == [
        ("/usr/bin/bash acts after its exit is told", False)
    ]


def test_137_told_by_the_agent_and_seen_by_who_asked_is_no_fault_with_either_word() -> None:
    """A shell gives 128 and the signal's number; both words mean the same exit code."""
    assert found(KILLED_ACT, [execs(SHELL), exits(SHELL, signal="SIGTERM")]) == [
        ("the agent says it ended with SIGTERM, who asked saw exit 137", False)
    ]


@pytest.mark.parametrize(
    ("status", "signal", "code"),
    [(0, "", 0), (3, "", 3), (0, "SIGKILL", 137), (0, "SIGTERM", 143), (137, "", 137), (0, "SIGNEW", -1)],
)
def test_the_exit_code_is_a_shells(status: int, signal: str, code: int) -> None:
    """An unknown signal is the exit code of nothing."""
    assert exit_code(Exit(Process(), status=status, signal=signal)) == code


def test_the_exit_of_an_act_is_its_own_process_and_no_child() -> None:
    """By the pid, which survives an exec in place."""
    (line,) = lines_of([ACT], [execs(SHELL), execs(CHILD), exits(CHILD, 7), execs(STAT), exits(STAT, 5)])
    told = exit_of(line)
    assert told is not None
    assert told.status == 5
    assert exit_of(lines_of([ACT], [execs(SHELL)])[0]) is None


def told(event: Event, side: str = "process", **fields: Any) -> Event:
    """The event, with fields of its process changed; nothing takes one away."""
    value = event.json()
    (kind,) = (name for name in value if name.startswith("process_"))
    process = {**value[kind][side], **fields}
    value[kind][side] = {name: content for name, content in process.items() if content is not None}
    made = parse(json.dumps(value).encode())
    assert isinstance(made, Event)
    return made


def odd_exit(process: Proc, **fields: Any) -> Event:
    """The exit of a process, with fields that nobody can read."""
    value = exits(process).json()
    value["process_exit"] |= fields
    made = parse(json.dumps(value).encode())
    assert isinstance(made, Event)
    return made


@pytest.mark.parametrize(
    ("asked", "told", "same"),
    [
        ("cat", "/usr/bin/cat", True),
        ("cat", "/bin/cat", True),
        ("cat", "/usr/local/sbin/cat", True),
        ("cat", "/usr/local/bin/cat", True),
        ("cat", "/usr/sbin/cat", True),
        ("cat", "/sbin/cat", True),
        ("cat", "/tmp/cat", False),
        ("cat", "/usr/bin/tac", False),
        ("cat", "cat", False),
        ("bin/cat", "/usr/bin/cat", False),
        ("/usr/bin/cat", "/usr/bin/cat", True),
        # /bin is /usr/bin: the runtime follows the link, and the agent may not
        ("/bin/cat", "/usr/bin/cat", True),
        ("/usr/bin/cat", "/bin/cat", True),
        ("/usr/sbin/nft", "/sbin/nft", True),
        ("/lib/ld.so", "/usr/lib/ld.so", True),
        ("/usr/share/x", "/share/x", False),
        ("/local/bin/cat", "/usr/local/bin/cat", False),
        # the same name elsewhere is another program
        ("/usr/bin/cat", "/tmp/cat", False),
        ("/tmp/cat", "/usr/bin/cat", False),
        ("/usr/bin/cat", "/usr/bin/tac", False),
        ("/usr/bin/cat/usr", "/usr/bin/cat", False),
    ],
)
def test_a_program_is_known_by_its_whole_path(asked: str, told: str, *, same: bool) -> None:
    """By its bare name only where a runtime looks for one."""
    assert is_program(asked, told) is same


LONG = "containerd://" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("containers", "mentioned", "faulty"),
    [
        (("", ""), "", False),
        (("a" * 15, "a" * 15), "", False),
        (("a" * 15, "a" * 14 + "b"), "", True),
        (("", "a" * 15), "", False),
        # the act's own record names it in full, with the runtime's scheme
        (("0123456789abcde", "0123456789abcde"), LONG, False),
        (("0123456789abcdX", ""), LONG, True),
        (("0123456789abcdef0123", "0123456789abcde"), LONG, False),
        (("", ""), LONG, False),
    ],
)
def test_an_act_stays_in_its_container(containers: tuple[str, str], mentioned: str, *, faulty: bool) -> None:
    """Ids are cut by agents, and compared as far as every one of them tells."""
    first, last = (
        told(event, docker=container or None)
        for event, container in zip((execs(SHELL), exits(SHELL)), containers, strict=True)
    )
    act = replace(ACT, container=mentioned)
    ids = sorted({*containers, mentioned} - {""})
    words = [text for text, missing in found(act, [first, last]) if "several containers" in text and not missing]
    assert words == ([f"its events are told of several containers: {' and '.join(ids)}"] if faulty else [])


def test_the_container_is_that_of_the_pod_where_both_are_told() -> None:
    """The older field is read only where the pod names none."""
    pod = {"namespace": "other", "name": "probe", "container": {"id": "b" * 15}}
    events = [told(execs(SHELL), docker="a" * 15, pod=pod), told(exits(SHELL), docker="b" * 15)]
    assert found(ACT, events) == []
    assert found(replace(ACT, container="b" * 64), events) == []
    assert found(replace(ACT, container="cc"), events) == [
        ("its events are told of several containers: bbbbbbbbbbbbbbb and cc", False)
    ]


@pytest.mark.parametrize("name", ["pid", "uid", "auid", "cwd", "ns", "container"])
def test_what_is_constant_of_a_process_is_told_once(name: str) -> None:
    """Another value in a later event contradicts the exec; none at all, or one that cannot be read, does not."""
    one: dict[str, Any] = {
        "pid": 100,
        "uid": 7,
        "auid": 7,
        "cwd": "/tmp",
        "ns": {"mnt": {"inum": 7}},
        "container": "c" * 15,
    }
    other: dict[str, Any] = {
        "pid": 101,
        "uid": 8,
        "auid": 8,
        "cwd": "/",
        "ns": {"mnt": {"inum": 8}},
        "container": "d" * 15,
    }
    field = "docker" if name == "container" else name
    begun = told(execs(SHELL), **{field: one[name]})

    def words(value: object) -> list[str]:
        return [
            text
            for text, missing in found(ACT, [begun, told(exits(SHELL), **{field: value})])
            if text.startswith("one process is told") and not missing
        ]

    assert words(one[name]) == []
    (text,) = words(other[name])
    assert text.startswith(f"one process is told with two values of {name}: ")
    assert " and " in text
    if name != "cwd":  # an agent tells it of every process, or of none
        assert words(None) == []
    if name in {"uid", "auid", "ns"}:
        assert words([1]) == []


def test_no_value_is_another_one() -> None:
    """Zero is a value: a user who became root is told otherwise than before."""
    events = [told(execs(SHELL), uid=0), told(exits(SHELL), uid=1000)]
    assert found(ACT, events) == [("one process is told with two values of uid: 0 and 1000", False)]


@pytest.mark.parametrize(("node", "faulty"), [(NODE, False), ("", False), ("another", True)])
def test_an_act_stays_on_its_node(node: str, *, faulty: bool) -> None:
    """An event of another node contradicts where it was made; one without a node does not."""
    (line,) = lines_of([ACT], [execs(SHELL), exits(SHELL)])
    last = msgspec.structs.replace(line.whole[-1].event, node=node)
    line = replace(line, whole=(*line.whole[:-1], replace(line.whole[-1], event=last)))
    words = [fault.text for fault in faults(ACT, line)]
    assert words == (["an event of it comes from node another, and it was made on tetra-node"] if faulty else [])
    nowhere = [fault.text for fault in faults(replace(ACT, node=""), line)]
    assert nowhere[0] == "an event of it comes from node tetra-node, and it was made on no node"


def test_a_pod_that_is_not_told_contradicts_none() -> None:
    """An agent that has not associated it yet tells none."""
    events = [execs(SHELL), told(exits(SHELL), pod=None)]
    assert found(ACT, events) == []


def test_each_other_pod_is_told_once() -> None:
    """However many events name it."""
    strays = [exits(replace(CHILD, pod=pod), at=0.1) for pod in ("other/b", "other/c", "other/b")]
    words = [text for text, _ in found(ACT, [*WHOLE[:3], *strays, WHOLE[4]]) if "told of pod" in text]
    assert words == ["an event of it is told of pod other/b", "an event of it is told of pod other/c"]


def test_a_refusal_by_the_runtime_has_no_events_to_miss() -> None:
    """One that failed otherwise has."""
    failed = performed("bash", "-c", "x", exit_code=126, stderr="bash: x: cannot execute\n")
    assert found(failed, []) == [("no event of this act", True)]


def test_an_act_that_exits_before_it_execs_does_not_begin_with_its_exec() -> None:
    """That the exec is there is not enough: an event stood before it."""
    events = [hooked(SHELL, action="POST"), execs(SHELL), exits(SHELL)]
    assert ("it does not begin with the exec of bash", False) in found(ACT, events)
    assert ("/usr/bin/bash acts before its exec is told", False) in found(ACT, events)


def test_a_fork_is_its_parents_program() -> None:
    """One that has another, or other arguments, must have told its exec."""
    for one, missing in (
        (fork(SHELL, 105), False),
        (replace(fork(SHELL, 105), binary=CAT), True),
        (replace(fork(SHELL, 105), arguments="-c y"), True),
    ):
        words = found(ACT, [execs(SHELL), exits(one), exits(SHELL)])
        assert words == ([(f"no exec event of {one.binary}", True)] if missing else [])


def test_a_process_that_became_another_is_named_by_what_it_was_last() -> None:
    """Its exit is missing as that of the program that it had become."""
    assert found(ACT, [execs(SHELL), execs(STAT)]) == [("no exit event of /usr/bin/stat", True)]


def test_an_exit_that_cannot_be_told_by_a_shell_contradicts_what_was_seen() -> None:
    """A signal that nobody knows gives no exit code that anybody saw."""
    assert found(KILLED_ACT, [execs(SHELL), exits(SHELL, signal="SIGNEW")]) == [
        ("the agent says it ended with SIGNEW, who asked saw exit 137", False)
    ]


@pytest.mark.parametrize(
    ("events", "faulty"),
    [
        ([execs(SHELL), exits(SHELL)], []),
        ([execs(SHELL), told(exits(SHELL), pid=[])], ["process.pid of its exit event cannot be read"]),
        ([execs(SHELL), odd_exit(SHELL, signal=[9])], ["signal of its exit event cannot be read"]),
        ([execs(SHELL), odd_exit(SHELL, status=[9])], ["status of its exit event cannot be read"]),
        (
            [execs(SHELL), told(execs(CHILD), "parent", pid=[]), exits(CHILD), exits(SHELL)],
            ["parent.pid of its exec event cannot be read"],
        ),
    ],
)
def test_what_cannot_be_read_is_neither_wrong_nor_missing(events: list[Event], faulty: list[str]) -> None:
    """It is passed over where the others are held against each other, and leaves open what else is missing."""
    (line,) = lines_of([ACT], events)
    every = list(faults(ACT, line))
    assert [fault.text for fault in every if fault.unread] == faulty
    assert [fault.text for fault in every if not fault.unread and not fault.missing] == []
    assert all(not fault.missing for fault in every if fault.unread)
    assert bool([fault for fault in every if fault.missing]) is bool(faulty)


def test_what_contradicts_itself_is_wrong_whatever_cannot_be_read_beside_it() -> None:
    """Two other events that do not agree."""
    events = [execs(SHELL), told(exits(CHILD), pid=[]), exits(SHELL, 7), execs(CHILD)]
    every = found(ACT, events)
    assert ("the agent says it ended with exit 7, who asked saw exit 0", False) in every
    assert ("process.pid of its exit event cannot be read", False) in every


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (exits(SHELL), ""),
        (exits(SHELL, signal="SIGKILL"), ""),
        (told(exits(SHELL), uid=[]), ""),
        (odd_exit(SHELL, signal=[9]), "signal of an exit event cannot be read"),
        (odd_exit(SHELL, status=[9]), "status of an exit event cannot be read"),
        (told(exits(SHELL), pid=[]), "process.pid of an exit event cannot be read"),
        (told(hooked(SHELL, action="POST"), pid=[]), ""),
    ],
)
def test_an_end_that_was_told_and_cannot_be_read_is_told_so(made: Event, why: str) -> None:
    """Of an exit alone; nothing where all of it can be read, or none was told."""
    (line,) = lines_of([ACT], [execs(SHELL), made])
    assert unread_end(line) == why
    readable = made.kind == "exit" and not why
    assert (exit_of(line) is not None) is readable


def nobodys(made: Event) -> Event:
    """The event without its process."""
    value = made.json()
    (kind,) = (name for name in value if name.startswith("process_"))
    del value[kind]["process"]
    again = parse(json.dumps(value).encode())
    assert isinstance(again, Event)
    return again


def test_an_event_of_nobody_known_leaves_the_end_open() -> None:
    """It may be the act's own end, whichever was told beside it."""
    stray = nobodys(exits(SHELL, signal="SIGKILL"))
    (line,) = lines_of([ACT], [execs(SHELL), stray])
    assert stray_of(line) == "of one exit event nobody can tell whose it is"
    assert unread_end(line) == "of one exit event nobody can tell whose it is"
    (line,) = lines_of([ACT], [execs(SHELL), exits(SHELL)])
    assert (stray_of(line), unread_end(line)) == ("", "")


def test_an_event_of_the_act_without_a_node_is_as_good_as_nobodys() -> None:
    """Its node's stream is not proven by it; a bystander's is no matter of this act."""
    (line,) = lines_of([ACT], [execs(SHELL), hooked(NGINX, action="POST"), exits(SHELL)])
    for at, stray in ((0, "of one exec event nobody can tell whose it is"), (1, "")):
        entry = line.whole[at]
        nowhere = replace(entry, event=msgspec.structs.replace(entry.event, node=""))
        changed = replace(line, whole=(*line.whole[:at], nowhere, *line.whole[at + 1 :]))
        assert stray_of(changed) == stray


def test_an_act_whose_process_is_not_known_has_no_end_that_is() -> None:
    """Its events are its own by their descent, and which of them is of its own process nobody knows."""
    (line,) = lines_of([ACT], [execs(SHELL), exits(SHELL)])
    assert unread_end(replace(line, root=None)) == "which process is its own cannot be read"
    (refused,) = lines_of([REFUSED_ACT], [])
    assert unread_end(refused) == ""


def test_an_exec_that_cannot_be_read_is_no_other_beginning() -> None:
    """With what the act began is then not known; an odd event of a child says nothing of that."""
    odd = told(execs(SHELL), uid=[])
    every = found(ACT, [odd, execs(CHILD), exits(CHILD), exits(SHELL)])
    assert not [text for text, _ in every if "does not begin" in text]
    late = found(ACT, [hooked(SHELL, action="POST"), execs(SHELL), told(execs(CHILD), uid=[]), exits(SHELL)])
    assert ("it does not begin with the exec of bash", False) in late
    odd_hook = told(hooked(SHELL, action="POST"), uid=[])
    late = found(ACT, [odd_hook, hooked(SHELL, action="POST"), execs(SHELL), exits(SHELL)])
    assert ("it does not begin with the exec of bash", False) in late


# what was recorded


@cache
def opened(path: Path) -> Recording:
    return open_recording(path)


SHIPPED = [
    pytest.param(path, scenario.name, id=f"{path.name.removeprefix('k8s-')}/{scenario.name}")
    for path in sorted(RECORDINGS.iterdir())
    if path.is_dir()
    for scenario in opened(path).index.scenarios
    if not scenario.change and scenario.unanswered is None
]


def observed(path: Path, scenario: str) -> Observed:
    return Replay(opened(path)).observe(None, {}, (), scenario)


@pytest.mark.parametrize(("path", "scenario"), SHIPPED)
def test_no_recorded_act_is_told_wrongly(path: Path, scenario: str) -> None:
    """Every act of every shipped scenario; where the stream's end was not heard, what is missing does not count.

    What was done before the stream was heard to begin is no act but its preparation.
    """
    acts = [done for done in observed(path, scenario).others if done.performed.role == "act"]
    assert acts
    for done in acts:
        told = [fault for fault in faults(done.performed, done.timeline) if not (fault.missing and done.timeline.open)]
        assert told == [], done.performed.id


def test_enough_is_recorded_to_prove_something() -> None:
    """Without enforced scenarios heard to their end the test above would prove nothing."""
    every = [observed(*param.values) for param in SHIPPED]  # type: ignore[arg-type]
    enforced = [one for one in every if all(state.enabled for state in one.states)]
    assert sum(not done.timeline.open for one in enforced for done in one.others) > 150
