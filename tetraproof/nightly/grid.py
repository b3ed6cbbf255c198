"""The page of a matrix of very many cells: what its script draws a mark of each field from, and shows as evidence.

Most cells say the same of a policy, so what is said stands once, and each field is a number.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from tetraproof.nightly.merging import Field, MatrixCell, Merged, Origin, features_of, rows
from tetraproof.report.matrix import (
    GROUPS,
    KINDS,
    Numbers,
    axes_of,
    board,
    called,
    coordinates,
    counted,
    group_of,
    lead,
)
from tetraproof.report.template import packed
from tetraproof.text import safe, shorten

PAGE = "index.html"
_LINE, _NAME = 600, 160
#: Of so many runs of a cell, the newest, the page tells when they were.
_RUNS = 14


def grid(merged: Merged, into: Path) -> str:
    """The page as HTML, as it lies in the folder `into`."""
    cells = merged.matrix.cells
    told = rows(merged.matrix)
    features = features_of(told)
    names = called(features)
    said = _Said()
    axes = _axes(cells)
    # most runs have the same policies, and so the same sections
    sections = {id(origin.anchors): origin.anchors for origin in merged.origins}
    anchors = {name: anchor for one in reversed(sections.values()) for name, anchor in one.items()}
    apart = {
        which: {at: one[name] for at, name in enumerate(told) if name in one and one[name] != anchors[name]}
        for which, one in sections.items()
    }
    data = {
        "axes": list(axes[0]) if axes else [],
        "groups": ["", *GROUPS],
        "cells": [
            {"axes": list(at.values()), "apart": apart[id(origin.anchors)], **_cell(cell, origin, into)}
            for cell, at, origin in zip(cells, axes, merged.origins, strict=True)
        ],
        "rows": [
            {
                "name": shorten(names[name], _NAME),
                "policy": shorten(name, _NAME),
                "group": group_of(features[name]),
                "suite": shorten(next((one.suite for one in fields if one), ""), _NAME),
                "anchor": anchors.get(name, ""),
                "at": [said.number(field) for field in fields],
            }
            for name, fields in told.items()
        ],
    }
    data["fields"] = said.fields
    numbers = [Numbers(names[name], _counts(fields)) for name, fields in told.items()]
    order = list(KINDS)
    numbers.sort(key=lambda one: [-one.counts.get(sort, 0) for sort in order])
    cases = sum(bool(feature) for feature in features.values())
    return board(
        axes_of(axes),
        lead(len(told) - cases, cases, len(cells)),
        numbers,
        packed(msgspec.json.encode(data).decode()),
    )


def _axes(cells: Sequence[MatrixCell]) -> list[dict[str, str]]:
    """What each cell is on each axis; where that tells not all of them apart, with the recording or the settings."""
    axes = [coordinates(cell.cell, cell.target) for cell in cells]
    if len({tuple(one.values()) for one in axes}) == len(cells):
        return axes
    apart = (shorten(cell.recording or f"settings {cell.cell.digest[:12]}", _NAME) for cell in cells)
    return [{**one, "recording": more} for one, more in zip(axes, apart, strict=True)]


class _Said:
    """What is said of policies, each once, by number."""

    def __init__(self) -> None:
        self.fields: list[dict[str, Any]] = []
        self._of_object: dict[int, int] = {}
        self._of_text: dict[bytes, int] = {}

    def number(self, field: Field | None) -> int:
        """The number of what a field says; -1 where there is none."""
        if field is None:
            return -1
        known = self._of_object.get(id(field))
        if known is None:
            text = msgspec.json.encode(replace(field, since=field.since[:10], feature="", suite=""))
            known = self._of_text.setdefault(text, len(self.fields))
            if known == len(self.fields):
                self.fields.append(_field(field))
            self._of_object[id(field)] = known
        return known


def _field(field: Field) -> dict[str, Any]:
    promises = Counter(field.promises.values())
    told = {
        "sort": field.sort,
        "verdict": field.verdict,
        "line": shorten(field.line, _LINE),
        "held": promises["conforms"],
        "promises": promises.total(),
        "refuted": _names(name for name, verdict in field.promises.items() if verdict == "violates"),
        "unheard": _names(name for name, verdict in field.promises.items() if verdict == "inconclusive"),
        "findings": _names(field.findings),
        "passes": _names(name for name, result in field.limits.items() if result == "passes"),
        "rates": field.rates,
        "unstable": field.unstable,
        "streak": field.streak,
        "since": safe(field.since[:10]),
        "was": field.was,
    }
    return {name: value for name, value in told.items() if value}


def _names(texts: Iterable[str]) -> list[str]:
    return [shorten(text, _NAME) for text in texts]


def _cell(cell: MatrixCell, origin: Origin, into: Path) -> dict[str, Any]:
    page = origin.file.parent / PAGE
    return {
        "title": shorten(cell.title, 2 * _NAME),
        "runs": [[safe(run.started[:16]), shorten(run.id, _NAME), bool(run.red)] for run in cell.runs[-_RUNS:]],
        "more": max(0, len(cell.runs) - _RUNS),
        "page": quote(Path(os.path.relpath(page, into)).as_posix()) if page.is_file() else "",
    }


def _counts(fields: Sequence[Field | None]) -> dict[str, int]:
    return counted(one.sort for one in fields if one)
