"""What a killed run left on a cluster: found by the labels and annotations that everything of a run carries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from tetraproof.kubernetes.cluster import Cluster, ClusterError, Object
from tetraproof.kubernetes.helm import CRDS_MADE, INSTALLED_BY, Helm
from tetraproof.kubernetes.workspace import KEPT, MANAGED, RUN
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import Tell
from tetraproof.pacing.waiting import until

#: What a run makes outside of its own namespaces, and the namespaces themselves, in the order of removal.
_KINDS = ("cilium.io/v1alpha1/TracingPolicy", "cilium.io/v1alpha1/TracingPolicyNamespaced", "v1/Namespace")
_INSTALLATION = "apps/v1/DaemonSet"
_TETRAGON = "app.kubernetes.io/name=tetragon"
_CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"


@dataclass(frozen=True)
class Leftover:
    """An object that a run left; `run` is which. `crds` says of an installation whether its CRDs came with it.

    One that is `kept` was to stay, for the next run.
    """

    kind: str
    name: str
    namespace: str
    run: str
    crds: bool = False
    kept: bool = False

    @property
    def is_installation(self) -> bool:
        """Whether it is a Tetragon, which Helm removes."""
        return self.kind == _INSTALLATION

    def __str__(self) -> str:
        if self.is_installation:
            return f"the Tetragon {self.namespace}/{self.name}, installed by Helm (run {self.run})"
        place = f"{self.namespace}/" if self.namespace else ""
        kept = ", kept for the next run" if self.kept else ""
        return f"{self.kind.rpartition('/')[2]} {place}{self.name} (run {self.run}{kept})"


def find(cluster: Cluster) -> list[Leftover]:
    """All that runs left, as far as it can be seen. Raises `ClusterError`."""
    return list(_found(cluster))


def find_release(helm: Helm) -> list[Leftover]:
    """A release of ours, however far Helm came with it. Raises `HelmError`."""
    return list(_installation(helm.marks() or {}, helm.release, helm.namespace))


def remove(
    cluster: Cluster, leftovers: list[Leftover], deadlines: Deadlines, tell: Tell, helm: Callable[[], Helm]
) -> None:
    """Delete them, and await their end; Helm is only asked for where it is needed. Raises `TetraproofError`."""
    for one in leftovers:
        tell(f"removing {one}")
        if one.is_installation:
            helm().uninstall()
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
            kept = KEPT in (metadata.get("annotations") or {})
            yield Leftover(kind, metadata["name"], metadata.get("namespace", ""), run, kept=kept)
    for one in cluster.list(_INSTALLATION, selector=_TETRAGON):
        metadata = one["metadata"]
        yield from _installation(metadata.get("annotations") or {}, metadata["name"], metadata["namespace"])


def _installation(marks: Mapping[str, str], name: str, namespace: str) -> Iterator[Leftover]:
    """A Tetragon, if a run of ours installed it."""
    if INSTALLED_BY in marks:
        yield Leftover(_INSTALLATION, name, namespace, marks[INSTALLED_BY], marks.get(CRDS_MADE) == "true")


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
