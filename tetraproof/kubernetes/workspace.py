"""What a run creates in a cluster to act in: namespaces of its own, and the workloads in them, once on each node.

Everything carries the labels below, which is how leftovers of a killed run are found again.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

import tetraproof
from tetraproof.errors import PolicyError, TetraproofError, UsageError
from tetraproof.kubernetes.cluster import Cluster, ClusterError, Object
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import Tell
from tetraproof.pacing.waiting import Overdue, until
from tetraproof.policies.binding import INTERNET, Bindings, PodBinding
from tetraproof.policies.manifest import values
from tetraproof.text import shorten

MANAGED = {"app.kubernetes.io/managed-by": "tetraproof"}
RUN, PLACE, WORKLOAD = "tetraproof.dev/run", "tetraproof.dev/place", "tetraproof.dev/workload"
#: The annotation of a namespace that is kept for the next run: what is in it, as a digest. While one uses it, it has
#: none, so that no other takes it, and a run that is killed leaves it as anything else that is left.
KEPT = "tetraproof.dev/kept"
#: Kinds that hold a template of pods.
_TEMPLATED = {"Deployment", "StatefulSet", "ReplicaSet"}
#: Waiting does not help against these.
_HOPELESS = {"ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError"}
#: The names that an act calls the internet by: the answer is always the same address, and never asked for.
_OUTSIDE = ["www.google.com"]


class WorkspaceError(TetraproofError):
    """The workloads did not come up."""


@dataclass(frozen=True)
class Manifest:
    """One document, and the file that it is in."""

    document: Object
    source: str


class Workspace:
    """The namespaces and workloads of one run. `places` are the nodes that are acted on, by name."""

    def __init__(  # noqa: PLR0913 - whose, where, what, and how
        self,
        cluster: Cluster,
        run: str,
        places: Sequence[str],
        *,
        manifests: Path,
        deadlines: Deadlines,
        tell: Tell,
    ) -> None:
        self._cluster = cluster
        self._run = run
        self._places = tuple(places)
        self._manifests = read(manifests)
        self._deadlines = deadlines
        self._tell = tell
        self._bound: dict[str, Bindings] = {}
        self._wanted_in = sorted({_namespace(one.document) for one in self._manifests if not _is_namespace(one)})
        self.namespaces = self._names(run)

    @property
    def run(self) -> str:
        """The name of the run that it was created for, by which its objects are known."""
        return self._run

    @property
    def labels(self) -> dict[str, str]:
        """What everything that is created carries."""
        return {**MANAGED, RUN: self._run}

    def bindings(self, place: str) -> Bindings:
        """What the suites' logical names are on a node, without the ranges."""
        return self._bound[place]

    def gone(self, place: str) -> dict[str, str]:
        """The workloads of a node of which a pod was taken away, and how, in a clause. Raises `ClusterError`.

        A container that ended and was started anew is no such thing: that may be the policy's own doing.
        """
        there = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod for pod in self._pods()}
        told = {}
        for workload, pods in self._bound[place].workloads.items():
            for pod in pods:
                now = there.get((pod.namespace, pod.name))
                if now is None:
                    told[workload] = f"the pod {pod} is gone"
                elif now["metadata"].get("deletionTimestamp"):
                    told[workload] = f"the pod {pod} is being deleted"
        return told

    def create(self) -> None:
        """Create all of it, and wait until every pod is ready. Raises `WorkspaceError`, `ClusterError`."""
        for logical, name in self.namespaces.items():
            self._tell(f"creating namespace {name} for {logical}")
            # one of the workloads is privileged
            levels = {f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("enforce", "warn", "audit")}
            metadata = {"name": name, "labels": {**self.labels, **levels}}
            self._cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        for document in self._documents():
            self._cluster.create(document)
        try:
            until(
                "the workloads' pods",
                self._coming,
                self._ready,
                self._deadlines.workload,
                tell=self._tell,
                shown=lambda pods: shorten("; ".join(_troubles(pods)), 300) or f"{len(pods)} of {self._wanted()} pods",
                every=0.5,
            )
        except Overdue as error:
            raise WorkspaceError(
                "The workloads did not come up.", causes=[error.sentence], remedy="see the images under WORKLOADS="
            ) from error
        self._bind()

    def take(self) -> bool:
        """Take the workspace that an earlier run kept, instead of creating one; whether there was one that fits.

        It fits where it holds what this run would create, and all of its pods are ready; what does not is removed.
        Raises `WorkspaceError` where another run takes it at the same moment, and what removing raises.
        """
        kept: dict[str, list[Object]] = {}
        for one in self._cluster.list("v1/Namespace", selector=_selector(MANAGED)):
            if KEPT in (one["metadata"].get("annotations") or {}):
                kept.setdefault(one["metadata"]["labels"][RUN], []).append(one)
        for run, namespaces in kept.items():
            names = [one["metadata"]["name"] for one in namespaces]
            for one in namespaces:
                self._claim(one)
            if not self._bound and (why := self._unfit(run, namespaces)) == "":
                self._run, self.namespaces = run, self._names(run)
                self._bind()
                self._tell(f"taking what a run kept: {', '.join(names)}")
            else:
                why = "one is enough" if self._bound else why
                self._tell(f"removing what a run kept, for {why}: {', '.join(names)}")
                self._delete(names)
        return bool(self._bound)

    def keep(self) -> None:
        """Leave it to the next run. Raises `ClusterError`."""
        for name in self.namespaces.values():
            self._cluster.patch("v1/Namespace", name, "", {"metadata": {"annotations": {KEPT: self._digest}}})

    def _claim(self, namespace: Object) -> None:
        """Make a kept namespace ours, if it is as it was seen."""
        name, version = namespace["metadata"]["name"], namespace["metadata"]["resourceVersion"]
        claim = {"metadata": {"annotations": {KEPT: None}, "resourceVersion": version}}
        try:
            self._cluster.patch("v1/Namespace", name, "", claim)
        except ClusterError as error:
            if error.status in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
                raise WorkspaceError(f"Another run took the namespace {name} at the same moment.") from error
            raise

    def _unfit(self, run: str, namespaces: Sequence[Object]) -> str:
        """Why what a run kept is not what this one would create, in a clause; nothing where it is."""
        told = {one["metadata"]["name"]: one["metadata"]["annotations"][KEPT] for one in namespaces}
        if told != dict.fromkeys(self._names(run).values(), self._digest):
            return "it is of other workloads, other nodes or another tetraproof"
        pods = self._cluster.list("v1/Pod", selector=f"{RUN}={run}")
        ending = any(one["metadata"].get("deletionTimestamp") for one in (*namespaces, *pods))
        ready = len(pods) == self._wanted() and all(_is_ready(pod) for pod in pods)
        return "" if ready and not ending else "its pods are not ready"

    @cached_property
    def _digest(self) -> str:
        """What a run creates, whatever its name."""
        text = json.dumps([tetraproof.__version__, *self._documents()], sort_keys=True)
        return hashlib.sha256(text.replace(self._run, "").encode()).hexdigest()[:16]

    def remove(self) -> None:
        """Delete the namespaces with all that is in them, and await their end. Raises `Overdue`."""
        self._delete(list(self.namespaces.values()))

    def _delete(self, names: Sequence[str]) -> None:
        for name in names:
            with suppress(ClusterError):
                self._cluster.delete("v1/Namespace", name)
        until(
            "the end of the run's namespaces",
            lambda: [name for name in names if self._cluster.get("v1/Namespace", name)],
            lambda left: not left,
            self._deadlines.workload,
            tell=self._tell,
            shown=", ".join,
            every=0.5,
        )

    def _names(self, run: str) -> dict[str, str]:
        return {name: f"tetraproof-{run}-{name}" for name in self._wanted_in}

    def _pods(self) -> list[Object]:
        return self._cluster.list("v1/Pod", selector=f"{RUN}={self._run}")

    def _coming(self) -> list[Object]:
        """The pods. Raises `WorkspaceError` where some are missing, and their namespace is."""
        pods = self._pods()
        for name in self.namespaces.values() if len(pods) < self._wanted() else ():
            there = self._cluster.get("v1/Namespace", name)
            if there is None or there["metadata"].get("deletionTimestamp"):
                raise WorkspaceError(f"The namespace {name} was deleted before its pods were ready.")
        return pods

    def _ready(self, pods: Sequence[Object]) -> bool:
        for pod in pods:
            for reason, message in _waiting(pod):
                if reason in _HOPELESS:
                    raise WorkspaceError(f"The pod {pod['metadata']['name']} cannot start: {reason}, {message}.")
        return len(pods) >= self._wanted() and all(_is_ready(pod) for pod in pods)

    def _wanted(self) -> int:
        """How many pods there should be."""
        kinds = (one.document for one in self._manifests)
        each = sum(int(one["spec"].get("replicas", 1)) for one in kinds if one["kind"] in {*_TEMPLATED, "Pod"})
        return each * len(self._places)

    def _bind(self) -> None:
        services = {
            one["metadata"]["name"]: one["spec"]["clusterIP"]
            for name in self.namespaces.values()
            for one in self._cluster.list("v1/Service", name)
        }
        pods = self._pods()
        for number, place in enumerate(self._places):
            workloads: dict[str, tuple[PodBinding, ...]] = {}
            for pod in pods:
                labels = pod["metadata"]["labels"]
                if labels[PLACE] == str(number):
                    bound = _bound(pod)
                    workloads[labels[WORKLOAD]] = (*workloads.get(labels[WORKLOAD], ()), bound)
            self._bound[place] = Bindings(workloads, services, namespaces=dict(self.namespaces))

    def _documents(self) -> Iterator[Object]:
        """All that is created in the namespaces."""
        for manifest in self._manifests:
            if not _is_namespace(manifest):
                # a service is one for all, and leads each pod to those on its own node
                alone = manifest.document["kind"] not in {*_TEMPLATED, "Pod"}
                for place in self._places[:1] if alone else self._places:
                    yield self._fitted(manifest, place)

    def _fitted(self, manifest: Manifest, place: str) -> Object:
        """A manifest for one node: in our namespace, with our labels, and a name of its own on further nodes."""
        document = copy.deepcopy(manifest.document)
        kind, metadata = document["kind"], document["metadata"]
        number = self._places.index(place)
        workload = metadata["name"]
        metadata["namespace"] = self.namespaces[_namespace(document)]
        metadata["labels"] = {**(metadata.get("labels") or {}), **self.labels}
        own = {PLACE: str(number), WORKLOAD: workload}
        if kind == "Service":
            if len(self._places) > 1:
                document["spec"]["internalTrafficPolicy"] = "Local"
            return document
        if number and kind in {*_TEMPLATED, "Pod"}:
            metadata["name"] = f"{workload}-{number}"
        if kind == "Pod":
            metadata["labels"] |= own
            self._settle(document["spec"], place)
        elif kind in _TEMPLATED:
            template = document["spec"]["template"]
            template.setdefault("metadata", {})
            template["metadata"]["labels"] = {**(template["metadata"].get("labels") or {}), **self.labels, **own}
            matched = document["spec"]["selector"].setdefault("matchLabels", {})
            matched |= {RUN: self._run, PLACE: str(number)}
            self._settle(template["spec"], place)
        return document

    def _settle(self, spec: Object, place: str) -> None:
        """Bind a pod to a node, and have it reach the outside by an address that nothing routes."""
        term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [place]}]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        spec["affinity"] = {"nodeAffinity": required}
        spec["tolerations"] = [{"operator": "Exists"}]
        spec.setdefault("hostAliases", []).append({"ip": INTERNET, "hostnames": _OUTSIDE})


def read(folder: Path) -> list[Manifest]:
    """The workloads of a folder. Raises `UsageError` naming file and fix."""
    return list(_read(folder))


def _read(folder: Path) -> Iterator[Manifest]:
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder} of workloads.", remedy="name a folder of Kubernetes YAML")
    for path in sorted(one for one in folder.iterdir() if one.suffix in {".yaml", ".yml"}):
        try:
            documents = [one for one in values(path, "workload") if one is not None]
        except PolicyError as error:
            raise UsageError(error.sentence, remedy=error.remedy) from error
        for document in documents:
            named = isinstance(document, dict) and isinstance(document.get("metadata"), dict)
            if not named or not document["metadata"].get("name") or not document.get("kind"):
                raise UsageError(f"{path} holds a document without kind or metadata.name.", remedy="write them")
            yield Manifest(document, str(path))


def _is_namespace(manifest: Manifest) -> bool:
    return bool(manifest.document["kind"] == "Namespace")


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in labels.items())


def _namespace(document: Mapping[str, Any]) -> str:
    return str(document["metadata"].get("namespace", "default"))


def _bound(pod: Mapping[str, Any]) -> PodBinding:
    metadata, statuses = pod["metadata"], pod["status"].get("containerStatuses") or ()
    container = next((str(one.get("containerID", "")).rpartition("//")[2] for one in statuses), "")
    return PodBinding(
        metadata["namespace"], metadata["name"], pod["status"].get("podIP", ""), pod["spec"]["nodeName"], container
    )


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _waiting(pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for one in pod.get("status", {}).get("containerStatuses") or ():
        waiting = (one.get("state") or {}).get("waiting")
        if waiting:
            yield str(waiting.get("reason", "")), str(waiting.get("message", ""))


def _troubles(pods: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each pod that is not ready waits for."""
    told = []
    for pod in pods:
        if not _is_ready(pod):
            waits = [f"{reason} ({message})" if message else reason for reason, message in _waiting(pod)]
            told.append(
                f"{pod['metadata']['name']}: {', '.join(waits) or pod.get('status', {}).get('phase', 'Pending')}"
            )
    return told
