"""One policy applied, its acts performed in order, one sentinel: what a test is given to judge.

`run.guarded` is the act that the suite declared under that name. What it is
asked has three values (see `tetraproof.answer`), so a test reads as plain
Python and still ends inconclusive where nothing can be known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import chain

import msgspec

from tetraproof.answer import Undecided, Unknown, ask
from tetraproof.errors import UsageError
from tetraproof.events.reread import Reread
from tetraproof.events.stream import matching
from tetraproof.judging import hooked
from tetraproof.judging.continuity import ChangeRun
from tetraproof.judging.pattern import Doubt, Pattern
from tetraproof.judging.question import ActRun
from tetraproof.observing import exporting
from tetraproof.observing.act import Act, order_of
from tetraproof.observing.inventory import InstallationRun
from tetraproof.observing.observation import Done, Observed, of_policy
from tetraproof.observing.parity import compare
from tetraproof.policies.capability import Counters, Loading, holding, loading
from tetraproof.policies.inspection.overriding import denials, words_of
from tetraproof.policies.policy_state import SUMS
from tetraproof.verdict import Verdict


@dataclass(frozen=True)
class Run:
    """What a test judges: the declared acts by name, and the scenario around them."""

    observed: Observed
    declared: tuple[Act, ...] = ()

    def __post_init__(self) -> None:
        for act in self.declared:
            if hasattr(type(self), act.name) or act.name in {one.name for one in fields(self)}:
                raise UsageError(f"An act cannot be called {act.name}: a run has a word of its own by that name.")

    def __getattr__(self, name: str) -> ActRun:
        for act in self.declared:
            if act.name == name:
                return ActRun(act, self._prepared, self._title)
        known = ", ".join(act.name for act in self.declared)
        raise AttributeError(f"the suite declares no act {name!r}; it declares {known}")

    @cached_property
    def _prepared(self) -> Observed:
        """What was observed, where an act that follows a failed preparation is undecided, as one without its program.

        What refused an act is read in the words of the errors with which the policy answers.
        """
        acts: dict[str, Done | Unknown] = {}
        failed: Unknown | None = None
        unrecorded: dict[tuple[str, str], Unknown] = {}
        words = tuple(words_of(error).lower() for error in denials(self.observed.policy))
        for act in self.declared:
            done = self.observed.acts[act.name]
            if isinstance(done, Done):
                outcome = msgspec.structs.replace(done.performed.outcome, refusals=words)
                done = replace(done, performed=replace(done.performed, outcome=outcome))
            if act.prepare and act.program and isinstance(done, Unknown):
                unrecorded[act.pod, act.program] = Unknown(done.verdict, f"its program is not there: {done.reason}")
            elif act.program and not act.prepare:
                done = unrecorded.get((act.pod, act.program), done)
            acts[act.name] = failed if failed and isinstance(done, Done) and not act.prepare else done
            why = _why_unprepared(done) if act.prepare else ""
            if why and failed is None:
                failed = Unknown(Verdict.INCONCLUSIVE, f"preparation {act.name} failed before it: {why}")
            elif order_of(act) and isinstance(done, Unknown) and failed is None:
                # what was recorded after it was done under a policy that nobody had changed
                failed = Unknown(done.verdict, f"the agent was not told {' '.join(order_of(act))}: {done.reason}")
        return replace(self.observed, acts={**self.observed.acts, **acts})

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
    def standing(self) -> Loading:
        """What became of the policy to the end: in force once settled, and still in force after the acts."""
        observed = self.observed
        if observed.policy is None or self.loading.verdict is not Verdict.CONFORMS:
            return self.loading
        after = holding(
            observed.policy, observed.states, observed.states_after, observed.capabilities, answered=observed.answered
        )
        return self.loading if after.verdict is Verdict.CONFORMS else after

    @property
    def loaded(self) -> bool:
        """Whether the policy is in force on every node, by the agents' word, and stays so to the end."""
        judged = self.standing
        answer = judged.verdict is Verdict.CONFORMS
        known = answer if judged.verdict in {Verdict.CONFORMS, Verdict.VIOLATES} else None
        reason = judged.reason or "enabled on every node"
        unknown = Unknown(judged.verdict, judged.reason)
        return ask("", "loaded", unknown if known is None else known, lambda: f"{self._title}: {reason}.", "loading")

    def refused_with(self, words: str) -> bool:
        """Whether an agent refused the policy, or lost it, with these words."""
        said = [state.error for state in (*self.observed.states, *self.observed.states_after)]
        told = "; ".join(filter(None, said)) or "nothing"
        found = any(words in one for one in said)
        return ask("", f"refused with {words!r}", found, lambda: f"{self._title}: the agent says {told}.", "loading")

    def counts(  # noqa: PLR0913 - what an agent counts
        self,
        *,
        post: int | None = None,
        enforce: int | None = None,
        monitor: int | None = None,
        signal: int | None = None,
        override: int | None = None,
        notify_enforcer: int | None = None,
    ) -> bool:
        """Whether the agents counted that many of what is stated during the acts, by the names that they have for it.

        `enforce` and `monitor` are sums of all that was enforced, and only monitored. An agent that keeps no such
        counters is asked for its metrics for these and for `post`: they count the policy's events.
        """
        stated = {"post": post, "enforce": enforce, "monitor": monitor}
        stated |= {"signal": signal, "override": override, "notify_enforcer": notify_enforcer}
        wanted = {name: value for name, value in stated.items() if value is not None}
        if not wanted:
            raise UsageError("Nothing is stated that was counted.", remedy="write run.counts(enforce=1)")
        question = "counts " + ", ".join(f"{name} {value}" for name, value in wanted.items())
        said, answer, more = self._counted(wanted)
        if self._unheard and more:
            # what was reported may just not have been heard
            answer = Unknown(Verdict.INCONCLUSIVE, self._unheard)
        disturbed = self._disturbed
        if answer is False and disturbed:
            answer = Unknown(Verdict.INCONCLUSIVE, disturbed)
        if answer is True and not self._something_was_done:
            why = disturbed or "no act was performed, so there is nothing to count"
            answer = Unknown(Verdict.INCONCLUSIVE, why)
        reason = answer.reason if isinstance(answer, Unknown) else f"the agent counted {said}; expected it {question}"
        return ask("", question, answer, lambda: f"{self._title}: {reason}.", "counted")

    def keeps(self, counter: str) -> bool:
        """Whether the agents keep this counter (`override`). Not a question: it decides nothing."""
        return isinstance(self.moved, Counters) and self.moved.told(counter) is not None

    @property
    def _disturbed(self) -> str:
        """Why some act shows nothing against the policy; nothing where each of them may."""
        done = [one for one in self.observed.acts.values() if isinstance(one, Done)]
        return next((one.performed.disturbed for one in done if one.performed.disturbed), "")

    @property
    def _something_was_done(self) -> bool:
        """Whether an act that was not only to prepare became something, while the agents were there."""
        done = [one.performed for one in self.observed.acts.values() if isinstance(one, Done)]
        return any(one.outcome.exit_code is not None and one.role != "prepare" and not one.disturbed for one in done)

    def _counted(self, wanted: Mapping[str, int]) -> tuple[str, bool | Unknown, bool]:
        """What was counted, whether that is what was `wanted`, and whether it is more."""
        moved = self.moved
        if isinstance(moved, Unknown):
            return "", moved, False
        if moved is not None:
            told = {name: moved.told(name) for name in wanted}
            said = ", ".join(f"{name} {value}" for name, value in told.items())
            more = any((told[name] or 0) > value for name, value in wanted.items())
            return said, told == wanted, more
        return self._by_metrics(wanted)

    def _by_metrics(self, wanted: Mapping[str, int]) -> tuple[str, bool | Unknown, bool]:
        """The same of an agent that keeps no counters of a policy."""
        if single := [name for name in wanted if name not in SUMS]:
            return "", Unknown(Verdict.INCONCLUSIVE, f"this agent keeps no counter {single[0]} of a policy"), False
        if self.observed.policy and self.observed.policy.spec.get("loader"):
            # such an event names no policy, so the metrics cannot count it as one's
            return "", Unknown(Verdict.UNSUPPORTED, "this agent does not count what a loader hook reports"), False
        if isinstance(self.observed.posted, Unknown):
            return "", self.observed.posted, False
        # metrics count a policy's events, whatever was done about them
        total, most = sum(self.observed.posted.values()), max(wanted.values())
        said = f"{total} events by its metrics"
        if total == most:
            return said, True, False
        # each binary has a counter of its own there, from its first event on
        gone = "and whether a counter of another binary is gone, or never was there, cannot be told"
        why = f"the agent counted {said}, expected were {most}, {gone}"
        return said, Unknown(Verdict.INCONCLUSIVE, why), total > most

    def reported(self, part: Pattern) -> int:
        """How many events of the whole scenario match, for comparing with `counts`.

        Undecided where an event may match that could not be read.
        """
        if self.observed.policy:
            hooked.check(self.observed.policy, part)
        found = self.observed.stream.found if isinstance(self.observed.stream, Reread) else {}
        count, doubt = found.setdefault(str(part), None) or self._matching(part)
        found[str(part)] = count, doubt
        if doubt is not None:
            raise Undecided(Unknown(Verdict.INCONCLUSIVE, f"an event may be {part}: {doubt.text}"))
        return count

    def _matching(self, part: Pattern) -> tuple[int, Doubt | None]:
        """How many events of the policy match, and why another one may."""
        count, doubt = 0, None
        for event in self.observed.stream:
            mine = of_policy(event, self.observed.applied)
            found = part.match(event) if mine is not False else False
            if mine is None and found is not False:
                found = Doubt("its policy_name cannot be read")
            count += found is True
            doubt = doubt or (found if isinstance(found, Doubt) else None)
        return count, doubt

    @property
    def moved(self) -> Counters | Unknown | None:
        """How far the agents' counters moved during the acts, summed; nothing where none keeps any."""
        before = {state.node: state.counters for state in self.observed.states}
        after = {state.node: state.counters for state in self.observed.states_after}
        if not any(before.values()) and not any(after.values()):
            return None
        totals = Counters()
        for node in sorted(before.keys() | after.keys()):
            first, last = before.get(node), after.get(node)
            if first is None or last is None:
                return Unknown(Verdict.INCONCLUSIVE, f"the agent of node {node} told its counters only once")
            grown = last - first
            if grown.fell:
                return Unknown(Verdict.INCONCLUSIVE, f"the counters of node {node} fell: the policy was loaded anew")
            totals += grown
        return totals

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
        if any(event.could_not_read("process.pod") for event in chain(observed.stream, observed.export)):
            raise Undecided(Unknown(Verdict.INCONCLUSIVE, "of an event nobody can read in which pod it was"))
        unheard = self._unheard if parity.heard else "the export log does not cover the stream from end to end"
        if not parity.same and observed.export_notice:
            unheard = unheard or f"the export log may lack events: {observed.export_notice}"
        differ = (*parity.only_stream, *parity.only_export)
        if unread := next((path for event in differ for path in event.unread), ""):
            why = f"{unread} of an event cannot be read, which may be the same"
            raise Undecided(Unknown(Verdict.INCONCLUSIVE, why))
        if parity.unknown:
            why = "an event differs in a field that is not known here, and may be the same"
            raise Undecided(Unknown(Verdict.INCONCLUSIVE, why))
        if hidden := exporting.hides(observed.configuration, observed.export, parity):
            raise Undecided(Unknown(Verdict.UNSUPPORTED, hidden))
        answer = Unknown(Verdict.INCONCLUSIVE, unheard) if unheard else parity.same
        missing, more = len(parity.only_stream), len(parity.only_export)
        differs = f"{missing} events are only in the stream, {more} only in the export log"
        return ask("", question, answer, lambda: f"{self._title}: {differs}.")

    def counted_more_than(self, part: Pattern) -> bool:
        """Whether the agent counted more events of this policy than the stream shows of `part`."""
        posted, shown, moved = self.observed.posted, self.reported(part), self.moved
        answer: bool | Unknown
        total: int | None = None
        if isinstance(moved, Counters):
            total = moved.post
        elif moved is None and not isinstance(posted, Unknown):
            total = sum(posted.values())
        if isinstance(moved, Unknown):
            answer = moved
        elif total is None:
            answer = Unknown(Verdict.UNSUPPORTED, "this agent counts no events of a policy")
        elif total > shown and self._unheard:
            answer = Unknown(Verdict.INCONCLUSIVE, self._unheard)
        else:
            answer = total > shown
        told = f"{self._title}: {total} counted, {shown} shown."
        return ask("", f"counted more than {part}", answer, lambda: told, "counted")

    @property
    def keeps_count(self) -> bool:
        """Whether anybody counted the policy's events at all. Not a question: it decides nothing."""
        return self.moved is not None or not isinstance(self.observed.posted, Unknown)

    def in_mode(self, mode: str) -> bool:
        """Whether every agent says, before the acts and after, that the policy's mode is this: `enforce`, `monitor`."""
        told = {state.mode for state in (*self.observed.states, *self.observed.states_after)}
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


def _why_unprepared(done: Done | Unknown) -> str:
    """Why what a preparation should have set is perhaps not so, in a clause; of one that nobody recorded, nothing."""
    if isinstance(done, Unknown):
        return "" if done.verdict is Verdict.UNRECORDED else done.reason
    outcome = done.performed.outcome
    return outcome.unknown or ("" if outcome.exit_code == 0 else str(outcome))
