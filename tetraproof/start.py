"""Where a command begins: interrupts are held before anything else is loaded, so that none ends in a traceback."""

from __future__ import annotations

from tetraproof.pacing import interrupting


def main() -> int:
    """Run the command that is typed; returns its exit code."""
    interrupting.hold()
    from tetraproof import cli  # noqa: PLC0415 - only now

    code = cli.main()
    interrupting.ignore()
    return code
