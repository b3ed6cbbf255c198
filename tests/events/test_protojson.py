"""protojson read with patience: its own rules hold, and an odd value costs only itself."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tetraproof.events import api
from tetraproof.events.event import Event, parse
from tetraproof.events.protojson import name_of, read

PROCESS: dict[str, Any] = {
    "exec_id": "bm9kZTox",
    "pid": 42,
    "uid": 0,
    "cwd": "/srv",
    "binary": "/usr/bin/cat",
    "start_time": "2026-11-23T07:49:48.5Z",
    "refcnt": 1,
    "in_init_tree": True,
    "cap": {"permitted": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_KILL"]},
    "pod": {
        "namespace": "other",
        "name": "probe",
        "container": {"id": "containerd://dffb", "start_time": "2026-11-23T07:49:40Z", "pid": 1},
        "pod_labels": {"app": "probe", "tier": "x"},
    },
    "process_credentials": {
        "uid": 7,
        "securebits": ["SecBitNoRoot"],
        "user_ns": {"level": 0, "ns": {"inum": 4026531837}},
    },
}
KPROBE: dict[str, Any] = {
    "process": PROCESS,
    "parent": {"exec_id": "bm9kZTow", "pid": 1, "binary": "/usr/bin/bash"},
    "function_name": "fd_install",
    "args": [
        {"int_arg": 3, "label": "fd"},
        {"file_arg": {"path": "/etc/shadow", "flags": "f"}},
        {"bytes_arg": "aGVsbG8="},
        {"sock_arg": {"daddr": "203.0.113.9", "dport": 443, "cookie": "18446744073709551615"}},
        {"truncated_bytes_arg": {"bytes_arg": "_-8=", "orig_size": "9"}},
    ],
    "return": {"int_arg": -1},
    "action": "KPROBE_ACTION_SIGKILL",
    "kernel_stack_trace": [{"address": "1", "offset": "2", "symbol": "s"}],
    "policy_name": "guard",
    "tags": ["a", "b"],
}
#: What no field of any type may hold, what only some may, and what looks like a number to Python and is none.
ODD: list[Any] = [
    *(True, False, 7, -7, 7.5, 1e20, 2**70, "x", "", "7", "7_0", " 7", "\uff17", "0x7", "nan", "inf", "007"),
    *([], {}, [None], ["a"], [[]], {"a": 1}, {"": None}, "2026-11-26T14:46:13", "YQ", "!"),
]


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    for step, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(inner, (*path, step))


def altered(path: tuple[str | int, ...], odd: Any) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(json.dumps(KPROBE))
    *way, last = path
    at: Any = whole
    for step in way:
        at = at[step]
    at[last] = odd
    return whole


def plain(message: Any) -> dict[str, Any]:
    """Every value of a message by its path, bytes as they are and messages taken apart."""
    found: dict[str, Any] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, msgspec.Struct):
            for field in msgspec.structs.fields(value):
                walk(getattr(value, field.name), f"{path}.{field.encode_name}" if path else field.encode_name)
        elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
            for at, one in enumerate(value):
                walk(one, f"{path}.{at}")
        else:
            found[path] = value

    walk(message, "")
    return found


def kprobe(value: object) -> tuple[api.ProcessKprobe, tuple[str, ...]]:
    message, unread = read(value, api.ProcessKprobe)
    assert isinstance(message, api.ProcessKprobe)
    return message, unread


WHOLE = plain(kprobe(KPROBE)[0])
PATHS = list(places(KPROBE))


def test_what_is_written_by_the_rules_is_read_whole() -> None:
    """Also texts of 64-bit integers, bytes, enums, times."""
    message, unread = kprobe(KPROBE)
    assert unread == ()
    assert message.process is not None
    assert message.process.start_time is not None
    assert message.process.start_time.isoformat() == "2026-11-23T07:49:48.500000+00:00"
    assert message.process.pod is not None
    assert message.process.pod.pod_labels == {"app": "probe", "tier": "x"}
    assert message.args[2].bytes_arg == b"hello"
    assert message.args[3].sock_arg is not None
    assert message.args[3].sock_arg.cookie == 2**64 - 1
    assert message.args[4].truncated_bytes_arg == api.KprobeTruncatedBytes(bytes_arg=b"\xff\xef", orig_size=9)
    assert message.return_ == api.KprobeArgument(int_arg=-1)
    assert message.kernel_stack_trace == (api.StackTraceEntry(address=1, offset=2, symbol="s"),)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_an_odd_value_costs_only_itself(path: tuple[str | int, ...]) -> None:
    """Wherever it stands: it is read, or its path is told, and the rest is as it was."""
    here = ".".join(map(str, path))
    for odd in ODD:
        message, unread = kprobe(altered(path, odd))
        assert all(one == here or one.startswith(f"{here}.") for one in unread), (odd, unread)
        outside = {at: value for at, value in plain(message).items() if not overlaps(at, here)}
        assert outside == {at: value for at, value in WHOLE.items() if not overlaps(at, here)}, odd


def overlaps(path: str, other: str) -> bool:
    # a list of plain values, and a mapping, is one value here
    return path == other or path.startswith(f"{other}.") or other.startswith(f"{path}.")


def test_every_odd_value_is_unread_somewhere() -> None:
    """The test above would be content with a reader that takes everything."""
    for odd in ODD:
        assert any(kprobe(altered(path, odd))[1] for path in PATHS), odd


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_null_is_absent(path: tuple[str | int, ...]) -> None:
    """A field that is null is not set; an element of a list, or a value of a mapping, may not be null."""
    message, unread = kprobe(altered(path, None))
    in_list = isinstance(path[-1], int) or path[-2:-1] == ("pod_labels",)
    assert unread == ((".".join(map(str, path)),) if in_list else ())
    if not in_list:
        whole = altered(path, None)
        at: Any = whole
        for step in path[:-1]:
            at = at[step]
        del at[path[-1]]
        assert message == kprobe(whole)[0]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_what_is_read_quickly_is_read_the_same(path: tuple[str | int, ...]) -> None:
    """An event whose line is plain is decoded at once; that may make no difference."""
    for odd in [*ODD, None]:
        whole = altered(path, odd)
        line = {"process_kprobe": whole, "node_name": "n", "time": "2026-11-23T07:49:48Z"}
        event = parse(json.dumps(line).encode())
        assert isinstance(event, Event)
        if path[-1] in {"in_init_tree", "start_time"} and not event.unread:
            continue  # a number for a boolean or a time is taken by the quick decoder; nothing rests on these two
        assert (event.detail, event.unread) == kprobe(whole), odd


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("KPROBE_ACTION_SIGKILL", "KPROBE_ACTION_SIGKILL"),
        (3, "KPROBE_ACTION_SIGKILL"),
        (0, "KPROBE_ACTION_UNKNOWN"),
        # a name that is not known yet says what it says
        ("KPROBE_ACTION_NEWER", "KPROBE_ACTION_NEWER"),
        (99, None),
        (-1, None),
        (True, None),
        (3.5, None),
        ([], None),
        ({}, None),
    ],
)
def test_an_enum_may_be_a_number(written: Any, expected: str | None) -> None:
    """One that is known has its name; of another nobody knows what it is."""
    message, unread = kprobe({"action": written, "function_name": "f"})
    assert (message.action, unread) == ((expected, ()) if expected else ("", ("action",)))
    assert message.function_name == "f"


def test_a_number_that_is_unknown_costs_only_itself_among_others() -> None:
    """In a list of names."""
    caps, unread = read({"effective": ["CAP_KILL", 99, 0]}, api.Capabilities)
    assert isinstance(caps, api.Capabilities)
    assert (caps.effective, unread) == (("CAP_KILL", "CAP_CHOWN"), ("effective.1",))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (7, 7),
        (-7, -7),
        ("7", 7),
        ("-7", -7),
        (7.0, 7),
        ("7.0", 7),
        ("7e1", 70),
        ("18446744073709551615", 2**64 - 1),
        (2**64 - 1, 2**64 - 1),
        (2**64, None),
        ("1" * 30, None),
        ("1" * 5000, None),
        (10**50, None),
        (7.5, None),
        ("7.5", None),
        (1e300, None),
        (float("inf"), None),
        (float("nan"), None),
        ("", None),
        (" 7", None),
        ("7 ", None),
        ("+7", None),
        ("007", None),
        ("7_0", None),
        ("0x7", None),
        ("\uff17", None),
        ("NaN", None),
        ("Infinity", None),
        ("--7", None),
        (True, None),
    ],
)
def test_an_integer_may_be_a_text(written: Any, expected: int | None) -> None:
    """As JSON writes a number, and whole."""
    message, unread = read({"size_arg": written}, api.KprobeArgument)
    assert isinstance(message, api.KprobeArgument)
    assert (message.size_arg, unread) == ((expected, ()) if expected is not None else (None, ("size_arg",)))


@given(st.binary(max_size=20))
@example(b"\xfb\xff")
def test_bytes_may_be_either_base64(content: bytes) -> None:
    """With padding or without."""
    for encoded in (base64.b64encode(content), base64.urlsafe_b64encode(content)):
        for written in (encoded.decode(), encoded.decode().rstrip("=")):
            message, unread = read({"bytes_arg": written}, api.KprobeArgument)
            assert isinstance(message, api.KprobeArgument)
            assert (message.bytes_arg, unread) == (content, ())


@pytest.mark.parametrize("written", ["!", "a", "YQ\n", "Y Q", "é", 7, [104, 105]])
def test_what_is_no_base64_is_unread(written: Any) -> None:
    """It is not taken for other bytes."""
    message, unread = read({"bytes_arg": written}, api.KprobeArgument)
    assert isinstance(message, api.KprobeArgument)
    assert (message.bytes_arg, unread) == (None, ("bytes_arg",))


@pytest.mark.parametrize(
    ("written", "read_"),
    [
        ("2026-11-23T07:49:48Z", True),
        ("2026-11-23T08:49:48.123456789+01:00", True),
        ("2026-11-23T07:49:48", False),
        ("2026-11-23", False),
        ("1732348188", False),
        (1732348188, False),
        (1.5, False),
        ("", False),
        ("9999-99-99T00:00:00Z", False),
    ],
)
def test_a_time_has_a_zone(written: Any, *, read_: bool) -> None:
    """When a time without one was, nobody knows; and a number is none."""
    message, unread = read({"start_time": written}, api.Process)
    assert isinstance(message, api.Process)
    assert (message.start_time is not None, unread) == (read_, () if read_ else ("start_time",))


def camel(value: Any) -> Any:
    """The same value with the names as protojson writes them by itself."""
    if isinstance(value, dict):
        return {
            "".join(part.title() if at else part for at, part in enumerate(key.split("_"))): camel(inner)
            for key, inner in value.items()
            if key != "pod_labels"
        }
    return [camel(one) for one in value] if isinstance(value, list) else value


def test_names_may_be_in_lower_camel_case() -> None:
    """At every depth, and some of them."""
    expected = json.loads(json.dumps(KPROBE))
    del expected["process"]["pod"]["pod_labels"]
    assert kprobe(camel(expected)) == kprobe(expected)
    assert kprobe({**expected, "process": camel(expected["process"])}) == kprobe(expected)


def test_an_event_in_lower_camel_case_is_the_same_event() -> None:
    """The envelope too; and where some names are camels and others are not."""
    bare = {"process_kprobe": KPROBE, "node_name": "n", "time": "2026-11-23T07:49:48Z"}
    events = [
        parse(json.dumps(line).encode())
        for line in (
            bare,
            {"processKprobe": KPROBE, "nodeName": "n", "time": bare["time"]},
            {"process_kprobe": KPROBE, "nodeName": "n", "time": bare["time"]},
            {
                "process_kprobe": {**KPROBE, "process": {**camel(PROCESS), "podLabels": {}, "pod": PROCESS["pod"]}},
                **ENVELOPE,
            },
        )
    ]
    for event in events:
        assert isinstance(event, Event)
        assert (event.kind, event.node, event.time, event.detail) == (
            events[0].kind, events[0].node, events[0].time, events[0].detail,
        )  # fmt: skip


ENVELOPE = {"node_name": "n", "time": "2026-11-23T07:49:48Z"}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("nodeName", "node_name"),
        ("node_name", "node_name"),
        ("Message", "Message"),
        ("", ""),
        ("a", "a"),
        ("aB", "a_b"),
    ],
)
def test_a_name_is_known_however_it_is_written(written: str, name: str) -> None:
    """Some names begin with a capital in the definition itself."""
    assert name_of(written) == name


def test_an_argument_of_a_newer_agent_keeps_its_place() -> None:
    """It says nothing that is known here, and the others stay where they are."""
    message, unread = kprobe({"args": [{"newer_arg": {"x": 1}}, {"int_arg": 7}, {"newer_arg": 5, "label": "l"}]})
    assert unread == ()
    assert message.args == (api.KprobeArgument(), api.KprobeArgument(int_arg=7), api.KprobeArgument(label="l"))


def test_an_element_that_cannot_be_read_keeps_its_place() -> None:
    """The second argument stays the second."""
    message, unread = kprobe({"args": [5, {"int_arg": "x"}, {"int_arg": 7}]})
    assert unread == ("args.0", "args.1.int_arg")
    assert message.args == (api.KprobeArgument(), api.KprobeArgument(), api.KprobeArgument(int_arg=7))


@pytest.mark.parametrize("value", [None, 5, "x", [], True])
def test_what_is_no_object_is_unread_whole(value: object) -> None:
    """The path that is told is that of the whole."""
    assert read(value, api.Process) == (api.Process(), ("",))
    assert read(value, api.Process, "process") == (api.Process(), ("process",))


@pytest.mark.parametrize(
    "line",
    [
        b'{"process_exec": {"process": {"pid": %s}}}' % (b"9" * 5000),
        b'{"process_exec": {"process": {"pid": NaN}}}',
        b'{"process_exec": {"process": {"pid": -Infinity}}}',
        b'{"process_exec": {"process": {"pid": 1e999}}}',
        b'{"process_exec": {"process": {"binary": "\xff"}}}',
        b'{"process_exec": {"process": {"binary": "\\ud800"}}}',
        b'{"process_exec": {"process": {"pod": %s}}}' % (b'{"container":' * 500 + b"1" + b"}" * 500),
        b'{"process_exec": {"process": %s}}' % (b"[" * 500 + b"]" * 500),
        b'{"process_exec": {"ancestors": %s}}' % (b'[{"pod":' * 100_000),
    ],
)
def test_hostile_values_do_not_raise(line: bytes) -> None:
    """Long integers, numbers that are none, texts that are none, depth."""
    event = parse(line)
    assert isinstance(event, Event) or event.reason


class Fraction(msgspec.Struct, frozen=True):
    """A message of ours: Tetragon's definition has no fractions yet."""

    part: float = 0.0


@pytest.mark.parametrize(
    ("written", "expected"), [(1.5, 1.5), (2, 2.0), ("1.5", 1.5), ("x", None), (True, None), ([], None)]
)
def test_a_fraction_may_be_a_text(written: Any, expected: float | None) -> None:
    """Should a newer definition have one."""
    assert read({"part": written}, Fraction) == ((Fraction(expected), ()) if expected else (Fraction(), ("part",)))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*msgspec.structs.asdict(api.Process()), "args", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([*api.KINDS.values(), api.Process]))
def test_any_value_is_a_message_of_any_kind(value: Any, message: type[msgspec.Struct]) -> None:
    """With the paths of what could not be read, which are of the value's own."""
    found, unread = read(value, message)
    assert isinstance(found, message)
    for path in unread:
        if path:
            assert isinstance(value, dict)
            assert path.split(".")[0] in {name_of(key) for key in value}
