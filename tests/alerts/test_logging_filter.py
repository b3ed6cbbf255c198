"""The few operators of Cloud Logging's query language that the alerts use; all else is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.alerts.logging_filter import FilterError, parse

ENTRY = {
    "severity": "INFO",
    "resource": {"type": "k8s_container", "labels": {"container_name": "export-stdout"}},
    "labels": {"k8s-pod/app": "tetragon"},
    "jsonPayload": {
        "action": "KPROBE_ACTION_SIGKILL",
        "status": 137.0,
        "on": True,
        "cap": ["CAP_CHOWN", "CAP_SYS_ADMIN"],
        "args": [{"int": 3.0}, {"file": {"path": "/tmp/tetragon"}}],
        "empty": [],
        "said": 'he said "no" \\ yes',
        "pod": {"name": "probe"},
    },
}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        # text without regard to case, wholly; numbers and booleans as text
        ('jsonPayload.action="KPROBE_ACTION_SIGKILL"', True),
        ('jsonPayload.action="kprobe_action_sigkill"', True),
        ('jsonPayload.action="SIGKILL"', False),
        ("jsonPayload.status=137", True),
        ('jsonPayload.status="137"', True),
        ("jsonPayload.status=13", False),
        ('jsonPayload.on="true"', True),
        # a part of it
        ('jsonPayload.action:"sigkill"', True),
        ('jsonPayload.action:"sigterm"', False),
        ("jsonPayload.pod.name:*", True),
        ("jsonPayload.pod:*", True),
        ("jsonPayload.pod.uid:*", False),
        ("jsonPayload.empty:*", False),
        # a regular expression: anywhere, and with regard to case
        ('jsonPayload.action=~"SIG"', True),
        ('jsonPayload.action=~"^SIG"', False),
        ('jsonPayload.action=~"sig"', False),
        ('jsonPayload.action=~"(?i)sig"', True),
        ('jsonPayload.action!~"SIG"', False),
        ('jsonPayload.action!~"TERM"', True),
        # of a list one element is enough, on the way too
        ('jsonPayload.cap="CAP_SYS_ADMIN"', True),
        ('jsonPayload.cap="CAP_SYS_BOOT"', False),
        ('jsonPayload.args.file.path="/tmp/tetragon"', True),
        ('jsonPayload.cap=("CAP_CHOWN" AND "CAP_SYS_ADMIN")', True),
        ('jsonPayload.cap=("CAP_CHOWN" AND "CAP_SYS_BOOT")', False),
        ('jsonPayload.cap=("CAP_SYS_BOOT" OR "CAP_SYS_ADMIN")', True),
        # a field that is not there: every comparison is false, so its NOT is true
        ('jsonPayload.nothing="x"', False),
        ('jsonPayload.nothing!="x"', False),
        ('jsonPayload.nothing!~"x"', False),
        ('NOT jsonPayload.nothing="x"', True),
        ('NOT jsonPayload.action:"SIGKILL"', False),
        ('jsonPayload.action!="x"', True),
        ('jsonPayload.pod="probe"', False),
        # quoted names, escapes, comments
        ('labels."k8s-pod/app"="tetragon"', True),
        (r'jsonPayload.said="he said \"no\" \\ yes"', True),
        (r'jsonPayload.said=~" \\\\ yes$"', True),
        ('-- whatever\nseverity="INFO" -- and so on', True),
        # NOT binds strongest, then OR, then AND, which may be left out
        ('severity="INFO" severity="DEBUG"', False),
        ('severity="INFO"\nAND severity=~"I"', True),
        ('severity="DEBUG" AND severity="INFO" OR severity="INFO"', False),
        ('(severity="DEBUG" AND severity="INFO") OR severity="INFO"', True),
        ('severity="INFO" OR severity="DEBUG" AND severity="DEBUG"', False),
        ('NOT severity="DEBUG" OR severity="DEBUG"', True),
        ('NOT (severity="DEBUG" OR severity="INFO")', False),
        ('NOT NOT severity="INFO"', True),
    ],
)
def test_selects(text, selected):
    assert parse(text).matches(ENTRY) is selected


@pytest.mark.parametrize(
    ("text", "told", "place"),
    [
        ("", "says nothing", (1, 1)),
        ("  -- only a comment", "says nothing", (1, 1)),
        ('"SIGKILL"', "where a field is expected", (1, 1)),
        ("SIGKILL", "where a field is expected", (1, 1)),
        ('SEARCH("SIGKILL")', "where a field is expected", (1, 1)),
        ('timestamp>"2026-11-23"', "where a field is expected", (1, 1)),
        ('severity="INFO"\n  AND AND severity="INFO"', "has AND where a field is expected", (2, 7)),
        ("severity>=INFO", "has >= where an operator is expected", (1, 9)),
        ("severity", "ends where more is expected", (1, 9)),
        ("severity=INFO", "has INFO where a value is expected", (1, 10)),
        ("severity=*", r"has \* where a value is expected", (1, 10)),
        ('severity=("INFO" OR "A" AND "B")', "mixes OR and AND", (1, 10)),
        ('(severity="INFO"', "where the bracket of line 1, column 1 is to close", (1, 17)),
        ('severity="INFO")', "where nothing is opened", (1, 16)),
        ("severity='INFO'", "has ' where no such character is known", (1, 10)),
        ('severity="INFO', 'has " where no such character is known', (1, 10)),
        (r'severity="a\n"', r"has the escape \\n", (1, 12)),
        ('severity=~"a(?=b)"', "uses \\(\\?= in a regular expression", (1, 12)),
        (r'severity=~"(a)\\1"', "uses .* in a regular expression", (1, 12)),
        ('severity=~"("', "holds no regular expression", (1, 12)),
    ],
)
def test_refuses_what_it_does_not_know(text, told, place):
    with pytest.raises(FilterError) as caught:
        parse(text, "x.yaml")
    first, *rest = str(caught.value).splitlines()
    assert re.search(told, first), first
    assert first.startswith("x.yaml ")
    assert f"(line {place[0]}, column {place[1]})" in first
    assert rest[-1].startswith("  to mend it: ")


def test_refuses_to_say_what_unlike_means_of_several_values():
    with pytest.raises(FilterError, match="asks 2 values to be unlike"):
        parse('jsonPayload.cap!="x"').matches(ENTRY)


def test_tells_the_fields_that_it_looks_at():
    assert parse('severity="INFO" OR labels."k8s-pod/app"="x"').fields == ("severity", 'labels."k8s-pod/app"')


PIECES = st.sampled_from(
    [
        *("AND", "OR", "NOT", "(", ")", "=", "!=", ":", "=~", "!~", ">", "*", "-- x", "\n", '"', "\\"),
        *(
            '"SIGKILL"',
            '"(a|b)+"',
            '"["',
            "137",
            "severity",
            "jsonPayload.action",
            "jsonPayload.cap",
            'labels."k8s-pod/app"',
        ),
    ]
)


@given(st.one_of(st.lists(PIECES).map(" ".join), st.text()))
def test_whatever_is_written_is_read_or_refused(text):
    """Nothing else comes of it, and a refusal says where."""
    try:
        told = str(parse(text).matches(ENTRY))
    except FilterError as error:
        told = str(error).splitlines()[0]
    assert re.search(r"^True$|^False$|\(line \d+, column \d+\)\.$", told)


@given(
    st.dictionaries(
        st.sampled_from(["severity", "jsonPayload", "labels"]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["action", "cap"]), inner),
        ),
    )
)
def test_whatever_an_entry_holds_it_is_selected_or_not(entry):
    told = parse('severity="INFO" OR jsonPayload.action=~"SIG" OR NOT jsonPayload.cap:"SYS" OR labels.cap:*')
    assert told.matches(entry) in {True, False}
