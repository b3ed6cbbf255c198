"""What was written over several lines is put together; what was only cut off is not joined with anything."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetraproof.events import stream
from tetraproof.events.event import Event, Malformed
from tetraproof.events.stream import read


def event(number: int) -> dict[str, object]:
    process = {"exec_id": "YQ==", "pid": number, "binary": "/usr/bin/id", "arguments": '} ] "{\\'}
    return {"process_exec": {"process": process}, "node_name": "n", "time": "2026-11-26T14:46:13Z"}


def told(content: str) -> list[Event | Malformed]:
    return list(read(io.BytesIO(content.encode())))


def pids(lines: list[Event | Malformed]) -> list[int | str]:
    """The process of each event, the reason of what is none."""
    return [line.process.pid if isinstance(line, Event) else line.reason for line in lines]


PRINTED = {
    "one": (json.dumps(event(1), indent=2), [1]),
    "several": ("\n".join(json.dumps(event(n), indent=4) for n in (1, 2)), [1, 2]),
    "tabs": (json.dumps(event(1), indent="\t"), [1]),
    "between others": (f"{json.dumps(event(1))}\n{json.dumps(event(2), indent=1)}\n{json.dumps(event(3))}", [1, 2, 3]),
    "an array": (json.dumps([event(1), event(2)], indent=2), [1, 2]),
    "an array, brackets together": (
        "[{" + json.dumps(event(1), indent=2)[1:] + ", " + json.dumps(event(2)) + "]",
        [1, 2],
    ),
    "an array, a line each": ("[\n" + ",\n".join(json.dumps(event(n)) for n in (1, 2, 3)) + "\n]", [1, 2, 3]),
    "an array, commas first": ("[\n" + "\n,".join(json.dumps(event(n)) for n in (1, 2, 3)) + "\n]", [1, 2, 3]),
    "an array, a bracket at the end": ("[\n" + ",\n".join(json.dumps(event(n)) for n in (1, 2)) + "]", [1, 2]),
    "an array, between others": ("[\n" + json.dumps(event(1), indent=1) + "\n]\n" + json.dumps(event(2)), [1, 2]),
    "an array, elements joined": (json.dumps([event(1), event(2)], indent=2).replace("},\n  {", "}, {"), [1, 2]),
    "wrapped": (json.dumps([{"jsonPayload": event(n)} for n in (1, 2)], indent=2), [1, 2]),
    "blank lines": (json.dumps(event(1), indent=2).replace("\n", "\n\n"), [1]),
    "line breaks of Windows": (json.dumps(event(1), indent=2).replace("\n", "\r\n"), [1]),
}


@pytest.mark.parametrize("name", PRINTED)
def test_what_was_printed_for_people_is_put_together(name: str) -> None:
    """Each event once, in order."""
    content, expected = PRINTED[name]
    assert pids(told(content + "\n")) == expected
    assert pids(told(content)) == expected


def test_json_over_several_lines_that_is_no_event_is_told_once() -> None:
    """With how many lines it had."""
    (one,) = told(json.dumps({"a": [1, {"b": None}], "c": "x"}, indent=2))
    assert isinstance(one, Malformed)
    assert one.reason == "JSON over several lines that is no event"
    assert one.lines == 9


CUT = json.dumps(event(1), indent=2).split("\n")


@pytest.mark.parametrize("kept", range(1, len(CUT)))
def test_a_value_that_does_not_end_costs_no_other_event(kept: int) -> None:
    """It is told, and the next event with it."""
    first, second = told("\n".join([*CUT[:kept], json.dumps(event(2))]))
    assert isinstance(first, Malformed)
    assert "does not end" in first.reason
    assert first.lines == kept
    assert isinstance(second, Event)
    assert second.process.pid == 2
    (only,) = told("\n".join(CUT[:kept]))
    assert isinstance(only, Malformed)


@pytest.mark.parametrize("at", range(1, len(json.dumps(event(1))) - 1))
def test_a_line_that_was_cut_is_never_joined_with_the_next(at: int) -> None:
    """Two halves of two lines are no event, however well they fit."""
    line = json.dumps(event(1))
    lines = told(f"{line[:at]}\n{line[at:]}\n")
    assert not any(isinstance(one, Event) for one in lines)


def test_a_notice_within_ends_what_was_begun() -> None:
    """It stays a notice."""
    first, notice, last = told("\n".join([*CUT[:2], "tail: x has been replaced", json.dumps(event(2))]))
    assert isinstance(first, Malformed)
    assert isinstance(notice, Malformed)
    assert notice.notice
    assert isinstance(last, Event)


def test_what_is_collected_is_bounded() -> None:
    """A value without an end is given up at the bound, and nothing of it is kept."""
    with patch.object(stream, "LONGEST_LINE", 1000):
        lines = told("{\n" + ' "a": [\n' * 2000 + "]\n" * 100 + json.dumps(event(1)))
    assert isinstance(lines[0], Malformed)
    assert "more than 1000 bytes" in lines[0].reason
    assert len(lines[0].line) <= 1000
    assert isinstance(lines[-1], Event)


def test_an_array_is_told_while_it_comes() -> None:
    """An array without an end is told element by element."""

    class Live(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            block = super().readline(size)
            assert block, "asked for more than the test had sent"
            return block

    for begin in ("[\n", ""):
        live: Iterator[Event | Malformed] = read(Live(f"{begin}{json.dumps(event(1))},\n".encode()))
        if begin:
            assert isinstance(next(live), Event)


def test_an_array_that_does_not_end_is_told() -> None:
    """What may have been in the rest of it, nobody knows."""
    assert pids(told(f"[\n{json.dumps(event(1))},\n{json.dumps(event(2))}")) == [
        1,
        2,
        "JSON over several lines that does not end",
    ]


LINE = json.dumps(event(1))


@pytest.mark.parametrize(
    "parts",
    [
        ["2026-11-26T14:46:13Z stdout P " + LINE[:50], "2026-11-26T14:46:13Z stdout P " + LINE[50:60],
         "2026-11-26T14:46:14Z stdout F " + LINE[60:]],
        [json.dumps({"log": LINE[:50], "stream": "stdout", "time": "t"}),
         json.dumps({"log": LINE[50:] + "\n", "stream": "stdout", "time": "t"})],
        ["[pod/a/b] 2026-11-26T14:46:13Z stdout P " + LINE[:50],
         "[pod/a/b] 2026-11-26T14:46:14Z stdout F " + LINE[50:]],
    ],
)  # fmt: skip
def test_a_line_that_a_runtime_cut_is_put_together(parts: list[str]) -> None:
    """It says of itself that it goes on; other lines may stand between."""
    assert pids(told("\n".join(parts))) == [1]
    assert pids(told("\n".join([*parts[:1], json.dumps(event(2)), *parts[1:]]))) == [2, 1]
    (left,) = told(parts[0])
    assert isinstance(left, Malformed)
    assert left.reason == "a line that a container runtime cut, without its end"


def test_parts_of_other_streams_are_not_joined() -> None:
    """Neither of another output, nor of another pod."""
    for other in ("2026-11-26T14:46:13Z stderr F ", "[pod/c/d] 2026-11-26T14:46:13Z stdout F "):
        lines = told(f"2026-11-26T14:46:13Z stdout P {LINE[:50]}\n{other}{LINE[50:]}")
        assert not any(isinstance(line, Event) for line in lines)
        assert len(lines) == 2


def test_parts_are_bounded() -> None:
    """In their length and in how many streams they are of."""
    with patch.object(stream, "LONGEST_LINE", 1000):
        lines = told("".join(f"2026-11-26T14:46:13Z stdout P {'x' * 300}\n" for _ in range(20)))
        assert 5 <= len(lines) < 20
        many = told("".join(f"[pod/{n}/x] 2026-11-26T14:46:13Z stdout P x\n" for n in range(100)))
    assert len(many) == 100
    assert {line.reason for line in [*lines, *many] if isinstance(line, Malformed)} == {
        "a line that a container runtime cut, without its end"
    }


@given(
    st.lists(
        st.sampled_from(["{", "}", "[", "]", "[{", "},", '"a": {', '"a": 1', "tail: x", "x", LINE, LINE + ",", ""])
    )
)
def test_whatever_comes_is_told(lines: list[str]) -> None:
    """Each event of a line of its own is told, and no line is forgotten."""
    found = told("\n".join(lines))
    whole = sum(line in {LINE, LINE + ","} for line in lines)
    assert sum(isinstance(one, Event) for one in found) <= whole
    assert sum(isinstance(one, Event) for one in found) >= lines.count(LINE) - sum(
        line.startswith("[") for line in lines
    )
    assert bool(found) or not any(line.strip() for line in lines)
