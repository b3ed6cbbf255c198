"""The Tetragon of a cluster: found by its label, asked on every node, believed only when every agent answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from tests.api_server import ApiServer
from tests.builders import NODE
from tests.clusters import PATIENT, SECOND, Lab, cluster_of, endless, guard, hurried, manifest
from tetraproof.errors import AgentError, UsageError
from tetraproof.kubernetes import installation as installations
from tetraproof.kubernetes.cluster import Cluster, ClusterError
from tetraproof.kubernetes.installation import Installation
from tetraproof.targets.keeping import manifest_of

COUNTED = ("desiredNumberScheduled", "updatedNumberScheduled", "numberReady", "numberAvailable")
SHORT = replace(PATIENT, rollout=0.1, command=0.2)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    hurried(monkeypatch)
    with ApiServer() as server:
        yield server


@pytest.fixture
def lab(api: ApiServer) -> Lab:
    return Lab(api, (NODE, SECOND))


@pytest.fixture
def cluster(api: ApiServer, tmp_path: Path) -> Iterator[Cluster]:
    made = cluster_of(api, tmp_path)
    yield made
    made.close()


def found(cluster: Cluster, *, short: bool = False) -> Installation:
    there = installations.find(cluster, SHORT if short else PATIENT)
    assert there is not None
    return there


def ready(cluster: Cluster) -> Installation:
    there = found(cluster)
    there.await_ready()
    return there


def test_none_is_nothing_and_several_are_refused(api: ApiServer, cluster: Cluster) -> None:
    """By its label and its container: what else carries the label is not it."""
    Lab(api, tetragon=False)
    assert installations.find(cluster, PATIENT) is None
    lab = Lab(api)
    assert (found(cluster).namespace, found(cluster).name) == ("kube-system", "tetragon")
    other = {**lab.daemonset, "metadata": {**lab.daemonset["metadata"], "name": "another"}}
    api.put(other)
    with pytest.raises(UsageError, match="has 2 Tetragons: kube-system/another, kube-system/tetragon"):
        found(cluster)
    api.objects["apps/v1/DaemonSet", "kube-system", "another"]["spec"] = {
        "template": {"spec": {"containers": [{"name": "rthooks"}]}}
    }
    assert found(cluster).name == "tetragon"


def test_its_settings_are_the_configmap_and_the_arguments(lab: Lab, cluster: Cluster) -> None:
    """An argument comes before the ConfigMap, and stands for true where it has no value."""
    for container in lab.daemonset["spec"]["template"]["spec"]["containers"]:
        if container["name"] == "tetragon":
            container["args"] += ["--disable-kprobe-multi", "--debug=true", "--rb-size=1M"]
    settings = found(cluster).settings()
    assert settings["enable-policy-filter"] == "true"
    assert (settings["disable-kprobe-multi"], settings["debug"], settings["rb-size"]) == ("true", "true", "1M")
    assert "config-dir" not in settings
    del lab.api.objects["v1/ConfigMap", "kube-system", "tetragon-config"]
    assert found(cluster).settings() == {"disable-kprobe-multi": "true", "debug": "true", "rb-size": "1M"}


def test_the_agent_of_each_node_is_known(lab: Lab, cluster: Cluster) -> None:
    """One that ends is not counted."""
    there = ready(cluster)
    assert there.agents.keys() == {NODE, SECOND}
    pod = there.agents[SECOND]
    assert (pod.namespace, pod.restarts, pod.ready) == ("kube-system", 0, True)
    assert pod.place.container == "tetragon"
    lab.agents()[SECOND]["metadata"]["deletionTimestamp"] = "2026-11-23T08:00:00Z"
    assert [one.node for one in there.pods()] == [NODE]


def test_crds_that_are_not_there_are_waited_for(lab: Lab, cluster: Cluster) -> None:
    """The operator installs them; they must be established."""
    lab.crd()["status"]["conditions"][0]["status"] = "False"
    with pytest.raises(AgentError, match="The Tetragon of kube-system/tetragon does not come up") as failed:
        found(cluster, short=True).await_ready()
    assert "tracingpolicies.cilium.io not established" in failed.value.causes[-1]
    looks = count()
    lab.api.faults = [lambda asked: lab.crd().update(ESTABLISHED) if next(looks) > 3 else None]  # type: ignore[func-returns-value]
    found(cluster).await_ready()


ESTABLISHED = {"status": {"conditions": [{"type": "Established", "status": "True"}]}}


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (dict.fromkeys(COUNTED, 0), "The DaemonSet kube-system/tetragon wants an agent on no node"),
        ({"numberReady": 1}, "1 of 2 agents ready"),
        ({"updatedNumberScheduled": 1}, "2 of 2 agents ready, 1 of this revision"),
        ({"numberAvailable": 0}, "2 of 2 agents ready"),
        ({"observedGeneration": 0}, "2 of 2 agents ready"),
    ],
)
def test_a_roll_out_is_over_when_all_agents_are_of_it(
    status: dict[str, int], word: str, lab: Lab, cluster: Cluster
) -> None:
    """Ready and available, more than none, of the generation that was asked for."""
    lab.daemonset["status"] |= status
    with pytest.raises(AgentError) as failed:
        found(cluster, short=True).await_ready()
    assert word in failed.value.causes[-1]


@pytest.mark.parametrize("said", ["Health Status: status error: not ready\n", "", "connection error"])
def test_every_agent_must_say_that_it_runs(said: str, lab: Lab, cluster: Cluster) -> None:
    """A roll-out that is done says nothing of that; the node and its words are told."""
    lab.health[SECOND] = said
    with pytest.raises(AgentError) as failed:
        found(cluster, short=True).await_ready()
    told = failed.value.causes[-1]
    assert f"{SECOND} says {said.strip()!r}" in told
    assert f"{NODE} says 'Health Status: running'" in told


def test_one_that_loops_in_crashes_is_told_with_its_last_words(lab: Lab, cluster: Cluster) -> None:
    """Its previous log is asked for."""
    pod = lab.agents()[SECOND]
    for one in pod["status"]["containerStatuses"]:
        if one["name"] == "tetragon":
            waiting = {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}
            one.update(ready=False, restartCount=7, state={"waiting": waiting})
    lab.daemonset["status"]["numberReady"] = 1
    lab.api.logs = lambda pod, container, query: "level=fatal msg=no BTF\n" if query.get("previous") else ""
    with pytest.raises(AgentError) as failed:
        found(cluster, short=True).await_ready()
    told = "\n".join(failed.value.causes)
    assert "1 of 2 agents ready" in told
    assert SECOND in told
    assert "no BTF" in told


def test_an_agent_that_does_not_answer_is_given_up(lab: Lab, cluster: Cluster) -> None:
    """After its deadline; the others' answers are there all the same."""
    there = ready(cluster)
    lab.plays["tetra status"] = endless
    answers = there.ask("status", seconds=0.2)
    assert {one.broken for one in answers.values()} == {"no end within 0 s"}


def test_states_are_asked_of_every_node(lab: Lab, cluster: Cluster) -> None:
    """One that does not answer, or whose answer is none, is an error that names it: no empty list."""
    there = ready(cluster)
    assert there.states() == {NODE: [], SECOND: []}
    cluster.create(manifest(manifest_of(guard())))
    lab.refuses[SECOND] = "can't override"
    states = there.states()
    assert [one["state"] for one in states[NODE]] == ["TP_STATE_ENABLED"]
    assert states[SECOND][0]["error"] == "can't override"
    name = lab.agents()[SECOND]["metadata"]["name"]

    async def html(command) -> None:
        await (command.out("<html>") if command.pod["metadata"]["name"] == name else command.out("{}"))
        await command.ends()

    async def fails(command) -> None:
        await command.err("failed to connect\n")
        await command.ends(1)

    lab.plays["tracingpolicy list"] = html
    with pytest.raises(AgentError, match=f"policies of {SECOND}'s agent is no JSON"):
        there.states()
    lab.plays["tracingpolicy list"] = fails
    with pytest.raises(AgentError, match="does not list its policies") as refused:
        there.states()
    assert refused.value.causes == ("failed to connect",)


def test_metrics_come_by_the_servers_proxy(lab: Lab, cluster: Cluster) -> None:
    """At the port that is configured; nothing where they cannot be had."""
    there = ready(cluster)
    assert "ringbuf_events_received_total" in there.metrics(NODE)
    lab.api.objects["v1/ConfigMap", "kube-system", "tetragon-config"]["data"]["metrics-server"] = "0.0.0.0:9090"
    # an agent that is the same serves where it did
    there.metrics(NODE)
    assert ":2112" in lab.api.asked[-1]
    there.refresh()
    there.metrics(NODE)
    assert ":9090" in lab.api.asked[-1]
    lab.api.forbidden.add("get pods/proxy")
    assert there.metrics(NODE) == ""


def test_the_kubelets_sentence_is_not_the_agents(lab: Lab, cluster: Cluster) -> None:
    """It answers so where the runtime has no log of a container any more: the agent left no words."""
    there = installations.find(cluster, PATIENT)
    assert there
    there.refresh()
    lab.api.logs = lambda pod, container, query: "unable to retrieve container logs for containerd://0a1b2c"
    assert there.log(NODE, previous=True) == ""
    lab.api.logs = lambda pod, container, query: "level=fatal unable to retrieve container logs for x"
    assert there.log(NODE, previous=True) != ""


def test_logs_are_of_the_agent_and_of_its_export(lab: Lab, cluster: Cluster) -> None:
    """Nothing where there is none."""
    there = ready(cluster)
    asked: list[tuple[str, dict[str, str]]] = []
    lab.api.logs = lambda pod, container, query: asked.append((container, dict(query))) or "x"  # type: ignore[func-returns-value]
    there.log(NODE, since=5)
    there.log(NODE, previous=True)
    there.export(NODE)
    assert [container for container, _ in asked] == ["tetragon", "tetragon", "export-stdout"]
    assert asked[1][1]["previous"] == "true"
    lab.api.forbidden.add("get pods/log")
    assert there.log(NODE) == there.export(NODE) == ""


def test_a_configuration_is_changed_and_the_agents_are_restarted(lab: Lab, cluster: Cluster) -> None:
    """And are awaited: the pods are others then."""
    there = ready(cluster)
    before = {node: pod.uid for node, pod in there.agents.items()}
    there.configure({"rb-size": "1M", "debug": None})
    data = lab.api.objects["v1/ConfigMap", "kube-system", "tetragon-config"]["data"]
    assert data["rb-size"] == "1M"
    assert "debug" not in data
    after = {node: pod.uid for node, pod in there.agents.items()}
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())


def test_an_installation_that_is_gone_is_told(lab: Lab, cluster: Cluster) -> None:
    """Somebody may uninstall it meanwhile."""
    there = ready(cluster)
    lab.uninstall()
    assert there.pods() == []
    with pytest.raises(ClusterError, match="no DaemonSet kube-system/tetragon any more"):
        there.refresh()
    assert there.configmap() == {}
