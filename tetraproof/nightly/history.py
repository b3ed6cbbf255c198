"""Past matrices in a folder: how long each verdict has been what it is, and what it was before.

A history is any folder of `matrix.json` files under whatever names: a branch, a bucket, an artifact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from tetraproof.errors import TetraproofError
from tetraproof.nightly.merging import Field, Matrix, MatrixCell, read_matrix


def past(folder: Path) -> tuple[list[Matrix], dict[str, str]]:
    """The matrices of a folder from the oldest to the newest, and why others of its files are none."""
    found: list[Matrix] = []
    refused: dict[str, str] = {}
    for file in sorted(folder.rglob("*.json")):
        try:
            found.append(read_matrix(file))
        except TetraproofError as error:
            refused[str(file)] = error.sentence
    return sorted(found, key=when), refused


def when(matrix: Matrix) -> str:
    """When the newest run of a matrix was started."""
    return max((run.started for cell in matrix.cells for run in cell.runs), default="")


def with_history(matrix: Matrix, earlier: Sequence[Matrix]) -> Matrix:
    """The matrix with each verdict's streak: in how many matrices on end it stood, this one included, and since when.

    A matrix that lacks the cell or the policy neither breaks a streak nor adds to it.
    """
    before = [one for one in earlier if when(one) < when(matrix)]
    return replace(matrix, cells=tuple(_with_history(cell, before) for cell in matrix.cells))


def _with_history(cell: MatrixCell, earlier: Sequence[Matrix]) -> MatrixCell:
    own = [(when(one), found) for one in earlier for found in one.cells if _same(found, cell)]
    newest = cell.runs[-1].started
    policies = {name: _streak(field, newest, _of(name, own)) for name, field in cell.policies.items()}
    return replace(cell, policies=policies)


def _same(one: MatrixCell, other: MatrixCell) -> bool:
    return (one.title, one.target, one.recording) == (other.title, other.target, other.recording)


def _of(name: str, cells: Iterable[tuple[str, MatrixCell]]) -> Iterator[tuple[str, Field]]:
    """What a policy was in each of these, from the newest to the oldest."""
    told = [(at, cell.policies[name]) for at, cell in cells if name in cell.policies]
    return reversed(told)


def _streak(field: Field, newest: str, earlier: Iterator[tuple[str, Field]]) -> Field:
    streak, since, was = 1, newest, ""
    for at, before in earlier:
        if before.verdict != field.verdict:
            was = before.verdict
            break
        streak, since = streak + 1, at
    return replace(field, streak=streak, since=since, was=was)
