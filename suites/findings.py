"""The findings that the suites know. docs/findings.md explains each, with the record that shows it."""

from fixtures import Finding, Known, Run

TAIL_CALLS_REFUSED = Finding(
    "tail-calls-refused",
    "applied, and nothing is enforced: the kernel refuses the agent's kprobe-multi programs (try disable-kprobe-multi)",
)
WORKERS_ARE_KILLED = Finding(
    "workers-are-killed",
    "nginx's workers are killed at every request: the site that the policy protects goes down",
)
PID_0_EXEMPTS_EVERYTHING = Finding(
    "pid-0-exempts-everything",
    "the value 0 exempts every program that kubectl exec starts: nothing is guarded",
)
OLD_IMAGE_HIDES_THE_EVENT = Finding(
    "old-image-hides-the-event",
    "a privileged exec straight from the runtime is seen and counted, and no filtered stream ever shows it",
)
MONITOR_SAYS_SIGKILL = Finding(
    "monitor-says-sigkill",
    "in monitor mode the event says SIGKILL, though nothing was killed",
)
DONE_BEFORE_ENFORCED = Finding(
    "done-before-enforced",
    "rollout status says done while nothing is enforced yet: policies are loaded anew only after the agent is ready",
)
REUSED_VALUES_LACK_NEW_ONES = Finding(
    "reused-values-lack-new-ones",
    "helm upgrade --reuse-values fails: the newer chart asks for values that the older release did not have",
)
KEPT_SENSORS_LEAVE_A_GAP = Finding(
    "kept-sensors-leave-a-gap",
    "with keep-sensors-on-exit nothing is enforced for a while all the same, once the new agent has come",
)
HAND_EDIT_BLOCKS_HELM = Finding(
    "hand-edit-blocks-helm",
    "after a hand edit of tetragon-config, helm upgrade (Helm 4) fails with a field conflict",
)
HAND_EDIT_IS_UNDONE = Finding(
    "hand-edit-is-undone",
    "helm upgrade undoes a hand edit of tetragon-config without a word",
)


def _verifier_refused(run: Run) -> bool:
    return run.refused_with("bpf_multi_kprobe") and run.refused_with("load program: invalid argument")


#: What explains that a policy does not load, whatever the policy; it excuses nothing by itself.
LOADING = [Known(TAIL_CALLS_REFUSED, _verifier_refused)]
