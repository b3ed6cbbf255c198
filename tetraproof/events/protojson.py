"""protojson read with patience: what cannot be read costs only itself.

A message that the quick decoder refuses is read here field by field, by the rules
of protojson (https://protobuf.dev/programming-guides/json/): null is absent, an
enum may be a number, an integer may be text, names may be lowerCamelCase, bytes
may be either base64. A value that is none of what its field may hold is left at
the field's default, and its path is told, so that nobody takes it for absent.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.inspect import DictType, Metadata, StructType, Type, UnionType, VarTupleType, type_info

from tetraproof.events.api import NUMBERS

_BITS = 64
#: Text of more digits than this is no integer of any field.
_LONGEST = 24
#: A JSON number: Python's own readers take more for one (`7_0`, other alphabets' digits).
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


class _UnreadableError(Exception):
    """The value is none that the field may hold."""


def read(value: object, message: type[Struct], path: str = "") -> tuple[Struct, tuple[str, ...]]:
    """`value` (plain JSON) as `message`, and the paths (`process.pid`, `args.1.int_arg`) that could not be read.

    The path of the whole is `path`; where even that is no object, it is the one that is told.
    """
    unread: list[str] = []
    return _message(value, message, path, unread), tuple(unread)


def message_of(message: type[Struct], attribute: str) -> type[Struct] | None:
    """The message that a field of `message` holds; nothing where it holds plain values or several messages."""
    for name, _, kind in _fields(message).values():
        if name == attribute:
            members = kind.types if isinstance(kind, UnionType) else (kind,)
            return next((one.cls for one in members if isinstance(one, StructType)), None)
    return None


def name_of(written: str) -> str:
    """A field's name in the definition, of a name that may be lowerCamelCase: `nodeName` is `node_name`."""
    if written[:1].isupper():  # a few fields are written with a capital in the definition itself
        return written
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in written)


def _message(value: object, message: type[Struct], path: str, unread: list[str]) -> Struct:
    if not isinstance(value, Mapping):
        unread.append(path)
        return message()
    fields = _fields(message)
    found: dict[str, Any] = {}
    for written, content in value.items():
        known = fields.get(written)
        if known is None or content is None:
            if not is_text(written):  # whichever field that was
                unread.append(path)
            continue
        attribute, name, kind = known
        try:
            found[attribute] = _value(content, kind, f"{path}.{name}" if path else name, unread)
        except _UnreadableError:
            unread.append(f"{path}.{name}" if path else name)
    return message(**found)


def _value(content: Any, kind: Type, path: str, unread: list[str]) -> Any:
    if isinstance(kind, UnionType):
        kind = next(one for one in kind.types if not isinstance(one, msgspec.inspect.NoneType))
    if isinstance(kind, StructType):
        if not isinstance(content, Mapping):
            raise _UnreadableError
        return _message(content, kind.cls, path, unread)
    if isinstance(kind, VarTupleType):
        return _several(content, kind.item_type, path, unread)
    if isinstance(kind, DictType):
        return _mapping(content, path, unread)
    return _scalar(content, kind)


def _several(content: Any, kind: Type, path: str, unread: list[str]) -> tuple[Any, ...]:
    if not isinstance(content, list):
        raise _UnreadableError
    found = []
    for at, one in enumerate(content):
        try:
            found.append(_value(one, kind, f"{path}.{at}", unread))
        except _UnreadableError:
            unread.append(f"{path}.{at}")
            if isinstance(kind, StructType):  # what follows keeps its position
                found.append(kind.cls())
    return tuple(found)


def _mapping(content: Any, path: str, unread: list[str]) -> dict[str, str]:
    if not isinstance(content, Mapping):
        raise _UnreadableError
    plain = {key: value for key, value in content.items() if isinstance(value, str) and is_text(key + value)}
    unread += [f"{path}.{key}" for key in content if key not in plain]
    return plain


def _scalar(content: Any, kind: Type) -> Any:
    if isinstance(kind, Metadata):
        return _enum(content, NUMBERS[(kind.extra or {})["enum"]])
    if isinstance(kind, msgspec.inspect.IntType):
        return _integer(content)
    if isinstance(kind, msgspec.inspect.BytesType):
        return _bytes(content)
    expected = {msgspec.inspect.StrType: str, msgspec.inspect.BoolType: bool}.get(type(kind))
    if expected is not None:
        if not isinstance(content, expected) or (isinstance(content, str) and not is_text(content)):
            raise _UnreadableError
        return content
    return _time(content) if isinstance(kind, msgspec.inspect.DateTimeType) else _float(content)


def is_text(content: str) -> bool:
    """Whether nothing in it stands for bytes that were none, or for half of a character."""
    try:
        content.encode()
    except UnicodeEncodeError:
        return False
    return True


def _time(content: Any) -> datetime:
    try:
        time = msgspec.convert(content, datetime, strict=True)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        raise _UnreadableError from error
    if time.tzinfo is None:  # when that was, nobody knows
        raise _UnreadableError
    return time


def _float(content: Any) -> float:
    try:
        return msgspec.convert(content, float, strict=False)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        raise _UnreadableError from error


def _enum(content: Any, names: Mapping[int, str]) -> str:
    if isinstance(content, str) and is_text(content):
        return content
    if isinstance(content, int) and not isinstance(content, bool) and content in names:
        return names[content]
    raise _UnreadableError


def _integer(content: Any) -> int:
    try:
        if isinstance(content, str) and len(content) <= _LONGEST and _NUMBER.fullmatch(content):
            content = int(content) if content.lstrip("-").isdecimal() else float(content)
        if isinstance(content, bool) or not isinstance(content, int | float) or int(content) != content:
            raise _UnreadableError
    except (ValueError, OverflowError) as error:
        raise _UnreadableError from error
    if abs(content) >= 1 << _BITS:
        raise _UnreadableError
    return int(content)


def _bytes(content: Any) -> bytes:
    if not isinstance(content, str):
        raise _UnreadableError
    text = content.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _UnreadableError from error


@cache
def _fields(message: type[Struct]) -> dict[str, tuple[str, str, Type]]:
    """Each name under which a field may stand: its attribute, its name in the definition, and its type."""
    described = type_info(message)
    assert isinstance(described, StructType)
    found = {}
    for one in described.fields:
        told = one.name, one.encode_name, one.type
        found[one.encode_name] = told
        found.setdefault(_camel(one.encode_name), told)
    return found


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
