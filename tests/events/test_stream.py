"""Streams: every line is told once and in order, whatever its neighbours are, and filters mean what tetra's mean."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tetraproof.errors import UsageError
from tetraproof.events import stream
from tetraproof.events.event import Event, Malformed, parse
from tetraproof.events.stream import events, matching, read, whole_lines

SCENARIOS = Path(__file__).parents[2] / "recordings"
EXPORTED = sorted(SCENARIOS.glob("*/scenarios/*/export.jsonl"))
RECORDED = [*EXPORTED, *sorted(SCENARIOS.glob("*/scenarios/*/events.jsonl"))]

LINE = b'{"process_exec": {"process": {"pid": %d}}}'
NOTICE = b"tail: /var/run/cilium/tetragon/tetragon.log has been replaced; following end of new file"
LIMIT = 256  # more than is kept of a malformed line

NAMESPACES = ["", "galaxy", "other", "galaxy-two"]
PODS = ["tiefighter", "tiefighter-2", "deathstar", "x"]


def in_pod(namespace: str, pod: str) -> Event:
    """An exec in a pod."""
    process = {"pid": 2, "pod": {"namespace": namespace, "name": pod}}
    event = parse(json.dumps({"process_exec": {"process": process}}).encode())
    assert isinstance(event, Event)
    return event


def on_host() -> Event:
    """An exec of the node itself, in no pod."""
    event = parse(LINE % 2)
    assert isinstance(event, Event)
    return event


def test_there_are_recordings() -> None:
    """Without recordings the tests below would pass by proving nothing."""
    assert EXPORTED


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: "/".join(path.parts[-4:]))
def test_a_recording_is_read_to_its_end(path: Path) -> None:
    """Each recorded line is one event, in order; a rotation between them is told and costs nothing."""
    with path.open("rb") as source:
        lines = list(read(source))
    assert [line.line for line in lines] == path.read_bytes().splitlines()
    assert [
        line.reason for line in lines if isinstance(line, Malformed) and b"has been replaced" not in line.line
    ] == []


def test_a_rotation_is_named_and_costs_no_event() -> None:
    """The notice of the export container stands between two events as what it is."""
    before, notice, after = read(io.BytesIO(b"\n".join([LINE % 1, NOTICE, LINE % 2, b""])))
    assert isinstance(before, Event)
    assert isinstance(notice, Malformed)
    assert "rotated" in notice.reason
    assert isinstance(after, Event)
    assert list(events([before, notice, after])) == [before, after]


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line)), st.sampled_from([b"", b"\n"]))
@example([b"", b" \t", b"\r", LINE % 1], b"\n")
@example([b"{", b" 1", b"["], b"\n")
@example([b"{", b" 1", b" 2", b"}"], b"\n")
@example([b"[{", b"x"], b"")
@example([b"[", b"+"], b"")
@example([b"[", b"{+"], b"")
@example([b"[", b"{}", b"{}", b"]"], b"\n")
@example([b"[", b"]", b"["], b"\n")
def test_any_bytes_are_told_line_by_line(lines: list[bytes], end: bytes) -> None:
    """Whatever a stream holds, each line but the blank ones is told once and in order."""
    told = list(read(io.BytesIO(b"\n".join(lines) + end)))
    # of JSON over several lines that comes to nothing the lines are told together
    split = [part.strip() for line in told for part in line.line.split(b"\n")]
    assert split == [line.strip() for line in lines if line.strip()]


@given(
    st.lists(st.just(0) | st.integers(1, 4 * LIMIT) | st.sampled_from([LIMIT - 1, LIMIT, LIMIT + 1]), max_size=8),
    st.sampled_from([b"", b"\n"]),
)
@example([LIMIT], b"")
@example([LIMIT, 0], b"\n")
@example([2 * LIMIT, 0], b"\n")
def test_a_huge_line_is_one_malformed_line(sizes: list[int], end: bytes) -> None:
    """A line over the limit is told once, shortened; its neighbours are untouched. Size 0 stands for an event."""
    lines = [b"x" * size if size else LINE % 1 for size in sizes]
    with patch.object(stream, "LONGEST_LINE", LIMIT):
        told = list(read(io.BytesIO(b"\n".join(lines) + end)))
    assert [isinstance(line, Event) for line in told] == [size == 0 for size in sizes]
    malformed = [line for line in told if isinstance(line, Malformed)]
    assert ["longer than" in line.reason for line in malformed] == [size > LIMIT for size in sizes if size]
    assert all(len(line.line) <= 200 for line in malformed if "longer than" in line.reason)


def test_a_huge_line_is_never_held_whole() -> None:
    """Reading asks for no more than the limit at a time, so an endless line cannot fill the memory."""
    asked: list[int | None] = []

    class Endless(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            asked.append(size)
            return super().read1(size)

    with patch.object(stream, "LONGEST_LINE", LIMIT):
        (line,) = read(Endless(b"x" * 50 * LIMIT))
    assert isinstance(line, Malformed)
    assert asked
    assert all(size is not None and 0 < size <= LIMIT for size in asked)


def test_reading_does_not_wait_for_more_than_a_line() -> None:
    """An event is told as soon as its line is complete, before the next one is there."""

    class Live(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            there = super().read1(size)
            assert there, "asked for more than the test had sent"
            return there

    lines: Iterator[Event | Malformed] = read(Live(LINE % 1 + b"\n" + LINE % 2 + b"\n" + LINE % 3))
    assert isinstance(next(lines), Event)
    assert isinstance(next(lines), Event)


def test_a_pipe_is_read_as_it_is_written() -> None:
    """A real one, which gives what is there: half a line is waited for, a whole one is told."""
    behind, before = os.pipe()
    with os.fdopen(behind, "rb") as source, os.fdopen(before, "wb", buffering=0) as writer:
        lines = read(source)
        for number in range(3):
            writer.write(LINE % number + b"\n" + (LINE % (number + 1))[:9])
            event = next(lines)
            assert isinstance(event, Event)
            assert event.process.pid == number
            writer.write((LINE % (number + 1))[9:] + b"\n")
            assert isinstance(next(lines), Event)


@given(st.lists(st.integers(1, 300), min_size=1), st.integers(1, 200))
def test_where_the_blocks_end_makes_no_difference(sizes: list[int], block: int) -> None:
    """A line is the same line however it comes in."""
    content = b"".join(LINE % number + b" " * size + b"\n" for number, size in enumerate(sizes))

    class Slow(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return super().read1(block)

    assert [line.process.pid for line in events(read(Slow(content)))] == list(range(len(sizes)))


def test_a_source_that_gives_lines_only_will_do() -> None:
    """Whatever has `readline`."""

    class Lines:
        def __init__(self) -> None:
            self.readline = io.BytesIO(LINE % 1 + b"\n" + LINE % 2).readline

    assert len(list(read(Lines()))) == 2  # type: ignore[arg-type]


@given(
    st.sampled_from(NAMESPACES),
    st.sampled_from(PODS),
    st.lists(st.sampled_from(NAMESPACES), max_size=2),
    st.lists(st.sampled_from(["tie", "^tiefighter$", "fighter", "star|x", "-2$", "nobody"]), max_size=2),
)
@example("galaxy-two", "x", ["galaxy"], [])
@example("galaxy", "deathstar", ["galaxy"], ["tie"])
@example("other", "tiefighter", ["galaxy"], ["tie"])
def test_a_filter_means_what_it_means_to_tetra(
    namespace: str, pod: str, namespaces: list[str], pods: list[str]
) -> None:
    """Namespaces are compared whole, pods searched, each list is a choice, and both lists must agree."""
    expected = (namespace in namespaces or not namespaces) and (
        any(re.search(wanted, pod) for wanted in pods) or not pods
    )
    assert matching(namespaces, pods)(in_pod(namespace, pod)) == expected


@pytest.mark.parametrize(
    ("namespaces", "pods", "passes"),
    [([], [], True), ([""], [], True), (["galaxy"], [], False), ([], ["."], False), ([""], [""], False)],
)
def test_a_process_without_a_pod(namespaces: list[str], pods: list[str], *, passes: bool) -> None:
    """A process of the host is in the empty namespace and in no pod."""
    assert matching(namespaces, pods)(on_host()) == passes


@pytest.mark.parametrize(
    "line", [b'{"rate_limit_info": {}}', b'{"process_throttle": {"type": "x"}}', b'{"process_new": {}}']
)
@pytest.mark.parametrize(("namespaces", "pods"), [(["galaxy"], []), ([""], []), ([], ["."])])
def test_an_event_without_a_process_passes_no_filter(line: bytes, namespaces: list[str], pods: list[str]) -> None:
    """What no process did passes only where nothing is asked for."""
    event = parse(line)
    assert isinstance(event, Event)
    assert matching()(event)
    assert not matching(namespaces, pods)(event)


def test_a_filter_may_be_asked_again() -> None:
    """The choice is read once, so an iterator serves as well as a list."""
    wanted = matching(iter(["galaxy"]), iter(["tie"]))
    assert [wanted(in_pod("galaxy", "tiefighter")) for _ in range(3)] == [True, True, True]


def test_a_broken_expression_is_told_at_once() -> None:
    """An expression that is none is refused before a stream is read."""
    with pytest.raises(UsageError, match=r"^--pods: "):
        matching(pods=["("])


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"", 0),
        (b"half", 0),
        (b"one\n", 4),
        (b"one\nhal", 4),
        (b"x" * 200_000, 0),
        (b"one\n" + b"x" * 200_000, 4),
        (b"x" * 65_535 + b"\n" + b"y" * 65_536, 65_536),
    ],
)
def test_a_stream_that_still_grows_has_so_many_bytes_of_whole_lines(content: bytes, count: int, tmp_path: Path) -> None:
    """What is read from there on begins with a line."""
    (tmp_path / "events").write_bytes(content)
    assert whole_lines(tmp_path / "events") == count


LINES = [LINE % 7, LINE % 8, b'{"log":"{\\"process_exec\\":{\\"process\\":{}}}\\n","stream":"stdout","time":"x"}']


@given(st.lists(st.sampled_from([b"", b"{", b"noise", *LINES, b"  " + LINES[0] + b" ", b"x" * 70_000]), max_size=12))
def test_every_event_of_a_line_is_found_at_its_place_again(lines: list[bytes]) -> None:
    """What is no line by itself has no place."""
    content, places = b"\n".join(lines), list[int]()
    told = list(read(io.BytesIO(content), places))
    assert len(places) == len(told)
    for one, place in zip(told, places, strict=True):
        plain = isinstance(one, Event) and one.line in lines and b"{" not in lines
        assert place >= 0 or not plain
        if place >= 0:
            assert parse(content[place:].split(b"\n", 1)[0]) == one


def test_places_behind_a_line_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was passed over is counted."""
    monkeypatch.setattr("tetraproof.events.stream.LONGEST_LINE", 100_000)
    content, places = b"y" * 350_000 + b"\n" + LINES[0] + b"\n" + LINES[1], list[int]()
    told = list(read(io.BytesIO(content), places))
    assert [type(one) for one in told] == [Malformed, Event, Event]
    assert places == [-1, 350_001, 350_002 + len(LINES[0])]
