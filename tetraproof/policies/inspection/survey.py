"""Every rule of what a policy may leave open, and what they find in one."""

from __future__ import annotations

from itertools import chain

from tetraproof.policies.inspection import of_calls, of_files, of_networks, of_programs, of_scopes
from tetraproof.policies.inspection.loophole import Inspected, Loophole, Rule, Way
from tetraproof.policies.policy import Policy

RULES: tuple[Rule, ...] = (
    *of_scopes.RULES,
    *of_programs.RULES,
    *of_files.RULES,
    *of_calls.RULES,
    *of_networks.RULES,
)


def loopholes(policy: Policy) -> tuple[Loophole, ...]:
    """What is known to pass a policy, in the order of the rules; hooks of which the same is true stand together."""
    inspected = Inspected(policy)
    return tuple(chain.from_iterable(_found(rule, inspected) for rule in RULES))


def _found(rule: Rule, inspected: Inspected) -> tuple[Loophole, ...]:
    together: dict[str, tuple[Way, dict[str, None]]] = {}
    for way, of, said in rule.find(inspected):
        _, names = together.setdefault(said, (way, {}))
        if of:
            names[of] = None
    return tuple(
        Loophole(rule.id, tuple(names), said, rule.basis_of(names), rule.seen, way)
        for said, (way, names) in together.items()
    )
