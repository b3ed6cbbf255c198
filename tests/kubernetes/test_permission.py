"""What a run must be allowed: asked before anything is created, and every lack of it named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_server import ApiServer
from tests.clusters import Lab, cluster_of
from tetraproof.errors import UsageError
from tetraproof.kubernetes.cluster import Cluster
from tetraproof.kubernetes.permission import ALWAYS, OF_TETRAGON, TO_INSTALL, check


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        Lab(server)
        yield server


@pytest.fixture
def cluster(api: ApiServer, tmp_path: Path) -> Iterator[Cluster]:
    made = cluster_of(api, tmp_path)
    yield made
    made.close()


def test_who_may_everything_may_run(api: ApiServer, cluster: Cluster) -> None:
    """And asking leaves nothing."""
    before = api.snapshot()
    check(cluster, "kube-system", install=True)
    assert api.snapshot() == before


@pytest.mark.parametrize("install", [False, True])
def test_every_verb_that_is_missing_is_named(install: bool, api: ApiServer, cluster: Cluster) -> None:
    """All of them at once, each as a role would have to name it."""
    wanted = [*ALWAYS, *OF_TETRAGON, *(TO_INSTALL if install else ())]
    for one in wanted:
        named, _, sub = one.resource.partition("/")
        resource = (f"{named}.{one.group}" if one.group else named) + (f"/{sub}" if sub else "")
        api.forbidden |= {f"{verb} {resource}" for verb in one.verbs}
    with pytest.raises(UsageError, match="The context made may not do what a run needs") as refused:
        check(cluster, "kube-system", install=install)
    causes = refused.value.causes
    assert "create namespaces" in causes
    assert "create pods/exec" in causes
    assert "get pods/exec" in causes
    assert "get pods/log in kube-system" in causes
    assert "create tracingpoliciesnamespaced.cilium.io" in causes
    assert ("create secrets in kube-system" in causes) == install
    assert ("create clusterroles.rbac.authorization.k8s.io" in causes) == install
    assert len(causes) == len(set(causes))
    assert not [line for line in api.asked if not line.startswith("create selfsubjectaccessreviews")]


def test_where_tetragon_is_not_known_yet_all_namespaces_are_meant(api: ApiServer, cluster: Cluster) -> None:
    """An existing one may be anywhere."""
    api.forbidden.add("get configmaps")
    with pytest.raises(UsageError) as refused:
        check(cluster, "", install=False)
    assert refused.value.causes == ("get configmaps",)
