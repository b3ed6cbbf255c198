"""A project's configuration: `tetraproof.toml`, or `[tool.tetraproof]` in its `pyproject.toml`.

    policies = "policies"
    target = "standalone"
    kernel = "debian:6.12"

The keys are the options of a run (`tetraproof.settings.options`), with `-` or `_`; paths are relative to the file's
folder, and so is text with a slash that leads to something there (`bundle = "bundles/mine"`). In one folder the first
of the two files counts; what a folder has keeps those above it out.
"""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tetraproof.errors import UsageError
from tetraproof.settings.options import Described, Options, described, merged
from tetraproof.text import shorten

OWN, SHARED, TABLE = "tetraproof.toml", "pyproject.toml", "tool.tetraproof"
_NAME = "tetraproof"
_USUAL = (*Options.suites, Options.policies)
#: What is chosen for each run anew, and stands in no file.
_NEVER = ("typed", "prove", "run_id", "record", "into")


@dataclass(frozen=True)
class Configuration:
    """What a project says of itself; `folder` is where it says it, `file` is None where it says nothing."""

    folder: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None

    def options(self, given: Mapping[str, Any], here: Path | None = None) -> Options:
        """The options of a run, with what was `given` in the folder `here` before what is configured."""
        return merged(given, self.values, here or Path.cwd(), self.folder)


def find(start: Path) -> Configuration:
    """The configuration of the nearest folder at or above `start` that has one.

    Where none has, it is that of the nearest with suites and policies in their usual places, else of `start` itself.
    Raises `UsageError` naming file, field and fix.
    """
    for folder in (start, *start.parents):
        for name in (OWN, SHARED):
            file = folder / name
            if os.path.isfile(file) and (values := _read(file)) is not None:  # noqa: PTH113 - none where none may look
                return Configuration(folder, values, file)
    folders = (start, *start.parents)
    usual = (one for one in folders if all(os.path.isdir(one / name) for name in _USUAL))  # noqa: PTH112 - likewise
    return Configuration(next(usual, start))


def _read(file: Path) -> dict[str, Any] | None:
    """The values in a file; None where it is not about us."""
    try:
        text = file.read_text(encoding="utf-8")
        if file.name == SHARED and _NAME not in text:
            return None
        written: Any = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        if file.name == SHARED:  # whoever reads it tells better what is wrong with it
            return None
        raise UsageError(f"{file} cannot be read: {shorten(str(error), 200)}.", remedy="write it as TOML") from error
    if file.name == SHARED:
        tool = written.get("tool")
        written = tool.get(_NAME) if isinstance(tool, dict) else None
        if written is None:
            return None
    if not isinstance(written, dict):
        raise UsageError(f"{file}: {TABLE} is no table.", remedy=f"write [{TABLE}] and the options below it")
    known = {one.attribute: one for one in described()}
    values: dict[str, Any] = {}
    for key, value in written.items():
        attribute = key.replace("-", "_")
        if attribute in values:
            raise UsageError(f"{file}: {shorten(key, 60)} stands there with - and with _.", remedy="write it once")
        values[attribute] = _checked(file, key, value, known)
    return values


def _checked(file: Path, key: str, value: Any, known: Mapping[str, Described]) -> Any:
    option = known.get(key.replace("-", "_"))
    if option is None:
        usual = [name for name in known if name not in _NEVER]
        near = difflib.get_close_matches(key.replace("-", "_"), usual, 1)
        raise UsageError(
            f"{file}: there is no option {shorten(key, 60)}.",
            remedy=f"did you mean {near[0]}?" if near else f"there are {', '.join(usual)}",
        )
    if option.attribute in _NEVER:
        raise UsageError(
            f"{file}: {key} is chosen for each run anew.", remedy=f"give --{option.name} on the command line"
        )
    taken, said = {
        "flag": (bool, "true or false"),
        "number": ((int, float), "a number above 0"),
        "text": (str, "text in quotes"),
        "path": (str, "a path in quotes"),
        "paths": ((str, list), "a path in quotes, or a list of them"),
    }[option.form]
    parts = value if isinstance(value, list) else [value]
    fits = isinstance(value, taken) and (isinstance(value, bool) is (option.form == "flag"))  # type: ignore[arg-type]
    if option.form == "paths":
        fits = fits and all(isinstance(part, str) for part in parts)
    if option.form == "number":
        fits = fits and 0 < value < math.inf
    if not fits:
        raise UsageError(f"{file}: {key} is {shorten(repr(value), 60)}.", remedy=f"write {said}")
    if option.choices and value not in option.choices:
        raise UsageError(
            f"{file}: {key} is {shorten(repr(value), 60)}.", remedy=f"choose one of {', '.join(option.choices)}"
        )
    if option.place:
        return _place(file.parent, value) or ",".join(_place(file.parent, one) or one for one in value.split(","))
    if option.form == "path":
        return Path(value)
    return [Path(part) for part in parts] if option.form == "paths" else value


def _place(folder: Path, word: str) -> str:
    """Text that may be a path, from the file's folder; nothing where it leads to nothing there."""
    return str(folder / word) if "/" in word and os.path.lexists(folder / word) else ""
