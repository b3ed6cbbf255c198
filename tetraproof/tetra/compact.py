r"""Events as the lines that people know from `tetra getevents -o compact`.

A line is the one that the tetra of the version that made the stream prints (`--color
never`), for every kind and every form that tetra has since 1.3; without a version,
the one that the newest tetra known here prints. `told_as` says which.

One rule differs. One event is one line here, safe for a terminal, because a
stranger's arguments must not forge a second event or steer a terminal: where tetra
prints a line break or an escape sequence as it is, `\n` and `\e` stand here
(`tetraproof.text.safe`). Ordinary text, backslashes included, is left alone.

What tetra prints below a line unless it is told not to (`--stack-traces=false`,
`--ima-hash=false`) is told by `below`. Where tetra prints no line of an event, since
it knows no such kind, needs a process that is not told, or crashes on an argument of
another type, the line begins with `❔` and ends with `(tetra shows no line of it)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tetraproof.events import api
from tetraproof.events.api import Process
from tetraproof.events.event import Event
from tetraproof.tetra import call, syscall
from tetraproof.tetra.dialect import Dialect, dialect_of
from tetraproof.tetra.subject import subject
from tetraproof.text import safe

NO_LINE = "(tetra shows no line of it)"
#: What `tetra getevents` is told for one plain line an event.
PLAIN = ("-o", "compact", "--color", "never", "--stack-traces=false", "--ima-hash=false")

_SIGN = "🛑 CAP_SYS_ADMIN"
# tetra tells CAP_SYS_ADMIN by the number of effective capabilities (its own is 21), not by their names: so says its
# source, and the records (14 without it, 41 with it) agree. A short set that holds it goes unsigned, a long one
# without it is signed: the sign is tetra's word, the names in the event are the truth.
_SIGNED_ABOVE = 21
# A name that tetra does not know does not count, a number does; of one that could not be read we take that it does.
_KNOWN = frozenset(api.NUMBERS["CapabilitiesType"].values())
_CAPABILITY = "process.cap.effective."
_SIGN_ENDS_AT = 120  # in bytes of the text before it, in characters of the sign: so counts tetra

_THROTTLED = {"THROTTLE_START": "START", "THROTTLE_STOP": "STOP "}

# What a line shows. Where one of these could not be read, the line says so: what stands there may not be so.
_SHOWN = (
    *("node_name", "process.binary", "process.arguments", "process.pod.namespace", "process.pod.name"),
    *("status", "signal", "cgroup", "function_name", "subsys", "event"),
    *("path", "buildid", "symbol", "provider", "name"),
)
_SIGNED_BY = ("process.cap", "process.cap.effective")
# The one enum among the arguments: newer agents write a number that we cannot read, and tetra shows no enum.
_UNSEEN = ".bpf_cmd_arg"


def compact(event: Event, version: str = "") -> str:
    """The line that the tetra of `version` (`1.7.0`, `v1.7.1`) prints for `event`, without its line break.

    One line, safe for a terminal. A value that the line shows and that could not be read is named at its end. An
    event of which tetra shows no line is `❔`, kind, pod or node, and what is known of it. Never raises.
    """
    dialect = dialect_of(version)
    line = _line(event, dialect)
    if line is None:
        line = _without_line(event)
    return f"{line}{_unread(event, dialect)}" if event.unread else line


def printer(version: str = "") -> Callable[[Event], str]:
    """Tells an event as `compact` does, with the lines `below` it, and line breaks between them.

    What is the same for a whole stream is looked up once.
    """
    dialect = dialect_of(version)

    def printed(event: Event) -> str:
        line = _line(event, dialect)
        if line is None:
            line = _without_line(event)
        if event.unread:
            line = f"{line}{_unread(event, dialect)}"
        return "\n".join((line, *below(event, version))) if type(event.detail) in _WITH_MORE else line

    return printed


def has_line(event: Event, version: str = "") -> bool:
    """Whether the tetra of `version` prints a line of `event` at all."""
    return _line(event, dialect_of(version)) is not None


def below(event: Event, version: str = "") -> tuple[str, ...]:
    """The lines that tetra prints below an event's line: the stack trace of a kprobe, the IMA hash of an LSM event."""
    quote = dialect_of(version).quote
    detail = event.detail
    if isinstance(detail, api.ProcessKprobe):
        traced = detail.kernel_stack_trace or detail.user_stack_trace
        return tuple(map(safe, _stack_traces(detail, quote))) if traced else ()
    if isinstance(detail, api.ProcessLsm) and detail.ima_hash and (path := _measured(detail)):
        return (safe(f"   {quote(path)} {detail.ima_hash}"),)
    return ()


def _line(event: Event, dialect: Dialect) -> str | None:
    """The line that tetra prints, or nothing where it prints none."""
    detail = event.detail
    teller = _TELLERS.get(type(detail))
    if teller is None:
        return None
    told = teller(detail, dialect)
    if told is None:
        return None
    label, what = told
    process: Process | None = getattr(detail, "process", None)
    if process is None:
        return label if what is None else f"{label} {safe(what)}"
    quote = dialect.quote
    pod = process.pod
    place = quote(event.node) if pod is None else f"{pod.namespace}/{pod.name}"
    text = f"{place} {quote(process.binary)}" if what is None else f"{place} {quote(process.binary)} {what}"
    line = f"{label} {text if text.isascii() and text.isprintable() else safe(text)}"
    if process.cap is None or not _is_signed(process.cap, event.unread):
        return line
    told_bytes = len(f"{label} {text}".encode("utf-8", "replace"))
    return f"{line} {_SIGN:>{max(0, _SIGN_ENDS_AT - told_bytes)}}"


#: The kinds of event below whose line there may be more.
_WITH_MORE = (api.ProcessKprobe, api.ProcessLsm)


def _is_signed(cap: api.Capabilities, unread: tuple[str, ...]) -> bool:
    numbers = sum(path.startswith(_CAPABILITY) for path in unread) if unread else 0
    if len(cap.effective) + numbers <= _SIGNED_ABOVE:
        return False
    return sum(name in _KNOWN for name in cap.effective) + numbers > _SIGNED_ABOVE


def _exec(detail: api.ProcessExec, dialect: Dialect) -> call.Told | None:
    process = detail.process
    return None if process is None else ("🚀 process", dialect.quote(process.arguments))


def _exit(detail: api.ProcessExit, dialect: Dialect) -> call.Told | None:
    process = detail.process
    if process is None:
        return None
    return "💥 exit   ", f"{dialect.quote(process.arguments)} {detail.signal or detail.status}"


def _kprobe(detail: api.ProcessKprobe, dialect: Dialect) -> call.Told | None:
    if detail.process is None:
        return None
    name = detail.function_name
    form = dialect.forms.get(call.bare(name))
    return ("❓ syscall", name) if form is None else form(detail.args, dialect.quote)


def _tracepoint(detail: api.ProcessTracepoint, _dialect: Dialect) -> call.Told | None:
    if detail.process is None:
        return None
    if f"{detail.subsys}/{detail.event}" == "raw_syscalls/sys_enter":
        return "☎  syscall", syscall.entered(detail)
    return "⁉\ufe0f tracepoint", f"{detail.subsys} {detail.event}"


def _loader(detail: api.ProcessLoader, dialect: Dialect) -> call.Told | None:
    if detail.process is None:
        return None
    build = f"{detail.buildid.hex()} " if detail.buildid else ""
    return "🧬 loader ", f"{build}{dialect.quote(detail.path)}"


def _uprobe(detail: api.ProcessUprobe, dialect: Dialect) -> call.Told | None:
    if detail.process is None:
        return None
    return "🕵\ufe0f uprobe ", f"{dialect.quote(detail.path)} {dialect.quote(detail.symbol)}"


def _usdt(detail: api.ProcessUsdt, dialect: Dialect) -> call.Told | None:
    if detail.process is None or not dialect.knows_usdt:
        return None
    return "🕵\ufe0f usdt   ", " ".join(map(dialect.quote, (detail.path, detail.provider, detail.name)))


def _lsm(detail: api.ProcessLsm, _dialect: Dialect) -> call.Told | None:
    return None if detail.process is None else ("🔒 LSM    ", detail.function_name)


def _throttle(detail: api.ProcessThrottle, dialect: Dialect) -> call.Told:
    return "🧬 throttle", f"{_THROTTLED.get(detail.type, '')} {dialect.quote(detail.cgroup)}"


def _test(_detail: api.Test, _dialect: Dialect) -> call.Told:
    return "TEST EVENT", None


_TELLERS: dict[type, Callable[[Any, Dialect], call.Told | None]] = {
    api.ProcessExec: _exec,
    api.ProcessExit: _exit,
    api.ProcessKprobe: _kprobe,
    api.ProcessTracepoint: _tracepoint,
    api.ProcessLoader: _loader,
    api.ProcessUprobe: _uprobe,
    api.ProcessUsdt: _usdt,
    api.ProcessLsm: _lsm,
    api.ProcessThrottle: _throttle,
    api.Test: _test,
}


def _without_line(event: Event) -> str:
    process = event.process
    place = event.pod if process.pod else event.node
    words = ["❔", event.kind, place, process.binary, subject(event), NO_LINE]
    return safe(" ".join(word for word in words if word))


def _unread(event: Event, dialect: Dialect) -> str:
    """What a line that shows a value which could not be read says at its end."""
    detail = event.detail
    called = isinstance(detail, api.ProcessKprobe) and call.bare(detail.function_name) in dialect.forms
    shown = (*_SHOWN, "args") if called else _SHOWN
    for path in event.unread:
        if path.endswith(_UNSEEN):
            continue
        if not path or path in _SIGNED_BY or any(_is_below(path, one) or _is_below(one, path) for one in shown):
            return f" (unreadable: {safe(path or event.kind)})"
    return ""


def _is_below(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}.")


def _stack_traces(kprobe: api.ProcessKprobe, quote: call.Quote) -> Iterator[str]:
    if kprobe.kernel_stack_trace:
        yield "Kernel:"
    for entry in kprobe.kernel_stack_trace:
        yield f"   {entry.address:#x}: {quote(entry.symbol)}+{entry.offset:#x}"
    if kprobe.user_stack_trace:
        yield "User:"
    for entry in kprobe.user_stack_trace:
        symbol = f" {quote(entry.symbol)}" if entry.symbol else ""
        yield f"   {entry.address:#x}:{symbol} ({quote(entry.module)}+{entry.offset:#x})"


_OF_A_PROGRAM = frozenset(
    {
        "bprm_check_security",
        "bprm_committed_creds",
        "bprm_committing_creds",
        "bprm_creds_for_exec",
        "bprm_creds_from_file",
    }
)
_OF_A_FILE = frozenset({"file_ioctl", "file_lock", "file_open", "file_post_open", "file_receive", "mmap_file"})


def _measured(lsm: api.ProcessLsm) -> str:
    """The path that an IMA hash is of, where tetra tells it."""
    if not lsm.args:
        return ""
    if lsm.function_name in _OF_A_PROGRAM and (program := lsm.args[0].linux_binprm_arg):
        return program.path
    if lsm.function_name in _OF_A_FILE and (file := lsm.args[0].file_arg):
        return file.path
    return ""
