"""What can be known of a live run is known before anything is made: what is selected, and what cannot be collected."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_server import ApiServer
from tests.builders import NEWEST, ROOT
from tests.clusters import NODE, SECOND, Lab
from tests.kinds import NAME, Kinds
from tests.targets.test_on_kind import ended as kind_ended
from tests.targets.test_on_kind import started as kind_started
from tests.targets.test_on_kind import written
from tests.targets.test_pods import SUITE, ended, started
from tetraproof.kubernetes.kind.tenancy import Wanted
from tetraproof.plugin.foreseeing import see_that_tests_are_selected
from tetraproof.settings.options import Options

BROKEN = "import nothing_of_this_name\n"
UNKNOWN = SUITE.replace('policy("guard")', 'policy("gaurd")')


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


def alone(folder: Path, *words: str, suite: str = SUITE) -> tuple[int, str]:
    """A run in a guest, which would need a kernel and a Tetragon first."""
    written(folder, suite)
    own = [f"--{name}={folder / name}" for name in ("suites", "policies", "workloads", "reports")]
    target = ("--target", "standalone", "--kernel", "debian:6.12", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "tetraproof", "test", *own, *target, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("words", "suite", "sentence"),
    [
        (("-k", "gaurded"), SUITE, "tetraproof: 'gaurded' selects nothing."),
        (("-m", "nobodys"), SUITE, "tetraproof: 'nobodys' selects nothing."),
        ((), BROKEN, "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ((), UNKNOWN, "There is no policy gaurd"),
    ],
    ids=["a name", "a mark", "a file that cannot be imported", "a policy that is not there"],
)
def test_on_a_machine_it_ends_before_a_guest_is_booted(
    words: tuple[str, ...], suite: str, sentence: str, tmp_path: Path
) -> None:
    """With what pytest says of it, and exit code 2."""
    code, output = alone(tmp_path, *words, suite=suite)
    assert code == 2, output
    assert sentence in output
    assert ("4 deselected" in output) == (suite == SUITE)
    assert not (tmp_path / "reports").exists()


def test_where_something_is_selected_the_run_goes_on(tmp_path: Path) -> None:
    """To the next that is missing: no Tetragon is named."""
    code, output = alone(tmp_path, "-k", "guarded", "--bundle", str(tmp_path / "none"))
    assert code == 2
    assert "selects nothing" not in output
    assert "deselected" not in output
    assert "There is no bundle '" in output
    assert "/none'" in output


def test_on_kind_it_ends_before_anything_is_made(kinds: Kinds, tmp_path: Path) -> None:
    """Names of nodes select as well, those that kind will give them."""
    code, output = kind_ended(kind_started(kinds, tmp_path, "-k", "gaurded"))
    assert code == 2, output
    assert "tetraproof: 'gaurded' selects nothing." in output
    assert "--collect-only" in output
    assert not [line for line in kinds.asked if line.startswith("create")]
    assert not (tmp_path / "reports").exists()
    code, output = kind_ended(kind_started(kinds, tmp_path, "-k", f"{NAME}-worker and goes_through"))
    assert code == 0, output
    assert "1 passed" in output


def test_on_a_cluster_it_ends_before_anything_is_made(api: ApiServer, tmp_path: Path) -> None:
    """Names of nodes select as well: they are read, and nothing is written."""
    Lab(api, (NODE, SECOND))
    ran = ended(started(api, tmp_path, "-k", "gaurded"), tmp_path)
    assert ran.code == 2, ran.output
    assert "tetraproof: 'gaurded' selects nothing." in ran.output
    assert {line.split()[0] for line in api.asked} <= {"get", "list"}, api.asked
    assert not ran.directory.exists()
    ran = ended(started(api, tmp_path, "-k", f"{SECOND} and goes_through"), tmp_path)
    assert ran.code == 0, ran.output
    assert "1 passed" in ran.output


def test_files_that_cannot_be_collected_are_left_out_where_the_user_says_so(tmp_path: Path) -> None:
    """pytest's own option for it; the run goes on."""
    written(tmp_path)
    (tmp_path / "suites/test_broken.py").write_text(BROKEN, encoding="utf-8")
    words = ("--continue-on-collection-errors", "--bundle", str(tmp_path / "none"))
    code, output = alone(tmp_path, *words)
    assert code == 2
    assert "nothing_of_this_name" not in output
    assert "There is no bundle '" in output
    assert "/none'" in output


def test_a_list_of_tests_is_what_a_run_would_make(tmp_path: Path) -> None:
    """With the promises that every policy makes, and once for each node that is named; nothing is opened."""
    code, output = alone(tmp_path, "--collect-only", "-q")
    assert code == 0, output
    assert "test_guard.py::test_applying_is_loading\n" in output
    code, output = alone(tmp_path, "--collect-only", "-q", "--nodes", "a,b")
    assert "test_guard.py::test_every_act_is_told[guard@b]\n" in output
    replay = ("--target", "replay", "--recording", str(NEWEST))
    code, output = alone(tmp_path, "--collect-only", "-q", *replay)
    assert "test_guard.py::test_applying_is_loading\n" in output
    code, output = alone(tmp_path, "--collect-only", "-q", suite=UNKNOWN)
    assert code == 2
    assert "There is no policy gaurd" in output
    assert not (tmp_path / "reports").exists()


def test_whoever_embeds_pytest_with_plugins_of_its_own_is_not_second_guessed() -> None:
    """Another pytest would lack them."""

    class Embedding:
        class invocation_params:  # noqa: N801 - pytest's name
            plugins = (object(),)

    assert see_that_tests_are_selected(Embedding(), Options(), list) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("nodes", "names"),
    [
        ("", ["made-control-plane"]),
        ("nodes: [{role: worker}, {role: control-plane}]", ["made-worker", "made-control-plane"]),
        ("nodes: [{}, {role: worker}, {role: worker}]", ["made-control-plane", "made-worker", "made-worker2"]),
    ],
)
def test_nodes_are_called_as_kind_calls_them(nodes: str, names: list[str], tmp_path: Path) -> None:
    """Seen live."""
    config = tmp_path / "kind.yaml"
    config.write_text(f"kind: Cluster\n{nodes}\n", encoding="utf-8")
    assert Wanted(NAME, config).nodes() == names
