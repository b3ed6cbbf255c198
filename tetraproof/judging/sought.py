"""What is looked for in a timeline: `GUARDED in run.guarded.timeline`, and why there may be no answer yet.

What is certainly of the act and of the policy decides; what perhaps is, and what was not heard, may leave it undecided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tetraproof.answer import Unknown, ask
from tetraproof.events.event import Event
from tetraproof.judging import explanation, hooked
from tetraproof.judging.expectation import Expectation
from tetraproof.judging.pattern import Doubt, Found
from tetraproof.observing.lifecycle import stray_of
from tetraproof.observing.observation import Done, Observed, of_policy
from tetraproof.observing.timeline import Timeline
from tetraproof.verdict import Verdict

#: So many events of others, in a stream too long to be held, are looked at closely in one question.
MOST_OF_A_CROWD = 10_000


@dataclass(frozen=True, eq=False, repr=False)
class Sought:
    """One side of an act's timeline, `own` or `bystanders`, to be asked with `in` and `not in`.

    `act` is its name in the suite, `title` what the failure's headline begins with.
    """

    side: str
    act: str
    done: Done | Unknown
    observed: Observed
    title: str

    def __contains__(self, expectation: Expectation) -> bool:
        done, observed = self.done, self.observed
        question = f"{self.side}: {expectation}"
        if isinstance(done, Unknown):
            return ask(self.act, question, done, lambda: f"{self.title}: {done.reason}", self.side)
        if observed.policy:
            hooked.check(observed.policy, expectation)
        # of an act that perhaps never ran, nothing that is missing is missed
        unheard = done.performed.outcome.unknown
        unheard = unheard or (done.timeline.open if self.side == "own" else done.timeline.around)
        answer, found, events = self._answer(expectation, done.timeline, unheard)
        if answer is False and done.performed.disturbed:
            answer = Unknown(Verdict.INCONCLUSIVE, done.performed.disturbed)

        def tell() -> str:
            seen = "seen, where none should be: " if found.met else ""
            headline = f"{self.title}: {seen}{found.text}."
            return explanation.of_act(headline, replace(done.performed, id=self.act), done.timeline, found, events)

        return ask(self.act, question, answer, tell, self.side)

    def _answer(
        self, expectation: Expectation, timeline: Timeline, unheard: str
    ) -> tuple[bool | Unknown, Found, list[Event]]:
        """The answer by what is certainly of this side and of the policy; undecided where what may be would turn it.

        With what was found, and the events that it was looked for in.
        """
        applied = self.observed.applied
        side: Sequence[Event] = timeline.own if self.side == "own" else self._bystanders(expectation, timeline)
        around = timeline.possible if self.side == "own" else side
        strays = {id(entry.event) for entry in timeline.whole if entry.stray}
        certain = [event for event in side if of_policy(event, applied) and id(event) not in strays]
        possible = [event for event in around if of_policy(event, applied) is not False]
        found = expectation.find(certain, closed=not unheard)
        if found.met is not True and len(side) > len(timeline.bystanders) + MOST_OF_A_CROWD:
            crowded = f"more than {MOST_OF_A_CROWD} events of others may be meant"
            return Unknown(Verdict.INCONCLUSIVE, crowded), found, certain
        if self.side == "own" and timeline.root is None and (stray := stray_of(timeline)):
            # what descends from it is then not known for its own either
            return Unknown(Verdict.INCONCLUSIVE, stray), found, certain
        if found.doubt is not None:
            return self._doubted(found.doubt, found.text, unheard), found, certain
        if found.met is None:
            return Unknown(Verdict.INCONCLUSIVE, unheard), found, certain
        if len(possible) > len(certain):
            other = expectation.find(possible, closed=not unheard)
            if other.met is not found.met or other.doubt is not None:
                reason = "of an event nobody can tell whether it is of this act and policy"
                return Unknown(Verdict.INCONCLUSIVE, reason), found, certain
        return found.met, found, certain

    def _bystanders(self, expectation: Expectation, timeline: Timeline) -> tuple[Event, ...]:
        """What bystanders did; of a crowd that is not held what may be meant, and not more of it than decides."""
        left = MOST_OF_A_CROWD + 1

        def matters(event: Event) -> bool:
            nonlocal left
            if left and of_policy(event, self.observed.applied) is not False:
                meant = any(one.match(event) is not False for one in expectation.patterns)
                left -= meant
                return meant
            return False

        return timeline.surroundings(str(expectation), matters)

    def _doubted(self, doubt: Doubt, text: str, unheard: str) -> bool | Unknown:
        """What the agent's settings make of a doubt."""
        if not doubt.setting:
            return Unknown(Verdict.INCONCLUSIVE, text)
        observed = self.observed
        if observed.is_set(doubt.setting):
            # it tells what it knows, and knows nothing of the kind
            return Unknown(Verdict.INCONCLUSIVE, unheard) if unheard else False
        set_to = observed.configuration.get(doubt.setting) or "false"
        return Unknown(Verdict.UNSUPPORTED, f"{doubt.text}, and this one is set to {doubt.setting}: {set_to}")
