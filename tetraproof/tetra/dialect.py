"""Which tetra printed: what compact output of each version has, and how it writes a stranger's text.

Each rule was read in the source of the tagged versions and seen in what a tetra
built of them prints (1.4.1, 1.7.0, the branch of 1.7.1, main of August 2026).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from tetraproof import decoding
from tetraproof.decoding import Source
from tetraproof.errors import TetraproofError
from tetraproof.tetra import call
from tetraproof.tetra.quoting import quoted_if_needed
from tetraproof.text import safe

#: major, minor, patch, and how far on the way to that release or past it.
_Version = tuple[int, int, int, int]
_FIRST_PREVIEW, _PREVIEW, _RELEASE, _PAST_IT = range(4)

_WRITTEN = re.compile(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?([-+.~_].*)?", re.DOTALL)
#: What `git describe` adds to the nearest tag of a commit that has none.
_DESCRIBED = re.compile(r"(.*?)-\d+-g[0-9a-f]+.*", re.DOTALL)

_USDT: _Version = (1, 6, 0, _PREVIEW)
_TRUNCATED_FILES: _Version = (1, 7, 0, _PREVIEW)
#: Quoting came with main after 1.8.0-pre.0 and, on the older branches, with their next release (pull 5249).
_QUOTING: _Version = (1, 8, 0, _PREVIEW)
_QUOTING_ON_A_BRANCH: Mapping[tuple[int, int], _Version] = {
    (1, 5): (1, 5, 0, _PAST_IT),
    (1, 6): (1, 6, 1, _PAST_IT),
    (1, 7): (1, 7, 0, _PAST_IT),
}
_OLDEST: _Version = (1, 3, 0, _FIRST_PREVIEW)
_NEWEST: _Version = (1, 8, 0, _PREVIEW)
_NEWEST_TOLD = "the newest Tetragon that is known here (main of August 2026, after 1.7.0 and 1.8.0-pre.0)"


@dataclass(frozen=True)
class Dialect:
    """How one tetra writes: `quote` a stranger's text, `forms` of kernel functions, whether it knows USDT events."""

    quote: call.Quote
    forms: Mapping[str, call.Form]
    knows_usdt: bool


class _Cell(Struct):
    """What is read of a recording's cell."""

    tetragon: str = ""
    cli: str = ""


class _Made(Struct):
    """What is read of a recording's index."""

    cell: _Cell


@lru_cache(maxsize=64)
def dialect_of(version: str) -> Dialect:
    """The dialect of a version: `1.7.0`, `v1.8.0-pre.0`; the newest for one that is empty or none at all."""
    number = _number(version) or _NEWEST
    quotes = number >= _QUOTING_ON_A_BRANCH.get(number[:2], _QUOTING)
    forms = call.SINCE_1_3 | call.SINCE_1_7 if number >= _TRUNCATED_FILES else call.SINCE_1_3
    return Dialect(quoted_if_needed if quotes else str, forms, knows_usdt=number >= _USDT)


def told_as(version: str) -> str:
    """A sentence that says as which Tetragon's a stream of `version` is told, and why where that is a guess."""
    number = _number(version)
    if not version:
        return f"Told as {_NEWEST_TOLD} tells it: the stream does not say which version made it."
    if number is None:
        return f"Told as {_NEWEST_TOLD} tells it: “{safe(version)}” is no version of Tetragon."
    if number < _OLDEST:
        return f"Told as Tetragon 1.3, the oldest that is known here, tells it; the stream is of {safe(version)}."
    if number > _NEWEST:
        return f"Told as {_NEWEST_TOLD} tells it; the stream is of {safe(version)}."
    return f"Told as Tetragon {safe(version)} tells it."


def made_by(stream: Path) -> str:
    """The version of the tetra that made a stream which lies in a recording; nothing where it lies in none."""
    for folder in stream.absolute().parents:
        index = Source(folder / "recording.json", "")
        with suppress(TetraproofError):  # a stream may lie anywhere
            made: _Made = decoding.as_json(decoding.read_file(folder / "recording.json", index), _Made, index)
            return made.cell.cli or made.cell.tetragon
    return ""


def _number(version: str) -> _Version | None:
    described = _DESCRIBED.fullmatch(version)
    found = _WRITTEN.fullmatch(described[1] if described else version)
    if not found:
        return None
    rest = found[4] or ""
    if rest.startswith("-"):
        stage = _FIRST_PREVIEW if rest == "-pre.0" and not described else _PREVIEW
    else:
        stage = _PAST_IT if described else _RELEASE
    return int(found[1]), int(found[2]), int(found[3] or 0), stage
