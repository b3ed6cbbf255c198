"""What a policy needs of a kernel and an agent, derived from the policy itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tetraproof.policy import Policy

#: Actions that the agent carries out by the `bpf_send_signal` helper.
SIGNALS = {"Sigkill", "Signal"}


@dataclass(frozen=True)
class Requirement:
    """One need: it is met when any of `any_of` (names as `tetra probe` has them) is there. `why` is a clause."""

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
    for kprobe in policy.normalised.get("kprobes", ()):
        for action in _actions(kprobe):
            if action in SIGNALS:
                yield Requirement(("signal",), f"{action} needs the helper bpf_send_signal")
            elif action == "Override" and kprobe.get("syscall"):
                yield Requirement(
                    ("override_return", "fmodret_syscall"), "Override on a system call needs bpf_override_return"
                )
            elif action == "Override":
                yield Requirement(
                    ("override_return", "fmodret"),
                    f"Override on {kprobe['call']} needs bpf_override_return or fmod_ret",
                )
    if policy.spec.get("lsmhooks"):
        yield Requirement(("lsm",), "an LSM hook needs BPF LSM")
    if policy.kind == "TracingPolicyNamespaced" or policy.spec.get("podSelector"):
        yield Requirement(("policy_filter",), "to guard only some pods needs the agent's policy filter")


def _actions(hook: Mapping[str, Any]) -> Iterator[str]:
    selectors: Sequence[Mapping[str, Any]] = hook.get("selectors") or ()
    for selector in selectors:
        for action in selector.get("matchActions") or ():
            yield action["action"]
