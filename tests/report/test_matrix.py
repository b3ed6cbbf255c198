"""The matrix of few cells, on a page and in a terminal: all of every cell is told, whoever wrote it."""

from __future__ import annotations

import base64
import hashlib
import re
import sys

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from tests.report.test_report import FORBIDDEN, Page, a_full_result, a_hostile_result, a_policy, a_result
from tetraproof.nightly.listing import listing
from tetraproof.report import label
from tetraproof.report.matrix import LACKS, group_of, matrix
from tetraproof.report.page import page
from tetraproof.report.result import PolicyResult, Result


def two_cells() -> list[tuple[str, Result]]:
    """Two results with different sets of policies."""
    old = a_result(a_policy("only-old", "violates"), a_policy("both", "violates", loading="violates"), tetragon="1.4.1")
    new = a_result(a_policy("both"), a_policy("only-new", "unsupported"), *a_full_result().policies[5:])
    return [("old run/index.html", old), ("new/index.html", new)]


def cells_of(html: str) -> dict[str, list[str]]:
    """The matrix's fields by their row."""
    rows = re.findall(r"<tr><th scope=\"row\".*?</tr>", html, re.DOTALL)
    split = [re.split(r"<t[hd][ >]", row)[1:] for row in rows]
    shown = [[" ".join(re.sub(r"<[^>]*>", " ", "<x " + field).split()) for field in row] for row in split]
    return {row[0].removesuffix("≠ the cells differ").strip(): row[1:] for row in shown}


def test_a_matrix_merges_different_sets_of_policies() -> None:
    """A row for each policy, the gravest first, else in the order first seen; what a cell lacks is a dash."""
    cells = cells_of(matrix(two_cells()))
    assert list(cells) == ["only-old", "both", "unloaded", "harm", "only-new", "twice", "twice (unfiltered)"]
    assert cells["only-old"][1] == cells["only-new"][0] == LACKS
    assert cells["both"][0].startswith("violates")
    assert cells["both"][1].startswith("conforms")


def test_nodes_on_different_kernels_are_different_cells() -> None:
    """A run on two nodes is two columns, each with its own kernel; a policy is one row, linked to its section."""
    policies = (a_policy("both@a"), a_policy("both@b", "violates"), a_policy("upgrade"))
    made = a_result(*policies)
    result = replace(made, target=replace(made.target, nodes={"a": "6.1.0", "b": "6.12.0", "idle": "6.12.0"}))
    html = matrix([("run/index.html", result)])
    cells = cells_of(html)
    assert list(cells) == ["both", "upgrade"]
    assert [field.split()[0] for field in cells["both"]] == ["conforms", "violates"]
    assert "6.1.0 (a)" in html
    assert "6.12.0 (b)" in html
    assert "idle" not in html
    links = [link for link in Page(html).links if "#" in link and not link.startswith("#")]
    assert {link.partition("#")[2] for link in links} == set(label.anchors(result))
    text = listing([("run/index.html", result)], 200)
    assert "6.1.0 (a)" in text


def test_a_matrix_links_to_the_policies() -> None:
    """Each field leads to that policy's section in its run's page; paths are quoted."""
    results = two_cells()
    shown = Page(matrix(results))
    sections = {f"{path.replace(' ', '%20')}#{anchor}" for path, result in results for anchor in label.anchors(result)}
    assert sections <= set(shown.links)
    assert {link for link in shown.links if "#" in link and not link.startswith("#")} == sections
    for path, result in results:
        assert set(label.anchors(result)) <= set(Page(page(result)).ids), path


def test_violations_are_told_apart_in_a_matrix() -> None:
    """Not in force, known by its finding, new: each has its own word; what passes stands beside it."""
    cells = cells_of(matrix(two_cells()))
    assert "not in force" in cells["unloaded"][1]
    assert "passes: UDP" in cells["unloaded"][1]
    assert "known: the site is down" in cells["harm"][1]
    assert "not known before" in cells["only-old"][0]
    for name in ("harm", "unloaded"):
        assert "not known before" not in cells[name][1]


def test_only_judged_cells_differ() -> None:
    """A row is marked where verdicts differ, but a replay that cannot tell differs from nothing."""
    results = [
        ("a", a_result(a_policy("x"), a_policy("y"))),
        ("b", a_result(a_policy("x", "unrecorded"), a_policy("y", "violates"))),
    ]
    marked = re.findall(r'scope="row"[^>]*>([^<]*)<span class="unlike">', matrix(results))
    assert marked == ["y"]


@pytest.mark.parametrize(
    "results", [[], [("h", a_hostile_result())], [("h", a_hostile_result()), ("n", a_result())]], ids=len
)
def test_a_matrix_is_closed_to_the_outside(results: list[tuple[str, Result]]) -> None:
    """Well formed whatever it shows, with one script and one style, and nothing leads elsewhere."""
    shown = closed(matrix(results))
    assert all(link == "data:," or link.startswith(("#", "h", "n")) for link in shown.links)
    assert not [link for link in shown.links if link.startswith("http")]


def closed(html: str) -> Page:
    """The page, held to its own policy: what runs and what styles it is named there by digest, and nothing else is."""
    shown = Page(html)
    assert shown.tags["script"] == shown.tags["style"] == 1
    assert not FORBIDDEN - {"form"} & set(shown.tags)
    assert not [found for found in shown.attributes if found[1].startswith("on") or found[1] in {"style", "action"}]
    allowed = next(value for _, name, value in shown.attributes if name == "content" and "default-src" in value)
    assert allowed.startswith("default-src 'none';")
    for code in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(shown.code[code].encode()).digest()).decode()
        assert f"{code}-src 'sha256-{digest}'" in allowed
        assert "url(" not in shown.code[code]
        assert "//" not in re.sub(r"^ *// .*$", "", shown.code[code], flags=re.MULTILINE)
    assert not set(html) & {"\x1b", "\x00", "\u202e"}
    return shown


# the policy language


def a_case(feature: str, verdict: str = "conforms", **fields: object) -> PolicyResult:
    """A policy that is a case of a feature of the policy language."""
    return replace(a_policy(f"language/{feature}", verdict), feature=feature, **fields)


def with_language() -> list[tuple[str, Result]]:
    """A cell of policies alone, and one that has cases of the language beside them."""
    cases = [a_case(f"matchArgs/Op{at}") for at in range(40)]
    cases += [a_case("kprobes.call", "violates"), a_case("options/x", "unrecorded")]
    bare = a_result(a_policy("guard"), *(a_case(case.feature, "unrecorded") for case in cases), tetragon="1.4.1")
    return [("bare", bare), ("both", a_result(a_policy("guard"), *cases))]


def test_the_language_is_told_by_group_and_folded() -> None:
    """Each group with its counts, and a column only of cells that have a record of it; a row of what any has."""
    shown = Page(matrix(with_language()))
    groups = [value for tag, name, value in shown.attributes if (tag, name) == ("table", "data-group")]
    assert groups == ["", "hooks", "matchArgs"]
    assert [value for tag, name, value in shown.attributes if name == "open"] == []
    assert "matchArgs 40 features 40 conforms" in shown.text
    assert "hooks 1 feature 1 unexplained violation" in shown.text
    columns = [value for tag, name, value in shown.attributes if (tag, name) == ("th", "data-at")]
    assert columns == ["0", "1", "1", "1"]
    assert "options/x" not in shown.text


def test_each_mark_of_the_language_says_why_and_leads_there() -> None:
    """To those who cannot see it, too."""
    shown = Page(matrix(with_language()))
    marks = [value for tag, name, value in shown.attributes if (tag, name) == ("a", "aria-label")]
    assert marks == ["violates · the reason of language/kprobes.call"] + [
        f"conforms · the reason of language/matchArgs/Op{at}" for at in range(40)
    ]
    assert "both#policy-language-kprobes-call" in shown.links


@pytest.mark.parametrize(
    ("feature", "group"),
    [
        ("", ""),
        ("kprobes.return", "hooks"),
        ("lists/syscalls", "hooks"),
        ("args/file", "arguments"),
        ("matchArgs/Postfix/file", "matchArgs"),
        ("matchArgs.values", "matchArgs"),
        ("matchPIDs/In", "other selectors"),
        ("matchReturnArgs", "other selectors"),
        ("what.is.new", "other selectors"),
        ("matchActions/Sigkill", "actions"),
        ("options/policy-mode", "options"),
    ],
)
def test_a_feature_is_in_the_group_that_its_name_begins_with(feature: str, group: str) -> None:
    """What is in no other is a selector."""
    assert group_of(feature) == group


# in a terminal


@pytest.mark.parametrize("width", [60, 100, 160])
def test_the_text_table_lists_all(width: int) -> None:
    """Every policy and verdict of every cell at any width, as plain text."""
    told = listing(two_cells(), width)
    assert "\x1b" not in told
    assert max(cell_len(line) for line in told.splitlines()) <= width
    for name in ("only-old", "both", "only-new", "harm", "unloaded", "twice", "(unfiltered)", "1.4.1", "1.7.0", LACKS):
        assert name in told
    for words in ("not in force", "not known before", "passes: UDP", "unsupported"):
        assert words in told


def test_the_text_table_has_colours_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours where the output is a terminal that wants them; the text is the same."""
    plain = listing(two_cells(), 120)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = listing(two_cells(), 120)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m| ", "", coloured) == plain.replace(" ", "")


@pytest.mark.parametrize("width", [40, 100])
def test_a_hostile_text_table_is_harmless(width: int) -> None:
    """Strangers' text steers no terminal and breaks no column, in a table and in a list."""
    told = listing([("h", a_hostile_result()), ("n", a_result())], width)
    assert not set(told) & {"\x1b", "\x00", "\u202e"}
    assert max(cell_len(line) for line in told.splitlines()) <= width


@pytest.mark.parametrize("width", [80, 200])
def test_cells_that_differ_are_marked_at_any_width(width: int) -> None:
    """Each row whose cells do, and no other."""
    lines = listing(two_cells(), width).splitlines()
    marked = [at for at, line in enumerate(lines) if "≠ the cells differ" in line]
    assert len(marked) == 1
    # beside the name, or below it
    assert any(lines[at].startswith(("both", " both")) for at in (marked[0], marked[0] - 1))


def test_what_cells_say_alike_is_told_once() -> None:
    """With the numbers of those that do, which the legend explains."""
    alike = [(name, a_result(a_policy("guard"), tetragon=name)) for name in ("1.1", "1.2", "1.3")]
    other = ("1.4", a_result(a_policy("guard", "violates"), tetragon="1.4"))
    lines = [line.split() for line in listing([*alike, other], 80).splitlines()]
    assert ["1", "2", "3", "conforms", "·", "the", "reason", "of", "guard"] in lines
    assert [line[:2] for line in lines if "Tetragon" in line] == [[str(at), "Tetragon"] for at in range(1, 5)]


@pytest.mark.parametrize("width", [80, 200])
def test_the_language_is_counted_in_a_terminal(width: int) -> None:
    """What nothing explains is named; what is folded is said, and how to see it."""
    told = listing(with_language(), width)
    assert "matchArgs: 40 features of the policy language" in told
    assert "conforms 40" in told
    assert "matchArgs/Op7" not in told
    assert "kprobes.call  language/kprobes.call" in told
    assert "41 features of the policy language are counted; --all lists each" in told
    assert len(told.splitlines()) < 40


def test_all_of_the_language_is_listed_where_it_is_asked_for() -> None:
    """And nothing is said to be folded."""
    told = listing(with_language(), 80, everything=True)
    assert all(f"matchArgs/Op{at} " in told for at in range(40))
    assert "--all" not in told
