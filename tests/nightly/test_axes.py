"""`matrix.yaml`: the cells are those that GitHub Actions would make of it, and a mistake is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tetraproof.errors import UsageError
from tetraproof.nightly.axes import Cell, read
from tetraproof.recordings.recording import INDEX


def cells(folder: Path, text: str) -> list[Cell]:
    (folder / "matrix.yaml").write_text(text, encoding="utf-8")
    return list(read(folder / "matrix.yaml", folder / "recordings"))


def values(folder: Path, text: str) -> list[dict[str, str]]:
    return [dict(cell.values) for cell in cells(folder, text)]


def recorded(folder: Path, *names: str) -> None:
    for name in names:
        (folder / "recordings" / name).mkdir(parents=True)
        (folder / "recordings" / name / INDEX).touch()


# what GitHub's documentation says of its own matrices

FRUIT = """\
axes:
  kernel: [apple, pear]
  nodes: [cat, dog]
include:
  - {bundle: green}
  - {bundle: pink, nodes: cat}
  - {kernel: apple, context: circle}
  - {kernel: banana}
  - {kernel: banana, nodes: cat}
"""


def test_what_is_included_goes_where_it_overwrites_nothing(tmp_path: Path) -> None:
    """The example of GitHub's documentation, word by word."""
    assert values(tmp_path, FRUIT) == [
        {"kernel": "apple", "nodes": "cat", "bundle": "pink", "context": "circle"},
        {"kernel": "apple", "nodes": "dog", "bundle": "green", "context": "circle"},
        {"kernel": "pear", "nodes": "cat", "bundle": "pink"},
        {"kernel": "pear", "nodes": "dog", "bundle": "green"},
        {"kernel": "banana"},
        {"kernel": "banana", "nodes": "cat"},
    ]


def test_what_is_excluded_is_a_partial_match(tmp_path: Path) -> None:
    """All that it names must be so, and nothing else is looked at."""
    text = "axes: {kernel: [a, b], nodes: [c, d]}\nexclude: [{kernel: a, nodes: c}, {nodes: d}]\n"
    assert values(tmp_path, text) == [{"kernel": "b", "nodes": "c"}]


def test_what_is_included_is_no_combination_to_include_into(tmp_path: Path) -> None:
    """It is a cell of its own."""
    text = "include: [{kernel: a}, {nodes: b}]\n"
    assert values(tmp_path, text) == [{"kernel": "a"}, {"nodes": "b"}]


# cells


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ("target: standalone, tetragon: '1.7.0'", ("--target=standalone", "--bundle=1.7.0")),
        ("target: kind, tetragon: '1.7.0'", ("--target=kind", "--tetragon-version=1.7.0")),
        ("target: kind, kubernetes: 'kindest/node:v1.36.2'", ("--target=kind", "--kind-image=kindest/node:v1.36.2")),
        ("target: cluster, context: mine", ("--target=cluster", "--context=mine")),
        ("target: replay, tetragon: '1.7.0'", ("--target=replay",)),
        ("agent-options: 'disable-kprobe-multi rb-size=1M'", ("--agent-options=disable-kprobe-multi rb-size=1M",)),
        ("cluster-wide: true", ("--cluster-wide",)),
        ("cluster-wide: false", ()),
        ("slowness: 3", ("--slowness=3",)),
    ],
)
def test_an_axis_is_an_option_of_a_run(tmp_path: Path, axes: str, words: tuple[str, ...]) -> None:
    """That of its target, where each has another."""
    (cell,) = cells(tmp_path, f"axes: {{{axes}}}\n")
    assert cell.words == words


def test_no_two_cells_have_one_name_and_each_is_a_folder_s(tmp_path: Path) -> None:
    """Made of what it is."""
    found = cells(tmp_path, 'axes: {target: [standalone], kernel: ["debian:6.1", "debian:6.12"]}\n')
    assert [cell.name for cell in found] == ["standalone_debian-6.1", "standalone_debian-6.12"]
    assert [cell.heavy for cell in found] == [True, True]


def test_each_recording_is_a_cell(tmp_path: Path) -> None:
    """Under its own name; all of them, or those that are named."""
    recorded(tmp_path, "a", "b")
    assert [cell.name for cell in cells(tmp_path, "recordings: all\n")] == ["a", "b"]
    (only,) = cells(tmp_path, "recordings: [b]\n")
    assert (only.words, only.heavy) == (("--target=replay", "--recording=b"), False)


# mistakes


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        ("axes:\n  kernal: [a]\n", "line 2: axes.kernal is no option of a run", "did you mean kernel?"),
        ("axis: {}\n", "line 1: axis is no field of a matrix", "did you mean axes?"),
        ("axes: [a]\n", "line 1: axes is no mapping", "write kernel:"),
        ("axes:\n  kernel: []\n", "line 2: axes.kernel is an axis without values", "leave it out"),
        ("axes:\n  tetragon: [1.7]\n", "line 2: axes.tetragon[0] is the number 1.7", 'quote it: "1.7"'),
        ("axes:\n  kernel:\n    - {a: b}\n", "line 3: axes.kernel[0] is {'a': 'b'}", "write a text"),
        ("axes:\n  target: [clyster]\n", "line 2: axes.target[0] is 'clyster'", "did you mean cluster?"),
        ("axes: {kernel: a}\nexclude:\n  - {nodes: b}\n", "line 3: exclude[0].nodes is no axis", "there are kernel"),
        ("include:\n  - kernel\n", "line 2: include[0] names no axis", "write - {kernel"),
        ("include: {kernel: a}\n", "line 1: include is no list", "write - {kernel"),
        ("recordings: some\n", "line 1: recordings is neither all nor a list", "write all"),
        ("recordings: all\n", "line 1: recordings are none in", "record a run"),
        ("axes: {}\n", "line 1: it has no cell", "write axes:"),
        ("- a\n", "line 1: it is no mapping", "write axes:"),
        ("axes: {reports: [a]}\n", "line 1: axes.reports is no option of a run", ""),
        ("a: [\n", "is no YAML", ""),
        ("axes: {kernel: a}\n---\naxes: {kernel: b}\n", "holds 2 documents", "write axes:"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, said: str, remedy: str) -> None:
    """The field, and what to write instead."""
    with pytest.raises(UsageError) as caught:
        cells(tmp_path, text)
    assert said in str(caught.value)
    assert remedy in caught.value.remedy


def test_a_recording_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    """By the line that names it."""
    recorded(tmp_path, "cell-a")
    with pytest.raises(UsageError, match=r"line 2: recordings\[0\] is 'cell-b'") as caught:
        cells(tmp_path, "recordings:\n  - cell-b\n")
    assert caught.value.remedy == "did you mean cell-a?"


def test_a_matrix_that_explodes_is_refused(tmp_path: Path) -> None:
    """Before anything of it is run."""
    many = ", ".join(f"a{at}" for at in range(50))
    with pytest.raises(UsageError, match=r"axes make 2500 cells"):
        cells(tmp_path, f"axes: {{kernel: [{many}], nodes: [{many}]}}\n")
