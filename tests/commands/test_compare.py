"""`tetraproof compare`: on runs, on recordings that are replayed, and on folders of runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.builders import NEWEST
from tests.comparing.test_comparison import a_result, an_act, an_event
from tests.plugin.test_run import small
from tests.report.test_result import LEAST
from tetraproof.cli import main
from tetraproof.recordings.recording import sealed, write
from tetraproof.report.result import FILE, Result, encode

EVENTS = "scenarios/block-fd-install/events.jsonl"


def a_run(folder: Path, result: Result) -> str:
    folder.mkdir(parents=True)
    (folder / FILE).write_bytes(encode(result))
    return str(folder)


def compared(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["compare", *words])
    return code, capsys.readouterr().out


def test_two_runs_that_are_the_same_are_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0."""
    one = a_run(tmp_path / "a", a_result(an_act(an_event()), claims={"test_a": "conforms"}))
    code, told = compared(capsys, one, str(Path(one) / FILE))
    assert (code, told.splitlines()[-1]) == (0, "nothing changed")


def test_what_changed_is_told_and_a_promise_that_no_longer_conforms_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Marked, counted, with its reason."""
    before = a_run(tmp_path / "a", a_result(an_act(an_event()), claims={"test_a": "conforms"}))
    after = a_run(tmp_path / "b", a_result(an_act(an_event(uid=7)), claims={"test_a": "violates"}))
    code, told = compared(capsys, before, after)
    assert code == 1
    assert "✗ guard: test_a: conforms → violates · the reason" in told.splitlines()
    assert "  process.uid: none → 7 (1 event of kprobe; first guard · act)" in told.splitlines()
    assert told.splitlines()[-1] == "1 of the promises that conformed no longer do"


def test_behaviour_alone_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is for a person to weigh."""
    before = a_run(tmp_path / "a", a_result(an_act(), claims={"test_a": "conforms"}))
    after = a_run(tmp_path / "b", a_result(an_act(ended="exit 1"), claims={"test_a": "conforms"}))
    code, told = compared(capsys, before, after)
    assert code == 0
    assert "    exit 0 before, exit 1 now" in told.splitlines()


def test_what_only_one_has_a_record_of_is_a_line_for_each_policy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """However many promises it has."""
    many = [f"test_{at}" for at in range(9)]
    before = a_run(tmp_path / "a", a_result(claims=dict.fromkeys(many, "unrecorded"), verdict="unrecorded"))
    after = a_run(tmp_path / "b", a_result(claims=dict.fromkeys(many, "conforms")))
    code, told = compared(capsys, before, after)
    assert code == 0
    assert "  guard: recorded only after, conforms (9 promises and limits)" in told.splitlines()


def test_it_is_told_to_programs_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it, in JSON."""
    before = a_run(tmp_path / "a", a_result(an_act(), claims={"test_a": "conforms"}))
    after = a_run(tmp_path / "b", a_result(an_act(ended="exit 1"), claims={"test_a": "inconclusive"}))
    code, told = compared(capsys, before, after, "--json")
    (found,) = json.loads(told)
    assert code == 1
    assert found["worse"] == ["guard: test_a"]
    assert found["behaviour"] == [{"policy": "guard", "act": "act", "what": "exit 0 before, exit 1 now"}]


def test_folders_of_runs_are_compared_cell_by_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By what a cell is, and not by the name of its folder."""

    def cell(result: Result, kernel: str) -> Result:
        return replace(result, target=replace(result.target, cell=replace(LEAST.target.cell, kernel=kernel)))

    for side, verdict in (("before", "conforms"), ("after", "violates")):
        a_run(tmp_path / side / f"{side}-1", cell(a_result(claims={"test_a": "conforms"}), "6.1"))
        a_run(tmp_path / side / f"{side}-2", cell(a_result(claims={"test_a": verdict}), "6.12"))
    code, told = compared(capsys, str(tmp_path / "before"), str(tmp_path / "after"))
    assert code == 1
    assert told.count("nothing changed") == 1
    assert told.count("✗ guard: test_a") == 1


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        pytest.param(lambda lines: lines, 0, id="none"),
        pytest.param(lambda lines: [one for one in lines if b"process_kprobe" not in one], 1, id="a kill not reported"),
        pytest.param(lambda lines: [one for one in lines if b"sentinel-end" not in one], 1, id="an end not heard"),
    ],
)
def test_a_recording_that_is_damaged_in_a_promise_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[list[bytes]], list[bytes]], code: int
) -> None:
    """Both are replayed."""
    files = small(tmp_path)
    write(files, tmp_path / "whole")
    lines = damage(files[EVENTS].splitlines())
    write(sealed({**files, EVENTS: b"\n".join(lines) + b"\n"}), tmp_path / "damaged")
    assert compared(capsys, str(tmp_path / "whole"), str(tmp_path / "damaged"))[0] == code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing", "nothing"), "There is no run, no recording and no folder of runs nothing."),
        ((NEWEST.name, "nothing"), "There is no run, no recording and no folder of runs nothing."),
    ],
)
def test_what_is_neither_is_told(words: tuple[str, str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2."""
    assert main(["compare", *reversed(words)]) == 2
    assert said in capsys.readouterr().err


def test_cells_that_have_nothing_in_common_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With those that there are."""
    for side, kernel in (("a", "6.1"), ("b", "6.12")):
        for number in ("1", "2"):
            cell = replace(LEAST.target.cell, kernel=f"{kernel}.{number}")
            a_run(tmp_path / side / number, replace(LEAST, target=replace(LEAST.target, cell=cell)))
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "No cell is in both." in capsys.readouterr().err
