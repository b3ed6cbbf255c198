"""A policy confined to the run's own containers, for a machine that others use as well.

Without Kubernetes an agent knows no pods to select, but every hook can ask for the Linux
namespaces of the process. A run's containers share one IPC namespace, and nobody else has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tetraproof.policy import Policy

#: The hooks whose selectors can ask for a namespace.
_CONFINABLE = ("kprobes", "tracepoints", "lsmhooks", "uprobes", "usdts", "fentries")
#: What hooks the whole machine, whoever does it.
_UNCONFINABLE = ("loader",)


def to_pods(spec: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """The spec of a policy for the pods alone that carry `labels`, besides what it selects by itself."""
    selector = spec.get("podSelector") or {}
    return {**spec, "podSelector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **labels}}}


def why_not(policy: Policy) -> str:
    """Why a policy cannot be confined, in a clause; nothing where it can."""
    found = next((hook for hook in _UNCONFINABLE if policy.spec.get(hook)), "")
    return f"{found} cannot be confined to the run's containers, and this machine is not ours alone" if found else ""


def confined(spec: Mapping[str, Any], inode: str) -> dict[str, Any]:
    """The spec of a policy, with every selector asking for the IPC namespace `inode` besides what it asks for."""
    return {key: [_hook(one, inode) for one in value] if key in _CONFINABLE else value for key, value in spec.items()}


def _hook(hook: Mapping[str, Any], inode: str) -> dict[str, Any]:
    wanted = {"namespace": "Ipc", "operator": "In", "values": [inode]}
    selectors = hook.get("selectors") or [{}]
    return {
        **hook,
        "selectors": [
            {**selector, "matchNamespaces": [*(selector.get("matchNamespaces") or []), wanted]}
            for selector in selectors
        ],
    }
