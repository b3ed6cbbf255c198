"""Parity: whether the export log tells the same as the stream, in the window that both cover."""

from __future__ import annotations

import json

import pytest

from tests.builders import execs, exits, hooked, started
from tetraproof.events.event import Event, parse
from tetraproof.events.stream import matching
from tetraproof.observing.parity import compare

SHELL, NGINX = started(1, arguments="-c x"), started(2, "/usr/sbin/nginx", pod="default/nginx")
A, B, C, D = execs(SHELL), hooked(SHELL, file="/tmp/a"), hooked(SHELL, file="/tmp/b"), exits(SHELL, at=1.0)
OTHER = execs(NGINX)
OURS = matching(["other"], ["^probe$"])


@pytest.mark.parametrize(
    ("stream", "export", "heard", "only_stream", "only_export"),
    [
        ([A, B, D], [A, B, D], True, [], []),
        ([A, B, D], [A, D], True, [B], []),
        ([A, D], [A, B, D], True, [], [B]),
        ([A, B, D], [A, C, D], True, [B], [C]),
        # what lies outside the window says nothing
        ([A, B], [C, A, B, D], True, [], []),
        # the end was not exported yet, or the beginning not any more
        ([A, B, D], [A, B], False, [], []),
        ([A, B, D], [B, D], False, [], []),
        ([A, B], [], False, [], []),
        ([], [A], False, [], []),
        # of other pods nothing is asked
        ([A, OTHER, D], [A, D], True, [], []),
        ([A, D], [A, OTHER, D], True, [], []),
        ([OTHER, A, D], [OTHER, A, D], True, [], []),
        # told once, exported twice
        ([A, B, D], [A, B, B, D], True, [], [B]),
    ],
)
def test_what_only_one_of_them_tells(
    stream: list[Event], export: list[Event], only_stream: list[Event], only_export: list[Event], *, heard: bool
) -> None:
    """Between the stream's first event and its last, of what passes the condition."""
    told = compare(stream, export, OURS)
    assert told.heard is heard
    assert told.only_stream == tuple(only_stream)
    assert told.only_export == tuple(only_export)
    assert told.same is not (only_stream or only_export or False)


def test_the_same_event_may_be_written_otherwise() -> None:
    """Events are compared as JSON values, whatever the order of their fields and the spaces between."""
    turned = parse(json.dumps(dict(reversed(B.json().items())), indent=1).replace("\n", " ").encode())
    assert isinstance(turned, Event)
    assert turned.line != B.line
    assert compare([A, B, D], [A, turned, D], OURS).same


def test_a_difference_in_any_field_is_one() -> None:
    """Even in a field that is not typed."""
    changed = parse(json.dumps({**B.json(), "node_labels": {"x": "y"}}).encode())
    assert isinstance(changed, Event)
    told = compare([A, B, D], [A, changed, D], OURS)
    assert (told.only_stream, told.only_export) == ((B,), (changed,))
