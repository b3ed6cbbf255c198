"""Worlds in which a person would say that a policy failed: the promise that it breaks does not conform.

Each is made of a shipped recording by changing what somebody would have changed who
lies, or what would have been recorded had it gone wrong, and is judged by the shipped
suites. Undamaged, each of the promises conforms.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from fixtures.suite import test_applying_is_loading as applying_is_loading
from fixtures.suite import test_every_act_is_told as every_act_is_told
from tests.builders import MANIFESTS, NEWEST, RECORDINGS
from tetraproof.act import Act
from tetraproof.claim import Claim
from tetraproof.damage import Apply, Json, Scene, body_of, in_body, in_process, together
from tetraproof.damage_of_changes import damages
from tetraproof.errors import RecordingError
from tetraproof.observation import Done
from tetraproof.policy import Policy, load
from tetraproof.policy import parse as parse_policy
from tetraproof.recording import from_files, open_recording, sealed
from tetraproof.scenario import Run
from tetraproof.targets.replay import Replay

FD_INSTALL = "files.test_block_fd_install"
EGRESS = "network.test_block_internet_egress"
EXEMPT = "files.test_block_nginx_write_index_pid_1_only"
MASK = "files.test_block_nginx_write_index_by_mask"
OVERRIDE = "override.test_override_file_permission"
MULTI = RECORDINGS / "k8s-1.36.2_tetragon-1.4.1-disable-kprobe-multi_debian-6.12.117"
PAGE = "<html><head><title>502 Bad Gateway</title></head></html>\n"

Change = Callable[[Scene], Apply]


def claims_of(suite: str) -> dict[str, Claim]:
    """The promises of a shipped suite, with those that every suite has."""
    module = importlib.import_module(f"suites.{suite}")
    common = {"test_applying_is_loading": applying_is_loading, "test_every_act_is_told": every_act_is_told}
    bodies: dict[str, Any] = {**common, **{name: body for name, body in vars(module).items() if name[:5] == "test_"}}
    return {name: Claim(name, body, about_loading=body is applying_is_loading) for name, body in bodies.items()}


def acts_of(suite: str) -> tuple[Act, ...]:
    return tuple(importlib.import_module(f"suites.{suite}").acts)


@cache
def manifest(name: str) -> Policy:
    return load(MANIFESTS / f"{name}.yaml")


@cache
def recorded() -> Mapping[str, bytes]:
    return open_recording(NEWEST).files


def judged(suite: str, policy: Policy, scenario: str, files: Mapping[str, bytes], names: tuple[str, ...]) -> list[str]:
    """What becomes of the promises."""
    acts, claims = acts_of(suite), claims_of(suite)
    run = Run(Replay(from_files("made", sealed(files))).observe(policy, {}, acts, scenario), acts)
    return [claims[name].judge(run).word for name in names]


@cache
def scene_of(suite: str, policy: str) -> Scene:
    replay = Replay(open_recording(NEWEST))
    (scenario,) = replay.scenarios(policy, manifest(policy), {})
    return Scene(replay.observe(manifest(policy), {}, acts_of(suite), scenario), recorded())


@dataclass(frozen=True)
class World:
    """A change of a recorded scenario, and the promises that it breaks."""

    suite: str
    policy: str
    change: Change
    broken: tuple[str, ...]


def done(scene: Scene, act: str) -> Done:
    found = scene.observed.acts[act]
    assert isinstance(found, Done)
    return found


def events(scene: Scene, act: str, kind: str, program: str = "") -> list[Any]:
    """The act's own events of a kind, of the program whose path ends like this."""
    own = done(scene, act).timeline.own
    return [event for event in own if event.kind == kind and event.process.binary.endswith(program)]


def ends(scene: Scene, act: str, program: str = "", **how: Any) -> Apply:
    """What the act started ends otherwise, by the agent's word."""

    def change(body: Json) -> None:
        for name in ("signal", "status"):
            body.pop(name, None)
        body.update(how)

    return together(*(scene.event(event, in_body(change)) for event in events(scene, act, "exit", program)[-1:]))


def killed(act: str, program: str = "", **outcome: Any) -> Change:
    """The act ends by SIGKILL, and everybody says so."""
    return lambda scene: together(
        scene.outcome(done(scene, act), exit_code=137, **outcome), ends(scene, act, program, signal="SIGKILL")
    )


def shows(act: str, **outcome: Any) -> Change:
    """The act shows, or says, something else."""
    return lambda scene: scene.outcome(done(scene, act), **outcome)


def told(act: str, kind: str, **said: Any) -> Change:
    """The agent tells one event more of the act."""

    def change(scene: Scene) -> Apply:
        begun = events(scene, act, "exec")[0]
        process = body_of(begun.json())["process"]
        about = {"process": process, "policy_name": scene.observed.applied, **said}
        about = {name: content for name, content in about.items() if content is not None}
        line = json.dumps({kind: about, "node_name": begun.node, "time": begun.json()["time"]}).encode()
        return scene.stream(lambda lines: lines.insert(scene.at(begun) + 1, line))

    return change


def every_event(act: str, alter: Callable[[Json], None]) -> Change:
    return lambda scene: together(*(scene.event(event, alter) for event in done(scene, act).timeline.own))


def last(act: str, kind: str, alter: Callable[[Json], None]) -> Change:
    return lambda scene: scene.event(events(scene, act, kind)[-1], alter)


def after(**state: Any) -> Change:
    """What the agents say of the policy after the acts."""
    return lambda scene: scene.state(lambda one: one.update(state), after=True)


def always(**state: Any) -> Change:
    def change(scene: Scene) -> Apply:
        return together(*(scene.state(lambda one: one.update(state), after=late) for late in (False, True)))

    return change


def without_losses(scene: Scene) -> Apply:
    return scene.file(
        "metrics-after.txt",
        lambda text: b"".join(line for line in text.splitlines(True) if b"lost" not in line and b"missed" not in line),
    )


KILL = {"action": "KPROBE_ACTION_SIGKILL"}
BAR_IS_FREE, IS_TOLD = "test_writing_another_file_goes_through", "test_every_act_is_told"
IS_LOADED, IS_COUNTED = "test_applying_is_loading", "test_every_kill_is_counted"
SERVED = "test_nginx_serves_while_it_is_guarded"
NOBODY_READS = "test_reading_by_another_program_is_killed"
STANDING: Json = {"stats": {"action_counters": {}}}

#: Told to this project as worlds that ended green.
GIVEN = {
    "what is allowed answers and is killed then": World(
        EGRESS, "block-internet-egress", killed("in_cluster"), ("test_services_and_pods_are_free",)
    ),
    "the shell around a killed child ends as well": World(
        EGRESS,
        "block-internet-egress",
        killed("child", "bash"),
        ("test_a_child_is_killed_and_its_shell_survives",),
    ),
    "the guarded page is printed before the kill": World(
        EXEMPT, "block-nginx-write-index-pid-1-only", shows("head", stdout="hello-index\n"), (NOBODY_READS,)
    ),
    "the agent says load_error after the acts": World(
        FD_INSTALL,
        "block-fd-install",
        after(state="TP_STATE_LOAD_ERROR", enabled=False, error="lost"),
        (IS_LOADED,),
    ),
    "the counters stand still": World(FD_INSTALL, "block-fd-install", after(**STANDING), (IS_COUNTED,)),
    "every agent has the policy in monitor mode": World(
        FD_INSTALL, "block-fd-install", always(mode="TP_MODE_MONITOR"), (IS_LOADED,)
    ),
    "the loss counters are gone": World(FD_INSTALL, "block-fd-install", without_losses, (BAR_IS_FREE, IS_TOLD)),
    "another hook of the policy kills what is free": World(
        FD_INSTALL,
        "block-fd-install",
        told("bar", "process_kprobe", function_name="security_file_open", **KILL),
        (BAR_IS_FREE,),
    ),
    "every event of an act comes from another node": World(
        FD_INSTALL, "block-fd-install", every_event("guarded", lambda whole: whole.update(node_name="x")), (IS_TOLD,)
    ),
    "the page that is served is an error page": World(
        EXEMPT, "block-nginx-write-index-pid-1-only", shows("served", stdout=PAGE), (SERVED,)
    ),
}
#: More of the same kinds.
FURTHER = {
    "a child of what is free is killed": World(
        FD_INSTALL,
        "block-fd-install",
        lambda scene: ends(scene, "elsewhere", "mkdir", signal="SIGKILL"),
        ("test_the_same_name_in_another_directory_is_free",),
    ),
    "what is allowed is terminated by another signal": World(
        EGRESS,
        "block-internet-egress",
        lambda scene: together(
            scene.outcome(done(scene, "in_cluster"), exit_code=143), ends(scene, "in_cluster", signal="SIGTERM")
        ),
        ("test_services_and_pods_are_free",),
    ),
    "the killed writer left its text": World(
        FD_INSTALL, "block-fd-install", shows("size", stdout="4\n"), ("test_nothing_is_written",)
    ),
    "the page is another one after the edit that was killed": World(
        MASK,
        "block-nginx-write-index-by-mask",
        shows("cat_after", stdout="bye-index\n"),
        ("test_the_page_is_unchanged",),
    ),
    "a security hook of the policy kills what is free": World(
        FD_INSTALL, "block-fd-install", told("bar", "process_lsm", function_name="file_open", **KILL), (BAR_IS_FREE,)
    ),
    "an event of a newer kind tells of a kill": World(
        FD_INSTALL, "block-fd-install", told("bar", "process_newer", **KILL), (BAR_IS_FREE,)
    ),
    "a kill is told, and not of whom": World(
        FD_INSTALL,
        "block-fd-install",
        told("bar", "process_kprobe", process=None, function_name="fd_install", **KILL),
        (BAR_IS_FREE,),
    ),
    "an action that only a newer agent has": World(
        FD_INSTALL,
        "block-fd-install",
        told("bar", "process_kprobe", function_name="fd_install", action=99),
        (BAR_IS_FREE,),
    ),
    "the refused program ran into another error": World(
        OVERRIDE,
        "override-file-permission-single",
        lambda scene: scene.json("acts.json", _another_error),
        ("test_reading_is_refused", "test_writing_is_refused"),
    ),
    "the page was read before the refusal": World(
        OVERRIDE,
        "override-file-permission-single",
        lambda scene: scene.json("acts.json", _read_before),
        ("test_reading_is_refused",),
    ),
    "the refused program went through": World(
        OVERRIDE,
        "override-file-permission-single",
        lambda scene: scene.json("acts.json", _went_through),
        ("test_reading_is_refused", "test_writing_is_refused"),
    ),
    "one more was enforced than was reported": World(
        FD_INSTALL,
        "block-fd-install",
        after(stats={"action_counters": {"post": "9", "signal": "9"}}),
        (IS_COUNTED,),
    ),
    "the policy was loaded anew meanwhile": World(FD_INSTALL, "block-fd-install", after(id="3"), (IS_LOADED,)),
    "no agent answers after the acts": World(
        FD_INSTALL, "block-fd-install", lambda scene: scene.file("state-after.json", lambda _: b"{}"), (IS_LOADED,)
    ),
    "the recorder says that the end was not heard": World(
        FD_INSTALL, "block-fd-install", lambda scene: scene.record(heard_to_the_end=False), (BAR_IS_FREE, IS_TOLD)
    ),
    "an event of the act has another container": World(
        FD_INSTALL,
        "block-fd-install",
        last(
            "guarded", "kprobe", in_process(lambda one: one["pod"]["container"].update(id="containerd://" + "e" * 64))
        ),
        (IS_TOLD,),
    ),
    "an event of the act is another user's": World(
        FD_INSTALL,
        "block-fd-install",
        last("guarded", "kprobe", in_process(lambda one: one.update(uid=1000))),
        (IS_TOLD,),
    ),
    "another program of that name did it": World(
        FD_INSTALL,
        "block-fd-install",
        every_event("guarded", in_process(lambda one: one.update(binary="/tmp/usr/bin/bash"))),
        (IS_TOLD, "test_writing_the_guarded_file_is_killed"),
    ),
    "the agent throttled": World(
        FD_INSTALL,
        "block-fd-install",
        lambda scene: scene.stream(lambda lines: lines.insert(9, _throttled(lines[9]))),
        (BAR_IS_FREE, IS_TOLD),
    ),
}


def _acts(records: list[Json]) -> list[Json]:
    return [one for one in records if one["role"] == "act"]


def _another_error(records: list[Json]) -> None:
    for one in _acts(records):
        one["stderr"] = one["stderr"].replace("Operation not permitted", "No such file or directory")


def _read_before(records: list[Json]) -> None:
    for one in _acts(records):
        if "Operation not permitted" in one["stderr"]:
            one["stdout"] = "secret\n"


def _went_through(records: list[Json]) -> None:
    for one in _acts(records):
        one.update(exit_code=0, stderr="")


def _throttled(line: bytes) -> bytes:
    node = json.loads(line)["node_name"]
    return json.dumps(
        {"process_throttle": {"type": "THROTTLE_START"}, "node_name": node, "time": json.loads(line)["time"]}
    ).encode()


WORLDS = GIVEN | FURTHER


@pytest.mark.parametrize("name", WORLDS)
def test_in_such_a_world_the_promise_does_not_conform(name: str) -> None:
    """And in the recorded one it does."""
    world = WORLDS[name]
    scene, policy = scene_of(world.suite, world.policy), manifest(world.policy)
    before = judged(world.suite, policy, scene.scenario, recorded(), world.broken)
    assert before == ["conforms"] * len(world.broken)
    changed = dict(recorded())
    world.change(scene)(changed)
    assert "conforms" not in judged(world.suite, policy, scene.scenario, changed, world.broken)


def test_a_recording_decides_no_verdict() -> None:
    """One that says why nothing was performed may not say that it conforms."""
    scene = scene_of(FD_INSTALL, "block-fd-install")
    for verdict in ("conforms", "violates", "unrecorded"):
        changed = dict(recorded())
        scene.record(unanswered={"verdict": verdict, "reason": "somebody says so"})(changed)
        with pytest.raises(RecordingError):
            from_files("made", sealed(changed))


def test_a_misspelt_function_is_the_policys_mistake() -> None:
    """The agent refuses it as not found: no lack of the kernel, so the promise that it loads is violated."""
    scene = scene_of(FD_INSTALL, "block-fd-install")
    error = (
        "policy handler 'tracing' failed loading policy 'block-fd-install': validation failed: "
        'call "fd_instal": not found'
    )
    changed = dict(recorded())
    always(state="TP_STATE_LOAD_ERROR", enabled=False, error=error)(scene)(changed)
    path = f"scenarios/{scene.scenario}/policy.yaml"
    misspelt = changed[path].replace(b"fd_install", b"fd_instal")
    changed[path] = misspelt
    policy = parse_policy(misspelt.decode(), "misspelt.yaml")
    assert judged(FD_INSTALL, policy, scene.scenario, changed, (IS_LOADED,)) == ["violates"]


def test_a_minute_of_a_change_that_nobody_watched_is_not_measured() -> None:
    """A pause between the acts leaves open what was enforced in it."""
    recording, policy = open_recording(MULTI), manifest("block-fd-install")
    (scenario,) = Replay(recording).changes("rollout-restart", policy)
    claim = claims_of("install.test_changes")["test_no_time_goes_unenforced_unmeasured"]

    def word(files: Mapping[str, bytes]) -> str:
        run = Run(Replay(from_files("made", sealed(files))).observe_change("rollout-restart", policy, scenario))
        return claim.judge(run).word

    assert word(recording.files) == "conforms"
    observed = Replay(recording).observe_change("rollout-restart", policy, scenario)
    minute = next(one for one in damages(observed) if one.kind == "a minute of acts dropped")
    assert word(minute.to(recording.files)) != "conforms"
