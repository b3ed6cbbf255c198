"""From a deed and its fate to a test: what is promised of it, in words that mean all that they say."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tetraproof.drafting.foretelling.fate import Effect, End, Fate, Rules
from tetraproof.drafting.foretelling.happening import IDENTITIES, Deed, seen
from tetraproof.drafting.foretelling.matching import may_meet
from tetraproof.drafting.foretelling.reading import Hook
from tetraproof.drafting.outline import Claim, Expected, Outcome, Suite, Test, Told
from tetraproof.drafting.rendering import quoted
from tetraproof.drafting.telling import action_of, event_of, is_loud, known_of, tells_the_file
from tetraproof.observing.act import Act, look
from tetraproof.policies.inspection.overriding import words_of

_SIGNALS = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    6: "SIGABRT",
    9: "SIGKILL",
    10: "SIGUSR1",
    12: "SIGUSR2",
    15: "SIGTERM",
}


@dataclass(frozen=True)
class Looking:
    """How the world is looked at behind a deed that was stopped: the act, and what it then prints.

    `prints` are the texts that it may print; where there are none, it prints what the act `before` did.
    """

    act: Act
    prints: tuple[str, ...] = ()
    before: str = ""


@dataclass(frozen=True)
class Promises:
    """What makes tests of deeds as one hook meets them, for a suite that is being drafted."""

    suite: Suite
    rules: Rules
    hook: Hook
    looking: Looking | None = None

    def add(self, deed: Deed, fate: Fate) -> bool:
        """Add the act and the test of a deed, where something can be said of it; whether that was so."""
        make = {
            End.KILLED: self._killed,
            End.SIGNALLED: self._signalled,
            End.DENIED: self._denied,
            End.TOLD: self._told,
            End.FREE: self._free,
        }.get(fate.end)
        test = make(deed, fate) if make else None
        if test is None:
            return False
        self.suite.set_scene(deed.act.pod, *deed.scene)
        self.suite.add_test(test)
        if fate.end is End.KILLED and self._is_made_all_the_same(_of(fate)):
            sentence = f"Nothing comes of {deed.subject}: the call is not made."
            looked = tuple(self._looked(deed, next(test.acts), _of(fate)))
            name = f"{_slug(deed.subject)}_comes_to_nothing"
            self.suite.add_test(Test(name, sentence, looked, limit="the call of whoever is killed at its entry"))
        return True

    # what is stopped

    def _killed(self, deed: Deed, fate: Fate) -> Test | None:
        effect = _of(fate)
        known = known_of(effect)
        act = self.suite.add_act(deed.name, deed.act)
        event, by = event_of(effect, monitored=self.rules.monitors), effect.happening.by
        # whoever is killed as it starts a program ends as that program (seen)
        ended = str(effect.happening.facts.get("given", by)) if known.early else by
        gone = Expected("Exit", (ended,), (("signal", "SIGKILL"),))
        claims: list[Claim] = [Outcome(act, "killed"), Told(act, event, by, 1 if known.once else None)]
        if not by:  # the event is the runtime's own, and a stream filtered by pods hides it
            claims = [Outcome(act, "killed")]
        if deed.survivor:
            claims = [Outcome(act, f"printed({quoted(deed.survivor.format(137))})"), Told(act, event, by, then=gone)]
        elif not effect.happening.root and by:
            claims = [Outcome(act, "stopped"), Told(act, event, by, then=gone)]
        if not self._is_made_all_the_same(effect):
            claims += self._looked(deed, act, effect)
        how = "is killed, and its shell lives" if deed.survivor else "is killed, and reported" if by else "is killed"
        once = " once" if known.once and effect.happening.root else ""
        return Test(f"{_slug(deed.subject)}_is_killed", f"{_begin(deed.subject)} {how}{once}.", tuple(claims))

    def _is_made_all_the_same(self, effect: Effect) -> bool:
        """Whether a call is made although its caller is killed at its entry (recorded), so far as a look shows."""
        shown = self.looking.prints if self.looking else ()
        return known_of(effect).entry and len(shown) == 1 and not _overridden(effect)

    def _signalled(self, deed: Deed, fate: Fate) -> Test | None:
        effect = _of(fate)
        assert effect.action is not None
        signal = _SIGNALS.get(effect.action.signal)
        if signal is None or not effect.happening.root:
            self.suite.todo(f"what becomes of a process that gets the signal {effect.action.signal} is its own affair")
            return None
        act = self.suite.add_act(deed.name, deed.act)
        gone = Expected("Exit", (effect.happening.by,), (("signal", signal),))
        claims = (Told(act, event_of(effect, monitored=self.rules.monitors), effect.happening.by, then=gone),)
        return Test(
            f"{_slug(deed.subject)}_is_ended", f"{_begin(deed.subject)} is ended by {signal}, and reported.", claims
        )

    def _denied(self, deed: Deed, fate: Fate) -> Test | None:
        effect = _of(fate)
        act = self.suite.add_act(deed.name, deed.act)
        by = effect.happening.by
        words = words_of(fate.error)
        denied = "denied" if fate.error == "EPERM" else f"denied_with({quoted(fate.error)})"
        claims: list[Claim] = [Outcome(act, denied)]
        if deed.survivor:
            # a program that is refused is one that the shell cannot start; any other ends with 1
            code = 126 if known_of(effect).early else deed.refusal or 1
            claims = [Outcome(act, f"printed({quoted(deed.survivor.format(code))})")]
            claims += [Outcome(act, f"said({quoted(words)})")] if known_of(effect).early else []
        elif deed.refusal:
            claims = [Outcome(act, f"exited({deed.refusal})")]
        elif not effect.happening.root and by:
            claims = [Outcome(act, "stopped")]
        if by:
            claims.append(Told(act, event_of(effect, monitored=self.rules.monitors), by))
        claims += self._looked(deed, act, effect)
        claims += self._never_started(act, effect)
        reported = ", and reported" if by else ""
        sentence = f"{_begin(deed.subject)} is refused with {fate.error}{reported}."
        return Test(f"{_slug(deed.subject)}_is_refused", sentence, tuple(claims))

    def _never_started(self, act: str, effect: Effect) -> list[Claim]:
        """What is refused to run is never told as started."""
        program = effect.happening.facts.get("given")
        if not known_of(effect).early or not isinstance(program, str):
            return []
        return [Told(act, Expected("Exec", (program,)), absent=True)]

    def _looked(self, deed: Deed, act: str, effect: Effect) -> list[Claim]:
        """What the world looks like behind a deed that was stopped."""
        looking = self.looking
        if looking is None or not deed.changes:
            return []
        left = self.suite.add_act(f"left_by_{act}", look(looking.act))
        if not looking.prints:
            return [Outcome(left, f"printed_as(run.{looking.before})")]
        texts = looking.prints[:1] if known_of(effect).emptied else looking.prints
        return [Outcome(left, f"printed({', '.join(map(quoted, texts))})")]

    # what goes through

    def _told(self, deed: Deed, fate: Fate) -> Test | None:
        effect = _of(fate)
        act = self.suite.add_act(deed.name, deed.act)
        known, by = known_of(effect), effect.happening.by
        if not by:
            why = (
                "its event belongs to the image before it, the runtime's own, and a stream filtered by pods hides that"
            )
            self.suite.todo(f"{deed.subject}: {why} (say what you make of it)")
            return Test(
                f"{_slug(deed.subject)}_goes_through",
                f"{_begin(deed.subject)} goes through.",
                tuple(_through(deed, act)),
            )
        if self._held_back(effect):
            self.suite.todo(
                f"{self.hook.place} ({self.hook.told}): the runtime makes the same call in the same thread before it, "
                "and rateLimit may hold the act's own event back"
            )
            return None
        event = Told(act, event_of(effect, monitored=self.rules.monitors), "" if known.vague else by)
        claims: list[Claim] = [*_through(deed, act), event]
        program = effect.happening.facts.get("given")
        if known.early and isinstance(program, str):
            claims[-1] = Told(act, event.expected, by, then=Expected("Exec", (program,)))
        sentence = f"{_begin(deed.subject)} goes through, and is reported."
        if self.rules.monitors:
            sentence = f"{_begin(deed.subject)} goes through: whoever would be stopped is reported."
        return Test(f"{_slug(deed.subject)}_is_reported", sentence, tuple(claims))

    def _held_back(self, effect: Effect) -> bool:
        """Whether an event may be held back, as one like that of the runtime's own call (seen)."""
        limited = effect.selector is not None and any(one.part.get("rateLimit") for one in effect.selector.actions)
        return limited and effect.happening.what in {"sys_setresuid", "sys_setresgid"}

    def _free(self, deed: Deed, fate: Fate) -> Test | None:
        if not self._bears_on(deed):
            return None
        if deed.around and not deed.outside:
            return self._around(deed, fate)
        absent = self._absent(deed, fate)
        if absent is None and not self.rules.enforces:
            return None
        act = self.suite.add_act(deed.name, deed.act)
        claims: list[Claim] = list(_through(deed, act))
        claims += [Told(act, one, self._caller(deed), absent=True) for one in absent or ()]
        if self.rules.enforces:
            sentence = f"{_begin(deed.subject)} is left alone, and no enforcement is reported."
            return Test(f"{_slug(deed.subject)}_is_free", sentence, tuple(claims))
        sentence = f"{_begin(deed.subject)} is not reported."
        return Test(f"{_slug(deed.subject)}_is_not_reported", sentence, tuple(claims))

    def _bears_on(self, deed: Deed) -> bool:
        """Whether that a deed is free says anything of the hook.

        It does not where the hook sees nothing of the kind, nor where it is the program that is free, and the deed is
        about a file.
        """
        known = seen(self.hook.call)
        assert known is not None
        aimed = [one for one in deed.happens if one.what in known.what]
        about_a_file = deed.outside or (deed.around and not deed.by_name)
        if not aimed:
            return bool(deed.around) and not deed.by_name
        met = any(may_meet(one, happening, self.rules.place) for one in self.hook.selectors for happening in aimed)
        return met or not self.hook.selectors or not about_a_file or deed.by_name

    def _absent(self, deed: Deed, fate: Fate) -> list[Expected] | None:
        """What is not told of a deed: nothing of a hook, or where it tells of other things, nothing of this file."""
        hook = self.hook
        if hook.call not in fate.also and not is_loud(hook):
            return [Expected.of(hook)]
        path = next((one.facts["file"] for one in deed.happens if "file" in one.facts and one.named), None)
        return [Expected.of(hook, file=path)] if isinstance(path, str) and tells_the_file(hook) else None

    def _caller(self, deed: Deed) -> str:
        """Who makes a call that the runtime may make as well, before the act's program is in place (seen)."""
        return next((one.by for one in deed.happens if one.what.removeprefix("sys_") in IDENTITIES), "")

    def _around(self, deed: Deed, fate: Fate) -> Test | None:
        """A way around, as a limit: stopped, or where the policy only watches, reported."""
        claims: list[Claim]
        hook = self.hook
        if self.rules.enforces:
            act = self.suite.add_act(deed.name, deed.act)
            claims = [Outcome(act, "stopped")]
            sentence = f"{_begin(deed.subject)} is stopped."
        else:
            if hook.call in fate.also or is_loud(hook):
                return None
            act = self.suite.add_act(deed.name, deed.act)
            claims = [Told(act, Expected.of(hook))]
            sentence = f"{_begin(deed.subject)} is reported."
        return Test(_slug(deed.subject), sentence, tuple(claims), limit=deed.around)

    def untouched(self, deed: Deed) -> None:
        """The same deed in a pod that is not the policy's: nobody is stopped, and nothing is reported."""
        act = self.suite.add_act("other_pod", deed.act)
        claims = (*_through(deed, act), Told(act, Expected.of(self.hook), absent=True))
        subject = f"{deed.subject} from a pod that is not the policy's"
        name = f"{_slug(deed.subject)}_from_another_pod_is_free"
        self.suite.add_test(Test(name, f"{_begin(subject)} is left alone, and not reported.", claims))

    def served(self, deed: Deed, meant: Fate, main: str) -> None:
        """The container's own program, which is exempt, goes on with what it is there for."""
        act = self.suite.add_act(deed.name, deed.act)
        effect = _of(meant)
        stated = (("action", said),) if (said := action_of(effect, monitored=self.rules.monitors)) else ()
        event = Expected(effect.hook.event, effect.hook.named, stated)
        program = main.rpartition("/")[2]
        claims = (*_through(deed, act), Told(act, event, main, absent=True, side="surroundings"))
        sentence = f"What {program} serves is still served: {program} is exempt."
        self.suite.add_test(Test(f"{_slug(program)}_serves_what_is_guarded", sentence, claims))


def _overridden(effect: Effect) -> bool:
    return effect.selector is not None and effect.selector.does("Override") is not None


def _of(fate: Fate) -> Effect:
    assert fate.effect is not None
    return fate.effect


def _through(deed: Deed, act: str) -> list[Claim]:
    """What is claimed of a deed that goes through: that it ends well, or where nobody knows how, that it is free."""
    if deed.ends is None:
        return [Outcome(act, "free")]
    if deed.ends:
        return [Outcome(act, f"exited({deed.ends})"), Outcome(act, "free")]
    if deed.survivor:
        return [Outcome(act, f"said({quoted(deed.survivor.format(0).strip())})"), Outcome(act, "succeeded")]
    printed = [Outcome(act, f"printed({quoted(deed.printed)})")] if deed.printed is not None else []
    return [*printed, Outcome(act, "succeeded")]


def _begin(subject: str) -> str:
    return subject[:1].upper() + subject[1:]


def _slug(subject: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", subject.lower().replace("'s ", "s ")).strip("_")
