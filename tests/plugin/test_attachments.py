"""What allure is told of a run: each verdict in its own category, and each test known again at the next run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.builders import NEWEST, ROOT, read_tree, write_tree
from tests.plugin.test_run import Ran, start
from tetraproof.recordings.recording import EXPECTED, SUMS, sealed

#: The words of `verdict` in junit.xml, and the categories that they are.
CATEGORY_OF = {
    "violates": "violates",
    "inconclusive": "inconclusive",
    "known": "known finding",
    "passes": "limit passes",
    "unsupported": "unsupported",
    "unrecorded": "unrecorded",
    "not judged": "not judged",
}
#: Where reports lie, by a name that means something to a shell, a pattern and an address.
REPORTS = "a [b] #1 100%"


#: Of the policy language's cases none is recorded there.
SUITES = [
    path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "suites").glob("[a-z]*")) if path.name != "language"
]


def whole(folder: Path) -> list[str]:
    return [*SUITES, "--target", "replay", "--reports", str(folder / REPORTS / "reports")]


def damaged(folder: Path) -> list[str]:
    """The newest recording with kills of one policy that are not reported, and another's stream cut before its end."""
    files = {path: body for path, body in read_tree(NEWEST).items() if path not in {EXPECTED, SUMS}}
    for path, lost in (
        ("scenarios/block-fd-install/events.jsonl", b"process_kprobe"),
        ("scenarios/block-internet-egress/events.jsonl", b"sentinel-end"),
    ):
        files[path] = b"\n".join(line for line in files[path].splitlines() if lost not in line) + b"\n"
    return [*SUITES, "--recording", str(write_tree(sealed(files), folder / NEWEST.name))]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of a run as it is shipped, and of one of a damaged recording that is called alike."""
    folders = [tmp_path_factory.mktemp("run") for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(start, (whole, damaged), folders)
    assert (first.code, second.code) == (0, 1), first.output + second.output
    return Ran(0, "", folders[0] / REPORTS / "reports").directory, second.directory


def results(run: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in (run / "allure").glob("*-result.json")]


def categories(run: Path) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads((run / "allure/categories.json").read_bytes())
    return told


def test_each_verdict_is_a_category_of_its_own(runs: tuple[Path, Path]) -> None:
    """Whether the first that fits is taken, or all; whether the whole message is compared, or searched in."""
    seen = set()
    for run in runs:
        words = {
            (test.get("classname"), test.get("name")): one.get("value")
            for test in ET.parse(run / "junit.xml").iter("testcase")  # our own file
            for one in test.iter("property")
            if one.get("name") == "verdict"
        }
        for result in results(run):
            message = result.get("statusDetails", {}).get("message", "")
            word = words[result["fullName"].partition("#")[0], result["name"]]
            for look in (re.fullmatch, re.search):
                fit = [
                    one["name"]
                    for one in categories(run)
                    if result["status"] in one["matchedStatuses"] and look(one["messageRegex"], message)
                ]
                assert fit == ([CATEGORY_OF[word]] if word != "conforms" else []), message
            seen.add(word)
    assert seen == {*CATEGORY_OF, "conforms"}


def test_a_test_is_known_again_and_is_no_other(runs: tuple[Path, Path]) -> None:
    """By both ways to know it: the hash that Allure 2 takes, and the name and parameters that Allure 3 hashes."""
    first, second = (
        {(one["historyId"], one["testCaseId"], json.dumps(one["parameters"])) for one in results(run)} for run in runs
    )
    assert first == second
    assert len({one for one, *_ in first}) == len({tuple(others) for _, *others in first}) == len(results(runs[0]))
    assert {"name": "tetraproof_case", "value": "block-fd-install"} in results_parameters(runs[0])


def results_parameters(run: Path) -> list[dict[str, Any]]:
    return [parameter for one in results(run) for parameter in one["parameters"]]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_what_allure_3_is_told_is_where_it_lies(runs: tuple[Path, Path], tmp_path: Path) -> None:
    """From wherever it is run, and whatever the folders are called; the categories are the ones that Allure 2 reads."""
    histories = set()
    for run in runs:
        file = (run / "allure/allurerc.mjs").as_uri()
        script = f"import told from {json.dumps(file)}; console.log(JSON.stringify(told))"
        words = ["node", "--input-type=module", "--eval", script]
        told = json.loads(subprocess.run(words, cwd=tmp_path, check=True, capture_output=True).stdout)
        (found,) = Path("/").glob(told["resultsDir"].removeprefix("/"))
        assert found == run / "allure"
        assert Path(told["output"]) == run / "allure-report"
        assert told["categories"] == categories(run)
        assert "Tetragon 1.7.0 (defaults)" in told["name"]
        history = Path(told["historyPath"])
        assert history.parent == run.parent / "allure-history"
        histories.add(history.name)
    assert histories == {f"{NEWEST.name}.jsonl"}
