r"""Events as the lines that people know from `tetra getevents -o compact`.

What has been recorded of Tetragon 1.4 and 1.7 is shown exactly as tetra shows it;
everything else in one form of ours that says so, rather than in a guessed one.

One event is one line here. tetra prints arguments as they are, so a line break in
them splits its line and an escape sequence reaches the terminal; no recorded line
shows either. Here they come out as `\n` and `\e` (`tetraproof.text.safe`), because
a stranger's arguments must not forge a second event or steer a terminal. Ordinary
text, backslashes included, is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tetraproof.event import Argument, Event, Exec, Exit, Kprobe, Process, RateLimit, Throttle
from tetraproof.text import safe

_Form = tuple[str, str]  # what stands before the pod, and what after the binary

# tetra has forms of its own for these, and no recording holds one: its default form would be wrong for them.
_UNRECORDED_FUNCTION = re.compile(
    r"(__(x64|arm64|ia32)_)?"
    r"(sys_(write|read|openat|open|close|mount|setuid|clock_settime|pivot_root|setns)|proc_exec_connector|bpf_check"
    r"|security_(perf_event_alloc|bpf_map_alloc|bpf_map_create|mmap_file|path_truncate|file_truncate))"
)

# Fields of a kind that is not typed, where they tell what it is about.
_TELLING_FIELDS = ("function_name", "subsys", "event", "path", "provider", "name", "symbol")

_SIGN = "🛑 CAP_SYS_ADMIN"
# tetra tells CAP_SYS_ADMIN by the number of effective capabilities (its own is 21), not by their names: so says its
# source, and the records (14 without it, 41 with it) agree. A short set that holds it goes unsigned, a long one
# without it is signed: the sign is tetra's word, the names in the event are the truth.
_SIGNED_ABOVE = 21
_SIGN_ENDS_AT = 120  # in bytes of the text before it, in characters of the sign: so counts tetra


def compact(event: Event) -> str:
    """The line that `tetra getevents -o compact --color never` prints for `event`, without its line break.

    One line, safe for a terminal. A form that was never recorded is `❔`, kind, pod or
    node, what is known of it, and `(form not recorded)`. Never raises.
    """
    line = _recorded(event)
    return _unrecorded(event) if line is None else line


def is_recorded_form(event: Event) -> bool:
    """Whether `compact` shows `event` in a form that tetra itself was seen to print."""
    return _recorded(event) is not None


def _recorded(event: Event) -> str | None:
    """The line that tetra prints, or nothing where none of this form was recorded."""
    process = event.process
    match event.detail:
        case Exec():
            form: _Form | None = "🚀 process", process.arguments
        case Exit(status=status, signal=signal):
            form = "💥 exit   ", f"{process.arguments} {signal or status}"
        case Kprobe() as kprobe:
            form = _kprobe(kprobe)
        case _:
            form = None
    if form is None:
        return None
    before, after = form
    return _signed(safe(f"{before} {_place(event)} {process.binary} {after}"), process)


def _kprobe(kprobe: Kprobe) -> _Form | None:
    if kprobe.function_name in _FORMS:
        return _FORMS[kprobe.function_name](kprobe.args)
    if _UNRECORDED_FUNCTION.fullmatch(kprobe.function_name):
        return None
    return "❓ syscall", kprobe.function_name


def _opened(args: tuple[Argument, ...]) -> _Form | None:
    file = args[1].file_arg if len(args) > 1 else None
    return ("📬 open   ", file.path) if file else None


def _permission(args: tuple[Argument, ...]) -> _Form | None:
    file, mask = (args[0].file_arg, args[1].int_arg) if len(args) > 1 else (None, None)
    label = {2: "📝 write  ", 4: "📚 read   "}.get(mask or 0)
    return (label, file.path) if file and label else None


def _connected(args: tuple[Argument, ...]) -> _Form | None:
    connection = _connection(args)
    return ("🔌 connect", connection) if connection else None


def _closed(args: tuple[Argument, ...]) -> _Form | None:
    connection = _connection(args)
    return ("🧹 close  ", connection) if connection else None


def _sent(args: tuple[Argument, ...]) -> _Form | None:
    connection, size = _connection(args), args[1].int_arg if len(args) > 1 else None
    return ("📤 sendmsg", f"{connection} bytes {size}") if connection and size is not None else None


def _connection(args: tuple[Argument, ...]) -> str:
    sock = args[0].sock_arg if args else None
    return f"tcp {sock.saddr}:{sock.sport} -> {sock.daddr}:{sock.dport}" if sock else ""


_FORMS: dict[str, Callable[[tuple[Argument, ...]], _Form | None]] = {
    "fd_install": _opened,
    "security_file_permission": _permission,
    "tcp_connect": _connected,
    "tcp_close": _closed,
    "tcp_sendmsg": _sent,
}


def _place(event: Event) -> str:
    pod = event.process.pod
    return event.node if pod is None else str(pod)


def _signed(line: str, process: Process) -> str:
    if process.cap is None or len(process.cap.effective) <= _SIGNED_ABOVE:
        return line
    return f"{line} {_SIGN:>{max(0, _SIGN_ENDS_AT - len(line.encode()))}}"


def _unrecorded(event: Event) -> str:
    match event.detail:
        case Kprobe(function_name=name):
            about = [name]
        case Throttle(type=change, cgroup=cgroup):
            about = [change, cgroup]
        case RateLimit(number_of_dropped_process_events=number):
            about = [f"{number} events left out"]
        case dict() as fields:
            about = [value for field in _TELLING_FIELDS if isinstance(value := fields.get(field), str)]
        case _:
            about = []
    words = ["❔", event.kind, _place(event), event.process.binary, *about, "(form not recorded)"]
    return safe(" ".join(word for word in words if word))
