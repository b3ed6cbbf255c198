"""Patterns mean what they mean to Go, or are refused. What Go says of each was asked of Go 1.26 itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetraproof.errors import UsageError
from tetraproof.events.regexp import search


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^cart-[[:digit:]]+$", "cart-7", True),
        ("^cart-[[:digit:]]+$", "cart-x", False),
        ("cart", "the-cart-7", True),
        (r"^a\z", "a", True),
        # the end is the very end, also of a text that ends with a line break
        ("^a$", "a\n", False),
        ("(?m)^a$", "a\nb", True),
        (".", "\n", False),
        ("(?s).", "\n", True),
        # digits, words and bounds are of ASCII
        (r"\d", "\u0663", False),
        (r"\w", "é", False),
        ("(?i)k", "\u212a", True),
        (r"\pL", "é", True),
        (r"\p{Greek}", "Ω", True),
        (r"\p{^Greek}", "Ω", False),
        (r"^\Qa.b\E$", "a.b", True),
        (r"^\Qa.b\E$", "axb", False),
        # what is written like a repetition and is none stands for itself
        ("a{,2}", "aa", False),
        ("a{,2}", "a{,2}", True),
        (r"\Q\C\E", r"\C", True),
        (r"\\C", r"\C", True),
        ("(?P<n>a)", "a", True),
        ("(?<n>a)", "a", True),
        ("(?P<n>a)(?P<n>b)", "ab", True),
        ("a{1000}", "a" * 1000, True),
        ("", "", True),
        ("^.$", "\U0001f600", True),
        # half a surrogate pair is no character, and one that is unknown
        ("^.$", "\ud800", True),
        ("^\ufffd$", "\ud800", True),
    ],
)
def test_a_pattern_means_what_it_means_to_go(pattern: str, text: str, *, found: bool) -> None:
    """Searched anywhere, in RE2's syntax."""
    assert search(pattern, whence="--pods")(text) is found


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "a**",
        "[b-a]",
        r"\C",
        r"a\C",
        r"\Qa\E\C",
        r"\Z",
        r"\1",
        r"\x{110000}",
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "(?>a)",
        "(?P=n)",
        "(?P<é>a)",
        "(?<é>a)",
        "a{1001}",
        "(a{100}){100}",
        "a{2,1}",
        "[[:foo:]]",
        r"\p{foo}",
        r"\8",
        "(?x)a",
        "(?#c)",
        "(" * 1001 + ")" * 1001,
        "\udcff",
        "\\",
    ],
)
def test_what_go_refuses_is_refused(pattern: str) -> None:
    """In a sentence that names the place and the pattern."""
    with pytest.raises(UsageError, match=r"^--pods: .* is no regular expression, as Go reads them: .+\.\n"):
        search(pattern, whence="--pods")


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_text_is_a_pattern_or_refused(pattern: str, text: str) -> None:
    """Nothing else is raised, of a pattern or of a text."""
    try:
        found = search(pattern, whence="--pods")
    except UsageError:
        return
    assert found(text) in {True, False}
