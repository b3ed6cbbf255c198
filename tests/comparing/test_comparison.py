"""Two results held against each other: what changed is told, and what always differs is not."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.report.test_result import LEAST
from tetraproof.comparing.comparison import Behaved, Comparison, Turned, compare
from tetraproof.comparing.plain import Names, plain, same, without_numbers
from tetraproof.policies.binding import Bindings, PodBinding
from tetraproof.report.result import (
    ActResult,
    ClaimResult,
    EventResult,
    LimitResult,
    PolicyResult,
    Result,
    TargetResult,
    TimelineResult,
)

HERE = Bindings(workloads={"probe": (PodBinding("tetraproof-1-other", "probe-0", "10.0.0.3"),)})
THERE = Bindings(workloads={"probe": (PodBinding("tetraproof-2-other", "probe-0", "10.0.0.9"),)})


def an_event(action: str = "SIGKILL", file: str = "/tmp/guarded", **process: Any) -> EventResult:
    told = {
        "process": {
            "exec_id": "a",
            "pid": 1,
            "binary": "/usr/bin/bash",
            "pod": {"uid": "x", "name": "probe"},
            **process,
        },
        "parent": {"binary": "/usr/bin/runc", "cwd": "/run/1"},
        "function_name": "fd_install",
        "action": action,
        "args": [{"file_arg": {"path": file}}],
    }
    return EventResult(
        0.0, "kprobe", True, f"fd_install  {file}  {action}", "", "other/probe", {"process_kprobe": told}
    )


def an_act(*events: EventResult, name: str = "act", **fields: Any) -> ActResult:
    timeline = TimelineResult("node", 1.0, fields.pop("open", ""), events)
    whole = {"exit_code": 0, "ended": "exit 0", **fields}
    return ActResult(name, ("true",), "probe", whole.pop("role", "act"), timeline=timeline, **whole)


def a_result(
    *acts: ActResult,
    claims: dict[str, str | None] | None = None,
    limits: dict[str, str] | None = None,
    bindings: Bindings = HERE,
    **fields: Any,
) -> Result:
    verdict = fields.get("verdict", "conforms")
    policy = PolicyResult(
        fields.get("name", "guard"),
        "",
        "",
        "suites/test_a.py",
        verdict,
        f"{verdict} · all of it",
        verdict,
        "",
        claims=tuple(ClaimResult(name, name, said, "the reason") for name, said in (claims or {}).items()),
        limits=tuple(LimitResult(name, name, name, said, "the reason") for name, said in (limits or {}).items()),
        acts=acts,
    )
    return replace(LEAST, policies=(policy,), target=TargetResult("kind", LEAST.target.cell, (), bindings))


def changed(before: Result, after: Result) -> Comparison:
    made = compare(before, after)
    itself = compare(before, before)
    assert [itself.turned, itself.behaved, itself.retold, itself.gone, itself.new] == [[]] * 5
    return made


def what(before: ActResult, after: ActResult) -> list[str]:
    return [one.what for one in changed(a_result(before), a_result(after)).behaved]


# verdicts


@pytest.mark.parametrize(
    ("was", "now", "worse"),
    [
        ("conforms", "violates", True),
        ("conforms", "inconclusive", True),
        ("conforms", "unsupported", True),
        ("conforms", "unrecorded", True),
        ("conforms", None, True),
        ("violates", "conforms", False),
        ("violates", "inconclusive", False),
        (None, "violates", False),
    ],
)
def test_a_promise_that_turned_is_told(was: str | None, now: str | None, worse: bool) -> None:
    """It is worse where it conformed."""
    made = changed(a_result(claims={"test_a": was}), a_result(claims={"test_a": now}))
    assert made.turned == [Turned("guard", "test_a", was or "not judged", now or "not judged", "the reason")]
    assert bool(made.worse) is worse


def test_a_promise_that_is_gone_is_worse_and_a_new_one_is_not() -> None:
    """Nobody can tell of what nobody asks any more."""
    made = changed(a_result(claims={"test_a": "conforms"}), a_result(claims={"test_b": "violates"}))
    assert {(one.promise, one.before, one.after) for one in made.turned} == {
        ("test_a", "conforms", "none"),
        ("test_b", "none", "violates"),
    }
    assert [one.promise for one in made.worse] == ["test_a"]


def test_a_policy_s_verdict_and_a_limit_are_told_and_are_no_promise() -> None:
    """They follow from promises, or promise nothing."""
    made = changed(a_result(limits={"rename": "stops"}), a_result(limits={"rename": "passes"}, verdict="violates"))
    assert [(one.promise, one.before, one.after) for one in made.turned] == [
        ("", "conforms", "violates"),
        ("limit rename", "stops", "passes"),
    ]
    assert made.worse == []


def test_policies_that_only_one_has_are_named() -> None:
    """And nothing else is said of them."""
    made = changed(a_result(name="a", claims={"test": "conforms"}), a_result(name="b"))
    assert (made.gone, made.new, made.turned, made.compared) == (["a"], ["b"], [], 0)


# acts


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (an_act(), an_act(ended="exit 137", exit_code=137), ["exit 0 before, exit 137 now"]),
        (an_act(stdout="a"), an_act(stdout="b"), ["stdout was 'a', and is 'b'"]),
        (an_act(stderr=""), an_act(stderr="no"), ["stderr was '', and is 'no'"]),
        (an_act(stdout="took 12 ms of 10.0.0.3"), an_act(stdout="took 9 ms of 10.0.0.3"), []),
        (an_act(an_event()), an_act(), ["no more told: kprobe fd_install  /tmp/guarded  SIGKILL"]),
        (an_act(), an_act(an_event()), ["newly told: kprobe fd_install  /tmp/guarded  SIGKILL"]),
        (an_act(an_event()), an_act(an_event(), an_event()), ["newly told: kprobe fd_install  /tmp/guarded  SIGKILL"]),
        (
            an_act(an_event()),
            an_act(an_event("POST")),
            [
                "no more told: kprobe fd_install  /tmp/guarded  SIGKILL",
                "newly told: kprobe fd_install  /tmp/guarded  POST",
            ],
        ),
        (
            an_act(an_event("POST"), an_event()),
            an_act(an_event(), an_event("POST")),
            ["another order: kprobe fd_install  /tmp/guarded  SIGKILL"],
        ),
        (an_act(), an_act(open="a loss"), ["its stream was heard to the end before, and is not now"]),
        (an_act(open="a loss"), an_act(), ["its stream was not heard to the end before, and is now"]),
        (an_act(stdout="a", role="prepare"), an_act(stdout="b", role="prepare"), []),
        (an_act(stdout="a", missing="nobody"), an_act(stdout="b"), []),
    ],
)
def test_what_became_of_an_act_is_told(before: ActResult, after: ActResult, told: list[str]) -> None:
    """Also where no verdict changed; a scene that was set, and what nobody performed, is no act."""
    assert what(before, after) == told


def test_events_of_others_are_not_the_act_s() -> None:
    """Bystanders come and go."""
    other = replace(an_event(), own=False)
    assert what(an_act(other), an_act()) == []


# fields


@pytest.mark.parametrize(
    "process",
    [
        {"exec_id": "b"},
        {"pid": 2, "tid": 3},
        {"start_time": "2026-11-27T00:00:00Z"},
        {"pod": {"uid": "y", "name": "probe"}},
        {"pod": {"uid": "x", "name": "probe", "container": {"id": "c", "image": {"id": "d"}, "start_time": "e"}}},
        {"pod": {"uid": "x", "name": "probe", "pod_labels": {"tetraproof.dev/run": "1"}}},
    ],
)
def test_what_is_another_at_every_run_is_no_change(process: dict[str, Any]) -> None:
    """Times, ids, numbers of processes, the run's own labels, the node's runtime."""
    made = changed(a_result(an_act(an_event())), a_result(an_act(an_event(**process))))
    assert made.retold == []


def test_a_field_that_many_events_tell_otherwise_is_told_once() -> None:
    """With how many, of which kinds, and where first."""
    made = changed(a_result(an_act(an_event(), an_event())), a_result(an_act(an_event(uid=5), an_event(uid=5))))
    (told,) = made.retold
    assert (told.way, told.before, told.after, told.events) == ("process.uid", "none", "5", 2)
    assert (told.kinds, told.first) == (["kprobe"], "guard · act")
    assert made.behaved == []


def test_another_file_is_told_by_its_field() -> None:
    """The event is the same, and what it is about is not."""
    made = changed(a_result(an_act(an_event())), a_result(an_act(an_event(file="/tmp/other"))))
    assert [(one.way, one.after) for one in made.retold] == [("args.0.file_arg.path", "/tmp/other")]


def test_what_a_target_binds_goes_by_its_name() -> None:
    """A namespace of the run's own and a pod's address are no change, and another namespace is."""

    def told(namespace: str, address: str) -> ActResult:
        pod = {"namespace": namespace, "name": "probe-0"}
        return an_act(an_event(arguments=f"http://{address}/ {namespace}/probe-0", pod=pod))

    before = a_result(
        told("tetraproof-1-other", "10.0.0.3"), bindings=replace(HERE, namespaces={"other": "tetraproof-1-other"})
    )
    there = replace(THERE, namespaces={"other": "tetraproof-2-other"})
    assert compare(before, a_result(told("tetraproof-2-other", "10.0.0.9"), bindings=there)).retold == []
    assert compare(before, a_result(told("kube-system", "10.0.0.9"), bindings=there)).retold != []


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("http://10.0.64.1/", "http://{ranges.outside}/", True),
        ("10.0.0.3", "192.168.1.1", True),
        ("10.0.0.3", "203.0.113.10", False),
        ("{probe.ip}", "{nginx.ip}", False),
        ("127.0.0.1", "10.0.0.1", False),
        ("a", "b", False),
    ],
)
def test_an_address_of_a_cluster_is_one_by_any_name(one: str, other: str, alike: bool) -> None:
    """An address of the internet, or this machine's own, is another."""
    assert same(one, other) is alike


def test_ports_that_the_kernel_chose_are_no_change() -> None:
    """One that a program asked for is."""

    def port(number: int) -> dict[str, str]:
        return plain({"sock_arg": {"sport": number}}, Names(Bindings()))

    assert port(42064) == port(53690)
    assert port(80) != port(443)


def test_names_that_programs_make_up_are_no_change() -> None:
    """Of sed's file, of a ReplicaSet's pod, and of a process by whose number a path leads."""
    names = Names(Bindings())
    assert names.told("/html/sedXKHuHU") == names.told("/html/sedD8mYTy")
    assert names.told("nginx-795c6cd55d-jvmml") == "nginx"
    assert names.told("block-nginx-write") == "block-nginx-write"
    assert names.told("/proc/359/root/usr/bin/bash") == names.told("/proc/1360/root/usr/bin/bash")
    assert names.told("/proc/359/root/usr/bin/bash") != names.told("/proc/359/root/usr/bin/dash")
    assert without_numbers("pid 12", names) == without_numbers("pid 7", names)


def test_behaviour_is_told_by_policy_and_act() -> None:
    """As what it is."""
    made = changed(a_result(an_act(name="one")), a_result(an_act(name="one", ended="exit 1")))
    assert made.behaved == [Behaved("guard", "one", "exit 0 before, exit 1 now")]
