"""A recording: everything a run observed, replayable without a cluster.

A directory (docs/recordings.md describes it) with `recording.json` as its
index, environment and scenarios as the agent and Kubernetes told them, and
`SHA256SUMS` over all of it. `expected.json` lies beside the sums, kept by hand.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tetraproof import decoding, filing
from tetraproof.decoding import Source
from tetraproof.errors import RecordingError
from tetraproof.observing.gap import Continuity
from tetraproof.policies.policy import parse as parse_policy
from tetraproof.recordings import admission, folder
from tetraproof.recordings.record import (
    ActRecord,
    Cell,
    Index,
    NodeRecord,
    Provenance,
    ScenarioRecord,
    Unanswered,
    rings_to_hear,
)
from tetraproof.text import safe, shorten

__all__ = [
    "EXPECTED",
    "FORMAT",
    "INDEX",
    "SUMS",
    "ActRecord",
    "Cell",
    "Index",
    "NodeRecord",
    "Provenance",
    "Recording",
    "ScenarioRecord",
    "Unanswered",
    "decode",
    "from_files",
    "open_recording",
    "recordings_in",
    "rings_to_hear",
    "sealed",
    "write",
]

FORMAT = 1
INDEX, SUMS, EXPECTED = "recording.json", "SHA256SUMS", "expected.json"
_WIDTH = 60
_SUM = re.compile(r"([0-9a-f]{64})  (.+)")
_COPY = "copy the recording again, whole"
_CONVERT = "convert the raw records again"


@dataclass(frozen=True)
class Recording:
    """An opened recording: its index, and its files by their path inside it. `name` is the directory's."""

    name: str
    index: Index
    files: Mapping[str, bytes]
    expected: Mapping[str, Any] | None = None

    def text(self, path: str) -> str | None:
        """The text of a file, or nothing where the recording has none of that path."""
        content = self.files.get(path)
        return None if content is None else content.decode("utf-8", "replace")

    def in_scenario(self, scenario: str, file: str) -> bytes | None:
        """The content of one file of a scenario."""
        return self.files.get(f"scenarios/{scenario}/{file}")

    def opened(self, scenario: str, file: str) -> tuple[BinaryIO, int]:
        """One file of a scenario to be read from its beginning, and its size; an empty one where there is none."""
        return folder.opened(self.files, f"scenarios/{scenario}/{file}")

    def acts(self, scenario: str) -> tuple[ActRecord, ...]:
        """The acts of a scenario in order, sentinels included; none of a change. Raises `RecordingError`."""
        path = f"scenarios/{scenario}/acts.json"
        acts: tuple[ActRecord, ...] = self._decode(path, tuple[ActRecord, ...]) if path in self.files else ()
        return acts

    def continuity(self, scenario: str) -> Continuity:
        """The act that was repeated while the installation was changed, and what happened meanwhile."""
        told: Continuity = self._decode(f"scenarios/{scenario}/continuity.json", Continuity)
        return told

    def states(self, scenario: str, *, after: bool = False) -> dict[str, list[dict[str, Any]]]:
        """What `tetra tracingpolicy list -o json` said on each node, once settled or after the acts."""
        path = f"scenarios/{scenario}/state{'-after' if after else ''}.json"
        return self._decode(path, dict[str, list[dict[str, Any]]]) if path in self.files else {}

    def _decode(self, path: str, kind: Any) -> Any:
        return decode(self.files[path], kind, f"{self.name}/{path}")


def decode(content: bytes, kind: Any, source: str, remedy: str = _CONVERT) -> Any:
    """JSON as a typed record. Raises `RecordingError` naming file and field."""
    return decoding.as_json(content, kind, Source(source, remedy))


def recordings_in(folder: Path) -> list[Path]:
    """The folders of recordings that lie in `folder`, by name."""
    return sorted(path.parent for path in folder.glob(f"*/{INDEX}"))


def open_recording(path: Path) -> Recording:
    """The recording in the directory `path`, verified. Raises `RecordingError`."""
    if not path.is_dir():
        raise RecordingError(f"There is no recording {safe(path)}.", remedy=f"name a directory that holds a {INDEX}")
    files = folder.read(path)
    written = files.get(EXPECTED)
    kept = None
    if written is not None:
        pins = Source(path / EXPECTED, "mend it; docs/recordings.md tells its form")
        kept = decoding.as_json(written, dict[str, Any], pins)
        decoding.refuse_doubles(written, pins)
    return from_files(safe(path.name), files.without(EXPECTED), kept)


def from_files(name: str, files: Mapping[str, bytes], expected: Mapping[str, Any] | None = None) -> Recording:
    """A recording from its files in memory, verified: format, names, checksums, and every file that it must have."""
    if INDEX not in files:
        raise RecordingError(f"{name} is no recording: {INDEX} is missing.", remedy="make one: tetraproof convert")
    source = f"{name}/{INDEX}"
    _check_format(decode(files[INDEX], dict[str, Any], source).get("format"), source)
    index = decode(files[INDEX], Index, source)
    decoding.refuse_doubles(files[INDEX], Source(source, _CONVERT))
    admission.check_index(index, source)
    admission.check_paths(name, files)
    _check_sums(name, files)
    for scenario in index.scenarios:
        needed = ["acts.json", "events.jsonl", *(["policy.yaml", "state.json"] if scenario.policy else [])]
        if scenario.change:
            # of one that could not be made nothing was observed
            needed = ["policy.yaml", *([] if scenario.unanswered else ["continuity.json"])]
        for file in needed:
            if f"scenarios/{scenario.name}/{file}" not in files:
                raise RecordingError(
                    f"{name}: scenarios/{scenario.name}/{file} is missing.",
                    remedy=f"{_COPY}, or {_CONVERT}",
                )
    recording = Recording(name, index, files, expected)
    for scenario in index.scenarios:  # read once now, so that a bad field is told before anything is judged
        _check_scenario(recording, scenario)
    return recording


def _check_format(found: object, source: str) -> None:
    # neither true nor 1.0 is the number 1
    if type(found) is int and found > FORMAT:
        raise RecordingError(
            f"{source}: format is {shorten(found, _WIDTH)}, and this tetraproof reads up to {FORMAT}.",
            remedy="use a newer tetraproof",
        )
    if type(found) is not int or found != FORMAT:
        raise RecordingError(
            f"{source}: format is {shorten(json.dumps(found), _WIDTH)}, and there is none but {FORMAT}.",
            remedy=f"{_CONVERT}, or use the tetraproof that made it",
        )


def _check_scenario(recording: Recording, scenario: ScenarioRecord) -> None:
    inside = f"scenarios/{scenario.name}"
    nodes = [node.name for node in recording.index.nodes]
    for file in ("acts.json", "continuity.json", "state.json", "state-after.json"):
        path = f"{inside}/{file}"
        content = recording.files.get(path)
        if content is None:
            continue
        source = f"{recording.name}/{path}"
        if file == "continuity.json":
            if scenario.change:
                admission.check_continuity(recording.continuity(scenario.name), scenario.change, nodes, source)
        elif file == "acts.json":
            admission.check_acts(recording.acts(scenario.name), nodes, source)
        else:
            states = recording.states(scenario.name, after=file == "state-after.json")
            admission.check_states(states, nodes, source)
        decoding.refuse_doubles(content, Source(source, _CONVERT))
    if scenario.policy or scenario.change:
        policy = f"{inside}/policy.yaml"
        parse_policy(recording.text(policy) or "", f"{recording.name}/{policy}", recorded=True)


def sealed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """`files` with `SHA256SUMS` made anew (a format that `sha256sum --check` reads)."""
    content = {path: files[path] for path in sorted(files) if path != SUMS}
    lines = [f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in content.items()]
    return {**content, SUMS: "".join(lines).encode()}


def write(files: Mapping[str, bytes], destination: Path) -> None:
    """Write a recording, sealed, into `destination`, which must not exist or be empty: whole or not at all.

    Raises `RecordingError` and `OutputError`.
    """
    admission.check_paths(safe(destination.name), files)
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise RecordingError(f"{destination} is there already, and is no empty folder.", remedy="name a new folder")
    with filing.staged(sealed(files), destination.resolve()):
        pass


def _check_sums(name: str, files: Mapping[str, bytes]) -> None:
    if SUMS not in files:
        raise RecordingError(f"{name}: {SUMS} is missing.", remedy=_COPY)
    listed = _listed(name, files[SUMS])
    present = set(files) - {SUMS}
    for path in sorted(listed.keys() - present):
        raise RecordingError(f"{name}: {path} is missing.", remedy=_COPY)
    for path in sorted(present - listed.keys()):
        raise RecordingError(f"{name}: {path} is not listed in {SUMS}.", remedy="remove the file that does not belong")
    for path in files:
        if path != SUMS and folder.sum_of(files, path) != listed[path]:
            raise RecordingError(
                f"{name}: {path} has another checksum than {SUMS} says.",
                remedy="copy the recording again; a recording is never edited",
            )


def _listed(name: str, content: bytes) -> dict[str, str]:
    """The sums by path, from lines as `sha256sum` writes them."""
    listed: dict[str, str] = {}
    lines = content.decode("utf-8", "replace").split("\n")
    for number, line in enumerate(lines if lines[-1] else lines[:-1], 1):
        where = f"{name}/{SUMS}, line {number}"
        told = _SUM.fullmatch(line)
        if told is None:
            raise RecordingError(f"{where} is no checksum and path: {shorten(repr(line), _WIDTH)}.", remedy=_COPY)
        path = told[2]
        if fault := folder.fault_of_path(path):
            raise RecordingError(f"{where}: {shorten(path, _WIDTH)} is no path: {fault}.", remedy=_COPY)
        if path in {SUMS, EXPECTED}:
            raise RecordingError(f"{where}: {path} is not among what is sealed.", remedy=_COPY)
        if path in listed:
            raise RecordingError(f"{where}: {shorten(path, _WIDTH)} is listed twice.", remedy=_COPY)
        listed[path] = told[1]
    return listed
