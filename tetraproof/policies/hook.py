"""The names of hooks: which of them are one hook, and which are none.

A system call has one name in a policy (`sys_openat`) and another in the kernel and
in events, by architecture (`__x64_sys_openat`, `__arm64_sys_openat`). The calls that
a 32-bit program makes (`__ia32_sys_openat`) are hooks of their own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import cache

from system_calls import NoSuchSystemCall, NotSupportedSystemCall, syscalls

#: What stands before a system call's function where the kernel's own calls are meant, by architecture.
NATIVE = ("__x64_", "__arm64_", "__riscv_", "__s390x_")
_MACHINES = dict(zip(NATIVE, ("x86_64", "arm64", "riscv64", "s390x"), strict=True))
#: Likewise for the calls of programs of another width.
FOREIGN = ("__ia32_", "__ia32_compat_", "__x64_compat_", "__arm64_compat_", "__s390_", "__riscv_compat_")
_SYSCALL = re.compile(r"(?P<prefix>(?:i386/)|(?:__[a-z0-9_]+?_)?)(?:sys)_(?P<name>[a-z0-9_]+)")
#: Functions that are called like a system call and are none: kernel helpers, not entries.
_ENTERED = re.compile(r"sys_(?:enter|exit)_(?P<name>[a-z0-9_]+)")


@cache
def canonical(function: str) -> str:
    """The one name of a hook: `sys_openat` for `__x64_sys_openat`; any other function is its own name."""
    for prefix in NATIVE:
        if function.startswith(f"{prefix}sys_"):
            return function.removeprefix(prefix)
    if function.startswith("i386/sys_"):  # as a policy writes it
        return "__ia32_" + function.removeprefix("i386/")
    return function


def machine_of(function: str) -> str:
    """The architecture that alone has a function of this name (`arm64` of `__arm64_sys_openat`), or nothing."""
    return next((machine for prefix, machine in _MACHINES.items() if function.startswith(f"{prefix}sys_")), "")


@cache
def is_call_on(machine: str, call: str) -> bool:
    """Whether an architecture has a system call, by its name without a prefix."""
    try:
        return bool(syscalls().get(call, machine) >= 0)
    except (NoSuchSystemCall, NotSupportedSystemCall):
        return False


@cache
def system_calls() -> frozenset[str]:
    """Every system call's name on any architecture of Linux, without a prefix, and what its function is called."""
    entered = {"newstat", "newlstat", "newfstat", "newuname", "umount", "sendfile64"}
    return frozenset(syscalls().names()) | {"uprobe", "uretprobe", "ni_syscall"} | entered


def why_none(function: str) -> str:
    """Why no known architecture gives a function of this name, in a clause with the nearest right name."""
    found = _SYSCALL.fullmatch(function)
    if found is None:
        return ""
    prefix, name = found["prefix"], found["name"]
    if prefix and prefix not in {*NATIVE, *FOREIGN, "i386/"}:
        near = nearest(prefix, (*NATIVE, *FOREIGN))
        return f"no known architecture has functions that begin with {prefix}" + (
            f" (did you mean {near}sys_{name}?)" if near else ""
        )
    if name in system_calls():
        return ""
    near = nearest(name, system_calls())
    return f"there is no system call {name}" + (f" (did you mean {prefix}sys_{near}?)" if near else "")


def why_no_tracepoint(subsystem: str, event: str) -> str:
    """Why the kernel has no such tracepoint of system calls, in a clause; of others nothing is known here."""
    if subsystem == "raw_syscalls" and event not in {"sys_enter", "sys_exit"}:
        return f"raw_syscalls has no event {event} (it has sys_enter and sys_exit)"
    if subsystem != "syscalls":
        return ""
    found = _ENTERED.fullmatch(event)
    if found is None:
        return f"syscalls has no event {event} (its events are sys_enter_… and sys_exit_… of a system call)"
    if found["name"] in system_calls():
        return ""
    near = nearest(found["name"], system_calls())
    start = event.removesuffix(found["name"])
    return f"there is no system call {found['name']}" + (f" (did you mean {start}{near}?)" if near else "")


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like `word`, or nothing where none is much like it."""
    return next(iter(difflib.get_close_matches(word, list(known), 1, 0.6)), "")
