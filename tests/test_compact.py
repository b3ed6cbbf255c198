"""Compact lines: tetra's own for what was recorded, one form that says so for the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tetraproof.compact import compact, is_recorded_form
from tetraproof.event import Event, parse
from tetraproof.stream import matching, read

SCENARIOS = Path(__file__).parents[1] / "recordings"
# what tetra was given, what it printed, and with which filter
PRINTED: list[tuple[str, str, Callable[[Event], bool]]] = [
    ("events.jsonl", "events.compact.txt", matching()),
    ("export.jsonl", "export.compact.txt", matching()),
    ("export.jsonl", "export.compact.galaxy-tiefighter.txt", matching(["galaxy"], ["tiefighter"])),
]
COMPARED = [
    pytest.param(printed.with_name(given_to), printed, wanted, id="/".join(printed.parts[-4:]))
    for given_to, name, wanted in PRINTED
    for printed in sorted(SCENARIOS.glob(f"*/scenarios/*/{name}"))
]

POD = {"namespace": "other", "name": "probe"}
PROCESS = {"binary": "/usr/bin/cat", "arguments": "-n x", "pod": POD}
HARMFUL = set(
    map(chr, (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029))
)
NOT_RECORDED = "(form not recorded)"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["\x1b[2J", "\n🚀 process", "\u202e"]
)
scalars = texts | st.integers() | st.booleans() | st.none()
objects = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)


def event_of(field: str, detail: dict[str, Any]) -> Event:
    """An event of a kind, on a node."""
    event = parse(json.dumps({field: detail, "node_name": "tetra-node"}).encode())
    assert isinstance(event, Event)
    return event


def kprobe(function: str, *args: dict[str, Any]) -> Event:
    """A call of a function by a process in a pod."""
    return event_of("process_kprobe", {"process": PROCESS, "function_name": function, "args": args})


def until_tetra_stopped(path: Path) -> Iterator[Event]:
    """The events of a stream up to the first line that is none: tetra without a filter ends there (recorded)."""
    with path.open("rb") as source:
        for line in read(source):
            if not isinstance(line, Event):
                return
            yield line


def test_there_are_recordings() -> None:
    """Each way of printing was recorded; without them the test below would pass by proving nothing."""
    assert {param.values[1].name for param in COMPARED} == {printed for _, printed, _ in PRINTED}  # type: ignore[union-attr]


@pytest.mark.parametrize(("path", "printed", "wanted"), COMPARED)
def test_a_recorded_line_is_tetras_own(path: Path, printed: Path, wanted: Callable[[Event], bool]) -> None:
    """Of each recorded event the line is the very one that tetra printed."""
    told = [event for event in until_tetra_stopped(path) if wanted(event)]
    assert [compact(event) for event in told] == printed.read_text(encoding="utf-8").split("\n")[:-1]
    assert all(is_recorded_form(event) for event in told)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (kprobe("security_bprm_creds_from_file"), "❓ syscall other/probe /usr/bin/cat security_bprm_creds_from_file"),
        (
            event_of(
                "process_kprobe",
                {
                    "process": {"binary": "/usr/bin/kube-apiserver"},
                    "function_name": "tcp_sendmsg",
                    "args": [{"sock_arg": {"saddr": "127.0.0.1", "sport": 6443, "daddr": "10.0.0.3"}}, {"int_arg": 0}],
                },
            ),
            "📤 sendmsg tetra-node /usr/bin/kube-apiserver tcp 127.0.0.1:6443 -> 10.0.0.3:0 bytes 0",
        ),
        (kprobe("do_sys_open"), "❓ syscall other/probe /usr/bin/cat do_sys_open"),
        (event_of("process_exec", {"process": {"binary": "/bin/true"}}), "🚀 process tetra-node /bin/true "),
        (event_of("process_exit", {"process": PROCESS}), "💥 exit    other/probe /usr/bin/cat -n x 0"),
        (
            event_of("process_exit", {"process": PROCESS, "status": 9, "signal": "SIGKILL"}),
            "💥 exit    other/probe /usr/bin/cat -n x SIGKILL",
        ),
    ],
)
def test_a_form_that_was_recorded(event: Event, line: str) -> None:
    """An event of a recorded form is told in it, whatever it is about."""
    assert compact(event) == line
    assert is_recorded_form(event)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            event_of("process_tracepoint", {"process": PROCESS, "subsys": "s", "event": "e"}),
            "tracepoint other/probe {} s e",
        ),
        (event_of("process_uprobe", {"process": PROCESS, "path": "/p", "symbol": "s"}), "uprobe other/probe {} /p s"),
        (event_of("process_lsm", {"process": PROCESS, "function_name": "f"}), "lsm other/probe {} f"),
        (event_of("process_loader", {"process": PROCESS, "path": "/lib"}), "loader other/probe {} /lib"),
        (event_of("process_usdt", {"process": PROCESS, "provider": "p", "name": "n"}), "usdt other/probe {} p n"),
        (event_of("process_new", {"path": ["?"]}), "new tetra-node"),
        (
            event_of("process_throttle", {"type": "THROTTLE_START", "cgroup": "c"}),
            "throttle tetra-node THROTTLE_START c",
        ),
        (
            event_of("rate_limit_info", {"number_of_dropped_process_events": "7"}),
            "rate-limit tetra-node 7 events left out",
        ),
        (event_of("process_exec", {"process": {**PROCESS, "pid": "?"}}), "exec tetra-node"),
        (kprobe("__x64_sys_openat", {"int_arg": 1}), "kprobe other/probe {} __x64_sys_openat"),
        (kprobe("sys_write"), "kprobe other/probe {} sys_write"),
        (kprobe("security_mmap_file"), "kprobe other/probe {} security_mmap_file"),
        (kprobe("fd_install"), "kprobe other/probe {} fd_install"),
        (kprobe("fd_install", {"file_arg": {}}), "kprobe other/probe {} fd_install"),
        (kprobe("fd_install", {"file_arg": {}}, {"int_arg": 1}), "kprobe other/probe {} fd_install"),
        (kprobe("tcp_close"), "kprobe other/probe {} tcp_close"),
        (kprobe("tcp_connect", {"int_arg": 1}), "kprobe other/probe {} tcp_connect"),
        (kprobe("tcp_sendmsg", {"sock_arg": {}}), "kprobe other/probe {} tcp_sendmsg"),
        (
            kprobe("security_file_permission", {"file_arg": {"path": "/p"}}, {"int_arg": 1}),
            "kprobe other/probe {} security_file_permission",
        ),
    ],
)
def test_a_form_that_was_not_recorded_says_so(event: Event, line: str) -> None:
    """A kind, a function or arguments that no recording holds are not dressed up as tetra's line."""
    assert compact(event) == f"❔ {line.format('/usr/bin/cat')} {NOT_RECORDED}"
    assert not is_recorded_form(event)


@pytest.mark.parametrize(("length", "column"), [(0, 103), (40, 103), (67, 103), (68, 104), (200, 236)])
def test_a_process_with_many_capabilities_is_signed(length: int, column: int) -> None:
    """The sign is flush right at tetra's column, and follows a longer line after a space."""
    process = {**PROCESS, "arguments": "x" * length, "cap": {"effective": ["CAP_CHOWN"] * 41}}
    line = compact(event_of("process_exec", {"process": process}))
    told, sign = line.split("🛑")
    assert sign == " CAP_SYS_ADMIN"
    assert told.rstrip() == f"🚀 process other/probe /usr/bin/cat {'x' * length}".rstrip()
    assert len(told) == column


@pytest.mark.parametrize("cap", [{}, {"permitted": ["CAP_CHOWN"] * 41}, {"effective": ["CAP_CHOWN"] * 14}])
def test_a_process_with_few_capabilities_is_not_signed(cap: dict[str, Any]) -> None:
    """The ordinary set of a container, or none that is effective, gets no sign."""
    assert "🛑" not in compact(event_of("process_exec", {"process": {**PROCESS, "cap": cap}}))


def test_arguments_cannot_forge_a_line() -> None:
    """A line break or an escape sequence in arguments is shown, and stays within its event's line."""
    process = {**PROCESS, "arguments": "a\n🚀 process other/probe /bin/forged\x1b[1A \\n"}
    line = compact(event_of("process_exec", {"process": process}))
    assert line == "🚀 process other/probe /usr/bin/cat a\\n🚀 process other/probe /bin/forged\\e[1A \\n"


@given(texts, texts, texts, texts, texts)
@example("\x1b[2J", "\u202e", "\n", "\x9b", "\u2028")
def test_whatever_an_event_says_is_one_safe_line(binary: str, arguments: str, pod: str, node: str, path: str) -> None:
    """No text of an event, in no kind, can break its line or steer a terminal."""
    process = {"binary": binary, "arguments": arguments, "pod": {"namespace": pod, "name": pod}}
    details = [
        ("process_exec", {"process": process}),
        ("process_exit", {"process": {**process, "pod": None}, "signal": path}),
        ("process_kprobe", {"process": process, "function_name": path}),
        (
            "process_kprobe",
            {"process": process, "function_name": "fd_install", "args": [{}, {"file_arg": {"path": path}}]},
        ),
        (
            "process_kprobe",
            {"process": process, "function_name": "tcp_close", "args": [{"sock_arg": {"saddr": path, "daddr": path}}]},
        ),
        (f"process_{path}-new", {"process": process, "path": path}),
        ("process_throttle", {"type": path, "cgroup": path}),
    ]
    for field, detail in details:
        event = parse(json.dumps({field: detail, "node_name": node}).encode())
        assert isinstance(event, Event)
        assert not set(compact(event)) & HARMFUL


@given(
    st.sampled_from(
        ["process_exec", "process_exit", "process_kprobe", "process_throttle", "rate_limit_info", "process_new"]
    ),
    st.dictionaries(
        st.sampled_from(["process", "args", "function_name", "path", "status", "type"]), objects, max_size=4
    ),
)
def test_no_shape_of_an_event_raises(field: str, detail: dict[str, Any]) -> None:
    """Whatever fields an event has, there is one line, and it says whether its form was recorded."""
    event = event_of(field, detail)
    line = compact(event)
    assert not set(line) & HARMFUL
    assert line.startswith("❔ ") == line.endswith(NOT_RECORDED) == (not is_recorded_form(event))
