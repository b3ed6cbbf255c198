"""The target kind as a user starts it: a whole run by pytest, with tools made of scripts over the mock cluster."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_server import ApiServer
from tests.clusters import POLICY, WORKLOADS, playing
from tests.kinds import LONG, NAME, Kinds, started
from tests.machines.test_tool import script
from tests.targets.test_pods import SUITE, WRONG
from tetraproof.pacing.waiting import until
from tetraproof.recordings.recording import open_recording
from tetraproof.report.result import read

USES_THE_CLUSTER = '''

def test_the_users_own(kind_cluster) -> None:
    """A test of the user's own beside the suites."""
    assert "Client Version" in kind_cluster.kubectl("version")
    assert kind_cluster.name == "made"
    assert kind_cluster.api.url
'''


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        server.lingers = 0
        yield server


@pytest.fixture
def kinds(api: ApiServer, tmp_path: Path) -> Iterator[Kinds]:
    made = Kinds(api, tmp_path)
    written(tmp_path)
    yield made
    made.close()


def written(folder: Path, suite: str = SUITE) -> None:
    for name, text in (
        ("suites/test_guard.py", suite),
        ("policies/guard.yaml", POLICY),
        ("workloads/all.yaml", WORKLOADS),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def run(kinds: Kinds, folder: Path, *more: str, **environment: str) -> tuple[int, str]:
    return ended(started(kinds, folder, *more, **environment))


def signalled(process: subprocess.Popen[str], *signs: signal.Signals) -> None:
    """As a terminal does it: the whole group hears of it, one after the other."""
    for sign in signs:
        os.killpg(process.pid, sign)
        time.sleep(0.3)


def at_step(kinds: Kinds, word: str) -> None:
    """Await that kind was asked this."""
    until(word, lambda: any(word in line for line in kinds.asked), bool, 60)


def nothing_is_left(kinds: Kinds, folder: Path) -> bool:
    """Of a run: no cluster, no note, no copy of a kubeconfig."""
    state = [path for path in (kinds.folder / "state").rglob("*") if path.is_file()]
    return not kinds.clusters and not state and not list(folder.glob("reports/**/kubeconfig"))


# first to last


def test_a_run_makes_a_cluster_and_leaves_nothing(kinds: Kinds, tmp_path: Path) -> None:
    """It says what it does as it goes; the time of making it and of installing Tetragon is told apart."""
    code, output = run(kinds, tmp_path)
    assert code == 0, output
    lines = [line.removeprefix("tetraproof: ") for line in output.splitlines() if line.startswith("tetraproof: ")]
    assert lines[1:4] == [
        "making the kind cluster made by docker 28.5.2",
        "kind: Ensuring node image (kindest/node:v1.36.2)",
        "kind: Preparing nodes",
    ]
    result = read(tmp_path / "reports/run")
    assert {one.verdict for one in result.policies} == {"conforms"}
    assert {"making the cluster", "loading images", "installing Tetragon", "setting up"} <= result.run.spent.keys()
    assert result.run.added is None
    assert nothing_is_left(kinds, tmp_path)
    # what goes with the cluster is not removed singly
    assert not [line for line in kinds.api.asked if line.startswith("delete namespaces")]
    assert not [line for line in kinds.asked if "uninstall" in line]
    assert not (tmp_path / ".pytest-kind").exists()


def test_what_selects_it_again_holds_all_that_was_given(kinds: Kinds, tmp_path: Path) -> None:
    """Also pytest-kind's own options."""
    written(tmp_path, SUITE + WRONG)
    values = tmp_path / "values.yaml"
    values.touch()
    code, output = run(
        kinds,
        tmp_path,
        *("--kind-image", "kindest/node:v1.36.2", "--tetragon-version", "1.4.1", "--values", str(values)),
        *("--kind-bin", str(kinds.bin / "kind"), "--agent-options", "rb-size=1M"),
    )
    assert code == 1, output
    reproduce = re.search(r"reproduce  (.*)", output)
    assert reproduce
    for word in (
        "--target kind",
        "--cluster-name made",
        "--kind-image kindest/node:v1.36.2",
        "--tetragon-version 1.4.1",
        f"--values {values}",
        f"--kind-bin {kinds.bin / 'kind'}",
        "--agent-options rb-size=1M",
    ):
        assert word in reproduce[1]


def test_pytest_kinds_own_fixture_is_the_cluster(kinds: Kinds, tmp_path: Path) -> None:
    """For tests of the user's own, in the same session."""
    written(tmp_path, SUITE + USES_THE_CLUSTER)
    code, output = run(kinds, tmp_path)
    assert code == 0, output
    assert "9 passed" in output
    assert sum(line.startswith("create cluster") for line in kinds.asked) == 1


# what is found out before anything is made


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--values", "/no/values.yaml"), "There is no file of values /no/values.yaml."),
        (("--chart", "/no/chart"), "CHART: there is no chart /no/chart."),
        (("--upgrade", "./no.tgz"), "UPGRADE: there is no chart"),
        (("--image-archive", "/no/images.tar"), "cannot be read: No such file"),
        (("--kind-config", "/no/kind.yaml"), "kind's configuration /no/kind.yaml cannot be read"),
        (("--workloads", "/no/workloads"), "There is no folder /no/workloads of workloads."),
        (("--policies", "/no/policies"), "/no/policies"),
        (("--record", "/proc/self"), "/proc/self is there already"),
        (("--pods-range", "ten"), "PODS_RANGE: 'ten' is no range"),
        (("--agent-options", "a/b"), "AGENT_OPTIONS: 'a/b' is no option."),
        (("--agent", "existing"), "there is no kind cluster made"),
        (("--agent", "existing", "--agent-options", "rb-size=1M"), "--agent-options are for an agent of our own."),
        (("--cluster-wide",), "the nodes of a kind cluster share this machine's kernel"),
        (("--helm", "/no/helm"), "helm is needed, and /no/helm is no program."),
        (("--kind-bin", "/no/kind"), "kind is needed, and /no/kind is no program."),
    ],
)
def test_what_is_not_there_is_told_before_anything_is_made(
    words: tuple[str, ...], sentence: str, kinds: Kinds, tmp_path: Path
) -> None:
    """In a sentence, with exit code 2."""
    code, output = run(kinds, tmp_path, *words)
    assert code == 2, output
    assert sentence in output
    assert "Traceback" not in output
    assert not [line for line in kinds.asked if line.startswith(("create", "load"))]
    assert nothing_is_left(kinds, tmp_path)


def test_workloads_are_read_before_anything_is_made(kinds: Kinds, tmp_path: Path) -> None:
    """One that is no YAML is named."""
    (tmp_path / "workloads/bad.yaml").write_text("a: [", encoding="utf-8")
    code, output = run(kinds, tmp_path)
    assert code == 2
    assert "bad.yaml is no YAML at line 1, column 5" in output
    assert kinds.clusters == set()
    assert not [line for line in kinds.asked if line.startswith("create")]


def test_a_chart_that_cannot_be_had_is_told_before_anything_is_made(kinds: Kinds, tmp_path: Path) -> None:
    """Helm is asked to render it first."""
    script(kinds.bin, 'case "$1" in version) echo v4.2.4;; *) echo "Error: no such host" >&2; exit 1;; esac', "helm")
    code, output = run(kinds, tmp_path)
    assert code == 2
    assert "helm template tetragon failed" in output
    assert "Error: no such host" in output
    assert not [line for line in kinds.asked if line.startswith("create")]


def test_without_an_engine_it_ends_with_a_sentence(kinds: Kinds, tmp_path: Path) -> None:
    """With what the engine said."""
    kinds.set("silent")
    code, output = run(kinds, tmp_path)
    assert code == 2
    assert "kind needs a container engine, and none answers." in output
    assert "docker does not answer: Cannot connect to the daemon" in output


# auto


def test_auto_says_at_once_that_it_takes_kind(kinds: Kinds, tmp_path: Path) -> None:
    """Before anything is made, with the other way and what ends it."""
    code, output = run(kinds, tmp_path, "--target", "auto")
    assert code == 0, output
    first = output.splitlines()[:3]
    assert first[0].startswith(
        "tetraproof: --target auto takes kind, as docker 28.5.2 answers: a cluster of containers"
    )
    assert "Ctrl-C ends it" in first[1]
    assert "--target replay judges a recorded run instead" in first[2]


def test_auto_takes_the_engine_that_answers(kinds: Kinds, tmp_path: Path) -> None:
    """Docker's client is there without its daemon, and podman answers."""
    (kinds.bin / "docker").rename(kinds.bin / "podman")
    script(kinds.bin, "echo Cannot connect >&2; exit 1", "docker")
    code, output = run(kinds, tmp_path, "--target", "auto")
    assert code == 0, output
    assert "takes kind, as podman 28.5.2 answers" in output.splitlines()[0]
    assert all(line.endswith("[podman]") for line in kinds.asked if not line.startswith("version"))


def test_auto_takes_replay_where_no_engine_answers(kinds: Kinds, tmp_path: Path) -> None:
    """And says why; nothing is asked of kind."""
    kinds.set("silent")
    _, output = run(kinds, tmp_path, "--target", "auto")
    assert "--target auto takes replay: kind needs a container engine, and none answers" in output
    assert kinds.asked == []


# ended from outside

TWICE = (signal.SIGINT, signal.SIGINT)


@pytest.mark.parametrize(
    "signs", [(signal.SIGINT,), TWICE, (signal.SIGTERM,), (signal.SIGHUP,)], ids=["once", "twice", "TERM", "HUP"]
)
@pytest.mark.parametrize("step", ["pulls", "prepares", "installs"])
def test_a_run_that_is_interrupted_while_setting_up_leaves_nothing(
    step: str, signs: tuple[signal.Signals, ...], kinds: Kinds, tmp_path: Path
) -> None:
    """Whatever it was doing; that it is removed is said where it is true, and its exit code is no verdict's."""
    kinds.set(step, LONG)
    kinds.set("deletes", LONG[:10])
    process = started(kinds, tmp_path)
    if step == "installs":
        until("Helm", (kinds.folder / "release").exists, bool, 60)
    else:
        at_step(kinds, "create cluster")
    time.sleep(0.5)
    signalled(process, *signs)
    code, output = ended(process)
    assert code == 2, output
    assert output.splitlines()[-1] == "tetraproof: interrupted while setting up; what was made is removed"
    assert ("another interrupt leaves it behind" in output) == (signs == TWICE)
    assert nothing_is_left(kinds, tmp_path)


def test_a_run_that_is_interrupted_while_it_acts_leaves_nothing(kinds: Kinds, tmp_path: Path) -> None:
    """What was seen so far is kept."""
    running: list[subprocess.Popen[str]] = []
    kinds.lab.plays["> /tmp/other"] = playing(lambda: signalled(running[0], signal.SIGINT), kinds.lab.act)
    running.append(started(kinds, tmp_path))
    code, output = ended(running[0])
    assert code == 2, output
    assert nothing_is_left(kinds, tmp_path)
    assert open_recording(tmp_path / "reports/run/recording").acts(f"guard@{NAME}-control-plane")


@pytest.mark.parametrize("how", ["it stays", "a third interrupt"])
def test_what_is_left_behind_is_not_called_removed(how: str, kinds: Kinds, tmp_path: Path) -> None:
    """It is named with the one command; and the next run removes it."""
    kinds.set("prepares", LONG)
    kinds.set(*(("stays",) if how == "it stays" else ("deletes", LONG[:200])))
    process = started(kinds, tmp_path)
    at_step(kinds, "create cluster")
    time.sleep(0.5)
    signalled(process, *([signal.SIGINT] if how == "it stays" else [signal.SIGINT] * 3))
    code, output = ended(process)
    assert code == 2
    assert "what was made is removed" not in output
    assert output.splitlines()[-1] == "tetraproof: interrupted while setting up; something is left behind"
    left = [line for line in output.splitlines() if line.startswith("tetraproof: left behind: ")]
    assert left
    assert left[0].endswith(": kind delete cluster --name made")
    assert kinds.clusters == {NAME}
    for name in ("stays", "deletes", "prepares"):
        kinds.unset(name)
    code, output = run(kinds, tmp_path)
    assert code == 0, output
    assert "a run that was killed left the kind cluster made; deleting it, and making it anew" in output
    assert nothing_is_left(kinds, tmp_path)


def test_a_second_interrupt_while_it_is_given_back_leaves_it_and_says_so(kinds: Kinds, tmp_path: Path) -> None:
    """After all was judged: the first is told what the second would leave, and the second ends in no traceback."""
    kinds.set("deletes", LONG[:200])
    process = started(kinds, tmp_path)
    at_step(kinds, "delete cluster")
    time.sleep(0.5)
    signalled(process, signal.SIGINT, signal.SIGINT)
    code, output = ended(process)
    assert code == 2, output
    assert "Traceback" not in output
    assert "another interrupt leaves it behind" in output
    assert "left behind: what was not removed" in output
    assert "Interrupted while what the run made was removed; something is left behind." in output
    assert kinds.clusters == {NAME}
    kinds.unset("deletes")
    code, output = run(kinds, tmp_path)
    assert code == 0, output
    assert nothing_is_left(kinds, tmp_path)


@pytest.mark.parametrize("step", ["prepares", "installs", "acts"])
def test_a_killed_runs_is_removed_by_the_next(step: str, kinds: Kinds, tmp_path: Path) -> None:
    """kill -9: in the making, while Helm installs, while it acts; the copy of the kubeconfig goes as well."""
    kinds.set(step, LONG)
    hangs = threading.Event()
    if step == "acts":
        kinds.lab.plays["> /tmp/other"] = playing(hangs.set, kinds.lab.act)
    process = started(kinds, tmp_path)
    if step == "acts":
        assert hangs.wait(60)
    elif step == "installs":
        until("Helm", (kinds.folder / "release").exists, bool, 60)
    else:
        at_step(kinds, "create cluster")
        time.sleep(1.5)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert kinds.clusters == {NAME}
    kinds.unset(step)
    kinds.lab.plays.clear()
    code, output = run(kinds, tmp_path)
    assert code == 0, output
    assert "a run that was killed left the kind cluster made; deleting it, and making it anew" in output
    assert nothing_is_left(kinds, tmp_path)


def test_a_run_that_is_killed_before_its_containers_are_there_owns_them(kinds: Kinds, tmp_path: Path) -> None:
    """The engine makes what it was asked for, and nobody is there to note it: seen live, on a busy machine."""
    kinds.set("slow", "3")
    process = started(kinds, tmp_path)
    at_step(kinds, "create cluster")
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert kinds.clusters == set()
    until("the engine", lambda: kinds.clusters, bool, 60)
    kinds.unset("slow")
    code, output = run(kinds, tmp_path)
    assert code == 0, output
    assert "a run that was killed left the kind cluster made; deleting it, and making it anew" in output
    assert nothing_is_left(kinds, tmp_path)


# kept


def test_one_that_is_kept_is_used_again(kinds: Kinds, tmp_path: Path) -> None:
    """With its Tetragon installed anew, or as it is, which takes seconds; nothing but that is left in it."""
    code, output = run(kinds, tmp_path, "--keep-cluster")
    assert code == 0, output
    assert "tetraproof: the kind cluster made is kept, with its Tetragon:" in output
    assert "--keep-cluster installs Tetragon anew, --agent existing uses it as it is" in output
    assert "tetragon" in kinds.api.names("apps/v1/DaemonSet")
    assert not [name for name in kinds.api.names("v1/Namespace") if name.startswith("tetraproof-")]
    code, output = run(kinds, tmp_path, "--keep-cluster")
    assert code == 0, output
    assert "uninstalling the Tetragon that a run kept" in output
    code, output = run(kinds, tmp_path, "--agent", "existing")
    assert code == 0, output
    assert "installing" not in output
    assert "is kept, with its Tetragon" in output
    assert sum(line.startswith("create cluster") for line in kinds.asked) == 1


def test_a_set_up_that_fails_keeps_kinds_logs(kinds: Kinds, tmp_path: Path) -> None:
    """Where it failed after the nodes were there."""
    kinds.set("fails", "ERROR: failed to create cluster: kubelet is not healthy\n")
    code, output = run(kinds, tmp_path)
    assert code == 2
    assert "ERROR: failed to create cluster: kubelet is not healthy" in output
    logs = tmp_path / "reports/run/evidence/kind/kubelet.log"
    assert logs.read_text(encoding="utf-8") == "kubelet of made\n"
    assert f"kind's logs of it are kept in {logs.parent}" in output
    assert "kubelet is not healthy" in (tmp_path / "reports/run/live/kind.log").read_text(encoding="utf-8")
    assert nothing_is_left(kinds, tmp_path)
