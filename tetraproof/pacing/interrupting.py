"""Interrupts that come while Python and pytest are still starting: held until somebody is there who heeds them.

An interrupt in the middle of an import ends in a library's traceback. What is held comes at once when it is let go.
"""

from __future__ import annotations

import os
import signal

#: What ends a run; a terminal that is closed sends the last.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_HELD = "TETRAPROOF_HELD"


def hold() -> None:
    """Hold interrupts from here on, over an exec of this very process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    os.environ[_HELD] = str(os.getpid())


def leave_to_the_parent() -> None:
    """In a worker that was forked: end when the parent says so, and leave the terminal's interrupt to it."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)


def are_held() -> bool:
    """Whether this process was begun with interrupts held."""
    return os.environ.get(_HELD) == str(os.getpid())


def let_go() -> None:
    """Let them come, if they were held. Raises `KeyboardInterrupt` where one has come, by whoever heeds it."""
    if are_held():
        del os.environ[_HELD]
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def ignore() -> None:
    """Heed none any more: all is said, and one that came now would change the exit code."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    # Python ends by the signal where an interrupt came out of a text that was executed (dataclasses are made so), even
    # if it was caught; executing another one has it forget that
    exec("")  # noqa: S102
