"""Drafts of the shipped policies, run on the shipped recording: they come to what the hand-written suites come to."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.builders import NEWEST, ROOT
from tests.drafting.test_shipped import POLICIES, drafted

#: What the hand-written suites know to be refuted there (docs/findings.md), by policy.
KNOWN = {
    "block-nginx-write-index": "workers-are-killed",
    "block-nginx-write-index-follow-forks": "pid-0-exempts-everything",
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of every promise of every draft."""
    folder = tmp_path_factory.mktemp("drafts")
    for path in POLICIES:
        name = f"test_{path.stem.replace('-', '_')}.py"
        (folder / name).write_text(drafted(path), encoding="utf-8")
    reports = folder / "reports"
    words = ["--target", "replay", "--recording", str(NEWEST), "--policies", str(ROOT / "manifests/policies")]
    words += ["--reports", str(reports), "--run-id", "drafts", "--suites", str(folder), "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [sys.executable, "-m", "tetraproof", "test", *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    found: dict[str, Any] = json.loads((reports / "drafts/verdicts.json").read_text(encoding="utf-8"))
    return {one["name"]: one for one in found["policies"]}


def counted(policy: dict[str, Any], verdict: str) -> list[str]:
    return [claim["name"] for claim in policy["claims"] if claim["verdict"] == verdict]


def test_nothing_is_refuted_but_what_is_known(verdicts: dict[str, Any]) -> None:
    """Only the promises that a finding explains, of the two policies that do not do what they say."""
    refuted = {name: counted(policy, "violates") for name, policy in verdicts.items()}
    assert {name for name, claims in refuted.items() if claims} == KNOWN.keys()
    assert refuted["block-nginx-write-index"] == ["test_nginx_serves_what_is_guarded"]
    assert "test_editing_the_guarded_file_by_sed_is_killed" in refuted["block-nginx-write-index-follow-forks"]


def test_nothing_is_left_undecided(verdicts: dict[str, Any]) -> None:
    """A promise conforms, is refuted, or its act was not recorded."""
    assert not [claim for policy in verdicts.values() for claim in counted(policy, "inconclusive")]


@pytest.mark.parametrize(
    ("policy", "conform"),
    [
        ("block-fd-install", 10),
        ("block-internet-egress", 6),
        ("block-nginx-write-index-by-mask", 7),
        ("block-nginx-write-index-pid-1-only", 9),
        ("log-tcp-connection", 6),
        ("override-bprm-creds-single", 4),
        ("privileged-exec", 4),
    ],
)
def test_acts_are_typed_as_a_person_types_them(verdicts: dict[str, Any], policy: str, conform: int) -> None:
    """So that many acts of a draft are among those that were recorded for a hand-written suite."""
    assert len(counted(verdicts[policy], "conforms")) >= conform


def test_limits_are_the_same(verdicts: dict[str, Any]) -> None:
    """What the hand-written suites tell of as passing passes here as well."""
    passing = {
        name: {one["label"] for one in policy["limits"] if one["result"] == "passes"}
        for name, policy in verdicts.items()
    }
    assert passing["block-fd-install"] == {"hard link", "rename into place"}
    assert passing["block-nginx-write-index-by-mask"] == {"truncation", "rename into place"}
    assert passing["block-internet-egress"] == {"UDP"}
    assert passing["block-nginx-write-index-exempt-nginx"] == {
        "cat overwritten by another program",
        "rename into place",
    }
