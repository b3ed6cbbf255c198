"""Where pytest meets tetraproof: its options, and whether a session is about suites at all.

This module is imported at every start of pytest where tetraproof is installed, whatever is tested there. It imports
next to nothing, and in a session that is about no suite it does nothing further.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tetraproof.configuration import find
from tetraproof.errors import TetraproofError
from tetraproof.marks import LINES
from tetraproof.options import GROUPS, Options, described, spelled

PREFIX = "tetraproof"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Every option begins with `--tetraproof-`, so that it is nobody else's."""
    for key, about in GROUPS.items():
        group = parser.getgroup(f"{PREFIX} {key}".strip(), f"{PREFIX}, {about}")
        for option in described():
            if option.group == key:
                group.addoption(f"--{PREFIX}-{option.name}", dest=f"{PREFIX}_{option.attribute}", **option.argument)


def pytest_configure(config: pytest.Config) -> None:
    """Know the marks of a suite wherever one is imported."""
    for line in LINES:
        config.addinivalue_line("markers", line)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Where suites are asked for, load what judges them and open the target; bad input ends here, with exit code 2."""
    given = given_to(config)
    typed = str(given.get("typed") or Options.typed)
    try:
        options = find(config.rootpath).options(given, config.invocation_params.dir)
        if not _asks_for(config, options.suites):
            return None
        from tetraproof.plugin import wiring  # noqa: PLC0415 - needed by no other session

        wiring.start(config, options, given)
    except TetraproofError as error:
        print(f"tetraproof: {spelled(str(error), typed)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("tetraproof: interrupted while setting up; what was made is removed", file=sys.stderr)
        return 2
    return None


def given_to(config: pytest.Config) -> Mapping[str, Any]:
    """The options that stand on the command line."""
    values = {one.attribute: getattr(config.option, f"{PREFIX}_{one.attribute}", None) for one in described()}
    return {name: value for name, value in values.items() if value is not None}


def _asks_for(config: pytest.Config, suites: tuple[Path, ...]) -> bool:
    """Whether something of the suites is to be collected."""
    here = config.invocation_params.dir
    asked = [Path(here, argument.partition("::")[0]).resolve() for argument in config.args]
    wanted = [folder.resolve() for folder in suites]
    return any(
        path.is_relative_to(folder) or (folder.is_relative_to(path) and folder.exists())
        for path in asked
        for folder in wanted
    )
