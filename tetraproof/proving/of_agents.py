"""Damages to what an agent says of its policy and of itself: states, modes, counters, losses.

A policy that was in force and is not any more, an agent that nobody heard to the end,
and a recording that decides what it should only tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from tetraproof.proving.damage import Apply, Damage, Json, Scene, together

_NO_NODES: Callable[[bytes], bytes] = lambda _: b"{}"  # noqa: E731 - one word for it
_GONE: Callable[[bytes], None] = lambda _: None  # noqa: E731
#: A count of which no agent is capable.
_NO_COUNT = "many"
#: Each single counter with the one that a lie tells in its place.
_ANOTHER = {"signal": "override", "override": "signal", "notify_enforcer": "override"}
SINGLE_COUNTED = frozenset(_ANOTHER)


def damages(scene: Scene) -> Iterator[Damage]:
    """Every damage to what is said of the policy, of what was lost, and of who listened."""
    for kind, what, apply in _of_states(scene):
        yield Damage(kind, "", what, apply)
    for what, apply in _of_hearing(scene):
        yield Damage("not heard to the end", "", what, apply, deaf=True)
    for verdict in ("conforms", "violates"):
        told = {"verdict": verdict, "reason": "somebody says so"}
        yield Damage("the recording decides", "", f"unanswered: {verdict}", scene.record(unanswered=told))


# the policy


def _of_states(scene: Scene) -> Iterator[tuple[str, str, Apply]]:
    if not any(state.enabled for state in scene.observed.states):
        return
    error = scene.state(_in_state("TP_STATE_LOAD_ERROR", error="damaged on purpose"))
    yield "policy state turned to error", "load_error", error
    yield "policy state turned to another", "disabled", scene.state(_in_state("TP_STATE_DISABLED"))
    yield "policy state turned to another", "unknown", scene.state(_in_state("TP_STATE_OF_A_NEWER_AGENT"))
    yield "policy state turned to another", "nobody has such a policy", scene.state(_renamed)
    modes = {state.mode for state in scene.observed.states}
    both = scene.holds("state-after.json")
    if modes in ({"enforce"}, {"monitor"}):
        other = "monitor" if modes == {"enforce"} else "enforce"
        before = scene.state(_in_mode(other))
        yield "policy in another mode", f"{other} before the acts", before
        if both:
            after = scene.state(_in_mode(other), after=True)
            yield "policy in another mode", f"{other} after the acts", after
            yield "policy in another mode", f"{other} all the time", together(before, after)
    if both:
        yield from _of_states_after(scene)
    yield from _of_counters(scene, both=both)


def _of_states_after(scene: Scene) -> Iterator[tuple[str, str, Apply]]:
    kind = "policy not in force after the acts"
    for word, error in (("LOAD_ERROR", "damaged on purpose"), ("DISABLED", ""), ("ERROR", "lost"), ("UNLOADING", "")):
        yield kind, word.lower(), scene.state(_in_state(f"TP_STATE_{word}", error=error), after=True)
    yield kind, "the agent lists other policies only", scene.state(_renamed, after=True)
    yield kind, "the agent lists none", scene.json("state-after.json", _no_policies)
    yield kind, "no agent answers", scene.file("state-after.json", _NO_NODES)
    yield kind, "nobody asked", scene.file("state-after.json", _GONE)
    if any(state.id for state in scene.observed.states):
        yield kind, "loaded anew", scene.state(lambda state: state.update(id="4711"), after=True)


def _of_counters(scene: Scene, *, both: bool) -> Iterator[tuple[str, str, Apply]]:
    before = [state.counters for state in scene.observed.states]
    after = [state.counters for state in scene.observed.states_after]
    if not (both and all(before) and all(after)):
        return
    told = {one.node: one for one in scene.observed.states}
    if any(one.counters != told[one.node].counters for one in scene.observed.states_after if one.node in told):
        yield "counters lie", "they stand still", scene.state(_without_counts, after=True)
        yield "counters lie", "one more is counted", scene.state(_counted_once_more, after=True)
        yield (
            "counters lie",
            "they fell",
            together(scene.state(_counted_much), scene.state(_without_counts, after=True)),
        )
        if any(one.counters and SINGLE_COUNTED & one.counters.each.keys() for one in scene.observed.states_after):
            yield "another action is counted", "", scene.state(_counted_as_another, after=True)
    yield "counters lie", "they cannot be read", scene.state(_counted_unreadably, after=True)
    yield "counters lie", "they are gone", scene.state(lambda state: state.pop("stats", None), after=True)


def _in_state(word: str, **more: str) -> Callable[[Json], None]:
    return lambda state: state.update(state=word, enabled=False, **more)


def _in_mode(mode: str) -> Callable[[Json], None]:
    return lambda state: state.update(mode=f"TP_MODE_{mode.upper()}")


def _renamed(state: Json) -> None:
    state["name"] = f"{state.get('name', '')}-of-another"


def _no_policies(nodes: Json) -> None:
    for node in nodes:
        nodes[node] = []


def _without_counts(state: Json) -> None:
    state["stats"] = {"action_counters": {}}


def _counted_as_another(state: Json) -> None:
    counted = (state.get("stats") or {}).get("action_counters") or {}
    for name, another in _ANOTHER.items():
        if name in counted:
            counted[another] = counted.pop(name)
            return


def _counted_much(state: Json) -> None:
    state["stats"] = {"action_counters": {"post": "900", "signal": "900", "monitor_signal": "900", "override": "900"}}


def _counted_unreadably(state: Json) -> None:
    state["stats"] = {"action_counters": {"post": _NO_COUNT, "signal": _NO_COUNT}}


def _counted_once_more(state: Json) -> None:
    counted = state.setdefault("stats", {}).setdefault("action_counters", {})
    for name in list(counted):
        counted[name] = str(int(counted[name]) + 1)


# who listened


def _of_hearing(scene: Scene) -> Iterator[tuple[str, Apply]]:
    if not scene.observed.stream:
        return
    if scene.holds("metrics-after.txt") and scene.holds("metrics-before.txt"):
        yield from _of_metrics(scene)
    yield "the recorder says so", scene.record(heard_to_the_end=False)
    yield "the scenario speaks of another node", together(scene.index(_a_second_node), scene.record(nodes=["second"]))
    yield "a line is no event", _line(scene, b'{"process_kprobe": {"process"')
    yield "the agent throttles", _line(scene, _notice(scene, "process_throttle", type="THROTTLE_START"))
    yield (
        "the agent limits its rate",
        _line(scene, _notice(scene, "rate_limit_info", number_of_dropped_process_events="7")),
    )
    yield "nobody listened on the node", scene.json("acts.json", _all_on_another_node)
    yield "the node reads a ring for each of two CPUs", scene.index(lambda index: _each(index, cpus=2, rings=2))


def _of_metrics(scene: Scene) -> Iterator[tuple[str, Apply]]:
    after = "metrics-after.txt"
    yield "the loss counters are gone", scene.file(after, _without_families(rb"lost|missed|errors|overflowed"))
    yield "no metrics after the acts", scene.file(after, lambda _: b"")
    yield "no metrics file after the acts", scene.file(after, _GONE)
    yield "no metrics file before the acts", scene.file("metrics-before.txt", _GONE)
    yield "counters that are no numbers", scene.file(after, _counting(rb"NaN"))
    yield "counters that fell", scene.file("metrics-before.txt", _counting(rb"987654321"))
    yield "events were lost", scene.file(after, _lost)
    yield "metrics that are none", scene.file(after, lambda _: b"<html>502 Bad Gateway</html>\n")


def _without_families(names: bytes) -> Callable[[bytes], bytes]:
    gone = re.compile(rb"(?:# \w+ )?tetragon_\w*(?:" + names + rb")")
    return lambda content: b"".join(line for line in content.splitlines(keepends=True) if not gone.match(line))


def _counting(value: bytes) -> Callable[[bytes], bytes]:
    return lambda content: re.sub(rb"(?m)^(tetragon_\S.*) \S+$", rb"\1 " + value, content)


def _lost(content: bytes) -> bytes:
    family = rb"(?m)^(tetragon_\w*(?:events_lost|perf_event_lost|queue_lost|missed_events)\w*(?:\{.*\})?) \S+$"
    return re.sub(family, rb"\1 12345", content)


def _line(scene: Scene, line: bytes) -> Apply:
    """One more line in the middle of the stream."""

    def change(content: bytes) -> bytes:
        lines = content.splitlines()
        lines.insert(len(lines) // 2, line)
        return b"\n".join(lines) + b"\n"

    return scene.file("events.jsonl", change)


def _notice(scene: Scene, kind: str, **said: object) -> bytes:
    told = scene.observed.stream[len(scene.observed.stream) // 2].json()
    return json.dumps({kind: said, "node_name": told.get("node_name"), "time": told.get("time")}).encode()


def _a_second_node(index: Json) -> None:
    index["nodes"].append({"name": "second"})


def _all_on_another_node(records: list[Json]) -> None:
    for record in records:
        record["node"] = "elsewhere"


def _each(index: Json, **changed: int) -> None:
    for node in index["nodes"]:
        node.update(changed)
