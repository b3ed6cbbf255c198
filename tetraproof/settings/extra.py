"""What is installed only by those who want it: the extras of the package."""

from __future__ import annotations

from importlib.util import find_spec

from tetraproof.errors import UsageError

#: By the name of an extra, a module that only it installs.
_OF = {"kind": "pytest_kind", "cluster": "kubernetes", "standalone": "virtme_ng", "allure": "allure_pytest"}


def has(extra: str) -> bool:
    """Whether an extra is installed."""
    return find_spec(_OF[extra]) is not None


def need(extra: str, what: str) -> None:
    """See that an extra is installed. Raises `UsageError` with the command that installs it."""
    if not has(extra):
        raise UsageError(
            f"{what} needs more than is installed.", remedy=f"pip install 'tetraproof[{extra}]' installs it"
        )
