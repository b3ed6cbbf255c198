"""`verdicts.json` as far as a matrix needs it: without acts, events and explanations, which are most of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tetraproof import decoding
from tetraproof.decoding import Source
from tetraproof.errors import RecordingError
from tetraproof.recordings.recording import Cell
from tetraproof.report.result import FORMAT, MOST, VERDICTS
from tetraproof.text import shorten


# of what is read by the million the collector need not ask whether it holds itself
class Claim(Struct, frozen=True, gc=False):
    """A promise of a policy, as a result has it."""

    name: str
    verdict: str | None = None
    finding: str = ""
    finding_seen: bool = False


class Limit(Struct, frozen=True, gc=False):
    """A limit of a policy, as a result has it."""

    label: str
    result: str


class Policy(Struct, frozen=True, gc=False):
    """A policy, as a result has it, without its acts."""

    name: str
    verdict: str
    line: str
    scenario: str = ""
    loading: str = ""
    spec: str = ""
    suite: str = ""
    feature: str = ""
    claims: tuple[Claim, ...] = ()
    limits: tuple[Limit, ...] = ()


class Pins(Struct, frozen=True):
    """How a run compares with what is pinned."""

    held: int = 0
    differences: tuple[str, ...] = ()


class Run(Struct, frozen=True):
    """The run itself."""

    id: str
    started: str
    seconds: float = 0.0
    whole: bool = False
    red: tuple[str, ...] = ()


class Target(Struct, frozen=True):
    """Where it ran."""

    kind: str
    cell: Cell
    recording: str = ""
    nodes: dict[str, str] = {}


class Slim(Struct, frozen=True):
    """`verdicts.json`, as far as a matrix needs it."""

    format: int
    tetraproof: str
    run: Run
    target: Target
    policies: tuple[Policy, ...]
    pins: Pins | None = None


class _Format(Struct, frozen=True):
    """Just the format."""

    format: Any = None


def read(file: Path) -> Slim:
    """One result. Raises `RecordingError` naming file and field."""
    source = Source(file, "run the cell again, or leave it out")
    content = decoding.read_file(file, source, MOST)
    try:
        slim: Slim = decoding.as_json(content, Slim, source, MOST)
    except RecordingError:
        # of another format it need not be what this one is
        _refuse_another_format(content, source)
        raise
    if slim.format != FORMAT:
        _refuse_another_format(content, source)
    for at, policy in enumerate(slim.policies):
        if policy.verdict not in VERDICTS:
            said = shorten(repr(policy.verdict), 60)
            raise source.refuse(f": policies[{at}].verdict is {said}, and there are {', '.join(VERDICTS)}")
    return slim


def _refuse_another_format(content: bytes, source: Source) -> None:
    number = decoding.as_json(content, _Format, source, MOST).format
    if number != FORMAT or isinstance(number, bool):
        raise source.refuse(f": format is {shorten(repr(number), 60)}, and this tetraproof reads {FORMAT}")


def by_node(slim: Slim) -> Iterator[Slim]:
    """A result for each node that was acted on: nodes on different kernels are different cells."""
    nodes = [node for node in slim.target.nodes if any(one.name.endswith(f"@{node}") for one in slim.policies)]
    if not nodes:
        yield slim
        return
    for node in nodes:
        kernel = slim.target.nodes[node]
        cell = msgspec.structs.replace(slim.target.cell, kernel=f"{kernel} ({node})")
        others = tuple(f"@{one}" for one in nodes if one != node)
        own = [
            msgspec.structs.replace(one, name=one.name.removesuffix(f"@{node}"))
            for one in slim.policies
            if not one.name.endswith(others)
        ]
        target = msgspec.structs.replace(slim.target, cell=cell, nodes={node: kernel})
        yield msgspec.structs.replace(slim, target=target, policies=tuple(own))
