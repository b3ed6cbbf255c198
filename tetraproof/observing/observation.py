"""What a target saw of a scenario: the acts as they were performed, the stream, the agents' word.

A plain record, the same for every target; `tetraproof.judging.scenario` is how a test asks it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from tetraproof.answer import Unknown
from tetraproof.events.event import Event
from tetraproof.events.reread import Reread
from tetraproof.observing.act import order_of
from tetraproof.observing.gap import Continuity
from tetraproof.observing.inventory import Inventory
from tetraproof.observing.timeline import Performed, Timeline
from tetraproof.policies.binding import Bindings
from tetraproof.policies.capability import Capabilities, PolicyState
from tetraproof.policies.policy import Policy
from tetraproof.verdict import Verdict

_NOT_KEPT = Unknown(Verdict.UNRECORDED, "nothing of the kind was kept")


@dataclass(frozen=True)
class Observed:
    """All that a target saw of a scenario. `acts` holds what was performed for each declared act, or why not.

    `answered` are the nodes whose agents were asked after the acts and answered, where that is known.
    `applied` is the name that the policy had there, which its events carry. `compact` is what `tetra getevents
    -o compact` made of the stream, `export` the export log's events, `export_notice` what may have hidden some;
    nothing where the target has none; `ask_compact` has it made, where that is done only when a test wants it.
    `continuity` is what was seen while the installation was changed, `inventory` what is installed, `hosts` each
    node's own addresses. `notes` are sentences for the report, `tetra` is the version of the tetra there.
    """

    scenario: str
    policy: Policy | None
    acts: Mapping[str, Done | Unknown]
    applied: str = ""
    states: tuple[PolicyState, ...] = ()
    states_after: tuple[PolicyState, ...] = ()
    answered: tuple[str, ...] | None = None
    others: tuple[Done, ...] = ()
    bindings: Bindings = field(default_factory=Bindings)
    capabilities: Mapping[str, Capabilities] = field(default_factory=dict)
    stream: Sequence[Event] = ()
    compact: Sequence[str] | Unknown = _NOT_KEPT
    ask_compact: Callable[[], Sequence[str] | Unknown] | None = None
    export: Sequence[Event] | Unknown = _NOT_KEPT
    export_notice: str = ""
    posted: Mapping[str, int] | Unknown = _NOT_KEPT
    configuration: Mapping[str, str] = field(default_factory=dict)
    continuity: Continuity | None = None
    inventory: Inventory = field(default_factory=Inventory)
    hosts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tetra: str = ""

    def monitored(self, act: str = "") -> bool:
        """Whether the policy only monitors while the act of that name is done, or from its loading on.

        That is what the agent was told last before the act; else what every agent says of the mode, or the policy's
        own options where none tells one.
        """
        told = ""
        for name, done in self.acts.items():
            if name == act:
                break
            order = order_of(done.performed) if isinstance(done, Done) and done.performed.outcome.exit_code == 0 else ()
            told = order[-1] if order[:1] == ("set-mode",) else told
        if act and told:
            return told == "monitor"
        modes = {state.mode for state in (*self.states, *self.states_after) if state.mode}
        if modes:
            return modes == {"monitor"}
        options = (self.policy.spec.get("options") or []) if self.policy else []
        return any(one.get("name") == "policy-mode" and one.get("value") == "monitor" for one in options)

    def is_set(self, setting: str) -> bool:
        """Whether a setting of the agent is on; one that it lacks is off."""
        return self.configuration.get(setting, "").lower() not in {"", "false", "0"}


class Sparse(Sequence[str]):
    """As many lines as there are events, of which only those of the events that are held are known."""

    def __init__(self, count: int, lines: Mapping[int, str]) -> None:
        self._count = count
        self._lines = lines

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> list[str]: ...

    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self._lines.get(one, "") for one in range(*at.indices(self._count))]
        if not 0 <= at < self._count:
            raise IndexError(at)
        return self._lines.get(at, "")


def printed_of(stream: Sequence[Event], printed: Sequence[str]) -> dict[int, str]:
    """What was printed of each event that is held, by the object's id."""
    held = stream.held if isinstance(stream, Reread) else dict(enumerate(stream))
    return {id(event): printed[at] for at, event in held.items()} if len(printed) == len(stream) else {}


@dataclass(frozen=True)
class Done:
    """An act that was performed, with its timeline."""

    performed: Performed
    timeline: Timeline


def of_policy(event: Event, applied: str) -> bool | None:
    """Whether an event is not another policy's: what somebody else hooks says nothing of this one.

    Nothing where that cannot be read.
    """
    if not applied:
        return True
    if event.could_not_read("policy_name"):
        return None
    named = (
        event.detail.get("policy_name") if isinstance(event.detail, dict) else getattr(event.detail, "policy_name", "")
    )
    return not named or named == applied
