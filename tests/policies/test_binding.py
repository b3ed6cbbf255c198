"""Bindings: what a suite's logical names are here."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetraproof.errors import UsageError
from tetraproof.policies.binding import INTERNET, Bindings, PodBinding, fill, just_outside, match, unbound, within

NGINX = PodBinding("default", "nginx-795c6cd55d-jvmml", "10.0.0.2")
HERE = Bindings(
    {
        "nginx": (NGINX, PodBinding("default", "nginx-2", "10.0.0.9")),
        "probe": (PodBinding("other", "probe"),),
        "gone": (),
    },
    {"deathstar": "10.96.11.240"},
    {"ranges.pods": "10.0.0.0/18", "ranges.services": "10.96.0.0/16"},
)


def test_every_placeholder_has_its_value() -> None:
    """The first pod's address, a service's, the ranges, and one just outside them; what has none is not bound."""
    assert HERE.values() == {
        "internet.ip": INTERNET,
        "nginx.ip": "10.0.0.2",
        "nginx.pod": "default/nginx-795c6cd55d-jvmml",
        "probe.pod": "other/probe",
        "default.namespace": "default",
        "other.namespace": "other",
        "deathstar.service": "10.96.11.240",
        "ranges.pods": "10.0.0.0/18",
        "ranges.services": "10.96.0.0/16",
        "ranges.outside": "10.0.64.1",
    }
    assert Bindings().values() == {"internet.ip": INTERNET}


def test_a_namespace_is_what_it_is_called_here() -> None:
    """Where nobody called it otherwise, it is what the suite calls it."""
    bound = Bindings({"probe": (PodBinding("ours-other", "probe"),)}, namespaces={"other": "ours-other"})
    assert fill("deathstar.{other.namespace}.svc", bound.values()) == "deathstar.ours-other.svc"
    assert "ours-other.namespace" not in bound.values()
    assert match("a.{galaxy.namespace}.svc", "a.ours-1.svc", {}) == {"galaxy.namespace": "ours-1"}
    assert match("a.{galaxy.namespace}.svc", "a.b.c.svc", {}) is None


def test_a_workload_is_its_first_pod() -> None:
    """Or nothing where the target has none."""
    assert HERE.pod("nginx") == NGINX
    assert str(NGINX) == "default/nginx-795c6cd55d-jvmml"
    assert HERE.pod("gone") is None
    assert HERE.pod("nowhere") is None


def test_ranges_of_a_recorded_policy_come_before_the_environments() -> None:
    """What was applied is what the acts ran into; the rest stays."""
    put = HERE.learning({"ranges.pods": "10.4.0.0/16", "probe.file": "/proc/42/root"})
    assert put.values()["ranges.pods"] == "10.4.0.0/16"
    assert put.values()["ranges.outside"] == "10.5.0.1"
    assert put.values()["ranges.services"] == "10.96.0.0/16"
    assert put.values()["nginx.ip"] == "10.0.0.2"
    assert put.of_policy("probe.file", "/bin/sh") == "/proc/42/root/bin/sh"
    assert HERE.of_policy("probe.file", "/bin/sh") is None
    assert HERE.values()["ranges.pods"] == "10.0.0.0/18"


@pytest.mark.parametrize(
    ("text", "filled", "missing"),
    [
        ("http://{nginx.ip}/", "http://10.0.0.2/", []),
        ("{nginx.ip} {nginx.ip}", "10.0.0.2 10.0.0.2", []),
        ("{tiefighter.ip}", "{tiefighter.ip}", ["tiefighter.ip"]),
        ("{nginx.ip}{deathstar.ip}", "10.0.0.2{deathstar.ip}", ["deathstar.ip"]),
        # what a script writes is no placeholder
        ("echo ${HOME} {a,b} {} {x}", "echo ${HOME} {a,b} {} {x}", []),
        ("awk '{print $1.2}'", "awk '{print $1.2}'", []),
        ("{Nginx.ip}", "{Nginx.ip}", []),
    ],
)
def test_placeholders_are_filled_and_nothing_else(text: str, filled: str, missing: list[str]) -> None:
    """One that nobody knows stays, and is named."""
    assert fill(text, HERE.values()) == filled
    assert unbound(text, HERE.values()) == missing


@pytest.mark.parametrize(
    ("cidr", "address"),
    [
        ("10.0.0.0/18", "10.0.64.1"),
        ("10.0.0.0/8", "11.0.0.1"),
        ("10.1.2.3/8", "11.0.0.1"),
        ("192.0.2.7/32", "192.0.2.9"),
        ("240.0.0.0/4", "239.255.255.255"),
        ("fd00::/64", "fd00:0:0:1::1"),
    ],
)
def test_just_outside_is_the_nearest_host_that_is_not_in_it(cidr: str, address: str) -> None:
    """After the range, or before it where the addresses end."""
    assert just_outside(cidr) == address


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6), st.integers(1, 32))
def test_just_outside_is_outside(address: ipaddress.IPv4Address | ipaddress.IPv6Address, bits: int) -> None:
    """Of every range but that of all addresses."""
    cidr = str(ipaddress.ip_network(f"{address}/{bits}", strict=False))
    assert not within(just_outside(cidr), [cidr])


@pytest.mark.parametrize("text", ["10.0.0.0/33", "nonsense", "", "0.0.0.0/0", "::/0"])
def test_a_range_without_an_outside_is_refused_in_a_sentence(text: str) -> None:
    """What is no range, and the range of all addresses; not with a Python error."""
    with pytest.raises(UsageError) as refused:
        just_outside(text)
    assert repr(text) in refused.value.sentence
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("address", "ranges", "inside"),
    [
        ("10.0.0.1", ["10.0.0.0/18"], True),
        ("10.0.64.1", ["10.0.0.0/18"], False),
        ("10.0.64.1", ["10.0.0.0/18", "10.0.64.1"], True),
        ("127.0.0.1", ["127.0.0.1"], True),
        ("10.0.0.1", [], False),
        ("10.0.0.1", ["fd00::/64"], False),
    ],
)
def test_within_is_in_any_of_the_ranges(address: str, ranges: list[str], *, inside: bool) -> None:
    """Networks or single addresses, of either family."""
    assert within(address, ranges) is inside
