"""Policies as strangers write them: any that the CRD takes, from the parts that drafts look at."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import strategies as st

from tetraproof.errors import PolicyError
from tetraproof.policies.policy import Policy, parse

PATHS = st.one_of(
    st.sampled_from(
        [
            "/tmp/guarded",
            "/etc/passwd",
            "/etc/",
            "/etc/secrets",
            "/usr/bin/passwd",
            "/usr/share/nginx/html/",
            "/proc/sys/kernel/core_pattern",
            "/dev/mem",
            "/bin/sh",
            "/",
            "",
            ".bashrc",
            "/tmp/with space",
            "/tmp/qu\"ote'd",
            "/tmp/{probe.pod}",
            "/tmp/back\\slash",
            "/tmp/\N{BELL}\x1b[31m",
            "/tmp/$(reboot)",
            "/etc/passwd\0",
            "/a" * 150,
        ]
    ),
    st.text(max_size=30).map(lambda text: f"/{text}"),
)
ADDRESSES = st.sampled_from(
    ["127.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "255.255.255.255", "203.0.113.0/24", "::1/128", "nowhere", "${RANGE}"]
)
NUMBERS = st.one_of(
    st.integers(-2, 70000).map(str), st.sampled_from(["80:90", "0x10", "IPPROTO_TCP", "AF_INET", "two"])
)
CALLS = [
    *("fd_install", "security_file_open", "security_file_permission", "security_mmap_file", "security_path_truncate"),
    *("tcp_connect", "tcp_close", "tcp_sendmsg", "security_socket_connect", "udp_sendmsg", "ip_output"),
    *("security_bprm_check", "security_bprm_creds_from_file", "sys_execve", "sys_openat", "sys_symlinkat"),
    *("sys_linkat", "sys_mkdir", "sys_setuid", "create_user_ns", "inet_csk_listen_start", "commit_creds", "list:l"),
]
TYPES = ["int", "file", "path", "string", "sock", "sockaddr", "skb", "linux_binprm", "nop", "uint32", "dentry"]
OPERATORS = [
    *(
        "Equal",
        "NotEqual",
        "Prefix",
        "NotPrefix",
        "Postfix",
        "NotPostfix",
        "SubString",
        "Mask",
        "GreaterThan",
        "InRange",
    ),
    *("DAddr", "NotDAddr", "SAddr", "DPort", "NotDPort", "SPort", "DPortPriv", "Protocol", "Family", "State", "InMap"),
]
ACTIONS = st.one_of(
    st.sampled_from(["Post", "Sigkill", "NoPost", "NotifyEnforcer", "GetUrl", "FollowFD"]).map(
        lambda one: {"action": one}
    ),
    st.integers(-140, 3).map(lambda error: {"action": "Override", "argError": error}),
    st.integers(0, 70).map(lambda number: {"action": "Signal", "argSig": number}),
    st.just({"action": "Post", "rateLimit": "1m"}),
)
PROGRAMS = st.sampled_from(
    [
        "/usr/bin/cat",
        "/usr/bin/bash",
        "/bin/cat",
        "/usr/sbin/nginx",
        "/usr/bin/zsh",
        "cat",
        "/usr/bin/curl",
        "/usr/bin/pytho n",
    ]
)


def _few(one: st.SearchStrategy[Any], most: int = 3, least: int = 1) -> st.SearchStrategy[list[Any]]:
    return st.lists(one, min_size=least, max_size=most)


def _asked() -> st.SearchStrategy[dict[str, Any]]:
    values = st.one_of(_few(PATHS), _few(ADDRESSES, 6), _few(NUMBERS))
    return st.fixed_dictionaries({"index": st.integers(0, 3), "operator": st.sampled_from(OPERATORS), "values": values})


def _selector() -> st.SearchStrategy[dict[str, Any]]:
    binaries = st.fixed_dictionaries(
        {"operator": st.sampled_from(["In", "NotIn", "Prefix", "NotPostfix"]), "values": _few(PROGRAMS)}
    )
    pids = st.fixed_dictionaries(
        {
            "operator": st.sampled_from(["In", "NotIn"]),
            "followForks": st.booleans(),
            "isNamespacePID": st.booleans(),
            "values": _few(st.sampled_from([0, 1, 4711])),
        }
    )
    namespaces = st.fixed_dictionaries(
        {
            "namespace": st.sampled_from(["Pid", "Mnt", "User", "Net"]),
            "operator": st.sampled_from(["In", "NotIn"]),
            "values": st.sampled_from([["host_ns"], ["4026531836"]]),
        }
    )
    capabilities = st.fixed_dictionaries(
        {
            "operator": st.sampled_from(["In", "NotIn"]),
            "type": st.sampled_from(["Effective", "Inheritable"]),
            "values": _few(st.sampled_from(["CAP_SYS_ADMIN", "CAP_CHOWN", "CAP_NET_RAW"])),
        }
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "matchArgs": _few(_asked(), 3, 0),
            "matchBinaries": _few(binaries, 1, 0),
            "matchPIDs": _few(pids, 1, 0),
            "matchNamespaces": _few(namespaces, 1, 0),
            "matchCapabilities": _few(capabilities, 1, 0),
            "matchActions": _few(ACTIONS, 2, 0),
            "matchReturnArgs": _few(_asked(), 1, 0),
        },
    )


def _arguments() -> st.SearchStrategy[list[dict[str, Any]]]:
    one = st.fixed_dictionaries({"index": st.integers(0, 3), "type": st.sampled_from(TYPES)})
    return _few(one, 4, 0)


def _kprobe() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "call": st.sampled_from(CALLS),
            "syscall": st.booleans(),
            "args": _arguments(),
            "selectors": _few(_selector(), 3, 0),
        }
    )


def _lsm() -> st.SearchStrategy[dict[str, Any]]:
    hook = st.sampled_from(["file_open", "bprm_check_security", "socket_connect", "file_permission", "inode_rename"])
    return st.fixed_dictionaries({"hook": hook, "args": _arguments(), "selectors": _few(_selector(), 2, 0)})


def _tracepoint() -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(
        [("syscalls", "sys_enter_openat"), ("sched", "sched_process_exec"), ("raw_syscalls", "sys_enter"), ("net", "x")]
    )
    return names.flatmap(
        lambda name: st.fixed_dictionaries(
            {
                "subsystem": st.just(name[0]),
                "event": st.just(name[1]),
                "args": _arguments(),
                "selectors": _few(_selector(), 2, 0),
            }
        )
    )


def _policy(spec: dict[str, Any], kind: str, namespace: str) -> Policy | None:
    metadata = {"name": "drawn"} | ({"namespace": namespace} if namespace else {})
    value = {"apiVersion": "cilium.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
    try:
        return parse(yaml.safe_dump(value), "drawn.yaml", crd="main")
    except PolicyError:
        return None


def policies() -> st.SearchStrategy[Policy]:
    """Policies that load."""
    uprobe = st.just({"path": "/bin/bash", "symbols": ["readline"]})
    spec = st.fixed_dictionaries(
        {"lists": st.just([{"name": "l", "type": "syscalls", "values": ["sys_dup", "sys_symlinkat"]}])},
        optional={
            "kprobes": _few(_kprobe(), 3, 0),
            "lsmhooks": _few(_lsm(), 2, 0),
            "tracepoints": _few(_tracepoint(), 2, 0),
            "uprobes": _few(uprobe, 1, 0),
            "options": st.sampled_from([[], [{"name": "policy-mode", "value": "monitor"}]]),
            "podSelector": st.sampled_from([{"matchLabels": {"app": "nginx"}}, {"matchLabels": {"app": "nobody"}}]),
        },
    )
    kinds = st.sampled_from(
        [("TracingPolicy", ""), ("TracingPolicyNamespaced", ""), ("TracingPolicyNamespaced", "galaxy")]
    )
    made = st.tuples(spec, kinds).map(lambda one: _policy(one[0], *one[1]))
    return made.filter(lambda one: one is not None).map(lambda one: one or parse("", ""))
