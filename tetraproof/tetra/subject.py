"""What an event is about, in a few words and for every kind: the hook and the file, the library, the program.

Arguments that name something (a path, an address, a module) tell more than numbers
do, so that they are told where there are any, and the numbers where there are none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tetraproof.events import api
from tetraproof.events.event import Event
from tetraproof.tetra import syscall

# Fields of a kind that is not known here, where they tell what it is about.
_TELLING_FIELDS = ("function_name", "subsys", "event", "path", "provider", "name", "symbol", "type", "cgroup")

_MOST_BYTES = 32  # of an argument of bytes; a longer one is cut


def subject(event: Event) -> str:
    """What an event is about, in a few words and as the agent wrote it: to be made safe before it is printed.

    A program with its arguments, how a process ended, a hook and what it was called upon (two blanks between them), a
    library, a cgroup, how many events were left out. Empty where the event names nothing. Never raises.
    """
    detail = event.detail
    if isinstance(detail, dict):
        return _joined(value for field in _TELLING_FIELDS if isinstance(value := detail.get(field), str))
    teller = _TELLERS.get(type(detail))
    return teller(detail) if teller else ""


def _program(detail: api.ProcessExec) -> str:
    process = detail.process
    return _joined((process.binary, process.arguments)) if process else ""


def _end(detail: api.ProcessExit) -> str:
    return detail.signal or str(detail.status)


def _function(detail: Any) -> str:
    return _of(detail.function_name, _arguments(detail))


def _probe(detail: api.ProcessUprobe) -> str:
    place = detail.symbol or (f"+{detail.offset:#x}" if detail.offset else "")
    return _of(_joined((detail.path, place)), _arguments(detail))


def _marker(detail: api.ProcessUsdt) -> str:
    return _of(_joined((detail.path, detail.provider, detail.name)), _arguments(detail))


def _tracepoint(detail: api.ProcessTracepoint) -> str:
    name = "/".join(filter(None, (detail.subsys, detail.event)))
    return _of(name, syscall.entered(detail) if name == "raw_syscalls/sys_enter" else _arguments(detail))


def _of(hook: str, what: str) -> str:
    return "  ".join(filter(None, (hook, what)))


def _arguments(detail: Any) -> str:
    """What the arguments of a hook name; the numbers among them where they name nothing."""
    for words in (_naming, _number):
        told = list(filter(None, map(words, detail.args)))
        if told:
            return ", ".join(told)
    return ""


def _library(detail: api.ProcessLoader) -> str:
    return _joined((detail.path, f"build id {detail.buildid.hex()}" if detail.buildid else ""))


def _throttled(detail: api.ProcessThrottle) -> str:
    return _joined((detail.type.removeprefix("THROTTLE_"), detail.cgroup))


def _left_out(detail: api.RateLimitInfo) -> str:
    return f"{detail.number_of_dropped_process_events} events left out"


_TELLERS: dict[type, Callable[[Any], str]] = {
    api.ProcessExec: _program,
    api.ProcessExit: _end,
    api.ProcessKprobe: _function,
    api.ProcessTracepoint: _tracepoint,
    api.ProcessLoader: _library,
    api.ProcessUprobe: _probe,
    api.ProcessUsdt: _marker,
    api.ProcessLsm: _function,
    api.ProcessThrottle: _throttled,
    api.RateLimitInfo: _left_out,
}


def _connection(told: Any) -> str:
    if not (told.saddr or told.daddr):
        return ""
    return f"{told.saddr}:{told.sport} → {told.daddr}:{told.dport}"


def _address(told: api.KprobeSockaddr) -> str:
    return f"{told.addr}:{told.port}" if told.addr else ""


def _bpf_map(told: api.KprobeBpfMap) -> str:
    return _joined((told.MapType, told.MapName))


def _bpf_program(told: Any) -> str:
    return _joined((told.ProgType, told.ProgName))


def _capabilities(told: api.KprobeCred) -> str:
    return "effective " + " ".join(told.effective) if told.effective else ""


def _user(told: api.ProcessCredentials) -> str:
    return "" if told.uid is None else f"uid {told.uid}"


def _user_namespace(told: Any) -> str:
    return f"user namespace {told.ns.inum}" if told.ns else ""


def _bytes(told: bytes) -> str:
    return told[:_MOST_BYTES].hex() + ("…" if len(told) > _MOST_BYTES else "")


def _syscall(told: api.SyscallId) -> str:
    return f"{told.abi}/{told.id}" if told.abi else str(told.id)


#: How each form of an argument that names something is told; the last ones are masks of capabilities, as they came.
_NAMING: dict[str, Callable[[Any], str]] = {
    "file_arg": lambda file: file.path,
    "path_arg": lambda path: path.path,
    "linux_binprm_arg": lambda program: program.path,
    "string_arg": str,
    "sock_arg": _connection,
    "skb_arg": _connection,
    "sockaddr_arg": _address,
    "sockaddrun_arg": lambda address: address.path,
    "module_arg": lambda module: module.name,
    "net_dev_arg": lambda device: device.name,
    "capability_arg": lambda capability: capability.name,
    "bpf_attr_arg": _bpf_program,
    "bpf_prog_arg": _bpf_program,
    "bpf_map_arg": _bpf_map,
    "bpf_cmd_arg": str,
    "perf_event_arg": lambda event: _joined((event.Type, event.KprobeFunc)),
    "cred_arg": _capabilities,
    "process_credentials_arg": _user,
    "user_ns_arg": _user_namespace,
    "user_namespace_arg": _user_namespace,
    "error_arg": lambda error: error.Message,
    "truncated_bytes_arg": lambda told: _bytes(told.bytes_arg),
    "bytes_arg": _bytes,
    "syscall_id": _syscall,
    "kernel_cap_t_arg": str,
    "cap_inheritable_arg": str,
    "cap_permitted_arg": str,
    "cap_effective_arg": str,
}
_NUMBERS = ("int_arg", "uint_arg", "long_arg", "size_arg")


def _naming(told: api.KprobeArgument) -> str:
    for form, words in _NAMING.items():
        value = getattr(told, form)
        if value is not None:
            return words(value)
    return ""


def _number(told: api.KprobeArgument) -> str:
    return next((str(value) for form in _NUMBERS if (value := getattr(told, form)) is not None), "")


def _joined(words: Any) -> str:
    return " ".join(filter(None, words))
