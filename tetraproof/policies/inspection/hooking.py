"""One hook of a policy, as whoever inspects it asks: what it is of, and what it singles out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tetraproof.policies.hook import canonical, machine_of
from tetraproof.policies.policy import Policy
from tetraproof.policies.requirement import ENFORCING, SIGNALS, demanded_mode, each_hook, functions, is_syscall

Part = Mapping[str, Any]
#: What a system call's canonical name begins with, and that of a 32-bit program's.
_CALL, _FOREIGN_CALLS = "sys_", ("__ia32_sys_", "__ia32_compat_sys_")
#: The LSM hooks that are not called as the kernel's `security_` function is.
_LSM = {"bprm_check_security": "bprm_check"}


@dataclass(frozen=True)
class Selector:
    """One selector of a hook: its filters, with those of the macros that it uses, and its actions."""

    at: int
    filters: Part
    actions: tuple[Part, ...]

    def does(self, names: Collection[str]) -> bool:
        """Whether one of its actions is one of these."""
        return any(action.get("action") in names for action in self.actions)

    @property
    def unlimited(self) -> bool:
        """Whether it asks for nothing, so that it takes every call."""
        return not any(self.filters.values())


@dataclass(frozen=True)
class Hooking:
    """A hook: its kind (`kprobes` …), its place among those of that kind, and what is written there."""

    policy: Policy
    kind: str
    at: int
    part: Part

    @property
    def way(self) -> tuple[str | int, ...]:
        """Where it stands in the manifest."""
        return ("spec", self.kind, self.at)

    @cached_property
    def functions(self) -> tuple[str, ...]:
        """The kernel's functions that it is of, each by its one name; an LSM hook is its `security_` function.

        Empty where they are a list that the agent makes, and for programs' own functions.
        """
        if self.kind in {"kprobes", "fentries"}:
            return tuple(canonical(name) for name in functions(self.policy, self.part.get("call")))
        if self.kind == "lsmhooks":
            return (f"security_{_LSM.get(str(self.part.get('hook')), self.part.get('hook'))}",)
        if self.kind == "tracepoints" and self.part.get("subsystem") == "syscalls":
            return (f"{_CALL}{str(self.part.get('event')).removeprefix('sys_enter_').removeprefix('sys_exit_')}",)
        return ()

    @cached_property
    def calls(self) -> tuple[str, ...]:
        """The system calls that it is of, without `sys_`; those that 32-bit programs make are not among them."""
        told = is_syscall(self.policy, self.part) or self.kind == "tracepoints"
        return tuple(one.removeprefix(_CALL) for one in self.functions if told and one.startswith(_CALL))

    @property
    def machines(self) -> frozenset[str]:
        """The architectures that alone have its functions, by the names that are written; empty where all have."""
        named = functions(self.policy, self.part.get("call")) if self.kind in {"kprobes", "fentries"} else ()
        return frozenset(filter(None, map(machine_of, named)))

    @property
    def at_entry(self) -> bool:
        """Whether it is of where system calls begin."""
        return bool(self.calls) and not str(self.part.get("event") or "").startswith("sys_exit_")

    @cached_property
    def selectors(self) -> tuple[Selector, ...]:
        """Its selectors; one that asks for nothing where it has none."""
        return tuple(self._selectors()) or (Selector(0, {}, ()),)

    @cached_property
    def guarding(self) -> tuple[Selector, ...]:
        """The selectors for which the policy is there: those that enforce; where none does, those that report."""
        return self.enforcing or tuple(one for one in self.selectors if not one.does({"NoPost"}))

    @cached_property
    def enforcing(self) -> tuple[Selector, ...]:
        """The selectors that enforce: none of a policy that is to be in monitor mode."""
        if demanded_mode(self.policy) != "enforce":
            return ()
        return tuple(one for one in self.selectors if one.does(ENFORCING))

    @property
    def only_kills(self) -> tuple[Selector, ...]:
        """The selectors that send a signal, and refuse nothing."""
        return tuple(one for one in self.enforcing if one.does(SIGNALS) and not one.does({"Override"}))

    def of(self, names: Collection[str]) -> tuple[str, ...]:
        """Those of its functions that are among these."""
        return tuple(one for one in self.functions if one in names)

    def type_of(self, asked: Part) -> str:
        """The type of the argument that a filter asks of, as declared; `auto` where the agent finds it out."""
        arguments: list[Part] = list(self.part.get("args") or ())
        for place in asked.get("args") or ():
            return str(arguments[place].get("type", "auto")) if place < len(arguments) else ""
        return next((str(one.get("type", "auto")) for one in arguments if one.get("index") == asked.get("index")), "")

    def asked(self, selector: Selector, operators: Collection[str]) -> Iterator[tuple[Part, str]]:
        """The filters of arguments with one of these operators, each with the type of its argument."""
        for one in selector.filters.get("matchArgs") or ():
            if one.get("operator") in operators:
                yield one, self.type_of(one)

    def _selectors(self) -> Iterator[Selector]:
        macros: Part = self.policy.spec.get("selectorsMacros") or {}
        for at, written in enumerate(self.part.get("selectors") or ()):
            parts = [*(macros.get(name) or {} for name in written.get("macros") or ()), written]
            whole = {name: value for part in parts for name, value in part.items() if value and name != "macros"}
            actions = [*whole.pop("matchActions", ()), *whole.pop("matchReturnActions", ())]
            yield Selector(at, whole, tuple(actions))


def hookings(policy: Policy) -> tuple[Hooking, ...]:
    """Every hook of a policy that has selectors."""
    seen: dict[str, int] = {}
    found = []
    for kind, part in each_hook(policy):
        seen[kind] = seen.get(kind, -1) + 1
        found.append(Hooking(policy, kind, seen[kind], part))
    return tuple(found)


def is_foreign(function: str) -> bool:
    """Whether a function's one name is that of a call that 32-bit programs make."""
    return function.startswith(_FOREIGN_CALLS)
