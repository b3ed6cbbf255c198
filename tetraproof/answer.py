"""Answers of three values, and how a test in plain Python is judged with them.

A test's body asserts with ordinary `assert`, `in` and `not in`. What it asks may
have no answer: the stream was cut, the act was never recorded, the exec broke.
Python's bool has no third value, so the body is run once for each way in which
the unanswered questions could turn out: if it fails every way it is refuted, if
it passes every way it conforms, otherwise it cannot be judged. So a refutation
wins in whatever order a test asserts. (Logicians call it supervaluation.)
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from tetraproof.text import safe_block
from tetraproof.verdict import Verdict

#: A test is not run in more ways than two to the power of this; where that is not all, it is not judged.
MOST_UNANSWERED = 10


@dataclass(frozen=True)
class Unknown:
    """Why a question has no answer: inconclusive, unsupported or unrecorded, and the reason in a clause."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Asked:
    """One question with its answer. `explain` writes the message for when a test fails on it.

    `about` says which side of the act it asks of: its `outcome`, what it `printed`, its `own` events, those of
    `bystanders`, or what the agent `counted`.
    """

    act: str
    question: str
    answer: bool | Unknown
    explain: Callable[[], str]
    about: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The same question about the same act has the same answer."""
        return self.act, self.question


class Undecided(Exception):  # noqa: N818 - no error: the test goes on another way
    """A value that a test needs is unknown, so this run of its body can go no further."""

    def __init__(self, unknown: Unknown) -> None:
        super().__init__(unknown.reason)
        self.unknown = unknown


@dataclass(frozen=True)
class Judgement:
    """How a body ended: the verdict, its reason, what was asked on the way, and the assertion that failed.

    The reason is what a person reads, whoever wrote the words in it: each of its lines is printable.
    """

    verdict: Verdict
    reason: str = ""
    asked: tuple[Asked, ...] = ()
    location: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", safe_block(self.reason))

    @property
    def decisive(self) -> Asked | None:
        """The question that the verdict hangs on: the last one asked, where it is no plain conformance."""
        return self.asked[-1] if self.asked and self.verdict is not Verdict.CONFORMS else None

    @property
    def acts(self) -> tuple[str, ...]:
        """The acts that were asked about, in order, each once."""
        return tuple(dict.fromkeys(asked.act for asked in self.asked if asked.act))


@dataclass
class _Way:
    """One run of the body: the answers it was told to assume, those it was told to turn round, and what it asked."""

    assumed: tuple[bool, ...]
    turned: frozenset[tuple[str, str]] = frozenset()
    asked: list[Asked] = field(default_factory=list)
    unanswered: dict[tuple[str, str], bool] = field(default_factory=dict)
    failed: AssertionError | None = None
    undecided: Unknown | None = None


_way: ContextVar[_Way | None] = ContextVar("way", default=None)


def ask(
    act: str,
    question: str,
    answer: bool | Unknown,  # noqa: FBT001
    explain: Callable[[], str],
    about: str = "",
) -> bool:
    """The answer as a bool, noted for the judgement; an unknown one as this run of the body assumes it."""
    way = _way.get()
    if way is not None:
        way.asked.append(Asked(act, question, answer, explain, about))
        if isinstance(answer, bool) and (act, question) in way.turned:
            return not answer
    if isinstance(answer, bool):
        return answer
    if way is None:
        raise Undecided(answer)
    key = act, question
    if key not in way.unanswered:
        position = len(way.unanswered)
        way.unanswered[key] = way.assumed[position] if position < len(way.assumed) else True
    return way.unanswered[key]


def judge(body: Callable[[], object]) -> Judgement:
    """Run `body` every way and say what it comes to. Anything but an AssertionError passes through."""
    ways: list[_Way] = []
    pending: list[tuple[bool, ...]] = [()]
    while pending and len(ways) < 2**MOST_UNANSWERED:
        way = _run(body, pending.pop())
        ways.append(way)
        answers = tuple(way.unanswered.values())
        # the last unanswered question is turned round first: a body that goes on from it ends soonest
        pending += [(*answers[:at], not answers[at]) for at in range(len(way.assumed), len(answers))]
    failed = [way for way in ways if way.failed]
    # the way that had to assume least tells the refutation best
    plainest = min(failed, key=_assumed, default=None)
    if plainest and len(failed) == len(ways) and not pending:
        return Judgement(Verdict.VIOLATES, _why(plainest), tuple(plainest.asked), _where(plainest))
    stuck = min((way.undecided for way in ways if way.undecided), key=lambda unknown: unknown.verdict, default=None)
    if stuck:
        return Judgement(stuck.verdict, stuck.reason, tuple(ways[0].asked))
    if not failed and not pending:
        return Judgement(Verdict.CONFORMS, asked=tuple(ways[0].asked))
    unknowns = {asked.key: asked for way in ways for asked in way.asked if isinstance(asked.answer, Unknown)}.values()
    worst = min(unknowns, key=lambda asked: asked.answer.verdict)  # type: ignore[union-attr]
    answer = worst.answer
    assert isinstance(answer, Unknown)
    rest = tuple(asked for asked in ways[0].asked if asked.key != worst.key)
    return Judgement(answer.verdict, answer.reason, (*rest, worst))


def _assumed(way: _Way) -> bool:
    """Whether a way failed on an answer that it only assumed."""
    return bool(way.asked) and not isinstance(way.asked[-1].answer, bool)


def refutations(body: Callable[[], object]) -> tuple[Asked, ...] | None:
    """Every question whose answer refutes `body`: what it fails on, and what it fails on once that is turned round.

    Nothing where it cannot be told: an assertion fails that asks nothing, a value is missing, or it never passes.
    """
    found: dict[tuple[str, str], Asked] = {}
    while True:
        way = _run(body, (), frozenset(found))
        if way.undecided is not None:
            return None
        if way.failed is None:
            return tuple(found.values())
        last = way.asked[-1] if way.asked else None
        if last is None or last.key in found or not isinstance(last.answer, bool):
            return None
        found[last.key] = last


def _run(
    body: Callable[[], object], assumed: tuple[bool, ...], turned: frozenset[tuple[str, str]] = frozenset()
) -> _Way:
    way = _Way(assumed, turned)
    token = _way.set(way)
    try:
        body()
    except AssertionError as error:
        way.failed = error
    except Undecided as error:
        way.undecided = error.unknown
    finally:
        _way.reset(token)
    return way


def _why(way: _Way) -> str:
    if way.asked:
        return way.asked[-1].explain()
    return str(way.failed) or "an assertion failed that asks nothing of an act"


def _where(way: _Way) -> str:
    frames = traceback.extract_tb(way.failed.__traceback__) if way.failed else []
    frame = next((frame for frame in reversed(frames) if frame.name.startswith("test_")), None)
    return f"{frame.filename}:{frame.lineno}: {frame.line}" if frame else ""
