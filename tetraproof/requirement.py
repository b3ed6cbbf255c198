"""What a policy needs of a kernel and an agent, derived from the policy itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tetraproof.policy import Policy

#: Actions that the agent carries out by the `bpf_send_signal` helper.
SIGNALS = {"Sigkill", "Signal"}
#: The kernel option without which hooks of a kind cannot be.
_OPTION_OF_HOOKS = {"kprobes": "CONFIG_KPROBES", "uprobes": "CONFIG_UPROBES", "lsmhooks": "CONFIG_BPF_LSM"}


@dataclass(frozen=True)
class Requirement:
    """One need, met when any of `any_of` is there: names as `tetra probe` has them, or kernel options.

    `why` is a clause that says what needs it.
    """

    any_of: tuple[str, ...]
    why: str


def requirements(policy: Policy) -> tuple[Requirement, ...]:
    """All that `policy` needs, each need once."""
    return tuple(dict.fromkeys(_needs(policy)))


def multi_is_off(policy: Policy) -> bool:
    """Whether the policy's own options turn kprobe-multi off for it."""
    options = policy.spec.get("options") or []
    return any(
        option.get("name") == "disable-kprobe-multi" and str(option.get("value")).lower() in {"1", "true"}
        for option in options
    )


def _needs(policy: Policy) -> Iterator[Requirement]:
    for hooks, option in _OPTION_OF_HOOKS.items():
        if policy.spec.get(hooks):
            yield Requirement((option,), f"{hooks} need {option}")
    for hook in _hooks(policy):
        yield from _needs_of_actions(hook)
    if policy.spec.get("lsmhooks"):
        yield Requirement(("lsm",), "an LSM hook needs BPF LSM")
    if any(argument.get("maxData") for argument in _arguments(policy)):
        yield Requirement(("large",), "maxData needs large programs")
    if policy.kind == "TracingPolicyNamespaced" or policy.spec.get("podSelector"):
        yield Requirement(("policy_filter",), "to guard only some pods needs the agent's policy filter")


def _needs_of_actions(hook: Mapping[str, Any]) -> Iterator[Requirement]:
    for action in _actions(hook):
        if action in SIGNALS:
            yield Requirement(("signal",), f"{action} needs the helper bpf_send_signal")
        elif action == "Override" and hook.get("syscall"):
            any_of = ("override_return", "fmodret_syscall")
            yield Requirement(any_of, "Override on a system call needs bpf_override_return")
        elif action == "Override" and "call" in hook:
            any_of = ("override_return", "fmodret")
            yield Requirement(any_of, f"Override on {hook['call']} needs bpf_override_return or fmod_ret")


def _arguments(policy: Policy) -> Iterator[Mapping[str, Any]]:
    for hook in _hooks(policy):
        yield from hook.get("args") or ()


def _hooks(policy: Policy) -> Iterator[Mapping[str, Any]]:
    for hooks in ("kprobes", "tracepoints", "lsmhooks", "uprobes"):
        yield from policy.normalised.get(hooks) or ()


def _actions(hook: Mapping[str, Any]) -> Iterator[str]:
    selectors: Sequence[Mapping[str, Any]] = hook.get("selectors") or ()
    for selector in selectors:
        for action in selector.get("matchActions") or ():
            yield action["action"]
