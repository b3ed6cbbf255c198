"""A project's configuration: `tetraproof.toml`, or `[tool.tetraproof]` in its `pyproject.toml`.

    policies = "policies"
    target = "standalone"
    kernel = "debian:6.12"

The keys are the options of a run (`tetraproof.options`), with `-` or `_`; paths are relative to the file's folder.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tetraproof.errors import UsageError
from tetraproof.options import Described, Options, described, merged
from tetraproof.text import shorten

OWN, SHARED, TABLE = "tetraproof.toml", "pyproject.toml", "tool.tetraproof"
_USUAL = (*Options.suites, Options.policies)
#: What is chosen for each run anew, and stands in no file.
_NEVER = {"typed", "prove", "run_id", "record", "into"}


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
            if file.is_file() and (values := _read(file)) is not None:
                return Configuration(folder, values, file)
    usual = (folder for folder in (start, *start.parents) if all((folder / name).is_dir() for name in _USUAL))
    return Configuration(next(usual, start))


def _read(file: Path) -> dict[str, Any] | None:
    """The values in a file; None where it is not about us."""
    try:
        text = file.read_text(encoding="utf-8")
        if file.name == SHARED and TABLE not in text:
            return None
        written: Any = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        if file.name == SHARED:  # whoever reads it tells better what is wrong with it
            return None
        raise UsageError(f"{file} cannot be read: {shorten(str(error), 200)}.", remedy="write it as TOML") from error
    if file.name == SHARED:
        tool = written.get("tool")
        written = tool.get("tetraproof") if isinstance(tool, dict) else None
        if written is None:
            return None
    if not isinstance(written, dict):
        raise UsageError(f"{file}: {TABLE} is no table.", remedy=f"write [{TABLE}] and the options below it")
    known = {one.attribute: one for one in described() if one.attribute not in _NEVER}
    return {key.replace("-", "_"): _checked(file, key, value, known) for key, value in written.items()}


def _checked(file: Path, key: str, value: Any, known: Mapping[str, Described]) -> Any:
    option = known.get(key.replace("-", "_"))
    if option is None:
        near = difflib.get_close_matches(key.replace("-", "_"), known, 1)
        raise UsageError(
            f"{file}: there is no option {shorten(key, 60)}.",
            remedy=f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}",
        )
    taken, said = {
        "flag": (bool, "true or false"),
        "number": ((int, float), "a number"),
        "text": (str, "text in quotes"),
        "path": (str, "a path in quotes"),
        "paths": ((str, list), "a path in quotes, or a list of them"),
    }[option.form]
    parts = value if isinstance(value, list) else [value]
    fits = isinstance(value, taken) and (isinstance(value, bool) is (option.form == "flag"))  # type: ignore[arg-type]
    if not fits or (option.form == "paths" and not all(isinstance(part, str) for part in parts)):
        raise UsageError(f"{file}: {key} is {shorten(repr(value), 60)}.", remedy=f"write {said}")
    if option.choices and value not in option.choices:
        raise UsageError(f"{file}: {key} is {value!r}.", remedy=f"choose one of {', '.join(option.choices)}")
    if option.form == "path":
        return Path(value)
    return [Path(part) for part in parts] if option.form == "paths" else value
