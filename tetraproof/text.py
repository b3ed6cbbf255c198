"""Text of unknown origin, made safe to print.

Events carry what strangers typed: terminal escapes, line breaks, bidirectional
marks. Whatever reaches a terminal or a report goes through here first (HTML is
escaped by the template engine on top of that).
"""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Iterable

# Cc control, Cf format (bidirectional overrides, zero width), Cs surrogate, Co private, Cn unassigned, Zl/Zp breaks
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_ACTIVE_IN_QUOTES = set('"$`\\!')
_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\e"}


def safe(value: object) -> str:
    """`value` as one printable line: what could steer a terminal is shown as an escape."""
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_safe_character(character) for character in text)


def safe_block(value: object) -> str:
    """Like `safe`, but line by line: line breaks stay."""
    return "\n".join(safe(line) for line in str(value).split("\n"))


def shorten(value: object, width: int) -> str:
    """`value` made safe and cut in the middle to at most `width` characters."""
    text = safe(value)
    if len(text) <= width:
        return text
    kept = max(width - 1, 0)
    head = kept // 2
    return f"{text[:head]}…{text[len(text) - (kept - head) :]}"


def head(value: object, width: int) -> str:
    """`value` made safe and cut at its end: of a reason the beginning is what is read."""
    text = safe(value)
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def command_line(argv: Iterable[str]) -> str:
    """What to type for `argv`. Quoted like a person would, and a shell reads it the same."""
    return " ".join(_quoted(part) for part in argv)


def _quoted(part: str) -> str:
    return f'"{part}"' if "'" in part and not _ACTIVE_IN_QUOTES & set(part) else shlex.quote(part)


def _safe_character(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if unicodedata.category(character) in _UNPRINTABLE:
        return character.encode("unicode_escape", "surrogatepass").decode()
    return character
