"""What an agent's settings hide: its export log, a policy that only monitors, and what is off where it is not named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders import NODE, POLICY, SHELL_OF, event, execs, exits, hooked, performed, policy, state
from tetraproof.events.event import Event, parse
from tetraproof.observing.act import AGENT
from tetraproof.observing.exporting import hides
from tetraproof.observing.observation import Done, Observed, of_policy
from tetraproof.observing.parity import Parity
from tetraproof.observing.timeline import Timeline
from tetraproof.policies.policy import Policy

EXEC, EXIT, KPROBE = execs(SHELL_OF), exits(SHELL_OF), hooked(SHELL_OF)
RATE_LIMIT = event("rate_limit_info", {"number_of_dropped_process_events": "3"})


def kinds(*chosen: str) -> str:
    """One line of an export-allowlist."""
    return json.dumps({"event_set": chosen})


def lacking(*events: Event) -> Parity:
    """An export that lacks these events of the stream."""
    return Parity(heard=True, only_stream=events)


@pytest.mark.parametrize(
    ("settings", "parity", "why"),
    [
        ({"export-rate-limit": ""}, lacking(EXIT), ""),
        ({"export-rate-limit": "0"}, lacking(EXIT), "the agent is set to export-rate-limit: 0, so it exports nothing"),
        (
            {"export-rate-limit": "1"},
            lacking(EXIT),
            "the agent is set to export-rate-limit: 1, so its export may lack events",
        ),
        (
            {"enable-export-aggregation": "True"},
            Parity(heard=False),
            "the agent is set to enable-export-aggregation: True, so its export tells otherwise than its stream",
        ),
        ({"field-filters": "FALSE", "enable-export-aggregation": ""}, lacking(EXIT), ""),
        # a kind that the allowlist lacks, on whichever of its lines
        (
            {"export-allowlist": kinds("PROCESS_EXEC")},
            lacking(EXIT, KPROBE),
            "the agent's export-allowlist has no events of the kind exit, kprobe",
        ),
        ({"export-allowlist": kinds("PROCESS_EXEC") + "\n" + kinds("PROCESS_KPROBE")}, lacking(EXEC), ""),
        ({"export-allowlist": kinds("PROCESS_EXEC") + "\n" + kinds("PROCESS_KPROBE")}, lacking(KPROBE), ""),
        (
            {"export-allowlist": kinds("PROCESS_EXEC") + "\n" + kinds("PROCESS_KPROBE")},
            lacking(EXIT),
            "the agent's export-allowlist has no events of the kind exit",
        ),
        # one of those that are lacking is on it: something else hid that one
        ({"export-allowlist": kinds("PROCESS_EXEC")}, lacking(EXEC, EXIT), ""),
        ({"export-allowlist": kinds("RATE_LIMIT")}, lacking(RATE_LIMIT), ""),
        ({"export-allowlist": kinds("rate_limit", "PROCESS_EXIT")}, lacking(RATE_LIMIT), ""),
        # what is more in the export is hidden by nothing
        (
            {"export-allowlist": kinds("PROCESS_EXEC")},
            Parity(heard=True, only_stream=(EXIT,), only_export=(EXEC,)),
            "",
        ),
        # a line without a set of kinds allows all of them
        ({"export-allowlist": kinds("PROCESS_EXEC") + '\n{"namespace":["a"]}'}, lacking(EXIT), ""),
        ({"export-allowlist": kinds()}, lacking(EXIT), ""),
        # an export that was not heard to its end lacks everything
        ({"export-allowlist": kinds("PROCESS_EXEC")}, Parity(heard=False), ""),
        ({}, Parity(heard=False), ""),
    ],
)
def test_the_setting_that_hides_an_event_is_told(settings: dict[str, str], parity: Parity, why: str) -> None:
    """In a sentence, and nothing where no setting explains it."""
    assert hides(settings, [EXEC], parity) == why


@pytest.mark.parametrize(
    ("value", "on"),
    [
        (None, False),
        ("", False),
        ("false", False),
        ("False", False),
        ("0", False),
        ("true", True),
        ("TRUE", True),
        ("1", True),
        ("some value", True),
    ],
)
def test_a_setting_is_on_where_it_is_not_off(value: str | None, *, on: bool) -> None:
    """One that the agent lacks is off."""
    configuration = {} if value is None else {"enable-process-cred": value}
    observed = Observed("made", None, {}, configuration={**configuration, "another": "true"})
    assert observed.is_set("enable-process-cred") is on


MONITORS = policy(POLICY.replace("spec:\n", "spec:\n  options: [{name: policy-mode, value: monitor}]\n"))
ENFORCES = policy(POLICY.replace("spec:\n", "spec:\n  options: [{name: policy-mode, value: enforce}]\n"))
OTHERWISE = policy(POLICY.replace("spec:\n", "spec:\n  options: [{name: disable-kprobe-multi, value: monitor}]\n"))
SEVERAL = policy(
    POLICY.replace(
        "spec:\n",
        "spec:\n  options: [{name: disable-kprobe-multi, value: '1'}, {name: policy-mode, value: monitor}]\n",
    )
)


@pytest.mark.parametrize(
    ("applied", "before", "after", "monitored"),
    [
        (None, [], [], False),
        (policy(), [], [], False),
        (MONITORS, [], [], True),
        (SEVERAL, [], [], True),
        (ENFORCES, [], [], False),
        (OTHERWISE, [], [], False),
        # an agent's word outweighs what was asked for, before the acts and after them
        (MONITORS, ["enforce"], [], False),
        (MONITORS, [], ["enforce"], False),
        (policy(), ["monitor"], ["monitor"], True),
        (policy(), ["monitor"], ["enforce"], False),
        (policy(), ["monitor", "enforce"], ["monitor", "monitor"], False),
        # and one that tells no mode says nothing
        (MONITORS, [""], [""], True),
        (policy(), ["monitor", ""], [], True),
        (None, ["monitor"], [], True),
    ],
)
def test_a_policy_only_monitors_where_every_agent_says_so(
    applied: Policy | None, before: list[str], after: list[str], *, monitored: bool
) -> None:
    """Otherwise its actions are enforcements."""
    told = [tuple(state(mode=mode) for mode in modes) for modes in (before, after)]
    assert Observed("made", applied, {}, states=told[0], states_after=told[1]).monitored() is monitored


def told(*order: str, exit_code: int = 0) -> Done:
    return Done(performed("tetra", "tracingpolicy", *order, pod=f"/{AGENT}", exit_code=exit_code), Timeline("", NODE))


def test_what_the_agent_was_told_last_before_an_act_is_its_mode() -> None:
    """An order that failed, another one, or one in a pod changes nothing; nor does one that came after."""
    in_a_pod = Done(performed("tetra", "tracingpolicy", "set-mode", "monitor"), Timeline("", NODE))
    acts = {
        "first": Done(performed("true"), Timeline("", NODE)),
        "pods": in_a_pod,
        "failed": told("set-mode", "monitor", exit_code=1),
        "second": Done(performed("true"), Timeline("", NODE)),
        "to": told("set-mode", "monitor"),
        "off": told("disable"),
        "third": Done(performed("true"), Timeline("", NODE)),
        "back": told("set-mode", "enforce"),
        "fourth": Done(performed("true"), Timeline("", NODE)),
    }
    observed = Observed("made", ENFORCES, acts)
    assert [name for name in acts if observed.monitored(name)] == ["off", "third", "back"]
    assert not observed.monitored()
    monitors = Observed("made", MONITORS, acts)
    assert [name for name in ("first", "second", "third", "fourth") if monitors.monitored(name)] == [
        *("first", "second", "third")
    ]


def changed(**fields: Any) -> Event:
    """The event of a hook with fields changed; nothing takes one away."""
    told = KPROBE.json()
    body = {name: value for name, value in {**told["process_kprobe"], **fields}.items() if value is not None}
    made = parse(json.dumps({**told, "process_kprobe": body}).encode())
    assert isinstance(made, Event)
    return made


@pytest.mark.parametrize(
    ("made", "own"),
    [
        (EXEC, True),
        (KPROBE, True),
        (changed(policy_name="another"), False),
        (changed(policy_name=None), True),
        (changed(policy_name=""), True),
        # whose it is cannot be read, so nobody can tell
        (changed(policy_name=["another"]), None),
        (event("process_new", {"policy_name": "another"}), False),
        (event("process_new", {"policy_name": "guard"}), True),
        (event("process_new", {}), True),
    ],
)
def test_an_event_is_another_policys_only_where_it_says_so(made: Event, *, own: bool | None) -> None:
    """Of a kind that is known here, and of one that is not."""
    assert of_policy(made, "guard") is own
    assert of_policy(made, "")
