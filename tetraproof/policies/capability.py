"""What a kernel and an agent can do, by their own word, and what becomes of a policy there.

The agent's word on the policy's state decides. What `tetra probe`, the kernel's
config and the agent's settings say explains it, and where the two disagree the
explanation says that too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tetraproof.policies import refusal
from tetraproof.policies.policy import Policy
from tetraproof.policies.policy_state import Counters, HookState, PolicyState
from tetraproof.policies.refusal import Fault
from tetraproof.policies.requirement import (
    Requirement,
    allowed_to_lack,
    demanded_mode,
    hook_count,
    misplaced,
    multi_is_off,
    requirements,
)
from tetraproof.text import safe
from tetraproof.verdict import Verdict

__all__ = [
    "OPTIONS",
    "Capabilities",
    "Counters",
    "Loading",
    "PolicyState",
    "holding",
    "kernel_options",
    "loading",
    "probed",
]

# `name: true`, and `uprobe_multi true` as 1.4.1 writes it
_PROBED = re.compile(r"^(\w+):?\s+(true|false)\s*$", re.MULTILINE)
#: Kernel options that say what BPF can do; the other twelve thousand lines of a config are left out of recordings.
OPTIONS = re.compile(r"BPF|KPROBE|UPROBE|FTRACE|BTF|LSM|ERROR_INJECTION|CONFIG_SECURITY\b|PERF_EVENTS")
_CONFIG_SET = re.compile(r"^(CONFIG_\w+)=(.*)$", re.MULTILINE)
_CONFIG_UNSET = re.compile(r"^# (CONFIG_\w+) is not set$", re.MULTILINE)
#: The kernel option behind a probed feature, to say where a lack comes from.
_OPTION_OF = {
    "override_return": ("CONFIG_BPF_KPROBE_OVERRIDE", "CONFIG_FUNCTION_ERROR_INJECTION"),
    "lsm": ("CONFIG_BPF_LSM",),
}
#: Why a hook was left out, as a clause.
_LEFT_OUT = {
    "digest_rejected": "its program has another digest than the policy asks for",
    "call_not_found": "its function was not found",
    "partial_call_not_found": "some of its functions were not found",
}


@dataclass(frozen=True)
class Capabilities:
    """What is known of one node: features by `tetra probe`, kernel options, and the agent's settings.

    `functions` are the names of its kernel's functions (of its BTF, or its /proc/kallsyms) where somebody asked.
    """

    probed: Mapping[str, bool] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    functions: Collection[str] = frozenset()

    def has(self, name: str) -> bool | None:
        """Whether the capability is there; nothing where nobody said."""
        if name == "policy_filter":
            setting = self.settings.get("enable-policy-filter")
            return None if setting is None else setting.lower() == "true"
        if name.startswith("CONFIG_"):
            return None if name not in self.options else self.options[name] != "n"
        return self.probed.get(name)

    def source(self, name: str) -> str:
        """Where `has` looked it up, with the kernel options behind it, as a clause."""
        if name == "policy_filter":
            value = self.settings.get("enable-policy-filter")
            return f"the agent's settings say enable-policy-filter: {value}"
        if name.startswith("CONFIG_"):
            return f"the kernel's config says {name}={self.options.get(name, 'nothing')}"
        told = self.probed.get(name)
        said = f"`tetra probe` says {name}: {str(told).lower()}" if told is not None else f"nobody probed {name}"
        unset = [option for option in _OPTION_OF.get(name, ()) if self.options.get(option) == "n"]
        return said + (f" ({', '.join(unset)} is not set)" if unset else "")

    @property
    def multi_is_off(self) -> bool:
        """Whether the agent as a whole runs without kprobe-multi."""
        return self.settings.get("disable-kprobe-multi", "").lower() == "true"


def probed(text: str) -> dict[str, bool]:
    """The features in the output of `tetra probe`; lines of other form (its log) are passed over."""
    return {name: value == "true" for name, value in _PROBED.findall(text)}


def kernel_options(text: str) -> dict[str, str]:
    """The options of a kernel config; one that is not set is `n`."""
    return dict(_CONFIG_SET.findall(text)) | dict.fromkeys(_CONFIG_UNSET.findall(text), "n")


@dataclass(frozen=True)
class Loading:
    """What became of applying a policy: conforms when it is in force on every node."""

    verdict: Verdict
    reason: str = ""


def loading(policy: Policy, states: Sequence[PolicyState], capabilities: Mapping[str, Capabilities]) -> Loading:
    """Judge that `policy` is in force, from its state on every node and what each node can do."""
    if policy.hooks_nothing:
        return Loading(Verdict.VIOLATES, "the policy hooks nothing, so nothing becomes of it wherever it is applied")
    if not states:
        return Loading(Verdict.INCONCLUSIVE, "no agent says anything of the policy's state")
    judged = [_on_node(policy, state, capabilities.get(state.node, Capabilities())) for state in states]
    judged = _named(judged, states) if len(states) > 1 else judged
    judged += _silent(capabilities.keys() - {state.node for state in states})
    return min(judged, key=lambda loading: loading.verdict)


def holding(
    policy: Policy,
    before: Sequence[PolicyState],
    after: Sequence[PolicyState],
    capabilities: Mapping[str, Capabilities],
    answered: Collection[str] | None = None,
) -> Loading:
    """Judge that `policy`, in force by the states `before` the acts, was the same policy in force `after` them.

    `answered` are the nodes whose agents listed their policies after the acts, where that is known: one of these that
    does not list this policy has lost it. A node that nobody heard of is inconclusive.
    """
    judged = []
    for state in before:
        # an agent that names the policy twice is judged by the worse of its words
        later: list[PolicyState | None] = [one for one in after if one.node == state.node]
        each = [_still(policy, state, one, capabilities, answered) for one in later or [None]]
        judged.append(min(each, key=lambda loading: loading.verdict))
    judged = _named(judged, before) if len(before) > 1 else judged
    return min(judged, key=lambda loading: loading.verdict, default=Loading(Verdict.CONFORMS))


def _still(
    policy: Policy,
    before: PolicyState,
    after: PolicyState | None,
    capabilities: Mapping[str, Capabilities],
    answered: Collection[str] | None,
) -> Loading:
    node = before.node or "the node"
    if after is None and before.node in (answered or ()):
        return Loading(Verdict.VIOLATES, f"after the acts the agent of {node} has no such policy any more")
    if after is None:
        return Loading(Verdict.INCONCLUSIVE, f"after the acts the agent of {node} says nothing of the policy's state")
    if before.id and after.id and before.id != after.id:
        words = f"the policy was loaded anew on {node} during the acts: its id was {before.id}, and is {after.id}"
        return Loading(Verdict.VIOLATES, words)
    judged = _on_node(policy, after, capabilities.get(after.node, Capabilities()))
    if judged.verdict is not Verdict.CONFORMS:
        # a lack that shows only now is no lack of before: the policy was in force, and is not any more
        lost = before.enabled and judged.verdict is Verdict.UNSUPPORTED
        return Loading(Verdict.VIOLATES if lost else judged.verdict, f"after the acts: {judged.reason}")
    if before.mode and after.mode and before.mode != after.mode:
        return Loading(Verdict.VIOLATES, f"on {node} the mode was {before.mode}, and is {after.mode} after the acts")
    return judged


def _named(judged: Sequence[Loading], states: Sequence[PolicyState]) -> list[Loading]:
    """The judgements, each reason with the node that it is about."""
    return [
        replace(one, reason=f"on {state.node}: {one.reason}") if one.reason and state.node not in one.reason else one
        for one, state in zip(judged, states, strict=True)
    ]


def _silent(nodes: Collection[str]) -> list[Loading]:
    words = "the agent of node {} says nothing of the policy's state"
    return [Loading(Verdict.INCONCLUSIVE, words.format(node)) for node in sorted(nodes)]


def _on_node(policy: Policy, state: PolicyState, here: Capabilities) -> Loading:
    node = state.node or "the node"
    if state.enabled or (state.state == "partially_enabled" and not state.error):
        return _enabled(policy, state, here)
    if state.error:
        return _refused(policy, state, here)
    if state.state == "skipped" and policy.spec.get("nodeSelector"):
        return Loading(Verdict.UNSUPPORTED, f"the policy's own nodeSelector leaves {node} out")
    if state.state in {"disabled", "load_error", "error", "unloading"}:
        return Loading(Verdict.VIOLATES, _not_in_force(node, state))
    words = "was still loading it" if state.state == "loading" else f"says {state.state}, which tells nothing of it"
    return Loading(Verdict.INCONCLUSIVE, f"the agent of {node} {words}")


def _enabled(policy: Policy, state: PolicyState, here: Capabilities) -> Loading:
    demanded, node = demanded_mode(policy), state.node or "the node"
    if demanded and state.mode and demanded != state.mode.removesuffix("_only"):
        words = f"the policy demands mode {demanded}, and the agent of {node} has it in mode {state.mode}"
        return Loading(Verdict.VIOLATES, words)
    left_out = [hook for hook in state.hooks if hook.state != "loaded"]
    if left_out:
        return min((_left_out(policy, hook, left_out) for hook in left_out), key=lambda loading: loading.verdict)
    if state.state == "partially_enabled":
        return Loading(Verdict.INCONCLUSIVE, f"some hooks were not loaded on {node}, and the agent does not say which")
    lacking = _lacking(policy, here)
    return Loading(Verdict.CONFORMS, f"enabled, though {_explained(lacking[0], here)}" if lacking else "")


def _left_out(policy: Policy, hook: HookState, every: Sequence[HookState]) -> Loading:
    """What it means that a hook was left out: nothing bad where the policy allows it, and has others."""
    why = _LEFT_OUT.get(hook.state)
    if why is None:
        return Loading(Verdict.INCONCLUSIVE, f"the agent says {hook.state} of {_place(hook)}")
    if not allowed_to_lack(policy, hook.kind, hook.at):
        return Loading(Verdict.VIOLATES, f"{_place(hook)} is not in force: {why}")
    if len([one for one in every if one.state != "partial_call_not_found"]) >= hook_count(policy):
        return Loading(
            Verdict.UNSUPPORTED, f"no hook of the policy is in force here, as it allows: {_place(hook)}, {why}"
        )
    return Loading(Verdict.CONFORMS, f"enabled without {_place(hook)}, as the policy allows: {why}")


def _refused(policy: Policy, state: PolicyState, here: Capabilities) -> Loading:
    """Whose fault a refusal is: by the agent's words; where these do not tell, by what is known to be lacking."""
    node = state.node or "the node"
    lacking = _lacking(policy, here)
    reading = refusal.read(state.error, policy, here.functions)
    mistake = misplaced(policy)
    said = f"the agent refuses: {refusal.REMEDY.sub('', state.word)}"
    if reading is not None and reading.fault is Fault.POLICY:
        return Loading(Verdict.VIOLATES, "; ".join(filter(None, (_not_in_force(node, state), reading.why))))
    if mistake and "verride" in state.error:
        return Loading(Verdict.VIOLATES, f"{_not_in_force(node, state)}; {mistake}")
    if reading is not None and reading.fault is Fault.LACK:
        reason = f"{said}; {reading.why}" if reading.why else said
    elif lacking:
        reason = said
    elif reading is not None:
        return Loading(Verdict.INCONCLUSIVE, f"{_not_in_force(node, state)}; this says nothing of the policy")
    else:
        return Loading(Verdict.VIOLATES, _not_in_force(node, state))
    if lacking:
        reason = f"{_explained(lacking[0], here)}; {reason}"
    elif (need := _doubted(policy, here)) is not None:
        reason = f"{reason} (by derivation it could: {here.source(need)})"
    remedy = refusal.REMEDY.search(state.error)
    return Loading(Verdict.UNSUPPORTED, f"{reason}; its remedy: {remedy[1]}" if remedy else reason)


def _not_in_force(node: str, state: PolicyState) -> str:
    return f"applied, but not in force on {node}: {state.word}"


def _lacking(policy: Policy, here: Capabilities) -> list[Requirement]:
    return [need for need in requirements(policy) if all(here.has(name) is False for name in need.any_of)]


def _explained(need: Requirement, here: Capabilities) -> str:
    return f"{need.why}; {here.source(need.any_of[0])}"


def _doubted(policy: Policy, here: Capabilities) -> str | None:
    """A capability that is there and should have been enough, where nothing else explains the refusal."""
    if not (multi_is_off(policy) or here.multi_is_off):
        return None  # with kprobe-multi on, fmod_ret is no help
    names = {name for need in requirements(policy) for name in need.any_of}
    return next((name for name in ("override_return", "fmodret") if name in names and here.has(name)), None)


def _place(hook: HookState) -> str:
    return f"{hook.kind}[{hook.at}]" + (f" ({safe(hook.name)})" if hook.name else "")
