"""A suite as it is drafted: acts, expectations and tests as data, before they are written down."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from tetraproof.drafting.foretelling.reading import Hook
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Act, prepare, shell

#: What a run has words of its own for, so that no act can be called so.
_RESERVED = frozenset(name for name in dir(Run) if not name.startswith("_")) | {"observed", "declared"}


@dataclass(frozen=True)
class Expected:
    """The description of an event: its constructor, the constructor's own arguments, and what is stated besides.

    A value is text, a number, or `Bound`, which the target knows. `role` is what it is called where it has a name.
    """

    event: str
    named: tuple[str, ...] = ()
    stated: tuple[tuple[str, str | int | Bound], ...] = ()
    role: str = ""

    @classmethod
    def of(cls, hook: Hook, role: str = "", **stated: str | int | Bound) -> Expected:
        """An event of a hook."""
        return cls(hook.event, hook.named, tuple(stated.items()), role)


@dataclass(frozen=True)
class Bound:
    """A value that the target binds, by its logical name (`ranges.outside`)."""

    name: str


@dataclass(frozen=True)
class Outcome:
    """`assert run.<act>.<question>`."""

    act: str
    question: str


@dataclass(frozen=True)
class Told:
    """`assert <expected> in run.<act>.<side>`: done `by` a program, `times` times where that is stated, or not at all.

    With `then`, the exit that follows it.
    """

    act: str
    expected: Expected
    by: str = ""
    times: int | None = None
    absent: bool = False
    side: str = "timeline"
    then: Expected | None = None


@dataclass(frozen=True)
class Asked:
    """`assert run.<question>`, with an expectation where the question holds `{}`."""

    question: str
    expected: Expected | None = None


Claim = Outcome | Told | Asked


@dataclass(frozen=True)
class Test:
    """One promise, or of a `limit` what the policy does not promise. `note` is a comment in its body."""

    name: str
    sentence: str
    claims: tuple[Claim, ...]
    limit: str = ""
    note: str = ""

    @property
    def acts(self) -> Iterator[str]:
        """The acts that it asks about."""
        for claim in self.claims:
            if not isinstance(claim, Asked):
                yield claim.act


@dataclass
class Suite:
    """What is written down: the policy's stem, the claim of the whole, acts and tests.

    `scenes` are by pod what is done before the policy is applied, `words` names of paths, `programs` of code that
    acts run, `todos` what a person has to add, each with the reason, `notes` what to know.
    """

    policy: str
    claim: str = ""
    words: dict[str, str] = field(default_factory=dict)
    programs: dict[str, str] = field(default_factory=dict)
    acts: dict[str, Act] = field(default_factory=dict)
    scenes: dict[str, list[str]] = field(default_factory=dict)
    tests: list[Test] = field(default_factory=list)
    todos: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add_act(self, name: str, act: Act) -> str:
        """Keep an act under a name that no other has, and say which; the same act twice is one act.

        A look is made behind each act that it looks at, so it is never the same.
        """
        for known, other in self.acts.items():
            if other == act and not act.look:
                return known
        found = free(name, {*self.acts, *_RESERVED})
        self.acts[found] = act
        return found

    def set_scene(self, pod: str, *commands: str) -> None:
        """Have a shell in a pod do this before the policy is applied, each command once."""
        if commands:
            known = self.scenes.setdefault(pod, [])
            known += [one for one in commands if one not in known]

    @property
    def ordered(self) -> dict[str, Act]:
        """The acts, after those that set the scene: they are performed before the policy is applied."""
        found: dict[str, Act] = {}
        for pod, commands in self.scenes.items():
            found[free("scene", {*found, *self.acts})] = prepare(shell(" && ".join(commands), pod))
        return found | self.acts

    def add_test(self, test: Test) -> None:
        """Keep a test, under a name that no other has; one that asserts the same as another is none."""
        if any(one.claims == test.claims for one in self.tests):
            return
        if test.limit and any(one.limit == test.limit for one in self.tests):  # a report knows a limit by its label
            test = replace(test, limit=f"{test.limit}: {next(test.acts)}")
        self.tests.append(replace(test, name=free(test.name, {one.name for one in self.tests})))

    def todo(self, what: str) -> None:
        """Note what a person has to add, once."""
        if what not in self.todos:
            self.todos.append(what)


def free(name: str, taken: Collection[str]) -> str:
    """A name that is not taken: this one, or it with a number."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found
