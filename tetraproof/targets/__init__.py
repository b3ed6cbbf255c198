"""A policy and acts come in, and what was observed of them goes out. A suite cannot tell which target it runs on.

Open `replay.py` first, then `live.py`: the steps of a live run are `applying`, `acting`, `sentinels` and `keeping`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from tetraproof.observing.act import Act
from tetraproof.observing.observation import Observed
from tetraproof.policies.binding import Bindings
from tetraproof.policies.policy import Policy
from tetraproof.recordings.recording import Cell
from tetraproof.verdict import Verdict


class Unanswerable(Exception):  # noqa: N818 - no error: a verdict of its own
    """The target cannot answer for a scenario at all; the message is the reason, in a clause."""

    def __init__(self, reason: str, verdict: Verdict = Verdict.UNRECORDED) -> None:
        super().__init__(reason)
        self.verdict = verdict


def scenario_of(policy: str) -> str:
    """What the scenario of a policy is called: a folder of a recording, also where the policy lies in a sub-folder."""
    return policy.replace("/", ".")


class Target(Protocol):
    """What every target does for the suites."""

    @property
    def kind(self) -> str:
        """`replay`, `kind`, `cluster` or `standalone`."""
        ...

    @property
    def cell(self) -> Cell:
        """The point of the matrix that is judged."""
        ...

    @property
    def bindings(self) -> Bindings:
        """What the suites' logical names are here."""
        ...

    @property
    def nodes(self) -> dict[str, str]:
        """The nodes there, and the kernel of each."""
        ...

    def introduction(self) -> Sequence[str]:
        """What is judged, in one line, and what a user must know of it, in further ones."""
        ...

    def scenarios(self, name: str, policy: Policy | None, settings: Mapping[str, str]) -> Sequence[str]:
        """The scenarios that can answer for `policy` under `settings`; live targets make one, called `name`."""
        ...

    def observe(
        self,
        policy: Policy | None,
        settings: Mapping[str, str],
        acts: Sequence[Act],
        scenario: str,
        suite: str = "",
    ) -> Observed:
        """Apply the policy, perform the acts, close with a sentinel; `suite` is whose acts they are.

        Raises `Unanswerable`.
        """
        ...

    def look(self) -> Observed:
        """What is installed; nothing is done."""
        ...


@runtime_checkable
class Changing(Protocol):
    """A target that can say what became of enforcement while its installation was changed."""

    def changes(self, change: str, policy: Policy) -> Sequence[str]:
        """The scenarios that can answer for this change under this policy; live targets make one."""
        ...

    def observe_change(self, change: str, policy: Policy, scenario: str) -> Observed:
        """Repeat an act under the policy while the installation is changed. Raises `Unanswerable`."""
        ...
