"""What can be asked of each kind of event, what cannot, and what may be so and cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders import BASH, SHELL_OF, event, execs, exits, hooked, started
from tetraproof.errors import UsageError
from tetraproof.events.event import KINDS, Event, parse
from tetraproof.judging.expectation import (
    AllOf,
    Exactly,
    Exec,
    Exit,
    Expectation,
    InOrder,
    Kprobe,
    Loader,
    Lsm,
    RateLimit,
    Throttle,
    Tracepoint,
    Uprobe,
    Usdt,
)
from tetraproof.judging.pattern import Doubt, Pattern

WHO = SHELL_OF.json() | {
    "uid": 1000,
    "auid": 4294967295,
    "cwd": "/srv",
    "flags": "execve clone",
    "in_init_tree": False,
    "docker": "0123456789abcde",
    "cap": {"effective": ["CAP_CHOWN", "CAP_SYS_ADMIN"]},
    "process_credentials": {"uid": 1000, "euid": 0, "caps": {"effective": ["CAP_CHOWN"]}},
    "ns": {"net": {"inum": 4026531840, "is_host": True}, "pid": {"inum": 4026532300}},
    "environment_variables": [{"Key": "HOME", "Value": "/root"}],
}
WHO["pod"] = WHO["pod"] | {
    "container": {"id": "containerd://abc", "name": "main", "pid": 7},
    "pod_labels": {"app": "x"},
}
WHO["user"] = {"name": "nobody"}


def told(kind: str, **body: Any) -> Event:
    """One event of a process, as an agent that tells all would write it."""
    ancestors = [{"binary": "/usr/bin/sh", "exec_id": "b"}, {"binary": "/sbin/init", "exec_id": "c"}]
    parent = {"binary": "/usr/bin/sh", "exec_id": "b"}
    return event(f"process_{kind}", {"process": WHO, "parent": parent, "ancestors": ancestors, **body})


ARGS = [
    {"int_arg": -100, "label": "dfd"},
    {"string_arg": "/etc/shadow", "label": "filename"},
    {"int_arg": 577},
    {"size_arg": "4096"},
    {
        "sock_arg": {
            "family": "AF_INET",
            "protocol": "IPPROTO_TCP",
            "saddr": "10.0.0.1",
            "daddr": "10.0.0.2",
            "sport": 4711,
            "dport": 80,
            "cookie": "18446634135",
            "state": "TCP_SYN_SENT",
        }
    },
    {"sockaddr_arg": {"family": "AF_INET6", "addr": "203.0.113.9", "port": 443}},
    {"skb_arg": {"saddr": "10.0.0.3", "daddr": "203.0.113.10", "dport": 53, "len": 60}},
    {"linux_binprm_arg": {"path": "/usr/bin/nc"}},
    {"path_arg": {"path": "/srv/data"}},
    {"capability_arg": {"value": 21, "name": "CAP_SYS_ADMIN"}},
    {"syscall_id": {"id": 101, "abi": "x64"}},
    {"bpf_cmd_arg": "BPF_PROG_LOAD"},
    {"sockaddrun_arg": {"family": "AF_UNIX", "path": "/run/x.sock"}},
    {"long_arg": "-9007199254740993"},
    {"truncated_bytes_arg": {"bytes_arg": "YWJj", "orig_size": "5000"}},
    {"module_arg": {"name": "evil", "signature_ok": False, "tainted": ["TAINT_UNSIGNED_MODULE"]}},
]
KPROBE = told(
    "kprobe",
    function_name="__x64_sys_openat",
    args=ARGS,
    action="KPROBE_ACTION_OVERRIDE",
    return_action="KPROBE_ACTION_POST",
    policy_name="guard",
    message="somebody opened it",
    tags=["files", "observability"],
    data=[{"string_arg": "x"}],
    **{"return": {"int_arg": -1}},
)
TRACEPOINT = told(
    "tracepoint", subsys="syscalls", event="sys_enter_ptrace", action="KPROBE_ACTION_SIGKILL", args=ARGS[:2]
)
LSM = told("lsm", function_name="file_open", action="KPROBE_ACTION_OVERRIDE", ima_hash="sha256:00", policy_name="guard")
UPROBE = told("uprobe", path="/bin/bash", symbol="readline", offset="4096", args=[{"uint_arg": 7}])
USDT = told("usdt", path="/bin/app", provider="p", name="start", action="KPROBE_ACTION_SET", args=[{"int_arg": 5}])
LOADER = told("loader", path="/lib/x.so", buildid="q80=")
THROTTLE = event("process_throttle", {"type": "THROTTLE_START", "cgroup": "session-3.scope"})
LIMITED = event("rate_limit_info", {"number_of_dropped_process_events": "12"})


@pytest.mark.parametrize(
    ("asked", "of", "otherwise"),
    [
        (Kprobe("sys_openat"), KPROBE, Kprobe("sys_open")),
        (Kprobe("__x64_sys_openat"), KPROBE, Kprobe("__ia32_sys_openat")),
        (Kprobe("__arm64_sys_openat"), KPROBE, Kprobe("__arm64_sys_openat2")),
        (Kprobe(action="OVERRIDE"), KPROBE, Kprobe(action="SIGKILL")),
        (Kprobe(return_action="POST"), KPROBE, Kprobe(return_action="NOPOST")),
        (Kprobe(policy="guard"), KPROBE, Kprobe(policy="other")),
        (Kprobe(message="somebody opened it"), KPROBE, Kprobe(message="")),
        (Kprobe(tags=["files", "observability"]), KPROBE, Kprobe(tags=["files"])),
        (Kprobe(tags="files"), KPROBE, Kprobe(tags="file")),
        (Kprobe(returns=-1), KPROBE, Kprobe(returns=0)),
        (Kprobe(file="/etc/shadow"), KPROBE, Kprobe(file="/etc/passwd")),
        (Kprobe(file="/usr/bin/nc"), KPROBE, Kprobe(file="nc")),
        (Kprobe(file="/srv/data"), KPROBE, Kprobe(file="/srv")),
        (Kprobe(file="/run/x.sock"), KPROBE, Kprobe(file="")),
        (Kprobe(arg1="/etc/shadow"), KPROBE, Kprobe(arg0="/etc/shadow")),
        (Kprobe(arg2=577), KPROBE, Kprobe(arg2=576)),
        (Kprobe(arg0=-100), KPROBE, Kprobe(arg40=-100)),
        (Kprobe(data0="x"), KPROBE, Kprobe(data0="y")),
        (Kprobe(bytes=4096), KPROBE, Kprobe(bytes=4097)),
        (Kprobe(bytes=-9007199254740993), KPROBE, Kprobe(bytes=-9007199254740992)),
        (Kprobe(daddr="203.0.113.9", dport=443), KPROBE, Kprobe(daddr="203.0.113.11")),
        (Kprobe(daddr="203.0.113.10", dport=53), KPROBE, Kprobe(dport=54)),
        (Kprobe(saddr="10.0.0.1", sport=4711), KPROBE, Kprobe(saddr="10.0.0.2")),
        (Kprobe(family="AF_INET6"), KPROBE, Kprobe(family="AF_UNIX6")),
        (Kprobe(state="TCP_SYN_SENT"), KPROBE, Kprobe(state="TCP_CLOSE")),
        (Kprobe(labelled={"dfd": -100, "filename": "/etc/shadow"}), KPROBE, Kprobe(labelled={"dfd": -100})),
        (Kprobe(sock_arg={"daddr": "10.0.0.2", "cookie": 18446634135}), KPROBE, Kprobe(sock_arg={"cookie": 1})),
        (Kprobe(capability_arg={"name": "CAP_SYS_ADMIN"}), KPROBE, Kprobe(capability_arg={"value": 22})),
        (Kprobe(syscall_id={"id": 101, "abi": "x64"}), KPROBE, Kprobe(syscall_id={"id": 102})),
        (Kprobe(arg10=101), KPROBE, Kprobe(arg10=102)),
        (Kprobe(bpf_cmd_arg="BPF_PROG_LOAD"), KPROBE, Kprobe(bpf_cmd_arg="BPF_MAP_CREATE")),
        (Kprobe(arg14=b"abc"), KPROBE, Kprobe(arg14=b"abd")),
        (Kprobe(truncated_bytes_arg={"orig_size": 5000}), KPROBE, Kprobe(truncated_bytes_arg={"orig_size": 3})),
        (Kprobe(arg15="evil"), KPROBE, Kprobe(module_arg={"signature_ok": True})),
        (Kprobe(uid=1000), KPROBE, Kprobe(uid=0)),
        (Kprobe(cwd="/srv"), KPROBE, Kprobe(cwd="/")),
        (Kprobe(flags="execve clone"), KPROBE, Kprobe(flags="execve")),
        (Kprobe(in_init_tree=False), KPROBE, Kprobe(in_init_tree=True)),
        (Kprobe(credentials={"euid": 0, "caps": {"effective": "CAP_CHOWN"}}), KPROBE, Kprobe(credentials={"euid": 1})),
        (Kprobe(namespaces={"net": {"is_host": True}}), KPROBE, Kprobe(namespaces={"net": 1})),
        (Kprobe(namespaces={"net": 4026531840}), KPROBE, Kprobe(namespaces={"pid": {"is_host": True}})),
        (Kprobe(ancestors=("/usr/bin/sh", "/sbin/init")), KPROBE, Kprobe(ancestors=("/sbin/init",))),
        (Kprobe(ancestors="/sbin/init"), KPROBE, Kprobe(ancestors="/sbin/ini")),
        (Kprobe(container="main"), KPROBE, Kprobe(container="side")),
        (Kprobe(container={"name": "main", "pid": 7}), KPROBE, Kprobe(container={"pid": 8})),
        (Kprobe(labels={"app": "x"}), KPROBE, Kprobe(labels={"app": "y"})),
        (Kprobe(parent="/usr/bin/sh"), KPROBE, Kprobe(parent="/usr/bin/bash")),
        (Kprobe(node="tetra-node"), KPROBE, Kprobe(node="other-node")),
        (Kprobe(capabilities=frozenset({"CAP_CHOWN", "CAP_SYS_ADMIN"})), KPROBE, Kprobe(capabilities=frozenset())),
        (Kprobe(workload="probe"), KPROBE, Kprobe(workload="prob")),
        (Kprobe(pid=SHELL_OF.pid), KPROBE, Kprobe(pid=1)),
        (Tracepoint("syscalls", "sys_enter_ptrace"), TRACEPOINT, Tracepoint("raw_syscalls", "sys_enter")),
        (Tracepoint(action="SIGKILL", arg1="/etc/shadow"), TRACEPOINT, Tracepoint(action="POST")),
        (Lsm("file_open", action="OVERRIDE", policy="guard"), LSM, Lsm("bprm_check_security")),
        (Lsm(ima_hash="sha256:00"), LSM, Lsm(ima_hash="sha256:01")),
        (Uprobe("/bin/bash", "readline", offset=4096), UPROBE, Uprobe("/bin/bash", "readlin")),
        (Uprobe(arg0=7), UPROBE, Uprobe("/usr/bin/bash")),
        (Usdt("/bin/app", "p", "start", action="SET", bytes=5), USDT, Usdt(name="stop")),
        (Loader("/lib/x.so", buildid=b"\xab\xcd"), LOADER, Loader("/lib/y.so")),
        (Throttle("THROTTLE_START", cgroup="session-3.scope"), THROTTLE, Throttle("THROTTLE_STOP")),
        (RateLimit(12), LIMITED, RateLimit(11)),
        (Exec(BASH, environment_variables=()), execs(SHELL_OF), Exec(BASH, cwd="/srv")),
        (Exit(status=3), exits(SHELL_OF, 3), Exit(signal="SIGKILL")),
    ],
)
def test_a_field_is_matched_by_what_the_event_says_and_by_nothing_else(
    asked: Pattern, of: Event, otherwise: Pattern
) -> None:
    """Whatever Tetragon's definition tells can be asked, and another value is another event."""
    assert asked.match(of) is True
    assert otherwise.match(of) is False
    assert asked.find([of], closed=True).met is True
    assert otherwise.find([of], closed=True).met is False


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_the_definition_has_a_word(kind: str) -> None:
    """A newer definition's fields can be asked as soon as its types are made."""
    held = {"process", "parent", "ancestors", "args", "data", "return_"}
    real = {"action": "POST", "return_action": "POST", "signal": "SIGKILL"}
    for name in KINDS[kind].__struct_fields__:
        if name not in held:
            assert Pattern(kind, ((name, real.get(name, "x")),))


@pytest.mark.parametrize(
    ("make", "nearest"),
    [
        (lambda: Pattern("tracepiont"), "tracepoint"),
        (lambda: Pattern("process_exec"), "exec"),
        (lambda: Kprobe(fiel="/x"), "file"),
        (lambda: Lsm(symbol="x"), "known are"),
        (lambda: Exec(actoin="POST"), "known are"),
        (lambda: Exec(file="/x"), "known are"),
        (lambda: Uprobe(sybmol="x"), "symbol"),
        (lambda: Throttle(binary="/x"), "known are"),
        (lambda: Kprobe("sys_openta"), "sys_openat"),
        (lambda: Kprobe("__x64_sys_opnat"), "__x64_sys_openat"),
        (lambda: Kprobe("__x86_sys_openat"), "__x64_sys_openat"),
        (lambda: Kprobe("__amd64_sys_openat"), "_sys_openat"),
        (lambda: Kprobe(action="SIGKIL"), "SIGKILL"),
        (lambda: Kprobe(action="KPROBE_ACTION_OVERIDE"), "OVERRIDE"),
        (lambda: Kprobe(return_action="POSTT"), "POST"),
        (lambda: Exit(signal="SIGKIL"), "SIGKILL"),
        (lambda: Tracepoint("syscalls", "sys_enter_ptrac"), "sys_enter_ptrace"),
        (lambda: Tracepoint("syscalls", "enter_ptrace"), "sys_enter_"),
        (lambda: Tracepoint("raw_syscalls", "sys_entr"), "sys_enter"),
        (lambda: Kprobe(sock_arg={"dadr": "x"}), "daddr"),
        (lambda: Kprobe(credentials={"caps": {"efective": "x"}}), "effective"),
        (lambda: InOrder(Exec(), same="sprt"), "name one"),
    ],
)
def test_what_no_event_can_ever_say_is_refused_at_once(make: Any, nearest: str) -> None:
    """With the nearest right word: a slip is never read as an absence."""
    with pytest.raises(UsageError) as refused:
        make()
    assert nearest in str(refused.value)


def odd(line: dict[str, Any]) -> Event:
    """An event of which something cannot be read."""
    made = parse(json.dumps({"node_name": "tetra-node", **line}).encode())
    assert isinstance(made, Event)
    return made


def opened(**changed: Any) -> Event:
    """An opened file, with fields of the event as they are given."""
    body = {"process": SHELL_OF.json(), "function_name": "fd_install", "action": "KPROBE_ACTION_SIGKILL"}
    return odd({"process_kprobe": {**body, "args": [{"int_arg": 3}, {"file_arg": {"path": "/tmp/x"}}], **changed}})


@pytest.mark.parametrize(
    ("of", "asked", "matches"),
    [
        # an action that a newer agent knows: the event is one, and what it did is not known
        (opened(action=99), Kprobe("fd_install"), True),
        (opened(action=99), Kprobe("fd_install", file="/tmp/x"), True),
        (opened(action=99), Kprobe("fd_install", action="SIGKILL"), None),
        (opened(action=99), Kprobe("fd_install", file="/tmp/y", action="SIGKILL"), False),
        (opened(action=3), Kprobe("fd_install", action="SIGKILL"), True),
        (opened(action=1), Kprobe("fd_install", action="SIGKILL"), False),
        (opened(action=None), Kprobe("fd_install", action="SIGKILL"), False),
        (opened(process=None), Kprobe("fd_install", file="/tmp/x"), True),
        (opened(process=None), Kprobe("fd_install").by(BASH), None),
        (opened(process=None), Kprobe("tcp_connect").by(BASH), False),
        (opened(process="?"), Kprobe("fd_install").by(BASH), None),
        (opened(process={**SHELL_OF.json(), "pid": "7"}), Kprobe(pid=7), True),
        (opened(process={**SHELL_OF.json(), "pid": {}}), Kprobe(pid=7), None),
        (opened(process={**SHELL_OF.json(), "pid": {}}), Kprobe(binary=BASH), True),
        (opened(process={**SHELL_OF.json(), "pid": {}}), Kprobe(binary="/x"), False),
        (opened(process={**SHELL_OF.json(), "binary": 7}), Kprobe(binary="/x"), None),
        (opened(process={**SHELL_OF.json(), "pod": 7}), Kprobe().in_pod("a/b"), None),
        (opened(process={**SHELL_OF.json(), "arguments": "a *****"}), Kprobe(arguments="a secret"), None),
        (opened(process={**SHELL_OF.json(), "flags": "execve truncArgs"}), Kprobe(arguments="a"), None),
        (opened(function_name=7), Kprobe("fd_install"), None),
        (opened(function_name=""), Kprobe("fd_install"), None),
        (opened(function_name=7), Kprobe("fd_install", file="/tmp/y"), False),
        (opened(args=[{"int_arg": 3}, {"file_arg": {"path": 7}}]), Kprobe(file="/tmp/x"), None),
        (opened(args=[{"int_arg": 3}, {"file_arg": {"path": 7}}]), Kprobe(arg0=3), True),
        (opened(args=[{"int_arg": 3}, {"file_arg": {"path": 7}}]), Kprobe(arg0=4), False),
        (opened(args=[{"int_arg": 3}, {"a_newer_arg": {}}]), Kprobe(file="/tmp/x"), None),
        (opened(args=[{"int_arg": 3}, {"a_newer_arg": {}}]), Kprobe(bytes=3), True),
        (opened(args=[{"int_arg": 3}, {"error_arg": {"Message": "no"}}]), Kprobe(arg1="/tmp/x"), None),
        (opened(args="?"), Kprobe(file="/tmp/x"), None),
        (opened(args=[{"file_arg": {"path": "/x", "flags": "unresolvedPathComponents"}}]), Kprobe(file="/tmp/x"), None),
        (opened(tags=7), Kprobe(tags="x"), None),
        (opened(policy_name=[]), Kprobe(policy="x"), None),
        (opened(**{"return": {"a_newer_arg": 7}}), Kprobe(returns=-1), None),
        (opened(**{"return": None}), Kprobe(returns=-1), False),
        (odd({"process_kprobe": "?"}), Kprobe("fd_install"), None),
        (odd({"process_kprobe": "?"}), Exec(BASH), False),
        (
            odd({"processKprobe": {"functionName": "fd_install", "policyName": "p"}}),
            Kprobe("fd_install", policy="p"),
            True,
        ),
        (execs(SHELL_OF), Exec(capabilities=frozenset({"CAP_CHOWN"})), None),
        (execs(SHELL_OF), Exec(namespaces={"net": 1}), None),
        (execs(SHELL_OF), Exec(in_init_tree=True), None),
    ],
)
def test_what_cannot_be_read_neither_matches_nor_differs(of: Event, asked: Pattern, matches: bool | None) -> None:
    """It costs only that value; and while it may be the one, nothing is said to be absent."""
    found = asked.match(of)
    assert (None if isinstance(found, Doubt) else found) is matches
    assert asked.find([of], closed=True).met is matches


DOUBTFUL = opened(action=99)
KILLED = Kprobe("fd_install", action="SIGKILL")
CERTAIN = opened()


@pytest.mark.parametrize(
    ("asked", "events", "met"),
    [
        (Exactly(0, KILLED), [DOUBTFUL], None),
        (Exactly(1, KILLED), [DOUBTFUL], None),
        (Exactly(1, KILLED), [CERTAIN, DOUBTFUL], None),
        (Exactly(1, KILLED), [CERTAIN, CERTAIN, DOUBTFUL], False),
        (Exactly(3, KILLED), [CERTAIN, DOUBTFUL], False),
        (Exactly(2, KILLED), [CERTAIN, DOUBTFUL], None),
        (InOrder(Exec(), KILLED), [execs(SHELL_OF), DOUBTFUL], None),
        (InOrder(Exec(), KILLED), [DOUBTFUL, execs(SHELL_OF)], False),
        (InOrder(Exec(), KILLED), [execs(SHELL_OF), DOUBTFUL, CERTAIN], True),
        (AllOf(KILLED, KILLED), [CERTAIN, DOUBTFUL], None),
        (AllOf(KILLED, KILLED, KILLED), [CERTAIN, DOUBTFUL], False),
        (AllOf(KILLED), [DOUBTFUL, CERTAIN], True),
    ],
)
def test_what_may_be_so_decides_nothing_where_it_would_decide(
    asked: Expectation, events: list[Event], met: bool | None
) -> None:
    """Counting, order and assignment are judged with what is certain, and undecided where a doubt would turn them."""
    found = asked.find(events, closed=True)
    assert found.met is met
    assert (found.doubt is not None) is (met is None)


def test_a_hooks_names_are_one_in_the_event_as_well() -> None:
    """A policy of arm64 tells its own name of the call."""
    process = started(5)
    for name in ("sys_openat", "__x64_sys_openat", "__arm64_sys_openat"):
        assert Kprobe("sys_openat").match(hooked(process, function=name)) is True
    assert Kprobe("sys_openat").match(hooked(process, function="__ia32_sys_openat")) is False
