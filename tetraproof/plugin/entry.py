"""Where pytest meets tetraproof: its options, and whether a session is about suites at all.

This module is imported at every start of pytest where tetraproof is installed, whatever is tested there. It imports
next to nothing, and in a session that is about no suite it does nothing further.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tetraproof.errors import TetraproofError, UsageError
from tetraproof.marks import LINES
from tetraproof.pacing import interrupting
from tetraproof.settings.configuration import find
from tetraproof.settings.options import GROUPS, Options, described, spelled

PREFIX = "tetraproof"
#: pytest's options that have it tell something instead of running tests.
_TELLING = ("collectonly", "help", "version", "markers", "cacheshow", "showfixtures", "show_fixtures_per_test")


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
    own = interrupting.are_held()
    try:
        if own:
            # what no other session needs
            from tetraproof.plugin.session import OWN_PROCESS  # noqa: PLC0415
            from tetraproof.plugin.terminal import end_on_terminate  # noqa: PLC0415

            end_on_terminate()
            config.stash[OWN_PROCESS] = True
            interrupting.let_go()
        options = _asked_for(config, given)
        if options is None:
            return None
        return _take_part(config, options, given)
    except TetraproofError as error:
        if own:
            interrupting.ignore()
        print(f"tetraproof: {spelled(str(error), typed)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        if own:
            interrupting.ignore()
        told = next(reversed(getattr(error, "__notes__", [])), "nothing was made")
        print(f"tetraproof: interrupted while setting up; {told}", file=sys.stderr)
        return 2


def _take_part(config: pytest.Config, options: Options, given: Mapping[str, Any]) -> int | None:
    """Register what judges suites, collect them, and open their target unless nothing is to be run.

    Returns the exit code where the session ends before it has begun. Raises `TetraproofError`.
    """
    # needed by no other session
    from tetraproof.plugin import collecting, damaging, foreseeing, judgement, session, writing  # noqa: PLC0415
    from tetraproof.settings import extra  # noqa: PLC0415

    modules = [session, collecting, judgement, writing, damaging]
    if extra.has("allure"):
        from tetraproof.plugin import attachments  # noqa: PLC0415 - of an extra

        modules.append(attachments)
    for module in modules:
        config.pluginmanager.register(module, module.__name__)
    config.stash[session.OPTIONS] = options
    if config.option.collectonly:
        foreseeing.foresee(config, options)
    if any(getattr(config.option, one, None) for one in _TELLING):
        return None
    if getattr(config.option, "numprocesses", None) or getattr(config.option, "dist", "no") != "no":
        raise UsageError(
            "The acts of a suite are performed once, for all of its tests, and its tests cannot be spread over "
            "processes.",
            remedy="leave out -n (pytest-xdist), or add -n 0",
        )
    return session.open_session(config, options, given)


def given_to(config: pytest.Config) -> Mapping[str, Any]:
    """The options that stand on the command line."""
    values = {one.attribute: getattr(config.option, f"{PREFIX}_{one.attribute}", None) for one in described()}
    return {name: value for name, value in values.items() if value is not None}


def _asked_for(config: pytest.Config, given: Mapping[str, Any]) -> Options | None:
    """The options of the project whose suites are to be collected; none where no suite is.

    It is the project around the folder that pytest was started in, around its rootdir, or around what it is asked
    for. One that has no configuration, and is not spoken of on the command line either, has suites of ours in its
    `suites`, or that folder is somebody else's.
    """
    here = config.invocation_params.dir
    asked = [_real(here / argument.partition("::")[0]) for argument in config.args]
    # nothing is asked for with --help
    for start in dict.fromkeys((here, config.rootpath, Path(os.path.commonpath(asked)))) if asked else ():
        project = find(start)
        options = project.options(given, here)
        wanted = [_real(folder) for folder in options.suites]
        if _meet(asked, wanted) and (given or project.file or any(_is_ours(folder) for folder in wanted)):
            return options
    return None


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve fails where links lead in a circle


def _meet(asked: Iterable[Path], wanted: Iterable[Path]) -> bool:
    """Whether something that is wanted is among what is asked for."""
    return any(
        path.is_relative_to(folder) or (folder.is_relative_to(path) and os.path.lexists(folder))
        for path in asked
        for folder in wanted
    )


def _is_ours(suites: Path) -> bool:
    """Whether files of a folder name us: every suite imports its words from here, or from a helper beside it."""
    for file in suites.rglob("*.py"):
        with suppress(OSError):
            if PREFIX.encode() in file.read_bytes():
                return True
    return False
