"""A change of an installation, as a test asks about it: `run.change`.

    assert run.change.enforced_afterwards

Answers have three values, as those about acts have (`tetraproof.answer`). An act
that was killed says by itself only that something killed it: it counts as
enforcement where the agents say, before the change and after it, that the policy
is enabled, and where it is no single one. What nobody watched, and a node on which
nothing was repeated, leave every question open that nothing refutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from tetraproof.answer import Unknown, ask
from tetraproof.observing import gap
from tetraproof.observing.gap import (
    ALLOWED,
    CHANGE_BEGINS,
    ENABLED,
    ENFORCED,
    LONGEST_AT_THE_ENDS,
    ROLLED_OUT,
    STEADY,
    UNKNOWN,
    Beat,
    Continuity,
    Gap,
    Happening,
    Pulse,
    Span,
)
from tetraproof.text import safe
from tetraproof.verdict import Verdict

Answer = bool | Unknown
#: What an agent says of a policy that is not in force. Any other word than these and "enabled" decides nothing.
NOT_IN_FORCE = frozenset({"load_error", "error", "disabled", "skipped", "unknown to it"})
_TELLS_NOTHING = "acts ended in a way that tells nothing"


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
        """Every act was enforced on every node before the change began, and the agents said that the policy was."""
        return self._ask("enforced before", self._before, lambda pulse: f"not enforced before on {pulse.node}")

    @property
    def enforced_afterwards(self) -> bool:
        """Acts are enforced again on every node, the last ones are, and the agents say that the policy is."""

        def explain(pulse: Pulse) -> str:
            word = self._word_after(pulse.node)
            said = f": the agent's last word on the policy is {safe(word)}" if word in NOT_IN_FORCE else ""
            return f"not enforced afterwards on {pulse.node}{said}"

        return self._ask("enforced afterwards", self._after, explain)

    @property
    def unbroken(self) -> bool:
        """Every act was enforced, from the first to the last."""
        return self._ask("unbroken", self._unbroken, lambda pulse: "; ".join(str(one) for one in gap.gaps(pulse)))

    @property
    def measured(self) -> bool:
        """Each time without enforcement is bounded on both sides, so that its length is known."""
        return self._ask("measured", self._measured, lambda pulse: "; ".join(str(one) for one in gap.gaps(pulse)))

    @property
    def accepted(self) -> bool:
        """The change was not refused by who was to make it (Helm, the API server), and returned."""
        refused, begun = self.observed.first(gap.REFUSED), self.observed.first(CHANGE_BEGINS)
        returned = begun and self.observed.first(gap.CHANGE_RETURNED, after=begun.at)
        answer: Answer = refused is None
        if refused is None and returned is None:
            answer = Unknown(Verdict.INCONCLUSIVE, "nobody noted what came of the command that was to make the change")
        said = safe(refused.said) if refused else "accepted"
        return ask("", "accepted", answer, lambda: f"{self.title}: {said}", "acceptance")

    def refused_with(self, words: str) -> bool:
        """The change was refused with these words in the refusal."""
        refused = self.observed.first(gap.REFUSED)
        said = safe(refused.said) if refused else "not refused"
        found = refused is not None and words in refused.said
        return ask("", f"refused with {words!r}", found, lambda: f"{self.title}: {said}", "acceptance")

    def keeps(self, *settings: str) -> bool:
        """The agent's settings are afterwards what they were before; all that were noted, if none is named."""
        begun = self.observed.first(CHANGE_BEGINS)
        told = sorted((one for one in self.observed.happenings if one.what == gap.SETTING), key=lambda one: one.at)
        before = dict(_setting(one.said) for one in told if begun and one.at <= begun.at)
        after = dict(_setting(one.said) for one in told if begun and one.at > begun.at)
        wanted = settings or tuple(before)
        lost = [name for name in wanted if name in before and name in after and before[name] != after[name]]
        missing = [name for name in wanted if name not in before or name not in after]
        answer: Answer = not lost
        if not lost and (missing or not wanted):
            which = f" {', '.join(safe(name) for name in missing)}" if missing else ""
            answer = Unknown(Verdict.UNRECORDED, f"nothing was noted of the agent's settings{which}")
        question = f"keeps {', '.join(settings) or 'its settings'}"

        def tell() -> str:
            of = "; ".join(f"{safe(name)}: {safe(before[name])} was lost; now {safe(after[name])}" for name in lost)
            return f"{self.title}: {of}."

        return ask("", question, answer, tell, "settings")

    @property
    def done_means_enforced(self) -> bool:
        """When rollout status said done, enforcement was back on every node."""

        def explain(pulse: Pulse) -> str:
            early = gap.early(self.observed, pulse, self._done(pulse))
            return f"rollout status said done {early} before enforcement was back on {pulse.node}"

        return self._ask("done means enforced", self._done_in_time, explain)

    # one node

    def _before(self, pulse: Pulse) -> Answer:
        begun, offset = self._begun(pulse), gap.clock(self.observed, pulse)
        if begun is None or offset is None:
            return Unknown(Verdict.INCONCLUSIVE, "when the change began is not known by the node's clock")
        certainly = [beat for beat in pulse.beats if beat.ended < gap.on_node(begun, offset).low]
        if self._word_before(pulse.node) in NOT_IN_FORCE:
            return False
        none = "no act is certain to have ended before the change began"
        return _first_doubt(_all_enforced(certainly, none), self._said_before(pulse), _steady(certainly, "before"))

    def _after(self, pulse: Pulse) -> Answer:
        begun, offset = self._begun(pulse), gap.clock(self.observed, pulse)
        if self._word_after(pulse.node) in NOT_IN_FORCE:
            return False
        if pulse.beats[-1].outcome == ALLOWED:
            return self._as_far_as_told(pulse)
        came_back = self._came_back(pulse.node)
        if came_back and offset:
            since = gap.on_node(came_back, offset).high
            if any(beat.outcome == ALLOWED and beat.started > since for beat in pulse.beats):
                return False
        if begun is None or offset is None:
            return Unknown(Verdict.INCONCLUSIVE, "when the change began is not known by the node's clock")
        return _first_doubt(
            _all_enforced(pulse.beats[-1:], "no act was repeated"),
            self._reaches(pulse, begun, offset),
            self._said_after(pulse),
            self._reaches(pulse, came_back, offset) if came_back else True,
            _steady(pulse.beats, "at the end"),
        )

    def _unbroken(self, pulse: Pulse) -> Answer:
        return _first_doubt(_all_enforced(pulse.beats, "no act was repeated"), *self._around(pulse))

    def _measured(self, pulse: Pulse) -> Answer:
        if not any(beat.outcome == ENFORCED for beat in pulse.beats):
            return Unknown(Verdict.INCONCLUSIVE, "no act was enforced, so there is nothing to measure against")
        if not all(one.closed for one in gap.gaps(pulse)):
            return self._as_far_as_told(pulse)
        alone = min(count for outcome, count in _runs(pulse.beats) if outcome == ENFORCED)
        steady: Answer = True
        if alone < STEADY:
            steady = Unknown(
                Verdict.INCONCLUSIVE,
                f"on {pulse.node} only {alone} in a row {'was' if alone == 1 else 'were'} killed between others: "
                f"that may have been something else than the policy",
            )
        return _first_doubt(*self._around(pulse), steady)

    def _done_in_time(self, pulse: Pulse) -> Answer:
        done = self._done(pulse)
        if done is None:
            return Unknown(Verdict.UNRECORDED, "nothing was recorded of what rollout status said")
        found = gap.gaps(pulse)
        if not found:
            return self._unbroken(pulse)
        if found[-1].after is None:
            return self._as_far_as_told(pulse)  # it never was back, so not then either
        early, offset = gap.early(self.observed, pulse, done), gap.clock(self.observed, pulse)
        if early is None or offset is None:
            return Unknown(Verdict.INCONCLUSIVE, "the clocks of the node and of the asking machine cannot be compared")
        return self._back_by(pulse, early, allowed_since=found[-1].allowed[-1].started > gap.on_node(done, offset).high)

    def _back_by(self, pulse: Pulse, early: Span, *, allowed_since: bool) -> Answer:
        if allowed_since:
            return False
        if early.high > 0:
            return Unknown(Verdict.INCONCLUSIVE, f"the clocks are too far apart to tell: said done {early} before")
        return _first_doubt(*self._around(pulse), _steady(pulse.beats, "at the end"))

    def _done(self, pulse: Pulse) -> Happening | None:
        begun = self._begun(pulse)
        return self.observed.first(ROLLED_OUT, pulse.node, after=begun.at if begun else float("-inf"))

    # what must hold around it

    def _begun(self, pulse: Pulse) -> Happening | None:
        """When the change began, if that is before all acts had ended."""
        begun = self.observed.first(CHANGE_BEGINS, pulse.node)
        ended = self.observed.first(gap.ACTS_ENDED, pulse.node)
        return None if begun and ended and begun.at > ended.at else begun

    def _around(self, pulse: Pulse) -> Iterator[Answer]:
        """Whether the acts reach from before the change to after it, and the agents call the policy enabled on both."""
        begun, offset = self._begun(pulse), gap.clock(self.observed, pulse)
        if begun is None or offset is None:
            yield Unknown(Verdict.INCONCLUSIVE, "when the change began is not known by the node's clock")
            return
        if pulse.beats[0].ended >= gap.on_node(begun, offset).low:
            yield Unknown(Verdict.INCONCLUSIVE, f"on {pulse.node} no act is certain to have ended before the change")
        yield self._reaches(pulse, begun, offset)
        yield self._said_before(pulse)
        yield self._said_after(pulse)

    def _reaches(self, pulse: Pulse, happening: Happening, offset: Span) -> Answer:
        """Whether acts are certain to have been repeated after something happened."""
        if pulse.beats[-1].started > gap.on_node(happening, offset).high:
            return True
        words = "the change began" if happening.what == CHANGE_BEGINS else "the agent called the policy enabled again"
        return Unknown(Verdict.INCONCLUSIVE, f"on {pulse.node} no act is certain to have been begun after {words}")

    def _split(self, node: str) -> tuple[list[str], list[Happening]]:
        """What was heard of the policy's state on a node before the change began, and since."""
        begun = self.observed.first(CHANGE_BEGINS, node)
        told = self.observed.words(node)
        before = [one for one in told if begun and one.at < begun.at]
        return [_word(one) for one in before], [one for one in told if begun and one.at >= begun.at]

    def _word_before(self, node: str) -> str:
        return next(reversed(self._split(node)[0]), "")

    def _word_after(self, node: str) -> str:
        return next((_word(one) for one in reversed(self._split(node)[1])), "")

    def _came_back(self, node: str) -> Happening | None:
        """When the agent first called the policy enabled for good, after it had said otherwise since the change."""
        since = self._split(node)[1]
        others = [at for at, one in enumerate(since) if _word(one) != ENABLED]
        return next(iter(since[others[-1] + 1 :]), None) if others else None

    def _said_before(self, pulse: Pulse) -> Answer:
        return self._said(pulse, self._word_before(pulse.node), "before the change")

    def _said_after(self, pulse: Pulse) -> Answer:
        return self._said(pulse, self._word_after(pulse.node), "after the change")

    @staticmethod
    def _said(pulse: Pulse, word: str, when: str) -> Answer:
        if word == ENABLED:
            return True
        heard = f"the last word heard of it is {safe(word)}" if word else "nobody said anything of it"
        return Unknown(
            Verdict.INCONCLUSIVE,
            f"no agent on {pulse.node} says {when} that the policy is enabled ({heard}), "
            f"and 137 alone is no enforcement",
        )

    def _doubt(self, pulse: Pulse) -> Answer:
        """Whether the acts were watched without a break, so that what they do not show was not there."""
        for silence in pulse.silences:
            return Unknown(Verdict.INCONCLUSIVE, f"on {pulse.node} {silence}, so nobody can say what was enforced then")
        return self._missing(pulse)

    def _missing(self, pulse: Pulse) -> Answer:
        """Whether the acts are told of from their beginning to their end."""
        offset = gap.clock(self.observed, pulse)
        if offset is None or offset.high - offset.low <= LONGEST_AT_THE_ENDS:
            return True
        seconds = f"{offset.high - offset.low:.0f} s"
        return Unknown(
            Verdict.INCONCLUSIVE,
            f"on {pulse.node} the acts went on for {seconds} in which none is told of, before the first or after the "
            f"last, so nobody can say what was enforced then",
        )

    def _as_far_as_told(self, pulse: Pulse) -> Answer:
        """What is refuted by how the acts end: undecided where they may have gone on beyond those that are told of."""
        missing = self._missing(pulse)
        return missing if isinstance(missing, Unknown) else False

    def _answer(self, node: str, decide: Callable[[Pulse], Answer]) -> Answer:
        """What is known of one node: a refutation stands, and nothing conforms where something was not watched."""
        told = [pulse for pulse in self.observed.pulses if pulse.node == node]
        if len(told) != 1 or not told[0].beats:
            often = "no act was repeated" if not told or not told[0].beats else "the acts are told of more than once"
            return Unknown(Verdict.INCONCLUSIVE, f"{often} on {node}")
        (pulse,) = told
        if pulse.fault:
            if decide == self._unbroken and any(beat.outcome == ALLOWED for beat in pulse.beats):
                return False  # in whatever order they were, one went through
            return Unknown(Verdict.INCONCLUSIVE, f"on {node} {pulse.fault}, so their order is not known")
        answer = decide(pulse)
        if answer is False:
            return False
        return _first_doubt(self._doubt(pulse), answer)

    def _ask(self, question: str, decide: Callable[[Pulse], Answer], explain: Callable[[Pulse], str]) -> bool:
        """The worst answer of any node."""
        answers = {node: self._answer(node, decide) for node in self.observed.everywhere}
        refuted = next((node for node, answer in answers.items() if answer is False), None)
        unknown = next((answer for answer in answers.values() if isinstance(answer, Unknown)), None)
        if not answers:
            unknown = Unknown(Verdict.INCONCLUSIVE, "no act was repeated on any node")
        whole: Answer = False if refuted is not None else unknown or True

        def tell() -> str:
            if refuted is None:
                return f"{self.title}: {question}."
            pulse = next(pulse for pulse in self.observed.pulses if pulse.node == refuted)
            more = [f"  {line}" for line in gap.tell(self.observed)]
            return "\n".join((f"{self.title}: {explain(pulse) or question}.", *more))

        return ask("", question, whole, tell, "acts")


def _first_doubt(*answers: Answer) -> Answer:
    """False if any answer is, else the first that is unknown, else true."""
    if any(answer is False for answer in answers):
        return False
    return next((answer for answer in answers if isinstance(answer, Unknown)), True)


def _all_enforced(beats: Sequence[Beat], none: str) -> Answer:
    outcomes = {beat.outcome for beat in beats}
    if ALLOWED in outcomes:
        return False
    if not outcomes:
        return Unknown(Verdict.INCONCLUSIVE, none)
    if UNKNOWN in outcomes:
        return Unknown(Verdict.INCONCLUSIVE, _TELLS_NOTHING)
    return True


def _steady(beats: Sequence[Beat], when: str) -> Answer:
    """Whether enough acts in a row were enforced up to the last one."""
    outcome, count = next(reversed(list(_runs(beats))), ("", 0))
    if outcome == ENFORCED and count >= STEADY:
        return True
    return Unknown(
        Verdict.INCONCLUSIVE,
        f"only {count if outcome == ENFORCED else 0} acts in a row were killed {when}, and {STEADY} are needed to say "
        f"that it was the policy",
    )


def _runs(beats: Sequence[Beat]) -> Iterator[tuple[str, int]]:
    """How many acts in a row had which outcome, of those that tell anything."""
    telling = (beat for beat in beats if beat.outcome != UNKNOWN)
    return ((outcome, sum(1 for _ in some)) for outcome, some in groupby(telling, key=lambda beat: beat.outcome))


def _word(happening: Happening) -> str:
    """What an agent was heard to say of the policy, in a word."""
    return ENABLED if happening.what == ENABLED else happening.said


def _setting(said: str) -> tuple[str, str]:
    name, _, value = said.partition(": ")
    return name, value
