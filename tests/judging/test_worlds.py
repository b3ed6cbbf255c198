"""Worlds in which a person would say that a policy failed: the promise that it breaks does not conform.

Each is made of a shipped recording by changing what somebody would have changed who
lies, or what would have been recorded had it gone wrong, and is judged by the shipped
suites. Undamaged, each of the promises conforms.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tests.builders import RECORDINGS
from tests.worlds import (
    World,
    after,
    always,
    claims_of,
    done,
    ends,
    events,
    every_event,
    judged,
    killed,
    last,
    manifest,
    recorded,
    scene_of,
    shows,
    told,
    without_losses,
)
from tetraproof.errors import RecordingError
from tetraproof.judging.scenario import Run
from tetraproof.policies.policy import parse as parse_policy
from tetraproof.proving.damage import Json, in_body, in_process, together
from tetraproof.proving.of_changes import damages
from tetraproof.recordings.recording import from_files, open_recording, sealed
from tetraproof.targets.replay import Replay

FD_INSTALL = "files.test_block_fd_install"
EGRESS = "network.test_block_internet_egress"
EXEMPT = "files.test_block_nginx_write_index_pid_1_only"
MASK = "files.test_block_nginx_write_index_by_mask"
OVERRIDE = "override.test_override_file_permission"
MULTI = RECORDINGS / "k8s-1.36.2_tetragon-1.4.1-disable-kprobe-multi_debian-6.12.117"
PAGE = "<html><head><title>502 Bad Gateway</title></head></html>\n"

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


#: What cannot be read, where a default would say what the promise wants to hear.
UNREAD = {
    "how it ended cannot be read": World(
        FD_INSTALL,
        "block-fd-install",
        last("exit_137", "exit", in_body(lambda body: body.update(signal=9.5))),
        ("test_ending_with_137_by_itself_is_no_kill", IS_TOLD),
    ),
    "the exit code that is promised cannot be read": World(
        FD_INSTALL,
        "block-fd-install",
        lambda scene: scene.event(
            events(scene, "symlink", "exit", "ln")[0], in_body(lambda body: body.update(status="x"))
        ),
        ("test_a_symlink_is_killed",),
    ),
    "whose policy killed it cannot be read": World(
        FD_INSTALL,
        "block-fd-install",
        last("guarded", "kprobe", in_body(lambda body: body.update(policy_name=[["x"]]))),
        ("test_writing_the_guarded_file_is_killed",),
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


@pytest.mark.parametrize("name", UNREAD)
def test_what_cannot_be_read_proves_no_promise(name: str) -> None:
    """Nor does it refute one."""
    world = UNREAD[name]
    scene, policy = scene_of(world.suite, world.policy), manifest(world.policy)
    changed = dict(recorded())
    world.change(scene)(changed)
    words = judged(world.suite, policy, scene.scenario, changed, world.broken)
    assert words == ["inconclusive"] * len(world.broken)


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
