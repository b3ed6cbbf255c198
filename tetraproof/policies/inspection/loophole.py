"""What a policy leaves open, and the rule that knows it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tetraproof.policies.inspection.hooking import Hooking, hookings
from tetraproof.policies.manifest import Document
from tetraproof.policies.policy import Policy

Way = tuple[str | int, ...]


@dataclass(frozen=True)
class Loophole:
    """What passes a policy, goes by it unseen, or is hit though it is not meant.

    `id` is its rule's. `of` names the hooks that it is true of, `said` is the clause about them. `basis` is how that is
    known: `recorded`, by the `source` of kernel or agent, or by `documentation`; `seen` says where. `way` leads to the
    first of the hooks in the manifest.
    """

    id: str
    of: tuple[str, ...]
    said: str
    basis: str
    seen: str
    way: Way


@dataclass(frozen=True)
class Inspected:
    """A policy, with what every rule asks of it."""

    policy: Policy

    @cached_property
    def hooks(self) -> tuple[Hooking, ...]:
        """Its hooks that have selectors."""
        return hookings(self.policy)

    @cached_property
    def functions(self) -> frozenset[str]:
        """All functions that it hooks, by their one names."""
        return frozenset(name for hook in self.hooks for name in hook.functions)

    @cached_property
    def calls(self) -> frozenset[str]:
        """All system calls that it hooks, without `sys_`."""
        return frozenset(name for hook in self.hooks for name in hook.calls)

    @cached_property
    def metadata(self) -> Any:
        """Its metadata as written."""
        value = Document(self.policy.text, self.policy.line, self.policy.source).read()
        for step in self.policy.within:
            value = value[step]
        return value["metadata"]

    @property
    def filters_pods(self) -> bool:
        """Whether it is for some pods or containers alone."""
        selectors = (self.policy.spec.get("podSelector"), self.policy.spec.get("containerSelector"))
        return self.policy.kind == "TracingPolicyNamespaced" or any(one is not None for one in selectors)


#: What a rule tells: where, of which hook (by name, or nothing), and the clause.
Told = Iterator[tuple[Way, str, str]]


@dataclass(frozen=True)
class Rule:
    """One kind of loophole. What `find` tells is true of that policy, or not told; `about` says when it is, for people.

    `basis` and `seen` say how it is known. Of the hooks named in `recorded` it is recorded, whatever the basis.
    """

    id: str
    about: str
    basis: str
    seen: str
    find: Callable[[Inspected], Told]
    recorded: frozenset[str] = frozenset()

    def basis_of(self, names: Collection[str]) -> str:
        """How it is known of these hooks together."""
        return "recorded" if names and self.recorded.issuperset(names) else self.basis
