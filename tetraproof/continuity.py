"""A change of an installation, as a test asks about it: `run.change`.

    assert run.change.enforced_afterwards

Answers have three values, as those about acts have (`tetraproof.answer`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tetraproof import gap
from tetraproof.answer import Unknown, ask
from tetraproof.gap import ALLOWED, CHANGE_BEGINS, ENFORCED, ROLLED_OUT, UNKNOWN, Beat, Continuity, Gap, Pulse
from tetraproof.verdict import Verdict

Answer = bool | Unknown


@dataclass(frozen=True)
class ChangeRun:
    """One change, asked. `title` stands before what is explained."""

    observed: Continuity
    title: str

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Every time in which nothing was enforced, on every node. Not a question: it decides nothing."""
        return tuple(one for pulse in self.observed.pulses for one in gap.gaps(pulse))

    @property
    def enforced_before(self) -> bool:
        """Every act was enforced on every node before the change began."""
        return self._ask("enforced before", self._before, lambda pulse: f"not enforced before on {pulse.node}")

    @property
    def enforced_afterwards(self) -> bool:
        """Acts are enforced again on every node, and the last one is."""
        return self._ask("enforced afterwards", _last, lambda pulse: f"not enforced afterwards on {pulse.node}")

    @property
    def unbroken(self) -> bool:
        """Every act was enforced, from the first to the last."""
        return self._ask("unbroken", _unbroken, lambda pulse: "; ".join(str(one) for one in gap.gaps(pulse)))

    @property
    def measured(self) -> bool:
        """Each time without enforcement is bounded on both sides, so that its length is known."""
        return self._ask("measured", _measured, lambda pulse: "; ".join(str(one) for one in gap.gaps(pulse)))

    @property
    def accepted(self) -> bool:
        """The change was not refused by who was to make it (Helm, the API server)."""
        refused = self.observed.first(gap.REFUSED)
        said = refused.said if refused else "accepted"
        return ask("", "accepted", refused is None, lambda: f"{self.title}: {said}")

    def refused_with(self, words: str) -> bool:
        """The change was refused with these words in the refusal. Not a question: it decides nothing."""
        refused = self.observed.first(gap.REFUSED)
        return refused is not None and words in refused.said

    def keeps(self, *settings: str) -> bool:
        """The agent's settings are afterwards what they were before; all that were noted, if none is named."""
        begun = self.observed.first(CHANGE_BEGINS)
        told = [one for one in self.observed.happenings if one.what == gap.SETTING]
        before = [one.said for one in told if begun and one.at <= begun.at]
        after = [one.said for one in told if begun and one.at > begun.at]
        wanted = [said for said in before if not settings or said.partition(":")[0] in settings]
        lost = [said for said in wanted if said not in after]
        answer: Answer = not lost
        if not wanted or not after:
            answer = Unknown(Verdict.UNRECORDED, "nothing was noted of the agent's settings")
        question = f"keeps {', '.join(settings) or 'its settings'}"
        return ask("", question, answer, lambda: f"{self.title}: {', '.join(lost)} was lost; now {', '.join(after)}.")

    @property
    def done_means_enforced(self) -> bool:
        """When rollout status said done, enforcement was back on every node."""

        def explain(pulse: Pulse) -> str:
            early = gap.early(self.observed, pulse, self._done(pulse))
            return f"rollout status said done {early} before enforcement was back on {pulse.node}"

        return self._ask("done means enforced", self._done_in_time, explain)

    def _done_in_time(self, pulse: Pulse) -> Answer:
        done = self._done(pulse)
        if done is None:
            return Unknown(Verdict.UNRECORDED, "nothing was recorded of what rollout status said")
        found = gap.gaps(pulse)
        if not found:
            return _unbroken(pulse)
        if found[-1].after is None:
            return False  # it never was back, so not then either
        early = gap.early(self.observed, pulse, done)
        if early is None:
            return Unknown(Verdict.INCONCLUSIVE, "the clocks of the node and of the asking machine cannot be compared")
        if early.low <= 0 < early.high:
            return Unknown(Verdict.INCONCLUSIVE, f"the clocks are too far apart to tell: said done {early} before")
        return early.high <= 0

    def _done(self, pulse: Pulse) -> gap.Happening | None:
        begun = self.observed.first(CHANGE_BEGINS, pulse.node)
        return self.observed.first(ROLLED_OUT, pulse.node, after=begun.at if begun else float("-inf"))

    def _before(self, pulse: Pulse) -> Answer:
        begun, offset = self.observed.first(CHANGE_BEGINS, pulse.node), gap.clock(self.observed, pulse)
        if begun is None or offset is None:
            return Unknown(Verdict.INCONCLUSIVE, "when the change began is not known by the node's clock")
        certainly = [beat for beat in pulse.beats if beat.ended < gap.on_node(begun, offset).low]
        return _all_enforced(certainly, "no act is certain to have ended before the change began")

    def _ask(self, question: str, decide: Callable[[Pulse], Answer], explain: Callable[[Pulse], str]) -> bool:
        """The worst answer of any node."""
        answers = [(decide(pulse), pulse) for pulse in self.observed.pulses]
        refuted = next((pulse for answer, pulse in answers if answer is False), None)
        unknown = next((answer for answer, _ in answers if isinstance(answer, Unknown)), None)
        if not answers:
            unknown = Unknown(Verdict.INCONCLUSIVE, "no act was repeated on any node")
        whole: Answer = False if refuted is not None else unknown or True

        def tell() -> str:
            if refuted is None:
                return f"{self.title}: {question}."
            more = [f"  {line}" for line in gap.tell(self.observed)]
            return "\n".join((f"{self.title}: {explain(refuted) or question}.", *more))

        return ask("", question, whole, tell)


def _all_enforced(beats: Sequence[Beat], none: str) -> Answer:
    outcomes = {beat.outcome for beat in beats}
    if ALLOWED in outcomes:
        return False
    if not outcomes:
        return Unknown(Verdict.INCONCLUSIVE, none)
    if UNKNOWN in outcomes:
        return Unknown(Verdict.INCONCLUSIVE, "acts ended in a way that tells nothing")
    return True


def _unbroken(pulse: Pulse) -> Answer:
    return _all_enforced(pulse.beats, "no act was repeated")


def _last(pulse: Pulse) -> Answer:
    return _all_enforced(pulse.beats[-1:], "no act was repeated")


def _measured(pulse: Pulse) -> Answer:
    if not any(beat.outcome == ENFORCED for beat in pulse.beats):
        return Unknown(Verdict.INCONCLUSIVE, "no act was enforced, so there is nothing to measure against")
    return all(one.closed for one in gap.gaps(pulse))
