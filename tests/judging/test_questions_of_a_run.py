"""What a run is asked beside its acts: each question by its own name, with its own reason, and what nobody knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.builders import BASH, NODE, execs, exits, framed, hooked, performed, policy, run_of, started, state
from tetraproof.answer import Judgement, Undecided, Unknown, judge
from tetraproof.errors import UsageError
from tetraproof.events.event import Event, parse
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Act
from tetraproof.observing.gap import Continuity
from tetraproof.observing.inventory import Inventory
from tetraproof.observing.observation import Observed
from tetraproof.policies.binding import Bindings, PodBinding
from tetraproof.policies.capability import Counters, PolicyState
from tetraproof.suite import Kprobe, shell
from tetraproof.verdict import Verdict

V, C, I = Verdict.VIOLATES, Verdict.CONFORMS, Verdict.INCONCLUSIVE  # noqa: E741 - columns of a table
LACK, NOBODY = Verdict.UNSUPPORTED, Verdict.UNRECORDED
ACT = shell("x")
SHELL = started(100, BASH, "-c x")
OPENED = hooked(SHELL, file="/tmp/guarded")
BY_SIGKILL = [execs(SHELL), OPENED, exits(SHELL, signal="SIGKILL")]
POSTED = Kprobe("fd_install")
PROBE = Bindings({"probe": (PodBinding("other", "probe"),), "twin": (PodBinding("other", "twin"),)})

Question = Callable[[Run], bool]


def made(*, heard: bool = True, **observed: Any) -> Run:
    """A run of one killed act."""
    act = performed(*ACT.argv, exit_code=137)
    return run_of({"it": (ACT, act)}, BY_SIGKILL, frame={"heard": heard}, **observed)


def counted(first: Counters | None, last: Counters | None, **more: Any) -> Run:
    """The same, with two readings of an agent's counters."""
    return made(states=(state(counters=first),), states_after=(state(counters=last),), **more)


def in_states(*states: PolicyState) -> Run:
    """A run of which nothing is known but the agents' word before and after."""
    return Run(Observed("made", policy(), {}, states=states, states_after=states))


def exported(
    change: Callable[[list[Event]], list[Event]] = lambda told: told, *, heard: bool = True, **more: Any
) -> Run:
    """A run with the export log that its stream would have, changed."""
    _, stream = framed([], BY_SIGKILL, heard=heard)
    return made(heard=heard, export=tuple(change(stream)), bindings=PROBE, **more)


def less(told: list[Event]) -> list[Event]:
    """One event fewer."""
    return told[:3] + told[4:]


def more(told: list[Event]) -> list[Event]:
    """One event more."""
    return [*told[:3], hooked(SHELL, file="/tmp/b"), *told[3:]]


def unread_pod(told: list[Event]) -> list[Event]:
    """One event more, of which nobody can read the pod."""
    value = hooked(SHELL, file="/tmp/b").json()
    value["process_kprobe"]["process"]["pod"] = 7
    event = parse(json.dumps(value).encode())
    assert isinstance(event, Event)
    return [*told[:3], event, *told[3:]]


def judged(run: Run, question: Question) -> Judgement:
    """What comes of `assert question`."""

    def body() -> None:
        assert question(run)

    return judge(body)


NO_SENTINEL = "no sentinel was heard on node tetra-node after the acts"
REFUSED = state(told="load_error", error="invalid argument")
ENABLED, MONITOR, ENFORCE = state(), state(mode="monitor"), state(mode="enforce")
ONCE, TWICE = Counters(1, 1, 0), Counters(2, 2, 0)
TRUNCATED = "the log was rotated"
GONE = "and whether a counter of another binary is gone, or never was there, cannot be told"


@pytest.mark.parametrize(
    ("run", "question", "name", "about", "verdict", "reason"),
    [
        (in_states(ENABLED), lambda run: run.loaded, "loaded", "loading", C, "guard: enabled on every node."),
        (
            in_states(REFUSED),
            lambda run: run.loaded,
            "loaded",
            "loading",
            V,
            "guard: applied, but not in force on tetra-node: invalid argument.",
        ),
        (in_states(), lambda run: run.loaded, "loaded", "loading", I, "no agent says anything of the policy's state"),
        # a refusal, by the agent's own words, of any node and at any time
        (
            in_states(ENABLED),
            lambda run: run.refused_with("no such"),
            "refused with 'no such'",
            "loading",
            V,
            "guard: the agent says nothing.",
        ),
        (
            in_states(REFUSED, state("b", "error", "no memory")),
            lambda run: run.refused_with("no such"),
            "refused with 'no such'",
            "loading",
            V,
            "guard: the agent says invalid argument; no memory; invalid argument; no memory.",
        ),
        (
            in_states(ENABLED, REFUSED),
            lambda run: run.refused_with("invalid"),
            "refused with 'invalid'",
            "loading",
            C,
            "guard: the agent says invalid argument; invalid argument.",
        ),
        # modes
        (
            in_states(ENFORCE, MONITOR),
            lambda run: run.in_mode("monitor"),
            "in mode monitor",
            "",
            V,
            "guard: the mode is enforce, monitor, not monitor.",
        ),
        (in_states(MONITOR), lambda run: run.in_mode("monitor"), "in mode monitor", "", C, None),
        (
            in_states(),
            lambda run: run.in_mode("enforce"),
            "in mode enforce",
            "",
            I,
            "no agent says anything of the policy's mode",
        ),
        (
            in_states(MONITOR, ENABLED),
            lambda run: run.in_mode("monitor"),
            "in mode monitor",
            "",
            LACK,
            "this agent tells no mode of a policy",
        ),
        # counters
        (
            counted(Counters(), TWICE),
            lambda run: run.counts(enforce=1, post=2),
            "counts post 2, enforce 1",
            "counted",
            V,
            "made: the agent counted post 2, enforce 2; expected it counts post 2, enforce 1.",
        ),
        (counted(Counters(), TWICE), lambda run: run.counts(monitor=0), "counts monitor 0", "counted", C, None),
        (
            counted(Counters(), TWICE, heard=False),
            lambda run: run.counts(enforce=1),
            "counts enforce 1",
            "counted",
            I,
            NO_SENTINEL,
        ),
        # fewer than reported are too few, however much was not heard
        (
            counted(Counters(), ONCE, heard=False),
            lambda run: run.counts(enforce=2),
            "counts enforce 2",
            "counted",
            V,
            "made: the agent counted enforce 1; expected it counts enforce 2.",
        ),
        (
            counted(Counters(), ONCE, heard=False),
            lambda run: run.counts(enforce=1),
            "counts enforce 1",
            "counted",
            C,
            None,
        ),
        (
            counted(TWICE, ONCE),
            lambda run: run.counts(enforce=1),
            "counts enforce 1",
            "counted",
            I,
            "the counters of node tetra-node fell: the policy was loaded anew",
        ),
        (
            counted(None, ONCE),
            lambda run: run.counts(enforce=1),
            "counts enforce 1",
            "counted",
            I,
            "the agent of node tetra-node told its counters only once",
        ),
        (
            made(posted={BASH: 1, "/usr/bin/cat": 2}),
            lambda run: run.counts(post=2),
            "counts post 2",
            "counted",
            I,
            f"the agent counted 3 events by its metrics, expected were 2, {GONE}",
        ),
        (
            made(posted={BASH: 3}, heard=False),
            lambda run: run.counts(post=2, monitor=0),
            "counts post 2, monitor 0",
            "counted",
            I,
            NO_SENTINEL,
        ),
        (
            made(posted={BASH: 1}, heard=False),
            lambda run: run.counts(post=2),
            "counts post 2",
            "counted",
            I,
            f"the agent counted 1 events by its metrics, expected were 2, {GONE}",
        ),
        (made(), lambda run: run.counts(post=1), "counts post 1", "counted", NOBODY, "nothing of the kind was kept"),
        # more counted than shown
        (
            counted(Counters(), ONCE),
            lambda run: run.counted_more_than(POSTED),
            "counted more than kprobe function=fd_install",
            "counted",
            V,
            "made: 1 counted, 1 shown.",
        ),
        (counted(Counters(), TWICE), lambda run: run.counted_more_than(POSTED), None, "counted", C, None),
        # as many as were shown are no more, whatever was not heard
        (
            counted(Counters(), ONCE, heard=False),
            lambda run: run.counted_more_than(POSTED),
            None,
            "counted",
            V,
            "made: 1 counted, 1 shown.",
        ),
        (
            counted(Counters(), TWICE, heard=False),
            lambda run: run.counted_more_than(POSTED),
            None,
            "counted",
            I,
            NO_SENTINEL,
        ),
        (
            counted(TWICE, ONCE),
            lambda run: run.counted_more_than(POSTED),
            None,
            "counted",
            I,
            "the counters of node tetra-node fell: the policy was loaded anew",
        ),
        # counters that nobody can read are not replaced by metrics
        (
            counted(TWICE, ONCE, posted={BASH: 9}),
            lambda run: run.counted_more_than(POSTED),
            None,
            "counted",
            I,
            "the counters of node tetra-node fell: the policy was loaded anew",
        ),
        (
            made(),
            lambda run: run.counted_more_than(POSTED),
            None,
            "counted",
            LACK,
            "this agent counts no events of a policy",
        ),
        # the export log
        (exported(), lambda run: run.export_tells_the_same("probe"), None, "", C, None),
        (
            made(bindings=PROBE),
            lambda run: run.export_tells_the_same("probe", "twin"),
            "export tells the same of probe, twin",
            "",
            NOBODY,
            "nothing of the kind was kept",
        ),
        (
            exported(less),
            lambda run: run.export_tells_the_same("probe", "twin"),
            "export tells the same of probe, twin",
            "",
            V,
            "made: 1 events are only in the stream, 0 only in the export log.",
        ),
        (
            exported(more),
            lambda run: run.export_tells_the_same("probe"),
            "export tells the same of probe",
            "",
            V,
            "made: 0 events are only in the stream, 1 only in the export log.",
        ),
        (
            exported(lambda told: told[:-1]),
            lambda run: run.export_tells_the_same("probe"),
            None,
            "",
            I,
            "the export log does not cover the stream from end to end",
        ),
        (exported(heard=False), lambda run: run.export_tells_the_same("probe"), None, "", I, NO_SENTINEL),
        (
            exported(less, export_notice=TRUNCATED),
            lambda run: run.export_tells_the_same("probe"),
            None,
            "",
            I,
            "the export log may lack events: the log was rotated",
        ),
        # what may have hidden some has hidden none where both tell the same
        (exported(export_notice=TRUNCATED), lambda run: run.export_tells_the_same("probe"), None, "", C, None),
        # a stream that was not heard is told before what the log may lack
        (
            exported(less, heard=False, export_notice=TRUNCATED),
            lambda run: run.export_tells_the_same("probe"),
            None,
            "",
            I,
            NO_SENTINEL,
        ),
    ],
)
def test_each_question_has_its_name_its_side_and_its_reason(  # noqa: PLR0913, PLR0917 - a table
    run: Run, question: Question, name: str | None, about: str, verdict: Verdict, reason: str | None
) -> None:
    """Two questions of one name would have one answer; a reason is what a person goes by."""

    judgement = judged(run, question)
    assert judgement.verdict is verdict
    asked = judgement.asked[-1]
    assert (asked.act, asked.about) == ("", about)
    assert name in {None, asked.question}
    told = asked.answer.reason if isinstance(asked.answer, Unknown) else asked.explain()
    assert reason in {None, told}
    assert judgement.reason == ("" if verdict is C else told)


def test_a_shell_of_another_pod_is_not_compared() -> None:
    """Pods are told apart by their whole names, and a name is no pattern."""
    twin = started(101, BASH, "-c x", pod="other/probe-2")
    run = exported(lambda told: [*told[:3], hooked(twin, file="/tmp/b"), *told[3:]])
    assert run.export_tells_the_same("probe")
    dotted = Bindings({"probe": (PodBinding("other", "pro.e"),)})
    run = Run(replace(exported(less).observed, bindings=dotted), exported().declared)
    assert run.export_tells_the_same("probe")


@pytest.mark.parametrize(
    ("run", "unknown"),
    [
        (exported(unread_pod), Unknown(I, "of an event nobody can read in which pod it was")),
        (
            exported(less, configuration={"export-rate-limit": "0"}),
            Unknown(LACK, "the agent is set to export-rate-limit: 0, so it exports nothing"),
        ),
    ],
)
def test_an_export_of_which_something_hides_is_not_compared(run: Run, unknown: Unknown) -> None:
    """By the value that could not be read, or by the agent's own setting."""
    with pytest.raises(Undecided) as undecided:
        run.export_tells_the_same("probe")
    assert undecided.value.unknown == unknown


@pytest.mark.parametrize(
    ("ask", "unknown"),
    [
        (lambda run: run.bound("nginx.ip"), Unknown(NOBODY, "nginx.ip is bound to nothing here")),
        (lambda run: run.pod("nginx"), Unknown(NOBODY, "there is no pod of nginx here")),
        (lambda run: run.change, Unknown(NOBODY, "nothing was changed here")),
        (
            lambda run: run.needs_setting("enable-process-ns", "true"),
            Unknown(LACK, "the agent is set to enable-process-ns: false"),
        ),
        (
            lambda run: run.needs_setting("export-rate-limit", "-1"),
            Unknown(LACK, "the agent is set to export-rate-limit: 50"),
        ),
    ],
)
def test_what_a_test_needs_and_nobody_has_leaves_it_undecided(ask: Callable[[Run], object], unknown: Unknown) -> None:
    """With the name of what is lacking."""
    run = made(configuration={"export-rate-limit": "50"})
    with pytest.raises(Undecided) as undecided:
        ask(run)
    assert undecided.value.unknown == unknown


def test_a_setting_that_is_as_it_must_be_leaves_the_test_alone() -> None:
    """One that the agent lacks is off."""
    run = made(configuration={"export-rate-limit": "50"})
    run.needs_setting("export-rate-limit", "50")
    run.needs_setting("enable-process-ns", "false")


def test_what_is_installed_and_what_was_changed_is_what_was_observed() -> None:
    """And the change is named by its scenario."""
    inventory, continuity = Inventory(), Continuity("rollout-restart", "kubectl", (), ())
    run = made(inventory=inventory, continuity=continuity)
    assert run.installation.inventory is inventory
    assert run.change.observed is continuity
    assert run.change.title == "made"


@pytest.mark.parametrize(
    ("run", "keeps"),
    [
        (counted(Counters(), ONCE), True),
        (counted(None, ONCE), True),
        (made(posted={}), True),
        (made(posted={BASH: 1}), True),
        (made(), False),
        (counted(None, None), False),
    ],
)
def test_whether_anybody_counted(run: Run, *, keeps: bool) -> None:
    """Counters or metrics: either of them counts."""
    assert run.keeps_count is keeps


def test_counters_are_summed_by_what_each_agent_moved() -> None:
    """Each kind of its own, over every node; one of which nobody knows leaves the sum unknown."""
    before = (state(NODE, counters=Counters(1, 2, 3)), state("b", counters=Counters(10, 20, 30)))
    after = (state(NODE, counters=Counters(2, 4, 6)), state("b", counters=Counters(14, 25, 36)))
    assert made(states=before, states_after=after).moved == Counters(5, 7, 9)
    assert made(states=before, states_after=before).moved == Counters()
    told_once = Unknown(I, "the agent of node b told its counters only once")
    assert made(states=before, states_after=after[:1]).moved == told_once
    assert made(states=before[:1], states_after=after).moved == told_once
    assert made(states=(), states_after=after[1:]).moved == told_once
    # one kind that fell is enough
    fell = (state(NODE, counters=Counters(9, 9, 2)),)
    assert made(states=before[:1], states_after=fell).moved == Unknown(
        I, "the counters of node tetra-node fell: the policy was loaded anew"
    )


def test_what_cannot_be_read_may_be_what_is_counted() -> None:
    """How many events match is not known while one may."""
    value = OPENED.json()
    value["process_kprobe"]["action"] = 77
    unread = parse(json.dumps(value).encode())
    assert isinstance(unread, Event)
    act = performed(*ACT.argv, exit_code=137)
    run = run_of({"it": (ACT, act)}, [BY_SIGKILL[0], unread, *BY_SIGKILL[1:]])
    assert run.reported(POSTED) == 2
    with pytest.raises(Undecided) as undecided:
        run.reported(Kprobe("fd_install", action="SIGKILL"))
    assert undecided.value.unknown == Unknown(
        I, "an event may be kprobe function=fd_install action=SIGKILL: its action cannot be read"
    )


def test_another_policys_events_are_not_reported() -> None:
    """By the name that this one had where it was applied."""
    act = performed(*ACT.argv, exit_code=137)
    events = [execs(SHELL), OPENED, hooked(SHELL, policy="another"), exits(SHELL, signal="SIGKILL")]
    assert run_of({"it": (ACT, act)}, events, applied="guard").reported(POSTED) == 1
    assert run_of({"it": (ACT, act)}, events, applied="").reported(POSTED) == 2


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        (Unknown(NOBODY, "act clean was not recorded"), ""),
        (Unknown(I, "the pod is gone"), "preparation clean failed before it: the pod is gone"),
    ],
)
def test_a_preparation_that_nobody_recorded_has_not_failed(failed: Unknown, expected: str) -> None:
    """An older recording lacks it and was made without; one that broke leaves what follows undecided."""
    act = performed(*ACT.argv, exit_code=137)
    run = run_of({"it": (ACT, act)}, BY_SIGKILL)
    observed = replace(run.observed, acts={"clean": failed, **run.observed.acts})
    run = Run(observed, (Act(("rm",), prepare=True, name="clean"), *run.declared))
    judgement = judged(run, lambda run: run.it.killed)
    assert judgement.reason == expected
    assert judgement.verdict is (I if expected else C)


def test_a_failed_preparation_is_told_with_its_outcome() -> None:
    """The first that failed is named, with what became of it; what lacks for another reason keeps that."""
    first, second = (Act(("rm", name), prepare=True) for name in "ab")
    acts = {
        "first": (first, performed("rm", "a", exit_code=3)),
        "second": (second, performed("rm", "b", exit_code=4)),
        "it": (ACT, performed(*ACT.argv)),
    }
    run = run_of(acts, [execs(SHELL), exits(SHELL)])
    judgement = judged(run, lambda run: run.it.succeeded)
    assert (judgement.verdict, judgement.reason) == (I, "preparation first failed before it: exit 3")
    gone = Unknown(I, "the pod is gone")
    run = Run(replace(run.observed, acts={**run.observed.acts, "it": gone}), run.declared)
    assert judged(run, lambda run: run.it.succeeded).reason == "the pod is gone"
    assert run.first.recorded


@pytest.mark.parametrize("name", ["loaded", "acts", "counts", "declared"])
def test_an_act_has_no_name_that_a_run_uses_itself(name: str) -> None:
    """Whoever asks for it would be given something else."""
    act = replace(ACT, name=name)
    with pytest.raises(UsageError) as refused:
        Run(Observed("made", None, {}), (act,))
    assert str(refused.value) == f"An act cannot be called {name}: a run has a word of its own by that name."


def test_an_act_that_is_not_declared_is_told_with_those_that_are() -> None:
    """By their names, in their order."""
    run = run_of({"one": (ACT, performed("a")), "two": (ACT, performed("b"))})
    with pytest.raises(AttributeError) as missing:
        _ = run.three
    assert str(missing.value) == "the suite declares no act 'three'; it declares one, two"


def test_where_no_act_was_performed_there_is_nothing_to_count() -> None:
    """That nothing was counted is then no promise kept; that something was is one broken."""
    gone = Unknown(I, "the pod is gone")
    for last, verdict, reason in (
        (Counters(), I, "no act was performed, so there is nothing to count"),
        (ONCE, V, "made: the agent counted enforce 1; expected it counts enforce 0."),
    ):
        told = {"states": (state(counters=Counters()),), "states_after": (state(counters=last),)}
        run = Run(Observed("made", None, {"it": gone}, **told), (replace(ACT, name="it"),))
        judgement = judged(run, lambda run: run.counts(enforce=0))
        assert (judgement.verdict, judgement.reason) == (verdict, reason)


def test_a_run_is_titled_by_its_policy_or_else_by_its_scenario() -> None:
    """A person looks for the policy's name."""
    for given, title in ((policy(), "guard"), (None, "made")):
        run = Run(Observed("made", given, {}, states=(MONITOR,)), ())
        assert judged(run, lambda run: run.in_mode("enforce")).reason.startswith(f"{title}: ")


def test_an_event_whose_policy_cannot_be_read_may_be_one_that_is_counted() -> None:
    """Where it matches; one that does not match is none, whoever's it is."""
    value = OPENED.json()
    value["process_kprobe"]["policy_name"] = ["guard"]
    odd = parse(json.dumps(value).encode())
    assert isinstance(odd, Event)
    act = performed(*ACT.argv, exit_code=137)
    run = run_of({"it": (ACT, act)}, [BY_SIGKILL[0], odd, *BY_SIGKILL[1:]], applied="guard")
    with pytest.raises(Undecided) as undecided:
        run.reported(POSTED)
    reason = "an event may be kprobe function=fd_install: its policy_name cannot be read"
    assert undecided.value.unknown == Unknown(I, reason)
    assert run.reported(Kprobe("tcp_connect")) == 0


@pytest.mark.parametrize(
    ("run", "verdict", "reason"),
    [
        # what cannot be counted is told before what was not heard
        (
            counted(TWICE, ONCE, heard=False),
            I,
            "the counters of node tetra-node fell: the policy was loaded anew",
        ),
        (made(heard=False), NOBODY, "nothing of the kind was kept"),
        # as many as were expected are as many, whatever was not heard
        (made(posted={BASH: 1}, heard=False), C, ""),
        (made(posted={BASH: 2}, heard=False), I, NO_SENTINEL),
    ],
)
def test_what_was_not_heard_matters_only_where_more_was_counted(run: Run, verdict: Verdict, reason: str) -> None:
    """And it is told as what it is."""
    judgement = judged(run, lambda run: run.counts(post=1))
    assert (judgement.verdict, judgement.reason) == (verdict, reason)
    if reason:
        assert judgement.asked[-1].explain() == f"made: {reason}."


@pytest.mark.parametrize(
    ("answered", "verdict", "reason"),
    [
        (None, I, "after the acts the agent of tetra-node says nothing of the policy's state"),
        ((), I, "after the acts the agent of tetra-node says nothing of the policy's state"),
        ((NODE,), V, "guard: after the acts the agent of tetra-node has no such policy any more."),
    ],
)
def test_an_agent_that_answers_without_the_policy_has_lost_it(
    answered: tuple[str, ...] | None, verdict: Verdict, reason: str
) -> None:
    """And one that nobody asked, or that did not answer, leaves it undecided."""
    run = Run(Observed("made", policy(), {}, states=(ENABLED,), answered=answered))
    judgement = judged(run, lambda run: run.loaded)
    assert (judgement.verdict, judgement.reason) == (verdict, reason)


def test_a_lack_of_an_export_is_told_as_what_it_is() -> None:
    """Also where somebody explains it."""
    asked = judged(made(bindings=PROBE), lambda run: run.export_tells_the_same("probe")).asked[-1]
    assert asked.explain() == "nothing of the kind was kept"
