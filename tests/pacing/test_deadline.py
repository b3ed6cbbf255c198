"""Deadlines: one frozen object, all of it scaled at once."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict

import pytest

from tetraproof.pacing.deadline import Deadlines


def test_slowness_scales_every_deadline() -> None:
    """None is forgotten."""
    once, thrice = asdict(Deadlines()), asdict(Deadlines().scaled(3))
    assert thrice == {name: 3 * seconds for name, seconds in once.items()}


def test_deadlines_do_not_change() -> None:
    """Whoever is given them can rely on them."""
    with pytest.raises(FrozenInstanceError):
        Deadlines().act = 1.0  # type: ignore[misc]
