"""A history of matrices: how long each verdict has been what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.nightly.test_merging import a_policy, a_result, keep
from tests.report.test_report import Page
from tetraproof.cli import main
from tetraproof.nightly.history import past, with_history
from tetraproof.nightly.merging import MATRIX, Field, Matrix, as_results, encode, merge
from tetraproof.nightly.wording import markdown


def a_night(folder: Path, day: int, *verdicts: str) -> Matrix:
    policies = [a_policy(verdict, f"policy-{at}") for at, verdict in enumerate(verdicts)]
    return merge([keep(folder / str(day), a_result(*policies, started=f"2026-11-{day}T03:00:00"))]).matrix


def told(folder: Path, *nights: str) -> Field:
    """What the last night tells of a policy that had these verdicts, night by night; nothing where it was not run."""
    made = [a_night(folder, 10 + at, *filter(None, [verdict])) for at, verdict in enumerate(nights)]
    return with_history(made[-1], made[:-1]).cells[0].policies["policy-0"]


@pytest.mark.parametrize(
    ("nights", "streak", "since", "was"),
    [
        (["conforms"], 1, "10", ""),
        (["conforms", "conforms", "conforms"], 3, "10", ""),
        (["violates", "conforms", "conforms"], 2, "11", "violates"),
        (["conforms", "violates"], 1, "11", "conforms"),
        (["conforms", "violates", "conforms"], 1, "12", "violates"),
        (["conforms", "", "conforms"], 2, "10", ""),
    ],
)
def test_a_verdict_has_its_streak(tmp_path: Path, nights: list[str], streak: int, since: str, was: str) -> None:
    """In how many matrices on end, since when, and what it was before."""
    field = told(tmp_path, *nights)
    assert (field.streak, field.since, field.was) == (streak, f"2026-11-{since}T03:00:00", was)


def test_matrices_count_by_their_time_and_not_by_their_names(tmp_path: Path) -> None:
    """What is no matrix is named, and a later one is no past."""
    nights = {day: a_night(tmp_path / "runs", day, "conforms" if day < 12 else "violates") for day in (10, 11, 12, 13)}
    folder = tmp_path / "history"
    folder.mkdir()
    for name, day in (("z", 10), ("a", 11), ("m", 13)):
        (folder / f"{name}.json").write_bytes(encode(nights[day]))
    (folder / "bad.json").write_text("{", encoding="utf-8")
    earlier, refused = past(folder)
    assert list(refused) == [str(folder / "bad.json")]
    field = with_history(nights[12], earlier).cells[0].policies["policy-0"]
    assert (field.streak, field.was) == (1, "conforms")


def test_another_cell_is_no_past_of_it(tmp_path: Path) -> None:
    """A kernel's verdicts are its own."""
    before, after = a_night(tmp_path, 10, "violates"), a_night(tmp_path, 11, "conforms")
    cell = before.cells[0]
    other = replace(before, cells=(replace(cell, title=f"{cell.title} 6.1"),))
    field = with_history(after, [other]).cells[0].policies["policy-0"]
    assert (field.streak, field.was) == (1, "")


def test_the_summary_says_what_turned_and_since_when_the_rest_stands(tmp_path: Path) -> None:
    """In the field itself."""
    first, second = a_night(tmp_path, 10, "conforms", "conforms"), a_night(tmp_path, 11, "violates", "conforms")
    text = markdown(with_history(second, [first]))
    assert "❌ violates **was conforms**" in text
    assert "✅ conforms since 2026-11-10" in text


def test_merging_with_a_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a night's last job does."""
    (tmp_path / "history").mkdir()
    (tmp_path / "history/a.json").write_bytes(encode(a_night(tmp_path / "runs", 10, "conforms")))
    a_night(tmp_path / "runs", 11, "conforms")
    words = ["matrix", "merge", str(tmp_path / "runs/11"), "--into", str(tmp_path / "site")]
    assert main([*words, "--history", str(tmp_path / "history")]) == 0
    assert "since 2026-11-10" in (tmp_path / "site/matrix.md").read_text(encoding="utf-8")
    assert main([*words, "--history", str(tmp_path / "none")]) == 2
    assert "There is no folder" in capsys.readouterr().err


def test_two_matrices_are_compared_by_their_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which is all that they hold."""
    for day, verdict in ((10, "conforms"), (11, "violates")):
        (tmp_path / f"{day}").mkdir()
        (tmp_path / f"{day}" / MATRIX).write_bytes(encode(a_night(tmp_path / "runs", day, verdict)))
    assert main(["compare", str(tmp_path / "10"), str(tmp_path / "11" / MATRIX)]) == 1
    assert "✗ policy-0: test_a: conforms → violates" in capsys.readouterr().out
    made = a_night(tmp_path / "more", 12, "conforms")
    assert [policy.verdict for result in as_results(made) for policy in result.policies] == ["conforms"]


def test_what_stands_and_what_is_unstable_is_told_with_each_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the page, in the terminal and in the summary; of the newest run alone, and of each node its own."""
    policies = [[a_policy(name="guard@a"), a_policy(one, "guard@b")] for one in ("conforms", "violates")]
    days = ["2026-11-25T00:00:00", "2026-11-26T00:00:00"]
    made = [a_result(*own, started=day) for own, day in zip(policies, days, strict=True)]
    runs = [replace(one, target=replace(one.target, nodes={"a": "6.1", "b": "6.12"})) for one in made]
    keep(tmp_path / "before", runs[0])
    earlier = merge([tmp_path / "before"]).matrix
    (tmp_path / "past").mkdir()
    (tmp_path / "past" / MATRIX).write_bytes(encode(earlier))
    keep(tmp_path / "now", *runs)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["matrix", "merge", str(tmp_path / "now"), "--history", str(tmp_path / "past")]) == 0
    told = capsys.readouterr().out
    page = Page((tmp_path / "now" / "index.html").read_text(encoding="utf-8")).text
    summary = (tmp_path / "now" / "matrix.md").read_text(encoding="utf-8")
    for text in (told, summary, page):
        assert text.count("2 of 2") == text.count("since 2026-11-25") == 1
        assert text.count("1 of 2") == text.count("was conforms") == text.count("unstable") == 1
