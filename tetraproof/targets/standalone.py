"""The `standalone` target: an agent on a plain Linux machine, with containers for pods and no Kubernetes."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import tetraproof
from tetraproof import agent as agents
from tetraproof import guest as guests
from tetraproof.account import SETTING_UP, Account
from tetraproof.act import Act, Outcome
from tetraproof.binding import Bindings, PodBinding
from tetraproof.bundle import Bundle
from tetraproof.capability import OPTIONS
from tetraproof.confinement import confined, why_not
from tetraproof.container import Containers
from tetraproof.deadline import Deadlines
from tetraproof.errors import TetraproofError
from tetraproof.event import Event, Kprobe, parse
from tetraproof.kernel import Kernel
from tetraproof.machine import Background, Machine, MachineLost, ThisMachine
from tetraproof.policy import Policy
from tetraproof.progress import Tell
from tetraproof.recorder import Recorder
from tetraproof.recording import FORMAT, Cell, Index, NodeRecord, Provenance
from tetraproof.rootfs import Rootfs
from tetraproof.targets.live import Live
from tetraproof.workload import Manifests

KIND = "standalone"
Answer = TypeVar("Answer")
#: A guest that was lost is booted again for the next scenario, this many times in a run.
_BOOTS = 3


@dataclass(frozen=True)
class Plan:
    """What a standalone run is made of. `kernel` is none on this machine itself, `bundle` where an agent runs already.

    `settings` are the agent's, as the user asks for them; `folder` is the run's own, written to by all.
    """

    run_id: str
    folder: Path
    manifests: Manifests
    roots: Mapping[str, Rootfs]
    deadlines: Deadlines
    tell: Tell
    kernel: Kernel | None = None
    acceleration: str = "auto"
    bundle: Bundle | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    tetra: str = "tetra"
    address: str = agents.DEFAULT_ADDRESS


class Standalone:
    """One machine with its containers and its agent; a site for a live target."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._boots = 0
        self._agents = 0
        self._streams = 0
        self._asked: dict[str, str] = {}
        self._machine: Machine | None = None
        self._stream: Background | None = None
        self._bindings = Bindings()

    # setting up, and leaving everything as it was

    def open(self) -> None:
        """Boot, start the containers and the agent, and listen. Raises what keeps it from that."""
        plan = self._plan
        folder = plan.folder / f"machine-{self._boots}"
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._boots += 1
        self._machine = (
            guests.boot(plan.kernel, folder, plan.deadlines, plan.tell, plan.acceleration)
            if plan.kernel
            else ThisMachine()
        )
        self.name = self._machine.name
        self._containers = Containers(self._machine, plan.run_id, plan.deadlines, plan.tell)
        self._containers.start(plan.manifests, {name: root.path for name, root in plan.roots.items()})
        self._bindings = self._containers.bindings(plan.manifests)
        self._shared = self._containers.namespace_inode() if plan.kernel is None else ""
        self._start_agent({})

    def close(self) -> None:
        """End the stream and the agent, remove the containers, switch the guest off."""
        machine, self._machine = self._machine, None
        if machine is None:
            return
        for step in (self._stop_agent, self._containers.close if self._plan.kernel is None else None, machine.close):
            if step is not None:
                with suppress(TetraproofError):
                    step()

    def _start_agent(self, settings: Mapping[str, str]) -> None:
        plan, machine = self._plan, self._on
        if plan.bundle is None:
            self.agent = agents.existing(machine, plan.tetra, plan.address, plan.deadlines)
        else:
            asked = {**plan.settings, **settings}
            self.agent = agents.start(
                machine,
                plan.bundle,
                self._folder,
                asked,
                plan.deadlines,
                run_id=plan.run_id,
                number=self._agents,
                tell=plan.tell,
            )
        self._asked = dict(settings)
        self._agents += 1
        self._listen()

    def _listen(self) -> None:
        self._streams += 1
        self._events = self._folder / f"events-{self._streams}.jsonl"
        self._events.touch()
        self._stream = self.agent.stream(self._events)

    def _stop_agent(self) -> None:
        if self._stream is not None:
            self._stream.stop()
        self.agent.stop()

    @property
    def _on(self) -> Machine:
        if self._machine is None:
            if self._boots >= _BOOTS:
                raise MachineLost(f"The machine was lost {self._boots} times, and is not started again.")
            self.open()
            assert self._machine is not None
        return self._machine

    # what a live target asks of a site

    @property
    def places(self) -> tuple[str, ...]:
        """The one machine."""
        return (self.name,)

    def nodes(self, place: str) -> tuple[str, ...]:
        """The machine is all there is."""
        return (place,)

    def bindings(self, place: str) -> Bindings:
        """What the suites' logical names are here."""
        del place
        return self._bindings

    def lacking(self, place: str, acts: Sequence[Act]) -> dict[str, str]:
        """Nothing that is known before it is tried."""
        del place, acts
        return {}

    def disturbed(self) -> dict[str, str]:
        """An agent that ended is not started again in silence."""
        return {} if self.agent.runs else {self.name: "the agent ended"}

    def export(self, place: str, since: datetime, heard: bytes) -> bytes:
        """There is no export log."""
        del place, since, heard
        return b""

    def interrupt(self) -> None:
        """Acts are waited for in the thread that is interrupted."""

    def unsupported(self, policy: Policy) -> str:
        """What only Kubernetes has is not there."""
        if policy.kind == "TracingPolicyNamespaced":
            return f"a {policy.kind} needs Kubernetes: without it there are no namespaces of pods to confine it to"
        for selector in ("podSelector", "containerSelector"):
            if policy.spec.get(selector):
                return f"{selector} needs Kubernetes: without it the agent knows no pods"
        return why_not(policy) if self._plan.kernel is None else ""

    def configure(self, settings: Mapping[str, str]) -> str:
        """Start the agent anew where it is set otherwise."""
        machine = self._on
        effective = self.agent.settings
        wanted = {name: value for name, value in settings.items() if effective.get(name, "false") != value}
        beyond = self._asked.keys() - settings.keys()
        if not wanted and not beyond:
            return ""
        if self._plan.bundle is None:
            name, value = next(iter(wanted.items()))
            return (
                f"the agent is set to {name}: {effective.get(name, 'nothing')}, not {value}, and is not ours to change"
            )
        self._plan.tell(f"starting the agent anew on {machine.name}, set otherwise")
        self._stop_agent()
        self._start_agent(settings)
        return ""

    def perform(self, act: Act, pod: PodBinding, argv: Sequence[str]) -> Outcome:
        """Perform an act in a pod's container."""
        return self._guarded(lambda: self._containers.perform(act, pod, argv))

    def fitted(self, policy: Policy) -> Policy:
        """A guest is all ours; on this machine itself a policy is confined to the run's containers."""
        return policy if self._plan.kernel else dataclasses.replace(policy, spec=confined(policy.spec, self._shared))

    def apply(self, policy: Policy, manifest: str) -> str:
        """Add a policy by `tetra tracingpolicy add`."""
        file = self._folder / f"{policy.name}.yaml"
        file.write_text(manifest, encoding="utf-8")
        done = self._guarded(
            lambda: self.agent.tetra("tracingpolicy", "add", str(file), seconds=self._plan.deadlines.policy)
        )
        return "" if done.ok else _error(done.complaint)

    def remove(self, policy: Policy) -> None:
        """Delete a policy; an agent that does not let go of it is started anew."""
        done = self.agent.tetra("tracingpolicy", "delete", policy.name, seconds=self._plan.deadlines.policy)
        if not done.ok and self._plan.bundle is not None:
            self._stop_agent()
            self._start_agent(self._asked)

    def states(self) -> dict[str, list[dict[str, Any]]]:
        """What the agent says of every policy."""
        return {self.name: self._guarded(self.agent.states)}

    def metrics(self, place: str) -> str:
        """The agent's metrics."""
        del place
        return self._guarded(self.agent.metrics)

    def position(self, place: str) -> int:
        """Where in the stream we are. One that has ended is begun anew, in a file of its own."""
        del place
        if self._stream is None or not self._stream.runs:
            self._listen()
        return self._events.stat().st_size

    def heard(self, place: str, position: int, applied: str) -> bytes:
        """The stream since a position."""
        del place
        with self._events.open("rb") as stream:
            stream.seek(position)
            lines = stream.read().split(b"\n")
        # the last one may not be whole yet
        containers = tuple(self._bindings.by_container())
        return b"".join(line + b"\n" for line in lines[:-1] if _concerns(parse(line), containers, applied))

    def compact(self, place: str, stream: bytes) -> bytes:
        """The same as tetra prints it; asked here, for it needs no agent."""
        del place
        return self._tetra_here("getevents", "-o", "compact", "--color", "never", stdin=stream)

    def _tetra_here(self, *words: str, stdin: bytes = b"") -> bytes:
        """What tetra prints without an agent, run on this machine whatever the target: quick, where a guest is slow."""
        try:
            done = subprocess.run(  # noqa: S603 - no shell
                [self._plan.tetra, *words],
                input=stdin,
                capture_output=True,
                timeout=self._plan.deadlines.command,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return b""
        return done.stdout if done.returncode == 0 else b""

    def log(self, place: str, since: datetime) -> bytes:
        """The agent's log, all of it."""
        del place, since
        return self.agent.log.encode()

    def _guarded(self, ask: Callable[[], Answer]) -> Answer:
        """Ask; a machine that is lost is given up, so that the next scenario starts one anew."""
        try:
            return ask()
        except MachineLost:
            self._give_up()
            raise

    def _give_up(self) -> None:
        machine, self._machine = self._machine, None
        if machine is not None:
            with suppress(TetraproofError):
                machine.close()

    # what the recording says of where it was made

    def index(self) -> Index:
        """What a recording of this site begins with."""
        plan, machine = self._plan, self._on
        settings = {name: value for name, value in self.agent.settings.items() if name not in agents.PLACES}
        cpus = int(self._said("nproc") or 1)
        shared = settings.get("use-perf-ring-buffer") == "false"
        system = next((line for line in self._said("cat", "/etc/os-release").splitlines() if "PRETTY_NAME" in line), "")
        how = "this machine itself" if plan.kernel is None else "a guest"
        if isinstance(machine, guests.Guest):
            how += " with KVM" if machine.accelerated else " in emulation"
        return Index(
            FORMAT,
            self._cell(settings),
            Provenance(datetime.now(UTC).isoformat(), f"1 node, {how}", f"tetraproof {tetraproof.__version__}, {KIND}"),
            (
                NodeRecord(
                    self.name,
                    machine.kernel,
                    cpus,
                    1 if shared else cpus,
                    system.partition("=")[2].strip('"'),
                    os.uname().machine,
                    f"podman {self._containers.version}, crun",
                ),
            ),
            self._bindings,
            settings,
            (),
        )

    def environment(self) -> dict[str, bytes]:
        """The files that say what the kernel and the agent are."""
        config = self._plan.kernel.config if self._plan.kernel else _config_of_this_kernel()
        kept = "".join(f"{line}\n" for line in config.splitlines() if OPTIONS.search(line))
        told = {
            "tetra-version.txt": self.agent.tetra("version", "--server"),
            "tetra-probe.txt": self.agent.tetra("probe"),
        }
        files = {f"environment/{name}": done.stdout for name, done in told.items()}
        origins = {name: root.origin for name, root in self._plan.roots.items()}
        files["environment/workloads.json"] = json.dumps(origins, indent=1).encode() + b"\n"
        return {**files, "environment/kernel.config": kept.encode()} if kept else files

    def _cell(self, settings: Mapping[str, str]) -> Cell:
        asked = dict(self._plan.settings)
        label = ",".join(name if value == "true" else f"{name}={value}" for name, value in sorted(asked.items()))
        server = _version(self.agent.tetra("version", "--server").output)
        client = _version(self._tetra_here("version").decode("utf-8", "replace"))
        return Cell(
            tetragon=server or client,
            kubernetes="",
            kernel=self._on.kernel,
            target=KIND,
            label=label or "defaults",
            digest=hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12],
            differs=asked,
            cli=client,
        )

    def _said(self, *words: str) -> str:
        return self._on.run(words, seconds=self._plan.deadlines.command).output.strip()


def open_standalone(plan: Plan) -> tuple[Live, Standalone]:
    """A live target on a machine that is set up; the caller closes the site. Raises what keeps it from that."""
    site = Standalone(plan)
    account = Account()
    try:
        with account.spending(SETTING_UP):
            site.open()
            index = site.index()
            recorder = Recorder(plan.run_id, index, site.environment())
    except BaseException:
        site.close()
        raise
    lines = [f"judging {index.cell.title}, live on {index.provenance.where}"]
    lines.append(
        "its network ends in the guest: nothing that an act sends leaves it"
        if plan.kernel
        else "policies are enforced on this machine, confined to the run's own containers"
    )
    return Live(KIND, site, recorder, plan.deadlines, introduction=lines, tell=plan.tell, account=account), site


def _concerns(line: Event | Any, containers: Sequence[str], applied: str) -> bool:
    """Whether a line is of the run's containers, or of its policy whoever it met; what is no event is kept."""
    if not isinstance(line, Event):
        return True
    if applied and isinstance(line.detail, Kprobe) and line.detail.policy_name == applied:
        return True
    return bool(line.process.docker) and any(one.startswith(line.process.docker) for one in containers)


def _version(text: str) -> str:
    found = re.search(r"version: v?(\S+)", text)
    return found[1] if found else ""


def _error(complaint: str) -> str:
    """What tetra said, without its log's decoration."""
    lines = [line for line in complaint.strip().splitlines() if not line.startswith("level=warn")]
    return " ".join(lines)


def _config_of_this_kernel() -> str:
    release = os.uname().release
    for path in (Path(f"/boot/config-{release}"), Path(f"/lib/modules/{release}/config")):
        if path.is_file():
            return path.read_text(encoding="utf-8", errors="replace")
    packed = Path("/proc/config.gz")
    return gzip.decompress(packed.read_bytes()).decode("utf-8", "replace") if packed.is_file() else ""
