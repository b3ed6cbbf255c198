"""Logical names, and what they are on this target.

A suite speaks of the `nginx` workload, the `pods` range, the `galaxy` namespace.
The target binds them: a recording to what was recorded, a live cluster to what
it has. In an act's argv, `{nginx.ip}` stands for the bound value.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from tetraproof.errors import UsageError

_FILE = ".file"
#: An address that no network routes (RFC 5737, TEST-NET-3): what stands for "the internet" in an act.
INTERNET = "203.0.113.10"
_ADDRESS = r"[0-9a-fA-F.:]+"
_NAME = r"[a-z0-9-]+"
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9-]*\.[a-z]+)\}")


class PodBinding(Struct, frozen=True):
    """One pod of a workload: where to act, and how its traffic and events name it.

    `container` is its container's id, where events name no pod but that.
    """

    namespace: str
    name: str
    ip: str = ""
    node: str = ""
    container: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Bindings(Struct, frozen=True):
    """What every logical name is here.

    `workloads` maps a workload to its pods, `services` to its cluster address,
    `ranges` maps `ranges.pods` and `ranges.services` to CIDRs, `namespaces` a suite's
    namespaces to what they are called here (the same where it names none); `learnt` holds
    further values by placeholder, read off what was recorded. `roots` maps a workload to
    the folder in which the agent finds its pods' files, where it finds them.
    """

    workloads: dict[str, tuple[PodBinding, ...]] = {}
    services: dict[str, str] = {}
    ranges: dict[str, str] = {}
    learnt: dict[str, str] = {}
    namespaces: dict[str, str] = {}
    roots: dict[str, str] = {}

    def pod(self, workload: str) -> PodBinding | None:
        """The first pod of a workload, or nothing where the target has none."""
        return next(iter(self.workloads.get(workload, ())), None)

    def by_container(self) -> dict[str, PodBinding]:
        """The pods whose container's id is known, by it."""
        return {pod.container: pod for pods in self.workloads.values() for pod in pods if pod.container}

    def choices(self) -> dict[str, tuple[str, ...]]:
        """Every placeholder with all that it may stand for: any pod of a workload answers for it."""
        choices: dict[str, tuple[str, ...]] = {name: (value,) for name, value in self.values().items()}
        for workload, pods in self.workloads.items():
            if pods:
                choices[f"{workload}.pod"] = tuple(str(pod) for pod in pods)
            if addresses := tuple(pod.ip for pod in pods if pod.ip):
                choices[f"{workload}.ip"] = addresses
        return choices

    def values(self) -> dict[str, str]:
        """Every placeholder that an act may use, with its value."""
        values = {"internet.ip": INTERNET, **self.ranges, **self.learnt}
        own = {pod.namespace: pod.namespace for pods in self.workloads.values() for pod in pods}
        # a namespace that nobody bound to another is called what the suite calls it
        names = {**{name: name for name in own if name not in self.namespaces.values()}, **self.namespaces}
        values |= {f"{name}.namespace": here for name, here in names.items()}
        for workload, pods in self.workloads.items():
            if pods:
                values[f"{workload}.pod"] = str(pods[0])
            if pods and pods[0].ip:
                values[f"{workload}.ip"] = pods[0].ip
        for service, address in self.services.items():
            values[f"{service}.service"] = address
        if pods_range := self.ranges.get("ranges.pods"):
            values["ranges.outside"] = just_outside(pods_range)
        return values

    def of_policy(self, name: str, value: str) -> str | None:
        """What stands here for a policy's `value` that is bound to `name`; nothing where nobody knows.

        A range is put in its place. A file is looked for where the agent finds those of the workload.
        """
        if not (workload := owner(name)):
            return self.ranges.get(name)
        root = self.roots.get(workload)
        return None if root is None else root + value

    def learning(self, bound: Mapping[str, str]) -> Bindings:
        """These bindings, with what a recorded policy's values were bound to before the environment's own."""
        roots = {workload: value for name, value in bound.items() if (workload := owner(name))}
        ranges = {name: value for name, value in bound.items() if not owner(name)}
        return replace(self, ranges={**self.ranges, **ranges}, roots={**self.roots, **roots})


def owner(name: str) -> str:
    """The workload whose own file a policy's value is that is bound to `name` (`probe.file`); nothing of another."""
    return name.removesuffix(_FILE) if name.endswith(_FILE) else ""


def unbound(text: str, values: Mapping[str, str]) -> list[str]:
    """The placeholders in `text` that `values` does not know."""
    return [name for name in _PLACEHOLDER.findall(text) if name not in values]


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders replaced; one that `values` does not know stays."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def match(template: str, text: str, choices: Mapping[str, tuple[str, ...]]) -> dict[str, str] | None:
    """What the placeholders of `template` stand for in `text`; nothing where the two do not match.

    A placeholder without choices stands for any address, one of a namespace for any name.
    """
    names: list[str] = []
    pattern, end = "", 0
    for found in _PLACEHOLDER.finditer(template):
        known = choices.get(found[1])
        anything = _NAME if found[1].endswith(".namespace") else _ADDRESS
        value = "|".join(map(re.escape, known)) if known else anything
        again = f"(?P=p{names.index(found[1])})" if found[1] in names else ""
        pattern += re.escape(template[end : found.start()]) + (again or f"(?P<p{len(names)}>{value})")
        names += [] if again else [found[1]]
        end = found.end()
    matched = re.fullmatch(pattern + re.escape(template[end:]), text)
    return {name: matched[f"p{at}"] for at, name in enumerate(names)} if matched else None


def just_outside(cidr: str) -> str:
    """The first host after the range `cidr`, or before it where the range ends the address space."""
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError as error:
        raise UsageError(f"{cidr!r} is no range of addresses: {error}.", remedy="write it as 10.0.0.0/18") from error
    before, after = int(network.network_address) - 1, int(network.broadcast_address) + 2
    if before < 0 and after >= 2**network.max_prefixlen:
        raise UsageError(f"{cidr!r} holds every address: nothing is outside of it.", remedy="name the pods' own range")
    return str(type(network.network_address)(after if after < 2**network.max_prefixlen else before))


def within(address: str, ranges: Iterable[str]) -> bool:
    """Whether `address` lies in one of `ranges` (CIDRs or single addresses, as text)."""
    host = ipaddress.ip_address(address)
    return any(host in ipaddress.ip_network(cidr, strict=False) for cidr in ranges)
