"""Results joined into a matrix: of any machines and days, with what cannot be read left out by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace

from tests.report.test_result import LEAST
from tetraproof.nightly.axes import Cell
from tetraproof.nightly.merging import MATRIX, Matrix, encode, merge, read_matrix, rows, schema
from tetraproof.nightly.wording import github, jobs, lines, markdown
from tetraproof.report.result import FILE, ClaimResult, PolicyResult, Result
from tetraproof.report.result import encode as encode_result

SPEC = "kprobes: []\n"


def a_policy(verdict: str = "conforms", name: str = "guard", **fields: Any) -> PolicyResult:
    claims = (ClaimResult("test_a", "a", verdict if verdict != "unrecorded" else None),)
    made = PolicyResult(name, name, "", "suites/test_a.py", verdict, f"{verdict} · all", verdict, "", claims=claims)
    return replace(made, **{"spec": SPEC, **fields})


def a_result(*policies: PolicyResult, kernel: str = "6.12", started: str = "2026-11-27T00:00:00", **run: Any) -> Result:
    cell = replace(LEAST.target.cell, kernel=kernel)
    return replace(
        LEAST,
        run=replace(LEAST.run, id=f"{kernel}-{started}", started=started, **run),
        target=replace(LEAST.target, cell=cell),
        policies=policies,
    )


def keep(folder: Path, *results: Result) -> Path:
    for at, result in enumerate(results):
        (folder / f"run-{at}").mkdir(parents=True)
        (folder / f"run-{at}" / FILE).write_bytes(encode_result(result))
    return folder


def joined(folder: Path, *results: Result) -> Matrix:
    merged = merge([keep(folder, *results)])
    assert merged.refused == {}
    return merged.matrix


# what is joined


def test_each_cell_is_one_column_and_each_policy_a_row(tmp_path: Path) -> None:
    """A cell that lacks a policy has nothing there, and what no cell recorded has no row."""
    made = joined(
        tmp_path,
        a_result(a_policy(), a_policy("unrecorded", "never")),
        a_result(a_policy("violates", "other"), kernel="6.1"),
    )
    assert [cell.cell.kernel for cell in made.cells] == ["6.12", "6.1"]
    told = {name: [field and field.verdict for field in fields] for name, fields in rows(made).items()}
    assert told == {"guard": ["conforms", None], "other": [None, "violates"]}


def test_folders_are_looked_through_to_any_depth(tmp_path: Path) -> None:
    """As artifacts of a CI system lie; the same file is read once."""
    keep(tmp_path / "a/b/c", a_result(a_policy()))
    keep(tmp_path / "d", a_result(a_policy(), kernel="6.1"))
    assert len(merge([tmp_path, tmp_path / "a"]).matrix.cells) == 2


def test_the_newest_run_of_a_cell_says_what_holds_there(tmp_path: Path) -> None:
    """And all of them how often, in whatever order they were read."""
    days = ["2026-11-25T00:00:00", "2026-11-27T00:00:00", "2026-11-26T00:00:00"]
    verdicts = ["conforms", "violates", "conforms"]
    made = joined(tmp_path, *(a_result(a_policy(one), started=day) for day, one in zip(days, verdicts, strict=True)))
    (cell,) = made.cells
    assert [run.started for run in cell.runs] == sorted(days)
    field = cell.policies["guard"]
    assert (field.verdict, field.rates, field.unstable) == ("violates", {"conforms": 2, "violates": 1}, True)


@pytest.mark.parametrize(
    ("before", "unstable"),
    [
        pytest.param(a_result(a_policy("violates")), True, id="nothing"),
        pytest.param(a_result(a_policy("violates", spec="kprobes: [{}]\n")), False, id="the policy"),
        pytest.param(replace(a_result(a_policy("violates")), tetraproof="0.0.9"), False, id="the product"),
    ],
)
def test_a_verdict_that_changed_with_nothing_else_is_unstable(tmp_path: Path, before: Result, unstable: bool) -> None:
    """One that changed with the policy, or with what judges it, has changed."""
    after = a_result(a_policy(), started="2026-11-28T00:00:00")
    (cell,) = joined(tmp_path, before, after).cells
    assert cell.policies["guard"].unstable is unstable


def test_runs_that_agree_have_a_rate_and_are_stable(tmp_path: Path) -> None:
    """One alone has no rate."""
    (cell,) = joined(tmp_path / "a", a_result(a_policy()), a_result(a_policy(), started="2026-11-28T00:00:00")).cells
    assert (cell.policies["guard"].rates, cell.policies["guard"].unstable) == ({"conforms": 2}, False)
    (cell,) = joined(tmp_path / "b", a_result(a_policy())).cells
    assert cell.policies["guard"].rates == {}


@pytest.mark.parametrize(("seen", "known"), [(True, True), (False, False)])
def test_a_violation_is_known_where_findings_explain_all_of_it(tmp_path: Path, seen: bool, known: bool) -> None:
    """Of two refutations one that is new is new."""
    claims = (
        ClaimResult("test_a", "a", "violates", finding="x", finding_seen=True),
        ClaimResult("test_b", "b", "violates", finding="y", finding_seen=seen),
    )
    (cell,) = joined(tmp_path, a_result(replace(a_policy("violates"), claims=claims))).cells
    assert cell.policies["guard"].known is known


def test_nodes_of_a_run_are_cells_of_their_own(tmp_path: Path) -> None:
    """What is of no node is told with each."""
    made = a_result(a_policy(name="guard@a"), a_policy("violates", "guard@b"), a_policy(name="installation"))
    made = replace(made, target=replace(made.target, nodes={"a": "6.1", "b": "6.12"}))
    cells = joined(tmp_path, made).cells
    assert [{name: field.verdict for name, field in cell.policies.items()} for cell in cells] == [
        {"guard": "conforms", "installation": "conforms"},
        {"guard": "violates", "installation": "conforms"},
    ]


def test_of_several_scenarios_of_a_policy_each_has_its_row(tmp_path: Path) -> None:
    """Named by what it is."""
    (cell,) = joined(tmp_path, a_result(a_policy(), a_policy("violates", scenario="variant"))).cells
    assert list(cell.policies) == ["guard", "guard (variant)"]


# what is left out


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "is no JSON"),
        (b"", "is no JSON"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"format": 2}', "format is 2, and this tetraproof reads 1"),
        (b'{"format": true}', "format is True"),
        (b'{"format": 1}', "missing required field"),
        (encode_result(a_result(a_policy())).replace(b'"conforms"', b'"perfect"'), "policies[0].verdict is 'perfect'"),
        (encode_result(a_result(a_policy())) + encode_result(a_result(a_policy())), "is no JSON"),
    ],
)
def test_what_cannot_be_read_is_named_and_leaves_the_others(tmp_path: Path, content: bytes, why: str) -> None:
    """A file that is cut, of a newer format, or none of ours."""
    keep(tmp_path, a_result(a_policy()))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / FILE).write_bytes(content)
    merged = merge([tmp_path])
    assert len(merged.matrix.cells) == 1
    (said,) = merged.refused.items()
    assert said[0] == str(tmp_path / "bad" / FILE)
    assert why in said[1]


def test_the_same_run_counts_once(tmp_path: Path) -> None:
    """A copy of it, in another folder, is told of."""
    keep(tmp_path / "a", a_result(a_policy()))
    keep(tmp_path / "b", a_result(a_policy()))
    merged = merge([tmp_path])
    assert [len(cell.runs) for cell in merged.matrix.cells] == [1]
    assert list(merged.refused.values()) == [f"it is the same run as {tmp_path / 'a/run-0' / FILE}"]


def test_a_folder_without_a_result_is_named(tmp_path: Path) -> None:
    """By the file that it lacks."""
    (tmp_path / "empty").mkdir()
    assert "cannot be read" in merge([tmp_path / "empty"]).refused[str(tmp_path / "empty" / FILE)]


# what is written


def test_a_matrix_is_read_as_it_was_written_and_is_what_its_schema_says(tmp_path: Path) -> None:
    """By whoever has the schema, which has an id."""
    made = joined(tmp_path, a_result(a_policy()), a_result(a_policy("violates"), kernel="6.1"))
    (tmp_path / MATRIX).write_bytes(encode(made))
    assert read_matrix(tmp_path) == made
    jsonschema.Draft202012Validator(schema()).validate(json.loads(encode(made)))
    assert json.loads(encode(made))["$id"] == schema()["$id"]


def test_the_shipped_schema_is_that_of_the_types() -> None:
    """Whoever reads a matrix is told of every change."""
    from tests.builders import ROOT  # noqa: PLC0415

    shipped = ROOT / "tetraproof/schemas/matrix.schema.json"
    assert json.loads(shipped.read_bytes()) == json.loads(json.dumps(schema()))


def test_the_summary_begins_with_what_is_new_and_unstable(tmp_path: Path) -> None:
    """Then what is known, then the rest."""
    known = ClaimResult("test_a", "a", "violates", finding="x", finding_seen=True)
    policies = (
        a_policy(name="good"),
        replace(a_policy("violates", "known"), claims=(known,)),
        a_policy("violates", "new"),
        a_policy("inconclusive", "unheard"),
    )
    text = markdown(joined(tmp_path, a_result(*policies, red=("a | b",))))
    assert [line.split()[1] for line in text.splitlines() if line.startswith("| ") and "policy" not in line][1:] == [
        "new",
        "unheard",
        "known",
        "good",
    ]
    assert r"red: a \| b" in text
    assert "❌ violates known" in text


CELLS = [Cell("a_b", {"kernel": "debian:6.1"}, ("--kernel=debian:6.1", "--agent-options=a b")), Cell("c", {}, ())]


def test_cells_are_told_to_others() -> None:
    """A line each, GitHub's include, and Jobs whose names no two cells share."""
    assert lines(CELLS).splitlines()[0] == "a_b\ttetraproof test --kernel=debian:6.1 '--agent-options=a b'"
    assert json.loads(github(CELLS))["include"][0] == {
        "kernel": "debian:6.1",
        "name": "a_b",
        "words": "--kernel=debian:6.1 '--agent-options=a b'",
    }
    alike = [Cell(f"{'x' * 80}{at}", {}, ("--kernel=host",)) for at in range(2)]
    text = jobs(alike, "mine:1")
    names = [line.split()[1] for line in text.splitlines() if line.startswith("  name: ")]
    assert len(set(names)) == 2
    assert all(len(name) <= 63 for name in names)
    assert "--kernel=host" in text
