"""Quoting as Go does it: only what needs it, and nothing that steers a terminal."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetraproof.tetra.quoting import quoted_if_needed, unquoted


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
        ("a \\b", '"a \\\\b"'),
        ('a "b', '"a \\"b"'),
        ("\uffff", '"\\uffff"'),
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


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ('🚀 process p "/opt/my app" "-c \\"x\\" \\\\"', '🚀 process p /opt/my app -c "x" \\'),
        ('💥 exit    p /b "a b" 0', "💥 exit    p /b a b 0"),
        ("💥 exit    p /b  0", "💥 exit    p /b  0"),
        ('❓ syscall p say-"hi" f"x"', '❓ syscall p say-"hi" f"x"'),
        ('🚀 process p /b "unfinished', '🚀 process p /b "unfinished'),
        ('🚀 process p /b "\\q \\Uffffffff \\u00a0\\x1b"', "🚀 process p /b \\q \\Uffffffff \u00a0\x1b"),
    ],
)
def test_a_line_without_its_quotes(line: str, plain: str) -> None:
    """What older tetras print; a quote within a word, or one that is not closed, is no quoting of Go's."""
    assert unquoted(line) == plain


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters='"'), min_size=1), min_size=1))
def test_quoting_is_undone(fields: list[str]) -> None:
    """Whatever was quoted comes back, field by field."""
    assert unquoted(" ".join(map(quoted_if_needed, fields))) == " ".join(fields)
