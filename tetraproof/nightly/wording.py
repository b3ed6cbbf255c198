"""A matrix and its cells in the words of others: a job's summary in Markdown, GitHub's `include`, Kubernetes Jobs."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from hashlib import sha256

import yaml

from tetraproof.nightly.axes import Cell
from tetraproof.nightly.merging import Field, Matrix, rows
from tetraproof.report.annotation import SIGNS, escaped

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
    """The matrix as a table: a row for each policy, a column for each cell, what is violated or unstable first."""
    return "\n".join(_markdown(matrix)) + "\n"


def _markdown(matrix: Matrix) -> Iterator[str]:
    yield f"{len(rows(matrix))} policies on {len(matrix.cells)} cells"
    yield ""
    for number, cell in enumerate(matrix.cells, 1):
        newest = cell.runs[-1]
        red = f", red: {escaped('; '.join(newest.red))}" if newest.red else ""
        yield f"{number}. {escaped(cell.title)}, {cell.target} {newest.started[:10]}{red}"
    yield ""
    yield f"| policy | {' | '.join(str(number) for number in range(1, len(matrix.cells) + 1))} |"
    yield f"| --- |{' --- |' * len(matrix.cells)}"
    for name, fields in sorted(rows(matrix).items(), key=lambda one: _gravity(one[1])):
        yield f"| {escaped(name)} | {' | '.join(_field(field) for field in fields)} |"


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
    total = sum(field.rates.values())
    rate = f" {field.rates[field.verdict]} of {total}" if field.rates else ""
    turned = f" **was {field.was}**" if field.was and field.streak == 1 else ""
    since = f" since {field.since[:10]}" if field.streak > 1 else ""
    unstable = " **unstable**" if field.unstable else ""
    return f"{SIGNS[field.verdict]} {field.verdict}{known}{rate}{turned}{since}{unstable}"
