"""The targets cluster and kind as a user starts them: a whole run by pytest against the mock cluster."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.api_server import CONTEXT, ApiServer, Exec
from tests.builders import NODE, ROOT
from tests.clusters import GUARDED, POLICY, SECOND, WORKLOADS, Lab, hurried, opened, playing
from tests.machines.test_tool import real, script
from tetraproof.errors import UsageError
from tetraproof.options import Options, check
from tetraproof.plugin import on_cluster as wiring
from tetraproof.plugin import opening
from tetraproof.plugin.opening import open_target
from tetraproof.progress import silent
from tetraproof.recordings.recording import open_recording
from tetraproof.report.result import Result, read

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


# kind


class Config:
    """A pytest configuration, as far as it is asked: pytest-kind's options."""

    def __init__(self, **given: object) -> None:
        self.given = {"cluster_name": "made", **given}
        self.stash = pytest.Stash()
        self.pluginmanager = pytest.PytestPluginManager()

    def getoption(self, name: str, default: Any = None) -> Any:
        return self.given.get(name, default)


def asked(**given: Any) -> tuple[Any, Options]:
    """What a run is told: pytest-kind's options, and ours."""
    names = {one.name for one in dataclasses.fields(Options)}
    ours = {"target": "cluster", "workloads": ROOT / "manifests/workloads", **given}
    own = Options(**{name: value for name, value in ours.items() if name in names})
    return Config(**{name: value for name, value in given.items() if name not in names}), own


KUBECONFIG = """\
{apiVersion: v1, kind: Config, current-context: kind-made, users: [{name: kind-made, user: {}}],
clusters: [{name: kind-made, cluster: {server: "http://127.0.0.1:1"}}],
contexts: [{name: kind-made, context: {cluster: kind-made, user: kind-made}}]}
"""


def kind(tmp_path: Path, said: str, **given: object) -> tuple[wiring.KindTarget, Path]:
    """A kind target whose tools are scripts; `said` is what kind does, and its log is what it was asked."""
    log = tmp_path / "asked"
    (tmp_path / "made").write_text(KUBECONFIG, encoding="utf-8")
    creates = f'cp {tmp_path}/made "${{4#--kubeconfig=}}"'
    says = f'echo "$@" >> {log}; case "$*" in version) echo v0.30.0;; {said} "create cluster"*) {creates};; esac'
    tools = {
        "kind_bin": script(tmp_path, says, "kind"),
        "kind_kubectl_bin": script(tmp_path, "echo Client Version: v1.36.4", "kubectl"),
        "helm": script(tmp_path, "echo v3.19.0", "helm"),
    }
    config, options = asked(**tools, **given)
    return wiring.KindTarget(options, config, tmp_path, silent), log


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "engine", lambda: "docker")


def test_kind_needs_a_container_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear sentence, before anything is made."""
    monkeypatch.setattr(opening, "_ENGINES", (("no-engine-of-this-name", "info"),))
    with pytest.raises(UsageError, match="kind needs a container engine, and none answers"):
        kind(tmp_path, "")


def test_an_engine_that_does_not_answer_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its program alone is not enough."""
    silent_one = script(tmp_path, "exit 1", "docker")
    answers = script(tmp_path, "echo 27.0", "podman")
    monkeypatch.setattr(opening, "_ENGINES", ((silent_one, "info"),))
    assert opening.engine() == ""
    monkeypatch.setattr(opening, "_ENGINES", ((silent_one, "info"), (answers, "info")))
    assert opening.engine() == answers


@pytest.mark.parametrize(("keep", "deleted"), [(False, True), (True, False)])
@pytest.mark.usefixtures("engine")
def test_a_cluster_of_kind_is_made_and_deleted(keep: bool, deleted: bool, tmp_path: Path) -> None:
    """Unless it is to be kept."""
    target, log = kind(tmp_path, "", keep_cluster=keep, kind_config=None)
    own, context = target.create()
    assert (own, context) == (tmp_path / "live/kubeconfig", "kind-made")
    assert target.made
    target.close()
    asked = log.read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("create cluster --name=made") or "create cluster" in line for line in asked)
    assert any(line.startswith("delete cluster --name made") for line in asked) == deleted


@pytest.mark.usefixtures("engine")
def test_a_cluster_of_kind_that_is_there_is_used_and_stays(tmp_path: Path) -> None:
    """By its own kubeconfig."""
    target, log = kind(
        tmp_path,
        '"get clusters") echo made;; "get kubeconfig --name made") cat ' + str(tmp_path / "made") + ";;",
        kind_config=None,
    )
    own, _ = target.create()
    assert own.read_text(encoding="utf-8") == KUBECONFIG
    target.close()
    assert "delete" not in log.read_text(encoding="utf-8")


@pytest.mark.usefixtures("engine")
def test_what_kind_cannot_make_is_told_and_removed(tmp_path: Path) -> None:
    """A half-made cluster is deleted when the target is closed."""
    target, log = kind(tmp_path, "create*) echo no space >&2; exit 1;;", kind_config=None)
    with pytest.raises(UsageError, match="kind could not create the cluster made: exit 1"):
        target.create()
    target.close()
    assert "delete cluster --name made" in log.read_text(encoding="utf-8")


@pytest.mark.usefixtures("engine")
def test_images_are_loaded_into_the_nodes(tmp_path: Path) -> None:
    """Each archive; one that cannot be is told in kind's words."""
    archives = [tmp_path / "a.tar", tmp_path / "b.tar"]
    said = f'"load image-archive --name made {archives[1]}") echo no such file >&2; exit 1;;'
    target, log = kind(tmp_path, said, kind_config=None, image_archive=archives)
    with pytest.raises(UsageError, match=rf"kind does not load {archives[1]}: no such file"):
        target.create()
    assert f"load image-archive --name made {archives[0]}" in log.read_text(encoding="utf-8")


def test_the_real_kind_ends_at_its_missing_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence, ours where we look and kind's own where it does."""
    tools = {"kind_bin": real("kind"), "kind_kubectl_bin": real("kubectl"), "helm": real("helm")}
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="kind needs a container engine, and none answers"):
        wiring.KindTarget(*reversed(asked(**tools)), tmp_path, silent)
    monkeypatch.setattr(wiring, "engine", lambda: "docker")
    target = wiring.KindTarget(*reversed(asked(**tools)), tmp_path, silent)
    with pytest.raises(UsageError, match=r"kind does not list its clusters: .*not found") as refused:
        target.create()
    assert "\n" not in refused.value.sentence
    target.close()
    assert not target.made


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
