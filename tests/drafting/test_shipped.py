"""Drafts of the shipped policies: they are suites as a person would have them, and promise what a person promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import ROOT
from tetraproof.drafting.derivation import draft
from tetraproof.drafting.place import load_places
from tetraproof.drafting.rendering import written
from tetraproof.policies.policy import load

POLICIES = sorted((ROOT / "manifests/policies").glob("*.yaml"))
WORKLOADS = ROOT / "manifests/workloads"
MOST_LINES = 170


def drafted(path: Path, module: str = "tetraproof.suite") -> str:
    return written(draft(load(path), path.stem, load_places(WORKLOADS)), module)


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_draft_is_of_a_length_that_is_read(path: Path) -> None:
    """As any suite, at most 170 lines; and a policy of ours gives acts, promises and nothing that asserts nothing."""
    text = drafted(path)
    assert len(text.splitlines()) <= MOST_LINES
    tests = text.split("\ndef test_")[1:]
    assert len(tests) > 2
    assert all("    assert " in test for test in tests)


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_nobody_looks_at_a_file_after_what_nobody_stops_has_changed_it(path: Path) -> None:
    """The ways around that pass come last: what is left is compared with what was there (seen in a guest)."""
    suite = draft(load(path), path.stem, load_places(WORKLOADS))
    acts = list(suite.ordered)
    looks = [at for at, name in enumerate(acts) if name.startswith("left_by_")]
    changing = [at for at, name in enumerate(acts) if name in {"impostor", "hard_link", "renamed"}]
    assert not looks or not changing or max(looks) < min(changing)


def test_drafts_are_formatted(tmp_path: Path) -> None:
    """As ruff does it."""
    for path in POLICIES:
        (tmp_path / f"{path.stem}.py").write_text(drafted(path), encoding="utf-8")
    ruff = Path(sys.executable).with_name("ruff")
    found = subprocess.run(
        [ruff, "format", "--diff", "--config", ROOT / "pyproject.toml", "--no-cache", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout
