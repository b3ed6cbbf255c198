"""Somebody's files and JSON: whatever their libraries raise is caught here, and told in one way.

Size, nesting and numbers are bounded, so nothing that is read crashes or hangs whoever reads it. YAML is read by
`tetraproof.policies.manifest`, which bounds what aliases expand to as well, and TOML by
`tetraproof.settings.configuration`.
"""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from tetraproof.errors import RecordingError, TetraproofError
from tetraproof.text import shorten

#: Bytes of a text that is decoded whole: what is made of it takes many times as much memory.
MOST_JSON = 16 << 20
_WIDTH = 60


class Source:
    """Where bytes are from: `name` as errors call it, `remedy` what to do about them, `error` what is raised."""

    def __init__(self, name: object, remedy: str, error: type[TetraproofError] = RecordingError) -> None:
        self.name = str(name)
        self.remedy = remedy
        self.error = error

    def refuse(self, what: str, remedy: str = "") -> TetraproofError:
        """The error that says what is wrong: a clause that follows the name."""
        return self.error(f"{self.name}{what}.", remedy=remedy or self.remedy)


def as_json(content: bytes | str, kind: Any, source: Source, most: int = 0) -> Any:
    """JSON of at most so many bytes (default: `MOST_JSON`) as values of `kind`, msgspec's types.

    Raises the source's error, naming the field.
    """
    most = most or MOST_JSON
    if len(content) > most:
        raise source.refuse(f" is larger than {most >> 20} MiB")
    try:
        return msgspec.json.decode(content, type=kind)
    except RecursionError as error:
        raise source.refuse(" is nested too deeply") from error
    except msgspec.ValidationError as error:
        raise source.refuse(f": {error}") from error
    # bytes that are no text are an error of Python's own
    except (msgspec.MsgspecError, ValueError) as error:
        why = str(error).removeprefix("JSON is malformed: ")
        raise source.refuse(f" is no JSON: {why}") from error


def as_kind(value: Any, kind: Any, source: Source) -> Any:
    """Plain values as values of `kind`. Raises the source's error, naming the field."""
    try:
        return msgspec.convert(value, kind)
    except RecursionError as error:
        raise source.refuse(" is nested too deeply") from error
    except ValueError as error:
        raise source.refuse(f": {error}") from error


def refuse_doubles(content: bytes, source: Source) -> None:
    """Refuse JSON in which a name stands twice in one object: which of the two counts, each reader decides."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        told = dict(pairs)
        if len(told) < len(pairs):
            twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
            raise source.refuse(f": {shorten(repr(twice), _WIDTH)} stands twice in an object")
        return told

    try:
        json.loads(content, object_pairs_hook=once)
    except RecursionError as error:
        raise source.refuse(" is nested too deeply") from error
    except ValueError as error:
        raise source.refuse(f" is no JSON: {error}") from error


def read_file(path: Path, source: Source, most: int = MOST_JSON) -> bytes:
    """The bytes of a plain file, however it is linked to. Raises the source's error where it is none, or is larger."""
    try:
        # a pipe or a device may never end
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(opened, "rb") as file:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise source.refuse(" is no file")
            content = file.read(most + 1)
    except (OSError, ValueError) as error:  # a name with a NUL in it
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise source.refuse(f" cannot be read: {why}") from error
    if len(content) > most:
        raise source.refuse(f" is larger than {most >> 20} MiB")
    return content


def as_text(content: bytes, source: Source) -> str:
    """Bytes as text. Raises the source's error where they are none."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise source.refuse(f" is no text: byte {error.start} is not UTF-8") from error
