"""The ranges of a cluster's pods and services: given, or asked of the cluster, and never guessed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from tetraproof.errors import UsageError
from tetraproof.kubernetes.cluster import Cluster, ClusterError

PODS, SERVICES = "ranges.pods", "ranges.services"
_REFUSAL = re.compile(r"valid IPs is (\S+/\d+)")


def find(cluster: Cluster, given: Mapping[str, str]) -> dict[str, str]:
    """`ranges.pods` and `ranges.services` as CIDRs, `given` ones first. Raises `UsageError` naming the option."""
    return {
        PODS: given.get(PODS) or _pods(cluster),
        SERVICES: given.get(SERVICES) or _services(cluster),
    }


def checked(option: str, cidr: str) -> str:
    """A range that a user gives. Raises `UsageError` where it is none."""
    try:
        return str(ipaddress.ip_network(cidr))
    except ValueError as error:
        raise UsageError(f"{option}: {cidr!r} is no range: {error}.", remedy=f"write {option}=10.0.0.0/16") from error


def _pods(cluster: Cluster) -> str:
    """The smallest range that holds the pod ranges of all nodes, unless that is the internet."""
    ranges = []
    silent = []
    for node in cluster.list("v1/Node"):
        own = _first_v4(node["spec"].get("podCIDRs") or [node["spec"].get("podCIDR")])
        if own is None:
            silent.append(node["metadata"]["name"])
        else:
            ranges.append(own)
    declared = _declared(cluster, "kube-controller-manager", "cluster-cidr")
    if declared:
        return declared
    if silent or not ranges:
        raise UsageError(
            f"The pods' range cannot be found out: node {', '.join(silent) or 'list'} tells none.",
            remedy="give it with PODS_RANGE=10.0.0.0/18 (where the network plugin hands out addresses, ask it)",
        )
    covering = _covering(ranges)
    if covering.is_global and not any(one.is_global for one in ranges):
        told = ", ".join(sorted({str(one) for one in ranges}))
        raise UsageError(
            f"The pods' range cannot be found out: only the internet holds the nodes' {told}.",
            remedy="give it with PODS_RANGE=10.0.0.0/18",
        )
    return str(covering)


def _services(cluster: Cluster) -> str:
    for version in ("v1", "v1beta1"):
        kind = f"networking.k8s.io/{version}/ServiceCIDR"
        if cluster.has(kind):
            # who may not list them can ask in other ways
            with suppress(ClusterError):
                cidrs = [cidr for one in cluster.list(kind) for cidr in one["spec"]["cidrs"]]
                if found := _first_v4(cidrs):
                    return str(found)
    declared = _declared(cluster, "kube-apiserver", "service-cluster-ip-range")
    if declared:
        return declared
    # the API server names its range when it refuses an address outside of it; nothing is created
    probe = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "tetraproof-range", "namespace": "default"},
        "spec": {"clusterIP": "198.51.100.1", "ports": [{"port": 80}]},
    }
    try:
        cluster.create(probe, dry_run=True)
    except ClusterError as error:
        found_range = _REFUSAL.search(error.sentence)
        if found_range:
            return found_range[1]
    raise UsageError(
        "The services' range cannot be found out: the cluster has no ServiceCIDR, and does not name it otherwise.",
        remedy="give it with SERVICES_RANGE=10.1.0.0/20",
    )


def _declared(cluster: Cluster, component: str, flag: str) -> str:
    """What a component of a control plane that runs as pods was told; nothing where it does not show."""
    try:
        pods = cluster.list("v1/Pod", "kube-system", f"component={component}")
    except ClusterError:
        return ""
    words = (word for pod in pods for one in pod["spec"]["containers"] for word in _words(one))
    values = [word.partition("=")[2] for word in words if word.startswith(f"--{flag}=")]
    found = _first_v4(values[0].split(",")) if values else None
    return str(found) if found else ""


def _words(container: Mapping[str, list[str]]) -> Iterator[str]:
    yield from container.get("command") or ()
    yield from container.get("args") or ()


def _first_v4(cidrs: Iterable[str | None]) -> ipaddress.IPv4Network | None:
    for cidr in cidrs:
        if cidr and isinstance(found := ipaddress.ip_network(cidr, strict=False), ipaddress.IPv4Network):
            return found
    return None


def _covering(ranges: list[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """The smallest range that holds all of them."""
    covering = ranges[0]
    while not all(one.subnet_of(covering) for one in ranges):
        covering = covering.supernet()
    return covering
