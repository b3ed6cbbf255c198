"""Where connections are tried to: at the edges of what a selector names."""

from __future__ import annotations

import pytest

from tests.builders import ROOT
from tetraproof.drafting.deeds.network import Wire, ends, of_address, ports
from tetraproof.drafting.foretelling.reading import Asked
from tetraproof.drafting.place import Place, Scene, load_places

PLACES = {place.name: place for place in load_places(ROOT / "manifests/workloads")}
SCENE = Scene(PLACES["tiefighter"], PLACES["probe"], PLACES["tiefighter"], PLACES["deathstar"], PLACES["probe"])
ALONE = Scene(Place("probe"))


def found(*asked: Asked, bound: dict[str, str] | None = None, scene: Scene = ALONE) -> list[str]:
    return [f"{end.address.text}:{end.port}" for end in ends(asked, bound or {}, scene)]


def test_a_range_is_tried_at_its_edges() -> None:
    """Its first and its last address, the one after and the one before."""
    edges = ["198.18.0.1:80", "198.19.255.254:80", "198.20.0.0:80", "198.17.255.255:80"]
    assert found(Asked(0, "DAddr", ("198.18.0.0/15",))) == ["{internet.ip}:80", *edges, "127.0.0.1:9"]


def test_an_address_is_tried_with_its_neighbours() -> None:
    """Of the loopback device nobody connects to the first and the last, and nobody listens on the others."""
    assert found(Asked(0, "NotDAddr", ("127.0.0.1",))) == ["{internet.ip}:80", "127.0.0.1:9", "127.0.0.2:9"]
    assert found(Asked(0, "DAddr", ("192.168.1.1",)))[1:4] == ["192.168.1.1:80", "192.168.1.2:80", "192.168.1.0:80"]


def test_further_ranges_are_tried_at_two_edges_and_not_without_end() -> None:
    """A suite is read."""
    ranges = tuple(f"10.{number}.0.0/16" for number in range(9))
    assert len(found(Asked(0, "NotDAddr", ranges))) == 1 + 4 + 2 * 4 + 1


@pytest.mark.parametrize("value", ["0.0.0.0/0", "::1/128", "nowhere", "${PODS}", "255.255.255.255"])
def test_what_has_no_edges_is_not_tried(value: str) -> None:
    """All addresses, another family's, and what is no address."""
    assert all(
        end.startswith(("{internet.ip}", "127.0.0.1", "255.255.255.254")) for end in found(Asked(0, "DAddr", (value,)))
    )


def test_the_internet_is_outside_of_what_is_named() -> None:
    """Where a policy names the usual address that stands for it, another does."""
    assert found(Asked(0, "NotDAddr", ("203.0.113.0/24",)))[0] == "198.51.100.10:80"
    assert found(Asked(0, "NotDAddr", ("203.0.113.0/24", "198.51.100.0/24")))[0] == "192.0.2.10:80"


def test_bound_ranges_are_tried_by_their_names() -> None:
    """Just outside of the pods', and a service of the cluster."""
    asked = Asked(0, "NotDAddr", ("127.0.0.1", "10.0.0.0/18", "10.1.0.0/20"))
    bound = {"10.0.0.0/18": "ranges.pods", "10.1.0.0/20": "ranges.services"}
    assert found(asked, bound=bound, scene=SCENE) == [
        "{internet.ip}:80",
        "127.0.0.1:9",
        "127.0.0.2:9",
        "{ranges.outside}:80",
        "{deathstar.service}:80",
    ]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Asked(0, "DPort", ("443",)), ([443], [444])),
        (Asked(0, "DPort", ("80:90", "443")), ([80, 90, 443], [91])),
        (Asked(0, "NotDPort", ("443",)), ([80], [443])),
        (Asked(0, "NotDPort", ("80",)), ([81], [80])),
        (Asked(0, "DPort", ("65535",)), ([65535], [])),
        (Asked(0, "DPort", ("https",)), ([8099], [])),
        (of_address(Asked(0, "SPort", ("8443",))), ([8443], [8444])),
    ],
)
def test_ports(asked: Asked, expected: tuple[list[int], list[int]]) -> None:
    """Those that are named, and the next."""
    assert ports([asked]) == expected


def test_acts_are_made_by_who_is_not_asked() -> None:
    """By the client of the scene, and a service is asked as its workload wants it."""
    wire = Wire(SCENE, ("connect",))
    acts = {end.name: wire.by_curl(end).act for end in ends([], {}, SCENE)}
    assert {act.pod for act in acts.values()} == {"tiefighter"}
    assert acts["in_cluster"].argv == (
        *("curl", "-s", "-XPOST"),
        "deathstar.{galaxy.namespace}.svc.cluster.local/v1/request-landing",
    )
    assert acts["localhost"].argv == ("curl", "-sS", "-m", "5", "http://127.0.0.1:9/")
    assert acts["by_address"].argv == ("curl", "-sS", "-m", "8", "http://{internet.ip}/")
