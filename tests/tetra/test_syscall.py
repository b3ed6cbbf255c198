"""System calls by number: named as tetra on x86-64 names them."""

from __future__ import annotations

import msgspec
import pytest

from tetraproof.events.api import KprobeArgument, ProcessTracepoint, SyscallId
from tetraproof.tetra.syscall import entered


def size(value: int) -> KprobeArgument:
    return KprobeArgument(size_arg=value)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((), "unknown"),
        ((KprobeArgument(),), "unknown"),
        ((KprobeArgument(long_arg=-1),), "unknown"),
        ((KprobeArgument(long_arg=99999),), "unknown"),
        ((KprobeArgument(string_arg="parameters"),), "unknown"),
        ((KprobeArgument(syscall_id=SyscallId(id=0, abi="parameters")),), "unknown"),
        ((KprobeArgument(syscall_id=SyscallId(id=59)),), "unknown"),
        ((KprobeArgument(long_arg=39),), "getpid"),
        ((KprobeArgument(long_arg=3),), "close(unsigned int fd=?)"),
        ((KprobeArgument(syscall_id=SyscallId(id=3, abi="x64")), size(7)), "close(unsigned int fd=7)"),
        (
            (KprobeArgument(long_arg=59), size(4096), KprobeArgument(int_arg=1)),
            "execve(const char *filename=0x1000, const char *const * argv=?, const char *const * envp=?)",
        ),
        ((KprobeArgument(syscall_id=SyscallId(id=11, abi="i386")), size(1)), "i386/execve"),
        ((KprobeArgument(syscall_id=SyscallId(id=221, abi="arm64")),), "arm64/execve"),
    ],
)
def test_a_system_call_by_its_number(args: tuple[KprobeArgument, ...], told: str) -> None:
    """With its parameters where they are x64's; by its ABI and name elsewhere; unknown where no table has it."""
    assert entered(ProcessTracepoint(args=args)) == told


@pytest.mark.parametrize("abi", ["x64", "i386", "arm64", "arm32"])
def test_each_abi_names_the_calls_that_every_linux_has(abi: str) -> None:
    """The tables are whole: what every policy guards has a number in each."""
    named = {
        entered(ProcessTracepoint(args=(KprobeArgument(syscall_id=SyscallId(id=number, abi=abi)),)))
        for number in range(500)
    }
    bare = {one.partition("(")[0].rpartition("/")[2] for one in named}
    assert {"read", "write", "openat", "execve", "ptrace", "setuid", "connect", "unlinkat", "mount"} <= bare


def test_nothing_of_an_event_is_changed() -> None:
    """The event stays as it was told."""
    one = ProcessTracepoint(args=(KprobeArgument(long_arg=3), size(7)))
    before = msgspec.to_builtins(one)
    entered(one)
    assert msgspec.to_builtins(one) == before
