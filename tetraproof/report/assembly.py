"""A policy's result, assembled from what was observed and judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import yaml

from tetraproof.answer import Unknown
from tetraproof.events.event import Event
from tetraproof.judging.explanation import what_happened
from tetraproof.judging.scenario import Run
from tetraproof.observing import gap
from tetraproof.observing.act import Act
from tetraproof.observing.gap import Continuity, Pulse
from tetraproof.observing.observation import Done, printed_of
from tetraproof.observing.timeline import Timeline
from tetraproof.policies.capability import Capabilities
from tetraproof.policies.requirement import requirements
from tetraproof.report.result import (
    ActResult,
    ClaimResult,
    ContinuityResult,
    EventResult,
    GapResult,
    HappeningResult,
    LimitResult,
    NeedResult,
    PolicyResult,
    PulseResult,
    StateResult,
    TimelineResult,
    one_line,
    verdict_of,
)
from tetraproof.tetra.compact import compact
from tetraproof.verdict import Verdict


def policy_result(  # noqa: PLR0913 - one argument for each part of the result
    name: str,
    run: Run | None,
    *,
    scenario: str,
    title: str,
    suite: str,
    unanswerable: str,
    claims: Sequence[ClaimResult],
    limits: Sequence[LimitResult],
    titles: Mapping[str, str],
    feature: str = "",
    place: str = "",
    about: str = "policy",
) -> PolicyResult:
    """Everything about one policy in one scenario. `titles` are those of the findings, by id."""
    loading = run.loading if run else None
    verdict = verdict_of(claims)
    reason = loading.reason if loading else unanswerable
    refused = loading is None or loading.verdict is not Verdict.CONFORMS
    observed = run.observed if run else None
    applied = observed.policy if observed else None
    return PolicyResult(
        name=name,
        scenario=scenario,
        title=title,
        suite=suite,
        verdict=str(verdict),
        line=one_line(verdict, reason if refused else "", claims, limits, dict(titles)),
        loading=str(loading.verdict) if loading else str(verdict),
        loading_reason=reason,
        manifest=applied.source.rsplit("/", 1)[-1] if applied else "",
        spec=yaml.safe_dump(_plain(applied.spec), sort_keys=False) if applied else "",
        states=tuple(_states(run)) if run else (),
        needs=tuple(_needs(run)) if run else (),
        counts=dict(Counter(claim.verdict or "not judged" for claim in claims)),
        findings=tuple(dict.fromkeys(claim.finding for claim in claims if claim.finding_seen)),
        notes=observed.notes if observed else (),
        claims=tuple(claims),
        limits=tuple(limits),
        acts=tuple(_acts(run)) if run else (),
        continuity=continuity_result(observed.continuity) if observed and observed.continuity else None,
        feature=feature,
        place=place,
        about=about,
    )


def _states(run: Run) -> Iterator[StateResult]:
    after = {state.node: state.counters for state in run.observed.states_after}
    for state in run.observed.states:
        counters = after.get(state.node)
        counted = (
            {"post": counters.post, "enforce": counters.enforce, "monitor": counters.monitor} if counters else None
        )
        yield StateResult(state.node, state.state, state.error, state.mode, counted)


def _needs(run: Run) -> Iterator[NeedResult]:
    if run.observed.policy is None:
        return
    for need in requirements(run.observed.policy):
        for here in run.observed.capabilities.values() or [Capabilities()]:
            told = [here.has(name) for name in need.any_of]
            met = True if True in told else None if None in told else False
            yield NeedResult(need.why, met, "; ".join(here.source(name) for name in need.any_of))


def _acts(run: Run) -> Iterator[ActResult]:
    shown = _compact_lines(run)
    for act in run.declared:
        done = run.observed.acts[act.name]
        role = "prepare" if act.prepare else "act"
        if act.prepare and isinstance(done, Unknown):
            continue  # a recording may begin after the scene was set
        yield _missing(act, role, done) if isinstance(done, Unknown) else _act(act.name, role, done, shown)
    for done in run.observed.others:
        yield _act(done.performed.id, "not asked for", done, shown)


def continuity_result(told: Continuity) -> ContinuityResult:
    """What became of enforcement during a change, as the result holds it."""
    return ContinuityResult(
        told.change, told.command, tuple(gap.tell(told)), tuple(_pulse(told, one) for one in told.pulses if one.beats)
    )


def _pulse(told: Continuity, pulse: Pulse) -> PulseResult:
    zero, offset = pulse.beats[0].started, gap.clock(told, pulse)
    happenings = []
    for one in told.happenings:
        if one.node in {"", pulse.node}:
            at = gap.on_node(one, offset) if offset else None
            earliest, latest = (round(at.low - zero, 3), round(at.high - zero, 3)) if at else (None, None)
            happenings.append(HappeningResult(one.what, one.said, earliest, latest))
    return PulseResult(
        pulse.node,
        pulse.argv,
        tuple((round(one.started - zero, 3), round(one.ended - zero, 3), one.outcome) for one in pulse.beats),
        tuple(
            GapResult(
                round((one.before.ended if one.before else one.allowed[0].started) - zero, 3),
                round((one.after.started if one.after else one.allowed[-1].ended) - zero, 3),
                len(one.allowed),
                one.at_least,
                one.at_most,
                one.measured,
            )
            for one in gap.gaps(pulse)
        ),
        tuple(happenings),
        round(pulse.pause * 1000),
    )


def _missing(act: Act, role: str, unknown: Unknown) -> ActResult:
    return ActResult(act.name, act.argv, act.pod, role, act.stdin, act.tty, unknown.reason)


def _act(name: str, role: str, done: Done, shown: Callable[[Event], str]) -> ActResult:
    performed = done.performed
    return ActResult(
        name=name,
        argv=performed.argv,
        pod=f"{performed.namespace}/{performed.pod}",
        role=role,
        stdin=performed.stdin,
        tty=performed.tty,
        exit_code=performed.outcome.exit_code,
        ended=str(performed.outcome),
        stdout=performed.outcome.stdout,
        stderr=performed.outcome.stderr,
        timeline=_timeline(done.timeline, shown),
    )


def _timeline(timeline: Timeline, shown: Callable[[Event], str]) -> TimelineResult:
    return TimelineResult(
        timeline.node,
        round(timeline.seconds, 6),
        timeline.open,
        tuple(
            EventResult(
                round(entry.offset, 6),
                entry.event.kind,
                entry.own,
                what_happened(entry.event),
                shown(entry.event),
                entry.event.pod,
                entry.event.json(),
            )
            for entry in timeline.whole
        ),
        timeline.others.count,
    )


def _compact_lines(run: Run) -> Callable[[Event], str]:
    """What tetra itself printed, where that is known; else our own rendering, of the version that is there."""
    printed, tetra = run.observed.compact, run.observed.tetra
    lines = {} if isinstance(printed, Unknown) else printed_of(run.observed.stream, printed)
    return lambda event: lines.get(id(event)) or compact(event, tetra)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
