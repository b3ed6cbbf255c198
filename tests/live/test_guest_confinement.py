"""A policy that kills, confined: what does it in the run's containers dies, and a bystander that does the same lives.

`make guest BUNDLE=…` runs it on a real kernel with a real agent. For each family of hooks the policy is loaded as it
is written first, and the bystanders die: so it was the confinement that let them live, and not that they did
something else. What an agent or a kernel does not have is skipped with the agent's own word.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tetraproof.guests import agent as agents
from tetraproof.guests import bundle as bundles
from tetraproof.guests import guest as guests
from tetraproof.guests import kernel as kernels
from tetraproof.guests import rootfs, workload
from tetraproof.guests.agent import Agent
from tetraproof.guests.container import Containers
from tetraproof.guests.guest import Guest
from tetraproof.machines.machine import Completed
from tetraproof.observing.inventory import versions
from tetraproof.pacing.deadline import Deadlines
from tetraproof.policies.confinement import Scope, confined, why_not
from tetraproof.policies.policy import Policy

ROOT = Path(__file__).resolve().parents[2]
KERNEL = os.environ.get("TETRAPROOF_KERNEL", "")
#: The same as BUNDLE=, and the agent's own options as AGENT_OPTIONS= has them.
BUNDLE = os.environ.get("TETRAPROOF_BUNDLE", "") or os.environ.get(bundles.VARIABLE, "")
OPTIONS = os.environ.get("TETRAPROOF_AGENT_OPTIONS", "")
ACCELERATION = os.environ.get("TETRAPROOF_ACCELERATION", "auto")
DEADLINES = Deadlines().scaled(float(os.environ.get("TETRAPROOF_SLOWNESS", "1")))
KILLED = 128 + signal.SIGKILL

pytestmark = [
    pytest.mark.skipif(not KERNEL, reason="boots a guest: make guest"),
    pytest.mark.skipif(not BUNDLE, reason="needs a Tetragon to start: make guest BUNDLE="),
]


def tell(line: str) -> None:
    """Progress, shown by `pytest -s`."""
    print(line)


@dataclass(frozen=True)
class Site:
    """A guest with one container and an agent; `process` is the container's first, `inode` its IPC namespace."""

    guest: Guest
    agent: Agent
    folder: Path
    process: str
    inode: str
    version: str

    def within(self, argv: Sequence[str], *namespaces: str) -> Completed:
        """What becomes of a program in some of the container's namespaces; in none, on the guest itself."""
        entered = ["nsenter", f"--target={self.process}", *(f"--{one}" for one in namespaces), "--"]
        return self.guest.run([*(entered if namespaces else []), *argv], seconds=DEADLINES.act)

    def in_container(self, argv: Sequence[str]) -> Completed:
        """What becomes of a program that the runtime starts in the container, as every act is."""
        words = ["crun", "--root", "/run/crun", "exec", self._container, *argv]
        return self.guest.run(words, seconds=DEADLINES.act)

    @property
    def _container(self) -> str:
        return (self.folder / "container").read_text(encoding="utf-8")

    def add(self, spec: dict[str, Any]) -> str:
        """Load a policy; the agent's complaint where it refuses."""
        document = {"apiVersion": "cilium.io/v1alpha1", "kind": "TracingPolicy", "metadata": {"name": "bystander"}}
        file = self.folder / "bystander.yaml"
        file.write_text(yaml.safe_dump({**document, "spec": spec}), encoding="utf-8")
        done = self.agent.tetra("tracingpolicy", "add", str(file), seconds=DEADLINES.policy)
        return "" if done.ok else done.complaint.strip() or "it did not say why"

    def delete(self) -> None:
        """Take it away, whether it was loaded or refused."""
        self.agent.tetra("tracingpolicy", "delete", "bystander", seconds=DEADLINES.policy)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    kernel = kernels.obtain(kernels.parse(KERNEL)[0], tell)
    folder = tmp_path_factory.mktemp("guest")
    guest = guests.boot(kernel, folder, DEADLINES, tell, ACCELERATION)
    try:
        every = workload.load(ROOT / "manifests/workloads")
        (probe,) = [one for one in every.workloads if one.name == "probe"]
        root = rootfs.obtain(probe.container.image, probe.packages, tell).path
        containers = Containers(guest, "bystander", DEADLINES, tell)
        containers.start(replace(every, workloads=(probe,), services=()), {probe.name: root})
        container = containers.pods[0].container
        (folder / "container").write_text(container, encoding="utf-8")
        told = guest.run(["crun", "--root", "/run/crun", "state", container], seconds=DEADLINES.command)
        settings = {name: value or "true" for name, _, value in (one.partition("=") for one in OPTIONS.split())}
        settings["enable-policy-filter"] = "true"
        agent = agents.start(guest, bundles.obtain(BUNDLE, tell), folder, settings, DEADLINES, run_id="by", tell=tell)
        version = versions(agent.tetra("version", "--server").output)["Server"]
        yield Site(guest, agent, folder, str(json.loads(told.output)["pid"]), containers.namespace_inode(), version)
        agent.stop()
    finally:
        guest.close()


@dataclass(frozen=True)
class Family:
    """Hooks of a kind, without the action, and what they are to meet; `program` is of this machine, not the image's.

    `since` is the first Tetragon that knows them: an older one passes over them in silence.
    """

    hooks: str
    hook: dict[str, Any]
    argv: tuple[str, ...]
    program: str = ""
    beside: dict[str, Any] | None = None
    since: str = "1.0"


FILE = "/tmp/bystander"
WRITING = ("sh", "-c", f"echo x > {FILE}")
LINKING = ("ln", "-sf", "/nowhere", f"{FILE}-link")
FILES = [{"index": 0, "type": "int"}, {"index": 1, "type": "file"}]
IS_FILE = {"matchArgs": [{"index": 1, "operator": "Equal", "values": [FILE]}]}
#: symlinkat's number on x86-64, the fifth field of raw_syscalls/sys_enter.
SYMLINKAT = {"matchArgs": [{"index": 4, "operator": "Equal", "values": ["266"]}]}
COLLECTING = ("/usr/bin/python3", "-c", "import gc; gc.collect()")
FAMILIES = {
    "kprobe": Family(
        "kprobes", {"call": "fd_install", "syscall": False, "args": FILES, "selectors": [IS_FILE]}, WRITING
    ),
    "kprobe of a system call": Family("kprobes", {"call": "sys_symlinkat", "syscall": True}, LINKING),
    "kprobe, after the return": Family(
        "kprobes",
        {
            "call": "sys_symlinkat",
            "syscall": True,
            "return": True,
            "returnArg": {"index": 0, "type": "int"},
            "selectors": [{"matchReturnActions": [{"action": "Sigkill"}]}],
        },
        LINKING,
    ),
    "fentry": Family(
        "fentries",
        {"call": "fd_install", "syscall": False, "args": FILES, "selectors": [IS_FILE]},
        WRITING,
        since="1.7",
    ),
    "tracepoint": Family("tracepoints", {"subsystem": "syscalls", "event": "sys_enter_symlinkat"}, LINKING),
    "raw system calls": Family(
        "tracepoints",
        {
            "subsystem": "raw_syscalls",
            "event": "sys_enter",
            "args": [{"index": 4, "type": "int64"}],
            "selectors": [SYMLINKAT],
        },
        LINKING,
    ),
    "raw tracepoint": Family(
        "tracepoints",
        {
            "subsystem": "raw_syscalls",
            "event": "sys_enter",
            "raw": True,
            "args": [{"index": 1, "type": "int64"}],
            "selectors": [{"matchArgs": [{"index": 1, "operator": "Equal", "values": ["266"]}]}],
        },
        LINKING,
        since="1.5",
    ),
    "lsm": Family(
        "lsmhooks",
        {
            "hook": "file_open",
            "args": [{"index": 0, "type": "file"}],
            "selectors": [{"matchArgs": [{"index": 0, "operator": "Equal", "values": [FILE]}]}],
        },
        WRITING,
    ),
    "uprobe": Family(
        "uprobes", {"symbols": ["parse_and_execute"]}, ("/usr/bin/bash", "-c", "echo x"), program="/usr/bin/bash"
    ),
    "usdt": Family("usdts", {"provider": "python", "name": "gc__start"}, COLLECTING, "/usr/bin/python3", since="1.6"),
    "enforcer": Family(
        "tracepoints",
        {
            "subsystem": "raw_syscalls",
            "event": "sys_enter",
            "args": [{"index": 4, "type": "syscall64"}],
            "selectors": [
                {
                    "matchArgs": [{"index": 4, "operator": "InMap", "values": ["list:links"]}],
                    "matchActions": [{"action": "NotifyEnforcer", "argError": -1, "argSig": 9}],
                }
            ],
        },
        LINKING,
        beside={
            "lists": [{"name": "links", "type": "syscalls", "values": ["sys_symlinkat"]}],
            "enforcers": [{"calls": ["list:links"]}],
        },
    ),
}


def spec_of(family: Family) -> dict[str, Any]:
    """The spec, killing; the path of a program is found by the search path of this machine, which the guest shares."""
    selectors = [
        one
        if "matchActions" in one or "matchReturnActions" in one
        else {**one, "matchActions": [{"action": "Sigkill"}]}
        for one in family.hook.get("selectors", [{}])
    ]
    hook = {**family.hook, "selectors": selectors}
    if family.program:
        found = shutil.which(family.program)
        if found is None:
            pytest.skip(f"{family.program} is not on this machine")
        hook["path"] = str(Path(found).resolve())
    return {family.hooks: [hook], **(family.beside or {})}


def known_by(site: Site, since: str) -> None:
    """Skip what came with a newer Tetragon."""
    major, minor, *_ = site.version.split(".")
    wanted = tuple(int(number) for number in since.split("."))
    if (int(major), int(minor)) < wanted:
        pytest.skip(f"it came with Tetragon {since}, and this is {site.version}")


def of(spec: dict[str, Any]) -> Policy:
    """A policy of this spec."""
    return Policy("bystander", "", "TracingPolicy", spec, {}, "", "bystander")


@pytest.mark.parametrize("name", FAMILIES)
def test_a_bystander_lives(name: str, site: Site) -> None:
    """And what does the same in the run's containers dies."""
    family = FAMILIES[name]
    known_by(site, family.since)
    spec = spec_of(family)
    if why_not(of(spec), [site.version], Scope.CONTAINERS):
        try:
            assert site.add(confined(spec, site.inode)) != "", "the table says that it cannot be confined"
        finally:
            site.delete()
        return
    try:
        refused = site.add(spec)
        if refused:
            pytest.skip(f"the agent refuses: {refused[-300:]}")
        assert site.within(family.argv).exit_code == KILLED, "as it is written it meets everybody"
    finally:
        site.delete()
    assert site.within(family.argv).exit_code == 0
    try:
        assert site.add(confined(spec, site.inode)) == ""
        # a program of this machine is not in the container, but it can be in its namespace
        ours = site.within(family.argv, "ipc") if family.program else site.in_container(family.argv)
        assert ours.exit_code == KILLED, ours
        bystanders = {"on the guest": (), "in every other namespace of the container": ("net", "pid", "uts")}
        if not family.program:
            bystanders["among the container's own files"] = ("mount", "net", "pid", "uts")
        for where, namespaces in bystanders.items():
            assert site.within(family.argv, *namespaces).exit_code == 0, where
    finally:
        site.delete()


#: What stands beside the podSelector, for the families that one of the agent's programs each stands for.
BESIDE = [(name, {}) for name in FAMILIES]
BESIDE += [(name, {"hostSelector": {}}) for name in ("kprobe of a system call", "tracepoint", "lsm", "uprobe")]


@pytest.mark.parametrize(("name", "beside"), BESIDE, ids=[" and ".join([name, *beside]) for name, beside in BESIDE])
def test_a_policy_for_pods_reaches_those_of_whom_the_table_says_it(
    name: str, beside: dict[str, Any], site: Site
) -> None:
    """Where there is no pod, a podSelector selects nobody: who dies all the same is who it does not hold."""
    family = FAMILIES[name]
    known_by(site, "1.7" if beside else family.since)
    spec = {**spec_of(family), "podSelector": {"matchLabels": {"of": "nobody"}}, **beside}
    try:
        refused = site.add(spec)
        if refused:
            pytest.skip(f"the agent refuses: {refused[-300:]}")
        held = why_not(of(spec), [site.version], Scope.PODS) == ""
        assert site.within(family.argv).exit_code == (0 if held else KILLED)
    finally:
        site.delete()
