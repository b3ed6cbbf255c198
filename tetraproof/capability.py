"""What a kernel and an agent can do, by their own word, and what becomes of a policy there.

The agent's word on the policy's state decides. What `tetra probe`, the kernel's
config and the agent's settings say explains it, and where the two disagree the
explanation says that too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tetraproof.policy import Policy
from tetraproof.requirement import Requirement, multi_is_off, requirements
from tetraproof.verdict import Verdict

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
# How an agent says that kernel or agent lack something, rather than that something went wrong …
_LACKS = re.compile(
    r"unknown func bpf_\w+|bpf_\w+ helper not available|helper,? (?:bpf_\w+|which is not available)|CONFIG_[A-Z_]+"
    r"|kernel (?:is )?too old|does your kernel support|kernel (?:lacks|does(?:n't| not) (?:have|support))"
    r"|does not you support|not supported (?:on|by) (?:this|the|your|running) kernel"
    r"|(?:action|hook|event|events|fmod_ret|program|programs|feature)s? (?:is |are )?not (?:yet )?"
    r"(?:supported|available)|not modifiable|can't override \S+ function with kprobe_multi"
    r"|(?:function|call|symbol|event) .{0,80}not found|not found in (?:BTF|kernel)",
    re.IGNORECASE,
)
# … or that the policy itself is not understood.
_MISTAKES = re.compile(r"(?:operator|argument|selector|value|type) \S+ (?:is )?not supported", re.IGNORECASE)
_REMEDY = re.compile(r",? \b(use --[\w-]+(?: option)?)\b")
_PREAMBLE = re.compile(r"^policy handler '\w+' failed loading policy '[^']*': (?:override )?(?:validation failed: )?")


@dataclass(frozen=True)
class Capabilities:
    """What is known of one node: features by `tetra probe`, kernel options, and the agent's settings."""

    probed: Mapping[str, bool] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

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
class Counters:
    """How often a policy posted, enforced, and only monitored, by the agent's own count."""

    post: int = 0
    enforce: int = 0
    monitor: int = 0


@dataclass(frozen=True)
class PolicyState:
    """The agent's word on one policy on one node. `state` as it prints it (`enabled`, `load_error`, …)."""

    node: str
    name: str
    namespace: str
    state: str
    error: str = ""
    mode: str = ""
    counters: Counters | None = None

    @property
    def enabled(self) -> bool:
        """Whether the policy is in force: enabled, and no error."""
        return self.state == "enabled" and not self.error

    @property
    def word(self) -> str:
        """The agent's own words, without the part that repeats the policy's name."""
        return _PREAMBLE.sub("", self.error) or f"the state is {self.state}"


@dataclass(frozen=True)
class Loading:
    """What became of applying a policy: conforms when it is in force on every node."""

    verdict: Verdict
    reason: str = ""


def loading(policy: Policy, states: Sequence[PolicyState], capabilities: Mapping[str, Capabilities]) -> Loading:
    """Judge that `policy` is in force, from its state on every node and what each node can do."""
    if not states:
        return Loading(Verdict.INCONCLUSIVE, "no agent says anything of the policy's state")
    judged = [_on_node(policy, state, capabilities.get(state.node, Capabilities())) for state in states]
    if len(states) > 1:
        judged = [
            replace(one, reason=f"on {state.node}: {one.reason}")
            if one.reason and state.node not in one.reason
            else one
            for one, state in zip(judged, states, strict=True)
        ]
    silent = sorted(capabilities.keys() - {state.node for state in states})
    judged += [
        Loading(Verdict.INCONCLUSIVE, f"the agent of node {node} says nothing of the policy's state") for node in silent
    ]
    return min(judged, key=lambda loading: loading.verdict)


def _on_node(policy: Policy, state: PolicyState, here: Capabilities) -> Loading:
    lacking = [need for need in requirements(policy) if all(here.has(name) is False for name in need.any_of)]
    if state.enabled:
        if lacking:
            return Loading(Verdict.CONFORMS, f"enabled, though {_explained(lacking[0], here)}")
        return Loading(Verdict.CONFORMS)
    if state.state == "loading" and not state.error:
        return Loading(Verdict.INCONCLUSIVE, f"the agent of {state.node or 'the node'} was still loading it")
    if not _LACKS.search(state.error) or _MISTAKES.search(state.error):
        return Loading(Verdict.VIOLATES, f"applied, but not in force on {state.node or 'the node'}: {state.word}")
    reason = f"the agent refuses: {_REMEDY.sub('', state.word)}"
    if lacking:
        reason = f"{_explained(lacking[0], here)}; {reason}"
    elif (need := _doubted(policy, here)) is not None:
        reason = f"{reason} (by derivation it could: {here.source(need)})"
    remedy = _REMEDY.search(state.error)
    return Loading(Verdict.UNSUPPORTED, f"{reason}; its remedy: {remedy[1]}" if remedy else reason)


def _explained(need: Requirement, here: Capabilities) -> str:
    return f"{need.why}; {here.source(need.any_of[0])}"


def _doubted(policy: Policy, here: Capabilities) -> str | None:
    """A capability that is there and should have been enough, where nothing else explains the refusal."""
    if not (multi_is_off(policy) or here.multi_is_off):
        return None  # with kprobe-multi on, fmod_ret is no help
    names = (name for need in requirements(policy) for name in need.any_of if need.any_of[0] == "override_return")
    return next((name for name in names if here.has(name)), None)
