"""A cluster made in memory behind the API server that is made in memory: nodes, agents, and pods that act.

The agents do what Tetragon was recorded to do with a policy that kills whoever opens a file, no
more: they tell of every program that starts and ends in a pod, and enforce only where the policy's
`podSelector` has it.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api_server import CONTEXT, SERVICES, ApiServer, Exec, Kind, Play, never
from tests.builders import BASH, NEWEST, NODE, ROOT, Json, execs, exits, hooked, started
from tetraproof.events.event import Event
from tetraproof.kubernetes import kubeconfig
from tetraproof.kubernetes.cluster import Cluster
from tetraproof.kubernetes.preparation import Plan
from tetraproof.observing.act import Act, Acts, prepare, shell
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import silent
from tetraproof.pacing.waiting import until
from tetraproof.policies.policy import Policy
from tetraproof.policies.policy import parse as parse_policy
from tetraproof.targets.live import Live
from tetraproof.targets.pods import Kubernetes
from tetraproof.targets.running import open_cluster

SECOND = "second-node"
#: Nothing here takes any time: a test that waits for what does not come gives that a deadline of its own.
PATIENT = Deadlines()
CRD = "apiextensions.k8s.io/v1/CustomResourceDefinition"
POLICIES = "cilium.io/v1alpha1/TracingPolicy"
GUARDED = "/tmp/guarded"
IMAGE = "docker.io/library/buildpack-deps:bookworm-scm"

#: The workloads of a small run: a pod to act in, and a site of two replicas.
WORKLOADS = f"""\
apiVersion: v1
kind: Namespace
metadata: {{name: other}}
---
apiVersion: v1
kind: Pod
metadata: {{name: probe, namespace: other, labels: {{app: probe}}}}
spec: {{containers: [{{name: probe, image: {IMAGE}, command: [sleep, infinity]}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: site, namespace: default}}
spec: {{selector: {{app: site}}, ports: [{{port: 80}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: site, namespace: default}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: site}}}}
  template:
    metadata: {{labels: {{app: site}}}}
    spec: {{containers: [{{name: site, image: "docker.io/library/nginx:1.27"}}]}}
"""
POLICY = f"""\
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: {{name: guard}}
spec:
  kprobes:
    - call: fd_install
      syscall: false
      args: [{{index: 0, type: int}}, {{index: 1, type: file}}]
      selectors:
        - matchArgs: [{{index: 1, operator: Equal, values: [{GUARDED}]}}]
          matchActions: [{{action: Sigkill}}]
"""
ACTS = Acts(
    clean=prepare(shell(f"rm -f {GUARDED}")),
    other=shell("echo foo > /tmp/other"),
    guarded=shell(f"echo foo > {GUARDED}"),
)


def guard(**changed: Any) -> Policy:
    """The policy of a small run."""
    return replace(parse_policy(POLICY, "guard.yaml"), **changed)


class Lab:
    """A cluster of these nodes. What a test changes of it is a plain attribute."""

    def __init__(self, api: ApiServer, nodes: tuple[str, ...] = (NODE,), *, tetragon: bool = True) -> None:
        self.api = api
        self.nodes = nodes
        #: Commands that a test plays itself, by a word of their line; the first that fits.
        self.plays: dict[str, Play] = {}
        #: Why a container waits, by a word of its image: reason and message.
        self.waits: dict[str, tuple[str, str]] = {}
        #: Programs that no image has.
        self.without: set[str] = set()
        #: What an agent says when it refuses a policy, by node.
        self.refuses: dict[str, str] = {}
        #: What an agent says instead of TP_STATE_ENABLED, by node.
        self.says: dict[str, str] = {}
        #: How often an agent says that a policy is still loading.
        self.loading: dict[str, int] = {}
        #: What `tetra status` says, by node.
        self.health: dict[str, str] = {}
        #: Nodes whose agents report nothing any more.
        self.deaf: set[str] = set()
        #: Metrics that are added to the agents' own, each time they are asked.
        self.lost: Iterator[int] = itertools.repeat(0)
        self._clock = itertools.count()
        self._numbers = itertools.count(1)
        self._followers: dict[str, list[asyncio.Queue[bytes]]] = {node: [] for node in nodes}
        self._exported: dict[str, list[bytes]] = {node: [] for node in nodes}
        api.created += [self._scheduled]
        api.patched += [self._rolled]
        api.exec, api.logs, api.metrics = self._run, self._log, self._metrics
        for name in ("default", "kube-system"):
            api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        (recorded,) = _recorded("node.json")["items"]
        for number, node in enumerate(nodes):
            own = copy.deepcopy(recorded)
            own["metadata"] |= {"name": node, "uid": f"node-{number}"}
            own["spec"] = {"podCIDR": f"10.0.{number}.0/24", "podCIDRs": [f"10.0.{number}.0/24"]}
            api.put(own)
        metadata = {"name": "kubernetes"}
        cidr = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": metadata}
        api.put({**cidr, "spec": {"cidrs": [SERVICES]}})
        if tetragon:
            self.install()

    # Tetragon

    def install(self) -> None:
        """What the chart and its operator make."""
        for kind in (
            Kind("", "tracingpolicies", "TracingPolicy", False),
            Kind("", "tracingpoliciesnamespaced", "TracingPolicyNamespaced"),
        ):
            self.api.put(_crd(kind))
        self.api.put(_recorded("configmap.json"))
        daemonset = _recorded("daemonset.json")
        daemonset["metadata"]["generation"] = 1
        self.api.put(daemonset)
        self._rolled(self.daemonset)

    def uninstall(self) -> None:
        """What `helm uninstall` removes: not the CRDs."""
        for kind, name in (("apps/v1/DaemonSet", "tetragon"), ("v1/ConfigMap", "tetragon-config")):
            del self.api.objects[kind, "kube-system", name]
        for pod in self.agents().values():
            del self.api.objects["v1/Pod", "kube-system", pod["metadata"]["name"]]

    @property
    def daemonset(self) -> Json:
        return self.api.objects["apps/v1/DaemonSet", "kube-system", "tetragon"]

    def agents(self) -> dict[str, Json]:
        """The agents' pods by node."""
        return {
            one["spec"]["nodeName"]: one
            for one in self.api.of("v1/Pod", "kube-system", "app.kubernetes.io/name=tetragon")
        }

    def crd(self, plural: str = "tracingpolicies") -> Json:
        return self.api.objects[CRD, "", f"{plural}.cilium.io"]

    def restart_agent(self, node: str) -> None:
        """The container of an agent ends, and is started again."""
        for one in self.agents()[node]["status"]["containerStatuses"]:
            one["restartCount"] += one["name"] == "tetragon"

    def replace_agent(self, node: str) -> None:
        """The pod of an agent is another one."""
        self.agents()[node]["metadata"]["uid"] = f"agent-{next(self._numbers)}"

    def _rolled(self, changed: Json) -> None:
        """The DaemonSet's controller: new pods for a new template."""
        if changed["kind"] != "DaemonSet":
            return
        for pod in self.agents().values():
            del self.api.objects["v1/Pod", "kube-system", pod["metadata"]["name"]]
        template, count = changed["spec"]["template"], len(self.nodes)
        for node in self.nodes:
            name = f"tetragon-{next(self._numbers):05d}"
            owners = [_owner(changed, "DaemonSet")]
            metadata = {**template["metadata"], "name": name, "namespace": "kube-system", "ownerReferences": owners}
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata,
                "spec": {**template["spec"], "nodeName": node},
            }
            made = self.api.put(pod)
            made["status"] = self._status(made)
        counted = ("desiredNumberScheduled", "updatedNumberScheduled", "numberReady", "numberAvailable")
        changed["status"] = {
            "observedGeneration": changed["metadata"]["generation"],
            **dict.fromkeys(counted, count),
        }

    # pods

    def _scheduled(self, made: Json) -> None:
        """The controllers, the scheduler and the kubelets: what is created becomes pods that run."""
        if made["kind"] == "Deployment":
            template = made["spec"]["template"]
            for _ in range(made["spec"].get("replicas", 1)):
                metadata = {
                    **template["metadata"],
                    "name": f"{made['metadata']['name']}-565df7fcf5-h{next(self._numbers):04d}",
                    "namespace": made["metadata"]["namespace"],
                    "ownerReferences": [_owner(made, "ReplicaSet")],
                }
                pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
                self._scheduled(self.api.put(pod))
        if made["kind"] == "Pod":
            made["spec"]["nodeName"] = _wanted_node(made["spec"]) or self.nodes[0]
            made["status"] = self._status(made)

    def _status(self, pod: Json) -> Json:
        statuses = [self._container(one) for one in pod["spec"]["containers"]]
        ready = all(one["ready"] for one in statuses)
        return {
            "phase": "Running" if ready else "Pending",
            "podIP": f"10.0.{self.nodes.index(pod['spec']['nodeName'])}.{next(self._numbers) % 250 + 1}",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": statuses,
        }

    def _container(self, spec: Json) -> Json:
        told = {"name": spec["name"], "image": spec["image"], "restartCount": 0}
        for word, (reason, message) in self.waits.items():
            if word in spec["image"]:
                return {**told, "ready": False, "state": {"waiting": {"reason": reason, "message": message}}}
        return {
            **told,
            "ready": True,
            "state": {"running": {}},
            "containerID": f"containerd://{next(self._numbers):064x}",
        }

    # commands

    async def _run(self, command: Exec) -> None:
        play = next((play for word, play in self.plays.items() if word in command.line), None)
        await (play or self.run)(command)

    async def run(self, command: Exec) -> None:
        """What a command does by itself."""
        if command.argv[0] == "tetra":
            await self._tetra(command, command.pod["spec"]["nodeName"])
        else:
            await self.act(command)

    async def act(self, command: Exec) -> None:
        """A program in one of the pods: the agent sees it, and kills it where a policy has it."""
        argv = command.argv
        await command.typing_ended.wait()
        script = command.typed.decode() or command.line
        if argv[:2] == ("sh", "-c") and "command -v" in script:
            await command.out("".join(f"{one}\n" for one in argv[4:] if one in self.without))
            return await command.ends()
        if argv[0] in self.without:
            return await command.fails(
                f'OCI runtime exec failed: exec: "{argv[0]}": executable file not found in $PATH'
            )
        self.tell(command.pod, argv)
        killed = self._killed_by(command.pod, script)
        if command.tty:
            await command.out(f"$ {script}".replace("\n", "\r\n"))
        return await command.ends(137 if killed else 0)

    def tell(self, pod: Json, argv: tuple[str, ...]) -> None:
        """The events of a program that starts, perhaps is killed, and ends."""
        node, metadata = pod["spec"]["nodeName"], pod["metadata"]
        binary = BASH if argv[0] == "bash" else f"/usr/bin/{argv[0]}"
        arguments = " ".join(f'"{word}"' if " " in word else word for word in argv[1:])
        number = next(self._clock)
        name = f"{metadata['namespace']}/{metadata['name']}"
        process = started(number + 100, binary, arguments, pod=name, node=node)
        killed = self._killed_by(pod, " ".join(argv))
        events = [execs(process, number)]
        if killed:
            events.append(hooked(process, file=killed[1], policy=killed[0], at=number + 0.2))
        events.append(exits(process, signal="SIGKILL" if killed else "", at=number + 0.4))
        self._report(node, metadata["namespace"], events)

    def _report(self, node: str, namespace: str, events: list[Event]) -> None:
        if node in self.deaf:
            return
        for one in events:
            self._exported[node].append(one.line)
            for follower in self._followers[node]:
                follower.put_nowait(json.dumps({"of": namespace}).encode() + b"\n" + one.line + b"\n")

    def _killed_by(self, pod: Json, script: str) -> tuple[str, str] | None:
        """The policy that kills whoever runs this, and the file."""
        opened = re.findall(r">\s*([^\s;&\"]+)", script)
        labels = pod["metadata"].get("labels") or {}
        for policy in self._loaded(pod["spec"]["nodeName"]):
            wanted = (policy["spec"].get("podSelector") or {}).get("matchLabels") or {}
            own = policy["metadata"].get("namespace") in {None, pod["metadata"]["namespace"]}
            if own and wanted.items() <= labels.items():
                for file in _guarded(policy["spec"]):
                    if file in opened:
                        return policy["metadata"]["name"], file
        return None

    def _loaded(self, node: str) -> list[Json]:
        if node in self.refuses:
            return []
        return [*self.api.of(POLICIES), *self.api.of(f"{POLICIES}Namespaced")]

    # tetra

    async def _tetra(self, command: Exec, node: str) -> None:
        words = command.argv[1:]
        if words[0] == "getevents" and "compact" in words:
            await command.typing_ended.wait()
            await command.out("".join("🚀 process\n" for _ in command.typed.splitlines()))
        elif words[0] == "getevents":
            await self._getevents(command, node, words[words.index("--namespace") + 1].split(","))
        elif words[0] == "status":
            await command.out(self.health.get(node, "Health Status: running\n"))
        elif words[:2] == ("tracingpolicy", "list"):
            await command.out(json.dumps({"policies": self._policies(node)} if self._policies_of() else {}))
        else:
            await command.out((NEWEST / f"environment/tetra-{words[0]}.txt").read_text(encoding="utf-8"))
        await command.ends()

    async def _getevents(self, command: Exec, node: str, namespaces: list[str]) -> None:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._followers[node].append(queue)
        try:
            while True:
                told, _, line = (await queue.get()).partition(b"\n")
                if json.loads(told)["of"] in namespaces:
                    # as the agent writes it: not always a line at once
                    await command.out(line[:50])
                    await command.out(line[50:])
        finally:
            self._followers[node].remove(queue)

    def _policies_of(self) -> list[Json]:
        return [*self.api.of(POLICIES), *self.api.of(f"{POLICIES}Namespaced")]

    def _policies(self, node: str) -> list[Json]:
        told = []
        left = self.loading.get(node, 0)
        self.loading[node] = max(0, left - 1)
        for number, policy in enumerate(self._policies_of(), 1):
            named = {name: policy["metadata"][name] for name in ("name", "namespace") if name in policy["metadata"]}
            state: Json = {"id": str(number), **named, "mode": "TP_MODE_ENFORCE"}
            if left:
                state |= {"state": "TP_STATE_UNKNOWN"}
            elif node in self.refuses:
                state |= {"state": "TP_STATE_LOAD_ERROR", "error": self.refuses[node]}
            else:
                state |= {
                    "state": self.says.get(node, "TP_STATE_ENABLED"),
                    "enabled": True,
                    "stats": {"action_counters": {}},
                }
            told.append(state)
        return told

    # what else an agent tells

    def _log(self, pod: str, container: str, query: Mapping[str, str]) -> str:
        node = self.api.objects["v1/Pod", "kube-system", pod]["spec"]["nodeName"]
        if container == "export-stdout":
            return "".join(f"{line.decode()}\n" for line in self._exported[node])
        return 'level=info msg="Listening for events..."\n'

    def _metrics(self, pod: str) -> str:
        events = next(self._clock) * 3
        return (
            f"tetragon_observer_ringbuf_events_received_total {events}\n"
            f"tetragon_observer_ringbuf_queue_events_received_total {events}\n"
            f"tetragon_observer_ringbuf_events_lost_total {next(self.lost)}\n"
            "tetragon_observer_ringbuf_queue_events_lost_total 0\n"
            "go_goroutines 77\n"
        )


# what a run is opened with


def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between two questions are short, as everything here is quick."""
    sleep = time.sleep
    monkeypatch.setattr("time.sleep", lambda seconds: sleep(min(seconds, 0.005)))
    monkeypatch.setattr("tetraproof.kubernetes.execution._LOOK", 0.02)


def cluster_of(api: ApiServer, folder: Path, **deadlines: float) -> Cluster:
    """A cluster by a kubeconfig of its own."""
    return Cluster(api.kubeconfig(folder / "kubeconfig"), CONTEXT, replace(PATIENT, **deadlines))


def plan(lab: Lab, folder: Path, *, deadlines: Deadlines = PATIENT, **more: Any) -> Plan:
    """The plan of a small run on a cluster, by a copy of its kubeconfig."""
    own = folder / "live/kubeconfig"
    own.parent.mkdir(parents=True, exist_ok=True)
    kubeconfig.copy(CONTEXT, own, str(lab.api.kubeconfig(folder / "users/config")))
    workloads = folder / "workloads"
    workloads.mkdir(exist_ok=True)
    (workloads / "all.yaml").write_text(WORKLOADS, encoding="utf-8")
    given = {
        "kind": "cluster",
        "run_id": "made",
        "token": "0a1b2c",
        "tell": silent,
        "workloads": workloads,
        "way_out": f"make clean-cluster CONTEXT={CONTEXT} YES=1",
    }
    return Plan(folder=folder / "live", kubeconfig=own, context=CONTEXT, deadlines=deadlines, **{**given, **more})


@contextmanager
def opened(lab: Lab, folder: Path, **more: Any) -> Iterator[tuple[Live, Kubernetes]]:
    """A live target on the cluster, closed at the end."""
    live, site = open_cluster(plan(lab, folder, **more))
    try:
        yield live, site
    finally:
        site.close()


def act(name: str) -> Act:
    """An act of the small run."""
    return next(one for one in ACTS if one.name == name)


def at(word: str, do: Callable[[], None], *, times: int = 1) -> Callable[[object], None]:
    """A fault of the API server: `do` it when a request reads so, the first `times`."""
    left = itertools.count(times, -1)

    def fault(asked: object) -> None:
        if word in str(asked) and next(left) > 0:
            do()

    return fault


def playing(do: Callable[[], None], then: Play) -> Play:
    """A command that does something first."""

    async def play(command: Exec) -> None:
        do()
        await then(command)

    return play


def nothing_runs(api: ApiServer) -> bool:
    """Whether every command's caller is gone, once the server has seen that."""
    until("the end of all commands", lambda: len(api.running), lambda left: left == 0, 10)
    return True


async def endless(command: Exec) -> None:
    """A command that never ends."""
    del command
    await never()


def _owner(of: Json, kind: str) -> Json:
    named = {"kind": kind, "name": of["metadata"]["name"], "uid": of["metadata"]["uid"]}
    return {"apiVersion": "apps/v1", "controller": True, "blockOwnerDeletion": True, **named}


def _recorded(name: str) -> Json:
    told: Json = json.loads((NEWEST / "environment" / name).read_text(encoding="utf-8"))
    return told


def _crd(kind: Kind) -> Json:
    spec = json.loads((ROOT / "tetraproof/schemas/tracingpolicy.spec.json").read_text(encoding="utf-8"))
    version = {"name": "v1alpha1", "schema": {"openAPIV3Schema": {"properties": {"spec": spec}}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.cilium.io"},
        "spec": {
            "group": "cilium.io",
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": {"plural": kind.plural, "kind": kind.name},
            "versions": [version],
        },
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }


def _wanted_node(spec: Json) -> str:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity")
    if not affinity:
        return ""
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    return str(term["matchFields"][0]["values"][0])


def _guarded(spec: Json) -> Iterator[str]:
    for hook in spec.get("kprobes") or ():
        for selector in hook.get("selectors") or ():
            for one in selector.get("matchArgs") or ():
                yield from one["values"]


def manifest(text: str) -> Json:
    """A manifest as a mapping."""
    told: Json = yaml.safe_load(text)
    return told
