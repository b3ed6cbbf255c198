"""Damages by a setting that hides: what the agent was told to leave out, mask, sum up or forget.

What rests on what is hidden cannot be judged then. It is no failure of the policy
either: nothing may be called a violation for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from tetraproof.events.event import MASK, Event, parse
from tetraproof.proving.damage import Apply, Damage, Json, Scene, body_of, together

#: Where arguments are masked: from the middle of each on.
_SHORTEST = 4


def damages(scene: Scene) -> Iterator[Damage]:
    """Every setting that hides something, with what it does to stream or export."""
    if not scene.observed.stream:
        return
    yield from _of_stream(scene)
    if scene.holds("export.jsonl") and scene.files[f"scenarios/{scene.scenario}/export.jsonl"].strip():
        yield from _of_export(scene)


def _of_stream(scene: Scene) -> Iterator[Damage]:
    kind = "a setting hides"
    whose = scene.setting("disable-process-cache", "true")
    yield Damage(kind, "", "disable-process-cache", whose, deaf=True, veils=True)
    yield Damage(
        kind,
        "",
        "disable-process-cache, and no event has a process",
        together(whose, _each(scene, _nobody)),
        deaf=True,
        veils=True,
    )
    filters = scene.setting("redaction-filters", '{"redact": ["(.{4}).*"]}')
    masked = together(filters, _each(scene, _masked))
    yield Damage(kind, "", "redaction-filters", masked, veils=True)
    perf = scene.setting("use-perf-ring-buffer", "true")
    for rings in (1, 2):
        two = together(perf, scene.index(_with_cpus(2, rings)))
        yield Damage(kind, "", f"use-perf-ring-buffer with {rings} rings of 2 CPUs told", two, deaf=True, veils=True)


def _of_export(scene: Scene) -> Iterator[Damage]:
    for setting, value, change in (
        ("export-rate-limit", "5", _limited),
        ("export-rate-limit", "0", lambda lines: lines.clear()),
        ("enable-export-aggregation", "true", _every_other),
        ("field-filters", '{"fields": "process.arguments", "action": "EXCLUDE"}', _without_arguments),
        ("export-allowlist", '{"event_set":["PROCESS_KPROBE"]}', _only_hooks),
    ):
        apply = together(scene.setting(setting, value), _exported(scene, change))
        yield Damage("a setting hides from the export", "", f"{setting}: {value}", apply, veils=True, exported=True)
    # nothing explains it: an event that the stream has and the export has not
    lost = _exported(scene, _every_other)
    yield Damage("the export lacks events", "", "every other one", lost, exported=True)


def _each(scene: Scene, alter: Callable[[Json], None]) -> Apply:
    def change(lines: list[bytes]) -> None:
        for at, line in enumerate(lines):
            told = json.loads(line)
            alter(told)
            lines[at] = json.dumps(told).encode()

    return scene.stream(change)


def _nobody(whole: Json) -> None:
    body = body_of(whole)
    body["process"] = {"pid": body["process"].get("pid")}
    body.pop("parent", None)


def _masked(whole: Json) -> None:
    process = body_of(whole)["process"]
    arguments = process.get("arguments", "")
    if len(arguments) > _SHORTEST and not arguments.startswith("sentinel"):
        process["arguments"] = arguments[:_SHORTEST] + MASK


def _with_cpus(cpus: int, rings: int) -> Callable[[Json], None]:
    def change(index: Json) -> None:
        for node in index["nodes"]:
            node.update(cpus=cpus, rings=rings)

    return change


def _exported(scene: Scene, change: Callable[[list[bytes]], object]) -> Apply:
    def apply(content: bytes) -> bytes:
        # a notice that the log was rotated is no event
        lines = [line for line in content.splitlines() if isinstance(parse(line), Event)]
        change(lines)
        return b"".join(line + b"\n" for line in lines)

    return scene.file("export.jsonl", apply)


def _limited(lines: list[bytes]) -> None:
    """Every other event of the middle is left out, and a notice says so: its ends still cover the stream."""
    notice = json.loads(lines[-1])
    told = {"rate_limit_info": {"number_of_dropped_process_events": "3"}, "node_name": notice.get("node_name")}
    _every_other(lines)
    lines.insert(len(lines) // 2, json.dumps({**told, "time": notice.get("time")}).encode())


def _every_other(lines: list[bytes]) -> None:
    quarter = len(lines) // 4
    del lines[quarter : len(lines) - quarter : 2]


def _without_arguments(lines: list[bytes]) -> None:
    for at, line in enumerate(lines):
        told = json.loads(line)
        for name, body in told.items():
            if name.startswith("process_"):
                body["process"].pop("arguments", None)
        lines[at] = json.dumps(told).encode()


def _only_hooks(lines: list[bytes]) -> None:
    lines[:] = [line for line in lines if b'"process_kprobe"' in line]
