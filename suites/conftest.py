"""Tells the wiring what is known of loading."""

import pytest

from fixtures import LOADING_FINDINGS
from suites.findings import LOADING


def pytest_configure(config: pytest.Config) -> None:
    """Every suite has the promise that applying is loading; these are the ways in which it is known to fail."""
    config.stash[LOADING_FINDINGS] = LOADING
