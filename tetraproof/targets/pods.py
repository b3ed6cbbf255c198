"""The `cluster` and `kind` targets: agents of a DaemonSet, pods of our own to act in, on each node that is acted on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml
from kubernetes.client.exceptions import ApiException
from msgspec.structs import replace

import tetraproof
from tetraproof.errors import AgentError, AgentGone, TetraproofError
from tetraproof.events.event import Event, parse
from tetraproof.events.stream import whole_lines
from tetraproof.kubernetes.cluster import ClusterError, Object
from tetraproof.kubernetes.execution import Following, Place, reason
from tetraproof.kubernetes.preparation import Plan, Preparation
from tetraproof.kubernetes.workspace import RUN
from tetraproof.machines.machine import Completed
from tetraproof.observing.act import Act, Outcome
from tetraproof.observing.inventory import versions
from tetraproof.pacing.account import SETTING_AGENTS
from tetraproof.pacing.waiting import until
from tetraproof.policies.binding import Bindings, PodBinding
from tetraproof.policies.confinement import Scope, by_version, not_applied, to_pods, why_not
from tetraproof.policies.policy import Policy
from tetraproof.recordings.discretion.redaction import kept, redacted_text, redacted_yaml
from tetraproof.recordings.environment import Environment
from tetraproof.recordings.recording import FORMAT, Index, Provenance
from tetraproof.targets import Unanswerable
from tetraproof.targets.applying import about
from tetraproof.targets.keeping import exported_to
from tetraproof.verdict import Verdict

_POLICY = "cilium.io/v1alpha1/"
#: What an old CRD says of a field that it does not have.
_UNKNOWN_FIELD = "unknown field"


class Kubernetes:
    """A cluster with its agents and our pods; a site for a live target."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._prepared = Preparation(plan)
        self.cluster = self._prepared.cluster
        self._streams: dict[str, tuple[Following, Path]] = {}
        self._applied: dict[tuple[str, str], Policy] = {}
        self._programs: dict[Place, dict[str, bool]] = {}
        self._asked: dict[str, str] = {}
        self._counts: dict[str, tuple[str, int]] = {}
        self._expected: Policy | None = None
        self._settings: dict[str, str] | None = None
        #: Acts that were begun, and not seen to end.
        self._going: set[object] = set()
        self.folder, self.helm, self.chart, self.newer = plan.folder, plan.helm, plan.chart, plan.newer
        self.revision = 0

    def open(self) -> None:
        """Set up, and listen on every place. Raises what keeps it from that."""
        self._prepared.open()
        self.installation, self.workspace = self._prepared.installation, self._prepared.workspace
        self.ranges, self.places = self._prepared.ranges, self._prepared.places
        self.revision = self.helm.revision() if self.helm else 0
        for place in self.places:
            self._listen(place)

    @property
    def asked_for(self) -> tuple[str, ...]:
        """The agent's settings that the user asked for at the installation."""
        sets = self.helm.sets if self.helm else {}
        return tuple(name.rpartition(".")[2] for name in sets)

    def close(self) -> list[str]:
        """Let go of the streams, and remove what the run made; what cannot be removed is returned, in sentences."""
        self.cluster.executor.resume()
        for following, _ in self._streams.values():
            following.stop()
        self._streams.clear()
        left = []
        for policy in list(self._applied.values()):
            try:
                # agents of our own go with it, so there is nobody to await
                self.remove(policy, awaited=self.helm is None)
            except TetraproofError as error:
                left.append(f"The policy {policy.name}: {error.sentence} To remove it: {self._plan.way_out}")
        return [*(() if self._plan.passing else left), *self._prepared.close(clean=not self._going)]

    def _listen(self, place: str) -> None:
        """Begin to follow the events of the run's pods on a node; unfiltered, a stream can feed itself."""
        number = sum(1 for _ in self._plan.folder.glob(f"events-{place}-*.jsonl"))
        output = self._plan.folder / f"events-{place}-{number}.jsonl"
        output.touch()
        names = ",".join(self.workspace.namespaces.values())
        words = ["tetra", "getevents", "-o", "json", "--namespace", names]
        try:
            following = self.cluster.executor.start(self.installation.agent(place).place, words, output)
        except ApiException as error:
            raise ClusterError(f"The agent of {place} cannot be listened to: {reason(error)}.") from error
        self._streams[place] = following, output

    # what a live target asks of a site

    def nodes(self, place: str) -> tuple[str, ...]:
        """A place answers for itself, the first also for the agents that nobody acts beside."""
        others = [node for node in self.installation.agents if node not in self.places]
        return (place, *(sorted(others) if place == self.places[0] else ()))

    def bindings(self, place: str) -> Bindings:
        """What the suites' logical names are on a node."""
        return self.workspace.bindings(place).learning(self.ranges)

    def unsupported(self, policy: Policy) -> str:
        """A policy that would meet what is not ours, and cannot be kept from it."""
        self._expected = None
        refused = self._refused(policy)
        self._expected = None if refused else policy
        return refused

    def _refused(self, policy: Policy) -> str:
        one = policy.kind == "TracingPolicyNamespaced"
        if one and not policy.namespace:
            return "it names no namespace, and the run has several of its own: metadata.namespace says which is meant"
        if one and policy.namespace not in self.workspace.namespaces.values():
            return f"no workload of the run is in namespace {policy.namespace}"
        if self._plan.cluster_wide:
            return ""
        self._settings = self.installation.settings()
        if self._settings.get("enable-policy-filter") != "true":
            told = "the agent is set to enable-policy-filter: false, so"
            if one:
                return f"{told} it keeps no policy to one namespace"
            reason = f"{told} a podSelector would not keep the policy to the run's own pods"
        else:
            asked = self.installation.ask("version", "--server") if by_version(policy, Scope.PODS) else {}
            agents = [versions(done.output).get("Server", "") for done in asked.values()]
            reason = why_not(policy, agents, Scope.PODS)
        return not_applied(policy, reason, Scope.PODS) if reason else ""

    def configure(self, settings: Mapping[str, str]) -> str:
        """Set the agents so, where they are ours; what an earlier scenario set and this one does not ask is undone."""
        # as they were seen for its policy, just before
        effective, self._settings = self._settings or self.installation.settings(), None
        wanted = {name: value for name, value in settings.items() if effective.get(name, "false") != value}
        if not self._plan.helm:
            told = (
                f"the agent is set to {name}: {effective.get(name, 'nothing')}, not {value}"
                for name, value in wanted.items()
            )
            return next((f"{one}, and is not ours to change (AGENT=install)" for one in told), "")
        before = {name: value for name, value in self._asked.items() if name not in settings}
        if wanted or before:
            self._plan.tell("restarting the agents, set otherwise")
            self._asked = {name: effective.get(name, "false") for name in wanted}
            self._expected = None
            with self._plan.account.spending(SETTING_AGENTS):
                self.installation.configure({**before, **wanted})
                self.listen_anew()
        return ""

    def listen_anew(self) -> None:
        """Begin every stream anew: the agents are others now."""
        for place in self.places:
            self._streams[place][0].stop()
            self._listen(place)

    def lacking(self, place: str, acts: Sequence[Act]) -> dict[str, str]:
        """Why an act cannot be tried, by its name: its program is not in the pod."""
        bindings = self.bindings(place)
        wanted: dict[Place, set[str]] = {}
        for act in acts:
            if pod := bindings.pod(act.pod):
                wanted.setdefault(Place(pod.namespace, pod.name), set()).add(act.argv[0])
        for where, programs in wanted.items():
            known = self._programs.setdefault(where, {})
            if unknown := sorted(programs - known.keys()):
                missing = self._missing(where, unknown)
                known |= {program: program not in missing for program in unknown}
        found = {}
        for act in acts:
            pod = bindings.pod(act.pod)
            if pod and not self._programs[Place(pod.namespace, pod.name)][act.argv[0]]:
                found[act.name] = f"{act.argv[0]} is not in the image of {act.pod}"
        return found

    def _missing(self, where: Place, programs: Sequence[str]) -> set[str]:
        script = 'for one; do command -v "$one" >/dev/null || echo "$one"; done'
        done = self.cluster.executor.run(where, ["sh", "-c", script, "sh", *programs], seconds=self._plan.deadlines.act)
        # without a shell nothing is known, and each is tried
        return set(done.output.split()) if done.ok else set()

    def perform(self, act: Act, pod: PodBinding, argv: Sequence[str]) -> Outcome:
        """Perform an act in a pod."""
        begun = object()
        self._going.add(begun)
        done = self.cluster.executor.run(
            Place(pod.namespace, pod.name),
            argv,
            seconds=self._plan.deadlines.act,
            stdin=None if act.stdin is None else act.stdin.encode(),
            tty=act.tty,
        )
        if done.exit_code is not None or done.unstarted:  # else it may go on in the pod
            self._going.discard(begun)
        complaint = done.stderr.decode("utf-8", "replace")
        return Outcome(done.exit_code, done.output, complaint, done.broken, done.unstarted, done.gone)

    def fitted(self, policy: Policy) -> Policy:
        """A policy of the whole cluster is confined to the run's pods; one of a namespace is by that, which is ours.

        Whoever applies one comes by here, so what cannot be confined goes no further. Raises `Unanswerable`.
        """
        # what was said of it when way was made for it holds still
        if policy is not self._expected and (refused := self.unsupported(policy)):
            raise Unanswerable(refused, Verdict.UNSUPPORTED)
        if policy.kind == "TracingPolicyNamespaced" or self._plan.cluster_wide:
            return policy
        return dataclasses.replace(policy, spec=to_pods(policy.spec, {RUN: self.workspace.run}))

    def order(self, place: str, policy: Policy, order: Sequence[str]) -> Completed:
        """Tell the agent of a node something of the policy."""
        word, *more = order
        namespaced = ("--namespace", policy.namespace) if policy.namespace else ()
        words = ("tracingpolicy", word, policy.name, *more, *namespaced)
        return self.installation.ask_one(place, *words, seconds=self._plan.deadlines.policy)

    def apply(self, policy: Policy, manifest: str) -> str:
        """Create a policy, once the server has said that it would take it. Raises `Unanswerable`, `ClusterError`."""
        document: Object = yaml.safe_load(manifest)
        document["metadata"]["labels"] = self.workspace.labels
        self._counts = self._counted()
        if self.cluster.get(f"{_POLICY}{policy.kind}", policy.name, policy.namespace):
            raise ClusterError(f"A {policy.kind} {policy.name} is there already, and is never replaced.")
        try:
            self.cluster.create(document, dry_run=True)
        except ClusterError as error:
            if _UNKNOWN_FIELD in error.sentence:
                raise Unanswerable(
                    f"the cluster's CRD is older than the policy: {error.sentence}", Verdict.UNSUPPORTED
                ) from error
            raise
        self._applied[policy.key] = policy
        self.cluster.create(document)
        return ""

    def remove(self, policy: Policy, *, awaited: bool = True) -> None:
        """Delete a policy, and await that no agent has it any more."""
        if policy.key not in self._applied:
            return
        kind = f"{_POLICY}{policy.kind}"
        there = self.cluster.get(kind, policy.name, policy.namespace)
        if there and (there["metadata"].get("labels") or {}).get(RUN) != self.workspace.run:
            # somebody made one of this name between our question and our creation
            del self._applied[policy.key]
            return
        self.cluster.delete(kind, policy.name, policy.namespace)
        if not awaited:
            del self._applied[policy.key]
            return
        until(
            f"the end of {policy.name}",
            self.states,
            lambda states: not any(about(policy, told) for told in states.values()),
            self._plan.deadlines.policy,
            tell=self._plan.tell,
            shown=lambda states: (
                ", ".join(node for node, told in states.items() if about(policy, told)) + " still has it"
            ),
            forgives=AgentError,
            final=AgentGone,
        )
        del self._applied[policy.key]

    def states(self) -> dict[str, list[dict[str, Any]]]:
        """What the agent of each node says of every policy; one that does not answer may be another next time."""
        try:
            return self.installation.states()
        except AgentError:
            self.installation.refresh()
            raise

    def answers(self) -> dict[str, list[dict[str, Any]]]:
        """What those agents say of every policy that answer at once."""
        return self.installation.answers()

    def disturbed(self) -> dict[str, str]:
        """The nodes whose agent is not the one that it was when the policy was applied, and how."""
        now = self._counted()
        told = {}
        for node, (uid, count) in self._counts.items():
            other, after = now.get(node, ("", 0))
            if other != uid:
                told[node] = "the agent's pod is another one now" if other else "the agent's pod is gone"
            elif after != count:
                told[node] = f"the agent restarted meanwhile: its restart count went from {count} to {after}"
        return told

    def gone(self, place: str) -> dict[str, str]:
        """The workloads there of which a pod was taken away while acts were performed."""
        return self.workspace.gone(place)

    def _counted(self) -> dict[str, tuple[str, int]]:
        return {pod.node: (pod.uid, pod.restarts) for pod in self.installation.pods()}

    def metrics(self, place: str) -> str:
        """The metrics of a node's agent."""
        return self.installation.metrics(place)

    def position(self, place: str) -> int:
        """Where in a node's stream we are. One that has ended is begun anew, in a file of its own."""
        following, output = self._streams[place]
        if not following.runs:
            self._plan.tell(f"the stream of {place} had ended ({following.ending}), and is begun anew")
            self.installation.await_ready()
            self._listen(place)
            output = self._streams[place][1]
        return whole_lines(output)

    def ended(self, place: str) -> str:
        """How a node's stream has ended, in a clause; nothing where it goes on."""
        following, _ = self._streams[place]
        return "" if following.runs else following.ending or "nobody listens any more"

    def heard(self, place: str, position: int, applied: str) -> bytes:
        """A node's stream since a position; it holds the run's pods only."""
        del applied
        with self._streams[place][1].open("rb") as stream:
            stream.seek(position)
            whole, newline, _ = stream.read().rpartition(b"\n")
        # the last line may not be whole yet
        return whole + newline

    def compact(self, place: str, stream: bytes) -> bytes:
        """The same as the agent's own tetra prints it."""
        return self.installation.compact(stream, place)

    def export(self, place: str, since: datetime, until_heard: bytes) -> bytes:
        """The export log's lines of the run's pods since a moment, once it shows what is to be heard."""

        def ask() -> bytes:
            if self.cluster.executor.stopped:
                raise AgentGone("It was given up.")
            seconds = int((datetime.now(UTC) - since).total_seconds()) + 2
            return self._ours(self.installation.export(place, since=seconds))

        return exported_to(until_heard, ask, self._plan.deadlines.export, self._plan.tell, otherwise=ask)

    def _ours(self, log: str) -> bytes:
        """The lines of the run's pods, and those that are no event; others' events are not ours to keep."""
        names = set(self.workspace.namespaces.values())
        kept = []
        for line in log.encode().split(b"\n"):
            event = parse(line) if line.strip() else None
            pod = event.process.pod if isinstance(event, Event) else None
            if event is not None and (not isinstance(event, Event) or (pod and pod.namespace in names)):
                kept.append(line + b"\n")
        return b"".join(kept)

    def log(self, place: str, since: datetime) -> bytes:
        """A node's agent's log since a moment."""
        seconds = int((datetime.now(UTC) - since).total_seconds()) + 1
        return redacted_text(self.installation.log(place, since=seconds)).encode()

    def interrupt(self) -> None:
        """Give up every act that runs."""
        self.cluster.executor.stop()

    # what the recording says of where it was made

    def index(self) -> tuple[Index, dict[str, bytes]]:
        """What a recording of this site begins with, and the files of its environment."""
        raw = self._plan.folder / "raw"
        folder = raw / "environment"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self._told().items():
            (folder / name).write_text(content, encoding="utf-8")
        environment = Environment(raw)
        names = ", ".join(self.places)
        return Index(
            FORMAT,
            replace(environment.cell(), target=self._plan.kind),
            Provenance(
                datetime.now(UTC).isoformat(),
                f"{environment.where()}, acting on {names}",
                f"tetraproof {tetraproof.__version__}, {self._plan.kind}",
            ),
            environment.nodes,
            self.bindings(self.places[0]),
            environment.settings,
            (),
        ), dict(environment.files())

    def _chart_version(self) -> str:
        """The version that was asked for, as the DaemonSet's labels have it: that of the chart that made it."""
        labels = self.installation.daemonset()["metadata"].get("labels") or {}
        return str(labels.get("app.kubernetes.io/version", ""))

    def _told(self) -> dict[str, str]:
        """The files of the environment, as `docs/recordings.md` lists them."""
        self._plan.tell("asking the agents what they are, what they can and how they are set")
        cluster, there = self.cluster, self.installation
        nodes = [one for one in cluster.list("v1/Node") if one["metadata"]["name"] in there.agents]
        # first, for it looks at the agents anew
        inventory = there.inventory(self._chart_version())
        probes = there.ask("probe")
        status, servers, clients = (
            there.told(*words) for words in (("status",), ("version", "--server"), ("version",))
        )
        first = self.places[0]
        objects: dict[str, Any] = {
            "node.json": {"kind": "List", "items": kept(nodes, "Node")},
            "configmap.json": kept(there.configmap(), "ConfigMap"),
            "daemonset.json": kept(there.daemonset(), "DaemonSet"),
            "ranges.json": {name.removeprefix("ranges."): value for name, value in self.ranges.items()},
            "installation.json": msgspec.to_builtins(inventory),
            "kubectl-version.json": {"serverVersion": {"gitVersion": f"v{cluster.version}"}},
        }
        texts = {
            "tetra-status.txt": status[first].output,
            "tetra-version.txt": clients[first].output + servers[first].output,
            **{f"tetra-probe-{node}.txt": done.output for node, done in probes.items()},
            "tetra-probe.txt": probes[first].output,
        }
        if self._plan.helm:
            objects["helm-list.json"] = self._plan.helm.releases()
            texts["helm-values.yaml"] = redacted_yaml(self._plan.helm.computed())
        return {**{name: json.dumps(value, indent=1) for name, value in objects.items()}, **texts}
