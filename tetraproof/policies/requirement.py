"""What a policy needs of a kernel and an agent, derived from the policy itself.

The names are those of `tetra probe` (`override_return`), of kernel options (`CONFIG_KPROBES`), and
`policy_filter`, which is a setting of the agent's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tetraproof.policies.policy import Policy

Part = Mapping[str, Any]
#: Actions that the agent carries out by the `bpf_send_signal` helper.
SIGNALS = {"Sigkill", "Signal"}
#: Actions by which a policy does more than report: what the agent leaves out in monitor mode.
ENFORCING = SIGNALS | {"Override", "NotifyEnforcer", "NotifyKiller", "Set"}
#: The kinds of hook that have selectors.
HOOKS = ("kprobes", "tracepoints", "lsmhooks", "uprobes", "usdts", "fentries")
#: What `tetra probe` tells and no policy needs, with the reason why not.
NEEDED_BY_NONE = {
    "kprobe_multi": "kprobes are attached one by one where it is not there",
    "uprobe_multi": "uprobes are attached one by one where it is not there",
    "link_pin": "it keeps sensors over an agent's restart, which is the agent's setting",
    "missed_stats_kprobe_multi": "it counts missed calls for a metric",
    "missed_stats_kprobe": "it counts missed calls for a metric",
    "batch_update": "maps are filled one by one where it is not there",
    "audit_loginuid": "events tell an unset auid where it is not there",
    "mix_bpf_and_tail_calls": "the agent chooses its programs by it",
}
#: The kernel option without which hooks of a kind cannot be.
_OPTION_OF_HOOKS = {
    "kprobes": "CONFIG_KPROBES",
    "uprobes": "CONFIG_UPROBES",
    "usdts": "CONFIG_UPROBES",
    "lsmhooks": "CONFIG_BPF_LSM",
}
_SELECTS_PODS = ("podSelector", "containerSelector", "hostSelector")
#: The types of lists whose members are system calls.
SYSCALL_LISTS = {"syscalls", "generated_syscalls"}
_SMALL_TYPES = {"int8", "sint8", "uint8", "int16", "sint16", "uint16"}
_PREFIXES = {"Prefix", "NotPrefix", "Postfix", "NotPostfix"}


@dataclass(frozen=True)
class Requirement:
    """One need, met when any of `any_of` is there: names as `tetra probe` has them, or kernel options.

    `why` is a clause that says what needs it.
    """

    any_of: tuple[str, ...]
    why: str


def requirements(policy: Policy) -> tuple[Requirement, ...]:
    """All that `policy` needs, each need once."""
    return tuple({need.any_of: need for need in reversed(list(_needs(policy)))}.values())[::-1]


def multi_is_off(policy: Policy) -> bool:
    """Whether the policy's own options turn kprobe-multi off for it."""
    return _option(policy, "disable-kprobe-multi").lower() in {"1", "t", "true"}


def demanded_mode(policy: Policy) -> str:
    """The mode that the policy is in by its own word, `enforce` or `monitor`; nothing where it enforces nothing."""
    if not any(
        action.get("action", "") in ENFORCING for _, hook in each_hook(policy) for action in _actions(policy, hook)
    ):
        return ""
    return "monitor" if _option(policy, "policy-mode") == "monitor" else "enforce"


def misplaced(policy: Policy) -> str:
    """What every agent refuses in the policy, whatever its kernel can, in a clause; nothing where nothing is known."""
    for kind, hook in each_hook(policy):
        if kind != "kprobes" or not any(action.get("action", "") == "Override" for action in _actions(policy, hook)):
            continue
        for call in functions(policy, hook.get("call")):
            if not is_syscall(policy, hook) and not call.startswith("security_"):
                return f"Override is for system calls and security_ functions, and {call} is neither"
    return ""


def allowed_to_lack(policy: Policy, kind: str, at: int) -> bool:
    """Whether the policy itself says that its hook number `at` may be left out (`ignore`): one of a kernel's function
    that is not there, or of a program with another digest.
    """  # noqa: D205 - one sentence, of which two lines are needed
    hooks: Sequence[Part] = policy.spec.get(kind) or ()
    return at < len(hooks) and any((hooks[at].get("ignore") or {}).values())


def hook_count(policy: Policy) -> int:
    """How many hooks the policy has of the kinds that have selectors."""
    return sum(1 for _ in each_hook(policy))


def calls(policy: Policy) -> tuple[str, ...]:
    """The functions that the policy's kprobes, fentries and LSM hooks name, lists spelt out."""
    return tuple(
        call for kind, hook in each_hook(policy) for call in functions(policy, hook.get("call") or hook.get("hook"))
    )


def _needs(policy: Policy) -> Iterator[Requirement]:
    for hooks, option in _OPTION_OF_HOOKS.items():
        if policy.spec.get(hooks):
            yield Requirement((option,), f"{hooks} need {option}")
    for kind, hook in each_hook(policy):
        yield from _needs_of_kind(kind, hook)
        yield from _needs_of_arguments(kind, hook)
        for selector in _selectors(policy, hook):
            yield from _needs_of_filters(kind, hook, selector)
        for action in _actions(policy, hook):
            yield from _needs_of_action(policy, kind, hook, action.get("action", ""))
    yield from _needs_of_enforcers(policy)
    if policy.spec.get("loader"):
        yield Requirement(("buildid",), "loader events need build IDs")
    if _filters(policy):
        yield Requirement(("policy_filter",), "to guard only some pods or hosts needs the agent's policy filter")


def _needs_of_kind(kind: str, hook: Part) -> Iterator[Requirement]:
    if kind == "lsmhooks":
        yield Requirement(("lsm",), "an LSM hook needs BPF LSM")
        yield Requirement(("large",), "an LSM hook needs large programs")
    if kind == "fentries":
        yield Requirement(("fentry",), "fentries need BPF trampolines")
        if hook.get("return"):
            yield Requirement(("get_func_ret",), "what a fentry returns needs the helper bpf_get_func_ret")
    if kind == "tracepoints" and hook.get("subsystem") == "syscalls":
        yield Requirement(("CONFIG_FTRACE_SYSCALLS",), "tracepoints of system calls need CONFIG_FTRACE_SYSCALLS")
    if kind == "uprobes" and hook.get("refCtrOffsets"):
        yield Requirement(("uprobe_refctroff",), "refCtrOffsets need uprobes with reference counters")
    if hook.get("returnArgAction"):
        yield Requirement(("large",), "returnArgAction needs large programs")


def _needs_of_arguments(kind: str, hook: Part) -> Iterator[Requirement]:
    for argument in [*(hook.get("args") or ()), *(hook.get("data") or ())]:
        if argument.get("maxData"):
            yield Requirement(("large",), "maxData needs large programs")
        if argument.get("resolve") and argument.get("source") != "pt_regs":
            yield Requirement(("large",), "resolve needs large programs")
        if kind in {"uprobes", "usdts"} and argument.get("type") == "string":
            yield Requirement(("copy_from_user_str",), f"text in {kind} needs the function bpf_copy_from_user_str")


def _needs_of_filters(kind: str, hook: Part, selector: Part) -> Iterator[Requirement]:
    for name in ("matchBinaries", "matchParentBinaries"):
        if any(filtered.get("operator") in _PREFIXES for filtered in selector.get(name) or ()):
            yield Requirement(("large",), f"prefixes in {name} need large programs")
    if selector.get("matchNamespaceChanges"):
        yield Requirement(("large",), "matchNamespaceChanges needs large programs")
    if selector.get("matchWorkloads"):
        yield Requirement(("policy_filter",), "matchWorkloads needs the agent's policy filter")
    small = {argument.get("index") for argument in hook.get("args") or () if argument.get("type") in _SMALL_TYPES}
    for filtered in [*(selector.get("matchArgs") or ()), *(selector.get("matchData") or ())]:
        operator = filtered.get("operator")
        if operator == "CelExpr":
            yield Requirement(("large",), "CelExpr needs large programs")
        if operator in {"SubString", "SubStringIgnCase"} and kind == "uprobes":
            yield Requirement(("substring_kfunc",), f"{operator} needs the kernel's own search in strings")
        if filtered.get("index") in small:
            yield Requirement(("large",), "matching numbers of 8 and 16 bits needs large programs")


def _needs_of_action(policy: Policy, kind: str, hook: Part, action: str) -> Iterator[Requirement]:
    if action in SIGNALS:
        yield Requirement(("signal",), f"{action} needs the helper bpf_send_signal")
        yield Requirement(("large",), f"{action} needs large programs")
    elif action == "Set":
        yield Requirement(("probe_write_user",), "Set needs the helper bpf_probe_write_user")
    elif action == "Override" and kind == "uprobes":
        yield Requirement(("uprobe_regs_change",), "Override in a program needs uprobes that change registers")
    elif action == "Override" and kind == "kprobes":
        if is_syscall(policy, hook):
            yield Requirement(("override_return",), "Override on a system call needs bpf_override_return")
        elif any(call.startswith("security_") for call in functions(policy, hook.get("call"))):
            yield Requirement(("fmodret",), f"Override on {hook.get('call')} needs fmod_ret")


def _needs_of_enforcers(policy: Policy) -> Iterator[Requirement]:
    enforced = [call for enforcer in policy.spec.get("enforcers") or () for call in enforcer.get("calls") or ()]
    if not enforced:
        return
    yield Requirement(("signal",), "enforcers need the helper bpf_send_signal")
    named = [name for call in enforced for name in functions(policy, call)]
    method = _option(policy, "override-method")
    if any(name.startswith("security_") for name in named):
        yield Requirement(("fmodret",), "enforcers of security_ functions need fmod_ret")
    if any(not name.startswith("security_") for name in named):
        any_of = {"override-return": ("override_return",), "fmod-ret": ("fmodret_syscall",)}
        either = any_of.get(method, ("override_return", "fmodret_syscall"))
        yield Requirement(either, "enforcers of system calls need bpf_override_return, or fmod_ret on system calls")


def _filters(policy: Policy) -> bool:
    """Whether the policy is for some pods, containers or hosts alone; `{}` selects all of one of these."""
    selectors = [policy.spec.get(name) for name in _SELECTS_PODS]
    if policy.kind == "TracingPolicyNamespaced":
        return True
    return any(one is not None for one in selectors) and not all(one == {} for one in selectors)


def _option(policy: Policy, name: str) -> str:
    """What the last of the policy's own options by this name says; nothing where there is none."""
    told = [str(option.get("value")) for option in policy.spec.get("options") or () if option.get("name") == name]
    return told[-1] if told else ""


def each_hook(policy: Policy) -> Iterator[tuple[str, Part]]:
    """Each hook of the kinds that have selectors, defaults filled in, with its kind."""
    for kind in HOOKS:
        for hook in policy.normalised.get(kind) or ():
            yield kind, hook


def _selectors(policy: Policy, hook: Part) -> Iterator[Part]:
    """The selectors of a hook, and those of the macros that they use."""
    macros: Part = policy.spec.get("selectorsMacros") or {}
    for selector in hook.get("selectors") or ():
        yield selector
        for name in selector.get("macros") or ():
            yield macros.get(name) or {}


def _actions(policy: Policy, hook: Part) -> Iterator[Part]:
    for selector in _selectors(policy, hook):
        yield from selector.get("matchActions") or ()
        yield from selector.get("matchReturnActions") or ()


def _list(policy: Policy, call: str) -> Part:
    name = call.removeprefix("list:")
    lists: Sequence[Part] = policy.spec.get("lists") or ()
    return next((one for one in lists if call.startswith("list:") and one.get("name") == name), {})


def functions(policy: Policy, call: str | None) -> tuple[str, ...]:
    """The functions that `call` names: itself, or those of a list."""
    if call is None:
        return ()
    return tuple(_list(policy, call).get("values") or ()) if call.startswith("list:") else (call,)


def is_syscall(policy: Policy, hook: Part) -> bool:
    """Whether a kprobe is of system calls."""
    call = hook.get("call") or ""
    if call.startswith("list:"):
        return _list(policy, call).get("type") in SYSCALL_LISTS
    return bool(hook.get("syscall"))
