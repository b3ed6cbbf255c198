"""Manifests as `kubectl` reads them: the documents of a YAML file as plain JSON values, in bounded time and memory.

Nothing in a file of a stranger's may crash or hang what reads it: text, nesting and what aliases
expand to are bounded, and whatever cannot be read is a `PolicyError` that names file and line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tetraproof.errors import PolicyError

#: The most that one document may be, in characters; an API server takes 1.5 MiB, `kubectl apply` 256 KiB of JSON.
MAX_TEXT = 1 << 20
#: The most that a whole file may be, in bytes.
MAX_FILE = 16 << 20
#: How deep a document may be nested; a policy needs about twelve levels.
MAX_DEPTH = 60
#: How many values a document may hold after its aliases are expanded.
MAX_VALUES = 100_000

_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_INTEGER = re.compile(r"[-+]?(?:0[bB][01]+|0[oO]?[0-7]+|0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BASES = {"b": 2, "o": 8, "x": 16}
_TRUE = {word for yes in ("y", "yes", "true", "on") for word in (yes, yes.capitalize(), yes.upper())}
_FALSE = {word for no in ("n", "no", "false", "off") for word in (no, no.capitalize(), no.upper())}
_NULL = {"", "~", "null", "Null", "NULL"}
_NO_NUMBER = {sign + word for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")} | {".nan", ".NaN", ".NAN"}
_LONGEST_NUMBER = 64
_TAG = "tag:yaml.org,2002:"
_MEND = "mend it there, as a YAML file"


@dataclass(frozen=True)
class Document:
    """One document of a file: its own text, the line of the file where that begins (from 1), and how errors name it."""

    text: str
    line: int
    source: str

    def read(self) -> Any:
        """What it holds: mappings, lists, text, numbers, booleans, nothing. Raises `PolicyError`."""
        return _Reader(self).read()

    def line_of(self, way: Sequence[str | int]) -> int:
        """The line of the file, from 1, where the value stands that `way` leads to, or the last of it that is there."""
        return self.line + _Reader(self).row_of(way)


def text_of(path: Path, what: str = "policy") -> str:
    """The text of a file. Raises `PolicyError` where it cannot be read, is no text or is too large."""
    try:
        if path.exists() and not path.is_file():
            raise PolicyError(f"The {what} {path} is no file.", remedy="name a YAML file")
        size = path.stat().st_size
        if size > MAX_FILE:
            raise PolicyError(
                f"The {what} {path} is {size >> 20} MiB large, and no manifest is larger than {MAX_FILE >> 20} MiB.",
                remedy="name another file",
            )
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PolicyError(
            f"The {what} {path} is no text: byte {error.start} is not UTF-8.", remedy="write it in UTF-8"
        ) from error
    except (OSError, ValueError) as error:  # a name with a NUL in it
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PolicyError(f"The {what} {path} cannot be read: {why}.", remedy="name another file") from error


def values(path: Path, what: str) -> list[Any]:
    """What each document of a YAML file holds; `what` is what the file is. Raises `PolicyError`."""
    return [document.read() for document in documents(text_of(path, what), str(path))]


def documents(text: str, source: str) -> Iterator[Document]:
    """The documents of a file that hold anything but comments, split as `kubectl` splits them; none is read yet."""
    starts = [0, *(mark.start() for mark in _SEPARATOR.finditer(text))]
    ends = [*starts[1:], len(text)]
    line = 1
    for start, end in zip(starts, ends, strict=True):
        own = text[start:end]
        if any(kept for row in own.splitlines() if (kept := row.strip()) not in {"---", "..."} and kept[:1] != "#"):
            yield Document(own, line, source if start == 0 and len(own) == len(text) else f"{source}:{line}")
        line += own.count("\n")


class _Reader(yaml.SafeLoader):
    """Composes a document within bounds, and makes of its nodes what Go's reader does (`kubectl`, the agent)."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._depth = 0
        self._values = 0
        self._sizes: dict[int, int] = {}
        self._open: set[str] = set()
        self._made: dict[int, Any] = {}
        if len(document.text) > MAX_TEXT:
            raise self._refused(
                f"is {len(document.text):,} characters long, and no manifest is longer than {MAX_TEXT:,}",
                "name another file",
            )
        try:
            super().__init__(document.text)
        except yaml.YAMLError as error:
            raise self._no_yaml(error) from error

    def read(self) -> Any:
        """The document's value. Raises `PolicyError`."""
        try:
            node = self.get_single_node()
        except yaml.YAMLError as error:
            raise self._no_yaml(error) from error
        except (ValueError, RecursionError) as error:  # an escape beyond Unicode, a directive's number
            raise self._refused(f"is no YAML: {str(error).splitlines()[0]}", _MEND) from error
        return None if node is None else self._value(node)

    def row_of(self, way: Sequence[str | int]) -> int:
        """The row, from 0, that `way` leads to; of a field that is the row of its name. Raises `PolicyError`."""
        node = self.get_single_node()
        row = 0 if node is None else node.start_mark.line
        for step in way:
            if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                row = node.start_mark.line
            elif isinstance(node, yaml.MappingNode):
                found = [(key, value) for key, value in node.value if key.value == step]
                if not found:
                    break
                key, node = found[0]
                row = key.start_mark.line
            else:
                break
        return int(row)

    # bounds

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        mark = event.start_mark
        before = self._values
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self._open:
                raise self._refused(f"{self._at(mark)}: the anchor {event.anchor!r} holds itself", "write it out", mark)
            node: yaml.Node | None = super().compose_node(parent, index)
            self._count(self._sizes.get(id(node), 1), mark)
            return node
        anchor = event.anchor
        # an anchor may be given again, and means the later one from there on
        self.anchors.pop(anchor, None)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._refused(f"{self._at(mark)}: it is nested deeper than {MAX_DEPTH} levels", "see the CRD", mark)
        self._count(1, mark)
        self._open.add(anchor)
        node = super().compose_node(parent, index)
        self._open.discard(anchor)
        self._depth -= 1
        self._sizes[id(node)] = self._values - before
        return node

    def _count(self, more: int, mark: Any) -> None:
        self._values += more
        if self._values > MAX_VALUES:
            raise self._refused(
                f"{self._at(mark)}: it holds more than {MAX_VALUES:,} values, aliases expanded",
                "write less of it",
                mark,
            )

    # values

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:  # noqa: ARG002
        if kind is yaml.ScalarNode:
            return f"{_TAG}{'plain' if implicit[0] else 'str'}"
        return f"{_TAG}{'seq' if kind is yaml.SequenceNode else 'map'}"

    def _value(self, node: yaml.Node) -> Any:
        if id(node) not in self._made:
            self._made[id(node)] = self._make(node)
        return self._made[id(node)]

    def _make(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.SequenceNode):
            return [self._value(part) for part in node.value]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        kind = node.tag.removeprefix(_TAG)
        plain = isinstance(node, yaml.ScalarNode) and kind in {"plain", "int", "float", "bool", "null"}
        return self._scalar(node) if plain else self._text(node)

    def _text(self, node: yaml.Node) -> Any:
        try:
            node.value.encode()
        except UnicodeEncodeError as error:  # half of a pair, written as an escape
            raise self._refused(
                f"is no YAML at {self._at(node.start_mark)}: {error.reason}", _MEND, node.start_mark
            ) from error
        return node.value

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key, value in node.value:
            if key.value == "<<" and key.tag in {f"{_TAG}plain", f"{_TAG}merge"}:
                for part in self._merged(value):
                    merged = part | merged
                continue
            name = self._name(key)
            if name in own:
                raise self._refused(
                    f"is no YAML at {self._at(key.start_mark)}: {name!r} is written twice",
                    "write each name once",
                    key.start_mark,
                )
            own[name] = self._value(value)
        return merged | own

    def _merged(self, node: yaml.Node) -> list[dict[str, Any]]:
        parts = self._value(node)
        parts = parts if isinstance(parts, list) else [parts]
        if not all(isinstance(part, dict) for part in parts):
            raise self._refused(
                f"{self._at(node.start_mark)}: << takes mappings alone", "name the anchor of a mapping", node.start_mark
            )
        return parts

    def _name(self, key: yaml.Node) -> str:
        """The name of a field: text, or what JSON makes of a number or a truth."""
        if not isinstance(key, yaml.ScalarNode):
            raise self._refused(
                f"{self._at(key.start_mark)}: a mapping or a list stands where the name of a field is expected",
                self._template() or "quote it, if it is meant as text",
                key.start_mark,
            )
        value = self._value(key)
        if value is None:
            raise self._refused(
                f"{self._at(key.start_mark)}: a field has no name", "write a name before the colon", key.start_mark
            )
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _scalar(self, node: yaml.Node) -> Any:
        text: str = node.value
        if text in _NULL:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        number = text.replace("_", "")
        if text in _NO_NUMBER:
            raise self._refused(
                f"{self._at(node.start_mark)}: {text} is no number that JSON knows", "quote it", node.start_mark
            )
        # a number begins with a digit, a sign or a point; what only looks like one (a date, 1:30) is text
        if not (_INTEGER.fullmatch(number) or _FLOAT.fullmatch(number)) or text[0] == "_":
            return text
        if len(number) > _LONGEST_NUMBER:
            raise self._refused(
                f"{self._at(node.start_mark)}: a number of {len(number):,} digits is more than 64 bits hold",
                "quote it, if it is meant as text",
                node.start_mark,
            )
        value = _number(number)
        return text if math.isinf(value) else value

    # words

    def _at(self, mark: Any) -> str:
        return f"line {self._document.line + mark.line}, column {mark.column + 1}"

    def _template(self) -> str:
        template = "{{" in self._document.text
        return "fill in the template first, as `helm template` does: {{ … }} is no YAML" if template else _MEND

    def _no_yaml(self, error: yaml.YAMLError) -> PolicyError:
        mark = getattr(error, "problem_mark", None)
        where = f" at {self._at(mark)}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        return self._refused(f"is no YAML{where}: {problem}", self._template(), mark)

    def _refused(self, what: str, remedy: str = "", mark: Any = None) -> PolicyError:
        source = self._document.source
        line = self._document.line + (mark.line if mark else 0)
        return PolicyError(f"{source}{' ' if what.startswith('is ') else ': '}{what}.", remedy=remedy, line=line)


def _number(text: str) -> int | float:
    """What Go makes of a number: whole ones of 64 bits are whole, all others are as near as a float comes."""
    digits = text.lstrip("+-").lower()
    sign = -1 if text.startswith("-") else 1
    value: float
    if digits[:1] == "0" and digits[1:2] in _BASES:
        value = sign * int(digits[2:], _BASES[digits[1]])
    elif _INTEGER.fullmatch(text):
        value = sign * int(digits, 8 if digits[0] == "0" and len(digits) > 1 else 10)
    else:
        value = sign * float(digits)
    if -(1 << 63) <= value < 1 << 64:
        return int(value) if value == int(value) else value
    return float(value)
