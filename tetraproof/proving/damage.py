"""A damage: one change to the files of a recorded scenario, and how such a change is written.

Each stands for a misbehaving agent, a lying recording, or something that hides what
happened. It changes one thing of one scenario, and the recording is sealed again, so
that it is the suites that must notice. A harmless one changes what no promise is
about, and nothing may come of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tetraproof.events.event import Event, parse
from tetraproof.observing.observation import Done, Observed

Files = Mapping[str, bytes]
Json = dict[str, Any]
#: A change to files, in place.
Apply = Callable[[dict[str, bytes]], None]
#: A change to the lines of a stream, in place.
Change = Callable[[list[bytes]], None]
INDEX = "recording.json"
KILLED = 137


@dataclass(frozen=True)
class Damage:
    """One change to the files of a scenario. `act` is what it is about (none for the whole scenario).

    `event` is the one that is changed, `field` the path of what is changed in it. After one that is `deaf`, nothing
    that was said to be absent may still conform: nobody can know. One that `veils` hides something, and proves
    nothing: what rests on it may not be judged, and nothing may be called a violation for it. `exported` marks a
    change to the export log, which only the questions about that log can notice; `answer` one to what others tell of
    the act's connection.
    """

    kind: str
    act: str
    what: str
    apply: Apply
    harmless: bool = False
    event: Event | None = None
    field: str = ""
    deaf: bool = False
    veils: bool = False
    exported: bool = False
    answer: bool = False

    def to(self, files: Files) -> dict[str, bytes]:
        """The files with the change in them; `files` itself stays."""
        changed = dict(files)
        self.apply(changed)
        return changed


@dataclass(frozen=True)
class Scene:
    """What can be damaged: what was observed of a scenario, and the files of the recording that say so."""

    observed: Observed
    files: Files

    @property
    def scenario(self) -> str:
        """Its name."""
        return self.observed.scenario

    @cached_property
    def positions(self) -> dict[int, int]:
        """Where each event stands in the stream, by its `id()`."""
        return {id(event): at for at, event in enumerate(self.observed.stream)}

    def at(self, event: Event) -> int:
        """Where an event stands in the stream."""
        return self.positions[id(event)]

    @property
    def done(self) -> Iterator[tuple[str, Done]]:
        """The acts that were performed, by their names in the suite."""
        return ((name, done) for name, done in self.observed.acts.items() if isinstance(done, Done))

    def holds(self, file: str) -> bool:
        """Whether the scenario has a file."""
        return f"scenarios/{self.scenario}/{file}" in self.files

    # how a change is written

    def stream(self, change: Change) -> Apply:
        """A change to the events of the stream. Lines that are none are kept, before the others."""
        path = self._path("events.jsonl")

        def apply(files: dict[str, bytes]) -> None:
            lines = files[path].splitlines()
            told = [line for line in lines if isinstance(parse(line), Event)]
            notices = [line for line in lines if line.strip() and line not in set(told)]
            change(told)
            files[path] = b"\n".join([*notices, *told]) + b"\n"
            # tetra's rendering was of the lines as they were: it is no witness any more
            files.pop(self._path("events.compact.txt"), None)

        return apply

    def event(self, event: Event, alter: Callable[[Json], None]) -> Apply:
        """A change to the JSON of one event of the stream, the envelope included."""
        return self.stream(altered(self.at(event), alter))

    def file(self, file: str, change: Callable[[bytes], bytes | None]) -> Apply:
        """A change to one file of the scenario; it goes where that leaves nothing."""
        path = self._path(file)

        def apply(files: dict[str, bytes]) -> None:
            content = change(files[path])
            if content is None:
                del files[path]
            else:
                files[path] = content

        return apply

    def json(self, file: str, change: Callable[[Any], None]) -> Apply:
        """A change to one JSON file of the scenario."""
        return self.file(file, lambda content: _json(content, change))

    def outcome(self, done: Done, **changed: Any) -> Apply:
        """A change to how an act ended, by the word of who asked for it: fields of `acts.json`."""

        def change(records: list[Json]) -> None:
            next(record for record in records if record["id"] == done.performed.id).update(changed)

        return self.json("acts.json", change)

    def state(self, change: Callable[[Json], None], *, after: bool = False) -> Apply:
        """A change to what each agent says of each policy."""

        def each(nodes: dict[str, list[Json]]) -> None:
            for states in nodes.values():
                for one in states:
                    change(one)

        return self.json(f"state{'-after' if after else ''}.json", each)

    def index(self, change: Callable[[Json], None]) -> Apply:
        """A change to the recording's index."""

        def apply(files: dict[str, bytes]) -> None:
            files[INDEX] = _json(files[INDEX], change)

        return apply

    def record(self, **changed: Any) -> Apply:
        """A change to what the index says of this scenario."""

        def change(index: Json) -> None:
            next(one for one in index["scenarios"] if one["name"] == self.scenario).update(changed)

        return self.index(change)

    def setting(self, name: str, value: str) -> Apply:
        """A change to a setting of the agent."""

        def change(index: Json) -> None:
            index["settings"][name] = value

        return self.index(change)

    def _path(self, file: str) -> str:
        return f"scenarios/{self.scenario}/{file}"


def together(*changes: Apply) -> Apply:
    """Several changes as one: what a lie that is told consistently is made of."""

    def apply(files: dict[str, bytes]) -> None:
        for change in changes:
            change(files)

    return apply


def altered(at: int, alter: Callable[[Json], None]) -> Change:
    """A change to the JSON of one line."""

    def change(lines: list[bytes]) -> None:
        event = json.loads(lines[at])
        alter(event)
        lines[at] = json.dumps(event).encode()

    return change


def body_of(event: Json) -> Json:
    """The message of an event's kind."""
    found: Json = next(body for name, body in event.items() if name.startswith("process_"))
    return found


def in_body(alter: Callable[[Json], Any]) -> Callable[[Json], None]:
    """An alteration of an event's message as one of the event."""

    def change(event: Json) -> None:
        alter(body_of(event))

    return change


def in_process(alter: Callable[[Json], Any]) -> Callable[[Json], None]:
    """An alteration of the process in an event's message as one of the event."""

    def change(event: Json) -> None:
        alter(body_of(event)["process"])

    return change


def _json(content: bytes, change: Callable[[Any], None]) -> bytes:
    told = json.loads(content)
    change(told)
    return json.dumps(told).encode()
