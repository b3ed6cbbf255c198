"""A policy's events are its own: by the name that it had where it was applied, whatever its manifest is called."""

from pathlib import Path

import pytest

from tests.builders import Proc, hooked
from tetraproof.judging.claim import Claim
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Acts
from tetraproof.observing.observation import of_policy
from tetraproof.policies.policy import load
from tetraproof.recordings.recording import from_files, open_recording, sealed
from tetraproof.suite import Kprobe, shell
from tetraproof.targets.replay import Replay

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "recordings/k8s-1.36.2_tetragon-1.7.0_debian-6.12.117"


@pytest.mark.parametrize(
    ("told", "applied", "own"),
    [("guard", "guard", True), ("", "guard", True), ("another", "guard", False), ("another", "", True)],
)
def test_what_another_policy_tells_is_not_this_ones(told: str, applied: str, *, own: bool) -> None:
    """An event without a policy's name, or a scenario without a policy, excludes nothing."""
    assert of_policy(hooked(Proc(7, "/usr/bin/bash"), policy=told), applied) is own


def test_a_policy_may_be_called_otherwise_where_it_was_recorded() -> None:
    """The spec ties a manifest to its record; its events and state carry the name that it had there."""
    files = {
        path: content.replace(b"block-fd-install", b"lab-guard")
        if path.startswith("scenarios/block-fd-install/")
        else content
        for path, content in open_recording(SHIPPED).files.items()
    }
    target = Replay(from_files("renamed", sealed(files)))
    acts = tuple(Acts(guarded=shell("echo 'foo' > /tmp/tetragon")))
    policy = load(ROOT / "manifests/policies/block-fd-install.yaml")
    run = Run(target.observe(policy, {}, acts, "block-fd-install"), acts)
    guarded = Kprobe("fd_install", file="/tmp/tetragon", action="SIGKILL")

    def body(run: Run) -> None:
        assert run.loaded
        assert run.guarded.killed
        assert guarded in run.guarded.timeline
        assert run.counts(enforce=run.reported(guarded))

    assert Claim("it", body).judge(run).word == "conforms"
