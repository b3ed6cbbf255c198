"""What is wrong with an installation, in one line each, told from plain API objects and the agents' answers.

Nothing is asked here: who calls hands over what the API server and the agents
said. What was not handed over is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tetraproof.text import shorten

Object = Mapping[str, Any]

#: The kinds of trouble, from the one that explains most to the one that explains least.
MISSING, IMAGE, CRASHING, PENDING = "missing", "image", "crashing", "pending"
UNANSWERING, STALE, SKEW, ROLLOUT = "not answering", "stale configuration", "version skew", "rollout"

_CONTAINER = "tetragon"
_NOT_PULLED = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
_LONGEST = 300
#: What every DaemonSet's pods tolerate without saying so (Kubernetes adds it).
_ALWAYS_TOLERATED = {
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/unschedulable",
}
_ON_HOST_NETWORK = "node.kubernetes.io/network-unavailable"


@dataclass(frozen=True)
class Answer:
    """What the agent of a node said when it was asked: `running` by its status, its own words, its version.

    An agent that did not answer has `running` false, and `said` is what came instead.
    """

    running: bool
    said: str = ""
    version: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """One trouble: its kind, the node it is of (or none), and the sentence."""

    kind: str
    node: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class Survey:
    """An installation as it was found. `answers` and `logs` are by node; `logs` are a dead container's last words."""

    daemonset: Object
    nodes: Sequence[Object]
    pods: Sequence[Object]
    configmap: Object | None = None
    answers: Mapping[str, Answer] | None = None
    logs: Mapping[str, str] | None = None


def diagnose(survey: Survey) -> list[Diagnosis]:
    """Everything that is wrong, node by node, then what is wrong between nodes; nothing where all is well."""
    agents = _agents(survey)
    found: list[Diagnosis] = []
    for node in survey.nodes:
        name = node["metadata"]["name"]
        pods = agents.get(name, [])
        if not pods:
            found += _missing(survey, node)
        for pod in pods:
            found += _of_pod(survey, name, pod)
    return [*found, *_skew(survey, agents), *_rollout(survey)]


def _agents(survey: Survey) -> dict[str, list[Object]]:
    """The DaemonSet's pods by the node they are on, or are meant for. One that is on its way out is none any more."""
    agents: dict[str, list[Object]] = {}
    for pod in survey.pods:
        if _ours(survey.daemonset, pod) and not pod["metadata"].get("deletionTimestamp"):
            agents.setdefault(pod["spec"].get("nodeName") or _meant_for(pod), []).append(pod)
    return agents


def _ours(daemonset: Object, pod: Object) -> bool:
    uid, name = daemonset["metadata"].get("uid"), daemonset["metadata"]["name"]
    owners = pod["metadata"].get("ownerReferences") or ()
    return any((one["kind"], one["name"], one.get("uid", uid)) == ("DaemonSet", name, uid) for one in owners)


def _meant_for(pod: Object) -> str:
    """The node that a DaemonSet's pod waits for: its controller names it in the pod's affinity."""
    for term in _terms(pod["spec"]):
        for field in term.get("matchFields") or ():
            if field.get("key") == "metadata.name" and field.get("values"):
                return str(field["values"][0])
    return ""


def _terms(spec: Object) -> Sequence[Object]:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return required.get("nodeSelectorTerms") or ()


def _missing(survey: Survey, node: Object) -> Iterator[Diagnosis]:
    name, why = node["metadata"]["name"], "; ".join(_kept_off(survey.daemonset, node))
    ending = [pod for pod in survey.pods if _ours(survey.daemonset, pod) and pod["spec"].get("nodeName") == name]
    if ending and not why:
        why = f"{ending[0]['metadata']['name']} is being ended, and no other has come yet"
    if not why:
        desired = (survey.daemonset.get("status") or {}).get("desiredNumberScheduled", "?")
        why = f"nothing keeps it off, and the DaemonSet wants {desired} agents: look at its events"
    yield Diagnosis(MISSING, name, f"No agent is on {name}: {why}.")


def _kept_off(daemonset: Object, node: Object) -> Iterator[str]:
    """What of the DaemonSet and the node keeps its pods off, each in a clause."""
    spec, labels = daemonset["spec"]["template"]["spec"], node["metadata"].get("labels") or {}
    for key, value in (spec.get("nodeSelector") or {}).items():
        if labels.get(key) != value:
            has = f"has {labels[key]!r}" if key in labels else "does not have it"
            yield f"the DaemonSet selects nodes with {key}={value}, and the node {has}"
    terms = [term for term in _terms(spec) if term.get("matchExpressions")]
    if terms and not any(all(_holds(one, labels) for one in term["matchExpressions"]) for term in terms):
        wanted = " or ".join(" and ".join(_expression(one) for one in term["matchExpressions"]) for term in terms)
        yield f"the DaemonSet's affinity wants {wanted}, which the node's labels do not fulfil"
    for taint in node["spec"].get("taints") or ():
        if taint.get("effect") in {"NoSchedule", "NoExecute"} and not _tolerated(taint, spec):
            value = f"={taint['value']}" if taint.get("value") else ""
            yield f"the node's taint {taint['key']}{value}:{taint['effect']} is not tolerated"


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    """Whether labels fulfil an expression; one with an operator that is not known here is taken to be fulfilled."""
    key, operator, values = expression["key"], expression.get("operator"), expression.get("values") or ()
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }.get(str(operator), True)


def _expression(expression: Object) -> str:
    values = ", ".join(expression.get("values") or ())
    return f"{expression['key']} {expression.get('operator')}{f' ({values})' if values else ''}"


def _tolerated(taint: Object, spec: Object) -> bool:
    if taint["key"] in _ALWAYS_TOLERATED or (taint["key"] == _ON_HOST_NETWORK and spec.get("hostNetwork")):
        return True
    return any(_tolerates(one, taint) for one in spec.get("tolerations") or ())


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in {None, "", taint.get("effect")}:
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in {None, "", taint["key"]}
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or "")


def _of_pod(survey: Survey, node: str, pod: Object) -> Iterator[Diagnosis]:
    """What is wrong with one agent: the first trouble that explains it, and besides that a stale configuration."""
    status = pod.get("status") or {}
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    trouble = [*_images(node, containers), *_crashes(survey, node, containers), *_pending(node, status, containers)]
    if not trouble:
        trouble = [*_silent(survey, node)]
    yield from trouble
    yield from _stale(survey, node, containers)


def _images(node: str, containers: Sequence[Object]) -> Iterator[Diagnosis]:
    for container in containers:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _NOT_PULLED:
            said = shorten(waiting.get("message") or waiting["reason"], _LONGEST)
            yield Diagnosis(IMAGE, node, f"The image {container['image']} is not pulled on {node}: {said}.")


def _crashes(survey: Survey, node: str, containers: Sequence[Object]) -> Iterator[Diagnosis]:
    for container in containers:
        state, last = container.get("state") or {}, (container.get("lastState") or {}).get("terminated") or {}
        dead = state.get("terminated") or {}
        looping = (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff"
        if not looping and not (dead and dead.get("exitCode")):
            continue
        ended = dead or last
        how = f"exit {ended.get('exitCode', '?')}" + (f", {ended['reason']}" if ended.get("reason") else "")
        log = (survey.logs or {}).get(node, "") if container["name"] == _CONTAINER else ""
        words = _last_line(log) or _last_line(ended.get("message") or "")
        said = f"its last words: {words}" if words else "it left no words"
        count = container.get("restartCount", 0)
        times = f"{count} restart" if count == 1 else f"{count} restarts"
        yield Diagnosis(
            CRASHING, node, f"The container {container['name']} keeps ending on {node} ({times}, {how}): {said}."
        )


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return shorten(lines[-1].strip().rstrip("."), _LONGEST) if lines else ""


def _pending(node: str, status: Object, containers: Sequence[Object]) -> Iterator[Diagnosis]:
    """An agent that is not there yet, for no reason that is told elsewhere."""
    if status.get("phase") != "Pending" or any(
        ((one.get("state") or {}).get("waiting") or {}).get("reason") in {*_NOT_PULLED, "CrashLoopBackOff"}
        for one in containers
    ):
        return
    placed: Object = next((one for one in status.get("conditions") or () if one.get("type") == "PodScheduled"), {})
    waiting = [(one.get("state") or {}).get("waiting") or {} for one in containers]
    reasons = [f"{one['reason']} {one.get('message', '')}".strip() for one in waiting if one.get("reason")]
    if placed.get("status") == "False":
        said = f"it is not scheduled: {placed.get('message') or placed.get('reason') or 'nobody says why'}"
    else:
        said = "; ".join(dict.fromkeys(reasons)) or "nothing says why"
    yield Diagnosis(PENDING, node, f"The agent on {node} has not started: {shorten(said.rstrip('.'), _LONGEST)}.")


def _silent(survey: Survey, node: str) -> Iterator[Diagnosis]:
    if survey.answers is None:
        return
    answer = survey.answers.get(node)
    if answer is None or not answer.running:
        words = shorten(_last_line(answer.said) if answer else "", _LONGEST)
        said = f"it said {words!r}" if words else "nothing came back"
        yield Diagnosis(UNANSWERING, node, f"The agent on {node} is up and does not answer: {said}.")


def _stale(survey: Survey, node: str, containers: Sequence[Object]) -> Iterator[Diagnosis]:
    edited = _edited(survey.configmap)
    since = next(
        (
            ((container.get("state") or {}).get("running") or {}).get("startedAt")
            for container in containers
            if container["name"] == _CONTAINER
        ),
        None,
    )
    # times are whole seconds, so what is of one second has no order
    if edited is None or since is None or datetime.fromisoformat(since) >= edited[0]:
        return
    assert survey.configmap is not None
    name = survey.configmap["metadata"]["name"]
    yield Diagnosis(
        STALE,
        node,
        f"{name} was edited by {edited[1]} at {edited[0]:%H:%M:%S}, and the agent on {node} runs since "
        f"{datetime.fromisoformat(since):%H:%M:%S}: it has the settings from before until it is restarted.",
    )


def _edited(configmap: Object | None) -> tuple[datetime, str] | None:
    """When the ConfigMap's data was last written and by whom; nothing where the API server was not asked for that.

    `kubectl get` leaves this out unless it is given `--show-managed-fields`.
    """
    if configmap is None:
        return None
    written = [
        (datetime.fromisoformat(one["time"]), str(one.get("manager", "somebody")))
        for one in configmap["metadata"].get("managedFields") or ()
        if one.get("time") and "f:data" in (one.get("fieldsV1") or {})
    ]
    return max(written, default=None)


def _skew(survey: Survey, agents: Mapping[str, Sequence[Object]]) -> Iterator[Diagnosis]:
    """Nodes whose agents are of different versions: by their own word, else by their image."""
    versions: dict[str, list[str]] = {}
    for node, pods in agents.items():
        answer = (survey.answers or {}).get(node)
        version = (answer.version if answer else "") or _version(pods[0])
        if version:
            versions.setdefault(version.removeprefix("v"), []).append(node)
    if len(versions) > 1:
        told = ", ".join(f"{version} on {' and '.join(sorted(nodes))}" for version, nodes in sorted(versions.items()))
        yield Diagnosis(SKEW, "", f"The agents are of different versions, as in the middle of a rollout: {told}.")


def _version(pod: Object) -> str:
    image = next((one["image"] for one in pod["spec"].get("containers") or () if one["name"] == _CONTAINER), "")
    name = str(image).partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2]


def _rollout(survey: Survey) -> Iterator[Diagnosis]:
    status, metadata = survey.daemonset.get("status") or {}, survey.daemonset["metadata"]
    desired, updated = status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
    if status.get("observedGeneration", 0) < metadata.get("generation", 0):
        yield Diagnosis(ROLLOUT, "", "The DaemonSet was changed, and its controller has not taken that up yet.")
    elif not desired:
        yield Diagnosis(ROLLOUT, "", "The DaemonSet wants no agent on any node.")
    elif updated < desired:
        yield Diagnosis(ROLLOUT, "", f"A rollout is under way: {updated} of {desired} agents are of the newest kind.")
