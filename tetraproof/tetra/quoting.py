r"""Text quoted as Go's `strconv.Quote` does, which newer versions of tetra use in compact output.

What a stranger may have chosen (a path, a command line, a host's name) is quoted
where it holds a blank or a character that cannot be printed, and is left alone
otherwise: `/usr/bin/cat`, but `"-c echo"`. Go knows the characters of Unicode 15;
one that Python's own tables do not know yet counts as one that cannot be printed.
"""

from __future__ import annotations

import re

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
_WRITTEN = {written[1:]: character for character, written in _NAMED.items()}
_FIELD = re.compile(r'(?<![^ ])"((?:[^"\\]|\\.)*)"(?![^ ])')
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")
_DELETE = 0x7F
_LAST_OF_FOUR_DIGITS = 0xFFFF
_NO_CHARACTER = 0x110000
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


def unquoted(line: str) -> str:
    """A compact line with the quotes of its fields undone, as tetra before 1.7.1 prints it: to be held against one.

    Not safe to print: what was escaped in quotes stands there as it is.
    """
    return _FIELD.sub(lambda field: _ESCAPE.sub(_escaped, field[1]), line)


def _escaped(escape: re.Match[str]) -> str:
    byte, short, long, named = escape.groups()
    if named is not None:
        return _WRITTEN.get(named, escape[0])
    code = int(byte or short or long, 16)
    return chr(code) if code < _NO_CHARACTER else escape[0]


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
