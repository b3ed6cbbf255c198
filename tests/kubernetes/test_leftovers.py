"""What killed runs left: found by its labels alone, listed, and removed when told so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.api_server import CONTEXT, ApiServer
from tests.builders import Json
from tests.clusters import PATIENT, Lab, cluster_of, hurried, opened
from tests.kubernetes.test_preparation import helm
from tetraproof import cli
from tetraproof.kubernetes import leftovers
from tetraproof.kubernetes.cluster import Cluster
from tetraproof.kubernetes.helm import CRDS_MADE, INSTALLED_BY
from tetraproof.kubernetes.workspace import MANAGED, RUN
from tetraproof.pacing.waiting import Overdue

CLEAN = f"make clean-cluster CONTEXT={CONTEXT} YES=1"
OURS = {**MANAGED, RUN: "dead"}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    hurried(monkeypatch)
    with ApiServer() as server:
        Lab(server)
        yield server


@pytest.fixture
def cluster(api: ApiServer, tmp_path: Path) -> Iterator[Cluster]:
    made = cluster_of(api, tmp_path)
    yield made
    made.close()


def left(api: ApiServer, **labels: str) -> None:
    """A policy, a namespaced policy in a namespace of the user's, and a namespace with a pod."""

    def put(kind: str, name: str, namespace: str = "", version: str = "v1") -> None:
        metadata: Json = {"name": name, "labels": labels} | ({"namespace": namespace} if namespace else {})
        api.put({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": {"containers": []}})

    put("TracingPolicy", "guard", version="cilium.io/v1alpha1")
    put("TracingPolicyNamespaced", "guard", "default", version="cilium.io/v1alpha1")
    put("Namespace", "tetraproof-dead-other")
    put("Pod", "probe", "tetraproof-dead-other")


def cleaned(api: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    config = api.kubeconfig(tmp_path / "config")
    code = cli.main(["clean-cluster", "--typed", "make", "--context", CONTEXT, "--kubeconfig", str(config), *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_clean_cluster_has_none(
    api: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], cluster: Cluster
) -> None:
    """Also one without Tetragon, where policies are no kind."""
    assert leftovers.find(cluster) == []
    assert cleaned(api, tmp_path, capsys, "--yes")[:2] == (0, "nothing is left on the cluster\n")
    api.objects = {key: one for key, one in api.objects.items() if "cilium.io" not in key[2]}
    assert cleaned(api, tmp_path, capsys)[:2] == (0, "nothing is left on the cluster\n")


def test_they_are_listed_and_nothing_else_happens(
    api: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the run that left them, and what to do."""
    left(api, **OURS)
    before = api.snapshot()
    code, out, _ = cleaned(api, tmp_path, capsys)
    assert code == 0
    assert out.splitlines() == [
        "TracingPolicy guard (run dead)",
        "TracingPolicyNamespaced default/guard (run dead)",
        "Namespace tetraproof-dead-other (run dead)",
        "3 left by runs that were killed; to remove them, when no run is going on: " + CLEAN,
    ]
    assert api.snapshot() == before


def test_they_are_removed_when_told_so(api: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The cluster is as it was before them; the policies go first, so that nothing is enforced on the way."""
    before = api.snapshot()
    left(api, **OURS)
    code, out, err = cleaned(api, tmp_path, capsys, "--yes")
    assert code == 0
    assert out.splitlines()[-1] == "3 left by runs that were killed; removed"
    assert "removing Namespace tetraproof-dead-other (run dead)" in err
    assert api.snapshot() == before
    deleted = [line for line in api.asked if line.startswith("delete")]
    assert [line.split()[1].partition(".")[0] for line in deleted] == [
        "tracingpolicies",
        "tracingpoliciesnamespaced",
        "namespaces",
    ]


@pytest.mark.parametrize("labels", [{}, {"app.kubernetes.io/managed-by": "Helm"}, {RUN: "dead"}])
def test_what_is_not_ours_is_never_listed(labels: dict[str, str], api: ApiServer, cluster: Cluster) -> None:
    """Whatever it is called."""
    left(api, **labels)
    assert leftovers.find(cluster) == []


def test_one_that_does_not_go_is_told(api: ApiServer, tmp_path: Path) -> None:
    """A finalizer may hold a namespace."""
    left(api, **OURS)
    api.lingers = 10_000
    cluster = cluster_of(api, tmp_path)
    with pytest.raises(Overdue, match=r"the end of what was left .*Namespace tetraproof-dead-other \(run dead\)"):
        leftovers.remove(
            cluster, leftovers.find(cluster), replace(PATIENT, workload=0.1), lambda line: None, lambda: None
        )
    cluster.close()


def test_an_installation_of_ours_is_uninstalled_with_its_crds(api: ApiServer, tmp_path: Path) -> None:
    """Helm takes it away; the CRDs that came with it go as well, and nobody else's."""
    lab = Lab(api, tetragon=False)
    lab.install()
    lab.daemonset["metadata"]["annotations"] = {INSTALLED_BY: "dead", CRDS_MADE: "true"}
    cluster = cluster_of(api, tmp_path)
    (found,) = leftovers.find(cluster)
    assert str(found) == "the Tetragon kube-system/tetragon, installed by Helm (run dead)"
    played = helm(lab, tmp_path)
    leftovers.remove(cluster, [found], PATIENT, lambda line: None, lambda: played)
    assert played.said == ["uninstall tetragon --ignore-not-found"]
    crds = [one["metadata"]["name"] for one in cluster.list("apiextensions.k8s.io/v1/CustomResourceDefinition")]
    assert not [name for name in crds if name.endswith("cilium.io")]
    cluster.close()


def test_a_killed_runs_are_found(
    api: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that a real run creates carries the labels that are looked for."""
    lab = Lab(api)
    before = api.snapshot()
    with opened(lab, tmp_path) as (_, site):
        monkeypatch.setattr(type(site._prepared), "_remove_workspace", lambda self: None)
    assert api.snapshot() != before
    code, out, _ = cleaned(api, tmp_path, capsys, "--yes")
    assert code == 0
    assert "Namespace tetraproof-0a1b2c-other (run 0a1b2c)" in out
    assert api.snapshot() == before


@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_a_context_is_needed(yes: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The current one is never taken."""
    with ApiServer() as api:
        config = api.kubeconfig(tmp_path / "config")
    assert cli.main(["clean-cluster", "--context", "", "--kubeconfig", str(config), *yes]) == 2
    told = capsys.readouterr().err
    assert "clean-cluster needs to know which cluster: the current context is never taken." in told
    assert "--context names one of made" in told
