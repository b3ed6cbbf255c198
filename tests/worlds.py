"""What a world is made of: a change of a shipped scenario, the promises that it breaks, and how these are judged."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.builders import MANIFESTS, NEWEST
from tetraproof.judging.claim import Claim
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Act
from tetraproof.observing.observation import Done
from tetraproof.plugin.collecting import test_applying_is_loading as applying_is_loading
from tetraproof.plugin.collecting import test_every_act_is_told as every_act_is_told
from tetraproof.policies.policy import Policy, load
from tetraproof.proving.damage import Apply, Json, Scene, body_of, in_body, together
from tetraproof.recordings.recording import from_files, open_recording, sealed
from tetraproof.targets.replay import Replay

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
