"""Proof that the suites can fail: every damage done, one at a time, and what the claims make of it.

Caught means that a claim about the damaged act changes its verdict; a known
finding, that it is no longer the known refutation. What tells formats apart
(schema, checksums, compact rendering, the export log) does not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tetraproof.act import Act
from tetraproof.binding import within
from tetraproof.claim import Claim, Judged
from tetraproof.damage import Damage, damages
from tetraproof.observation import Done
from tetraproof.policy import Policy
from tetraproof.recording import INDEX, Recording, decode, from_files, sealed
from tetraproof.scenario import Run
from tetraproof.targets.replay import Replay
from tetraproof.verdict import Verdict

#: The least share of damages (per cent) that the suites must catch.
SHARE = 95.0
# questions about formats, not about acts
_PARITY = ("shown as", "export tells")


@dataclass(frozen=True)
class Trial:
    """A suite on one scenario of a recording: what to judge, and on which acts."""

    name: str
    policy: Policy | None
    settings: Mapping[str, str]
    scenario: str
    acts: tuple[Act, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of one damage, in plain values: the claims that caught it, or the rule by which nothing changes."""

    recording: str
    trial: str
    kind: str
    act: str
    what: str
    harmless: bool
    caught_by: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    rule: str = ""


@dataclass(frozen=True)
class Rule:
    """Why a damage of this form is no damage: what it changes, no promise is about."""

    name: str
    why: str
    applies: Callable[[Damage, Run], bool]


def _not_in_force(_: Damage, run: Run) -> bool:
    return run.loading.verdict is not Verdict.CONFORMS


def _not_heard(_: Damage, run: Run) -> bool:
    done = [one for one in run.observed.acts.values() if isinstance(one, Done)]
    return any(one.timeline.open for one in done)


def _exit_of_a_helper(damage: Damage, run: Run) -> bool:
    done = run.observed.acts.get(damage.act)
    event = damage.event
    if damage.kind != "exit code altered" or event is None or not isinstance(done, Done):
        return False
    return event.process.pid != done.timeline.root and not getattr(event.detail, "signal", "")


def _equal_beside(damage: Damage, run: Run) -> bool:
    done = run.observed.acts.get(damage.act)
    if damage.event is None or damage.event.kind != "kprobe" or not isinstance(done, Done):
        return False
    return sum(event.detail == damage.event.detail for event in done.timeline.own) > 1


def _resolved(damage: Damage, run: Run) -> bool:
    done = run.observed.acts.get(damage.act)
    if damage.kind != "address altered" or damage.event is None or not isinstance(done, Done):
        return False
    connected = damage.event.detail
    addresses = [one.sock_arg.daddr for one in getattr(connected, "args", ()) if one.sock_arg]
    allowed = [*run.observed.bindings.ranges.values(), "127.0.0.1"]
    named = any(address in " ".join(done.performed.argv) for address in addresses)
    return not named and not any(within(address, allowed) for address in addresses)


RULES = (
    Rule("not in force", "the policy is not in force, so its acts are shown and not judged", _not_in_force),
    Rule("not heard", "the stream was not heard to its end before the damage, so nothing could be judged", _not_heard),
    Rule("a helper's exit code", "the exit code of a child (cp, mv) that no promise is about", _exit_of_a_helper),
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
)


def prove(recording: Recording, trials: Iterable[Trial]) -> Iterator[Outcome]:
    """Every damage to every trial's scenario, one result each."""
    for trial in trials:
        if not trial.scenario:
            continue
        small = _only(recording, trial.scenario)
        before_run, before = _judge(small, trial)
        for damage in damages(before_run.observed):
            files = damage.to(small.files)
            _, after = _judge(from_files(small.name, sealed(files)), trial)
            changed = tuple(
                one.claim.name
                for one, other in zip(before, after, strict=True)
                if one.word != other.word and not _is_parity(one)
            )
            caught = _caught(damage, before, after)
            rule = "" if caught or damage.harmless else _rule(damage, before_run)
            yield Outcome(
                recording.name, trial.name, damage.kind, damage.act, damage.what, damage.harmless, caught, changed, rule
            )


def _only(recording: Recording, scenario: str) -> Recording:
    """The recording with this scenario alone, so that a damage is quickly sealed and read."""
    keep = (f"scenarios/{scenario}/", "environment/")
    files = {path: content for path, content in recording.files.items() if path.startswith(keep)}
    index: dict[str, Any] = decode(recording.files[INDEX], dict[str, Any], INDEX)
    index["scenarios"] = [one for one in index["scenarios"] if one["name"] == scenario]
    return from_files(recording.name, sealed({**files, INDEX: msgspec.json.encode(index)}))


def _judge(recording: Recording, trial: Trial) -> tuple[Run, list[Judged]]:
    observed = Replay(recording).observe(trial.policy, trial.settings, trial.acts, trial.scenario)
    run = Run(observed, trial.acts)
    return run, [claim.judge(run) for claim in trial.claims]


def _caught(damage: Damage, before: Sequence[Judged], after: Sequence[Judged]) -> tuple[str, ...]:
    if damage.kind == "stream cut" and any(
        _rests_on_absence(old) and new.judgement.verdict is Verdict.CONFORMS
        for old, new in zip(before, after, strict=True)
    ):
        return ()
    return tuple(
        new.claim.name
        for old, new in zip(before, after, strict=True)
        if old.word != new.word and not _is_parity(old) and _about(damage.act, old, new)
    )


def _rests_on_absence(judged: Judged) -> bool:
    """Whether the judgement needed to know that something was not told."""
    return any(
        asked.question == "is told whole"
        or (": " in asked.question and (asked.answer is False or ": exactly " in asked.question))
        for asked in judged.judgement.asked
        if judged.judgement.verdict is Verdict.CONFORMS
    )


def _is_parity(judged: Judged) -> bool:
    return any(asked.question.startswith(_PARITY) for asked in judged.judgement.asked)


def _about(act: str, old: Judged, new: Judged) -> bool:
    if not act:
        return True
    decisive = new.judgement.decisive
    if decisive is not None and decisive.act:
        return decisive.act == act
    return act in (*old.judgement.acts, *new.judgement.acts)


def _rule(damage: Damage, run: Run) -> str:
    return next((rule.name for rule in RULES if rule.applies(damage, run)), "")


def report(outcomes: Sequence[Outcome]) -> tuple[list[str], bool]:
    """The figures for damages and promises as lines of text, and whether the proof failed."""
    not_judged = {rule.name for rule in RULES[:2]}
    harmful = [one for one in outcomes if not one.harmless and one.rule not in not_judged]
    caught = sum(bool(one.caught_by) for one in harmful)
    survivors = [one for one in harmful if not one.caught_by]
    unexplained = [one for one in survivors if not one.rule]
    disturbed = [one for one in outcomes if one.harmless and one.changed]
    share = 100 * caught / len(harmful) if harmful else 0.0
    lines = ["damages, caught of done:"]
    for kind in dict.fromkeys(one.kind for one in harmful):
        of_kind = [one for one in harmful if one.kind == kind]
        lines.append(f"  {sum(bool(one.caught_by) for one in of_kind):5} of {len(of_kind):5}  {kind}")
    lines += ["", "promises and limits, how many damages each caught:"]
    by_claim = Counter((one.trial, name) for one in harmful for name in one.caught_by)
    lines += [f"  {count:5}  {trial}  {name}" for (trial, name), count in sorted(by_claim.items())]
    lines += ["", "survivors:"]
    by_rule = Counter(one.rule for one in survivors)
    for rule in RULES[2:]:
        lines.append(f"  {by_rule[rule.name]:5}  by the rule “{rule.name}”: {rule.why}")
    lines += [f"         unexplained: {_told(one)}" for one in unexplained]
    lines.append("")
    for rule in RULES[:2]:
        outside = sum(one.rule == rule.name for one in outcomes if not one.harmless)
        lines.append(f"left out: {outside} damages, by the rule “{rule.name}”: {rule.why}")
    harmless = Counter(one.kind for one in outcomes if one.harmless)
    lines += [f"harmless, ignored: {', '.join(f'{count} of {kind}' for kind, count in harmless.items())}"]
    lines += [f"         not ignored: {_told(one)} by {', '.join(one.changed)}" for one in disturbed]
    left = f"{len(unexplained)} survivors unexplained, {len(disturbed)} harmless ones not ignored"
    lines += ["", f"{caught} of {len(harmful)} damages caught ({share:.1f} %), {left}"]
    return lines, share < SHARE or bool(unexplained) or bool(disturbed)


def _told(one: Outcome) -> str:
    return f"{one.recording}  {one.trial}  {one.act or 'scenario'}: {one.kind} ({one.what})"
