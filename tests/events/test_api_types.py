"""The types of events are made from a protobuf definition: what becomes of each form of field."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from tests.builders import ROOT

EVENTS = """\
syntax = "proto3";
package tetragon;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "tetragon/more.proto";

message GetEventsResponse {
  oneof event {
    ProcessMade process_made = 1;
    Told told_info = 40000;
  }
  string node_name = 1000;
  google.protobuf.Timestamp time = 1001;
}
message Told { uint64 number = 1; }
message ProcessMade {
  Process process = 1;
  repeated Process ancestors = 2;
  Kind kind = 3;
  repeated Kind kinds = 4;
  string return = 5;
  map<string, string> labels = 6;
  oneof arg { string text_arg = 7; int32 int_arg = 8; Told told_arg = 9; }
}
enum Kind { KIND_UNKNOWN = 0; KIND_ONE = 1; }
"""
MORE = """\
syntax = "proto3";
package tetragon;
import "google/protobuf/wrappers.proto";
message Process {
  string exec_id = 1;
  google.protobuf.UInt32Value pid = 2;
  google.protobuf.BoolValue in_init_tree = 3;
  bytes buildid = 4;
  bool flag = 5;
  string ProgName = 6;
}
message Unused { string never = 1; }
"""
LINE = b"""\
{"process_made": {"process": {"exec_id": "a", "pid": 7, "in_init_tree": false, "buildid": "q80=", "flag": true,
 "ProgName": "x"}, "ancestors": [{"exec_id": "b"}], "kind": "KIND_ONE", "kinds": ["KIND_ONE"], "return": "r",
 "labels": {"a": "b"}, "told_arg": {"number": "18446744073709551615"}},
 "node_name": "n", "time": "2026-11-26T00:00:00Z"}
"""


def make(folder: Path, version: str = "0.0.0") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools/api_types.py"), str(folder), version, "--to", str(folder / "made.py")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The module that is made of the definition above."""
    folder = tmp_path_factory.mktemp("api")
    (folder / "tetragon").mkdir()
    (folder / "tetragon/events.proto").write_text(EVENTS)
    (folder / "tetragon/more.proto").write_text(MORE)
    done = make(folder)
    assert done.returncode == 0, done.stderr
    spec = importlib.util.spec_from_file_location("made", folder / "made.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["made"] = module
    spec.loader.exec_module(module)
    return module


def test_every_form_of_field_is_read(made: ModuleType) -> None:
    """As protojson writes it: 64 bits as text, wrapped values plain, enums by name, bytes as base64."""
    read: Any = msgspec.json.decode(LINE, type=made.GetEventsResponse, strict=False)
    told, process = read.process_made, read.process_made.process
    assert (process.pid, process.in_init_tree, process.buildid, process.flag) == (7, False, b"\xab\xcd", True)
    assert (process.exec_id, process.ProgName, told.ancestors[0].exec_id) == ("a", "x", "b")
    assert (told.kind, told.kinds, told.return_, told.labels) == ("KIND_ONE", ("KIND_ONE",), "r", {"a": "b"})
    assert (told.told_arg.number, told.text_arg, told.int_arg) == (2**64 - 1, None, None)
    assert (read.node_name, read.time.year, read.told_info) == ("n", 2026, None)


def test_what_is_not_set_is_protobufs_default_or_nothing(made: ModuleType) -> None:
    """Plain fields have a default; a message, a wrapped value and a member of a oneof may not be there."""
    empty = made.ProcessMade()
    assert (empty.process, empty.ancestors, empty.kind, empty.return_, empty.labels) == (None, (), "", "", {})
    process = made.Process()
    assert (process.pid, process.in_init_tree, process.buildid, process.flag) == (None, None, b"", False)


def test_kinds_and_the_numbers_of_enums_are_named(made: ModuleType) -> None:
    """The kinds are the members of the event; what no event holds is left out."""
    assert {"process_made": made.ProcessMade, "told_info": made.Told} == made.KINDS
    assert made.NUMBERS == {"Kind": {0: "KIND_UNKNOWN", 1: "KIND_ONE"}}
    assert made.VERSION == "0.0.0"
    assert not hasattr(made, "Unused")


def test_a_folder_without_a_definition_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """With what to name instead, and exit code 2."""
    done = make(tmp_path)
    assert done.returncode == 2
    assert "holds no tetragon/events.proto" in done.stderr
    assert "api/v1" in done.stderr
