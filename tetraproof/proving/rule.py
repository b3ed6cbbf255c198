"""Rules by which a damage is none: what it changes, no promise is about, or nothing was judged before it.

A survivor that no rule explains fails the proof; so each rule is as narrow as what
it says, and looks at what the promises asked rather than at what became of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tetraproof.answer import Asked
from tetraproof.events.event import Event
from tetraproof.judging.claim import Judged
from tetraproof.judging.scenario import Run
from tetraproof.observing.observation import Done
from tetraproof.policies.binding import within
from tetraproof.policies.policy_state import SINGLE
from tetraproof.policies.requirement import demanded_mode
from tetraproof.proving.damage import Damage
from tetraproof.verdict import Verdict

#: What every suite asks of every act.
TOLD = "is told whole"
#: How a question about the export log begins, and one about the agents' counters.
EXPORTED, COUNTED = "export tells", "count"
#: What tells a hook from others of its kind, in the events that come of it.
_OF_A_HOOK = {
    "kprobe": ("function_name",),
    "lsm": ("function_name",),
    "uprobe": ("symbol", "offset"),
    "usdt": ("provider", "name"),
    "loader": (),
}


@dataclass(frozen=True)
class Before:
    """A run before it was damaged, with what the claims made of it."""

    run: Run
    judged: Sequence[Judged]

    def done(self, act: str) -> Done | None:
        """The act, where it was performed."""
        found = self.run.observed.acts.get(act)
        return found if isinstance(found, Done) else None

    def asked(self, act: str) -> list[Asked]:
        """What the promises that conform ask about an act, beyond that it is told whole."""
        promises = [one for one in self.judged if not one.claim.limit and conforms(one)]
        every = [asked for one in promises for asked in one.judgement.asked]
        return [asked for asked in every if asked.act == act and asked.question != TOLD]

    def asks_what_is_printed(self, act: str) -> bool:
        """Whether a promise asks what an act printed."""
        return any(one.about == "printed" for one in self.asked(act))


@dataclass(frozen=True)
class Rule:
    """Why a damage of this form is no damage: what it changes, no promise is about.

    One that is `left_out` counts for nothing: nothing was judged, promised or hidden. Another counts as a survivor.
    """

    name: str
    why: str
    applies: Callable[[Damage, Before], bool]
    left_out: bool = False


def _not_in_force(_: Damage, before: Before) -> bool:
    return before.run.loading.verdict is not Verdict.CONFORMS


def _not_heard(_: Damage, before: Before) -> bool:
    done = [one for one in before.run.observed.acts.values() if isinstance(one, Done)]
    return any(one.timeline.open for one in done)


def _exit_of_a_helper(damage: Damage, before: Before) -> bool:
    done, event = before.done(damage.act), damage.event
    if (damage.kind != "exit code altered" and damage.field != "status") or event is None or done is None:
        return False
    helper = event.process.pid != done.timeline.root and not getattr(event.detail, "signal", "")
    return helper and not any(" status=" in one.question for one in before.asked(damage.act))


def _only_prepares(damage: Damage, before: Before) -> bool:
    done = before.done(damage.act)
    return done is not None and done.performed.role == "prepare" and not before.asked(damage.act)


def _of_the_runtime(damage: Damage, before: Before) -> bool:
    done = before.done(damage.act)
    if damage.kind != "binary altered" and damage.field not in {"process.exec_id", "process.pid", "process.binary"}:
        return False
    entries = done.timeline.whole if done else ()
    return any(one.runtime and one.event is damage.event for one in entries)


def _equal_beside(damage: Damage, before: Before) -> bool:
    done = before.done(damage.act)
    if damage.event is None or damage.event.kind not in {"kprobe", "lsm"} or done is None:
        return False
    return sum(bool(event.detail == damage.event.detail) for event in done.timeline.own) > 1


def _one_of_several(damage: Damage, before: Before) -> bool:
    done, event = before.done(damage.act), damage.event
    if event is None or done is None or event.kind not in _OF_A_HOOK:
        return False
    others = [one for one in done.timeline.own if one is not event and one.kind == event.kind]
    asked_whole = any("exactly " in one.question or "in order" in one.question for one in before.asked(damage.act))
    return any(_hook(one) == _hook(event) for one in others) and not asked_whole


def _hook(event: Event) -> tuple[object, ...]:
    """What tells an event's hook from others of its kind."""
    return tuple(getattr(event.detail, field, None) for field in _OF_A_HOOK[event.kind])


def _order_unasked(damage: Damage, before: Before) -> bool:
    asked = any("in order" in one.question for one in before.asked(damage.act))
    return damage.kind == "two events swapped" and not asked


def _may_fail(damage: Damage, before: Before) -> bool:
    asked = [one.question for one in before.asked(damage.act)]
    ended_well = any(one == "succeeded" or one.startswith(("exited ", "printed ")) for one in asked)
    return damage.kind == "what is allowed fails" and "was left alone" in asked and not ended_well


def _resolved(damage: Damage, before: Before) -> bool:
    done = before.done(damage.act)
    if damage.kind != "address altered" or damage.event is None or done is None:
        return False
    connected = damage.event.detail
    addresses = [one.sock_arg.daddr for one in getattr(connected, "args", ()) if one.sock_arg]
    allowed = [*before.run.observed.bindings.ranges.values(), "127.0.0.1"]
    named = any(address in " ".join(done.performed.argv) for address in addresses)
    return not named and not any(within(address, allowed) for address in addresses)


def _asked_by_a_limit_only(damage: Damage, before: Before) -> bool:
    by_limit = any(one.claim.limit and damage.act in one.judgement.acts for one in before.judged)
    return by_limit and not before.asked(damage.act)


def _only_looks(damage: Damage, before: Before) -> bool:
    asked = before.asked(damage.act)
    return damage.kind.startswith("a kill") and bool(asked) and all(one.about == "printed" for one in asked)


def _time(damage: Damage, _: Before) -> bool:
    return damage.field == "time"


def _told_elsewhere(damage: Damage, before: Before) -> bool:
    done, event = before.done(damage.act), damage.event
    if damage.field not in {"process.pid", "process.binary", "process.pod"} or event is None or done is None:
        return False
    name = damage.field.partition(".")[2]
    others = [one for one in done.timeline.own if one is not event and one.process.exec_id == event.process.exec_id]
    return any(getattr(one.process, name) == getattr(event.process, name) for one in others)


def _status_beside_a_signal(damage: Damage, _: Before) -> bool:
    return damage.field == "status" and damage.event is not None and bool(getattr(damage.event.detail, "signal", ""))


def _terminal(damage: Damage, before: Before) -> bool:
    done = before.done(damage.act)
    return damage.kind == "something gets out of what is stopped" and done is not None and done.performed.tty


def _known(damage: Damage, before: Before) -> bool:
    if damage.kind == "counters lie":
        asking = [one for one in before.judged if any(ask.about == "counted" for ask in one.judgement.asked)]
        return bool(asking) and all(one.known for one in asking)
    refuted = any(one.known and damage.act in one.judgement.acts for one in before.judged)
    return refuted and not before.asked(damage.act)


def _only_monitors(damage: Damage, before: Before) -> bool:
    return before.run.observed.monitored(damage.act) and damage.kind.startswith(("a kill", "action altered"))


def _told_once(damage: Damage, before: Before) -> bool:
    done, event = before.done(damage.act), damage.event
    if event is None or done is None:
        return False
    lost = damage.kind in {"event dropped", "event delayed past the window"} or damage.field in {
        "process",
        "process.exec_id",
    }
    if damage.kind != "event of another user" and damage.field != "process.pod" and not lost:
        return False
    return sum(one.process.exec_id == event.process.exec_id for one in done.timeline.own) == 1


def _asked_in_part(damage: Damage, before: Before) -> bool:
    asked = [one.question for one in before.asked(damage.act) if one.about == "printed"]
    return damage.what == "more of it" and bool(asked) and all(one.startswith("said ") for one in asked)


def _only_watches(damage: Damage, before: Before) -> bool:
    policy = before.run.observed.policy
    watches = policy is None or not demanded_mode(policy)
    if damage.kind == "policy in another mode":
        return watches
    shown = damage.kind.startswith(("what is shown", "what is there afterwards"))
    return watches and shown and not before.asks_what_is_printed(damage.act)


def _done_later(damage: Damage, _: Before) -> bool:
    return damage.kind == "“rolled out” shifted"


def _counters_unasked(damage: Damage, before: Before) -> bool:
    asked = [one.question for judged in before.judged for one in judged.judgement.asked]
    return damage.kind == "counters lie" and not any(one.startswith(COUNTED) for one in asked)


def _single_unasked(damage: Damage, before: Before) -> bool:
    asked = [one.question for judged in before.judged for one in judged.judgement.asked if one.about == "counted"]
    return damage.kind == "another action is counted" and not any(name in one for one in asked for name in SINGLE)


def _masked(damage: Damage, _: Before) -> bool:
    return damage.what == "redaction-filters"


def _export_unasked(damage: Damage, before: Before) -> bool:
    asked = [one.question for judged in before.judged for one in judged.judgement.asked]
    return damage.exported and not any(one.startswith(EXPORTED) for one in asked)


def _answers_unasked(damage: Damage, before: Before) -> bool:
    about_others = any(one.about == "bystanders" for one in before.asked(damage.act))
    return damage.answer and not about_others


RULES = (
    Rule(
        "not in force", "the policy is not in force, so its acts are shown and not judged", _not_in_force, left_out=True
    ),
    Rule(
        "not heard",
        "the stream was not heard to its end before the damage, so nothing could be judged",
        _not_heard,
        left_out=True,
    ),
    Rule("the export unasked", "no promise of the suite asks about the export log", _export_unasked, left_out=True),
    Rule("answers unasked", "no promise asks what others did meanwhile", _answers_unasked, left_out=True),
    Rule("counters unasked", "no promise of the suite asks what the agents counted", _counters_unasked, left_out=True),
    Rule(
        "no single counter asked",
        "a promise about all that was enforced does not say by which action",
        _single_unasked,
        left_out=True,
    ),
    Rule(
        "asked by a limit only",
        "how far a policy reaches is told and not promised: an act that passes may end as it likes",
        _asked_by_a_limit_only,
        left_out=True,
    ),
    Rule(
        "only prepares",
        "a preparation is not judged; that it went well is proven by what follows it",
        _only_prepares,
        left_out=True,
    ),
    Rule(
        "known already",
        "a finding is known to refute the promise, and what else becomes of the act",
        _known,
        left_out=True,
    ),
    Rule("only monitors", "in monitor mode an action tells what would have been done", _only_monitors, left_out=True),
    Rule(
        "only watches",
        "a policy that enforces nothing promises nothing of what an act shows, and has no mode to lose",
        _only_watches,
        left_out=True,
    ),
    Rule(
        "a time",
        "the order of events is that of the stream, and no promise is about their times",
        _time,
        left_out=True,
    ),
    Rule(
        "told elsewhere",
        "another event of the same process tells the value that cannot be read",
        _told_elsewhere,
        left_out=True,
    ),
    Rule(
        "a status beside a signal",
        "what a signal ended has no exit status of its own",
        _status_beside_a_signal,
        left_out=True,
    ),
    Rule("masked", "an act whose arguments are masked in part is known by the rest", _masked, left_out=True),
    Rule("a helper's exit code", "the exit code of a child (cp, mv) that no promise is about", _exit_of_a_helper),
    Rule(
        "the runtime's own",
        "which process and program the runtime is, that was to start an act, is no promise",
        _of_the_runtime,
    ),
    Rule(
        "an equal event beside it",
        "the hook ran twice for one call (recorded of a write), and one of two equal events is enough",
        _equal_beside,
    ),
    Rule(
        "a resolved name",
        "which outside address a name resolves to is no promise; another outside address says the same",
        _resolved,
    ),
    Rule(
        "only looks",
        "an act that shows what another left is asked what it showed, not whether it was let alone",
        _only_looks,
    ),
    Rule(
        "one of several",
        "a promise asks for one event of a hook, and another one of that hook is told of the act",
        _one_of_several,
    ),
    Rule("order unasked", "no promise asks what is told first, the hook or the next program", _order_unasked),
    Rule("may fail", "an act that is promised to be left alone may fail by itself", _may_fail),
    Rule("a terminal echoes", "what was typed stands among what got out, so more of it is no sign", _terminal),
    Rule(
        "told once",
        "of a process between two programs one event is told, and nothing else says whose it is",
        _told_once,
    ),
    Rule("done later", "a rollout that is said to be done later says less, and what it says is true", _done_later),
    Rule("asked in part", "a promise asks for one line among what is shown", _asked_in_part),
)


def conforms(judged: Judged) -> bool:
    """Whether a claim was judged, and conforms."""
    return judged.judged and judged.judgement.verdict is Verdict.CONFORMS


def why(damage: Damage, before: Before) -> str:
    """The name of the first rule that explains why nothing comes of a damage; nothing where none does."""
    return next((rule.name for rule in RULES if rule.applies(damage, before)), "")
