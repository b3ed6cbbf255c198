"""The ranges of pods and services: given, asked of the cluster in four ways, and never guessed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_server import SERVICES, ApiServer
from tests.builders import NODE
from tests.clusters import SECOND, Lab, cluster_of
from tetraproof.errors import UsageError
from tetraproof.kubernetes import ranges
from tetraproof.kubernetes.cluster import Cluster

CIDR = ("networking.k8s.io/v1/ServiceCIDR", "", "kubernetes")


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        Lab(server, (NODE, SECOND))
        yield server


@pytest.fixture
def cluster(api: ApiServer, tmp_path: Path) -> Iterator[Cluster]:
    made = cluster_of(api, tmp_path)
    yield made
    made.close()


def component(api: ApiServer, name: str, flag: str, *, field: str = "command") -> None:
    """A part of a control plane that runs as pods."""
    metadata = {"name": f"{name}-cp", "namespace": "kube-system", "labels": {"component": name}}
    container = {"name": name, "image": "x", field: [name, f"--{flag}"]}
    api.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}})


def node_ranges(api: ApiServer, *cidrs: list[str]) -> None:
    for node, own in zip((NODE, SECOND), cidrs, strict=False):
        spec = api.objects["v1/Node", "", node]["spec"]
        spec.clear()
        if own:
            spec.update(podCIDR=own[0], podCIDRs=own)


def test_both_are_asked_of_the_cluster(api: ApiServer, cluster: Cluster) -> None:
    """The pods' is the smallest that holds those of all nodes; nothing is created."""
    before = api.snapshot()
    assert ranges.find(cluster, {}) == {ranges.PODS: "10.0.0.0/23", ranges.SERVICES: SERVICES}
    assert api.snapshot() == before


def test_what_is_given_is_taken(api: ApiServer, cluster: Cluster) -> None:
    """Nothing is asked then."""
    given = {ranges.PODS: "10.4.0.0/14", ranges.SERVICES: "10.8.0.0/20"}
    assert ranges.find(cluster, given) == given
    assert api.asked == []


@pytest.mark.parametrize(
    ("cidrs", "covering"),
    [
        ([["10.0.0.0/24"], ["10.0.0.0/24"]], "10.0.0.0/24"),
        ([["10.244.1.0/24"], ["10.244.2.0/24"]], "10.244.0.0/22"),
        ([["10.0.0.0/24"], ["192.168.0.0/24"]], "0.0.0.0/0"),
        ([["fd00::/64", "10.0.0.0/24"], ["10.0.1.0/24", "fd01::/64"]], "10.0.0.0/23"),
        ([["10.0.0.0/25"], ["10.0.0.0/16"]], "10.0.0.0/16"),
    ],
)
def test_the_pods_range_covers_all_nodes(
    cidrs: list[list[str]], covering: str, api: ApiServer, cluster: Cluster
) -> None:
    """Where a node has one of each family, the older one counts."""
    node_ranges(api, *cidrs)
    if covering == "0.0.0.0/0":
        with pytest.raises(UsageError, match=r"PODS_RANGE="):
            ranges.find(cluster, {})
    else:
        assert ranges.find(cluster, {})[ranges.PODS] == covering


@pytest.mark.parametrize("field", ["command", "args"])
def test_a_control_plane_in_pods_tells_them(field: str, api: ApiServer, cluster: Cluster) -> None:
    """What it was told is the whole range, of which nodes have parts."""
    component(api, "kube-controller-manager", "cluster-cidr=fd00::/56,10.0.0.0/16", field=field)
    component(api, "kube-apiserver", "service-cluster-ip-range=10.7.0.0/16", field=field)
    del api.objects[CIDR]
    assert ranges.find(cluster, {}) == {ranges.PODS: "10.0.0.0/16", ranges.SERVICES: "10.7.0.0/16"}


def test_an_older_cluster_names_its_services_when_it_refuses(api: ApiServer, cluster: Cluster) -> None:
    """An address outside of the range is asked for, and nothing is created."""
    del api.objects[CIDR]
    before = api.snapshot()
    assert ranges.find(cluster, {})[ranges.SERVICES] == SERVICES
    assert "create services default/ (dry run)" in api.asked
    assert api.snapshot() == before


@pytest.mark.parametrize(
    "forbidden", [{"list servicecidrs.networking.k8s.io"}, {"list servicecidrs.networking.k8s.io", "list pods"}]
)
def test_what_may_not_be_listed_is_found_another_way(forbidden: set[str], api: ApiServer, cluster: Cluster) -> None:
    """Not every role may list what only an administrator changes."""
    api.forbidden |= forbidden
    assert ranges.find(cluster, {})[ranges.SERVICES] == SERVICES


def test_services_that_cannot_be_found_out_end_the_run(api: ApiServer, cluster: Cluster) -> None:
    """With the option that gives them."""
    del api.objects[CIDR]
    api.forbidden.add("create services")
    with pytest.raises(UsageError, match="services' range cannot be found out") as refused:
        ranges.find(cluster, {})
    assert "SERVICES_RANGE=" in refused.value.remedy


def test_pods_that_cannot_be_found_out_end_the_run(api: ApiServer, cluster: Cluster) -> None:
    """The nodes that tell nothing are named, with the option; one of several is enough to not know."""
    node_ranges(api, ["10.0.0.0/24"], [])
    with pytest.raises(UsageError, match=f"pods' range cannot be found out: node {SECOND} tells none") as refused:
        ranges.find(cluster, {})
    assert "PODS_RANGE=" in refused.value.remedy


@pytest.mark.parametrize("cidr", ["10.0.0.0/33", "ten", "10.0.0.1/24", ""])
def test_a_range_that_is_none_is_told_with_its_option(cidr: str) -> None:
    """As the user wrote it."""
    with pytest.raises(UsageError, match=f"PODS_RANGE: '{cidr}' is no range"):
        ranges.checked("PODS_RANGE", cidr)
    assert ranges.checked("PODS_RANGE", "10.0.0.0/16") == "10.0.0.0/16"
