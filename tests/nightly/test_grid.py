"""The page of very many cells: what it shows is what the matrix holds, and no text of a stranger's can act."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.nightly.test_merging import a_policy, a_result, keep
from tests.report.test_matrix import closed
from tests.report.test_report import HOSTILE, a_hostile_result
from tetraproof.cli import main
from tetraproof.nightly.grid import grid
from tetraproof.nightly.history import with_history
from tetraproof.nightly.listing import tally
from tetraproof.nightly.merging import Merged, merge, rows
from tetraproof.nightly.wording import markdown
from tetraproof.report.matrix import MOST_COLUMNS
from tetraproof.report.result import ClaimResult, LimitResult, Result
from tetraproof.text import safe

MANY = MOST_COLUMNS + 2


def data_of(html: str) -> dict[str, Any]:
    """What the page's script unfolds."""
    (packed,) = re.findall(r'data-packed="([^"]*)"', html)
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def many(folder: Path, *more: Result) -> Merged:
    """Very many cells of three policies, of which one is a case of the language and one is new in every third cell."""
    policies = (a_policy(name="guard"), replace(a_policy(name="language/x"), feature="matchArgs/In"))
    results = [
        a_result(*policies, a_policy("conforms" if at % 3 else "violates", "other"), kernel=f"6.{at}")
        for at in range(MANY)
    ]
    return merge([keep(folder, *results, *more)])


def test_the_page_is_closed_to_the_outside(tmp_path: Path) -> None:
    """And says what to read where no script runs."""
    shown = closed(grid(many(tmp_path), tmp_path))
    assert set(shown.links) - {"data:,"} == {link for link in shown.links if link.startswith("#v-")}
    assert "Without it, matrix.md tells it in short, and matrix.json all of it." in shown.text
    assert f"2 policies and 1 feature of the policy language on {MANY} cells" in shown.text


def test_a_stranger_s_text_stays_text(tmp_path: Path) -> None:
    """Whatever says it: a policy, a promise, a cell, a run."""
    hostile = a_hostile_result()
    policies = tuple(replace(one, scenario=f"{at}", feature="args/<b>") for at, one in enumerate(hostile.policies))
    run = replace(hostile.run, started="2026-11-27<script>")
    html = grid(many(tmp_path, replace(hostile, run=run, policies=policies)), tmp_path)
    shown = closed(html)
    assert shown.tags["b"] == closed(grid(many(tmp_path / "others"), tmp_path)).tags["b"]
    told = data_of(html)
    (cell,) = [one for one in told["cells"] if one["axes"][0] == safe(HOSTILE)]
    assert cell["runs"][0][0] == "2026-11-27<scrip"
    assert not set(json.dumps(told, ensure_ascii=False)) & {"\x1b", "\u202e", "\x00"}


def test_what_is_unfolded_is_what_the_matrix_holds(tmp_path: Path) -> None:
    """Every policy in every cell: its verdict and its line."""
    merged = many(tmp_path, a_result(a_policy("unsupported", "only-here"), kernel="7.0"))
    told = data_of(grid(merged, tmp_path))
    assert [one["axes"][2] for one in told["cells"]] == [cell.cell.kernel for cell in merged.matrix.cells]
    unfolded = {
        row["policy"]: [
            None if at < 0 else (told["fields"][at]["verdict"], told["fields"][at]["line"]) for at in row["at"]
        ]
        for row in told["rows"]
    }
    assert unfolded == {
        name: [field and (field.verdict, field.line) for field in fields]
        for name, fields in rows(merged.matrix).items()
    }
    assert {row["policy"]: (row["name"], row["group"]) for row in told["rows"]}["language/x"] == (
        "matchArgs/In",
        "matchArgs",
    )


def test_what_most_cells_say_stands_once(tmp_path: Path) -> None:
    """So that thousands of cells are a page that can be sent."""
    told = data_of(grid(many(tmp_path), tmp_path))
    # the policy, the case of the language, and what is new
    assert sorted(field["sort"] for field in told["fields"]) == ["conforms", "new"]


def test_the_evidence_is_with_each_mark(tmp_path: Path) -> None:
    """Which promises are refuted and not judged, by which finding, what passes, how often, and since when."""
    claims = (
        ClaimResult("test_a", "a", "violates", finding="known-one", finding_seen=True),
        ClaimResult("test_b", "b", "inconclusive"),
        ClaimResult("test_c", "c", "conforms"),
    )
    known = replace(a_policy("violates"), claims=claims, limits=(LimitResult("test_l", "UDP", "u", "passes"),))
    before = merge([keep(tmp_path / "before", a_result(known, started="2026-11-24T00:00:00"))])
    runs = [a_result(a_policy(), started="2026-11-25T00:00:00"), a_result(known, started="2026-11-26T00:00:00")]
    merged = merge([keep(tmp_path / "now", *runs)])
    merged.matrix = with_history(merged.matrix, [before.matrix])
    told = data_of(grid(merged, tmp_path))
    (field,) = told["fields"]
    assert field == {
        "sort": "known",
        "verdict": "violates",
        "line": "violates · all",
        "held": 1,
        "promises": 3,
        "refuted": ["test_a"],
        "unheard": ["test_b"],
        "findings": ["known-one"],
        "passes": ["UDP"],
        "rates": {"conforms": 1, "violates": 1},
        "unstable": True,
        "streak": 2,
        "since": "2026-11-24",
    }
    assert [run[0] for run in told["cells"][0]["runs"]] == ["2026-11-25T00:00", "2026-11-26T00:00"]


def test_a_cell_leads_to_its_newest_run_s_page_where_there_is_one(tmp_path: Path) -> None:
    """At the policy's own section, also where the run was on several nodes."""
    made = a_result(a_policy(name="guard@a"), a_policy(name="guard@b"), kernel="7.0")
    nodes = replace(made, target=replace(made.target, nodes={"a": "7.0", "b": "7.1"}))
    plain = a_result(a_policy(name="guard"))
    folder = keep(tmp_path / "runs of today", plain, nodes)
    (folder / "run-1" / "index.html").write_text("a page", encoding="utf-8")
    told = data_of(grid(merge([folder]), tmp_path))
    assert [cell["page"] for cell in told["cells"]] == ["", *["runs%20of%20today/run-1/index.html"] * 2]
    (row,) = told["rows"]
    assert [cell["apart"].get("0", row["anchor"]) for cell in told["cells"]] == [
        "policy-guard",
        "policy-guard-a",
        "policy-guard-b",
    ]


def test_the_numbers_are_there_without_a_script_the_gravest_first(tmp_path: Path) -> None:
    """They are what is printed."""
    shown = closed(grid(many(tmp_path), tmp_path))
    numbers = shown.text.partition("In numbers")[2]
    told = r"other 14 unexplained violation 28 conforms .*guard 42 conforms .*matchArgs/In 42 conforms"
    assert re.search(told, numbers)


def test_of_very_many_cells_the_texts_are_counts(tmp_path: Path) -> None:
    """The summary has no column that nobody can read, and the terminal the gravest first."""
    merged = many(tmp_path)
    lines = markdown(merged.matrix).splitlines()
    assert "| other | unexplained violation 14, conforms 28 |" in lines
    assert "<details><summary>matchArgs: 1 features, conforms 42</summary>" in lines
    assert len(lines) < MANY
    first, second, *_ = tally(merged.matrix).splitlines()
    assert first == f"3 policies on {MANY} cells"
    assert second.split() == ["other", "unexplained", "violation", "14", "·", "conforms", "28"]


@pytest.mark.parametrize(("more", "said"), [(0, False), (30, True)])
def test_a_tally_says_what_it_leaves_out(tmp_path: Path, more: int, *, said: bool) -> None:
    """Of many policies the gravest are told."""
    policies = (a_policy(name=f"p{at}") for at in range(more))
    told = tally(many(tmp_path, a_result(*policies, kernel="7.0")).matrix)
    assert (f"… the 20 gravest of {3 + more}" in told) is said
    assert "other" in told


@pytest.mark.parametrize("command", ["matrix merge", "report"])
def test_whoever_joins_very_many_gets_the_grid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Where a page of columns would be, and a tally in the terminal."""
    many(tmp_path / "runs")
    page = tmp_path / "into" / "index.html"
    page.parent.mkdir()
    into = ["--into", str(page.parent)] if command == "matrix merge" else ["--matrix", str(page)]
    assert main([*command.split(), str(tmp_path / "runs"), *into]) == 0
    assert len(data_of(page.read_text(encoding="utf-8"))["cells"]) == MANY
    told = capsys.readouterr().out
    assert told.startswith(f"3 policies on {MANY} cells\n")
    assert told.endswith(f"matrix: {page}\n")


def test_cells_that_only_their_recording_tells_apart_are_told_by_it(tmp_path: Path) -> None:
    """Or by their settings, where they are not of one."""
    one, two = (a_result(a_policy(), started=f"2026-11-2{at}T00:00:00") for at in range(2))
    of_settings = replace(one, target=replace(one.target, cell=replace(one.target.cell, digest="0123456789abcdef")))
    recorded = replace(two, target=replace(two.target, recording="mine"))
    told = data_of(grid(merge([keep(tmp_path, of_settings, recorded)]), tmp_path))
    assert told["axes"][-1] == "recording"
    assert [cell["axes"][-1] for cell in told["cells"]] == ["settings 0123456789ab", "mine"]
    assert "recording" not in data_of(grid(many(tmp_path / "many"), tmp_path))["axes"]
