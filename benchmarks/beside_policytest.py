"""One guest, one agent: a test of `tetra policytest`, and our case of the same feature, with the time of each.

    python benchmarks/beside_policytest.py KERNEL BUNDLE PROGRAMS

KERNEL and BUNDLE are what `make test TARGET=standalone` takes; the bundle's tetra is 1.7.0 or newer. PROGRAMS is a
folder with the programs that Tetragon's tests start (`lseek-pipe`, `null-mount`, `nop` and `usdt-override` of its
contrib/tester-progs).
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from tetraproof.judging.claim import Claim
from tetraproof.judging.scenario import Run
from tetraproof.language.case import PROMISES, Case
from tetraproof.pacing.deadline import Deadlines
from tetraproof.plugin.on_machine import open_on_machine
from tetraproof.policies.directory import load_folder
from tetraproof.settings.options import Options

ROOT = Path(__file__).resolve().parents[1]
#: Of each of Tetragon's tests that we have a case of, that case, and the suite that has it.
SAME = {
    "kprobe-lseek": ("test_match_binaries", "language/match-binaries-in"),
    "kprobe-null-string": ("test_hooks", "language/hooks-kprobe-return"),
    "uprobe-generic": ("test_uprobes", "language/uprobes-symbol"),
    "usdt-load-selector-maps": ("test_uprobes", "language/usdts-argument"),
    "usdt-set": ("test_uprobes", "language/usdts-set"),
}


def row(suite: str, policy: str) -> Case:
    """The row of a table."""
    table = importlib.import_module(f"suites.language.{suite}").pytestmark.mark.args
    found: Case = next(one for one in table if one.policy == policy)
    return found


def verdicts(run: Run, case: Case) -> list[str]:
    """What becomes of each promise of a case."""
    claims = [Claim(one.__name__, partial(one, tetraproof_case=SimpleNamespace(row=case))) for one in PROMISES]
    return [f"{claim.name} {claim.judge(run).word}" for claim in claims]


def main(kernel: str, bundle: str, programs: str) -> None:
    """Boot, run each pair, tell."""
    policies = load_folder(ROOT / "manifests/policies").policies
    options = Options(kernel=kernel, bundle=bundle, workloads=ROOT / "manifests/workloads")
    with tempfile.TemporaryDirectory(dir=ROOT / "reports") as scratch:
        live, there = open_on_machine(options, Path(scratch), Deadlines(), print, {})
        try:
            for theirs, (suite, ours) in SAME.items():
                begun = time.monotonic()
                done = there.agent.tetra("policytest", "run", theirs, "--bindir", programs, seconds=600)
                print(f"policytest {theirs}: {time.monotonic() - begun:.0f} s\n{done.output.strip()}")
                case = row(suite, ours)
                begun = time.monotonic()
                observed = live.observe(policies[ours], {}, case.acts, ours)
                seconds = time.monotonic() - begun
                print(f"{ours}: {seconds:.0f} s, {', '.join(verdicts(Run(observed, case.acts), case))}")
        finally:
            there.close()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(*sys.argv[1:])
