"""The Tetragon of a cluster: its DaemonSet, the agent on each node, and what each says.

What is installed is asked of the cluster and of the agents, never assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from tetraproof.errors import AgentError, AgentGone, UsageError
from tetraproof.kubernetes.cluster import Cluster, ClusterError, Object
from tetraproof.kubernetes.diagnosis import Answer, Survey, diagnose
from tetraproof.kubernetes.execution import Place
from tetraproof.machines.machine import Completed
from tetraproof.observing.inventory import CRDS, Agent, Inventory, is_running, versions
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import Tell, silent
from tetraproof.pacing.waiting import Overdue, until
from tetraproof.policies.policy_state import listed
from tetraproof.tetra.compact import PLAIN
from tetraproof.text import shorten

_LABEL = "app.kubernetes.io/name=tetragon"
_CONTAINER, _EXPORT = "tetragon", "export-stdout"
_CONFIG = "tetragon-config"
_CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
_METRICS_PORT = "2112"
#: What the kubelet says in the place of a log that is gone.
_NO_LOG = "unable to retrieve container logs for "
#: What an agent logs once it has started.
_LISTENS = "Listening for events"
Told = TypeVar("Told")


@dataclass(frozen=True)
class AgentPod:
    """The agent of one node. `restarts` counts those of its container."""

    node: str
    name: str
    namespace: str
    ready: bool
    restarts: int
    uid: str

    @property
    def place(self) -> Place:
        """Where `tetra` is asked."""
        return Place(self.namespace, self.name, _CONTAINER)


class Installation:
    """A DaemonSet of agents, found in a cluster."""

    def __init__(self, cluster: Cluster, namespace: str, name: str, deadlines: Deadlines, tell: Tell = silent) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.name = name
        self._deadlines = deadlines
        self._tell = tell
        self.agents: dict[str, AgentPod] = {}
        #: What was asked once, while the agents are the same: how they answer, how their pods are selected, and the
        #: port of their metrics.
        self._said: dict[tuple[str, ...], dict[str, Completed]] = {}
        self._selector = self._port = ""

    # what is there

    def daemonset(self) -> Object:
        """The DaemonSet. Raises `ClusterError` where it is gone."""
        found = self.cluster.get("apps/v1/DaemonSet", self.name, self.namespace)
        if found is None:
            raise ClusterError(f"There is no DaemonSet {self.namespace}/{self.name} any more.")
        return found

    def configmap(self) -> Object:
        """Its ConfigMap; an empty object where there is none."""
        return self.cluster.get("v1/ConfigMap", _CONFIG, self.namespace) or {}

    def settings(self) -> dict[str, str]:
        """How the agents are told to be set: the ConfigMap, and the container's arguments before it."""
        told = {str(name): str(value) for name, value in (self.configmap().get("data") or {}).items()}
        for container in self.daemonset()["spec"]["template"]["spec"]["containers"]:
            if container["name"] == _CONTAINER:
                flags = (one.removeprefix("--").partition("=") for one in container.get("args") or ())
                told |= {name: value or "true" for name, _, value in flags if name != "config-dir"}
        return told

    def pods(self) -> list[AgentPod]:
        """The agents' pods, those that end left out."""
        return [_agent_pod(pod) for pod in self._listed() if not pod["metadata"].get("deletionTimestamp")]

    def agent(self, node: str) -> AgentPod:
        """The agent of a node. Raises `AgentGone` where it has none any more."""
        if node not in self.agents:
            raise AgentGone(f"There is no agent on {node} any more.")
        return self.agents[node]

    def _listed(self) -> list[Object]:
        """All of the DaemonSet's pods."""
        if not self._selector:
            labels = self.daemonset()["spec"]["selector"]["matchLabels"]
            self._selector = ",".join(f"{name}={value}" for name, value in labels.items())
        return self.cluster.list("v1/Pod", self.namespace, self._selector)

    # waiting

    def await_ready(self) -> None:
        """Wait for the CRDs, for a finished roll-out of more than no pods, and for every agent to answer.

        A DaemonSet is called rolled out before its agents answer, so each is asked. Raises `AgentError`, which says
        what is wrong with the installation.
        """
        try:
            self._await_ready()
        except Overdue as error:
            causes = [one.sentence for one in diagnose(self.survey())]
            raise AgentError(
                f"The Tetragon of {self.namespace}/{self.name} does not come up.", causes=[*causes, error.sentence]
            ) from error

    def _await_ready(self) -> None:
        until(
            "the CRDs of Tetragon",
            self._crds,
            lambda missing: not missing,
            self._deadlines.rollout,
            tell=self._tell,
            shown=lambda missing: f"{', '.join(missing)} not established",
        )
        until(
            f"the roll-out of {self.namespace}/{self.name}",
            self._wanted,
            lambda told: _rolled_out(told) and self.refresh(),
            self._deadlines.rollout,
            tell=self._tell,
            shown=_rollout_words,
            every=0.5,
            final=AgentGone,
        )
        first = self.told("status")
        if first and all(is_running(done.output) for done in first.values()):
            return
        self._said.clear()
        until(
            "every agent's word that it runs",
            self._statuses,
            lambda told: bool(told) and all(is_running(done.output) for done in told.values()),
            self._deadlines.rollout,
            tell=self._tell,
            shown=_status_words,
            every=0.5,
        )

    def _statuses(self) -> dict[str, Completed]:
        """What `tetra status` says on each node; the last line of the log of an agent that still starts.

        A log is read for nothing, where `tetra` costs a second or two of a busy node, which its agent then lacks.
        """

        def ask(pod: AgentPod) -> Completed:
            log = self.log(pod.node)
            if _LISTENS not in log:
                return Completed(None, broken=next(reversed(log.splitlines()), "an empty log"))
            return self.cluster.executor.run(pod.place, ["tetra", "status"], seconds=self._deadlines.command)

        self.refresh()
        return self._everywhere(ask)

    def _crds(self) -> list[str]:
        return [name for name in CRDS if not _established(self.cluster.get(_CRD, name))]

    def _wanted(self) -> Object:
        """The DaemonSet. Raises `AgentGone` where it fits no node."""
        told = self.daemonset()
        if _is_current(told) and not told["status"].get("desiredNumberScheduled", 0):
            raise AgentGone(f"The DaemonSet {self.namespace}/{self.name} wants an agent on no node.")
        return told

    def rolled_out(self) -> bool:
        """Whether `kubectl rollout status` would say that it is done; no agent is asked."""
        return _rolled_out(self.daemonset())

    def refresh(self) -> bool:
        """Know the agents' pods anew, and what they say; whether all of them are ready."""
        self._said.clear()
        self._port = self._selector = ""
        pods = self.pods()
        self.agents = {pod.node: pod for pod in pods}
        return bool(pods) and all(pod.ready for pod in pods)

    def survey(self) -> Survey:
        """What there is to diagnose an installation by; agents that have no pod are not asked."""
        self.refresh()
        statuses, told = self.told("status"), self.told("version", "--server")
        answers = {
            node: Answer(
                is_running(done.output),
                (done.output or done.complaint).strip(),
                versions(told[node].output).get("Server", ""),
            )
            for node, done in statuses.items()
        }
        return Survey(
            self.daemonset(),
            self.cluster.list("v1/Node"),
            self._listed(),
            self.configmap() or None,
            answers,
            {node: self.log(node, previous=True) for node, pod in self.agents.items() if pod.restarts},
        )

    def inventory(self, asked: str = "") -> Inventory:
        """What is installed; `asked` is the chart's version, as far as it is known."""
        survey, status = self.survey(), self.daemonset().get("status", {})
        commands = {node: versions(done.output).get("CLI", "") for node, done in self.told("version").items()}
        answers = survey.answers or {}
        return Inventory(
            tuple(Agent(node, one.said, commands.get(node, ""), one.version) for node, one in answers.items()),
            asked,
            tuple(one["metadata"]["name"] for one in survey.nodes),
            status.get("desiredNumberScheduled", 0),
            status.get("numberReady", 0),
            {name: _established(self.cluster.get(_CRD, name)) for name in CRDS},
            tuple(one.sentence for one in diagnose(survey)),
        )

    # asking

    def ask(self, *words: str, seconds: float | None = None) -> dict[str, Completed]:
        """What `tetra` answers on each node."""
        limit = seconds or self._deadlines.command
        return self._everywhere(lambda pod: self.cluster.executor.run(pod.place, ["tetra", *words], seconds=limit))

    def ask_one(self, node: str, *words: str, seconds: float) -> Completed:
        """What `tetra` answers on one node. Raises `AgentError` where there is no agent."""
        return self.cluster.executor.run(self.agent(node).place, ["tetra", *words], seconds=seconds)

    def told(self, *words: str) -> dict[str, Completed]:
        """The same, asked once: for what an agent says as long as it is the same."""
        if words not in self._said:
            self._said[words] = self.ask(*words)
        return self._said[words]

    def states(self) -> dict[str, list[dict[str, Any]]]:
        """What each agent says of every policy.

        Raises `AgentError` naming the node that does not answer, `AgentGone` where there is none to ask any more.
        """
        if not self.agents and not self.refresh():
            self._wanted()
        return {node: _policies(node, done) for node, done in self.ask("tracingpolicy", "list", "-o", "json").items()}

    def answers(self) -> dict[str, list[dict[str, Any]]]:
        """The same of those agents that answer."""
        told = {}
        for node, done in self.ask("tracingpolicy", "list", "-o", "json").items():
            with suppress(AgentError):
                told[node] = _policies(node, done)
        return told

    def metrics(self, node: str) -> str:
        """An agent's metrics, by the API server's proxy; nothing where they cannot be had."""
        pod = self.agent(node)
        self._port = self._port or self.settings().get("metrics-server", "").rpartition(":")[2] or _METRICS_PORT
        port = self._port
        with suppress(ClusterError):
            return self.cluster.raw(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}:{port}/proxy/metrics")
        return ""

    def log(self, node: str, *, since: int = 0, previous: bool = False) -> str:
        """An agent's log, of the last `since` seconds."""
        return self._log(node, _CONTAINER, since, previous=previous)

    def export(self, node: str, *, since: int = 0) -> str:
        """The log of the container that prints the export file."""
        return self._log(node, _EXPORT, since)

    def _log(self, node: str, container: str, since: int, *, previous: bool = False) -> str:
        pod = self.agent(node)
        with suppress(ClusterError):
            log = self.cluster.logs(pod.namespace, pod.name, container, since=since, previous=previous)
            # the kubelet answers so, as if it were a log, where the runtime has none any more
            return "" if log.startswith(_NO_LOG) else log
        return ""

    def compact(self, stream: bytes, node: str) -> bytes:
        """A stream as the agent's own `tetra getevents -o compact` prints it; nothing where it cannot."""
        words = ["tetra", "getevents", *PLAIN]
        pod = self.agent(node).place
        done = self.cluster.executor.run(pod, words, seconds=self._deadlines.command, stdin=stream)
        return done.stdout if done.ok else b""

    def _everywhere(self, ask: Callable[[AgentPod], Told]) -> dict[str, Told]:
        pods = list(self.agents.values())
        if len(pods) == 1:
            return {pods[0].node: ask(pods[0])}
        with ThreadPoolExecutor(max_workers=max(1, len(pods))) as pool:
            return dict(zip((pod.node for pod in pods), pool.map(ask, pods), strict=True))

    # changing, where it is ours

    def configure(self, settings: Mapping[str, str | None]) -> None:
        """Edit the ConfigMap (nothing takes a setting out), restart the agents as `rollout restart` does, and wait."""
        self.cluster.patch("v1/ConfigMap", _CONFIG, self.namespace, {"data": dict(settings)})
        self.restart()
        self.await_ready()

    def restart(self) -> None:
        """What `kubectl rollout restart` does; it returns at once."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        template = {"spec": {"template": {"metadata": {"annotations": {_RESTARTED: now}}}}}
        self.cluster.patch("apps/v1/DaemonSet", self.name, self.namespace, template)


def find(cluster: Cluster, deadlines: Deadlines, tell: Tell = silent) -> Installation | None:
    """The Tetragon of a cluster, or nothing where there is none. Raises `UsageError` where there are several."""
    found = [
        (one["metadata"]["namespace"], one["metadata"]["name"])
        for one in cluster.list("apps/v1/DaemonSet", selector=_LABEL)
        if any(container["name"] == _CONTAINER for container in one["spec"]["template"]["spec"]["containers"])
    ]
    if len(found) > 1:
        names = ", ".join("/".join(one) for one in found)
        raise UsageError(f"The cluster has {len(found)} Tetragons: {names}.", remedy="leave one of them")
    return Installation(cluster, *found[0], deadlines, tell) if found else None


def _agent_pod(pod: Mapping[str, Any]) -> AgentPod:
    statuses = {one["name"]: one for one in pod.get("status", {}).get("containerStatuses") or ()}
    own = statuses.get(_CONTAINER, {})
    metadata = pod["metadata"]
    return AgentPod(
        node=pod.get("spec", {}).get("nodeName", ""),
        name=metadata["name"],
        namespace=metadata["namespace"],
        ready=bool(statuses) and all(one.get("ready") for one in statuses.values()),
        restarts=int(own.get("restartCount", 0)),
        uid=metadata["uid"],
    )


def _rolled_out(told: Mapping[str, Any]) -> bool:
    status, wanted = told.get("status", {}), told.get("status", {}).get("desiredNumberScheduled", 0)
    # 0 of 0 is ready as well
    counts = (status.get(name, 0) for name in ("updatedNumberScheduled", "numberReady", "numberAvailable"))
    return bool(_is_current(told) and wanted and all(count == wanted for count in counts))


def _is_current(told: Mapping[str, Any]) -> bool:
    """Whether the status of a DaemonSet is of what it is told to be now."""
    generation = told["metadata"].get("generation")
    return generation is not None and told.get("status", {}).get("observedGeneration") == generation


def _rollout_words(told: Mapping[str, Any]) -> str:
    status = told.get("status", {})
    return (
        f"{status.get('numberReady', 0)} of {status.get('desiredNumberScheduled', 0)} agents ready, "
        f"{status.get('updatedNumberScheduled', 0)} of this revision"
    )


def _status_words(told: Mapping[str, Completed]) -> str:
    said = (f"{node} says {shorten((done.output or done.complaint).strip(), 80)!r}" for node, done in told.items())
    return "; ".join(said) or "there is no agent"


def _established(crd: Mapping[str, Any] | None) -> bool:
    conditions: Sequence[Mapping[str, Any]] = ((crd or {}).get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Established" and one.get("status") == "True" for one in conditions)


def _policies(node: str, done: Completed) -> list[dict[str, Any]]:
    if not done.ok:
        raise AgentError(
            f"The agent of {node} does not list its policies.", causes=[shorten(done.complaint.strip(), 200)]
        )
    return listed(done.output, f"{node}'s agent")
