"""Where a raw record was made: the cell, its nodes, and what logical names were there.

Read from the folder `environment/` of the raw records, as far as it is there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from tetraproof.errors import RawRecordError
from tetraproof.policies.binding import Bindings, PodBinding
from tetraproof.policies.capability import OPTIONS
from tetraproof.recordings.folder import fault_of_name
from tetraproof.recordings.objects import (
    REMEDY,
    DaemonSet,
    Node,
    Pod,
    Service,
    ServiceRange,
    Settings,
    Versions,
    read_names,
    read_objects,
    read_text,
    source_of,
)
from tetraproof.recordings.record import MOST_CPUS, digest_of
from tetraproof.recordings.recording import Cell, NodeRecord, rings_to_hear
from tetraproof.settings import extra
from tetraproof.text import shorten

#: The chart's defaults of the settings that change what events say or which there are.
DEFAULTS = {
    "enable-process-cred": "false",
    "enable-process-ns": "false",
    "enable-policy-filter": "true",
    "enable-k8s-api": "true",
    "enable-ancestors": "",
    "enable-cri": "false",
    "enable-cgidmap": "false",
    "export-rate-limit": "-1",
    "use-perf-ring-buffer": "false",
    "field-filters": "",
    "redaction-filters": "",
}
_GENERATED = {
    "ReplicaSet": re.compile(r"-[a-z0-9]{6,10}-[a-z0-9]{5}$"),
    "StatefulSet": re.compile(r"-\d+$"),
    "DaemonSet": re.compile(r"-[a-z0-9]{5}$"),
}
_FILES = (
    "configmap.json",
    "daemonset.json",
    "helm-list.json",
    "helm-values.yaml",
    "kubectl-version.json",
    "node.json",
    "ranges.json",
    "servicecidrs.json",
    "services.json",
    "tetra-probe.txt",
    "tetra-status.txt",
    "tetra-version.txt",
)


class Environment:
    """The folder `environment/`, as far as it is there."""

    def __init__(self, raw: Path) -> None:
        self._path = raw / "environment"
        if not self._path.is_dir():
            raise RawRecordError(
                f"{raw} is no folder of raw records: {self._path.name}/ is missing.",
                remedy="name the folder of one cell",
            )
        self.config = self._text("kernel.config")
        daemonsets = read_objects(self._path / "daemonset.json", DaemonSet)
        self._containers = [one for item in daemonsets for one in item.spec.template.spec.containers]
        self.settings = self._settings()
        self.nodes = tuple(self._nodes())
        if not self.nodes:
            raise RawRecordError(f"{self._path}/node.json is missing or names no node.", remedy=REMEDY)

    def files(self) -> Iterator[tuple[str, bytes]]:
        """The files that become part of a recording: their path in it, and their content."""
        for name in _FILES:
            if (self._path / name).is_file():
                yield f"environment/{name}", (self._path / name).read_bytes()
        if (self._path / "installation.json").is_file():
            yield "environment/installation.json", (self._path / "installation.json").read_bytes()
        # what a node's own kernel can do, where there are several
        for path in sorted(self._path.glob("tetra-probe-*.txt")):
            yield f"environment/{path.name}", path.read_bytes()
        if self.config:
            kept = [line for line in self.config.splitlines() if OPTIONS.search(line)]
            yield "environment/kernel.config", ("\n".join(kept) + "\n").encode()

    def cell(self) -> Cell:
        """The point of the matrix, with what of its settings differs from the chart's defaults."""
        differs = {
            name: value
            for name, value in self.settings.items()
            if DEFAULTS.get(name, value if name in self._configured else None) != value
        }
        label = ",".join(name if value == "true" else f"{name}={value}" for name, value in sorted(differs.items()))
        told = read_names(self._path / "kubectl-version.json", Versions)
        version = told.serverVersion.gitVersion if told else ""
        kernels = sorted({node.kernel for node in self.nodes})
        return Cell(
            tetragon=self._version() or self._cli(),
            kubernetes=version.removeprefix("v"),
            kernel=" and ".join(kernels),
            target="kubernetes" if version else "standalone",
            label=label or "defaults",
            digest=digest_of(self.settings),
            differs=differs,
            cli=self._cli(),
        )

    def where(self) -> str:
        """The machine, in a line."""
        node = self.nodes[0]
        count = "1 node" if len(self.nodes) == 1 else f"{len(self.nodes)} nodes"
        return f"{count}, {node.system or 'unknown system'}, {node.architecture}, {node.runtime}"

    def bindings(self, folders: Sequence[Path]) -> Bindings:
        """Workloads as the last scenario that lists pods knew them, services and ranges of the cluster."""
        workloads: dict[str, tuple[PodBinding, ...]] = {}
        for folder in folders:
            workloads |= workloads_in(folder / "pods.json")
        services = {
            item.metadata.name: item.spec.clusterIP
            for item in read_objects(self._path / "services.json", Service)
            if item.spec.clusterIP and item.metadata.namespace != "kube-system"
        }
        told = read_names(self._path / "ranges.json", dict[str, str]) or {}
        ranges = {f"ranges.{name}": cidr for name, cidr in told.items()}
        cidrs = [
            cidr for item in read_objects(self._path / "servicecidrs.json", ServiceRange) for cidr in item.spec.cidrs
        ]
        if cidrs:
            ranges.setdefault("ranges.services", cidrs[0])
        return Bindings(workloads, services, ranges)

    def _nodes(self) -> Iterator[NodeRecord]:
        path = self._path / "node.json"
        nodes = read_objects(path, Node)
        if not nodes:
            return
        extra.need("cluster", "Reading the nodes of a cluster's record")
        from kubernetes.utils.quantity import parse_quantity  # noqa: PLC0415 - of an extra

        for item in nodes:
            if fault := fault_of_name(item.metadata.name):
                raise source_of(path).refuse(f": metadata.name is {shorten(repr(item.metadata.name), 60)}: {fault}")
            facts, quantity = item.status.nodeInfo, item.status.capacity.cpu
            try:
                cpus = math.ceil(parse_quantity(quantity))  # type: ignore[no-untyped-call]
            except (ValueError, ArithmeticError) as error:
                raise source_of(path).refuse(f": status.capacity.cpu is {quantity!r}, and no quantity") from error
            if not 1 <= cpus <= MOST_CPUS:
                raise source_of(path).refuse(f": status.capacity.cpu is {quantity!r}, and no node has so many")
            node = NodeRecord(
                item.metadata.name,
                facts.kernelVersion,
                cpus,
                1,
                facts.osImage,
                facts.architecture,
                facts.containerRuntimeVersion,
            )
            yield replace(node, rings=rings_to_hear(node, self.settings))

    def _settings(self) -> dict[str, str]:
        configured = read_names(self._path / "configmap.json", Settings)
        self._configured = configured.values if configured else {}
        arguments = next((one.args for one in self._containers if one.name == "tetragon" and one.args), [])
        flags = (argument.removeprefix("--").partition("=") for argument in arguments)
        given = {name: value or "true" for name, _, value in flags if name != "config-dir"}
        return {**self._configured, **given}

    def _version(self) -> str:
        """The agent's version by its image's tag, where that names one."""
        image = next((one.image for one in self._containers if one.name == "tetragon"), "")
        found = re.search(r":v?(\d[^@]*)", image.rpartition("/")[2])
        return found[1] if found else ""

    def _cli(self) -> str:
        found = re.search(r"CLI version: v?(\S+)", self._text("tetra-version.txt"))
        if found and not found[1].isprintable():
            path = self._path / "tetra-version.txt"
            raise source_of(path).refuse(": its version holds characters that cannot be printed")
        return found[1] if found else ""

    def _text(self, name: str) -> str:
        return read_text(self._path / name) or ""


def workloads_in(path: Path) -> dict[str, tuple[PodBinding, ...]]:
    """The pods in a `pods.json` by their workload, those of Kubernetes itself apart."""
    workloads: dict[str, tuple[PodBinding, ...]] = {}
    for item in read_objects(path, Pod):
        metadata = item.metadata
        if metadata.namespace == "kube-system":
            continue
        owner = next((owner.kind for owner in metadata.ownerReferences or ()), "")
        name = _GENERATED[owner].sub("", metadata.name) if owner in _GENERATED else metadata.name
        pod = PodBinding(metadata.namespace, metadata.name, item.status.podIP, item.spec.nodeName)
        workloads[name] = (*workloads.get(name, ()), pod)
    return workloads
