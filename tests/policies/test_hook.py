"""Names of hooks: which are one, and which are none."""

from __future__ import annotations

import pytest

from tetraproof.policies.hook import canonical, is_call_on, machine_of, why_no_tracepoint, why_none


@pytest.mark.parametrize(
    ("written", "one"),
    [
        ("sys_openat", "sys_openat"),
        ("__x64_sys_openat", "sys_openat"),
        ("__arm64_sys_openat", "sys_openat"),
        ("__ia32_sys_openat", "__ia32_sys_openat"),
        ("i386/sys_openat", "__ia32_sys_openat"),
        ("fd_install", "fd_install"),
        ("__x64_something", "__x64_something"),
    ],
)
def test_a_system_call_is_one_hook_under_the_names_of_its_architectures(written: str, one: str) -> None:
    """A 32-bit program's call is another."""
    assert canonical(written) == one


@pytest.mark.parametrize(
    "function",
    [
        "fd_install",
        "tcp_connect",
        "security_file_permission",
        "sys_openat",
        "__x64_sys_symlinkat",
        "__arm64_sys_bpf",
        "__ia32_sys_openat",
        "__ia32_compat_sys_ioctl",
        "i386/sys_symlinkat",
        "sys_clone3",
        "do_sys_openat2",
        "ksys_write",
    ],
)
def test_a_real_function_is_not_refused(function: str) -> None:
    """Of functions that are no system call nothing is known here."""
    assert not why_none(function)


@pytest.mark.parametrize(
    ("function", "near"),
    [
        ("sys_opneat", "sys_openat"),
        ("__x64_sys_opneat", "__x64_sys_openat"),
        ("__x86_sys_openat", "__x64_sys_openat"),
        ("__foo_sys_openat", "no known architecture"),
        ("i386/sys_symlnkat", "i386/sys_symlinkat"),
    ],
)
def test_a_name_that_no_architecture_gives_is_refused_with_the_nearest(function: str, near: str) -> None:
    """A slip would be an absence that always holds."""
    assert near in why_none(function)


@pytest.mark.parametrize(
    ("subsystem", "event", "near"),
    [
        ("syscalls", "sys_enter_openat", ""),
        ("syscalls", "sys_exit_openat", ""),
        ("raw_syscalls", "sys_enter", ""),
        ("sched", "anything", ""),
        ("syscalls", "sys_enter_opneat", "sys_enter_openat"),
        ("syscalls", "openat", "sys_enter_"),
        ("raw_syscalls", "sys_enter_openat", "sys_enter and sys_exit"),
    ],
)
def test_tracepoints_of_system_calls_are_known(subsystem: str, event: str, near: str) -> None:
    """Those of other subsystems are the kernel's own matter."""
    why = why_no_tracepoint(subsystem, event)
    assert near in why
    assert bool(why) is bool(near)


@pytest.mark.parametrize(
    ("written", "machine"),
    [
        ("__x64_sys_openat", "x86_64"),
        ("__arm64_sys_openat", "arm64"),
        ("sys_openat", ""),
        ("__x64_something", ""),
        ("__ia32_sys_openat", ""),
    ],
)
def test_a_name_of_one_architecture_tells_which(written: str, machine: str) -> None:
    """Another has no function of that name."""
    assert machine_of(written) == machine


@pytest.mark.parametrize(
    ("machine", "call", "there"),
    [
        ("x86_64", "open", True),
        ("x86_64", "read", True),  # whose number is 0
        ("arm64", "open", False),
        ("arm64", "openat", True),
        ("riscv64", "renameat", False),
        ("x86_64", "opeant", False),
    ],
)
def test_not_every_architecture_has_every_call(machine: str, call: str, *, there: bool) -> None:
    """The newer ones have no open."""
    assert is_call_on(machine, call) == there
