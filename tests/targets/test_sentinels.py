"""Sentinels against the mock cluster: how many there are, and what they prove."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.api_server import ApiServer, Exec
from tests.builders import NODE
from tests.clusters import ACTS, PATIENT, SECOND, Lab, guard, hurried, opened
from tetraproof.recordings.recording import ActRecord
from tetraproof.targets.live import Live

CONFIG = ("v1/ConfigMap", "kube-system", "tetragon-config")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    hurried(monkeypatch)
    with ApiServer() as server:
        yield server


def a_ring_for_each_of(cpus: int, api: ApiServer, node: str = NODE) -> None:
    """As an older agent reads, or one that is told to."""
    api.objects[CONFIG]["data"]["use-perf-ring-buffer"] = "true"
    api.objects["v1/Node", "", node]["status"]["capacity"]["cpu"] = str(cpus)


def observed(live: Live, scenario: str = "guard") -> tuple[list[ActRecord], bool | None]:
    """Its sentinels as they were recorded, and whether the stream was heard to its end."""
    live.observe(guard(), {}, tuple(ACTS), scenario)
    (record,) = [one for one in live.recorder.index.scenarios if one.name == scenario]
    acts = live.recorder.only(scenario).acts(scenario)
    return [one for one in acts if one.role.startswith("sentinel")], record.heard_to_the_end


def ends(sentinels: list[ActRecord]) -> list[tuple[int | None, tuple[str, ...]]]:
    return [(one.cpu, one.argv) for one in sentinels if one.role == "sentinel-end"]


def test_one_ring_has_one_sentinel_on_whatever_cpu(api: ApiServer, tmp_path: Path) -> None:
    """It comes after the acts, as the other one before them."""
    with opened(Lab(api), tmp_path) as (live, _):
        sentinels, heard = observed(live)
        assert [one.argv[-1] for one in sentinels] == ["sentinel-start-0", "sentinel-end"]
        assert ends(sentinels) == [(None, ("true", "sentinel-end"))]
        assert heard is True


def test_each_ring_has_a_sentinel_on_its_own_cpu(api: ApiServer, tmp_path: Path) -> None:
    """Order holds within a ring only; the other node has rings of its own number."""
    lab = Lab(api, (NODE, SECOND))
    a_ring_for_each_of(3, api)
    a_ring_for_each_of(2, api, SECOND)
    with opened(lab, tmp_path) as (live, _):
        for node, cpus in ((NODE, 3), (SECOND, 2)):
            sentinels, heard = observed(live, f"guard@{node}")
            assert ends(sentinels) == [
                (cpu, ("taskset", "-c", str(cpu), "true", f"sentinel-end-cpu-{cpu}")) for cpu in range(cpus)
            ]
            assert heard is True


def test_a_ring_that_is_not_heard_leaves_the_stream_open(api: ApiServer, tmp_path: Path) -> None:
    """Though the others were: the end is known of none that comes after it, either."""
    lab = Lab(api)
    a_ring_for_each_of(3, api)

    async def lost(command: Exec) -> None:
        lab.deaf = {NODE}
        await lab.act(command)
        lab.deaf = set()

    lab.plays["sentinel-end-cpu-1"] = lost
    with opened(lab, tmp_path, deadlines=replace(PATIENT, sentinel=0.3)) as (live, _):
        sentinels, heard = observed(live)
        assert [cpu for cpu, _ in ends(sentinels)] == [0, 1]
        assert heard is False


def test_a_start_that_is_not_heard_is_repeated(api: ApiServer, tmp_path: Path) -> None:
    """A stream becomes live some time after it has begun; the acts wait for that, and what was heard counts."""
    lab = Lab(api)

    async def unheard(command: Exec) -> None:
        lab.deaf = {NODE}
        await lab.act(command)
        lab.deaf = set()

    for number in range(2):
        lab.plays[f"sentinel-start-{number}"] = unheard
    with opened(lab, tmp_path, deadlines=replace(PATIENT, sentinel=0.6)) as (live, _):
        sentinels, heard = observed(live)
        assert [one.argv[-1] for one in sentinels] == [*(f"sentinel-start-{at}" for at in range(3)), "sentinel-end"]
        assert heard is True


def test_a_stream_that_never_answers_is_tried_five_times(api: ApiServer, tmp_path: Path) -> None:
    """Then the acts are performed all the same: their outcomes can be judged."""
    lab = Lab(api)
    with opened(lab, tmp_path, deadlines=replace(PATIENT, sentinel=0.1)) as (live, _):
        lab.deaf = {NODE}
        sentinels, heard = observed(live)
        starts = [one.argv[-1] for one in sentinels if one.role == "sentinel-start"]
        assert starts == [f"sentinel-start-{at}" for at in range(5)]
        assert heard is False
        spent = live.account.spent
        assert spent["waiting for the stream"] > 0.2
        assert spent["sentinels"] >= 0
