"""An event without what differs from run to run: times, numbers of processes, ids, and what a target binds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tetraproof.policies.binding import Bindings

#: Fields that are another at every run, wherever they stand.
_EVER_OTHER = {
    *("exec_id", "parent_exec_id", "pid", "tid", "time", "start_time", "node_name", "cluster_name", "docker", "refcnt"),
    *("node_labels", "inode", "inum", "cookie", "address", "security_context"),
}
#: Fields that are another at every run under these.
_OTHER_UNDER = {("pod", "uid"), ("container", "id"), ("image", "id"), ("image", "name"), ("container", "pid")}
#: A port from here on is one that the kernel chose.
_CHOSEN = 32768
_PORTS = {"sport", "dport"}
#: The labels that a run gives its own pods.
_OURS = ("tetraproof.dev/", "app.kubernetes.io/managed-by")
_NUMBER = re.compile(r"\d+")
#: What a ReplicaSet adds to the name of its pod.
_OF_A_SET = re.compile(r"-[bcdf0-9][a-z0-9]{7,9}-[a-z0-9]{5}\b")
#: The names that sed and mktemp make up.
_MADE_UP = re.compile(r"\b(sed|tmp\.?)[A-Za-z0-9]{6,10}\b")
#: A process of some number, as a path begins that leads by way of it.
_BY_PROCESS = re.compile(r"/proc/\d+/")
#: An address of a private network, and what stands for one that is bound.
_OF_A_CLUSTER = re.compile(
    r"\b(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2,3}\b|\{[a-z-]+\.(?:ip|service|outside)\}"
)


class Names:
    """What the target's own names are called: a pod's address by its workload, a namespace by the suites' word."""

    def __init__(self, bindings: Bindings) -> None:
        bound = {value: f"{{{name}}}" for name, value in bindings.values().items() if value}
        for workload, pods in bindings.workloads.items():
            for pod in pods:
                bound |= {
                    pod.ip: f"{{{workload}.ip}}",
                    str(pod): f"{{{workload}.pod}}",
                    pod.container: f"{{{workload}}}",
                }
                bound |= {pod.name: workload} if pod.name.startswith(f"{workload}-") else {}
        # what is called as the suites call it needs no other name
        kept = {value: name for value, name in bound.items() if value and not name.startswith(f"{{{value}.")}
        longest = sorted(kept, key=len, reverse=True)
        self._names = kept
        self._pattern = re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, longest))})(?![\w])") if kept else None

    def told(self, text: str) -> str:
        """A text with the target's own names replaced."""
        named = self._pattern.sub(lambda found: self._names[found[0]], text) if self._pattern else text
        return _BY_PROCESS.sub("/proc/#/", _MADE_UP.sub(r"\1######", _OF_A_SET.sub("", named)))


def same(one: str, other: str) -> bool:
    """Whether two texts say the same: an address of the cluster is another at every run, unless both have a name."""
    if one == other:
        return True
    addresses = zip(_OF_A_CLUSTER.findall(one), _OF_A_CLUSTER.findall(other), strict=False)
    named = [(mine, theirs) for mine, theirs in addresses if mine.startswith("{") and theirs.startswith("{")]
    alike = _OF_A_CLUSTER.sub("{address}", one) == _OF_A_CLUSTER.sub("{address}", other)
    return alike and all(mine == theirs for mine, theirs in named)


def plain(event: Mapping[str, Any], names: Names) -> dict[str, str]:
    """An event's fields by the way to each, without those that are another at every run."""
    return dict(_fields(event, (), names))


def without_numbers(text: str, names: Names) -> str:
    """What a program printed, its numbers apart."""
    return _NUMBER.sub("#", names.told(text))


def _fields(value: Any, way: tuple[str, ...], names: Names) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in _EVER_OTHER or (*way, name)[-2:] in _OTHER_UNDER or name.startswith(_OURS):
                continue
            if name in {"parent", "ancestors"} and not _in_a_pod(inner):
                continue  # the runtime, which is the node's
            yield from _fields(inner, (*way, name), names)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _fields(inner, (*way, str(at)), names)
    elif way and way[-1] in _PORTS and isinstance(value, int) and value >= _CHOSEN:
        yield ".".join(way), "a port that the kernel chose"
    else:
        yield ".".join(way), names.told(str(value))


def _in_a_pod(process: Any) -> bool:
    return isinstance(process, Mapping) and bool(process.get("pod"))
