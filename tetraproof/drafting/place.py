"""The workloads that acts can be made in, read off their manifests; and which of them a policy is about.

Read more leniently than for a target without Kubernetes: all that matters here is what a pod is called, where it
runs, how it is labelled, what its command speaks of and which programs are in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tetraproof.errors import PolicyError, UsageError
from tetraproof.policies import manifest
from tetraproof.policies.policy import Policy

PACKAGES = "tetraproof.dev/packages"
#: The workload that acts are made in where nothing speaks for another.
DEFAULT = "probe"
#: The programs that acts use, by the package of Debian's that has them.
_PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "bash": ("bash",),
    "coreutils": (
        "cat",
        "chmod",
        "cp",
        "dd",
        "head",
        "ln",
        "md5sum",
        "mkdir",
        "mv",
        "rm",
        "rmdir",
        "sha256sum",
        "stat",
        "tail",
        "touch",
        "true",
        "wc",
    ),
    "curl": ("curl",),
    "nginx": ("nginx",),
    "passwd": ("passwd",),
    "procps": ("ps",),
    "python3": ("python3",),
    "sed": ("sed",),
}
#: What is taken to be in an image that does not say what it holds.
_USUAL = ("bash", "coreutils")
_DIRECTORIES = {"nginx": "/usr/sbin/"}
_RUNS = re.compile(r"\bexec\s+(?P<program>[\w./-]+)")


@dataclass(frozen=True)
class Service:
    """A service that leads to a workload: its name, and the port that it is asked at."""

    name: str
    port: int


@dataclass(frozen=True)
class Place:
    """One workload. `says` is what its command speaks of, `main` the path of the program that it runs, if known."""

    name: str
    namespace: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    says: str = ""
    main: str = ""
    privileged: bool = False
    services: tuple[Service, ...] = ()

    def has(self, program: str) -> bool:
        """Whether a program is in its image, by its name or its path."""
        known = [name for package in self.packages or _USUAL for name in _PROGRAMS.get(package, ())]
        return program in known or program in map(path_of, known)

    def mentions(self, prefix: str) -> tuple[str, ...]:
        """The files that its command speaks of which are this path, or lie in the folder of this path."""
        folder = prefix.rstrip("/")
        found = dict.fromkeys(re.findall(rf"(?<![\w/.-]){re.escape(folder)}(?:/[\w.-]+)?(?![\w/-])", self.says))
        return tuple(path for path in found if "." in path.rpartition("/")[2] and folder)


def path_of(program: str) -> str:
    """Where Debian has a program, as an agent tells it."""
    return program if program.startswith("/") else _DIRECTORIES.get(program, "/usr/bin/") + program


@dataclass(frozen=True)
class Scene:
    """Where acts are made: in `place`, and in `other`, which the policy does not select.

    `client` asks by the network, `server` answers, where there are such workloads. `unfit` says why `place` is
    perhaps none of the policy's.
    """

    place: Place
    other: Place | None = None
    client: Place | None = None
    server: Place | None = None
    usual: Place | None = None
    unfit: str = ""

    @property
    def asking(self) -> Place:
        """Who asks what the place itself serves: somebody else."""
        return self.usual or self.client or self.place


def load_places(folder: Path) -> tuple[Place, ...]:
    """The workloads in the YAML files of a folder. Raises `UsageError` for a folder that is none, or holds none."""
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {folder} of workloads.", remedy="name the folder of their manifests: --workloads"
        )
    documents = list(_documents(folder))
    found = list(filter(None, map(_place, documents)))
    if not found:
        raise UsageError(f"{folder} declares no workload.", remedy="write a Pod or Deployment into a .yaml file there")
    services = [one for one in documents if one.get("kind") == "Service"]
    return tuple(_served(place, services) for place in found)


def choose(policy: Policy, places: Sequence[Place], paths: Iterable[str], programs: Iterable[str]) -> Scene:
    """Where the acts of a policy are made: where it holds, and by what its paths and programs speak of."""
    selected = [place for place in places if selects(policy, place) is not False]
    unfit = ""
    if not selected:
        unfit = "no workload is one that the policy selects: add one with its namespace and labels to the workloads"
    candidates = selected or list(places)
    speaking = [place for place in candidates if any(place.mentions(path) for path in paths)]
    running = [place for place in candidates if place.main in set(programs)]
    usual = [place for place in candidates if place.name == DEFAULT]
    place = next(iter((*speaking, *running, *usual, *candidates)))
    here = policy.namespace or place.namespace if policy.kind == "TracingPolicyNamespaced" else ""
    outside = [
        one for one in places if one.has("bash") and (selects(policy, one) is False or (here and one.namespace != here))
    ]
    other = None if unfit else next(iter(sorted(outside, key=lambda one: one.name != DEFAULT)), None)
    server = next((one for one in places if one.services and one.ports), None)
    clients = [one for one in candidates if server and one.namespace == server.namespace and not one.services]
    client = place if place in clients or speaking or running else next(iter(clients), place)
    return Scene(place, other, client, server, next((one for one in places if one.name == DEFAULT), None), unfit)


def selects(policy: Policy, place: Place) -> bool | None:
    """Whether a policy is for the pods of a workload; nothing where its selectors cannot be read here."""
    if policy.kind == "TracingPolicyNamespaced" and policy.namespace and policy.namespace != place.namespace:
        return False
    selector = policy.spec.get("podSelector") or {}
    labels = {**place.labels, "k8s:io.kubernetes.pod.namespace": place.namespace}
    for name, value in (selector.get("matchLabels") or {}).items():
        if labels.get(name) != value:
            return False
    undecided = False
    for one in selector.get("matchExpressions") or ():
        holds = _expression(one, labels)
        if holds is False:
            return False
        undecided = undecided or holds is None
    return None if undecided or policy.spec.get("containerSelector") else True


def _expression(one: Mapping[str, Any], labels: Mapping[str, str]) -> bool | None:
    key, values = one.get("key"), one.get("values") or ()
    return {
        "In": labels.get(str(key)) in values,
        "NotIn": labels.get(str(key)) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }.get(str(one.get("operator")))


def _documents(folder: Path) -> Iterator[Mapping[str, Any]]:
    for path in sorted(one for one in folder.iterdir() if one.suffix in {".yaml", ".yml"} and one.is_file()):
        try:
            for document in manifest.documents(manifest.text_of(path, "workload"), str(path)):
                value = document.read()
                if isinstance(value, dict):
                    yield value
        except PolicyError as error:
            raise UsageError(error.sentence, causes=error.causes, remedy=error.remedy) from error


def _place(document: Mapping[str, Any]) -> Place | None:
    """The workload that a manifest declares; nothing where it declares none."""
    metadata, spec = _part(document, "metadata"), _part(document, "spec")
    pod = document if document.get("kind") == "Pod" else _part(spec, "template")
    containers = _part(pod, "spec").get("containers")
    if not isinstance(containers, list) or not containers or not isinstance(containers[0], dict):
        return None
    container, own = containers[0], _part(pod, "metadata")
    words = [str(word) for name in ("command", "args") for word in container.get(name) or ()]
    ports = [one.get("containerPort") for one in container.get("ports") or () if isinstance(one, dict)]
    return Place(
        str(metadata.get("name") or ""),
        str(metadata.get("namespace") or "default"),
        {str(key): str(value) for key, value in _part(own, "labels").items()},
        tuple(str(_part(own, "annotations").get(PACKAGES) or "").split()),
        tuple(port for port in ports if isinstance(port, int)),
        "\n".join(words),
        _main(words),
        bool(_part(container, "securityContext").get("privileged")),
    )


def _served(place: Place, services: Sequence[Mapping[str, Any]]) -> Place:
    found = []
    for one in services:
        metadata, spec = _part(one, "metadata"), _part(one, "spec")
        wanted = _part(spec, "selector")
        port = next((port.get("port") for port in spec.get("ports") or () if isinstance(port, dict)), None)
        here = str(metadata.get("namespace") or "default") == place.namespace
        if here and wanted and wanted.items() <= place.labels.items() and isinstance(port, int):
            found.append(Service(str(metadata.get("name")), port))
    return Place(**{**vars(place), "services": tuple(found)})


def _main(words: Sequence[str]) -> str:
    """The path of the program that a container ends up running, as far as its command says."""
    handed_over = [found["program"] for word in words for found in _RUNS.finditer(word)]
    program = handed_over[-1] if handed_over else next(iter(words), "")
    known = {name for names in _PROGRAMS.values() for name in names}
    return path_of(program) if program in known or program.startswith("/") else ""


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}
