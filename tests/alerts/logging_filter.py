"""A filter in the query language of Cloud Logging, evaluated on a log entry.

No kept library evaluates that language (what there is builds queries, or turns
them into SQL), so this knows the few operators that the alerts of this project
use, and refuses all else: a filter that it accepts means here what it means
there. From its documentation: `NOT` binds strongest, then `OR`, then `AND`
(also unwritten, between two comparisons); text is compared without regard to
case, regular expressions with; a regular expression is not anchored; of a list
one element that fits is enough; a comparison with a field that is not there is
false, also `!=` and `!~`, and so its `NOT` is true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from tetraproof.errors import TetraproofError

#: What a filter may begin a field with: the parts of a log entry that an alert looks at.
_ROOTS = ("resource", "jsonPayload", "textPayload", "labels", "severity", "logName")
_TOKENS = re.compile(
    r"""(?P<blank>\s+|--[^\n]*)
      | (?P<text>"(?:[^"\\\n]|\\.)*")
      | (?P<operator>!=|=~|!~|>=|<=|=|:|<|>)
      | (?P<bracket>[()])
      | (?P<word>[A-Za-z_][\w-]*(?:\.(?:[A-Za-z_][\w-]*|"(?:[^"\\\n]|\\.)*"))*|\*|-?\d+(?:\.\d+)?)""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?$")
_PART = re.compile(r'"((?:[^"\\]|\\.)*)"|([^.]+)')
_ESCAPE = re.compile(r"\\(.)")
_OTHER_ESCAPE = re.compile(r'^"(?:[^\\]|\\[\\"])*?(\\[^\\"])')
_KEYWORDS = {"AND", "OR", "NOT"}
#: Python's expressions know more than RE2, which Cloud Logging uses: what RE2 refuses is refused here.
_NOT_RE2 = re.compile(r"\(\?(?:[=!]|<[=!]|P=|\(|>)|\\[1-9]|[*+?}]\+")

Entry = Mapping[str, Any]
Test = Callable[[Entry], bool]


class FilterError(TetraproofError):
    """A filter that is malformed, or says something that this evaluator does not know."""


@dataclass(frozen=True)
class Filter:
    """A filter that was read. `fields` are the fields that it looks at."""

    text: str
    fields: tuple[str, ...]
    _test: Test

    def matches(self, entry: Entry) -> bool:
        """Whether the filter selects this log entry."""
        return self._test(entry)


def parse(text: str, source: str = "the filter") -> Filter:
    """The filter that `text` says. Raises `FilterError` at what is not known, with its place."""
    return _Reader(text, source).read()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


class _Reader:
    """A filter, read from left to right."""

    def __init__(self, text: str, source: str) -> None:
        self._text, self._source = text, source
        self._tokens = list(self._tokenize())
        self._next = 0
        self._fields: dict[str, None] = {}

    def read(self) -> Filter:
        if not self._tokens:
            self._refuse(0, "says nothing", "write a comparison: an empty filter selects everything")
        test = self._all()
        if self._here is not None:
            self._refuse(self._here.at, f"has {self._here.text} where nothing is opened", "remove it, or open it")
        return Filter(self._text, tuple(self._fields), test)

    def _all(self) -> Test:
        """Comparisons that must all hold: with AND between them, or nothing."""
        tests = [self._any()]
        while self._here is not None and self._here.text != ")":
            if self._here.text == "AND":
                self._take()
            tests.append(self._any())
        return tests[0] if len(tests) == 1 else lambda entry: all(test(entry) for test in tests)

    def _any(self) -> Test:
        """Comparisons of which one must hold: OR binds stronger than AND in this language."""
        tests = [self._not()]
        while self._here is not None and self._here.text == "OR":
            self._take()
            tests.append(self._not())
        return tests[0] if len(tests) == 1 else lambda entry: any(test(entry) for test in tests)

    def _not(self) -> Test:
        if self._here is not None and self._here.text == "NOT":
            self._take()
            inner = self._not()
            return lambda entry: not inner(entry)
        return self._comparison()

    def _comparison(self) -> Test:
        token = self._take()
        if token.text == "(":
            inner = self._all()
            self._close(token)
            return inner
        if token.kind != "word" or token.text in _KEYWORDS or token.text.split(".")[0] not in _ROOTS:
            self._refuse(
                token.at,
                f"has {token.text} where a field is expected",
                f"begin a comparison with a field of {', '.join(_ROOTS)}; words alone and functions are not known here",
            )
        operator = self._take()
        if operator.kind != "operator" or operator.text not in _COMPARE:
            self._refuse(
                operator.at,
                f"has {operator.text} where an operator is expected",
                f"use one of {' '.join(_COMPARE)}; numbers and times are not compared by order here",
            )
        self._fields[token.text] = None
        path, value = _path(token.text), self._value(operator.text)
        return lambda entry: value(list(_values(entry, path)))

    def _value(self, operator: str) -> Callable[[list[Any]], bool]:
        """What is compared with: one value, or several in brackets with OR or AND between them."""
        token = self._take()
        if token.text != "(":
            return self._one(operator, token)
        tests, joints = [self._one(operator, self._take())], set()
        while self._here is not None and self._here.text in {"OR", "AND"}:
            joints.add(self._take().text)
            tests.append(self._one(operator, self._take()))
        self._close(token)
        if len(joints) > 1:
            self._refuse(token.at, "mixes OR and AND in one list of values", "write several comparisons")
        combine = all if "AND" in joints else any
        return lambda found: combine(test(found) for test in tests)

    def _one(self, operator: str, token: _Token) -> Callable[[list[Any]], bool]:
        if token.text == "*" and operator == ":":
            return bool
        if token.kind != "text" and not (token.kind == "word" and _NUMBER.match(token.text)):
            self._refuse(token.at, f"has {token.text} where a value is expected", "put the value in double quotes")
        wanted = token.text
        if token.kind == "text":
            if found := _OTHER_ESCAPE.search(wanted):
                self._refuse(
                    token.at + found.start(1),
                    f"has the escape {found[1]}",
                    r"write \\ or \"; no other escape is known here",
                )
            wanted = _ESCAPE.sub(r"\1", wanted[1:-1])
        if operator in {"=~", "!~"}:
            self._check_expression(token, wanted)
        compare = _COMPARE[operator](wanted)
        if operator in {"!=", "!~"}:
            return lambda found: compare(self._only(token, found)) if found else False
        return lambda found: any(compare(value) for value in found)

    def _only(self, token: _Token, found: list[Any]) -> Any:
        """The one value to be unlike. What that means of a list is written nowhere, so it is refused."""
        if len(found) > 1:
            self._refuse(
                token.at, f"asks {len(found)} values to be unlike {token.text}", "write NOT before a comparison"
            )
        return found[0]

    def _check_expression(self, token: _Token, expression: str) -> None:
        if found := _NOT_RE2.search(expression):
            self._refuse(token.at + 1, f"uses {found[0]} in a regular expression", "RE2 does not know it: do without")
        try:
            re.compile(expression)
        except re.error as error:
            self._refuse(token.at + 1, f"holds no regular expression: {error}", "mend the expression")

    @property
    def _here(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self) -> _Token:
        token = self._here
        if token is None:
            self._refuse(len(self._text), "ends where more is expected", "finish the last comparison")
        self._next += 1
        return token

    def _close(self, opened: _Token) -> None:
        token = self._here
        if token is None or token.text != ")":
            at, what = (token.at, token.text) if token else (len(self._text), "its end")
            self._refuse(at, f"has {what} where the bracket of {self._place(opened.at)} is to close", "close it: )")
        self._take()

    def _tokenize(self) -> Iterator[_Token]:
        at = 0
        while at < len(self._text):
            found = _TOKENS.match(self._text, at)
            if found is None:
                self._refuse(at, f"has {self._text[at]} where no such character is known", "put text in double quotes")
            if found.lastgroup != "blank":
                yield _Token(str(found.lastgroup), found[0], at)
            at = found.end()

    def _place(self, at: int) -> str:
        before = self._text[:at]
        return f"line {before.count(chr(10)) + 1}, column {at - before.rfind(chr(10))}"

    def _refuse(self, at: int, what: str, remedy: str) -> NoReturn:
        raise FilterError(f"{self._source} {what} ({self._place(at)}).", remedy=remedy)


def _path(field: str) -> tuple[str, ...]:
    return tuple(_ESCAPE.sub(r"\1", quoted) if quoted else plain for quoted, plain in _PART.findall(field))


def _values(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Everything that a path leads to: one value, or one for each element of the lists on the way."""
    if isinstance(value, list):
        for element in value:
            yield from _values(element, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _values(value[path[0]], path[1:])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _equal(wanted: str) -> Callable[[Any], bool]:
    return lambda value: not isinstance(value, Mapping) and _text(value).casefold() == wanted.casefold()


def _unequal(wanted: str) -> Callable[[Any], bool]:
    equal = _equal(wanted)
    return lambda value: not equal(value)


def _has(wanted: str) -> Callable[[Any], bool]:
    return lambda value: not isinstance(value, Mapping) and wanted.casefold() in _text(value).casefold()


def _fits(wanted: str) -> Callable[[Any], bool]:
    expression = re.compile(wanted)
    return lambda value: not isinstance(value, Mapping) and expression.search(_text(value)) is not None


def _misfits(wanted: str) -> Callable[[Any], bool]:
    fits = _fits(wanted)
    return lambda value: not fits(value)


_COMPARE: Mapping[str, Callable[[str], Callable[[Any], bool]]] = {
    "=": _equal,
    "!=": _unequal,
    ":": _has,
    "=~": _fits,
    "!~": _misfits,
}
