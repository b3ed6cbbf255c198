"""One thing that the agent reported, typed and immutable.

The wire form is a line of JSON, as `tetra getevents -o json` and the export log
write it (protojson of Tetragon's GetEventsResponse, snake_case). Only what is
judged or shown is typed; the line itself is kept, so nothing is lost whatever
the version: `Event.json()` is the same JSON again.

A kind that is not typed here (tracepoint, uprobe, LSM, loader, what comes
next), and a typed kind whose fields have an unforeseen shape, keep one generic
form: `kind` names the kind and `detail` holds its fields.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace


class Container(Struct, frozen=True):
    """The container of a process: `id` with its runtime's scheme, `containerd://…`."""

    id: str = ""
    name: str = ""


class Pod(Struct, frozen=True):
    """The pod of a process, as far as the agent knows it."""

    namespace: str = ""
    name: str = ""
    workload: str = ""
    workload_kind: str = ""
    container: Container = Container()
    pod_labels: dict[str, str] = {}

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Capabilities(Struct, frozen=True):
    """Capability sets by name, only with `enable-process-cred`."""

    permitted: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    inheritable: tuple[str, ...] = ()


class Process(Struct, frozen=True):
    """A process at the time of an event. `exec_id` changes with every exec, `pid` is the host's."""

    exec_id: str = ""
    pid: int = 0
    binary: str = ""
    arguments: str = ""
    flags: str = ""
    cwd: str = ""
    uid: int = 0
    docker: str = ""
    parent_exec_id: str = ""
    pod: Pod | None = None
    cap: Capabilities | None = None
    process_credentials: dict[str, Any] | None = None


class File(Struct, frozen=True):
    """A `file` or `path` argument; `permission` as `ls -l` writes it."""

    path: str = ""
    permission: str = ""
    mount: str = ""
    flags: str = ""


class Sock(Struct, frozen=True):
    """A `sock` argument: addresses as text, ports as numbers (absent ports are 0)."""

    family: str = ""
    type: str = ""
    protocol: str = ""
    saddr: str = ""
    daddr: str = ""
    sport: int = 0
    dport: int = 0
    cookie: str = ""
    state: str = ""


class Argument(Struct, frozen=True):
    """One argument of a hooked function; exactly one field is set. Others of the API stay in the line."""

    file_arg: File | None = None
    path_arg: File | None = None
    sock_arg: Sock | None = None
    int_arg: int | None = None
    uint_arg: int | None = None
    long_arg: int | str | None = None
    size_arg: int | str | None = None
    string_arg: str | None = None
    linux_binprm_arg: File | None = None
    label: str = ""


class Exec(Struct, frozen=True):
    """A program was started."""

    process: Process
    parent: Process | None = None


class Exit(Struct, frozen=True):
    """A process ended: `status` is its exit code, unless `signal` names what killed it."""

    process: Process
    parent: Process | None = None
    status: int = 0
    signal: str = ""


class Kprobe(Struct, frozen=True):
    """A hooked kernel function was called. `action` is what the agent says it did, not what happened."""

    process: Process
    parent: Process | None = None
    function_name: str = ""
    args: tuple[Argument, ...] = ()
    return_: Argument | None = msgspec.field(default=None, name="return")
    action: str = ""
    return_action: str = ""
    policy_name: str = ""
    message: str = ""
    tags: tuple[str, ...] = ()


class Throttle(Struct, frozen=True):
    """The agent began or ceased to throttle a cgroup's events."""

    type: str = ""
    cgroup: str = ""


class RateLimit(Struct, frozen=True):
    """The export left out this many events (a number, or its decimal text as protojson writes uint64)."""

    number_of_dropped_process_events: int | str = 0


Detail = Exec | Exit | Kprobe | Throttle | RateLimit | dict[str, Any]


class _Envelope(Struct, frozen=True):
    time: datetime | None = None
    node_name: str = ""
    process_exec: Exec | UnsetType = UNSET
    process_exit: Exit | UnsetType = UNSET
    process_kprobe: Kprobe | UnsetType = UNSET
    process_throttle: Throttle | UnsetType = UNSET
    rate_limit_info: RateLimit | UnsetType = UNSET


_KINDS = {
    "process_exec": "exec",
    "process_exit": "exit",
    "process_kprobe": "kprobe",
    "process_throttle": "throttle",
    "rate_limit_info": "rate-limit",
}
_ENVELOPE = {"time", "node_name", "node_labels", "cluster_name", "aggregation_info"}
_decode = msgspec.json.Decoder(_Envelope).decode
_decode_anything = msgspec.json.Decoder().decode
_NOBODY = Process()
#: Python refuses to read much longer integers (sys.set_int_max_str_digits).
_LONGEST_INTEGER = 1000


class Event(Struct, frozen=True):
    """One line of a stream. `line` is the JSON as it came, without its line break; `node` the node's name."""

    kind: str
    time: datetime | None
    node: str
    detail: Detail
    line: bytes

    @property
    def process(self) -> Process:
        """The process that acted; an empty one where the kind has none."""
        if isinstance(self.detail, Exec | Exit | Kprobe):
            return self.detail.process
        if isinstance(self.detail, dict):
            return _process_in(self.detail, "process") or _NOBODY
        return _NOBODY

    @property
    def parent(self) -> Process | None:
        """The process's parent, where the agent told it."""
        if isinstance(self.detail, Exec | Exit | Kprobe):
            return self.detail.parent
        return _process_in(self.detail, "parent") if isinstance(self.detail, dict) else None

    @property
    def pod(self) -> str:
        """`namespace/name` of the process's pod, or nothing."""
        pod = self.process.pod
        return str(pod) if pod else ""

    def with_pods(self, pod_of: Callable[[Process], Pod | None]) -> Event:
        """The event, with a pod for its process and parent where the agent told none and `pod_of` knows it."""
        told = {
            side: replace(process, pod=pod)
            for side, process in (("process", self.process), ("parent", self.parent))
            if process is not None and process.pod is None and (pod := pod_of(process)) is not None
        }
        if not told:
            return self
        if isinstance(self.detail, Exec | Exit | Kprobe):
            return replace(self, detail=replace(self.detail, **told))
        if not isinstance(self.detail, dict):
            return self
        generic = {side: {**self.detail[side], "pod": msgspec.to_builtins(one.pod)} for side, one in told.items()}
        return replace(self, detail={**self.detail, **generic})

    @property
    def typed(self) -> bool:
        """Whether this kind is modelled here; if not, `detail` is the plain JSON object."""
        return not isinstance(self.detail, dict)

    def json(self) -> dict[str, Any]:
        """The whole event as plain JSON values, unknown fields included."""
        value: dict[str, Any]
        try:
            value = _decode_anything(self.line)
        except (msgspec.MsgspecError, UnicodeDecodeError):  # in a field that the typed decoder passed over
            value = json.loads(self.line.decode(errors="replace"), parse_int=_number)
        return value


class Malformed(Struct, frozen=True):
    """A line that is no event: `line` as it came, `reason` a clause that says why."""

    line: bytes
    reason: str

    @property
    def notice(self) -> bool:
        """Whether it is a notice of the export container, which hides no event."""
        return self.line.startswith(b"tail: ")


def parse(line: bytes) -> Event | Malformed:
    """One line of a getevents or export stream as an event; never raises on hostile input."""
    line = line.strip()
    try:
        envelope = _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _parse_generic(line)
    for field, kind in _KINDS.items():
        detail = getattr(envelope, field)
        if detail is not UNSET:
            return Event(kind, envelope.time, envelope.node_name, detail, line)
    return _parse_generic(line)


def _parse_generic(line: bytes) -> Event | Malformed:
    try:
        value = _decode_anything(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Malformed(line, _why_malformed(line, error))
    if not isinstance(value, dict):
        return Malformed(line, f"a JSON {type(value).__name__} where an event is an object")
    for field, detail in value.items():
        if field not in _ENVELOPE and isinstance(detail, dict):
            node = value.get("node_name")
            return Event(
                _KINDS.get(field, field.removeprefix("process_")),
                _time_of(value.get("time")),
                node if isinstance(node, str) else "",
                detail,
                line,
            )
    return Malformed(line, "a JSON object that names no event")


def _why_malformed(line: bytes, error: Exception) -> str:
    if line.startswith(b"tail: "):
        rotated = any(word in line for word in (b"has been replaced", b"has appeared", b"has become", b"truncated"))
        return f"a notice of the export container{': the log file was rotated' if rotated else ''}"
    return f"not JSON ({error})" if line else "an empty line"


def _number(digits: str) -> float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def _process_in(detail: dict[str, Any], field: str) -> Process | None:
    try:
        return msgspec.convert(detail[field], Process)
    except (msgspec.ValidationError, KeyError):
        return None


def _time_of(value: object) -> datetime | None:
    try:
        return msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        return None
