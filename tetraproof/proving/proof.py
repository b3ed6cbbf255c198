"""Proof that the suites can fail: every damage done, one at a time, and what the claims make of it.

Caught means that a claim about the damaged act no longer conforms; a known finding,
that it is no longer the known refutation; or that the recording is refused. What tells
formats apart (schema, checksums, compact rendering) does not count, and the export log
only where it was damaged itself. Nothing may be caught by calling a violation what
only hides something: that is an accusation, and fails the proof as a survivor does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import ModuleType
from typing import Any

import msgspec

from tetraproof.errors import RecordingError
from tetraproof.judging.claim import Claim, Judged
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Act
from tetraproof.policies.policy import Policy
from tetraproof.proving import harmless
from tetraproof.proving import of_additions as damage_of_additions
from tetraproof.proving import of_agents as damage_of_agents
from tetraproof.proving import of_answers as damage_of_answers
from tetraproof.proving import of_changes as damage_of_changes
from tetraproof.proving import of_events as damage_of_events
from tetraproof.proving import of_settings as damage_of_settings
from tetraproof.proving import of_worlds as damage_of_worlds
from tetraproof.proving.damage import Damage, Scene
from tetraproof.proving.rule import EXPORTED, RULES, TOLD, Before, conforms, why
from tetraproof.recordings.recording import INDEX, Recording, decode, from_files, sealed
from tetraproof.targets.replay import Replay
from tetraproof.verdict import Verdict

#: The least share of damages (per cent) that the suites must catch.
SHARE = 97.0
# questions about formats, not about acts
_SHOWN = "shown as"
_REFUSED = "the recording is refused"
# what a claim is called that nothing speaks against
_WELL = frozenset({"conforms", "stops"})
# questions whose answer rests on having heard everything
_WHOLE = frozenset({TOLD, "was left alone", "succeeded"})


@dataclass(frozen=True)
class Trial:
    """A suite on one scenario of a recording: what to judge, and on which acts; or on which `change`."""

    name: str
    policy: Policy | None
    settings: Mapping[str, str]
    scenario: str
    acts: tuple[Act, ...]
    claims: tuple[Claim, ...]
    change: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of one damage, in plain values: the claims that caught it, or the rule by which nothing changes.

    `accused` are the claims that took for a violation what only hides something.
    """

    recording: str
    trial: str
    kind: str
    act: str
    what: str
    harmless: bool
    caught_by: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    rule: str = ""
    accused: tuple[str, ...] = ()


def prove(recording: Recording, trials: Iterable[Trial]) -> Iterator[Outcome]:
    """Every damage to every trial's scenario, one result each."""
    for trial in trials:
        if not trial.scenario:
            continue
        small = _only(recording, trial.scenario)
        before = _judge(small, trial)
        for damage in damages(Scene(before.run.observed, small.files)):
            yield _outcome(recording.name, trial, damage, before, small)


def damages(scene: Scene) -> Iterator[Damage]:
    """Every damage that can be done to what was recorded of a scenario, and the harmless changes."""
    kinds: tuple[ModuleType, ...] = (damage_of_events, damage_of_answers, damage_of_additions, damage_of_worlds)
    kinds += (damage_of_agents, damage_of_settings, harmless)
    if scene.observed.continuity is not None:
        return damage_of_changes.damages(scene.observed)
    policy, states = scene.observed.policy, scene.observed.states
    if policy and not any(state.enabled for state in states):
        # nothing is judged of its acts, so nothing can be damaged of them
        kinds = (damage_of_agents, harmless)
    return chain.from_iterable(kind.damages(scene) for kind in kinds)


def _outcome(name: str, trial: Trial, damage: Damage, before: Before, small: Recording) -> Outcome:
    told = (name, trial.name, damage.kind, damage.act, damage.what, damage.harmless)
    try:
        after = _judge(from_files(small.name, sealed(damage.to(small.files))), trial)
    except RecordingError:
        return Outcome(*told, (_REFUSED,), (_REFUSED,))
    pairs = [pair for pair in zip(before.judged, after.judged, strict=True) if _counts(damage, pair[0])]
    changed = tuple(new.claim.name for old, new in pairs if old.word != new.word)
    accused = tuple(new.claim.name for old, new in pairs if damage.veils and _is_accused(damage, old, new))
    caught = _caught(damage, pairs)
    rule = "" if caught or damage.harmless else why(damage, before)
    return Outcome(*told, caught, changed, rule, accused)


def _only(recording: Recording, scenario: str) -> Recording:
    """The recording with this scenario alone, so that a damage is quickly sealed and read."""
    keep = (f"scenarios/{scenario}/", "environment/")
    files = {path: content for path, content in recording.files.items() if path.startswith(keep)}
    index: dict[str, Any] = decode(recording.files[INDEX], dict[str, Any], INDEX)
    index["scenarios"] = [one for one in index["scenarios"] if one["name"] == scenario]
    return from_files(recording.name, sealed({**files, INDEX: msgspec.json.encode(index)}))


def _judge(recording: Recording, trial: Trial) -> Before:
    replay = Replay(recording)
    if trial.change and trial.policy:
        observed = replay.observe_change(trial.change, trial.policy, trial.scenario)
    else:
        observed = replay.observe(trial.policy, trial.settings, trial.acts, trial.scenario)
    run = Run(observed, trial.acts)
    return Before(run, [claim.judge(run) for claim in trial.claims])


def _caught(damage: Damage, pairs: Sequence[tuple[Judged, Judged]]) -> tuple[str, ...]:
    if damage.deaf and any(_rests_on_absence(old) and conforms(new) for old, new in pairs):
        return ()
    return tuple(
        new.claim.name
        for old, new in pairs
        if old.word != new.word and new.word not in _WELL and (_of_all(new) or _about(damage.act, old, new))
    )


def _counts(damage: Damage, judged: Judged) -> bool:
    """Whether what a claim asks can tell of a damage: how tetra prints never does, the export log only of its own."""
    asked = [one.question for one in judged.judgement.asked]
    if any(one.startswith(_SHOWN) for one in asked):
        return False
    return damage.exported or not any(one.startswith(EXPORTED) for one in asked)


def _is_accused(damage: Damage, old: Judged, new: Judged) -> bool:
    """Whether a claim about the damaged act takes for a violation what only hides something."""
    violates = new.judged and new.judgement.verdict is Verdict.VIOLATES
    return violates and conforms(old) and _about(damage.act, old, new)


def _rests_on_absence(judged: Judged) -> bool:
    """Whether the judgement needed to know that something was not told."""
    return conforms(judged) and any(
        asked.question in _WHOLE
        or (": " in asked.question and (asked.answer is False or ": exactly " in asked.question))
        for asked in judged.judgement.asked
    )


def _of_all(judged: Judged) -> bool:
    """Whether a judgement hangs on what is counted of a scenario, which is about each of its acts."""
    decisive = judged.judgement.decisive
    return decisive is not None and decisive.about == "counted"


def _about(act: str, old: Judged, new: Judged) -> bool:
    if not act:
        return True
    decisive = new.judgement.decisive
    if decisive is not None and decisive.act:
        return decisive.act == act
    return act in (*old.judgement.acts, *new.judgement.acts)


def report(outcomes: Sequence[Outcome]) -> tuple[list[str], bool]:
    """The figures for damages and promises as lines of text, and whether the proof failed."""
    left_out = {rule.name for rule in RULES if rule.left_out}
    harmful = [one for one in outcomes if not one.harmless and one.rule not in left_out]
    caught = sum(bool(one.caught_by) for one in harmful)
    survivors = [one for one in harmful if not one.caught_by]
    unexplained = [one for one in survivors if not one.rule]
    accused = [one for one in outcomes if one.accused]
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
    for rule in [rule for rule in RULES if not rule.left_out]:
        lines.append(f"  {by_rule[rule.name]:5}  by the rule “{rule.name}”: {rule.why}")
    lines += [f"         unexplained: {_told(one)}" for one in unexplained]
    lines += [f"         called a violation: {_told(one)} by {', '.join(one.accused)}" for one in accused]
    lines.append("")
    for rule in [rule for rule in RULES if rule.left_out]:
        outside = sum(one.rule == rule.name for one in outcomes if not one.harmless)
        lines.append(f"left out: {outside} damages, by the rule “{rule.name}”: {rule.why}")
    harmless = Counter(one.kind for one in outcomes if one.harmless)
    lines += [f"harmless, ignored: {', '.join(f'{count} of {kind}' for kind, count in harmless.items())}"]
    lines += [f"         not ignored: {_told(one)} by {', '.join(one.changed)}" for one in disturbed]
    left = f"{len(unexplained)} survivors unexplained, {len(disturbed)} harmless ones not ignored"
    left += f", {len(accused)} hidden values called a violation"
    lines += ["", f"{caught} of {len(harmful)} damages caught ({share:.1f} %), {left}"]
    return lines, share < SHARE or bool(unexplained) or bool(disturbed) or bool(accused)


def _told(one: Outcome) -> str:
    return f"{one.recording}  {one.trial}  {one.act or 'scenario'}: {one.kind} ({one.what})"
