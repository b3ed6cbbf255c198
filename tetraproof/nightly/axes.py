"""`matrix.yaml`: the cells of a matrix, in the manner of GitHub Actions' matrices.

    axes:
      target: [standalone]
      kernel: ["debian:6.1", "debian:6.12"]
      tetragon: ["1.4.1", "1.7.0"]
    exclude:
      - {kernel: "debian:6.1", tetragon: "1.4.1"}
    include:
      - {target: kind, tetragon: "1.7.0", kubernetes: "kindest/node:v1.36.2"}
    recordings: all

An axis is an option of `tetraproof test` (`kernel`, `agent-options`, …), or one of `tetragon` and `kubernetes`, which
are the agent and the Kubernetes of whatever target it is. `recordings` adds a cell for each recording that is
replayed: `all` of the folder `recordings/`, or a list of them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tetraproof.errors import PolicyError, UsageError
from tetraproof.policies import manifest
from tetraproof.policies.hook import nearest
from tetraproof.recordings.recording import recordings_in
from tetraproof.settings.options import TARGETS, described
from tetraproof.text import shorten

FILE = "matrix.yaml"
_FIELDS = ("axes", "exclude", "include", "recordings")
_ALL = "all"
#: What is of a run and not of a cell.
_NOT_OF_A_CELL = {"reports", "run-id", "record", "into", "prove", "typed", "recordings"}
#: A matrix of more cells is a mistake in it; GitHub takes as many.
MOST = 2000
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._]+")
_LONGEST = 120


@dataclass(frozen=True)
class Cell:
    """One cell: its name, which is also its folder's, what it is on each axis, and the words for `tetraproof test`."""

    name: str
    values: Mapping[str, str]
    words: tuple[str, ...]

    @property
    def heavy(self) -> bool:
        """Whether it boots a guest or makes a cluster: then it wants a core and some memory for itself."""
        return self.values.get("target", "replay") in {"standalone", "kind"}


def read(path: Path, recordings: Path) -> tuple[Cell, ...]:
    """The cells of the matrix in the file `path`; those `recordings` names lie in that folder.

    Raises `UsageError` naming file, line, field and fix.
    """
    try:
        text = manifest.text_of(path, "matrix")
        documents = list(manifest.documents(text, str(path)))
        if len(documents) != 1:
            raise UsageError(f"{path} holds {len(documents)} documents where one is expected.", remedy="write axes:")
        written = documents[0].read()
    except PolicyError as error:
        raise UsageError(error.sentence, causes=error.causes, remedy=error.remedy) from error
    return _Matrix(path, documents[0], written).cells(recordings)


@dataclass(frozen=True)
class _Matrix:
    path: Path
    document: manifest.Document
    written: Any

    def cells(self, recordings: Path) -> tuple[Cell, ...]:
        if not isinstance(self.written, dict):
            raise self._refuse((), "is no mapping", "write axes: with a list for each axis")
        for name in self.written:
            if name not in _FIELDS:
                raise self._refuse((name,), "is no field of a matrix", _near(name, _FIELDS))
        combined = self._combined()
        if len(combined) > MOST:
            raise self._refuse(("axes",), f"make {len(combined)} cells", f"exclude some: at most {MOST} are run")
        cells = [_cell(values) for values in combined]
        replayed = [_cell({"target": "replay", "recording": name}) for name in self._recordings(recordings)]
        # the name of a recording says all of it
        cells += [replace(cell, name=cell.values["recording"]) for cell in replayed]
        if not cells:
            raise self._refuse((), "has no cell", "write axes:, include: or recordings:")
        return tuple({cell.name: cell for cell in cells}.values())

    def _combined(self) -> list[dict[str, str]]:
        """All combinations of the axes, less those excluded, with those included: as GitHub Actions has it."""
        axes = self._axes()
        combined = (
            [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())] if axes else []
        )
        for at, excluded in enumerate(self._entries("exclude")):
            for name in excluded:
                if name not in axes:
                    raise self._refuse(("exclude", at, name), "is no axis", _near(name, axes))
            combined = [one for one in combined if not excluded.items() <= one.items()]
        original = [dict(one) for one in combined]
        for included in self._entries("include"):
            fitting = [
                one
                for one, first in zip(combined, original, strict=False)
                if all(first.get(name, value) == value for name, value in included.items())
            ]
            for one in fitting:
                one.update(included)
            if not fitting:
                combined.append(dict(included))
        return combined

    def _axes(self) -> dict[str, list[str]]:
        axes = self.written.get("axes") or {}
        if not isinstance(axes, dict):
            raise self._refuse(("axes",), "is no mapping", "write kernel: [debian:6.1, debian:6.12]")
        found = {}
        for name, values in axes.items():
            self._known(("axes", name), name)
            listed = values if isinstance(values, list) else [values]
            if not listed:
                raise self._refuse(("axes", name), "is an axis without values", "give it one, or leave it out")
            found[name] = [self._value(("axes", name, at), name, value) for at, value in enumerate(listed)]
        return found

    def _entries(self, field: str) -> Iterator[dict[str, str]]:
        entries = self.written.get(field) or []
        if not isinstance(entries, list):
            raise self._refuse((field,), "is no list", "write - {kernel: …}")
        for at, entry in enumerate(entries):
            if not isinstance(entry, dict) or not entry:
                raise self._refuse((field, at), "names no axis", "write - {kernel: …}")
            for name in entry:
                self._known((field, at, name), name)
            yield {name: self._value((field, at, name), name, value) for name, value in entry.items()}

    def _recordings(self, folder: Path) -> list[str]:
        asked = self.written.get("recordings")
        if asked is None:
            return []
        there = [path.name for path in recordings_in(folder)]
        if asked == _ALL:
            if not there:
                raise self._refuse(("recordings",), f"are none in {folder}", "record a run there, or leave it out")
            return there
        if not isinstance(asked, list):
            raise self._refuse(("recordings",), "is neither all nor a list", "write all, or a list of names")
        for at, name in enumerate(asked):
            if name not in there:
                raise self._refuse(("recordings", at), f"is {name!r}, which {folder} has not", _near(str(name), there))
        return [str(name) for name in asked]

    def _known(self, way: tuple[str | int, ...], name: object) -> None:
        known = (*AXES, *OF_ANY_TARGET)
        if name not in known:
            raise self._refuse(way, "is no option of a run", _near(str(name), known))

    def _value(self, way: tuple[str | int, ...], name: str, value: object) -> str:
        if isinstance(value, bool) and name in FLAGS:
            return "true" if value else ""
        if isinstance(value, bool | dict | list) or value is None:
            raise self._refuse(way, f"is {shorten(repr(value), 40)}", "write a text")
        if isinstance(value, float):
            # 1.10 is read as 1.1 before anybody can see it
            raise self._refuse(way, f"is the number {value}", f'quote it: "{value}"')
        if name == "target" and value not in TARGETS:
            raise self._refuse(way, f"is {value!r}", _near(str(value), TARGETS))
        return str(value)

    def _refuse(self, way: Sequence[str | int], what: str, remedy: str) -> UsageError:
        line = self.document.line_of(way)
        field = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in way).lstrip(".") or "it"
        return UsageError(f"{self.path}, line {line}: {shorten(field, 80)} {what}.", remedy=remedy)


#: The options that an axis may be.
AXES = tuple(one.name for one in described() if one.name not in _NOT_OF_A_CELL)
FLAGS = frozenset(one.name for one in described() if one.form == "flag")
#: Axes that are another option on each target, and those options: where none is named the target has it not.
OF_ANY_TARGET: Mapping[str, Mapping[str, str]] = {
    "tetragon": {"standalone": "bundle", "kind": "tetragon-version", "cluster": "tetragon-version"},
    "kubernetes": {"kind": "kind-image"},
}


def _cell(values: Mapping[str, str]) -> Cell:
    target = values.get("target", "auto")
    words = []
    for name, value in values.items():
        option = OF_ANY_TARGET[name].get(target, "") if name in OF_ANY_TARGET else name
        if option and value:
            words.append(f"--{option}" if option in FLAGS else f"--{option}={value}")
    name = _NOT_IN_A_NAME.sub("-", "_".join(value for value in values.values() if value)).strip("-.")
    return Cell(name[:_LONGEST] or "cell", dict(values), tuple(words))


def _near(name: str, known: Sequence[str] | Mapping[str, object]) -> str:
    near = nearest(name, known)
    return f"did you mean {near}?" if near else f"there are {', '.join(known)}"
