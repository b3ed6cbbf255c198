"""A policy as a draft reads it: each hook with its arguments and selectors, lists and macros spelt out.

What nobody here can say is told, never guessed: `unread` says why no act is known to meet a hook, `unread` of a
selector which of its filters nobody can hold against an act.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tetraproof.policies.hook import canonical
from tetraproof.policies.policy import Policy
from tetraproof.policies.requirement import HOOKS

Part = Mapping[str, Any]
#: Filters that can be held against an act.
_READ = ("matchArgs", "matchBinaries", "matchPIDs", "matchNamespaces", "matchCapabilities")
#: Filters that cannot, each with the reason.
_UNREAD = {
    "matchReturnArgs": "what the call returns is the kernel's to say",
    "matchReturnActions": "what is done on return depends on what the call returns",
    "matchData": "no act is known to set that data",
    "matchCapabilityChanges": "no act here changes its capabilities",
    "matchNamespaceChanges": "no act here changes its namespaces",
    "matchParentBinaries": "who starts an act is the runtime's affair",
    "matchCurrentCred": "with which credentials a pod runs is its own",
    "matchWorkloads": "which workloads that means is not known here",
}


@dataclass(frozen=True)
class Argument:
    """One argument that a hook tells: the function's parameter `index`, at `position` among those told."""

    index: int
    type: str
    position: int


@dataclass(frozen=True)
class Asked:
    """One filter of matchArgs: of the parameter `index`, with its operator and values as written."""

    index: int
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Action:
    """What is done about a match, with what else stands beside it in the manifest."""

    name: str
    part: Part

    @property
    def error(self) -> int:
        """The value with which an Override answers."""
        return int(self.part.get("argError") or 0)

    @property
    def signal(self) -> int:
        """The signal that it sends; 9 of a Sigkill."""
        return 9 if self.name == "Sigkill" else int(self.part.get("argSig") or 0)


@dataclass(frozen=True)
class Selector:
    """One selector of a hook, macros included. `unread` says, by the name of a filter, why nobody can judge it."""

    number: int
    asked: tuple[Asked, ...] = ()
    binaries: tuple[Part, ...] = ()
    pids: tuple[Part, ...] = ()
    namespaces: tuple[Part, ...] = ()
    capabilities: tuple[Part, ...] = ()
    actions: tuple[Action, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def programs(self) -> tuple[str, ...]:
        """The programs that its matchBinaries name, each once."""
        return tuple(dict.fromkeys(str(value) for part in self.binaries for value in part.get("values") or ()))

    def does(self, *names: str) -> Action | None:
        """The first of its actions that is called one of these."""
        return next((action for action in self.actions if action.name in names), None)

    def asks(self, index: int) -> tuple[Asked, ...]:
        """What it asks of one parameter."""
        return tuple(one for one in self.asked if one.index == index)


@dataclass(frozen=True)
class Hook:
    """One hook of a policy. `call` names it as the table of hooks does; `kind` is the part of the spec it stands in.

    `event` is the constructor of its event in a suite, `named` that constructor's own arguments.
    """

    kind: str
    call: str
    event: str
    named: tuple[str, ...]
    arguments: tuple[Argument, ...]
    selectors: tuple[Selector, ...]
    place: str
    unread: str = ""

    def argument(self, index: int) -> Argument | None:
        """The argument of one parameter; nothing where the hook does not tell it."""
        return next((one for one in self.arguments if one.index == index), None)

    @property
    def told(self) -> str:
        """How it is called in a sentence."""
        return self.call.removeprefix("lsm:").removeprefix("tracepoint:").replace("/", " ")


def hooks(policy: Policy) -> tuple[Hook, ...]:
    """Every hook of the policy, those of a list one by one, in the order of the manifest."""
    return tuple(found for kind in HOOKS for found in _of_kind(policy, kind))


def _of_kind(policy: Policy, kind: str) -> Iterator[Hook]:
    for at, part in enumerate(policy.normalised.get(kind) or ()):
        where = f"{kind}[{at}]"
        if kind in {"kprobes", "fentries"}:
            for call, unread in _calls(policy, part.get("call") or ""):
                names: tuple[str, ...] = (call,) if call else ()
                yield _hook(policy, kind, part, where, canonical(call), ("Kprobe", *names), unread)
        elif kind == "lsmhooks":
            call = part.get("hook") or ""
            yield _hook(policy, kind, part, where, f"lsm:{call}", ("Lsm", call))
        elif kind == "tracepoints":
            names = (part.get("subsystem") or "", part.get("event") or "")
            yield _hook(policy, kind, part, where, f"tracepoint:{'/'.join(names)}", ("Tracepoint", *names))
        else:
            path = str(part.get("path"))
            yield _hook(policy, kind, part, where, f"{kind.removesuffix('s')}:{path}", (kind.capitalize()[:-1], path))


def _hook(  # noqa: PLR0913, PLR0917 - a hook is made of all of these
    policy: Policy, kind: str, part: Part, place: str, call: str, event: tuple[str, ...], unread: str = ""
) -> Hook:
    told = tuple(
        Argument(_number(one.get("index"), at), one.get("type") or "auto", at)
        for at, one in enumerate(part.get("args") or ())
    )
    resolved = [one for one in part.get("args") or () if one.get("resolve")]
    if resolved and not unread:
        unread = f"it reads {resolved[0]['resolve']} out of the kernel's own structures"
    selectors = tuple(
        _selector(policy, number, one, told, kind) for number, one in enumerate(part.get("selectors") or ())
    )
    return Hook(kind, call, event[0], event[1:], told, selectors, place, unread)


def _calls(policy: Policy, call: str) -> Iterator[tuple[str, str]]:
    """Each function that a call names, with the reason why it is not known which."""
    if not call.startswith("list:"):
        yield call, ""
        return
    name = call.removeprefix("list:")
    found: Part = next((one for one in policy.spec.get("lists") or () if one.get("name") == name), {})
    if found.get("type") in {"generated_syscalls", "generated_ftrace"} or not found.get("values"):
        yield "", f"the agent makes the list {name} itself, by what the node has"
        return
    for value in found["values"]:
        yield str(value), ""


def _selector(policy: Policy, number: int, written: Part | None, told: Sequence[Argument], kind: str) -> Selector:
    macros: Part = policy.spec.get("selectorsMacros") or {}
    parts = [written or {}, *(macros.get(name) or {} for name in (written or {}).get("macros") or ())]

    def gathered(name: str) -> tuple[Part, ...]:
        return tuple(one for part in parts for one in part.get(name) or ())

    unread = [f"{name}: {why}" for name, why in _UNREAD.items() if gathered(name)]
    unread += [
        f"{name}: nothing is known of it here"
        for part in parts
        for name in part
        if name not in {*_READ, *_UNREAD, "matchActions", "macros"} and part.get(name)
    ]
    asked = tuple(
        Asked(_parameter(one, told, kind), one.get("operator") or "", tuple(map(str, one.get("values") or ())))
        for one in gathered("matchArgs")
    )
    return Selector(
        number,
        asked,
        gathered("matchBinaries"),
        gathered("matchPIDs"),
        gathered("matchNamespaces"),
        gathered("matchCapabilities"),
        tuple(Action(one.get("action") or "", one) for one in gathered("matchActions")),
        tuple(dict.fromkeys(unread)),
    )


def _parameter(asked: Part, told: Sequence[Argument], kind: str) -> int:
    """Which parameter is asked of: by its place among the arguments (`args`), or by its own index.

    A tracepoint's `index` may be the place as well, as InitKernelSelectors in pkg/sensors/tracing reads it.
    """
    places = asked.get("args") or ()
    if places:
        at = _number(places[0], 0)
        return told[at].index if at < len(told) else -1
    index = _number(asked.get("index"), 0)
    if kind == "tracepoints" and all(one.index != index for one in told) and index < len(told):
        return told[index].index
    return index


def _number(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise
