"""What a run on a cluster needs before its first scenario, and takes away after its last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tetraproof.errors import TetraproofError, UsageError
from tetraproof.kubernetes import installation as installations
from tetraproof.kubernetes import leftovers, permission, ranges
from tetraproof.kubernetes.cluster import Cluster, ClusterError
from tetraproof.kubernetes.helm import CRDS_MADE, INSTALLED_BY, NAMESPACE, Chart, Helm
from tetraproof.kubernetes.installation import Installation
from tetraproof.kubernetes.workspace import Workspace
from tetraproof.machines.tool import Tool
from tetraproof.pacing.account import INSTALLING, SETTING_UP, Account
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import Tell
from tetraproof.pacing.waiting import until

_CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"


@dataclass(frozen=True)
class Plan:
    """What a run on a cluster is made of.

    `helm` and `chart` are there where Tetragon is installed by the run, `newer` where there is one to upgrade to.

    `nodes` are those to act on, all that can be where none is named; `folder` is the run's own.

    A cluster that is `passing` goes with the run, so nothing is removed from it singly. One that is `keeping` is ours
    as well: an earlier run's Tetragon may be there, and ours stays. `way_out` is what a user types to remove what is
    left behind. One that `keeps_workspace` takes the namespaces and pods that an earlier run kept, and keeps its own.
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
    passing: bool = False
    keeping: bool = False
    way_out: str = ""
    keeps_workspace: bool = False
    account: Account = field(default_factory=Account)


class Preparation:
    """The agents of a cluster and the run's own pods. `places` are the nodes that are acted on."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.cluster = Cluster(plan.kubeconfig, plan.context, plan.deadlines)
        self._installed = self._ready = False
        self._crds_before: set[str] = set()
        self.installation: Installation
        self.workspace: Workspace
        self.places: tuple[str, ...] = ()
        self.ranges: dict[str, str] = {}

    def open(self) -> None:
        """Check, install if asked, and create the workloads. Raises what keeps it from that."""
        plan, cluster = self._plan, self.cluster
        plan.tell(f"asking the cluster of {plan.context}: Kubernetes {cluster.version}")
        permission.check(
            cluster, NAMESPACE if plan.helm else "", install=plan.helm is not None, keeps=plan.keeps_workspace
        )
        self._alone()
        if plan.cluster_wide:
            self._see_that_it_is_no_kind()
        if plan.helm:
            with plan.account.spending(INSTALLING, within=SETTING_UP):
                self.installation = self._install(plan.helm)
                self.installation.await_ready()
        else:
            self.installation = self._found()
            self.installation.await_ready()
        self.places = self._chosen()
        self.ranges = ranges.find(cluster, plan.ranges)
        self.workspace = Workspace(
            cluster, plan.token, self.places, manifests=plan.workloads, deadlines=plan.deadlines, tell=plan.tell
        )
        if not (plan.keeps_workspace and self.workspace.take()):
            self.workspace.create()
        self._ready = True

    def close(self, *, clean: bool = True) -> list[str]:
        """Remove what the run made, and await that it is gone; what cannot be removed is returned, in sentences.

        A workspace that is to be kept is, if it is ready and `clean`: nothing that the run began goes on in it.
        """
        self.cluster.executor.resume()
        plan, left = self._plan, []
        keeps = plan.keeps_workspace and self._ready and clean
        workspace = self._keep_workspace if keeps else self._remove_workspace
        steps = (workspace, *(() if plan.keeping else (self._uninstall,)))
        for step in () if plan.passing else steps:
            try:
                step()
            except TetraproofError as error:
                left.append(f"{error.sentence} To remove it: {plan.way_out}")
        self.cluster.close()
        return left

    def _keep_workspace(self) -> None:
        self.workspace.keep()
        names = ", ".join(self.workspace.namespaces.values())
        self._plan.tell(f"kept for the next run with KEEP_WORKSPACE=1: {names}; to remove them: {self._plan.way_out}")

    def _remove_workspace(self) -> None:
        if hasattr(self, "workspace"):
            self._plan.tell("removing the run's namespaces")
            self.workspace.remove()

    def _alone(self) -> None:
        """See that no other run is on the cluster, nor left anything."""
        there = [one for one in leftovers.find(self.cluster) if not (self._plan.keeping and one.is_installation)]
        if self._plan.keeps_workspace:
            there = [one for one in there if not one.kept]
        if there and all(one.kept for one in there):
            raise UsageError(
                f"A run kept its workspace there: {', '.join(map(str, there))}.",
                remedy=f"use it with KEEP_WORKSPACE=1; {self._plan.way_out} removes it",
            )
        if there:
            raise self._occupied(", ".join(map(str, there)))

    def _occupied(self, what: str) -> UsageError:
        return UsageError(
            f"Another run is on the cluster, or was killed there: {what}.",
            remedy=f"await its end; where it was killed, {self._plan.way_out} removes what it left",
        )

    def _see_that_it_is_no_kind(self) -> None:
        """See that no node is a container of some machine, whose own processes an agent there sees."""
        for node in self.cluster.list("v1/Node"):
            if str(node["spec"].get("providerID", "")).startswith("kind://"):
                raise UsageError(
                    f"CLUSTER_WIDE=1 applies policies to all that runs there, and {node['metadata']['name']} is a "
                    "node of kind's: it shares the kernel of its machine, and its agent sees every process of that.",
                    remedy="leave it out, or use a guest: TARGET=standalone KERNEL=debian:6.12",
                )

    def _found(self) -> Installation:
        found = installations.find(self.cluster, self._plan.deadlines, self._plan.tell)
        if found is None:
            raise UsageError(
                f"There is no Tetragon on the cluster of {self._plan.context}.",
                remedy="install it, or have the run do so and remove it afterwards: AGENT=install",
            )
        return found

    def _install(self, helm: Helm) -> Installation:
        plan = self._plan
        marks = helm.marks()
        if marks is not None and INSTALLED_BY in marks:
            if not plan.keeping:
                raise self._occupied(f"the release {helm.namespace}/{helm.release} of Helm's")
            plan.tell("uninstalling the Tetragon that a run kept")
            self._take_away(helm)
            marks = None
        there = installations.find(self.cluster, plan.deadlines)
        if there is not None:
            raise UsageError(
                f"There is a Tetragon already: {there.namespace}/{there.name}.",
                remedy="use it as it is with AGENT=existing",
            )
        if marks is not None:
            raise UsageError(
                f"Helm has a release {helm.namespace}/{helm.release} already, which has made no Tetragon.",
                remedy=f"see helm status {helm.release} --namespace {helm.namespace}, or uninstall it",
            )
        self._crds_before = self._crds()
        plan.tell(f"installing the chart {' '.join(plan.chart.words())} into {helm.namespace}")
        self._installed = True
        # so that it is found again, should the run be killed
        helm.install(plan.chart, {INSTALLED_BY: plan.token, CRDS_MADE: str(not self._crds_before).lower()})
        found = installations.find(self.cluster, plan.deadlines, plan.tell)
        if found is None:
            raise UsageError("The chart was installed and made no DaemonSet of Tetragon.", remedy="see its values")
        return found

    def _uninstall(self) -> None:
        if self._installed and self._plan.helm is not None:
            self._plan.tell("uninstalling Tetragon")
            self._take_away(self._plan.helm)

    def _take_away(self, helm: Helm) -> None:
        """Uninstall the release with the CRDs that came with it, and await the end of its pods."""
        helm.uninstall()
        # the operator made these, so Helm does not know them
        for name in sorted(self._crds() - self._crds_before):
            with suppress(ClusterError):
                self.cluster.delete(_CRD, name)
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
