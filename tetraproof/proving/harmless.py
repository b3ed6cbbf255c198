"""Harmless changes: the same told in another form, or something more that concerns nobody. Nothing may come of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tetraproof.events.api import NUMBERS
from tetraproof.proving.damage import Change, Damage, Json, Scene, body_of

#: Fields of 64 bits, which protojson writes as text; the others are numbers, and a reader takes either.
_INTEGERS = frozenset(
    {"pid", "uid", "tid", "auid", "refcnt", "int_arg", "dport", "sport", "status", "mark", "priority"}
)
_NUMBER_OF = {name: number for names in NUMBERS.values() for number, name in names.items()}


def damages(scene: Scene) -> Iterator[Damage]:
    """Every harmless change to a scenario's stream."""
    if not scene.observed.stream:
        return
    for kind, what, change in (
        ("noise of other pods", "every third event", _noise),
        ("another policy's kills of others", "every third event", _kills_of_others),
        ("an unknown field", "in every message, also inside arguments", _each(_with_unknown_fields)),
        ("a blank line", "between all events", _blank_lines),
        ("lowerCamelCase", "of the whole stream", _each(_in_camel_case)),
        ("integers as text", "in every event", _each(_integers_as_text)),
        ("enums as numbers", "in every event", _each(_enums_as_numbers)),
        ("nulls", "for what is absent", _each(_with_nulls)),
        ("fields in another order", "in every event", _each(_turned)),
    ):
        yield Damage(kind, "", what, scene.stream(change), harmless=True)


def _each(alter: Callable[[Any], Any]) -> Change:
    """A change to the JSON of every line: what `alter` makes of it."""

    def change(lines: list[bytes]) -> None:
        lines[:] = [json.dumps(alter(json.loads(line))).encode() for line in lines]

    return change


def _noise(lines: list[bytes]) -> None:
    for at in range(len(lines), 0, -3):
        lines.insert(at, json.dumps(_stranger(lines[0], at)).encode())


def _kills_of_others(lines: list[bytes]) -> None:
    for at in range(len(lines), 0, -3):
        told = _stranger(lines[0], at)
        process = body_of(told)["process"]
        about = {"function_name": "fd_install", "action": "KPROBE_ACTION_SIGKILL", "policy_name": "of-somebody-else"}
        envelope = {name: content for name, content in told.items() if not name.startswith("process_")}
        lines.insert(at, json.dumps({"process_kprobe": {"process": process, **about}, **envelope}).encode())


def _stranger(line: bytes, number: int) -> Json:
    event: Json = json.loads(line)
    process = body_of(event)["process"]
    process.update(exec_id=f"noise-{number}", parent_exec_id="noise", pid=900_000 + number, arguments="noise")
    process.setdefault("pod", {}).update(namespace="elsewhere", name=f"stranger-{number}")
    return event


def _blank_lines(lines: list[bytes]) -> None:
    lines[:] = [part for line in lines for part in (line, b"")]


def _with_unknown_fields(value: Any, inside: str = "") -> Any:
    if isinstance(value, dict):
        told = {name: _with_unknown_fields(content, name) for name, content in value.items()}
        # labels are a map, in which every name is known
        return told if inside.endswith("labels") else {**told, "from_a_later_version": {"unknown": True}}
    if isinstance(value, list):
        return [_with_unknown_fields(one) for one in value]
    return value


def _in_camel_case(value: Any, inside: str = "") -> Any:
    if isinstance(value, dict):
        labels = inside.endswith("labels")
        return {(name if labels else _camel(name)): _in_camel_case(content, name) for name, content in value.items()}
    if isinstance(value, list):
        return [_in_camel_case(one) for one in value]
    return value


def _integers_as_text(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {field: _integers_as_text(content, field) for field, content in value.items()}
    if isinstance(value, list):
        return [_integers_as_text(one) for one in value]
    return str(value) if name in _INTEGERS and type(value) is int else value


def _enums_as_numbers(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {field: _enums_as_numbers(content, field) for field, content in value.items()}
    return _NUMBER_OF.get(value, value) if name in {"action", "return_action"} else value


def _with_nulls(value: Any) -> Any:
    body = body_of(value)
    for name in ("message", "tags", "stack_trace", "return"):
        body.setdefault(name, None)
    body["process"].setdefault("cap", None)
    return value


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _turned(value[name]) for name in reversed(value)}
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
