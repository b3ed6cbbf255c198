"""A recording that is added to: what a new run observed takes its place beside what was recorded before.

Both must be of one cell, told by the same agent settings on the same nodes: a recording answers for one world.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from tetraproof import filing
from tetraproof.errors import RecordingError
from tetraproof.policies.policy import parse as parse_policy
from tetraproof.recordings.record import ActRecord, numbered
from tetraproof.recordings.recorder import Recorder, as_json
from tetraproof.recordings.recording import EXPECTED, INDEX, Index, Recording, ScenarioRecord, open_recording, sealed
from tetraproof.text import shorten
from tetraproof.verdict import Verdict


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
    nodes = {node.name: node for node in new.nodes}
    for node in old.nodes:
        if other := nodes.get(node.name):
            facts[f"the kernel of {node.name}"] = (node.kernel, other.kernel)
            # by these it is known when a stream was heard to its end
            facts[f"the processors of {node.name}"] = (str(node.cpus), str(other.cpus))
            facts[f"the rings of {node.name}"] = (str(node.rings), str(other.rings))
    for name in sorted(old.settings.keys() | new.settings.keys()):
        facts[f"the agent's setting {name}"] = (old.settings.get(name, ""), new.settings.get(name, ""))
    for field, (there, here) in facts.items():
        if there != here:
            yield field, shorten(there or "none", 60), shorten(here or "none", 60)


def _names(index: Index) -> str:
    return ", ".join(sorted(node.name for node in index.nodes))


def renewed(old: Recording, recorder: Recorder) -> dict[str, bytes]:
    """The files of the old recording with the scenarios of the new run, which take the place of those that they renew.

    That is the one of their name whose acts are the same suite's; of another suite it is kept, and the new one stands
    beside it. One that was cut short takes no other's place.
    """
    by_name = {scenario.name: scenario for scenario in old.index.scenarios}
    own: dict[str, bytes] = {}
    placed: dict[str, str] = {}
    for scenario in recorder.index.scenarios:
        place = _place(scenario, old, recorder, set(placed.values()))
        if place in _names_of(old) and not _is_whole(scenario):
            continue
        placed[scenario.name] = place
        first = scenario.beside or scenario.name
        by_name[place] = replace(scenario, name=place, beside="" if scenario.change or place == first else first)
        own |= {f"scenarios/{place}/{file}": content for file, content in recorder.of_scenario(scenario.name).items()}
    if not placed:
        return dict(old.files)
    folders = [["scenarios", place] for place in placed.values()]
    kept = {path: content for path, content in old.files.items() if path.split("/")[:2] not in folders}
    return {**kept, **own, INDEX: as_json(replace(old.index, scenarios=tuple(by_name.values())))}


def _names_of(old: Recording) -> set[str]:
    """The names of a recording's scenarios."""
    return {scenario.name for scenario in old.index.scenarios}


def _place(new: ScenarioRecord, old: Recording, recorder: Recorder, taken: set[str]) -> str:
    """The name under which a new scenario is kept: that of the one that it renews, or else one that is free."""
    first = new.beside or new.name
    for one in old.index.scenarios:
        if (one.beside or one.name) == first and one.name not in taken and _of_one_suite(one, new, old, recorder):
            return one.name
    return numbered(first, _names_of(old) | taken)


def _of_one_suite(one: ScenarioRecord, other: ScenarioRecord, old: Recording, recorder: Recorder) -> bool:
    """Whether two scenarios are of one suite: by its name, or an act in common where an older recording tells none."""
    if one.change or other.change:  # of one policy each change is made once
        policies = [_policy(old, one), _policy(recorder.only(other.name), other)]
        return one.change == other.change and policies[0] == policies[1]
    if (one.suite and other.suite) or not (one.suite or other.suite):
        return one.suite == other.suite
    acts, others = _acts(old.acts(one.name)), _acts(recorder.only(other.name).acts(other.name))
    return not acts or not others or bool(acts & others)


def _policy(recording: Recording, scenario: ScenarioRecord) -> tuple[str, str]:
    """The namespace and the name of the policy that was in force."""
    return parse_policy(
        recording.text(f"scenarios/{scenario.name}/policy.yaml") or "", recording.name, recorded=True
    ).key


def _acts(acts: Sequence[ActRecord]) -> set[tuple[object, ...]]:
    """What acts are, wherever they were performed."""
    return {(act.argv, act.stdin, act.tty) for act in acts if act.role == "act"}


def _is_whole(scenario: ScenarioRecord) -> bool:
    """Whether a scenario was observed to its end, or could not be."""
    cannot = scenario.unanswered is not None and scenario.unanswered.verdict == str(Verdict.UNSUPPORTED)
    return bool(scenario.heard_to_the_end or scenario.change) or cannot


def write_renewed(old: Recording, recorder: Recorder, destination: Path) -> None:
    """Put the renewed recording in the place of the old one in `destination`, whole or not at all.

    Its expected.json stays as it is.
    """
    files = renewed(old, recorder)
    if files == old.files:
        return
    destination = destination.resolve()
    with filing.staged(sealed(files), destination) as made:
        if (destination / EXPECTED).is_file():
            shutil.copyfile(destination / EXPECTED, made / EXPECTED)
        made.chmod(destination.stat().st_mode)
        open_recording(made)
