"""How long things may take before somebody says that they do not come."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class Deadlines:
    """Seconds, each before `SLOWNESS` scales it. A deadline costs time only where it is missed.

    The defaults leave room for an emulated guest, where things were seen to take a tenth to a half of this.
    """

    #: A guest's kernel boots and its guest agent answers: 10 s in emulation with a free core.
    boot: float = 120.0
    #: KVM is given this long to boot a guest before emulation is tried: 2 s where it works.
    boot_with_kvm: float = 30.0
    #: A short command of ours on the machine, such as `tetra status`: 1 to 3 s in emulation.
    command: float = 60.0
    #: One act, from asking to its exit code: 1 to 4 s in emulation.
    act: float = 60.0
    #: A container starts: 4 to 14 s in emulation.
    container: float = 120.0
    #: The agent starts, until `tetra status` says that it runs: 10 to 40 s in emulation.
    agent: float = 180.0
    #: A policy settles, or is gone: 10 to 20 s in emulation, up to 90 on a slow cluster.
    policy: float = 180.0
    #: A kind cluster is made, or an archive of images is loaded into its nodes: minutes where the images are there.
    cluster: float = 1200.0
    #: Every node of a new cluster is ready, or all of them are gone: half a minute.
    nodes: float = 180.0
    #: An agent's pods are rolled out on a cluster, or are gone: half a minute where images are there.
    rollout: float = 300.0
    #: The workloads' pods are ready on a cluster, or their namespaces are gone.
    workload: float = 300.0
    #: The export log shows what the stream has shown.
    export: float = 20.0
    #: A sentinel's event arrives; what does not come in this time is not coming.
    sentinel: float = 60.0

    def scaled(self, slowness: float) -> Deadlines:
        """All of them, `slowness` times as long."""
        return replace(self, **{field.name: getattr(self, field.name) * slowness for field in fields(self)})
