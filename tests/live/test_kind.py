"""The faults of kind that were seen, tried with a real one: `make live-kind`, where a container engine answers.

`TETRAPROOF_KIND_OPTIONS` are further words of `tetraproof test`: where there is no network, `--kind-image`,
`--image-archive` and `--chart` name what is here.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.builders import ROOT
from tetraproof.errors import UsageError
from tetraproof.kubernetes.kind.engine import Engine, find
from tetraproof.pacing.waiting import until

NAME = "tetraproof-live"
#: One that watches only: what is tried here is kind, whatever the kernel can.
SUITE = "suites/observe/test_baseline.py"
SLOWNESS = os.environ.get("TETRAPROOF_SLOWNESS", "1")
MINUTES = 60 * 15 * float(SLOWNESS)


@pytest.fixture(scope="module")
def engine() -> Engine:
    if "TETRAPROOF_KIND_OPTIONS" not in os.environ:
        pytest.skip("it makes clusters, for minutes: make live-kind")
    try:
        return find()
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def _own(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Notes of its own, and no cluster of the name before and after."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    kind(engine, "delete", "cluster", "--name", NAME)
    yield
    kind(engine, "delete", "cluster", "--name", NAME)


def kind(engine: Engine, *words: str) -> str:
    done = subprocess.run(["kind", *words], capture_output=True, text=True, check=False, env=engine.environment)
    return done.stdout


def started(folder: Path, *words: str, output: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
    more = shlex.split(os.environ["TETRAPROOF_KIND_OPTIONS"])
    return subprocess.Popen(
        [
            *(
                sys.executable,
                "-m",
                "tetraproof",
                "test",
                "--target",
                "kind",
                "--cluster-name",
                NAME,
                "-p",
                "no:cacheprovider",
            ),
            *("--slowness", SLOWNESS, "--reports", str(folder / "reports"), *more, *words, SUITE),
        ],
        cwd=ROOT,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=MINUTES)
    assert "Traceback" not in output, output
    return process.returncode, output


def run(folder: Path, *words: str) -> tuple[int, str]:
    return ended(started(folder, *words))


def making(engine: Engine) -> None:
    """Await that kind is in the middle of it: its nodes are there."""
    until("the nodes", lambda: engine.containers(NAME), bool, 300 * float(SLOWNESS))
    time.sleep(2)


def nothing_is_left(engine: Engine, folder: Path) -> bool:
    noted = [path for path in (folder / "state").rglob("*") if path.is_file()]
    return engine.containers(NAME) == frozenset() and not noted and not list(folder.glob("reports/**/kubeconfig"))


def test_a_run_makes_a_cluster_and_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    """Its report is there, and its time is told apart."""
    code, output = run(tmp_path)
    assert code in {0, 1}, output
    assert "making the cluster" in output
    assert list(tmp_path.glob("reports/*/verdicts.json"))
    assert nothing_is_left(engine, tmp_path)


@pytest.mark.parametrize(
    "signs", [[signal.SIGINT], [signal.SIGINT] * 2, [signal.SIGTERM]], ids=["once", "twice", "TERM"]
)
def test_an_interrupt_while_it_is_made_leaves_nothing(
    signs: list[signal.Signals], engine: Engine, tmp_path: Path
) -> None:
    """kind does not hear of it, and what was made is removed when that is said."""
    process = started(tmp_path)
    making(engine)
    for sign in signs:
        os.killpg(process.pid, sign)
        time.sleep(1)
    code, output = ended(process)
    assert code == 2
    assert output.splitlines()[-1].endswith("what was made is removed")
    assert nothing_is_left(engine, tmp_path)


def test_what_a_killed_run_left_half_made_is_made_anew(engine: Engine, tmp_path: Path) -> None:
    """It is not adopted, and nobody has to do anything."""
    process = started(tmp_path)
    making(engine)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert engine.containers(NAME)
    code, output = run(tmp_path)
    assert code in {0, 1}, output
    assert f"a run that was killed left the kind cluster {NAME}; deleting it, and making it anew" in output
    assert nothing_is_left(engine, tmp_path)


def test_a_run_that_is_killed_while_the_engine_makes_its_containers_owns_them(engine: Engine, tmp_path: Path) -> None:
    """Nobody is there to note them: they are known by the mark that they are born with."""
    process = started(tmp_path)
    assert process.stdout
    assert any("kind: Preparing nodes" in line for line in process.stdout)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    seen: list[frozenset[str]] = []

    def settled() -> bool:
        seen.append(engine.containers(NAME) or frozenset())
        return len(seen) > 3 and len(set(seen[-3:])) == 1

    until("the engine", settled, bool, 300, every=1.0, longest=1.0)
    code, output = run(tmp_path)
    assert code in {0, 1}, output
    assert (f"a run that was killed left the kind cluster {NAME}; deleting it" in output) == bool(seen[-1])
    assert nothing_is_left(engine, tmp_path)


def test_one_that_is_kept_is_used_as_it_is_and_a_stopped_one_of_the_users_is_left_alone(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run installs nothing; without the note the cluster is somebody's, and is refused in a sentence."""
    code, output = run(tmp_path, "--keep-cluster")
    assert code in {0, 1}, output
    there = engine.containers(NAME)
    assert there
    code, output = run(tmp_path, "--agent", "existing")
    assert code in {0, 1}, output
    assert "installing the chart" not in output
    assert engine.containers(NAME) == there
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    subprocess.run([engine.name, "stop", *there], check=True, capture_output=True)
    code, output = run(tmp_path)
    assert code == 2
    assert f"The kind cluster {NAME} is there, and is of no use: " in output
    assert f"kind delete cluster --name {NAME}" in output
    assert engine.containers(NAME) == there


@pytest.mark.parametrize(
    "words",
    [
        ("--values", "/no/values"),
        ("--chart", "/no/chart"),
        ("--workloads", "/no/workloads"),
        ("--cluster-wide",),
        ("-k", "nothing_of_this_name"),
    ],
)
def test_what_is_not_there_is_told_before_anything_is_made(
    words: tuple[str, ...], engine: Engine, tmp_path: Path
) -> None:
    """In seconds."""
    code, output = run(tmp_path, *words)
    assert (code, words) == (2, words), output
    assert nothing_is_left(engine, tmp_path)
    assert "making the kind cluster" not in output
