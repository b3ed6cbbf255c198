"""A matrix and its cells in the words of others: a job's summary in Markdown, GitHub's `include`, Kubernetes Jobs."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

import yaml

from tetraproof.nightly.axes import Cell
from tetraproof.nightly.merging import Field, Matrix, features_of, rows
from tetraproof.report.annotation import SIGNS, escaped
from tetraproof.report.matrix import GROUPS, KINDS, MOST_COLUMNS, called, counted, group_of, lead

#: What a Job runs where no image is named.
_IMAGE = "tetraproof:latest"
_LABEL = re.compile(r"[^a-z0-9-]+")


def lines(cells: Sequence[Cell]) -> str:
    """A line for each: its name, a tab, and what is typed to run it."""
    return "".join(f"{cell.name}\ttetraproof test {shlex.join(cell.words)}\n" for cell in cells)


def github(cells: Sequence[Cell]) -> str:
    """What `strategy.matrix: ${{ fromJSON(…) }}` takes: `name` and `words` of each, beside its values."""
    include = [{**cell.values, "name": cell.name, "words": shlex.join(cell.words)} for cell in cells]
    return json.dumps({"include": include}) + "\n"


def jobs(cells: Sequence[Cell], image: str = "") -> str:
    """A Kubernetes Job for each, which leaves its result in the volume `results`."""
    return yaml.safe_dump_all([_job(cell, image or _IMAGE) for cell in cells], sort_keys=False)


def _job(cell: Cell, image: str) -> dict[str, object]:
    # a name of a Job is short, and no two cells' are the same
    told, apart = _LABEL.sub("-", cell.name.lower()).strip("-"), sha256(cell.name.encode()).hexdigest()[:8]
    name = f"{told[:40].strip('-')}-{apart}"
    command = ["tetraproof", "test", *cell.words, "--reports=/results", f"--run-id={cell.name}"]
    container = {
        "name": "tetraproof",
        "image": image,
        "command": command,
        "volumeMounts": [{"name": "results", "mountPath": "/results"}],
    }
    pod = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "results", "persistentVolumeClaim": {"claimName": "tetraproof-results"}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"tetraproof-{name}", "labels": _labels()},
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": _labels()}, "spec": pod}},
    }


def _labels() -> dict[str, str]:
    return {"app.kubernetes.io/name": "tetraproof", "app.kubernetes.io/component": "matrix"}


def markdown(matrix: Matrix) -> str:
    """The matrix for a job's summary: a row for each policy, what is violated or unstable first.

    A column for each cell, or of more cells than columns can be read, how many say what. Features of the policy
    language are folded, by group.
    """
    return "\n".join(_markdown(matrix)) + "\n"


def _markdown(matrix: Matrix) -> Iterator[str]:
    told = rows(matrix)
    features = features_of(told)
    names = called(features)
    groups: dict[str, dict[str, list[Field | None]]] = {}
    for name, fields in sorted(told.items(), key=lambda one: _gravity(one[1])):
        groups.setdefault(group_of(features[name]), {})[names[name]] = fields
    policies = groups.pop("", {})
    yield lead(len(policies), sum(map(len, groups.values())), len(matrix.cells))
    yield ""
    if len(matrix.cells) <= MOST_COLUMNS:
        yield from _cells(matrix)
        yield ""
    if policies:
        yield from _rows("policy", policies, matrix)
    for group in GROUPS:
        if group in groups:
            own = groups[group]
            counts = counted(field.sort for fields in own.values() for field in fields if field)
            yield ""
            yield f"<details><summary>{group}: {len(own)} features, {_counts(counts)}</summary>"
            yield ""
            yield from _rows("feature", own, matrix)
            yield ""
            yield "</details>"


def _cells(matrix: Matrix) -> Iterator[str]:
    for number, cell in enumerate(matrix.cells, 1):
        newest = cell.runs[-1]
        red = f", red: {escaped('; '.join(newest.red))}" if newest.red else ""
        yield f"{number}. {escaped(cell.title)}, {cell.target} {newest.started[:10]}{red}"


def _rows(what: str, told: Mapping[str, Sequence[Field | None]], matrix: Matrix) -> Iterator[str]:
    if len(matrix.cells) > MOST_COLUMNS:
        yield f"| {what} | cells |"
        yield "| --- | --- |"
        for name, fields in told.items():
            counts = _counts(counted(field.sort for field in fields if field))
            yield f"| {escaped(name)} | {counts}{_turned(fields)} |"
        return
    # what a cell has no record of at all needs no column
    shown = [at for at in range(len(matrix.cells)) if any(_is_recorded(fields[at]) for fields in told.values())]
    yield f"| {what} | {' | '.join(str(at + 1) for at in shown)} |"
    yield f"| --- |{' --- |' * len(shown)}"
    for name, fields in told.items():
        yield f"| {escaped(name)} | {' | '.join(_field(fields[at]) for at in shown)} |"


def _is_recorded(field: Field | None) -> bool:
    return field is not None and field.verdict != "unrecorded"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{KINDS[sort]} {count}" for sort, count in counts.items())


def _turned(fields: Sequence[Field | None]) -> str:
    """In how many cells the verdict is unstable, and in how many another than in the matrix before."""
    unstable = sum(field.unstable for field in fields if field)
    turned = sum(bool(field.was) and field.streak == 1 for field in fields if field)
    said = (f", **unstable {unstable}**" if unstable else "", f", **changed {turned}**" if turned else "")
    return "".join(said)


def _gravity(fields: Sequence[Field | None]) -> int:
    """New violations first, then what is unstable or could not be judged, then what is known, then the others."""
    there = [field for field in fields if field]
    if any(field.verdict == "violates" and not field.known for field in there):
        return 0
    if any(field.unstable or field.verdict == "inconclusive" for field in there):
        return 1
    return 2 if any(field.verdict == "violates" for field in there) else 3


def _field(field: Field | None) -> str:
    if field is None:
        return "—"
    known = " known" if field.known else ""
    told = "".join(f" {words}" if quiet else f" **{words}**" for words, quiet in _standing(field))
    return f"{SIGNS[field.verdict]} {field.verdict}{known}{told}"


def standing(field: Field) -> tuple[str, ...]:
    """What its other runs and past matrices say of a verdict: how often it came, since when, whether it is unstable."""
    return tuple(words for words, _ in _standing(field))


def _standing(field: Field) -> Iterator[tuple[str, bool]]:
    """Each with whether it is as it should be."""
    if field.rates:
        yield f"{field.rates[field.verdict]} of {sum(field.rates.values())}", True
    if field.was and field.streak == 1:
        yield f"was {field.was}", False
    if field.streak > 1:
        yield f"since {field.since[:10]}", True
    if field.unstable:
        yield "unstable", False
