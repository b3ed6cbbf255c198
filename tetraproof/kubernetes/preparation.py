"""What a run on a cluster needs before its first scenario, and takes away after its last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tetraproof.deadline import Deadlines
from tetraproof.errors import TetraproofError, UsageError
from tetraproof.kubernetes import installation as installations
from tetraproof.kubernetes import permission, ranges
from tetraproof.kubernetes.cluster import Cluster, ClusterError
from tetraproof.kubernetes.helm import NAMESPACE, Chart, Helm
from tetraproof.kubernetes.installation import Installation
from tetraproof.kubernetes.workspace import CRDS_MADE, MANAGED, RUN, Workspace
from tetraproof.machines.tool import Tool
from tetraproof.progress import Tell
from tetraproof.waiting import until

_CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"


@dataclass(frozen=True)
class Plan:
    """What a run on a cluster is made of.

    `helm` and `chart` are there where Tetragon is installed by the run, `newer` where there is one to upgrade to.

    `nodes` are those to act on, all that can be where none is named; `folder` is the run's own.
    """

    kind: str
    run_id: str
    token: str
    folder: Path
    kubeconfig: Path
    context: str
    workloads: Path
    deadlines: Deadlines
    tell: Tell
    nodes: Sequence[str] = ()
    ranges: Mapping[str, str] = field(default_factory=dict)
    cluster_wide: bool = False
    helm: Helm | None = None
    chart: Chart = field(default_factory=Chart)
    newer: Chart | None = None
    #: Within this a run that could not be opened is cleaned up: an interrupt may be made to wait there.
    patient: Callable[[], AbstractContextManager[None]] = nullcontext
    tools: Sequence[Tool] = ()


class Preparation:
    """The agents of a cluster and the run's own pods. `places` are the nodes that are acted on."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.cluster = Cluster(plan.kubeconfig, plan.context, plan.deadlines)
        self._installed = False
        self._crds_before: set[str] = set()
        self.installation: Installation
        self.workspace: Workspace
        self.places: tuple[str, ...] = ()
        self.ranges: dict[str, str] = {}

    def open(self) -> None:
        """Check, install if asked, and create the workloads. Raises what keeps it from that."""
        plan, cluster = self._plan, self.cluster
        plan.tell(f"asking the cluster of {plan.context}: Kubernetes {cluster.version}")
        permission.check(cluster, NAMESPACE if plan.helm else "", install=plan.helm is not None)
        self._alone()
        self.installation = self._install() if plan.helm else self._found()
        self.installation.await_ready()
        self.places = self._chosen()
        self.ranges = ranges.find(cluster, plan.ranges)
        self.workspace = Workspace(
            cluster, plan.token, self.places, manifests=plan.workloads, deadlines=plan.deadlines, tell=plan.tell
        )
        self.workspace.create()

    def close(self) -> None:
        """Remove what the run made, and await that it is gone; what cannot be removed is told."""
        self.cluster.executor.resume()
        for step in (self._remove_workspace, self._uninstall):
            try:
                step()
            except TetraproofError as error:
                remedy = f"make clean-cluster CONTEXT={self._plan.context} lists it"
                self._plan.tell(f"something is left behind: {error.sentence} ({remedy})")
        self.cluster.close()

    def _remove_workspace(self) -> None:
        if hasattr(self, "workspace"):
            self._plan.tell("removing the run's namespaces")
            self.workspace.remove()

    def _alone(self) -> None:
        """See that no other run is on the cluster, nor left anything."""
        selector = ",".join(f"{name}={value}" for name, value in MANAGED.items())
        others = self.cluster.list("v1/Namespace", selector=selector)
        if others:
            names = ", ".join(sorted(one["metadata"]["name"] for one in others))
            raise UsageError(
                f"Another run is on the cluster, or was killed there: {names}.",
                remedy=f"await its end, or see what it left with make clean-cluster CONTEXT={self._plan.context}",
            )

    def _found(self) -> Installation:
        found = installations.find(self.cluster, self._plan.deadlines, self._plan.tell)
        if found is None:
            raise UsageError(
                f"There is no Tetragon on the cluster of {self._plan.context}.",
                remedy="install it, or have the run do so and remove it afterwards: AGENT=install",
            )
        return found

    def _install(self) -> Installation:
        plan = self._plan
        assert plan.helm is not None
        there = installations.find(self.cluster, plan.deadlines)
        if there is not None:
            raise UsageError(
                f"There is a Tetragon already: {there.namespace}/{there.name}.",
                remedy="use it as it is with AGENT=existing",
            )
        self._crds_before = self._crds()
        plan.tell(f"installing the chart {' '.join(plan.chart.words())} into {plan.helm.namespace}")
        self._installed = True
        plan.helm.install(plan.chart)
        found = installations.find(self.cluster, plan.deadlines, plan.tell)
        if found is None:
            raise UsageError("The chart was installed and made no DaemonSet of Tetragon.", remedy="see its values")
        # so that it is found again, should the run be killed
        labels = {RUN: plan.token, CRDS_MADE: str(not self._crds_before).lower()}
        self.cluster.patch("apps/v1/DaemonSet", found.name, found.namespace, {"metadata": {"labels": labels}})
        return found

    def _uninstall(self) -> None:
        if not self._installed or self._plan.helm is None:
            return
        self._plan.tell("uninstalling Tetragon")
        self._plan.helm.uninstall()
        # the operator made these, so Helm does not know them
        for name in sorted(self._crds() - self._crds_before):
            with suppress(ClusterError):
                self.cluster.delete(_CRD, name)
        helm = self._plan.helm
        until(
            "the end of Tetragon's pods",
            lambda: self.cluster.list("v1/Pod", helm.namespace, f"app.kubernetes.io/instance={helm.release}"),
            lambda pods: not pods,
            self._plan.deadlines.rollout,
            tell=self._plan.tell,
            shown=lambda pods: ", ".join(pod["metadata"]["name"] for pod in pods),
            every=0.5,
        )

    def _crds(self) -> set[str]:
        listed = self.cluster.list(_CRD)
        return {one["metadata"]["name"] for one in listed if one["spec"]["group"] == "cilium.io"}

    def _chosen(self) -> tuple[str, ...]:
        """The nodes to act on: those that have an agent, and that pods may be on."""
        nodes = {one["metadata"]["name"]: one for one in self.cluster.list("v1/Node")}
        agents = self.installation.agents
        for name in self._plan.nodes:
            if name not in agents:
                known = ", ".join(sorted(agents))
                raise UsageError(f"There is no agent on a node {name}.", remedy=f"NODES= names some of {known}")
        free = [name for name in sorted(agents) if name in nodes and not _closed(nodes[name])]
        return tuple(self._plan.nodes or free or sorted(agents))


def _closed(node: Mapping[str, Any]) -> bool:
    """Whether a node takes no pods: cordoned, or tainted so."""
    taints = node["spec"].get("taints") or ()
    return bool(node["spec"].get("unschedulable")) or any(
        one["effect"] in {"NoSchedule", "NoExecute"} for one in taints
    )
