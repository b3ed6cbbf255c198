"""Streams of events: read line by line, in constant memory, whatever the lines hold."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

from tetraproof.event import Container, Event, Malformed, Pod, Process, parse

#: A container's id is cut by the agent (to 31 characters, of 64), and never to fewer than this.
_SHORTEST_ID = 12
#: A line longer than this (bytes) is no event: getevents writes a few kilobytes, arguments included.
LONGEST_LINE = 16 * 1024 * 1024
_BLOCK = 64 * 1024


class Condition(Protocol):
    """Anything that says of an event whether it passes."""

    def __call__(self, event: Event, /) -> bool:
        """Whether `event` passes."""
        ...


def read(source: BinaryIO) -> Iterator[Event | Malformed]:
    """Every line of `source` in order, as an event or as what it is instead; blank lines are passed over."""
    while line := source.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            yield Malformed(line[:200], f"a line longer than {LONGEST_LINE} bytes")
            while (rest := source.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
        elif not line.isspace():
            yield parse(line)


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
    """A filter with the meaning of `tetra getevents --namespace … --pods …`.

    A namespace matches as a whole (what has no pod has the empty one), a pod when
    one of the regular expressions is found in its name; an empty choice lets
    everything through. Raises `re.error` for an expression that is none.
    """
    wanted_namespaces = frozenset(namespaces)
    wanted_pods = [re.compile(pattern) for pattern in pods]

    def passes(event: Event) -> bool:
        pod = event.process.pod
        if wanted_namespaces and (pod.namespace if pod else "") not in wanted_namespaces:
            return False
        if wanted_namespaces and pod is None and event.process == Process():
            return False
        return not wanted_pods or (pod is not None and any(want.search(pod.name) for want in wanted_pods))

    return passes
