"""What collectors, printers and prefixes made of events is unwrapped where it is sure, and told as what it is else."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import time
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetraproof.events import wrapping
from tetraproof.events.event import Event, Malformed, parse
from tetraproof.events.stream import read
from tetraproof.events.wrapping import WRAPPERS, unwrapped

EVENT: dict[str, Any] = {
    "process_exec": {"process": {"exec_id": "YQ==", "pid": 7, "binary": "/usr/bin/id", "arguments": 'a\\b "q" {é}'}},
    "node_name": "n1",
    "time": "2026-11-26T14:46:13.000000001Z",
}
OTHER = {**EVENT, "node_name": "n2"}
TEXT = json.dumps(EVENT)
MINUTE = "2026-11-26T14:46:59.5Z"
NOTICE = "tail: /var/run/cilium/tetragon/tetragon.log has been replaced; following end of new file"

WRAPPED: dict[str, Any] = {
    "cloud logging": {
        "insertId": "x",
        "jsonPayload": EVENT,
        "timestamp": MINUTE,
        "resource": {"type": "k8s_container"},
    },
    "cloud logging, in a field": {"jsonPayload": {"log": TEXT, "stream": "stdout"}, "timestamp": MINUTE},
    "cloud logging, as a message": {"jsonPayload": {"message": TEXT}},
    "cloud logging, as text": {"textPayload": TEXT, "timestamp": MINUTE},
    "fluent-bit": {"kubernetes": {"pod_name": "tetragon-abc"}, "log": EVENT, "time": MINUTE},
    "fluent-bit, as text": {"kubernetes": {"pod_name": "tetragon-abc"}, "log": TEXT + "\n", "stream": "stdout"},
    "fluent-bit, both": {"log": TEXT, "log_processed": EVENT, "kubernetes": {}},
    "docker": {"log": TEXT + "\n", "stream": "stdout", "time": MINUTE},
    "a prefix within": {"log": f"{MINUTE} stdout F {TEXT}"},
    "loki": {"stream": {"app": "tetragon", "node_name": "other"}, "values": [["1732632373000000000", TEXT]]},
    "loki with metadata": {"stream": {}, "values": [["1732632373000000000", TEXT, {"trace": "x"}]]},
    "loki's answer": {"status": "success", "data": {"result": [{"stream": {}, "values": [["1", TEXT]]}]}},
    "a push to loki": {"streams": [{"stream": {}, "values": [["1", TEXT]]}]},
    "logcli": {"labels": {"app": "tetragon"}, "line": TEXT, "timestamp": MINUTE},
    "vector": {"message": TEXT, "host": "other", "timestamp": MINUTE},
    "vector, parsed": {"message": EVENT, "kubernetes": {"pod_node_name": "other"}},
    "filebeat": {"@timestamp": MINUTE, "json": EVENT, "host": {"name": "other"}},
    "journald": {"MESSAGE": TEXT, "_HOSTNAME": "other", "__REALTIME_TIMESTAMP": "1732632373000000"},
    "journald, as bytes": {"MESSAGE": list(TEXT.encode()), "_HOSTNAME": "other"},
    "opentelemetry": {"body": TEXT, "timeUnixNano": "1"},
    "opentelemetry, as a value": {"body": {"stringValue": TEXT}},
    "otlp": {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": TEXT}}]}]}]},
    "elasticsearch": {"_index": "tetragon", "_source": EVENT},
    "elasticsearch, in filebeat": {"_index": "tetragon", "_source": {"message": TEXT, "@timestamp": MINUTE}},
    "an answer of elasticsearch": {"took": 1, "hits": {"total": 1, "hits": [{"_source": EVENT}]}},
    "splunk": {"time": 1, "host": "other", "event": EVENT},
    "splunk's export": {"preview": False, "result": {"_raw": TEXT}},
    "cloudwatch": {"logGroup": "x", "logEvents": [{"id": "1", "timestamp": 1, "message": TEXT}]},
    "an answer of cloudwatch": {"events": [{"timestamp": 1, "message": TEXT, "ingestionTime": 2}]},
    "graylog": {"version": "1.1", "host": "other", "short_message": TEXT},
    "azure": {"LogMessage": TEXT, "PodName": "tetragon-abc"},
    "an array": [EVENT],
    "an array of wrappers": [{"jsonPayload": EVENT}],
    "a text": TEXT,
}
PREFIXES = {
    "CRI": f"{MINUTE} stdout F ",
    "CRI, of another zone": "2026-11-26T15:46:13.123456789+01:00 stderr F ",
    "kubectl": "[pod/tetragon-x7k2p/export-stdout] ",
    "kubectl with times": f"[pod/tetragon-x7k2p/export-stdout] {MINUTE} ",
    "times": f"{MINUTE} ",
    "stern": "tetragon-x7k2p export-stdout ",
    "stern, of all namespaces": "kube-system tetragon-x7k2p export-stdout ",
    "stern in colours": "\x1b[92mtetragon-x7k2p\x1b[0m \x1b[32mexport-stdout\x1b[0m ",
    "kail": "kube-system/tetragon-x7k2p[export-stdout]: ",
    "kubetail": "[tetragon-x7k2p export-stdout] ",
    "compose": "tetragon-1  | ",
    "syslog": "<14>Nov 26 14:46:13 node tetragon[123]: ",
    "journalctl": "2026-11-26T14:46:13+0000 node tetragon[123]: ",
    "fluentd": "2026-11-26 14:46:13.000000000 +0000 kube.var.log.containers: ",
    "logcli": '2026-11-26T14:46:13Z {app="tetragon", pod="a\\"b"} ',
    "a text sequence": "\x1e",
    "server-sent": "data: ",
    "a byte order mark": "\ufeff",
}


def told(*lines: str) -> list[Event | Malformed]:
    return list(read(io.BytesIO("".join(f"{line}\n" for line in lines).encode())))


def assert_just_the_event(lines: list[Event | Malformed], event: dict[str, Any] = EVENT) -> None:
    (one,) = lines
    assert isinstance(one, Event), one
    assert one.json() == event
    # the event's own, whatever the wrapper says
    assert (one.kind, one.node) == ("exec", event["node_name"])
    assert one.time is not None
    assert one.time.isoformat() == "2026-11-26T14:46:13+00:00"
    assert one.process.arguments == EVENT["process_exec"]["process"]["arguments"]


@pytest.mark.parametrize("name", WRAPPED)
def test_a_wrapper_is_unwrapped(name: str) -> None:
    """On one line, or printed over several."""
    assert_just_the_event(told(json.dumps(WRAPPED[name])))
    if not isinstance(WRAPPED[name], str):
        assert_just_the_event(told(*json.dumps(WRAPPED[name], indent=2).split("\n")))


@pytest.mark.parametrize("name", PREFIXES)
def test_a_prefix_is_taken_away(name: str) -> None:
    """Before an event, and before a wrapper."""
    assert_just_the_event(told(PREFIXES[name] + TEXT))
    assert_just_the_event(told(PREFIXES[name] + json.dumps({"log": TEXT})))


def test_an_event_without_time_and_node_takes_none_of_its_wrapper() -> None:
    """What the agent did not tell stays untold."""
    bare = {"process_exec": {"process": {"pid": 7, "binary": "/usr/bin/id"}}}
    for wrapper in (
        {"log": bare, "time": MINUTE, "node_name": "other"},
        {"jsonPayload": bare, "timestamp": MINUTE, "labels": {"k8s.io/node_name": "other"}},
    ):
        (one,) = told(json.dumps(wrapper))
        assert isinstance(one, Event)
        assert (one.time, one.node) == (None, "")


def test_each_line_of_a_stream_of_loki_is_told() -> None:
    """Events and what is none, in their order; a notice of the export container stays a notice."""
    values = [["1", TEXT], ["2", NOTICE], ["3", "level=info"], ["4", json.dumps(OTHER)]]
    first, notice, line, last = told(json.dumps({"stream": {}, "values": values}))
    assert isinstance(first, Event)
    assert isinstance(notice, Malformed)
    assert notice.notice
    assert isinstance(line, Malformed)
    assert line.reason == "a stream of Loki that holds no event"
    assert isinstance(last, Event)
    assert (first.node, last.node) == ("n1", "n2")


@pytest.mark.parametrize(
    "line",
    [
        f"{MINUTE} stdout F {NOTICE}",
        json.dumps({"log": NOTICE + "\n"}),
        f"data: {NOTICE}",
        f"tail: x has been replaced {TEXT}",
    ],
)
def test_a_wrapped_notice_is_a_notice(line: str) -> None:
    """A rotation hides no event, whoever collected the lines."""
    (one,) = told(line)
    assert isinstance(one, Malformed)
    assert one.notice
    assert "rotated" in one.reason


def test_several_lines_in_one_text_are_told() -> None:
    """Where each of them is an event, or a notice."""
    text = f"{TEXT}\n\n{NOTICE}\n{json.dumps(OTHER)}\n"
    first, notice, last = told(json.dumps({"log": text}))
    assert isinstance(first, Event)
    assert isinstance(notice, Malformed)
    assert notice.notice
    assert isinstance(last, Event)
    (one,) = told(json.dumps({"log": f"{TEXT}\nlevel=info"}))
    assert isinstance(one, Malformed)


def test_elements_of_an_array_that_are_no_events_are_told_between_them() -> None:
    """None is passed over."""
    first, other, last = told(json.dumps([EVENT, {"a": 1}, OTHER]))
    assert isinstance(first, Event)
    assert isinstance(other, Malformed)
    assert json.loads(other.line) == {"a": 1}
    assert isinstance(last, Event)


@pytest.mark.parametrize(
    ("line", "reason", "remedy"),
    [
        (
            {"jsonPayload": {"message": "started"}},
            "an entry of Cloud Logging that holds no event",
            "jq -c .jsonPayload",
        ),
        (
            {"kubernetes": {"pod_name": "x"}, "log": "x"},
            "a record of fluent-bit or fluentd that holds no event",
            "jq -c .log",
        ),
        # two events, and nobody says which is meant
        ({"log": EVENT, "message": OTHER}, "an event lies in it at .log", "jq -c .log"),
        # not where such a wrapper is known to keep what it collected
        ({"a": {"b-c": [1, EVENT]}}, 'an event lies in it at .a."b-c"[]', "jq -c '.a.\"b-c\"[]'"),
        ({"my": {"text": TEXT}}, "an event lies in it at .my.text | fromjson", "jq -r .my.text"),
        (f'level=info msg="sent" event={TEXT}', "an event behind a prefix that is not known", "sed 's/^[^{]*//'"),
        ("tetragon-x7k2p export-stdout started", "a line of stern that holds no event", ""),
        ("[pod/tetragon-x7k2p/tetragon] level=info", "a line of kubectl logs --prefix that holds no event", ""),
        ({"a": 1}, "a JSON object that names no event", ""),
        ([], "a JSON list where an event is an object", ""),
        ("level=info", "not JSON", ""),
    ],
)
def test_what_is_not_sure_is_told_as_what_it_is(line: object, reason: str, remedy: str) -> None:
    """With the command that shows what it holds."""
    (one,) = told(line if isinstance(line, str) else json.dumps(line))
    assert isinstance(one, Malformed)
    assert one.reason.partition(" (")[0] == reason
    assert one.remedy == remedy


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (TEXT.encode("utf-16"), "UTF-16"),
        (b"\x1f\x8b\x08\x00abc", "gzip"),
        (b"\x28\xb5\x2f\xfdabc", "zstd"),
    ],
)
def test_what_is_packed_is_told_with_what_unpacks_it(content: bytes, word: str) -> None:
    """The first line says it."""
    first = next(read(io.BytesIO(content)))
    assert isinstance(first, Malformed)
    assert word in first.reason
    assert first.remedy.endswith("| tetraproof events -")


def test_a_wrapper_in_too_many_others_is_told() -> None:
    """Nothing is followed without an end."""
    line = TEXT
    for _ in range(40):
        line = json.dumps({"log": json.loads(line)})
    (one,) = told(line)
    assert isinstance(one, Malformed)


@pytest.mark.parametrize(
    "opening", [b'{"log":', b"[", b'{"a":', b'{"values":[[', b'{"streams":[', b'{"hits":{"hits":[']
)
def test_deep_nesting_does_not_raise(opening: bytes) -> None:
    """However deep."""
    for line in (opening * 100_000, opening * 100_000 + b"1" + b"}" * 100_000):
        told_ = parse(line)
        assert isinstance(told_, Malformed)
        assert unwrapped(told_)


@pytest.mark.parametrize(("bound", "found"), [(10_000, True), (300, False)])
def test_looking_for_an_event_is_bounded(bound: int, *, found: bool) -> None:
    """By how many bytes are looked through."""
    with patch.object(wrapping, "_MOST_BYTES", bound):
        (one,) = told(json.dumps({"a": {"b": {"c": {"d": EVENT}}}}))
    assert isinstance(one, Malformed)
    assert (one.remedy == "jq -c .a.b.c.d") is found


@pytest.mark.parametrize(
    "line",
    [
        b"[" + b"a " * 2000 + b"{",
        b"a-" * 2000 + b" {",
        b"a." * 2000 + b"-a a tetragon {",
        b'{a="' + b"\\\\" * 2000 + b'{"',
        b"{" + b'a="",' * 800,
        b"2026-11-26T14:46:13Z " + b"a.a" * 1300,
        b'{"a":' * 400 + b'"' + b"x" * 4_000_000 + b'"' + b"}" * 400,
        b"[" + b"{}," * 1_000_000 + b"{}]",
    ],
    ids=range(8),
)
def test_hostile_lines_take_no_time(line: bytes) -> None:
    """Nothing is looked through again and again."""
    one = parse(line)
    assert isinstance(one, Malformed)
    begin = time.process_time()
    assert unwrapped(one)
    assert time.process_time() - begin < 5


KEYS = sorted({step for wrapper in WRAPPERS for step in (*wrapper.keys, *wrapper.place)} | {"process_exec", "x"})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([TEXT, NOTICE, "\ud800", "{"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_whatever_a_wrapper_holds_is_told(value: Any) -> None:
    """Nothing raises, and nothing comes to nothing."""
    line = json.dumps(value).encode()
    one = parse(line)
    if isinstance(one, Malformed):
        found = unwrapped(one)
        assert found
        for event in found:
            assert isinstance(event, Event) or event.reason
            if isinstance(event, Event):
                assert event.json()


@pytest.mark.parametrize(
    "around",
    [
        '{"kubernetes": {"pod_name": "tetragon-abc"}, "log": %s}',
        '{"insertId": "x", "jsonPayload": %s, "resource": {"type": "k8s_container"}}',
    ],
)
def test_an_entry_is_no_event_of_its_own_kind(around: str) -> None:
    """An entry of fluent-bit is no event of the kind `kubernetes`, one of Cloud Logging none of `jsonPayload`."""
    bare = (
        '{"process_exec": {"process": {"pid": 7, "pod": {"namespace": "shop", "name": "cart-7"}}}, "node_name": "n1"}'
    )
    (one,) = told(around % bare)
    assert isinstance(one, Event)
    assert (one.kind, one.process.pid, one.pod, one.line.decode()) == ("exec", 7, "shop/cart-7", bare)


@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq is there to run what is told")
@pytest.mark.parametrize(
    "value",
    [{"a": {"b-c": [1, EVENT]}}, {"my": {"text": TEXT}}, {"log": EVENT, "message": OTHER}, {"a": [{"b": [TEXT]}]}],
)
def test_the_command_that_is_told_unwraps_the_event(value: object) -> None:
    """Run by a shell, it prints the event."""
    (one,) = told(json.dumps(value))
    assert isinstance(one, Malformed)
    # what else lies beside it is passed over by jq's ?
    done = subprocess.run(one.remedy, shell=True, input=json.dumps(value), capture_output=True, text=True, check=False)
    assert EVENT in [json.loads(line) for line in done.stdout.splitlines()]
