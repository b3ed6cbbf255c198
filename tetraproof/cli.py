"""The `tetraproof` commands, for scripts as well as people."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

import tetraproof
from tetraproof.errors import TetraproofError
from tetraproof.pacing import interrupting
from tetraproof.settings.options import spelled

#: The exit code of a program that SIGINT ended, as a shell tells it.
INTERRUPTED = 130
#: What is typed, and the module of it.
COMMANDS = {
    "test": "test",
    "record": "keep",
    "init": "init",
    "lint": "lint",
    "can": "can",
    "draft": "draft",
    "accept": "recorded.accept",
    "convert": "recorded.convert",
    "verify": "recorded.verify",
    "events": "show",
    "prove": "prove",
    "report": "redraw",
    "compare": "compare",
    "matrix": "cells",
    "clean-cluster": "clean",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Bad input is told in a sentence on standard error, with exit code 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser(words[:1])
    given, rest = parser.parse_known_args(words)
    if rest and not given.passes_on:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    given.rest = rest
    try:
        if not given.holds:
            interrupting.let_go()
        code: int = given.command(given)
    except TetraproofError as error:
        print(f"tetraproof: {spelled(str(error), getattr(given, 'typed', None) or 'tetraproof')}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        print("tetraproof: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


def _parser(asked: Sequence[str]) -> argparse.ArgumentParser:
    """The parser. The modules of other commands than the one that is `asked` for, if it is one, are not imported."""
    parser = argparse.ArgumentParser(prog="tetraproof", description=tetraproof.__doc__)
    parser.add_argument("--version", action="version", version=tetraproof.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in [name for name in asked if name in COMMANDS] or COMMANDS:
        module = _module(name)
        made = commands.add_parser(name, help=module.ABOUT, description=module.ABOUT, allow_abbrev=False)
        made.set_defaults(
            command=module.run, passes_on=getattr(module, "PASSES_ON", False), holds=getattr(module, "HOLDS", False)
        )
        module.add(made)
    return parser


def _module(name: str) -> ModuleType:
    return import_module(f"tetraproof.commands.{COMMANDS[name]}")
