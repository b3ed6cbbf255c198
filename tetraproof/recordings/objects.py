"""What is read of Kubernetes' objects: each field that matters, with its type; everything else is passed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from tetraproof import decoding
from tetraproof.decoding import Source
from tetraproof.errors import RawRecordError, RecordingError
from tetraproof.recordings import admission

T = TypeVar("T")
REMEDY = "copy the raw records again, or leave the scenario out (--without)"


class Owner(Struct):
    """Who made an object."""

    kind: str = ""


class Metadata(Struct):
    """What every object is called."""

    name: str
    namespace: str = ""
    ownerReferences: list[Owner] | None = None  # noqa: N815 - Kubernetes' names, here and below


class NodeInfo(Struct):
    """What a node says of itself."""

    kernelVersion: str = ""  # noqa: N815
    osImage: str = ""  # noqa: N815
    architecture: str = ""
    containerRuntimeVersion: str = ""  # noqa: N815


class Capacity(Struct):
    """What a node has."""

    cpu: str | int = 1


class NodeStatus(Struct):
    """The status of a node."""

    nodeInfo: NodeInfo = field(default_factory=NodeInfo)  # noqa: N815
    capacity: Capacity = field(default_factory=Capacity)


class Node(Struct):
    """A node."""

    metadata: Metadata
    status: NodeStatus = field(default_factory=NodeStatus)


class PodSpec(Struct):
    """Where a pod is."""

    nodeName: str = ""  # noqa: N815


class PodStatus(Struct):
    """How a pod is reached."""

    podIP: str = ""  # noqa: N815


class Pod(Struct):
    """A pod."""

    metadata: Metadata
    spec: PodSpec = field(default_factory=PodSpec)
    status: PodStatus = field(default_factory=PodStatus)


class ServiceSpec(Struct):
    """How a service is reached."""

    clusterIP: str = ""  # noqa: N815


class Service(Struct):
    """A service."""

    metadata: Metadata
    spec: ServiceSpec


class RangeSpec(Struct):
    """Ranges of addresses."""

    cidrs: list[str] = []


class ServiceRange(Struct):
    """A ServiceCIDR."""

    spec: RangeSpec


class Settings(Struct):
    """A ConfigMap. Its values are text, and were numbers or words in some records."""

    data: dict[str, str | int | float | bool] | None = None

    @property
    def values(self) -> dict[str, str]:
        """What it sets, as text."""
        return {name: str(value) for name, value in (self.data or {}).items()}


class ContainerSpec(Struct):
    """A container of the agent's DaemonSet."""

    name: str
    image: str = ""
    args: list[str] | None = None


class Containers(Struct):
    """What a pod runs."""

    containers: list[ContainerSpec]


class Template(Struct):
    """What a DaemonSet's pods are made of."""

    spec: Containers


class DaemonSetSpec(Struct):
    """What a DaemonSet is to run."""

    template: Template


class DaemonSet(Struct):
    """The agents' DaemonSet."""

    spec: DaemonSetSpec


class ServerVersion(Struct):
    """The API server's version."""

    gitVersion: str = ""  # noqa: N815


class Versions(Struct):
    """What `kubectl version -o json` says."""

    serverVersion: ServerVersion = field(default_factory=ServerVersion)  # noqa: N815


def source_of(path: Path) -> Source:
    """A raw record, as errors call it."""
    return Source(path, REMEDY, RawRecordError)


def read_json(path: Path, kind: type[T]) -> T | None:
    """The JSON in a file, or nothing where there is no such file. Raises `RawRecordError` naming the field."""
    if not path.is_file():
        return None
    source = source_of(path)
    told: T = decoding.as_json(decoding.read_file(path, source), kind, source)
    return told


def read_names(path: Path, kind: type[T]) -> T | None:
    """The same of what is printed as it is: text that steers a terminal is refused."""
    told = read_json(path, kind)
    _refuse_steering(told, path)
    return told


def read_objects(path: Path, kind: type[T]) -> list[T]:
    """The objects of a Kubernetes list, or the one object that a file holds; none where there is no such file.

    Raises `RawRecordError` naming the field, also for text that steers a terminal.
    """
    told: dict[str, Any] = read_json(path, dict[str, Any]) or {}
    listed = told.get("items", [told] if told else []) or []
    found: list[T] = decoding.as_kind(listed, list[kind], source_of(path))  # type: ignore[valid-type]
    _refuse_steering(found, path)
    return found


def check_times(times: Mapping[str, str | None], path: Path) -> None:
    """Refuse times of a raw record, by their fields, that are none. Raises `RawRecordError`."""
    with _as_raw():
        for field_of, time in times.items():
            admission.check_time(field_of, time or "", str(path), REMEDY)


def _refuse_steering(told: object, path: Path) -> None:
    with _as_raw():
        admission.check_text(msgspec.to_builtins(told), str(path), REMEDY)


@contextmanager
def _as_raw() -> Iterator[None]:
    try:
        yield
    except RecordingError as error:
        raise RawRecordError(error.sentence, remedy=REMEDY) from error


def read_text(path: Path) -> str | None:
    """The text in a file, or nothing where there is no such file. Raises `RawRecordError` if it is none."""
    if not path.is_file():
        return None
    source = source_of(path)
    return decoding.as_text(decoding.read_file(path, source), source)
