"""The targets cluster and kind as a user starts them: a whole run by pytest against the mock cluster."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.api_server import CONTEXT, ApiServer, Exec
from tests.builders import NODE, ROOT
from tests.clusters import GUARDED, POLICY, SECOND, WORKLOADS, Lab, hurried, opened, playing
from tests.machines.test_tool import real
from tetraproof.errors import UsageError
from tetraproof.plugin.opening import open_target
from tetraproof.recordings.recording import open_recording
from tetraproof.report.result import Result, read
from tetraproof.settings.options import Options, check

SUITE = f'''\
"""Opening a guarded file is killed; opening anything else is left alone."""

from tetraproof.suite import Acts, Exactly, Kprobe, Run, policy, prepare, shell

pytestmark = policy("guard")

acts = Acts(
    clean=prepare(shell("rm -f {GUARDED}")),
    other=shell("echo foo > /tmp/other"),
    guarded=shell("echo foo > {GUARDED}"),
)
KILLED = Kprobe("fd_install", file="{GUARDED}", action="SIGKILL")


def test_writing_the_guarded_file_is_killed(run: Run) -> None:
    """Writing it ends the shell."""
    assert run.guarded.killed
    assert Exactly(1, KILLED) in run.guarded.timeline


def test_writing_another_file_goes_through(run: Run) -> None:
    """Any other file may be written."""
    assert run.other.succeeded
    assert Kprobe("fd_install") not in run.other.timeline
'''
WRONG = '''

def test_another_file_is_killed(run: Run) -> None:
    """A wrong expectation."""
    assert run.other.killed
'''


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        server.lingers = 0
        yield server


@dataclass(frozen=True)
class Ran:
    """What came of a run."""

    code: int
    output: str
    directory: Path

    @property
    def result(self) -> Result:
        return read(self.directory)


def words(api: ApiServer, folder: Path, *more: str, suite: str = SUITE) -> list[str]:
    """The run of a small suite of the user's own on the mock cluster."""
    for name, text in (
        ("suites/test_guard.py", suite),
        ("policies/guard.yaml", POLICY),
        ("workloads/all.yaml", WORKLOADS),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    config = api.kubeconfig(folder / "users/config")
    return [
        *(sys.executable, "-m", "tetraproof", "test", "--suites", str(folder / "suites")),
        # it takes seconds to report on properties that no suite has
        *("-p", "no:hypothesispytest"),
        *("--policies", str(folder / "policies"), "--workloads", str(folder / "workloads")),
        *("--reports", str(folder / "reports"), "--run-id", "run", "--kubeconfig", str(config)),
        *("--target", "cluster", "--context", CONTEXT, *more),
    ]


def started(api: ApiServer, folder: Path, *more: str, suite: str = SUITE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words(api, folder, *more, suite=suite),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
    )


def ended(process: subprocess.Popen[str], folder: Path) -> Ran:
    output, _ = process.communicate(timeout=120)
    return Ran(process.returncode, output, folder / "reports/run")


def test_a_run_is_green_and_leaves_nothing(api: ApiServer, tmp_path: Path) -> None:
    """On two nodes; its recording is where it was asked for; its copy of the kubeconfig is gone."""
    lab = Lab(api, (NODE, SECOND))
    before = api.snapshot()
    ran = ended(started(api, tmp_path, "--record", str(tmp_path / "recording")), tmp_path)
    assert ran.code == 0, ran.output
    assert api.snapshot() == before
    assert lab.agents().keys() == {NODE, SECOND}
    assert "judging Tetragon 1.7.0" in ran.output
    assert "the pods' range is 10.0.0.0/23, the services' 10.96.0.0/16" in ran.output
    assert not list(tmp_path.glob("reports/**/kubeconfig"))
    assert {one.name for one in open_recording(tmp_path / "recording").index.scenarios} == {
        f"guard@{NODE}",
        f"guard@{SECOND}",
    }
    assert {one.verdict for one in ran.result.policies} == {"conforms"}


def test_a_wrong_expectation_fails_with_the_full_message(api: ApiServer, tmp_path: Path) -> None:
    """And nothing is left behind; a red run keeps its recording."""
    Lab(api)
    before = api.snapshot()
    ran = ended(started(api, tmp_path, suite=SUITE + WRONG), tmp_path)
    assert ran.code == 1
    assert "act other was not killed: exit 0" in ran.output
    assert "reproduce  tetraproof test -k test_another_file_is_killed --target cluster --context made" in ran.output
    assert api.snapshot() == before
    assert open_recording(ran.directory / "recording").acts("guard")


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_leaves_nothing(sign: signal.Signals, api: ApiServer, tmp_path: Path) -> None:
    """By Ctrl-C or by whoever ends it; what it saw so far is kept."""
    lab = Lab(api)
    before = api.snapshot()
    running: list[subprocess.Popen[str]] = []
    lab.plays["> /tmp/other"] = playing(lambda: running[0].send_signal(sign), lab.act)
    running.append(started(api, tmp_path))
    ran = ended(running[0], tmp_path)
    assert ran.code == 2, ran.output
    assert api.snapshot() == before
    assert open_recording(ran.directory / "recording").acts("guard")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"context": ""}, "The target cluster needs to know which: the current context is never taken."),
        ({"context": "other"}, "has no context 'other'."),
        ({"pods_range": "ten"}, "PODS_RANGE: 'ten' is no range"),
        ({"agent_options": "rb-size=1M"}, "AGENT_OPTIONS= are for an agent of our own."),
        ({"nodes": "elsewhere"}, "There is no agent on a node elsewhere."),
        ({"image_archive": ["x.tar"]}, "IMAGES= means nothing where the target is cluster."),
        ({"agent": "install", "values": [Path("/no/values")]}, "There is no file of values /no/values."),
        ({"agent": "install", "helm": "/no/helm"}, "helm is needed, and /no/helm is no program."),
    ],
)
def test_bad_input_ends_with_a_sentence(
    given: dict[str, object], sentence: str, api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is created."""
    monkeypatch.setattr("tetraproof.plugin.opening.end_on_terminate", lambda: None)
    Lab(api)
    before = api.snapshot()
    users = {"kubeconfig": str(api.kubeconfig(tmp_path / "users/config")), "context": CONTEXT}
    config, options = asked(**{**users, **given})
    with pytest.raises(UsageError) as refused:
        open_target(check(options, given), given, config, tmp_path / "run")
    assert sentence in refused.value.sentence
    assert api.snapshot() == before


class Config:
    """A pytest configuration, as far as it is asked: pytest-kind's options."""

    def __init__(self, **given: object) -> None:
        self.given = {"cluster_name": "made", **given}
        self.stash = pytest.Stash()
        self.pluginmanager = pytest.PytestPluginManager()

    def getoption(self, name: str, default: Any = None) -> Any:
        return self.given.get(name, default)

    def add_cleanup(self, clean: Callable[[], None]) -> None:
        # nobody ends this one: what it would do at its end is done at once
        clean()


def asked(**given: Any) -> tuple[Any, Options]:
    """What a run is told: pytest-kind's options, and ours."""
    names = {one.name for one in dataclasses.fields(Options)}
    ours = {"target": "cluster", "workloads": ROOT / "manifests/workloads", **given}
    own = Options(**{name: value for name, value in ours.items() if name in names})
    return Config(**{name: value for name, value in given.items() if name not in names}), own


# kubectl


def test_kubectl_sees_the_runs_own_pods(api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the copy of the kubeconfig, while a run goes on."""
    hurried(monkeypatch)
    path = real("kubectl")
    lab = Lab(api)
    api.guarded = False
    with opened(lab, tmp_path) as (_, site):
        own = site.cluster.kubeconfig

        def kubectl(line: str) -> str:
            done = subprocess.run(
                [path, "--kubeconfig", str(own), "--context", CONTEXT, *shlex.split(line)],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "HOME": str(tmp_path), "KUBECONFIG": ""},
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert "probe" in kubectl("get pods -n tetraproof-0a1b2c-other")
        assert "TracingPolicyNamespaced" in kubectl("api-resources --api-group cilium.io")
        told = json.loads(kubectl("get pods -A -l tetraproof.dev/run=0a1b2c -o json"))
        assert len(told["items"]) == 3
        seen: list[Exec] = []

        async def play(command: Exec) -> None:
            seen.append(command)
            await command.out("hello\n")
            await command.ends()

        lab.plays["echo hello"] = play
        assert kubectl("exec -n tetraproof-0a1b2c-other probe -- echo hello") == "hello\n"
        assert kubectl("get nodes -o name") == f"node/{NODE}\n"
