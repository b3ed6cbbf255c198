"""Workloads: the pods that are acted in and their services, read for targets without Kubernetes.

Kubernetes honours a field of a manifest or refuses it. So does this reader: a field is
honoured, or listed here as one that means nothing without Kubernetes, or refused.

What a pod's root file system is built from, where its image cannot be pulled, is written in
the manifest:

    metadata:
      annotations:
        tetraproof.dev/packages: bash coreutils curl
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tetraproof.errors import PolicyError, UsageError
from tetraproof.policies.manifest import values
from tetraproof.text import shorten

PACKAGES = "tetraproof.dev/packages"
_VERSIONS = {"Namespace": "v1", "Pod": "v1", "Deployment": "apps/v1", "Service": "v1"}
_OURS = "tetraproof.dev/"
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
# `$$`, an escaped dollar, and `$(NAME)`, which Kubernetes replaces where NAME is a variable of the container
_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
# what means nothing without Kubernetes: scheduling, rolling out, watching over health, pulling
_DEPLOYMENT_IGNORED = ("minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit", "strategy")
_POD_IGNORED = (
    *("affinity", "nodeSelector", "tolerations", "topologySpreadConstraints", "priorityClassName", "schedulerName"),
    *("automountServiceAccountToken", "enableServiceLinks", "serviceAccountName"),
    *("imagePullSecrets", "restartPolicy", "terminationGracePeriodSeconds"),
)
_CONTAINER_IGNORED = (
    *("imagePullPolicy", "ports", "resources", "terminationMessagePath", "terminationMessagePolicy"),
    *("livenessProbe", "readinessProbe", "startupProbe"),
)
_SERVICE_IGNORED = ("internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy", "sessionAffinity")


@dataclass(frozen=True)
class Container:
    """What runs in a pod. In `command` and `args` the references to `environment` are resolved."""

    name: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    environment: Mapping[str, str]
    privileged: bool


@dataclass(frozen=True)
class Workload:
    """A `Pod`, or a `Deployment` of `replicas` pods; `labels` are its pods', `source` is its file."""

    name: str
    namespace: str
    replicas: int
    container: Container
    labels: Mapping[str, str]
    packages: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Service:
    """A service of the pods that `selector` selects; `ports` are pairs of its port and the pods'."""

    name: str
    namespace: str
    selector: Mapping[str, str]
    ports: tuple[tuple[int, int], ...]

    def selects(self, workload: Workload) -> bool:
        """Whether it leads to the pods of `workload`."""
        return self.namespace == workload.namespace and self.selector.items() <= workload.labels.items()


@dataclass(frozen=True)
class Manifests:
    """All that a folder declares, in the order of its files."""

    workloads: tuple[Workload, ...]
    services: tuple[Service, ...]


def load(folder: Path) -> Manifests:
    """What the YAML files of `folder` declare. Raises `UsageError` naming file, field and fix."""
    workloads: dict[str, Workload] = {}
    services: dict[tuple[str, str], tuple[Service, _Part]] = {}
    for path, manifest in _manifests(folder):
        kind = _kind(manifest)
        if kind == "Service":
            service = _service(manifest)
            if (service.namespace, service.name) in services:
                raise manifest.refused("metadata.name", f"names a second service {service.name}", "rename one of them")
            services[service.namespace, service.name] = service, manifest
        elif kind != "Namespace":
            workload = _workload(manifest, kind, path)
            if (other := workloads.setdefault(workload.name, workload)) is not workload:
                raise manifest.refused(
                    "metadata.name",
                    f"names a second workload {workload.name}, the first is in {other.source}",
                    "rename one of them: a suite knows a workload by its name only",
                )
    if not workloads:
        raise UsageError(f"{folder} declares no workload.", remedy="write a Pod or Deployment into a .yaml file there")
    for service, manifest in services.values():
        if not any(service.selects(workload) for workload in workloads.values()):
            raise manifest.refused(
                "spec.selector", f"selects no workload of {service.namespace}", "select by labels that its pods have"
            )
    return Manifests(tuple(workloads.values()), tuple(service for service, _ in services.values()))


@dataclass(frozen=True)
class _Part:
    """A mapping in a manifest: where that is from, the field that it is the value of, and what it holds."""

    source: str
    field: str
    values: Mapping[Any, Any]

    def refused(self, name: str, why: str, remedy: str) -> UsageError:
        return UsageError(f"{self.source}: {self._place(name)} {why}.", remedy=remedy)

    def only(self, *known: str) -> None:
        """Refuse every field but these."""
        for name in self.values:
            if name not in known:
                remedy = f"take it out; known here are {', '.join(sorted(known))}"
                raise self.refused(str(name), "is a field that cannot be honoured without Kubernetes", remedy)

    def text(self, name: str, default: str | None = None) -> str:
        value = self.values.get(name, default)
        if value is None:
            raise self.refused(name, "is missing", "write it")
        if not isinstance(value, str):
            raise self.refused(name, f"is {_shown(value)} where text is expected", "write it in quotes")
        return value

    def number(self, name: str, default: int | None, low: int, high: int) -> int:
        value = self.values.get(name, default)
        # True is an int, too
        if type(value) is not int or not low <= value <= high:
            raise self.refused(name, f"is {_shown(value)}", f"write a number from {low} to {high}")
        return value

    def flag(self, name: str) -> bool:
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            raise self.refused(name, f"is {_shown(value)}", "write true or false")
        return value

    def part(self, name: str) -> _Part:
        """The mapping under `name`; an empty one where there is none."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, dict):
            raise self.refused(name, f"is {_shown(value)} where a mapping is expected", "write name: value")
        return _Part(self.source, self._place(name), value or {})

    def parts(self, name: str) -> list[_Part]:
        """The mappings listed under `name`."""
        listed = self._listed(name, dict, "mappings")
        return [_Part(self.source, f"{self._place(name)}[{at}]", value) for at, value in enumerate(listed)]

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self._listed(name, str, "text"))

    def pairs(self, name: str) -> dict[str, str]:
        """The names and texts under `name`."""
        part = self.part(name)
        return {str(key): part.text(key) for key in part.values}

    def _listed(self, name: str, kind: type, of: str) -> list[Any]:
        value = self.values.get(name)
        if value is not None and not (isinstance(value, list) and all(isinstance(one, kind) for one in value)):
            raise self.refused(name, f"is {_shown(value)} where a list of {of} is expected", f"write a list of {of}")
        return value or []

    def _place(self, name: str) -> str:
        return f"{self.field}.{name}" if self.field else name


def _manifests(folder: Path) -> Iterator[tuple[Path, _Part]]:
    """Every document, and the file that it is in."""
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder} of workloads.", remedy="name a folder of Kubernetes YAML")
    for path in sorted(one for one in folder.iterdir() if one.suffix in {".yaml", ".yml"}):
        try:
            documents = values(path, "workload")
        except PolicyError as error:
            raise UsageError(error.sentence, remedy=error.remedy) from error
        for document in documents:
            if isinstance(document, dict):
                yield path, _Part(f"{path}, {document.get('kind', 'no kind')}", "", document)
            elif document is not None:
                raise UsageError(
                    f"{path} holds {_shown(document)} where a manifest is a mapping.",
                    remedy="begin with apiVersion, kind, metadata and spec",
                )


def _kind(manifest: _Part) -> str:
    kind = manifest.text("kind")
    if kind not in _VERSIONS:
        raise manifest.refused(
            "kind", "is one that means nothing without Kubernetes", f"write one of {', '.join(sorted(_VERSIONS))}"
        )
    if manifest.text("apiVersion") != _VERSIONS[kind]:
        raise manifest.refused("apiVersion", "is not that of this kind", f"write {_VERSIONS[kind]}")
    manifest.only("apiVersion", "kind", "metadata", "spec", "status")
    return kind


def _metadata(part: _Part) -> _Part:
    metadata = part.part("metadata")
    metadata.only("name", "namespace", "labels", "annotations")
    return metadata


def _workload(manifest: _Part, kind: str, path: Path) -> Workload:
    own = _metadata(manifest)
    name, namespace = own.text("name"), own.text("namespace", "default")
    template, replicas = manifest, 1
    if kind == "Deployment":
        spec = manifest.part("spec")
        spec.only("replicas", "selector", "template", *_DEPLOYMENT_IGNORED)
        template, replicas = spec.part("template"), spec.number("replicas", 1, 1, 100)
        template.only("metadata", "spec")
        selector = spec.part("selector")
        selector.only("matchLabels")
        labels = _metadata(template).pairs("labels")
        if not (wanted := selector.pairs("matchLabels")) or not wanted.items() <= labels.items():
            raise selector.refused("matchLabels", "does not match the labels of the template", "make them agree")
        if _packages(own):
            raise own.refused("annotations", f"has {PACKAGES}, which is the pods'", "write it into the template")
    metadata, pod = _metadata(template), template.part("spec")
    pod.only("containers", *_POD_IGNORED)
    containers = pod.parts("containers")
    if len(containers) != 1:
        raise pod.refused("containers", f"lists {len(containers)} where one is expected", "one container a pod")
    container, labels = _container(containers[0]), metadata.pairs("labels")
    return Workload(name, namespace, replicas, container, labels, _packages(metadata), str(path))


def _container(part: _Part) -> Container:
    part.only("name", "image", "command", "args", "env", "securityContext", *_CONTAINER_IGNORED)
    part.part("securityContext").only("privileged")
    environment: dict[str, str] = {}
    for variable in part.parts("env"):
        variable.only("name", "value")
        environment[variable.text("name")] = _resolved(variable.text("value", ""), environment)
    command, args = (tuple(_resolved(word, environment) for word in part.texts(field)) for field in ("command", "args"))
    if not command:
        # a root file system, pulled or built, does not say what its image would run
        raise part.refused("command", "is missing", "write what the container runs, also where its image says it")
    privileged = part.part("securityContext").flag("privileged")
    return Container(part.text("name"), part.text("image"), command, args, environment, privileged)


def _service(manifest: _Part) -> Service:
    metadata, spec = _metadata(manifest), manifest.part("spec")
    spec.only("selector", "ports", "type", *_SERVICE_IGNORED)
    if spec.text("type", "ClusterIP") != "ClusterIP":
        raise spec.refused("type", "is one that only Kubernetes can provide", "write ClusterIP, or leave it out")
    if not spec.pairs("selector"):
        raise spec.refused("selector", "is missing", "select by labels that the pods have")
    ports = []
    for port in spec.parts("ports"):
        port.only("name", "port", "targetPort", "protocol", "appProtocol")
        if port.text("protocol", "TCP") != "TCP":
            raise port.refused("protocol", "is not TCP", "declare ports of TCP only")
        number = port.number("port", None, 1, 65535)
        ports.append((number, port.number("targetPort", number, 1, 65535)))
    name, namespace = metadata.text("name"), metadata.text("namespace", "default")
    return Service(name, namespace, spec.pairs("selector"), tuple(ports))


def _packages(metadata: _Part) -> tuple[str, ...]:
    annotations = metadata.part("annotations")
    for name in annotations.values:
        if str(name).startswith(_OURS) and name != PACKAGES:
            raise annotations.refused(str(name), "means nothing", f"write {PACKAGES}, or take it out")
    packages = tuple(annotations.text(PACKAGES, "").split())
    for package in packages:
        if not _PACKAGE.fullmatch(package):
            raise annotations.refused(
                PACKAGES, f"holds {_shown(package)}, which is no name of a package", "list names, with spaces between"
            )
    return packages


def _resolved(text: str, environment: Mapping[str, str]) -> str:
    """`text` with its references to variables replaced; what refers to none stays, as in Kubernetes."""
    return _REFERENCE.sub(lambda found: "$" if found[1] is None else environment.get(found[1], found[0]), text)


def _shown(value: Any) -> str:
    return "nothing" if value is None else shorten(repr(value), 60)
