"""Damages by an event more: an enforcement is told of an act that was left alone, by whatever kind of event.

Whoever says that an act is free says that none of these was told. Each is made from
an event of the act itself, so that it has all that the agent tells of the process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from tetraproof.events.event import Event
from tetraproof.observing.observation import Done
from tetraproof.policies.hook import canonical
from tetraproof.policies.policy import Policy
from tetraproof.proving.damage import KILLED, Damage, Json, Scene, body_of
from tetraproof.proving.of_events import NEWER_ACTION, ODD

#: What a kill is told with.
KILL: Json = {"action": "KPROBE_ACTION_SIGKILL"}
_OTHER_FUNCTION = "security_file_open"


def damages(scene: Scene) -> Iterator[Damage]:
    """An event more in each act of which no event of the policy is told."""
    policy = scene.observed.policy
    if policy is None:
        return
    for act, done in scene.done:
        begun = next((event for event in done.timeline.told if event.kind == "exec"), None)
        if begun is None or not _left_alone(done):
            continue
        for what, told in _kills(scene, policy, begun):
            yield Damage("a kill is told", act, what, scene.stream(_after(scene.at(begun), told)), event=begun)
        for what, told in _unclear(scene, policy, begun):
            apply = scene.stream(_after(scene.at(begun), told))
            yield Damage("a kill is told unclearly", act, what, apply, event=begun)
        for what, told in _doubtful(scene, policy, begun):
            apply = scene.stream(_after(scene.at(begun), told))
            yield Damage("a kill may be told", act, what, apply, event=begun, veils=True)


def _left_alone(done: Done) -> bool:
    """Whether nothing but execs and exits is told of an act, and none of a signal."""
    ends = [event.detail for event in done.timeline.own if event.kind == "exit"]
    plain = all(event.kind in {"exec", "exit"} for event in done.timeline.own)
    return plain and not any(getattr(end, "signal", "") for end in ends) and done.performed.outcome.exit_code != KILLED


def _kills(scene: Scene, policy: Policy, begun: Event) -> Iterator[tuple[str, Json]]:
    """What says for certain that the policy enforced something in the act."""
    own = _own_hook(policy)
    yield "by the policy's own hook", _event(scene, begun, "process_kprobe", function_name=own, **KILL)
    yield "by another hook of it", _event(scene, begun, "process_kprobe", function_name=_OTHER_FUNCTION, **KILL)
    yield "by a security hook of it", _event(scene, begun, "process_lsm", function_name="file_open", **KILL)
    yield (
        "by a tracepoint of it",
        _event(scene, begun, "process_tracepoint", subsys="raw_syscalls", event="sys_exit", **KILL),
    )
    yield (
        "by a uprobe of it",
        _event(scene, begun, "process_uprobe", path="/usr/bin/bash", symbol="readline", **KILL),
    )
    yield (
        "by a static probe of it",
        _event(scene, begun, "process_usdt", path="/usr/bin/bash", provider="bash", name="x", **KILL),
    )
    yield "of an unknown kind", _event(scene, begun, "process_new", **KILL)
    yield (
        "as an override of its return",
        _event(scene, begun, "process_kprobe", function_name=own, return_action="KPROBE_ACTION_OVERRIDE"),
    )
    lower = _event(scene, begun, "process_kprobe", function_name=own, **KILL)
    yield "in lowerCamelCase", {_camel(name): content for name, content in lower.items()}


def _unclear(scene: Scene, policy: Policy, begun: Event) -> Iterator[tuple[str, Json]]:
    """What says so for an act that should see no event of the hook, whatever else of it cannot be read."""
    own = _own_hook(policy)
    whole = _event(scene, begun, "process_kprobe", function_name=own, **KILL)
    yield "without its node", {name: content for name, content in whole.items() if name != "node_name"}
    yield "without its time", {name: content for name, content in whole.items() if name != "time"}
    newer = _event(scene, begun, "process_kprobe", function_name=own, action=NEWER_ACTION)
    yield "with an action that is not known", newer


def _doubtful(scene: Scene, policy: Policy, begun: Event) -> Iterator[tuple[str, Json]]:
    """What may say so: nobody can tell what was done, by which policy, or of which process it is."""
    own = _own_hook(policy)
    whole = _event(scene, begun, "process_kprobe", function_name=own, **KILL)
    yield "without its process", _without(whole, "process")
    yield "without its process and parent", _without(_without(whole, "process"), "parent")
    yield "with an exec_id that cannot be read", _with_odd_process(whole, "exec_id")
    yield "of a policy whose name cannot be read", _with(whole, policy_name=ODD)
    kind, hooked = _of_another_kind(policy)
    other = _event(scene, begun, kind, **hooked, action="LSM_ACTION_OF_A_NEWER_AGENT")
    yield "with an action that has no known name", other
    yield (
        "of another kind, with an action that is not known",
        _event(scene, begun, kind, **hooked, action=NEWER_ACTION),
    )
    yield "as a number, of an unknown kind", _event(scene, begun, "process_new", action=3)


def _of_another_kind(policy: Policy) -> tuple[str, Json]:
    """A kind of event that the policy hooks nothing of: whatever its action, it is no report of the policy's hooks."""
    if policy.spec.get("lsmhooks"):
        return "process_tracepoint", {"subsys": "raw_syscalls", "event": "sys_exit"}
    return "process_lsm", {"function_name": "file_open"}


def _own_hook(policy: Policy) -> str:
    hooks = policy.spec.get("kprobes") or [{}]
    return canonical(str(hooks[0].get("call") or _OTHER_FUNCTION))


def _event(scene: Scene, like: Event, field: str, **said: object) -> Json:
    """An event of a kind, of the process that another event is of."""
    told = like.json()
    body = body_of(told)
    about = {"process": body["process"], "parent": body.get("parent"), "policy_name": scene.observed.applied, **said}
    about = {name: content for name, content in about.items() if content is not None}
    return {field: about, "node_name": told.get("node_name"), "time": told.get("time")}


def _with(whole: Json, **said: object) -> Json:
    field = next(name for name in whole if name.startswith("process_"))
    return {**whole, field: {**whole[field], **said}}


def _without(whole: Json, part: str) -> Json:
    field = next(name for name in whole if name.startswith("process_"))
    return {**whole, field: {name: content for name, content in whole[field].items() if name != part}}


def _with_odd_process(whole: Json, name: str) -> Json:
    field = next(one for one in whole if one.startswith("process_"))
    return _with(whole, process={**whole[field]["process"], name: ODD})


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def _after(at: int, told: Json) -> Callable[[list[bytes]], None]:
    line = json.dumps(told).encode()
    return lambda lines: lines.insert(at + 1, line)
