r"""Text quoted as Go's `strconv.Quote` does, which newer versions of tetra use in compact output.

What a stranger may have chosen (a path, a command line, a host's name) is quoted
where it holds a blank or a character that cannot be printed, and is left alone
otherwise: `/usr/bin/cat`, but `"-c echo"`. Go knows the characters of Unicode 15;
one that Python's own tables do not know yet counts as one that cannot be printed.
"""

from __future__ import annotations

_NAMED = {
    "\\": "\\\\",
    '"': '\\"',
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}
_DELETE = 0x7F
_LAST_OF_FOUR_DIGITS = 0xFFFF
#: What Go puts for a character that stands for no text at all: half of a surrogate pair.
_NO_TEXT = "\\ufffd"


def quoted_if_needed(text: str) -> str:
    """`text` in Go's quotes where it holds a blank or a character that cannot be printed, else `text` itself."""
    if not text.isprintable():
        return f'"{"".join(map(_character, text))}"'
    if " " not in text:
        return text
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _character(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < ord(" ") or code == _DELETE:
        return f"\\x{code:02x}"
    if character.encode("utf-8", "replace") == b"?":
        return _NO_TEXT
    return f"\\u{code:04x}" if code <= _LAST_OF_FOUR_DIGITS else f"\\U{code:08x}"
