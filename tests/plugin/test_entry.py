"""Where the plugin is installed and nobody speaks of policies, it is as if it were not there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.builders import read_tree, write_tree

#: What makes this installation of pytest one without the plugin.
WITHOUT = ("-p", "no:tetraproof")
#: The modules of ours that every start of pytest loads.
LIGHT = {
    "tetraproof",
    "tetraproof.settings.configuration",
    "tetraproof.decoding",
    "tetraproof.errors",
    "tetraproof.pacing",
    "tetraproof.pacing.interrupting",
    "tetraproof.marks",
    "tetraproof.settings",
    "tetraproof.settings.options",
    "tetraproof.plugin",
    "tetraproof.plugin.entry",
    "tetraproof.text",
}

CONFTEST = """
import pytest

OPTIONS = ("target", "record", "nodes", "values", "images", "kernel", "policies", "suites", "into", "crd", "recording")


def pytest_addoption(parser):
    group = parser.getgroup("tetra", "of this repository")
    for name in OPTIONS:
        group.addoption(f"--{name}", default="", help=f"the {name} of this repository")


@pytest.fixture
def run(request):
    return request.config.getoption("target")


@pytest.fixture(scope="module")
def scene():
    return "scene"


@pytest.fixture
def case():
    return 3
"""
SETTINGS = """\
[pytest]
addopts = --strict-markers --strict-config --target here
filterwarnings = error
xfail_strict = true
markers =
    policy(name): a policy of this repository
    limit(number): how often
    settings
    finding
"""
TESTS = """
import warnings

import pytest

pytestmark = [pytest.mark.policy("x"), pytest.mark.settings]
acts = [1]


@pytest.mark.limit(3)
@pytest.mark.finding
def test_run(run, scene, case):
    assert (run, scene, case) == ("here", "scene", 3)


@pytest.mark.parametrize("n", [1, 2])
def test_fails(run, n):
    assert (run, n) == ("here", 1)


@pytest.mark.xfail(reason="not yet")
def test_not_yet(run):
    assert not run


@pytest.mark.xfail
def test_passes_unexpectedly(run):
    assert run


def test_skips():
    pytest.skip("not today")


def test_warns():
    warnings.warn("careful", stacklevel=1)


def test_lacks_a_fixture(nothing_of_this_name):
    pass


class TestAct:
    def test_it(self, run, tmp_path):
        print("told")
        assert run == "here"
"""
#: Somebody's repository: nothing in it is about Tetragon.
THEIRS = {"repository/conftest.py": CONFTEST, "repository/pytest.ini": SETTINGS, "repository/tests/test_x.py": TESTS}
BROKEN = "[tool.pytest.ini_options\n"


@dataclass(frozen=True)
class Repository:
    """A made-up repository: its files beside `THEIRS`, links in it, and what pytest is told there."""

    files: dict[str, str]
    words: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    without: tuple[str, ...] = ()
    within: str = ""


REPOSITORIES = {
    "tests": Repository({}),
    "told in detail": Repository({}, ("-v", "-rA", "-k", "not warns")),
    "suites and policies of its own": Repository(
        {"repository/suites/test_y.py": TESTS, "repository/policies/holidays.yaml": "{kind: Holidays}\n"}
    ),
    "suites alone": Repository({"repository/suites/test_y.py": TESTS}, ("suites", "-v")),
    "a project above whose suites are elsewhere": Repository(
        {"tetraproof.toml": 'suites = "elsewhere"\n', "elsewhere/test_z.py": "import tetraproof.nothing\n"}
    ),
    "a project above that hides its suites well": Repository(
        {"pyproject.toml": "[tool.tetraproof]\ntarget = 'kind'\n"}, ("tests",)
    ),
    "a broken pyproject.toml": Repository({"repository/pyproject.toml": BROKEN}),
    "a broken pyproject.toml alone": Repository(
        {"repository/pyproject.toml": f"# tetraproof\n{BROKEN}"}, without=("repository/pytest.ini",)
    ),
    "links in a circle": Repository({}, ("circle",), links=(("repository/circle", "circle"),)),
    "suites in a circle": Repository({}, links=(("repository/suites", "suites"),)),
    "nothing of that name": Repository({}, ("tests/test_nothing.py",)),
    "nothing selected": Repository({}, ("-k", "nothing_of_this_name")),
    "a name within a class": Repository({}, ("tests/test_x.py::TestAct::test_it", "-v")),
    "an option that is not there": Repository({}, ("--tetra",)),
    "a collection": Repository({}, ("--collect-only", "-q")),
    "the fixtures": Repository({}, ("--fixtures", "-v")),
    "a sub-folder": Repository({}, within="tests"),
    "a file that cannot be imported": Repository({"repository/tests/test_bad.py": "import nothing_of_this_name\n"}),
}


@dataclass(frozen=True)
class Ran:
    """What came of a session: its exit code, what it printed but for times and plugins, and the folder's files."""

    code: int
    lines: list[str]
    files: dict[str, bytes]


def start(folder: Path, repository: Repository, *words: str, program: str = sys.executable) -> Ran:
    """A session in a repository that is made anew, by this Python."""
    write_tree({**THEIRS, **repository.files}, folder)
    for path in repository.without:
        (folder / path).unlink()
    for path, target in repository.links:
        (folder / path).symlink_to(target)
    done = session(folder / "repository" / repository.within, *repository.words, *words, program=program)
    printed = done.stdout + done.stderr
    kept = {path: body for path, body in read_tree(folder).items() if not path.endswith(".pyc")}
    # what pytest remembers of a session is in the order in which it ended
    files = {path: b"" if path.endswith(("lastfailed", "nodeids")) else body for path, body in kept.items()}
    return Ran(done.returncode, comparable(printed, folder), files)


def session(folder: Path, *words: str, program: str = sys.executable) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    return subprocess.run(
        [program, "-m", "pytest", *words],
        cwd=folder,
        env={**environment, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def comparable(printed: str, folder: Path) -> list[str]:
    """Its lines, but for times, and for the line that names the plugins."""
    text = printed.replace(str(folder), "FOLDER")
    text = re.sub(r"\b\d+\.\d+s\b", "SECONDS", re.sub(r"0x[0-9a-f]{6,}", "ADDRESS", text))
    return [line.strip("= ") for line in text.splitlines() if not line.startswith("plugins: ")]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, bool], Ran]]:
    """A session in the repository of a name, with the plugin or without."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sessions: dict[tuple[str, bool], Future[Ran]] = {
            (name, there): pool.submit(start, tmp_path_factory.mktemp("made"), one, *(() if there else WITHOUT))
            for name, one in REPOSITORIES.items()
            for there in (True, False)
        }
        yield lambda name, there: sessions[name, there].result()


@pytest.mark.parametrize("name", REPOSITORIES)
def test_a_repository_of_others_is_left_alone(ran: Callable[[str, bool], Ran], name: str) -> None:
    """The same results, the same exit code, the same lines, and the same files afterwards."""
    ours, theirs = ran(name, True), ran(name, False)
    assert ours.lines == theirs.lines
    assert ours.code == theirs.code
    assert ours.files == theirs.files


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("tests", 1, ["3 failed", "3 passed", "1 skipped", "1 xfailed", "1 error"]),
        ("told in detail", 1, ["FAILED tests/test_x.py::test_fails[2]", "XFAIL tests/test_x.py::test_not_yet"]),
        ("suites and policies of its own", 1, ["6 failed", "6 passed"]),
        ("a broken pyproject.toml alone", 4, ["pyproject.toml"]),
        ("links in a circle", 4, ["file or directory not found: circle"]),
        ("an option that is not there", 4, ["unrecognized arguments: --tetra"]),
        ("a file that cannot be imported", 2, ["1 error during collection"]),
    ],
)
def test_the_sessions_are_what_they_are_meant_to_be(
    ran: Callable[[str, bool], Ran], name: str, code: int, words: list[str]
) -> None:
    """Else the comparison would compare nothing with nothing."""
    session = ran(name, False)
    printed = "\n".join(session.lines)
    assert session.code == code, printed
    for word in words:
        assert word in printed


def blocks(printed: str) -> dict[str, str]:
    """The groups of options that --help tells of, by their headline."""
    parts = re.split(r"^(\S.*:)\n", printed, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_help_differs_by_options_of_ours_alone(tmp_path: Path) -> None:
    """Each begins with --tetraproof-, and stands below a headline of ours."""
    write_tree(THEIRS, tmp_path)
    folder = tmp_path / "repository"
    ours, theirs = session(folder, "--help").stdout, session(folder, "--help", *WITHOUT).stdout
    more = {headline: text for headline, text in blocks(ours).items() if headline not in blocks(theirs)}
    assert more
    for headline, text in more.items():
        assert headline.startswith("tetraproof, ")
        options = re.findall(r"^  (-\S+)", text, re.MULTILINE)
        assert options
        assert all(option.startswith("--tetraproof-") for option in options)
    assert {headline: text for headline, text in blocks(ours).items() if headline not in more} == blocks(theirs)


def test_the_marks_differ_by_ours_alone(tmp_path: Path) -> None:
    """Each begins with tetraproof_."""
    write_tree(THEIRS, tmp_path)
    ours, theirs = (session(tmp_path / "repository", "--markers", *words).stdout for words in ((), WITHOUT))
    kept = [line for line in ours.split("\n\n") if not line.startswith("@pytest.mark.tetraproof_")]
    assert kept == theirs.split("\n\n")
    assert ours != theirs


#: Tells which modules a session has loaded, at its very end.
TELLING = """
import sys


def pytest_unconfigure(config):
    print("loaded:", *sorted(sys.modules))
"""


def loaded(folder: Path, *words: str) -> set[str]:
    done = session(folder, *words)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("loaded: ")]
    return set(line.split()[1:])


def test_next_to_nothing_of_ours_is_loaded(tmp_path: Path) -> None:
    """And no package besides that pytest has not loaded anyway."""
    write_tree({"conftest.py": TELLING, "test_x.py": "def test_x():\n    pass\n"}, tmp_path)
    more = loaded(tmp_path) - loaded(tmp_path, *WITHOUT)
    ours = {name for name in more if name.partition(".")[0] == "tetraproof"}
    assert "tetraproof.plugin.entry" in ours
    assert ours <= LIGHT
    assert {name.partition(".")[0] for name in more - ours} <= sys.stdlib_module_names


def test_a_parent_that_may_not_be_read_is_passed_over(tmp_path: Path) -> None:
    """pytest is as it is without us where a configuration above cannot be read by whoever tests."""
    write_tree({"a/tetraproof.toml/is/a": "folder", "a/b/test_x.py": "def test_x():\n    pass\n"}, tmp_path)
    done = session(tmp_path / "a/b", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(tmp_path / "a")
