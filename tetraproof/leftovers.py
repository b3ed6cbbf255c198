"""What a killed run left on a cluster: found by the labels that everything of a run carries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tetraproof.cluster import Cluster
from tetraproof.deadline import Deadlines
from tetraproof.progress import Tell
from tetraproof.waiting import until
from tetraproof.workspace import MANAGED, RUN

#: What a run makes outside of its own namespaces, and the namespaces themselves, in the order of removal.
_KINDS = ("cilium.io/v1alpha1/TracingPolicy", "cilium.io/v1alpha1/TracingPolicyNamespaced", "v1/Namespace")


@dataclass(frozen=True)
class Leftover:
    """An object that a run left; `run` is which."""

    kind: str
    name: str
    namespace: str
    run: str

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind.rpartition('/')[2]} {place}{self.name} (run {self.run})"


def find(cluster: Cluster) -> list[Leftover]:
    """All that runs left. Raises `ClusterError`."""
    return list(_found(cluster))


def remove(cluster: Cluster, leftovers: list[Leftover], deadlines: Deadlines, tell: Tell) -> None:
    """Delete them, and await their end. Raises `ClusterError`, `Overdue`."""
    for one in leftovers:
        tell(f"removing {one}")
        cluster.delete(one.kind, one.name, one.namespace)
    until(
        "the end of what was left",
        lambda: find(cluster),
        lambda left: not left,
        deadlines.workload,
        tell=tell,
        shown=lambda left: ", ".join(map(str, left)),
        every=0.5,
    )


def _found(cluster: Cluster) -> Iterator[Leftover]:
    selector = ",".join(f"{name}={value}" for name, value in MANAGED.items())
    for kind in _KINDS:
        if kind.startswith("v1/") or cluster.has(kind):
            for one in cluster.list(kind, selector=selector):
                metadata = one["metadata"]
                run = (metadata.get("labels") or {}).get(RUN, "unknown")
                yield Leftover(kind, metadata["name"], metadata.get("namespace", ""), run)
