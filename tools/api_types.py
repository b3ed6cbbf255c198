"""Write `tetraproof/events/api.py`: the types of Tetragon's events, made from Tetragon's own protobuf definition.

    make types PROTO=…/tetragon/api/v1 VERSION=1.8.0

`PROTO` is the folder that holds `tetragon/events.proto` and what it imports (a checkout's `api/v1`), `VERSION`
says which one that is. What it writes is never edited by hand: a newer definition is this command again, and a
diff that a person reads.
"""

from __future__ import annotations

import argparse
import keyword
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorSet,
)

#: Everything that an event holds hangs below this message.
ROOT = "GetEventsResponse"
#: The oneof of the root whose members are the kinds of event.
KINDS = "event"
_SCALARS = {
    FieldDescriptorProto.TYPE_BOOL: ("bool", "False"),
    FieldDescriptorProto.TYPE_STRING: ("str", '""'),
    FieldDescriptorProto.TYPE_BYTES: ("bytes", 'b""'),
    FieldDescriptorProto.TYPE_DOUBLE: ("float", "0.0"),
    FieldDescriptorProto.TYPE_FLOAT: ("float", "0.0"),
}
# Well-known types that protojson writes as a plain value; there, null is nothing.
_PLAIN = {
    "google.protobuf.Timestamp": "datetime",
    "google.protobuf.Duration": "str",
    "google.protobuf.BoolValue": "bool",
    "google.protobuf.StringValue": "str",
    "google.protobuf.BytesValue": "bytes",
    "google.protobuf.Int32Value": "int",
    "google.protobuf.UInt32Value": "int",
    "google.protobuf.Int64Value": "int",
    "google.protobuf.UInt64Value": "int",
}
_HEADER = '''\
"""Tetragon's events, as its protobuf definition has them. Made by tools/api_types.py: not to be edited.

Fields are named as in the definition; an enum's value is its name; a field that an event does not set has
protobuf's default, or nothing where it is a message, a wrapped value or one of several.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, field

#: Which definition this is.
VERSION = "{version}"
#: The names of each enum's numbers.
NUMBERS: dict[str, dict[int, str]] = {{}}
'''


def main() -> int:
    """Write the types."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("proto", type=Path, help="the folder that holds tetragon/events.proto")
    parser.add_argument("version", help="which definition that is")
    parser.add_argument("--to", type=Path, default=Path(__file__).parents[1] / "tetraproof/events/api.py")
    arguments = parser.parse_args()
    if not (arguments.proto / "tetragon/events.proto").is_file():
        print(
            f"{arguments.proto} holds no tetragon/events.proto. To mend it: name a checkout's api/v1", file=sys.stderr
        )
        return 2
    text = types(_described(arguments.proto), arguments.version)
    arguments.to.write_text(text, encoding="utf-8")
    print(f"wrote {arguments.to}: {text.count(chr(10) + 'class ')} messages of {arguments.version}")
    return 0


def _described(folder: Path) -> FileDescriptorSet:
    """The definition, read by protobuf's own compiler."""
    with tempfile.TemporaryDirectory() as place:
        made = Path(place) / "descriptors"
        included = str(files("grpc_tools") / "_proto")
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"-I{included}", "--include_imports"]
        subprocess.run([*command, f"--descriptor_set_out={made}", "tetragon/events.proto"], check=True)  # noqa: S603
        return FileDescriptorSet.FromString(made.read_bytes())


def types(described: FileDescriptorSet, version: str) -> str:
    """The module's text."""
    own = [one for one in described.file if one.package == "tetragon"]
    messages = {message.name: message for one in own for message in one.message_type}
    enums = {enum.name: enum for one in own for enum in one.enum_type}
    order = list(_below(messages[ROOT], messages, set()))
    used = {_name(field) for message in order for field in message.field if _is_enum(field)}
    parts = [_HEADER.format(version=version)]
    parts += [_enum(enums[name]) for name in sorted(used)]
    parts += [_class(message) for message in order]
    members = [field for field in messages[ROOT].field if field.HasField("oneof_index")]
    parts.append(
        "\n\n#: The kinds of event by the field that holds them.\nKINDS: dict[str, type[Struct]] = {\n"
        + "".join(f'    "{field.name}": {_name(field)},\n' for field in members)
        + "}\n"
    )
    return "".join(parts)


def _below(message: DescriptorProto, messages: dict[str, DescriptorProto], seen: set[str]) -> Iterator[DescriptorProto]:
    """All messages that `message` holds, each after what it holds itself."""
    seen.add(message.name)
    for one in message.field:
        held = messages.get(_name(one))
        if held is not None and held.name not in seen:
            yield from _below(held, messages, seen)
    yield message


def _enum(enum: EnumDescriptorProto) -> str:
    names = "".join(f'    {value.number}: "{value.name}",\n' for value in enum.value)
    table = f'NUMBERS["{enum.name}"] = {{\n{names}}}'
    return f'\n{table}\n{enum.name} = Annotated[str, Meta(extra={{"enum": "{enum.name}"}})]\n'


def _class(message: DescriptorProto) -> str:
    fields = "".join(f"    {_field(one, message)}\n" for one in message.field)
    return (
        f'\n\nclass {message.name}(Struct, frozen=True, gc=False):\n    """Tetragon\'s message {message.name}."""\n\n'
        f"{fields or '    pass'}"
    )


def _field(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    kind, default = _type(field, message)
    name = field.name
    if keyword.iskeyword(name):
        return f'{name}_: {kind} = field(default={default}, name="{name}")'
    return f"{name}: {kind} = {default}"


def _type(field: FieldDescriptorProto, message: DescriptorProto) -> tuple[str, str]:
    plain, default = _plain(field)
    nested = {one.name: one for one in message.nested_type}
    entry = nested.get(_name(field))
    if entry is not None and entry.options.map_entry:
        key, value = (_plain(one)[0] for one in entry.field)
        return f"dict[{key}, {value}]", "{}"
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"tuple[{plain}, ...]", "()"
    if default == "None" or field.HasField("oneof_index"):
        return f"{plain} | None", "None"
    return plain, default


def _plain(field: FieldDescriptorProto) -> tuple[str, str]:
    if field.type == FieldDescriptorProto.TYPE_MESSAGE:
        return _PLAIN.get(field.type_name.lstrip("."), _name(field)), "None"
    if _is_enum(field):
        return _name(field), '""'
    return _SCALARS.get(field.type, ("int", "0"))


def _is_enum(field: FieldDescriptorProto) -> bool:
    return field.type == FieldDescriptorProto.TYPE_ENUM


def _name(field: FieldDescriptorProto) -> str:
    return field.type_name.rpartition(".")[2]


if __name__ == "__main__":
    sys.exit(main())
