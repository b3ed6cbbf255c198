"""One thing that the agent reported, typed and immutable.

The wire form is a line of JSON, as `tetra getevents -o json` and the export log
write it (protojson of Tetragon's GetEventsResponse, snake_case). The types are
Tetragon's own (`tetraproof.events.api`); the line itself is kept, so nothing is lost
whatever the version: `Event.json()` is the same JSON again.

A value that cannot be read costs only itself: `Event.unread` holds its path, and
nobody may take it for absent. A kind that the definition does not have keeps its
plain JSON for a detail.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tetraproof.events import api
from tetraproof.events.api import Container, Pod, Process
from tetraproof.events.api import KprobeArgument as Argument
from tetraproof.events.api import ProcessExec as Exec
from tetraproof.events.api import ProcessExit as Exit
from tetraproof.events.api import ProcessKprobe as Kprobe
from tetraproof.events.api import ProcessThrottle as Throttle
from tetraproof.events.api import RateLimitInfo as RateLimit
from tetraproof.events.protojson import is_text, name_of, read

__all__ = [
    "KINDS",
    "MASK",
    "Argument",
    "Container",
    "Event",
    "Exec",
    "Exit",
    "Kprobe",
    "Malformed",
    "Pod",
    "Process",
    "RateLimit",
    "Throttle",
    "parse",
]


def _kind(field: str) -> str:
    return field.removeprefix("process_").removesuffix("_info").replace("_", "-")


#: What an agent writes in the place of what it was told to mask.
MASK = "*****"
#: The kinds of event by name, with the message that holds what one says.
KINDS: dict[str, type[Struct]] = {_kind(field): message for field, message in api.KINDS.items()}

_ENVELOPE = frozenset(msgspec.structs.asdict(api.GetEventsResponse())) - frozenset(api.KINDS)
_decode = msgspec.json.Decoder(api.GetEventsResponse, strict=False).decode
_decode_anything = msgspec.json.Decoder().decode
_NOBODY = Process()
#: Python refuses to read much longer integers (sys.set_int_max_str_digits).
_LONGEST_INTEGER = 1000
#: A time before this is none: the quick decoder takes a number for seconds since 1970.
_FIRST_YEAR = 2000


class Event(Struct, frozen=True, gc=False):
    """One line of a stream. `line` is the JSON as it came, without its line break; `node` the node's name.

    `detail` is Tetragon's message of the kind (`KINDS`), or plain JSON where the kind is none that is known here.
    `unread` are the paths in it that could not be read (`action`, `process.pid`), `node_name` and `time` among them;
    one that is empty is the whole detail.
    """

    kind: str
    time: datetime | None
    node: str
    detail: Any
    line: bytes
    unread: tuple[str, ...] = ()

    @property
    def process(self) -> Process:
        """The process that acted; an empty one where the kind has none, or nobody told."""
        if isinstance(self.detail, dict):
            return _process_in(self.detail, "process") or _NOBODY
        return getattr(self.detail, "process", None) or _NOBODY

    @property
    def parent(self) -> Process | None:
        """The process's parent, where the agent told it."""
        if isinstance(self.detail, dict):
            return _process_in(self.detail, "parent")
        return getattr(self.detail, "parent", None)

    @property
    def pod(self) -> str:
        """`namespace/name` of the process's pod, or nothing."""
        pod = self.process.pod
        return f"{pod.namespace}/{pod.name}" if pod else ""

    @property
    def anonymous(self) -> bool:
        """Whether a process did it, and nobody can say which: it may be anybody's."""
        if isinstance(self.detail, dict):
            return not self.process.exec_id
        return hasattr(self.detail, "process") and not self.process.exec_id

    def could_not_read(self, *paths: str) -> str:
        """The unread path that lies at, below or above one of `paths`; nothing where all of them were read."""
        for unread in self.unread:
            for path in paths:
                if unread == path or not unread or path.startswith(f"{unread}.") or unread.startswith(f"{path}."):
                    return unread or self.kind
        return ""

    def lacks(self, *paths: str) -> bool:
        """Whether one of `paths` could not be read as a whole, so that its value is a mere default."""
        return any(
            not unread or unread == path or path.startswith(f"{unread}.") for unread in self.unread for path in paths
        )

    def with_pods(self, pod_of: Callable[[Process], Pod | None]) -> Event:
        """The event, with a pod for its process and parent where the agent told none and `pod_of` knows it."""
        if isinstance(self.detail, dict):
            return self
        told = {
            side: replace(process, pod=pod)
            for side in ("process", "parent")
            if (process := getattr(self.detail, side, None)) is not None
            and process.pod is None
            and (pod := pod_of(process)) is not None
        }
        return replace(self, detail=replace(self.detail, **told)) if told else self

    @property
    def typed(self) -> bool:
        """Whether this kind is known here; if not, `detail` is the plain JSON object."""
        return not isinstance(self.detail, dict)

    def json(self) -> dict[str, Any]:
        """The whole event as plain JSON values, unknown fields included."""
        value: dict[str, Any] = _anything(self.line)
        return value


class Malformed(Struct, frozen=True):
    """A line that is no event: `line` as it came, `reason` a clause that says why.

    `wrapper` names what it is an entry of, where that is known, `remedy` the command that shows what it holds; `lines`
    are more than one where a value was written over several.
    """

    line: bytes
    reason: str
    wrapper: str = ""
    remedy: str = ""
    lines: int = 1

    @property
    def notice(self) -> bool:
        """Whether it is a notice of the export container, which hides no event."""
        return self.line.startswith(b"tail: ")


def parse(line: bytes) -> Event | Malformed:
    """One line of a getevents or export stream as an event; never raises on hostile input."""
    line = line.strip()
    try:
        if not line.isascii():
            line.decode()  # the quick decoder passes over a name that it does not know, be it none
        envelope = _decode(line)
    except (ValueError, RecursionError):  # msgspec's errors are of the first kind, as is a time of the year 10000
        return _parse_patiently(line)
    # the most frequent kinds first: this is asked for every line
    detail: Any = envelope.process_kprobe
    if detail is not None:
        kind = "kprobe"
    elif (detail := envelope.process_exec) is not None:
        kind = "exec"
    elif (detail := envelope.process_exit) is not None:
        kind = "exit"
    elif (other := _member(envelope)) is not None:
        kind, detail = other
    else:
        return _parse_patiently(line)
    # what every event of an agent has, and this one not, may stand under a name that is written otherwise
    time = envelope.time
    if time is None or time.tzinfo is None or time.year < _FIRST_YEAR or not envelope.node_name:
        return _parse_patiently(line)
    if (process := getattr(detail, "process", None)) is not None and not (process.exec_id and process.binary):
        return _parse_patiently(line)
    return Event(kind, time, envelope.node_name, detail, line)


def _member(envelope: api.GetEventsResponse) -> tuple[str, Any] | None:
    """The member of the envelope that is set, with its kind."""
    members = ((_kind(field), getattr(envelope, field)) for field in api.KINDS)
    return next((member for member in members if member[1] is not None), None)


def _parse_patiently(line: bytes) -> Event | Malformed:
    try:
        # bytes that are no text are marked, so that nobody takes what is left of a value for it
        value = _anything(line, "surrogateescape")
    except (ValueError, RecursionError) as error:
        return Malformed(line, _why_malformed(line, error))
    if not isinstance(value, dict):
        return Malformed(line, f"a JSON {type(value).__name__} where an event is an object")
    told = {name_of(key): content for key, content in value.items() if content is not None}
    field = next((name for name in told if name in api.KINDS), "")
    if not field:
        field = next((name for name, content in told.items() if _is_unknown_kind(name, content)), "")
    if not field:
        return Malformed(line, "a JSON object that names no event")
    envelope, unread = read({name: told[name] for name in told if name in _ENVELOPE}, api.GetEventsResponse)
    assert isinstance(envelope, api.GetEventsResponse)
    if not all(map(is_text, value)):  # any that is not there may be the one whose name cannot be read
        unread = (*unread, *sorted(_ENVELOPE - told.keys()))
    detail: Any = told[field]
    if field not in api.KINDS and not line.isascii():
        detail = next(content for key, content in _anything(line).items() if name_of(key) == field)
    if field in api.KINDS:
        detail, more = read(detail, api.KINDS[field])
        unread = (*unread, *more)
    return Event(_kind(field), envelope.time, envelope.node_name, detail, line, unread)


def _is_unknown_kind(name: str, content: object) -> bool:
    return name.startswith("process_") and is_text(name) and isinstance(content, dict)


def _anything(line: bytes, marks: str = "replace") -> Any:
    """Any JSON; `marks` is what becomes of bytes that are no text. Raises `ValueError` and `RecursionError`."""
    try:
        return _decode_anything(line)
    except ValueError:  # an integer or a text that only the other reader takes
        told = json.loads(line.decode(errors=marks), parse_int=_number, parse_constant=_no_number)
        return told if marks == "surrogateescape" else _whole_characters(told)


def _whole_characters(value: Any) -> Any:
    """The value with a mark in the place of each half of a character, which nobody could write down again."""
    top = [value]
    waiting: list[Any] = [top]
    while waiting:  # it may be nested deeper than calls may be
        part = waiting.pop()
        if isinstance(part, dict):
            for name in [name for name in part if not is_text(name)]:
                part[_marked(name)] = part.pop(name)
        for at, inner in part.items() if isinstance(part, dict) else enumerate(part):
            if isinstance(inner, str):
                part[at] = _marked(inner)
            elif isinstance(inner, dict | list):
                waiting.append(inner)
    return top[0]


def _marked(text: str) -> str:
    return text if is_text(text) else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _why_malformed(line: bytes, error: Exception) -> str:
    if line.startswith(b"tail: "):
        rotated = any(word in line for word in (b"has been replaced", b"has appeared", b"has become", b"truncated"))
        return f"a notice of the export container{': the log file was rotated' if rotated else ''}"
    return f"not JSON ({error})" if line else "an empty line"


def _number(digits: str) -> float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no JSON number")


def _process_in(detail: dict[str, Any], field: str) -> Process | None:
    if detail.get(field) is None:
        return None
    process, _ = read(detail[field], Process)
    assert isinstance(process, Process)
    return process
