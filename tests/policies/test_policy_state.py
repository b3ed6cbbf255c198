"""An agent's word on a policy: read as protojson is, and nothing in it crashes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders import RECORDINGS
from tetraproof.policies.policy_state import Counters, HookState, PolicyState

TOLD = {
    "id": "7",
    "name": "guard",
    "namespace": "galaxy",
    "state": "TP_STATE_ENABLED",
    "mode": "TP_MODE_ENFORCE",
    "stats": {"action_counters": {"post": "3", "signal": "2"}},
}


def test_a_state_is_read() -> None:
    """Its name and namespace, the loading's number, state and mode without their prefixes, and counters."""
    read = PolicyState.of("node", TOLD)
    assert read == PolicyState("node", "guard", "galaxy", "enabled", "", "enforce", Counters(3, 2, 0), "7")
    assert read.enabled


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"state": "TP_STATE_LOAD_ERROR"}, "load_error"),
        ({"state": "TP_STATE_SKIPPED"}, "skipped"),
        ({"state": "TP_STATE_PARTIALLY_ENABLED"}, "partially_enabled"),
        ({"state": "TP_STATE_OF_TOMORROW"}, "of_tomorrow"),
        ({"state": 1}, "enabled"),
        ({"state": 8}, "partially_enabled"),
        ({"state": 9}, "9"),
        ({"state": -1}, "-1"),
        ({"state": "enabled"}, "enabled"),
        ({"state": None, "enabled": True}, "enabled"),
        ({"enabled": True}, "enabled"),
        ({"state": "TP_STATE_UNKNOWN", "enabled": True}, "unknown"),
        ({"enabled": False}, "unknown"),
        ({"enabled": "true"}, "unknown"),
        ({"state": ["TP_STATE_ENABLED"]}, "unknown"),
        ({"state": True}, "unknown"),
        ({}, "unknown"),
        (None, "unknown"),
        ("enabled", "unknown"),
        ([], "unknown"),
    ],
)
def test_a_state_that_cannot_be_read_is_unknown(told: Any, state: str) -> None:
    """And never enabled; a number beyond those that are known stays one."""
    assert PolicyState.of("node", told).state == state


@pytest.mark.parametrize(
    ("mode", "read"),
    [("TP_MODE_MONITOR", "monitor"), (1, "enforce"), (3, "monitor_only"), ("TP_MODE_UNKNOWN", ""), (None, ""), (0, "")],
)
def test_an_unknown_mode_says_nothing(mode: Any, read: str) -> None:
    """As one that is not told."""
    assert PolicyState.of("node", {**TOLD, "mode": mode}).mode == read


EVERY = {
    "post": 1,
    "signal": 2,
    "override": "4",
    "notify_enforcer": 8,
    "set": 16,
    "nopost": 32,
    "monitor_signal": 64,
    "monitor_override": 128,
    "monitor_notify_enforcer": 256,
    "monitor_set": 512,
}


def test_each_counter_is_kept_by_its_name() -> None:
    """And summed up as `tetra tracingpolicy list` does: NPOST, NENFORCE, NMONITOR."""
    counters = Counters.of({"action_counters": EVERY})
    assert counters == Counters(1, 2 + 4 + 8 + 16, 64 + 128 + 256 + 512)
    assert counters is not None
    assert counters.each == {name: int(value) for name, value in EVERY.items()}
    camel = Counters.of({"actionCounters": {"monitorNotifyEnforcer": "5", "notifyEnforcer": 3}})
    assert camel is not None
    assert camel.each == {"monitor_notify_enforcer": 5, "notify_enforcer": 3}


@pytest.mark.parametrize(
    "stats",
    [
        *(None, [], "x", {}, {"action_counters": None}, {"action_counters": []}, {"action_counters": 3}),
        *({"action_counters": {"post": value}} for value in ("x", "-1", -1, 1.5, True, [], {}, "9" * 5000, "\u0661")),
        {"action_counters": {"post": 1, "signal": "many"}},
    ],
)
def test_counters_that_cannot_be_read_are_unknown(stats: Any) -> None:
    """All of them, and the rest of the state is kept."""
    read = PolicyState.of("node", {**TOLD, "stats": stats})
    assert read.enabled
    assert read.counters is None or stats == {"action_counters": {"post": -1}}


def test_a_counter_that_is_null_is_absent() -> None:
    """As protojson has it."""
    assert Counters.of({"action_counters": {"post": None, "signal": 1}}) == Counters(0, 1, 0)
    assert Counters.of({"action_counters": {}}) == Counters()


def test_the_state_of_each_hook_is_read() -> None:
    """As agents of 1.8 tell it; what is no hook is passed over."""
    hooks = [
        {"section": "kprobes", "state": "STATUS_LOADED", "hook_description": "fd_install"},
        {"section": "kprobes", "state": "STATUS_CALL_NOT_FOUND", "hookIdx": 1, "hookDescription": "fd_instal"},
        {"section": "uprobes", "state": 2, "hook_idx": "2"},
        {"section": "uprobes"},
        None,
        "x",
    ]
    assert PolicyState.of("node", {**TOLD, "hook_statuses": hooks}).hooks == (
        HookState("kprobes", 0, "loaded", "fd_install"),
        HookState("kprobes", 1, "call_not_found", "fd_instal"),
        HookState("uprobes", 2, "digest_rejected"),
        HookState("uprobes", 0, "unspecified"),
    )
    assert PolicyState.of("node", {**TOLD, "hookStatuses": "x"}).hooks == ()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*TOLD, "enabled", "error", "hook_statuses", "hookStatuses"]), anything))
def test_nothing_crashes(told: dict[str, Any]) -> None:
    """Whatever stands where."""
    read = PolicyState.of("node", told)
    assert "\n" not in read.error
    assert read.enabled is (read.state == "enabled" and not read.error)


def test_every_recorded_state_is_understood() -> None:
    """None is unknown."""
    told = [
        one
        for path in RECORDINGS.glob("*/scenarios/*/state*.json")
        for states in json.loads(path.read_bytes()).values()
        for one in states
    ]
    assert len(told) > 20
    assert {PolicyState.of("node", one).state for one in told} == {"enabled", "load_error", "partially_enabled"}


def test_counters_are_added_and_held_against_earlier_ones() -> None:
    """Sum by sum and name by name; one that fell is told so, also where a sum hides it."""
    first = Counters(post=1, enforce=2, monitor=0, each={"post": 1, "signal": 2})
    last = Counters(post=3, enforce=3, monitor=1, each={"post": 3, "override": 3})
    moved = last - first
    assert (moved.post, moved.enforce, moved.monitor) == (2, 1, 1)
    assert moved.each == {"post": 2, "signal": -2, "override": 3}
    assert moved.fell
    assert not (last - Counters()).fell
    assert (first + last).each == {"post": 4, "signal": 2, "override": 3}
    assert (Counters(post=1) - Counters(post=2)).fell
    assert (first.told("signal"), first.told("override"), first.told("set"), first.told("enforce")) == (2, 0, None, 2)
