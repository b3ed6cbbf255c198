r"""Regular expressions with the meaning that Go's have, which is what Tetragon and tetra are written in.

Go's package `regexp` and the library RE2 share one syntax (https://github.com/google/re2/wiki/Syntax); what the
library takes and Go refuses is refused here as well. What Go takes and the library refuses (`\p{Letter}`, a
repetition that grows too large) is refused too: a pattern is taken with Go's meaning or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import re2

from tetraproof.errors import UsageError
from tetraproof.text import shorten

#: Go refuses an expression that nests about a thousand deep, the library does not: far fewer groups are enough.
_MOST_GROUPS = 200
#: How many texts a pattern remembers: pods and binaries repeat in a stream.
_REMEMBERED = 4096
_TOKEN = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.", re.DOTALL)
_GROUP_NAME = re.compile(r"\(\?P?<([^>]*)>")

_options = re2.Options()
_options.log_errors = False


def search(pattern: str, *, whence: str) -> Callable[[str], bool]:
    """Whether `pattern` is found anywhere in a text, as Go's `MatchString` says it.

    `whence` says where the pattern was written (`--pods`). Raises `UsageError` for a pattern that is none to Go, or
    that is not sure to mean the same.
    """
    try:
        compiled = re2.compile(pattern.encode(), _options)
    except UnicodeEncodeError as error:
        raise _refused(pattern, whence, "it is not valid UTF-8") from error
    except re2.error as error:
        told = error.args[0] if error.args else ""
        raise _refused(pattern, whence, told.decode(errors="replace") if isinstance(told, bytes) else told) from error
    if lack := _refused_by_go(pattern):
        raise _refused(pattern, whence, lack)

    @lru_cache(_REMEMBERED)
    def found(text: str) -> bool:
        return compiled.search(_utf8(text)) is not None

    return found


def _refused_by_go(pattern: str) -> str:
    """Why Go refuses a pattern that the library takes."""
    if r"\C" in (token.group() for token in _TOKEN.finditer(pattern)):
        return r"Go has no \C, a single byte"
    if not all(name.isascii() for name in _GROUP_NAME.findall(pattern)):
        return "Go's names of groups are made of ASCII letters, digits and _"
    if pattern.count("(") > _MOST_GROUPS:
        return f"more than {_MOST_GROUPS} groups may nest too deeply for Go"
    return ""


def _refused(pattern: str, whence: str, why: str) -> UsageError:
    return UsageError(
        f"{whence}: {shorten(repr(pattern), 200)} is no regular expression, as Go reads them: {shorten(why, 200)}.",
        remedy="write it in RE2's syntax: https://github.com/google/re2/wiki/Syntax",
    )


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which is no character
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
