"""The wheel in an environment of its own, far from the checkout: it is the whole product, and nothing more."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.builders import NEWEST, ROOT, write_tree
from tests.plugin import test_entry, test_own_project
from tests.plugin.test_own_project import CONFIGURATION, JUDGED, NEW, PROJECT, RECORDING, Ran, pasted

#: What is told of each distribution of an environment.
TELLING = """
import importlib.metadata, json
print(json.dumps([
    {
        "name": one.metadata["Name"],
        "requires": one.requires or [],
        "licences": [
            *(one.metadata.get_all("License-Expression") or []),
            *(text.splitlines()[0] for text in one.metadata.get_all("License") or [] if text.strip()),
            *(text for text in one.metadata.get_all("Classifier") or [] if text.startswith("License")),
        ],
    }
    for one in importlib.metadata.distributions()
]))
"""


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and nothing that the wheel did not ask for."""

    folder: Path
    before: Mapping[str, float]

    @property
    def python(self) -> Path:
        return self.folder / "bin/python"

    @property
    def package(self) -> Path:
        (found,) = self.folder.glob("lib/python3*/site-packages/tetraproof")
        return found

    @property
    def files(self) -> dict[str, float]:
        """Every file but what Python compiles, and when it was written."""
        return {
            str(path): path.stat().st_mtime
            for path in self.folder.rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }

    def pasted(self, line: str, folder: Path) -> Ran:
        """A line as a user types it who has this environment."""
        return pasted(line, folder, self.folder / "bin")


def pip(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *words],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel, built from a copy of what is in the checkout, in an environment outside of it."""
    folder = tmp_path_factory.mktemp("installed")
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout of git's, which tells what belongs to it")
    probe = pip("download", "--no-deps", "--quiet", "--dest", folder / "probe", "hatchling")
    if probe.returncode:
        last = next((line for line in reversed(probe.stderr.splitlines()) if line.startswith("ERROR")), probe.stderr)
        pytest.skip(f"pip reaches no package index: {last}")
    copy = folder / "copy"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    built = pip("wheel", "--no-deps", "--quiet", "--wheel-dir", folder / "wheel", copy)
    assert built.returncode == 0, built.stderr
    (wheel,) = (folder / "wheel").iterdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python, pinned = folder / "venv/bin/python", ROOT / "constraints.txt"
    done = pip("--python", python, "install", "--quiet", "--no-compile", "-c", pinned, wheel)
    assert done.returncode == 0, done.stderr
    bare = Installed(folder / "venv", {})
    return Installed(folder / "venv", bare.files)


@pytest.fixture(scope="module")
def others(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with plugins of pytest's that spread tests and shuffle them, for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("others")
    done = pip(
        *("--python", installed.python, "install", "--quiet", "--no-deps", "--target", folder),
        *("pytest-xdist", "execnet", "pytest-randomly"),
    )
    assert done.returncode == 0, done.stderr
    return folder


# what is there


@pytest.fixture(scope="module")
def distributions(installed: Installed) -> list[dict[str, Any]]:
    done = subprocess.run([installed.python, "-c", TELLING], capture_output=True, text=True, check=True)
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


def names(requirements: list[str]) -> set[str]:
    """The names of what is required, as they are compared."""
    return {re.split(r"[\s;\[<>=!~(]", one, maxsplit=1)[0].lower().replace("_", "-") for one in requirements}


def test_nothing_is_installed_but_the_base(distributions: list[dict[str, Any]]) -> None:
    """What is needed, what that needs, and nothing that an extra asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {
        one["name"].lower().replace("_", "-"): names([line for line in one["requires"] if "extra ==" not in line])
        for one in distributions
    }
    extras = names([line for lines in project["optional-dependencies"].values() for line in lines]) - {"tetraproof"}
    assert names(project["dependencies"]) == required["tetraproof"]
    assert not extras & required.keys()
    needed, more = set(), {"tetraproof"}
    while more:
        needed |= more
        more = {name for one in more for name in required[one] if name in required} - needed
    assert required.keys() == needed


def test_nothing_is_under_the_gpl(distributions: list[dict[str, Any]]) -> None:
    """By what each distribution says of itself; and each says something."""
    for one in distributions:
        assert one["licences"], one["name"]
        assert not [text for text in one["licences"] if "GPL" in text or "GNU" in text], one


def test_what_is_shipped_is_what_the_checkout_has(installed: Installed) -> None:
    """Suites, policies, workloads, chart values and recordings; no report and nothing compiled."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "fixtures", "manifests", "recordings", "suites"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    checkout = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    shipped = installed.package / "shipped"
    found = {str(Path(path).relative_to(shipped)) for path in installed.before if Path(path).is_relative_to(shipped)}
    assert checkout <= found
    assert {name.partition("/")[0] for name in found} == {"fixtures", "manifests", "recordings", "suites"}
    assert (installed.package / "py.typed").is_file()


# sessions, each in a folder of its own

#: What a user types who has one policy.
BEGIN = """\
tetraproof init && mv guard.yaml policies/ && tetraproof lint && tetraproof draft policies/guard.yaml &&
tetraproof test --target replay --collect-only -q"""
#: name -> a line, its exit code, and what it prints
SESSIONS = {
    "shipped": ("tetraproof test --shipped --target replay", 0, ["entries of expected.json held, 0 differ"]),
    "verify": (f"tetraproof verify SHIPPED/recordings/{NEWEST.name}", 0, ["is whole"]),
    "lint": ("tetraproof lint SHIPPED/manifests/policies", 0, ["policies fit, 0 problems"]),
    "events": (
        f"tetraproof events SHIPPED/recordings/{NEWEST.name}/scenarios/block-fd-install/events.jsonl",
        0,
        ["sentinel-start"],
    ),
    "help": ("tetraproof test --help", 0, ["--shipped", "--kernel"]),
    "standalone": (
        "tetraproof test --shipped --target standalone --kernel debian:6.12 --bundle 1.7.0",
        2,
        ["The target standalone needs more than is installed.", "pip install 'tetraproof[standalone]'"],
    ),
    "cluster": (
        "tetraproof test --shipped --target cluster --context x",
        2,
        ["The target cluster needs more than is installed.", "pip install 'tetraproof[cluster]'"],
    ),
    "kind": (
        "tetraproof test --shipped --target kind",
        2,
        ["The target kind needs more than is installed.", "pip install 'tetraproof[kind]'"],
    ),
    "suites that nobody wrote": ("tetraproof test", 2, ["There are no suites in ", "tetraproof test --shipped"]),
    "begin": (BEGIN, 0, ["policies/guard.yaml:", "suites/test_guard.py"]),
}
LACKING = ["standalone", "cluster", "kind"]


@pytest.fixture(scope="module")
def ran(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Ran]]:
    """What came of a session, by its name."""

    def start(name: str, folder: Path) -> Ran:
        if name == "begin":
            write_tree({"guard.yaml": test_own_project.POLICY, "policies/.keep": ""}, folder)
        return installed.pasted(SESSIONS[name][0].replace("SHIPPED", str(installed.package / "shipped")), folder)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sessions: dict[str, Future[Ran]] = {
            name: pool.submit(start, name, tmp_path_factory.mktemp("session")) for name in SESSIONS
        }
        yield lambda name: sessions[name].result()


@pytest.mark.parametrize("name", SESSIONS)
def test_the_commands_work_far_from_the_checkout(ran: Callable[[str], Ran], name: str) -> None:
    """With what is shipped, and with what a user begins."""
    _, code, words = SESSIONS[name]
    session = ran(name)
    assert session.code == code, session.output
    for word in words:
        assert word in session.output
    assert "Traceback" not in session.output
    assert str(ROOT) not in session.output


@pytest.mark.parametrize("name", LACKING)
def test_what_is_not_installed_is_one_sentence(ran: Callable[[str], Ran], name: str) -> None:
    """With the command that installs it; no report is left behind."""
    session = ran(name)
    assert len(session.output.splitlines()) == 2, session.output
    assert not [path for path in session.folder.rglob("*") if path.is_file()]


def test_what_is_shipped_is_judged_and_written_where_one_stands(
    installed: Installed, ran: Callable[[str], Ran]
) -> None:
    """In the reports of the current folder, and nowhere else."""
    session = ran("shipped")
    assert [path.name for path in session.folder.iterdir()] == ["reports"]
    assert session.result.pins is not None
    assert (session.result.pins.differences, session.result.pins.held > 100) == ((), True)
    assert session.result.run.red == ()
    for name in SESSIONS:
        ran(name)
    assert installed.files == installed.before


@pytest.mark.parametrize("line", ["tetraproof --help", "tetraproof clean-cluster --context x"])
def test_no_command_needs_an_extra_to_be_listed(installed: Installed, tmp_path: Path, line: str) -> None:
    """One that needs an extra to work says so in a sentence."""
    session = installed.pasted(line, tmp_path)
    assert "Traceback" not in session.output
    assert "clean-cluster" in session.output


# a project of one's own, by this installation


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_tree({**PROJECT, **RECORDING}, tmp_path / "project")


def test_a_project_is_judged_beside_other_tests(installed: Installed, project: Path) -> None:
    """As it is with the checkout."""
    session = installed.pasted("pytest", project)
    assert session.code == 0, session.output
    assert session.judged == JUDGED


def test_the_line_that_records_says_what_is_missing(installed: Installed, project: Path) -> None:
    """What is printed for a policy that nobody recorded is typed as it stands, and gets as far as it can here."""
    suite = test_own_project.SUITE.replace('"guard"', '"guard", "new"')
    write_tree({**NEW, "suites/test_guard.py": suite}, project)
    (line,) = re.findall(r"^ *to record: (.+)$", installed.pasted("tetraproof test", project).output, re.MULTILINE)
    session = installed.pasted(line, project)
    assert session.code == 2, session.output
    assert "The target standalone needs more than is installed." in session.output


def test_a_suite_is_typed(installed: Installed, project: Path) -> None:
    """mypy knows the words of a suite by what is installed, and tells one that is not there."""
    typed = test_own_project.SUITE.replace(
        "def test_the_guard_reports(guarded)", "def test_the_guard_reports(guarded: Run)"
    )
    text = re.sub(r"\n\ndef test_the_guard_reports.*?\n\n\n", "\n\n", typed, flags=re.DOTALL)
    (project / "suites/test_guard.py").write_text(text, encoding="utf-8")
    words = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--python-executable",
        str(installed.python),
        "suites/test_guard.py",
    ]

    def checked() -> tuple[int, str]:
        done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    assert checked() == (0, "Success: no issues found in 1 source file\n")
    (project / "suites/test_guard.py").write_text(
        text.replace('limit("rename into place")', "limit(3)").replace("shell(", "shel(", 1), encoding="utf-8"
    )
    code, told = checked()
    assert code == 1
    assert 'Argument 1 to "limit" has incompatible type "int"' in told
    assert "shel" in told


def test_tests_that_are_spread_over_processes_are_refused(installed: Installed, others: Path, project: Path) -> None:
    """In a sentence, with nothing left behind; with -n 0 they are judged, and other tests may be spread."""
    here = f"PYTHONPATH={others}"
    for words in ("-n 2", "-n auto", "--dist load --tx 2*popen"):
        refused = installed.pasted(f"{here} pytest -p no:randomly {words}", project)
        assert refused.code == 2, refused.output
        assert "its tests cannot be spread over processes." in refused.output
        assert "leave out -n (pytest-xdist), or add -n 0" in refused.output
        assert "Traceback" not in refused.output
        assert not (project / "reports").exists()
    spread = installed.pasted(f"{here} pytest -p no:randomly -n 2 tests", project)
    assert spread.code == 0, spread.output
    assert "3 passed" in spread.output
    assert not (project / "reports").exists()
    alone = installed.pasted(f"{here} pytest -p no:randomly -n 0", project)
    assert alone.code == 0, alone.output
    assert alone.judged == JUDGED


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_tests_that_are_shuffled_come_to_the_same(installed: Installed, others: Path, project: Path, seed: int) -> None:
    """Whatever the seed."""
    second = test_own_project.SECOND | {"suites/test_guard.py": test_own_project.BOTH}
    write_tree(second, project)
    session = installed.pasted(f"PYTHONPATH={others} pytest -p no:xdist --randomly-seed={seed}", project)
    assert session.code == 0, session.output
    assert f"Using --randomly-seed={seed}" in session.output
    assert session.judged == {"guard": JUDGED["guard"], "second": JUDGED["guard"]}


@pytest.mark.parametrize("name", ["told in detail", "suites and policies of its own"])
def test_a_repository_of_others_is_left_alone(installed: Installed, tmp_path: Path, name: str) -> None:
    """By the wheel as by the checkout."""
    one, python = test_entry.REPOSITORIES[name], str(installed.python)
    ours = test_entry.start(tmp_path / "ours", one, program=python)
    theirs = test_entry.start(tmp_path / "theirs", one, *test_entry.WITHOUT, program=python)
    assert (ours.lines, ours.code, ours.files) == (theirs.lines, theirs.code, theirs.files)
    assert ours.code == 1


def test_what_is_shipped_is_judged_by_the_options_of_the_project_around(installed: Installed, tmp_path: Path) -> None:
    """Its target and where its reports lie; its policies are those that are shipped."""
    write_tree({"tetraproof.toml": f'{CONFIGURATION}reports = "mine"\n'}, tmp_path)
    session = installed.pasted("tetraproof test --shipped -k test_nothing_is_written", tmp_path)
    assert session.code == 0, session.output
    assert [path.parent for path in session.results] == [tmp_path / "mine"]
