"""The `replay` target: a recorded run answers for what it recorded, and for nothing else.

A policy is answered by the scenario whose policy says the same (bound values
apart); an act by the recorded act with the same pod, argv and input, repeated
ones in their order. What differs is told in a sentence.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from tetraproof.answer import Unknown
from tetraproof.errors import RecordingError
from tetraproof.events import loss
from tetraproof.events.event import Event
from tetraproof.observing import inventory
from tetraproof.observing.act import AGENT, Act, Outcome
from tetraproof.observing.hearing import Hearing
from tetraproof.observing.observation import Done, Observed
from tetraproof.observing.timeline import Node, Performed, timelines
from tetraproof.policies import policy as policies
from tetraproof.policies.binding import Bindings, PodBinding, fill, match
from tetraproof.policies.capability import Capabilities, PolicyState, kernel_options, probed
from tetraproof.policies.hosts import FILE as NODES
from tetraproof.policies.hosts import hosts
from tetraproof.policies.policy import Likeness, Policy
from tetraproof.recordings import change as changes
from tetraproof.recordings.recording import ActRecord, Cell, NodeRecord, Recording, ScenarioRecord, rings_to_hear
from tetraproof.targets import Unanswerable
from tetraproof.text import command_line, safe, shorten
from tetraproof.verdict import Verdict


class Replay:
    """A recording as a target."""

    kind = "replay"

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._policies = {
            scenario.name: policies.parse(
                recording.text(f"scenarios/{scenario.name}/policy.yaml") or "",
                f"{recording.name}/scenarios/{scenario.name}/policy.yaml",
                recorded=True,
            )
            for scenario in recording.index.scenarios
            if scenario.policy and not scenario.change
        }
        named = {scenario.name: scenario for scenario in recording.index.scenarios}
        self._beside = {
            one.name: one.beside
            for one in named.values()
            if one.beside in named and one.beside != one.name and self._are_alike(one, named[one.beside])
        }

    def _are_alike(self, one: ScenarioRecord, other: ScenarioRecord) -> bool:
        """Whether two scenarios answer for the same: one may have been recorded anew since, of another policy."""
        policy, second = self._policies.get(one.name), self._policies.get(other.name)
        if policy is None or second is None:
            return policy is second and one.settings == other.settings and one.change == other.change
        return policies.compare(policy, second).same and policies.compare(second, policy).same

    @property
    def cell(self) -> Cell:
        """The cell that was recorded."""
        return self.recording.index.cell

    @property
    def bindings(self) -> Bindings:
        """What the suites' logical names were."""
        return self.recording.index.bindings

    @property
    def nodes(self) -> dict[str, str]:
        """The nodes that were recorded, and the kernel of each."""
        return {node.name: node.kernel for node in self.recording.index.nodes}

    def introduction(self) -> Sequence[str]:
        """Which cell is judged, and that nothing happens on this machine."""
        made = self.recording.index.provenance
        return (
            f"judging {self.cell.title}, on replay of {self.recording.name}",
            f"nothing is enforced on this machine: this is a run recorded on {made.recorded[:10]}, {made.where}",
            "to go live: docs/going-live.md",
        )

    def scenarios(self, name: str, policy: Policy | None, settings: Mapping[str, str]) -> Sequence[str]:
        """The recorded scenarios that answer, the one named like the policy first."""
        if policy is None:
            return [
                scenario.name
                for scenario in self.recording.index.scenarios
                if not scenario.policy and not scenario.change and self._has(scenario, settings)
                if scenario.name not in self._beside
            ]
        found = [one for one, likeness in self._likenesses(policy) if likeness.same and one not in self._beside]
        return sorted(found, key=lambda one: (one not in {name, policy.name}, one))

    def _has(self, scenario: ScenarioRecord, settings: Mapping[str, str]) -> bool:
        """Whether a scenario was recorded under `settings`, and differs from its cell in nothing else."""
        effective = {**self.recording.index.settings, **scenario.settings}
        # a setting that an agent does not have is one that is off
        asked = all(effective.get(name, "false") == value for name, value in settings.items())
        return asked and scenario.settings.keys() <= settings.keys()

    def answering(self, scenario: str, acts: Sequence[Act], suite: str = "") -> str:
        """Of a scenario and those recorded beside it the one of this suite, or else that has most of these acts."""
        names = {scenario, *(one for one, first in self._beside.items() if first == scenario)}
        records = [record for record in self.recording.index.scenarios if record.name in names]
        if len(records) > 1:
            records = [record for record in records if suite and record.suite == suite] or records
        if len(records) < 2:  # noqa: PLR2004 - nothing to choose
            return records[0].name if records else scenario
        return max(records, key=lambda record: self._count(record, acts)).name

    def _count(self, record: ScenarioRecord, acts: Sequence[Act]) -> int:
        """How many of these acts a scenario has."""
        bindings = self._bindings(record, None, None)
        choices, left = bindings.choices(), [_performed(act, "") for act in self.recording.acts(record.name)]
        had = len(left)
        for act in acts:
            same = [at for at, one in enumerate(left) if _same(act, one, bindings, choices) is not None]
            for at in same[:1]:
                del left[at]
        return had - len(left)

    def observe(
        self,
        policy: Policy | None,
        settings: Mapping[str, str],
        acts: Sequence[Act],
        scenario: str,
        suite: str = "",
    ) -> Observed:
        """What was recorded of `scenario`, with the acts that were declared found in it.

        Where several suites' were recorded of one policy, that is the one of this suite.
        """
        if not scenario:
            raise Unanswerable(self._why_unrecorded(policy, settings))
        scenario = self.answering(scenario, acts, suite)
        record = next(record for record in self.recording.index.scenarios if record.name == scenario)
        if record.unanswered:
            raise Unanswerable(record.unanswered.reason, Verdict[record.unanswered.verdict.upper()])
        recorded = self._policies.get(scenario)
        bindings = self._bindings(record, policy, recorded)
        metrics = self._metrics(scenario)
        records = self.recording.acts(scenario)
        containers = {(pod.namespace, pod.name): container for container, pod in bindings.by_container().items()}
        performed = [_performed(act, containers.get((act.namespace, act.pod), "")) for act in records]
        seen = _Seen(records)
        hearing = self._hearing(scenario, bindings)
        heard = hearing.events("events.jsonl", performed, seen.take)
        exported = hearing.events("export.jsonl")
        stream, export, unread = heard.stream, exported.stream, heard.unread
        bindings = seen.of(bindings)
        settings = {**self.recording.index.settings, **record.settings}
        still = loss.stood_still(*metrics) if stream else ""
        lost = loss.lost(*metrics) or loss.unread(*metrics) or still
        lost = unread or lost or _hidden(settings) or _unheard(record)
        told = timelines(performed, heard.held, self._nodes(record, records, settings, lost), heard.crowd)
        done = [Done(act, timeline) for act, timeline in zip(performed, told, strict=True)]
        there = [one for one in done if one.performed.role in {"act", "prepare"}]
        found, unused, reordered, bindings = _find(acts, there, bindings)
        return Observed(
            scenario=scenario,
            policy=policies.with_values(policy, bindings) if policy else None,
            acts=found,
            applied=recorded.name if recorded else "",
            states=self._states(scenario, recorded),
            states_after=self._states(scenario, recorded, after=True),
            answered=tuple(self.recording.states(scenario, after=True)) if recorded else None,
            others=tuple(unused),
            bindings=bindings,
            capabilities={node.name: self._capabilities(record, node.name) for node in self._spoken_of(record)},
            stream=stream,
            compact=hearing.printed(stream),
            export=export or Unknown(Verdict.UNRECORDED, "the recorded export log is empty"),
            export_notice="; ".join(exported.notes),
            posted=_posted(metrics, recorded),
            configuration=settings,
            hosts=hosts(self.recording.text(NODES) or ""),
            tetra=self.cell.cli or self.cell.tetragon,
            notes=(*record.notes, *heard.notes, *_notes_on(record, metrics), *reordered),
        )

    def changes(self, change: str, policy: Policy) -> Sequence[str]:
        """The recorded scenarios in which this was changed while the policy was in force."""
        return changes.scenarios(self.recording, change, policy)

    def observe_change(self, change: str, policy: Policy, scenario: str) -> Observed:
        """What was recorded of that change."""
        if not scenario:
            raise Unanswerable(changes.why_none(self.recording, change, policy))
        record = next(record for record in self.recording.index.scenarios if record.name == scenario)
        if record.unanswered:
            raise Unanswerable(record.unanswered.reason, Verdict[record.unanswered.verdict.upper()])
        return changes.observe(self.recording, policy, scenario)

    def look(self) -> Observed:
        """What was installed, as it was recorded."""
        recording = self.recording
        return Observed(
            scenario="installation",
            policy=None,
            acts={},
            bindings=self.bindings,
            configuration=recording.index.settings,
            inventory=inventory.of_files(recording.text, next((node.name for node in recording.index.nodes), "")),
        )

    def _likenesses(self, policy: Policy) -> Iterator[tuple[str, Likeness]]:
        for name, recorded in self._policies.items():
            yield name, policies.compare(policy, recorded)

    def _why_unrecorded(self, policy: Policy | None, settings: Mapping[str, str]) -> str:
        if policy is None:
            asked = ", ".join(f"{name}: {value}" for name, value in settings.items()) or "the cell's own settings"
            return f"the recording has no scenario without a policy under {asked}"
        nearest = min(self._likenesses(policy), key=lambda item: len(item[1].differences), default=None)
        reason = f"the recording has no scenario whose policy says what {policy.name} says"
        if nearest is None:
            return reason
        name, likeness = nearest
        return f"{reason}; the nearest is {name}, which differs at {likeness.differences[0]}"

    def _bindings(self, record: ScenarioRecord, policy: Policy | None, recorded: Policy | None) -> Bindings:
        own = self.recording.index.bindings
        workloads = {**own.workloads, **record.bindings.workloads}
        bound = dict(policies.compare(policy, recorded).bindings) if policy and recorded else {}
        namespaces = {**own.namespaces, **record.bindings.namespaces}
        services, own_ranges = {**own.services, **record.bindings.services}, {**own.ranges, **record.bindings.ranges}
        return Bindings(workloads, services, own_ranges, namespaces=namespaces, roots=own.roots).learning(bound)

    def _spoken_of(self, record: ScenarioRecord) -> tuple[NodeRecord, ...]:
        """The nodes that a scenario speaks of."""
        nodes = self.recording.index.nodes
        return tuple(node for node in nodes if node.name in record.nodes) if record.nodes else nodes

    def _nodes(
        self, record: ScenarioRecord, acts: Sequence[ActRecord], settings: Mapping[str, str], lost: str
    ) -> dict[str, Node]:
        """The nodes that must be heard: where a scenario names its own, those of them that were acted on."""
        acted = {act.node for act in acts}
        known = {node.name: node for node in self.recording.index.nodes}
        heard = [node for node in self._spoken_of(record) if not record.nodes or node.name in acted]
        spoken_of = {node.name for node in self._spoken_of(record)}
        strangers = {}
        for name in sorted(acted - spoken_of):
            whose = "scenario's" if name in known else "recording's"
            strangers[name] = Node(name, lost=f"{name or 'a node without a name'} is none of the {whose} nodes")
        return strangers | {node.name: Node(node.name, rings_to_hear(node, settings), lost) for node in heard}

    def _metrics(self, scenario: str) -> tuple[str, str]:
        paths = (f"scenarios/{scenario}/metrics-{moment}.txt" for moment in ("before", "after"))
        before, after = (self.recording.text(path) or "" for path in paths)
        return before, after

    def _hearing(self, scenario: str, bindings: Bindings) -> Hearing:
        containers = {one: (pod.namespace, pod.name) for one, pod in bindings.by_container().items()}
        pods = [str(pod) for pods in bindings.workloads.values() for pod in pods]
        return Hearing(partial(self.recording.opened, scenario), containers, pods)

    def _states(self, scenario: str, recorded: Policy | None, *, after: bool = False) -> tuple[PolicyState, ...]:
        if recorded is None:
            return ()
        return tuple(
            PolicyState.of(node, told)
            for node, states in self.recording.states(scenario, after=after).items()
            for told in states
            if (str(told.get("namespace", "")), told.get("name")) == recorded.key
        )

    def _capabilities(self, record: ScenarioRecord, node: str) -> Capabilities:
        own = self.recording.text(f"environment/tetra-probe-{node}.txt")
        return Capabilities(
            probed(own or self.recording.text("environment/tetra-probe.txt") or ""),
            kernel_options(self.recording.text("environment/kernel.config") or ""),
            {**self.recording.index.settings, **record.settings},
        )


def _unheard(record: ScenarioRecord) -> str:
    """What the recorder itself says of the stream's end."""
    return "the recording says that the stream was not heard to its end" if record.heard_to_the_end is False else ""


def _hidden(settings: Mapping[str, str]) -> str:
    """The agent's setting that keeps from an event whose it is, in a clause."""
    set_to = settings.get("disable-process-cache", "")
    if set_to.lower() not in {"", "false", "0"}:
        return f"the agent is set to disable-process-cache: {set_to}, so its events do not tell whose they are"
    return ""


def _posted(metrics: tuple[str, str], recorded: Policy | None) -> Mapping[str, int] | Unknown:
    before, after = metrics
    if not (before and after and recorded):
        return Unknown(Verdict.UNRECORDED, "no metrics were recorded")
    if unread := loss.unread(before, after):
        return Unknown(Verdict.INCONCLUSIVE, unread)
    try:
        return loss.posted(before, after, recorded.name)
    except RecordingError as error:
        return Unknown(Verdict.INCONCLUSIVE, f"the agent's {error.sentence.removesuffix('.')}")


def _notes_on(record: ScenarioRecord, metrics: tuple[str, str]) -> Iterator[str]:
    if record.settings:
        changed = ", ".join(f"{name}: {value}" for name, value in record.settings.items())
        yield f"recorded under settings of its own: {changed}"
    if not all(metrics):
        yield "no metrics were recorded, so a loss of events would not be seen"


def _performed(act: ActRecord, container: str) -> Performed:
    return Performed(
        act.id,
        act.namespace,
        act.pod,
        act.node,
        act.argv,
        Outcome(act.exit_code, act.stdout, act.stderr, safe(act.broken)),
        act.stdin,
        act.tty,
        act.role,
        act.cpu,
        act.started,
        container,
        safe(act.lacks),
        safe(act.disturbed),
    )


class _Seen:
    """The pods that were acted in or seen in events, for workloads that nobody listed."""

    def __init__(self, acts: Sequence[ActRecord]) -> None:
        self._pods: dict[str, dict[str, PodBinding]] = {}
        for act in acts:
            pod = PodBinding(act.namespace, act.pod, node=act.node)
            self._pods.setdefault(act.pod, {})[str(pod)] = pod

    def take(self, event: Event) -> None:
        """One event, which may show another pod, or its address."""
        pod = event.process.pod
        if pod is None:
            return
        workload = pod.workload or pod.name
        if workload != pod.name:
            self._pods.pop(pod.name, None)
        known = self._pods.setdefault(workload, {}).get(str(pod))
        address = known.ip if known and known.ip else _own_address(event)
        self._pods[workload][str(pod)] = PodBinding(pod.namespace, pod.name, address, event.node)

    def of(self, bindings: Bindings) -> Bindings:
        """The bindings, and for workloads that nobody listed what was seen."""
        seen = {name: tuple(found.values()) for name, found in self._pods.items()}
        return replace(bindings, workloads={**seen, **bindings.workloads})


def _own_address(event: Event) -> str:
    """The address that the process's pod has on its own connections, where the event is of one."""
    socks = (one.sock_arg for one in getattr(event.detail, "args", ()))
    return next((sock.saddr for sock in socks if sock and not sock.saddr.startswith(("127.", "::1"))), "")


def _find(
    acts: Sequence[Act], done: Sequence[Done], bindings: Bindings
) -> tuple[dict[str, Done | Unknown], list[Done], list[str], Bindings]:
    """What was recorded for each act; what nobody asked for; notes; and the bindings with what the acts taught."""
    found: dict[str, Done | Unknown] = {}
    used: set[int] = set()
    notes: list[str] = []
    learnt: dict[str, str] = {}
    position = 0
    for act in acts:
        choices = bindings.choices() | {name: (value,) for name, value in learnt.items()}
        same = {
            at: values
            for at, one in enumerate(done)
            if at not in used and (values := _same(act, one.performed, bindings, choices)) is not None
        }
        if act.look:  # it speaks of what came right before it, and of nothing else
            same = {at: values for at, values in same.items() if at == position}
        at = next((at for at in same if at >= position), next(iter(same), None))
        lacks = done[at].performed.lacks if at is not None else ""
        if lacks:
            found[act.name] = Unknown(Verdict.UNSUPPORTED, lacks)
            continue
        if at is None:
            found[act.name] = Unknown(Verdict.UNRECORDED, _unlike(act, done, bindings, choices))
            continue
        if at < position:
            notes.append(f"act {act.name} was recorded in another order than the suite declares")
        found[act.name] = done[at]
        used.add(at)
        learnt |= same[at]
        position = max(position, at + 1)
    taught = replace(bindings, learnt={**bindings.learnt, **learnt})
    return found, [one for at, one in enumerate(done) if at not in used], notes, taught


def _same(
    act: Act, performed: Performed, bindings: Bindings, choices: Mapping[str, tuple[str, ...]]
) -> dict[str, str] | None:
    """What the act's placeholders stand for, if this is the act; nothing where it is another."""
    if not (_same_input(act, performed) and _in_workload(act.pod, performed, bindings)):
        return None
    return _same_argv(act, performed, choices)


def _same_argv(act: Act, performed: Performed, choices: Mapping[str, tuple[str, ...]]) -> dict[str, str] | None:
    if len(act.argv) != len(performed.argv):
        return None
    # one string, so that a placeholder means the same in every argument
    return match("\0".join(act.argv), "\0".join(performed.argv), choices)


def _same_input(act: Act, performed: Performed) -> bool:
    typed, recorded = ((text or "").rstrip("\n") for text in (act.stdin, performed.stdin))
    return typed == recorded and act.tty == performed.tty


def _in_workload(workload: str, performed: Performed, bindings: Bindings) -> bool:
    pods = bindings.workloads.get(workload, ()) if workload != AGENT else ()
    if pods:
        return any((pod.namespace, pod.name) == (performed.namespace, performed.pod) for pod in pods)
    return performed.pod == workload or performed.pod.startswith(f"{workload}-")


def _unlike(act: Act, done: Sequence[Done], bindings: Bindings, choices: Mapping[str, tuple[str, ...]]) -> str:
    """Why no recorded act answers: what the nearest one has instead."""
    if not done:
        return f"act {act.name} was not recorded: the scenario has no acts"
    exact = [one.performed for one in done if _same_argv(act, one.performed, choices) is not None]
    if exact and not any(_in_workload(act.pod, one, bindings) for one in exact):
        return f"act {act.name} was not recorded in {act.pod}, only in {exact[0].namespace}/{exact[0].pod}"
    if exact and not any(_same_input(act, one) for one in exact):
        return f"act {act.name} was not recorded with this input ({shorten(repr(act.stdin), 60)})"
    if exact:
        return f"act {act.name} was recorded {len(exact)} times, and is asked for once more"
    values = {name: options[0] for name, options in choices.items()}
    asked = command_line(fill(part, values) for part in act.argv)
    near = difflib.get_close_matches(asked, [command_line(one.performed.argv) for one in done], 1, 0.0)[0]
    return f"act {act.name} was not recorded; the nearest is {shorten(near, 70)}"
