"""Replay: a recording answers for what it holds, and says of everything else what differs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from tests.builders import (
    BASH,
    METRICS,
    NODE,
    POLICY,
    execs,
    exits,
    framed,
    hooked,
    performed,
    policy,
    recording,
    recording_files,
    reindexed,
    scenario_files,
    started,
)
from tetraproof.answer import Unknown, judge
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Act, Acts, command, program, shell, typed
from tetraproof.observing.observation import Done, Observed
from tetraproof.observing.timeline import Performed
from tetraproof.policies.capability import Counters
from tetraproof.recordings.recording import INDEX, Recording, from_files, sealed
from tetraproof.targets import Unanswerable
from tetraproof.targets.replay import Replay
from tetraproof.verdict import Verdict

NGINX_POD = "default/nginx-795c6cd55d-jvmml"
PODS = {
    "probe": [{"namespace": "other", "name": "probe", "ip": "10.0.0.6", "node": NODE}],
    "nginx": [{"namespace": "default", "name": "nginx-795c6cd55d-jvmml", "ip": "10.0.0.2", "node": NODE}],
}
RANGES = {"ranges.pods": "10.0.0.0/18"}
BOUND = POLICY.replace(
    "  name: guard\n", '  name: guard\n  annotations:\n    tetraproof.dev/bind: \'{"/tmp/guarded": "ranges.pods"}\'\n'
)


def made(
    *acts: Performed, events: Any = (), manifest: str = POLICY, extra: Mapping[str, bytes] | None = None
) -> Recording:
    """A recording of one scenario, `guard`, with these acts."""
    files = scenario_files("guard", acts, events, manifest=manifest)
    files |= {f"scenarios/guard/{name}": content for name, content in (extra or {}).items()}
    return recording({"guard": files}, bindings={"workloads": PODS, "ranges": RANGES})


def observed(recorded: Recording, acts: Acts, manifest: str = POLICY) -> Observed:
    return Replay(recorded).observe(policy(manifest), {}, tuple(acts), "guard")


def found(recorded: Recording, acts: Acts) -> dict[str, str]:
    """For each declared act the id of the recorded one, or why there is none."""
    answers = observed(recorded, acts).acts
    return {name: one.performed.id if isinstance(one, Done) else one.reason for name, one in answers.items()}


SCRIPT = "open('/tmp/a')\n"


def programmed(text: str = SCRIPT, stdin: str | None = None) -> tuple[Acts, list[Performed]]:
    """An act with a program of its own, and what is recorded of it."""
    acts = Acts(it=program(text, "/tmp/a"))
    put, it = acts
    return acts, [
        performed(*put.argv, id=put.name, role="prepare", stdin=put.stdin if stdin is None else stdin),
        performed(*it.argv, id="it"),
    ]


def test_a_program_answers_only_while_its_text_is_the_same() -> None:
    """Another text is another act; and a recording whose name and text differ does not hold that program."""
    acts, recorded = programmed()
    assert found(made(*recorded), acts) == {"program_of_it": "program_of_it", "it": "it"}
    changed, _ = programmed(SCRIPT + "print(1)\n")
    assert all("was not recorded" in why for why in found(made(*recorded), changed).values())
    _, tampered = programmed(stdin="open('/tmp/b')\n")
    run = Run(observed(made(*tampered), acts), tuple(acts))

    def body() -> None:
        assert run.it.succeeded

    judgement = judge(body)
    assert judgement.verdict is Verdict.UNRECORDED
    assert judgement.reason.startswith("its program is not there: act program_of_it was not recorded with this input")


CAT_A, CAT_B = performed("cat", "/tmp/a", id="cat-a"), performed("cat", "/tmp/b", id="cat-b")
CAT_A_AGAIN = performed("cat", "/tmp/a", id="cat-a-again")
IN_NGINX = performed("cat", "/tmp/a", id="in-nginx", pod=NGINX_POD)
TYPED = performed("bash", id="typed", stdin="echo a\n")
IN_TERMINAL = performed("bash", id="terminal", stdin="echo a\n", tty=True)
CURLED = performed("curl", "http://10.0.0.2/", id="curled")


@pytest.mark.parametrize(
    ("recorded", "acts", "ids"),
    [
        # by argv
        ((CAT_A, CAT_B), Acts(a=command("cat", "/tmp/a"), b=command("cat", "/tmp/b")), ["cat-a", "cat-b"]),
        # by pod, under the name that was generated for it
        (
            (CAT_A, IN_NGINX),
            Acts(n=command("cat", "/tmp/a", pod="nginx"), p=command("cat", "/tmp/a")),
            ["in-nginx", "cat-a"],
        ),
        # by input and terminal
        ((TYPED, IN_TERMINAL), Acts(t=typed("echo a", tty=True), p=typed("echo a")), ["terminal", "typed"]),
        # in order, each once
        (
            (CAT_A, CAT_B, CAT_A_AGAIN),
            Acts(a=command("cat", "/tmp/a"), again=command("cat", "/tmp/a")),
            ["cat-a", "cat-a-again"],
        ),
        (
            (CAT_A, CAT_B, CAT_A_AGAIN),
            Acts(a=command("cat", "/tmp/a"), b=command("cat", "/tmp/b"), again=command("cat", "/tmp/a")),
            ["cat-a", "cat-b", "cat-a-again"],
        ),
        # what comes after an act is sought after it
        (
            (CAT_A, CAT_B, CAT_A_AGAIN),
            Acts(b=command("cat", "/tmp/b"), again=command("cat", "/tmp/a")),
            ["cat-b", "cat-a-again"],
        ),
        # placeholders, by what they are bound to, or by the address that stands in their place
        ((CURLED,), Acts(c=command("curl", "http://{nginx.ip}/")), ["curled"]),
        ((CURLED,), Acts(c=command("curl", "http://{tiefighter.ip}/")), ["curled"]),
    ],
)
def test_acts_are_found_by_what_they_are(recorded: tuple[Performed, ...], acts: Acts, ids: list[str]) -> None:
    """Pod, argv, input and order; never by a name that the recording gave them."""
    assert list(found(made(*recorded), acts).values()) == ids


@pytest.mark.parametrize(
    ("recorded", "act", "reason"),
    [
        ((CAT_A,), command("cat", "/tmp/b"), "act it was not recorded; the nearest is cat /tmp/a"),
        ((TYPED, CAT_A), shell("echo b"), "the nearest is"),
        ((IN_NGINX,), command("cat", "/tmp/a"), f"act it was not recorded in probe, only in {NGINX_POD}"),
        ((CAT_A,), command("cat", "/tmp/a", pod="nginx"), "act it was not recorded in nginx, only in other/probe"),
        ((TYPED,), typed("echo b"), "act it was not recorded with this input ('echo b\\n')"),
        ((TYPED,), typed("echo a", tty=True), "act it was not recorded with this input"),
        ((performed("curl", "http://host/"),), command("curl", "http://{tiefighter.ip}/"), "act it was not recorded"),
        ((performed("curl", "http://10.0.0.3/"),), command("curl", "http://{nginx.ip}/"), "act it was not recorded"),
        ((), command("true"), "act it was not recorded: the scenario has no acts"),
    ],
)
def test_what_was_not_recorded_says_what_differs(recorded: tuple[Performed, ...], act: Act, reason: str) -> None:
    """A person can tell whether to record anew or to correct the suite."""
    answers = observed(made(*recorded), Acts(it=act))
    lack = answers.acts["it"]
    assert isinstance(lack, Unknown)
    assert lack.verdict is Verdict.UNRECORDED
    assert reason in lack.reason
    assert len(answers.others) == len(recorded)


def test_an_act_asked_for_more_often_than_it_was_recorded() -> None:
    """Each recorded act answers once."""
    twice = Acts(a=command("cat", "/tmp/a"), b=command("cat", "/tmp/a"))
    assert found(made(CAT_A), twice) == {"a": "cat-a", "b": "act b was recorded 1 times, and is asked for once more"}


def test_acts_out_of_their_order_are_found_and_told() -> None:
    """Acts leave traces, so another order is worth a note."""
    seen = observed(made(CAT_A, CAT_B), Acts(b=command("cat", "/tmp/b"), a=command("cat", "/tmp/a")))
    assert [one.performed.id for one in seen.acts.values() if isinstance(one, Done)] == ["cat-b", "cat-a"]
    assert any("act a was recorded in another order" in note for note in seen.notes)
    right = observed(made(CAT_A, CAT_B), Acts(a=command("cat", "/tmp/a"), b=command("cat", "/tmp/b")))
    assert not any("order" in note for note in right.notes)


def test_what_a_placeholder_stands_for_is_learnt_once() -> None:
    """An address that one act taught is the address of the next; another one is another act."""
    first, other = performed("curl", "10.0.0.3", id="first"), performed("cat", "10.0.0.4", id="other")
    seen = observed(made(first, other), Acts(a=command("curl", "{tiefighter.ip}"), b=command("cat", "{tiefighter.ip}")))
    assert seen.bindings.values()["tiefighter.ip"] == "10.0.0.3"
    assert isinstance(seen.acts["a"], Done)
    assert isinstance(seen.acts["b"], Unknown)


@pytest.mark.parametrize(
    ("workload", "pods", "pod", "known"),
    [
        ("nginx", PODS, "default/nginx-795c6cd55d-jvmml", True),
        ("nginx", PODS, "default/nginx-795c6cd55d-other", False),
        ("nginx", {}, "default/nginx-795c6cd55d-other", True),
        ("nginx", {}, "default/nginx", True),
        ("nginx", {}, "default/nginxes", False),
        ("probe", PODS, "elsewhere/probe", False),
    ],
)
def test_a_workload_is_known_by_its_pods(workload: str, pods: Any, pod: str, *, known: bool) -> None:
    """By what was bound; where nothing was, a generated name begins with the workload's."""
    files = scenario_files("guard", [performed("true", id="there", pod=pod)])
    recorded = recording({"guard": files}, bindings={"workloads": pods})
    assert (found(recorded, Acts(it=command("true", pod=workload)))["it"] == "there") is known


def test_a_scenarios_own_pods_come_before_the_cells() -> None:
    """A pod that was made anew has another name there."""
    files = recording_files(
        {"guard": scenario_files("guard", [performed("true", id="there", pod="default/nginx-new")])}
    )
    own = {"workloads": {"nginx": [{"namespace": "default", "name": "nginx-new", "ip": "10.0.0.77"}]}}
    listed = [{"name": "guard", "policy": True, "bindings": own}]
    recorded = from_files("made", reindexed(files, bindings={"workloads": PODS}, scenarios=listed))
    seen = observed(recorded, Acts(it=command("true", pod="nginx")))
    assert isinstance(seen.acts["it"], Done)
    assert seen.bindings.values()["nginx.ip"] == "10.0.0.77"


# policies


def test_a_scenario_answers_for_the_policy_that_says_the_same() -> None:
    """Whatever it is called; the one of the policy's own name first, variants after it."""
    renamed = POLICY.replace("name: guard", "name: variant")
    other = POLICY.replace("/tmp/guarded", "/tmp/other")
    files = {
        name: scenario_files(name, manifest=text) for name, text in (("a", renamed), ("guard", POLICY), ("z", other))
    }
    replay = Replay(recording(files))
    assert replay.scenarios("guard", policy(), {}) == ["guard", "a"]
    assert replay.scenarios("guard", policy(other), {}) == ["z"]
    assert replay.scenarios("guard", policy(POLICY.replace("Sigkill", "Post")), {}) == []


def test_a_policy_that_was_not_recorded_says_where_the_nearest_differs() -> None:
    """By field, with what is here and what is there."""
    changed = policy(POLICY.replace("/tmp/guarded", "/tmp/x"))
    with pytest.raises(Unanswerable) as refused:
        Replay(made()).observe(changed, {}, (), "")
    for word in ("guard", "matchArgs[0].values[0]", '"/tmp/x"', '"/tmp/guarded"'):
        assert word in str(refused.value)


def test_a_recording_without_policies_says_so() -> None:
    """There is no nearest."""
    replay = Replay(recording({"baseline": scenario_files("baseline", manifest="")}))
    with pytest.raises(Unanswerable, match="no scenario whose policy says what guard says"):
        replay.observe(policy(), {}, (), "")


def test_ranges_are_learnt_from_the_policy_that_was_applied() -> None:
    """Before those of the environment; the acts' addresses follow, and so does the policy that is shown."""
    outside = performed("curl", "192.0.2.9", id="outside")
    recorded = made(outside, manifest=BOUND.replace("/tmp/guarded", "192.0.2.0/29"))
    seen = observed(recorded, Acts(it=command("curl", "{ranges.outside}")), BOUND)
    assert isinstance(seen.acts["it"], Done)
    assert seen.bindings.ranges["ranges.pods"] == "192.0.2.0/29"
    assert seen.policy is not None
    assert "192.0.2.0/29" in json.dumps(seen.policy.spec)


@pytest.mark.parametrize(
    ("own", "cell", "asked", "answers"),
    [
        ({}, {}, {}, True),
        ({"enable-process-cred": "true"}, {}, {}, False),
        ({"enable-process-cred": "true"}, {}, {"enable-process-cred": "true"}, True),
        ({}, {}, {"enable-process-cred": "true"}, False),
        ({}, {"enable-process-cred": "true"}, {"enable-process-cred": "true"}, True),
        ({}, {}, {"enable-process-cred": "false"}, True),
        ({"debug": "true"}, {}, {"enable-process-cred": "false"}, False),
    ],
)
def test_a_scenario_without_a_policy_answers_for_its_settings(
    own: dict[str, str], cell: dict[str, str], asked: dict[str, str], *, answers: bool
) -> None:
    """Those of its cell and its own; a setting that an agent does not have is off."""
    files = recording_files({"baseline": scenario_files("baseline", manifest="")})
    listed = [{"name": "baseline", "policy": False, "settings": own}]
    replay = Replay(from_files("made", reindexed(files, settings=cell, scenarios=listed)))
    assert bool(replay.scenarios("baseline", None, asked)) is answers
    if not answers:
        with pytest.raises(Unanswerable, match="no scenario without a policy under"):
            replay.observe(None, asked, (), "")


# what else was recorded


SHELL = started(100, BASH, "-c x")
ACT = performed("bash", "-c", "x", id="it", exit_code=137)
KILLED = [execs(SHELL), hooked(SHELL, file="/tmp/guarded"), exits(SHELL, signal="SIGKILL")]
IT = Acts(it=shell("x"))


def test_a_recorded_act_is_judged_as_it_was() -> None:
    """From files to a run that a test can ask."""
    run = Run(observed(made(ACT, events=KILLED), IT), tuple(IT))
    assert run.loading.verdict is Verdict.CONFORMS
    assert run.it.killed
    assert run.it.told


def metrics(count: int) -> bytes:
    posted = f'tetragon_policy_events_total{{binary="/usr/bin/bash",policy="guard"}} {count}\n'
    return METRICS + posted.encode()


def test_metrics_are_read_where_both_readings_are_there() -> None:
    """What the policy posted, and what the agent lost."""
    both = made(ACT, extra={"metrics-before.txt": metrics(1), "metrics-after.txt": metrics(3)})
    assert observed(both, IT).posted == {"/usr/bin/bash": 2}
    one = observed(made(ACT, extra={"metrics-before.txt": b"", "metrics-after.txt": metrics(3)}), IT).posted
    assert isinstance(one, Unknown)
    lossy = metrics(1).replace(b"ringbuf_events_lost_total 0", b"ringbuf_events_lost_total 5")
    lost = made(ACT, events=KILLED, extra={"metrics-before.txt": metrics(1), "metrics-after.txt": lossy})
    answer = observed(lost, IT).acts["it"]
    assert isinstance(answer, Done)
    assert "the agent lost 5" in answer.timeline.open


@pytest.mark.parametrize(
    ("told", "state", "mode", "counters"),
    [
        ({"state": "TP_STATE_ENABLED", "mode": "TP_MODE_ENFORCE"}, "enabled", "enforce", None),
        ({"state": "TP_STATE_LOAD_ERROR", "error": "EINVAL"}, "load_error", "", None),
        ({"enabled": True}, "enabled", "", None),
        ({"enabled": False}, "unknown", "", None),
        ({}, "unknown", "", None),
        (
            {"state": "TP_STATE_ENABLED", "stats": {"action_counters": {"post": "8", "signal": "3", "override": 2}}},
            "enabled",
            "",
            Counters(8, 5, 0),
        ),
        (
            {"state": "TP_STATE_ENABLED", "stats": {"action_counters": {"post": "1", "monitor_signal": "1"}}},
            "enabled",
            "",
            Counters(1, 0, 1),
        ),
        ({"state": "TP_STATE_ENABLED", "stats": {}}, "enabled", "", None),
    ],
)
def test_states_are_read_as_every_version_writes_them(
    told: dict[str, Any], state: str, mode: str, counters: Counters | None
) -> None:
    """State, mode and counters; numbers as numbers or as text."""
    states = {NODE: [{"name": "another"}, {"name": "guard", **told}, {"name": "guard", "namespace": "galaxy"}]}
    (one,) = observed(made(ACT, extra={"state.json": json.dumps(states).encode()}), IT).states
    assert (one.node, one.state, one.mode, one.counters) == (NODE, state, mode, counters)


def test_a_hostile_error_cannot_steer_a_terminal() -> None:
    """The agent's word may repeat what a stranger wrote."""
    states = {NODE: [{"name": "guard", "state": "TP_STATE_LOAD_ERROR", "error": "a\x1b[2Jb\nc"}]}
    (one,) = observed(made(ACT, extra={"state.json": json.dumps(states).encode()}), IT).states
    assert one.error == "a\\e[2Jb\\nc"


def test_a_line_that_is_no_event_is_noted() -> None:
    """And costs none of the others."""
    files = scenario_files("guard", [ACT], KILLED)
    path = "scenarios/guard/events.jsonl"
    lines = files[path].splitlines(keepends=True)
    files[path] = b"".join([lines[0], b"tail: x has been replaced\n", b"\n", *lines[1:], b"{oops\n"])
    seen = observed(recording({"guard": files}), IT)
    assert sum(note.startswith("events.jsonl holds a line that is no event: ") for note in seen.notes) == 2
    assert len(seen.stream) == len(lines)


@pytest.mark.parametrize(("lines", "known"), [(7, True), (6, False), (8, False), (0, False)])
def test_compact_output_counts_only_line_for_line(lines: int, *, known: bool) -> None:
    """One line an event, or it is of other events."""
    text = "".join(f"line {number}\n" for number in range(lines)).encode()
    seen = observed(made(ACT, events=KILLED, extra={"events.compact.txt": text}), IT)
    assert len(seen.stream) == 7
    assert isinstance(seen.compact, tuple) is known


def test_an_empty_export_is_none() -> None:
    """A log that holds nothing but notices is no witness."""
    for content in (b"", b"tail: x has been replaced\n"):
        assert isinstance(observed(made(ACT, extra={"export.jsonl": content}), IT).export, Unknown)
    _, stream = framed([ACT], KILLED)
    told = b"".join(event.line + b"\n" for event in stream)
    assert observed(made(ACT, events=KILLED, extra={"export.jsonl": told}), IT).export == tuple(stream)


def test_settings_of_a_scenario_are_told() -> None:
    """A note, and the capabilities that follow from them."""
    files = recording_files({"guard": scenario_files("guard")})
    listed = [{"name": "guard", "policy": True, "settings": {"enable-policy-filter": "false"}, "notes": ["a note"]}]
    seen = observed(from_files("made", reindexed(files, scenarios=listed)), Acts())
    assert seen.configuration["enable-policy-filter"] == "false"
    assert seen.capabilities[NODE].has("policy_filter") is False
    assert seen.notes[0] == "a note"
    assert "enable-policy-filter: false" in seen.notes[1]


def test_the_introduction_says_what_is_judged_and_that_nothing_is_enforced() -> None:
    """First of all, whatever comes of it."""
    lines = Replay(made()).introduction()
    for word in ("Tetragon 0.0.0", "kernel 0.0.0", "Kubernetes 0.0.0", "defaults", "replay", "made_tetragon"):
        assert word in lines[0]
    assert "nothing is enforced on this machine" in lines[1]
    assert "2026-11-23" in lines[1]


def test_a_recorded_policy_may_be_newer_than_our_crd() -> None:
    """The agent accepted it; it answers for no policy of ours, and says where it differs."""
    newer = POLICY.replace("spec:\n", "spec:\n  brandNew: true\n")
    replay = Replay(made(manifest=newer))
    assert replay.scenarios("guard", policy(), {}) == []
    with pytest.raises(Unanswerable, match=r"spec\.brandNew"):
        replay.observe(policy(), {}, (), "")


def test_files_of_the_recording_stay_as_they_are() -> None:
    """Replaying reads."""
    recorded = made(ACT, events=KILLED)
    before = dict(recorded.files)
    observed(recorded, IT)
    assert recorded.files == before == sealed(before)
    assert msgspec.json.decode(before[INDEX])["format"] == 1
