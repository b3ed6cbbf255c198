"""What agents say of a policy, as a live target waits for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tetraproof.policies.policy import Policy

_SETTLED = {"enabled", "load_error", "error", "disabled"}


def of(policy: Policy, told: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What of it is about a policy."""
    return [one for one in told if (str(one.get("namespace", "")), one.get("name")) == policy.key]


def settled(policy: Policy, told: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an agent has come to an end with a policy."""
    words = [str(one.get("state", "")).removeprefix("TP_STATE_").lower() for one in of(policy, told)]
    return bool(words) and all(word in _SETTLED for word in words)


def words(policy: Policy, states: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """What each node says of a policy, in a line."""
    said = {node: next((one.get("state") for one in of(policy, told)), "nothing") for node, told in states.items()}
    return ", ".join(f"{node} says {word}" for node, word in said.items())


def failed(policy: Policy, error: str) -> dict[str, str]:
    """The state of a policy that the agent keeps none of, or that was disturbed."""
    return {"name": policy.name, "namespace": policy.namespace, "state": "TP_STATE_LOAD_ERROR", "error": error}
