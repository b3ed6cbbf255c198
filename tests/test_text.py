"""Text of strangers: what steers a terminal, turns or hides text comes out as a visible escape."""

from __future__ import annotations

import html

import jinja2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tetraproof.text import safe, safe_block, shorten

CONTROLS = [chr(code) for code in (*range(0x20), 0x7F, *range(0x80, 0xA0))]
BIDI = list("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
HIDDEN = list("\u00ad\u200b\u200c\u2060\ufeff\ufff9\U000e0001\U000e0041")
BREAKS = ["\u2028", "\u2029", "\x85"]
SURROGATES = ["\ud800", "\udfff"]
HARMFUL = [*CONTROLS, *BIDI, *HIDDEN, *BREAKS, *SURROGATES]

ordinary = st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs")), max_size=20)
hostile = st.lists(st.sampled_from(HARMFUL) | ordinary | st.text(max_size=8), max_size=12).map("".join)


@given(hostile)
@example("\x1b[2J\x1b]0;owned\x07")
@example("\u202egnp.exe")
@example("a\r\nb\x9b31m")
def test_nothing_harmful_is_left(text: str) -> None:
    """Safe text is one line without controls, bidirectional or hidden marks, and can be encoded."""
    told = safe(text)
    assert not set(told) & set(HARMFUL)
    assert len(told.splitlines()) <= 1
    assert told.encode().decode() == told
    assert safe(told) == told


@given(ordinary)
@example("grüße, 世界 · 🚀 ✔️ \\n <b>&")
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Letters, marks, digits, punctuation, symbols and spaces of any script stay as they are."""
    assert safe(text) == text


@pytest.mark.parametrize("character", HARMFUL, ids=ascii)
def test_each_harmful_character_is_shown(character: str) -> None:
    """What is taken out of the text is shown, not lost."""
    told = safe(f"a{character}b")
    assert told.isascii()
    assert told.isprintable()
    assert (told[:2], told[-1]) == ("a\\", "b")
    assert len(told) > 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\x1b[2J", "\\e[2J"),
        ("\x1b]8;;https://evil.example\x07here\x1b]8;;\x07", "\\e]8;;https://evil.example\\x07here\\e]8;;\\x07"),
        ("one\ntwo\tthree\r", "one\\ntwo\\tthree\\r"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("\x00", "\\x00"),
    ],
)
def test_an_escape_is_readable(text: str, told: str) -> None:
    """Escapes are those that people know."""
    assert safe(text) == told


@pytest.mark.parametrize("value", [None, 7, b"\x1b[2J", ["\x1b"], ValueError("\x1b[2J")], ids=repr)
def test_any_value_is_made_text(value: object) -> None:
    """What is no text is told as Python tells it."""
    assert "\x1b" not in safe(value)
    assert safe(value)


markup = st.lists(
    st.sampled_from(["<script>", "</td>", "&lt;", "<!--", '"', "'", "javascript:", "&"]) | hostile, max_size=8
)


@given(markup.map("".join))
@example("<img src=x onerror=alert(1)>")
def test_html_is_text_to_a_template(text: str) -> None:
    """Safe text in a template is text only: no tag, no attribute's end, and nothing escaped twice."""
    rendered = jinja2.Environment(autoescape=True).from_string("{{ text }}").render(text=safe(text))
    assert not set(rendered) & set("<>\"'")
    assert html.unescape(rendered) == safe(text)


def test_trusted_markup_loses_its_trust() -> None:
    """What was marked as HTML is made plain text, so that a template escapes it."""

    class Trusted(str):
        __slots__ = ()

        def __html__(self) -> str:
            return self

    assert type(safe(Trusted("<b>"))) is str
    assert type(safe(Trusted("<b>\u202e"))) is str


@given(hostile)
def test_a_block_keeps_its_lines_only(text: str) -> None:
    """A block has the lines of the text, each of them safe."""
    lines = safe_block(text).split("\n")
    assert lines == [safe(line) for line in text.split("\n")]
    assert not set("".join(lines)) & set(HARMFUL)


@given(hostile, st.integers(1, 40))
@example("abcdefghij", 1)
@example("abcdefghij", 2)
def test_shortened_text_fits(text: str, width: int) -> None:
    """Shortened text is safe, fits, and keeps both of its ends; what fits already is left alone."""
    told, whole = shorten(text, width), safe(text)
    assert len(told) <= width
    assert not set(told) & set(HARMFUL)
    if len(whole) <= width:
        assert told == whole
    else:
        assert len(told) == width
        head, tail = told[: (width - 1) // 2], told[(width - 1) // 2 + 1 :]
        assert whole.startswith(head)
        assert whole.endswith(tail)
