"""Requirements: what a policy needs is derived from the policy itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.builders import MANIFESTS, POLICY, policy
from tetraproof.policy import Policy, load
from tetraproof.requirement import multi_is_off, requirements

HEAD = POLICY.split("spec:")[0]


def needs(spec: str, head: str = HEAD) -> set[tuple[str, ...]]:
    """What a policy of this spec needs, kernel options apart."""
    every = requirements(policy(f"{head}spec:\n{spec}", "made.yaml"))
    return {need.any_of for need in every if not need.any_of[0].startswith("CONFIG_")}


def kprobe(action: str, syscall: str = "false") -> str:
    act = f"selectors: [{{matchActions: [{{action: {action}}}]}}]"
    return f"  kprobes: [{{call: f, syscall: {syscall}, {act}}}]\n"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (kprobe("Post"), set()),
        ("  kprobes: [{call: f, syscall: false}]\n", set()),
        (kprobe("Sigkill"), {("signal",)}),
        (kprobe("Signal"), {("signal",)}),
        (kprobe("Override"), {("override_return", "fmodret")}),
        (kprobe("Override", "true"), {("override_return", "fmodret_syscall")}),
        ("  lsmhooks: [{hook: file_open}]\n", {("lsm",)}),
        (kprobe("Post") + "  podSelector: {matchLabels: {app: x}}\n", {("policy_filter",)}),
        (kprobe("Sigkill") + "  podSelector: {matchLabels: {app: x}}\n", {("signal",), ("policy_filter",)}),
        ("  kprobes: [{call: f, syscall: false, args: [{index: 0, type: file, maxData: true}]}]\n", {("large",)}),
    ],
)
def test_what_a_spec_needs(spec: str, expected: set[tuple[str, ...]]) -> None:
    """By its hooks, its actions, its arguments and whom it guards."""
    assert needs(spec) == expected


@pytest.mark.parametrize(
    ("spec", "option"),
    [
        (kprobe("Post"), "CONFIG_KPROBES"),
        ("  lsmhooks: [{hook: file_open}]\n", "CONFIG_BPF_LSM"),
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
        ("override-symlink", lambda has: "fmodret_syscall" in has),
        ("override-file-permission-single", lambda has: "fmodret" in has and "fmodret_syscall" not in has),
        ("privileged-exec", lambda has: not has & {"signal", "override_return"}),
        ("log-tcp-connection", lambda has: not has & {"signal", "override_return"}),
    ],
)
def test_what_the_shipped_policies_need(stem: str, expected: Callable[[set[str]], bool]) -> None:
    """Of each family one."""
    assert expected(names(load(MANIFESTS / f"{stem}.yaml")))
