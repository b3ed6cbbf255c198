"""Compact lines: tetra's own, of every kind and form and as each version prints them.

`compact.jsonl` is a stream of our own making with what real tetras printed of it;
its first line says which. Where TETRAPROOF_TOOLS names a folder that holds tetras, as
`tetra-1.7.1` or `tetra-main`, each of them is asked again, of the recordings too.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tetraproof.events.event import Event, Malformed, parse
from tetraproof.events.stream import matching, read
from tetraproof.tetra.compact import NO_LINE, below, compact, has_line, printer
from tetraproof.tetra.quoting import unquoted
from tetraproof.text import safe

SCENARIOS = Path(__file__).parents[2] / "recordings"
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
STREAM = Path(__file__).parent / "compact.jsonl"
VERSIONS = ("1.4.1", "1.7.0", "1.7.1", "main")

POD = {"namespace": "other", "name": "probe"}
PROCESS = {"binary": "/usr/bin/cat", "arguments": "-n x", "pod": POD}
HARMFUL = set(
    map(chr, (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029))
)
KINDS = (
    *("process_exec", "process_exit", "process_kprobe", "process_tracepoint", "process_loader", "process_uprobe"),
    *("process_lsm", "process_usdt", "process_throttle", "rate_limit_info", "test", "process_new"),
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["\x1b[2J", "\n🚀 process", "\u202e"]
)
scalars = texts | st.integers() | st.booleans() | st.none()
objects = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)


def event_of(field: str, detail: Any, **envelope: Any) -> Event:
    """An event of a kind, on a node."""
    event = parse(json.dumps({field: detail, "node_name": "tetra-node", **envelope}).encode())
    assert isinstance(event, Event)
    return event


def until_tetra_stopped(path: Path) -> Iterator[Event]:
    """The events of a stream up to the first line that is none: tetra without a filter ends there (recorded)."""
    with path.open("rb") as source:
        for line in read(source):
            if not isinstance(line, Event):
                return
            yield line


def dialect(version: str) -> str:
    """How a version of the stream is named to us: main is the newest that is known."""
    return "" if version == "main" else version


def whole(event: Event, version: str) -> str:
    """All lines of an event, as `safe` tells the text that tetra prints of it."""
    return r"\n".join([compact(event, dialect(version)), *below(event, dialect(version))])


def versions_told() -> set[str]:
    """The versions whose tetras printed our own stream, as its header says."""
    return set(json.loads(STREAM.read_text(encoding="utf-8").splitlines()[0])["printed_by"])


def stream() -> list[tuple[bytes, dict[str, str | None]]]:
    """Each event of our own stream, and what the tetra of each version printed of it; None where it ended instead."""
    _, *lines = STREAM.read_text(encoding="utf-8").splitlines()
    pairs = []
    for one in map(json.loads, lines):
        printed = {version: text for versions, text in one["printed"] for version in versions}
        pairs.append((json.dumps(one["event"]).encode(), printed))
    return pairs


@pytest.mark.parametrize("version", VERSIONS)
def test_a_line_is_the_one_that_tetra_printed(version: str) -> None:
    """Every kind and form is told as the tetra of the version told it; where it told nothing, so do we."""
    assert version in versions_told()
    told = 0
    for line, printed in stream():
        event = parse(line)
        if isinstance(event, Malformed):
            assert not printed[version]
            continue
        text = printed[version]
        if text is None:
            assert not has_line(event, dialect(version)), line
            assert compact(event, dialect(version)).endswith(NO_LINE)
        else:
            told += 1
            assert whole(event, version) == safe(text), line
    assert told > 600


def test_what_newer_tetras_quote_is_what_older_ones_print() -> None:
    """Undone, the quotes leave the older line, but for the blanks that a sign is moved by."""
    told = [printed for line, printed in stream() if b"stack_trace" not in line]
    pairs = [(printed["1.7.0"], printed["1.7.1"]) for printed in told if printed["1.7.0"] != printed["1.7.1"]]
    assert len(pairs) > 60
    for old, new in pairs:
        assert old is not None
        assert new is not None
        assert re.sub(" +🛑", " 🛑", unquoted(new)) == re.sub(" +🛑", " 🛑", old)


def test_the_stream_holds_every_kind_and_every_form() -> None:
    """A kind, or a function that has a form of its own, that nobody asked tetra about would pass by proving nothing."""
    events = [event for line, _ in stream() if isinstance(event := parse(line), Event)]
    assert {event.kind for event in events} >= {
        *("exec", "exit", "kprobe", "tracepoint", "loader", "uprobe", "lsm", "usdt", "throttle", "rate-limit", "test")
    }
    labels = {compact(event).split("other/probe")[0].strip() for event in events if has_line(event)}
    forms = ["🚀 process", "💥 exit", "🧬 loader", "🕵️ uprobe", "🕵️ usdt", "🔒 LSM", "⁉️ tracepoint", "☎  syscall"]
    forms += ["📝 write", "📚 read", "📬 open", "📬️ openat", "📬️ open", "📪 close", "💾 mount", "🔑 setuid"]
    forms += ["⏰ clock_settime", "💾 pivot_root", "🔧 proc_exec_connector", "🔧 setns", "🔌 connect", "🧹 close"]
    forms += ["📤 sendmsg", "🐝 bpf_load", "🐝 perf_event_alloc", "🗺 bpf_map_create", "❓ syscall", "📝 truncate"]
    forms += ["❓ security_file_permission", "❓ security_mmap_file", "❓ security_path_truncate", "📝 mmap-rwx"]
    assert not set(forms) - labels


def test_there_are_recordings() -> None:
    """Each way of printing was recorded; without them the test below would pass by proving nothing."""
    assert {param.values[1].name for param in COMPARED} == {printed for _, printed, _ in PRINTED}  # type: ignore[union-attr]


@pytest.mark.parametrize(("path", "printed", "wanted"), COMPARED)
def test_a_recorded_line_is_tetras_own(path: Path, printed: Path, wanted: Callable[[Event], bool]) -> None:
    """Of each recorded event the line is the very one that tetra printed."""
    version = json.loads((path.parents[2] / "recording.json").read_text(encoding="utf-8"))["cell"]["cli"]
    assert version
    told = [event for event in until_tetra_stopped(path) if wanted(event)]
    assert [compact(event, version) for event in told] == printed.read_text(encoding="utf-8").split("\n")[:-1]


def tetras() -> list[Path]:
    """The real tetras of this machine, each named `tetra-` and its version."""
    folder = os.environ.get("TETRAPROOF_TOOLS", "")
    found = sorted(Path(folder).glob("tetra-*")) if folder else []
    return [one for one in found if re.fullmatch(r"tetra-(main|v?\d+\.\d+\.\d+.*)", one.name)]


def printed_by(tetra: Path, lines: list[bytes]) -> list[str]:
    """What a real tetra prints of each line; a marker after each tells them apart. None may make it end."""
    marked = []
    for number, line in enumerate(lines):
        marker = {"process_throttle": {"type": "THROTTLE_STOP", "cgroup": f"marker-{number}"}}
        marked += [line, json.dumps(marker).encode()]
    words = [str(tetra), "getevents", "-o", "compact", "--color", "never"]
    said = subprocess.run(words, input=b"\n".join(marked) + b"\n", capture_output=True, check=True).stdout.decode()
    told = re.split(r"🧬 throttle STOP  marker-\d+\n", said)
    assert told.pop() == ""
    assert len(told) == len(lines)
    return told


def ends_tetra(event: Event) -> bool:
    """Whether tetra may crash once it has printed the line: for an IMA hash it needs the file it is of."""
    return event.kind == "lsm" and bool(event.detail.ima_hash) and not below(event)


@pytest.mark.parametrize("tetra", [pytest.param(one, id=one.name) for one in tetras()] or [None])
def test_a_real_tetra_prints_the_same(tetra: Path | None) -> None:
    """What a tetra that is here prints of our own stream and of the recorded ones is what we print."""
    if tetra is None:
        pytest.skip("TETRAPROOF_TOOLS names no folder that holds tetra-1.7.1, tetra-main or others")
    version = tetra.name.removeprefix("tetra-")
    recorded = [
        event.line
        for path in sorted(SCENARIOS.glob("*/scenarios/*/events.jsonl"))
        for event in until_tetra_stopped(path)
    ]
    events = [event for line in [*(line for line, _ in stream()), *recorded] if isinstance(event := parse(line), Event)]
    events = [event for event in events if has_line(event, dialect(version)) and not ends_tetra(event)]
    assert len(events) > 1000
    for event, text in zip(events, printed_by(tetra, [event.line for event in events]), strict=True):
        assert whole(event, version) + r"\n" == safe(text), event.line


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            event_of("process_new", {"process": {**PROCESS, "exec_id": "x"}, "path": ["?"]}),
            "new other/probe /usr/bin/cat",
        ),
        (event_of("process_new", {"path": "/p"}), "new tetra-node /p"),
        (
            event_of("rate_limit_info", {"number_of_dropped_process_events": "7"}),
            "rate-limit tetra-node 7 events left out",
        ),
        (event_of("process_exec", {}), "exec tetra-node"),
        (event_of("process_exit", {"status": 3}), "exit tetra-node 3"),
        (event_of("process_lsm", {"function_name": "f"}), "lsm tetra-node f"),
        (
            event_of("process_kprobe", {"process": PROCESS, "function_name": "tcp_connect", "args": [{"int_arg": 1}]}),
            "kprobe other/probe /usr/bin/cat tcp_connect  1",
        ),
    ],
)
def test_what_tetra_shows_no_line_of_says_so(event: Event, line: str) -> None:
    """A kind that tetra does not know, an event without its process, an argument at which it crashes."""
    assert compact(event) == f"❔ {line} {NO_LINE}"
    assert not has_line(event)


def test_a_kind_that_an_older_tetra_lacks_has_no_line_there() -> None:
    """USDT events came with 1.6."""
    usdt = event_of("process_usdt", {"process": PROCESS, "path": "/p", "provider": "q", "name": "n"})
    assert compact(usdt, "1.5.0") == f"❔ usdt other/probe /usr/bin/cat /p q n {NO_LINE}"
    assert compact(usdt, "1.6.0") == "🕵️ usdt    other/probe /usr/bin/cat /p q n"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (event_of("process_exit", {"process": PROCESS, "status": "?"}), "status"),
        (event_of("process_exec", {"process": {**PROCESS, "binary": 7}}), "process.binary"),
        (event_of("process_exec", {"process": {**PROCESS, "pod": "?"}}), "process.pod"),
        (event_of("process_exec", {"process": {**PROCESS, "cap": 3}}), "process.cap"),
        (event_of("process_exec", {"process": "?"}), "process"),
        (event_of("process_exec", {"process": PROCESS}, node_name=3), "node_name"),
        (event_of("process_kprobe", {"process": PROCESS, "function_name": "sys_setuid", "args": [3]}), "args.0"),
    ],
)
def test_a_value_that_could_not_be_read_is_named(event: Event, line: str) -> None:
    """What a line shows in the place of such a value is not what happened."""
    assert compact(event).endswith(f" (unreadable: {line})")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (event_of("process_exec", {"process": {**PROCESS, "pid": "?"}}), '🚀 process other/probe /usr/bin/cat "-n x"'),
        (
            event_of("process_lsm", {"process": PROCESS, "function_name": "f", "action": 99}),
            "🔒 LSM     other/probe /usr/bin/cat f",
        ),
        (
            event_of("process_kprobe", {"process": PROCESS, "function_name": "f", "args": [3]}),
            "❓ syscall other/probe /usr/bin/cat f",
        ),
    ],
)
def test_an_unreadable_value_that_no_line_shows_changes_none(event: Event, line: str) -> None:
    """It costs only itself."""
    assert event.unread
    assert compact(event) == line


@pytest.mark.parametrize(("length", "column"), [(0, 103), (40, 103), (67, 103), (68, 104), (200, 236)])
def test_a_process_with_many_capabilities_is_signed(length: int, column: int) -> None:
    """The sign is flush right at tetra's column, and follows a longer line after a space."""
    process = {**PROCESS, "arguments": "x" * length, "cap": {"effective": ["CAP_CHOWN"] * 41}}
    line = compact(event_of("process_exec", {"process": process}))
    told, sign = line.split("🛑")
    assert sign == " CAP_SYS_ADMIN"
    assert told.rstrip() == f"🚀 process other/probe /usr/bin/cat {'x' * length}".rstrip()
    assert len(told) == column


@pytest.mark.parametrize("cap", [{}, {"permitted": ["CAP_CHOWN"] * 41}, {"effective": ["CAP_CHOWN"] * 21}])
def test_a_process_with_few_capabilities_is_not_signed(cap: dict[str, Any]) -> None:
    """The ordinary set of a container, or none that is effective, gets no sign."""
    assert "🛑" not in compact(event_of("process_exec", {"process": {**PROCESS, "cap": cap}}))


def test_arguments_cannot_forge_a_line() -> None:
    """A line break or an escape sequence in arguments is shown, and stays within its event's line."""
    process = {**PROCESS, "arguments": "a\n🚀 process other/probe /bin/forged\x1b[1A \\n"}
    event = event_of("process_exec", {"process": process})
    start = "🚀 process other/probe /usr/bin/cat "
    assert compact(event, "1.7.0") == start + "a\\n🚀 process other/probe /bin/forged\\e[1A \\n"
    assert compact(event, "1.7.1") == start + '"a\\n🚀 process other/probe /bin/forged\\x1b[1A \\\\n"'


@given(texts, texts, texts, texts, st.sampled_from(["", "1.4.1", "1.7.0"]))
@example("\x1b[2J", "\u202e", "\n", "\u2028", "1.4.1")
@example("\x9b", "\n", "\u202e", "\x1b[2J", "")
def test_whatever_an_event_says_is_one_safe_line(
    binary: str, arguments: str, pod: str, path: str, version: str
) -> None:
    """No text of an event, in no kind, can break its line or steer a terminal."""
    process = {"binary": binary, "arguments": arguments, "pod": {"namespace": pod, "name": pod}}
    trace = [{"address": "1", "symbol": path, "module": path}]
    details: list[tuple[str, dict[str, Any]]] = [
        ("process_exec", {"process": process}),
        ("process_exit", {"process": {**process, "pod": None}, "signal": path}),
        ("process_kprobe", {"process": process, "function_name": path, "user_stack_trace": trace}),
        (
            "process_kprobe",
            {"process": process, "function_name": "fd_install", "args": [{}, {"file_arg": {"path": path}}]},
        ),
        (
            "process_kprobe",
            {"process": process, "function_name": "tcp_close", "args": [{"sock_arg": {"saddr": path, "daddr": path}}]},
        ),
        ("process_tracepoint", {"process": process, "subsys": path, "event": path}),
        ("process_loader", {"process": process, "path": path}),
        ("process_uprobe", {"process": process, "path": path, "symbol": path}),
        ("process_usdt", {"process": process, "path": path, "provider": path, "name": path}),
        (
            "process_lsm",
            {
                "process": process,
                "function_name": "file_open",
                "ima_hash": path,
                "args": [{"file_arg": {"path": path}}],
            },
        ),
        (f"process_{path}-new", {"process": process, "path": path}),
        ("process_throttle", {"type": path, "cgroup": path}),
    ]
    for field, detail in details:
        event = parse(json.dumps({field: detail, "node_name": pod}).encode())
        assert isinstance(event, Event)
        for line in (compact(event, version), *below(event, version)):
            assert not set(line) & HARMFUL


@given(
    st.sampled_from(KINDS),
    st.dictionaries(
        st.sampled_from(["process", "args", "function_name", "path", "status", "type", "subsys", "event", "cgroup"]),
        objects,
        max_size=4,
    ),
)
def test_no_shape_of_an_event_raises(field: str, detail: dict[str, Any]) -> None:
    """Whatever fields an event has, there is one line, and it says where tetra has none."""
    event = event_of(field, detail)
    line = compact(event)
    assert not set(line) & HARMFUL
    assert line.startswith("❔ ") == (NO_LINE in line) == (not has_line(event))


def test_a_printer_tells_each_event_as_it_is_told_alone() -> None:
    """With what stands below it."""
    content = b"".join(path.read_bytes() for path in sorted(SCENARIOS.glob("*/scenarios/*/events.jsonl"))[:12])
    lines = [*content.splitlines(), *(line for line, _ in stream()), b'{"process_exec":{"process":{"pid":"x"}}}']
    every = [told for told in map(parse, lines) if isinstance(told, Event)]
    assert any(below(one) for one in every)
    for version in ("", "1.4.1", "1.7.0"):
        told = printer(version)
        assert [told(one) for one in every] == [
            "\n".join((compact(one, version), *below(one, version))) for one in every
        ]
