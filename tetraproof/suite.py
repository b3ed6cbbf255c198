"""The words of a suite: all that it says, it imports from here.

from tetraproof.suite import Acts, Exactly, Exit, Kprobe, limit, policy, shell
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tetraproof.judging.expectation import (
    AllOf,
    Exactly,
    Exec,
    Exit,
    InOrder,
    Kprobe,
    Loader,
    Lsm,
    RateLimit,
    Throttle,
    Tracepoint,
    Uprobe,
    Usdt,
)
from tetraproof.judging.finding import Finding, Known
from tetraproof.judging.pattern import Pattern
from tetraproof.judging.scenario import Run
from tetraproof.language.case import Case
from tetraproof.observing.act import Act, Acts, agent, command, look, prepare, program, shell, typed

__all__ = [
    "Act",
    "Acts",
    "AllOf",
    "Case",
    "Exactly",
    "Exec",
    "Exit",
    "Finding",
    "InOrder",
    "Known",
    "Kprobe",
    "Loader",
    "Lsm",
    "Pattern",
    "RateLimit",
    "Run",
    "Throttle",
    "Tracepoint",
    "Uprobe",
    "Usdt",
    "agent",
    "cases",
    "change",
    "command",
    "finding",
    "installation",
    "limit",
    "look",
    "policy",
    "prepare",
    "program",
    "settings",
    "shell",
    "typed",
]

Test = Callable[..., Any]


def policy(*names: str) -> pytest.MarkDecorator:
    """What the suite judges: policies by the name of their file, each in a run of its own."""
    return pytest.mark.tetraproof_policy(*names)


def cases(*table: Case) -> pytest.MarkDecorator:
    """What the suite judges: cases of features of the policy language, each with a policy and acts of its own."""
    return pytest.mark.tetraproof_cases(*table)


def settings(name: str, **agent: str) -> pytest.MarkDecorator:
    """What a suite without a policy judges: the agent under these settings (`enable_process_cred="true"`)."""
    return pytest.mark.tetraproof_settings(name, {key.replace("_", "-"): value for key, value in agent.items()})


def change(*names: str, under: str) -> pytest.MarkDecorator:
    """What the suite judges: changes of the installation (`upgrade`), each made while the policy `under` holds."""
    return pytest.mark.tetraproof_change(*names, under=under)


def installation() -> pytest.MarkDecorator:
    """What the suite judges: what is installed, as it was found; nothing is done."""
    return pytest.mark.tetraproof_installation()


def limit(label: str) -> Callable[[Test], Test]:
    """The test tells how far the policy reaches: stopped, or `label` passes. It never changes a verdict."""
    return pytest.mark.tetraproof_limit(label)


def finding(known: Finding, shows: Callable[[Run], bool], of: str = "") -> Callable[[Test], Test]:
    """The promise is known to be refuted (of the policy `of`) where `shows` finds this very refutation."""
    return pytest.mark.tetraproof_finding(Known(known, shows, of))
