"""What the agent says that it did to an act: known, unknown and unreadable actions, and every end by a signal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders import BASH, CAT, child, event, execs, exits, hooked, lines_of, performed, started
from tetraproof.events import api
from tetraproof.events.event import Event, parse
from tetraproof.observing.enforcement import ENFORCING, OBSERVING, Told, against, enforced, failed

ACT = performed("bash", "-c", "x")
SHELL = started(100, BASH, "-c x")
CHILD = child(SHELL, 101, CAT, "/tmp/a")
NGINX = started(7, "/usr/sbin/nginx", pod="default/nginx")
KILL_TOLD = Told("SIGKILL is told of /usr/bin/bash (kprobe event)")


def changed(made: Event, **fields: Any) -> Event:
    """The event with fields of its kind changed; nothing takes one away."""
    told = made.json()
    (kind,) = (name for name in told if name.startswith("process_"))
    told[kind] = {name: value for name, value in {**told[kind], **fields}.items() if value is not None}
    again = parse(json.dumps(told).encode())
    assert isinstance(again, Event)
    return again


def unknown_kind(**fields: Any) -> Event:
    """An event of a kind that a newer agent may have."""
    return event("process_new", {"process": SHELL.json(), **fields})


def spoken(*events: Event, monitored: bool = False, mine: Any = lambda _: True) -> list[Told]:
    """What speaks against an act that these events tell."""
    (line,) = lines_of([ACT], events)
    return list(against(line, mine, monitored=monitored))


@pytest.mark.parametrize("action", sorted(ENFORCING))
def test_what_changes_the_act_is_an_enforcement(action: str) -> None:
    """In either field: the action at the call, and the one at its return."""
    told = Told(f"{action} is told of /usr/bin/bash (kprobe event)")
    assert enforced(hooked(SHELL, action=action)) == told
    assert enforced(hooked(SHELL, action="POST", return_action=f"KPROBE_ACTION_{action}")) == told
    assert enforced(unknown_kind(action=f"KPROBE_ACTION_{action}")) == Told(
        f"{action} is told of /usr/bin/bash (new event)"
    )


@pytest.mark.parametrize("action", sorted(OBSERVING - {""}))
def test_what_changes_nothing_is_none(action: str) -> None:
    """Whatever else it has the agent do."""
    assert enforced(hooked(SHELL, action=action)) is None
    assert enforced(hooked(SHELL, action="POST", return_action=f"KPROBE_ACTION_{action}")) is None


def test_every_action_of_tetragons_definition_is_known_here() -> None:
    """In one of the two sets, and in one only: a newer definition with one more is sorted by a person."""
    actions = {name.removeprefix("KPROBE_ACTION_") for name in api.NUMBERS["KprobeAction"].values()}
    assert actions == (ENFORCING | OBSERVING) - {""}
    assert not ENFORCING & OBSERVING
    assert {"SIGKILL", "SIGNAL", "OVERRIDE", "NOTIFYENFORCER", "SET"} == ENFORCING


@pytest.mark.parametrize(
    "made",
    [
        execs(SHELL),
        exits(SHELL),
        event("process_loader", {"process": SHELL.json(), "path": "/lib/x.so"}),
        changed(hooked(SHELL), action=None),
        unknown_kind(),
        unknown_kind(action=None, return_action=""),
    ],
    ids=["exec", "exit", "a kind without actions", "no action", "unknown kind", "unknown kind, nothing"],
)
def test_an_event_that_names_no_action_tells_of_none(made: Event) -> None:
    """An exec, and an event in which the field is left out."""
    assert enforced(made) is None


@pytest.mark.parametrize("field", ["action", "return_action"])
@pytest.mark.parametrize("value", [77, ["KPROBE_ACTION_SIGKILL"], {}])
def test_an_action_that_cannot_be_read_may_be_an_enforcement(field: str, value: object) -> None:
    """Neither field may be taken for empty."""
    made = changed(hooked(SHELL, action="POST"), **{field: value})
    assert enforced(made) == Told("the action of a kprobe event cannot be read", doubtful=True)


def test_an_action_that_nobody_knows_here_may_be_an_enforcement() -> None:
    """By its name, of a known kind and of an unknown one, where it may be a number too."""
    doubtful = Told("VAPORIZE, an action that is not known here, is told of it", doubtful=True)
    assert enforced(hooked(SHELL, action="VAPORIZE")) == doubtful
    assert enforced(unknown_kind(action="KPROBE_ACTION_VAPORIZE")) == doubtful
    assert enforced(unknown_kind(return_action=5)) == Told(
        "5, an action that is not known here, is told of it", doubtful=True
    )


def test_an_enforcement_without_a_process_names_no_program() -> None:
    """It is told all the same."""
    assert enforced(changed(hooked(SHELL), process=None)) == Told("SIGKILL is told of it (kprobe event)")


def test_only_the_policys_own_events_speak_against_an_act() -> None:
    """Another policy's kill is none of this one's, though the signal that ended the process speaks for itself."""
    of_another = hooked(SHELL, policy="another")
    events = (execs(SHELL), hooked(SHELL, action="POST"), of_another, exits(SHELL))
    assert spoken(*events, mine=lambda one: one is not of_another) == []
    assert spoken(*events, mine=lambda one: one is of_another) == [KILL_TOLD]
    assert spoken(*events[:-1], exits(SHELL, signal="SIGKILL"), mine=lambda _: False) == [
        Told("SIGKILL ended /usr/bin/bash")
    ]


def test_where_a_policy_monitors_its_actions_say_nothing_and_a_signal_does() -> None:
    """What an event says would have been done was not; what ended by a signal did."""
    events = (execs(SHELL), hooked(SHELL), exits(SHELL, signal="SIGKILL"))
    assert spoken(*events, monitored=True) == [Told("SIGKILL ended /usr/bin/bash")]
    assert spoken(*events) == [KILL_TOLD, Told("SIGKILL ended /usr/bin/bash")]


def test_a_bystanders_enforcement_is_not_the_acts() -> None:
    """Nor is a signal that ended a bystander."""
    events = (execs(SHELL), hooked(NGINX), exits(NGINX, signal="SIGKILL"), exits(SHELL))
    assert spoken(*events) == []


def test_an_enforcement_of_nobody_known_is_doubtful() -> None:
    """It may be the act's own, and may be anybody's."""
    told = spoken(execs(SHELL), changed(hooked(SHELL), process=None), exits(SHELL))
    assert told == [Told("SIGKILL is told of it (kprobe event)", doubtful=True)]


def test_a_doubtful_action_of_the_act_itself_stays_doubtful() -> None:
    """That it is the act's own makes an unknown action no known one."""
    told = spoken(execs(SHELL), hooked(SHELL, action="VAPORIZE"), exits(SHELL))
    assert [one.doubtful for one in told] == [True]


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (exits(CHILD), []),
        (exits(CHILD, 1), []),
        (exits(CHILD, 137), []),
        (exits(CHILD, signal="SIGPIPE"), []),
        (exits(CHILD, signal="SIGTERM"), [Told("SIGTERM ended /usr/bin/cat")]),
        (exits(CHILD, signal="SIGKILL"), [Told("SIGKILL ended /usr/bin/cat")]),
        (exits(CHILD, signal="SIGNEW"), [Told("SIGNEW ended /usr/bin/cat")]),
        (changed(exits(CHILD), signal=[9]), [Told("how /usr/bin/cat ended cannot be read", doubtful=True)]),
        # a status says nothing of a signal
        (changed(exits(CHILD), status=[9]), []),
    ],
)
def test_every_process_of_an_act_ended_by_itself_or_not(made: Event, told: list[Told]) -> None:
    """Whichever signal, except the one that a writer gets whose reader has gone."""
    assert spoken(execs(SHELL), execs(CHILD), made, exits(SHELL)) == told


def test_what_failed_is_every_process_that_did_not_end_with_0() -> None:
    """A signal is no exit code, and an exec has none."""
    events = [execs(SHELL), exits(CHILD, 3), exits(CHILD, signal="SIGTERM"), hooked(SHELL), exits(SHELL)]
    assert list(failed(events)) == [Told("/usr/bin/cat ended with exit 3")]
