"""A suite that is a table: each row is judged by the same promises, and a lie about either act is refuted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import ROOT
from tetraproof.errors import UsageError
from tetraproof.language.case import Case
from tetraproof.report.result import PolicyResult, read
from tetraproof.suite import Kprobe, command

SUITE = """\
from tetraproof.suite import Case, Kprobe, cases, shell

GUARDED, OTHER = shell("echo 'foo' > /tmp/tetragon"), shell("echo 'foo' > /tmp/bar")
EVENT = Kprobe("fd_install", file="/tmp/tetragon", action="SIGKILL")
pytestmark = cases(Case("block-fd-install", "It is killed.", {row}))
"""
TRUE = 'GUARDED, OTHER, EVENT, ends="killed"'
PROMISES = {
    "told": "test_what_matches_is_told",
    "left_alone": "test_its_neighbour_is_left_alone",
    "counted": "test_what_is_reported_is_counted",
}


def judged(folder: Path, row: str) -> PolicyResult:
    (folder / "suites").mkdir()
    (folder / "suites/test_row.py").write_text(SUITE.replace("{row}", row), encoding="utf-8")
    words = (
        "test",
        "--target",
        "replay",
        "--suites",
        str(folder / "suites"),
        "--reports",
        str(folder),
        "--run-id",
        "a",
    )
    subprocess.run(
        [sys.executable, "-m", "tetraproof", *words], cwd=ROOT, check=False, capture_output=True, timeout=300
    )
    (policy,) = read(folder / "a").policies
    return policy


def verdicts(policy: PolicyResult) -> dict[str, str | None]:
    """By a word for each promise that a row makes."""
    found = {claim.name: claim.verdict for claim in policy.claims}
    assert set(found) == {"test_applying_is_loading", "test_every_act_is_told", *PROMISES.values()}
    return {word: found[name] for word, name in PROMISES.items()}


def test_a_row_that_says_the_truth_conforms(tmp_path: Path) -> None:
    """Its sentence is its title, and its acts go by what they are."""
    policy = judged(tmp_path, TRUE)
    assert set(verdicts(policy).values()) == {"conforms"}
    assert policy.title == "It is killed."
    assert [act.name for act in policy.acts if act.role == "act"] == ["near", "match"]


@pytest.mark.parametrize(
    ("row", "refuted"),
    [
        pytest.param("OTHER, GUARDED, EVENT", {"told", "left_alone", "counted"}, id="the two acts changed places"),
        pytest.param("GUARDED, OTHER, EVENT", {"told", "counted"}, id="nobody is said to be killed"),
        pytest.param('GUARDED, OTHER, None, ends="killed"', {"told"}, id="nothing is said to be reported"),
        pytest.param('GUARDED, OTHER, EVENT.having(file="/tmp/tetragon2"), ends="killed"', {"told"}, id="another file"),
        pytest.param('GUARDED, OTHER, EVENT, ends="denied"', {"told"}, id="denied, and not killed"),
    ],
)
def test_a_row_that_lies_is_refuted(tmp_path: Path, row: str, refuted: set[str]) -> None:
    """By the promise that it is about."""
    found = verdicts(judged(tmp_path, row))
    assert {word for word, verdict in found.items() if verdict == "violates"} == refuted
    assert "inconclusive" not in found.values()


def test_no_act_ends_in_a_word_that_there_is_not() -> None:
    """Told where the table is read."""
    with pytest.raises(UsageError, match=r"case x: no act is 'dead'"):
        Case("x", "It is.", command("true"), command("false"), Kprobe("fd_install"), ends="dead")


def test_a_row_whose_policy_another_crd_does_not_take_is_unsupported(tmp_path: Path) -> None:
    """And the others of the table are judged."""
    words = ("--crd", "1.4.1", "--suites", "suites/language/test_match_args_string.py")
    own = ("test", "--target", "replay", *words, "--reports", str(tmp_path), "--run-id", "a")
    done = subprocess.run(
        [sys.executable, "-m", "tetraproof", *own], cwd=ROOT, check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode in {0, 1}, done.stderr
    found = {
        policy.name.removeprefix("language/match-args-string-"): policy for policy in read(tmp_path / "a").policies
    }
    assert found["sub-string"].verdict == "unsupported"
    assert "the CRD of Tetragon 1.4.1 does not take its policy" in found["sub-string"].line
    assert found["equal"].verdict != "unsupported"
