"""A workspace that is kept: the next run takes it where it fits, and else makes its own; one run at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.api_server import CONTEXT, ApiServer
from tests.builders import NODE, Json
from tests.clusters import ACTS, PATIENT, POLICIES, SECOND, Lab, at, cluster_of, endless, guard, hurried, opened
from tetraproof.errors import TetraproofError, UsageError
from tetraproof.judging.scenario import Run
from tetraproof.kubernetes import leftovers
from tetraproof.kubernetes.workspace import KEPT, RUN, WorkspaceError
from tetraproof.settings.options import Options

OURS = "tetraproof-0a1b2c"
OTHER = "ffffff"
CLEAN = f"make clean-cluster CONTEXT={CONTEXT} YES=1"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    hurried(monkeypatch)
    with ApiServer() as server:
        yield server


@pytest.fixture
def lab(api: ApiServer) -> Lab:
    return Lab(api)


def namespaces(api: ApiServer) -> dict[str, bool]:
    """The runs' namespaces, and whether each is kept."""
    return {
        one["metadata"]["name"]: KEPT in (one["metadata"].get("annotations") or {})
        for one in api.of("v1/Namespace", selector=RUN)
    }


def kept(lab: Lab, tmp_path: Path, **more: object) -> list[str]:
    """What a run says that keeps its workspace."""
    told: list[str] = []
    with opened(lab, tmp_path / "first", keeps_workspace=True, tell=told.append, **more):
        pass
    return told


def test_what_is_kept_is_named_with_what_removes_it(api: ApiServer, lab: Lab, tmp_path: Path) -> None:
    """And clean-cluster finds it."""
    before = api.snapshot()
    told = kept(lab, tmp_path)
    assert namespaces(api) == {f"{OURS}-default": True, f"{OURS}-other": True}
    assert told[-1] == (
        f"kept for the next run with KEEP_WORKSPACE=1: {OURS}-default, {OURS}-other; to remove them: {CLEAN}"
    )
    cluster = cluster_of(api, tmp_path)
    found = leftovers.find(cluster)
    assert [str(one) for one in found] == [
        f"Namespace {OURS}-{name} (run 0a1b2c, kept for the next run)" for name in ("default", "other")
    ]
    leftovers.remove(cluster, found, PATIENT, lambda line: None, lambda: pytest.fail("no Helm is needed"))
    assert api.snapshot() == before
    cluster.close()


@pytest.mark.parametrize("nodes", [(NODE,), (NODE, SECOND)])
def test_the_next_run_takes_what_fits(nodes: tuple[str, ...], api: ApiServer, tmp_path: Path) -> None:
    """Nothing is created, policies are confined to the pods that are there, and it is kept again."""
    lab = Lab(api, nodes)
    kept(lab, tmp_path)
    api.asked.clear()
    applied: list[Json] = []
    api.created.append(lambda made: applied.append(made) if made["kind"] == "TracingPolicy" else None)
    with opened(lab, tmp_path / "second", keeps_workspace=True, token=OTHER) as (live, site):
        assert not [one for one in api.asked if one.startswith(("create pods", "create namespaces", "create depl"))]
        assert site.workspace.namespaces == {"default": f"{OURS}-default", "other": f"{OURS}-other"}
        # while it is used nobody else takes it
        assert set(namespaces(api).values()) == {False}
        for scenario in live.scenarios("guard", guard(), {}):
            run = Run(live.observe(guard(), {}, tuple(ACTS), scenario), tuple(ACTS))
            assert run.guarded.killed
            assert run.other.succeeded
        assert applied[0]["spec"]["podSelector"] == {"matchLabels": {RUN: "0a1b2c"}}
    assert set(namespaces(api).values()) == {True}
    assert api.of(POLICIES) == []


def unready(lab: Lab) -> None:
    (pod,) = [one for one in lab.api.of("v1/Pod") if one["metadata"]["name"] == "probe"]
    pod["status"]["conditions"][0]["status"] = "False"


def fewer(lab: Lab) -> None:
    del lab.api.objects["v1/Pod", f"{OURS}-other", "probe"]


def ending(lab: Lab) -> None:
    (pod,) = [one for one in lab.api.of("v1/Pod") if one["metadata"]["name"] == "probe"]
    pod["metadata"]["deletionTimestamp"] = "2026-11-23T08:00:00Z"


def older(lab: Lab) -> None:
    for one in lab.api.of("v1/Namespace", selector=RUN):
        one["metadata"]["annotations"][KEPT] = "of another version"


def half(lab: Lab) -> None:
    for key in [key for key in lab.api.objects if f"{OURS}-default" in key]:
        del lab.api.objects[key]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (unready, "its pods are not ready"),
        (fewer, "its pods are not ready"),
        (ending, "its pods are not ready"),
        (older, "it is of other workloads, other nodes or another tetraproof"),
        (half, "it is of other workloads, other nodes or another tetraproof"),
    ],
)
def test_what_does_not_fit_is_made_anew(
    spoil: Callable[[Lab], None], why: str, api: ApiServer, lab: Lab, tmp_path: Path
) -> None:
    """It is removed first, and that is said."""
    kept(lab, tmp_path)
    spoil(lab)
    told: list[str] = []
    with opened(lab, tmp_path / "second", keeps_workspace=True, token=OTHER, tell=told.append) as (_, site):
        assert set(site.workspace.namespaces.values()) == {
            f"tetraproof-{OTHER}-{name}" for name in ("default", "other")
        }
        assert {one["metadata"]["labels"][RUN] for one in api.of("v1/Pod", selector=RUN)} == {OTHER}
    assert any(line.startswith(f"removing what a run kept, for {why}: {OURS}-") for line in told)
    assert set(namespaces(api)) == {f"tetraproof-{OTHER}-default", f"tetraproof-{OTHER}-other"}


def test_workloads_that_were_changed_are_made_anew(
    api: ApiServer, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nothing but an image is another."""
    kept(lab, tmp_path)
    from tests import clusters  # noqa: PLC0415 - to change it

    monkeypatch.setattr(clusters, "WORKLOADS", clusters.WORKLOADS.replace("nginx:1.27", "nginx:1.28"))
    with opened(lab, tmp_path / "second", keeps_workspace=True, token=OTHER) as (_, site):
        assert site.workspace.run == OTHER
        images = {one["spec"]["containers"][0]["image"] for one in api.of("v1/Pod", selector=RUN)}
        assert "docker.io/library/nginx:1.28" in images


def test_a_run_that_does_not_ask_for_it_takes_nothing_and_removes_nothing(
    api: ApiServer, lab: Lab, tmp_path: Path
) -> None:
    """It says what is there, how it is used and what removes it."""
    kept(lab, tmp_path)
    with pytest.raises(UsageError, match="A run kept its workspace there") as refused, opened(lab, tmp_path / "second"):
        pass
    assert refused.value.remedy == f"use it with KEEP_WORKSPACE=1; {CLEAN} removes it"
    assert set(namespaces(api).values()) == {True}


def test_while_a_run_uses_it_another_is_refused(lab: Lab, tmp_path: Path) -> None:
    """As on every cluster."""
    kept(lab, tmp_path)
    with opened(lab, tmp_path / "second", keeps_workspace=True, token=OTHER):
        with (
            pytest.raises(UsageError, match="Another run is on the cluster, or was killed there") as refused,
            opened(lab, tmp_path / "third", keeps_workspace=True, token="eeeeee"),
        ):
            pass
        assert "0a1b2c" in refused.value.sentence


def test_of_two_that_come_at_the_same_moment_one_takes_it(api: ApiServer, lab: Lab, tmp_path: Path) -> None:
    """The other sees that it is not as it was, and does nothing to it."""
    kept(lab, tmp_path)

    def taken() -> None:
        for one in api.of("v1/Namespace", selector=RUN):
            del one["metadata"]["annotations"][KEPT]
            one["metadata"]["resourceVersion"] = "9999"

    api.faults = [at("patch namespaces", taken)]
    with (
        pytest.raises(WorkspaceError, match=f"Another run took the namespace {OURS}-default at the same moment"),
        opened(lab, tmp_path / "second", keeps_workspace=True, token=OTHER),
    ):
        pass
    assert namespaces(api) == {f"{OURS}-default": False, f"{OURS}-other": False}


def test_a_workspace_in_which_an_act_may_go_on_is_not_kept(api: ApiServer, lab: Lab, tmp_path: Path) -> None:
    """Its program would be somebody else's bystander."""
    before = api.snapshot()
    lab.plays["> /tmp/other"] = endless
    short = replace(PATIENT, act=0.3)
    with opened(lab, tmp_path, keeps_workspace=True, deadlines=short) as (live, _):
        live.observe(guard(), {}, tuple(ACTS), "guard")
    assert api.snapshot() == before


def test_a_workspace_that_did_not_come_up_is_not_kept(api: ApiServer, lab: Lab, tmp_path: Path) -> None:
    """Nothing is left of it."""
    before = api.snapshot()
    lab.waits["buildpack-deps"] = ("ErrImageNeverPull", "not here")
    with pytest.raises(TetraproofError), opened(lab, tmp_path, keeps_workspace=True):
        pass
    assert api.snapshot() == before


def test_what_keeping_uses_is_asked_to_be_allowed(api: ApiServer, lab: Lab, tmp_path: Path) -> None:
    """Before anything is made; without it, it is not needed."""
    before = api.snapshot()
    api.forbidden = {"patch namespaces"}
    with opened(lab, tmp_path / "without"):
        pass
    with (
        pytest.raises(UsageError, match="may not do what a run needs") as refused,
        opened(lab, tmp_path / "with", keeps_workspace=True),
    ):
        pass
    assert refused.value.causes == ("patch namespaces",)
    assert api.snapshot() == before


def test_a_cluster_that_is_deleted_keeps_nothing() -> None:
    """On kind the cluster has to stay as well."""
    from tetraproof.plugin import on_cluster  # noqa: PLC0415 - of an extra

    config = SimpleNamespace(getoption=lambda name: False)
    with pytest.raises(UsageError, match="the cluster that they are in is deleted after this one") as refused:
        on_cluster._check(Options(target="kind", keep_workspace=True), config, {}, existing=False)  # type: ignore[arg-type]
    assert refused.value.remedy == "add KEEP=1, or leave it out"
