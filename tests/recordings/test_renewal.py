"""A recording that is added to: what was there stays as it was, and it is whole whatever happens meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.builders import (
    NAME,
    NODE,
    execs,
    exits,
    performed,
    policy,
    read_tree,
    recording_files,
    scenario_files,
    started,
)
from tests.builders import recording as opened
from tetraproof import filing
from tetraproof.errors import OutputError, RecordingError
from tetraproof.observing.act import Acts, command
from tetraproof.observing.observation import Done
from tetraproof.recordings.recorder import Recorder
from tetraproof.recordings.recording import (
    EXPECTED,
    INDEX,
    SUMS,
    Index,
    NodeRecord,
    Recording,
    ScenarioRecord,
    Unanswered,
    from_files,
    open_recording,
    write,
)
from tetraproof.recordings.renewal import check_same_world, renewed, write_renewed
from tetraproof.targets.replay import Replay

Scenarios = Mapping[str, Mapping[str, bytes]]
PINS = b'{"guard":   {"verdict": "conforms"}}'


def scenario(name: str, *argv: str, manifest: bool = True) -> dict[str, bytes]:
    """The files of a scenario with one act."""
    process = started(100, f"/usr/bin/{argv[0]}", " ".join(argv[1:]))
    more = {} if manifest else {"manifest": ""}
    return scenario_files(name, [performed(*argv)], [execs(process), exits(process)], **more)


#: Names of which one begins like the other.
OLD: Scenarios = {name: scenario(name, "cat", name) for name in ("guard", "guard2", "guard@node", "other")}


def recorder_of(scenarios: Scenarios, **said: Any) -> Recorder:
    """What a live run in the same world observed; `said` is of each of its scenarios."""
    files = recording_files(scenarios)
    index = msgspec.json.decode(files[INDEX], type=Index)
    made = Recorder("new", replace(index, scenarios=()), {"environment/tetra-version.txt": b"another\n"})
    for one in index.scenarios:
        inside = f"scenarios/{one.name}/"
        own = {path.removeprefix(inside): content for path, content in files.items() if path.startswith(inside)}
        made.add(replace(one, **{"heard_to_the_end": True, **said}), own)
    return made


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A recording in a folder, with its pins."""
    folder = tmp_path / "recordings/kept"
    write({**recording_files(OLD), "environment/tetra-version.txt": b"1\n"}, folder)
    (folder / EXPECTED).write_bytes(PINS)
    return folder


def add(folder: Path, recorder: Recorder) -> None:
    write_renewed(open_recording(folder), recorder, folder)


def names(folder: Path) -> list[str]:
    return [one.name for one in open_recording(folder).index.scenarios]


def without(files: Mapping[str, bytes], *scenarios: str) -> dict[str, bytes]:
    """The files that belong neither to these scenarios nor to the whole."""
    return {
        path: content
        for path, content in files.items()
        if path not in {INDEX, SUMS} and path.split("/")[:2] not in [["scenarios", name] for name in scenarios]
    }


# what stays


def test_what_was_there_stays_byte_for_byte(kept: Path) -> None:
    """And the new scenario comes last."""
    before = read_tree(kept)
    add(kept, recorder_of({"new": scenario("new", "ls")}))
    after = read_tree(kept)
    assert without(after, "new") == without(before)
    assert {path: after[path] for path in scenario("new", "ls")} == scenario("new", "ls")
    assert after[EXPECTED] == PINS
    assert names(kept) == [*OLD, "new"]
    old, new = (msgspec.json.decode(files[INDEX], type=Index) for files in (before, after))
    assert replace(new, scenarios=()) == replace(old, scenarios=())
    assert new.scenarios[:4] == old.scenarios


def test_a_scenario_of_the_same_name_takes_the_place_of_the_old_one(kept: Path) -> None:
    """Whole: no file of the old one is left, and those whose names only begin so stay."""
    before = read_tree(kept)
    add(kept, recorder_of({"guard": scenario("guard", "ls", manifest=False)}))
    after = read_tree(kept)
    assert without(after, "guard") == without(before, "guard")
    assert {path for path in after if path.startswith("scenarios/guard/")} == set(
        scenario("guard", "ls", manifest=False)
    )
    assert names(kept) == list(OLD)
    record = next(one for one in open_recording(kept).index.scenarios if one.name == "guard")
    assert not record.policy


def test_both_replay_what_they_are(kept: Path) -> None:
    """What was recorded before says what it said, and the new one what was observed now."""
    cat, ls = Acts(one=command("cat", "other")), Acts(one=command("ls"))

    def said(folder: Path, acts: Acts, name: str) -> Any:
        replay = Replay(open_recording(folder))
        return replay.observe(policy(), {}, tuple(acts), name).acts["one"]

    before = said(kept, cat, "other")
    add(kept, recorder_of({"new": scenario("new", "ls")}))
    assert isinstance(before, Done)
    assert said(kept, cat, "other") == before
    new = said(kept, ls, "new")
    assert isinstance(new, Done)
    assert not new.timeline.open


def test_where_nothing_is_new_nothing_is_written(kept: Path) -> None:
    """Not even its time."""

    def state() -> list[tuple[int, int]]:
        # not the time of reading, which every reader sets
        return [(told.st_ino, told.st_mtime_ns) for told in (path.stat() for path in (kept, kept / INDEX, kept / SUMS))]

    before = state()
    add(kept, recorder_of({}))
    assert state() == before


@pytest.mark.parametrize(
    ("said", "takes_its_place"),
    [
        ({"heard_to_the_end": False}, False),
        ({"heard_to_the_end": None}, False),
        ({"heard_to_the_end": None, "unanswered": Unanswered("inconclusive", "the agent was gone")}, False),
        ({"heard_to_the_end": None, "unanswered": Unanswered("unsupported", "no such hook")}, True),
        ({"heard_to_the_end": True}, True),
    ],
)
def test_what_was_cut_short_takes_no_others_place(kept: Path, said: dict[str, Any], takes_its_place: bool) -> None:
    """An interrupt leaves what was recorded; a new scenario is kept as far as it came."""
    before = read_tree(kept)
    add(kept, recorder_of({"guard": scenario("guard", "ls"), "new": scenario("new", "ls")}, **said))
    after = read_tree(kept)
    same = {path: before[path] for path in OLD["guard"]} == {path: after.get(path) for path in OLD["guard"]}
    assert same is not takes_its_place
    assert names(kept) == [*OLD, "new"]


@given(st.sets(st.sampled_from("abcd")), st.sets(st.sampled_from("cdef")))
def test_the_scenarios_of_both_are_there_once(old: set[str], new: set[str]) -> None:
    """The old ones first, in their order; each as it was observed last."""
    before = opened({name: scenario(name, "cat", name) for name in sorted(old)})
    files = renewed(before, recorder_of({name: scenario(name, "ls", name) for name in sorted(new)}))
    found = [one.name for one in msgspec.json.decode(files[INDEX], type=Index).scenarios]
    assert found == [*sorted(old), *sorted(new - old)]
    for name in found:
        argv = msgspec.json.decode(files[f"scenarios/{name}/acts.json"])[1]["argv"]
        assert argv == ["ls" if name in new else "cat", name]


# the same world


def world(recording: Recording, cell: dict[str, Any] | None = None, **changed: Any) -> Index:
    index = recording.index
    return replace(index, cell=replace(index.cell, **(cell or {})), **changed)


def test_a_run_in_the_same_world_is_taken() -> None:
    """With other pods, at another time; a setting that is empty is none."""
    old = opened(OLD)
    provenance = replace(old.index.provenance, recorded="2027-01-01T00:00:00+00:00")
    check_same_world(old, world(old, provenance=provenance, settings={**old.index.settings, "rb-size": ""}))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"cell": {"tetragon": "1.8.0"}}, "recorded with Tetragon 0.0.0, and this run has 1.8.0."),
        ({"cell": {"kernel": "6.1"}}, "recorded with the kernel 0.0.0, and this run has 6.1."),
        ({"cell": {"kubernetes": ""}}, "recorded with Kubernetes 0.0.0, and this run has none."),
        ({"cell": {"target": "kind"}}, "recorded with the target kubernetes, and this run has kind."),
        ({"nodes": (NodeRecord("there"),)}, f"recorded with the nodes {NODE}, and this run has there."),
        ({"nodes": (NodeRecord(NODE), NodeRecord("b"))}, f"the nodes {NODE}, and this run has b, {NODE}."),
        ({"nodes": (NodeRecord(NODE, kernel="6.1"),)}, f"the kernel of {NODE} none, and this run has 6.1."),
        ({"nodes": (NodeRecord(NODE, cpus=4),)}, f"the processors of {NODE} 1, and this run has 4."),
        ({"nodes": (NodeRecord(NODE, rings=4),)}, f"the rings of {NODE} 1, and this run has 4."),
        (
            {"settings": {"enable-policy-filter": "false"}},
            "the agent's setting enable-policy-filter true, and this run has false.",
        ),
        ({"settings": {}}, "the agent's setting enable-policy-filter true, and this run has none."),
        (
            {"settings": {"enable-policy-filter": "true", "rb-size": "1M"}},
            "the agent's setting rb-size none, and this run has 1M.",
        ),
    ],
)
def test_a_run_in_another_world_is_refused(changed: dict[str, Any], words: str) -> None:
    """Naming what differs."""
    old = opened(OLD)
    with pytest.raises(RecordingError) as refused:
        check_same_world(old, world(old, **changed))
    assert refused.value.sentence.startswith(f"{NAME} was recorded with ")
    assert words in refused.value.sentence
    assert "a folder of its own" in refused.value.remedy


# whole, whatever happens


class Killed(BaseException):
    """What nobody catches."""


def nth(number: int, call: Callable[..., Any], error: BaseException) -> Callable[..., Any]:
    """A call that fails the time of this number, from 1."""
    left = [number]

    def failing(*given: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise error
        return call(*given, **more)

    return failing


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt(), Killed()], ids=lambda one: type(one).__name__)
@pytest.mark.parametrize(
    "failing",
    [
        (Path, "rename", 1),
        (Path, "rename", 2),
        (filing, "_make", 1),
        (filing, "_make", 7),
        (Path, "mkdir", 3),
        (Path, "chmod", 1),
        (shutil, "copyfile", 1),
    ],
)
def test_whatever_fails_leaves_the_old_one_whole(
    kept: Path, failing: tuple[Any, str, int], error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its place, with nothing beside it."""
    before, recorder = read_tree(kept), recorder_of({"new": scenario("new", "ls")})
    of, name, number = failing
    with monkeypatch.context() as patched:
        patched.setattr(of, name, nth(number, getattr(of, name), error))
        with pytest.raises(OutputError if isinstance(error, OSError) else type(error)):
            add(kept, recorder)
    assert read_tree(kept) == before
    assert [path.name for path in kept.parent.iterdir()] == ["kept"]
    add(kept, recorder)
    assert names(kept) == [*OLD, "new"]


def test_what_would_not_open_takes_no_place(kept: Path) -> None:
    """A scenario that lacks a file is told, and the old recording stays."""
    before = read_tree(kept)
    recorder = recorder_of({})
    recorder.add(ScenarioRecord("new", heard_to_the_end=True), {"events.jsonl": b"", "acts.json": b"[]"})
    with pytest.raises(RecordingError, match=r"policy\.yaml is missing"):
        add(kept, recorder)
    assert read_tree(kept) == before
    assert [path.name for path in kept.parent.iterdir()] == ["kept"]


def test_a_link_to_a_recording_stays_one(kept: Path, tmp_path: Path) -> None:
    """What it leads to is added to."""
    link = tmp_path / "link"
    link.symlink_to(kept)
    add(link, recorder_of({"new": scenario("new", "ls")}))
    assert link.is_symlink()
    assert names(kept) == [*OLD, "new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "recordings"]


def test_who_may_read_it_may_read_it_afterwards(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it may be the folder that one stands in."""
    kept.chmod(0o755)
    monkeypatch.chdir(kept)
    add(Path(), recorder_of({"new": scenario("new", "ls")}))
    assert kept.stat().st_mode & 0o777 == 0o755
    assert names(kept) == [*OLD, "new"]
    assert [path.name for path in kept.parent.iterdir()] == ["kept"]


def test_the_files_are_sealed_anew(kept: Path) -> None:
    """Whoever opens it next verifies all of it."""
    add(kept, recorder_of({"guard": scenario("guard", "ls")}))
    files = {path: content for path, content in read_tree(kept).items() if path != EXPECTED}
    assert from_files("kept", files).index == open_recording(kept).index
    damaged = {**files, "scenarios/guard/acts.json": b"[]"}
    with pytest.raises(RecordingError, match="another checksum"):
        from_files("kept", damaged)
