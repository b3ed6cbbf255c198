"""Events, streams, acts and recordings made in memory, shaped like recorded ones.

A process that `kubectl exec` starts has the runtime as its parent, which is in no
pod; exec ids are base64 of node:ktime:pid, as the agent makes them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from tetraproof.events.event import Event, parse
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Act, Outcome
from tetraproof.observing.observation import Done, Observed
from tetraproof.observing.timeline import END, START, Node, Performed, Timeline, timelines
from tetraproof.policies.capability import PolicyState
from tetraproof.policies.policy import Policy
from tetraproof.policies.policy import parse as parse_policy
from tetraproof.recordings.recording import INDEX, Recording, from_files, sealed

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
RECORDINGS = ROOT / "recordings"
MANIFESTS = ROOT / "manifests/policies"
NEWEST = RECORDINGS / "k8s-1.36.2_tetragon-1.7.0_debian-6.12.117"

NODE, POD = "tetra-node", "other/probe"
BOOT = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
BASH, CAT = "/usr/bin/bash", "/usr/bin/cat"
NAME = "made_tetragon-0.0.0"

POLICY = """\
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: guard
spec:
  kprobes:
    - call: fd_install
      syscall: false
      args:
        - {index: 0, type: int}
        - {index: 1, type: file}
      selectors:
        - matchArgs:
            - {index: 1, operator: Equal, values: [/tmp/guarded]}
          matchActions:
            - action: Sigkill
"""


#: What an agent that lost nothing counts.
METRICS = b"""\
# TYPE tetragon_observer_ringbuf_events_lost_total counter
tetragon_observer_ringbuf_events_lost_total 0
# TYPE tetragon_observer_ringbuf_events_received_total counter
tetragon_observer_ringbuf_events_received_total 7
# TYPE tetragon_observer_ringbuf_queue_events_received_total counter
tetragon_observer_ringbuf_queue_events_received_total 7
# TYPE tetragon_observer_ringbuf_queue_events_lost_total counter
tetragon_observer_ringbuf_queue_events_lost_total 0
"""

# processes and their events


@dataclass(frozen=True)
class Proc:
    """A process between two execs. `ktime` (seconds since boot) makes its exec id its own."""

    pid: int
    binary: str = BASH
    arguments: str = ""
    pod: str = POD
    node: str = NODE
    ktime: float = 0.0
    parent: Proc | None = None

    @property
    def exec_id(self) -> str:
        return base64.b64encode(f"{self.node}:{self.ktime * 1e9:.0f}:{self.pid}".encode()).decode()

    def json(self) -> Json:
        told: Json = {"exec_id": self.exec_id, "pid": self.pid, "uid": 0, "cwd": "/", "binary": self.binary}
        told |= {"arguments": self.arguments} if self.arguments else {}
        if self.pod:
            namespace, _, name = self.pod.partition("/")
            told["pod"] = {"namespace": namespace, "name": name, "workload": name, "workload_kind": "Pod"}
        return told | ({"parent_exec_id": self.parent.exec_id} if self.parent else {})


RUNTIME = Proc(25166, "/usr/bin/containerd-shim-runc-v2", "-namespace k8s.io -id 2c3696150d73", pod="", ktime=4.0)


def started(pid: int, binary: str = BASH, arguments: str = "", **more: Any) -> Proc:
    """A process that the runtime starts in a pod."""
    node = more.get("node", NODE)
    return Proc(pid, binary, arguments, **{"parent": replace(RUNTIME, node=node), "ktime": float(pid), **more})


#: Some shell.
SHELL_OF = started(42, arguments="-c x")


def child(parent: Proc, pid: int, binary: str, arguments: str = "") -> Proc:
    """A process that `parent` forks and that execs."""
    return Proc(pid, binary, arguments, parent.pod, parent.node, float(pid), parent)


def fork(parent: Proc, pid: int) -> Proc:
    """A process that `parent` forks and that stays its parent's program."""
    return child(parent, pid, parent.binary, parent.arguments)


def in_place(process: Proc, binary: str, arguments: str = "") -> Proc:
    """The same process after it has exec'ed another program."""
    return replace(process, binary=binary, arguments=arguments, ktime=process.ktime + 0.5, parent=process)


def event(kind: str, body: Mapping[str, Any], *, at: float = 0.0, node: str = NODE) -> Event:
    """One event, from the JSON that the agent would write."""
    moment = (BOOT + timedelta(seconds=at)).isoformat().replace("+00:00", "Z")
    made = parse(json.dumps({kind: body, "node_name": node, "time": moment}).encode())
    assert isinstance(made, Event)
    return made


def execs(process: Proc, at: float = 0.0, **more: Any) -> Event:
    """The event of its start."""
    return event("process_exec", _body(process, more), at=at, node=process.node)


def exits(process: Proc, status: int = 0, signal: str = "", at: float = 0.0) -> Event:
    """The event of its end: a status of 0 and no signal are left out, as the agent does it."""
    how: Json = {"signal": signal} if signal else {"status": status} if status else {}
    return event("process_exit", _body(process, how), at=at, node=process.node)


def hooked(  # noqa: PLR0913 - what an event may say
    process: Proc,
    *,
    function: str = "fd_install",
    file: str = "",
    action: str = "SIGKILL",
    sock: Mapping[str, Any] | None = None,
    policy: str = "guard",
    at: float = 0.0,
    **more: Any,
) -> Event:
    """The event of a hooked function."""
    args: list[Json] = [{"int_arg": 3}, {"file_arg": {"path": file}}] if file else []
    args += [{"sock_arg": sock}] if sock else []
    about = {"function_name": function, "args": args, "action": f"KPROBE_ACTION_{action}", "policy_name": policy}
    return event("process_kprobe", _body(process, about | more), at=at, node=process.node)


def _body(process: Proc, more: Mapping[str, Any]) -> Json:
    return {"process": process.json(), **({"parent": process.parent.json()} if process.parent else {}), **more}


# acts, and streams of them


def performed(*argv: str, exit_code: int | None = 0, **more: Any) -> Performed:
    """An act as it was performed in the probe pod."""
    said = {name: more.pop(name) for name in ("stdout", "stderr", "broken") if name in more}
    namespace, _, pod = more.pop("pod", POD).partition("/")
    given = {"id": " ".join(argv), "node": NODE, **more}
    return Performed(namespace=namespace, pod=pod, argv=argv, outcome=Outcome(exit_code, **said), **given)


def sentinel(role: str = END, *, cpu: int | None = None, node: str = NODE, number: int = 0) -> Performed:
    """A marked act that opens or closes a stream."""
    marker = f"{role}-{number if cpu is None else cpu}"
    return performed("true", marker, id=marker, node=node, role=role, cpu=cpu, pod=pod_on(node))


def pod_on(node: str) -> str:
    """The probe pod of a node."""
    return POD if node == NODE else f"{POD}-{node}"


def of_sentinel(act: Performed, pid: int, at: float = 0.0) -> list[Event]:
    """What the agent tells of a sentinel."""
    process = started(pid, "/usr/bin/true", act.argv[1], pod=f"{act.namespace}/{act.pod}", node=act.node)
    return [execs(process, at), exits(process, at=at + 0.1)]


def framed(
    acts: Sequence[Performed], events: Iterable[Event], *, heard: bool = True, begun: bool = True
) -> tuple[list[Performed], list[Event]]:
    """Acts and events between a start and an end sentinel, of which either may go unheard."""
    start, end = sentinel(START), sentinel(END)
    stream = [*(of_sentinel(start, 1) if begun else []), *events, *(of_sentinel(end, 9999, 900.0) if heard else [])]
    return [start, *acts, end], stream


def lines_of(
    acts: Sequence[Performed], events: Iterable[Event], nodes: Mapping[str, Node] | None = None, **frame: bool
) -> list[Timeline]:
    """The timelines of the acts alone, in a framed stream."""
    every, stream = framed(acts, events, **frame)
    return timelines(every, stream, nodes or {NODE: Node(NODE)})[1:-1]


def run_of(
    done: Mapping[str, tuple[Act, Performed]],
    events: Sequence[Event] = (),
    *,
    frame: Mapping[str, bool] | None = None,
    **observed: Any,
) -> Run:
    """What a test judges: acts by name, performed in a framed stream."""
    every, stream = framed([one for _, one in done.values()], events, **(frame or {}))
    told = timelines(every, stream, {NODE: Node(NODE)})[1:-1]
    acts = {name: Done(one, line) for (name, (_, one)), line in zip(done.items(), told, strict=True)}
    declared = tuple(replace(act, name=name) for name, (act, _) in done.items())
    return Run(Observed("made", None, acts, stream=tuple(stream), **observed), declared)


def policy(text: str = POLICY, source: str = "guard.yaml", **replaced: str) -> Policy:
    """A policy, with words of its text replaced."""
    for old, new in replaced.items():
        text = text.replace(old, new)
    return parse_policy(text, source)


def state(node: str = NODE, told: str = "enabled", error: str = "", **more: Any) -> PolicyState:
    """An agent's word on the policy `guard`."""
    return PolicyState(node, "guard", "", told, error, **more)


# recordings


def act_record(act: Performed) -> Json:
    """An act as acts.json holds it."""
    outcome = act.outcome
    return {
        "id": act.id,
        "namespace": act.namespace,
        "pod": act.pod,
        "argv": act.argv,
        "exit_code": outcome.exit_code,
        "node": act.node,
        "stdin": act.stdin,
        "tty": act.tty,
        "stdout": outcome.stdout,
        "stderr": outcome.stderr,
        "broken": outcome.broken,
        "role": act.role,
        "cpu": act.cpu,
    }


def scenario_files(
    name: str, acts: Sequence[Performed] = (), events: Iterable[Event] = (), *, manifest: str = POLICY
) -> dict[str, bytes]:
    """The files of one scenario: a framed stream, under an enforced policy unless `manifest` is empty."""
    every, stream = framed(acts, events)
    told = {"name": "guard", "state": "TP_STATE_ENABLED", "enabled": True, "mode": "TP_MODE_ENFORCE"}
    files = {
        "acts.json": json.dumps([act_record(act) for act in every]).encode(),
        "events.jsonl": b"".join(one.line + b"\n" for one in stream),
    }
    files |= {"metrics-before.txt": METRICS, "metrics-after.txt": METRICS.replace(b" 7", b" 99")}
    if manifest:
        state = json.dumps({NODE: [told]}).encode()
        files |= {"policy.yaml": manifest.encode(), "state.json": state, "state-after.json": state}
    return {f"scenarios/{name}/{file}": content for file, content in files.items()}


def index(*scenarios: Json, **more: Any) -> Json:
    """The index of a recording with these scenarios."""
    return {
        "format": 1,
        "cell": {"tetragon": "0.0.0", "kubernetes": "0.0.0", "kernel": "0.0.0", "target": "kubernetes"},
        "provenance": {"recorded": "2026-11-23T07:00:00+00:00", "where": "memory", "made_by": "tests"},
        "nodes": [{"name": NODE}],
        "bindings": {"workloads": {"probe": [{"namespace": "other", "name": "probe", "ip": "10.0.0.6", "node": NODE}]}},
        "settings": {"enable-policy-filter": "true"},
        "scenarios": scenarios,
        **more,
    }


def recording_files(scenarios: Mapping[str, Mapping[str, bytes]] | None = None, **more: Any) -> dict[str, bytes]:
    """The sealed files of a recording of these scenarios (default: one, `guard`, without acts)."""
    scenarios = {"guard": scenario_files("guard")} if scenarios is None else scenarios
    listed = [{"name": name, "policy": f"scenarios/{name}/policy.yaml" in files} for name, files in scenarios.items()]
    files = {path: content for files in scenarios.values() for path, content in files.items()}
    return sealed({**files, INDEX: msgspec.json.encode(index(*listed, **more))})


def recording(scenarios: Mapping[str, Mapping[str, bytes]] | None = None, **more: Any) -> Recording:
    """An opened recording of these scenarios."""
    return from_files(NAME, recording_files(scenarios, **more))


def reindexed(files: Mapping[str, bytes], **changed: Any) -> dict[str, bytes]:
    """The files with fields of the index changed, sealed anew."""
    told = msgspec.json.decode(files[INDEX])
    return sealed({**files, INDEX: msgspec.json.encode({**told, **changed})})


def write_tree(files: Mapping[str, bytes | str], directory: Path) -> Path:
    """Files by their path, written as they are (nothing is sealed)."""
    for path, content in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return directory


def read_tree(directory: Path) -> dict[str, bytes]:
    """All files of a directory by their path."""
    return {
        file.relative_to(directory).as_posix(): file.read_bytes() for file in directory.rglob("*") if file.is_file()
    }
