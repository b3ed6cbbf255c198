"""What a run creates to act in: on each node, labelled, waited for, and removed with all that is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.api_server import ApiServer
from tests.builders import NODE, ROOT, Json
from tests.clusters import PATIENT, SECOND, WORKLOADS, Lab, cluster_of, hurried
from tetraproof.errors import UsageError
from tetraproof.kubernetes.cluster import Cluster, ClusterError
from tetraproof.kubernetes.workspace import MANAGED, PLACE, RUN, WORKLOAD, Workspace, WorkspaceError
from tetraproof.pacing.waiting import Overdue
from tetraproof.policies.binding import INTERNET

OURS = {**MANAGED, RUN: "r1"}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    hurried(monkeypatch)
    with ApiServer() as server:
        yield server


@pytest.fixture
def cluster(api: ApiServer, tmp_path: Path) -> Iterator[Cluster]:
    made = cluster_of(api, tmp_path)
    yield made
    made.close()


def workspace(
    cluster: Cluster, tmp_path: Path, text: str = WORKLOADS, places: tuple[str, ...] = (NODE,), **more: Any
) -> Workspace:
    folder = tmp_path / "workloads"
    folder.mkdir(exist_ok=True)
    (folder / "all.yaml").write_text(text, encoding="utf-8")
    deadlines = replace(PATIENT, **more.pop("deadlines", {}))
    tell = more.pop("tell", lambda line: None)
    return Workspace(cluster, "r1", places, manifests=folder, deadlines=deadlines, tell=tell)


def pods(api: ApiServer) -> dict[str, Json]:
    return {one["metadata"]["name"]: one for one in api.of("v1/Pod", selector=RUN)}


def test_everything_is_in_namespaces_of_our_own(api: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    """With our labels, and nothing else is touched."""
    Lab(api)
    before = api.snapshot()
    made = workspace(cluster, tmp_path)
    made.create()
    new = {key: one for key, one in api.objects.items() if key not in before}
    assert {key: one for key, one in api.objects.items() if key in before} == before
    assert {name for kind, _, name in new if kind == "v1/Namespace"} == {"tetraproof-r1-default", "tetraproof-r1-other"}
    for (kind, namespace, _), one in new.items():
        assert OURS.items() <= one["metadata"]["labels"].items()
        assert kind == "v1/Namespace" or namespace.startswith("tetraproof-r1-")
    space = api.objects["v1/Namespace", "", "tetraproof-r1-other"]
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    made.remove()
    assert api.snapshot() == before


def test_the_bindings_are_what_is_there(api: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    """Every replica of a workload, its service, its namespaces; each pod with its container."""
    Lab(api)
    made = workspace(cluster, tmp_path)
    made.create()
    bindings = made.bindings(NODE)
    probe = api.objects["v1/Pod", "tetraproof-r1-other", "probe"]
    (bound,) = bindings.workloads["probe"]
    assert (bound.namespace, bound.name, bound.node) == ("tetraproof-r1-other", "probe", NODE)
    assert bound.ip == probe["status"]["podIP"]
    assert f"containerd://{bound.container}" == probe["status"]["containerStatuses"][0]["containerID"]
    assert len(bindings.workloads["site"]) == 2
    assert bindings.services["site"].startswith("10.96.")
    assert bindings.namespaces == {"default": "tetraproof-r1-default", "other": "tetraproof-r1-other"}


def test_each_node_has_its_own_pods(api: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    """Bound to it whatever its taints are; a service leads each to those beside it."""
    Lab(api, (NODE, SECOND))
    made = workspace(cluster, tmp_path, places=(NODE, SECOND))
    made.create()
    for number, node in enumerate((NODE, SECOND)):
        bindings = made.bindings(node)
        assert {pod.node for one in bindings.workloads.values() for pod in one} == {node}
        assert len(bindings.workloads["site"]) == 2
        for pod in bindings.workloads["site"]:
            labels = pods(api)[pod.name]["metadata"]["labels"]
            assert (labels[PLACE], labels[WORKLOAD], labels["app"]) == (str(number), "site", "site")
    assert {"probe", "probe-1"} <= pods(api).keys()
    assert all(one["spec"]["tolerations"] == [{"operator": "Exists"}] for one in pods(api).values())
    (service,) = api.of("v1/Service")
    assert service["spec"]["internalTrafficPolicy"] == "Local"
    selectors = [one["spec"]["selector"]["matchLabels"] for one in api.of("apps/v1/Deployment")]
    assert selectors[0] != selectors[1]


def test_the_outside_is_an_address_that_nothing_routes(api: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    """By its name as well; what a pod has of its own stays."""
    own = "spec: {hostAliases: [{ip: 10.1.1.1, hostnames: [own]}], containers: [{name: probe"
    Lab(api)
    workspace(cluster, tmp_path, WORKLOADS.replace("spec: {containers: [{name: probe", own)).create()
    aliases = pods(api)["probe"]["spec"]["hostAliases"]
    assert {one["ip"] for one in aliases} == {"10.1.1.1", INTERNET}


def test_the_shipped_workloads_are_created(api: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    """All five, in three namespaces."""
    Lab(api)
    folder = ROOT / "manifests/workloads"
    made = Workspace(cluster, "r1", (NODE,), manifests=folder, deadlines=PATIENT, tell=lambda line: None)
    made.create()
    assert made.bindings(NODE).workloads.keys() == {"nginx", "deathstar", "privileged", "probe", "tiefighter"}
    assert set(made.namespaces) == {"default", "galaxy", "other"}


@pytest.mark.parametrize("reason", ["ErrImageNeverPull", "InvalidImageName"])
def test_a_pod_that_can_never_start_ends_the_wait_at_once(
    reason: str, api: ApiServer, cluster: Cluster, tmp_path: Path
) -> None:
    """Waiting does not help."""
    Lab(api).waits["nginx"] = (reason, 'Container image "docker.io/library/nginx:1.27" is not present')
    with pytest.raises(WorkspaceError, match=rf"The pod site-\S+ cannot start: {reason}, .*nginx:1\.27"):
        workspace(cluster, tmp_path).create()


def test_an_image_that_cannot_be_pulled_is_named(api: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    """With the reason, after it was waited for: a registry may come back."""
    message = 'Back-off pulling image "docker.io/library/nginx:1.27": dial tcp: lookup docker.io: no such host'
    Lab(api).waits["nginx"] = ("ImagePullBackOff", message)
    with pytest.raises(WorkspaceError, match=r"The workloads did not come up\.") as failed:
        workspace(cluster, tmp_path, deadlines={"workload": 0.1}).create()
    (cause,) = failed.value.causes
    assert "ImagePullBackOff" in cause
    assert "docker.io/library/nginx:1.27" in cause
    assert "no such host" in cause


def test_pods_are_waited_for_and_that_is_told(api: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    """Until all are ready: those that are not there yet count as well."""
    lab = Lab(api)
    lab.waits["nginx"] = ("ContainerCreating", "")
    looks = count()

    def ready_later(asked: object) -> None:
        if str(asked) == "list pods /" and next(looks) == 3:
            lab.waits.clear()
            for one in pods(api).values():
                one["status"] = lab._status(one)

    api.faults = [ready_later]
    workspace(cluster, tmp_path).create()
    assert next(looks) >= 4


def test_a_pod_that_nobody_creates_is_told(api: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    """As a quota or an admission webhook has it: the deployment is there, its pods are not."""
    lab = Lab(api)
    api.created = [lambda made: lab._scheduled(made) if made["kind"] == "Pod" else None]
    with pytest.raises(WorkspaceError) as failed:
        workspace(cluster, tmp_path, deadlines={"workload": 0.1}).create()
    assert "1 of 3 pods" in failed.value.causes[0]


def test_a_namespace_that_does_not_go_is_told(api: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    """By its name."""
    Lab(api)
    made = workspace(cluster, tmp_path, deadlines={"workload": 0.1})
    made.create()
    api.lingers = 10_000
    with pytest.raises(Overdue, match="the last answer was tetraproof-r1-default, tetraproof-r1-other"):
        made.remove()


def test_removing_what_was_never_made_is_no_problem(api: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    """Only what is there is waited for."""
    Lab(api)
    before = api.snapshot()
    workspace(cluster, tmp_path).remove()
    assert api.snapshot() == before


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "is no YAML"),
        ("kind: Pod", "without kind or metadata.name"),
        ("- a list", "without kind or metadata.name"),
        ("metadata: {name: x}", "without kind or metadata.name"),
    ],
)
def test_a_manifest_that_is_none_is_told(text: str, word: str, cluster: Cluster, tmp_path: Path) -> None:
    """By its file, before anything is created."""
    with pytest.raises(UsageError, match=word) as refused:
        workspace(cluster, tmp_path, text)
    assert "all.yaml" in refused.value.sentence


def test_a_folder_that_is_not_there_is_told(cluster: Cluster, tmp_path: Path) -> None:
    """Likewise."""
    with pytest.raises(UsageError, match="There is no folder"):
        Workspace(cluster, "r", (NODE,), manifests=tmp_path / "no", deadlines=PATIENT, tell=lambda line: None)


def test_a_workload_that_the_server_refuses_is_told(api: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    """In its words, with its name."""
    Lab(api)
    api.forbidden.add("create pods")
    with pytest.raises(ClusterError, match=r'refused to create Pod probe: .*cannot create resource "pods"'):
        workspace(cluster, tmp_path).create()
