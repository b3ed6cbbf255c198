"""What an act is asked: killed, denied, stopped, exited, told, shown, counted; and what nobody can know of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.builders import (
    BASH,
    NODE,
    child,
    execs,
    exits,
    framed,
    hooked,
    of_sentinel,
    performed,
    policy,
    run_of,
    sentinel,
    started,
    state,
)
from tetraproof.act import Act, shell
from tetraproof.answer import Judgement, Undecided, Unknown, judge
from tetraproof.binding import Bindings, PodBinding
from tetraproof.capability import Counters
from tetraproof.event import Event
from tetraproof.expectation import Exactly, Exec, Exit, Kprobe
from tetraproof.observation import Done, Observed
from tetraproof.scenario import Run
from tetraproof.timeline import START, Node, timelines
from tetraproof.verdict import Verdict

V, C, I = Verdict.VIOLATES, Verdict.CONFORMS, Verdict.INCONCLUSIVE  # noqa: E741 - columns of a table
ACT = shell("x")
SHELL = started(100, BASH, "-c x")
CAT = child(SHELL, 101, "/usr/bin/cat", "/tmp/a")
OPENED = hooked(SHELL, file="/tmp/guarded")
BY_SIGKILL = [execs(SHELL), OPENED, exits(SHELL, signal="SIGKILL")]
BY_ITSELF = [execs(SHELL), exits(SHELL, 137)]
WELL = [execs(SHELL), exits(SHELL)]
CHILD_KILLED = [execs(SHELL), execs(CAT), exits(CAT, signal="SIGKILL"), exits(SHELL, 1)]
OOM = "command terminated with exit code 137\n"
EPERM = "bash: line 1: /tmp/guarded: Operation not permitted\n"
# as recorded, and as other versions of kubectl and containerd wrap it
RECORDED = "exec /usr/bin/passwd: operation not permitted\n"
WRAPPED = (
    "error: Internal error occurred: error executing command in container: failed to exec in container: "
    'failed to start exec "0a1b": OCI runtime exec failed: exec failed: unable to start container process: '
    "exec /usr/bin/passwd: operation not permitted: unknown\n"
)

Question = Callable[[Run], bool]


def seen(events: list[Event], exit_code: int | None = 0, *, heard: bool = True, **said: str) -> Run:
    """A run of one act, `it`."""
    act = performed(*ACT.argv, exit_code=exit_code, **said)
    return run_of({"it": (ACT, act)}, events, frame={"heard": heard})


def judged(run: Run, question: Question, *, negated: bool = False) -> Judgement:
    """What comes of `assert question` (or `assert not question`)."""

    def body() -> None:
        assert question(run) != negated

    return judge(body)


def verdict(run: Run, question: Question, *, negated: bool = False) -> Verdict:
    """Its verdict alone."""
    return judged(run, question, negated=negated).verdict


KILLED, DENIED, STOPPED, SUCCEEDED, TOLD, EXITED_137, EXITED_1 = (
    lambda run: run.it.killed,
    lambda run: run.it.denied,
    lambda run: run.it.stopped,
    lambda run: run.it.succeeded,
    lambda run: run.it.told,
    lambda run: run.it.exited(137),
    lambda run: run.it.exited(1),
)
COLUMNS = {
    "killed": KILLED,
    "137": EXITED_137,
    "1": EXITED_1,
    "denied": DENIED,
    "stopped": STOPPED,
    "ok": SUCCEEDED,
    "told": TOLD,
}


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        #                                                        killed 137 1  denied stopped ok told
        pytest.param(seen(WELL), (V, V, V, V, V, C, C), id="went well"),
        pytest.param(seen(BY_SIGKILL, 137, stderr=OOM), (C, V, V, V, C, V, C), id="killed and told"),
        pytest.param(seen(BY_SIGKILL, 137, stderr=OOM, heard=False), (C, V, V, V, C, V, I), id="killed, unheard"),
        pytest.param(seen(BY_ITSELF, 137), (V, C, V, V, I, V, C), id="137 by itself"),
        pytest.param(seen(BY_ITSELF, 137, heard=False), (V, C, V, V, I, V, I), id="137 by itself, unheard"),
        pytest.param(seen([execs(SHELL)], 137), (V, V, V, V, I, V, V), id="137 and no exit told"),
        pytest.param(seen([execs(SHELL)], 137, heard=False), (I, I, V, V, I, V, I), id="137, no exit yet, unheard"),
        pytest.param(seen([], 137), (V, V, V, V, I, V, V), id="137 and nothing told"),
        pytest.param(seen([], 137, heard=False), (I, I, V, V, I, V, I), id="137 and nothing told, unheard"),
        pytest.param(seen(BY_SIGKILL, 0), (V, V, V, V, V, V, V), id="a kill told, and it went well"),
        pytest.param(seen(BY_SIGKILL, 0, heard=False), (V, V, V, V, V, V, V), id="the same, unheard"),
        pytest.param(seen(CHILD_KILLED, 1), (V, V, C, V, C, V, C), id="a child killed"),
        pytest.param(seen([execs(SHELL), exits(SHELL, 1)], 1, stderr=EPERM), (V, V, C, C, C, V, C), id="denied"),
        pytest.param(seen([execs(SHELL), exits(SHELL)], 0, stderr=EPERM), (V, V, V, V, V, C, C), id="denied, and well"),
        pytest.param(seen([execs(SHELL), exits(SHELL, 1)], 1), (V, V, C, V, I, V, C), id="failed otherwise"),
        pytest.param(seen([], 1, stderr=RECORDED), (V, V, C, C, C, V, C), id="denied to the runtime"),
        pytest.param(seen([], 126, stderr=WRAPPED), (V, V, V, C, C, V, C), id="denied to the runtime, wrapped"),
        pytest.param(seen(WELL, None, broken="the connection was cut"), (I,) * 7, id="broken exec"),
        pytest.param(seen(BY_SIGKILL, None, broken="the connection was cut"), (I,) * 7, id="broken exec, kill told"),
    ],
)
def test_what_became_of_an_act(run: Run, expected: tuple[Verdict, ...]) -> None:
    """Every question to every outcome: a column is a question, a row an outcome with what the agent told."""
    found = {name: verdict(run, question) for name, question in COLUMNS.items()}
    assert found == dict(zip(COLUMNS, expected, strict=True))


@pytest.mark.parametrize("name", COLUMNS)
def test_what_nobody_recorded_is_unrecorded_whatever_is_asked(name: str) -> None:
    """An act that is not there has no outcome, no timeline and no surroundings."""
    lack = Unknown(Verdict.UNRECORDED, "act it was not recorded")
    run = Run(Observed("made", None, {"it": lack}), (Act(("x",), name="it"),))
    others: list[Question] = [
        lambda run: Exec() in run.it.timeline,
        lambda run: Exec() in run.it.surroundings,
        lambda run: run.it.shown("…"),
    ]
    for question in (COLUMNS[name], *others):
        assert verdict(run, question) is Verdict.UNRECORDED
        assert verdict(run, question, negated=True) is Verdict.UNRECORDED
    assert not run.it.recorded


NGINX = started(7, "/usr/sbin/nginx", pod="default/nginx")
BESIDE = hooked(NGINX, file="/tmp/guarded")


@pytest.mark.parametrize(
    ("question", "closed", "unheard"),
    [
        (lambda run: Kprobe("fd_install") in run.it.timeline, C, C),
        (lambda run: Kprobe("fd_install") not in run.it.timeline, V, V),
        (lambda run: Kprobe("tcp_connect") in run.it.timeline, V, I),
        (lambda run: Kprobe("tcp_connect") not in run.it.timeline, C, I),
        (lambda run: Exactly(1, Kprobe("fd_install")) in run.it.timeline, C, I),
        (lambda run: Exactly(0, Kprobe("fd_install")) in run.it.timeline, V, V),
        (lambda run: Exit(signal="SIGKILL") in run.it.timeline, C, C),
        (lambda run: Kprobe().by("/usr/sbin/nginx") in run.it.timeline, V, I),
        (lambda run: Kprobe().by("/usr/sbin/nginx") in run.it.surroundings, C, C),
        (lambda run: Kprobe().by(BASH) not in run.it.surroundings, C, I),
    ],
)
def test_what_a_timeline_holds(question: Question, closed: Verdict, unheard: Verdict) -> None:
    """Seen is seen; absence needs proof of listening; the act's own side and the bystanders' are two."""
    events = [execs(SHELL), OPENED, BESIDE, BY_SIGKILL[-1]]
    assert verdict(seen(events, 137), question) is closed
    assert verdict(seen(events, 137, heard=False), question) is unheard


def test_bystanders_of_a_node_that_was_not_heard_prove_no_absence() -> None:
    """The act's node was heard to its end; whether nginx, on another one, told all, nobody knows."""
    nodes = {name: Node(name) for name in (NODE, "other-node")}
    elsewhere = sentinel(START, node="other-node")
    act = performed(*ACT.argv)
    every, stream = framed(
        [elsewhere, act], [*of_sentinel(elsewhere, 11, 1.0), execs(SHELL, 2.0), exits(SHELL, at=3.0)]
    )
    line = timelines(every, stream, nodes)[2]
    run = Run(Observed("made", None, {"it": Done(act, line)}), (Act(ACT.argv, name="it"),))
    assert verdict(run, lambda run: Kprobe() not in run.it.timeline) is C
    assert verdict(run, lambda run: Kprobe() not in run.it.surroundings) is I


# shown as tetra shows it


SHOWN = ("🚀 process other/probe /usr/bin/bash -c x", "💥 exit    other/probe /usr/bin/bash -c x 0")
BETWEEN = ("🚀 process other/probe /usr/bin/true", "💥 exit    other/probe /usr/bin/true 0")


def rendered(*lines: str, heard: bool = True) -> Run:
    """A run whose stream tetra has printed: two lines of a sentinel, the act's, and two of the other sentinel."""
    printed = (*BETWEEN, *lines, *(BETWEEN if heard else ()))
    act = performed(*ACT.argv)
    return run_of({"it": (ACT, act)}, WELL, frame={"heard": heard}, compact=printed)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (SHOWN, C),
        (("🚀 process …/probe /usr/bin/bash …", "…SIGKILL"), V),
        (("🚀 process …/probe /usr/bin/bash …", "💥 exit    … 0"), C),
        (SHOWN[:1], V),
        ((*SHOWN, "…"), V),
        (("🚀 process …/prob", SHOWN[1]), V),
        (("🚀 process ./probe /usr/bin/bash -c x", SHOWN[1]), V),
    ],
)
def test_shown_is_the_lines_that_tetra_prints(lines: tuple[str, ...], expected: Verdict) -> None:
    """Line by line and whole, `…` standing for anything and everything else for itself."""
    assert verdict(rendered(*SHOWN), lambda run: run.it.shown(*lines)) is expected


def test_shown_needs_the_streams_end_only_where_it_differs() -> None:
    """Lines that are there are there; more could come while the end was not heard."""
    unheard = rendered(*SHOWN, heard=False)
    assert verdict(unheard, lambda run: run.it.shown(*SHOWN)) is C
    assert verdict(unheard, lambda run: run.it.shown(*SHOWN, "📬 open …")) is I


def test_shown_without_tetras_own_output_is_unrecorded() -> None:
    """Our own rendering is no witness."""
    assert verdict(seen(WELL), lambda run: run.it.shown(*SHOWN)) is Verdict.UNRECORDED


@pytest.mark.parametrize(
    ("stdout", "text", "expected"),
    [
        ("foo\n", "foo\n", C),
        ("foo\r\n", "foo\n", C),
        (f"foo\n{OOM}", "foo\n", C),
        ("foo", "foo\n", V),
        ("", "foo\n", V),
    ],
)
def test_printed_is_exact_but_for_what_a_terminal_adds(stdout: str, text: str, expected: Verdict) -> None:
    """Line breaks of a terminal and kubectl's last word are not the program's."""
    assert verdict(seen(WELL, stdout=stdout), lambda run: run.it.printed(text)) is expected


def test_said_is_on_either_stream() -> None:
    """Output or error."""
    for run in (seen(WELL, stdout="ab"), seen(WELL, stderr="ab")):
        assert verdict(run, lambda run: run.it.said("b")) is C
    assert verdict(seen(WELL, stdout=OOM), lambda run: run.it.said("terminated")) is V


# counters, mode, loading


def counted(
    *events: Event, counters: Counters | None = None, posted: Any = None, heard: bool = True, **more: Any
) -> Run:
    """A run of one killed act, with the agent's own counts."""
    told: dict[str, Any] = {}
    if counters:
        told = {"states": (state(counters=Counters()),), "states_after": (state(counters=counters),)}
    told |= {} if posted is None else {"posted": posted}
    act = performed(*ACT.argv, exit_code=137)
    return run_of({"it": (ACT, act)}, events or BY_SIGKILL, frame={"heard": heard}, **told, **more)


COUNTERS = Counters(post=3, enforce=2, monitor=1)


@pytest.mark.parametrize(
    ("wanted", "counters", "posted", "expected"),
    [
        ({"enforce": 2}, COUNTERS, None, C),
        ({"enforce": 3}, COUNTERS, None, V),
        ({"post": 3, "enforce": 2, "monitor": 1}, COUNTERS, None, C),
        ({"post": 3, "enforce": 1}, COUNTERS, None, V),
        ({"enforce": 0}, Counters(), None, C),
        # without counters the policy's events in the metrics are asked, which tell no kind
        ({"enforce": 2}, None, {BASH: 1, "/usr/bin/cat": 1}, C),
        ({"enforce": 2}, None, {BASH: 1}, V),
        ({"enforce": 0}, None, {}, C),
        ({"enforce": 0}, None, {BASH: 1}, V),
        ({"enforce": 0, "monitor": 2}, None, {BASH: 2}, C),
        ({"post": 2, "enforce": 2}, None, {BASH: 2}, C),
        ({"enforce": 2}, None, None, Verdict.UNRECORDED),
        # counters outweigh metrics
        ({"enforce": 2}, COUNTERS, {BASH: 9}, C),
    ],
)
def test_what_the_agent_counted(
    wanted: dict[str, int], counters: Counters | None, posted: dict[str, int] | None, expected: Verdict
) -> None:
    """Its counters where it keeps any, otherwise its metrics, otherwise nobody knows."""
    assert verdict(counted(counters=counters, posted=posted), lambda run: run.counts(**wanted)) is expected


def test_counters_are_summed_over_nodes() -> None:
    """Two agents that each enforced once enforced twice."""
    each = tuple(state(node, counters=Counters(1, 1, 0)) for node in (NODE, "other-node"))
    before = tuple(state(node, counters=Counters(0, 0, 0)) for node in (NODE, "other-node"))
    run = run_of({"it": (ACT, performed(*ACT.argv))}, states=before, states_after=each)
    assert verdict(run, lambda run: run.counts(post=2, enforce=2)) is C


def all_counted(run: Run) -> bool:
    return run.counts(enforce=run.reported(Kprobe("fd_install")))


def test_counted_and_reported_agree() -> None:
    """As many enforcements counted as reported; an event too few is refuted."""
    assert verdict(counted(counters=Counters(1, 1, 0)), all_counted) is C
    assert verdict(counted(counters=Counters(2, 2, 0)), all_counted) is V


def test_what_was_not_heard_is_not_miscounted() -> None:
    """More counted than reported, of a stream that was not heard to its end, refutes nothing."""
    assert verdict(counted(counters=Counters(2, 2, 0), heard=False), all_counted) is I


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"counters": Counters(post=2)}, C),
        ({"counters": Counters(post=1)}, V),
        ({"posted": {BASH: 2}}, C),
        ({"posted": {}}, V),
        ({}, Verdict.UNSUPPORTED),
        ({"counters": Counters(post=2), "heard": False}, I),
    ],
)
def test_counted_more_than_is_shown(told: dict[str, Any], expected: Verdict) -> None:
    """Evidence of events that never came through needs a stream heard to its end."""
    assert verdict(counted(**told), lambda run: run.counted_more_than(Kprobe("fd_install"))) is expected


@pytest.mark.parametrize(
    ("modes", "expected"),
    [(["monitor"], C), (["monitor", "monitor"], C), (["enforce"], V), (["monitor", "enforce"], V)],
)
def test_the_mode_is_what_every_agent_says(modes: list[str], expected: Verdict) -> None:
    """One node that enforces refutes it."""
    states = tuple(state(f"node-{n}", mode=mode) for n, mode in enumerate(modes))
    assert verdict(run_of({}, states=states), lambda run: run.in_mode("monitor")) is expected


@pytest.mark.parametrize("states", [(), (state(mode=""),)], ids=["no state", "an agent that tells no mode"])
def test_a_mode_that_nobody_told_is_not_refuted(states: tuple[Any, ...]) -> None:
    """An agent of a version without modes could not be asked."""
    assert verdict(run_of({}, states=states), lambda run: run.in_mode("monitor")) not in {V, C}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((state(),), C),
        ((state(told="load_error", error="invalid argument"),), V),
        ((state(told="load_error", error="override action not supported"),), Verdict.UNSUPPORTED),
        ((), I),
    ],
)
def test_loaded_is_in_force(states: tuple[Any, ...], expected: Verdict) -> None:
    """By the agent's word; the policy gives the run its title."""
    run = Run(Observed("made", policy(), {}, states=states))
    assert verdict(run, lambda run: run.loaded) is expected
    assert run.loading.verdict is expected


def test_a_scenario_without_a_policy_has_nothing_to_load() -> None:
    """So it is in force."""
    assert run_of({}).loading.verdict is C


# the export log


PROBE = Bindings({"probe": (PodBinding("other", "probe"),)})


@pytest.mark.parametrize(
    ("change", "heard", "expected"),
    [
        (lambda told: told, True, C),
        (lambda told: told[:3] + told[4:], True, V),
        (lambda told: [*told[:3], hooked(SHELL, file="/tmp/b"), *told[3:]], True, V),
        (lambda told: [*told[:3], BESIDE, *told[3:]], True, C),
        (lambda told: told[:-1], True, I),
        (lambda told: told, False, I),
    ],
    ids=["same", "one less", "one more", "one more of another pod", "not to its end", "stream unheard"],
)
def test_the_export_tells_the_same(
    change: Callable[[list[Event]], list[Event]], expected: Verdict, *, heard: bool
) -> None:
    """Of the named workloads' pods, in the window that both cover."""
    _, stream = framed([], BY_SIGKILL, heard=heard)
    run = counted(*BY_SIGKILL, heard=heard, export=tuple(change(stream)), bindings=PROBE)
    assert verdict(run, lambda run: run.export_tells_the_same("probe")) is expected


def test_no_export_is_unrecorded() -> None:
    """Nobody kept it."""
    assert verdict(seen(WELL), lambda run: run.export_tells_the_same("probe")) is Verdict.UNRECORDED


def test_the_export_of_a_workload_that_is_not_here_cannot_be_compared() -> None:
    """No pod, no filter: comparing everything instead would compare what was never asked."""
    _, stream = framed([], BY_SIGKILL)
    run = counted(*BY_SIGKILL, export=(*stream[:3], BESIDE, *stream[3:]), bindings=PROBE)
    assert verdict(run, lambda run: run.export_tells_the_same("nginx")) not in {V, C}


# names


def test_an_undeclared_act_is_a_mistake_in_the_suite() -> None:
    """The message names what is declared."""
    with pytest.raises(AttributeError, match=r"no act 'thta'; it declares it"):
        _ = seen(WELL).thta


def test_what_is_bound_to_nothing_leaves_a_test_undecided() -> None:
    """An address or a pod that the target does not have."""
    run = run_of({}, bindings=Bindings({"probe": (PodBinding("other", "probe", "10.0.0.6"),)}))
    assert run.bound("probe.ip") == "10.0.0.6"
    assert run.pod("probe") == "other/probe"
    questions: list[Question] = [lambda run: bool(run.bound("nginx.ip")), lambda run: bool(run.pod("nginx"))]
    for question in questions:
        assert verdict(run, question) is Verdict.UNRECORDED
        with pytest.raises(Undecided):
            question(run)


def test_prepare_acts_are_not_judged() -> None:
    """They set the scene."""
    act = performed(*ACT.argv)
    run = run_of({"it": (ACT, act), "scene": (Act(("true",), prepare=True), performed("true"))}, WELL)
    assert [act.name for act in run.acts] == ["it"]


def test_a_failure_tells_the_timeline_and_how_it_ended() -> None:
    """The message is the product: act, outcome, what the agent says, what came nearest."""
    run = seen([execs(SHELL), OPENED, exits(SHELL)], stdout="foo\n")
    reason = judged(run, KILLED).reason
    assert reason.startswith("made: act it was not killed: exit 0; the agent tells 0; it said “foo”.\n")
    for word in ("act it   bash -c x", "fd_install", "/tmp/guarded", "stream alive to the end", "▪ sentinel"):
        assert word in reason
    miss = judged(run, lambda run: Kprobe(file="/tmp/x") in run.it.timeline).reason
    assert "nearest miss" in miss
    assert "✗ expected /tmp/x" in miss


def test_a_failure_by_a_yes_tells_the_yes() -> None:
    """What was not to happen, and did."""
    run = seen(BY_SIGKILL, 137)
    reason = judged(run, KILLED, negated=True).reason
    assert reason.startswith("made: act it was killed: exit 137; the agent tells SIGKILL.\n")
    reason = judged(run, lambda run: Kprobe() in run.it.timeline, negated=True).reason
    assert reason.startswith("made: seen, where none should be: ")
