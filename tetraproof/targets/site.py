"""Where a live target acts: what it asks of a place, whatever that is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from tetraproof.observing.act import Act, Outcome
from tetraproof.policies.binding import Bindings, PodBinding
from tetraproof.policies.policy import Policy

#: What each node's agent says of every policy, as `tetra tracingpolicy list -o json` has it.
States = dict[str, list[dict[str, Any]]]


class Site(Protocol):
    """Where a live target acts: pods to act in, agents to ask, streams to listen to.

    A place is a node that is acted on, by its name. What nobody says anything of raises `TetraproofError`.
    """

    @property
    def places(self) -> Sequence[str]:
        """The nodes that are acted on."""
        ...

    def nodes(self, place: str) -> Sequence[str]:
        """The nodes that a place answers for: itself, and one of them for those that nobody acts on."""
        ...

    def bindings(self, place: str) -> Bindings:
        """What the suites' logical names are there."""
        ...

    def unsupported(self, policy: Policy) -> str:
        """Why a policy cannot be had here whatever the agent says, in a clause; nothing where it can."""
        ...

    def configure(self, settings: Mapping[str, str]) -> str:
        """See that the agent is set so (settings that are not named are as they were at first).

        Says why it cannot be, in a clause.
        """
        ...

    def lacking(self, place: str, acts: Sequence[Act]) -> Mapping[str, str]:
        """The acts that cannot be tried there, by name, and what they lack, in a clause."""
        ...

    def perform(self, act: Act, pod: PodBinding, argv: Sequence[str]) -> Outcome:
        """Perform an act in a pod. Raises `MachineLost` where no further one can be."""
        ...

    def fitted(self, policy: Policy) -> Policy:
        """The policy as it is applied here: confined to what is ours, where others are there as well."""
        ...

    def apply(self, policy: Policy, manifest: str) -> str:
        """Apply a policy; what the agent refused, in a clause. Raises `Unanswerable` where it cannot be applied."""
        ...

    def remove(self, policy: Policy) -> None:
        """Take a policy away, and await that it is gone."""
        ...

    def states(self) -> States:
        """What the agent of each node says of every policy."""
        ...

    def answers(self) -> States:
        """What those agents say of every policy that answer at once; nothing of one that does not."""
        ...

    def disturbed(self) -> Mapping[str, str]:
        """The nodes whose agent is not the one that the policy was applied to, and what became of it, in a clause."""
        ...

    def metrics(self, place: str) -> str:
        """The metrics of a place's agent."""
        ...

    def position(self, place: str) -> int:
        """Where in a place's stream we are."""
        ...

    def heard(self, place: str, position: int, applied: str) -> bytes:
        """A place's stream since a position: the events of the run's pods, and those of the policy."""
        ...

    def compact(self, place: str, stream: bytes) -> bytes:
        """The same as `tetra getevents -o compact` prints it."""
        ...

    def export(self, place: str, since: datetime, heard: bytes) -> bytes:
        """The export log since a moment, once it shows `heard`; nothing where there is none."""
        ...

    def log(self, place: str, since: datetime) -> bytes:
        """A place's agent's log since a moment."""
        ...

    def interrupt(self) -> None:
        """Give up every act that runs."""
        ...
