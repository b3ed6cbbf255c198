"""Requirements: what a policy needs is derived from the policy itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.builders import MANIFESTS, POLICY, RECORDINGS, policy
from tetraproof.policies.capability import probed
from tetraproof.policies.policy import Policy, load, parse
from tetraproof.policies.requirement import NEEDED_BY_NONE, calls, demanded_mode, misplaced, multi_is_off, requirements

HEAD = POLICY.split("spec:")[0]


def needs(spec: str, head: str = HEAD) -> set[tuple[str, ...]]:
    """What a policy of this spec needs, kernel options apart."""
    every = requirements(policy(f"{head}spec:\n{spec}", "made.yaml"))
    return {need.any_of for need in every if not need.any_of[0].startswith("CONFIG_")}


def kprobe(action: str, syscall: str = "false") -> str:
    act = f"selectors: [{{matchActions: [{{action: {action}}}]}}]"
    return f"  kprobes: [{{call: f, syscall: {syscall}, {act}}}]\n"


def hooked(kind: str, more: str = "", selector: str = "", args: str = "") -> str:
    """The spec of a hook of a kind, with further fields, one selector and arguments."""
    own = {
        "kprobes": "call: security_file_open, syscall: false",
        "fentries": "call: fd_install, syscall: false",
        "lsmhooks": "hook: file_open",
        "tracepoints": "subsystem: sched, event: sched_process_exec",
        "uprobes": "path: /bin/bash, symbols: [readline]",
        "usdts": "path: /bin/bash, provider: p, name: probe",
    }[kind]
    return f"  {kind}: [{{{own}, args: [{args}], selectors: [{{{selector}}}]{', ' + more if more else ''}}}]\n"


KILL = "matchActions: [{action: Sigkill}]"
OVERRIDE = "matchActions: [{action: Override, argError: -1}]"
LARGE = ("large",)
SIGNAL = ("signal",)
FILTER = ("policy_filter",)
POST = kprobe("Post")
DUPS = "  lists: [{name: dups, type: syscalls, values: [sys_dup]}, {name: safe, values: [security_file_open]}]\n"
MACRO = f"  selectorsMacros: {{mine: {{{KILL}}}}}\n"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (POST, set()),
        ("  kprobes: [{call: f, syscall: false}]\n", set()),
        (kprobe("Sigkill"), {SIGNAL, LARGE}),
        (kprobe("Signal"), {SIGNAL, LARGE}),
        (kprobe("Override"), set()),
        (kprobe("Override", "true"), {("override_return",)}),
        (hooked("kprobes", selector=OVERRIDE), {("fmodret",)}),
        (hooked("kprobes", selector="matchReturnActions: [{action: Sigkill}]"), {SIGNAL, LARGE}),
        (hooked("kprobes", selector="macros: [mine]") + MACRO, {SIGNAL, LARGE}),
        (hooked("kprobes", selector="macros: [others]") + MACRO, set()),
        (DUPS + kprobe("Override").replace("call: f,", "call: 'list:dups',"), {("override_return",)}),
        (DUPS + kprobe("Override").replace("call: f,", "call: 'list:safe',"), {("fmodret",)}),
        (DUPS + kprobe("Override", "true").replace("call: f,", "call: 'list:safe',"), {("fmodret",)}),
        (hooked("lsmhooks"), {("lsm",), LARGE}),
        (hooked("lsmhooks", selector=OVERRIDE), {("lsm",), LARGE}),
        (hooked("uprobes"), set()),
        (hooked("uprobes", selector=OVERRIDE), {("uprobe_regs_change",)}),
        (hooked("uprobes", "refCtrOffsets: [1]"), {("uprobe_refctroff",)}),
        (hooked("uprobes", args="{index: 0, type: string}"), {("copy_from_user_str",)}),
        (
            hooked("uprobes", selector="matchArgs: [{args: [0], operator: SubString, values: [x]}]"),
            {("substring_kfunc",)},
        ),
        (hooked("usdts"), set()),
        (hooked("usdts", selector="matchActions: [{action: Set}]"), {("probe_write_user",)}),
        (hooked("usdts", selector=KILL), {SIGNAL, LARGE}),
        (hooked("fentries"), {("fentry",)}),
        (hooked("fentries", "return: true, returnArg: {index: 0, type: int}"), {("fentry",), ("get_func_ret",)}),
        (hooked("tracepoints", selector=KILL), {SIGNAL, LARGE}),
        ("  loader: true\n", {("buildid",)}),
        ("  loader: false\n", set()),
        ("  enforcers: [{calls: [sys_dup]}]\n", {SIGNAL, ("override_return", "fmodret_syscall")}),
        ("  enforcers: [{calls: [security_file_open]}]\n", {SIGNAL, ("fmodret",)}),
        (DUPS + "  enforcers: [{calls: ['list:dups']}]\n", {SIGNAL, ("override_return", "fmodret_syscall")}),
        (
            "  options: [{name: override-method, value: fmod-ret}]\n  enforcers: [{calls: [sys_dup]}]\n",
            {SIGNAL, ("fmodret_syscall",)},
        ),
        (
            "  options: [{name: override-method, value: override-return}]\n  enforcers: [{calls: [sys_dup]}]\n",
            {SIGNAL, ("override_return",)},
        ),
        (POST + "  podSelector: {matchLabels: {app: x}}\n", {FILTER}),
        (POST + "  podSelector: {}\n", {FILTER}),
        (POST + "  podSelector: null\n", set()),
        (POST + "  containerSelector: {matchLabels: {name: x}}\n", {FILTER}),
        (POST + "  containerSelector: {}\n", {FILTER}),
        (POST + "  hostSelector: {}\n", {FILTER}),
        (POST + "  hostSelector: {}\n  podSelector: {}\n  containerSelector: {}\n", set()),
        (kprobe("Sigkill") + "  podSelector: {matchLabels: {app: x}}\n", {SIGNAL, LARGE, FILTER}),
        (hooked("kprobes", args="{index: 0, type: file, maxData: true}"), {LARGE}),
        (hooked("kprobes", args="{index: 0, type: string, resolve: f_path}"), {LARGE}),
        (hooked("kprobes", selector="matchBinaries: [{operator: Prefix, values: [/x]}]"), {LARGE}),
        (hooked("kprobes", selector="matchBinaries: [{operator: In, values: [/x]}]"), set()),
        (hooked("kprobes", selector="matchNamespaceChanges: [{operator: In, values: [Uts]}]"), {LARGE}),
        (hooked("kprobes", selector="matchArgs: [{args: [0], operator: CelExpr, values: [x]}]"), {LARGE}),
        (
            hooked("kprobes", "", "matchArgs: [{index: 0, operator: Equal, values: ['1']}]", "{index: 0, type: int8}"),
            {LARGE},
        ),
        (hooked("kprobes", "returnArgAction: TrackSock"), {LARGE}),
    ],
)
def test_what_a_spec_needs(spec: str, expected: set[tuple[str, ...]]) -> None:
    """By its hooks, its actions, its arguments, its filters and whom it guards."""
    assert needs(spec) == expected


#: What `tetra probe` tells in 1.4.1, in 1.7.0 and on the branch of 1.8.
PROBED = (
    *("override_return", "buildid", "kprobe_multi", "uprobe_multi", "fmodret", "fmodret_syscall", "signal", "large"),
    *("link_pin", "lsm", "missed_stats_kprobe_multi", "missed_stats_kprobe", "batch_update", "uprobe_refctroff"),
    *("audit_loginuid", "probe_write_user", "uprobe_regs_change", "mix_bpf_and_tail_calls", "fentry", "get_func_ret"),
    *("substring_kfunc", "copy_from_user_str"),
)


def test_every_feature_that_is_probed_is_needed_or_known_not_to_be() -> None:
    """Both are told apart by name."""
    (told,) = [mark for mark in test_what_a_spec_needs.pytestmark if mark.name == "parametrize"]
    needed = {name for _, expected in told.args[1] for names in expected for name in names} - {"policy_filter"}
    assert needed | NEEDED_BY_NONE.keys() == set(PROBED)
    assert not needed & NEEDED_BY_NONE.keys()
    recorded = {
        name
        for path in RECORDINGS.glob("*/environment/tetra-probe*.txt")
        for name in probed(path.read_text(encoding="utf-8"))
    }
    assert recorded
    assert recorded <= set(PROBED)


@pytest.mark.parametrize(
    ("spec", "mode"),
    [
        (POST, ""),
        (kprobe("Sigkill"), "enforce"),
        (kprobe("NotifyEnforcer"), "enforce"),
        (hooked("kprobes", selector="matchReturnActions: [{action: Sigkill}]"), "enforce"),
        (hooked("kprobes", selector="macros: [mine]") + MACRO, "enforce"),
        (kprobe("Sigkill") + "  options: [{name: policy-mode, value: monitor}]\n", "monitor"),
        (kprobe("Sigkill") + "  options: [{name: policy-mode, value: enforce}]\n", "enforce"),
        (POST + "  options: [{name: policy-mode, value: monitor}]\n", ""),
    ],
)
def test_the_mode_that_a_policy_demands(spec: str, mode: str) -> None:
    """By its actions and its options; one that only reports demands none."""
    assert demanded_mode(policy(f"{HEAD}spec:\n{spec}")) == mode


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        (kprobe("Override"), True),
        (kprobe("Override", "true"), False),
        (hooked("kprobes", selector=OVERRIDE), False),
        (hooked("uprobes", selector=OVERRIDE), False),
        (kprobe("Sigkill"), False),
        (DUPS + kprobe("Override").replace("call: f,", "call: 'list:dups',"), False),
        (DUPS.replace("security_", "") + kprobe("Override").replace("call: f,", "call: 'list:safe',"), True),
    ],
)
def test_override_elsewhere_is_refused_by_every_agent(spec: str, *, wrong: bool) -> None:
    """On a function that is neither a system call nor the kernel's own question to LSM."""
    assert bool(misplaced(policy(f"{HEAD}spec:\n{spec}"))) is wrong


def test_what_only_a_newer_crd_has_is_derived_as_well() -> None:
    """Selectors of workloads, of the branch of 1.8."""
    spec = hooked("kprobes", selector="matchWorkloads: {podSelector: {matchLabels: {a: b}}}")
    newer = parse(f"{HEAD}spec:\n{spec}", "made.yaml", crd="main")
    assert "policy_filter" in names(newer)


def test_the_functions_that_a_policy_names() -> None:
    """Lists are spelt out."""
    spec = DUPS + hooked("lsmhooks") + kprobe("Post").replace("call: f,", "call: 'list:dups',")
    assert calls(policy(f"{HEAD}spec:\n{spec}")) == ("sys_dup", "file_open")


@pytest.mark.parametrize(
    ("spec", "option"),
    [
        (kprobe("Post"), "CONFIG_KPROBES"),
        ("  lsmhooks: [{hook: file_open}]\n", "CONFIG_BPF_LSM"),
        ("  usdts: [{path: /bin/bash, provider: p, name: probe}]\n", "CONFIG_UPROBES"),
        ("  tracepoints: [{subsystem: syscalls, event: sys_enter_dup}]\n", "CONFIG_FTRACE_SYSCALLS"),
        ("  uprobes: [{path: /bin/bash, symbols: [readline]}]\n", "CONFIG_UPROBES"),
    ],
)
def test_a_hook_needs_its_kernel_option(spec: str, option: str) -> None:
    """Named, so that the report can look it up."""
    every = {name for need in requirements(policy(f"{HEAD}spec:\n{spec}")) for name in need.any_of}
    assert {name for name in every if name.startswith("CONFIG_")} == {option}


def test_a_namespaced_policy_needs_the_policy_filter() -> None:
    """It guards some pods only."""
    head = HEAD.replace("kind: TracingPolicy", "kind: TracingPolicyNamespaced").replace(
        "name: guard", "name: guard\n  namespace: galaxy"
    )
    assert needs(kprobe("Post"), head) == {("policy_filter",)}


@pytest.mark.parametrize("hooks", ["tracepoints: [{subsystem: s, event: e, ", "lsmhooks: [{hook: file_open, "])
def test_killing_needs_the_helper_whatever_the_hook(hooks: str) -> None:
    """A tracepoint that kills sends the same signal as a kprobe that does."""
    assert ("signal",) in needs(f"  {hooks}selectors: [{{matchActions: [{{action: Sigkill}}]}}]}}]\n")


def test_each_need_is_told_once_and_says_why() -> None:
    """Two hooks that kill need one helper."""
    twice = kprobe("Sigkill").replace(
        "kprobes: [", "kprobes: [{call: g, selectors: [{matchActions: [{action: Sigkill}]}]}, "
    )
    every = [need for need in requirements(policy(HEAD + "spec:\n" + twice)) if need.any_of == ("signal",)]
    assert len(every) == 1
    assert "bpf_send_signal" in every[0].why


@pytest.mark.parametrize(
    ("options", "off"),
    [
        ("[{name: disable-kprobe-multi, value: '1'}]", True),
        ("[{name: disable-kprobe-multi, value: 'true'}]", True),
        ("[{name: disable-kprobe-multi, value: '0'}]", False),
        ("[{name: policy-mode, value: monitor}]", False),
        ("[]", False),
    ],
)
def test_a_policy_may_turn_kprobe_multi_off_for_itself(options: str, *, off: bool) -> None:
    """By its own option."""
    assert multi_is_off(policy(POLICY.replace("spec:\n", f"spec:\n  options: {options}\n"))) is off


def names(policy: Policy) -> set[str]:
    return {name for need in requirements(policy) for name in need.any_of}


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("block-fd-install", lambda has: "signal" in has and "lsm" not in has),
        ("block-internet-egress", lambda has: {"signal", "policy_filter"} <= has),
        ("override-symlink", lambda has: "override_return" in has and not {"fmodret", "fmodret_syscall"} & has),
        ("override-file-permission-single", lambda has: "fmodret" in has and "fmodret_syscall" not in has),
        ("privileged-exec", lambda has: not has & {"signal", "override_return"}),
        ("log-tcp-connection", lambda has: not has & {"signal", "override_return"}),
    ],
)
def test_what_the_shipped_policies_need(stem: str, expected: Callable[[set[str]], bool]) -> None:
    """Of each family one."""
    assert expected(names(load(MANIFESTS / f"{stem}.yaml")))
