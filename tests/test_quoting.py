"""Quoting as Go does it: only what needs it, and nothing that steers a terminal."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetraproof.quoting import quoted_if_needed


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", ""),
        ("/usr/bin/cat", "/usr/bin/cat"),
        ('say-"hi"', 'say-"hi"'),
        ("back\\slash", "back\\slash"),
        ("é漢字🚀", "é漢字🚀"),
        ("a b", '"a b"'),
        (" ", '" "'),
        ('a "b" \\c', '"a \\"b\\" \\\\c"'),
        ("tab\t", '"tab\\t"'),
        ("\a\b\f\n\r\t\v", '"\\a\\b\\f\\n\\r\\t\\v"'),
        ("\x1b[2J\x00\x7f", '"\\x1b[2J\\x00\\x7f"'),
        ('\x1b"\\', '"\\x1b\\"\\\\"'),
        ("no\u00a0break", '"no\\u00a0break"'),
        ("\x9b", '"\\u009b"'),
        ("\u202eé", '"\\u202eé"'),
        ("\U000e0001", '"\\U000e0001"'),
        ("\ud800", '"\\ufffd"'),
    ],
)
def test_what_go_writes(text: str, quoted: str) -> None:
    """Each of these was printed by a tetra after 1.7.0, or follows from `strconv.Quote`."""
    assert quoted_if_needed(text) == quoted


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_text_is_printable_and_read_back_the_same(text: str) -> None:
    """Nothing gets lost: what Go quotes, Python reads back, as the escapes are those of both."""
    quoted = quoted_if_needed(text)
    assert quoted.isprintable()
    assert (ast.literal_eval(quoted) if quoted != text else quoted) == text
    assert (quoted == text) == (text.isprintable() and " " not in text)
