"""What is known of policies that do not load, whatever the policy: it explains, and excuses nothing by itself."""

from __future__ import annotations

from tetraproof.judging.finding import Finding, Known
from tetraproof.judging.scenario import Run

TAIL_CALLS_REFUSED = Finding(
    "tail-calls-refused",
    "applied, and nothing is enforced: the kernel refuses the agent's kprobe-multi programs (try disable-kprobe-multi)",
)


def _verifier_refused(run: Run) -> bool:
    return run.refused_with("bpf_multi_kprobe") and run.refused_with("load program: invalid argument")


LOADING = (Known(TAIL_CALLS_REFUSED, _verifier_refused),)
