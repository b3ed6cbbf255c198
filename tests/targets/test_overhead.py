"""What a run costs beyond its acts: what is asked once is enough, and what can wait is done beside something else."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.api_server import ApiServer, interrupt
from tests.clusters import ACTS, Lab, guard, hurried, nothing_runs, opened, playing
from tetraproof.observing.act import Acts, shell

#: Seconds after which a test gives up waiting.
_PATIENCE = 20.0


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    hurried(monkeypatch)
    with ApiServer() as server:
        yield server


def asked(api: ApiServer) -> Counter[str]:
    """How often each thing was asked for, by its kind; a command by its words."""
    told = Counter(
        " ".join(words[3:]) if words[1] == "pods/exec" else words[1] for words in (one.split() for one in api.asked)
    )
    api.asked.clear()
    return told


def test_an_agent_is_asked_once_what_does_not_change(api: ApiServer, tmp_path: Path) -> None:
    """Whether it runs, what it is and what it can; then how it is set, once for each scenario."""
    with opened(Lab(api), tmp_path) as (live, _):
        setting_up = asked(api)
        assert {words: setting_up[words] for words in ("tetra version --server", "tetra version", "tetra probe")} == {
            "tetra version --server": 1,
            "tetra version": 1,
            "tetra probe": 1,
        }
        # when it was awaited, and for the record
        assert setting_up["tetra status"] == 2
        live.observe(guard(), {}, tuple(ACTS), "guard")
        asked(api)
        again = Acts(**{one.name: one for one in ACTS}, more=shell("true"))
        live.observe(guard(), {}, tuple(again), "guard")
        scenario = asked(api)
        assert (scenario["configmaps"], scenario["daemonsets.apps"], scenario["pods/proxy"]) == (1, 1, 2)


def test_what_can_wait_is_gathered_while_the_policy_is_taken_away(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream was read before: it is of the moment."""
    order: list[str] = []
    removing = threading.Event()
    with opened(Lab(api), tmp_path) as (live, site):
        heard, remove, log = site.heard, site.remove, site.log

        def hears(*given: object) -> bytes:
            order.append("removed" if removing.is_set() else "heard")
            return heard(*given)  # type: ignore[arg-type]

        def removes(*given: object) -> None:
            removing.set()
            remove(*given)  # type: ignore[arg-type]

        def logs(*given: object) -> bytes:
            order.append("beside" if removing.wait(_PATIENCE) else "alone")
            return log(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(site, "heard", hears)
        monkeypatch.setattr(site, "remove", removes)
        monkeypatch.setattr(site, "log", logs)
        live.observe(guard(), {}, tuple(ACTS), "guard")
        assert order[-1] == "beside"
        assert set(order[:-1]) == {"heard"}
        kept = live.recorder.only("guard")
        assert b"Listening for events" in (kept.in_scenario("guard", "agent.log") or b"")
        assert b"sentinel-end" in (kept.in_scenario("guard", "export.jsonl") or b"")


def test_an_interrupt_ends_what_is_done_beside_as_well(api: ApiServer, tmp_path: Path) -> None:
    """An export log that never shows the end is not awaited, and nothing is left."""
    lab = Lab(api)
    before = api.snapshot()
    lab._exported = {node: [] for node in lab.nodes}
    log = api.logs
    api.logs = lambda pod, container, query: "" if container == "export-stdout" else log(pod, container, query)
    with opened(lab, tmp_path) as (live, _):
        begun = iter([False])

        def once() -> None:
            # the policy is being taken away: its state was asked for when it loaded and after the acts
            if "delete tracingpolicies.cilium.io" in "\n".join(api.asked) and not next(begun, True):
                api.asked.clear()
                interrupt()

        lab.plays["tracingpolicy list"] = playing(once, lab.run)
        with pytest.raises(KeyboardInterrupt):
            live.observe(guard(), {}, tuple(ACTS), "guard")
        # one may have been on its way
        assert asked(api)["pods/log"] <= 2
    assert api.snapshot() == before
    assert nothing_runs(api)


def test_an_export_log_is_awaited_to_the_last_that_the_stream_shows(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentinel's start is there before its end; without that the export would not cover the stream."""
    lab = Lab(api)
    with opened(lab, tmp_path) as (live, site):
        export, looks = site.installation.export, count()

        def late(node: str, *, since: int = 0) -> str:
            log = export(node, since=since)
            # at first all but the last line
            return log if next(looks) > 2 else "".join(log.splitlines(keepends=True)[:-1])

        monkeypatch.setattr(site.installation, "export", late)
        live.observe(guard(), {}, tuple(ACTS), "guard")
        kept = live.recorder.only("guard")
        stream, exported = (kept.in_scenario("guard", f"{name}.jsonl") or b"" for name in ("events", "export"))
        assert exported.splitlines()[-1] == stream.splitlines()[-1]
        assert next(looks) > 3
