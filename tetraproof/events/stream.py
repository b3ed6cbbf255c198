"""Streams of events: read line by line, in constant memory, whatever the lines hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from tetraproof.events.event import Container, Event, Malformed, Pod, Process, parse
from tetraproof.events.joining import Assembly
from tetraproof.events.selection import Condition, Selection

__all__ = ["LONGEST_LINE", "Condition", "events", "matching", "named_pods", "read", "whole_lines"]

#: A container's id is cut by the agent (to 31 characters, of 64), and never to fewer than this.
_SHORTEST_ID = 12
#: A line longer than this (bytes) is no event: getevents writes a few kilobytes, arguments included.
LONGEST_LINE = 16 * 1024 * 1024
_BLOCK = 64 * 1024


def read(source: BinaryIO, places: Places | None = None) -> Iterator[Event | Malformed]:
    """Every line of `source` in order, as an event or as what it is instead; blank lines are passed over.

    What a log collector wrapped, or a printer wrote over several lines, is an event like any other where it is sure
    which (`tetraproof.events.wrapping`, `tetraproof.events.joining`). Of each that is told, `places` are given where
    its line begins in `source`; -1 of what is no line by itself.
    """
    assembly = Assembly(LONGEST_LINE)
    at = 0
    for lines, cut, size in _lines(source):
        begin, at = at, at + size
        if cut:
            yield from _without_places(assembly.end(), places)
            yield from _without_places([Malformed(lines[0], f"a line longer than {LONGEST_LINE} bytes")], places)
            continue
        for line in lines:
            told = parse(line)
            if isinstance(told, Event) and not assembly.pending:
                if places is not None:
                    places.append(begin)
                yield told
            elif told.line:
                yield from _without_places(assembly.take(line, told), places)
            begin += len(line) + 1
    yield from _without_places(assembly.end(), places)


class Places(Protocol):
    """Whatever takes the places of lines."""

    def append(self, place: int, /) -> None:
        """Take one."""
        ...


def _without_places(told: Iterable[Event | Malformed], places: Places | None) -> Iterator[Event | Malformed]:
    for one in told:
        if places is not None:
            places.append(-1)
        yield one


def _lines(source: BinaryIO) -> Iterator[tuple[list[bytes], bool, int]]:
    """The lines of `source`, as many as are there at a time; or the begin of one that is too long, and is cut.

    With each how many bytes further `source` is read.
    """
    # what is there is taken: a live stream is told line by line, a file is read in blocks
    take = partial(getattr(source, "read1", source.readline), min(_BLOCK, LONGEST_LINE))
    begun, skipping = bytearray(), False
    skipped = 0  # of a line that is cut: bytes that no later lines are told with
    while block := take():
        first, *lines = block.split(b"\n")
        if skipping:
            skipped += len(first)
        else:
            begun += first
            if len(begun) > LONGEST_LINE:
                yield [bytes(begun[:200])], True, len(begun)
                begun.clear()
                skipping = True
        if not lines:
            continue
        rest = lines.pop()
        if skipping:
            yield [], False, skipped + 1
        else:
            lines.insert(0, bytes(begun))
        yield lines, False, sum(map(len, lines)) + len(lines)
        begun, skipping, skipped = bytearray(rest), False, 0
    if begun:
        yield [bytes(begun)], False, len(begun)


def whole_lines(path: Path) -> int:
    """How many bytes of a stream's file are whole lines: the last one may still be written."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            begin = max(0, end - _BLOCK)
            file.seek(begin)
            if (found := file.read(end - begin).rfind(b"\n")) >= 0:
                return begin + found + 1
            end = begin
    return 0


def events(lines: Iterable[Event | Malformed]) -> Iterator[Event]:
    """Only the events of `lines`."""
    return (line for line in lines if isinstance(line, Event))


def named_pods(containers: Mapping[str, tuple[str, str]]) -> Callable[[Event], Event]:
    """Gives an event the pod of a process of which the agent tells only the container.

    `containers` maps a container's whole id to `(namespace, pod)`; the line itself stays as the agent wrote it.
    """
    known: dict[str, Pod | None] = {"": None}

    def pod(process: Process) -> Pod | None:
        short = process.docker
        if short not in known:
            found = [one for one in containers if len(short) >= _SHORTEST_ID and one.startswith(short)]
            known[short] = Pod(*containers[found[0]], container=Container(found[0])) if len(found) == 1 else None
        return known[short]

    return (lambda event: event.with_pods(pod)) if containers else (lambda event: event)


def matching(namespaces: Iterable[str] = (), pods: Iterable[str] = ()) -> Condition:
    """A filter with the meaning of `tetra getevents --namespace … --pods …` (`tetraproof.events.selection`)."""
    return Selection(namespaces=tuple(namespaces), pods=tuple(pods)).condition()
