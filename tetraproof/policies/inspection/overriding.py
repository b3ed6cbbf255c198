"""With which error a policy answers in the place of a call: the one place where `argError` gets its name and words.

An error is below 0. Anything else fakes a success: what the program makes of that is its own affair.
"""

from __future__ import annotations

import difflib
import errno
import os

from tetraproof.errors import UsageError
from tetraproof.policies.inspection.hooking import hookings
from tetraproof.policies.policy import Policy

#: Actions that answer in the place of a call, and the kinds of hook where they change something else.
_ANSWERING = frozenset({"Override", "NotifyEnforcer", "NotifyKiller"})
_NO_CALLS = frozenset({"uprobes", "usdts"})
#: What "denied" means where no policy says otherwise.
EPERM = ("EPERM",)


def error_of(number: int) -> str:
    """The name of the error that an `argError` is (`EACCES` of -13); nothing where it is none."""
    return errno.errorcode.get(-number, "")


def words_of(error: str) -> str:
    """What a program says of an error, by its name. Raises `UsageError` where there is none of that name."""
    number = getattr(errno, error, None) if error in errno.errorcode.values() else None
    if number is None:
        near = difflib.get_close_matches(error, errno.errorcode.values(), 1)
        raise UsageError(f"There is no error {error!r}.", remedy=f"write {near[0] if near else 'EPERM'}")
    return os.strerror(number)


def answered(policy: Policy | None) -> tuple[str, ...] | None:
    """The errors with which a policy refuses a call, by name, each once; empty where it only fakes successes.

    Nothing where it answers in the place of no call. In monitor mode it answers none, and refuses nothing.
    """
    if policy is None:
        return None
    hooks = [hook for hook in hookings(policy) if hook.kind not in _NO_CALLS]
    written = [
        action
        for hook in hooks
        for selector in hook.selectors
        for action in selector.actions
        if action.get("action") in _ANSWERING
    ]
    if not written:
        return None
    enforced = [action for hook in hooks for one in hook.enforcing for action in one.actions if action in written]
    numbers = dict.fromkeys(int(action.get("argError") or 0) for action in enforced)
    return tuple(error for number in numbers if (error := error_of(number)))


def denials(policy: Policy | None) -> tuple[str, ...]:
    """The errors that count as "denied" under a policy: its own; EPERM where it answers in the place of no call."""
    own = answered(policy)
    return EPERM if own is None else own
