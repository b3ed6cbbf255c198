# ruff: noqa: E501 - an agent's words are not broken
"""Refusals: each in the agent's own words, with the version that says it, and whose fault it is."""

from __future__ import annotations

import dataclasses

import pytest

from tests.builders import POLICY, policy, state
from tetraproof.policies.capability import Capabilities, loading
from tetraproof.policies.refusal import Fault, known_functions, read, system_calls
from tetraproof.verdict import Verdict

PREAMBLE = "policy handler 'tracing' failed loading policy 'guard': "
KPROBE = PREAMBLE + "validation failed: error in spec.kprobes[0]: "
GUARD = policy()

#: The version that says it, whose fault it is, and the words.
TABLE = [
    # what the kernel, the agent or its settings lack
    ("1.4.1", Fault.LACK, "validation failed: Error override action not supported, bpf_override_return helper not available"),
    ("1.4.1", Fault.LACK, "Error: can't override 'security_file_open' function with kprobe_multi, use --disable-kprobe-multi option"),
    ("1.4.1", Fault.LACK, "Error: can't override 'security_file_open' function without fmodret support"),
    ("1.4.1", Fault.LACK, "Error: can't have multiple instances of same symbol 'fd_install' with kprobe_multi, use --disable-kprobe-multi option"),
    ("1.4.1", Fault.LACK, "GT/LT operators are only supported in kernels >= 5.3"),
    ("1.4.1", Fault.LACK, 'matchBinary error: "Prefix" and "NotPrefix" operators need large BPF progs (kernel>5.3)'),
    ("1.4.1", Fault.LACK, "matchBinary: followChildren not yet implemented for operation 'Prefix'"),
    ("1.4.1", Fault.LACK, "Resolving attributes for Uprobes is not supported"),
    ("1.4.1", Fault.LACK, "Loader event are not supported on running kernel"),
    ("1.4.1", Fault.LACK, 'Does you kernel support the bpf LSM? You can enable LSM BPF by modifyingthe GRUB configuration /etc/default/grub with GRUB_CMDLINE_LINUX="lsm=bpf"'),
    ("1.4.1", Fault.LACK, "Error: Resolve flag can't be used for your kernel version. Please update to version 5.4 or higher or disable Resolve flag"),
    ("1.7.0", Fault.LACK, "override validation failed: override action not supported on syscalls, bpf_override_return helper not available"),
    ("1.7.0", Fault.LACK, "override validation failed: override action not supported on security_ hooks, fmod_ret not available"),
    ("1.7.0", Fault.LACK, "override validation failed: can't override 'security_file_permission' function with kprobe_multi, use --disable-kprobe-multi option"),
    ("1.7.0", Fault.LACK, "error: can't have multiple instances of same symbol 'fd_install' with kprobe_multi, use --disable-kprobe-multi option"),
    ("1.7.0", Fault.LACK, "no override helper or mod_ret support: cannot load enforcer"),
    ("1.7.0", Fault.LACK, "option override return set, but it is not supported"),
    ("1.7.0", Fault.LACK, "option fmod_ret set, but it is not supported"),
    ("1.7.0", Fault.LACK, "enforcer sensor requires signal helper which is not available"),
    ("1.7.0", Fault.LACK, "sigkill action requires kernel >= 5.3.0"),
    ("1.7.0", Fault.LACK, "ReturnArgAction requires kernel >=5.3"),
    ("1.7.0", Fault.LACK, "error: Resolve flag can be used on v5.4 kernel or higher"),
    ("1.7.0", Fault.LACK, "matchNamespaceChanges is only supported in kernels >= 5.3"),
    ("1.7.0", Fault.LACK, "MatchArgs type int8 is only supported in kernels supporting large programs (normally versions >= 5.3)"),
    ("1.7.0", Fault.LACK, "can't use SubString operator, no kernel support"),
    ("1.7.0", Fault.LACK, "can't use override regs action, no kernel support"),
    ("1.7.0", Fault.LACK, "can't preload string for argument 0"),
    ("1.7.0", Fault.LACK, "celbpf not supported in this kernel"),
    ("1.7.0", Fault.LACK, "enforcement is not supported for fentry yet"),
    ("1.7.0", Fault.LACK, "loader event are not supported on running kernel"),
    ("1.7.0", Fault.LACK, "loader sensor does not implement policy filtering"),
    ("1.7.0", Fault.LACK, "policyfilter is disabled"),
    ("1.7.0", Fault.LACK, "matchParentBinaries selector can be used only with parents map enabled"),
    ("1.7.0", Fault.LACK, "lsm validation failed: error in spec.lsmHooks[0]: invalid selectors: NotifyEnforcer action is not supported"),
    ("1.7.0", Fault.LACK, "lsm validation failed: error in spec.lsmHooks[0]: invalid selectors: stacktrace actions are not supported"),
    ("1.7.0", Fault.LACK, "lsm validation failed: error in spec.lsmHooks[0]: invalid selectors: MatchReturnArgs selector is not supported"),
    ("1.4.1", Fault.LACK, "policy handler 'tracing' failed loading policy 'x': Only matchPIDs selector is supported"),
    ("1.6.1", Fault.LACK, "policy handler 'tracing' failed loading policy 'x': only matchPIDs selector is supported"),
    ("1.7.0", Fault.LACK, "preloading multiple arguments per hook point is not supported"),
    ("1.7.0", Fault.LACK, "spec.hostSelector does not support arbitrary labels. Only null (default) and {} (all) is supported for now"),
    ("1.7.0", Fault.LACK, "tracing policies with multiple sections of kprobes, tracepoints, lsm hooks, uprobes or usdts are currently not supported"),
    ("1.7.0", Fault.LACK, "sensor generic_kprobe from collection guard failed to load: program generic_kprobe_event: load program: invalid argument: unknown func bpf_probe_read_kernel#113"),
    ("1.7.0", Fault.LACK, "attaching 'generic_fmodret_override' failed: create tracing link: __x64_sys_getcpu() is not modifiable"),
    ("1.7.1", Fault.LACK, "uprobe is not supported in a namespaced tracing policy"),
    ("1.7.1", Fault.LACK, "usdt is not supported in a namespaced tracing policy"),
    ("1.7.1", Fault.LACK, "podSelector not allowed in non-k8s environment"),
    ("1.7.1", Fault.LACK, "containerSelector not allowed in non-k8s environment"),
    ("1.7.1", Fault.LACK, "failed to configure uprobe, GetUrl and DnsLookup actions not supported"),
    ("main", Fault.LACK, "can't use SubStringIgnCase operator, no kernel support"),
    ("1.4.1", Fault.LACK, "BTF load failed: open /sys/kernel/btf/vmlinux: no such file or directory"),
    ("1.7.0", Fault.LACK, "lsm validation failed: error in spec.lsmHooks[0]: failed to load BTF: not found"),
    # what no agent takes
    ("1.4.1", Fault.POLICY, "validation failed: Error override action can be used only with syscalls and security_ hooks"),
    ("1.4.1", Fault.POLICY, "Error list 'list:dups' not found"),
    ("1.4.1", Fault.POLICY, "spec.kprobes[0].args[0].type: type 'auto' is invalid for kprobes"),
    ("1.4.1", Fault.POLICY, "Arg(0) type 'syscall64' unsupported"),
    ("1.4.1", Fault.POLICY, "Error add arg: ArgType int Index 5 out of bounds"),
    ("1.4.1", Fault.POLICY, "ReturnArg not specified with Return=true"),
    ("1.4.1", Fault.POLICY, "Unknown op 'Equals'"),
    ("1.4.1", Fault.POLICY, "only support a single matchBinaries per selector"),
    ("1.4.1", Fault.POLICY, 'Values for matchNamespace can only be numeric or "host_ns". (strconv.ParseUint: parsing "x": invalid syntax)'),
    ("1.4.1", Fault.POLICY, 'parseMatchArgs  error: MatchArgs value x invalid: strconv.ParseInt: parsing "x": invalid syntax'),
    ("1.4.1", Fault.POLICY, "IP CIDR is not valid: mask part does not parse"),
    ("1.7.0", Fault.POLICY, "override validation failed: override action can be used only with syscalls and security_ hooks"),
    ("1.7.0", Fault.POLICY, "NotifyEnforcer action specified, but spec contains no enforcers"),
    ("1.7.0", Fault.POLICY, "failed: we support only single enforcer sensor"),
    ("1.7.0", Fault.POLICY, "enforcer: can't override security function with override-return"),
    ("1.7.0", Fault.POLICY, "enforcer sensor requires either syscall or security_ functions and symbol 'fd_install' appears to be neither"),
    ("1.7.0", Fault.POLICY, "error list 'list:dups' not found"),
    ("1.7.0", Fault.POLICY, "args[0].type: type 'auto' is invalid for kprobes"),
    ("1.7.0", Fault.POLICY, "lsm validation failed: error in spec.lsmHooks[0]: args[0]: type 'x' unsupported"),
    ("1.7.0", Fault.POLICY, "lsm validation failed: error in spec.lsmHooks[0]: args[0]: arg type int index 9 out of bounds"),
    ("1.7.0", Fault.POLICY, "too many arguments, max 5: args(4) data(2)"),
    ("1.7.0", Fault.POLICY, "no more than 5 selectors supported (6 provided)"),
    ("1.7.0", Fault.POLICY, "parseMatchActions error: only 3 actions are support for selector (current number of values is 3)"),
    ("1.7.0", Fault.POLICY, "parseMatchArgs: supports up to 5 filters (6 provided)"),
    ("1.7.0", Fault.POLICY, "selector does not support more than 4 values: consider using InMap or NotInMap operators"),
    ("1.7.0", Fault.POLICY, "matchNamespace supports only In and NotIn operators"),
    ("1.7.0", Fault.POLICY, "matchNamespaceChanges supports only a single filter (current number of filters is 2)"),
    ("1.7.0", Fault.POLICY, "selector must be either matchBinaries or matchParentBinaries"),
    ("1.7.0", Fault.POLICY, 'matchBinaries error: Only "In", "NotIn", "Prefix", "NotPrefix", "Postfix" and "NotPostfix" operators are supported'),
    ("1.7.0", Fault.POLICY, "MatchArgs type sock, socket, skb, sockaddr and net_device do not support operator Equal"),
    ("1.7.0", Fault.POLICY, "MatchArgs type string unsupported for range operators"),
    ("1.7.0", Fault.POLICY, "MatchArgs value 80 invalid: range should be 'min:max'"),
    ("1.7.0", Fault.POLICY, "sock/socket/skb/sockaddr operators specified for non-sock/socket/skb/sockaddr type"),
    ("1.7.0", Fault.POLICY, "FileType operators specified for non-file/path type"),
    ("1.7.0", Fault.POLICY, "CapabilitiesGained operator requires two args: the new and the old capability"),
    ("1.7.0", Fault.POLICY, "substring error: Only 5 substrings allowed"),
    ("1.7.0", Fault.POLICY, "parseRateLimit: rateLimit value 5x is invalid"),
    ("1.7.0", Fault.POLICY, "rate limiting can only applied to post action (was applied to 'Sigkill')"),
    ("1.7.0", Fault.POLICY, "kernelStackTrace or userStackTrace can only be used along Post action: got (kernelStackTrace/userStackTrace) enabled in selectors[0].matchActions[0] with action 'Sigkill'"),
    ("1.7.0", Fault.POLICY, "append macros selectors: undefined macro 'mine'"),
    ("1.7.0", Fault.POLICY, "macro 'mine' is used in selector, but no macros were defined in policy spec"),
    ("1.7.0", Fault.POLICY, 'failed to get spec options: failed to set option policy-mode: invalid mode: "observe"'),
    ("1.7.0", Fault.POLICY, "error: 'message field is too short'"),
    ("1.7.0", Fault.POLICY, "uprobe need either Symbols, Offsets or Addrs defined"),
    ("1.7.0", Fault.POLICY, "failed to configure usdt 'test/usdt9', not found in the binary: '/usr/bin/test'"),
    ("1.7.0", Fault.POLICY, "raw tracepoint sched/sched_process_exec can read up to 5 arguments, but index 7 was requested in args[0]"),
    ("1.7.0", Fault.POLICY, "TracingPolicyNamespaced cannot match host workloads so spec.hostSelector should be null"),
    ("1.7.0", Fault.POLICY, "data argument missing 'resolve' setup"),
    ("main", Fault.POLICY, "spec.uprobes[0]: uprobe needs exactly one of either Symbols, Offsets or Addrs defined"),
    ("1.7.0", Fault.POLICY, 'compileCall: call "size" (size(x)) not supported'),
    ("1.4.1", Fault.POLICY, "failed to get symbols from list 'mine': ftrace: 'tcp_qq*' not found"),
    # what says nothing of the policy
    ("1.4.1", Fault.UNTOLD, "matchNamespace reading host 'Pid' namespace failed: no such process"),
    ("1.7.0", Fault.UNTOLD, "failed to get enforcer handler for 'guard'"),
    ("1.7.0", Fault.UNTOLD, "program generic_fmodret_override not found"),
    ("1.4.1", Fault.UNTOLD, "failed to add tracing policy guard, a sensor collection with the key already exists"),
    ("1.7.0", Fault.UNTOLD, "sensor generic_kprobe from collection guard failed to load: failed to create map 'filter_map': cannot allocate memory"),
    ("1.7.0", Fault.UNTOLD, "validateKprobeSpec: ksyms.KernelSymbols: function foo reported at address 0, insufficient permissions? kptr_restrict: 1"),
    ("1.7.0", Fault.UNTOLD, "attaching 'generic_kprobe_event' failed: creating perf_kprobe PMU: token fd_install: opening perf event: operation not permitted"),
    ("1.7.0", Fault.UNTOLD, "context deadline exceeded"),
]  # fmt: skip
VERDICTS = {Fault.LACK: Verdict.UNSUPPORTED, Fault.POLICY: Verdict.VIOLATES, Fault.UNTOLD: Verdict.INCONCLUSIVE}


@pytest.mark.parametrize(("version", "fault", "words"), TABLE, ids=[words[:60] for _, _, words in TABLE])
@pytest.mark.parametrize("preamble", ["", PREAMBLE, KPROBE])
def test_whose_fault_a_refusal_is(version: str, fault: Fault, words: str, preamble: str) -> None:
    """By itself and with what the agent says before it; and that decides the verdict."""
    found = read(preamble + words, GUARD)
    assert found is not None, version
    assert found.fault is fault
    judged = loading(GUARD, [state(told="load_error", error=preamble + words)], {})
    assert judged.verdict is VERDICTS[fault]


def test_there_are_as_many_as_the_trial_had() -> None:
    """And each once."""
    assert len({words for _, _, words in TABLE}) == len(TABLE) > 57


@pytest.mark.parametrize(
    "words",
    [
        "validation failed: spec.kprobes[0].args[0].type in body should be one of [auto int int8]",
        'failed to unmarshal into typed object: while decoding JSON: json: unknown field "data"',
    ],
)
def test_what_the_agents_crd_does_not_have_is_decided_by_the_others(words: str) -> None:
    """What the CRD of another version takes is this agent's lack, and what none takes a mistake."""
    for kind, fault, why in (
        ("sint8", Fault.LACK, "the CRD of Tetragon 1.7.0 takes it, this agent's does not"),
        ("sint9", Fault.POLICY, "no version's CRD that is known here takes it"),
    ):
        hook = {"call": "sys_umask", "syscall": True, "args": [{"index": 0, "type": kind}]}
        written = dataclasses.replace(GUARD, spec={"kprobes": [hook]})
        found = read(words, written)
        assert found is not None
        assert (found.fault, found.why) == (fault, why)
        judged = loading(written, [state(told="load_error", error=words)], {})
        assert judged.verdict is VERDICTS[fault]
        assert why in judged.reason


@pytest.mark.parametrize(
    "words",
    [
        "program generic_kprobe_event: load program: invalid argument",
        "program generic_kprobe_event: load program: permission denied: 12: R1 invalid mem access 'scalar'",
        "open /etc/guard.yaml: no such file or directory",
        "",
    ],
)
def test_words_that_are_not_known_decide_nothing(words: str) -> None:
    """The policy is not in force, which is what counts."""
    assert read(words, GUARD) is None
    assert loading(GUARD, [state(told="load_error", error=words)], {}).verdict is Verdict.VIOLATES


def test_where_words_do_not_tell_what_is_known_to_be_lacking_decides() -> None:
    """A kernel without the signal helper cannot kill, whatever its verifier says of it."""
    here = {state().node: Capabilities({"signal": False})}
    for words in ("load program: invalid argument", "context deadline exceeded"):
        judged = loading(GUARD, [state(told="load_error", error=words)], here)
        assert judged.verdict is Verdict.UNSUPPORTED
        assert "`tetra probe` says signal: false" in judged.reason
        assert words in judged.reason
    mistake = loading(GUARD, [state(told="load_error", error="error list 'list:x' not found")], here)
    assert mistake.verdict is Verdict.VIOLATES


CALLS = [
    ("1.4.1", 'kprobe spec pre-validation failed: call "{}" type name {}: not found'),
    ("1.7.0", 'kprobe spec pre-validation failed: validation error: call "{}": not found'),
    ("1.7.0", "attaching 'generic_kprobe_event' failed: creating perf_kprobe PMU (arch-specific fallback for \"{}\"): token {}: not found: no such file or directory"),
    ("1.7.0", 'failed to find BTF type for hook "{}": type name {}: not found'),
]  # fmt: skip
SYSCALLS = [
    ("1.4.1", 'kprobe spec pre-validation failed: syscall "{}" (or "__x64_{}") type name __x64_{}: not found'),
    ("1.7.0", 'kprobe spec pre-validation failed: validation error: syscall "{}" (or "__x64_{}") not found'),
]
LSM = (
    'lsm validation failed: error in spec.lsmHooks[0]: lsm hook "{}" not found in BTF (looked up "bpf_lsm_{}"): '
    "not found, please check if the hook exists or if your kernel supports BTF for lsm hooks, "
    "as an alternative, consider switching to kprobes"
)


def missing(words: str, name: str, *functions: str) -> tuple[Verdict, str]:
    here = {state().node: Capabilities(functions=frozenset(functions))}
    judged = loading(GUARD, [state(told="load_error", error=KPROBE + words.replace("{}", name))], here)
    return judged.verdict, judged.reason


@pytest.mark.parametrize("words", [words for _, words in CALLS])
def test_a_misspelt_function_is_the_policys_mistake(words: str) -> None:
    """The nearest name is told, of the kernel's own or of those that are known."""
    for functions in ((), ("fd_install", "vfs_write")):
        verdict, reason = missing(words, "fd_instal", *functions)
        assert verdict is Verdict.VIOLATES
        assert reason.endswith("fd_instal is misspelt: did you mean fd_install?")
    verdict, reason = missing(words, "my_own_functoin", "my_own_function")
    assert (verdict, reason.endswith("did you mean my_own_function?")) == (Verdict.VIOLATES, True)


@pytest.mark.parametrize("words", [words for _, words in CALLS])
def test_a_function_of_other_kernels_is_a_lack(words: str) -> None:
    """A name that is known is not misspelt, and one that the kernel has is not told by its BTF."""
    verdict, reason = missing(words, "security_path_truncate", "fd_install")
    assert verdict is Verdict.UNSUPPORTED
    assert "other kernels have" in reason
    verdict, reason = missing(words, "inlined_once", "inlined_once")
    assert verdict is Verdict.UNSUPPORTED
    assert "BTF says nothing of it" in reason


@pytest.mark.parametrize("words", [words for _, words in CALLS])
def test_a_function_that_nothing_is_known_of_is_the_policys_mistake(words: str) -> None:
    """And it is said how to tell; with the kernel's names at hand, that it has none like it."""
    verdict, reason = missing(words, "qqqqqqqq")
    assert verdict is Verdict.VIOLATES
    assert "look for it in the node's /proc/kallsyms" in reason
    verdict, reason = missing(words, "qqqqqqqq", "fd_install")
    assert verdict is Verdict.VIOLATES
    assert "this kernel has no function qqqqqqqq" in reason


@pytest.mark.parametrize("words", [words for _, words in SYSCALLS])
def test_a_system_call_is_known_by_linuxs_own_list(words: str) -> None:
    """One that Linux has is what the kernel lacks, another is misspelt."""
    verdict, reason = missing(words, "sys_symlinkt")
    assert (verdict, reason.endswith("did you mean sys_symlinkat?")) == (Verdict.VIOLATES, True)
    assert missing(words, "sys_symlinkat")[0] is Verdict.UNSUPPORTED
    assert missing(words, "sys_nothing_at_all")[0] is Verdict.VIOLATES
    assert missing(words, "symlinkat")[0] is Verdict.UNSUPPORTED


def test_an_lsm_hook_is_known_by_its_function() -> None:
    """Without the security_ of it."""
    verdict, reason = missing(LSM, "file_opn")
    assert (verdict, reason.endswith("did you mean file_open?")) == (Verdict.VIOLATES, True)
    assert missing(LSM, "file_open")[0] is Verdict.UNSUPPORTED


@pytest.mark.parametrize(
    ("name", "expected", "words"),
    [
        ("syscalls/sys_enter_openat", Verdict.UNSUPPORTED, "no tracepoint of the system call openat"),
        ("syscalls/sys_enter_opnat", Verdict.VIOLATES, "did you mean syscalls/sys_enter_openat?"),
        ("syscalls/sys_exit_qqqq", Verdict.VIOLATES, "no system call of Linux is called so"),
        ("sched/sched_proces_exec", Verdict.VIOLATES, "look into /sys/kernel/tracing/events"),
    ],
)
def test_a_tracepoint_that_is_not_there(name: str, expected: Verdict, words: str) -> None:
    """By the system call that it is of, where it is of one."""
    said = f"tracepoint {name} not supported: failed to read tracepoint: no such file or directory"
    verdict, reason = missing(said, "")
    assert verdict is expected
    assert words in reason


def test_a_programs_symbol_is_no_function_of_the_kernel() -> None:
    """It is the program that lacks it."""
    spec = "spec: {uprobes: [{path: /bin/bash, symbols: [readlin]}]}"
    uprobe = policy(POLICY.split("spec:")[0] + spec)
    found = read("failed to resolve symbol: symbol readlin: not found", uprobe)
    assert found is not None
    assert (found.fault, found.why) == (Fault.POLICY, "the program has no symbol readlin")


def test_override_is_for_system_calls_and_security_functions() -> None:
    """1.4.1 says of any other function that a helper is missing; with the helper, it refuses it all the same."""
    elsewhere = policy(POLICY.replace("Sigkill", "Override"))
    said = "Error override action not supported, bpf_override_return helper not available"
    judged = loading(elsewhere, [state(told="load_error", error=said)], {})
    assert judged.verdict is Verdict.VIOLATES
    assert judged.reason.endswith("Override is for system calls and security_ functions, and fd_install is neither")


def test_the_names_that_are_known() -> None:
    """System calls of every architecture, and functions; none that some test of Tetragon's made up."""
    assert {"openat", "symlinkat", "ptrace", "clone3"} <= system_calls()
    assert {"fd_install", "security_file_permission", "tcp_connect"} <= known_functions()
    assert not {"pizza_is_the_best", "thiscalldoesnotexist", "", "true"} & known_functions()
    assert not any(name.startswith(("sys_", "__x64_sys_")) for name in known_functions())
