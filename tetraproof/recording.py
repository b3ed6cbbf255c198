"""A recording: everything a run observed, replayable without a cluster.

A directory (docs/recordings.md describes it) with `recording.json` as its
index, environment and scenarios as the agent and Kubernetes told them, and
`SHA256SUMS` over all of it. `expected.json` lies beside the sums, kept by hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tetraproof.binding import Bindings
from tetraproof.errors import RecordingError
from tetraproof.gap import Continuity

FORMAT = 1
INDEX, SUMS, EXPECTED = "recording.json", "SHA256SUMS", "expected.json"


class ActRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """One act as it was performed. `role` is `act`, `prepare`, `sentinel-start` or `sentinel-end`; times in RFC 3339.

    `exit_code` is null where no answer came, and `broken` then says why; `lacks` says what was missing there of one
    that was not tried.
    """

    id: str
    namespace: str
    pod: str
    argv: tuple[str, ...]
    exit_code: int | None
    node: str = ""
    stdin: str | None = None
    tty: bool = False
    stdout: str = ""
    stderr: str = ""
    broken: str = ""
    lacks: str = ""
    role: str = "act"
    cpu: int | None = None
    started: str = ""
    ended: str = ""


class NodeRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """One node: its kernel, how many CPUs it has, and how many rings its agent reads."""

    name: str
    kernel: str = ""
    cpus: int = 1
    rings: int = 1
    system: str = ""
    architecture: str = ""
    runtime: str = ""


class Unanswered(Struct, frozen=True, forbid_unknown_fields=True):
    """Why nothing was performed: `verdict` is `unsupported` or `inconclusive`, `reason` a clause."""

    verdict: str
    reason: str


class ScenarioRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """One scenario of a recording. `settings` are what differs from the cell's, `notes` sentences for the report.

    `change` is what was changed of the installation while one act was repeated; empty where acts were performed once.
    `unanswered` says why a live target could not even begin with it; `nodes` are those that it speaks of, all of the
    recording's where none is named.
    """

    name: str
    policy: bool = True
    heard_to_the_end: bool | None = None
    settled_after: float | None = None
    started: str = ""
    settings: dict[str, str] = {}
    bindings: Bindings = Bindings()
    notes: tuple[str, ...] = ()
    unanswered: Unanswered | None = None
    change: str = ""
    nodes: tuple[str, ...] = ()


class Cell(Struct, frozen=True, forbid_unknown_fields=True):
    """One point of the matrix.

    `differs` is what of the agent's settings differs from the defaults, `target` what it was recorded on.
    """

    tetragon: str
    kubernetes: str
    kernel: str
    target: str
    label: str = "defaults"
    digest: str = ""
    differs: dict[str, str] = {}
    cli: str = ""

    @property
    def title(self) -> str:
        """The cell in one line."""
        place = f"Kubernetes {self.kubernetes}" if self.kubernetes else "no Kubernetes"
        return f"Tetragon {self.tetragon} ({self.label}) · kernel {self.kernel} · {place}"


class Provenance(Struct, frozen=True, forbid_unknown_fields=True):
    """When and where the run was recorded, by what, and what was left out of it."""

    recorded: str
    where: str
    made_by: str
    left_out: tuple[str, ...] = ()


class Index(Struct, frozen=True, forbid_unknown_fields=True):
    """`recording.json`."""

    format: int
    cell: Cell
    provenance: Provenance
    nodes: tuple[NodeRecord, ...]
    bindings: Bindings
    settings: dict[str, str]
    scenarios: tuple[ScenarioRecord, ...]


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


def decode(content: bytes, kind: Any, source: str) -> Any:
    """JSON as a typed record. Raises `RecordingError` naming file and field."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise RecordingError(f"{source}: {error}.", remedy="convert the raw records again") from error


def open_recording(path: Path) -> Recording:
    """The recording in the directory `path`, verified. Raises `RecordingError`."""
    if not path.is_dir():
        raise RecordingError(f"There is no recording {path}.", remedy="name a directory that holds a recording.json")
    files = {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file() and file != path / EXPECTED
    }
    expected = path / EXPECTED
    kept = decode(expected.read_bytes(), dict[str, Any], str(expected)) if expected.is_file() else None
    return from_files(path.name, files, kept)


def from_files(name: str, files: Mapping[str, bytes], expected: Mapping[str, Any] | None = None) -> Recording:
    """A recording from its files in memory, verified: format, checksums, and every file that it must have."""
    if INDEX not in files:
        raise RecordingError(f"{name} is no recording: {INDEX} is missing.", remedy="make one: tetraproof convert")
    found = decode(files[INDEX], dict[str, Any], f"{name}/{INDEX}").get("format")
    if not isinstance(found, int) or found > FORMAT:
        raise RecordingError(
            f"{name}/{INDEX}: format is {found}, and this tetraproof reads up to {FORMAT}.",
            remedy="use a newer tetraproof",
        )
    index = decode(files[INDEX], Index, f"{name}/{INDEX}")
    _check_sums(name, files)
    for scenario in index.scenarios:
        needed = ["acts.json", "events.jsonl", *(["policy.yaml", "state.json"] if scenario.policy else [])]
        if scenario.change:
            needed = ["continuity.json", "policy.yaml"]
        for file in needed:
            if f"scenarios/{scenario.name}/{file}" not in files:
                raise RecordingError(
                    f"{name}: scenarios/{scenario.name}/{file} is missing.",
                    remedy="copy the recording again, whole, or convert the raw records again",
                )
    recording = Recording(name, index, files, expected)
    for scenario in index.scenarios:  # read once now, so that a bad field is told before anything is judged
        if scenario.change:
            recording.continuity(scenario.name)
            continue
        recording.acts(scenario.name)
        recording.states(scenario.name)
        recording.states(scenario.name, after=True)
    return recording


def sealed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """`files` with `SHA256SUMS` made anew (a format that `sha256sum --check` reads)."""
    content = {path: files[path] for path in sorted(files) if path != SUMS}
    lines = [f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in content.items()]
    return {**content, SUMS: "".join(lines).encode()}


def write(files: Mapping[str, bytes], destination: Path) -> None:
    """Write a sealed recording into `destination`, which must not exist or be empty."""
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise RecordingError(f"{destination} is there already, and is no empty folder.", remedy="name a new folder")
    for path, content in sealed(files).items():
        target = destination / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _check_sums(name: str, files: Mapping[str, bytes]) -> None:
    if SUMS not in files:
        raise RecordingError(f"{name}: {SUMS} is missing.", remedy="copy the recording again, whole")
    pairs = (line.partition("  ") for line in files[SUMS].decode("utf-8", "replace").splitlines())
    listed = {path: digest for digest, _, path in pairs if path}
    present = set(files) - {SUMS}
    for path in sorted(listed.keys() - present):
        raise RecordingError(f"{name}: {path} is missing.", remedy="copy the recording again, whole")
    for path in sorted(present - listed.keys()):
        raise RecordingError(f"{name}: {path} is not listed in {SUMS}.", remedy="remove the file that does not belong")
    for path, content in files.items():
        if path != SUMS and hashlib.sha256(content).hexdigest() != listed[path]:
            raise RecordingError(
                f"{name}: {path} has another checksum than {SUMS} says.",
                remedy="copy the recording again; a recording is never edited",
            )
