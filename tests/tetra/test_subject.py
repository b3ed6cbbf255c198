"""What an event is about: the object of every kind, in a few words."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tetraproof.events import api
from tetraproof.events.event import Event, parse
from tetraproof.tetra.subject import subject

PROCESS = {"binary": "/usr/bin/cat", "arguments": "-n x"}
SOCK = {"saddr": "10.0.0.6", "sport": 40000, "daddr": "203.0.113.10", "dport": 443}


def about(field: str, **detail: Any) -> str:
    event = parse(json.dumps({field: {"process": PROCESS, **detail}}).encode())
    assert isinstance(event, Event)
    assert not event.unread
    return subject(event)


def called(*args: dict[str, Any]) -> str:
    """What a kprobe of a function is about, without the function's name."""
    return about("process_kprobe", function_name="f", args=args).removeprefix("f").strip()


@pytest.mark.parametrize(
    ("field", "detail", "words"),
    [
        ("process_exec", {}, "/usr/bin/cat -n x"),
        ("process_exit", {"status": 3}, "3"),
        ("process_exit", {"status": 9, "signal": "SIGKILL"}, "SIGKILL"),
        ("process_kprobe", {"function_name": "fd_install", "args": [{"int_arg": 3}]}, "fd_install  3"),
        ("process_kprobe", {"function_name": "commit_creds"}, "commit_creds"),
        (
            "process_lsm",
            {"function_name": "file_open", "args": [{"file_arg": {"path": "/etc/shadow"}}]},
            "file_open  /etc/shadow",
        ),
        ("process_tracepoint", {"subsys": "syscalls", "event": "sys_enter_ptrace"}, "syscalls/sys_enter_ptrace"),
        (
            "process_tracepoint",
            {"subsys": "raw_syscalls", "event": "sys_enter", "args": [{"long_arg": "3"}, {"size_arg": "7"}]},
            "raw_syscalls/sys_enter  close(unsigned int fd=7)",
        ),
        ("process_uprobe", {"path": "/usr/bin/bash", "symbol": "readline"}, "/usr/bin/bash readline"),
        ("process_uprobe", {"path": "/usr/bin/bash", "offset": "255"}, "/usr/bin/bash +0xff"),
        (
            "process_usdt",
            {
                "path": "/lib/libc.so",
                "provider": "libc",
                "name": "setjmp",
                "args": [{"int_arg": 1}, {"string_arg": "a"}],
            },
            "/lib/libc.so libc setjmp  a",
        ),
        ("process_loader", {"path": "/lib/x.so", "buildid": "AQI="}, "/lib/x.so build id 0102"),
        ("process_throttle", {"process": None, "type": "THROTTLE_START", "cgroup": "/k/c"}, "START /k/c"),
        ("rate_limit_info", {"process": None, "number_of_dropped_process_events": "7"}, "7 events left out"),
        ("process_new", {"path": "/p", "name": "n", "args": 3}, "/p n"),
        ("test", {"process": None}, ""),
    ],
)
def test_what_an_event_of_a_kind_is_about(field: str, detail: dict[str, Any], words: str) -> None:
    """Each kind has its object, a kind that is not known here what it tells of itself."""
    assert about(field, **detail) == words


#: A value of each form that an argument may have, and how it is told.
FORMS: dict[str, tuple[Any, str]] = {
    "string_arg": ("/etc/shadow", "/etc/shadow"),
    "int_arg": (-1, "-1"),
    "skb_arg": (SOCK, "10.0.0.6:40000 → 203.0.113.10:443"),
    "size_arg": ("18446744073709551615", "18446744073709551615"),
    "bytes_arg": ("AQI=", "0102"),
    "path_arg": ({"path": "/p"}, "/p"),
    "file_arg": ({"path": "/f"}, "/f"),
    "truncated_bytes_arg": ({"bytes_arg": "AQI=", "orig_size": "9"}, "0102"),
    "sock_arg": (SOCK, "10.0.0.6:40000 → 203.0.113.10:443"),
    "cred_arg": ({"effective": ["CAP_KILL", "CAP_BPF"]}, "effective CAP_KILL CAP_BPF"),
    "long_arg": ("-7", "-7"),
    "bpf_attr_arg": ({"ProgType": "KPROBE", "ProgName": "p", "InsnCnt": 3}, "KPROBE p"),
    "perf_event_arg": ({"Type": "TRACEPOINT", "KprobeFunc": "commit_creds"}, "TRACEPOINT commit_creds"),
    "bpf_map_arg": ({"MapType": "HASH", "MapName": "m"}, "HASH m"),
    "uint_arg": (577, "577"),
    "user_namespace_arg": ({"ns": {"inum": 4026531837}}, "user namespace 4026531837"),
    "capability_arg": ({"value": 21, "name": "CAP_SYS_ADMIN"}, "CAP_SYS_ADMIN"),
    "process_credentials_arg": ({"uid": 0}, "uid 0"),
    "user_ns_arg": ({"ns": {"inum": 4026531837}}, "user namespace 4026531837"),
    "module_arg": ({"name": "xor"}, "xor"),
    "kernel_cap_t_arg": ("00000000000000ff", "00000000000000ff"),
    "cap_inheritable_arg": ("01", "01"),
    "cap_permitted_arg": ("02", "02"),
    "cap_effective_arg": ("03", "03"),
    "linux_binprm_arg": ({"path": "/usr/bin/nc"}, "/usr/bin/nc"),
    "net_dev_arg": ({"name": "eth0"}, "eth0"),
    "bpf_cmd_arg": ("BPF_PROG_LOAD", "BPF_PROG_LOAD"),
    "syscall_id": ({"id": 59, "abi": "x64"}, "x64/59"),
    "sockaddr_arg": ({"family": "AF_INET", "addr": "203.0.113.9", "port": 443}, "203.0.113.9:443"),
    "bpf_prog_arg": ({"ProgType": "LSM", "ProgName": "p"}, "LSM p"),
    "error_arg": ({"Message": "page fault"}, "page fault"),
    "sockaddrun_arg": ({"family": "AF_UNIX", "path": "/run/x.sock"}, "/run/x.sock"),
}


@pytest.mark.parametrize("form", [name for name in api.KprobeArgument.__struct_fields__ if name != "label"])
def test_every_form_of_an_argument_is_told(form: str) -> None:
    """A form that the definition has and that is not told here would be an event about nothing."""
    value, words = FORMS[form]
    assert called({form: value}) == words


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"size_arg", "long_arg", "bpf_cmd_arg"}))  # those say 0 at least
def test_an_argument_that_says_nothing_is_left_out(form: str) -> None:
    """What is empty does not hide what stands beside it."""
    empty = {str: "", dict: {}}.get(type(FORMS[form][0]), 0)
    told = called({form: empty}, {"file_arg": {"path": "/f"}})
    assert told == ("0, /f" if form == "syscall_id" else "/f")


def test_what_has_a_name_tells_more_than_numbers() -> None:
    """Flags and descriptors are told only where nothing is named; all that is named is told."""
    assert called({"int_arg": 3}, {"string_arg": "/a"}, {"string_arg": "/b"}, {"int_arg": 0}) == "/a, /b"
    assert called({"int_arg": 3}, {"uint_arg": 0}) == "3, 0"


def test_many_bytes_are_cut() -> None:
    """A buffer does not fill the screen."""
    assert called({"bytes_arg": "QUFB" * 40}) == "41" * 32 + "…"
    assert called({"bytes_arg": base64.b64encode(b"A" * 32).decode()}) == "41" * 32


def test_a_connection_with_one_end_is_told() -> None:
    """A socket that is not connected yet has no other."""
    assert called({"sock_arg": {"daddr": "203.0.113.9", "dport": 53}}) == ":0 → 203.0.113.9:53"
    assert called({"sock_arg": {"saddr": "10.0.0.1", "sport": 53}}) == "10.0.0.1:53 → :0"
