"""What a run makes before its first scenario and takes away after its last, whatever comes between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest

from tests.api_server import CONTEXT, ApiServer, Refusal, interrupt
from tests.builders import NODE
from tests.clusters import CRD, PATIENT, SECOND, Lab, at, hurried, nothing_runs, opened, plan, playing
from tests.targets.test_live import WELL, judged
from tetraproof import cli
from tetraproof.errors import AgentError, TetraproofError, UsageError
from tetraproof.kubernetes.cluster import ClusterError
from tetraproof.kubernetes.helm import VERSION, Helm, HelmError
from tetraproof.kubernetes.workspace import MANAGED, RUN, WorkspaceError
from tetraproof.machines.tool import Tool
from tetraproof.plugin.opening import Opened
from tetraproof.plugin.terminal import patient
from tetraproof.targets.running import open_cluster


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    hurried(monkeypatch)
    with ApiServer() as server:
        yield server


@dataclass(frozen=True)
class Played(Helm):
    """Helm, played on the mock cluster; `said` is what it was told."""

    lab: Lab = field(kw_only=True)
    said: list[str] = field(default_factory=list, kw_only=True)
    failing: set[str] = field(default_factory=set, kw_only=True)

    def run(self, *words: str) -> str:
        self.said.append(" ".join(words))
        if words[0] == "install":
            self.lab.install()
            marks = (word.partition(".")[2] for word in words if word.startswith("daemonSetAnnotations."))
            self.lab.daemonset["metadata"]["annotations"] = dict(one.replace("\\", "").split("=") for one in marks)
        if words[0] in self.failing:
            raise HelmError(f"helm {words[0]} tetragon failed.", causes=["no repository"])
        if words[0] == "uninstall" and "tetragon" in self.lab.api.names("apps/v1/DaemonSet"):
            self.lab.uninstall()
        there = self.lab.api.objects.get(("apps/v1/DaemonSet", "kube-system", "tetragon"))
        if words[:2] == ("get", "values") and there and "-o" in words:
            return json.dumps({"daemonSetAnnotations": there["metadata"].get("annotations") or {}})
        if words[0] == "list":
            return '[{"name": "tetragon", "revision": "1", "app_version": "1.7.0"}]' if there else "[]"
        return "{}"


def helm(lab: Lab, tmp_path: Path) -> Played:
    tool = Tool("helm", Path("/no/helm"), "3.19.0")
    return Played(tool, tmp_path / "live/kubeconfig", CONTEXT, tmp_path / "helm", 10.0, lab=lab)


def refused(lab: Lab, tmp_path: Path, error: type[TetraproofError] = UsageError, **more: object) -> TetraproofError:
    """What keeps a run from being opened."""
    with pytest.raises(error) as told:
        open_cluster(plan(lab, tmp_path, **more))  # type: ignore[arg-type]
    return told.value


# what keeps a run from beginning: nothing was created


def test_every_verb_that_is_missing_is_named_before_anything_is_created(api: ApiServer, tmp_path: Path) -> None:
    """Two of them here."""
    lab = Lab(api)
    before = api.snapshot()
    api.forbidden = {"create namespaces", "create pods/exec"}
    error = refused(lab, tmp_path, deadlines=replace(PATIENT, rollout=0.1))
    assert error.causes == ("create namespaces", "create pods/exec")
    assert api.snapshot() == before
    assert [line for line in api.asked if line.startswith("create") and "reviews" not in line] == []


def test_another_run_there_is_not_disturbed(api: ApiServer, tmp_path: Path) -> None:
    """It may be going on: its namespaces are named, and nothing is removed."""
    lab = Lab(api)
    labels = {**MANAGED, RUN: "other"}
    api.put(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tetraproof-other-default", "labels": labels}}
    )
    before = api.snapshot()
    error = refused(lab, tmp_path)
    assert "tetraproof-other-default" in error.sentence
    assert "make clean-cluster CONTEXT=made" in error.remedy
    assert api.snapshot() == before


def test_a_second_run_is_refused_while_the_first_goes_on(api: ApiServer, tmp_path: Path) -> None:
    """And the first one is not disturbed by that."""
    lab = Lab(api)
    with opened(lab, tmp_path / "first") as (live, _):
        assert "tetraproof-0a1b2c-default" in refused(lab, tmp_path / "second", token="second").sentence
        assert judged(live) == {"guard": WELL}


def test_a_cluster_without_tetragon_is_told(api: ApiServer, tmp_path: Path) -> None:
    """With the option that installs it."""
    lab = Lab(api, tetragon=False)
    before = api.snapshot()
    error = refused(lab, tmp_path)
    assert error.sentence == "There is no Tetragon on the cluster of made."
    assert "AGENT=install" in error.remedy
    assert api.snapshot() == before


def test_a_server_that_is_not_there_ends_it(tmp_path: Path) -> None:
    """With its context, and what to look at."""
    with ApiServer() as api:
        given = plan(Lab(api), tmp_path)
    with pytest.raises(ClusterError, match="The API server of made does not answer"):
        open_cluster(given)


def test_crds_that_are_not_there_are_told(api: ApiServer, tmp_path: Path) -> None:
    """By their names."""
    lab = Lab(api)
    for kind in [key for key in api.objects if key[0] == CRD]:
        del api.objects[kind]
    before = api.snapshot()
    error = refused(lab, tmp_path, AgentError, deadlines=replace(PATIENT, rollout=0.1))
    assert "tracingpolicies.cilium.io, tracingpoliciesnamespaced.cilium.io not established" in "\n".join(error.causes)
    assert api.snapshot() == before


def test_an_agent_that_loops_in_crashes_ends_it(api: ApiServer, tmp_path: Path) -> None:
    """Before anything is created."""
    lab = Lab(api)
    lab.health[NODE] = "Health Status: status error: agent not ready\n"
    before = api.snapshot()
    error = refused(lab, tmp_path, AgentError, deadlines=replace(PATIENT, rollout=0.1))
    assert "agent not ready" in "\n".join(error.causes)
    assert api.snapshot() == before


def test_a_range_that_cannot_be_found_out_ends_it(api: ApiServer, tmp_path: Path) -> None:
    """With the option; and given by it, the run goes on with that."""
    lab = Lab(api)
    api.objects["v1/Node", "", NODE]["spec"] = {}
    before = api.snapshot()
    error = refused(lab, tmp_path)
    assert "PODS_RANGE=" in error.remedy
    assert api.snapshot() == before
    with opened(lab, tmp_path, ranges={"ranges.pods": "10.0.0.0/16"}) as (live, _):
        assert "the pods' range is 10.0.0.0/16, the services' 10.96.0.0/16" in live.introduction()


def test_an_image_that_cannot_be_pulled_ends_it(api: ApiServer, tmp_path: Path) -> None:
    """Named with its reason; what was created is removed again."""
    lab = Lab(api)
    lab.waits["nginx:1.27"] = ("ErrImageNeverPull", 'Container image "docker.io/library/nginx:1.27" is not present')
    before = api.snapshot()
    error = refused(lab, tmp_path, WorkspaceError)
    assert "ErrImageNeverPull" in error.sentence
    assert "nginx:1.27" in error.sentence
    assert api.snapshot() == before


def test_a_stream_that_cannot_be_opened_ends_it(api: ApiServer, tmp_path: Path) -> None:
    """On one node of two; the other's is let go of."""
    lab = Lab(api, (NODE, SECOND))
    before = api.snapshot()

    listening = count()

    def refuse(asked: object) -> None:
        if "tetra getevents" in str(asked) and next(listening) == 1:
            raise Refusal(500, "InternalError", 'container "tetragon" is not running')

    api.faults = [refuse]
    error = refused(lab, tmp_path, ClusterError)
    assert error.sentence == f'The agent of {NODE} cannot be listened to: container "tetragon" is not running.'
    assert api.snapshot() == before
    assert nothing_runs(api)


# which nodes


def test_nodes_that_take_no_pods_are_not_acted_on(api: ApiServer, tmp_path: Path) -> None:
    """Their agents answer for them all the same."""
    lab = Lab(api, (NODE, SECOND, "third-node"))
    api.objects["v1/Node", "", SECOND]["spec"]["taints"] = [{"key": "x", "effect": "NoSchedule"}]
    api.objects["v1/Node", "", "third-node"]["spec"]["unschedulable"] = True
    with opened(lab, tmp_path) as (live, site):
        assert site.places == (NODE,)
        assert site.nodes(NODE) == (NODE, SECOND, "third-node")
        assert live.scenarios("guard", None, {}) == ["guard"]


def test_nodes_can_be_named(api: ApiServer, tmp_path: Path) -> None:
    """One that has no agent is refused, with those that have."""
    lab = Lab(api, (NODE, SECOND))
    with opened(lab, tmp_path, nodes=[SECOND]) as (_, site):
        assert site.places == (SECOND,)
    error = refused(lab, tmp_path, nodes=["elsewhere"])
    assert error.sentence == "There is no agent on a node elsewhere."
    assert f"{SECOND}, {NODE}" in error.remedy


# installed by the run


def test_a_tetragon_of_our_own_is_installed_and_removed(api: ApiServer, tmp_path: Path) -> None:
    """With the CRDs that its operator made."""
    lab = Lab(api, tetragon=False)
    before = api.snapshot()
    played = helm(lab, tmp_path)
    with opened(lab, tmp_path, helm=played) as (live, _):
        assert judged(live) == {"guard": WELL}
        assert live.cell.tetragon == "1.7.0"
    assert api.snapshot() == before
    installed = next(line for line in played.said if line.startswith("install"))
    assert installed.startswith(f"install tetragon tetragon --repo https://helm.cilium.io --version {VERSION}")
    assert played.said[-1] == "uninstall tetragon --ignore-not-found"


def test_crds_that_were_there_stay(api: ApiServer, tmp_path: Path) -> None:
    """They may hold policies of the user's."""
    lab = Lab(api)
    lab.uninstall()
    before = api.snapshot()
    with opened(lab, tmp_path, helm=helm(lab, tmp_path)):
        pass
    assert {key for key in api.objects if key[0] == CRD} == {key for key in before if key[0] == CRD}


def test_one_that_is_there_is_not_installed_over(api: ApiServer, tmp_path: Path) -> None:
    """Nor removed."""
    lab = Lab(api)
    before = api.snapshot()
    played = helm(lab, tmp_path)
    assert refused(lab, tmp_path, helm=played).sentence == "There is a Tetragon already: kube-system/tetragon."
    assert api.snapshot() == before
    assert not [line for line in played.said if line.startswith(("install", "uninstall"))]


def test_an_installation_that_fails_half_way_is_removed(api: ApiServer, tmp_path: Path) -> None:
    """Helm's own words are the causes."""
    lab = Lab(api, tetragon=False)
    before = api.snapshot()
    played = helm(lab, tmp_path)
    played.failing.add("install")
    assert refused(lab, tmp_path, HelmError, helm=played).causes == ("no repository",)
    assert api.snapshot() == before


def test_what_cannot_be_removed_is_told(api: ApiServer, tmp_path: Path) -> None:
    """With the command that finds it; and the rest is removed."""
    lab = Lab(api, tetragon=False)
    played = helm(lab, tmp_path)
    _, site = open_cluster(plan(lab, tmp_path, helm=played))
    played.failing.add("uninstall")
    (left,) = site.close()
    assert left == "helm uninstall tetragon failed. To remove it: make clean-cluster CONTEXT=made YES=1"
    assert not [name for name in api.names("v1/Namespace") if name.startswith("tetraproof-")]


def test_settings_are_set_where_the_agent_is_ours(api: ApiServer, tmp_path: Path) -> None:
    """And undone for the next scenario; streams are begun anew."""
    lab = Lab(api, tetragon=False)
    config = ("v1/ConfigMap", "kube-system", "tetragon-config")
    with opened(lab, tmp_path, helm=helm(lab, tmp_path)) as (live, site):
        assert site.configure({"enable-process-cred": "true"}) == ""
        assert api.objects[config]["data"]["enable-process-cred"] == "true"
        assert site.configure({}) == ""
        assert api.objects[config]["data"]["enable-process-cred"] == "false"
        assert judged(live) == {"guard": WELL}


def test_settings_of_an_agent_that_is_there_are_never_changed(api: ApiServer, tmp_path: Path) -> None:
    """A scenario that needs others is unsupported, and says so."""
    lab = Lab(api)
    before = api.snapshot()
    with opened(lab, tmp_path) as (_, site):
        assert "enable-process-cred: false, not true" in site.configure({"enable-process-cred": "true"})
        assert site.configure({"enable-policy-filter": "true"}) == ""
    assert api.snapshot() == before


# interrupts

OPENING = {
    "permissions": "create selfsubjectaccessreviews",
    "another run": "list namespaces",
    "tetragon": "list daemonsets",
    "agents": "list pods",
    "status": "tetra status",
    "ranges": "list servicecidrs",
    "namespace": "create namespaces",
    "second namespace": "create namespaces@1",
    "pod": "create pods",
    "deployment": "create deployments",
    "waiting": "list pods@2",
    "stream": "tetra getevents",
    "probe": "tetra probe",
}


def on(lab: Lab, stage: str, times: int = 1) -> None:
    """Interrupt when the run comes to this."""
    word, _, number = stage.partition("@")
    passed = count()
    first = int(number or 0)
    if word.startswith("tetra"):
        lab.plays[word] = playing(lambda: interrupt() if next(passed) < times else None, lab.run)
    else:

        def fault(asked: object) -> None:
            if str(asked).startswith(word) and first <= next(passed) < first + times:
                interrupt()

        lab.api.faults = [fault]


@pytest.mark.parametrize("stage", OPENING)
def test_an_interrupt_while_opening_leaves_nothing(stage: str, api: ApiServer, tmp_path: Path) -> None:
    """Wherever it comes."""
    lab = Lab(api, (NODE, SECOND))
    before = api.snapshot()
    on(lab, OPENING[stage])
    with pytest.raises(KeyboardInterrupt):
        open_cluster(plan(lab, tmp_path))
    assert api.snapshot() == before
    assert nothing_runs(api)


@pytest.mark.parametrize("stage", ["install", "roll-out"])
def test_an_interrupt_while_installing_leaves_nothing(stage: str, api: ApiServer, tmp_path: Path) -> None:
    """What Helm has made by then is removed."""
    lab = Lab(api, tetragon=False)
    before = api.snapshot()
    played = helm(lab, tmp_path)
    if stage == "install":
        played.lab.install = lambda: (Lab.install(lab), interrupt())  # type: ignore[method-assign,return-value]
    else:
        on(lab, "tetra status")
    with pytest.raises(KeyboardInterrupt):
        open_cluster(plan(lab, tmp_path, helm=played))
    assert api.snapshot() == before


def closing(lab: Lab, tmp_path: Path, interrupts: int) -> None:
    """A run that is closed while somebody interrupts it so often."""
    live, site = open_cluster(plan(lab, tmp_path))
    on(lab, "delete namespaces", interrupts)
    Opened(live, "", closing=(site.close,)).close(None, red=False)


def test_one_interrupt_while_closing_is_told_what_it_would_leave(
    api: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And everything is removed all the same."""
    lab = Lab(api)
    before = api.snapshot()
    closing(lab, tmp_path, 1)
    assert "another interrupt leaves it behind" in capsys.readouterr().err
    assert api.snapshot() == before


def test_two_interrupts_while_closing_leave_what_clean_cluster_finds(
    api: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its labels: it is listed and removed."""
    lab = Lab(api)
    before = api.snapshot()
    with pytest.raises(KeyboardInterrupt):
        closing(lab, tmp_path, 2)
    api.faults = []
    assert api.snapshot() != before
    config = str(api.kubeconfig(tmp_path / "config"))
    assert cli.main(["clean-cluster", "--context", CONTEXT, "--kubeconfig", config, "--yes"]) == 0
    assert "removed" in capsys.readouterr().out
    assert api.snapshot() == before


def test_an_interrupt_after_one_while_opening_is_told_what_it_would_leave(
    api: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was made is being removed then, and is."""
    lab = Lab(api)
    before = api.snapshot()
    api.faults = [at("create pods", interrupt), at("delete namespaces", interrupt)]
    with pytest.raises(KeyboardInterrupt):
        open_cluster(plan(lab, tmp_path, patient=patient))
    assert "another interrupt leaves it behind" in capsys.readouterr().err
    assert api.snapshot() == before


def test_the_copy_of_the_kubeconfig_is_what_is_used(api: ApiServer, tmp_path: Path) -> None:
    """The user's may be gone or changed meanwhile."""
    given = plan(Lab(api), tmp_path)
    (tmp_path / "users/config").unlink()
    live, site = open_cluster(given)
    assert judged(live) == {"guard": WELL}
    site.close()
