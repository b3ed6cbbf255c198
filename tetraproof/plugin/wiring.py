"""What judges suites, registered with pytest in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tetraproof import extra
from tetraproof.errors import UsageError
from tetraproof.options import Options
from tetraproof.plugin import collecting, damaging, judgement, session, writing

_MODULES = (session, collecting, judgement, writing, damaging)
#: pytest's options that have it tell something instead of running tests.
_TELLING = ("collectonly", "help", "version", "markers", "cacheshow", "showfixtures", "show_fixtures_per_test")


def start(config: pytest.Config, options: Options, given: Mapping[str, Any]) -> None:
    """Take part in this session: collect suites, and open their target unless nothing is to be run.

    Raises `TetraproofError`.
    """
    for module in _MODULES:
        config.pluginmanager.register(module, module.__name__)
    if extra.has("allure"):
        from tetraproof.plugin import attachments  # noqa: PLC0415 - of an extra

        config.pluginmanager.register(attachments, attachments.__name__)
    config.stash[session.OPTIONS] = options
    if any(getattr(config.option, one, None) for one in _TELLING):
        return
    _refuse_workers(config)
    session.open_session(config, options, given)


def _refuse_workers(config: pytest.Config) -> None:
    if getattr(config.option, "numprocesses", None) or getattr(config.option, "dist", "no") != "no":
        raise UsageError(
            "The acts of a suite are performed once, for all of its tests, and its tests cannot be spread over "
            "processes.",
            remedy="leave out -n (pytest-xdist), or add -n 0",
        )
