"""Mistakes: what the CRD takes and no agent does."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.builders import MANIFESTS
from tetraproof.policies.inspection.mistake import mistakes
from tetraproof.policies.policy import load, parse


def found(spec: dict[str, Any]) -> list[tuple[str, str]]:
    manifest = {"apiVersion": "cilium.io/v1alpha1", "kind": "TracingPolicy", "metadata": {"name": "made"}, "spec": spec}
    policy = parse(yaml.safe_dump(manifest), "made.yaml")
    return [(".".join(map(str, one.way)), one.said) for one in mistakes(policy)]


def of(call: str, *, syscall: bool = False, **more: Any) -> dict[str, Any]:
    return {"kprobes": [{"call": call, "syscall": syscall, **more}]}


def acting(**action: Any) -> dict[str, Any]:
    return of("fd_install", selectors=[{"matchActions": [action]}])


ARGS = [{"index": 0, "type": "sock"}]


def asking(operator: str, *values: str, index: int = 0) -> dict[str, Any]:
    asked = {"index": index, "operator": operator, "values": list(values)}
    return of("tcp_connect", args=ARGS, selectors=[{"matchArgs": [asked]}])


@pytest.mark.parametrize(
    ("spec", "place", "said"),
    [
        (
            of("sys_opeant", syscall=True),
            "spec.kprobes.0.call",
            "there is no system call opeant (did you mean sys_openat?)",
        ),
        (
            {"kprobes": [{"call": "fd_install"}]},
            "spec.kprobes.0.call",
            "fd_install is no system call, and syscall is true",
        ),
        (of("sys_openat"), "spec.kprobes.0.syscall", "sys_openat is a system call, and no kernel has a function"),
        (of("list:a"), "spec.kprobes.0.call", "there is no list a in spec.lists"),
        (of("fd_install", **{"return": True}), "spec.kprobes.0.return", "return wants a returnArg"),
        (of("fd_install", selectors=[{}] * 6), "spec.kprobes.0.selectors", "5 selectors at most"),
        (acting(action="Override", argError=-1), "spec.kprobes", "fd_install is neither"),
        (acting(action="NotifyEnforcer", argError=-1), "matchActions.0", "spec has no enforcers"),
        (
            acting(action="Sigkill", rateLimit="5m"),
            "matchActions.0.rateLimit",
            "rateLimit is for Post, and this is Sigkill",
        ),
        (acting(action="Sigkill", kernelStackTrace=True), "matchActions.0.kernelStackTrace", "is for Post"),
        (
            of("fd_install", selectors=[{"matchActions": [{"action": "Post"}] * 4}]),
            "spec.kprobes.0.selectors.0.matchActions",
            "3 actions at most",
        ),
        (asking("DAddr", "10.0.0.1", "10.0.0.0/255.0.0.0"), "matchArgs.0.values.1", "is no address and no range"),
        (asking("NotSAddr", "${PODCIDR}"), "matchArgs.0.values.0", "'${PODCIDR}' is no address"),
        (asking("DPort", "80", index=1), "matchArgs.0.index", "the argument 1, which args does not declare"),
        (
            {"tracepoints": [{"subsystem": "syscalls", "event": "sys_enter_opeant"}]},
            "spec.tracepoints.0.event",
            "there is no system call opeant (did you mean sys_enter_openat?)",
        ),
        (
            {"tracepoints": [{"subsystem": "raw_syscalls", "event": "enter"}]},
            "spec.tracepoints.0.event",
            "no event enter",
        ),
    ],
)
def test_what_no_agent_takes_is_told_at_its_field(spec: dict[str, Any], place: str, said: str) -> None:
    """Each once."""
    ((where, what),) = found(spec)
    assert where.endswith(place)
    assert said in what


@pytest.mark.parametrize(
    "spec",
    [
        of("sys_openat", syscall=True),
        of("__x64_sys_openat", syscall=True),
        of("__x64_sys_openat"),
        of("sys_ni_syscall"),
        of("fd_install"),
        of("sys_opeant", syscall=True, ignore={"callNotFound": True}),
        {**of("list:a"), "lists": [{"name": "a", "type": "syscalls", "values": ["sys_dup", "i386/sys_dup"]}]},
        of("fd_install", **{"return": True}, returnArg={"index": 0, "type": "int"}),
        acting(action="Post", rateLimit="5m", kernelStackTrace=True),
        {**acting(action="NotifyEnforcer", argError=-1), "enforcers": [{"calls": ["sys_dup"]}]},
        asking("DAddr", "10.0.0.1", "10.0.0.1/8", "::1", "fd00::/8"),
        asking("DPort", "80"),
        of("sys_symlinkat", syscall=True, selectors=[{"matchActions": [{"action": "Override", "argError": -1}]}]),
        {"tracepoints": [{"subsystem": "syscalls", "event": "sys_enter_openat"}]},
        {"tracepoints": [{"subsystem": "sched", "event": "sched_process_exec", "raw": True}]},
    ],
)
def test_what_some_agent_takes_is_no_mistake(spec: dict[str, Any]) -> None:
    """Whatever else may be said of it."""
    assert found(spec) == []


def test_the_shipped_policies_have_none() -> None:
    """Each was taken by an agent."""
    for path in MANIFESTS.glob("*.yaml"):
        assert mistakes(load(path)) == ()
