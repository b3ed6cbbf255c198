"""A change of the installation as it was recorded: the act that was repeated, and what happened meanwhile.

A live target records one into a scenario of the same form, and has it judged by
the same code.
"""

from __future__ import annotations

from msgspec.structs import replace

from tetraproof.observing import gap
from tetraproof.observing.gap import Continuity
from tetraproof.observing.observation import Observed
from tetraproof.policies import policy as policies
from tetraproof.policies.capability import Capabilities, PolicyState, kernel_options, probed
from tetraproof.policies.policy import Policy
from tetraproof.recordings.recording import Recording, ScenarioRecord


def scenarios(recording: Recording, change: str, policy: Policy) -> list[str]:
    """The scenarios in which this was changed under this very policy."""
    return [
        record.name
        for record in recording.index.scenarios
        if record.change == change and policies.compare(policy, _recorded(recording, record)).same
    ]


def why_none(recording: Recording, change: str, policy: Policy) -> str:
    """Why no scenario answers, in a clause."""
    others = [record.name for record in recording.index.scenarios if record.change == change]
    if others:
        return f"in {', '.join(others)} another policy was in force than {policy.name}"
    return f"the recording has no {change}"


def observe(recording: Recording, policy: Policy, scenario: str) -> Observed:
    """What was recorded of a change. A node that the recording knows and the change does not is missing from it."""
    record = next(one for one in recording.index.scenarios if one.name == scenario)
    continuity = recording.continuity(scenario)
    # a live run that acts on some nodes says so; where nobody did, it is all of them
    nodes = continuity.nodes or record.nodes or tuple(node.name for node in recording.index.nodes)
    continuity = replace(continuity, nodes=nodes)
    applied = _recorded(recording, record)
    return Observed(
        scenario=scenario,
        policy=policy,
        acts={},
        applied=applied.name,
        states=tuple(_states(continuity, applied)),
        bindings=recording.index.bindings,
        capabilities=dict.fromkeys(continuity.everywhere, _capabilities(recording, record)),
        configuration={**recording.index.settings, **record.settings},
        continuity=continuity,
        notes=(*record.notes, "acts are told by their exit code alone: no event of them was recorded"),
    )


def _capabilities(recording: Recording, record: ScenarioRecord) -> Capabilities:
    return Capabilities(
        probed(recording.text("environment/tetra-probe.txt") or ""),
        kernel_options(recording.text("environment/kernel.config") or ""),
        {**recording.index.settings, **record.settings},
    )


def _recorded(recording: Recording, record: ScenarioRecord) -> Policy:
    path = f"scenarios/{record.name}/policy.yaml"
    return policies.parse(recording.text(path) or "", f"{recording.name}/{path}", recorded=True)


def _states(continuity: Continuity, applied: Policy) -> list[PolicyState]:
    """The agents' word on the policy before anything was changed, as far as it was asked."""
    namespace, name = applied.key
    return [
        PolicyState(node, name, namespace, gap.ENABLED)
        for node in continuity.everywhere
        if any(one.what == gap.ENABLED for one in continuity.words(node))
    ]
