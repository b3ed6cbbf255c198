"""A policy confined: every selector asks for what is ours besides what it asked for, and nothing is widened."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import yaml

from tests.builders import MANIFESTS, POLICY
from tetraproof.confinement import confined, to_pods, why_not
from tetraproof.policy import load, parse

OURS = {"namespace": "Ipc", "operator": "In", "values": ["4026531839"]}
CLUSTER_SCOPED = [path for path in sorted(MANIFESTS.glob("*.yaml")) if load(path).kind == "TracingPolicy"]


def selectors(spec: dict[str, Any]) -> list[dict[str, Any]]:
    hooks = [hook for value in spec.values() if isinstance(value, list) for hook in value if isinstance(hook, dict)]
    return [selector for hook in hooks for selector in hook.get("selectors", [])]


@pytest.mark.parametrize("path", CLUSTER_SCOPED, ids=lambda path: path.stem)
def test_every_selector_of_every_policy_is_confined(path) -> None:
    """And asks for everything that it asked for before; the policy itself is not changed."""
    policy = load(path)
    before = copy.deepcopy(policy.spec)
    after = confined(policy.spec, "4026531839")
    assert policy.spec == before
    asked = selectors(after)
    assert asked
    assert all(selector["matchNamespaces"][-1] == OURS for selector in asked)
    for old, new in zip(selectors(before), asked, strict=False):
        rest = {name: value for name, value in new.items() if name != "matchNamespaces"}
        assert rest == {name: value for name, value in old.items() if name != "matchNamespaces"}


def test_a_hook_without_selectors_gets_one() -> None:
    """It hooked everything."""
    spec = {"kprobes": [{"call": "fd_install", "syscall": False}]}
    assert confined(spec, "4026531839")["kprobes"][0]["selectors"] == [{"matchNamespaces": [OURS]}]


def test_what_a_selector_asks_of_namespaces_stays() -> None:
    """Both have to hold."""
    own = {"namespace": "Pid", "operator": "NotIn", "values": ["host_ns"]}
    spec = {"tracepoints": [{"selectors": [{"matchNamespaces": [own]}]}]}
    assert confined(spec, "4026531839")["tracepoints"][0]["selectors"] == [{"matchNamespaces": [own, OURS]}]


def test_a_confined_policy_is_a_policy() -> None:
    """By the CRD's schema."""
    document = yaml.safe_load(POLICY)
    document["spec"] = confined(document["spec"], "4026531839")
    parse(yaml.safe_dump(document), "confined")


def test_what_hooks_the_whole_machine_cannot_be_confined() -> None:
    """It is not applied on a machine that is not ours alone."""
    policy = load(CLUSTER_SCOPED[0])
    assert why_not(policy) == ""
    assert why_not(replace(policy, spec={"loader": True, **policy.spec})).startswith("loader cannot be confined")


def test_a_policy_of_a_cluster_is_confined_by_a_selector_of_pods() -> None:
    """The run's own label is asked for besides what the policy selects by itself; nothing else is changed."""
    hooks = {"kprobes": [{"call": "fd_install"}]}
    assert to_pods(hooks, {"run": "a"}) == {**hooks, "podSelector": {"matchLabels": {"run": "a"}}}
    own = {"matchLabels": {"app": "nginx"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}
    confined = to_pods({**hooks, "podSelector": own}, {"run": "a"})
    assert confined["podSelector"] == {**own, "matchLabels": {"app": "nginx", "run": "a"}}
    assert own["matchLabels"] == {"app": "nginx"}
