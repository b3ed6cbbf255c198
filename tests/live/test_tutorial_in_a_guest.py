"""The whole tutorial, with the kernel and the Tetragon that were asked for: from an empty folder to pinned verdicts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.plugin.test_tutorial import steps, take
from tetraproof.guests import bundle as bundles

KERNEL = os.environ.get("TETRAPROOF_KERNEL", "")
BUNDLE = os.environ.get("TETRAPROOF_BUNDLE", "") or os.environ.get(bundles.VARIABLE, "")
SLOWNESS = os.environ.get("TETRAPROOF_SLOWNESS", "1")

pytestmark = pytest.mark.skipif(not (KERNEL and BUNDLE), reason="starts Tetragon in a guest: make guest BUNDLE=…")


def test_the_whole_tutorial_ends_as_it_says(tmp_path: Path) -> None:
    """Recorded in a guest, replayed, and pinned."""
    taken = list(steps())
    assert [step.command.split()[1] for step in taken if step.live] == ["record", "test", "accept"]
    for step in taken:
        words = {"debian:6.12": KERNEL, "--bundle 1.7.0": f"--bundle {BUNDLE} --slowness {SLOWNESS}"}
        take(step, tmp_path, words if step.live else None)
