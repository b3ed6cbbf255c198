"""A policy confined: every selector asks for what is ours besides what it asked for, and nothing is widened.

And what cannot be confined, by what each Tetragon heeds.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders import MANIFESTS, POLICY, ROOT
from tetraproof.policies.confinement import (
    Scope,
    by_version,
    confined,
    not_applied,
    to_pods,
    why_not,
    why_not_in,
    without_kubernetes,
)
from tetraproof.policies.policy import HOOKS, Policy, load, parse

INODE = "4026532841"
OURS = {"namespace": "Ipc", "operator": "In", "values": [INODE]}
CLUSTER_SCOPED = [path for path in sorted(MANIFESTS.glob("*.yaml")) if load(path).kind == "TracingPolicy"]
GUARD = parse(POLICY, "guard")
PODS, CONTAINERS = Scope.PODS, Scope.CONTAINERS
#: A whole part of each kind, and what stands beside the hooks.
KPROBE = {"call": "sys_ptrace", "selectors": [{"matchActions": [{"action": "Sigkill"}]}]}
SELECTOR = {"matchLabels": {"app": "nginx"}}
PARTS: dict[str, Any] = {
    "kprobes": [KPROBE],
    "tracepoints": [{"subsystem": "syscalls", "event": "sys_enter_ptrace"}],
    "lsmhooks": [{"hook": "file_open"}],
    "uprobes": [{"path": "/usr/bin/bash", "symbols": ["readline"]}],
    "usdts": [{"path": "/usr/bin/node", "provider": "node", "name": "gc__start"}],
    "fentries": [KPROBE],
    "loader": True,
    "enforcers": [{"calls": ["sys_ptrace"]}],
    "podSelector": SELECTOR,
    "containerSelector": SELECTOR,
    "hostSelector": {},
    "nodeSelector": SELECTOR,
    "lists": [{"name": "some", "values": ["sys_ptrace"]}],
    "options": [{"name": "policy-mode", "value": "monitor"}],
    "selectorsMacros": {"some": {"matchActions": [{"action": "Sigkill"}]}},
}
#: Who ignores podSelector for uprobes and USDTs: every tag without the commit "tracing: Scope uprobe and usdt events
#: via policyfilter" among its ancestors; and who heeds it: what comes after it on main and on the three branches that
#: have it.
DEAF = ("1.1.0", "1.4.0", "1.4.1", "1.5.0", "1.6.0", "1.6.1", "1.7.0-pre.0", "1.7.0", "1.8.0-pre.0")
HEARS = ("1.5.1", "1.6.2", "1.7.1", "1.7.2", "1.8.0-pre.1", "1.8.0-rc.0", "1.8.0", "1.9.0-pre.0", "2.0.0")
#: Whose uprobes take matchNamespaces: every tag without `isValidUprobeSelectors` in genericuprobe.go.
IN_NAMESPACES = ("1.7.0", "1.7.1", "1.7.2", *(one for one in DEAF + HEARS if one.startswith(("1.8", "1.9", "2."))))
#: What says nothing of what is in it.
UNKNOWN = ("", "latest", "1.7", "1.17.0-somebodys.1", "v1.8.0-dirty")


def of(**spec: Any) -> Policy:
    return replace(GUARD, spec=spec)


def selectors(spec: dict[str, Any]) -> list[dict[str, Any]]:
    hooks = [hook for value in spec.values() if isinstance(value, list) for hook in value if isinstance(hook, dict)]
    return [selector for hook in hooks for selector in hook.get("selectors", [])]


@pytest.mark.parametrize("path", CLUSTER_SCOPED, ids=lambda path: path.stem)
def test_every_selector_of_every_policy_is_confined(path) -> None:
    """And asks for everything that it asked for before; the policy itself is not changed."""
    policy = load(path)
    before = copy.deepcopy(policy.spec)
    after = confined(policy.spec, INODE)
    assert policy.spec == before
    asked = selectors(after)
    assert asked
    assert all(selector["matchNamespaces"][-1] == OURS for selector in asked)
    for old, new in zip(selectors(before), asked, strict=False):
        rest = {name: value for name, value in new.items() if name != "matchNamespaces"}
        assert rest == {name: value for name, value in old.items() if name != "matchNamespaces"}


@pytest.mark.parametrize("path", CLUSTER_SCOPED, ids=lambda path: path.stem)
def test_every_policy_here_can_be_confined(path) -> None:
    """In both ways, whatever the agent."""
    assert why_not(load(path), ["1.4.1"], PODS) == why_not(load(path), ["1.4.1"], CONTAINERS) == ""


@pytest.mark.parametrize("hooks", ["kprobes", "tracepoints", "lsmhooks", "uprobes", "usdts", "fentries"])
@pytest.mark.parametrize("empty", [{}, {"selectors": None}, {"selectors": []}, {"selectors": [{}]}])
def test_a_hook_without_selectors_gets_one(hooks: str, empty: dict[str, Any]) -> None:
    """It hooked everything."""
    spec = {hooks: [{"call": "fd_install", **empty}]}
    assert confined(spec, INODE)[hooks][0]["selectors"] == [{"matchNamespaces": [OURS]}]


def test_what_a_selector_asks_of_namespaces_stays() -> None:
    """Both have to hold."""
    own = {"namespace": "Pid", "operator": "NotIn", "values": ["host_ns"]}
    spec = {"tracepoints": [{"selectors": [{"matchNamespaces": [own]}, {"matchNamespaces": None}]}]}
    first, second = confined(spec, INODE)["tracepoints"][0]["selectors"]
    assert (first, second) == ({"matchNamespaces": [own, OURS]}, {"matchNamespaces": [OURS]})


def test_what_says_nothing_is_left_so() -> None:
    """Null is absent."""
    assert confined({"kprobes": None, "lists": None}, INODE) == {"kprobes": [], "lists": None}


def test_a_confined_policy_is_a_policy() -> None:
    """By the CRD's schema."""
    document = yaml.safe_load(POLICY)
    document["spec"] = confined(document["spec"], INODE)
    parse(yaml.safe_dump(document), "confined")


def test_a_policy_of_a_cluster_is_confined_by_a_selector_of_pods() -> None:
    """The run's own label is asked for besides what the policy selects by itself; nothing else is changed."""
    hooks = {"kprobes": [{"call": "fd_install"}]}
    ours = {**hooks, "podSelector": {"matchLabels": {"run": "a"}}}
    for all_pods in ({}, {"podSelector": {}}, {"podSelector": None}, {"podSelector": {"matchLabels": None}}):
        assert to_pods({**hooks, **all_pods}, {"run": "a"}) == ours
    own = {"matchLabels": {"app": "nginx"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}
    selected = to_pods({**hooks, "podSelector": own}, {"run": "a"})
    assert selected["podSelector"] == {**own, "matchLabels": {"app": "nginx", "run": "a"}}
    assert own["matchLabels"] == {"app": "nginx"}
    assert to_pods({**hooks, "containerSelector": {}}, {"run": "a"}) == {**ours, "containerSelector": {}}


def expected(part: str, agent: str, scope: Scope) -> bool:
    """Whether a part keeps to what is ours, by Tetragon's sources."""
    if part == "loader":
        return False
    if scope is PODS and part == "hostSelector":
        return False
    if scope is CONTAINERS:
        return part != "uprobes" or agent in IN_NAMESPACES
    return part not in {"uprobes", "usdts"} or agent in HEARS


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("agent", [*DEAF, *HEARS, *UNKNOWN])
def test_every_part_of_every_agent_is_confined_or_not(part: str, agent: str, scope: Scope) -> None:
    """Whatever stands beside it; and where the version decides, that is said."""
    for beside in ({}, {"tracepoints": PARTS["tracepoints"]}, {"podSelector": {}}):
        policy = of(**{part: PARTS[part], **beside})
        assert (not why_not(policy, [agent], scope)) == expected(part, agent, scope)
    decided = {PODS: {"uprobes", "usdts"}, CONTAINERS: {"uprobes"}}[scope]
    assert by_version(of(**{part: PARTS[part]}), scope) == (part in decided)


SCHEMAS = sorted((ROOT / "tetraproof/schemas").glob("tracingpolicy.spec*.json"))


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_every_part_that_a_policy_may_have_is_known(path: Path) -> None:
    """A field that a CRD brings is looked at before anything of it is applied."""
    fields = {name for name, told in json.loads(path.read_text("utf-8")).get("properties", {}).items() if told}
    assert set(HOOKS) | fields <= set(PARTS)


@pytest.mark.parametrize("value", [{}, [], True, "all", [{"call": "x"}], None])
@pytest.mark.parametrize("scope", Scope)
def test_what_is_not_known_is_not_confined(value: object, scope: Scope) -> None:
    """A part of a newer agent's, whatever it says; only null and an empty list say nothing."""
    why = why_not(of(kprobes=[KPROBE], kretprobes=value), ["1.9.0"], scope)
    assert why.startswith("nothing is known here of kretprobes") == (value not in (None, []))


def test_the_oldest_of_several_agents_decides() -> None:
    """A policy is applied to all of them; one whose version is not known is not taken to be newer."""
    probes = of(uprobes=PARTS["uprobes"])
    assert why_not(probes, ["1.7.1", "v1.8.0"], PODS) == ""
    assert "with Tetragon 1.7.0," in why_not(probes, ["1.7.1", "1.7.0"], PODS)
    assert "mended in 1.5.1, 1.6.2, 1.7.1" in why_not(probes, ["1.7.0"], PODS)
    assert "whose version is not known" in why_not(probes, ["1.7.1", ""], PODS)
    assert "whose version is not known" in why_not(probes, [], PODS)
    assert why_not(probes, ["1.6.1"], CONTAINERS) == (
        "uprobes can ask for no namespace with Tetragon 1.6.1 (from 1.7.0 on they can)"
    )


@pytest.mark.parametrize(("agent", "heeds"), [("v1.7.1-12-gabc1234", True), ("v1.8.0-pre.0-700-gabc1234", False)])
def test_a_build_between_versions_is_of_the_one_before_it(agent: str, heeds: bool) -> None:
    """What has come since is not told."""
    assert (why_not(of(usdts=PARTS["usdts"]), [agent], PODS) == "") is heeds


@pytest.mark.parametrize("off", [{"loader": False}, {"loader": None}, {"hostSelector": None}, {"uprobes": []}])
def test_a_part_that_says_nothing_is_no_hindrance(off: dict[str, Any]) -> None:
    """As in a manifest that was generated."""
    assert why_not(of(kprobes=[KPROBE], **off), ["1.4.1"], PODS) == ""


FIELDS = [{"index": 4, "type": "syscall64"}]


def enforced(action: str = "matchActions", at: Any = 0, **hook: Any) -> Policy:
    """The form of Tetragon's own example: the entry of these calls is noted, and the enforcer acts on them."""
    place = {"args": at} if isinstance(at, list) else {"index": at}
    entry = {**place, "operator": "InMap", "values": ["list:dups"]}
    selector = {"matchArgs": [entry], action: [{"action": "NotifyEnforcer", "argSig": 9}]}
    raw = {"subsystem": "raw_syscalls", "event": "sys_enter", "args": FIELDS, "selectors": [selector], **hook}
    return of(tracepoints=[raw], enforcers=[{"calls": ["list:dups"]}], lists=[{"name": "dups"}])


def test_an_enforcer_is_confined_by_what_notifies_it() -> None:
    """It acts on the thread that a hook of ours has just noted, in the same call."""
    for at in (0, 4, [0]):
        assert why_not(enforced(at=at), ["1.7.0"], PODS) == why_not(enforced(at=at), ["1.7.0"], CONTAINERS) == ""
    assert why_not(of(kprobes=[KPROBE], enforcers=PARTS["enforcers"]), ["1.7.0"], PODS) == ""


ELSEWHERE = {
    "on another hook": enforced(subsystem="syscalls", event="sys_enter_dup"),
    "on the way out": enforced(event="sys_exit"),
    "after the return": enforced("matchReturnActions"),
    "for every call": enforced(selectors=[{"matchActions": [{"action": "NotifyEnforcer"}]}]),
    "by another field": enforced(args=[{"index": 0, "type": "int64"}, *FIELDS]),
    "by another place": enforced(at=[1], args=[*FIELDS, {"index": 0, "type": "int64"}]),
    "by a field that is not read": enforced(args=[]),
    "for other calls": replace(
        enforced(), spec={**enforced().spec, "enforcers": [{"calls": ["sys_dup"]}], "lists": []}
    ),
    "by a kprobe on the same function": of(
        kprobes=[{"call": "sys_dup", "selectors": [{"matchActions": [{"action": "NotifyEnforcer"}]}]}],
        enforcers=[{"calls": ["sys_dup"]}],
    ),
    "by a macro": of(
        kprobes=[{"call": "sys_dup", "selectors": [{"macros": ["kill"]}]}],
        enforcers=[{"calls": ["sys_dup"]}],
        selectorsMacros={"kill": {"matchActions": [{"action": "NotifyEnforcer"}]}},
    ),
}


@pytest.mark.parametrize("policy", ELSEWHERE.values(), ids=ELSEWHERE)
@pytest.mark.parametrize("scope", Scope)
def test_an_enforcer_that_could_meet_a_number_that_is_anothers_now_is_not_confined(
    policy: Policy, scope: Scope
) -> None:
    """The thread was noted, and ended before it came to the enforcer."""
    assert "could be another's by then" in why_not(policy, ["1.7.0"], scope)


def test_a_selector_that_has_no_room_for_one_namespace_more_is_not_confined() -> None:
    """The agent would refuse what we made of it; a selector of pods takes no room."""
    asked = [{"namespace": name, "operator": "In", "values": ["1"]} for name in ("Uts", "Mnt", "Pid", "Net")]
    full = of(kprobes=[KPROBE], lsmhooks=[{"hook": "file_open", "selectors": [{"matchNamespaces": asked}]}])
    assert "a selector of its lsmhooks asks for 4 namespaces" in why_not(full, ["1.7.0"], CONTAINERS)
    assert why_not(full, ["1.7.0"], PODS) == ""
    hook = {**KPROBE, "selectors": [{"matchNamespaces": asked[:3]}]}
    assert why_not(of(kprobes=[hook]), ["1.7.0"], CONTAINERS) == ""
    macros = {"ours": {"matchNamespaces": asked[:1]}}
    used = of(kprobes=[{**KPROBE, "selectors": [{"macros": ["ours"]}]}], selectorsMacros=macros)
    assert "the macro ours asks for namespaces" in why_not(used, ["1.7.0"], CONTAINERS)
    assert why_not(used, ["1.7.0"], PODS) == ""
    assert why_not(of(kprobes=[KPROBE], selectorsMacros=macros), ["1.7.0"], CONTAINERS) == ""


def test_a_namespace_that_others_share_keeps_nothing() -> None:
    """This machine's own, everybody's first, or none that was told."""
    here = str(Path("/proc/self/ns/ipc").stat().st_ino)
    assert why_not_in(INODE) == ""
    for inode in (here, "4026531839", "", "host_ns"):
        assert "no IPC namespace of their own" in why_not_in(inode)
    assert "(theirs is not known)" in why_not_in("")


@pytest.mark.parametrize("selector", ["podSelector", "containerSelector"])
def test_what_selects_pods_needs_kubernetes(selector: str) -> None:
    """Also one that selects all of them."""
    assert f"{selector} needs Kubernetes" in without_kubernetes(of(kprobes=[KPROBE], **{selector: {}}), "1.8.0")
    assert f"{selector} needs Kubernetes" in without_kubernetes(of(kprobes=[KPROBE], **{selector: SELECTOR}), "")
    assert without_kubernetes(of(kprobes=[KPROBE], **{selector: None}), "1.7.0") == ""


@pytest.mark.parametrize(
    ("agent", "takes"),
    [
        ("1.4.1", False),
        ("1.6.2", False),
        ("1.7.0", False),
        ("1.8.0-pre.0", False),
        ("1.8.0-pre.0-329-gabc1234", False),
        ("1.8.0-pre.0-653-g4fbfe2d74", True),
        ("1.7.1", True),
        ("1.8.0", True),
    ],
)
def test_without_kubernetes_hosts_are_selected_from_1_7_1_on(agent: str, takes: bool) -> None:
    """Of an agent whose version is not known, its own word will tell."""
    hosts = of(kprobes=[KPROBE], hostSelector={})
    assert (without_kubernetes(hosts, agent) == "") is takes
    assert without_kubernetes(hosts, "") == ""


def test_a_policy_that_is_not_applied_is_told_with_the_ways_out() -> None:
    """Those that there are: what needs Kubernetes has none without it."""
    told = not_applied(of(loader=True), "loader hooks all", PODS)
    assert told.startswith("loader hooks all; so it cannot be confined to the run's own pods, and is not applied")
    assert "CLUSTER_WIDE=1" in told
    assert "KERNEL=" in told
    assert "KERNEL=" not in not_applied(of(loader=True, podSelector={}), "so it is", PODS)
    here = not_applied(of(loader=True), "so it is", CONTAINERS)
    assert "KERNEL=" in here
    assert "CLUSTER_WIDE" not in here
