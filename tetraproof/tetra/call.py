"""Calls of kernel functions as tetra's compact output tells them: a label, and what was called upon.

tetra has a form of its own for some twenty functions, and one for all the others.
A form reads arguments by position, and by the type that it expects there; what is
missing or of another type is told as tetra tells it: nothing, or 0. Some forms
cannot do without the type: tetra itself crashes there, and these give nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from tetraproof.events.api import KprobeArgument, KprobeSock

Arguments = tuple[KprobeArgument, ...]
Quote = Callable[[str], str]
#: What stands before the process, and what after it; None where nothing does, not even a blank.
Told = tuple[str, str | None]
#: A function's form. It gives None for arguments at which tetra crashes.
Form = Callable[[Arguments, Quote], Told | None]

_PREFIXES = ("__x64_", "__arm64_", "__ia32_")
_NAMESPACES = {
    0: "any",
    0x80: "time",
    0x20000: "mnt",
    0x2000000: "cgroup",
    0x4000000: "uts",
    0x8000000: "ipc",
    0x10000000: "user",
    0x20000000: "pid",
    0x40000000: "net",
}
_WRITE, _READ = 2, 4  # masks of security_file_permission
_PROTECTIONS = ((1, "r"), (2, "w"), (4, "x"))


def bare(function: str) -> str:
    """A function's name without the prefix that an architecture gives to system calls."""
    if function.startswith("__"):
        for prefix in _PREFIXES:
            if function.startswith(prefix):
                return function[len(prefix) :]
    return function


def _path(args: Arguments, position: int, quote: Quote) -> str:
    file = args[position].file_arg if position < len(args) else None
    return quote(file.path) if file else ""


def _text(args: Arguments, position: int, quote: Quote) -> str:
    return quote(args[position].string_arg or "") if position < len(args) else ""


def _read_or_written(label: str) -> Form:
    def form(args: Arguments, quote: Quote) -> Told:
        size = f"{args[2].size_arg or 0} bytes" if len(args) > 2 else ""  # noqa: PLR2004 - the third argument
        return label, f"{_path(args, 0, quote)} {size}"

    return form


def _file(label: str, position: int) -> Form:
    return lambda args, quote: (label, _path(args, position, quote))


def _named(label: str) -> Form:
    return lambda args, quote: (label, _text(args, 1, quote))


def _from_and_to(label: str) -> Form:
    return lambda args, quote: (label, f"{_text(args, 0, quote)} {_text(args, 1, quote)}")


def _alone(label: str) -> Form:
    return lambda _args, _quote: (label, None)


def _user(args: Arguments, _quote: Quote) -> Told:
    return "🔑 setuid ", str(args[0].int_arg or 0) if args else ""


def _namespace(args: Arguments, _quote: Quote) -> Told:
    return "🔧 setns  ", _NAMESPACES.get(args[1].int_arg or 0, "") if len(args) > 1 else ""


def _tcp(sock: KprobeSock) -> str:
    return f"tcp {sock.saddr}:{sock.sport} -> {sock.daddr}:{sock.dport}"


def _connection(label: str) -> Form:
    def form(args: Arguments, _quote: Quote) -> Told | None:
        if not args:
            return label, ""
        sock = args[0].sock_arg
        return (label, _tcp(sock)) if sock else None

    return form


def _sent(args: Arguments, _quote: Quote) -> Told | None:
    connection = ""
    if args:
        if not (sock := args[0].sock_arg):
            return None
        connection = _tcp(sock)
    return "📤 sendmsg", f"{connection} bytes {(args[1].int_arg or 0) if len(args) > 1 else 0}"


def _program(args: Arguments, _quote: Quote) -> Told | None:
    label = "🐝 bpf_load"
    if not args:
        return label, ""
    program = args[0].bpf_attr_arg
    return (label, f"{program.ProgType} {program.ProgName} instruction count {program.InsnCnt}") if program else None


def _perf(args: Arguments, _quote: Quote) -> Told | None:
    label = "🐝 perf_event_alloc"
    if not args:
        return label, ""
    event = args[0].perf_event_arg
    return (label, f"{event.Type} {event.KprobeFunc}") if event else None


def _map(args: Arguments, _quote: Quote) -> Told | None:
    label = "🗺 bpf_map_create"
    if not args:
        return label, ""
    made = args[0].bpf_map_arg
    if not made:
        return None
    sizes = f"key size {made.KeySize} value size {made.ValueSize} max entries {made.MaxEntries}"
    return label, f"{made.MapType} {made.MapName} {sizes}"


def _permission(args: Arguments, quote: Quote) -> Told | None:
    label = "❓ security_file_permission"
    if len(args) < 2:  # noqa: PLR2004 - the file and the mask
        return label, ""
    file = args[0].file_arg
    if not file:
        return None
    return {_WRITE: "📝 write  ", _READ: "📚 read   "}.get(args[1].int_arg or 0, label), quote(file.path)


def _mapped(args: Arguments, quote: Quote) -> Told | None:
    if len(args) < 2:  # noqa: PLR2004 - the file and the protection
        return "❓ security_mmap_file", ""
    file, protection = args[0].file_arg, args[1].uint_arg or 0
    if not file:
        return None
    tag = "mmap-" + "".join(letter for bit, letter in _PROTECTIONS if protection & bit)
    return f"📝 {tag:7}", quote(file.path)


def _truncated_path(args: Arguments, quote: Quote) -> Told | None:
    if not args:
        return "❓ security_path_truncate", ""
    path = args[0].path_arg
    return ("📝 truncate", quote(path.path)) if path else None


def _truncated_file(args: Arguments, quote: Quote) -> Told | None:
    if not args:
        return "❓ security_file_truncate", ""
    file = args[0].file_arg
    return ("📝 truncate", quote(file.path)) if file else None


#: The form of each function that has one in Tetragon 1.3 and later. The two labels with a variation selector are so.
SINCE_1_3: dict[str, Form] = {
    "sys_write": _read_or_written("📝 write  "),
    "sys_read": _read_or_written("📚 read   "),
    "fd_install": _file("📬 open   ", 1),
    "sys_openat": _named("📬\ufe0f openat "),
    "sys_open": _named("📬\ufe0f open   "),
    "sys_close": _file("📪 close  ", 0),
    "sys_mount": _from_and_to("💾 mount  "),
    "sys_setuid": _user,
    "sys_clock_settime": _alone("⏰ clock_settime"),
    "sys_pivot_root": _from_and_to("💾 pivot_root"),
    "proc_exec_connector": _alone("🔧 proc_exec_connector"),
    "sys_setns": _namespace,
    "tcp_connect": _connection("🔌 connect"),
    "tcp_close": _connection("🧹 close  "),
    "tcp_sendmsg": _sent,
    "bpf_check": _program,
    "security_perf_event_alloc": _perf,
    "security_bpf_map_alloc": _map,
    "security_file_permission": _permission,
    "security_mmap_file": _mapped,
    "security_path_truncate": _truncated_path,
}
#: What Tetragon 1.7 added.
SINCE_1_7: dict[str, Form] = {"security_bpf_map_create": _map, "security_file_truncate": _truncated_file}
