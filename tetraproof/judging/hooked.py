"""What a policy hooks, held against what a suite expects of it: no event can come of what is not hooked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tetraproof.errors import UsageError
from tetraproof.judging.expectation import Expectation
from tetraproof.judging.pattern import Pattern
from tetraproof.policies.hook import canonical, nearest
from tetraproof.policies.policy import Policy

#: The parts of a spec whose events are of a kind, the field of each that names the hook, and the word for it.
_HOOKS = {
    "kprobe": (("kprobes", "fentries"), "call", "function"),
    "lsm": (("lsmhooks",), "hook", "function"),
    "tracepoint": (("tracepoints",), "event", "event"),
}


def check(policy: Policy, expectation: Expectation) -> None:
    """Refuse an expectation of a hook that the policy does not have. Raises `UsageError` with the nearest it has.

    Whatever is said to be absent would be: nobody would notice a misspelt name.
    """
    for pattern in expectation.patterns:
        _check(policy, pattern)


def _check(policy: Policy, pattern: Pattern) -> None:
    if pattern.kind not in _HOOKS:
        return
    parts, field, word = _HOOKS[pattern.kind]
    expected = next((value for name, value in pattern.fields if name in {word, f"{word}_name"}), None)
    hooked = set(_names(policy, parts, field))
    # a list names its hooks elsewhere, and may be made by the agent
    if not isinstance(expected, str) or not hooked or any(name.startswith("list:") for name in hooked):
        return
    if canonical(expected) in hooked:
        return
    near = nearest(canonical(expected), hooked)
    raise UsageError(
        f"{pattern}: policy {policy.name} hooks no {expected}, so no event of it can ever come.",
        remedy=f"did you mean {near}?" if near else f"it hooks {', '.join(sorted(hooked))}",
    )


def _names(policy: Policy, parts: tuple[str, ...], field: str) -> Iterator[str]:
    for part in parts:
        hooks: list[Mapping[str, Any]] = policy.spec.get(part) or []
        for hook in hooks:
            if isinstance(name := hook.get(field), str):
                yield canonical(name)
