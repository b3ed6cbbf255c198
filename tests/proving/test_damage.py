"""Damages: each changes just what it says, and none of them is what the files already were."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache

import pytest

from tests.builders import (
    BASH,
    MANIFESTS,
    NEWEST,
    RECORDINGS,
    child,
    execs,
    exits,
    hooked,
    performed,
    run_of,
    scenario_files,
    started,
)
from tests.proving.test_agents import acts as declared
from tetraproof.errors import RecordingError
from tetraproof.events.event import Event, parse
from tetraproof.observing.act import shell
from tetraproof.observing.observation import Done, Observed
from tetraproof.policies.policy import load
from tetraproof.proving.damage import Damage, Scene
from tetraproof.proving.proof import damages
from tetraproof.recordings.recording import Recording, from_files, open_recording, sealed
from tetraproof.targets.replay import Replay

EVENTS, ACTS, STATE = (f"scenarios/block-fd-install/{name}" for name in ("events.jsonl", "acts.json", "state.json"))


@cache
def recorded() -> Recording:
    return open_recording(NEWEST)


@cache
def observed() -> Observed:
    return Replay(recorded()).observe(load(MANIFESTS / "block-fd-install.yaml"), {}, declared(), "block-fd-install")


@cache
def every() -> tuple[Damage, ...]:
    return tuple(damages(Scene(observed(), recorded().files)))


KINDS = sorted({damage.kind for damage in every()})
#: Damages that are several changes which agree with each other, so that nobody contradicts himself.
CONSISTENT = {
    "a child of what is allowed is killed",
    "a setting hides",
    "a setting hides from the export",
    "counters lie",
    "not heard to the end",
    "policy in another mode",
    "the shell around a killed child ends as well",
    "what is allowed fails",
    "what is allowed is killed in the end",
    "what is allowed is terminated in the end",
    "what is stopped ends by itself",
    "what is stopped goes through",
}


def one_of(kind: str, act: str = "", what: str = "") -> Damage:
    return next(one for one in every() if one.kind == kind and act in ("", one.act) and what in one.what)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damage_changes_what_it_says_and_the_original_stays(kind: str) -> None:
    """One file, where it is no lie that is told consistently; tetra's rendering of a changed stream is no witness."""
    before = dict(recorded().files)
    for damage in [one for one in every() if one.kind == kind][:20]:
        after = damage.to(before)
        assert before == dict(recorded().files)
        gone = {path for path in before.keys() - after.keys() if not path.endswith("events.compact.txt")}
        changed = {path for path in after if after[path] != before.get(path)}
        assert gone | changed, damage.what
        assert len(gone | changed) == 1 or kind in CONSISTENT
        assert not after.keys() - before.keys()


def test_a_damaged_recording_can_be_opened_or_is_refused() -> None:
    """Refused are just those that a recording may not say."""
    refused = set()
    for damage in [next(one for one in every() if one.kind == kind) for kind in KINDS]:
        try:
            from_files("made", sealed(damage.to(recorded().files)))
        except RecordingError:
            refused.add(damage.kind)
    assert refused == {"the recording decides"}


def lines(kind: str, act: str = "guarded") -> tuple[list[bytes], list[bytes]]:
    before = recorded().files
    return before[EVENTS].splitlines(), one_of(kind, act).to(before)[EVENTS].splitlines()


def test_events_are_dropped_doubled_delayed_and_swapped() -> None:
    """One at a time."""
    before, after = lines("event dropped")
    assert Counter(before) - Counter(after) == Counter({next(iter(Counter(before) - Counter(after))): 1})
    assert len(after) == len(before) - 1
    before, after = lines("event duplicated")
    assert sum((Counter(after) - Counter(before)).values()) == 1
    before, after = lines("event delayed past the window")
    assert Counter(before) == Counter(after)
    assert after[-1] != before[-1]
    before, after = lines("two events swapped")
    assert Counter(before) == Counter(after)
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 2


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.endswith("altered")])
def test_an_alteration_changes_one_event_to_another_that_is_read(kind: str) -> None:
    """It stays an event, of another binary, pod, action, file or exit."""
    before, after = lines(kind)
    changed = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert len(changed) == 1
    one, other = (json.loads(line) for line in changed[0])
    assert one.keys() == other.keys()
    assert one != other


@pytest.mark.parametrize("code", [0, 137])
def test_an_outcome_is_turned_into_another(code: int) -> None:
    """Of one act, which had another before."""
    damage = one_of(f"exit code turned into {code}")
    before, after = (json.loads(files[ACTS]) for files in (recorded().files, damage.to(recorded().files)))
    changed = [(one["exit_code"], other["exit_code"]) for one, other in zip(before, after, strict=True) if one != other]
    assert len(changed) == 1
    assert changed[0][0] != changed[0][1] == code


def test_every_event_of_every_act_is_damaged() -> None:
    """None is spared."""
    dropped = {id(damage.event) for damage in every() if damage.kind == "event dropped"}
    # what set the scene was not recorded there
    done = [one for one in observed().acts.values() if isinstance(one, Done)]
    own = {id(event) for one in done for event in one.timeline.own}
    assert dropped == own


def test_harmless_is_what_no_promise_is_about() -> None:
    """And all of it leaves every original event in place, in whatever form."""
    harmless = [damage for damage in every() if damage.harmless and not damage.act]
    assert len({damage.kind for damage in harmless}) == len(harmless) == 9
    for damage in harmless:
        after = damage.to(recorded().files)[EVENTS].splitlines()
        read = [one for line in after if line.strip() and isinstance(one := parse(line), Event)]
        told = [one for one in read if not one.process.exec_id.startswith("noise")]
        assert [(one.kind, one.node, one.detail) for one in told] == [
            (one.kind, one.node, one.detail) for one in plain()
        ], damage.kind


def plain() -> list[Event]:
    return [one for line in recorded().files[EVENTS].splitlines() if isinstance(one := parse(line), Event)]


def test_a_scenario_without_acts_and_events_has_only_what_a_recording_may_not_decide() -> None:
    """There is nothing else to do damage to, and nothing breaks."""
    assert {one.kind for one in damages(Scene(Observed("guard", None, {}), {}))} == {"the recording decides"}


def test_lines_that_are_no_events_keep_their_place() -> None:
    """A notice between two events does not shift a damage onto its neighbour."""
    notice = b"tail: x has been replaced"
    stream = recorded().files[EVENTS].splitlines()
    files = {**recorded().files, EVENTS: b"\n".join([*stream[:3], notice, *stream[3:]]) + b"\n"}
    run = Replay(from_files("made", sealed(files)))
    seen = run.observe(load(MANIFESTS / "block-fd-install.yaml"), {}, declared(), "block-fd-install")
    for damage in damages(Scene(seen, files)):
        if damage.kind == "event dropped" and damage.act == "guarded":
            assert damage.event is not None
            after = damage.to(files)[EVENTS].splitlines()
            assert damage.event.line not in after
            assert notice in after


def kinds_of(*events: Event) -> list[tuple[str, str]]:
    """Every damage to an act that these events tell, with its event."""
    act = performed("bash", "-c", "x")
    run = run_of({"it": (shell("x"), act)}, events)
    return [(damage.kind, damage.what) for damage in damages(Scene(run.observed, {})) if damage.act]


SHELL = started(100, BASH, "-c x")
ONE, OTHER = child(SHELL, 101, "/usr/bin/cp"), child(SHELL, 102, "/usr/bin/mv")


def test_arguments_are_altered_by_what_they_are() -> None:
    """A file by its path, a connection by either address."""
    file = [kind for kind, what in kinds_of(execs(SHELL), hooked(SHELL, file="/tmp/a")) if what.startswith("kprobe")]
    assert (file.count("path altered"), file.count("address altered")) == (1, 0)
    sock = [
        kind for kind, what in kinds_of(execs(SHELL), hooked(SHELL, sock={"saddr": "10.0.0.1"})) if "kprobe" in what
    ]
    assert (sock.count("path altered"), sock.count("address altered")) == (0, 2)


def test_only_the_order_of_related_events_means_something() -> None:
    """Of one process, or of one that started the other; that of two children is nobody's promise."""
    told = kinds_of(execs(SHELL), execs(ONE), execs(OTHER), exits(ONE), exits(OTHER), exits(SHELL))
    harmful = [what for kind, what in told if kind == "two events swapped"]
    harmless = [what for kind, what in told if kind == "unrelated events reordered"]
    assert harmful == [f"exec of {BASH} and exec of /usr/bin/cp"]
    assert len(harmless) == 4


@pytest.mark.parametrize(("before", "after"), [("POST", "SIGKILL"), ("SIGKILL", "POST"), ("OVERRIDE", "POST")])
def test_an_action_is_altered_to_another(before: str, after: str) -> None:
    """What was posted is said to be killed, and the other way round."""
    act = performed("bash", "-c", "x")
    files = scenario_files("made", [act], [execs(SHELL), hooked(SHELL, file="/tmp/a", action=before), exits(SHELL)])
    run = run_of({"it": (shell("x"), act)}, [execs(SHELL), hooked(SHELL, file="/tmp/a", action=before), exits(SHELL)])
    (damage,) = [damage for damage in damages(Scene(run.observed, files)) if damage.kind == "action altered"]
    assert f'"KPROBE_ACTION_{after}"'.encode() in damage.to(files)["scenarios/made/events.jsonl"]


# values that cannot be read, and events that are added


def change_of(damage: Damage) -> tuple[list[bytes], list[bytes]]:
    """The lines that went and that came."""
    before, after = recorded().files[EVENTS].splitlines(), damage.to(recorded().files)[EVENTS].splitlines()
    return list((Counter(before) - Counter(after)).elements()), list((Counter(after) - Counter(before)).elements())


def test_a_value_that_cannot_be_read_is_the_only_one() -> None:
    """The event is still one, of its kind, and just the value at that path is unread, absent or unknown."""
    unread = [one for one in every() if one.kind == "a value that cannot be read"]
    for damage in unread:
        (gone,), (came,) = change_of(damage)
        event, was = parse(came), parse(gone)
        assert isinstance(event, Event)
        assert isinstance(was, Event)
        assert event.kind == was.kind
        if damage.field == "process":
            assert event.anonymous
        elif damage.field == "node_name":
            assert not event.node
        elif damage.field == "time":
            assert event.time is None
        elif damage.field.startswith("args."):
            assert event.detail.args != was.detail.args
        else:
            assert event.unread == (damage.field,)
    fields = {one.field for one in unread}
    assert {"action", "args", "policy_name", "process.binary", "process.pod", "signal", "status"} <= fields


def test_of_an_event_without_a_time_none_is_taken_away() -> None:
    """A loader event has none; every damage to it can be done."""
    act = performed("bash", "-c", "x")
    body = {"process": execs(SHELL).json()["process_exec"]["process"], "path": "/usr/bin/x", "buildid": "qQ=="}
    mapped = parse(json.dumps({"process_loader": body, "node_name": execs(SHELL).node}).encode())
    assert isinstance(mapped, Event)
    events = [execs(SHELL), mapped, exits(SHELL)]
    files = scenario_files("made", [act], events)
    made = [one for one in damages(Scene(run_of({"it": (shell("x"), act)}, events).observed, files)) if one.act]
    assert {one.field for one in made if one.event and one.event.kind == "loader"} & {"process.pid", "process.binary"}
    for damage in made:
        assert damage.to(files) != files


def test_an_added_event_is_one_more_of_the_acts_own_process() -> None:
    """Right after its exec; nothing else changes."""
    added = [one for one in every() if one.kind.startswith("a kill")]
    assert {one.act for one in added} >= {"bar", "lookalike", "elsewhere"}
    assert "guarded" not in {one.act for one in added}
    for damage in added:
        gone, (came,) = change_of(damage)
        assert gone == []
        assert isinstance(parse(came), Event)
        assert b"guard" in came or "policy" in damage.what or b"block-fd-install" in came


def test_a_world_is_told_the_same_by_who_asked_and_by_the_agent() -> None:
    """An exit code of 137 and an exit by SIGKILL."""
    damage = one_of("what is allowed is killed in the end", "bar")
    files = damage.to(recorded().files)
    was, now = (json.loads(one[ACTS]) for one in (recorded().files, files))
    assert [one["exit_code"] for one, other in zip(now, was, strict=True) if one != other] == [137]
    (_,), (came,) = change_of(damage)
    assert json.loads(came)["process_exit"]["signal"] == "SIGKILL"


@pytest.mark.parametrize("moment", ["state", "state-after"])
def test_a_state_is_turned_at_its_moment(moment: str) -> None:
    """Before the acts, or after them."""
    kind = "policy state turned to error" if moment == "state" else "policy not in force after the acts"
    files = one_of(kind, what="load_error").to(recorded().files)
    path = f"scenarios/block-fd-install/{moment}.json"
    assert "TP_STATE_LOAD_ERROR" in files[path].decode()
    assert [one for one in files if files[one] != recorded().files[one]] == [path]


def test_a_cut_stream_lacks_its_end_whatever_came_behind_it() -> None:
    """Where nothing filters, a stream that feeds itself goes on behind the end sentinel: cut there nothing is lost."""
    inside = "scenarios/log-tcp-connection/events.jsonl"
    files = open_recording(RECORDINGS / "standalone_tetragon-1.7.0_kprobe-override-6.12.117").files
    replay = Replay(from_files("made", files))
    policy = load(MANIFESTS / "log-tcp-connection.yaml")
    scene = Scene(replay.observe(policy, {}, (), "log-tcp-connection"), files)
    lines = files[inside].splitlines()
    ended = [at for at, line in enumerate(lines) if b"sentinel-end" in line]
    assert max(ended) < len(lines) / 2
    cuts = [damage.to(files)[inside].splitlines() for damage in damages(scene) if damage.kind == "stream cut"]
    assert len(cuts) == 2
    for cut in cuts:
        assert 0 < len(cut) < ended[0] + 1
