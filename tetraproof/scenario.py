"""One policy applied, its acts performed in order, one sentinel: what a test is given to judge.

`run.guarded` is the act that the suite declared under that name. What it is
asked has three values (see `tetraproof.answer`), so a test reads as plain
Python and still ends inconclusive where nothing can be known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tetraproof.act import Act
from tetraproof.answer import Undecided, Unknown, ask
from tetraproof.capability import Counters, Loading, loading
from tetraproof.continuity import ChangeRun
from tetraproof.errors import UsageError
from tetraproof.expectation import Pattern
from tetraproof.inventory import InstallationRun
from tetraproof.observation import Done, Observed, of_policy
from tetraproof.parity import compare
from tetraproof.question import ActRun
from tetraproof.stream import matching
from tetraproof.verdict import Verdict


@dataclass(frozen=True)
class Run:
    """What a test judges: the declared acts by name, and the scenario around them."""

    observed: Observed
    declared: tuple[Act, ...] = ()

    def __post_init__(self) -> None:
        for act in self.declared:
            if hasattr(type(self), act.name):
                raise UsageError(f"An act cannot be called {act.name}: a run has a word of its own by that name.")

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
    def installation(self) -> InstallationRun:
        """What is installed."""
        return InstallationRun(self.observed.inventory)

    @property
    def change(self) -> ChangeRun:
        """The change of the installation that was observed. Undecided where nothing was changed."""
        if self.observed.continuity is None:
            raise Undecided(Unknown(Verdict.UNRECORDED, "nothing was changed here"))
        return ChangeRun(self.observed.continuity, self._title)

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
        answer: bool | Unknown
        if self.counters is not None:
            told = {name: getattr(self.counters, name) for name in wanted}
            said = ", ".join(f"{name} {value}" for name, value in told.items())
            answer = told == wanted
            more = any(told[name] > value for name, value in wanted.items())
        elif isinstance(self.observed.posted, Unknown):
            lack = self.observed.posted
            return ask("", question, lack, lambda: lack.reason)
        else:
            # metrics count a policy's events, whatever was done about them
            total, most = sum(self.observed.posted.values()), max(wanted.values())
            said, answer, more = f"{total} events by its metrics", total == most, total > most
        if self._unheard and more:
            # what was reported may just not have been heard
            answer = Unknown(Verdict.INCONCLUSIVE, self._unheard)
        return ask("", question, answer, lambda: f"{self._title}: the agent counted {said}; expected it {question}.")

    def reported(self, part: Pattern) -> int:
        """How many events of the whole scenario match, for comparing with `counts`."""
        told = (event for event in self.observed.stream if of_policy(event, self.observed.applied))
        return sum(part.matches(event) for event in told)

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
        unheard = self._unheard if parity.heard else "the export log does not cover the stream from end to end"
        if not parity.same and observed.export_notice:
            unheard = unheard or f"the export log may lack events: {observed.export_notice}"
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

    @property
    def keeps_count(self) -> bool:
        """Whether anybody counted the policy's events at all. Not a question: it decides nothing."""
        return self.counters is not None or not isinstance(self.observed.posted, Unknown)

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

    def needs_setting(self, name: str, value: str) -> None:
        """Leave the test undecided where the agent is set otherwise (a setting that it lacks is one that is off)."""
        found = self.observed.configuration.get(name, "false")
        if found != value:
            raise Undecided(Unknown(Verdict.UNSUPPORTED, f"the agent is set to {name}: {found}"))

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
