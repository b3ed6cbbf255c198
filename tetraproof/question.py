"""What a test can ask of one act: `run.guarded.killed`, `GUARDED in run.guarded.timeline`.

Each answer has three values (see `tetraproof.answer`): an act that was not
performed, broke, or was not heard to its end has no answer yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tetraproof import explanation
from tetraproof.act import DENIED, KILLED, Act, Outcome
from tetraproof.answer import Undecided, Unknown, ask
from tetraproof.binding import fill, unbound
from tetraproof.event import Event
from tetraproof.expectation import Exit, Expectation
from tetraproof.lifecycle import exit_of, faults
from tetraproof.observation import Done, Observed, of_policy
from tetraproof.text import safe
from tetraproof.verdict import Verdict


class ActRun:
    """One declared act with what became of it. Every property is a question; ask it in an `assert`."""

    def __init__(self, act: Act, observed: Observed, title: str) -> None:
        self.act = act
        self._observed = observed
        self._done = observed.acts[act.name]
        self._title = title

    @property
    def name(self) -> str:
        """The act's name in its suite."""
        return self.act.name

    @property
    def recorded(self) -> bool:
        """Whether the act was performed at all. Not a question: it decides nothing."""
        return isinstance(self._done, Done)

    @property
    def timeline(self) -> Sought:
        """The act's own events, to look for an expectation in."""
        return Sought(self, "own")

    @property
    def surroundings(self) -> Sought:
        """What bystanders did meanwhile, to look for an expectation in."""
        return Sought(self, "bystanders")

    def shown(self, *lines: str) -> bool:
        """What `tetra getevents -o compact` prints of the act's own events: these lines, `…` standing for anything."""
        question = "shown as " + " / ".join(lines)
        compact, done = self._observed.compact, self._done
        if self._observed.ask_compact is not None:
            compact = self._observed.ask_compact()
        if isinstance(done, Unknown):
            return ask(self.name, question, done, lambda: done.reason)
        if isinstance(compact, Unknown):
            return ask(self.name, question, compact, lambda: compact.reason)
        by_line = dict(zip((id(event) for event in self._observed.stream), compact, strict=True))
        printed = [_with_pod(by_line[id(event)], event) for event in done.timeline.told if id(event) in by_line]
        values = self._observed.bindings.values()
        for name in [name for line in lines for name in unbound(line, values)]:
            raise Undecided(Unknown(Verdict.UNRECORDED, f"{name} is bound to nothing here"))
        patterns = [".*".join(re.escape(part) for part in fill(line, values).split("…")) for line in lines]
        answer: bool | Unknown = len(printed) == len(patterns) and all(map(re.fullmatch, patterns, printed))
        if not answer and done.timeline.open:
            answer = Unknown(Verdict.INCONCLUSIVE, done.timeline.open)
        told = "\n".join(f"    {safe(line)}" for line in printed)
        return ask(self.name, question, answer, lambda: f"{self._title}: tetra printed otherwise:\n{told}")

    @property
    def succeeded(self) -> bool:
        """It ended with exit code 0."""
        return self._ask("succeeded", "did not succeed", lambda done: done.exit_code == 0)

    def exited(self, code: int) -> bool:
        """It ended by itself with this exit code: the agent, where heard, tells of no signal."""
        return self._ask(
            f"exited with {code}",
            f"did not exit by itself with {code}",
            lambda done: done.exit_code == code and not self._signal(),
        )

    def printed(self, text: str) -> bool:
        """Its standard output is exactly this, a terminal's line breaks and kubectl's last word apart."""
        return self._ask(
            f"printed {text!r}", f"did not print {text!r}", lambda done: done.output.replace("\r\n", "\n") == text
        )

    def said(self, text: str) -> bool:
        """This appears on its standard output or error."""
        return self._ask(f"said {text!r}", f"did not say {text!r}", lambda done: text in done.output + done.complaint)

    @property
    def killed(self) -> bool:
        """SIGKILL ended it: exit code 137, and the agent tells an exit by that signal (137 alone proves nothing)."""

        def decide(outcome: Outcome) -> bool | Unknown:
            if outcome.exit_code != KILLED:
                return False
            told = exit_of(self._known.timeline)
            if told is not None:
                return told.signal == "SIGKILL"
            return self._unheard(otherwise=False)

        return self._ask("was killed", "was not killed", decide)

    @property
    def denied(self) -> bool:
        """It was refused with EPERM and lived to say so."""

        def decide(outcome: Outcome) -> bool:
            failed = outcome.exit_code not in {0, KILLED, None}
            return failed and DENIED in (outcome.complaint + outcome.output).lower() and not self._signal()

        return self._ask("was denied", "was not denied", decide)

    @property
    def stopped(self) -> bool:
        """It did not reach its end, because it or a process of it was killed, or refused with EPERM."""

        def decide(outcome: Outcome) -> bool | Unknown:
            if outcome.exit_code == 0:
                return False
            if DENIED in (outcome.complaint + outcome.output).lower():
                return True
            if Exit(signal="SIGKILL").find(self._known.timeline.own, closed=True).met:
                return True
            return Unknown(Verdict.INCONCLUSIVE, f"act {self.name} failed ({outcome}), but not by enforcement")

        return self._ask("was stopped", "was not stopped", decide)

    @property
    def told(self) -> bool:
        """The agent tells it whole: every process from exec to exit, once, in order, ending as it ended."""

        def decide(_: Outcome) -> bool | Unknown:
            found = list(faults(self._known.performed, self._known.timeline))
            if any(not fault.missing for fault in found):
                return False
            return self._unheard(otherwise=not found)

        def explain(done: Done) -> str:
            found = [fault.text for fault in faults(done.performed, done.timeline)]
            return "; ".join(found) or "told whole"

        return self._ask("is told whole", "is not told whole", decide, explain)

    @property
    def _known(self) -> Done:
        assert isinstance(self._done, Done)
        return self._done

    def _signal(self) -> bool:
        told = exit_of(self._known.timeline)
        return told is not None and bool(told.signal)

    def _unheard(self, *, otherwise: bool) -> bool | Unknown:
        why = self._known.timeline.open
        return Unknown(Verdict.INCONCLUSIVE, why) if why else otherwise

    def _ask(
        self,
        question: str,
        otherwise: str,
        decide: Callable[[Outcome], bool | Unknown],
        explain: Callable[[Done], str] | None = None,
    ) -> bool:
        """Ask `question`, a predicate in the affirmative; `otherwise` is the same denied."""
        done = self._done
        if isinstance(done, Unknown):
            return ask(self.name, question, done, lambda: f"{self._title}: {done.reason}")
        outcome = done.performed.outcome
        answer: bool | Unknown
        if outcome.unknown:
            answer = Unknown(Verdict.INCONCLUSIVE, f"act {self.name} has no outcome: {safe(outcome.unknown)}")
        else:
            answer = decide(outcome)

        def tell() -> str:
            said = explain(done) if explain else explanation.how_it_ended(done.performed, done.timeline)
            headline = f"{self._title}: act {self.name} {question if answer is True else otherwise}: {said}."
            return explanation.of_act(headline, replace(done.performed, id=self.name), done.timeline)

        return ask(self.name, question, answer, tell)


class Sought:
    """One side of a timeline, to be asked with `in` and `not in`."""

    def __init__(self, act: ActRun, side: str) -> None:
        self._act = act
        self._side = side

    def __contains__(self, expectation: Expectation) -> bool:
        act, done = self._act, self._act._done  # noqa: SLF001 - one noun, two views
        question = f"{self._side}: {expectation}"
        if isinstance(done, Unknown):
            return ask(act.name, question, done, lambda: f"{act._title}: {done.reason}")  # noqa: SLF001
        applied = act._observed.applied  # noqa: SLF001
        events = [event for event in getattr(done.timeline, self._side) if of_policy(event, applied)]
        # of an act that perhaps never ran, nothing that is missing is missed
        unheard = done.performed.outcome.unknown
        unheard = unheard or (done.timeline.open if self._side == "own" else done.timeline.around)
        found = expectation.find(events, closed=not unheard)
        answer = Unknown(Verdict.INCONCLUSIVE, unheard) if found.met is None else found.met

        def tell() -> str:
            seen = "seen, where none should be: " if found.met else ""
            headline = f"{act._title}: {seen}{found.text}."  # noqa: SLF001
            return explanation.of_act(headline, replace(done.performed, id=act.name), done.timeline, found, events)

        return ask(act.name, question, answer, tell)


def _with_pod(line: str, event: Event) -> str:
    """A line of tetra's; where its agent knows no pods, tetra has the node's name in the place of the pod's."""
    return line if f" {event.pod} " in line else line.replace(f" {event.node} ", f" {event.pod} ", 1)
