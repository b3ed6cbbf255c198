"""Damages: what a misbehaving agent or a lying recording would look like, made on purpose.

Each damage changes one thing about one act of one scenario and seals the
recording again, so that it is the suites that must notice. The harmless ones
change what no promise is about, and nothing may come of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tetraproof.event import Event, parse
from tetraproof.observation import Done, Observed

Files = Mapping[str, bytes]
#: A change to the lines of a stream.
Change = Callable[[list[bytes]], None]
#: An address of TEST-NET-2 (RFC 5737), which no recorded event holds.
ELSEWHERE = "198.51.100.7"
KILLED = 137


@dataclass(frozen=True)
class Damage:
    """One change to the files of a scenario. `act` is what it is about (none for the whole scenario)."""

    kind: str
    act: str
    what: str
    apply: Callable[[dict[str, bytes]], None]
    harmless: bool = False
    event: Event | None = None

    def to(self, files: Files) -> dict[str, bytes]:
        """The files with the change in them; `files` itself stays."""
        changed = dict(files)
        self.apply(changed)
        return changed


def damages(observed: Observed) -> Iterator[Damage]:
    """Every damage that can be done to what was observed of a scenario, and the harmless ones."""
    scenario, order = observed.scenario, list(observed.stream)
    for name, done in observed.acts.items():
        if isinstance(done, Done):
            yield from _of_events(scenario, name, done, order)
            yield from _of_outcome(scenario, name, done)
    yield from _of_scenario(scenario, observed, order)
    yield from _harmless(scenario, order)


def _of_events(scenario: str, act: str, done: Done, order: Sequence[Event]) -> Iterator[Damage]:
    own = done.timeline.own
    for event in own:
        at = _position(event, order)
        what = f"{event.kind} event of {event.process.binary}"
        for kind, change in (
            ("event dropped", _dropped(at)),
            ("event duplicated", _duplicated(at)),
            ("event delayed past the window", _delayed(at)),
            *((kind, _altered(at, alter)) for kind, alter in _alterations(event)),
        ):
            yield Damage(kind, act, what, _lines(scenario, change), event=event)
    for first, second in pairwise(own):
        what = f"{first.kind} of {first.process.binary} and {second.kind} of {second.process.binary}"
        swap = _lines(scenario, _swapped(_position(first, order), _position(second, order)))
        if _related(first, second):
            yield Damage("two events swapped", act, what, swap, event=first)
        else:
            yield Damage("unrelated events reordered", act, what, swap, harmless=True, event=first)


def _dropped(at: int) -> Change:
    def change(lines: list[bytes]) -> None:
        del lines[at]

    return change


def _duplicated(at: int) -> Change:
    return lambda lines: lines.insert(at, lines[at])


def _delayed(at: int) -> Change:
    return lambda lines: lines.append(lines.pop(at))


def _swapped(first: int, second: int) -> Change:
    def change(lines: list[bytes]) -> None:
        lines[first], lines[second] = lines[second], lines[first]

    return change


def _altered(at: int, alter: Callable[[dict[str, Any]], None]) -> Change:
    def change(lines: list[bytes]) -> None:
        event = json.loads(lines[at])
        alter(next(body for name, body in event.items() if name.startswith("process_")))
        lines[at] = json.dumps(event).encode()

    return change


def _alterations(event: Event) -> Iterator[tuple[str, Callable[[dict[str, Any]], None]]]:
    process = event.process
    yield "binary altered", lambda body: body["process"].update(binary=process.binary + "x")
    if process.pod:
        renamed = process.pod.name + "-x"
        yield "pod altered", lambda body: body["process"]["pod"].update(name=renamed)
    if event.kind == "exit":
        yield "exit code altered", _other_exit
    if event.kind == "kprobe":
        yield "action altered", _other_action
        for argument in event.json()["process_kprobe"].get("args", ()):
            if "file_arg" in argument:
                yield "path altered", _other_path
            if "sock_arg" in argument:
                yield "address altered", lambda body: _argument(body, "sock_arg").update(daddr=ELSEWHERE)
                yield "address altered", lambda body: _argument(body, "sock_arg").update(saddr=ELSEWHERE)


def _of_outcome(scenario: str, act: str, done: Done) -> Iterator[Damage]:
    was = done.performed.outcome.exit_code
    for code in (0, KILLED):
        if was not in {code, None}:
            change = _outcome(scenario, done.performed.id, code)
            yield Damage(f"exit code turned into {code}", act, f"exit {was}", change)


def _of_scenario(scenario: str, observed: Observed, order: Sequence[Event]) -> Iterator[Damage]:
    if order:
        last = order[-1].process.exec_id
        before_last = next(at for at, event in enumerate(order) if event.process.exec_id == last)
        yield Damage("stream cut", "", "before its last process", _lines(scenario, _cut(before_last)))
        yield Damage("stream cut", "", "in the middle", _lines(scenario, _cut(len(order) // 2)))
    if any(state.enabled for state in observed.states):
        yield Damage("policy state turned to error", "", "load_error", _state_to_error(scenario))


def _cut(at: int) -> Change:
    def change(lines: list[bytes]) -> None:
        del lines[at:]

    return change


def _harmless(scenario: str, order: Sequence[Event]) -> Iterator[Damage]:
    if not order:
        return

    def noise(lines: list[bytes]) -> None:
        for at in range(len(lines), 0, -3):
            lines.insert(at, _stranger(lines[0], at))

    yield Damage("noise of other pods", "", "every third event", _lines(scenario, noise), harmless=True)
    yield Damage("an unknown field", "", "in every event", _lines(scenario, _unknown_field), harmless=True)
    yield Damage("a blank line", "", "between all events", _lines(scenario, _blank_lines), harmless=True)


def _lines(scenario: str, change: Change) -> Callable[[dict[str, bytes]], None]:
    """A change to the events of a scenario's stream. Lines that are none are kept, before the others."""
    path = f"scenarios/{scenario}/events.jsonl"

    def apply(files: dict[str, bytes]) -> None:
        lines = files[path].splitlines()
        told = [line for line in lines if isinstance(parse(line), Event)]
        notices = [line for line in lines if line.strip() and line not in set(told)]
        change(told)
        files[path] = b"\n".join([*notices, *told]) + b"\n"
        # tetra's rendering was of the lines as they were: it is no witness any more
        files.pop(f"scenarios/{scenario}/events.compact.txt", None)

    return apply


def _outcome(scenario: str, identity: str, code: int) -> Callable[[dict[str, bytes]], None]:
    path = f"scenarios/{scenario}/acts.json"

    def apply(files: dict[str, bytes]) -> None:
        records = json.loads(files[path])
        next(record for record in records if record["id"] == identity)["exit_code"] = code
        files[path] = json.dumps(records).encode()

    return apply


def _state_to_error(scenario: str) -> Callable[[dict[str, bytes]], None]:
    path = f"scenarios/{scenario}/state.json"

    def apply(files: dict[str, bytes]) -> None:
        nodes = json.loads(files[path])
        for states in nodes.values():
            for state in states:
                state.update(state="TP_STATE_LOAD_ERROR", enabled=False, error="damaged on purpose")
        files[path] = json.dumps(nodes).encode()

    return apply


def _position(event: Event, order: Sequence[Event]) -> int:
    return next(at for at, other in enumerate(order) if other is event)


def _related(first: Event, second: Event) -> bool:
    """Whether the order of two events means something: one process, or one that started the other."""
    one, other = first.process, second.process
    if one.pid == other.pid:
        return True
    return first.kind == "exec" and other.parent_exec_id == one.exec_id


def _other_exit(body: dict[str, Any]) -> None:
    if body.pop("signal", None) is None:
        body["status"] = body.get("status", 0) + 1


def _other_action(body: dict[str, Any]) -> None:
    body["action"] = "KPROBE_ACTION_SIGKILL" if body["action"].endswith("POST") else "KPROBE_ACTION_POST"


def _other_path(body: dict[str, Any]) -> None:
    file = _argument(body, "file_arg")
    file["path"] = "/x" + file.get("path", "")


def _argument(body: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(argument[kind] for argument in body["args"] if kind in argument)
    return found


def _stranger(line: bytes, number: int) -> bytes:
    event = json.loads(line)
    body = next(body for name, body in event.items() if name.startswith("process_"))
    body["process"].update(exec_id=f"noise-{number}", parent_exec_id="noise", pid=900_000 + number, arguments="noise")
    body["process"].setdefault("pod", {}).update(namespace="elsewhere", name=f"stranger-{number}")
    return json.dumps(event).encode()


def _unknown_field(lines: list[bytes]) -> None:
    for at, line in enumerate(lines):
        event = json.loads(line)
        for body in event.values():
            if isinstance(body, dict):
                body["from_a_later_version"] = {"unknown": True}
        lines[at] = json.dumps(event).encode()


def _blank_lines(lines: list[bytes]) -> None:
    lines[:] = [part for line in lines for part in (line, b"")]
