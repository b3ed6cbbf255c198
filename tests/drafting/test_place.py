"""Where the acts of a policy are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders import ROOT
from tetraproof.drafting.place import choose, load_places, selects
from tetraproof.errors import UsageError
from tetraproof.policies.policy import Policy, parse

PLACES = load_places(ROOT / "manifests/workloads")
BY_NAME = {place.name: place for place in PLACES}


def policy(namespace: str | None = None, **spec: Any) -> Policy:
    metadata = {"name": "drawn"} | ({"namespace": namespace} if namespace else {})
    kind = "TracingPolicy" if namespace is None else "TracingPolicyNamespaced"
    written = {"apiVersion": "cilium.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
    return parse(yaml.safe_dump(written), "drawn.yaml")


def test_workloads_are_read() -> None:
    """What they are called, what is in them, what they run, how they are asked."""
    nginx, server = BY_NAME["nginx"], BY_NAME["deathstar"]
    assert (nginx.namespace, nginx.labels, nginx.ports) == ("default", {"app": "nginx"}, (80,))
    assert nginx.main == "/usr/sbin/nginx"
    assert nginx.has("sed")
    assert nginx.has("/usr/bin/cat")
    assert not nginx.has("zsh")
    assert [(one.name, one.port) for one in server.services] == [("deathstar", 80)]
    assert BY_NAME["privileged"].privileged
    assert not BY_NAME["probe"].services


def test_a_workload_speaks_of_the_files_of_a_folder() -> None:
    """Of those in the very folder, and not of those below it."""
    nginx = BY_NAME["nginx"]
    assert nginx.mentions("/usr/share/nginx/html/") == ("/usr/share/nginx/html/index.html",)
    assert nginx.mentions("/usr/share/nginx/html/index.html") == ("/usr/share/nginx/html/index.html",)
    assert nginx.mentions("/usr/share/nginx") == ()
    assert nginx.mentions("/") == ()


@pytest.mark.parametrize(
    ("drawn", "paths", "programs", "place", "other"),
    [
        (policy(), [], [], "probe", None),
        (policy(), ["/usr/share/nginx/html/"], [], "nginx", None),
        (policy(), [], ["/usr/sbin/nginx"], "nginx", None),
        (policy(""), [], [], "probe", "deathstar"),
        (policy("galaxy"), [], [], "deathstar", "probe"),
        (policy("default"), [], [], "nginx", "probe"),
        (policy(podSelector={"matchLabels": {"app": "privileged"}}), [], [], "privileged", "probe"),
        (
            policy(podSelector={"matchExpressions": [{"key": "app", "operator": "In", "values": ["nginx"]}]}),
            *([], [], "nginx", "probe"),
        ),
        (
            policy(podSelector={"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}),
            [],
            [],
            "deathstar",
            "probe",
        ),
    ],
)
def test_acts_are_made_where_the_policy_holds(
    drawn: Policy, paths: list[str], programs: list[str], place: str, other: str | None
) -> None:
    """In a workload that it selects; of those in the one that speaks of its paths, or runs its programs."""
    scene = choose(drawn, PLACES, paths, programs)
    assert scene.place.name == place
    assert (scene.other.name if scene.other else None) == other
    assert not scene.unfit


def test_a_policy_that_selects_no_workload_is_told() -> None:
    """And nothing is said of who is outside of it."""
    scene = choose(policy("nowhere"), PLACES, [], [])
    assert scene.unfit
    assert scene.other is None


def test_what_selects_containers_is_left_undecided() -> None:
    """Which containers there are only the cluster knows."""
    drawn = policy(containerSelector={"matchLabels": {"name": "probe"}})
    assert selects(drawn, BY_NAME["probe"]) is None
    assert choose(drawn, PLACES, [], []).place.name == "probe"


def test_whoever_connects_is_not_whoever_serves() -> None:
    """In the namespace of a service, who has none himself."""
    scene = choose(policy("galaxy"), PLACES, [], [])
    assert scene.client is not None
    assert scene.server is not None
    assert (scene.client.name, scene.server.name) == ("tiefighter", "deathstar")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "declares no workload"),
        ("kind: ConfigMap\nmetadata: {name: x}\n", "declares no workload"),
        ("kind: Pod\nmetadata: {name: x}\nspec: {containers: []}\n", "declares no workload"),
        ("kind: [", "is no YAML"),
    ],
)
def test_a_folder_without_workloads_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    """In a sentence."""
    (tmp_path / "workloads.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=sentence):
        load_places(tmp_path)


def test_workloads_of_strangers_are_read(tmp_path: Path) -> None:
    """Whatever stands beside what matters here."""
    documents = [
        {"kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 8080}]}},
        {
            "kind": "StatefulSet",
            "metadata": {"name": "web"},
            "spec": {
                "template": {
                    "metadata": {"labels": {"a": "b", "c": "d"}},
                    "spec": {"containers": [{"image": "x", "args": None, "ports": [{"containerPort": 8080}]}, {}]},
                }
            },
        },
    ]
    (tmp_path / "web.yaml").write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    (place,) = load_places(tmp_path)
    assert (place.name, place.ports, [one.port for one in place.services]) == ("web", (8080,), [8080])
    assert place.has("cat")
    assert not place.has("curl")
