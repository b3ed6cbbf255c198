"""Applying a policy: as it is bound here, until every agent has come to an end with it, and taken away again.

"Applied" is not "loaded": what each node's agent says of the policy is its state, asked right after and at the end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from tetraproof.errors import AgentError, AgentGone, TetraproofError
from tetraproof.observing.act import Act
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import Tell
from tetraproof.pacing.waiting import Overdue, until
from tetraproof.policies.binding import Bindings, owner
from tetraproof.policies.policy import Policy, with_values
from tetraproof.policies.policy_state import SETTLED
from tetraproof.recordings.recorder import as_json
from tetraproof.targets import Unanswerable
from tetraproof.targets.keeping import Scene, manifest_of
from tetraproof.verdict import Verdict

#: What each node's agent says of every policy, as `tetra tracingpolicy list -o json` has it.
States = dict[str, list[dict[str, Any]]]


class Agents(Protocol):
    """What applying asks of a site: agents that take a policy in, and say what became of it."""

    def nodes(self, place: str) -> Sequence[str]:
        """The nodes that a place answers for: itself, and one of them for those that nobody acts on."""
        ...

    def unsupported(self, policy: Policy) -> str:
        """Why a policy cannot be had here whatever the agent says, in a clause; nothing where it can."""
        ...

    def configure(self, settings: Mapping[str, str]) -> str:
        """See that the agent is set so (settings that are not named are as they were at first).

        Says why it cannot be, in a clause.
        """
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


@dataclass(frozen=True)
class Applying:
    """Has the agents take a policy in, and let go of it; what they say of it is kept in the scenes."""

    site: Agents
    deadlines: Deadlines
    tell: Tell

    def make_way(self, policy: Policy | None, settings: Mapping[str, str], lacking: str) -> None:
        """Set the agents as the scenario asks. Raises `Unanswerable` where the policy or a setting cannot be had.

        `lacking` is what is known beforehand of what the policy names, and is not there.
        """
        # an agent is set only for what can be had here
        refused = lacking or (self.site.unsupported(policy) if policy else "") or self.site.configure(settings)
        if refused:
            raise Unanswerable(refused, Verdict.UNSUPPORTED)

    def apply(self, name: str, policy: Policy, scenes: Sequence[Scene]) -> None:
        """Apply the policy in the scenario `name`, and wait until it has settled; a deadline missed is noted."""
        self.tell(f"{name}: applying {policy.kind} {policy.name}")
        begun = datetime.now(UTC)
        refused = self.site.apply(policy, self._fitted(policy, scenes))
        states = self._settled(policy, refused, scenes)
        for node, how in self.site.disturbed().items():
            states[node] = [_failed(policy, f"while the policy was loading, {how}")]
        for scene in scenes:
            scene.settled_after = (datetime.now(UTC) - begun).total_seconds()
            scene.notes += _of_others(policy, states)
        self._keep("state.json", policy, states, scenes)

    def ask_again(self, policy: Policy, scenes: Sequence[Scene]) -> None:
        """What the agents say after the last act, and which of them are not the same any more."""
        try:
            states = until(
                "the agents' word afterwards",
                self.site.states,
                bool,
                self.deadlines.command,
                tell=self.tell,
                shown=lambda _: "no agent says anything",
                forgives=AgentError,
                final=AgentGone,
            )
        except Overdue as error:  # one that does not answer leaves the others their say
            states = self.site.answers()
            for scene in scenes:
                if not states.keys() >= set(self.site.nodes(scene.place)):
                    scene.notes.append(error.sentence)
        self._keep("state-after.json", policy, states, scenes)
        gone = self.site.disturbed()
        for scene in scenes:
            scene.notes += [f"on {node}: {how}" for node, how in gone.items() if node in self.site.nodes(scene.place)]

    def remove(self, policy: Policy, scenes: Sequence[Scene]) -> None:
        """Take the policy away; where that fails, it is noted."""
        try:
            self.site.remove(policy)
        except TetraproofError as error:
            for scene in scenes:
                scene.notes.append(f"the policy could not be taken away: {error.sentence}")

    def _fitted(self, policy: Policy, scenes: Sequence[Scene]) -> str:
        """The manifest that is applied; where it differs from the policy's own, that is told."""
        fitted = self.site.fitted(policy)
        own, manifest = manifest_of(policy), manifest_of(fitted)
        for scene in scenes:
            scene.files["policy.yaml"] = own.encode()
            if manifest != own:
                scene.files["applied.yaml"] = manifest.encode()
                how = _confinement(policy, fitted)
                scene.notes.append(f"applied confined to what is the run's own: {how} (applied.yaml)")
        return manifest

    def _settled(self, policy: Policy, refused: str, scenes: Sequence[Scene]) -> States:
        """The last that was said, once every agent has come to an end with the policy, or the deadline is missed."""
        states: States = {}
        try:
            return until(
                f"the state of {policy.name}",
                self.site.states,
                lambda states: bool(states) and all(_has_settled(policy, told) for told in states.values()),
                # one that was refused at once may leave no state to wait for
                self.deadlines.policy if not refused else 0,
                tell=self.tell,
                shown=lambda states: _words(policy, states),
                forgives=AgentError,
                final=AgentGone,
            )
        except Overdue as error:
            with suppress(AgentError):
                states = self.site.states()
            why = error.sentence if not refused else f"applying it said: {refused}"
            for scene in scenes:
                scene.notes.append(why)
        if not refused:
            return states
        return {
            node: told if about(policy, told) else [*told, _failed(policy, refused)] for node, told in states.items()
        }

    def _keep(self, file: str, policy: Policy, states: States, scenes: Sequence[Scene]) -> None:
        """Keep what the agents say of the run's policy: what else is in force there is not ours to tell."""
        for scene in scenes:
            own = {node: about(policy, states[node]) for node in self.site.nodes(scene.place) if node in states}
            scene.files[file] = as_json(own)


def bound(policy: Policy, bindings: Bindings, acts: Sequence[Act]) -> Policy:
    """The policy with its values and its namespace as they are here.

    One that names no namespace is for the namespace that it is applied to: that of the first act's pod.
    """
    namespace = bindings.namespaces.get(policy.namespace, policy.namespace)
    if not namespace and policy.kind == "TracingPolicyNamespaced":
        pods = (bindings.pod(act.pod) for act in acts)
        namespace = next((pod.namespace for pod in pods if pod is not None), "")
    return dataclasses.replace(with_values(policy, bindings), namespace=namespace)


def not_found(policy: Policy, bindings: Bindings) -> str:
    """Which file of a workload's the policy hooks that nobody finds here, in a clause; nothing where all are found."""
    for value, name in policy.bound.items():
        workload = owner(name)
        if workload and bindings.of_policy(name, value) is None:
            return f"the policy hooks {value} of {workload}, and where the agent finds {workload}'s files is not known"
    return ""


def about(policy: Policy, told: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What of an agent's word on every policy is about this one."""
    return [one for one in told if (str(one.get("namespace", "")), one.get("name")) == policy.key]


def _has_settled(policy: Policy, told: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an agent has come to an end with a policy."""
    words = [str(one.get("state", "")).removeprefix("TP_STATE_").lower() for one in about(policy, told)]
    return bool(words) and all(word in SETTLED for word in words)


def _words(policy: Policy, states: States) -> str:
    """What each node says of a policy, in a line."""
    said = {node: next((one.get("state") for one in about(policy, told)), "nothing") for node, told in states.items()}
    return ", ".join(f"{node} says {word}" for node, word in said.items())


def _failed(policy: Policy, error: str) -> dict[str, str]:
    """The state of a policy that the agent keeps none of, or that was disturbed."""
    return {"name": policy.name, "namespace": policy.namespace, "state": "TP_STATE_LOAD_ERROR", "error": error}


def _of_others(policy: Policy, states: States) -> list[str]:
    """That other policies were there: how many, and nothing more of them."""
    count = max((len(told) - len(about(policy, told)) for told in states.values()), default=0)
    others = "1 other policy" if count == 1 else f"{count} other policies"
    return [f"beside it the agent had {others}, which the recording does not name"] if count else []


def _confinement(policy: Policy, fitted: Policy) -> str:
    """What a policy asks for besides as it is applied, in a clause."""
    selector = fitted.spec.get("podSelector")
    if selector == policy.spec.get("podSelector"):
        return "by the namespaces of their processes"
    return "podSelector " + ", ".join(
        f"{name}: {value}" for name, value in (selector or {}).get("matchLabels", {}).items()
    )
