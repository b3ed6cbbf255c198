"""`tetraproof draft`: where it writes, what it says, and what it refuses in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import ROOT
from tetraproof.cli import main

SHIPPED = ROOT / "manifests/policies"
NOTHING = """
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {name: nothing}
spec:
  kprobes: [{call: tty_write, syscall: false, args: [{index: 0, type: kiocb}]}]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/guard-token.yaml").write_bytes((SHIPPED / "block-fd-install.yaml").read_bytes())
    return tmp_path


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str], str]:
    code = main(["draft", *arguments])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


def test_a_suite_is_written_beside_the_policies(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the policy's own name, and it is told what is in it and what to type next."""
    code, lines, _ = said(["policies/guard-token.yaml"], capsys)
    assert code == 0
    assert lines[0].startswith("suites/test_guard_token.py: ")
    assert "2 limits" in lines[0]
    assert lines[-1] == "then run it: tetraproof test suites/test_guard_token.py"
    text = (project / "suites/test_guard_token.py").read_text(encoding="utf-8")
    assert 'pytestmark = policy("guard-token")' in text
    assert "from tetraproof.suite import " in text


def test_a_suite_that_is_there_is_not_written_over(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """But with --force."""
    there = project / "suites/test_guard_token.py"
    there.parent.mkdir()
    there.write_text("mine", encoding="utf-8")
    code, _, error = said(["policies/guard-token.yaml"], capsys)
    assert (code, there.read_text(encoding="utf-8")) == (2, "mine")
    assert error == (
        "tetraproof: suites/test_guard_token.py is there already, and is not written over.\n"
        "  to mend it: choose another file with -o, or --force\n"
    )
    assert said(["policies/guard-token.yaml", "--force"], capsys)[0] == 0
    assert there.read_text(encoding="utf-8") != "mine"


def test_it_goes_where_it_is_told_to(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To a file, a folder, the configured folder, or standard output, which then holds nothing else."""
    assert said(["policies/guard-token.yaml", "-o", "one/mine.py"], capsys)[0] == 0
    assert said(["policies/guard-token.yaml", "--suites", "two"], capsys)[0] == 0
    (project / "tetraproof.toml").write_text('suites = "three"\n', encoding="utf-8")
    assert said(["policies/guard-token.yaml"], capsys)[0] == 0
    _, lines, _ = said(["policies/guard-token.yaml", "-o", "-"], capsys)
    text = (project / "one/mine.py").read_text(encoding="utf-8")
    assert (project / "two/test_guard_token.py").read_text(encoding="utf-8") == text
    assert (project / "three/test_guard_token.py").read_text(encoding="utf-8") == text
    assert lines == text.splitlines()


def test_a_policy_that_a_run_would_not_find_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It lies elsewhere than in the folder of policies."""
    (project / "policies/guard-token.yaml").rename("guard-token.yaml")
    _, lines, _ = said(["guard-token.yaml"], capsys)
    assert "a run looks for the policy in policies: put it there, or name its folder by --policies" in lines


def test_of_a_policy_that_nothing_is_known_of_only_the_reason_is_drawn(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No test is made up for it."""
    (project / "policies/nothing.yaml").write_text(NOTHING, encoding="utf-8")
    code, lines, _ = said(["policies/nothing.yaml"], capsys)
    assert code == 0
    assert lines[:2] == [
        "suites/test_nothing.py: nothing could be drawn from nothing",
        "  to do: kprobes[0] (tty_write): which act meets it is not known here",
    ]
    assert "def test_" not in (project / "suites/test_nothing.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["policies/none.yaml"], "The policy policies/none.yaml cannot be read: No such file or directory."),
        (["policies"], "The policy policies is no file."),
        (["policies/guard-token.yaml", "--workloads", "none"], "There is no folder none of workloads."),
        (["policies/guard-token.yaml", "--workloads", "policies"], "tetraproof: policies declares no workload."),
        (["policies/guard-token.yaml", "--crd", "0.1"], "There is no CRD of Tetragon 0.1 here."),
        (["policies/guard-token.yaml", "-o", "policies/guard-token.yaml/x"], "cannot be written"),
    ],
)
@pytest.mark.usefixtures("project")
def test_bad_input_is_told_in_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit code 2."""
    code, lines, error = said(arguments, capsys)
    assert (code, lines) == (2, [])
    assert sentence in error
    assert "Traceback" not in error
