"""Events: what was recorded is told whole, what is hostile harms nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tetraproof.events import api
from tetraproof.events.event import Event, Exec, Exit, Kprobe, Malformed, Process, RateLimit, Throttle, parse

SCENARIOS = Path(__file__).parents[2] / "recordings"
RECORDED = sorted(path for name in ("events", "export") for path in SCENARIOS.glob(f"*/scenarios/*/{name}.jsonl"))

ISO = re.compile(r"\d{4}-\d\d-\d\dT")

Json = Any

PROCESS = {
    "exec_id": "bm9kZToxOjQy",
    "pid": 42,
    "uid": 7,
    "cwd": "/srv",
    "binary": "/usr/bin/cat",
    "arguments": "-n /etc/hostname",
    "flags": "execve clone",
    "docker": "dffb0e22942e616",
    "parent_exec_id": "bm9kZTowOjE=",
    "pod": {
        "namespace": "other",
        "name": "probe-7d4f",
        "workload": "probe",
        "workload_kind": "Deployment",
        "container": {"id": "containerd://dffb0e22", "name": "shell"},
        "pod_labels": {"app": "probe"},
    },
    "cap": {"permitted": ["CAP_CHOWN"], "effective": ["CAP_KILL"], "inheritable": ["CAP_SYS_ADMIN"]},
    "process_credentials": {"uid": 7},
}
FILE = {"path": "/srv/guarded", "permission": "-rw-r--r--", "mount": "m", "flags": "f"}
SOCK = {
    "family": "AF_INET",
    "type": "SOCK_STREAM",
    "protocol": "IPPROTO_TCP",
    "saddr": "10.0.0.3",
    "daddr": "203.0.113.10",
    "sport": 40000,
    "dport": 443,
    "cookie": "18446623",
    "state": "TCP_SYN_SENT",
}
KPROBE = {
    "process": PROCESS,
    "parent": {"pid": 1, "binary": "/usr/bin/bash"},
    "function_name": "fd_install",
    "args": [{"int_arg": 3}, {"file_arg": FILE}, {"sock_arg": SOCK}, {"size_arg": "18446744073709551615"}],
    "return": {"int_arg": -1},
    "action": "KPROBE_ACTION_SIGKILL",
    "return_action": "KPROBE_ACTION_POST",
    "policy_name": "block-fd-install",
    "message": "guarded",
    "tags": ["observability"],
}
ENVELOPE = {"node_name": "tetra-node", "time": "2026-11-23T07:49:48.014005970Z"}
WHOLE = {"process_kprobe": KPROBE, **ENVELOPE}
LINE = json.dumps(WHOLE).encode()

names = st.text(max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(names, values, max_size=4)
# whatever is asked for, and what Tetragon will never write there
WRONG = {
    str: st.none() | st.booleans() | st.integers() | st.lists(values, max_size=3) | objects,
    int: st.booleans() | names | st.lists(values, max_size=3) | objects,
    list: st.none() | st.booleans() | st.integers() | names.filter(bool) | objects.filter(bool),
    dict: st.booleans() | st.integers() | names | st.lists(values, min_size=1, max_size=3),
}


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place of a JSON value, as the path to it."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


def at(value: Json, path: tuple[str | int, ...]) -> Json:
    """What is at a place."""
    for step in path:
        value = value[step]
    return value


TYPED = [path for path in places(KPROBE) if path]


def use(event: Event | Malformed) -> None:
    """Ask an event for all that it can tell; a malformed line has at least its reason."""
    if isinstance(event, Malformed):
        assert event.reason
        return
    assert isinstance(event.process, Process)
    assert isinstance(event.pod, str)
    assert event.parent is None or isinstance(event.parent, Process)
    assert event.time is None or isinstance(event.time, datetime)
    assert event.typed is not isinstance(event.detail, dict)
    assert isinstance(event.json(), dict)


def agrees(typed: object, raw: object) -> bool:
    """Whether what is typed says what the JSON says, wherever both speak."""
    if isinstance(typed, dict) and isinstance(raw, dict):
        return all(agrees(typed[key], raw[key]) for key in typed.keys() & raw.keys())
    if isinstance(typed, list | tuple) and isinstance(raw, list):
        return len(typed) == len(raw) and all(map(agrees, typed, raw))
    if isinstance(typed, int) and isinstance(raw, str):
        return str(typed) == raw  # protojson writes long integers as texts
    if isinstance(typed, str) and isinstance(raw, str) and ISO.match(raw):
        return abs(datetime.fromisoformat(typed) - datetime.fromisoformat(raw)).total_seconds() < 1e-5
    return typed == raw


def test_there_are_recordings() -> None:
    """Without recordings the tests below would pass by proving nothing."""
    assert {path.name for path in RECORDED} == {"events.jsonl", "export.jsonl"}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: "/".join(path.parts[-4:]))
def test_a_recorded_line_is_an_event_of_a_known_kind(path: Path) -> None:
    """Every recorded line is a typed event, and says what its JSON says; only a rotation stands between them."""
    for line in path.read_bytes().splitlines():
        event = parse(line)
        if isinstance(event, Malformed):
            assert "rotated" in event.reason
            continue
        raw = json.loads(line)
        assert event.json() == raw
        assert event.typed
        assert event.unread == ()
        field = f"process_{event.kind}"
        assert agrees(msgspec.to_builtins(event.detail), raw[field])
        assert event.node == raw["node_name"]
        if event.kind == "loader":  # which has none
            assert (event.time, "time" in raw) == (None, False)
            continue
        assert event.time is not None
        assert abs(event.time - datetime.fromisoformat(raw["time"])).total_seconds() < 1e-5


def test_every_typed_field_is_told() -> None:
    """A kprobe event tells each field by its name in the API."""
    event = parse(LINE)
    assert isinstance(event, Event)
    assert isinstance(event.detail, Kprobe)
    told = msgspec.to_builtins(event.detail)
    assert agrees(told, KPROBE)
    # agreement passes over what is missing, so a misspelt field would go unseen without these
    for path in places(KPROBE):
        assert at(told, path) is not None
    assert [argument.int_arg for argument in event.detail.args] == [3, None, None, None]
    assert event.detail.args[3].size_arg == 2**64 - 1
    assert event.parent == Process(pid=1, binary="/usr/bin/bash")
    assert (event.kind, event.node, event.pod, event.unread) == ("kprobe", "tetra-node", "other/probe-7d4f", ())
    assert event.time == datetime(2026, 11, 23, 7, 49, 48, 14006, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "detail", "kind", "told"),
    [
        ("process_exec", {"process": {"pid": 2}}, "exec", Exec(Process(pid=2))),
        ("process_exit", {"process": {}, "status": 3}, "exit", Exit(Process(), status=3)),
        ("process_exit", {"process": {}, "signal": "SIGKILL"}, "exit", Exit(Process(), signal="SIGKILL")),
        ("process_throttle", {"type": "THROTTLE_START", "cgroup": "c"}, "throttle", Throttle("THROTTLE_START", "c")),
        ("rate_limit_info", {"number_of_dropped_process_events": "9"}, "rate-limit", RateLimit(9)),
    ],
)
def test_a_known_kind_is_typed(field: str, detail: dict[str, Any], kind: str, told: object) -> None:
    """Each known kind becomes its own type."""
    event = parse(json.dumps({field: detail}).encode())
    assert isinstance(event, Event)
    assert (event.kind, event.detail) == (kind, told)


@given(st.binary() | st.builds(lambda value: json.dumps(value).encode(), values))
@example(b"")
@example(b"[]")
@example(b"null")
@example(b"\xff\xfe{")
@example(b"1" * 5000)
def test_no_bytes_raise(line: bytes) -> None:
    """Any bytes, and any JSON, are an event or malformed with a reason."""
    use(parse(line))


@given(st.sampled_from([*api.KINDS, "process_new"]), objects, objects)
def test_no_json_object_raises(field: str, detail: dict[str, Any], around: dict[str, Any]) -> None:
    """An object of any shape, under a known kind or not, is told in full."""
    whole = {**around, field: detail}
    event = parse(json.dumps(whole).encode())
    use(event)
    assert isinstance(event, Event)
    assert event.json() == whole


@given(objects.filter(lambda value: not any(key.startswith("process") or key in api.KINDS for key in value)))
@example({"kubernetes": {"pod_name": "tetragon-abc"}, "log": {"process_exec": {"process": {}}}})
@example({"insertId": "x", "jsonPayload": {"process_exec": {"process": {}}}})
@example({"level": "info", "msg": "Starting tetragon"})
@example({"process_exec": None, "node_name": "n"})
@example({"process_new": "x"})
def test_an_object_that_names_no_event_is_none(value: dict[str, Any]) -> None:
    """Whatever else it holds: an event of no kind would be a lie."""
    event = parse(json.dumps(value).encode())
    assert isinstance(event, Malformed)
    assert "names no event" in event.reason


@given(st.integers(0, len(LINE) - 1))
def test_a_cut_line_is_malformed(length: int) -> None:
    """A line that was cut anywhere is no event, and its bytes are kept."""
    event = parse(LINE[:length])
    assert isinstance(event, Malformed)
    assert event.line == LINE[:length].strip()
    assert event.reason


@given(st.integers(0, len(LINE)), st.binary(min_size=1, max_size=4) | st.sampled_from([b"\xff", b"\xc3", b"\xed\xa0"]))
def test_bytes_in_the_middle_do_not_raise(position: int, rubbish: bytes) -> None:
    """Rubbish anywhere in a line, invalid UTF-8 above all, neither raises at once nor later."""
    use(parse(LINE[:position] + rubbish + LINE[position:]))


@pytest.mark.parametrize(
    "value", [b'"\xff"', b'{"\xc3": 1}', b"1e999", b"9" * 5000], ids=["text", "key", "float", "integer"]
)
def test_a_field_that_is_passed_over_does_not_raise_later(value: bytes) -> None:
    """What stands in a field of no interest, however broken, does not make an event's JSON fail."""
    use(parse(b'{"process_exec": {"process": {"pid": 2}}, "new_field": ' + value + b"}"))


@pytest.mark.parametrize("text", [r"\ud800", r"\udc00\ud800", r"a\udfffb"])
def test_half_a_surrogate_pair_does_not_raise(text: str) -> None:
    """An escape that is no character is told as such, not raised."""
    use(parse(b'{"process_exec": {"process": {"binary": "%s"}}}' % text.encode()))


@pytest.mark.parametrize("depth", [100, 1_000, 100_000])
@pytest.mark.parametrize(
    "line",
    [
        b'{"process_new": %s1%s}',
        b'{"process_exec": {"process": {"process_credentials": %s1%s}}}',
        b'{"process_exec": {"process": {"pid": 2}, "ancestors": %s1%s}}',
    ],
    ids=["unknown kind", "known field", "unknown field"],
)
def test_deep_nesting_does_not_raise(line: bytes, depth: int) -> None:
    """However deep a line nests, there is an answer."""
    use(parse(line % (b'{"a":' * depth, b"}" * depth)))


@given(st.data(), st.sampled_from(TYPED))
def test_a_wrong_type_costs_only_itself(data: st.DataObject, path: tuple[str | int, ...]) -> None:
    """A known kind with a field of another type keeps its kind, all else that it says, and its JSON."""
    whole = json.loads(LINE)
    *way, last = path
    at(whole["process_kprobe"], tuple(way))[last] = data.draw(WRONG[type(at(KPROBE, path))])
    event = parse(json.dumps(whole).encode())
    use(event)
    assert isinstance(event, Event)
    here = ".".join(map(str, path))
    assert all(unread == here or unread.startswith(f"{here}.") for unread in event.unread)
    assert event.typed
    assert event.kind == "kprobe"
    assert event.json() == whole
    assert event.node == "tetra-node"
    assert event.time is not None
    assert (event.process.binary == "/usr/bin/cat") or path in {("process",), ("process", "binary")}
    assert (event.detail.function_name == "fd_install") or path == ("function_name",)


@pytest.mark.parametrize(
    ("field", "value", "lost"),
    [
        ("time", 5, True),
        ("time", "5", True),
        ("time", "yesterday", True),
        ("time", "2026-11-23T07:49:48", True),
        ("time", None, True),
        ("node_name", ["n"], True),
        ("node_name", None, True),
        ("node_labels", 5, False),
        ("aggregation_info", {"count": "x"}, False),
    ],
)
def test_a_wrong_envelope_keeps_the_event(field: str, value: object, *, lost: bool) -> None:
    """A time that is none, or a node without a name, does not cost the event; that it was there is told."""
    event = parse(json.dumps({"process_kprobe": KPROBE, **ENVELOPE, field: value}).encode())
    use(event)
    assert isinstance(event, Event)
    assert event.kind == "kprobe"
    assert event.process.binary == "/usr/bin/cat"
    assert (event.time is None) == (lost and field == "time")
    assert (event.node == "") == (lost and field == "node_name")
    if lost:
        assert event.unread == (() if value is None else (field,))


@pytest.mark.parametrize(
    ("whole", "kind", "unread"),
    [
        ({"new": "word", "process_exec": {"process": 5}}, "exec", ("process",)),
        ({"process_exec": 5}, "exec", ("",)),
        ({"process_exec": []}, "exec", ("",)),
        ({"node_labels": {"a": "b"}, "process_throttle": {"type": 5}}, "throttle", ("type",)),
        (
            {"rate_limit_info": {"number_of_dropped_process_events": []}},
            "rate-limit",
            ("number_of_dropped_process_events",),
        ),
        ({"process_tracepoint": {"subsys": 1, "event": "e"}}, "tracepoint", ("subsys",)),
    ],
)
def test_a_known_kind_in_a_wrong_shape_keeps_its_name(
    whole: dict[str, Any], kind: str, unread: tuple[str, ...]
) -> None:
    """What surrounds an event does not name it, and its own name stays the one that it is known by."""
    event = parse(json.dumps(whole).encode())
    assert isinstance(event, Event)
    assert (event.kind, event.typed, event.unread) == (kind, True, unread)


@given(st.text("abcxyz0123456789", max_size=12), objects)
@example("loader", {"process": {"pid": "?"}})
@example("gadget", {"process": PROCESS, "function_name": "file_open"})
def test_an_unknown_kind_keeps_all_of_its_fields(name: str, detail: dict[str, Any]) -> None:
    """What is not typed keeps its name and its fields, and its process where it has one."""
    name += "-new"
    event = parse(json.dumps({f"process_{name}": detail, **ENVELOPE}).encode())
    use(event)
    assert isinstance(event, Event)
    assert (event.kind, event.detail, event.typed, event.node) == (name, detail, False, "tetra-node")
    assert event.json() == {f"process_{name}": detail, **ENVELOPE}
    if detail.get("process") == PROCESS:
        assert event.process.binary == "/usr/bin/cat"
        assert event.pod == "other/probe-7d4f"


@pytest.mark.parametrize(
    ("line", "anonymous"),
    [
        ({"process_kprobe": {"function_name": "f"}}, True),
        ({"process_kprobe": {"process": None}}, True),
        ({"process_exec": {"process": {"pid": 7, "binary": "/x"}}}, True),
        ({"process_exec": {"process": {"exec_id": 7}}}, True),
        ({"process_exec": {"process": {"exec_id": "a"}}}, False),
        ({"process_new": {"process": {"exec_id": "a"}}}, False),
        ({"process_new": {}}, True),
        # no process does these
        ({"process_throttle": {}}, False),
        ({"rate_limit_info": {}}, False),
    ],
)
def test_an_event_of_nobody_is_told_apart(line: dict[str, Any], *, anonymous: bool) -> None:
    """A process did it, and nobody can say which."""
    event = parse(json.dumps(line).encode())
    assert isinstance(event, Event)
    assert event.anonymous is anonymous


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("process.pid",), "process.pid"),
        (("process",), "process.pid"),
        (("process.pid.x",), "process.pid"),
        (("process.pi",), ""),
        (("process.binary",), ""),
        (("args.1.int_arg", "process.pid"), "process.pid"),
        (("args",), "args.1"),
        (("args.1.file_arg.path",), "args.1"),
        (("args.10",), ""),
        ((), ""),
    ],
)
def test_what_could_not_be_read_is_found_by_where_it_lies(asked: tuple[str, ...], told: str) -> None:
    """At, below or above what is asked for."""
    event = parse(json.dumps({"process_kprobe": {"process": {"pid": "x"}, "args": [{}, 5]}, **ENVELOPE}).encode())
    assert isinstance(event, Event)
    assert set(event.unread) == {"process.pid", "args.1"}
    assert event.could_not_read(*asked) == told


def test_where_nothing_could_be_read_everything_is_unread() -> None:
    """It is told by the kind, for there is no path."""
    event = parse(b'{"process_exec": 5}')
    assert isinstance(event, Event)
    assert event.could_not_read("process.binary") == "exec"


@pytest.mark.parametrize("missing", ["node_name", "time", "exec_id", "binary"])
def test_what_stands_under_another_name_is_found(missing: str) -> None:
    """Whatever an agent always tells, and is not there under its name, is looked for under the other."""
    camel = {"node_name": "nodeName", "exec_id": "execId"}.get(missing, missing)
    whole = json.loads(LINE)
    for level in (whole, whole["process_kprobe"]["process"]):
        if missing in level:
            level[camel] = level.pop(missing)
    event, expected = parse(json.dumps(whole).encode()), parse(LINE)
    assert isinstance(event, Event)
    assert isinstance(expected, Event)
    assert (event.node, event.time, event.detail) == (expected.node, expected.time, expected.detail)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=4))
def test_of_duplicate_keys_the_last_counts(pids: list[int]) -> None:
    """A key given twice means what JSON readers make of it, typed and whole."""
    many = ", ".join(f'"process_exec": {{"process": {{"pid": 99, "pid": {pid}}}}}' for pid in pids)
    event = parse(f"{{{many}}}".encode())
    assert isinstance(event, Event)
    assert event.process.pid == pids[-1]
    assert event.json() == {"process_exec": {"process": {"pid": pids[-1]}}}


def test_a_rotation_is_named() -> None:
    """The notice that tail writes between events is told as what it is."""
    event = parse(b"tail: /var/run/cilium/tetragon/tetragon.log has been replaced; following end of new file\n")
    assert isinstance(event, Malformed)
    assert "rotated" in event.reason
    assert event.line.startswith(b"tail: ")


def test_another_notice_of_tail_is_no_rotation() -> None:
    """A complaint of tail is the export container's too, but nothing was rotated."""
    event = parse(b"tail: cannot open '/var/run/cilium/tetragon/tetragon.log' for reading: No such file or directory")
    assert isinstance(event, Malformed)
    assert "export container" in event.reason
    assert "rotated" not in event.reason
