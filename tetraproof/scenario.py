"""One policy applied, its acts performed in order, one sentinel: what a test is given to judge.

`run.guarded` is the act that the suite declared under that name. What it is
asked has three values (see `tetraproof.answer`), so a test reads as plain
Python and still ends inconclusive where nothing can be known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tetraproof import explanation
from tetraproof.act import KILLED, Act, Outcome
from tetraproof.answer import Undecided, Unknown, ask
from tetraproof.binding import Bindings, fill
from tetraproof.capability import Capabilities, Counters, Loading, PolicyState, loading
from tetraproof.event import Event
from tetraproof.expectation import Exit, Expectation, Pattern
from tetraproof.lifecycle import exit_of, faults
from tetraproof.parity import compare
from tetraproof.policy import Policy
from tetraproof.stream import matching
from tetraproof.text import safe
from tetraproof.timeline import Performed, Timeline
from tetraproof.verdict import Verdict

_NOT_KEPT = Unknown(Verdict.UNRECORDED, "nothing of the kind was kept")
_DENIED = "operation not permitted"


@dataclass(frozen=True)
class Observed:
    """All that a target saw of a scenario. `acts` holds what was performed for each declared act, or why not.

    `compact` is what `tetra getevents -o compact` made of the stream, `export` the export log's events in the
    window; nothing where the target has none. `notes` are sentences for the report.
    """

    scenario: str
    policy: Policy | None
    acts: Mapping[str, Done | Unknown]
    states: tuple[PolicyState, ...] = ()
    states_after: tuple[PolicyState, ...] = ()
    others: tuple[Done, ...] = ()
    bindings: Bindings = field(default_factory=Bindings)
    capabilities: Mapping[str, Capabilities] = field(default_factory=dict)
    stream: tuple[Event, ...] = ()
    compact: tuple[str, ...] | Unknown = _NOT_KEPT
    export: tuple[Event, ...] | Unknown = _NOT_KEPT
    posted: Mapping[str, int] | Unknown = _NOT_KEPT
    configuration: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Done:
    """An act that was performed, with its timeline."""

    performed: Performed
    timeline: Timeline


@dataclass(frozen=True)
class Run:
    """What a test judges: the declared acts by name, and the scenario around them."""

    observed: Observed
    declared: tuple[Act, ...] = ()

    def __getattr__(self, name: str) -> ActRun:
        for act in self.declared:
            if act.name == name:
                return ActRun(act, self.observed, self._title)
        known = ", ".join(act.name for act in self.declared)
        raise AttributeError(f"the suite declares no act {name!r}; it declares {known}")

    @property
    def _title(self) -> str:
        return self.observed.policy.name if self.observed.policy else self.observed.scenario

    @property
    def _unheard(self) -> str:
        """Why some act's stream was not heard to its end; nothing where all were."""
        done = [one for one in self.observed.acts.values() if isinstance(one, Done)]
        return next((one.timeline.open for one in done if one.timeline.open), "")

    @property
    def acts(self) -> Iterator[ActRun]:
        """Every declared act that is judged, in order."""
        return (getattr(self, act.name) for act in self.declared if not act.prepare)

    @property
    def loading(self) -> Loading:
        """What became of applying the policy. A scenario without one has nothing to load."""
        observed = self.observed
        if observed.policy is None:
            return Loading(Verdict.CONFORMS)
        return loading(observed.policy, observed.states, observed.capabilities)

    @property
    def loaded(self) -> bool:
        """Whether the policy is in force on every node, by the agents' word."""
        judged = self.loading
        answer = judged.verdict is Verdict.CONFORMS
        known = answer if judged.verdict in {Verdict.CONFORMS, Verdict.VIOLATES} else None
        reason = judged.reason or "enabled on every node"
        unknown = Unknown(judged.verdict, judged.reason)
        return ask("", "loaded", unknown if known is None else known, lambda: f"{self._title}: {reason}.")

    def counts(self, *, post: int | None = None, enforce: int | None = None, monitor: int | None = None) -> bool:
        """Whether the agents counted that many posts, enforcements, monitored ones (only what is stated).

        An agent that keeps no such counters is asked for its metrics: they count the policy's events.
        """
        stated = {"post": post, "enforce": enforce, "monitor": monitor}
        wanted = {name: value for name, value in stated.items() if value is not None}
        question = "counts " + ", ".join(f"{name} {value}" for name, value in wanted.items())
        if self.counters is not None:
            told = {name: getattr(self.counters, name) for name in wanted}
        elif isinstance(self.observed.posted, Unknown):
            lack = self.observed.posted
            return ask("", question, lack, lambda: lack.reason)
        else:
            # metrics count a policy's events, whatever was done about them
            total = sum(self.observed.posted.values())
            told = wanted if total == max(wanted.values()) else dict.fromkeys(wanted, total)
        said = ", ".join(f"{name} {value}" for name, value in told.items())
        answer: bool | Unknown = told == wanted
        if self._unheard and any(told[name] > value for name, value in wanted.items()):
            # what was reported may just not have been heard
            answer = Unknown(Verdict.INCONCLUSIVE, self._unheard)
        return ask("", question, answer, lambda: f"{self._title}: the agent counted {said}; expected it {question}.")

    def reported(self, part: Pattern) -> int:
        """How many events of the whole scenario match, for comparing with `counts`."""
        return sum(part.matches(event) for event in self.observed.stream)

    @property
    def counters(self) -> Counters | None:
        """The agents' counters after the acts, summed; nothing where none keeps any."""
        kept = [state.counters for state in self.observed.states_after if state.counters]
        totals = (sum(getattr(one, name) for one in kept) for name in ("post", "enforce", "monitor"))
        return Counters(*totals) if kept else None

    def export_tells_the_same(self, *workloads: str) -> bool:
        """Whether the export log, filtered to these workloads' pods, holds just the stream's events of them."""
        observed = self.observed
        for workload in workloads:
            self.pod(workload)
        pods = [pod for workload in workloads for pod in observed.bindings.workloads[workload]]
        question = f"export tells the same of {', '.join(workloads)}"
        if isinstance(observed.export, Unknown):
            lack = observed.export
            return ask("", question, lack, lambda: lack.reason)
        condition = matching({pod.namespace for pod in pods}, [f"^{re.escape(pod.name)}$" for pod in pods])
        parity = compare(observed.stream, observed.export, condition)
        unheard = self._unheard if parity.heard else "the export log ends before the stream"
        answer = Unknown(Verdict.INCONCLUSIVE, unheard) if unheard else parity.same
        missing, more = len(parity.only_stream), len(parity.only_export)
        differs = f"{missing} events are only in the stream, {more} only in the export log"
        return ask("", question, answer, lambda: f"{self._title}: {differs}.")

    def counted_more_than(self, part: Pattern) -> bool:
        """Whether the agent counted more events of this policy than the stream shows of `part`."""
        posted, shown = self.observed.posted, self.reported(part)
        total = self.counters.post if self.counters else None
        if total is None and not isinstance(posted, Unknown):
            total = sum(posted.values())
        answer: bool | Unknown
        if total is None:
            answer = Unknown(Verdict.UNSUPPORTED, "this agent counts no events of a policy")
        elif total > shown and self._unheard:
            answer = Unknown(Verdict.INCONCLUSIVE, self._unheard)
        else:
            answer = total > shown
        return ask("", f"counted more than {part}", answer, lambda: f"{self._title}: {total} counted, {shown} shown.")

    def in_mode(self, mode: str) -> bool:
        """Whether every agent says that the policy is in this mode (`enforce`, `monitor`)."""
        told = {state.mode for state in self.observed.states}
        said = ", ".join(sorted(told))
        answer: bool | Unknown = told == {mode}
        if not told:
            answer = Unknown(Verdict.INCONCLUSIVE, "no agent says anything of the policy's mode")
        elif "" in told:
            answer = Unknown(Verdict.UNSUPPORTED, "this agent tells no mode of a policy")
        return ask("", f"in mode {mode}", answer, lambda: f"{self._title}: the mode is {said}, not {mode}.")

    def bound(self, name: str) -> str:
        """What a logical name is here (`tiefighter.ip`, `ranges.pods`). Undecided where it is bound to nothing."""
        value = self.observed.bindings.values().get(name)
        if value is None:
            raise Undecided(Unknown(Verdict.UNRECORDED, f"{name} is bound to nothing here"))
        return value

    def pod(self, workload: str) -> str:
        """`namespace/name` of a workload's pod. Undecided where the target has none."""
        pod = self.observed.bindings.pod(workload)
        if pod is None:
            raise Undecided(Unknown(Verdict.UNRECORDED, f"there is no pod of {workload} here"))
        return str(pod)


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
        if isinstance(done, Unknown):
            return ask(self.name, question, done, lambda: done.reason)
        if isinstance(compact, Unknown):
            return ask(self.name, question, compact, lambda: compact.reason)
        by_line = dict(zip((id(event) for event in self._observed.stream), compact, strict=True))
        printed = [by_line[id(event)] for event in done.timeline.own if id(event) in by_line]
        values = self._observed.bindings.values()
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
            return failed and _DENIED in (outcome.complaint + outcome.output).lower() and not self._signal()

        return self._ask("was denied", "was not denied", decide)

    @property
    def stopped(self) -> bool:
        """It did not reach its end, because it or a process of it was killed, or refused with EPERM."""

        def decide(outcome: Outcome) -> bool | Unknown:
            if outcome.exit_code == 0:
                return False
            if _DENIED in (outcome.complaint + outcome.output).lower():
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
            if self._known.timeline.open:
                return self._unheard(otherwise=False)
            return not found

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
        if outcome.exit_code is None:
            answer = Unknown(Verdict.INCONCLUSIVE, f"act {self.name} has no outcome: {outcome.broken}")
        else:
            answer = decide(outcome)

        def tell() -> str:
            said = explain(done) if explain else explanation.how_it_ended(done.performed, done.timeline)
            headline = f"{self._title}: act {self.name} {question if answer is True else otherwise}: {said}."
            return explanation.of_act(headline, done.performed, done.timeline)

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
        events: Sequence[Event] = getattr(done.timeline, self._side)
        unheard = done.timeline.open if self._side == "own" else done.timeline.around
        found = expectation.find(events, closed=not unheard)
        answer = Unknown(Verdict.INCONCLUSIVE, unheard) if found.met is None else found.met

        def tell() -> str:
            seen = "seen, where none should be: " if found.met else ""
            headline = f"{act._title}: {seen}{found.text}."  # noqa: SLF001
            return explanation.of_act(headline, done.performed, done.timeline, found, events)

        return ask(act.name, question, answer, tell)
