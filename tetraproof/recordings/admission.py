"""What a recording must be like to be judged, beyond the form of its files.

Its words are those that there are, its names lead nowhere else, its nodes are its own
and its times are times. All that is refused is told with file, field and remedy.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from tetraproof.errors import RecordingError
from tetraproof.observing.gap import Continuity
from tetraproof.recordings.folder import fault_of_name, fault_of_path
from tetraproof.recordings.record import OPEN, ROLES, ActRecord, Index
from tetraproof.text import safe, shorten

#: RFC 3339: a date, a time and the zone, which may be anything but left out.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_CONVERT = "convert the raw records again, or record the run again"
_WIDTH = 60


def check_paths(name: str, paths: Iterable[str]) -> None:
    """Refuse a file whose path leads out of the recording's folder. Raises `RecordingError`."""
    for path in paths:
        if fault := fault_of_path(path):
            raise RecordingError(
                f"{name}: {shorten(path, _WIDTH)} is no path of a recording's file: {fault}.", remedy="remove the file"
            )


def check_index(index: Index, source: str) -> None:
    """Refuse an index whose names, words or times mean nothing. Raises `RecordingError`."""
    _raise(source, _of_index(index))


def check_acts(acts: Iterable[ActRecord], nodes: Iterable[str], source: str) -> None:
    """Refuse acts of unknown roles, nodes and times. `nodes` are the recording's. Raises `RecordingError`."""
    _raise(source, _of_acts(acts, set(nodes)))


def check_states(states: Mapping[str, Iterable[Mapping[str, Any]]], nodes: Iterable[str], source: str) -> None:
    """Refuse an agent's word on a policy of another shape, or of a foreign node. Raises `RecordingError`."""
    _raise(source, _of_nodes("node", states, set(nodes)))
    _raise(source, _of_states(states))


def check_text(value: Any, source: str, remedy: str) -> None:
    """Refuse values in which some text would steer a terminal. Raises `RecordingError`."""
    for fault, _ in _of_text("", value):
        raise RecordingError(f"{source}: {fault}.", remedy=remedy)


def check_time(field: str, time: str, source: str, remedy: str) -> None:
    """Refuse a time that is none of RFC 3339, with its zone; none at all is fine. Raises `RecordingError`."""
    for fault, _ in _of_time(field, time):
        raise RecordingError(f"{source}: {fault}.", remedy=remedy)


def check_continuity(told: Continuity, change: str, nodes: Iterable[str], source: str) -> None:
    """Refuse a change that is not the scenario's, or is told of other nodes. Raises `RecordingError`."""
    _raise(source, _of_continuity(told, change, set(nodes)))


Fault = tuple[str, str]
"""What is wrong, beginning with the field, and what to do about it."""


def _raise(source: str, faults: Iterator[Fault]) -> None:
    for fault, remedy in faults:
        raise RecordingError(f"{source}: {fault}.", remedy=remedy)


def _of_index(index: Index) -> Iterator[Fault]:
    yield from _of_names("nodes", [node.name for node in index.nodes])
    yield from _of_names("scenarios", [scenario.name for scenario in index.scenarios])
    yield from _of_time("provenance.recorded", index.provenance.recorded)
    known = {node.name for node in index.nodes}
    for scenario in index.scenarios:
        field = f"scenarios.{scenario.name}"
        yield from _of_time(f"{field}.started", scenario.started)
        yield from _of_nodes(f"{field}.nodes", scenario.nodes, known)
        if scenario.unanswered and scenario.unanswered.verdict not in OPEN:
            said = shorten(repr(scenario.unanswered.verdict), _WIDTH)
            yield (
                f"{field}.unanswered.verdict is {said}, and a recording decides no verdict",
                f"say {' or '.join(OPEN)}, or {_CONVERT}",
            )
    yield from _of_text("", msgspec.to_builtins(index))


def _of_acts(acts: Iterable[ActRecord], nodes: set[str]) -> Iterator[Fault]:
    for number, act in enumerate(acts):
        if not nodes:
            yield "acts were performed, and the index names no nodes: nobody can be said to have listened", _CONVERT
        field = f"act {number} ({shorten(act.id, _WIDTH)})"
        if act.role not in ROLES:
            said = shorten(repr(act.role), _WIDTH)
            yield f"{field}: role is {said}, and there are {', '.join(ROLES)}", _CONVERT
        if act.node:
            yield from _of_nodes(f"{field}: node", [act.node], nodes)
        yield from _of_time(f"{field}: started", act.started)
        yield from _of_time(f"{field}: ended", act.ended)


def _of_states(states: Mapping[str, Iterable[Mapping[str, Any]]]) -> Iterator[Fault]:
    for node, told in states.items():
        for number, state in enumerate(told):
            field = f"{shorten(node, _WIDTH)}[{number}]"
            for name in ("name", "namespace", "state", "error", "mode"):
                if not isinstance(state.get(name), str | None):
                    yield f"{field}.{name} is no text", _CONVERT
            stats = state.get("stats")
            if not isinstance(stats, dict | None):
                yield f"{field}.stats is no object", _CONVERT
            elif not isinstance((stats or {}).get("action_counters"), dict | None):
                yield f"{field}.stats.action_counters is no object", _CONVERT


def _of_continuity(told: Continuity, change: str, nodes: set[str]) -> Iterator[Fault]:
    if told.change != change:
        said = shorten(repr(told.change), _WIDTH)
        yield f"change is {said}, and the index calls the scenario's {shorten(repr(change), _WIDTH)}", _CONVERT
    yield from _of_nodes("nodes", told.nodes, nodes)
    yield from _of_nodes("pulses", (pulse.node for pulse in told.pulses), nodes)
    yield from _of_nodes("happenings", (one.node for one in told.happenings if one.node), nodes)
    for node, count in Counter(pulse.node for pulse in told.pulses).items():
        if count > 1:
            yield f"pulses: {shorten(node, _WIDTH)} is told of {count} times", _CONVERT


def _of_names(field: str, names: list[str]) -> Iterator[Fault]:
    seen: set[str] = set()
    for number, name in enumerate(names):
        if fault := fault_of_name(name):
            yield f"{field}[{number}].name is {shorten(repr(name), _WIDTH)}: {fault}", "give it another name"
        if name in seen:
            yield f"{field}[{number}].name: {shorten(name, _WIDTH)} stands there twice", "leave one of the two out"
        seen.add(name)


def _of_nodes(field: str, names: Iterable[str], known: set[str]) -> Iterator[Fault]:
    for name in names:
        if name not in known:
            there = shorten(", ".join(sorted(known)), _WIDTH)
            yield f"{field} {shorten(repr(name), _WIDTH)} is none of the recording's nodes ({there})", _CONVERT


def _of_time(field: str, time: str) -> Iterator[Fault]:
    if not time:
        return
    said = f"{field} is {shorten(repr(time), _WIDTH)}"
    if not _TIME.fullmatch(time):
        yield f"{said}, and no time of RFC 3339 with its zone (2026-11-23T07:00:00+00:00)", _CONVERT
        return
    try:
        datetime.fromisoformat(time)
    except ValueError as error:
        yield f"{said}, and there is no such time: {error}", _CONVERT


def _of_text(field: str, value: Any) -> Iterator[Fault]:
    """Text of the index is printed as it is: nothing in it may steer a terminal. Settings may have lines."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _of_text(field, name)
            yield from _of_text(f"{field}.{name}".removeprefix("."), one)
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value):
            yield from _of_text(f"{field}[{number}]", one)
    elif isinstance(value, str) and not value.replace("\n", "").replace("\t", "").isprintable():
        yield f"{safe(field)} holds characters that cannot be printed", "remove them from what was recorded"
