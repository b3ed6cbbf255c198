"""What nobody should write: JSON, YAML and lines changed in the ways in which bytes of somebody's are bad.

Each change is made by a `random.Random`, so that one number makes the same bytes again.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from typing import Any

#: JSON that stands where something else is expected, as it is written.
VALUES = (
    *("null", "true", "false", "0", "-1", "1", "0.5", "-0.0", '""', "[]", "{}", "[null]", "[[]]", '{"": null}', "[{}]"),
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "9" * 5000, "-" + "9" * 5000, "0." + "9" * 5000),
    *("18446744073709551616", "-9223372036854775809", "4294967296", "253402300800", "1e18", "1.5"),
    *('"NaN"', '"-1"', '"null"', '"violates "', '"unheard-of"', '"../../../etc/passwd"', '"/"', '"."', '"a/b"'),
    *('"2026-11-23T07:00:00"', '"2026-13-45T25:61:61Z"', '"0001-01-01T00:00:00+23:59"', '"9999-12-31T23:59:60Z"'),
    *('"2026-11-23"', '"23.11.2026"', '"10000-01-01T00:00:00Z"', '"1970-01-01T00:00:00-25:00"'),
    *('"\\u001b]0;owned\\u0007\\u001b[2J"', '"\\u202eevil\\u2066"', '"\\ud800"', '"\\u0000"', '"\\r\\nforged"'),
    *('"{0}{a.b}%s%n$(id)`id`"', '"' + "A" * 70_000 + '"', '"' + "\\u0301" * 3000 + '"', '"\\"\'\\\\"'),
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    "[" + ",".join(["0"] * 20_000) + "]",
)
#: The same for YAML, each at the place of one value.
YAML_VALUES = (
    *VALUES[:-3],
    *("2026-11-23", "2026-99-99", "2026-11-23 07:00:00", "1:30:00", "0x" + "f" * 4000, "0o17", "1_000", ".inf", ".nan"),
    *("!!python/object/apply:os.system [id]", "!!binary 4", "!!timestamp 2026-99-99", "!!int x", "!!set {a, b}"),
    *("*nobody", "&a [*a]", "&a {b: *a}", "<<: 1", "? x", "|", "> \n", "@x", "%x", "\t", "- - - -", "{{ .Values.x }}"),
    "&a [x, x, x, x, x, x, x, x, x]",
    "[" * 3000,
    "{a: " * 3000,
)
_BOMB = "\n".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9) if n else '1'}]" for n in range(30))
_SCALAR = re.compile(r"(?<=: )[^\s{\[&*|>#][^\n]*|(?<=- )[^\s{\[&*|>#][^\n]*")
#: Stands in a text of JSON for what no writer of JSON writes.
_MARK = "\ue000"


def in_json(chance: random.Random, content: bytes) -> bytes:
    """A document of JSON with one to three of its values changed; as text where it is none."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):  # one change has been made already
        return in_lines(chance, content)
    raw: list[str] = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        value = _changed(chance, value, raw)
    text = json.dumps(value, ensure_ascii=chance.choice((True, False)))
    for number, written in enumerate(raw):
        text = text.replace(f'"{_MARK}{number}"', written).replace(f"{_MARK}{number}", "x")
    return text.encode(errors="surrogatepass")


def in_yaml(chance: random.Random, content: bytes) -> bytes:
    """A document of YAML, changed in its text."""
    text = content.decode(errors="replace")
    for _ in range(chance.choice((1, 1, 2, 3))):
        text = chance.choice(_YAML_CHANGES)(chance, text)
    return text.encode(errors="surrogateescape")


def in_stream(chance: random.Random, content: bytes) -> bytes:
    """Lines of JSON: some of them changed, lost, doubled, cut or put elsewhere."""
    lines = content.split(b"\n")
    for _ in range(chance.choice((1, 1, 2, 4))):
        chance.choice(_STREAM_CHANGES)(chance, lines)
        lines = lines or [b""]
    return b"\n".join(lines)


def in_lines(chance: random.Random, content: bytes) -> bytes:
    """Lines of words (metrics, settings, tables): a word of them changed, or the bytes."""
    lines = content.split(b"\n")
    change = chance.choice((_word, _word, _word, _doubled, _lost, None))
    if change is None:
        return in_bytes(chance, content)
    change(chance, lines)
    return b"\n".join(lines)


def in_bytes(chance: random.Random, content: bytes) -> bytes:
    """Bytes turned, cut, left out, doubled, or put in that mean something to somebody."""
    data = bytearray(content)
    at = chance.randrange(len(data) + 1)
    chance.choice(_BYTE_CHANGES)(chance, data, at)
    return bytes(data)


# bytes


def _turned(chance: random.Random, data: bytearray, at: int) -> None:
    if data:
        data[at % len(data)] ^= 1 << chance.randrange(8)


def _cut(chance: random.Random, data: bytearray, at: int) -> None:
    del chance, data[at:]


def _left_out(chance: random.Random, data: bytearray, at: int) -> None:
    del data[at : at + chance.choice((1, 2, 100))]


def _again(chance: random.Random, data: bytearray, at: int) -> None:
    data[at:at] = data[at : at + chance.choice((1, 10, 1000))]


def _put_in(chance: random.Random, data: bytearray, at: int) -> None:
    data[at:at] = chance.choice((*_ODD, *_MEANING, *(value.encode() for value in VALUES[:-3])))


_ODD = (b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\x1b[31m", b"\r", b"\t") * 6
_MEANING = (b"{", b"}", b"[", b"]", b'"', b",", b":", b"\n", b"\\", b"&a ", b"*a", b"- ", b"'") * 3
_BYTE_CHANGES = (_turned, _cut, _left_out, _again, _put_in, _put_in, _put_in)


# lines


def _word(chance: random.Random, lines: list[bytes]) -> None:
    at = chance.randrange(len(lines))
    words = lines[at].split(b" ")
    words[chance.randrange(len(words))] = chance.choice(VALUES[:-3]).strip('"').encode()
    lines[at] = b" ".join(words)


def _doubled(chance: random.Random, lines: list[bytes]) -> None:
    at = chance.randrange(len(lines))
    lines[at:at] = [lines[at]] * chance.choice((1, 2, 40))


def _lost(chance: random.Random, lines: list[bytes]) -> None:
    at = chance.randrange(len(lines))
    del lines[at : at + chance.choice((1, 1, 3, 50))]


def _swapped(chance: random.Random, lines: list[bytes]) -> None:
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]


def _value_in(chance: random.Random, lines: list[bytes]) -> None:
    at = chance.randrange(len(lines))
    lines[at] = in_json(chance, lines[at])


def _bytes_in(chance: random.Random, lines: list[bytes]) -> None:
    at = chance.randrange(len(lines))
    lines[at] = in_bytes(chance, lines[at])


_STREAM_CHANGES = (_value_in, _value_in, _value_in, _value_in, _lost, _doubled, _swapped, _bytes_in)


# YAML


def _scalar(chance: random.Random, text: str) -> str:
    places = list(_SCALAR.finditer(text))
    if not places:
        return _line(chance, text)
    at = chance.choice(places)
    return text[: at.start()] + chance.choice(YAML_VALUES) + text[at.end() :]


def _bomb(chance: random.Random, text: str) -> str:
    return chance.choice((f"{_BOMB}\n{text}", f"{text}\n---\n{_BOMB}\n"))


def _line(chance: random.Random, text: str) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    lines[at] = chance.choice(("", " " + lines[at], lines[at][2:], "\t" + lines[at], "---"))
    return "\n".join(lines)


def _bytes_of(chance: random.Random, text: str) -> str:
    return in_bytes(chance, text.encode(errors="surrogatepass")).decode(errors="surrogateescape")


_YAML_CHANGES = (_scalar, _scalar, _scalar, _scalar, _scalar, _bomb, _line, _bytes_of)


# JSON


def _changed(chance: random.Random, value: Any, raw: list[str]) -> Any:
    """`value` with one place in it changed; what JSON's writer cannot write is left to `raw`."""
    ways = list(_ways(value))
    way = chance.choice(ways)
    if not way:
        return _instead(chance, value, raw)
    within = value
    for step in way[:-1]:
        within = within[step]
    last = way[-1]
    change = chance.choice(("value", "value", "value", "value", "gone", "name", "twice", "other"))
    if change == "gone":
        del within[last]
    elif change == "name" and isinstance(within, dict):
        name = chance.choice((f"{last}x", str(last).upper(), "", f"{_MARK}9", "\u001b[31m", "__class__"))
        within[name] = within.pop(last)
    elif change == "name":
        within[last:last] = [within[last]] * chance.choice((1, 2, 200))
    elif change == "twice" and isinstance(within, dict) and within[last] is not None:
        raw.append(f"{json.dumps(within[last])},{json.dumps(last)}:{json.dumps(within[last])}")
        within[last] = f"{_MARK}{len(raw) - 1}"
    elif change == "other":
        other = value
        for step in chance.choice(ways):
            other = other[step] if isinstance(other, dict) and step in other else other
        within[last] = json.loads(json.dumps(other))
    else:
        within[last] = _instead(chance, within[last], raw)
    return value


def _instead(chance: random.Random, value: Any, raw: list[str]) -> Any:
    """What stands in the place of a value."""
    kind = chance.choice(("within", "text", "number", "raw", "raw", "raw"))
    if kind == "within":
        return [value]
    if kind == "text" and isinstance(value, str):
        at = chance.randrange(len(value) + 1)
        odd = ("\u001b[2J", "\u202e", "\n", "\0", "é", " ", "/", "..", "🚀")
        return value[:at] + chance.choice(odd) + value[at:]
    if kind == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        return chance.choice((-value, value + 1, value * 10**9, str(value), float(value)))
    raw.append(chance.choice(VALUES))
    return f"{_MARK}{len(raw) - 1}"


def _ways(value: Any, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every value in a document."""
    yield way
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _ways(part, (*way, name))
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from _ways(part, (*way, at))
