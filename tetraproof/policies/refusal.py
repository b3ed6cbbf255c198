"""The words with which an agent refuses a policy, and whose fault they say it is.

`REFUSALS` holds what Tetragon's sources say from 1.4.1 to the branch of 1.8. A word that is not
among them says nothing about whose fault it is. A function that is not found may be misspelt or
be one that this kernel lacks: that is decided by the names that are known. So may what the agent's
CRD does not have: that is decided by the CRDs of other versions.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any

from tetraproof.policies.crd import VERSIONS, takes
from tetraproof.policies.policy import Policy
from tetraproof.policies.requirement import calls


class Fault(Enum):
    """Whose fault a refusal is."""

    #: The policy asks for what no agent takes: a value, a name, a combination, more than the limit.
    POLICY = "the policy's mistake"
    #: The kernel, the agent of this version, or its settings do not have what the policy asks for.
    LACK = "the kernel's or the agent's lack"
    #: Something went wrong that says nothing about the policy: memory, permissions, time, a leftover.
    UNTOLD = "not told"


# The first that is found decides, so what is special stands before what is general.
_LACKS = (
    r"bpf_override_return helper not available",
    r"can't override \S+ function with kprobe_multi",
    r"can't override \S+ function without fmodret support",
    r"can't have multiple instances of same symbol \S+ with kprobe_multi",
    r"fmod_ret not available",
    r"no override helper or mod_ret support",
    r"option (?:fmod_ret|override return) set, but it is not supported",
    r"requires signal helper which is not available",
    r"requires kernel >= ?[\d.]+",
    r"only supported in kernels (?:>= ?[\d.]+|supporting large programs)",
    r"operators need large BPF progs",
    r"Resolve flag can(?:'t be used for your kernel| be used on v[\d.]+ kernel)",
    r"does you kernel support the bpf LSM",
    r"loader event are not supported on running kernel",
    r"can't use .{1,40}, no kernel support",
    r"can't preload string for argument",
    r"not supported in this kernel",
    r"kernel is not included in supported list",
    r"policyfilter is disabled",
    r"policyfilter is not suported in non-k8s build",
    r"(?:pod|container)Selector not allowed in non-k8s",
    r"loader sensor does not implement policy filtering",
    r"matchParentBinaries selector can be used only with parents map enabled",
    r"(?:uprobe|usdt) is not supported in a namespaced tracing policy",
    r"hostSelector does not support arbitrary labels",
    r"currently not supported",
    r"(?:not|isn't) (?:yet )?(?:implemented|supported)(?: \S+){0,4} yet\b",
    r"not yet (?:implemented|supported)",
    r"MatchReturnArgs selector is not supported",
    r"only matchPIDs selector is supported",
    r"stacktrace actions are not supported",
    r"(?:^|[:\s])(?:\w+ )?actions? (?:is |are )?not supported",
    r"preloading multiple arguments per hook point is not supported",
    r"list values loading is not supported",
    r"Resolving attributes for Uprobes is not supported",
    r"CGo binaries not supported",
    r"LSM hooks are not supported",
    r"failed to load BTF|BTF load failed|failed to find BTF:|specified BTF does not exist",
    r"unsupported arch(?:itecture)?:? ",
    # the kernel's own words, by way of the BPF library
    r"unknown func bpf_\w+",
    r"helper,? (?:bpf_\w+|which is not available)|bpf_\w+ helper not available",
    r"not supported (?:on|by|in) (?:this|the|your|running) kernel",
    r"kernel (?:is )?too old|kernel (?:lacks|does(?:n't| not) (?:have|support))",
    r"does you(?:r)? kernel support|does not you support",
    r"is not modifiable",
    r"CONFIG_[A-Z_]{3,}",
    r"(?:program|map|link|attach) types? \S* ?not supported|not supported \(requires >= v[\d.]+\)",
)
_MISTAKES = (
    r"override action can be used only with syscalls and security_ hooks",
    r"can't override security function with override-return",
    r"requires either syscall or security_ functions",
    r"we support only single enforcer sensor",
    r"need either override or kill to notify enforcer",
    r"NotifyEnforcer action specified, but spec contains no enforcers",
    r"kernelStackTrace or userStackTrace can only be used along Post action",
    r"rate limiting can only applied to post action",
    r"(?:type|Arg\(\d+\) type) '[^']*' (?:is invalid for kprobes|unsupported)",
    r"ReturnArg type '[^']*' unsupported|ReturnArgAction type '[^']*' unsupported",
    r"ReturnArg not specified with Return=true",
    r"(?:out of bo?u?nds|larger than max|too many arguments|should be in format|is longer than \d+ characters)",
    r"invalid SizeArgIndex value",
    r"has an invalid index",
    r"can't have source set|not allowed to have source configured|argument has wrong source|missing 'resolve' setup",
    r"can't preload more than one argument",
    r"unable to resolve .{1,200} maximum depth",
    r"invalid format for resolve path",
    r"MatchArgs (?:values?|capabilities mask value) .{1,200}(?:invalid|unsupported)",
    r"MatchArgs type .{1,80} (?:unsupported|do not support operator)",
    r"operators? specified for non-|sockaddr(?:_un)? only supports|operator requ(?:ires|aries)",
    r"\bsupports? (?:only|up to)\b|operators are supported|only support a single|must be either",
    r"[Oo]nly matchPIDs selector is supported",
    r"no more than \d+|[Oo]nly \d+ (?:actions|substrings)|only a single|only single instance",
    r"does not support more than \d+ values",
    r"(?:operator|argument|selector|value|type|between types|expression Kind) .{1,60}(?:is |are )?not supported",
    r"(?:unknown|Unknown) (?:op|type|file type)\b|(?:actionType|ActionType|value) \S+ unknown",
    r"Binary names > \d+ chars",
    r"can only be numeric or",
    r"(?:rateLimit|rateLimitScope) value \S+ is invalid",
    r"(?:CIDR|IP address|IP CIDR) is (?:not valid|invalid)",
    r"substring error|string is (?:empty|too long)",
    r"range (?:out of range|should be)",
    r"list '[^']*' not found|list '[^']*' (?:argument type is not|is not syscall|has values|must specify|cannot)",
    r"list '[^']*' has|invalid list type|invalid syscall (?:value|list element)",
    r"macro '[^']*' is used|undefined macro|macro definition cannot use|defined in multiple macros",
    r"failed to set option|invalid override method|invalid mode|spec\.options\S* (?:key )?has unexpected type",
    r"message field is|message field escape|tags field|custom tag n\d+",
    r"uprobe is defined either only|uprobe needs? (?:exactly|either)|RefCtrOffsets\(\d+\) has different dimension",
    r"failed to configure usdt",
    r"uprobe Override action needs",
    r"lsm hook name is empty|tracepoint (?:event|subsystem) is empty",
    r"has \d+ fields but field \d+ was requested|can read up to \d+ arguments",
    r"const_buf type cannot be user-defined",
    r"TracingPolicyNamespaced cannot match host workloads",
    r"yaml does not include spec|failed to validate TracingPolicy|failed to parse (?:register|assignment|options)",
    r"wrong ArgSelector|wrong (?:symbol|offset) ",
    r"unsupported CEL expr|compile(?:Call|Literal): |inequality .{1,40}not supported|arg\d+ has unsupported type",
    r"ftrace: '[^']*' not found|symbol not found ",
)
_UNTOLD = (
    r"a sensor collection with the key already exists|already exists: not adding|sensor already loaded",
    r"cannot allocate memory|out of memory|no space left on device|too many open files",
    r"resource temporarily unavailable",
    r"device or resource busy|deadline exceeded|context canceled|timed out|connection re(?:fused|set)|broken pipe",
    r"operation not permitted|open(?:ing)? \S+: permission denied|insufficient permissions|Insuffcient permissions",
    r"(?:namespace|kernel config|kernel version) (?:lookup )?failed",
    r"program \S+ not found|map '[^']*' (?:was )?not found|sensor program .{1,80}can not be found",
    r"failed to (?:add|get) enforcer|failed to (?:load|open) (?:bpf |enforcer )?map",
    r"kernel symbols (?:addresses are not available|uninitialized)|KernelSymbols",
)
#: What an agent says, as patterns, with whose fault it is; tried in this order.
REFUSALS: tuple[tuple[re.Pattern[str], Fault], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), fault)
    for fault, patterns in ((Fault.LACK, _LACKS), (Fault.POLICY, _MISTAKES), (Fault.UNTOLD, _UNTOLD))
    for pattern in patterns
)
_MISSING = tuple(
    re.compile(pattern)
    for pattern in (
        r'(?P<kind>syscall) "(?P<name>[\w.]+)" \(or "[^"]*"\).{0,200}not found',
        r'(?P<kind>lsm) hook "(?P<name>[\w.]+)" not found',
        r'(?P<kind>call|function|symbol|hook)s? (?:"|\')?(?P<name>[A-Za-z_][\w.]*)(?:"|\')?.{0,200}?not found',
        r"proto for (?P<kind>call) (?P<name>\S+) not found",
        r'(?P<kind>BTF) type for hook "(?:bpf_lsm_)?(?P<name>[\w.]+)".{0,200}not found',
        r"(?P<kind>tracepoint) (?P<name>[\w.-]+/[\w.-]+) not supported",
        r'perf_kprobe PMU .{0,80}"(?P<name>\w+)".{0,80}(?P<kind>no such file)',
    )
)
#: What the agent's own CRD does not have: a value, or a field.
_NOT_IN_THE_CRD = re.compile(r"validation failed: spec\.\S+ in body should be one of|json: unknown field ")
#: The part of a refusal that says what to do.
REMEDY = re.compile(r",? \b(use --[\w-]+(?: option)?)\b")
_SYSCALL = re.compile(r"^(?:__[a-z0-9]+_)?sys_")
_NEAR = 0.8


@dataclass(frozen=True)
class Reading:
    """Whose fault a refusal is, and what shows that, as a clause (empty where the agent's words say it all)."""

    fault: Fault
    why: str = ""


def read(error: str, policy: Policy, functions: Collection[str] = ()) -> Reading | None:
    """Whose fault the refusal of `policy` with the words `error` is; nothing where they are none that is known.

    `functions` are the names of the kernel's functions, where somebody asked for them.
    """
    if _NOT_IN_THE_CRD.search(error):
        return _by_crd(policy)
    for pattern in _MISSING:
        found = pattern.search(error)
        if found is not None and "list" not in error[max(0, found.start() - 6) : found.start()]:
            return _missing(found["name"], found["kind"], policy, functions)
    return next((Reading(fault) for pattern, fault in REFUSALS if pattern.search(error)), None)


def _by_crd(policy: Policy) -> Reading:
    """Whose fault it is that the agent's CRD does not take a policy."""
    first = next((version for version in VERSIONS if takes(policy.spec, version)), None)
    if first is None:
        return Reading(Fault.POLICY, "no version's CRD that is known here takes it")
    return Reading(Fault.LACK, f"the CRD of Tetragon {first} takes it, this agent's does not")


def _missing(name: str, kind: str, policy: Policy, functions: Collection[str]) -> Reading:
    """What is the matter with a name that the agent did not find."""
    if any(name in (hook.get("symbols") or ()) for hook in policy.spec.get("uprobes") or ()):
        return Reading(Fault.POLICY, f"the program has no symbol {name}")
    if kind == "tracepoint":
        return _missing_tracepoint(name)
    bare = _SYSCALL.sub("", name) if kind == "syscall" or _SYSCALL.match(name) else ""
    return _missing_syscall(name, bare) if bare else _missing_function(name, kind, policy, functions)


def _missing_syscall(name: str, bare: str) -> Reading:
    if bare in system_calls():
        return Reading(Fault.LACK, f"{bare} is a system call that other kernels have")
    near = difflib.get_close_matches(bare, system_calls(), 1, _NEAR)
    return _misspelt(name, f"sys_{near[0]}" if near else "", f"{name}: no system call of Linux is called so")


def _missing_function(name: str, kind: str, policy: Policy, functions: Collection[str]) -> Reading:
    # an LSM hook is the kernel's security_ function of the same name, and bpf_lsm_ in its BTF
    plain = f"security_{name}" if kind == "lsm" and not name.startswith("security_") else name
    if plain in functions:
        return Reading(Fault.LACK, f"this kernel has {plain}, and its BTF says nothing of it")
    if plain in known_functions():
        return Reading(Fault.LACK, f"{name} is a name that other kernels have, and this one lacks")
    others = {call for call in calls(policy) if call != name}
    near = difflib.get_close_matches(plain, {*functions, *known_functions(), *others}, 1, _NEAR)
    shown = near[0].removeprefix("security_" if plain != name else "") if near else ""
    return _misspelt(name, shown, f"this kernel has no function {name}, nor any that is known" if functions else "")


def _missing_tracepoint(name: str) -> Reading:
    subsystem, _, event = name.partition("/")
    called = re.sub(r"^sys_(?:enter|exit)_", "", event)
    if subsystem == "syscalls" and called != event:
        if called in system_calls():
            return Reading(Fault.LACK, f"this kernel has no tracepoint of the system call {called}")
        near = difflib.get_close_matches(called, system_calls(), 1, _NEAR)
        return _misspelt(
            name, name.removesuffix(called) + near[0] if near else "", f"{name}: no system call of Linux is called so"
        )
    return Reading(
        Fault.POLICY, f"{name} is misspelt, or a tracepoint of another kernel: look into /sys/kernel/tracing/events"
    )


def _misspelt(name: str, near: str, otherwise: str) -> Reading:
    if near:
        return Reading(Fault.POLICY, f"{name} is misspelt: did you mean {near}?")
    look = f"{name} is misspelt, or a function of another kernel: look for it in the node's /proc/kallsyms"
    return Reading(Fault.POLICY, otherwise or look)


@cache
def system_calls() -> frozenset[str]:
    """The names of Linux's system calls, of every architecture whose table is kept."""
    tables = _kept("syscalls.json").values()
    return frozenset(
        name for table in tables if isinstance(table, dict) for key, name in table.items() if key.isdigit()
    )


@cache
def known_functions() -> frozenset[str]:
    """Names of kernel functions that some kernel has: not all of them, and none that is not."""
    return frozenset(_kept("functions.json")["names"])


def _kept(name: str) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(files("tetraproof").joinpath("schemas", name).read_text(encoding="utf-8"))
    return kept
