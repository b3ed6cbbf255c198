"""A drafted suite, written down as Python.

It is formatted as ruff formats it, its imports are sorted, and nothing stands in it that is not used.
"""

from __future__ import annotations

import itertools
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tetraproof.drafting.outline import Asked, Bound, Claim, Expected, Outcome, Suite, Test, Told, free
from tetraproof.observing.act import Act

WIDTH = 120
QUOTES = '"""'
_INDENT = "    "
#: A path of so many characters that acts name so often has a name of its own.
_LONG, _OFTEN = 18, 4
#: Where a text may go on in the next line.
_BREAK = "\n"


def quoted(text: str) -> str:
    """A text as Python writes it: in double quotes, or single ones where that saves escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_escaped(one, quote) for one in text) + quote


def _escaped(one: str, quote: str) -> str:
    if one in {"\\", quote}:
        return "\\" + one
    return one if one.isprintable() else repr(one)[1:-1]


def call(head: str, arguments: Sequence[str], indent: str, tail: str = "") -> list[str]:
    """A call in as many lines as it needs: all in one, its arguments in one of their own, or each in its own."""
    whole = [one.replace(_BREAK, " ") for one in arguments]
    flat = f"{indent}{head}({', '.join(whole)}){tail}"
    if len(flat) <= WIDTH or not arguments:
        return [flat]
    inner = f"{indent}{_INDENT}{', '.join(whole)}"
    if len(inner) <= WIDTH:
        return [f"{indent}{head}(", inner, f"{indent}){tail}"]
    lines = [line for one in arguments for line in f"{one},".split(_BREAK)]
    return [f"{indent}{head}(", *(f"{indent}{_INDENT}{line}" for line in lines), f"{indent}){tail}"]


def comment(text: str, indent: str = "", lead: str = "# ") -> list[str]:
    """A comment in lines of at most the width."""
    safe = "".join(one if one.isprintable() else " " for one in text)
    return textwrap.wrap(
        safe, WIDTH, initial_indent=indent + lead, subsequent_indent=f"{indent}# " + " " * (len(lead) - 2),
        break_on_hyphens=False,
    )  # fmt: skip


def written(suite: Suite, module: str = "tetraproof.suite") -> str:
    """The text of a suite's file."""
    return "\n".join(_Writer(suite, module).lines()) + "\n"


class _Writer:
    """One suite that is being written down."""

    def __init__(self, suite: Suite, module: str) -> None:
        self.suite = suite
        self.module = module
        self.patterns = _constants(suite.tests)
        acts = Counter(act for act in suite.acts.values() if act.look)
        self.looks = {act: name for (act, _), name in zip(acts.items(), _numbered("LEFT"), strict=False)}
        said = "\n".join(part for act in suite.ordered.values() for part in act.argv)
        run = {part for act in suite.acts.values() for part in act.argv}
        self.programs = {name: code for name, code in suite.programs.items() if code in run}
        self.words = {
            name: path for name, path in suite.words.items() if len(path) >= _LONG and said.count(path) >= _OFTEN
        }

    def lines(self) -> Iterator[str]:
        body = [*self._named(), *self._acts(), *self._constants()]
        for test in self.suite.tests:
            body += ["", "", *self._test(test)]
        yield from docstring(self.suite.claim, "")
        yield ""
        yield from self._imports(body)
        yield ""
        yield f"pytestmark = policy({quoted(self.suite.policy)})"
        if self.suite.notes or self.suite.todos:
            yield ""
        for note in self.suite.notes:
            yield from comment(note)
        for todo in self.suite.todos:
            yield from comment(todo, lead="# TODO: ")
        yield from body

    def _imports(self, body: Iterable[str]) -> Iterator[str]:
        words = set(re.findall(r"\b[A-Za-z]+\b", "\n".join(_code(body)))) & _WORDS | {"policy"}
        ordered = sorted(words, key=lambda word: (not word[:1].isupper(), word))
        flat = f"from {self.module} import {', '.join(ordered)}"
        if len(flat) <= WIDTH:
            yield flat
        else:
            yield from (f"from {self.module} import (", *(f"{_INDENT}{word}," for word in ordered), ")")

    def _named(self) -> Iterator[str]:
        """The paths and looks that have a name."""
        if self.words or self.looks or self.programs:
            yield ""
        for name, code in self.programs.items():
            yield from f'{name} = """\n{code}"""'.split("\n")
        shorter: dict[str, str] = {}
        for name, path in self.words.items():
            yield f"{name} = {texted(path, shorter)}"
            shorter = {name: path, **shorter}
        for act, name in self.looks.items():
            yield from self._act(f"{name} = ", act, "", "")

    def _acts(self) -> Iterator[str]:
        if not self.suite.ordered:
            return
        if not self.words and not self.looks and not self.programs:
            yield ""
        yield "acts = Acts("
        for name, act in self.suite.ordered.items():
            if act in self.looks:
                yield f"{_INDENT}{name}={self.looks[act]},"
            else:
                yield from self._act(f"{name}=", act, _INDENT, ",")
        yield ")"

    def _act(self, head: str, act: Act, indent: str, tail: str) -> Iterator[str]:
        for outer in ["prepare"] * act.prepare + ["look"] * act.look:
            head, tail = f"{head}{outer}(", f"){tail}"
        pod = [] if act.pod == Act(()).pod else [f"pod={quoted(act.pod)}"]
        word, texts = "command", list(act.argv)
        if len(act.argv) == 3 and act.argv[:2] == ("bash", "-c"):  # noqa: PLR2004 - as `shell` makes it
            word, texts = "shell", [act.argv[2]]
        named = {code: name for name, code in self.programs.items()}
        given = [*(named.get(text) or _scripted(text, self.words) for text in texts), *pod]
        flat = call(f"{head}{word}", given, indent, tail)
        if len(flat) == 1 or not tail.startswith(")"):
            yield from flat
        else:  # the outer is opened first, as a formatter does
            yield from (f"{indent}{head}", *call(word, given, indent + _INDENT), f"{indent}{tail}")

    def _constants(self) -> Iterator[str]:
        if self.patterns and not self.suite.acts:
            yield ""
        for expected, name in self.patterns.items():
            yield from call(f"{name} = {expected.event}", self._arguments(expected), "")

    def _test(self, test: Test) -> Iterator[str]:
        if test.limit:
            yield f"@limit({quoted(test.limit)})"
        yield f"def test_{test.name}(run: Run) -> None:"
        yield from docstring(test.sentence, _INDENT)
        if test.note:
            yield from comment(test.note, _INDENT)
        for claim in test.claims:
            yield from self._claim(claim)

    def _claim(self, claim: Claim) -> Iterator[str]:
        if isinstance(claim, Outcome):
            yield f"{_INDENT}assert run.{claim.act}.{claim.question}"
        elif isinstance(claim, Asked):
            shown = self._shown(claim.expected) if claim.expected else ""
            yield f"{_INDENT}assert run.{claim.question.replace('{}', shown)}"
        else:
            yield from self._told(claim)

    def _told(self, claim: Told) -> Iterator[str]:
        shown = self._shown(claim.expected)
        if claim.by:
            shown += f".by({quoted(claim.by)})"
        word = "not in" if claim.absent else "in"
        tail = f" {word} run.{claim.act}.{claim.side}"
        if claim.times is not None:
            shown = f"Exactly({claim.times}, {shown})"
        if claim.then is not None:
            shown = f"InOrder({shown}, {self._shown(claim.then)})"
        flat = f"{_INDENT}assert {shown}{tail}"
        if len(flat) <= WIDTH:
            yield flat
            return
        head, _, inner = shown.partition("(")
        yield from call(f"wanted = {head}", _parted(inner.removesuffix(")")), _INDENT)
        yield f"{_INDENT}assert wanted{tail}"

    def _shown(self, expected: Expected) -> str:
        name = self.patterns.get(_unbound(expected))
        bound = [(one, value) for one, value in expected.stated if isinstance(value, Bound)]
        if name is None:
            return f"{expected.event}({', '.join(self._arguments(expected))})"
        having = ", ".join(f"{one}={self._value(value)}" for one, value in bound)
        return f"{name}.having({having})" if having else name

    def _arguments(self, expected: Expected) -> list[str]:
        stated = (f"{name}={self._value(value)}" for name, value in expected.stated)
        return [*map(quoted, expected.named), *stated]

    def _value(self, value: str | int | Bound) -> str:
        if isinstance(value, Bound):
            return f"run.bound({quoted(value.name)})"
        return texted(value, self.words) if isinstance(value, str) else str(value)


def _parted(arguments: str) -> list[str]:
    """The arguments of a call that is written already, parted at its own commas."""
    found, depth, start = [], 0, 0
    for at, one in enumerate(re.sub(r'"(?:\\.|[^"\\])*"', lambda text: "_" * len(text[0]), arguments)):
        depth += (one in "([") - (one in ")]")
        if one == "," and depth == 0:
            found.append(arguments[start:at].strip())
            start = at + 1
    return [*found, arguments[start:].strip()]


def _scripted(text: str, words: Mapping[str, str]) -> str:
    """A text of a shell's, in several where it is too long for a line: parted behind a command."""
    if len(texted(text, words)) + 3 * len(_INDENT) <= WIDTH:
        return texted(text, words)
    parts = [""]
    for one in re.split(r"(?<=; )|(?<=&& )", text):
        if parts[-1] and len(texted(parts[-1] + one, words)) + 3 * len(_INDENT) > WIDTH:
            parts.append("")
        parts[-1] += one
    return _BREAK.join(texted(part, words) for part in parts)


def texted(text: str, words: Mapping[str, str]) -> str:
    """A text as Python writes it, with the paths in it by their names."""
    parts = [("", text)]
    for name, path in sorted(words.items(), key=lambda item: -len(item[1])):
        parts = [found for part in parts for found in (_split(part[1], name, path) if not part[0] else [part])]
    if len(parts) == 1:
        return parts[0][0] or quoted(text)
    whole = "".join(f"{{{name}}}" if name else one.replace("{", "{{").replace("}", "}}") for name, one in parts)
    return f"f{quoted(whole)}"


def _split(text: str, name: str, path: str) -> list[tuple[str, str]]:
    """A text parted at a path: what is the path has its name."""
    found = [("", one) for one in re.split(rf"{re.escape(path)}(?![\w.-])", text)]
    parted = [one for part in found for one in (part, (name, path))][:-1]
    return [one for one in parted if one[0] or one[1]]


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in itertools.count(2))


def _unbound(expected: Expected) -> Expected:
    """What of a description does not depend on the target: a constant cannot hold the rest."""
    stated = tuple((name, value) for name, value in expected.stated if not isinstance(value, Bound))
    return Expected(expected.event, expected.named, stated, expected.role)


def _constants(tests: Iterable[Test]) -> dict[Expected, str]:
    """A name for each description that has a role: the plain one for that which is used most."""
    claims = [claim for test in tests for claim in test.claims if isinstance(claim, Told) and claim.expected.role]
    used = Counter(_unbound(claim.expected) for claim in claims)
    first = {_unbound(claim.expected): claim.act for claim in reversed(claims)}
    names: dict[Expected, str] = {}
    for expected, _ in used.most_common():
        name = expected.role
        if name in names.values():
            name = f"{name}_{first[expected].upper()}"
        names[expected] = free(name, names.values())
    return names


def docstring(text: str, indent: str) -> list[str]:
    """A docstring of one sentence, in one line where it fits."""
    safe = "".join(one if one.isprintable() else " " for one in text).replace("\\", "/").replace('"""', "'''")
    safe = safe.replace('"', "'") if safe.endswith('"') else safe
    flat = f'{indent}"""{safe}"""'
    if len(flat) <= WIDTH:
        return [flat]
    # narrower than a line: what would only lack the room for the closing quotes is one line to a formatter
    first, *rest = textwrap.wrap(safe, WIDTH - len(indent) - 2 * len(QUOTES), break_on_hyphens=False)
    return [f'{indent}"""{first}', *(f"{indent}{line}" for line in rest), f'{indent}"""']


def _code(lines: Iterable[str]) -> Iterator[str]:
    """The lines without texts and comments, to see which words they use."""
    for line in lines:
        bare = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', '""', line)
        if not bare.lstrip().startswith("#"):
            yield bare


#: The words of a suite that a draft may use.
_WORDS = frozenset(
    [
        "Acts",
        "Exactly",
        "Exec",
        "Exit",
        "InOrder",
        "Kprobe",
        "Loader",
        "Lsm",
        "Run",
        "Tracepoint",
        "Uprobe",
        "Usdt",
        "command",
        "limit",
        "look",
        "policy",
        "prepare",
        "shell",
        "typed",
    ]
)
