"""What an act is asked: each question by its own name and side, with the reason of each answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.builders import BASH, CAT, NODE, child, execs, exits, hooked, performed, run_of, started
from tests.builders import policy as policy_of
from tetraproof.answer import Judgement, Unknown, judge
from tetraproof.errors import UsageError
from tetraproof.events.event import Event, parse
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Act
from tetraproof.observing.observation import Done
from tetraproof.policies.binding import Bindings, PodBinding
from tetraproof.suite import Exec, Kprobe, shell
from tetraproof.verdict import Verdict

V, C, I = Verdict.VIOLATES, Verdict.CONFORMS, Verdict.INCONCLUSIVE  # noqa: E741 - columns of a table
ACT = shell("x")
SHELL = started(100, BASH, "-c x")
CHILD = child(SHELL, 101, CAT, "/tmp/a")
OPENED = hooked(SHELL, file="/tmp/guarded")
WELL = [execs(SHELL), exits(SHELL)]
FAILED = [execs(SHELL), exits(SHELL, 1)]
BY_SIGKILL = [execs(SHELL), OPENED, exits(SHELL, signal="SIGKILL")]
NO_SENTINEL = "no sentinel was heard on node tetra-node after the acts"
EPERM = "bash: line 1: /tmp/guarded: Operation not permitted\n"
EACCES = "bash: line 1: /tmp/guarded: Permission denied\n"
SIGKILL_TOLD = "SIGKILL is told of /usr/bin/bash (kprobe event)"
ONLY_WITH = "an agent tells this only with enable-process-cred, and this one is set to"
# the runtime's own words, with and without the reason of the refusal
REFUSED = "exec /usr/bin/passwd: operation not permitted\n"

Question = Callable[[Run], bool]


def seen(events: list[Event], exit_code: int | None = 0, *, heard: bool = True, **said: Any) -> Run:
    """A run of one act, `it`."""
    more = {name: said.pop(name) for name in ("applied", "configuration", "export") if name in said}
    act = performed(*ACT.argv, exit_code=exit_code, **said)
    return run_of({"it": (ACT, act)}, events, frame={"heard": heard}, **more)


def judged(run: Run, question: Question, *, negated: bool = False) -> Judgement:
    """What comes of `assert question` (or `assert not question`)."""

    def body() -> None:
        assert question(run) != negated

    return judge(body)


def verdict(run: Run, question: Question) -> Verdict:
    """Its verdict alone."""
    return judged(run, question).verdict


def unread(event: Event) -> Event:
    """The event, with an action that nobody here knows by its number."""
    value = event.json()
    value["process_kprobe"]["action"] = 77
    made = parse(json.dumps(value).encode())
    assert isinstance(made, Event)
    return made


@pytest.mark.parametrize(
    ("question", "name", "about", "run", "otherwise", "how"),
    [
        (
            lambda run: run.it.free,
            "was left alone",
            "outcome",
            seen(BY_SIGKILL, 137),
            "was not left alone",
            f"exit 137; the agent tells SIGKILL; {SIGKILL_TOLD}; SIGKILL ended /usr/bin/bash",
        ),
        (
            lambda run: run.it.succeeded,
            "succeeded",
            "outcome",
            seen([execs(SHELL), execs(CHILD), exits(CHILD, 3), exits(SHELL)]),
            "did not succeed",
            "exit 0; the agent tells 0; /usr/bin/cat ended with exit 3",
        ),
        (
            lambda run: run.it.exited(3),
            "exited with 3",
            "outcome",
            seen(WELL),
            "did not exit by itself with 3",
            "exit 0; the agent tells 0",
        ),
        (
            lambda run: run.it.printed("a", "b"),
            "printed 'a' or 'b'",
            "printed",
            seen(WELL),
            "did not print 'a' or 'b' and end with 0",
            "exit 0; the agent tells 0",
        ),
        (
            lambda run: run.it.said("a"),
            "said 'a'",
            "printed",
            seen(WELL),
            "did not end by itself and say 'a'",
            "exit 0; the agent tells 0",
        ),
        (
            lambda run: run.it.killed,
            "was killed",
            "outcome",
            seen(WELL),
            "was not killed",
            "exit 0; the agent tells 0",
        ),
        (
            lambda run: run.it.killed,
            "was killed",
            "outcome",
            seen(BY_SIGKILL, 137, stdout="page"),
            "was not killed before something got out",
            "exit 137; the agent tells SIGKILL; it said “page”",
        ),
        # what ends well has got out, and nobody wonders when
        (
            lambda run: run.it.killed,
            "was killed",
            "outcome",
            seen(WELL, stdout="page"),
            "was not killed",
            "exit 0; the agent tells 0; it said “page”",
        ),
        (
            lambda run: run.it.killed_after("a"),
            "was killed after 'a'",
            "outcome",
            seen(WELL),
            "was not killed after 'a'",
            "exit 0; the agent tells 0",
        ),
        (
            lambda run: run.it.denied,
            "was denied",
            "outcome",
            seen(FAILED, 1),
            "was not denied",
            "exit 1; the agent tells 1",
        ),
        (
            lambda run: run.it.denied_with("EACCES"),
            "was denied with EACCES",
            "outcome",
            seen(FAILED, 1, stdout="page", stderr=EACCES),
            "was not denied with EACCES before something got out",
            "exit 1; the agent tells 1; it said “page”",
        ),
        (
            lambda run: run.it.stopped,
            "was stopped",
            "outcome",
            seen(WELL),
            "was not stopped",
            "exit 0; the agent tells 0",
        ),
        (
            lambda run: run.it.masked("x"),
            "masks 'x'",
            "own",
            seen(WELL),
            "does not mask 'x'",
            "exit 0; the agent tells 0",
        ),
        (
            lambda run: run.it.told,
            "is told whole",
            "own",
            seen([execs(SHELL), execs(CHILD), exits(SHELL, 7)]),
            "is not told whole",
            "no exit event of /usr/bin/cat; the agent says it ended with exit 7, who asked saw exit 0",
        ),
    ],
)
def test_a_refuted_question_says_what_was_asked_and_how_it_ended(  # noqa: PLR0913, PLR0917 - a table
    question: Question, name: str, about: str, run: Run, otherwise: str, how: str
) -> None:
    """Two questions of one name would have one answer, and a finding speaks of one side of an act."""
    judgement = judged(run, question)
    (asked,) = judgement.asked
    assert judgement.verdict is V
    assert (asked.act, asked.question, asked.about) == ("it", name, about)
    assert judgement.reason.splitlines()[0] == f"made: act it {otherwise}: {how}."


def test_a_question_that_was_to_be_no_says_its_yes() -> None:
    """`not told` of an act that is told whole."""
    reason = judged(seen(WELL), lambda run: run.it.told, negated=True).reason
    assert reason.splitlines()[0] == "made: act it is told whole: told whole."


def test_an_unknown_tells_why() -> None:
    """In the words of what is lacking."""
    for question, run, why in (
        (lambda run: run.it.told, seen(WELL, heard=False), NO_SENTINEL),
        (lambda run: run.it.stopped, seen(FAILED, 1), "act it failed (exit 1), but not by enforcement"),
        (
            lambda run: run.it.free,
            seen([execs(SHELL), unread(OPENED), exits(SHELL)]),
            "the action of a kprobe event cannot be read",
        ),
        (
            lambda run: Kprobe("fd_install", action="SIGKILL") in run.it.timeline,
            seen([execs(SHELL), unread(OPENED), exits(SHELL)]),
            "an event may be kprobe function=fd_install action=SIGKILL: its action cannot be read",
        ),
        (lambda run: Kprobe("fd_install") in run.it.timeline, seen(WELL, heard=False), NO_SENTINEL),
        (lambda run: run.it.succeeded, seen(WELL, None, broken="cut"), "act it has no outcome: cut"),
    ):
        judgement = judged(run, question)
        assert (judgement.verdict, judgement.reason) == (I, why)


# 137 and no exit told


@pytest.mark.parametrize(
    ("exit_code", "events", "heard", "expected"),
    [
        # a shell's word for a signal, and no word of the agent's: the end was heard, so there is none to come
        (137, [execs(SHELL)], True, V),
        (137, [execs(SHELL)], False, I),
        (129, [execs(SHELL)], True, V),
        # no signal has the number 0
        (128, [execs(SHELL)], True, C),
        (128, [execs(SHELL)], False, I),
        (1, [execs(SHELL)], True, C),
        (137, [execs(SHELL), exits(SHELL, 137)], True, C),
    ],
)
def test_an_act_of_which_no_exit_is_told_was_left_alone_only_by_its_code(
    exit_code: int, events: list[Event], *, heard: bool, expected: Verdict
) -> None:
    """137 may be a kill, and who asked cannot tell."""
    assert verdict(seen(events, exit_code, heard=heard), lambda run: run.it.free) is expected


@pytest.mark.parametrize(
    ("exit_code", "events", "heard", "expected"),
    [
        (3, [execs(SHELL)], False, C),
        (128, [execs(SHELL)], False, C),
        (129, [execs(SHELL)], False, I),
        (129, [execs(SHELL)], True, V),
        (129, [execs(SHELL), exits(SHELL, 129)], False, C),
        (129, [execs(SHELL), exits(SHELL, signal="SIGHUP")], True, V),
    ],
)
def test_exited_is_by_itself(exit_code: int, events: list[Event], *, heard: bool, expected: Verdict) -> None:
    """Up to 128 a code is the program's own, above it a signal's as well."""
    assert verdict(seen(events, exit_code, heard=heard), lambda run: run.it.exited(exit_code)) is expected


@pytest.mark.parametrize(
    ("signal", "expected"), [("SIGKILL", C), ("SIGTERM", V), ("SIGSEGV", V), ("SIGABRT", V), ("SIGPIPE", V)]
)
def test_killed_is_by_sigkill(signal: str, expected: Verdict) -> None:
    """Whatever code was seen, another signal is another end."""
    run = seen([execs(SHELL), exits(SHELL, signal=signal)], 137)
    assert verdict(run, lambda run: run.it.killed) is expected
    assert verdict(run, lambda run: run.it.killed_after("")) is expected


@pytest.mark.parametrize(
    ("exit_code", "events", "heard", "expected"),
    [
        (1, FAILED, True, C),
        (1, FAILED, False, C),
        # it said so, and a signal ended it then: it did not live to say so
        (1, [execs(SHELL), exits(SHELL, signal="SIGTERM")], True, V),
        (143, [execs(SHELL), exits(SHELL, signal="SIGTERM")], True, V),
        (143, [execs(SHELL)], False, I),
        (0, WELL, True, V),
        (137, [execs(SHELL), exits(SHELL, 137)], True, V),
    ],
)
def test_denied_lived_to_say_so(exit_code: int, events: list[Event], *, heard: bool, expected: Verdict) -> None:
    """Its complaint and no signal."""
    assert verdict(seen(events, exit_code, heard=heard, stderr=EPERM), lambda run: run.it.denied) is expected


def answering(number: int, run: Run) -> Run:
    """The run, under a policy that answers with this number."""
    override = f"action: Override\n              argError: {number}"
    told = policy_of(fd_install="security_file_open", **{"action: Sigkill": override})
    return Run(replace(run.observed, policy=told), run.declared)


@pytest.mark.parametrize(
    ("number", "complaint", "question", "expected"),
    [
        (-13, EACCES, lambda run: run.it.denied, C),
        (-13, EPERM, lambda run: run.it.denied, V),
        (-13, EACCES, lambda run: run.it.stopped, C),
        (-13, EPERM, lambda run: run.it.stopped, I),
        (-1, EPERM, lambda run: run.it.denied, C),
        (-1, EACCES, lambda run: run.it.denied, V),
        (-1, EACCES, lambda run: run.it.stopped, I),
        # who refused it so is not told: the policy answers otherwise
        (-1, EACCES, lambda run: run.it.denied_with("EACCES"), I),
        (-13, EACCES, lambda run: run.it.denied_with("EACCES"), C),
        (-13, EPERM, lambda run: run.it.denied_with("EACCES"), V),
        # a success that is faked denies nothing
        (0, EPERM, lambda run: run.it.denied, V),
        (0, EPERM, lambda run: run.it.stopped, I),
        (0, EPERM, lambda run: run.it.denied_with("EPERM"), I),
    ],
)
def test_denied_is_what_the_policy_answers_with(
    number: int, complaint: str, question: Question, expected: Verdict
) -> None:
    """An act that fails with another error was not refused by the policy."""
    run = answering(number, seen(FAILED, 1, stderr=complaint))
    assert verdict(run, question) is expected


def test_what_a_policy_answers_with_is_told() -> None:
    """By the error's name; and that it refuses nothing, where it does not."""

    def reason(number: int, complaint: str, question: Question) -> str:
        return judged(answering(number, seen(FAILED, 1, stderr=complaint)), question).reason.splitlines()[0]

    assert reason(-13, EPERM, lambda run: run.it.denied).startswith("guard: act it was not denied with EACCES: exit 1")
    assert "(the policy refuses nothing: its argError is none below 0" in reason(0, EPERM, lambda run: run.it.denied)
    refused = reason(-1, EACCES, lambda run: run.it.denied_with("EACCES"))
    assert refused == "act it was refused with EACCES, and the policy answers with EPERM"


@pytest.mark.parametrize(("number", "expected"), [(-13, C), (-1, I), (0, I)])
def test_what_the_runtime_was_refused_with_the_policys_own_error_was_denied(number: int, expected: Verdict) -> None:
    """Any other reason why it could not be started is none of the policy's, and nothing is known of the act."""
    run = answering(number, seen([], 126, stderr="exec /usr/bin/passwd: permission denied\n"))
    assert verdict(run, lambda run: run.it.denied) is expected
    assert verdict(run, lambda run: Exec("/usr/bin/passwd") not in run.it.timeline) is expected


def test_what_the_runtime_could_not_start_for_want_of_permission_was_denied() -> None:
    """It never ran, so no exit of it is told, and none is waited for."""
    for exit_code in (1, 126, 255):
        run = seen([], exit_code, heard=False, stderr=REFUSED)
        assert verdict(run, lambda run: run.it.denied) is C


@pytest.mark.parametrize(
    ("error", "remedy"), [("EPERN", "write EPERM"), ("EACESS", "write EACCES"), ("???", "write EPERM")]
)
def test_an_error_that_does_not_exist_is_refused(error: str, remedy: str) -> None:
    """With the nearest that does."""
    with pytest.raises(UsageError) as refused:
        seen(WELL).it.denied_with(error)
    assert f"There is no error {error!r}." in str(refused.value)
    assert str(refused.value).endswith(remedy)


# printed as another


def two(one: Any, other: Any, *events: Event) -> Run:
    """A run of two acts, `it` and `that`."""
    return run_of({"it": (Act(("x",)), one), "that": (Act(("y",)), other)}, events)


FIRST, SECOND = started(100, "/usr/bin/x"), started(101, "/usr/bin/y")
BOTH = [execs(FIRST), exits(FIRST), execs(SECOND), exits(SECOND)]


@pytest.mark.parametrize(
    ("one", "other", "verdict_", "reason"),
    [
        ({"stdout": "a"}, {"stdout": "a"}, C, ""),
        ({"stdout": "a\r\n"}, {"stdout": "a\n"}, C, ""),
        ({"stdout": "a"}, {"stdout": "b"}, V, None),
        ({}, {}, V, None),
        ({"stdout": "a", "exit_code": 1}, {"stdout": "a"}, V, None),
        ({"stdout": "a"}, {"stdout": "a", "exit_code": 1}, I, "act that did not end well (exit 1)"),
        ({"stdout": "a"}, {"exit_code": None, "broken": "cut"}, I, "act that did not end well (no outcome: cut)"),
    ],
)
def test_printed_as_another_that_ended_well(
    one: dict[str, Any], other: dict[str, Any], verdict_: Verdict, reason: str | None
) -> None:
    """What a failed act printed is nothing to compare with."""
    run = two(performed("x", **one), performed("y", **other), *BOTH)
    judgement = judged(run, lambda run: run.it.printed_as(run.that))
    assert judgement.verdict is verdict_
    asked = judgement.asked[-1]
    assert (asked.act, asked.question, asked.about) == ("it", "printed what that did", "printed")
    if verdict_ is V:
        assert judgement.reason.startswith("made: act it did not print what that did: exit")
    else:
        assert judgement.reason == reason


def test_printed_as_an_act_that_nobody_recorded_is_undecided() -> None:
    """By the reason of the other's lack."""
    run = two(performed("x", stdout="a"), performed("y", stdout="a"), *BOTH)
    lack = Unknown(Verdict.UNRECORDED, "act that was not recorded")
    run = Run(replace(run.observed, acts={**run.observed.acts, "that": lack}), run.declared)
    judgement = judged(run, lambda run: run.it.printed_as(run.that))
    assert (judgement.verdict, judgement.reason) == (lack.verdict, lack.reason)


# whose events


def test_another_policys_enforcement_is_not_this_ones() -> None:
    """By the name that this one had there; a signal is everybody's."""
    events = [execs(SHELL), hooked(SHELL, policy="another"), exits(SHELL)]
    assert verdict(seen(events, applied="guard"), lambda run: run.it.free) is C
    assert verdict(seen(events, applied="another"), lambda run: run.it.free) is V
    assert verdict(seen(events), lambda run: run.it.free) is V
    found: Question = lambda run: Kprobe("fd_install") in run.it.timeline  # noqa: E731 - a question
    assert verdict(seen(events, applied="guard"), found) is V
    assert verdict(seen(events, applied="another"), found) is C


# what a setting hides


@pytest.mark.parametrize(
    ("configuration", "heard", "expected", "reason"),
    [
        (
            {},
            True,
            Verdict.UNSUPPORTED,
            f"{ONLY_WITH} enable-process-cred: false",
        ),
        (
            {"enable-process-cred": "0"},
            True,
            Verdict.UNSUPPORTED,
            f"{ONLY_WITH} enable-process-cred: 0",
        ),
        ({"enable-process-cred": "true"}, True, V, None),
        ({"enable-process-cred": "true"}, False, I, NO_SENTINEL),
    ],
)
def test_what_a_setting_hides_is_told_by_its_name(
    configuration: dict[str, str], expected: Verdict, reason: str | None, *, heard: bool
) -> None:
    """An agent that is set to tell, and tells nothing, refutes only where it was heard to the end."""
    run = seen(WELL, heard=heard, configuration=configuration)
    judgement = judged(run, lambda run: Exec(credentials={"euid": 0}) in run.it.timeline)
    assert judgement.verdict is expected
    assert reason in {None, judgement.reason}


# masked


MASKED = started(100, BASH, "-c *****")
SECRET = shell("x-secret")
WITH_SECRET = hooked(started(7, "/usr/sbin/nginx", pod="default/nginx"), file="/tmp/x-secret", action="POST")


@pytest.mark.parametrize(
    ("events", "heard", "export", "expected"),
    [
        # nobody kept the export
        ([execs(MASKED), exits(MASKED)], True, None, Verdict.UNRECORDED),
        ([execs(MASKED), exits(MASKED)], False, None, I),
        ([], False, None, I),
        ([execs(MASKED), exits(MASKED)], True, (), C),
        ([execs(MASKED), exits(MASKED)], True, (WITH_SECRET,), V),
        # a secret that is out is out, whatever was not heard
        ([execs(MASKED), exits(MASKED)], False, (WITH_SECRET,), V),
    ],
)
def test_masked_needs_a_mask_that_was_seen(
    events: list[Event], export: tuple[Event, ...] | None, expected: Verdict, *, heard: bool
) -> None:
    """In the act's own events, and the secret in nobody's, of the stream or of the export."""
    more = {} if export is None else {"export": export}
    act = performed(*SECRET.argv)
    run = run_of({"it": (SECRET, act)}, events, frame={"heard": heard}, **more)
    assert verdict(run, lambda run: run.it.masked("x-secret")) is expected


def test_a_secret_that_the_act_does_not_hold_cannot_be_masked() -> None:
    """A misspelt one would never be found."""
    with pytest.raises(UsageError) as refused:
        seen(WELL).it.masked("y")
    assert "Act it has no argument that holds 'y'." in str(refused.value)
    assert str(refused.value).endswith("name a part of its argv")


# shown


def shown(*lines: str, pod: str = "other/probe") -> Run:
    """A run whose stream tetra has printed: two lines of a sentinel, the act's, and two of the other sentinel."""
    process = started(100, BASH, "-c x", pod=pod)
    between = ("🚀 process a true", "💥 exit    a true 0")
    act = performed(*ACT.argv, pod=pod)
    return run_of({"it": (ACT, act)}, [execs(process), exits(process)], compact=(*between, *lines, *between))


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        # an agent without pods has the node's name there, once
        (f"🚀 process {NODE} /usr/bin/bash -c x", "🚀 process other/probe /usr/bin/bash -c x"),
        (f"🚀 process {NODE} /usr/bin/bash -c {NODE} x", f"🚀 process other/probe /usr/bin/bash -c {NODE} x"),
        ("🚀 process other/probe /usr/bin/bash -c x", "🚀 process other/probe /usr/bin/bash -c x"),
        (
            f"🚀 process other/probe /usr/bin/bash -c {NODE} x",
            f"🚀 process other/probe /usr/bin/bash -c {NODE} x",
        ),
    ],
)
def test_a_line_of_an_agent_that_knows_no_pods_names_the_pod_in_the_place_of_the_node(
    printed: str, expected: str
) -> None:
    """Only there: what an argument says is its own."""
    run = shown(printed, "💥 exit    other/probe /usr/bin/bash -c x 0")
    assert verdict(run, lambda run: run.it.shown(expected, "💥 exit    …")) is C


def test_lines_that_tetra_printed_otherwise_are_shown() -> None:
    """Each with what was asked."""
    judgement = judged(shown("🚀 one", "💥 two"), lambda run: run.it.shown("🚀 …", "three"))
    assert judgement.verdict is V
    assert judgement.asked[-1].question == "shown as 🚀 … / three"
    assert judgement.reason == "made: tetra printed otherwise:\n    🚀 one\n    💥 two"


def test_what_is_bound_to_nothing_cannot_be_shown() -> None:
    """A line that names what the target does not have."""
    judgement = judged(shown("🚀 one", "💥 two"), lambda run: run.it.shown("… {tiefighter.ip}", "…"))
    assert (judgement.verdict, judgement.reason) == (Verdict.UNRECORDED, "tiefighter.ip is bound to nothing here")


# what was seen where none should be


def test_an_expectation_that_is_met_where_none_should_be_is_told() -> None:
    """With its own question, so that a finding can speak of that side."""
    judgement = judged(seen(BY_SIGKILL, 137), lambda run: OPENED_BY not in run.it.timeline)
    asked = judgement.asked[-1]
    assert (asked.question, asked.about) == (f"own: {OPENED_BY}", "own")
    first = judgement.reason.splitlines()[0]
    assert first == f"made: seen, where none should be: {OPENED_BY} was reported."
    judgement = judged(seen(WELL), lambda run: OPENED_BY in run.it.surroundings)
    assert judgement.asked[-1].about == "bystanders"
    assert judgement.reason.splitlines()[0].startswith("made: no event matched")


OPENED_BY = Kprobe("fd_install").by(BASH)


def test_of_an_act_without_outcome_what_is_missing_is_not_missed() -> None:
    """It perhaps never ran; what was seen was seen all the same."""
    run = seen(BY_SIGKILL, None, broken="the connection was cut")
    assert verdict(run, lambda run: OPENED_BY in run.it.timeline) is C
    judgement = judged(run, lambda run: Kprobe("tcp_connect") not in run.it.timeline)
    assert (judgement.verdict, judgement.reason) == (I, "the connection was cut")


@pytest.mark.parametrize(
    ("tetra", "printed", "expected"),
    [
        # a suite's line holds for every tetra: the newer ones quote what holds a blank, and the older none
        ("1.7.1", '🚀 process other/probe /usr/bin/bash "-c x"', C),
        ("1.7.1", "🚀 process other/probe /usr/bin/bash -c x", C),
        ("1.7.0", "🚀 process other/probe /usr/bin/bash -c x", C),
        ("1.7.0", '🚀 process other/probe /usr/bin/bash "-c x"', V),
    ],
)
def test_the_quotes_of_a_newer_tetra_are_undone(tetra: str, printed: str, expected: Verdict) -> None:
    """Only where it is one that quotes: elsewhere they are what was printed."""
    run = shown(printed, "💥 exit    other/probe /usr/bin/bash -c x 0")
    run = Run(replace(run.observed, tetra=tetra), run.declared)
    line = "🚀 process other/probe /usr/bin/bash -c x"
    assert verdict(run, lambda run: run.it.shown(line, "💥 exit    …")) is expected


def test_what_tetra_prints_is_made_when_it_is_asked_for() -> None:
    """Where the target keeps none; what it made counts, and why it could not."""
    lines = ("🚀 process a true", "💥 exit    a true 0")
    run = shown("🚀 one", "💥 two")
    asked = Run(
        replace(run.observed, compact=(), ask_compact=lambda: (*lines, "🚀 three", "💥 four", *lines)), run.declared
    )
    assert verdict(asked, lambda run: run.it.shown("🚀 three", "💥 four")) is C
    lack = Unknown(Verdict.UNSUPPORTED, "there is no tetra here")
    judgement = judged(
        Run(replace(run.observed, ask_compact=lambda: lack), run.declared), lambda run: run.it.shown("🚀 one", "💥 two")
    )
    assert (judgement.verdict, judgement.reason) == (lack.verdict, lack.reason)
    (asked_, *_) = judgement.asked
    assert (asked_.act, asked_.question, asked_.explain()) == ("it", "shown as 🚀 one / 💥 two", lack.reason)


def test_lines_may_name_what_is_bound_here() -> None:
    """An address that is another one on every target."""
    bindings = Bindings({"probe": (PodBinding("other", "probe", "10.0.0.6"),)})
    run = shown("🚀 10.0.0.6", "💥 two")
    run = Run(replace(run.observed, bindings=bindings), run.declared)
    assert verdict(run, lambda run: run.it.shown("🚀 {probe.ip}", "💥 two")) is C
    assert verdict(run, lambda run: run.it.shown("🚀 {probe.ip}0", "💥 two")) is V


def test_of_an_act_that_nobody_recorded_nothing_is_shown() -> None:
    """By its own lack, which is told before that of the lines."""
    lack = Unknown(Verdict.UNRECORDED, "act it was not recorded")
    run = seen(WELL)
    run = Run(replace(run.observed, acts={"it": lack}), run.declared)
    for question, name in (
        (lambda run: run.it.shown("a", "b"), "shown as a / b"),
        (lambda run: Exec() in run.it.timeline, "own: exec"),
        (lambda run: run.it.killed, "was killed"),
    ):
        judgement = judged(run, question)
        assert (judgement.verdict, judgement.reason) == (lack.verdict, lack.reason)
        asked = judgement.asked[-1]
        assert (asked.act, asked.question) == ("it", name)
        assert asked.explain() in {lack.reason, f"made: {lack.reason}"}


def test_lines_that_may_not_all_have_come_are_not_refuted() -> None:
    """With the reason why the stream is open."""
    run = shown("🚀 one", "💥 two")
    done = run.observed.acts["it"]
    assert isinstance(done, Done)
    cut = replace(done, timeline=replace(done.timeline, open=NO_SENTINEL))
    run = Run(replace(run.observed, acts={"it": cut}), run.declared)
    judgement = judged(run, lambda run: run.it.shown("🚀 one"))
    assert (judgement.verdict, judgement.reason) == (I, NO_SENTINEL)
    assert judgement.asked[-1].act == "it"


# an end that cannot be read


def odd_exit(**fields: Any) -> Event:
    """The shell's exit with fields of it that nobody can read."""
    value = exits(SHELL).json()
    value["process_exit"] |= fields
    made = parse(json.dumps(value).encode())
    assert isinstance(made, Event)
    return made


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"signal": ["SIGKILL"]}, "signal"),
        ({"status": {}}, "status"),
        ({"process": {**SHELL.json(), "pid": {}}}, "process.pid"),
    ],
)
@pytest.mark.parametrize(
    "question",
    [lambda run: run.it.killed, lambda run: run.it.exited(137), lambda run: run.it.free, lambda run: run.it.told],
)
def test_an_end_that_cannot_be_read_decides_nothing(fields: dict[str, Any], what: str, question: Question) -> None:
    """137 may be a kill and may be none, and nobody can say which; that it was told is no lack of an end."""
    judgement = judged(seen([execs(SHELL), odd_exit(**fields)], 137), question)
    assert judgement.verdict is I
    assert what in judgement.reason or judgement.reason == "how /usr/bin/bash ended cannot be read"
    if fields.get("process") or "status" in fields:
        assert verdict(seen([execs(SHELL), odd_exit(**fields)], 3), lambda run: run.it.exited(3)) is C


def test_why_an_end_cannot_be_read_is_told() -> None:
    """In the words of what could not be read of it."""
    run = seen([execs(SHELL), odd_exit(status={})], 137)
    for question in (lambda run: run.it.killed, lambda run: run.it.exited(137)):
        assert judged(run, question).reason == "status of an exit event cannot be read"
    assert judged(run, lambda run: run.it.told).reason == "status of its exit event cannot be read"


def test_an_event_of_nobody_known_leaves_what_is_told_wrongly_undecided() -> None:
    """It may be the one that is missing; where nothing is wrong it changes nothing."""
    value = OPENED.json()
    del value["process_kprobe"]["process"]
    stray = parse(json.dumps(value).encode())
    assert isinstance(stray, Event)
    judgement = judged(seen([execs(SHELL), stray]), lambda run: run.it.told)
    assert (judgement.verdict, judgement.reason) == (I, "of one kprobe event nobody can tell whose it is")
    assert verdict(seen([execs(SHELL), stray, exits(SHELL)]), lambda run: run.it.told) is C


def without_process(event: Event) -> Event:
    """The event of a hook, without its process."""
    value = event.json()
    del value["process_kprobe"]["process"]
    made = parse(json.dumps(value).encode())
    assert isinstance(made, Event)
    return made


MAY_BE = "of an event nobody can tell whether it is of this act and policy"


@pytest.mark.parametrize(
    ("events", "question", "expected", "reason"),
    [
        ([execs(SHELL), without_process(OPENED), exits(SHELL)], lambda it: Kprobe() not in it.timeline, I, MAY_BE),
        ([execs(SHELL), without_process(OPENED), exits(SHELL)], lambda it: Kprobe() in it.timeline, I, MAY_BE),
        ([execs(SHELL), without_process(OPENED), exits(SHELL)], lambda it: Kprobe() in it.surroundings, I, MAY_BE),
        ([execs(SHELL), without_process(OPENED), exits(SHELL)], lambda it: Exec() in it.timeline, C, ""),
        # the act's own process is not known, and an event may be its own: so may be all that descends from it
        (
            [without_process(OPENED)],
            lambda it: Exec() not in it.timeline,
            I,
            "of one kprobe event nobody can tell whose it is",
        ),
        ([without_process(OPENED)], lambda it: Exec() not in it.surroundings, C, ""),
        ([], lambda it: Exec() not in it.timeline, C, ""),
        ([without_process(OPENED)], lambda it: it.told, I, "of one kprobe event nobody can tell whose it is"),
    ],
)
def test_an_event_of_nobody_known_may_be_of_either_side(
    events: list[Event], question: Callable[[Any], bool], expected: Verdict, reason: str
) -> None:
    """Where that would turn the answer, there is none."""
    judgement = judged(seen(events), lambda run: question(run.it))
    assert (judgement.verdict, judgement.reason) == (expected, reason)


def test_a_side_is_named_also_where_nobody_recorded_the_act() -> None:
    """By the act's name in the suite."""
    lack = Unknown(Verdict.UNRECORDED, "act it was not recorded")
    run = seen(WELL)
    run = Run(replace(run.observed, acts={"it": lack}), run.declared)
    for question, about in (
        (lambda run: Exec() in run.it.timeline, "own"),
        (lambda run: Exec() in run.it.surroundings, "bystanders"),
        (lambda run: run.it.printed("a"), "printed"),
        (lambda run: run.it.killed, "outcome"),
        (lambda run: run.it.told, "own"),
    ):
        assert judged(run, question).asked[-1].about == about


def test_a_refuted_expectation_is_told_with_the_acts_name_and_the_policys_events() -> None:
    """What another policy told is no nearest miss."""
    events = [execs(SHELL), hooked(SHELL, policy="another", file="/tmp/x"), OPENED, exits(SHELL)]
    judgement = judged(seen(events, applied="guard"), lambda run: Kprobe(file="/tmp/x") in run.it.timeline)
    assert judgement.asked[-1].act == "it"
    lines = judgement.reason.splitlines()
    assert "▸ act it " in judgement.reason
    (nearest,) = [line for line in lines if "≈" in line]
    assert "/tmp/guarded" in nearest


@pytest.mark.parametrize(
    ("question", "said", "otherwise"),
    [
        (lambda run: run.it.killed, {"stderr": "it was read\n"}, "was not killed before something got out"),
        (lambda run: run.it.killed, {"stdout": "page"}, "was not killed before something got out"),
        (lambda run: run.it.killed, {}, "was not killed"),
        (lambda run: run.it.denied, {"stderr": "it was read\n"}, "was not denied"),
        (lambda run: run.it.denied, {"stdout": "page", "stderr": EPERM}, "was not denied before something got out"),
    ],
)
def test_what_was_not_stopped_in_time_is_told_so(question: Question, said: dict[str, str], otherwise: str) -> None:
    """What got out got out on either stream; a refusal says so on standard error, which is nothing that got out."""
    reason = judged(seen(FAILED, 1, **said), question).reason
    assert reason.startswith(f"made: act it {otherwise}: ")
