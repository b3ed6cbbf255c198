"""The workloads' pods as plain containers, by podman, on a machine without Kubernetes.

Podman is given a storage, a network and a configuration of its own, so the machine's own
containers are neither seen nor touched. A pod is one container here: podman's pods need a
pause container, which a guest without systemd cannot make.
"""

from __future__ import annotations

import ipaddress
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tetraproof.errors import TetraproofError
from tetraproof.guests.workload import Manifests, Service, Workload
from tetraproof.machines.machine import Completed, Machine
from tetraproof.observing.act import Act, Outcome
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import Tell
from tetraproof.policies.binding import INTERNET, Bindings, PodBinding
from tetraproof.text import shorten

#: The network of a run's pods; its first address is the bridge's.
_SUBNET = ipaddress.ip_network("10.231.0.0/24")
#: The names that an act calls the internet by; there is no name service to ask.
_OUTSIDE = ("www.google.com",)
#: Types our input into a terminal, and its end again and again: one that is typed before a shell listens is lost.
_TERMINAL = r"""{ cat; exec 3<> <(:); while :; do read -rt 0.5 -u 3; printf '\004'; done; } |
script --quiet --return --command "$1" /dev/null"""
_RUNTIME = ("crun", "--root", "/run/crun")
_NO_CONTAINER = "error opening file `/run/crun/"
_CONFIGURATION = """\
[containers]
log_driver = "none"
# what podman would set by itself is more than it may on a machine that is confined
default_ulimits = ["nofile=1024:4096", "nproc=16384:16384"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
[network]
network_backend = "netavark"
network_config_dir = "{home}/networks"
"""


class ContainerError(TetraproofError):
    """Podman could not do what it was asked; its own last words are the causes."""


@dataclass(frozen=True)
class Pod:
    """A pod that runs: its container's id and its address."""

    workload: Workload
    name: str
    container: str
    address: str


class Containers:
    """A run's containers on one machine."""

    def __init__(self, machine: Machine, run_id: str, deadlines: Deadlines, tell: Tell) -> None:
        self._machine = machine
        self._deadlines = deadlines
        self._tell = tell
        self._network = f"tetraproof-{run_id}"
        self._home = Path("/run") / self._network
        # bridge, addresses and firewall rules in a network namespace of our own: they go with it
        self._podman = (
            *("nsenter", f"--net=/run/netns/{self._network}"),
            *("env", f"CONTAINERS_CONF={self._home}/containers.conf", "podman"),
            *("--root", f"{self._home}/storage", "--runroot", f"{self._home}/runroot"),
        )
        self.pods: list[Pod] = []
        self.version = ""

    def start(self, manifests: Manifests, roots: Mapping[str, Path]) -> None:
        """Start a container for each pod of `manifests`; `roots` are their root file systems, by workload.

        What a service selects starts first, so that the others can be told its address. Raises `ContainerError`.
        """
        self._write("containers.conf", _CONFIGURATION.format(home=self._home))
        self.version = self._asked("podman", "--version").output.removeprefix("podman version").strip()
        for words in (("netns", "add", self._network), ("-n", self._network, "link", "set", "lo", "up")):
            self._done("ip", self._asked("ip", *words), "see that iproute2 is installed, and that this is root")
        self._do("network", "create", "--subnet", str(_SUBNET), self._network)
        named: dict[str, str] = dict.fromkeys(_OUTSIDE, INTERNET)
        served = {service.name: service for service in manifests.services}
        order = sorted(manifests.workloads, key=lambda one: not any(_selects(s, one) for s in served.values()))
        for workload in order:
            for number in range(workload.replicas):
                self._tell(f"starting a container for {workload.namespace}/{workload.name}")
                self.pods.append(self._started(workload, number, roots[workload.name], named))
            for service in served.values():
                if _selects(service, workload):
                    named |= dict.fromkeys(_names(service), self.pods[-1].address)

    def bindings(self, manifests: Manifests) -> Bindings:
        """What the suites' logical names are here. A service has no address of its own, but its pod's."""
        workloads: dict[str, tuple[PodBinding, ...]] = {}
        services: dict[str, str] = {}
        for pod in self.pods:
            bound = PodBinding(pod.workload.namespace, pod.name, pod.address, self._machine.name, pod.container)
            workloads[pod.workload.name] = (*workloads.get(pod.workload.name, ()), bound)
            services |= {one.name: pod.address for one in manifests.services if _selects(one, pod.workload)}
        ranges = {"ranges.pods": str(_SUBNET), "ranges.services": str(_SUBNET)}
        roots: dict[str, str] = {}
        for pod, process in zip(self.pods, self._processes(), strict=False):
            # of several pods of a workload the first: all of them have the same files
            roots.setdefault(pod.workload.name, f"/proc/{process}/root")
        return Bindings(workloads, services, ranges, roots=roots)

    def namespace_inode(self) -> str:
        """The inode of the IPC namespace that the run's pods share, and nobody else has. Raises `ContainerError`."""
        told = self._asked("readlink", f"/proc/{next(iter(self._processes()), '')}/ns/ipc").output
        return told.strip().removeprefix("ipc:[").removesuffix("]")

    def perform(self, act: Act, pod: PodBinding, argv: Sequence[str]) -> Outcome:
        """Perform an act in a pod: the runtime's exec, and for a terminal `script` around it, which makes one.

        `podman exec` has the runtime do the same; the rest of it (three programs more, one of them after the act)
        takes ten times as long in an emulated guest as the act itself.
        """
        words = [*_RUNTIME, "exec", *(["--tty"] if act.tty else []), pod.container, *argv]
        if act.tty:
            words = ["bash", "-c", _TERMINAL, "bash", shlex.join(words)]
        typed = None if act.stdin is None else act.stdin.encode()
        return _outcome(self._machine.run(words, seconds=self._deadlines.act, stdin=typed))

    def close(self) -> None:
        """Remove the containers, their network and their storage."""
        self._asked(*self._podman, "rm", "--all", "--force", "--time", "0")
        self._asked(*self._podman, "network", "rm", "--force", self._network)
        self._asked("ip", "netns", "delete", self._network)
        self._asked("rm", "-rf", "--one-file-system", str(self._home))
        self.pods.clear()

    def _started(self, workload: Workload, number: int, root: Path, named: Mapping[str, str]) -> Pod:
        name = workload.name if workload.replicas == 1 else f"{workload.name}-{number}"
        address = str(_SUBNET[len(self.pods) + 2])
        container = workload.container
        words = [
            *("run", "--detach", "--name", name, "--hostname", name, "--network", self._network, "--ip", address),
            *("--label", f"tetraproof.dev/run={self._network}"),
            *(f"--add-host={host}:{address}" for host, address in named.items()),
            *(f"--env={variable}={value}" for variable, value in container.environment.items()),
            *(["--privileged"] if container.privileged else []),
            # one namespace that all of the run's pods share is what a policy can be confined to
            *([f"--ipc=container:{self.pods[0].container}"] if self.pods else ["--ipc=shareable"]),
            *(["--entrypoint", json.dumps(list(container.command))] if container.command else []),
            *("--rootfs", f"{root}:O", *container.args),
        ]
        return Pod(workload, name, self._do(*words).output.strip(), address)

    def _processes(self) -> list[str]:
        """The process that each pod began with, by its number on the machine."""
        return self._do("inspect", "--format", "{{.State.Pid}}", *(pod.container for pod in self.pods)).output.split()

    def _do(self, *words: str) -> Completed:
        done = self._machine.run([*self._podman, *words], seconds=self._deadlines.container)
        return self._done(f"podman {words[0]}", done, "see that podman, crun and netavark are installed and work there")

    def _done(self, what: str, done: Completed, remedy: str) -> Completed:
        if not done.ok:
            raise ContainerError(
                f"{what} failed on {self._machine.name}: exit {done.exit_code}.",
                causes=[shorten(line, 200) for line in done.complaint.splitlines()[-6:]],
                remedy=remedy,
            )
        return done

    def _asked(self, *words: str) -> Completed:
        return self._machine.run(words, seconds=self._deadlines.container)

    def _write(self, name: str, text: str) -> None:
        script = 'mkdir -p "$1" && cat > "$1/$2"'
        self._machine.run(
            ["sh", "-c", script, "sh", str(self._home), name], seconds=self._deadlines.command, stdin=text.encode()
        )


def _outcome(done: Completed) -> Outcome:
    complaint = done.stderr.decode("utf-8", "replace")
    # a terminal has one output for both
    if done.exit_code and _NO_CONTAINER in complaint + done.output:
        complaint = complaint or done.output
        broken = f"it could not be performed: {shorten(complaint.strip(), 200)}"
        return Outcome(None, broken=broken, unstarted=True, gone=True)
    return Outcome(done.exit_code, done.output, complaint, done.broken, done.unstarted, done.gone)


def _selects(service: Service, workload: Workload) -> bool:
    return service.namespace == workload.namespace and service.selector.items() <= workload.labels.items()


def _names(service: Service) -> list[str]:
    """The names under which Kubernetes would know a service."""
    short = f"{service.name}.{service.namespace}"
    return [service.name, short, f"{short}.svc", f"{short}.svc.cluster.local"]
