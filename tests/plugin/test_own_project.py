"""A project of one's own: policies, suites and other tests, found and judged from wherever one stands in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from _pytest.config import get_config

from tests.builders import MANIFESTS, write_tree
from tests.plugin.test_run import small
from tetraproof.commands.test import TAKES_A_VALUE
from tetraproof.report.result import FILE, Result, read

T = TypeVar("T")
POLICY = (MANIFESTS / "block-fd-install.yaml").read_text(encoding="utf-8").replace("block-fd-install", "guard")
SUITE = '''\
"""Opening /tmp/tetragon is killed; opening anything else is left alone."""

import pytest

from tetraproof.suite import Acts, Kprobe, Run, limit, policy, shell

pytestmark = policy("guard")
acts = Acts(
    bar=shell("echo 'foo' > /tmp/bar"),
    guarded=shell("echo 'foo' > /tmp/tetragon"),
    renamed=shell("echo foo > /tmp/x && mv /tmp/x /tmp/tetragon && echo moved"),
)


@pytest.fixture
def guarded(run: Run) -> object:
    """An act, by a fixture upon ours."""
    return run.guarded


def test_writing_is_killed(run: Run, note: list[str]) -> None:
    """Writing the guarded file ends the shell."""
    note.append("killed")
    assert run.guarded.killed


@pytest.mark.parametrize("hook", ["fd_install"])
def test_another_file_goes_through(run: Run, hook: str) -> None:
    """Any other file may be written."""
    assert run.bar.succeeded
    assert Kprobe(hook) not in run.bar.timeline


def test_the_guard_reports(guarded) -> None:
    """The agent tells of it."""
    assert Kprobe("fd_install", action="SIGKILL") in guarded.timeline


@limit("rename into place")
def test_a_file_renamed(run: Run) -> None:
    """A file made elsewhere can be moved onto the guarded path."""
    assert run.renamed.stopped
'''
#: What the user's own suites share.
SUITES_CONFTEST = """\
import pytest


@pytest.fixture
def note():
    noted = []
    yield noted
    assert noted == ["killed"]
"""
#: Tests that are about something else, with a `run` of their own.
ORDINARY = """\
import pytest


@pytest.mark.parametrize("number", [3, 4])
def test_number(run, number):
    assert run <= number


class TestInAClass:
    acts = 3

    def test_it(self, run):
        assert run == self.acts
"""
ORDINARY_CONFTEST = """\
import pytest


@pytest.fixture
def run():
    return 3
"""
SETTINGS = """\
[pytest]
addopts = --strict-markers --strict-config
filterwarnings = error
xfail_strict = true
"""
CONFIGURATION = 'target = "replay"\n'
PROJECT = {
    "tetraproof.toml": CONFIGURATION,
    "pytest.ini": SETTINGS,
    "policies/guard.yaml": POLICY,
    "suites/conftest.py": SUITES_CONFTEST,
    "suites/test_guard.py": SUITE,
    "tests/conftest.py": ORDINARY_CONFTEST,
    "tests/test_ordinary.py": ORDINARY,
}
RECORDING = {f"recordings/mine/{path}": content for path, content in small(Path()).items()}
#: The promises of the suite, those that every policy makes first.
PROMISES = [
    "test_applying_is_loading",
    "test_every_act_is_told",
    "test_writing_is_killed",
    "test_another_file_goes_through",
    "test_the_guard_reports",
]
JUDGED = {"guard": ("conforms", [(name, "conforms") for name in PROMISES], [("rename into place", "passes")])}
#: An act that nobody recorded.
UNRECORDED = SUITE.replace("echo 'foo' > /tmp/bar", "echo 'new' > /tmp/bar")
WRONG = SUITE.replace("assert run.bar.succeeded", "assert run.bar.killed")


@dataclass(frozen=True)
class Ran:
    """What came of a command."""

    code: int
    output: str
    folder: Path

    @property
    def results(self) -> list[Path]:
        """The runs that left a result."""
        return [path.parent for path in self.folder.rglob(FILE)]

    @property
    def result(self) -> Result:
        (directory,) = self.results
        return read(directory)

    @property
    def judged(self) -> dict[str, tuple[str, list[tuple[str, str | None]], list[tuple[str, str]]]]:
        """Each policy's verdict, promises and limits; one that was judged twice is no longer one policy."""
        found = self.result.policies
        assert len({one.name for one in found}) == len(found)
        return {
            one.name: (
                one.verdict,
                [(claim.name, claim.verdict) for claim in one.claims],
                [(limit.label, limit.result) for limit in one.limits],
            )
            for one in found
        }

    @property
    def tests(self) -> dict[str, str]:
        """How every test of the session ended, by its name in JUnit's file."""
        (file,) = self.folder.rglob("junit.xml")
        cases = ET.parse(file).getroot().iter("testcase")  # our own file
        return {
            f"{one.get('classname')}.{one.get('name')}": next(
                (part.tag for part in one if part.tag != "properties"), ""
            )
            for one in cases
        }


@dataclass(frozen=True)
class Session:
    """A command in a project; files are written over those of `PROJECT`, None leaves one out."""

    command: str
    code: int = 0
    words: tuple[str, ...] = ()
    files: Mapping[str, str | bytes | None] = field(default_factory=dict)
    within: str = ""


def pasted(line: str, folder: Path, programs: Path = Path(sys.executable).parent) -> Ran:
    """A line as a user pastes it into a shell, in a folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**environment, "PATH": f"{programs}:{environment['PATH']}", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Ran(done.returncode, done.stdout + done.stderr, folder)


def project(folder: Path, files: Mapping[str, str | bytes | None] | None = None) -> Path:
    """A project in a new folder."""
    told = {**PROJECT, **RECORDING, **(files or {})}
    return write_tree({path: content for path, content in told.items() if content is not None}, folder)


def start(session: Session, folder: Path) -> Ran:
    made = project(folder / "project", session.files)
    (made / session.within).mkdir(parents=True, exist_ok=True)
    ran = pasted(session.command, made / session.within)
    return Ran(ran.code, ran.output, made)


def instead(**moved: str) -> dict[str, str | bytes | None]:
    """The project with folders of other names."""
    files: dict[str, str | bytes | None] = {}
    for path, content in {**PROJECT, **RECORDING}.items():
        top, _, rest = path.partition("/")
        if top in moved:
            files |= {path: None, f"{moved[top]}/{rest}": content}
    return files


#: The project as a folder of a larger repository, which has settings of its own.
WITHIN = {
    **dict.fromkeys([*PROJECT, *RECORDING]),
    **{f"security/{path}": content for path, content in {**PROJECT, **RECORDING}.items() if path != "pytest.ini"},
    "pytest.ini": SETTINGS,
}
ELSEWHERE = {"tetraproof.toml": None, "pytest.ini": None}
PYPROJECT = (
    '[tool.tetraproof]\ntarget = "replay"\npolicies = "p"\nsuites = ["s"]\nrecordings = "r"\nreports = "o/out"\n'
)
SECOND = {"policies/second.yaml": POLICY.replace("name: guard", "name: second")}
BOTH = SUITE.replace('policy("guard")', 'policy("guard", "second")')
MORE = {"more/test_more.py": SUITE.replace('policy("guard")', 'policy("second")'), "more/conftest.py": SUITES_CONFTEST}
#: A suite with a test that has a `run` of its own.
PLAIN = """\
import pytest


@pytest.fixture
def run():
    return 3


def test_plain(run):
    assert run == 3
"""
REVERSED = """\
def pytest_collection_modifyitems(items):
    items.reverse()
"""
SHUFFLED = """\
import random

import pytest


@pytest.hookimpl({when}=True)
def pytest_collection_modifyitems(items):
    random.Random({seed}).shuffle(items)
"""
EXPECTED = """\
{"guard": {"verdict": "conforms", "promises": {"test_applying_is_loading": "conforms",
 "test_every_act_is_told": "conforms", "test_writing_is_killed": "conforms", "test_the_guard_reports": "conforms",
 "test_another_file_goes_through": "conforms"}, "limits": {"rename into place": "passes"}}}
"""

#: Sessions that judge the suite as it is, each from another place or under other settings.
GREEN = {
    "everything": Session("pytest"),
    "import by path": Session(
        "pytest", files={"pytest.ini": SETTINGS.replace("--strict-config", "--strict-config --import-mode=importlib")}
    ),
    "files of another name": Session(
        "pytest",
        files={
            "pytest.ini": f"{SETTINGS}python_files = check_*.py\n",
            **dict.fromkeys(["suites/test_guard.py", "tests/test_ordinary.py"]),
            "suites/check_guard.py": SUITE,
            "tests/check_ordinary.py": ORDINARY,
        },
    ),
    "from the suites": Session("pytest", within="suites"),
    "from a sub-folder": Session("tetraproof test", within="a/b"),
    "from above": Session("pytest project", within="..", files=ELSEWHERE | {"tetraproof.toml": CONFIGURATION}),
    "a project without a configuration": Session("PATH=${PATH%%:*} pytest", files=ELSEWHERE),
    "a project in a repository, from its top": Session("pytest security", files=WITHIN),
    "a project in a repository, from itself": Session("pytest suites tests", files=WITHIN, within="security"),
    "pyproject.toml": Session(
        "pytest ../s",
        files=instead(policies="p", suites="s", recordings="r")
        | {"tetraproof.toml": None, "pytest.ini": None, "pyproject.toml": PYPROJECT},
        within="a",
    ),
    "given from a sub-folder": Session("tetraproof test --reports here --policies ../policies", within="a"),
    "a name that is a file's": Session("tetraproof test -k test", files={"test": ""}),
    "run, of a suite's own": Session("pytest suites", files={"suites/test_plain.py": PLAIN}),
    "its own pins": Session("pytest suites", files={"recordings/mine/expected.json": EXPECTED}),
}
#: Sessions that judge more than the one suite.
MORE_OF_THEM = {
    "suites twice": Session("tetraproof test --suites suites --suites more", files=SECOND | MORE),
    "a file elsewhere": Session("tetraproof test more/test_more.py suites/test_guard.py", files=SECOND | MORE),
    "in order": Session("pytest", files=SECOND | {"suites/test_guard.py": BOTH}),
    "backwards": Session("pytest", files=SECOND | {"suites/test_guard.py": BOTH, "conftest.py": REVERSED}),
    "shuffled first": Session(
        "pytest",
        files=SECOND | {"suites/test_guard.py": BOTH, "conftest.py": SHUFFLED.format(when="tryfirst", seed=1)},
    ),
    "shuffled last": Session(
        "pytest",
        files=SECOND | {"suites/test_guard.py": BOTH, "conftest.py": SHUFFLED.format(when="trylast", seed=2)},
    ),
}
OTHERS = {
    "one test": Session("pytest suites/test_guard.py::test_another_file_goes_through", 0, ("1 passed",)),
    "other tests alone": Session("pytest -k number", 0, ("2 passed",)),
    "another test fails": Session(
        "pytest", 1, ("1 failed", "conforms  guard"), {"tests/test_ordinary.py": ORDINARY.replace("== self", "!= self")}
    ),
    "a wrong promise": Session("pytest", 1, ("violated by no known finding",), {"suites/test_guard.py": WRONG}),
    "an act that nobody recorded": Session(
        "tetraproof test", 0, ("not recorded in mine: guard", "  to record: "), {"suites/test_guard.py": UNRECORDED}
    ),
    "other pins": Session(
        "pytest suites",
        1,
        ("1 difference from the recording's expected.json", "test_the_guard_reports is conforms, expected unsupported"),
        {
            "recordings/mine/expected.json": EXPECTED.replace(
                '"test_the_guard_reports": "conforms"',
                '"test_the_guard_reports": {"verdict": "unsupported", "cites": "x"}',
            )
        },
    ),
    "a part of the suites": Session(
        "pytest suites/a",
        0,
        (),
        {
            "suites/test_guard.py": None,
            "suites/a/test_guard.py": SUITE,
            "suites/b/test_second.py": SUITE,
            "recordings/mine/expected.json": EXPECTED.replace("}}}", '}}, "second": {"verdict": "conforms"}}'),
        },
    ),
    "what only tells": Session(
        "pytest --markers && pytest --fixtures && pytest --fixtures-per-test && pytest --cache-show && pytest --version"
        " && pytest --collect-only -q",
        0,
        ("tetraproof_policy", "9 tests collected"),
        {"tetraproof.toml": 'target = "cluster"\n'},
    ),
    "no recording to damage": Session("tetraproof prove", 2, ("There is no recording in ",), dict.fromkeys(RECORDING)),
    "damages": Session("tetraproof prove", 1, ("left out: test_writing_is_killed takes note", "guard  test_another")),
    # bad input
    "a suite that collects nothing": Session(
        "tetraproof test", 2, ("'suites' selects nothing",), {"suites/test_guard.py": ""}
    ),
    "unknown suites": Session("tetraproof test --suites nowhere", 2, ("There are no suites in ", "/nowhere.")),
    "an unknown recording": Session(
        "pytest --tetraproof-recording nowhere", 2, ("There is no recording nowhere.", "mine")
    ),
    "no policies": Session(
        "pytest", 2, ("There is no folder of policies",), {"policies/guard.yaml": None, "policies": None}
    ),
    "an unknown policy": Session(
        "pytest", 2, ("gaurd",), {"suites/test_guard.py": SUITE.replace('"guard"', '"gaurd"')}
    ),
    "a suite that says nothing": Session(
        "pytest",
        2,
        ("test_guard.py: test_writing_is_killed judges a run", "pytestmark = policy("),
        {"suites/test_guard.py": SUITE.replace("pytestmark =", "mark =")},
    ),
    "a suite outside of the suites": Session(
        "tetraproof test .", 2, ("test_more.py: test_writing_is_killed judges a run", "--suites more"), SECOND | MORE
    ),
    "a slip in the configuration": Session(
        "pytest", 2, ("tetraproof.toml: there is no option polices.", "policies?"), {"tetraproof.toml": "polices = 'p'"}
    ),
    "a damaged recording to add to": Session(
        "tetraproof record --target cluster --context x --into recordings/mine",
        2,
        ("another checksum",),
        {"recordings/mine/environment/tetra-version.txt": "x"},
    ),
}
SESSIONS = {**GREEN, **MORE_OF_THEM, **OTHERS}
#: Of these nothing can be judged, and no result says so.
UNJUDGED = [name for name, session in OTHERS.items() if session.code == 2]


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        yield threads


def as_asked(
    pool: ThreadPoolExecutor, request: pytest.FixtureRequest, do: Callable[[str], T], names: Iterable[str]
) -> Callable[[str], T]:
    """What comes of doing it for a name; for those that tests are named after it is begun now, side by side."""
    params = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    asked = {str(one["name"]) for one in params if "name" in one}
    begun = {name: pool.submit(do, name) for name in names if name in asked}

    def told(name: str) -> T:
        if name not in begun:
            begun[name] = pool.submit(do, name)
        return begun[name].result()

    return told


@pytest.fixture(scope="module")
def ran(
    pool: ThreadPoolExecutor, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Ran]:
    """What came of a session, by its name."""
    return as_asked(pool, request, lambda name: start(SESSIONS[name], tmp_path_factory.mktemp("own")), SESSIONS)


Sessions = Callable[[str], Ran]


@pytest.mark.parametrize("name", SESSIONS)
def test_the_exit_code_and_the_words(ran: Sessions, name: str) -> None:
    """0 green, 1 red, 2 nothing could be judged; and what a user reads."""
    session = ran(name)
    assert session.code == SESSIONS[name].code, session.output
    for word in SESSIONS[name].words:
        assert word in session.output


@pytest.mark.parametrize("name", GREEN)
def test_a_suite_is_judged_wherever_one_stands(ran: Sessions, name: str) -> None:
    """Under whatever settings of pytest's, with what its own conftest gives it."""
    assert ran(name).judged == JUDGED


@pytest.mark.parametrize("name", MORE_OF_THEM)
def test_each_policy_is_judged_once(ran: Sessions, name: str) -> None:
    """In the same order and with the same verdicts, whoever shuffles tests: acts are performed once."""
    found = ran(name).judged
    assert found == {"guard": JUDGED["guard"], "second": JUDGED["guard"]}
    if name not in {"suites twice", "a file elsewhere"}:
        assert list(found) == ["guard", "second"]


@pytest.mark.parametrize("name", ["everything", "import by path", "files of another name", "from above", "backwards"])
def test_other_tests_are_what_they_are_beside_suites(ran: Sessions, name: str) -> None:
    """With a fixture of their own of the same name, in a class, and with parameters."""
    tests = ran(name).tests
    other = {test.rpartition(".")[2]: end for test, end in tests.items() if "ordinary" in test}
    assert other == {"test_number[3]": "", "test_number[4]": "", "test_it": ""}
    assert Counter(end for test, end in tests.items() if "ordinary" not in test)["skipped"] == (
        2 if name == "backwards" else 1
    )


def test_the_value_of_an_option_is_no_file(ran: Sessions) -> None:
    """-k with the name of one selects among the suites, as without such a file."""
    assert not [test for test in ran("a name that is a file's").tests if "ordinary" in test]


def test_shuffled_tests_stay_shuffled(ran: Sessions) -> None:
    """Those of others: they come before the suites, last first."""
    names = [test.rpartition(".")[2] for test in ran("backwards").tests]
    assert names[:3] == ["test_it", "test_number[4]", "test_number[3]"]
    assert names[3].startswith("test_applying_is_loading")


@pytest.mark.parametrize(
    ("name", "reports"),
    [
        ("everything", "reports"),
        ("from a sub-folder", "reports"),
        ("given from a sub-folder", "a/here"),
        ("pyproject.toml", "o/out"),
        ("a project in a repository, from its top", "security/reports"),
    ],
)
def test_paths_are_relative_to_where_they_are_said(ran: Sessions, name: str, reports: str) -> None:
    """Those of a file to the file, given ones to where one stands."""
    session = ran(name)
    assert [path.parent for path in session.results] == [session.folder / reports]


def test_a_test_that_is_named_is_judged_alone(ran: Sessions) -> None:
    """With all acts performed, and nothing missed."""
    result = ran("one test").result
    assert [claim.name for policy in result.policies for claim in policy.claims] == ["test_another_file_goes_through"]
    assert not result.run.whole


def test_a_part_of_the_suites_is_not_the_whole(ran: Sessions) -> None:
    """So the pins of the others are not missed."""
    result = ran("a part of the suites").result
    assert not result.run.whole
    assert ran("its own pins").result.run.whole
    assert [one.pins.held for one in (result, ran("its own pins").result) if one.pins] == [6, 6]


@pytest.mark.parametrize("name", ["other tests alone", "what only tells", *UNJUDGED])
def test_what_judges_no_suite_says_nothing_of_one(ran: Sessions, name: str) -> None:
    """No result, no verdicts on the terminal."""
    session = ran(name)
    assert session.results == []
    assert "= verdicts =" not in session.output


@pytest.mark.parametrize("name", UNJUDGED)
def test_bad_input_is_told_in_a_sentence(ran: Sessions, name: str) -> None:
    """With a remedy, and without a traceback."""
    output = ran(name).output
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output
    assert "to mend it: " in output.replace("To mend it", "to mend it")


def test_nothing_is_opened_where_pytest_only_tells(ran: Sessions) -> None:
    """Not even a folder of reports is made, though the project's target is a cluster."""
    assert not (ran("what only tells").folder / "reports").exists()


# what is printed is pasted


def again(session: Session, folder: Path) -> tuple[Ran, Ran, str]:
    """A red session, and what its line that reproduces it comes to in that folder; and the line."""
    first = start(session, folder)
    lines = set(re.findall(r"^ *reproduce  (.+)$", first.output, re.MULTILINE))
    assert len(lines) == 1, first.output
    (line,) = lines
    before = set(first.results)
    second = pasted(line, first.folder / session.within)
    (directory,) = set(first.results) - before
    return first, Ran(second.code, second.output, directory), line


ODD = "it's, K=3; make test"
RED = {
    "pytest": Session("pytest"),
    "tetraproof test": Session("tetraproof test"),
    "from a sub-folder": Session("tetraproof test", within="a"),
    "one file from a sub-folder": Session("pytest ../suites/test_guard.py", within="a"),
    "given paths": Session("tetraproof test --policies ../policies --recording ../recordings/mine", within="a"),
    "odd names": Session(f'tetraproof test --policies "{ODD}"', files=instead(policies=ODD)),
    "dots": Session("tetraproof test --suites . --policies ../policies", within="suites"),
    "a file elsewhere": Session(
        "tetraproof test more/test_more.py",
        files=SECOND | MORE | {"more/test_more.py": WRONG, "suites/test_guard.py": SUITE.replace("another", "other")},
    ),
}


@pytest.fixture(scope="module")
def reproduced(
    pool: ThreadPoolExecutor, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Ran, Ran, str]]:
    """A red session by its name, and what its line came to."""

    def do(name: str) -> tuple[Ran, Ran, str]:
        session = RED[name]
        files = {"suites/test_guard.py": WRONG, **session.files}
        one = Session(session.command, files=files, within=session.within)
        return again(one, tmp_path_factory.mktemp("red"))

    return as_asked(pool, request, do, RED)


@pytest.mark.parametrize("name", RED)
def test_a_line_that_reproduces_can_be_pasted(reproduced: Callable[[str], tuple[Ran, Ran, str]], name: str) -> None:
    """It judges that very test, and comes to the same."""
    first, second, line = reproduced(name)
    assert line.startswith("tetraproof test -k test_another_file_goes_through --target replay")
    assert (first.code, second.code) == (1, 1), second.output
    (policy,) = second.result.policies
    assert [(claim.name, claim.verdict) for claim in policy.claims] == [("test_another_file_goes_through", "violates")]


NEW = {"policies/new.yaml": POLICY.replace("name: guard", "name: new").replace("/tmp/tetragon", "/tmp/new")}
RECORDS = {
    "its own recording": (Session("tetraproof test"), "--into recordings/mine"),
    "a shipped one": (Session("tetraproof test", files=dict.fromkeys(RECORDING)), "--into recordings/mine"),
    "from a sub-folder": (Session("tetraproof test", within="a"), "--into ../recordings/mine"),
    "given paths": (
        Session(
            f'tetraproof test --suites "{ODD}" --policies ../policies --recordings ../recordings',
            within="a",
            files={f"a/{ODD}/test_new.py": SUITE.replace('"guard"', '"new"'), f"a/{ODD}/conftest.py": SUITES_CONFTEST},
        ),
        "--into ../recordings/mine",
    ),
    "a recording of an odd name": (
        Session(
            "tetraproof test",
            files=instead(recordings=ODD) | {"tetraproof.toml": f'{CONFIGURATION}recordings = "{ODD}"\n'},
        ),
        "--into '",
    ),
}


def collected(session: Session, folder: Path) -> tuple[Ran, Ran, str]:
    """A session of what nobody recorded, and what its line that records would collect."""
    suite = SUITE.replace('"guard"', '"guard", "new"')
    files = {**NEW, "suites/test_guard.py": suite, **session.files}
    first = start(Session(session.command, files=files, within=session.within), folder)
    (line,) = re.findall(r"^ *to record: (.+)$", first.output, re.MULTILINE)
    return first, pasted(f"{line} --collect-only -q", first.folder / session.within), line


@pytest.fixture(scope="module")
def recorded(
    pool: ThreadPoolExecutor, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Ran, Ran, str]]:
    """A session of what nobody recorded by its name, and what its line comes to."""
    return as_asked(pool, request, lambda name: collected(RECORDS[name][0], tmp_path_factory.mktemp("new")), RECORDS)


@pytest.mark.parametrize("name", RECORDS)
def test_a_line_that_records_can_be_pasted(recorded: Callable[[str], tuple[Ran, Ran, str]], name: str) -> None:
    """It finds the same suites; what it records in a guest, tests/installed and tests/targets see."""
    first, second, line = recorded(name)
    assert "not recorded in " in first.output
    assert ": new\n" in first.output
    assert line.startswith("tetraproof test --target standalone --kernel debian:6.12 --bundle 1.7.0 ")
    assert RECORDS[name][1] in line
    assert second.code == 0, second.output
    suite = "test_new.py" if name == "given paths" else "test_guard.py"
    assert f"{suite}::test_writing_is_killed" in second.output


# which words are files


def test_every_option_of_pytests_with_a_value_is_known() -> None:
    """Else its value would be taken for a file where there is one of that name."""
    parser = get_config()._parser.optparser
    valued = {
        option
        for action in parser._actions
        for option in action.option_strings
        if action.nargs is None and type(action).__name__ in {"_StoreAction", "_AppendAction"}
    }
    assert "--junit-xml" in valued
    assert valued <= TAKES_A_VALUE
