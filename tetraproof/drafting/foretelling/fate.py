"""What a policy makes of a deed: who is killed, refused or told of, or that nobody can say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from tetraproof.drafting.foretelling.happening import Deed, Happening, of_itself, seen
from tetraproof.drafting.foretelling.matching import Unsure, takes
from tetraproof.drafting.foretelling.reading import Action, Hook, Selector, hooks
from tetraproof.drafting.place import Place
from tetraproof.policies.inspection.overriding import error_of
from tetraproof.policies.policy import Policy
from tetraproof.policies.requirement import demanded_mode

_KILL = 9
#: Actions after which a process or its call is no more what it was.
_ENFORCING = ("Sigkill", "Signal", "Override", "NotifyEnforcer", "Set")


class End(Enum):
    """What becomes of a deed: `TOLD` where it is reported and goes through, `FREE` where nothing is known of it."""

    KILLED = "killed"
    SIGNALLED = "signalled"
    DENIED = "denied"
    TOLD = "told"
    FREE = "free"
    ELSEWHERE = "elsewhere"
    UNSURE = "unsure"


@dataclass(frozen=True)
class Effect:
    """One hook that takes a happening, by this selector (nothing where the hook has none)."""

    hook: Hook
    selector: Selector | None
    happening: Happening

    @property
    def action(self) -> Action | None:
        """What it does about it, beyond telling; the last word where it does several things."""
        selector = self.selector
        return (selector.does("Sigkill", "Signal") or selector.does(*_ENFORCING)) if selector else None

    @property
    def told(self) -> bool:
        """Whether an event is made of it."""
        return self.selector is None or self.selector.does("NoPost") is None


@dataclass(frozen=True)
class Fate:
    """The end of a deed, what brings it about, and why nobody can say where that is so.

    `also` are the hooks that tell of something in the deed: what is not told of it has to be said more closely then.
    """

    end: End
    effect: Effect | None = None
    error: str = ""
    why: str = ""
    also: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Rules:
    """A policy as it meets acts in one place."""

    policy: Policy
    hooks: tuple[Hook, ...]
    place: Place

    @classmethod
    def of(cls, policy: Policy, place: Place) -> Rules:
        """The rules of a policy for acts in a pod of `place`."""
        return cls(policy, hooks(policy), place)

    @property
    def monitors(self) -> bool:
        """Whether it only tells what it would do, by its own option."""
        return demanded_mode(self.policy) == "monitor"

    @property
    def enforces(self) -> bool:
        """Whether it stops anything."""
        return demanded_mode(self.policy) == "enforce"

    def effects(self, happening: Happening) -> Iterator[Effect | Unsure]:
        """What the policy's hooks make of one happening."""
        for hook in self.hooks:
            known = seen(hook.call)
            if known is None or happening.what not in known.what:
                continue
            if hook.unread:
                yield Unsure(hook.unread)
                continue
            found = self._taken(hook, happening)
            if found is not None:
                yield found

    def _taken(self, hook: Hook, happening: Happening) -> Effect | Unsure | None:
        if not hook.selectors:
            return Effect(hook, None, happening)
        for selector in hook.selectors:
            answer = takes(hook, selector, happening, self.place, self.policy.bound)
            if isinstance(answer, Unsure):
                return answer
            if answer:
                return Effect(hook, selector, happening)
        return None

    def fate(self, deed: Deed, hook: Hook | None = None) -> Fate:
        """What becomes of a deed; where several hooks tell of it, as `hook` tells it."""
        before = [one for program in deed.programs for one in of_itself(program)]
        loud = list(self._enforced(before))
        if loud:
            return Fate(End.ELSEWHERE, why=_loud(loud[0]))
        also = frozenset(one.hook.call for one in self._all(before) if isinstance(one, Effect))
        told: Effect | None = None
        unsure: Unsure | None = None
        for at, happening in enumerate((*deed.before, *deed.happens)):
            aimed = at >= len(deed.before)
            for effect in self.effects(happening):
                if isinstance(effect, Unsure):
                    unsure = unsure or effect
                    continue
                if effect.action is not None and not self.monitors:
                    if not aimed:
                        return Fate(End.ELSEWHERE, effect, why=f"{effect.hook.told} already takes what comes before it")
                    return self._stopped(effect, unsure, also)
                if aimed and effect.told and (hook is None or hook is effect.hook):
                    told = told or effect
                also |= {effect.hook.call} if effect.told else set()
        if unsure is not None:
            return Fate(End.UNSURE, why=unsure.why, also=also)
        return Fate(End.TOLD if told else End.FREE, told, also=also)

    def _stopped(self, effect: Effect, unsure: Unsure | None, also: frozenset[str]) -> Fate:
        action = effect.action
        assert action is not None
        if unsure is not None:
            return Fate(End.UNSURE, effect, why=unsure.why)
        if action.signal == _KILL and action.name in {"Sigkill", "Signal"}:
            return Fate(End.KILLED, effect, also=also)
        if action.name == "Signal":
            return Fate(End.SIGNALLED, effect, also=also)
        if action.name == "Override" and effect.hook.kind in {"uprobes", "usdts"}:
            return Fate(End.UNSURE, effect, why=_NOT_FORETOLD["Set"])
        if action.name == "Override":
            error = error_of(action.error)
            why = (
                ""
                if error
                else f"an Override with argError {action.error} fakes a success: what follows is the program's"
            )
            return Fate(End.DENIED if error else End.UNSURE, effect, error, why, also)
        return Fate(
            End.UNSURE, effect, why=_NOT_FORETOLD.get(action.name, f"what {action.name} does is not known here")
        )

    def _all(self, happenings: Iterable[Happening]) -> Iterator[Effect | Unsure]:
        for happening in happenings:
            yield from self.effects(happening)

    def _enforced(self, happenings: Iterable[Happening]) -> Iterator[Effect]:
        for effect in self._all(happenings):
            if isinstance(effect, Effect) and effect.action is not None and not self.monitors:
                yield effect


def _loud(effect: Effect) -> str:
    path = effect.happening.facts.get("file") or effect.happening.facts.get("given") or effect.happening.what
    return f"{effect.happening.by} does what {effect.hook.told} takes as it starts ({path}), whatever it is started for"


_NOT_FORETOLD: Mapping[str, str] = {
    "NotifyEnforcer": "NotifyEnforcer has an enforcer act on the next call of the thread that it guards",
    "Set": "Set changes the program's own data, and what the program makes of that only a person knows",
}
