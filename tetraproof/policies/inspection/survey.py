"""Every rule of what a policy may leave open, and what they find in one."""

from __future__ import annotations

import difflib
import re
from itertools import chain

from tetraproof.errors import PolicyError
from tetraproof.policies.inspection import of_calls, of_files, of_networks, of_programs, of_scopes
from tetraproof.policies.inspection.loophole import Inspected, Loophole, Rule, Way
from tetraproof.policies.policy import Policy
from tetraproof.text import shorten

RULES: tuple[Rule, ...] = (
    *of_scopes.RULES,
    *of_programs.RULES,
    *of_files.RULES,
    *of_calls.RULES,
    *of_networks.RULES,
)


#: The annotation in which a policy's author says what is known to pass it, by the ids of the rules.
KNOWN = "tetraproof.dev/leaves-open"


def known_to(policy: Policy) -> frozenset[str]:
    """The rules of which the policy itself says that it knows. Raises `PolicyError` for one that there is not."""
    annotations = Inspected(policy).metadata.get("annotations") or {}
    named = re.split(r"[\s,]+", str(annotations.get(KNOWN) or "").strip())
    rules = {rule.id for rule in RULES}
    for one in filter(None, named):
        if one not in rules:
            near = difflib.get_close_matches(one, rules, 1)
            raise PolicyError(
                f"{policy.source}: metadata.annotations[{KNOWN!r}] names {shorten(one, 60)}, which is no rule.",
                remedy=f"did you mean {near[0]}?" if near else "see docs/lint.md",
                way=("metadata", "annotations", KNOWN),
            )
    return frozenset(filter(None, named))


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
