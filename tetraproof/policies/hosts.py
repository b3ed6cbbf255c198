"""The addresses that a node has for itself, by the word of the cluster's object of it.

Where a cluster rewrites the address of a connection between pods (masquerades it), a node's own stands in its place.
"""

from __future__ import annotations

import ipaddress

from msgspec import Struct

from tetraproof import decoding
from tetraproof.decoding import Source
from tetraproof.errors import RecordingError

FILE = "environment/node.json"
_SOURCE = Source(FILE, "record the environment again")


class _Metadata(Struct, frozen=True):
    name: str = ""


class _Spec(Struct, frozen=True):
    podCIDR: str | None = None  # noqa: N815 - Kubernetes' name
    podCIDRs: tuple[str, ...] | None = None  # noqa: N815 - likewise


class _Address(Struct, frozen=True):
    address: str = ""


class _Status(Struct, frozen=True):
    addresses: tuple[_Address, ...] | None = None


class _Node(Struct, frozen=True):
    """What is read of a node, or of a list of them."""

    items: tuple[_Node, ...] | None = None
    metadata: _Metadata = _Metadata()
    spec: _Spec = _Spec()
    status: _Status = _Status()


def hosts(text: str) -> dict[str, tuple[str, ...]]:
    """Each node's own addresses by its name, from what `kubectl get nodes -o json` printed.

    They are those that it is reached at, and the first of its pods' range, which is its own end of their network.
    What cannot be read names none: then nothing that a cluster rewrote is known for its own.
    """
    try:
        told: _Node = decoding.as_json(text or "{}", _Node, _SOURCE)
    except RecordingError:
        return {}
    nodes = (told,) if told.items is None else told.items
    return {node.metadata.name: tuple(dict.fromkeys(_of(node))) for node in nodes if node.metadata.name}


def _of(node: _Node) -> list[str]:
    reached = [one.address for one in node.status.addresses or () if is_address(one.address)]
    ranges = node.spec.podCIDRs or ([node.spec.podCIDR] if node.spec.podCIDR else [])
    return [*reached, *(first for one in ranges if (first := _first_host(one)))]


def is_address(text: str) -> bool:
    """Whether a text is an address, and no name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:  # a name
        return False
    return True


def _first_host(cidr: str) -> str:
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return ""
    return str(network.network_address + 1) if network.num_addresses > 1 else ""
