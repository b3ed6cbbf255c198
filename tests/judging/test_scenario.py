"""What an act is asked: killed, denied, stopped, exited, told, shown, counted; and what nobody can know of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
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
from tetraproof.answer import Judgement, Undecided, Unknown, judge
from tetraproof.errors import UsageError
from tetraproof.events.event import Event, parse
from tetraproof.judging.expectation import Exactly, Exec, Exit, Kprobe
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Act, agent, shell
from tetraproof.observing.observation import Done, Observed
from tetraproof.observing.timeline import START, Node, Performed, timelines
from tetraproof.policies.binding import Bindings, PodBinding
from tetraproof.policies.capability import Counters
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


def changed(event: Event, change: Callable[[dict[str, Any]], object]) -> Event:
    """The event with its JSON changed."""
    told = event.json()
    change(told)
    made = parse(json.dumps(told).encode())
    assert isinstance(made, Event)
    return made


def anonymous(event: Event, node: str = NODE) -> Event:
    """The event, without its process."""
    return changed(event, lambda told: (told["process_kprobe"].pop("process"), told.update(node_name=node)))


def unread(event: Event) -> Event:
    """The event, with an action that nobody here knows by its number."""
    return changed(event, lambda told: told["process_kprobe"].update(action=77))


def unknown_kind(process: Any, action: str) -> Event:
    """An event of a kind that a newer agent may have."""
    return changed(
        hooked(process), lambda told: told.update(process_new={**told.pop("process_kprobe"), "action": action})
    )


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
        # a counter that is gone is none that anybody can tell from one that never was
        ({"enforce": 2}, None, {BASH: 1}, I),
        ({"enforce": 0}, None, {}, C),
        ({"enforce": 0}, None, {BASH: 1}, I),
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


OVERRIDDEN = Counters(post=1, enforce=1, each={"post": 1, "override": 1})


@pytest.mark.parametrize(
    ("wanted", "counters", "expected"),
    [
        ({"override": 1}, OVERRIDDEN, C),
        ({"override": 1, "signal": 0, "notify_enforcer": 0, "post": 1}, OVERRIDDEN, C),
        ({"override": 2}, OVERRIDDEN, V),
        # as many were enforced, by another action
        ({"enforce": 1, "signal": 1}, OVERRIDDEN, V),
        ({"signal": 0, "override": 0}, Counters(post=1, each={"post": 1}), C),
        # an agent without counters: its metrics tell no action
        ({"override": 1}, None, I),
        ({"override": 0}, None, I),
        ({"enforce": 1, "override": 1}, None, I),
    ],
)
def test_a_single_counter(wanted: dict[str, int], counters: Counters | None, expected: Verdict) -> None:
    """By the agent's own name of it; one that is 0 is not told, and one that nobody keeps says nothing."""
    run = counted(counters=counters, posted={BASH: 1})
    assert verdict(run, lambda run: run.counts(**wanted)) is expected
    assert run.keeps("override") == (counters is not None)
    if counters is None:
        reason = judged(run, lambda run: run.counts(**wanted)).reason
        assert reason == "this agent keeps no counter override of a policy"


def test_what_a_loader_hook_reports_is_counted_by_nobody() -> None:
    """Its events name no policy: metrics that show none of it say nothing."""
    loader = policy(
        "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: guard}\nspec: {loader: true}\n"
    )
    for posted in ({}, {BASH: 1}):
        run = counted(posted=posted)
        run = Run(replace(run.observed, policy=loader), run.declared)
        answer = judged(run, lambda run: run.counts(post=1))
        assert (answer.verdict, answer.reason) == (
            Verdict.UNSUPPORTED,
            "this agent does not count what a loader hook reports",
        )


def test_a_counter_that_not_every_agent_has_is_kept_where_it_is_told() -> None:
    """Where it is not told nobody knows whether it is 0 or not there."""
    assert not counted(counters=OVERRIDDEN).keeps("set")
    assert counted(counters=Counters(enforce=1, each={"set": 1})).keeps("set")


def test_to_count_nothing_in_particular_is_refused() -> None:
    """It would be true of anything."""
    with pytest.raises(UsageError, match="Nothing is stated"):
        counted(counters=COUNTERS).counts()


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (performed(*ACT.argv), C),
        (performed(*ACT.argv, exit_code=None, broken="the pod is gone"), I),
        (performed(*ACT.argv, role="prepare"), I),
        (performed(*ACT.argv, disturbed="the agent's pod is another one now"), I),
    ],
)
def test_nothing_counted_of_nothing_done_proves_nothing(done: Performed, expected: Verdict) -> None:
    """Of an act that became nothing, that only prepares, or that no agent saw."""
    told = {"states": (state(counters=Counters()),), "states_after": (state(counters=Counters()),)}
    run = run_of({"it": (ACT, done)}, WELL, **told)
    for wanted in ({"enforce": 0}, {"override": 0}):
        assert verdict(run, lambda run, wanted=wanted: run.counts(**wanted)) is expected


def test_what_no_agent_enforced_is_not_miscounted() -> None:
    """Fewer counted than were killed, while the agent was another one, refutes nothing."""
    gone = "the agent's pod is another one now"
    told = {"states": (state(counters=Counters()),), "states_after": (state(counters=COUNTERS),)}
    run = run_of({"it": (ACT, performed(*ACT.argv, disturbed=gone))}, WELL, **told)
    judgement = judged(run, lambda run: run.counts(enforce=5))
    assert (judgement.verdict, judgement.reason) == (I, gone)


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
    run = Run(Observed("made", policy(), {}, states=states, states_after=states))
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


# what a word means


GREP = child(SHELL, 102, "/usr/bin/grep", "x")
FREE, FOLLOWED = (lambda run: run.it.free), (lambda run: run.it.succeeded)


@pytest.mark.parametrize(
    ("events", "exit_code", "free", "succeeded"),
    [
        (WELL, 0, C, C),
        ([execs(SHELL), exits(SHELL, 7)], 7, C, V),
        # a child that failed, and one whose reader went away
        ([execs(SHELL), execs(GREP), exits(GREP, 1), exits(SHELL)], 0, C, V),
        ([execs(SHELL), execs(GREP), exits(GREP, signal="SIGPIPE"), exits(SHELL)], 0, C, C),
        ([execs(SHELL), execs(GREP), exits(GREP, signal="SIGTERM"), exits(SHELL)], 0, V, V),
        ([execs(SHELL), execs(GREP), exits(GREP, signal="SIGKILL"), exits(SHELL)], 0, V, V),
        # the policy tells of an enforcement, by whichever of its hooks, whatever became of it
        ([execs(SHELL), OPENED, exits(SHELL)], 0, V, V),
        ([execs(SHELL), hooked(SHELL, function="tcp_connect", action="OVERRIDE"), exits(SHELL)], 0, V, V),
        ([execs(SHELL), hooked(SHELL, action="NOTIFYENFORCER"), exits(SHELL)], 0, V, V),
        ([execs(SHELL), hooked(SHELL, action="POST", return_action="KPROBE_ACTION_SIGKILL"), exits(SHELL)], 0, V, V),
        ([execs(SHELL), hooked(SHELL, action="POST"), exits(SHELL)], 0, C, C),
        # an action that cannot be read, or that nobody knows here
        ([execs(SHELL), hooked(SHELL, action="VAPORIZE"), exits(SHELL)], 0, I, I),
        ([execs(SHELL), unread(hooked(SHELL)), exits(SHELL)], 0, I, I),
        # whose it is, nobody can tell
        ([execs(SHELL), anonymous(hooked(SHELL)), exits(SHELL)], 0, I, I),
        ([execs(SHELL), anonymous(hooked(SHELL, action="POST")), exits(SHELL)], 0, C, C),
        # of a kind that is not known here
        ([execs(SHELL), unknown_kind(SHELL, "KPROBE_ACTION_SIGKILL"), exits(SHELL)], 0, V, V),
        ([execs(SHELL), unknown_kind(SHELL, "KPROBE_ACTION_POST"), exits(SHELL)], 0, C, C),
    ],
)
def test_what_is_free_was_left_alone_and_ended_by_itself(
    events: list[Event], exit_code: int, free: Verdict, succeeded: Verdict
) -> None:
    """Whatever it printed: an enforcement that is told, or a signal, is none that was left alone."""
    run = seen(events, exit_code)
    assert (verdict(run, FREE), verdict(run, FOLLOWED)) == (free, succeeded)
    unheard = seen(events, exit_code, heard=False)
    assert verdict(unheard, FREE) is (V if free is V else I)


def test_in_monitor_mode_nothing_is_enforced() -> None:
    """An action in an event tells what would have been done, where every agent says that it only monitors."""
    monitored, enforcing = (state(mode=mode) for mode in ("monitor", "enforce"))
    act = performed(*ACT.argv)
    for states, expected in (((monitored,), C), ((enforcing,), V), ((monitored, enforcing), V)):
        run = run_of({"it": (ACT, act)}, [execs(SHELL), OPENED, exits(SHELL)], states=states)
        assert verdict(run, FREE) is expected


@pytest.mark.parametrize(
    ("question", "stdout", "expected"),
    [
        (lambda run: run.it.killed, "", C),
        (lambda run: run.it.killed, "the page\n", V),
        (lambda run: run.it.killed_after("the page\n"), "the page\n", C),
        (lambda run: run.it.killed_after("the page\n"), "the page\nand more\n", V),
        (lambda run: run.it.killed_after("the page\n"), "", V),
        (lambda run: run.it.stopped, "", C),
        (lambda run: run.it.stopped, "moved\n", V),
        (lambda run: run.it.printed("the page\n"), "the page\n", V),
        (lambda run: run.it.said("the page"), "the page\n", V),
        (lambda run: run.it.exited(137), "", V),
    ],
)
def test_what_is_killed_was_killed_before_anything_got_out(question: Question, stdout: str, expected: Verdict) -> None:
    """A page that was printed and whose reader was killed then has been read."""
    assert verdict(seen(BY_SIGKILL, 137, stdout=stdout), question) is expected


def test_through_a_terminal_more_is_shown_than_was_printed() -> None:
    """It echoes what is typed, so there the text is found among the rest."""
    act = Act(("bash",), stdin="echo a\n", tty=True)
    process = started(100, BASH, "")
    events = [execs(process), exits(process, signal="SIGKILL")]
    run = run_of({"it": (act, performed("bash", exit_code=137, stdout="# echo a\r\na\r\n", tty=True))}, events)
    assert verdict(run, lambda run: run.it.killed_after("a\n")) is C
    assert verdict(run, lambda run: run.it.killed_after("b\n")) is V


@pytest.mark.parametrize(
    ("stderr", "error", "expected"),
    [
        ("cat: x: Operation not permitted\n", "EPERM", C),
        ("cat: x: Permission denied\n", "EPERM", V),
        ("cat: x: Permission denied\n", "EACCES", C),
        ("cat: x: No such file or directory\n", "EACCES", V),
    ],
)
def test_denied_names_the_error(stderr: str, error: str, expected: Verdict) -> None:
    """Another errno is another refusal, and what was read before is no refusal."""
    events = [execs(SHELL), exits(SHELL, 1)]
    assert verdict(seen(events, 1, stderr=stderr), lambda run: run.it.denied_with(error)) is expected
    assert verdict(seen(events, 1, stderr=stderr, stdout="the page\n"), lambda run: run.it.denied_with(error)) is V
    killed = [execs(SHELL), exits(SHELL, signal="SIGSEGV")]
    assert verdict(seen(killed, 139, stderr=stderr), lambda run: run.it.denied_with(error)) is V
    with pytest.raises(UsageError, match="EPERM"):
        _ = seen(events, 1).it.denied_with("EPERN")


def test_printed_may_be_one_of_several_and_what_another_printed() -> None:
    """Exactly one of them, with exit code 0."""
    one, other = performed("x", stdout="a\n"), performed("x", stdout="b\n")
    first, second = started(100, "/usr/bin/x", ""), started(101, "/usr/bin/x", "")
    events = [execs(first), exits(first), execs(second), exits(second)]
    run = run_of({"it": (Act(("x",)), one), "that": (Act(("x",)), other)}, events)
    assert verdict(run, lambda run: run.it.printed("b\n", "a\n")) is C
    assert verdict(run, lambda run: run.it.printed("b\n", "c\n")) is V
    assert verdict(run, lambda run: run.it.printed_as(run.that)) is V
    assert verdict(run, lambda run: run.it.printed_as(run.it)) is C
    nothing = run_of({"it": (Act(("x",)), performed("x"))}, events[:2])
    assert verdict(nothing, lambda run: run.it.printed_as(run.it)) is V


@pytest.mark.parametrize(
    ("arguments", "line", "expected"),
    [
        ("-c *****", "", C),
        ("-c x", "", V),
        ("-c *****", '"/tmp/x-secret"', V),
    ],
)
def test_masked_is_masked_everywhere(arguments: str, line: str, expected: Verdict) -> None:
    """`*****` stands where the secret stood, and no event holds it, whoever's it is."""
    masked = started(100, BASH, arguments.replace("x", "x-secret"))
    stranger = hooked(NGINX, file="/tmp/x-secret" if line else "/tmp/y", action="POST")
    act = shell("x-secret")
    events = [execs(masked), stranger, exits(masked)]
    run = run_of({"it": (act, performed(*act.argv))}, events, export=())
    assert verdict(run, lambda run: run.it.masked("x-secret")) is expected
    # nobody kept the export, or no event of the act was heard
    unkept = run_of({"it": (act, performed(*act.argv))}, events)
    assert verdict(unkept, lambda run: run.it.masked("x-secret")) is (Verdict.UNRECORDED if expected is C else V)
    silent = run_of({"it": (act, performed(*act.argv))}, [], export=())
    assert verdict(silent, lambda run: run.it.masked("x-secret")) is I
    with pytest.raises(UsageError, match="no argument"):
        _ = run.it.masked("another")


@pytest.mark.parametrize(("exit_code", "expected"), [(0, C), (1, I), (None, I)])
def test_what_follows_a_failed_preparation_is_undecided(exit_code: int | None, expected: Verdict) -> None:
    """By its name: nobody knows in which world the act was made."""
    clean, later = started(99, "/usr/bin/rm", "-f /tmp/x"), SHELL
    preparing = Act(("rm", "-f", "/tmp/x"), prepare=True)
    acts = {
        "clean": (preparing, performed("rm", "-f", "/tmp/x", exit_code=exit_code, broken="" if exit_code else "cut")),
        "it": (ACT, performed(*ACT.argv)),
    }
    run = run_of(acts, [execs(clean), exits(clean, exit_code or 0), execs(later), exits(later)])
    found = judged(run, SUCCEEDED)
    assert found.verdict is expected
    assert ("preparation clean failed" in found.reason) is (expected is I)


def test_a_look_that_nobody_recorded_leaves_what_was_seen() -> None:
    """A recording older than the look has none; a look that was made counts like any act."""
    lack = Unknown(Verdict.UNRECORDED, "act it was not recorded")
    for act, expected in ((Act(("x",), name="it", look=True), C), (Act(("x",), name="it"), Verdict.UNRECORDED)):
        run = Run(Observed("made", None, {"it": lack}), (act,))
        assert verdict(run, lambda run: run.it.printed("a")) is expected
    broken = Run(Observed("made", None, {"it": Unknown(I, "the pod is gone")}), (Act(("x",), name="it", look=True),))
    assert verdict(broken, lambda run: run.it.printed("a")) is I


def test_what_followed_an_order_that_nobody_recorded_is_not_recorded() -> None:
    """It was done under a policy that no agent had been told anything of."""
    lack = Unknown(Verdict.UNRECORDED, "it was not recorded")
    it, off, after = replace(ACT, name="it"), replace(agent("disable"), name="off"), replace(ACT, name="after")
    whole = counted().observed
    run = Run(replace(whole, acts={**whole.acts, "off": lack, "after": whole.acts["it"]}), (it, off, after))
    assert verdict(run, lambda run: run.it.killed) is C
    found = judged(run, lambda run: run.after.killed)
    assert (found.verdict, found.reason) == (Verdict.UNRECORDED, "the agent was not told disable: it was not recorded")


def test_an_expectation_of_what_the_policy_does_not_hook_is_refused() -> None:
    """It could never come, so its absence would always hold."""
    act = performed(*ACT.argv)
    run = run_of({"it": (ACT, act)}, WELL)
    run = Run(replace(run.observed, policy=policy()), run.declared)
    for pattern in (Kprobe("fd_instal"), Exactly(0, Kprobe("fd_instal"))):
        with pytest.raises(UsageError, match="did you mean fd_install"):
            _ = pattern in run.it.timeline
    with pytest.raises(UsageError, match="did you mean fd_install"):
        run.reported(Kprobe("fd_instal"))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Counters(), Counters(post=2, enforce=2), C),
        # they stand where they stood, though two were enforced
        (Counters(post=2, enforce=2), Counters(post=2, enforce=2), V),
        (Counters(post=5, enforce=5), Counters(post=7, enforce=7), C),
        (Counters(post=5, enforce=5), Counters(post=2, enforce=2), I),
        (None, Counters(post=2, enforce=2), I),
        (Counters(), None, I),
    ],
)
def test_counters_are_judged_by_what_they_moved(
    before: Counters | None, after: Counters | None, expected: Verdict
) -> None:
    """Two readings, of the same loading of the policy."""
    told = {"states": (state(counters=before),), "states_after": (state(counters=after),)}
    run = run_of({"it": (ACT, performed(*ACT.argv, exit_code=137))}, BY_SIGKILL, **told)
    assert verdict(run, lambda run: run.counts(enforce=2)) is expected


def test_counting_nothing_of_nothing_proves_nothing() -> None:
    """No act was performed, so that nothing was counted says nothing of the policy."""
    lack = Unknown(I, "the pod is gone")
    told = {"states": (state(counters=Counters()),), "states_after": (state(counters=Counters()),)}
    run = Run(Observed("made", None, {"it": lack}, **told), (Act(("x",), name="it"),))
    assert verdict(run, lambda run: run.counts(enforce=0)) is I


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ((state(),), C),
        ((state(told="load_error", error="invalid argument"),), V),
        ((state(told="disabled"),), V),
        ((), I),
        ((state(mode="monitor"),), V),
    ],
)
def test_a_policy_holds_to_the_end(after: tuple[Any, ...], expected: Verdict) -> None:
    """What was in force when the acts began and is not when they have ended was not in force for all of them."""
    run = Run(
        Observed(
            "made", policy(), {}, states=(state(mode="enforce" if after != (state(),) else ""),), states_after=after
        )
    )
    assert verdict(run, lambda run: run.loaded) is expected


def test_an_absence_is_undecided_while_an_event_may_be_the_one() -> None:
    """An event of nobody known, on the act's node and in its window, may be the act's own."""
    kill = Kprobe("fd_install", action="SIGKILL")
    for made, expected in (
        (anonymous(OPENED), I),
        (anonymous(hooked(SHELL, action="POST")), C),
        (anonymous(hooked(SHELL, function="tcp_connect")), C),
        (unread(OPENED), I),
        (anonymous(OPENED, node="another-node"), C),
    ):
        run = seen([execs(SHELL), made, exits(SHELL)])
        assert verdict(run, lambda run: kill not in run.it.timeline) is expected
        assert verdict(run, lambda run: Exactly(0, kill) in run.it.timeline) is expected
    beside = seen([execs(SHELL), OPENED, anonymous(OPENED), exits(SHELL)])
    assert verdict(beside, lambda run: Exactly(1, kill) in run.it.timeline) is I
    assert verdict(beside, lambda run: kill in run.it.timeline) is C


@pytest.mark.parametrize(
    ("set_to", "expected"), [("false", Verdict.UNSUPPORTED), ("", Verdict.UNSUPPORTED), ("true", V)]
)
def test_what_a_setting_hides_is_unsupported(set_to: str, expected: Verdict) -> None:
    """An agent that is not set to tell credentials says nothing of them; one that is, and does not, refutes."""
    act = performed(*ACT.argv)
    run = run_of({"it": (ACT, act)}, WELL, configuration={"enable-process-cred": set_to})
    wanted = Exec(BASH, credentials={"euid": 0})
    assert verdict(run, lambda run: wanted in run.it.timeline) is expected
    assert verdict(run, lambda run: wanted not in run.it.timeline) is (C if expected is V else expected)
