"""What keeps a policy to the run's own pods or containers, and which policies nothing keeps to them.

On a cluster a policy is confined by a `podSelector` for the run's pods, or by the run's own namespace. Without
Kubernetes an agent knows no pods, but every selector can ask for the Linux namespaces of the process: a run's
containers share one IPC namespace, and nobody else has it. Not every part of a policy heeds the one and the other,
in every Tetragon. The tables below say which does; a part that they do not have is not taken to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from tetraproof.policies.policy import Policy

Version = tuple[int, int, int, int, int, int]


class Scope(Enum):
    """What a policy is confined to, in the words of a sentence."""

    PODS = "the run's own pods"
    CONTAINERS = "the run's containers"


#: In every Tetragon from 1.1.0 to main (August 2026), which are those that were looked at.
_EVERY = ("0.0.0",)
_NO: tuple[str, ...] = ()
#: Commit "tracing: Scope uprobe and usdt events via policyfilter" of July 2026, on main and on these three branches:
#: without it `PolicyID` stays 0 in pkg/sensors/tracing/genericuprobe.go and genericusdt.go.
_SCOPED_PROBES = ("1.5.1", "1.6.2", "1.7.1", "1.8.0-pre.1")
#: Up to 1.6 `isValidUprobeSelectors` in pkg/sensors/tracing/genericuprobe.go refuses matchNamespaces.
_PROBES_IN_NAMESPACES = ("1.7.0",)
#: Commit "Do not require enable-policy-filter on hostSelector" of July 2026, in pkg/sensors/k8s.go: the 330th of main
#: after 1.8.0-pre.0.
_HOST_WITHOUT_KUBERNETES = ("1.7.1", "1.8.0-pre.0-330-g11b55c3c1")

#: For each part of a spec, since which versions it keeps to pods (by `policy_filter_check` in
#: bpf/process/policy_filter.h) and to containers (by `matchNamespaces`: `selector_process_filter` in
#: bpf/process/pfilter.h, filled by `get_namespaces`). A version of a series counts for that series and, of the
#: newest, for all that follow.
_PARTS: Mapping[str, Mapping[Scope, tuple[str, ...]]] = {
    # generic_start_process_filter in bpf/process/generic_calls.h (up to 1.1: generic_kprobe_start_process_filter)
    "kprobes": {Scope.PODS: _EVERY, Scope.CONTAINERS: _EVERY},
    # generic_tracepoint_event in bpf/process/bpf_generic_tracepoint.c; raw ones by bpf_generic_rawtp.c, as kprobes
    "tracepoints": {Scope.PODS: _EVERY, Scope.CONTAINERS: _EVERY},
    # bpf/process/bpf_generic_lsm_core.c, as kprobes; PolicyID in pkg/sensors/tracing/genericlsm.go since they came
    "lsmhooks": {Scope.PODS: _EVERY, Scope.CONTAINERS: _EVERY},
    # bpf/process/bpf_generic_fentry.c, as kprobes; PolicyID by addKprobe in pkg/sensors/tracing/generickprobe.go
    "fentries": {Scope.PODS: _EVERY, Scope.CONTAINERS: _EVERY},
    "uprobes": {Scope.PODS: _SCOPED_PROBES, Scope.CONTAINERS: _PROBES_IN_NAMESPACES},
    "usdts": {Scope.PODS: _SCOPED_PROBES, Scope.CONTAINERS: _EVERY},
    # PolicyHandler in pkg/sensors/tracing/loader_linux.go refuses a filter, and it has no selectors
    "loader": {Scope.PODS: _NO, Scope.CONTAINERS: _NO},
    # bpf/process/bpf_enforcer.c acts on a thread that one of the policy's hooks has noted: see `_stray_note`
    "enforcers": {Scope.PODS: _EVERY, Scope.CONTAINERS: _EVERY},
    # AddPolicy in pkg/policyfilter/state.go: what is not of a pod is let in beside what podSelector selects
    "hostSelector": {Scope.PODS: _NO, Scope.CONTAINERS: _EVERY},
    # these only narrow: all that are there have to hold
    "podSelector": {Scope.PODS: _EVERY, Scope.CONTAINERS: _EVERY},
    "containerSelector": {Scope.PODS: _EVERY, Scope.CONTAINERS: _EVERY},
    "nodeSelector": {Scope.PODS: _EVERY, Scope.CONTAINERS: _EVERY},
    # these hook nothing by themselves
    "lists": {Scope.PODS: _EVERY, Scope.CONTAINERS: _EVERY},
    "options": {Scope.PODS: _EVERY, Scope.CONTAINERS: _EVERY},
    "selectorsMacros": {Scope.PODS: _EVERY, Scope.CONTAINERS: _EVERY},
}
#: The hooks that have selectors.
_HOOKS = ("kprobes", "tracepoints", "lsmhooks", "uprobes", "usdts", "fentries")
#: Why a part does not keep to what is ours, where there is more to say than that.
_REACHES = {
    "loader": "loader hooks every process, whatever is selected",
    "hostSelector": "hostSelector selects every process of the hosts, whatever podSelector stands beside it",
}
#: How many namespaces a selector may ask for with the smaller of the agent's programs, those for old kernels
#: (NUM_NS_FILTERS_SMALL in bpf/process/pfilter.h).
_NAMESPACES = 4
#: The inode of the IPC namespace that a machine begins with, which is everybody's (PROC_IPC_INIT_INO in Linux).
_EVERYBODYS = 0xEFFFFFFF
#: The number of a system call among the fields of raw_syscalls/sys_enter.
_CALL = 4
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-(pre|rc)\.(\d+))?(?:-(\d+)-g[0-9a-f]+)?")
#: A release comes after its candidates, and those after what came before.
_STAGES = {"pre": 0, "rc": 1, None: 2}


def to_pods(spec: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """The spec of a policy for the pods alone that carry `labels`, besides what it selects by itself."""
    selector = spec.get("podSelector") or {}
    return {**spec, "podSelector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **labels}}}


def confined(spec: Mapping[str, Any], inode: str) -> dict[str, Any]:
    """The spec of a policy, with every selector asking for the IPC namespace `inode` besides what it asks for."""
    return {key: [_hook(one, inode) for one in value or ()] if key in _HOOKS else value for key, value in spec.items()}


def why_not(policy: Policy, agents: Sequence[str], scope: Scope) -> str:
    """Why a policy cannot be confined, in a clause; nothing where it can.

    `agents` are the versions of all the agents that it would be applied to ("1.7.0"; empty where one is not known),
    and matter only where `by_version` says so.
    """
    spec = _present(policy.spec)
    parts = (_why_not_part(part, agents, scope) for part in spec)
    return next(filter(None, (*parts, _stray_note(spec), _crowded(spec) if scope is Scope.CONTAINERS else "")), "")


def by_version(policy: Policy, scope: Scope) -> bool:
    """Whether the agents' versions have a say in whether a policy can be confined."""
    return any(_PARTS.get(part, {}).get(scope, _NO) not in {_EVERY, _NO} for part in _present(policy.spec))


def without_kubernetes(policy: Policy, agent: str) -> str:
    """What of a policy only Kubernetes has, in a clause; `agent` is the version, empty where it is not known."""
    if policy.kind == "TracingPolicyNamespaced":
        return f"a {policy.kind} needs Kubernetes: without it there are no namespaces of pods to confine it to"
    # one that is empty selects as well, and only null is nothing
    for selector in ("podSelector", "containerSelector"):
        if policy.spec.get(selector) is not None:
            return f"{selector} needs Kubernetes: without it the agent knows no pods"
    if policy.spec.get("hostSelector") is not None and _before(agent, _HOST_WITHOUT_KUBERNETES):
        return (
            f"hostSelector needs Kubernetes up to Tetragon 1.7.0, and this agent is {agent}: without it all that runs "
            "is of the host, so the policy means the same without its hostSelector"
        )
    return ""


def why_not_in(inode: str) -> str:
    """Why an IPC namespace, told by its inode, keeps nothing to the run's containers, in a clause; nothing if it does.

    It is not theirs alone where it is this machine's own, or the one that every machine begins with.
    """
    try:
        here = str(Path("/proc/self/ns/ipc").stat().st_ino)
    except OSError:
        here = ""
    if inode.isdecimal() and inode not in {here, str(_EVERYBODYS)}:
        return ""
    return f"the run's containers have no IPC namespace of their own (theirs is {inode or 'not known'})"


def not_applied(policy: Policy, reason: str, scope: Scope) -> str:
    """The sentence on a policy that is not applied for a reason, a clause, with the ways to apply it all the same."""
    if scope is Scope.CONTAINERS:
        ways = "KERNEL=, as in KERNEL=debian:6.12, applies it in a guest of its own"
    else:
        ways = "CLUSTER_WIDE=1, or --cluster-wide, applies it as it is written, to everything that runs there"
        if not without_kubernetes(policy, ""):
            ways += "; TARGET=standalone with KERNEL=, as in KERNEL=debian:6.12, in a guest of its own"
    return f"{reason}; so it cannot be confined to {scope.value}, and is not applied ({ways})"


def _why_not_part(part: str, agents: Sequence[str], scope: Scope) -> str:
    known = _PARTS.get(part)
    if known is None:
        return f"nothing is known here of {part}, so nobody can say that it keeps to {scope.value}"
    since = known[scope]
    if since == _EVERY:
        return ""
    if since == _NO:
        return _REACHES[part]
    agent = next((one for one in agents if not _has(one, since)), None) if agents else ""
    if agent is None:
        return ""
    which = f"Tetragon {agent}" if _read(agent) else f"a Tetragon whose version is {agent or 'not known'}"
    if scope is Scope.CONTAINERS:
        return f"{part} can ask for no namespace with {which} (from {since[-1]} on they can)"
    return f"{part} reach every process with {which}, whatever podSelector says (mended in {', '.join(since[:-1])})"


def _stray_note(spec: Mapping[str, Any]) -> str:
    """Why an enforcer could meet others, in a clause.

    A hook notes the thread by its number, and the enforcer acts on the next call of that number. Where the two do
    not meet in one and the same call, the thread may end in between, and its number be another's. They meet where
    the note is made at the entry of system calls, for calls of the enforcer only: its own probes come first on
    a function that both hook (`sortSensors` in pkg/sensors/sensors.go).
    """
    calls = {call for one in spec.get("enforcers") or () for call in one.get("calls") or ()}
    if not calls:
        return ""
    macros = spec.get("selectorsMacros") or {}
    for kind, hook, selector in _selectors(spec):
        used = [selector, *(macros.get(name) or {} for name in selector.get("macros") or ())]
        notes = any(_notifies(one, "matchActions") for one in used)
        late = any(_notifies(one, "matchReturnActions") for one in used)
        at_entry = kind == "tracepoints" and (hook.get("subsystem"), hook.get("event")) == ("raw_syscalls", "sys_enter")
        if late or (notes and not (at_entry and any(_only(hook, one, calls) for one in used))):
            return (
                f"its enforcer acts on threads by their numbers, and its {kind} note them elsewhere than at the entry "
                "(raw_syscalls/sys_enter) of the enforcer's own calls: a number could be another's by then"
            )
    return ""


def _notifies(selector: Mapping[str, Any], actions: str) -> bool:
    return any(action.get("action") == "NotifyEnforcer" for action in selector.get(actions) or ())


def _only(hook: Mapping[str, Any], selector: Mapping[str, Any], calls: set[str]) -> bool:
    """Whether a selector of raw_syscalls/sys_enter asks for nothing but these calls."""
    return any(
        _of_call(hook, one) and one.get("operator") == "InMap" and calls.issuperset(one.get("values") or [""])
        for one in selector.get("matchArgs") or ()
    )


def _of_call(hook: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Whether what is asked of is the call's number: by its field, or by its place among the hook's arguments.

    As InitKernelSelectors in pkg/sensors/tracing/generictracepoint.go reads it, where the field goes first.
    """
    fields = [one.get("index") for one in hook.get("args") or ()]
    places = asked.get("args")
    at = places[0] if places else asked.get("index")
    if not places and at in fields:
        return bool(at == _CALL)
    return isinstance(at, int) and at < len(fields) and fields[at] == _CALL


def _crowded(spec: Mapping[str, Any]) -> str:
    """Why a selector cannot ask for one namespace more, in a clause."""
    macros = spec.get("selectorsMacros") or {}
    for kind, _, selector in _selectors(spec):
        asked = len(selector.get("matchNamespaces") or ())
        if asked >= _NAMESPACES:
            return f"a selector of its {kind} asks for {asked} namespaces, and not every agent takes one more"
        # useMacro in pkg/sensors/tracing/generic.go: a field stands in a selector or in one of its macros, not in both
        for name in selector.get("macros") or ():
            if (macros.get(name) or {}).get("matchNamespaces"):
                return f"the macro {name} asks for namespaces, so a selector of its {kind} cannot ask for one more"
    return ""


def _selectors(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Each selector of each hook, with the hook and its kind."""
    for kind in _HOOKS:
        for hook in spec.get(kind) or ():
            for selector in hook.get("selectors") or ():
                yield kind, hook, selector or {}


def _present(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a spec that say something: an empty selector does, an empty list and a loader that is off do not."""
    return {part: value for part, value in spec.items() if value is not None and value is not False and value != []}


def _hook(hook: Mapping[str, Any], inode: str) -> dict[str, Any]:
    wanted = {"namespace": "Ipc", "operator": "In", "values": [inode]}
    selectors = [selector or {} for selector in hook.get("selectors") or [{}]]
    return {
        **hook,
        "selectors": [
            {**selector, "matchNamespaces": [*(selector.get("matchNamespaces") or []), wanted]}
            for selector in selectors
        ],
    }


def _has(agent: str, since: Sequence[str]) -> bool:
    """Whether an agent is known to be of a version that has what came with `since`."""
    version = _read(agent)
    marks = [mark for text in since if (mark := _read(text))]
    if version is None:
        return False
    return version >= marks[-1] or any(version[:2] == mark[:2] and version >= mark for mark in marks)


def _before(agent: str, since: Sequence[str]) -> bool:
    """Whether an agent is known to be of a version that has not what came with `since`."""
    return _read(agent) is not None and not _has(agent, since)


def _read(text: str) -> Version | None:
    """A version to compare by; nothing for what is none of Tetragon's own (a build of somebody else's)."""
    found = _VERSION.fullmatch(text.strip())
    if found is None:
        return None
    major, minor, patch, stage, number, commits = found.groups()
    return int(major), int(minor), int(patch), _STAGES[stage], int(number or 0), int(commits or 0)
