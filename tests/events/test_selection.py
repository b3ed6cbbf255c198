"""What is asked for means what it means to tetra; which was asked itself (1.7.0, 1.7.1) about events of every kind."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetraproof.errors import UsageError
from tetraproof.events import api
from tetraproof.events.event import KINDS, Event, parse
from tetraproof.events.selection import Selection, kind_of, listed

POD = {"namespace": "shop", "name": "cart-7", "container": {"name": "web"}}
PROCESS = {"exec_id": "YQ==", "binary": "/usr/bin/cat", "pod": POD}


def event(field: str = "process_kprobe", **detail: Any) -> Event:
    found = parse(json.dumps({field: detail}).encode())
    assert isinstance(found, Event)
    return found


CART = event(process=PROCESS, policy_name="guard")
HOST = event(process={"exec_id": "YQ==", "binary": "/usr/bin/cat"})
BARE = event(process={})
NOBODY = event(function_name="fd_install")
NO_CONTAINER = event(process={**PROCESS, "pod": {"namespace": "shop", "name": "cart-7"}})
THROTTLE = event("process_throttle", type="THROTTLE_START")
RATE = event("rate_limit_info", number_of_dropped_process_events="3")
NEWER = event("process_newer", process=PROCESS, policy_name="guard")
USDT = event("process_usdt", process=PROCESS, policy_name="guard")
EVERY = (CART, HOST, BARE, NOBODY, NO_CONTAINER, THROTTLE, RATE, NEWER, USDT)


@pytest.mark.parametrize(
    ("selection", "passing"),
    [
        (Selection(), EVERY),
        (Selection(namespaces=("shop",)), (CART, NO_CONTAINER, NEWER, USDT)),
        (Selection(namespaces=("sho",)), ()),
        # what has no pod is in the empty namespace, what has no process in none
        (Selection(namespaces=("",)), (HOST, BARE)),
        (Selection(namespaces=("", "shop")), (CART, HOST, BARE, NO_CONTAINER, NEWER, USDT)),
        (Selection(namespace_patterns=("^sh",)), (CART, NO_CONTAINER, NEWER, USDT)),
        (Selection(namespace_patterns=("",)), (CART, NO_CONTAINER, NEWER, USDT)),
        (Selection(pods=("^cart-[[:digit:]]+$",)), (CART, NO_CONTAINER, NEWER, USDT)),
        (Selection(pods=("art",)), (CART, NO_CONTAINER, NEWER, USDT)),
        (Selection(pods=("nobody", "7$")), (CART, NO_CONTAINER, NEWER, USDT)),
        (Selection(pods=("^art",)), ()),
        (Selection(pods=("",)), (CART, NO_CONTAINER, NEWER, USDT)),
        (Selection(containers=("^web$",)), (CART, NEWER, USDT)),
        (Selection(containers=("",)), (CART, NEWER, USDT)),
        (Selection(processes=("cat",)), (CART, HOST, NO_CONTAINER, NEWER, USDT)),
        (Selection(processes=("^cat",)), ()),
        (Selection(processes=("",)), (CART, HOST, BARE, NO_CONTAINER, NEWER, USDT)),
        (Selection(event_types=("PROCESS_USDT", "rate-limit")), (RATE, USDT)),
        (Selection(event_types=("PROCESS_THROTTLE",)), (THROTTLE,)),
        (Selection(event_types=("UNDEF",)), (NEWER,)),
        # tetra asks the policy of kprobes, tracepoints, uprobes and LSM hooks only
        (Selection(policies=("guard", "x")), (CART,)),
        (Selection(policies=("",)), ()),
        # all must agree
        (Selection(namespaces=("shop",), processes=("cat",), event_types=("kprobe",)), (CART, NO_CONTAINER)),
        (Selection(namespaces=("",), pods=("",)), ()),
    ],
)
def test_a_selection_lets_through_what_tetra_does(selection: Selection, passing: tuple[Event, ...]) -> None:
    """Of events with and without a pod, a process, a known kind."""
    passes = selection.condition()
    assert [one for one in EVERY if passes(one)] == list(passing)
    assert [one for one in EVERY if passes(one)] == list(passing), "asked again, it says the same"


@pytest.mark.parametrize(
    ("option", "selection"),
    [
        ("--pods", Selection(pods=("a", "("))),
        ("--containers", Selection(containers=("(?=a)",))),
        ("--process", Selection(processes=(r"\C",))),
        ("--namespace-regex", Selection(namespace_patterns=("a{1001}",))),
    ],
)
def test_a_pattern_that_is_none_is_refused(option: str, selection: Selection) -> None:
    """Before an event is read, and naming the option."""
    with pytest.raises(UsageError, match=rf"^{option}: .* is no regular expression"):
        selection.condition()


@pytest.mark.parametrize(("field", "kind"), list(zip(api.KINDS, KINDS, strict=True)))
def test_every_kind_can_be_asked_for_by_tetras_word_and_by_ours(field: str, kind: str) -> None:
    """In either case of letters."""
    for word in (kind, kind.upper(), field, field.upper()):
        assert kind_of(word) == kind


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("tracepiont", "PROCESS_TRACEPOINT"),
        ("PROCESS_TRACEPIONT", "PROCESS_TRACEPOINT"),
        ("PROCESS_EXECUTE", "PROCESS_EXEC"),
        ("kprobes", "PROCESS_KPROBE"),
        ("ratelimit", "RATE_LIMIT_INFO"),
    ],
)
def test_an_event_type_that_does_not_exist_is_refused_with_the_nearest(written: str, near: str) -> None:
    """And with those that there are."""
    with pytest.raises(UsageError, match=f"there is no event type '{written}'") as raised:
        Selection(event_types=(written,)).condition()
    assert f"perhaps {near} is meant" in raised.value.remedy
    assert "PROCESS_LSM" in raised.value.remedy


def test_what_is_like_nothing_is_refused_without_a_guess() -> None:
    """No word is near."""
    with pytest.raises(UsageError) as raised:
        kind_of("%%%")
    assert raised.value.remedy.startswith("there are PROCESS_EXEC")


@pytest.mark.parametrize(
    ("event_", "selection", "path"),
    [
        (event(process={**PROCESS, "pod": 5}), Selection(pods=("x",)), "process.pod"),
        (event(process={**PROCESS, "pod": {"namespace": 5}}), Selection(namespaces=("x",)), "process.pod.namespace"),
        (event(process={**PROCESS, "pod": {"namespace": 5}}), Selection(pods=("x",)), ""),
        (event(process=5), Selection(processes=("x",)), "process"),
        (event(process={**PROCESS, "binary": []}), Selection(processes=("x",)), "process.binary"),
        (event(process=PROCESS, policy_name=5), Selection(policies=("x",)), "policy_name"),
        (event(process=PROCESS, policy_name=5), Selection(pods=("x",)), ""),
        (event(process=PROCESS, policy_name=5), Selection(), ""),
        (CART, Selection(pods=("x",)), ""),
    ],
)
def test_what_could_not_be_read_is_named_where_it_is_asked_for(event_: Event, selection: Selection, path: str) -> None:
    """What is unread elsewhere does not matter."""
    assert selection.could_not_read(event_) == path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        ("a,", ["a", ""]),
        (",", ["", ""]),
        (",a", ["", "a"]),
        ('""', [""]),
        ('"a{1,3}",b', ["a{1,3}", "b"]),
        ('"a""b"', ['a"b']),
        ('"a",', ["a", ""]),
        (" a, b", [" a", " b"]),
    ],
)
def test_values_are_told_apart_as_by_tetra(value: str, expected: list[str]) -> None:
    """With commas between them, in quotes where one holds a comma."""
    assert listed(value) == expected


@pytest.mark.parametrize("value", ['a"b', '"a', '"a"b', '"a" ,b', 'a"', "a\nb", '"a\nb"'])
def test_a_quote_out_of_place_is_refused(value: str) -> None:
    """As tetra does; a line break, of which tetra would drop what follows, as well."""
    with pytest.raises(ValueError, match=r"quote|line break"):
        listed(value)


@given(st.lists(st.text(alphabet='ab,{}" ', max_size=5), min_size=1, max_size=4))
def test_what_was_written_by_the_rules_is_read_by_them(values: list[str]) -> None:
    """Whatever the values hold."""
    written = ",".join('"' + value.replace('"', '""') + '"' for value in values)
    assert listed(written) == values == next(csv.reader([written]))
