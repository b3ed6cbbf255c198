"""Openings: each rule tells what is true of the policy at hand, and nothing of its nearest neighbour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import MANIFESTS, ROOT
from tetraproof.policies import crd
from tetraproof.policies.inspection.loophole import Loophole
from tetraproof.policies.inspection.survey import RULES, loopholes
from tetraproof.policies.policy import load, parse

KILL, POST, NOPOST = {"action": "Sigkill"}, {"action": "Post"}, {"action": "NoPost"}
INT, FILE, TEXT, SOCK = "int", "file", "string", "sock"


def asked(index: int, operator: str, *values: str) -> dict[str, Any]:
    return {"index": index, "operator": operator, "values": list(values)}


def hook(call: str, *types: str, syscall: bool = False, **more: Any) -> dict[str, Any]:
    args = [{"index": index, "type": type_} for index, type_ in enumerate(types)]
    return {"call": call, "syscall": syscall, "args": args, **more}


def selector(*matches: dict[str, Any], do: Any = (KILL,), **more: Any) -> dict[str, Any]:
    own = {"matchArgs": list(matches)} if matches else {}
    return {**own, **more, "matchActions": list(do)}


def spec(*hooks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kprobes": list(hooks), **more} if hooks else more


def told(what: dict[str, Any], kind: str = "TracingPolicy", version: str = crd.DEFAULT) -> tuple[Loophole, ...]:
    manifest = {"apiVersion": "cilium.io/v1alpha1", "kind": kind, "metadata": {"name": "made"}, "spec": what}
    return loopholes(parse(yaml.safe_dump(manifest), "made.yaml", crd=version))


def ids(what: dict[str, Any], **more: str) -> set[str]:
    return {one.id for one in told(what, **more)}


EQUAL = asked(1, "Equal", "/tmp/guarded")
GUARD = hook("fd_install", INT, FILE, selectors=[selector(EQUAL)])
WATCH = hook("fd_install", INT, FILE, selectors=[selector(EQUAL, do=[POST])])
ALL = hook("fd_install", INT, FILE, selectors=[selector()])
RENAME, LINK = hook("security_path_rename", "path"), hook("security_inode_link", "dentry")


def permission(mask: str | None, *actions: Any) -> dict[str, Any]:
    masks = [] if mask is None else [asked(1, "Equal", mask)]
    own = selector(asked(0, "Prefix", "/etc/"), *masks, do=actions or (KILL,))
    return hook("security_file_permission", FILE, INT, selectors=[own])


def call(name: str, *types: str, **more: Any) -> dict[str, Any]:
    return hook(f"sys_{name}", *types, syscall=True, **more)


def override(error: int | None = -1) -> dict[str, Any]:
    return {"action": "Override", **({} if error is None else {"argError": error})}


def by_pid(*values: int, follow: bool, namespace: bool = True, do: Any = (KILL,)) -> dict[str, Any]:
    pids = {"operator": "NotIn", "followForks": follow, "isNamespacePID": namespace, "values": list(values)}
    return hook("fd_install", INT, FILE, selectors=[selector(EQUAL, do=do, matchPIDs=[pids])])


def by_program(operator: str, value: str = "/usr/bin/cat", do: Any = (KILL,)) -> dict[str, Any]:
    own = selector(EQUAL, do=do, matchBinaries=[{"operator": operator, "values": [value]}])
    return hook("fd_install", INT, FILE, selectors=[own])


def connect(operator: str, *values: str, name: str = "tcp_connect", kind: str = SOCK) -> dict[str, Any]:
    return hook(name, kind, selectors=[selector(asked(0, operator, *values))])


MONITOR = {"options": [{"name": "policy-mode", "value": "monitor"}]}
SINGLE = {"options": [{"name": "disable-kprobe-multi", "value": "1"}]}
UPROBE = {"uprobes": [{"path": "/bin/bash", "symbols": ["readline"]}]}
EXEC = hook("security_bprm_creds_from_file", "nop", FILE)
SEND = hook("tcp_sendmsg", SOCK)
REFUSED = [selector(do=[override()])]

CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("hooks-nothing", {"lists": [{"name": "a", "values": ["b"]}]}, spec(GUARD)),
    ("monitor-mode", spec(GUARD, **MONITOR), spec(WATCH, **MONITOR)),
    ("monitor-mode", spec(GUARD, **MONITOR), spec(GUARD)),
    ("hosts-as-well", spec(GUARD, hostSelector={}, podSelector={}), spec(GUARD, hostSelector={})),
    ("hosts-as-well", spec(GUARD, hostSelector={}, containerSelector={}), spec(GUARD, podSelector={})),
    ("uprobes-ignore-pods", {**UPROBE, "podSelector": {"matchLabels": {"a": "b"}}}, UPROBE),
    ("loader-ignores-pods", {"loader": True, "podSelector": {}}, {"loader": True}),
    ("feeds-itself", spec(SEND), spec(SEND, podSelector={})),
    ("feeds-itself", spec(SEND), spec({**SEND, "selectors": [selector(asked(0, "DPort", "80"), do=[POST])]})),
    ("feeds-itself", spec(SEND), spec({**SEND, "selectors": [selector(do=[NOPOST])]})),
    (
        "rate-limited",
        spec(hook("fd_install", selectors=[selector(do=[{**POST, "rateLimit": "5m"}])])),
        spec(hook("fd_install", selectors=[selector(do=[POST])])),
    ),
    (
        "enforced-unseen",
        spec(hook("fd_install", selectors=[selector(do=[KILL, NOPOST])])),
        spec(hook("fd_install", selectors=[selector(do=[NOPOST])])),
    ),
    (
        "never-reached",
        spec(hook("fd_install", INT, FILE, selectors=[selector(do=[POST]), selector(EQUAL)])),
        spec(hook("fd_install", INT, FILE, selectors=[selector(EQUAL), selector(do=[POST])])),
    ),
    ("hook-may-be-missing", spec({**ALL, "ignore": {"callNotFound": True}}), spec({**ALL, "ignore": {}})),
    ("pid-0-exempts-everything", spec(by_pid(0, 1, follow=True)), spec(by_pid(1, follow=True))),
    ("pid-0-exempts-everything", spec(by_pid(0, follow=True)), spec(by_pid(0, follow=False))),
    ("pid-0-exempts-everything", spec(by_pid(0, follow=True)), spec(by_pid(0, follow=True, namespace=False))),
    ("children-are-not-exempt", spec(by_pid(0, 1, follow=False)), spec(by_pid(0, 1, follow=True))),
    ("children-are-not-exempt", spec(by_pid(1, follow=False)), spec(by_pid(1, follow=False, do=[POST]))),
    ("children-are-not-exempt", spec(by_pid(1, follow=False)), spec(by_pid(0, follow=False))),
    ("exempt-program-is-replaced", spec(by_program("NotIn")), spec(by_program("In"))),
    ("exempt-program-is-replaced", spec(by_program("NotIn")), spec(by_program("NotIn", do=[POST]))),
    ("copied-program-passes", spec(by_program("In")), spec(by_program("NotIn"))),
    ("copied-program-passes", spec(by_program("In")), spec(by_program("In"), **MONITOR)),
    (
        "copied-program-passes",
        spec(by_program("Prefix")),
        spec({**GUARD, "selectors": [*by_program("Prefix")["selectors"], *GUARD["selectors"]]}),
    ),
    ("script-is-its-interpreter", spec(by_program("In", "/opt/job.py")), spec(by_program("In", "/opt/job"))),
    (
        "programs-of-the-last-hook",
        spec(by_program("In"), by_program("In", "/usr/bin/tac")),
        spec(by_program("In"), by_program("In")),
    ),
    ("programs-of-the-last-hook", spec(by_program("In"), GUARD), spec(GUARD, GUARD)),
    (
        "programs-of-the-last-hook",
        spec(by_program("In"), by_program("NotIn")),
        spec(by_program("In"), by_program("NotIn"), **SINGLE),
    ),
    ("old-image-hides-the-event", spec(EXEC), spec({**EXEC, "selectors": [selector(do=[NOPOST])]})),
    (
        "old-image-hides-the-event",
        {"lsmhooks": [{"hook": "bprm_check_security"}]},
        {"lsmhooks": [{"hook": "file_open"}]},
    ),
    ("file-is-made-first", spec(GUARD), spec(WATCH)),
    ("file-is-made-first", spec(GUARD), spec(GUARD, **MONITOR)),
    (
        "file-is-made-first",
        spec(hook("security_file_open", FILE, selectors=REFUSED)),
        spec(hook("security_file_permission", FILE, selectors=REFUSED)),
    ),
    ("rename-passes", spec(GUARD), spec(GUARD, RENAME)),
    ("rename-passes", spec(WATCH), spec(ALL)),
    ("rename-passes", spec(GUARD), spec(hook("fd_install", INT, FILE, selectors=[selector(asked(0, "Equal", "3"))]))),
    (
        "rename-passes",
        spec(GUARD),
        spec(hook("fd_install", INT, FILE, selectors=[selector(asked(1, "NotPrefix", "/srv/"))])),
    ),
    ("hard-link-passes", spec(GUARD), spec(GUARD, LINK)),
    ("hard-link-passes", spec(GUARD), spec({**GUARD, "selectors": [*GUARD["selectors"], selector()]})),
    ("truncation-passes", spec(permission("2")), spec(permission("4"))),
    ("truncation-passes", spec(permission(None)), spec(permission(None), hook("security_path_truncate", "path"))),
    ("mapping-passes", spec(permission("4")), spec(permission("4"), hook("security_mmap_file", FILE))),
    ("call-goes-on", spec(call("symlinkat", selectors=[selector()])), spec(call("symlinkat", selectors=REFUSED))),
    (
        "call-goes-on",
        spec(call("symlinkat", selectors=[selector()])),
        spec(call("symlinkat", selectors=[selector(do=[KILL, override()])])),
    ),
    (
        "call-goes-on",
        {"tracepoints": [{"subsystem": "syscalls", "event": "sys_enter_kill", "selectors": [selector()]}]},
        {"tracepoints": [{"subsystem": "syscalls", "event": "sys_exit_kill", "selectors": [selector()]}]},
    ),
    (
        "signal-can-be-ignored",
        spec(hook("fd_install", selectors=[selector(do=[{"action": "Signal", "argSig": 15}])])),
        spec(hook("fd_install", selectors=[selector(do=[{"action": "Signal", "argSig": 9}])])),
    ),
    (
        "success-is-faked",
        spec(call("symlinkat", selectors=[selector(do=[override(0)])])),
        spec(call("symlinkat", selectors=REFUSED)),
    ),
    (
        "success-is-faked",
        spec(call("symlinkat", selectors=[selector(do=[override(None)])])),
        spec(hook("security_inode_copy_up_xattr", selectors=[selector(do=[override(1)])])),
    ),
    (
        "success-is-faked",
        spec(hook("security_file_open", selectors=[selector(do=[override(0)])])),
        spec(hook("security_file_open", selectors=REFUSED)),
    ),
    (
        "override-wants-single",
        spec(hook("security_file_open", selectors=REFUSED)),
        spec(hook("security_file_open", selectors=REFUSED), **SINGLE),
    ),
    (
        "override-wants-single",
        spec(hook("security_file_open", selectors=REFUSED)),
        spec(call("symlinkat", selectors=REFUSED)),
    ),
    ("same-by-another-call", spec(call("symlinkat")), spec(call("symlinkat"), call("symlink"))),
    ("same-by-another-call", spec(call("openat")), spec(call("ptrace"))),
    ("io-uring-passes", spec(call("openat")), spec(call("mount"))),
    ("io-uring-passes", spec(call("openat")), spec(hook("do_sys_openat2"))),
    (
        "other-width-passes",
        spec(call("ptrace") | {"call": "__x64_sys_ptrace"}),
        spec(call("ptrace") | {"call": "__arm64_sys_ptrace"}),
    ),
    ("same-by-another-call", spec(call("symlinkat")), spec(call("x") | {"call": "__arm64_sys_symlinkat"})),
    ("same-by-another-call", spec(call("renameat2")), spec(call("x") | {"call": "__riscv_sys_renameat2"})),
    ("one-architecture-only", spec(call("x") | {"call": "__arm64_sys_openat"}), spec(call("openat"))),
    ("other-width-passes", spec(call("ptrace")), spec(call("ptrace"), call("x") | {"call": "__ia32_sys_ptrace"})),
    (
        "path-as-written",
        spec(call("openat", INT, TEXT, selectors=[selector(asked(1, "Equal", "/etc/passwd"))])),
        spec(call("openat", INT, TEXT, selectors=[selector(asked(1, "Postfix", "/passwd"))])),
    ),
    (
        "path-as-written",
        spec(call("openat", INT, TEXT, selectors=[selector(asked(1, "Prefix", "/etc/"))])),
        spec(call("openat", INT, TEXT, selectors=[selector(asked(1, "Equal", "passwd"))])),
    ),
    ("udp-passes", spec(hook("tcp_connect", SOCK)), spec(hook("tcp_connect", SOCK), hook("udp_sendmsg", SOCK))),
    ("udp-passes", spec(hook("tcp_connect", SOCK)), spec(hook("tcp_connect"), hook("security_socket_connect"))),
    ("unconnected-passes", spec(hook("security_socket_connect")), spec(call("connect"), call("sendto"))),
    (
        "unconnected-passes",
        spec(call("connect")),
        spec(hook("security_socket_connect", "socket", selectors=[selector(asked(0, "Protocol", "IPPROTO_TCP"))])),
    ),
    ("mapped-address-passes", spec(connect("DAddr", "10.0.0.1")), spec(connect("DAddr", "10.0.0.1", "::ffff:0:0/96"))),
    ("mapped-address-passes", spec(connect("DAddr", "10.0.0.1")), spec(connect("NotDAddr", "10.0.0.1"))),
    ("mapped-address-passes", spec(connect("SAddr", "10.0.0.0/8")), spec(connect("SAddr", "fd00::/8"))),
    (
        "mapped-address-passes",
        spec(connect("DAddr", "10.0.0.1")),
        spec(connect("DAddr", "10.0.0.1", name="udp_sendmsg")),
    ),
    ("one-family-only", spec(connect("NotDAddr", "10.0.0.1")), spec(connect("NotDAddr", "10.0.0.1", "::1"))),
    ("one-family-only", spec(connect("NotSAddr", "::1")), spec(connect("SAddr", "::1"))),
    (
        "one-family-only",
        spec(connect("NotDAddr", "10.0.0.1")),
        spec(connect("NotDAddr", "10.0.0.1", name="ip_output", kind="skb")),
    ),
]


@pytest.mark.parametrize(("rule", "there", "not_there"), CASES)
def test_a_rule_tells_of_a_policy_and_not_of_its_neighbour(
    rule: str, there: dict[str, Any], not_there: dict[str, Any]
) -> None:
    """That one is told, and that the other is not."""
    assert rule in ids(there)
    assert rule not in ids(not_there)


def test_every_rule_is_tried() -> None:
    """A new one brings its policies along."""
    assert {rule for rule, _, _ in CASES} | {"namespace-means-nothing"} == {rule.id for rule in RULES}
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_a_namespaced_policy_is_for_some_pods() -> None:
    """Whatever it selects; and the CRD of a version in which that is mended says so."""
    assert "uprobes-ignore-pods" in ids(UPROBE, kind="TracingPolicyNamespaced")
    assert "uprobes-ignore-pods" not in ids(UPROBE, kind="TracingPolicyNamespaced", version="1.7.1")
    assert "feeds-itself" not in ids(spec(SEND), kind="TracingPolicyNamespaced")


@pytest.mark.parametrize(
    ("kind", "namespace", "tells"),
    [("TracingPolicy", "shop", True), ("TracingPolicyNamespaced", "shop", False), ("TracingPolicy", "", False)],
)
def test_a_namespace_keeps_no_policy_of_the_cluster_to_it(kind: str, namespace: str, *, tells: bool) -> None:
    """Whoever writes one means it, and the cluster does not."""
    metadata = {"name": "made", **({"namespace": namespace} if namespace else {})}
    manifest = {"apiVersion": "cilium.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec(GUARD)}
    found = [one.id for one in loopholes(parse(yaml.safe_dump(manifest), "made.yaml"))]
    assert ("namespace-means-nothing" in found) == tells


def test_hooks_of_which_the_same_is_true_stand_together() -> None:
    """In one loophole, at the place of the first; it is recorded only where that is so of all of them."""
    both = [one for one in told(spec(call("symlinkat"), call("openat"))) if one.id == "io-uring-passes"]
    assert [(one.of, one.way, one.basis) for one in both] == [
        (("sys_symlinkat", "sys_openat"), ("spec", "kprobes", 0), "recorded")
    ]
    (mixed,) = [one for one in told(spec(call("symlinkat"), call("connect"))) if one.id == "io-uring-passes"]
    assert mixed.basis == "source"


def test_a_list_of_system_calls_is_spelt_out() -> None:
    """Its calls are hooked by their names; those of 32-bit programs are others."""
    calls = {"name": "opens", "type": "syscalls", "values": ["sys_openat", "i386/sys_openat"]}
    found = {one.id: one.of for one in told({**spec(hook("list:opens")), "lists": [calls]})}
    assert found["io-uring-passes"] == ("sys_openat",)
    assert "other-width-passes" not in found


def test_a_macro_is_part_of_the_selectors_that_use_it() -> None:
    """As though it were written there."""
    guard = hook("fd_install", INT, FILE, selectors=[{"macros": ["mine"], "matchActions": [KILL]}])
    macros = {"mine": {"matchBinaries": [{"operator": "NotIn", "values": ["/bin/cat"]}]}}
    assert "exempt-program-is-replaced" in ids({**spec(guard), "selectorsMacros": macros})


#: What the suites have seen to pass, by the policy's name, in the words of their limits and findings.
RECORDED = {
    "block-fd-install": {"rename-passes", "hard-link-passes", "file-is-made-first"},
    "block-nginx-write-index-by-mask": {"truncation-passes", "rename-passes"},
    "block-nginx-write-index-pid-1-only": {"exempt-program-is-replaced", "rename-passes"},
    "block-nginx-write-index-exempt-nginx": {"exempt-program-is-replaced", "rename-passes"},
    "block-nginx-write-index-follow-forks": {"pid-0-exempts-everything"},
    "block-nginx-write-index": {"children-are-not-exempt"},
    "block-internet-egress": {"udp-passes"},
    "block-fd-install-monitor": {"monitor-mode"},
    "privileged-exec": {"old-image-hides-the-event"},
    "override-bprm-creds-single": {"old-image-hides-the-event"},
    "log-tcp-connection": {"feeds-itself"},
    "override-symlink": {"io-uring-passes", "other-width-passes", "path-as-written", "same-by-another-call"},
}


@pytest.mark.parametrize("name", RECORDED)
def test_what_is_recorded_of_the_shipped_policies_is_told(name: str) -> None:
    """Each limit that passes and each finding that is the policy's own."""
    assert {one.id for one in loopholes(load(MANIFESTS / f"{name}.yaml"))} >= RECORDED[name]


def test_the_documentation_has_every_rule() -> None:
    """In its table, with when it is told and where it was seen, and no other."""
    lines = (ROOT / "docs/lint.md").read_text(encoding="utf-8").splitlines()
    rows = lines[lines.index("| rule | told of | seen |") + 2 :]
    assert rows == [f"| `{rule.id}` | {rule.about} | {rule.seen} |" for rule in RULES]


def specs_by(part: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that a part of the CRD takes, shallow where it is deep."""
    kind = part.get("type")
    if kind == "object":
        known = part.get("properties", {})
        required = {name: specs_by(known[name], depth + 1) for name in part.get("required", ())}
        others = {name: specs_by(inner, depth + 1) for name, inner in known.items() if name not in required}
        if not known:
            return st.dictionaries(st.sampled_from("ab"), st.just("b"), max_size=1)
        return st.fixed_dictionaries(required, optional=others)
    if kind == "array":
        most = min(part.get("maxItems", 2), 2)
        return st.lists(specs_by(part.get("items", {}), depth + 1), min_size=part.get("minItems", 0), max_size=most)
    if kind in {"boolean", "integer"}:
        return st.booleans() if kind == "boolean" else st.integers(part.get("minimum", -1), 20)
    values = part.get("enum") or [
        "sys_openat",
        "fd_install",
        "/etc/passwd",
        "10.0.0.0/8",
        "::1",
        "2",
        "list:a",
        "a",
        "1",
        "security_file_open",
    ]
    return st.sampled_from(values)


@settings(max_examples=150, deadline=None)
@given(what=specs_by(crd.schema()))
def test_whatever_the_crd_takes_can_be_surveyed(what: dict[str, Any]) -> None:
    """Without an error, and each loophole leads to a field that is there."""
    if crd.fault(what) is not None:
        return
    for one in told(what):
        value: Any = {"spec": what}
        for step in one.way[:-1]:
            value = value[step]
        assert one.said
        assert one.basis in {"recorded", "source", "documentation"}


def test_of_shipped_policies_nothing_is_told_twice() -> None:
    """A rule says a thing once."""
    for path in sorted(Path(MANIFESTS).glob("*.yaml")):
        found = [(one.id, one.said) for one in loopholes(load(path))]
        assert len(found) == len(set(found))
