"""What is known of policies that do not load, whatever the policy: it explains, and excuses nothing by itself."""

from __future__ import annotations

from collections.abc import Callable

from tetraproof.judging.finding import Finding, Known
from tetraproof.judging.scenario import Run

TAIL_CALLS_REFUSED = Finding(
    "tail-calls-refused",
    "applied, and nothing is enforced: the kernel refuses the agent's kprobe-multi programs (try disable-kprobe-multi)",
)
UPROBE_TAIL_CALLS_REFUSED = Finding(
    "uprobe-tail-calls-refused",
    "applied, and nothing is hooked: the kernel refuses the agent's uprobe-multi programs (try disable-uprobe-multi)",
)


def _verifier_refused(programs: str) -> Callable[[Run], bool]:
    return lambda run: run.refused_with(programs) and run.refused_with("load program: invalid argument")


LOADING = (
    Known(TAIL_CALLS_REFUSED, _verifier_refused("bpf_multi_kprobe")),
    Known(UPROBE_TAIL_CALLS_REFUSED, _verifier_refused("bpf_multi_uprobe")),
)
