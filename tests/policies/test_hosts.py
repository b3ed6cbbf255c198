"""A node's own addresses, as the cluster's object of it tells them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tetraproof.policies.hosts import hosts


def node(name: str, *addresses: str, **spec: Any) -> dict[str, Any]:
    told = [{"type": "InternalIP", "address": one} for one in addresses]
    return {"metadata": {"name": name}, "spec": spec, "status": {"addresses": told}}


def test_of_a_list_and_of_a_node_alone() -> None:
    """What it is reached at, and its end of the pods' network; a name is no address."""
    first = node("a", "10.0.2.15", "a.example", podCIDR="10.0.0.0/24", podCIDRs=["10.0.0.0/24", "fd00::/64"])
    second = node("b", "10.0.2.16", podCIDR="10.0.1.0/24")
    found = {"a": ("10.0.2.15", "10.0.0.1", "fd00::1"), "b": ("10.0.2.16", "10.0.1.1")}
    assert hosts(json.dumps({"items": [first, second]})) == found
    assert hosts(json.dumps(second)) == {"b": found["b"]}


@pytest.mark.parametrize(
    "text",
    ["", "{}", "no JSON", '{"items": null}', '{"items": [{}]}', '{"items": 3}', "[" * 100_000],
)
def test_what_cannot_be_read_names_none(text: str) -> None:
    """So that nothing is believed for it."""
    assert hosts(text) == {}


def test_a_range_that_is_none_gives_no_address() -> None:
    """Nor does one that holds a single address."""
    told = [node("a", podCIDR="many"), node("b", podCIDR="10.0.0.1/32"), node("c", podCIDR=None)]
    assert hosts(json.dumps({"items": told})) == {"a": (), "b": (), "c": ()}
