"""System calls by their number, written as tetra writes them: `openat(int dfd=3, const char *filename=0x7f)`.

The tables are facts of Linux's interface, as the tetra of every version since 1.3
has them: the name of each number by ABI, and the parameters of x64's. They lie in
`schemas/syscalls.json` and are read when the first event needs them.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from tetraproof.events.api import ProcessTracepoint

#: The ABI of the machine that tetra runs on. Its system calls are told with their parameters, others as `i386/open`.
_OWN = "x64"
_UNKNOWN = "unknown"


def entered(tracepoint: ProcessTracepoint) -> str:
    """The system call that a `raw_syscalls/sys_enter` event tells, as tetra on x86-64 writes it.

    The number is the first argument: a plain one is x64's, a `syscall_id` names its ABI. `unknown` where there is
    none, or the tables do not have it.
    """
    args = tracepoint.args
    number, abi = -1, _OWN
    if args:
        if args[0].long_arg is not None:
            number = args[0].long_arg
        elif (called := args[0].syscall_id) is not None:
            number, abi = called.id, called.abi
    name = _table().get(abi, {}).get(str(number), "") if abi in _ABIS else ""
    if not name:
        return _UNKNOWN
    if abi != _OWN:
        return f"{abi}/{name}"
    parameters = _table()["parameters"].get(name)
    if parameters is None:
        return name
    told = []
    for position, parameter in enumerate(filter(None, parameters.split(";")), 1):
        kind, _, called_as = parameter.partition("|")
        value = args[position].size_arg if position < len(args) else None
        if value is None:
            told.append(f"{kind} {called_as}=?")
        elif kind.endswith("*"):
            told.append(f"{kind}{called_as}={value:#x}")
        else:
            told.append(f"{kind} {called_as}={value}")
    return f"{name}({', '.join(told)})"


_ABIS = frozenset({"x64", "i386", "arm64", "arm32"})


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(files("tetraproof").joinpath("schemas/syscalls.json").read_text("utf-8"))
    return table
