"""What a policy hooks: an expectation of anything else is refused, whichever part of the policy it speaks of."""

from __future__ import annotations

import pytest

from tests.builders import policy
from tetraproof.errors import UsageError
from tetraproof.judging.expectation import (
    AllOf,
    Exactly,
    Exec,
    Expectation,
    InOrder,
    Kprobe,
    Loader,
    Lsm,
    Tracepoint,
    Uprobe,
)
from tetraproof.judging.hooked import check

KPROBES = "  kprobes:\n    - {call: fd_install, syscall: false}\n    - {call: tcp_connect, syscall: false}\n"
SYSCALL = "  kprobes:\n    - {call: sys_symlinkat, syscall: true}\n"
FENTRIES = "  fentries:\n    - {call: security_file_open}\n"
LSM = "  lsmhooks:\n    - {hook: file_open}\n"
TRACEPOINTS = "  tracepoints:\n    - {subsystem: syscalls, event: sys_enter_ptrace}\n"
LIST = "  lists:\n    - {name: calls, type: syscalls, values: [sys_symlinkat]}\n"
OF_LIST = '  kprobes:\n    - {call: "list:calls", syscall: true}\n'
UPROBES = "  uprobes:\n    - {path: /usr/bin/bash, symbols: [readline]}\n"


def made(*parts: str) -> str:
    """A policy's text with these parts of a spec."""
    head = "apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: guard\nspec:\n"
    return head + "".join(parts)


@pytest.mark.parametrize(
    ("text", "expectation"),
    [
        (made(KPROBES), Kprobe("fd_install")),
        (made(KPROBES), Kprobe("tcp_connect")),
        (made(KPROBES), Kprobe(file="/tmp/a")),
        (made(KPROBES), Kprobe()),
        # one hook has several names
        (made(SYSCALL), Kprobe("sys_symlinkat")),
        (made(SYSCALL), Kprobe("__x64_sys_symlinkat")),
        (made(SYSCALL), Kprobe("__arm64_sys_symlinkat")),
        (made(SYSCALL), Kprobe(function_name="__x64_sys_symlinkat")),
        (made(KPROBES, FENTRIES), Kprobe("security_file_open")),
        (made(LSM), Lsm("file_open")),
        (made(TRACEPOINTS), Tracepoint("syscalls", "sys_enter_ptrace")),
        (made(TRACEPOINTS), Tracepoint("syscalls")),
        # what a policy hooks by a list is named elsewhere
        (made(LIST, OF_LIST), Kprobe("sys_symlinkat")),
        (made(LIST, OF_LIST), Kprobe("sys_linkat")),
        # nothing names what these are of
        (made(UPROBES), Uprobe("/usr/bin/sh", "readline")),
        (made(KPROBES), Loader("/lib/x.so")),
        (made(KPROBES), Exec("/usr/bin/cat")),
    ],
)
def test_what_is_hooked_may_be_expected(text: str, expectation: Expectation) -> None:
    """By any of its names, and with no name at all."""
    check(policy(text), expectation)


@pytest.mark.parametrize(
    ("text", "expectation", "message", "remedy"),
    [
        (made(KPROBES), Kprobe("fd_instal"), "guard hooks no fd_instal, so no event", "did you mean fd_install?"),
        (made(KPROBES), Kprobe(function_name="fd_instal"), "hooks no fd_instal", "did you mean fd_install?"),
        (made(KPROBES), Kprobe("bpf_check"), "hooks no bpf_check", "it hooks fd_install, tcp_connect"),
        (made(KPROBES, FENTRIES), Kprobe("security_file_opem"), "hooks no", "did you mean security_file_open?"),
        (made(LSM), Lsm("file_opem"), "hooks no file_opem", "did you mean file_open?"),
        (made(LSM, KPROBES), Lsm("fd_install"), "hooks no fd_install", "it hooks file_open"),
        (made(TRACEPOINTS), Tracepoint("syscalls", "sys_exit_ptrace"), "hooks no", "did you mean sys_enter_ptrace?"),
        # in whatever it stands
        (made(KPROBES), Exactly(0, Kprobe("bpf_check")), "hooks no bpf_check", "it hooks"),
        (made(KPROBES), InOrder(Kprobe("fd_install"), Kprobe("bpf_check")), "hooks no bpf_check", "it hooks"),
        (made(KPROBES), AllOf(Exec(), Kprobe("bpf_check"), Kprobe("fd_install")), "hooks no bpf_check", "it hooks"),
    ],
)
def test_what_is_not_hooked_is_refused(text: str, expectation: Expectation, message: str, remedy: str) -> None:
    """With the nearest hook that the policy has, or with all of them."""
    with pytest.raises(UsageError) as refused:
        check(policy(text), expectation)
    assert message in str(refused.value)
    assert remedy in str(refused.value)
