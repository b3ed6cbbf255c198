"""A recording that grows: what a live run observed, scenario by scenario, in the form that replay reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from tetraproof.recordings.discretion.neutral import Neutral
from tetraproof.recordings.recording import INDEX, Index, Recording, ScenarioRecord, write


class Recorder:
    """The recording of a live run so far. `files` of the environment are the same for all of it.

    What is added goes by the names that `neutral` has for the folders of the machine that records.
    """

    def __init__(self, name: str, index: Index, files: Mapping[str, bytes], neutral: Neutral | None = None) -> None:
        self._name = name
        self._neutral = neutral or Neutral()
        self._index = self._neutral.index(index)
        self._files = self._neutral.environment(files)

    def add(self, scenario: ScenarioRecord, files: Mapping[str, bytes]) -> None:
        """Add a scenario with its files, named as in a recording; one of the same name is replaced."""
        scenario, files = self._neutral.scenario(scenario, files)
        others = tuple(one for one in self._index.scenarios if one.name != scenario.name)
        self._index = replace(self._index, scenarios=(*others, scenario))
        self._files |= {f"scenarios/{scenario.name}/{name}": content for name, content in files.items()}

    def file(self, path: str) -> bytes:
        """A file by its path in the recording; nothing where there is none."""
        return self._files.get(path, b"")

    def of_scenario(self, name: str) -> dict[str, bytes]:
        """The files of a scenario, by their names."""
        folder = f"scenarios/{name}/"
        return {path.removeprefix(folder): one for path, one in self._files.items() if path.startswith(folder)}

    def keep(self, path: str, content: bytes) -> None:
        """Keep one more file, or another content of it."""
        self._files[path] = content

    def only(self, scenario: str) -> Recording:
        """A recording of one scenario alone, to judge it by."""
        chosen = tuple(one for one in self._index.scenarios if one.name == scenario)
        return Recording(self._name, replace(self._index, scenarios=chosen), self._files)

    @property
    def files(self) -> Mapping[str, bytes]:
        """Its files so far, by their path, but for the index."""
        return self._files

    @property
    def index(self) -> Index:
        """What the recording's index is so far."""
        return self._index

    def write(self, destination: Path) -> None:
        """Write it into a new folder, sealed. Raises `RecordingError` where the folder holds something."""
        write({**self._files, INDEX: as_json(self._index)}, destination)


def as_json(value: Any) -> bytes:
    """A value as the JSON of a recording's file."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
