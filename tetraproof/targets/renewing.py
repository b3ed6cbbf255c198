"""A live target that adds to a recording: what is recorded there already is not performed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tetraproof.answer import Unknown
from tetraproof.observing.act import Act
from tetraproof.observing.observation import Done, Observed
from tetraproof.pacing.account import Account
from tetraproof.policies.binding import Bindings
from tetraproof.policies.policy import Policy
from tetraproof.recordings import renewal
from tetraproof.recordings.recording import Cell, open_recording
from tetraproof.targets.live import Live
from tetraproof.targets.replay import Replay
from tetraproof.verdict import Verdict


class Renewing:
    """The live target `live`, for what the recording in `folder` lacks, or has of another policy or other acts."""

    def __init__(self, live: Live, folder: Path) -> None:
        """Raises `RecordingError` where the recording is of another cell than the target."""
        self.live = live
        self._recording = open_recording(folder)
        renewal.check_same_world(self._recording, live.recorder.index)
        self._replay = Replay(self._recording)
        #: The scenarios that were not performed again.
        self.kept: list[str] = []

    @property
    def kind(self) -> str:
        """The live target's."""
        return self.live.kind

    @property
    def cell(self) -> Cell:
        """The one cell of both."""
        return self.live.cell

    @property
    def bindings(self) -> Bindings:
        """What the suites' logical names are there now."""
        return self.live.bindings

    @property
    def nodes(self) -> dict[str, str]:
        """The nodes there, and the kernel of each."""
        return self.live.nodes

    @property
    def account(self) -> Account:
        """Where the time went."""
        return self.live.account

    def introduction(self) -> Sequence[str]:
        """What is judged, and what it is added to."""
        return (*self.live.introduction(), f"adding to the recording {self._recording.name} what it does not have yet")

    def scenarios(self, name: str, policy: Policy | None, settings: Mapping[str, str]) -> Sequence[str]:
        """Those of the live target."""
        return self.live.scenarios(name, policy, settings)

    def observe(
        self,
        policy: Policy | None,
        settings: Mapping[str, str],
        acts: Sequence[Act],
        scenario: str,
        suite: str = "",
    ) -> Observed:
        """What was recorded, where it is of this policy and these acts on every node; else what becomes of them now."""
        everywhere = self.live.scenarios(scenario.partition("@")[0], policy, settings)
        recorded = {name: self._recorded(policy, settings, acts, name, suite) for name in everywhere}
        observed = recorded.get(scenario)
        # a policy is applied once, so all nodes are of one run
        if observed is None or None in recorded.values():
            return self.live.observe(policy, settings, acts, scenario, suite)
        self.kept.append(scenario)
        return observed

    def _recorded(
        self, policy: Policy | None, settings: Mapping[str, str], acts: Sequence[Act], scenario: str, suite: str
    ) -> Observed | None:
        """What was recorded of a scenario, if all of it was, and heard to its end; the agent's last word too."""
        if scenario not in self._replay.scenarios(scenario.partition("@")[0], policy, settings):
            return None
        answering = self._replay.answering(scenario, acts, suite)
        record = next(one for one in self._recording.index.scenarios if one.name == answering)
        if record.unanswered is not None:
            return None
        # a machine may be lost when all has been heard, and before the agent's last word
        if record.policy and f"scenarios/{answering}/state-after.json" not in self._recording.files:
            return None
        observed = self._replay.observe(policy, settings, acts, scenario, suite)
        return None if any(_lacks(done) for done in observed.acts.values()) else observed

    def changes(self, change: str, policy: Policy) -> Sequence[str]:
        """Those of the live target, where its installation can be changed."""
        return self.live.changes(change, policy)

    def observe_change(self, change: str, policy: Policy, scenario: str) -> Observed:
        """What was recorded of that change under this policy, else what becomes of it now."""
        unanswered = {one.name for one in self._recording.index.scenarios if one.unanswered is not None}
        recorded = [one for one in self._replay.changes(change, policy) if one not in unanswered]
        if recorded:
            self.kept += recorded[:1]
            return self._replay.observe_change(change, policy, recorded[0])
        return self.live.observe_change(change, policy, scenario)

    def look(self) -> Observed:
        """What is installed now."""
        return self.live.look()

    def write(self, folder: Path) -> None:
        """Write what was observed into the recording in `folder`."""
        renewal.write_renewed(self._recording, self.live.recorder, folder)


def _lacks(done: Done | Unknown) -> bool:
    """Whether nothing was recorded of an act, or nobody heard it to its end."""
    return bool(done.timeline.open) if isinstance(done, Done) else done.verdict is Verdict.UNRECORDED
