"""One guest, one agent: cases whose policies only report, judged one at a time, and the same policies loaded together.

    python benchmarks/load_together.py KERNEL BUNDLE [SUITE]

KERNEL and BUNDLE are what `make test TARGET=standalone` takes, SUITE is a table of suites/language (default:
test_match_args_file). Told are the seconds of each step. Together, a scenario's stream would be opened and closed once
for all; what that costs is taken from the cases that were judged one at a time, so the sum is the least that judging
them together could take.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tetraproof.pacing.deadline import Deadlines
from tetraproof.plugin.on_machine import open_on_machine
from tetraproof.policies.binding import fill
from tetraproof.policies.directory import load_folder
from tetraproof.policies.requirement import demanded_mode
from tetraproof.settings.options import Options
from tetraproof.targets.keeping import manifest_of

ROOT = Path(__file__).resolve().parents[1]
#: What of a case judged by itself is spent once for all where many are judged together.
SHARED = ("sentinels", "evidence", "waiting for the stream")


def seconds(do: Callable[[], object]) -> float:
    """How long it takes."""
    begun = time.monotonic()
    do()
    return time.monotonic() - begun


def main(kernel: str, bundle: str, suite: str = "test_match_args_file") -> None:
    """Boot, judge, load together, tell."""
    policies = load_folder(ROOT / "manifests/policies").policies
    table = importlib.import_module(f"suites.language.{suite}").pytestmark.mark.args
    cases = [case for case in table if not demanded_mode(policies[case.policy])]
    options = Options(kernel=kernel, bundle=bundle, workloads=ROOT / "manifests/workloads")
    with tempfile.TemporaryDirectory(dir=ROOT / "reports") as scratch:
        live, there = open_on_machine(options, Path(scratch), Deadlines(), print, {})
        try:
            before = dict(live.account.spent)
            alone = seconds(
                lambda: [live.observe(policies[one.policy], {}, one.acts, one.policy) for one in cases],
            )
            spent = {name: value - before.get(name, 0.0) for name, value in live.account.spent.items()}
            bindings = there.bindings(there.name)

            def perform() -> None:
                for act in (act for case in cases for act in case.acts):
                    pod = bindings.pod(act.pod)
                    if pod is not None:
                        there.perform(act, pod, [fill(part, bindings.values()) for part in act.argv])

            chosen = [policies[case.policy] for case in cases]
            loading = [seconds(lambda policy=policy: there.apply(policy, manifest_of(policy))) for policy in chosen]
            acting = seconds(perform)
            removing = seconds(lambda: [there.remove(policy) for policy in chosen])
        finally:
            there.close()
    once = sum(spent.get(name, 0.0) for name in SHARED) / len(cases)
    told = ", ".join(f"{name} {value:.0f} s" for name, value in sorted(spent.items(), key=lambda one: -one[1]) if value)
    print(f"{len(cases)} cases one at a time: {alone:.0f} s ({told})")
    print(f"together: loading {sum(loading):.0f} s (the first {loading[0]:.1f}, the last {loading[-1]:.1f}), ", end="")
    print(f"acts {acting:.0f} s, removing {removing:.0f} s, and {once:.1f} s once for the stream: ", end="")
    print(f"{sum(loading) + acting + removing + once:.0f} s at least")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(*sys.argv[1:])
