"""A folder is read whole, and nothing but what is a file in it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import write_tree
from tetraproof.errors import RecordingError
from tetraproof.recordings import folder

FILES = {"recording.json": b"{}", "scenarios/guard/acts.json": b"[]", "scenarios/a name with blanks/x": b""}


def made(tmp_path: Path) -> Path:
    return write_tree(FILES, tmp_path / "made")


def test_every_file_is_read_by_its_path(tmp_path: Path) -> None:
    """In order, with slashes."""
    read = folder.read(made(tmp_path))
    assert read == FILES
    assert list(read) == sorted(FILES)


def link(there: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret")
    there.symlink_to(tmp_path / "outside")


def link_to_a_folder(there: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x").write_text("secret")
    there.symlink_to(tmp_path / "elsewhere")


def link_to_itself(there: Path, tmp_path: Path) -> None:
    del tmp_path
    there.symlink_to(there)


def link_to_nothing(there: Path, tmp_path: Path) -> None:
    there.symlink_to(tmp_path / "nothing")


def pipe(there: Path, tmp_path: Path) -> None:
    del tmp_path
    os.mkfifo(there)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (link, "a symbolic link"),
        (link_to_a_folder, "a symbolic link"),
        (link_to_itself, "a symbolic link"),
        (link_to_nothing, "a symbolic link"),
        (pipe, "no plain file"),
    ],
)
@pytest.mark.parametrize("place", ["expected.json", "scenarios/guard/events.jsonl", "scenarios/other"])
def test_what_is_no_plain_file_is_refused(
    tmp_path: Path, make: Callable[[Path, Path], None], what: str, place: str
) -> None:
    """A link may lead anywhere, a pipe never ends."""
    there = made(tmp_path) / place
    make(there, tmp_path)
    with pytest.raises(RecordingError) as refused:
        folder.read(there.parents[len(Path(place).parts) - 1])
    assert refused.value.sentence == f"made/{place} is {what}, and a recording holds plain files only."
    # also where it is read by itself
    with pytest.raises(RecordingError, match=r"symbolic link|no plain file"):
        folder.read_file(there, place)


def test_a_device_is_refused() -> None:
    """It never ends."""
    with pytest.raises(RecordingError, match="no plain file"):
        folder.read_file(Path("/dev/zero"), "zero")


@pytest.mark.parametrize("name", [b"\x1b[31m", b"line\nbreak", b"\xff\xfe", "\u202e".encode(), b"back\\slash"])
@pytest.mark.parametrize("is_folder", [False, True])
def test_a_name_that_could_steer_a_terminal_is_refused(tmp_path: Path, name: bytes, *, is_folder: bool) -> None:
    """And told without doing so."""
    there = made(tmp_path)
    path = os.path.join(os.fsencode(there), name)  # noqa: PTH118 - a Path takes no bytes
    if is_folder:
        os.mkdir(path)  # noqa: PTH102 - a Path takes no bytes
    else:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    with pytest.raises(RecordingError) as refused:
        folder.read(there)
    assert refused.value.sentence.isprintable()
    assert "is no name of a recording's file" in refused.value.sentence


@pytest.mark.parametrize(
    ("bound", "value", "told"),
    [
        ("MOST_OF_A_FILE", 9, "made/large is larger than 0 MiB"),
        ("MOST_IN_ALL", 11, "made holds more than 0 MiB"),
        ("MOST_FILES", 6, "made holds more than 6 files and folders"),
        ("DEEPEST", 1, "made: folders lie more than 1 deep in one another"),
    ],
)
def test_what_is_read_has_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, told: str
) -> None:
    """Each is told in a sentence; what just keeps within it is read."""
    there = write_tree({"large": b"x" * 8}, made(tmp_path))
    monkeypatch.setattr(folder, bound, {"MOST_OF_A_FILE": 8, "MOST_IN_ALL": 12, "MOST_FILES": 7, "DEEPEST": 2}[bound])
    assert folder.read(there)
    if bound == "MOST_OF_A_FILE":
        (there / "large").write_bytes(b"x" * value)
    else:
        monkeypatch.setattr(folder, bound, value)
    with pytest.raises(RecordingError) as refused:
        folder.read(there)
    assert refused.value.sentence == f"{told}."


def test_a_file_of_holes_is_not_read(tmp_path: Path) -> None:
    """A terabyte of nothing takes no room on the disk, and would take all of the memory."""
    there = made(tmp_path)
    with (there / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(RecordingError, match="sparse is larger than 128 MiB"):
        folder.read(there)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("place", ["recording.json", "scenarios"])
def test_what_may_not_be_read_is_told(tmp_path: Path, place: str) -> None:
    """With its name."""
    there = made(tmp_path)
    (there / place).chmod(0)
    try:
        with pytest.raises(RecordingError, match=f"made/{place} cannot be read: Permission denied"):
            folder.read(there)
    finally:
        (there / place).chmod(0o700)


def test_what_is_gone_is_told(tmp_path: Path) -> None:
    """Between its listing and its reading."""
    with pytest.raises(RecordingError, match="gone cannot be read: No such file or directory"):
        folder.read_file(tmp_path / "gone", "gone")


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("a", ""),
        ("a/b.json", ""),
        ("a b/ü@1/..x", ""),
        ("", "it is empty"),
        ("a//b", "it is empty"),
        ("a/", "it is empty"),
        ("/a", "it is absolute"),
        ("..", "it leads to another folder"),
        ("a/../b", "it leads to another folder"),
        ("a/./b", "it leads to another folder"),
        ("a\\b", "it leads to another folder"),
        ("a\x00", "it holds characters that cannot be printed"),
        ("a/\x1b[31m", "it holds characters that cannot be printed"),
        ("a\u202eb", "it holds characters that cannot be printed"),
        ("x" * 255, ""),
        ("x" * 256, "it is too long"),
        ("ü" * 128, "it is too long"),
    ],
)
def test_a_path_inside_of_a_folder(path: str, fault: str) -> None:
    """Each of its parts is a name."""
    assert folder.fault_of_path(path) == fault


def long_stream(tmp_path: Path) -> tuple[folder.Files, Path]:
    """A folder with a stream that is not held."""
    write_tree({**FILES, "scenarios/guard/events.jsonl": b"x" * (folder.LONG + 1)}, tmp_path)
    return folder.read(tmp_path), tmp_path / "scenarios/guard/events.jsonl"


def test_a_long_stream_stays_where_it_is(tmp_path: Path) -> None:
    """And is one of the files all the same."""
    files, path = long_stream(tmp_path)
    assert list(files) == sorted([*FILES, "scenarios/guard/events.jsonl"])
    assert len(files) == len(FILES) + 1
    assert files.stream("scenarios/guard/events.jsonl") is not None
    assert files["scenarios/guard/events.jsonl"] == path.read_bytes()
    source, size = folder.opened(files, "scenarios/guard/events.jsonl")
    with source:
        assert (source.read(3), size) == (b"xxx", folder.LONG + 1)
    assert folder.sum_of(files, "scenarios/guard/events.jsonl") == hashlib.sha256(path.read_bytes()).hexdigest()
    assert list(files.without("recording.json")) == [path for path in files if path != "recording.json"]


def test_a_long_stream_that_was_changed_is_not_read(tmp_path: Path) -> None:
    """What was verified is what is judged."""
    files, path = long_stream(tmp_path)
    path.write_bytes(b"y" * (folder.LONG + 2))
    with pytest.raises(RecordingError, match="was changed while it was judged"):
        folder.opened(files, "scenarios/guard/events.jsonl")


def test_a_stream_too_long_for_memory_is_never_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for its bytes is told."""
    monkeypatch.setattr(folder, "MOST_OF_A_FILE", folder.LONG)
    files, _ = long_stream(tmp_path)
    with pytest.raises(RecordingError, match="is larger than 8 MiB"):
        files["scenarios/guard/events.jsonl"]
    monkeypatch.setattr(folder, "MOST_OF_A_STREAM", folder.LONG)
    with pytest.raises(RecordingError, match="is larger than 8 MiB"):
        folder.read(tmp_path)
