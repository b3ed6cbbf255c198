"""What a line holds that is no event itself: an entry of a log collector, a prefix, an array, a text.

An event is unwrapped where it is sure: it stands alone at a place where such a wrapper is known to keep the line that
it collected. Everything else is told as what it is, with the command that shows what is in it. Nothing of a wrapper
(its time, its node) ever becomes part of an event: the line of an unwrapped event is what stood inside.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from itertools import islice

import msgspec
from msgspec import Raw, Struct

from tetraproof.events.event import Event, Malformed, parse

Told = Event | Malformed

#: A wrapper may lie in another (an entry of Loki around one of docker), but not in many.
_DEEPEST = 5
#: So many values, and bytes of them, are looked through for an event that is not at a known place.
_MOST_VALUES, _MOST_BYTES = 2000, 32 * 1024 * 1024
_PREFIX_AT_MOST = 4096

_object = msgspec.json.Decoder(dict[str, Raw]).decode
_array = msgspec.json.Decoder(list[Raw]).decode
_text = msgspec.json.Decoder(str).decode
_numbers = msgspec.json.Decoder(list[int]).decode
_UNDECODABLE = (msgspec.MsgspecError, ValueError, RecursionError)


class Wrapper(Struct, frozen=True):
    """A kind of wrapper: the keys by which it is known, and where it keeps what was collected.

    Each step of `place` is a key, `*` for every element of an array, or `last` for an array's last element.
    """

    name: str
    keys: frozenset[str]
    place: tuple[str, ...]

    @property
    def program(self) -> str:
        """The program for jq that comes to the place."""
        return "".join(_step(step) for step in self.place)


def _wrapper(name: str, keys: str, place: str) -> Wrapper:
    return Wrapper(name, frozenset(keys.split()), tuple(place.split()))


#: What keeps lines that it collected, and where; of two that fit at the same place the first names it.
WRAPPERS = (
    _wrapper("an entry of Cloud Logging", "jsonPayload", "jsonPayload"),
    _wrapper("an entry of Cloud Logging", "textPayload", "textPayload"),
    _wrapper("a stream of Loki", "stream values", "values * last"),
    _wrapper("a push to Loki", "streams", "streams *"),
    _wrapper("an answer of Loki", "status data", "data result *"),
    _wrapper("a line of logcli", "labels line", "line"),
    _wrapper("a line of docker's json-file", "log stream time", "log"),
    _wrapper("a record of fluent-bit or fluentd", "log", "log"),
    _wrapper("a record of fluent-bit or fluentd", "log_processed", "log_processed"),
    _wrapper("an entry of journald", "MESSAGE", "MESSAGE"),
    _wrapper("OpenTelemetry's JSON", "resourceLogs", "resourceLogs * scopeLogs * logRecords * body stringValue"),
    _wrapper("a record of OpenTelemetry", "body", "body"),
    _wrapper("a record of OpenTelemetry", "body", "body stringValue"),
    _wrapper("a document of Elasticsearch or OpenSearch", "_source", "_source"),
    _wrapper("an answer of Elasticsearch or OpenSearch", "hits", "hits hits *"),
    _wrapper("a record of vector, Filebeat or Logstash", "message", "message"),
    _wrapper("a record of vector, Filebeat or Logstash", "json", "json"),
    _wrapper("a record of Splunk", "event", "event"),
    _wrapper("a record of Splunk", "_raw", "_raw"),
    _wrapper("a record of Splunk", "result", "result _raw"),
    _wrapper("a batch of CloudWatch", "logEvents", "logEvents *"),
    _wrapper("an answer of CloudWatch", "events", "events *"),
    _wrapper("a record of CloudWatch", "@message", "@message"),
    _wrapper("a record of GELF", "full_message", "full_message"),
    _wrapper("a record of GELF", "short_message", "short_message"),
    _wrapper("a record of Azure Monitor", "LogMessage", "LogMessage"),
    _wrapper("a record of Azure Monitor", "LogEntry", "LogEntry"),
)

_TIME = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z| ?[+-]\d\d:?\d\d)?"
#: What stands before a line, by who writes it there.
_PREFIX = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:"
    rb"(?P<sequence>\x1e)|(?P<sse>data: )|"
    rb"(?P<kubectl>\[[\w.-]+(?:[/ ][\w.-]+){0,3}\]\s*)|"
    rb"(?P<compose>[\w.-]+ *\| +)|"
    rb"(?P<kail>[\w.-]+/[\w.-]+\[[\w.-]+\]: )|"
    rb"(?P<stern>(?=[^{]*(?:tetragon|export))(?:[a-z0-9.-]+ )?[a-z0-9.]+-[a-z0-9.-]+ [a-z0-9-]+ )|"
    rb"(?P<syslog>(?:<\d+>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [\w.-]+ [\w./-]+(?:\[\d+\])?: )"
    rb")?"
    rb"(?:" + _TIME + rb"[ \t]+(?:(?P<journal>[\w.-]+ [\w./-]+(?:\[\d+\])?: )|(?P<fluentd>[\w-]+(?:\.[\w-]+)+: ))?)?"
    rb"(?P<cri>(?P<stream>stdout|stderr) (?P<part>[FP]) )?"
    rb'(?P<labels>\{(?:\w+="(?:[^"\\]|\\.)*"(?:, ?)?)*\}\s+)?',
)
_WRITERS = {
    "cri": "a line of a container runtime's log (CRI)",
    "labels": "a line of logcli",
    "journal": "a line of journalctl",
    "fluentd": "a line of fluentd",
    "kubectl": "a line of kubectl logs --prefix",
    "compose": "a line of docker compose",
    "kail": "a line of kail",
    "stern": "a line of stern",
    "syslog": "a line of syslog",
    "sequence": "a JSON text sequence",
    "sse": "a server-sent event",
}
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
_PLAIN_KEY = re.compile(r"[A-Za-z_]\w*")
_AFTER_THE_PREFIX = "sed 's/^[^{]*//'"
_PACKED = (
    (b"\xff\xfe", "text in UTF-16, as PowerShell writes it", "iconv -f utf-16 -t utf-8"),
    (b"\xfe\xff", "text in UTF-16, as PowerShell writes it", "iconv -f utf-16 -t utf-8"),
    (b"\x1f\x8b", "a compressed file (gzip)", "zcat"),
    (b"\x28\xb5\x2f\xfd", "a compressed file (zstd)", "zstdcat"),
)


class Part(Struct, frozen=True):
    """A piece of a line that a container runtime cut; it ends where `whole` says so. `key` tells streams apart."""

    key: bytes
    content: bytes
    whole: bool


def part_of(line: bytes) -> Part | None:
    """The piece that `line` is, where its runtime says so (CRI), or ends without a line break (docker)."""
    if line.startswith(b'{"'):
        return _docker_part(line)
    before = _PREFIX.match(line[:_PREFIX_AT_MOST])
    if before is None or not before["cri"]:
        return None
    origin = before["kubectl"] or before["stern"] or b""
    return Part(origin + before["stream"], line[before.end("cri") :], before["part"] == b"F")


def _docker_part(line: bytes) -> Part | None:
    try:
        fields = _object(line)
        if not {"log", "stream", "time"} <= fields.keys() <= {"log", "stream", "time", "attrs"}:
            return None
        content = _text(fields["log"]).encode()
    except _UNDECODABLE:
        return None
    return Part(bytes(fields["stream"]), content, content.endswith(b"\n"))


def unwrapped(told: Malformed) -> list[Told]:
    """The events that `told`, a line that is none, holds for sure; else the line again, told as what it is.

    In what holds several (an array, a stream of Loki) whatever is no event stands between them as such.
    """
    if told.notice:
        return [told]
    for mark, what, command in _PACKED:
        if told.line.startswith(mark):
            return [Malformed(told.line[:200], what, what, f"{command} FILE | tetraproof events -")]
    return _inside(told.line, _DEEPEST) or [_told_as_what_it_is(told)]


def _inside(line: bytes, depth: int) -> list[Told]:
    """What a line that is no event holds, if there is an event or a notice of the export container in it."""
    if depth <= 0:
        return []
    try:
        if line.startswith(b"{"):
            return _in_object(_object(line), depth)
        if line.startswith(b'"'):
            return _in_text(_text(line), depth)
        if line.startswith(b"["):
            return _several(_array(line), depth)
    except _UNDECODABLE:
        pass
    rest = _after_prefix(line)
    return _content(rest, depth - 1) if rest is not None else []


def _content(line: bytes, depth: int) -> list[Told]:
    told = parse(line)
    return [told] if isinstance(told, Event) or told.notice else _inside(told.line, depth)


def _in_text(text: str, depth: int) -> list[Told]:
    content = text.encode(errors="replace")
    lines = [line for line in content.split(b"\n") if line.strip()]
    found = _content(content, depth - 1)
    if found or len(lines) < 2:  # noqa: PLR2004 - it is one line, and was looked at
        return found
    held = [_content(line, depth - 1) for line in lines]
    return [one for inside in held for one in inside] if all(held) else []


def _in_object(fields: dict[str, Raw], depth: int) -> list[Told]:
    found: list[list[Told]] = []
    for wrapper in WRAPPERS:
        if wrapper.keys <= fields.keys():
            values = _at(fields, wrapper.place)
            if held := _held(values, depth - 1):
                found.append(_all_told(values, held, f"{wrapper.name} that holds no event", wrapper.name))
    if len(found) > 1 and any(_said(one) != _said(found[0]) for one in found):
        return []  # two that differ: which of them is meant, is not sure
    return found[0] if found else []


def _several(values: list[Raw], depth: int) -> list[Told]:
    held = _held(values, depth - 1)
    if not any(isinstance(one, Event) for inside in held for one in inside):
        return []
    return _all_told(values, held, "an element of a JSON array that is no event")


def _held(values: list[Raw], depth: int) -> list[list[Told]]:
    """What each value holds; nothing where none holds anything, of a great many not the first ones."""
    held: list[list[Told]] = []
    for value in values:
        held.append(_value(value, depth))
        if len(held) == _MOST_VALUES and not any(held):
            break
    return held if any(held) else []


def _all_told(values: list[Raw], held: list[list[Told]], reason: str, wrapper: str = "") -> list[Told]:
    """What the values hold, and each that holds nothing as what it is."""
    return [
        one
        for value, inside in zip(values, held, strict=True)
        for one in inside or [Malformed(bytes(value), reason, wrapper)]
    ]


def _value(value: Raw, depth: int) -> list[Told]:
    """What a value holds, which is an object, or a text with one in it."""
    raw = bytes(value)
    if raw.startswith(b"{"):
        return _content(raw, depth)
    try:
        if raw.startswith(b'"'):
            return _in_text(_any_text(raw), depth)
        if raw.startswith(b"["):  # journald writes a text that is not plain as its bytes
            return _content(bytes(_numbers(raw)), depth)
    except _UNDECODABLE:
        pass
    return []


def _any_text(raw: bytes) -> str:
    try:
        return _text(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return str(json.loads(raw.decode(errors="replace")))


def _at(fields: dict[str, Raw], place: tuple[str, ...]) -> list[Raw]:
    """What lies at a place; nothing where the way there is another."""
    key, *way = place
    values = [fields[key]] if key in fields else []
    try:
        for step in way:
            if step == "*":
                values = [one for value in values for one in _array(value)]
            elif step == "last":
                values = [_array(value)[1] for value in values]
            else:
                values = [inner[step] for value in values if step in (inner := _object(value))]
    except (*_UNDECODABLE, IndexError):
        return []
    return values


def _said(told: list[Told]) -> list[object]:
    return [one.json() if isinstance(one, Event) else one.line for one in told]


def _after_prefix(line: bytes) -> bytes | None:
    """The rest of a line behind a prefix that is known; nothing where there is none."""
    plain = _COLOUR.sub(b"", line[:_PREFIX_AT_MOST]) + line[_PREFIX_AT_MOST:]
    before = _PREFIX.match(plain[:_PREFIX_AT_MOST])
    return plain[before.end() :] if before is not None and before.end() else None


def _told_as_what_it_is(told: Malformed) -> Malformed:
    """A line in which no event is sure: the kind of wrapper, and the command that shows what it holds."""
    line = told.line
    place = _elsewhere(line)
    if place:
        return Malformed(line, f"an event lies in it at {place}", f"JSON that holds an event at {place}", _jq(place))
    if line.startswith(b"{"):
        wrapper = _wrapper_of(line)
        if wrapper is not None:
            return Malformed(line, f"{wrapper.name} that holds no event", wrapper.name, _jq(wrapper.program))
        return told
    before = _PREFIX.match(line[:_PREFIX_AT_MOST])
    writer = before is not None and next((name for group, name in _WRITERS.items() if before[group]), "")
    if writer:
        return Malformed(line, f"{writer} that holds no event", writer)
    if (brace := line.find(b"{")) > 0 and isinstance(parse(line[brace:]), Event):
        what = "an event behind a prefix that is not known"
        return Malformed(line, what, what, _AFTER_THE_PREFIX)
    return told


def _wrapper_of(line: bytes) -> Wrapper | None:
    try:
        keys = _object(line).keys()
    except _UNDECODABLE:
        return None
    return next((wrapper for wrapper in WRAPPERS if wrapper.keys <= keys), None)


def _elsewhere(line: bytes) -> str:
    """The program for jq that comes to the first event, anywhere in a line of JSON; nothing where there is none."""
    values = size = 0
    waiting = deque([("", line)])
    while waiting and values < _MOST_VALUES and size < _MOST_BYTES:
        place, raw = waiting.popleft()
        values, size = values + 1, size + len(raw)
        if place and isinstance(parse(raw), Event):
            return place
        try:
            waiting += islice(_children(place, raw), _MOST_VALUES)
        except _UNDECODABLE:
            continue
    return ""


def _children(place: str, raw: bytes) -> Iterator[tuple[str, bytes]]:
    if raw.startswith(b"{"):
        for key, value in _object(raw).items():
            yield place + _step(key), bytes(value)
    elif raw.startswith(b"["):
        for value in _array(raw):
            yield (place or ".") + "[]", bytes(value)
    elif raw.startswith(b'"'):
        text = _text(raw).strip().encode()
        if text.startswith((b"{", b"[")):
            yield f"{place} | fromjson", text


def _step(key: str) -> str:
    if key in {"*", "last"}:
        return "[]" if key == "*" else "[1]"
    return f".{key}" if _PLAIN_KEY.fullmatch(key) else f".{json.dumps(key)}"


def _jq(program: str) -> str:
    if program.endswith(" | fromjson") and program.count("|") == 1:
        return f"jq -r {_quoted(program.removesuffix(' | fromjson'))}"
    return f"jq -c {_quoted(program)}"


def _quoted(program: str) -> str:
    return program if re.fullmatch(r"[\w.]+", program) else "'" + program.replace("'", "'\\''") + "'"
