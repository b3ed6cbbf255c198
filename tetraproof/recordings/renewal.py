"""A recording that is added to: what a new run observed takes its place beside what was recorded before.

Both must be of one cell, told by the same agent settings on the same nodes: a recording answers for one world.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from tetraproof.errors import RecordingError
from tetraproof.recordings.recorder import Recorder, as_json
from tetraproof.recordings.recording import EXPECTED, INDEX, Index, Recording, open_recording, sealed
from tetraproof.text import shorten


def check_same_world(old: Recording, new: Index) -> None:
    """Refuse a run that cannot be added to a recording. Raises `RecordingError` naming what differs."""
    for field, there, here in _differences(old.index, new):
        raise RecordingError(
            f"{old.name} was recorded with {field} {there}, and this run has {here}.",
            remedy="record into a folder of its own: a recording answers for one cell",
        )


def _differences(old: Index, new: Index) -> Iterator[tuple[str, str, str]]:
    facts = {
        "Tetragon": (old.cell.tetragon, new.cell.tetragon),
        "the kernel": (old.cell.kernel, new.cell.kernel),
        "Kubernetes": (old.cell.kubernetes, new.cell.kubernetes),
        "the target": (old.cell.target, new.cell.target),
        "the nodes": (_names(old), _names(new)),
    }
    for name in sorted(old.settings.keys() | new.settings.keys()):
        facts[f"the agent's setting {name}"] = (old.settings.get(name, ""), new.settings.get(name, ""))
    for field, (there, here) in facts.items():
        if there != here:
            yield field, shorten(there or "none", 60), shorten(here or "none", 60)


def _names(index: Index) -> str:
    return ", ".join(sorted(node.name for node in index.nodes))


def renewed(old: Recording, recorder: Recorder) -> dict[str, bytes]:
    """The files of the old recording with the scenarios of the new run, which take the place of those of their name."""
    new = recorder.index
    names = {scenario.name for scenario in new.scenarios}
    kept = {path: content for path, content in old.files.items() if path.split("/")[:2] not in _folders(names)}
    own = {path: content for path, content in recorder.files.items() if path.split("/")[:2] in _folders(names)}
    by_name = {scenario.name: scenario for scenario in (*old.index.scenarios, *new.scenarios)}
    return {**kept, **own, INDEX: as_json(replace(old.index, scenarios=tuple(by_name.values())))}


def _folders(names: set[str]) -> list[list[str]]:
    return [["scenarios", name] for name in names]


def write_renewed(old: Recording, recorder: Recorder, destination: Path) -> None:
    """Put the renewed recording in the place of the old one in `destination`, whole or not at all.

    Its expected.json stays as it is.
    """
    made = Path(tempfile.mkdtemp(prefix=f".{destination.name}-", dir=destination.parent))
    try:
        for path, content in sealed(renewed(old, recorder)).items():
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).write_bytes(content)
        if (destination / EXPECTED).is_file():
            shutil.copyfile(destination / EXPECTED, made / EXPECTED)
        made.chmod(destination.stat().st_mode)
        open_recording(made)
        before = made.with_name(f"{made.name}-before")
        destination.rename(before)
        made.rename(destination)
        shutil.rmtree(before)
    finally:
        shutil.rmtree(made, ignore_errors=True)
