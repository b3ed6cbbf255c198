"""What a recording made without Kubernetes says of itself: the machine, its kernel, its agent, and how that is set."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

import tetraproof
from tetraproof.guests.agent import PLACES, Agent, offline
from tetraproof.guests.guest import Guest
from tetraproof.guests.plan import Plan
from tetraproof.machines.machine import Machine
from tetraproof.policies.binding import Bindings
from tetraproof.policies.capability import OPTIONS
from tetraproof.recordings.record import digest_of
from tetraproof.recordings.recording import FORMAT, Cell, Index, NodeRecord, Provenance, rings_to_hear

KIND = "standalone"


def identify(plan: Plan, machine: Machine, agent: Agent, runtime: str) -> Index:
    """The index of a recording that holds nothing yet; `runtime` is what runs the containers."""

    def said(*words: str) -> str:
        return machine.run(words, seconds=plan.deadlines.command).output.strip()

    settings = {name: value for name, value in agent.settings.items() if name not in PLACES}
    cpus = int(said("nproc") or 1)
    system = next((line for line in said("cat", "/etc/os-release").splitlines() if "PRETTY_NAME" in line), "")
    name = system.partition("=")[2].strip('"')
    node = NodeRecord(machine.name, machine.kernel, cpus, 1, name, os.uname().machine, runtime)
    how = "this machine itself" if plan.kernel is None else "a guest"
    if isinstance(machine, Guest):
        how += " with KVM" if machine.accelerated else " in emulation"
    return Index(
        FORMAT,
        _cell(plan, machine, agent, settings),
        Provenance(datetime.now(UTC).isoformat(), f"1 node, {how}", f"tetraproof {tetraproof.__version__}, {KIND}"),
        (replace(node, rings=rings_to_hear(node, settings)),),
        Bindings(),
        settings,
        (),
    )


def environment(plan: Plan, agent: Agent) -> dict[str, bytes]:
    """The files of a recording that say what the kernel and the agent are, by their paths in it."""
    config = plan.kernel.config if plan.kernel else _config_of_this_kernel()
    kept = "".join(f"{line}\n" for line in config.splitlines() if OPTIONS.search(line))
    told = {
        "tetra-status.txt": f"{agent.said}\n",
        "tetra-version.txt": agent.version,
        "tetra-probe.txt": agent.tetra("probe").output,
    }
    files = {f"environment/{name}": text.encode() for name, text in told.items()}
    origins = {name: root.origin for name, root in plan.roots.items()}
    files["environment/workloads.json"] = json.dumps(origins, indent=1).encode() + b"\n"
    return {**files, "environment/kernel.config": kept.encode()} if kept else files


def _cell(plan: Plan, machine: Machine, agent: Agent, settings: Mapping[str, str]) -> Cell:
    asked = dict(plan.settings)
    label = ",".join(name if value == "true" else f"{name}={value}" for name, value in sorted(asked.items()))
    server = _version(agent.version)
    client = _version(offline(plan.tetra, "version", seconds=plan.deadlines.command).decode("utf-8", "replace"))
    return Cell(
        tetragon=server or client,
        kubernetes="",
        kernel=machine.kernel,
        target=KIND,
        label=label or "defaults",
        digest=digest_of(settings),
        differs=asked,
        cli=client,
    )


def _version(text: str) -> str:
    found = re.search(r"version: v?(\S+)", text)
    return found[1] if found else ""


def _config_of_this_kernel() -> str:
    release = os.uname().release
    for path in (Path(f"/boot/config-{release}"), Path(f"/lib/modules/{release}/config")):
        if path.is_file():
            return path.read_text(encoding="utf-8", errors="replace")
    packed = Path("/proc/config.gz")
    return gzip.decompress(packed.read_bytes()).decode("utf-8", "replace") if packed.is_file() else ""
