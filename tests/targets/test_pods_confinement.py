"""On somebody's cluster: what cannot be kept to the run's own pods is never created there, and the reason is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.api_server import ApiServer, Exec, Json
from tests.builders import NODE
from tests.clusters import ACTS, SECOND, Lab, guard, hurried, opened
from tetraproof.policies.policy import Policy
from tetraproof.targets import Unanswerable
from tetraproof.verdict import Verdict

NODES = (NODE, SECOND)
UPROBES = [{"path": "/bin/bash", "symbols": ["readline"], "selectors": [{"matchActions": [{"action": "Sigkill"}]}]}]
USDTS = [{"path": "/bin/node", "provider": "node", "name": "gc__start"}]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    hurried(monkeypatch)
    with ApiServer() as server:
        yield server


def of(policy: Policy | None = None, **spec: Any) -> Policy:
    policy = policy or guard()
    return replace(policy, spec={**policy.spec, **spec})


def namespaced(namespace: str, **spec: Any) -> Policy:
    return of(guard(kind="TracingPolicyNamespaced", namespace=namespace), **spec)


def agents(lab: Lab, *versions: str) -> None:
    """Each node's agent is of its own version; an empty one does not say which."""

    async def says(command: Exec) -> None:
        version = dict(zip(NODES, versions, strict=False))[command.pod["spec"]["nodeName"]]
        await command.out(f"Server version: {version}\nCLI version: v9.9.9\n" if version else "no server\n")
        await command.ends()

    lab.plays["version --server"] = says


def created(api: ApiServer) -> list[Json]:
    seen: list[Json] = []
    api.created.append(lambda made: seen.append(made) if made["kind"].startswith("TracingPolicy") else None)
    return seen


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"hostSelector": {}}, "hostSelector selects every process of the hosts"),
        ({"hostSelector": {}, "podSelector": {"matchLabels": {"app": "nginx"}}}, "hostSelector selects every process"),
        ({"loader": True}, "loader hooks every process"),
        ({"kprobes": [], "uprobes": UPROBES}, "uprobes reach every process with Tetragon 1.7.0"),
        ({"kprobes": [], "usdts": USDTS}, "usdts reach every process with Tetragon 1.7.0"),
        ({"rawprobes": {}}, "nothing is known here of rawprobes"),
    ],
)
def test_what_would_meet_others_is_not_created(spec: dict[str, Any], why: str, api: ApiServer, tmp_path: Path) -> None:
    """It is unsupported, with the reason and the ways out; and in the user's own name it is applied as it is."""
    lab = Lab(api)
    agents(lab, "v1.7.0")
    seen = created(api)
    with opened(lab, tmp_path / "confined") as (live, site):
        with pytest.raises(Unanswerable) as told:
            live.observe(of(**spec), {}, tuple(ACTS), "guard")
        assert told.value.verdict is Verdict.UNSUPPORTED
        assert str(told.value).startswith(why)
        assert "CLUSTER_WIDE=1" in str(told.value)
        assert ("KERNEL=" in str(told.value)) == ("podSelector" not in spec)
        assert seen == []
        with pytest.raises(Unanswerable, match="CLUSTER_WIDE"):
            site.fitted(of(**spec))
        assert site.unsupported(of()) == ""
    with opened(lab, tmp_path / "wide", cluster_wide=True) as (_, site):
        assert site.unsupported(of(**spec)) == ""
        assert site.fitted(of(**spec)) == of(**spec)


def test_a_selector_of_all_pods_becomes_one_of_ours(api: ApiServer, tmp_path: Path) -> None:
    """An empty one selects all, and so does one of containers alone."""
    lab = Lab(api)
    with opened(lab, tmp_path) as (_, site):
        ours = {"matchLabels": {"tetraproof.dev/run": "0a1b2c"}}
        for spec in ({"podSelector": {}}, {"podSelector": None}, {"containerSelector": {}}, {"hostSelector": None}):
            policy = of(**spec)
            assert site.unsupported(policy) == ""
            assert site.fitted(policy).spec == {**policy.spec, "podSelector": ours}


@pytest.mark.parametrize(
    ("versions", "supported"),
    [
        (("v1.7.1", "v1.7.1"), True),
        (("v1.7.1", "v1.7.0"), False),
        (("v1.4.1", "v1.7.1"), False),
        (("v1.7.1", ""), False),
    ],
)
def test_the_agents_of_all_nodes_have_a_say(
    versions: tuple[str, str], supported: bool, api: ApiServer, tmp_path: Path
) -> None:
    """A policy is applied to each of them; one that does not say what it is, is not taken to be newer."""
    lab = Lab(api, NODES)
    agents(lab, *versions)
    with opened(lab, tmp_path) as (_, site):
        assert (site.unsupported(of(kprobes=[], uprobes=UPROBES)) == "") is supported


def test_a_policy_of_a_namespace_is_confined_by_one_that_is_the_runs_own(api: ApiServer, tmp_path: Path) -> None:
    """Not by one of others, nor by one that nobody named; and by none where its hooks heed none."""
    lab = Lab(api)
    agents(lab, "v1.7.0")
    with opened(lab, tmp_path / "confined") as (_, site):
        own = site.workspace.namespaces["other"]
        assert site.unsupported(namespaced(own)) == ""
        assert site.fitted(namespaced(own)) == namespaced(own)
        assert "no workload of the run is in namespace shop" in site.unsupported(namespaced("shop"))
        assert "it names no namespace" in site.unsupported(namespaced(""))
        assert "uprobes reach every process" in site.unsupported(namespaced(own, kprobes=[], uprobes=UPROBES))
        assert "hostSelector selects" in site.unsupported(namespaced(own, hostSelector={}))
    with opened(lab, tmp_path / "wide", cluster_wide=True) as (_, site):
        assert "no workload of the run" in site.unsupported(namespaced("shop"))
        assert site.unsupported(namespaced(site.workspace.namespaces["other"], uprobes=UPROBES)) == ""


def test_an_agent_that_filters_by_nothing_confines_nothing(api: ApiServer, tmp_path: Path) -> None:
    """Neither by pod nor by namespace."""
    lab = Lab(api)
    del api.objects["v1/ConfigMap", "kube-system", "tetragon-config"]["data"]["enable-policy-filter"]
    with opened(lab, tmp_path) as (_, site):
        assert "enable-policy-filter: false" in site.unsupported(of())
        own = site.workspace.namespaces["other"]
        assert "it keeps no policy to one namespace" in site.unsupported(namespaced(own))
