"""What a killed run left on a cluster: found by the labels that everything of a run carries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

from tetraproof.deadline import Deadlines
from tetraproof.kubernetes.cluster import Cluster, ClusterError, Object
from tetraproof.kubernetes.workspace import CRDS_MADE, MANAGED, RUN
from tetraproof.progress import Tell
from tetraproof.waiting import until

#: What a run makes outside of its own namespaces, and the namespaces themselves, in the order of removal.
_KINDS = ("cilium.io/v1alpha1/TracingPolicy", "cilium.io/v1alpha1/TracingPolicyNamespaced", "v1/Namespace")
_INSTALLATION = "apps/v1/DaemonSet"
_CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"


@dataclass(frozen=True)
class Leftover:
    """An object that a run left; `run` is which. `crds` says of an installation whether its CRDs came with it."""

    kind: str
    name: str
    namespace: str
    run: str
    crds: bool = False

    def __str__(self) -> str:
        if self.kind == _INSTALLATION:
            return f"the Tetragon {self.namespace}/{self.name}, installed by Helm (run {self.run})"
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind.rpartition('/')[2]} {place}{self.name} (run {self.run})"


def find(cluster: Cluster) -> list[Leftover]:
    """All that runs left. Raises `ClusterError`."""
    return list(_found(cluster))


def remove(
    cluster: Cluster, leftovers: list[Leftover], deadlines: Deadlines, tell: Tell, uninstall: Callable[[], None]
) -> None:
    """Delete them, and await their end; `uninstall` has Helm remove an installation. Raises `TetraproofError`."""
    for one in leftovers:
        tell(f"removing {one}")
        if one.kind == _INSTALLATION:
            uninstall()
            for crd in cluster.list(_CRD) if one.crds else ():
                if crd["spec"]["group"] == "cilium.io":
                    cluster.delete(_CRD, crd["metadata"]["name"])
        else:
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
        for one in _listed(cluster, kind, selector):
            metadata = one["metadata"]
            run = (metadata.get("labels") or {}).get(RUN, "unknown")
            yield Leftover(kind, metadata["name"], metadata.get("namespace", ""), run)
    for one in cluster.list(_INSTALLATION, selector=RUN):
        name, namespace, labels = (one["metadata"][field] for field in ("name", "namespace", "labels"))
        yield Leftover(_INSTALLATION, name, namespace, labels[RUN], labels.get(CRDS_MADE) == "true")


def _listed(cluster: Cluster, kind: str, selector: str) -> list[Object]:
    """All of a kind; none where the cluster does not know it, or no longer does."""
    if not kind.startswith("v1/") and not cluster.has(kind):
        return []
    try:
        return cluster.list(kind, selector=selector)
    except ClusterError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return []
        raise
