"""Whoever waits ends with an answer that no other follows, and says so: no deadline is awaited in vain.

Every deadline here is one that nobody sits out. A wait that goes on to it ends without the reason that is asserted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_server import ApiServer, Exec, Refusal
from tests.builders import NODE
from tests.clusters import ACTS, Lab, at, guard, hurried, opened, playing
from tests.guests.test_container import IDS
from tests.targets.test_standalone import GUARD, Machines, machines, plan
from tests.targets.test_standalone import event as an_event
from tetraproof.errors import AgentGone
from tetraproof.kubernetes.workspace import WorkspaceError
from tetraproof.machines.machine import Completed
from tetraproof.pacing.deadline import Deadlines
from tetraproof.targets import Unanswerable
from tetraproof.targets.applying import Applying
from tetraproof.targets.keeping import Scene
from tetraproof.targets.live import Live
from tetraproof.targets.standalone import open_standalone

__all__ = ["machines"]
SITE = Deadlines().scaled(0.5)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    hurried(monkeypatch)
    with ApiServer() as server:
        yield server


def observed(live: Live, scenario: str = "guard") -> str:
    """The notes of a scenario that is observed."""
    live.observe(guard(), {}, tuple(ACTS), scenario)
    (record,) = [one for one in live.recorder.index.scenarios if one.name == scenario]
    assert record.heard_to_the_end is False
    return "\n".join(record.notes)


# on a cluster


def test_after_the_namespace_is_gone_no_sentinel_is_awaited(api: ApiServer, tmp_path: Path) -> None:
    """Its exec is refused, and says so; what comes after in the run is not awaited either."""
    lab = Lab(api)

    def delete() -> None:
        for key in [key for key in api.objects if key[1].startswith("tetraproof-") or key[2].startswith("tetraproof-")]:
            del api.objects[key]

    lab.plays["> /tmp/other"] = playing(delete, lab.act)
    with opened(lab, tmp_path) as (live, _):
        assert 'sentinel-end cannot be performed: exec in tetraproof-0a1b2c-other/probe was refused: pods "probe"' in (
            observed(live)
        )
        live.observe(guard(), {}, tuple(ACTS)[1:], "guard")
        starts = [one.argv[-1] for one in live.recorder.only("guard").acts("guard") if one.role == "sentinel-start"]
        assert starts == ["sentinel-start-0"]


def test_a_sentinel_that_is_refused_for_the_moment_is_performed_again(api: ApiServer, tmp_path: Path) -> None:
    """It was never begun, so that it is recorded once, as it was heard."""
    lab = Lab(api)

    def refuse() -> None:
        raise Refusal(503, "ServiceUnavailable", "the server is currently unable to handle the request")

    api.faults = [at("sentinel-end", refuse, times=3)]
    with opened(lab, tmp_path) as (live, _):
        live.observe(guard(), {}, tuple(ACTS), "guard")
        (record,) = live.recorder.index.scenarios
        assert record.heard_to_the_end is True
        ends = [one for one in live.recorder.only("guard").acts("guard") if one.role == "sentinel-end"]
        assert [(one.exit_code, one.broken) for one in ends] == [(0, "")]


def test_after_the_stream_has_ended_no_sentinel_is_awaited(api: ApiServer, tmp_path: Path) -> None:
    """What it brought before its end was heard, and how it ended is told."""
    lab = Lab(api)

    def cut() -> None:
        for one in list(api.running):
            if "getevents" in one.line:
                one.cut()

    lab.plays["sentinel-end"] = playing(cut, lab.act)
    with opened(lab, tmp_path) as (live, _):
        assert "never came (The stream of tetra-node has ended: its connection " in observed(live)


def test_a_stream_that_ends_before_the_acts_is_begun_anew(api: ApiServer, tmp_path: Path) -> None:
    """Nothing was done yet, so nothing is lost."""
    lab = Lab(api)
    cut = iter([True])

    async def lost(command: Exec) -> None:
        for one in list(api.running):
            if "getevents" in one.line and next(cut, False):
                one.cut()
        lab.deaf = {NODE}
        await lab.act(command)
        lab.deaf = set()

    lab.plays["sentinel-start-0"] = lost
    with opened(lab, tmp_path) as (live, _):
        live.observe(guard(), {}, tuple(ACTS), "guard")
        (record,) = live.recorder.index.scenarios
        assert record.heard_to_the_end is True


def withdrawn(lab: Lab) -> None:
    """Nobody wants an agent any more: the pods go, and what they did with them."""
    lab.daemonset["status"]["desiredNumberScheduled"] = 0
    for pod in lab.agents().values():
        del lab.api.objects["v1/Pod", "kube-system", pod["metadata"]["name"]]
    for one in list(lab.api.running):
        if "getevents" in one.line:
            one.cut()


def test_an_agent_that_is_gone_for_good_is_not_awaited_while_its_policy_loads(api: ApiServer, tmp_path: Path) -> None:
    """Nor afterwards: no state, no sentinel, no end of the policy."""
    lab = Lab(api)
    lab.loading = {NODE: 10_000}
    api.created.append(lambda made: withdrawn(lab) if made["kind"] == "TracingPolicy" else None)
    with opened(lab, tmp_path) as (live, _):
        told = observed(live)
    gone = "cannot come any more: The DaemonSet kube-system/tetragon wants an agent on no node."
    assert f"the state of guard was awaited and {gone}" in told
    assert f"the agents' word afterwards was awaited and {gone}" in told
    assert "never came (The stream of tetra-node has ended" in told


def test_an_agent_that_is_gone_for_good_is_not_awaited_by_the_next_scenario(api: ApiServer, tmp_path: Path) -> None:
    """Its stream cannot be begun anew."""
    lab = Lab(api)
    with opened(lab, tmp_path) as (live, _):
        withdrawn(lab)
        (following, _), *_ = live.site._streams.values()  # type: ignore[attr-defined]
        following._thread.join(10)
        with pytest.raises(Unanswerable, match="The Tetragon of kube-system/tetragon does not come up"):
            live.observe(guard(), {}, tuple(ACTS), "guard")
        (record,) = live.recorder.index.scenarios
    assert any("wants an agent on no node" in note for note in record.notes)


def test_a_node_that_lost_its_agent_is_a_sentence(api: ApiServer, tmp_path: Path) -> None:
    """Where others have one: it cannot be asked for anything."""
    lab = Lab(api)
    with opened(lab, tmp_path) as (_, site):
        site.installation.agents = {}
        for ask in (site.metrics, site._listen, lambda node: site.compact(node, b"")):
            with pytest.raises(AgentGone, match="There is no agent on tetra-node any more"):
                ask(NODE)


def test_pods_whose_namespace_is_deleted_are_not_awaited(api: ApiServer, tmp_path: Path) -> None:
    """While the run sets up."""
    lab = Lab(api)
    lab.waits["buildpack-deps"] = ("ContainerCreating", "")

    def delete(made: dict[str, object]) -> None:
        if made["kind"] == "Deployment":
            for key in [key for key in api.objects if key[2] == "tetraproof-0a1b2c-other" or "-other" in key[1]]:
                del api.objects[key]

    api.created.append(delete)
    with (
        pytest.raises(WorkspaceError, match="tetraproof-0a1b2c-other was deleted before its pods were ready"),
        opened(lab, tmp_path),
    ):
        pass


# without Kubernetes


def standalone(tmp_path: Path) -> Live:
    live, _ = open_standalone(plan(tmp_path, deadlines=SITE))
    return live


def test_an_agent_that_has_ended_is_not_awaited_while_its_policy_loads(machines: Machines, tmp_path: Path) -> None:
    """It was its own, and no other is started within a scenario: the state is that it ended."""
    live = standalone(tmp_path)
    machines.last.answers["tracingpolicy add"] = lambda argv, stdin: _ends(machines)
    machines.last.answers["tracingpolicy list"] = Completed(1, b"", b"connection refused")
    scene = Scene("guard", "made", GUARD, {})
    Applying(live.site, SITE, live._tell).apply("guard", GUARD, [scene])
    assert "the state of guard was awaited and cannot come any more: The agent has ended." in scene.notes
    live.site.close()  # type: ignore[attr-defined]


def _ends(machines: Machines) -> Completed:
    for one in machines.agents():
        one.runs = False
    # what it did is not known
    return Completed(1, b"", b"DeadlineExceeded")


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("stream", "(The stream of made has ended: tetra getevents has ended)"),
        ("agent", "(The stream of made has ended: the agent has ended)"),
        ("container", "(sentinel-end cannot be performed: it could not be performed: error opening file"),
    ],
)
def test_a_sentinel_that_nobody_can_hear_is_not_awaited(
    what: str, why: str, machines: Machines, tmp_path: Path
) -> None:
    """The reader of the stream, the agent, or the container to do it in is gone."""
    machines.answers["sentinel-start"] = lambda argv, stdin: _heard(machines, argv)
    live = standalone(tmp_path)

    def lost(argv: object, stdin: bytes) -> Completed:
        del argv, stdin
        if what == "container":
            return Completed(1, b"", b"error opening file `/run/crun/0123/status`: No such file or directory")
        for one in machines.streams() + (machines.agents() if what == "agent" else []):
            one.runs = False
        return Completed(0)

    machines.last.answers["sentinel-end"] = lost
    live.observe(None, {}, (), "nothing")
    (record,) = live.recorder.index.scenarios
    assert record.heard_to_the_end is False
    assert any(why in note for note in record.notes)
    live.site.close()  # type: ignore[attr-defined]


def _heard(machines: Machines, argv: list[str]) -> Completed:
    with machines.streams()[-1].output.open("ab") as stream:
        line = an_event(IDS["probe"][:31]).replace(b"process_exec", b"process_exit")
        stream.write(line.replace(b'"binary"', b'"arguments": "' + argv[-1].encode() + b'", "binary"'))
    return Completed(0)
