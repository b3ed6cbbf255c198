"""Manifests: read as Go reads them, within bounds, and never a traceback."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tetraproof.errors import PolicyError
from tetraproof.policies.manifest import MAX_FILE, documents, text_of


def read(text: str) -> Any:
    (document,) = documents(text, "made.yaml")
    return document.read()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("7", 7),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 15),
        ("-017", -15),
        ("0b11", 3),
        ("08", 8),
        ("1_000", 1000),
        ("1e3", 1000),
        ("1.0", 1),
        ("1.5", 1.5),
        (".5", 0.5),
        ("99999999999999999999", 1e20),
        ("1e999", "1e999"),
        ("yes", True),
        ("y", True),
        ("N", False),
        ("OFF", False),
        ("tRUE", "tRUE"),
        ("~", None),
        ("", None),
        ("22:80", "22:80"),
        ("1:30:00", "1:30:00"),
        ("2001-01-01", "2001-01-01"),
        ("2001-13-45", "2001-13-45"),
        ("!!timestamp 2001-13-45", "2001-13-45"),
        ("'7'", "7"),
        ("!!str 7", "7"),
        ("!!int '7'", 7),
        ("!!python/object:os.system x", "x"),
        ("!Ref x", "x"),
        ("-", [None]),
        ("'{{ .x }}'", "{{ .x }}"),
        ('"\\U0001F600"', "\U0001f600"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
    ],
)
def test_a_value_is_what_go_makes_of_it(written: str, value: Any) -> None:
    """`kubectl` and the agent read YAML by Go's rules: no dates, no numbers to the base of sixty."""
    made = read(f"a: {written}" if value != [None] else f"a:\n{written}")["a"]
    assert (made, type(made)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1: a", {"1": "a"}),
        ("on: a", {"true": "a"}),
        ("1.5: a", {"1.5": "a"}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: &x 1\nb: &x 2\nc: *x", {"a": 1, "b": 2, "c": 2}),
        ("a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}", {"a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}}),
        ("a: {<<: [{k: 1}, {k: 2, l: 3}]}", {"a": {"k": 1, "l": 3}}),
    ],
)
def test_names_anchors_and_merges(text: str, value: Any) -> None:
    """Names are text; an anchor means what it was last given; what is written beats what is merged."""
    assert read(text) == value


LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 40))
MERGED = "a0: &a0 {k: x}\n" + "".join(f"a{at}: &a{at} {{<<: [*a{at - 1}, *a{at - 1}]}}\n" for at in range(1, 500))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: &x [*x]", "the anchor 'x' holds itself"),
        ("a: &x {b: *x}", "the anchor 'x' holds itself"),
        ("a: &x {<<: *x}", "the anchor 'x' holds itself"),
        ("a: *nobody", "found undefined alias 'nobody'"),
        (LAUGHS, "more than 100,000 values, aliases expanded"),
        (MERGED, "more than 100,000 values, aliases expanded"),
        ("a: " + "[" * 100_000, "nested deeper than 60 levels"),
        ("a: " + "{a: " * 100_000, "nested deeper than 60 levels"),
        ("a:\n  " + "- " * 100_000, "nested deeper than 60 levels"),
        ("a: " + "9" * 5_000, "a number of 5,000 digits"),
        ("a: '" + "x" * 10_000_000 + "'", "is 10,000,005 characters long"),
        ("a: .inf", ".inf is no number that JSON knows"),
        ("a: .nan", ".nan is no number that JSON knows"),
        ('a: "\\ud800"', "surrogates not allowed"),
        ('a: "\\U00110000"', "is no YAML"),
        ("{{ .a }}: b", "where the name of a field is expected"),
        ("a: {{ .b }}", "where the name of a field is expected"),
        ("[a]: b", "where the name of a field is expected"),
        ("~: b", "a field has no name"),
        ("a: 1\na: 2", "'a' is written twice"),
        ("1: a\n'1': b", "'1' is written twice"),
        ("<<: x", "<< takes mappings alone"),
        ("a\0b: c", "is no YAML"),
        ("a: [b", "is no YAML at line 1"),
        ("\ta: b", "is no YAML at line 1"),
        ("%YAML 9.9\n---\na: b", "is no YAML"),
    ],
    ids=lambda value: value[:20],
)
def test_what_cannot_be_read_is_a_sentence_and_soon(text: str, sentence: str) -> None:
    """With the file and the place; nothing hangs, and nothing grows without bound."""
    begun = time.monotonic()
    with pytest.raises(PolicyError) as error:
        [document.read() for document in documents(text, "made.yaml")]
    assert sentence in error.value.sentence
    assert error.value.sentence.startswith("made.yaml")
    assert len(error.value.sentence) < 240
    assert time.monotonic() - begun < 20


def test_a_template_that_is_not_filled_in_is_told_as_such() -> None:
    """The way out is named, wherever the YAML breaks."""
    for text in ("a: {{ .b }}", "{{- if .x }}\na: b\n{{- end }}", "a: [{{ .b }"):
        with pytest.raises(PolicyError) as error:
            read(text)
        assert "helm template" in error.value.remedy


def test_documents_are_split_and_named_by_their_line() -> None:
    """Those that hold nothing but comments are none; a line of dashes within text is no separator."""
    text = "# head\n---\na: |\n  ---\n--- # second\nb: 1\n---\n\n# nothing\n---\nc: [\n"
    found = list(documents(text, "made.yaml"))
    assert [document.source for document in found] == ["made.yaml:2", "made.yaml:5", "made.yaml:10"]
    assert [document.read() for document in found[:2]] == [{"a": "---\n"}, {"b": 1}]
    with pytest.raises(PolicyError, match=r"made\.yaml:10 is no YAML at line 12"):
        found[2].read()


def test_a_file_that_is_none_or_too_large_is_told(tmp_path: Path) -> None:
    """Without being read."""
    with pytest.raises(PolicyError, match="is no file"):
        text_of(tmp_path)
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(PolicyError, match="is no file"):
        text_of(tmp_path / "pipe.yaml")
    large = tmp_path / "large.yaml"
    with large.open("wb") as file:
        file.truncate(MAX_FILE + 1)
    with pytest.raises(PolicyError, match="is 16 MiB large"):
        text_of(large)


PLACES = """\
# a comment
spec:
  kprobes: &all
    - call: a
      args: [{index: 0}, {index: 1,
        type: file}]
    - <<: {call: c}
      ? call
      : b
  again: *all
"""


@pytest.mark.parametrize(
    ("way", "line"),
    [
        ((), 2),
        (("spec",), 2),
        (("spec", "kprobes"), 3),
        (("spec", "kprobes", 0), 4),
        (("spec", "kprobes", 0, "args", 1), 5),
        (("spec", "kprobes", 0, "args", 1, "type"), 6),
        (("spec", "kprobes", 1, "call"), 8),
        (("spec", "again"), 10),
        (("spec", "again", 0, "call"), 4),  # where the anchor is
        # as far as there is something
        (("spec", "kprobes", 0, "nothing", "below"), 4),
        (("spec", "kprobes", 7), 3),
        (("spec", 0), 2),
        (("nothing",), 2),
    ],
)
def test_every_field_has_its_line(way: tuple[str | int, ...], line: int) -> None:
    """In the file, whatever stands before the document."""
    (document,) = documents(PLACES, "made.yaml")
    assert document.line_of(way) == line
    _, second = documents(f"a: b\n---\n{PLACES}", "made.yaml")
    # a document of several begins at its separator
    assert second.line_of(way) == line + 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: b\n\tc: d\n", 2),
        ("a:\n- b: 1\n  b: 2\n", 3),
        ("a: [&x b,\n *y]\n", 2),
        ("a:\n  - .inf\n", 2),
        ("{a: {b}: c\n", 1),
    ],
)
def test_what_cannot_be_read_tells_its_line(text: str, line: int) -> None:
    """Where the reader stopped."""
    with pytest.raises(PolicyError) as refused:
        read(text)
    assert refused.value.line == line
