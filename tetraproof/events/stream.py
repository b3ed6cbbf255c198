"""Streams of events: read line by line, in constant memory, whatever the lines hold."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

from tetraproof.events.event import Container, Event, Malformed, Pod, Process, parse
from tetraproof.events.joining import Assembly
from tetraproof.events.selection import Condition, Selection

__all__ = ["LONGEST_LINE", "Condition", "events", "in_pods", "matching", "read", "whole_lines"]

#: A container's id is cut by the agent (to 31 characters, of 64), and never to fewer than this.
_SHORTEST_ID = 12
#: A line longer than this (bytes) is no event: getevents writes a few kilobytes, arguments included.
LONGEST_LINE = 16 * 1024 * 1024
_BLOCK = 64 * 1024


def read(source: BinaryIO) -> Iterator[Event | Malformed]:
    """Every line of `source` in order, as an event or as what it is instead; blank lines are passed over.

    What a log collector wrapped, or a printer wrote over several lines, is an event like any other where it is sure
    which (`tetraproof.events.wrapping`, `tetraproof.events.joining`).
    """
    assembly = Assembly(LONGEST_LINE)
    for lines, cut in _lines(source):
        if cut:
            yield from assembly.end()
            yield Malformed(lines[0], f"a line longer than {LONGEST_LINE} bytes")
            continue
        for line in lines:
            told = parse(line)
            if isinstance(told, Event) and not assembly.pending:
                yield told
            elif told.line:
                yield from assembly.take(line, told)
    yield from assembly.end()


def _lines(source: BinaryIO) -> Iterator[tuple[list[bytes], bool]]:
    """The lines of `source`, as many as are there at a time; or the begin of one that is too long, and is cut."""
    # what is there is taken: a live stream is told line by line, a file is read in blocks
    take = partial(getattr(source, "read1", source.readline), min(_BLOCK, LONGEST_LINE))
    begun, skipping = bytearray(), False
    while block := take():
        first, *lines = block.split(b"\n")
        if not skipping:
            begun += first
            if len(begun) > LONGEST_LINE:
                yield [bytes(begun[:200])], True
                begun.clear()
                skipping = True
        if not lines:
            continue
        rest = lines.pop()
        yield (lines if skipping else [bytes(begun), *lines]), False
        begun, skipping = bytearray(rest), False
    if begun:
        yield [bytes(begun)], False


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


def in_pods(stream: Iterable[Event], containers: Mapping[str, tuple[str, str]]) -> Iterator[Event]:
    """The events, with the pod of processes of which the agent tells only the container.

    `containers` maps a container's whole id to `(namespace, pod)`; the line itself stays as the agent wrote it.
    """
    known: dict[str, Pod | None] = {"": None}

    def pod(process: Process) -> Pod | None:
        short = process.docker
        if short not in known:
            found = [one for one in containers if len(short) >= _SHORTEST_ID and one.startswith(short)]
            known[short] = Pod(*containers[found[0]], container=Container(found[0])) if len(found) == 1 else None
        return known[short]

    for event in stream:
        yield event.with_pods(pod)


def matching(namespaces: Iterable[str] = (), pods: Iterable[str] = ()) -> Condition:
    """A filter with the meaning of `tetra getevents --namespace … --pods …` (`tetraproof.events.selection`)."""
    return Selection(namespaces=tuple(namespaces), pods=tuple(pods)).condition()
