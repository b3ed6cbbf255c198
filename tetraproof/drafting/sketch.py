"""A suite that is being drawn: what each family of hooks draws it with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tetraproof.drafting.foretelling.fate import End, Fate, Rules
from tetraproof.drafting.foretelling.happening import Deed, Seen
from tetraproof.drafting.foretelling.matching import why_never
from tetraproof.drafting.foretelling.reading import Asked, Hook, Selector
from tetraproof.drafting.outline import Suite
from tetraproof.drafting.place import Scene
from tetraproof.drafting.preface import claim_of
from tetraproof.drafting.promise import Looking, Promises

#: Deeds, each with its fate.
Tried = list[tuple[Deed, Fate]]
_ENDS = {End.KILLED, End.DENIED, End.SIGNALLED, End.TOLD}


@dataclass(frozen=True)
class Drawing:
    """A suite, the policy that it is drawn from, and where its acts are made.

    `without` are the names of acts that are left out, where the suite would be too long to be read.
    """

    suite: Suite
    rules: Rules
    scene: Scene
    without: frozenset[str] = frozenset()

    def promises(self, hook: Hook, looking: Looking | None = None) -> Promises:
        """What makes tests of deeds as a hook meets them."""
        return Promises(self.suite, self.rules, hook, looking)

    def tried(self, hook: Hook, deeds: Iterable[Deed]) -> Tried:
        """Deeds with what becomes of each, as a hook tells it; those that are left out are not among them."""
        return [(deed, self.rules.fate(deed, hook)) for deed in deeds if deed.name not in self.without]

    def meant(self, hook: Hook, selector: Selector, tried: Tried) -> Tried:
        """The deeds that this selector takes; where there are none, why not is noted."""
        ours = [(deed, fate) for deed, fate in tried if fate.effect and fate.effect.hook is hook and fate.end in _ENDS]
        found = [(deed, fate) for deed, fate in ours if fate.effect and fate.effect.selector in (selector, None)]
        if not found:
            elsewhere = "what it takes is taken by a selector or hook before it" if ours else ""
            why = next((fate.why for _, fate in tried if fate.why), elsewhere)
            why = why or why_never(selector, self.scene.place) or "none of the acts known here meets it"
            self.todo(hook, why)
        return found

    def add(self, promises: Promises, tried: Iterable[tuple[Deed, Fate]]) -> None:
        """Add acts and tests of these; where nobody can say what becomes of one, note why."""
        for deed, fate in tried:
            untold = fate.end is End.UNSURE or (fate.end is End.ELSEWHERE and fate.effect is None)
            if not promises.add(deed, fate) and untold and fate.why:
                self.todo(promises.hook, fate.why)

    def todo(self, hook: Hook, what: str) -> None:
        """Note what a person has to add of a hook."""
        told = f"{hook.place} ({hook.told})" if hook.told else hook.place
        self.suite.todo(f"{told}: {what}")

    def claim(self, hook: Hook, selector: Selector, meant: Tried, what: str) -> None:
        """What the suite as a whole says, by the first that it draws."""
        self.suite.claim = self.suite.claim or claim_of(hook, selector, meant, what)


def index_of(known: Seen, *names: str) -> int:
    """Which parameter of a hook is told one of these facts; -1 where none is."""
    return next((at for at, name in known.at.items() if name in names), -1)


def asked_for(asked: Iterable[Asked]) -> str:
    """What is asked of a path, in a clause."""
    return "; ".join(f"{one.operator} {', '.join(one.values)}" for one in asked) or "it asks nothing of a path"
