"""Workloads: a manifest's field is honoured, known to mean nothing without Kubernetes, or refused by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import ROOT
from tetraproof.errors import UsageError
from tetraproof.guests.workload import Container, Service, Workload, load

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: probe
  namespace: other
  labels: {app: probe}
  annotations: {tetraproof.dev/packages: bash coreutils}
spec:
  containers:
    - name: probe
      image: docker.io/library/x:1
      command: [sleep, $(LONG)]
      args: [$$(LONG), $(UNKNOWN)]
      env: [{name: LONG, value: infinity}]
      securityContext: {privileged: true}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: nginx}
spec:
  replicas: 2
  selector: {matchLabels: {app: nginx}}
  template:
    metadata:
      labels: {app: nginx, tier: web}
      annotations: {tetraproof.dev/packages: nginx}
    spec:
      containers: [{name: nginx, image: x, command: [nginx]}]
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: nginx}
  ports: [{port: 80, targetPort: 8080}, {port: 443}]
"""


def written(folder: Path, *documents: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "all.yaml").write_text("---\n".join(documents), encoding="utf-8")
    return folder


def test_a_pod_is_read(tmp_path: Path) -> None:
    """References to its variables are resolved as Kubernetes does it."""
    source = str(written(tmp_path, POD) / "all.yaml")
    container = Container(
        "probe",
        "docker.io/library/x:1",
        ("sleep", "infinity"),
        ("$(LONG)", "$(UNKNOWN)"),
        {"LONG": "infinity"},
        privileged=True,
    )
    expected = Workload("probe", "other", 1, container, {"app": "probe"}, ("bash", "coreutils"), source)
    assert load(tmp_path).workloads == (expected,)


def test_a_deployment_is_its_pods(tmp_path: Path) -> None:
    """Labels and packages are the template's, the namespace is the default one."""
    (workload,) = load(written(tmp_path, DEPLOYMENT)).workloads
    assert (workload.name, workload.namespace, workload.replicas) == ("nginx", "default", 2)
    assert workload.labels == {"app": "nginx", "tier": "web"}
    assert workload.packages == ("nginx",)


def test_a_service_leads_to_its_pods(tmp_path: Path) -> None:
    """Of its own namespace, and by all labels that it asks for."""
    manifests = load(written(tmp_path, DEPLOYMENT, SERVICE))
    (service,), (workload,) = manifests.services, manifests.workloads
    assert service == Service("web", "default", {"app": "nginx"}, ((80, 8080), (443, 443)))
    assert service.selects(workload)
    assert not Service("web", "other", {"app": "nginx"}, ()).selects(workload)
    assert not Service("web", "default", {"app": "nginx", "tier": "db"}, ()).selects(workload)


def test_the_shipped_workloads_are_read() -> None:
    """With all that the suites ask of them."""
    manifests = load(ROOT / "manifests/workloads")
    assert {one.name for one in manifests.workloads} == {"deathstar", "nginx", "privileged", "probe", "tiefighter"}
    for one in manifests.workloads:
        assert {"bash", "coreutils", "curl", "nginx", "procps", "python3", "sed", "vim-tiny"} <= set(one.packages)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (POD.replace("spec:\n", "spec:\n  hostNetwork: true\n"), "spec.hostNetwork is a field that cannot be honoured"),
        (POD.replace("privileged: true", "runAsUser: 0"), "spec.containers[0].securityContext.runAsUser is a field"),
        (POD.replace("privileged: true", "privileged: 'yes'"), "privileged is 'yes'"),
        (POD.replace("      command: [sleep, $(LONG)]\n", ""), "spec.containers[0].command is missing"),
        (POD.replace("command: [sleep, $(LONG)]", "command: sleep"), "command is 'sleep'"),
        (POD.replace("      image: docker.io/library/x:1\n", ""), "spec.containers[0].image is missing"),
        (POD.replace("containers:", "containers: []\n  x:"), "spec.x is a field"),
        (POD.replace("bash coreutils", "bash -rf"), "holds '-rf', which is no name of a package"),
        (POD.replace("tetraproof.dev/packages", "tetraproof.dev/package"), "tetraproof.dev/package means nothing"),
        (POD.replace("kind: Pod", "kind: DaemonSet"), "kind is one that means nothing without Kubernetes"),
        (POD.replace("apiVersion: v1", "apiVersion: v2"), "apiVersion is not that of this kind"),
        (POD.replace("name: LONG, value", "name: LONG, valueFrom"), "env[0].valueFrom is a field"),
        (DEPLOYMENT.replace("replicas: 2", "replicas: 0"), "spec.replicas is 0"),
        (DEPLOYMENT.replace("replicas: 2", "replicas: true"), "spec.replicas is True"),
        (DEPLOYMENT.replace("{matchLabels: {app: nginx}}", "{matchLabels: {app: x}}"), "does not match the labels"),
        ("- a\n- b\n", "where a manifest is a mapping"),
        ("a: [", "is no YAML"),
        ("", "declares no workload"),
    ],
)
def test_what_cannot_be_honoured_is_refused(document: str, sentence: str, tmp_path: Path) -> None:
    """With the file, the field, and what to do; nothing is left out in silence."""
    with pytest.raises(UsageError) as refused:
        load(written(tmp_path, document))
    assert sentence in refused.value.sentence
    assert str(tmp_path) in refused.value.sentence
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("documents", "sentence"),
    [
        ((POD, POD), "names a second workload probe"),
        ((DEPLOYMENT, SERVICE, SERVICE), "names a second service web"),
        ((POD, SERVICE), "selects no workload of default"),
        ((DEPLOYMENT, SERVICE.replace("{app: nginx}", "{}")), "spec.selector is missing"),
        ((DEPLOYMENT, SERVICE.replace("  ports", "  type: NodePort\n  ports")), "type is one that only Kubernetes"),
        ((DEPLOYMENT, SERVICE.replace("{port: 443}", "{port: 443, protocol: UDP}")), "ports[1].protocol is not TCP"),
        ((DEPLOYMENT, SERVICE.replace("443", "99999")), "ports[1].port is 99999"),
    ],
)
def test_what_does_not_fit_together_is_refused(documents: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    """Names that are taken, services that lead nowhere."""
    with pytest.raises(UsageError) as refused:
        load(written(tmp_path, *documents))
    assert sentence in refused.value.sentence


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """By its name."""
    with pytest.raises(UsageError, match="nowhere"):
        load(tmp_path / "nowhere")
