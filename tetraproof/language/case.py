"""A case of a feature: a policy that uses it, an act that it must match, and the nearest neighbour that it must not.

    pytestmark = cases(
        Case(
            "language/match-args-file-equal",
            "Just this path matches, and none that begins with it.",
            match=command("cat", "/tmp/language/equal"),
            near=command("cat", "/tmp/language/equals"),
            reported=Kprobe("security_file_open", file="/tmp/language/equal"),
        ),
    )

The policy itself says of which feature it is a case, by its annotation `tetraproof.dev/feature`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from tetraproof.errors import UsageError
from tetraproof.judging.expectation import AllOf, Exactly, InOrder
from tetraproof.judging.finding import Known
from tetraproof.judging.pattern import Pattern
from tetraproof.judging.question import ActRun
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Act, prepare, with_programs

#: What may be asked of the act that matches: the words of `run.match`, without an argument.
ENDS = ("succeeded", "free", "killed", "denied", "stopped")
#: The word for an act that ends by itself with exit code 0, whatever was done about it (a signal that it meets).
ENDED = "ended"
#: The kind of event that comes of each kind of hook.
KIND_OF = {
    "kprobes": "kprobe",
    "fentries": "kprobe",
    "tracepoints": "tracepoint",
    "lsmhooks": "lsm",
    "uprobes": "uprobe",
    "usdts": "usdt",
    "loader": "loader",
}


@dataclass(frozen=True)
class Case:
    """One case. `says` is its sentence, `reported` what is reported of the act that matches; nothing where nothing is.

    `ends` is the word for what becomes of that act, `near_ends` for its neighbour, and `near_prints` what that prints,
    where it is asked: who reads nothing did not go through. `before` sets the scene. `known` is the finding that
    refutes one of its promises, with its evidence.
    """

    policy: str
    says: str
    match: Act
    near: Act
    reported: Pattern | InOrder | AllOf | Exactly | None
    ends: str = "succeeded"
    before: tuple[Act, ...] = ()
    near_ends: str = "succeeded"
    near_prints: str | None = None
    known: Known | None = None

    def __post_init__(self) -> None:
        for word in (self.ends, self.near_ends):
            if word not in {*ENDS, ENDED}:
                known = ", ".join((*ENDS, ENDED))
                raise UsageError(f"case {self.policy}: no act is {word!r}.", remedy=f"write one of {known}")

    def __str__(self) -> str:
        return self.policy

    @property
    def acts(self) -> tuple[Act, ...]:
        """All that is performed: the scene, the neighbour, and the act that matches."""
        scene = [replace(prepare(act), name=f"before{at}") for at, act in enumerate(self.before, 1)]
        return tuple(with_programs((*scene, replace(self.near, name="near"), replace(self.match, name="match"))))


class Subject(Protocol):
    """What a test is about, as the plugin has it: here a row of a table."""

    @property
    def row(self) -> Case | None:
        """The case."""
        ...


def test_what_matches_is_told(run: Run, tetraproof_case: Subject) -> None:
    """The act that matches ends as it should, and is reported."""
    case = _case(tetraproof_case)
    assert _ends(run.match, case.ends)
    if case.reported is None:
        for event in events_of(run):
            assert event not in run.match.timeline
    else:
        assert case.reported in run.match.timeline


def test_its_neighbour_is_left_alone(run: Run, tetraproof_case: Subject) -> None:
    """The nearest act that does not match goes through, and nothing is reported of it."""
    case = _case(tetraproof_case)
    assert _ends(run.near, case.near_ends)
    if case.near_prints is not None:
        assert run.near.printed(case.near_prints)
    for event in events_of(run):
        assert event not in run.near.timeline


def test_what_is_reported_is_counted(run: Run, tetraproof_case: Subject) -> None:
    """The agent counts just the events that it reports, and enforces nothing that the case does not say."""
    case = _case(tetraproof_case)
    shown = sum(run.reported(event) for event in events_of(run))
    if case.ends in {"succeeded", "free"}:
        assert run.counts(post=shown, enforce=0)
    else:
        assert run.counts(post=shown)


def _ends(act: ActRun, word: str) -> bool:
    return act.exited(0) if word == ENDED else bool(getattr(act, word))


def _case(subject: Subject) -> Case:
    assert subject.row is not None
    return subject.row


def events_of(run: Run) -> tuple[Pattern, ...]:
    """What an event of the policy is, of each kind that it hooks."""
    spec = run.observed.policy.spec if run.observed.policy else {}
    return tuple(Pattern(kind) for kind in dict.fromkeys(kind for hook, kind in KIND_OF.items() if spec.get(hook)))


#: What every case promises, beside that its policy loads and its acts are told.
PROMISES = (test_what_matches_is_told, test_its_neighbour_is_left_alone, test_what_is_reported_is_counted)
