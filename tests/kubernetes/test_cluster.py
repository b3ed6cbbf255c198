"""A cluster's objects, by real HTTP: asked, created, refused; and an API server that is not there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_server import CONTEXT, ApiServer, Asked, Cut
from tests.builders import Json
from tests.clusters import PATIENT, POLICIES, Lab, at, cluster_of, guard, manifest
from tetraproof.kubernetes.cluster import Cluster, ClusterError
from tetraproof.targets.keeping import manifest_of

POD = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a", "image": "b"}]}}


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


def pod(name: str, namespace: str = "default", **labels: str) -> Json:
    return {**POD, "metadata": {"name": name, "namespace": namespace, "labels": labels}}


def test_it_tells_its_version(cluster: Cluster) -> None:
    """As one writes it, without the v."""
    assert cluster.version == "1.36.2"


def test_objects_are_created_found_and_deleted(api: ApiServer, cluster: Cluster) -> None:
    """What is not there is nothing, and deleting it says so."""
    assert cluster.get("v1/Pod", "one", "default") is None
    made = cluster.create(pod("one", app="x"))
    assert made["metadata"]["uid"]
    found = cluster.get("v1/Pod", "one", "default")
    assert found is not None
    assert found["spec"]["containers"][0]["image"] == "b"
    assert cluster.get("v1/Pod", "one", "kube-system") is None
    assert cluster.delete("v1/Pod", "one", "default")
    assert not cluster.delete("v1/Pod", "one", "default")
    assert "one" not in api.names("v1/Pod")


def test_lists_are_of_a_namespace_and_of_labels(cluster: Cluster) -> None:
    """Of all namespaces where none is named."""
    for one in (pod("one", app="x"), pod("two", app="y"), pod("three", "kube-system", app="x")):
        cluster.create(one)

    def names(*place: str, selector: str = "") -> set[str]:
        return {one["metadata"]["name"] for one in cluster.list("v1/Pod", *place, selector=selector)}

    assert names("default") == {"one", "two"}
    assert names(selector="app=x") == {"one", "three"}
    assert names("default", selector="app=x") == {"one"}
    assert names("nowhere") == set()


def test_a_patch_merges(cluster: Cluster) -> None:
    """A field that it sets to nothing is taken out, others stay."""
    cluster.patch("v1/ConfigMap", "tetragon-config", "kube-system", {"data": {"debug": "true", "procfs": None}})
    found = cluster.get("v1/ConfigMap", "tetragon-config", "kube-system")
    assert found is not None
    assert found["data"]["debug"] == "true"
    assert "procfs" not in found["data"]
    assert found["data"]["metrics-server"] == ":2112"


def test_a_dry_run_creates_nothing(api: ApiServer, cluster: Cluster) -> None:
    """It only asks."""
    before = api.snapshot()
    cluster.create(pod("one"), dry_run=True)
    assert api.snapshot() == before
    assert [line for line in api.asked if line.startswith("create pods")] == ["create pods default/ (dry run)"]


def test_a_field_that_the_server_would_drop_is_refused(api: ApiServer, cluster: Cluster) -> None:
    """With its path, in a dry run as well as else."""
    document = manifest(manifest_of(guard()))
    document["spec"]["kprobes"][0]["frob"] = 1
    for dry_run in (True, False):
        with pytest.raises(ClusterError, match=r'unknown field "spec.kprobes\[0\].frob"') as refused:
            cluster.create(document, dry_run=dry_run)
        assert refused.value.status == 400
        assert refused.value.sentence.startswith("The API server refused to create TracingPolicy guard: TracingPolicy")
    assert api.of(POLICIES) == []


def test_what_is_there_is_never_replaced(cluster: Cluster) -> None:
    """The server's own words are told."""
    cluster.create(pod("one"))
    with pytest.raises(ClusterError, match=r'refused to create Pod one: pods "one" already exists\.$') as refused:
        cluster.create(pod("one"))
    assert refused.value.status == 409


def test_a_kind_that_the_cluster_does_not_know_is_told(api: ApiServer, cluster: Cluster) -> None:
    """It is known as soon as its CRD is there."""
    api.objects = {key: one for key, one in api.objects.items() if "cilium.io" not in key[2]}
    assert not cluster.has(POLICIES)
    with pytest.raises(ClusterError, match=r"knows no TracingPolicy of cilium.io/v1alpha1") as refused:
        cluster.list(POLICIES)
    assert refused.value.status == 404
    Lab(api)
    assert cluster.has(POLICIES)
    assert cluster.list(POLICIES) == []


@pytest.mark.parametrize("resource", ["pods/exec", "pods"])
def test_whether_we_may_do_something_is_asked(resource: str, api: ApiServer, cluster: Cluster) -> None:
    """Of a subresource as well; and asking creates nothing."""
    before = api.snapshot()
    assert cluster.may("create", resource, namespace="default")
    api.forbidden.add(f"create {resource}")
    assert not cluster.may("create", resource)
    assert cluster.may("get", resource)
    assert api.snapshot() == before


def test_what_is_forbidden_is_told_in_the_servers_words(api: ApiServer, cluster: Cluster) -> None:
    """Who may not do what, and where."""
    api.forbidden.add("list nodes")
    with pytest.raises(
        ClusterError, match=r'User "somebody" cannot list resource "nodes".* at the cluster scope'
    ) as no:
        cluster.list("v1/Node")
    assert no.value.status == 403


def test_a_login_that_is_not_taken_is_told(api: ApiServer, tmp_path: Path) -> None:
    """Whatever is asked first."""
    path = api.kubeconfig(tmp_path / "kubeconfig")
    path.write_text(path.read_text(encoding="utf-8").replace("made-token", "another"), encoding="utf-8")
    cluster = Cluster(path, CONTEXT, PATIENT)
    with pytest.raises(ClusterError, match="Unauthorized") as refused:
        _ = cluster.version
    assert refused.value.status == 401
    with pytest.raises(ClusterError, match="Unauthorized"):
        cluster.list("v1/Pod")
    cluster.close()


def test_a_path_is_answered_as_text(api: ApiServer, cluster: Cluster) -> None:
    """What it refuses, too."""
    (agent,) = Lab(api).agents().values()
    name = agent["metadata"]["name"]
    assert "go_goroutines 77" in cluster.raw(f"/api/v1/namespaces/kube-system/pods/{name}:2112/proxy/metrics")
    assert "Listening" in cluster.logs("kube-system", name, "tetragon")
    with pytest.raises(ClusterError, match=r'/log\?container=x answered 404: pods "gone" not found\.$') as refused:
        cluster.logs("default", "gone", "x")
    assert refused.value.status == 404
    with pytest.raises(ClusterError, match="answered 404: 404 page not found"):
        cluster.raw("/nothing/here")


def test_a_log_is_asked_for_as_it_is_wanted(api: ApiServer, cluster: Cluster) -> None:
    """Of a container, of the last seconds, of the run before."""
    told: list[dict[str, str]] = []
    cluster.create(pod("one"))
    api.logs = lambda pod, container, query: told.append(dict(query)) or "x"  # type: ignore[func-returns-value]
    cluster.logs("default", "one", "a")
    cluster.logs("default", "one", "a", since=7, previous=True)
    assert told == [{"container": "a"}, {"container": "a", "sinceSeconds": "7", "previous": "true"}]


def nobody(tmp_path: Path) -> Cluster:
    """A cluster at an address where nobody listens."""
    with ApiServer() as server:
        path = server.kubeconfig(tmp_path / "nobody")
    return Cluster(path, CONTEXT, PATIENT)


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Whatever is asked first; with what to look at."""
    for ask in (
        lambda cluster: cluster.version,
        lambda cluster: cluster.list("v1/Pod"),
        lambda cluster: cluster.has("v1/Pod"),
        lambda cluster: cluster.create(pod("one")),
    ):
        with pytest.raises(ClusterError, match=r"The API server of made does not answer: .*refused") as gone:
            ask(nobody(tmp_path))
        assert gone.value.status == 0
        assert "kubectl --context" in gone.value.remedy


def test_one_that_was_never_reached_can_be_let_go(tmp_path: Path) -> None:
    """Closing asks nothing."""
    nobody(tmp_path).close()


def test_a_server_that_goes_away_is_told(api: ApiServer, cluster: Cluster) -> None:
    """Also in the middle of an answer; nothing is created twice by asking again."""
    cluster.list("v1/Pod")

    def cut() -> None:
        raise Cut

    api.faults = [at("create pods", cut)]
    with pytest.raises(ClusterError, match="does not answer"):
        cluster.create(pod("one"))
    assert sum("create pods" in line for line in api.asked) == 1
    api.down()
    for ask in (
        lambda: cluster.list("v1/Pod"),
        lambda: cluster.raw("/version"),
        lambda: cluster.get("v1/Pod", "x", "y"),
    ):
        with pytest.raises(ClusterError, match="does not answer"):
            ask()
    api.up()
    assert cluster.list("v1/Pod", "nowhere") == []


def test_a_server_that_does_not_answer_is_waited_for_but_once(api: ApiServer, tmp_path: Path) -> None:
    """A deadline ends it, for what is asked first too."""
    api.silent = {"/version", "/api", "/apis", "/api/v1"}
    cluster = cluster_of(api, tmp_path, command=0.05)
    with pytest.raises(ClusterError, match=r"does not answer.*timed out"):
        _ = cluster.version
    with pytest.raises(ClusterError, match=r"does not answer.*timed out"):
        cluster.list("v1/Pod")
    cluster.close()


@pytest.mark.parametrize("answer", ["<html>Bad gateway</html>", '"a string"', '{"message": 7}', ""])
def test_an_answer_that_is_no_status_is_told_as_it_is(answer: str, api: ApiServer, cluster: Cluster) -> None:
    """A proxy on the way may answer anything."""
    cluster.list("v1/Pod")
    api.broken = answer
    with pytest.raises(ClusterError) as refused:
        cluster.list("v1/Node")
    assert refused.value.status == 502
    assert refused.value.sentence.startswith("The API server refused to get Node: ")


def test_a_proxy_that_answers_in_its_stead_is_no_cluster(api: ApiServer, cluster: Cluster) -> None:
    """A page of HTML is no version."""
    api.page = "<html>Log in first</html>"
    for ask in (lambda: cluster.version, lambda: cluster.list("v1/Pod")):
        with pytest.raises(ClusterError, match="What answers for made is no Kubernetes"):
            ask()
    api.page = None
    assert cluster.list("v1/Pod", "nowhere") == []
    api.page = "<html>Log in first</html>"
    with pytest.raises(ClusterError, match=r"What /version answers is no JSON: '<html>Log in first</html>'"):
        _ = cluster.version


def test_a_context_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """Its files may be gone."""
    path = tmp_path / "kubeconfig"
    path.write_text(
        "{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: b, user: c}}], "
        "clusters: [{name: b, cluster: {server: 'https://x', certificate-authority: /gone/ca.crt}}], "
        "users: [{name: c, user: {}}]}",
        encoding="utf-8",
    )
    with pytest.raises(ClusterError, match=r"The context a cannot be used: .*gone/ca.crt"):
        Cluster(path, "a", PATIENT)


def test_what_is_learnt_of_a_cluster_stays_with_the_run(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one at the same address may know other kinds, and what others left in a shared folder is not read."""
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    cluster.list("v1/Pod")
    assert list(shared.iterdir()) == []


def test_a_fault_reads_what_is_asked(api: ApiServer, cluster: Cluster) -> None:
    """The mock's own: requests are told by verb, resource, namespace and name."""
    seen: list[Asked] = []
    api.faults = [seen.append]
    cluster.get("cilium.io/v1alpha1/TracingPolicy", "guard")
    assert [str(one) for one in seen] == ["get tracingpolicies.cilium.io /guard"]
