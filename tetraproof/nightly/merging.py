"""Results of any number of runs, of any machines and days, joined into one matrix: `matrix.json`.

Only what a table needs is read of each. Runs of one cell are told apart by time: the newest says what holds there,
and all of them how often. A verdict that changed though nothing else did is unstable, and stays so told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

import tetraproof
from tetraproof import decoding
from tetraproof.decoding import Source
from tetraproof.errors import RecordingError, TetraproofError
from tetraproof.nightly.slim import Policy, Run, Slim, by_node, read
from tetraproof.policies.binding import Bindings
from tetraproof.recordings.recording import Cell
from tetraproof.report import label
from tetraproof.report.matrix import sort_of
from tetraproof.report.result import (
    FILE,
    FORMAT,
    MOST,
    ClaimResult,
    LimitResult,
    PolicyResult,
    Result,
    RunResult,
    TargetResult,
)
from tetraproof.text import safe
from tetraproof.verdict import Verdict

MATRIX_FORMAT = 1
MATRIX = "matrix.json"
#: What a result is known by, whichever version reads it.
ID = "https://tetraproof.dev/schemas/matrix/1"


class Field(Struct, frozen=True, omit_defaults=True):
    """What holds of one policy in one cell. `rates` says how often each verdict came, where it was run several times.

    `known` says that every refutation is a known finding; `unstable` that the verdict changed and nothing else did.
    `streak` is in how many matrices on end the verdict stood, `since` when the first of them was run, and `was` what
    it was before; nothing of it where no past is known.
    """

    verdict: str
    line: str
    known: bool = False
    promises: dict[str, str] = {}
    limits: dict[str, str] = {}
    findings: tuple[str, ...] = ()
    feature: str = ""
    suite: str = ""
    rates: dict[str, int] = {}
    unstable: bool = False
    streak: int = 0
    since: str = ""
    was: str = ""

    @property
    def sort(self) -> str:
        """Which of the kinds of fields (`report.matrix.KINDS`) it is."""
        return sort_of(self.verdict, known=self.known)


class MatrixCell(Struct, frozen=True, omit_defaults=True):
    """One cell: what it is, the runs of it from the oldest to the newest, and its policies by name."""

    title: str
    target: str
    cell: Cell
    runs: tuple[Run, ...]
    policies: dict[str, Field]
    recording: str = ""
    differences: tuple[str, ...] = ()


class Matrix(Struct, frozen=True):
    """`matrix.json`."""

    schema_id: str = msgspec.field(name="$id")
    format: int
    tetraproof: str
    cells: tuple[MatrixCell, ...]


class Origin(NamedTuple):
    """Where a cell's newest run lies, and by name the section that each of its policies has on that run's page."""

    file: Path
    anchors: Mapping[str, str]


@dataclass
class Merged:
    """A matrix, where each of its cells is from, the files that were joined, and by file why others could not be."""

    matrix: Matrix
    origins: Sequence[Origin]
    files: list[Path] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def merge(folders: Iterable[Path]) -> Merged:
    """Join all results below `folders`. What cannot be read is named, and leaves the others."""
    files: list[Path] = []
    refused: dict[str, str] = {}
    cells: dict[tuple[str, str, str, str], list[_Read]] = {}
    seen: dict[tuple[str, str, str], str] = {}
    for file in _files(folders):
        try:
            slim = read(file)
        except TetraproofError as error:
            refused[str(file)] = error.sentence
            continue
        files.append(file)
        whole = dict(_named(slim.policies))
        for one in by_node(slim):
            target = one.target
            run = (target.cell.title, one.run.id, one.run.started)
            if run in seen:
                refused[str(file)] = f"it is the same run as {seen[run]}"
                continue
            seen[run] = str(file)
            key = target.cell.title, target.cell.digest, target.kind, target.recording
            # of thousands of results no more is kept than what is told of them
            own = whole if one is slim else dict(_named(one.policies))
            origin = Origin(file, _anchors(tuple(whole), tuple(target.nodes)))
            cells.setdefault(key, []).append(_Read(one, {name: _told(told) for name, told in own.items()}, origin))
    in_order = [sorted(runs, key=lambda one: one.run.started) for runs in cells.values()]
    made = Matrix(ID, MATRIX_FORMAT, tetraproof.__version__, tuple(_cell(runs) for runs in in_order))
    joined = [file for file in files if str(file) not in refused]
    return Merged(made, [runs[-1].origin for runs in in_order], joined, refused)


def encode(matrix: Matrix) -> bytes:
    """A matrix as the text of `matrix.json`: a line for each cell, for there may be thousands."""
    opening = msgspec.json.encode(msgspec.structs.replace(matrix, cells=())).removesuffix(b"]}")
    return opening + b"\n" + b",\n".join(msgspec.json.encode(cell) for cell in matrix.cells) + b"\n]}\n"


def schema() -> dict[str, Any]:
    """The JSON Schema of `matrix.json`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": ID, **msgspec.json.schema(Matrix)}


def read_matrix(path: Path) -> Matrix:
    """The matrix in a file, or in the folder that holds it. Raises `RecordingError` naming file and field."""
    file = path / MATRIX if path.is_dir() else path
    source = Source(file, "merge the cells again")
    if not file.exists():
        raise RecordingError(f"There is no matrix {safe(file)}.", remedy="tetraproof matrix merge DIR makes one")
    matrix: Matrix = decoding.as_json(decoding.read_file(file, source, MOST), Matrix, source, MOST)
    if matrix.format != MATRIX_FORMAT:
        raise source.refuse(f": format is {matrix.format}, and this tetraproof reads {MATRIX_FORMAT}")
    return matrix


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    """Every result below the folders, each once; a folder that holds none is named by the file that it lacks."""
    met: set[Path] = set()
    for folder in folders:
        found = [folder] if folder.is_file() else sorted(folder.rglob(FILE)) or [folder / FILE]
        for file in found:
            if file.resolve() not in met:
                met.add(file.resolve())
                yield file


class _Read:
    """One run as far as it is told: its fields by the policies' names, each with what the policy says."""

    def __init__(self, slim: Slim, fields: dict[str, tuple[Field, int]], origin: Origin) -> None:
        self.run, self.target, self.fields, self.origin = slim.run, slim.target, fields, origin
        self.by = intern(slim.tetraproof)
        self.differences = slim.pins.differences if slim.pins else ()


def _cell(runs: Sequence[_Read]) -> MatrixCell:
    """A cell of all its runs, the oldest first."""
    newest = runs[-1]
    return MatrixCell(
        newest.target.cell.title,
        newest.target.kind,
        newest.target.cell,
        tuple(run.run for run in runs),
        # what the newest run says, and nothing that only older ones had
        {name: _rated(name, runs) if len(runs) > 1 else field for name, (field, _) in newest.fields.items()},
        newest.target.recording,
        newest.differences,
    )


def _rated(name: str, runs: Sequence[_Read]) -> Field:
    """What the newest run says of a policy, with how often each verdict came."""
    latest, says = runs[-1].fields[name]
    # of the same product, about the same policy: what else could have changed the verdict is the world
    alike = [
        run.fields[name][0] for run in runs if run.by == runs[-1].by and run.fields.get(name, (None, None))[1] == says
    ]
    if len(alike) == 1:
        return latest
    rates = Counter(one.verdict for one in alike)
    return msgspec.structs.replace(latest, rates=dict(rates), unstable=len(rates) > 1)


def _named(policies: Iterable[Policy]) -> Iterator[tuple[str, Policy]]:
    """Each policy by its name; where several scenarios answer for one, by the scenario as well."""
    policies = list(policies)
    times = Counter(one.name for one in policies)
    met: set[str] = set()
    for policy in policies:
        name = policy.name
        if times[name] > 1 and policy.scenario not in {"", name}:
            name = f"{name} ({policy.scenario})"
        if name not in met:
            met.add(name)
            yield name, policy


@lru_cache(maxsize=256)
def _anchors(names: tuple[str, ...], nodes: tuple[str, ...]) -> Mapping[str, str]:
    """The sections of a run's page by the policies' names, those of one node without it."""
    own = {name: f"policy-{slug}" for name, slug in zip(names, label.slugs(names), strict=True)}
    for node in nodes:
        own |= {name.replace(f"@{node}", "", 1): anchor for name, anchor in own.items()}
    return own


@lru_cache(maxsize=8192)
def _told(policy: Policy) -> tuple[Field, int]:
    """What is told of a policy, and what tells its spec from another. Of thousands of cells most say the same."""
    refuted = [claim for claim in policy.claims if claim.verdict == str(Verdict.VIOLATES)]
    told = Field(
        intern(policy.verdict),
        intern(policy.line),
        bool(refuted) and all(claim.finding_seen for claim in refuted),
        {intern(claim.name): intern(claim.verdict) for claim in policy.claims if claim.verdict},
        {intern(limit.label): intern(limit.result) for limit in policy.limits},
        tuple(dict.fromkeys(claim.finding for claim in policy.claims if claim.finding and claim.finding_seen)),
        intern(policy.feature),
        intern(policy.suite),
    )
    return told, hash(policy.spec)


def as_results(matrix: Matrix) -> list[Result]:
    """A result for each cell, as far as a matrix holds it: verdicts, and nothing of acts and events."""
    return [
        Result(
            FORMAT,
            matrix.tetraproof,
            RunResult(cell.runs[-1].id, cell.runs[-1].started, 0.0, "", whole=True),
            TargetResult(cell.target, cell.cell, (), Bindings(), cell.recording),
            tuple(_policy(name, field) for name, field in cell.policies.items()),
        )
        for cell in matrix.cells
    ]


def _policy(name: str, field: Field) -> PolicyResult:
    claims = tuple(ClaimResult(promise, promise, verdict) for promise, verdict in field.promises.items())
    limits = tuple(LimitResult(label, label, label, result) for label, result in field.limits.items())
    return PolicyResult(
        name, "", "", field.suite, field.verdict, field.line, field.verdict, "", claims=claims, limits=limits
    )


def rows(matrix: Matrix) -> Mapping[str, list[Field | None]]:
    """Every policy in every cell, in the order in which they are met; nothing where a cell lacks it.

    One that no cell has a record of has no row.
    """
    unrecorded = str(Verdict.UNRECORDED)
    names = dict.fromkeys(
        name for cell in matrix.cells for name, field in cell.policies.items() if field.verdict != unrecorded
    )
    columns = [cell.policies for cell in matrix.cells]
    return {name: [column.get(name) for column in columns] for name in names}


def features_of(told: Mapping[str, Sequence[Field | None]]) -> dict[str, str]:
    """What of the policy language each row is a case of; empty where it is none."""
    return {name: next((one.feature for one in fields if one and one.feature), "") for name, fields in told.items()}
