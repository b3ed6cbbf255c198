"""A run from end to end, as a user starts it: what it says, what it leaves behind, and its exit code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from tests.builders import MANIFESTS, NEWEST, RECORDINGS, ROOT, read_tree, recording_files, reindexed, write_tree
from tetraproof.recordings.recording import EXPECTED, INDEX, sealed
from tetraproof.report.label import unrecorded_folders
from tetraproof.report.result import Result, read, schema

FIRST = "suites/files/test_block_fd_install.py"
SYMLINK = "suites/override/test_override_symlink.py"
LIVE = "k8s-1.36.2_tetragon-1.4.1-disable-kprobe-multi_debian-6.12.117_files"
WRITING, OTHER = "test_writing_the_guarded_file_is_killed", "test_writing_another_file_goes_through"


@dataclass(frozen=True)
class Ran:
    """What came of a run."""

    code: int
    output: str
    reports: Path

    @property
    def directory(self) -> Path:
        """The one run's directory among the reports."""
        (found,) = [path for path in self.reports.iterdir() if path.is_dir()]
        return found

    @property
    def result(self) -> Result:
        return read(self.directory)


# recordings and policies to run on, made in a folder of the run's own


def small(folder: Path) -> dict[str, bytes]:
    """The newest cell's first scenario alone, with nothing expected of it."""
    files = {
        path: body
        for path, body in read_tree(NEWEST).items()
        if path.startswith(("environment/", "scenarios/block-fd-install/"))
    }
    index = msgspec.json.decode((NEWEST / INDEX).read_bytes())
    index["scenarios"] = [one for one in index["scenarios"] if one["name"] == "block-fd-install"]
    return sealed({**files, INDEX: msgspec.json.encode(index)})


def on(files: dict[str, bytes], folder: Path) -> list[str]:
    """Run the first suite on these files."""
    return [FIRST, "--recording", str(write_tree(files, folder / "recording"))]


def with_lines(folder: Path, change: Callable[[list[bytes]], list[bytes]]) -> list[str]:
    files, path = small(folder), "scenarios/block-fd-install/events.jsonl"
    files[path] = b"\n".join(change(files[path].splitlines())) + b"\n"
    return on(sealed(files), folder)


def a_kill_that_is_not_reported(folder: Path) -> list[str]:
    return with_lines(folder, lambda lines: [line for line in lines if b"process_kprobe" not in line])


def a_stream_that_dies(folder: Path) -> list[str]:
    return with_lines(folder, lambda lines: [line for line in lines if b"sentinel-end" not in line])


def a_damaged_recording(folder: Path) -> list[str]:
    files = small(folder)
    files["scenarios/block-fd-install/acts.json"] += b" "
    return on(files, folder)


def a_recording_of_a_newer_format(folder: Path) -> list[str]:
    return on(reindexed(recording_files(), format=99), folder)


def a_recording_with_a_bad_field(folder: Path) -> list[str]:
    path = "scenarios/guard/acts.json"
    files = recording_files()
    return on(sealed({**files, path: files[path].replace(b'"exit_code": 0', b'"exit_code": "0"', 1)}), folder)


def a_recording_with_a_broken_policy(folder: Path) -> list[str]:
    return on(sealed({**recording_files(), "scenarios/guard/policy.yaml": b"kind: Pod\n"}), folder)


def other_verdicts_than_expected(folder: Path) -> list[str]:
    arguments = on(small(folder), folder)
    promises = {WRITING: {"verdict": "violates", "cites": "workers-are-killed"}}
    pinned = {"block-fd-install": {"verdict": "violates", "promises": promises}}
    (folder / "recording" / EXPECTED).write_text(json.dumps(pinned), encoding="utf-8")
    return arguments


def a_slip_in_what_is_expected(folder: Path) -> list[str]:
    arguments = on(small(folder), folder)
    (folder / "recording" / EXPECTED).write_text('{"block-fd-install": "conforms"}', encoding="utf-8")
    return arguments


def policies_with_a_typo(folder: Path) -> list[str]:
    shutil.copytree(MANIFESTS, folder / "policies")
    path = folder / "policies/block-fd-install.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("matchActions", "matchAktions"), encoding="utf-8")
    return [FIRST, "--policies", str(folder / "policies")]


def a_suite_that_cannot_be_imported(folder: Path) -> list[str]:
    path = folder / "test_broken.py"
    path.write_text("import nothing_of_this_name\n", encoding="utf-8")
    return ["-c", "pyproject.toml", FIRST, str(path)]


SLIP = '''"""A suite."""
from tetraproof.suite import Acts, Kprobe, Run, policy, shell

pytestmark = policy("block-fd-install")
acts = Acts(bar=shell("echo 'foo' > /tmp/bar"))
NAMED = Kprobe({named})


def test_a_slip(run: Run) -> None:
    """It would hold for ever."""
    assert Kprobe({within}) not in run.bar.timeline
'''


def a_slip(named: str = "", within: str = "") -> Callable[[Path], list[str]]:
    """A suite that expects what no event can say: named at its top, or within a body."""

    def make(folder: Path) -> list[str]:
        (folder / "test_slip.py").write_text(SLIP.format(named=named, within=within), encoding="utf-8")
        return ["-c", "pyproject.toml", "-p", "conftest", str(folder / "test_slip.py")]

    return make


def of_1_4_1(folder: Path, *, acknowledged: str = "") -> list[str]:
    """A cell in which no policy is in force, and nothing is pinned; with what a user's own file acknowledges."""
    source = RECORDINGS / "k8s-1.36.2_tetragon-1.4.1_debian-6.12.117"
    files = {path: body for path, body in read_tree(source).items() if path != EXPECTED}
    arguments = on(files, folder)
    if acknowledged:
        (folder / "known.yaml").write_text(acknowledged, encoding="utf-8")
        arguments += ["--acknowledged", str(folder / "known.yaml")]
    return arguments


def reports_that_cannot_be_written(folder: Path) -> list[str]:
    (folder / "file").write_text("taken", encoding="utf-8")
    return [FIRST, "--reports", str(folder / "file")]


def given(*arguments: str) -> Callable[[Path], list[str]]:
    return lambda _: list(arguments)


NO_TARGET = "There is no target 'nowhere'."
#: name -> how to start it, its exit code, what its output says
RUNS: dict[str, tuple[Callable[[Path], list[str]], int, tuple[str, ...]]] = {
    "the whole of it": (given("suites"), 0, ("verdicts", "report: ")),
    "a cell in which nothing conforms": (
        given("suites", "--recording", "k8s-1.36.2_tetragon-1.4.1_debian-6.12.117"),
        1,
        ("red, because:", "nothing conforms"),
    ),
    "only what is skipped": (given(SYMLINK), 1, ("nothing conforms",)),
    "a folder of the suites": (given("--suites", "suites/files"), 0, ("0 differ",)),
    "the suites of the installation": (given("--suites", "suites/install"), 0, ("0 differ", "3 of 6 promises conform")),
    "suites of which nothing was recorded": (
        given("--suites", "suites/network", "--recording", LIVE),
        1,
        ("red, because:", "nothing conforms"),
    ),
    "a file of the suites": (given("--suites", FIRST), 0, ("0 differ",)),
    "one judgement": (given(FIRST, "-k", WRITING), 0, ("1 passed",)),
    "a kill that is not reported": (
        a_kill_that_is_not_reported,
        1,
        (WRITING, "violated by no known finding", "reproduce  make test K="),
    ),
    "a stream that dies": (a_stream_that_dies, 1, ("inconclusive", "no sentinel was heard", "could not be judged")),
    "other verdicts than expected": (
        other_verdicts_than_expected,
        1,
        ("from the recording's expected.json", f"{WRITING} is conforms, expected violates"),
    ),
    "an unknown target": (given("suites", "--target", "nowhere"), 2, (NO_TARGET, "choose one of auto, replay")),
    "an unknown recording": (
        given("suites", "--recording", "nowhere"),
        2,
        ("There is no recording nowhere.", "there are k8s-", NEWEST.name),
    ),
    "a recording that is a file": (
        given("suites", "--recording", "pyproject.toml"),
        2,
        ("There is no recording pyproj",),
    ),
    "nothing selected": (given(FIRST, "-k", "nothing_of_this_name"), 2, ("'nothing_of_this_name' selects nothing",)),
    "a damaged recording": (a_damaged_recording, 2, ("acts.json has another checksum than SHA256SUMS says",)),
    "a recording of a newer format": (a_recording_of_a_newer_format, 2, ("format is 99", "use a newer tetraproof")),
    "a recording with a bad field": (
        a_recording_with_a_bad_field,
        2,
        ("acts.json: Expected `int | null`", "$[0].exit_code"),
    ),
    "a recording with a broken policy": (a_recording_with_a_broken_policy, 2, ("policy.yaml: kind is 'Pod'",)),
    "a slip in what is expected": (a_slip_in_what_is_expected, 2, ("expected.json", "block-fd-install")),
    "policies with a typo": (
        policies_with_a_typo,
        2,
        ("block-fd-install.yaml: spec.kprobes[0].selectors[0].matchAktions", "did you mean matchActions?"),
    ),
    "policies that are not there": (given(FIRST, "--policies", "nowhere"), 2, ("There is no", "nowhere")),
    "a suite that cannot be imported": (
        a_suite_that_cannot_be_imported,
        2,
        ("No module named 'nothing_of_this_name'",),
    ),
    "a slip in a suite": (a_slip('"fd_install", fiel="/tmp/x"'), 2, ("test_slip.py:6: ", "did you mean file?")),
    "a hook that the policy has not": (a_slip('"fd_instal"'), 2, ("hooks no fd_instal", "did you mean fd_install?")),
    "a hook that no policy can have": (a_slip('"sys_opneat"'), 2, ("did you mean sys_openat?",)),
    "a slip within a body": (a_slip(within='"fd_instal"'), 2, ("did you mean fd_install?",)),
    "a policy that is not in force": (
        of_1_4_1,
        1,
        ("1 promise violated by no known finding", "nothing conforms", "explained by tail-calls-refused"),
    ),
    "one that its user knows of": (
        lambda folder: of_1_4_1(folder, acknowledged="block-fd-install: [tail-calls-refused]"),
        1,
        ("nothing conforms", "known: "),
    ),
    "another that its user knows of": (
        lambda folder: of_1_4_1(folder, acknowledged="block-nginx-write-index: tail-calls-refused"),
        1,
        ("1 promise violated by no known finding",),
    ),
    "a slip in what a user knows of": (
        lambda folder: of_1_4_1(folder, acknowledged="[block-fd-install]"),
        2,
        ("known.yaml holds a list", "policy: [finding, …]"),
    ),
    "reports that cannot be written": (reports_that_cannot_be_written, 2, ("file",)),
}
BAD_INPUT = [name for name, (_, code, _) in RUNS.items() if code == 2 and name != "a suite that cannot be imported"]
JUDGED = [name for name, (_, code, _) in RUNS.items() if code != 2]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Ran]]:
    """The outcome of a run by its name; as many at a time as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs: dict[str, Future[Ran]] = {
            name: pool.submit(start, build, tmp_path_factory.mktemp("run")) for name, (build, _, _) in RUNS.items()
        }
        yield lambda name: runs[name].result()


def start(build: Callable[[Path], list[str]], folder: Path) -> Ran:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    arguments = ["--reports", str(folder / "reports"), *build(folder)]
    quiet = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    done = subprocess.run(
        [sys.executable, "-m", "tetraproof", "test", "--typed", "make", *quiet, *arguments],
        cwd=ROOT,
        env={**environment, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout + done.stderr, folder / "reports")


Runs = Callable[[str], Ran]


@pytest.mark.parametrize("name", RUNS)
def test_the_exit_code_and_the_words(ran: Runs, name: str) -> None:
    """0 green, 1 red, 2 nothing could be judged; and what a user reads."""
    _, code, words = RUNS[name]
    run = ran(name)
    assert run.code == code, run.output
    for word in words:
        assert word in run.output


@pytest.mark.parametrize("name", ["a folder of the suites", "a file of the suites"])
def test_a_part_of_the_suites_is_no_whole_run(ran: Runs, name: str) -> None:
    """However it is named: what the recording is known to show of the others is not missed."""
    result = ran(name).result
    assert not result.run.whole
    assert result.run.red == ()
    assert result.pins is not None
    assert result.pins.held > 0
    assert {one.suite.partition("/test_")[0] for one in result.policies} == {"suites/files"}


def test_a_finding_does_not_show_only_where_it_was_looked_for(ran: Runs) -> None:
    """What is known of a policy that nobody judged is neither seen nor unseen."""
    result = ran("the whole of it").result
    judged = {"conforms", "violates", "inconclusive"}
    looked_for = {one.finding for policy in result.policies for one in policy.claims if one.verdict in judged}
    told = {one.id for one in result.findings}
    assert told <= looked_for
    assert "workers-are-killed" in told
    # of a policy of the language, of which this recording has none
    assert "sub-string-matches-nothing" not in told


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_told_in_a_sentence(ran: Runs, name: str) -> None:
    """No traceback, told once, with a remedy."""
    output = ran(name).output
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output
    assert not re.search(r"^\S+\.py:\d+: ", output, re.MULTILINE)
    assert len(re.findall(r"tetraproof: (?!TARGET=auto|judging|nothing is enforced|to go live|not taken)", output)) == 1
    assert "to mend it: " in output.replace("To mend it", "to mend it")


def test_a_broken_suite_is_told_where_it_breaks(ran: Runs) -> None:
    """By pytest's own error, not by one of ours on top of it."""
    output = ran("a suite that cannot be imported").output
    assert "INTERNALERROR" not in output
    assert "1 error" in output


@pytest.mark.parametrize("name", JUDGED)
def test_the_first_lines_say_what_is_judged(ran: Runs, name: str) -> None:
    """Target, kernel, agent, configuration and Kubernetes; and that nothing is enforced here."""
    first = "\n".join(ran(name).output.splitlines()[:5])
    for word in ("replay", "kernel 6.12.117", "Tetragon 1.", "Kubernetes 1.36.2", "nothing is enforced"):
        assert word in first
    assert re.search(r"\((defaults|disable-kprobe-multi)\)", first)


@pytest.mark.parametrize("name", JUDGED)
def test_a_run_leaves_its_result_behind(ran: Runs, name: str) -> None:
    """verdicts.json by its schema, JUnit's and allure's results, the page; and the terminal says where."""
    run = ran(name)
    told = json.loads((run.directory / "verdicts.json").read_bytes())
    jsonschema.Draft202012Validator(schema()).validate(told)
    tests = ET.parse(run.directory / "junit.xml").getroot().findall(".//testcase")  # our own file
    results = list((run.directory / "allure").glob("*-result.json"))
    assert len(tests) == len(results) > 0
    for test in tests:
        told = {one.get("name"): one.get("value") for one in test.iter("property")}
        assert re.fullmatch(r".+\.py:\d+", told.get("location", "")) or "verdict" not in told
    assert (run.directory / "index.html").stat().st_size > 1000
    assert f"report: {run.directory / 'index.html'}" in run.output
    assert bool(run.result.run.red) is (run.code == 1)


def test_the_whole_run_judges_every_policy_once(ran: Runs) -> None:
    """Every manifest, every finding, every expected entry."""
    result = ran("the whole of it").result
    assert result.run.whole
    assert {path.stem for path in MANIFESTS.glob("*.yaml")} <= {policy.name for policy in result.policies}
    assert result.pins is not None
    assert (result.pins.differences, result.pins.held > 100) == ((), True)
    assert result.counts["conforms"] > 5
    assert all(policy.claims for policy in result.policies if policy.loading != "unrecorded")


def test_the_verdicts_in_the_terminal_are_those_of_the_result(ran: Runs) -> None:
    """One line for each policy, its verdict first; one for a folder of which nothing was recorded."""
    run = ran("the whole of it")
    shown = {match[2]: match[1] for match in re.finditer(r"^(\w+) +([a-z0-9/-]+) · ", run.output, re.MULTILINE)}
    folders = unrecorded_folders(run.result)
    assert {f"{folder}/": "unrecorded" for folder in folders}.items() <= shown.items()
    for policy in run.result.policies:
        if str(Path(policy.suite).parent) not in folders:
            assert shown.get(policy.name) == policy.verdict, policy.name


def claims_of(run: Ran) -> dict[str, Any]:
    return {claim.name: claim for policy in run.result.policies for claim in policy.claims}


def test_a_violation_explains_itself(ran: Runs) -> None:
    """The message is the product: timeline, nearest miss, where it was asserted, how to reproduce it."""
    run = ran("a kill that is not reported")
    claim = claims_of(run)[WRITING]
    assert claim.verdict == "violates"
    for word in ("block-fd-install:", "timeline   node tetra-node", "▸ act", "▪ sentinel", f"asserted at {FIRST}:"):
        assert word in claim.message
    assert claim.message in run.output
    assert claim.location.startswith(f"{FIRST}:")


def test_a_violation_says_how_to_reproduce_it(ran: Runs) -> None:
    """On the very recording that was given, wherever it lies."""
    run = ran("a kill that is not reported")
    (line,) = {line.strip() for line in claims_of(run)[WRITING].message.splitlines() if "reproduce" in line}
    assert line.startswith(f"reproduce  make test K={WRITING} TARGET=replay RECORDING=")
    assert Path(ROOT, line.rpartition("RECORDING=")[2]).is_dir()


def test_an_unheard_stream_is_told_apart_from_a_violation(ran: Runs) -> None:
    """By its verdict in the result, and by its own category in the terminal."""
    run = ran("a stream that dies")
    found = claims_of(run)
    assert {claim.verdict for claim in found.values()} <= {"inconclusive", "conforms", "unrecorded"}
    assert found[OTHER].verdict == "inconclusive"
    assert re.search(r"\d+ inconclusive", run.output)


def test_what_could_not_be_judged_is_told_at_its_test(ran: Runs) -> None:
    """By the line of the decorator or the name, as pytest counts; a promise of every policy stands in no suite."""
    lines = (ROOT / FIRST).read_text(encoding="utf-8").splitlines()
    result = ran("a stream that dies").result
    claims = claims_of(ran("a stream that dies"))
    assert f"def {OTHER}(" in lines[claims[OTHER].line - 1]
    assert claims["test_applying_is_loading"].line == 0
    (limits,) = [policy.limits for policy in result.policies if policy.limits]
    assert all("@limit(" in lines[limit.line - 1] or f"def {limit.name}(" in lines[limit.line - 1] for limit in limits)


def test_what_is_selected_is_no_whole_run(ran: Runs) -> None:
    """So nothing that was left out is missed."""
    result = ran("one judgement").result
    assert not result.run.whole
    assert [claim.name for policy in result.policies for claim in policy.claims] == [WRITING]
    assert result.run.red == ()


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_leaves_no_result_behind(ran: Runs, name: str) -> None:
    """Nothing was judged, so nothing says so."""
    reports = ran(name).reports
    assert not list(reports.rglob("verdicts.json")) if reports.exists() else True


def test_a_run_changes_nothing_in_the_recordings(ran: Runs) -> None:
    """They are as they were committed."""
    ran("the whole of it")
    assert {path.name for path in RECORDINGS.iterdir() if path.is_dir()} >= {NEWEST.name}
    assert {path.name for path in NEWEST.iterdir()} == {"environment", "scenarios", INDEX, "SHA256SUMS", EXPECTED}
