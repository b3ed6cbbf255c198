"""What no agent takes, whatever its kernel: values that the CRD lets through, and the agent refuses.

By Tetragon's source from 1.4.1 to main: `preValidateKprobe` in pkg/sensors/tracing/generickprobe.go, pkg/selectors/
kernel.go, pkg/btf/validation.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from tetraproof.policies.hook import system_calls, why_no_tracepoint, why_none
from tetraproof.policies.inspection.hooking import Hooking, Part, hookings
from tetraproof.policies.policy import Policy
from tetraproof.policies.requirement import is_syscall, misplaced
from tetraproof.text import shorten

#: MaxSelectors in pkg/selectors, and ParseMatchActions.
_SELECTORS, _ACTIONS = 5, 3
_ADDRESSES = {"SAddr", "NotSAddr", "DAddr", "NotDAddr"}
_CALL = "sys_"
#: A function of this name there is, which no call is entered by.
_NO_ENTRY = "sys_ni_syscall"


@dataclass(frozen=True)
class Mistake:
    """What is wrong, as a clause about the field that `way` leads to, and what to do about it."""

    way: tuple[str | int, ...]
    said: str
    remedy: str = ""


def mistakes(policy: Policy) -> tuple[Mistake, ...]:
    """All that is known to be refused of a policy by every agent, though its CRD takes it."""
    return tuple(_found(policy))


def _found(policy: Policy) -> Iterator[Mistake]:
    for hook in hookings(policy):
        yield from _of_name(hook)
        yield from _of_list(hook)
        for at, selector in enumerate(hook.part.get("selectors") or ()):
            yield from _of_selector(hook, at, selector)
        if len(hook.part.get("selectors") or ()) > _SELECTORS:
            yield Mistake((*hook.way, "selectors"), f"a hook has {_SELECTORS} selectors at most", "split the hook")
        if hook.kind == "kprobes" and hook.part.get("return") and not hook.part.get("returnArg"):
            yield Mistake((*hook.way, "return"), "return wants a returnArg", "write returnArg: {index: 0, type: int}")
    told = misplaced(policy)
    if told:
        yield Mistake(("spec", "kprobes"), told, "hook the system call, or the security_ function, that it serves")


def _of_name(hook: Hooking) -> Iterator[Mistake]:
    if hook.kind == "tracepoints" and not hook.part.get("raw"):
        told = why_no_tracepoint(str(hook.part.get("subsystem")), str(hook.part.get("event")))
        if told:
            yield Mistake((*hook.way, "event"), told)
    call = str(hook.part.get("call") or "")
    if hook.kind != "kprobes" or any((hook.part.get("ignore") or {}).values()):
        return
    for name in hook.functions:
        told = why_none(name)
        if told and is_syscall(hook.policy, hook.part):
            yield Mistake((*hook.way, "call"), told)
    if call.startswith("list:"):
        return
    named_so = call.startswith(_CALL) and call.removeprefix(_CALL) in system_calls() and call != _NO_ENTRY
    if hook.part.get("syscall") and _CALL not in call:
        said = f"{shorten(call, 60)} is no system call, and syscall is true where it is not written"
        yield Mistake((*hook.way, "call"), said, "write syscall: false")
    elif not hook.part.get("syscall") and named_so:
        said = f"{call} is a system call, and no kernel has a function of just that name"
        yield Mistake((*hook.way, "syscall"), said, "write syscall: true")


def _of_list(hook: Hooking) -> Iterator[Mistake]:
    call = str(hook.part.get("call") or "")
    known = [str(one.get("name")) for one in hook.policy.spec.get("lists") or ()]
    if call.startswith("list:") and call.removeprefix("list:") not in known:
        there = ", ".join(known) or "none"
        yield Mistake((*hook.way, "call"), f"there is no list {shorten(call[5:], 60)} in spec.lists", f"it has {there}")


def _of_selector(hook: Hooking, at: int, selector: Part) -> Iterator[Mistake]:
    way = (*hook.way, "selectors", at)
    for place, asked in enumerate(selector.get("matchArgs") or ()):
        yield from _of_argument(hook, (*way, "matchArgs", place), asked)
    actions = selector.get("matchActions") or ()
    if len(actions) > _ACTIONS:
        yield Mistake((*way, "matchActions"), f"a selector has {_ACTIONS} actions at most", "leave one out")
    for place, action in enumerate(actions):
        yield from _of_action(hook, (*way, "matchActions", place), action)


def _of_argument(hook: Hooking, way: tuple[str | int, ...], asked: Part) -> Iterator[Mistake]:
    arguments = [one.get("index") for one in hook.part.get("args") or ()]
    if hook.kind in {"kprobes", "lsmhooks"} and not asked.get("args") and asked.get("operator") != "CelExpr":
        index = asked.get("index", 0)
        if index not in arguments:
            said = f"it asks for the argument {index}, which args does not declare"
            yield Mistake((*way, "index"), said, f"add - {{index: {index}, type: …}} to the hook's args")
    if asked.get("operator") in _ADDRESSES:
        for place, value in enumerate(asked.get("values") or ()):
            if not _is_address(value):
                said = f"{shorten(repr(value), 60)} is no address and no range"
                unfilled = str(value).startswith("$")
                remedy = "fill it in first, as envsubst does" if unfilled else "write 10.0.0.1, or 10.0.0.0/8"
                yield Mistake((*way, "values", place), said, remedy)


def _of_action(hook: Hooking, way: tuple[str | int, ...], action: Part) -> Iterator[Mistake]:
    name = action.get("action")
    if name == "NotifyEnforcer" and not hook.policy.spec.get("enforcers"):
        yield Mistake(way, "NotifyEnforcer has nobody to notify: spec has no enforcers", "add spec.enforcers")
    if name != "Post" and action.get("rateLimit"):
        yield Mistake((*way, "rateLimit"), f"rateLimit is for Post, and this is {name}", "leave it out")
    stacks = [field for field in ("kernelStackTrace", "userStackTrace") if action.get(field)]
    if name != "Post" and stacks and hook.kind == "kprobes":
        yield Mistake((*way, stacks[0]), f"{stacks[0]} is for Post, and this is {name}", "leave it out")


def _is_address(value: str) -> bool:
    try:
        ip_network(value, strict=False)
    except ValueError:
        return False
    # a mask is a number of bits there, and a zone is no part of a range
    return value.partition("/")[2].isdecimal() or "/" not in value
