"""What is damaged by default: of each cell every case once, however many recordings there are of it."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from tests.builders import MANIFESTS, NEWEST, RECORDINGS, ROOT
from tetraproof.plugin.collecting import Case
from tetraproof.plugin.damaging import Inherited, _answering, _opened, _tasks
from tetraproof.policies.policy import load

WHOLE = RECORDINGS / f"{NEWEST.name}_whole"
ALONE = RECORDINGS / "standalone_tetragon-1.7.0_kprobe-override-6.12.117"


def trial(policy: str, suite: str) -> Inherited:
    acts = tuple(importlib.import_module(f"suites.{suite}").acts)
    return Inherited(Case(policy, policy), load(MANIFESTS / f"{policy}.yaml"), acts, ())


GUARD = trial("block-fd-install", "files.test_block_fd_install")
EGRESS = trial("block-internet-egress", "network.test_block_internet_egress")
SYMLINK = trial("override-symlink", "override.test_override_symlink")
CRED = Inherited(
    Case("process-cred", "", (("enable-process-cred", "true"),)),
    None,
    tuple(importlib.import_module("suites.observe.test_process_cred").acts),
    (),
)


def test_a_case_is_proven_once_for_each_cell() -> None:
    """On the first recording that answers; one of another cell answers for itself."""
    trials = [GUARD, EGRESS, SYMLINK, CRED]
    expected = [(NEWEST, 0), (NEWEST, 1), (NEWEST, 2), (NEWEST, 3), (ALONE, 0), (ALONE, 2), (ALONE, 3)]
    assert _tasks([NEWEST, WHOLE, ALONE], trials) == expected
    assert _tasks([WHOLE], trials) == [(WHOLE, 0), (WHOLE, 1), (WHOLE, 2)]


@pytest.mark.parametrize(("path", "one"), [(ALONE, EGRESS), (WHOLE, CRED)])
def test_what_could_not_be_observed_is_not_damaged(path: object, one: Inherited) -> None:
    """The recording says why, and nothing more."""
    replay = _opened(path)  # type: ignore[arg-type]
    assert {one.case.name} & {scenario.name for scenario in replay.recording.index.scenarios if scenario.unanswered}
    assert _answering(replay, one) == []


LEFT = """
import multiprocessing, time
from contextlib import closing
from pathlib import Path
from tetraproof.plugin import damaging

def asleep(seconds):
    time.sleep(seconds)
    return Path(), []

damaging._prove_one = asleep
try:
    with closing(damaging._proven([], [0.0, 3600.0, 3600.0])) as proven:
        for _ in proven:
            raise KeyboardInterrupt
except KeyboardInterrupt:
    print(multiprocessing.active_children())
"""


def test_a_proof_that_is_left_between_two_tasks_awaits_no_other() -> None:
    """An interrupt comes wherever it comes, also while a line is written."""
    done = subprocess.run(  # a process of its own, as it forks
        [sys.executable, "-c", LEFT], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
