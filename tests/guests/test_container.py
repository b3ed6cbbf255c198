"""The workloads' containers: the manifests' pods and names, apart from the machine's own, and all of it removed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.builders import ROOT
from tests.hosts import Machine
from tetraproof.guests import container
from tetraproof.guests.container import ContainerError, Containers
from tetraproof.guests.workload import Manifests, load
from tetraproof.machines.machine import Completed, ThisMachine
from tetraproof.observing.act import command, typed
from tetraproof.pacing.deadline import Deadlines
from tetraproof.policies.binding import PodBinding

MANIFESTS = load(ROOT / "manifests/workloads")
ROOTS = {one.name: Path("/roots") / one.name for one in MANIFESTS.workloads}
IDS = {one.name: (f"{number}" * 64) for number, one in enumerate(MANIFESTS.workloads)}


def silent(line: str, /) -> None:
    del line


def machine() -> Machine:
    def run(argv, stdin) -> Completed:
        return Completed(0, f"{IDS[argv[argv.index('--name') + 1]]}\n".encode())

    return Machine({"--version": "podman version 4.3.1\n", " run --detach": run})


def started(on: Machine, manifests: Manifests = MANIFESTS) -> Containers:
    containers = Containers(on, "run", Deadlines(), silent)
    containers.start(manifests, ROOTS)
    return containers


def words(on: Machine, name: str) -> list[str]:
    return next(argv for argv in on.asked if "--name" in argv and argv[argv.index("--name") + 1] == name)


def test_every_pod_is_a_container_of_its_own_root() -> None:
    """Its file system is laid over, so that what an act writes stays in the container."""
    on = machine()
    containers = started(on)
    assert {pod.workload.name for pod in containers.pods} == set(ROOTS)
    for name, root in ROOTS.items():
        argv = words(on, name)
        assert argv[argv.index("--rootfs") + 1] == f"{root}:O"
        assert ("--privileged" in argv) is (name == "privileged")
    assert containers.version == "4.3.1"


def test_podmans_things_are_the_runs_own() -> None:
    """Storage, state, network and configuration: the machine's own containers are neither seen nor touched."""
    on = machine()
    started(on).close()
    assert ["ip", "netns", "add", "tetraproof-run"] in on.asked
    podman = [" ".join(argv) for argv in on.asked if "podman" in argv and "--version" not in argv]
    assert len(podman) > len(ROOTS)
    for line in podman:
        assert line.startswith("nsenter --net=/run/netns/tetraproof-run ")
        assert "CONTAINERS_CONF=/run/tetraproof-run/containers.conf" in line
        assert "--root /run/tetraproof-run/storage --runroot /run/tetraproof-run/runroot" in line
    assert 'network_config_dir = "/run/tetraproof-run/networks"' in on.typed[0].decode()


def test_closing_removes_all_of_it() -> None:
    """Also where podman has nothing left to remove."""
    on = machine()
    containers = started(on)
    on.answers["podman"] = Completed(125, b"", b"no such network")
    containers.close()
    assert on.lines("rm --all --force")
    assert on.lines("network rm --force tetraproof-run")
    assert on.asked[-2] == ["ip", "netns", "delete", "tetraproof-run"]
    assert on.asked[-1] == ["rm", "-rf", "--one-file-system", "/run/tetraproof-run"]
    assert containers.pods == []


def test_a_service_starts_first_and_the_others_know_its_names() -> None:
    """Those that Kubernetes would give it, and the internet's, which leads nowhere of ours."""
    on = machine()
    containers = started(on)
    address = next(pod.address for pod in containers.pods if pod.workload.name == "deathstar")
    hosts = [word for word in words(on, "tiefighter") if word.startswith("--add-host=")]
    assert f"--add-host=deathstar.galaxy.svc.cluster.local:{address}" in hosts
    assert f"--add-host=deathstar:{address}" in hosts
    assert [word for word in hosts if "www.google.com" in word]
    assert not [word for word in words(on, "deathstar") if "deathstar" in word and "add-host" in word]


def test_the_suites_names_are_bound_to_it() -> None:
    """Pods with their addresses and containers, a service by its pod's address."""
    on = machine()
    bindings = started(on).bindings(MANIFESTS)
    pod = bindings.pod("probe")
    assert pod == PodBinding("other", "probe", pod.ip, "made", IDS["probe"])
    assert len({one.ip for pods in bindings.workloads.values() for one in pods}) == len(ROOTS)
    assert bindings.services["deathstar"] == bindings.pod("deathstar").ip
    assert bindings.ranges["ranges.pods"] == "10.231.0.0/24"


def test_the_agent_finds_a_pod_s_files_by_its_first_process() -> None:
    """Each workload's by that of its first pod."""
    on = machine()
    containers = started(on)
    on.answers["inspect"] = "".join(f"{4000 + at}\n" for at, _ in enumerate(containers.pods))
    first = {pod.workload.name: at for at, pod in reversed(list(enumerate(containers.pods)))}
    roots = containers.bindings(MANIFESTS).roots
    assert roots == {name: f"/proc/{4000 + at}/root" for name, at in first.items()}


def test_one_ipc_namespace_is_shared_by_all_and_nobody_else() -> None:
    """It is what a policy is confined to."""
    on = machine()
    on.answers |= {"inspect": "4711\n", "readlink": "ipc:[4026532291]\n"}
    containers = started(on)
    shares = [word for argv in on.asked for word in argv if word.startswith("--ipc")]
    assert shares == ["--ipc=shareable", *[f"--ipc=container:{containers.pods[0].container}"] * (len(ROOTS) - 1)]
    assert containers.namespace_inode() == "4026532291"


def test_podmans_failure_is_told_in_its_own_words() -> None:
    """With what to look at."""
    on = machine()
    on.answers["network create"] = Completed(125, b"", b"Error: netavark not found\n")
    with pytest.raises(ContainerError, match="podman network failed on made: exit 125") as failed:
        started(on)
    assert failed.value.causes == ("Error: netavark not found",)
    assert "netavark" in failed.value.remedy


POD = PodBinding("other", "probe", "10.231.0.5", "made", "c" * 64)


def test_an_act_is_the_runtimes_exec() -> None:
    """A terminal is one of `script`'s."""
    on = machine()
    containers = Containers(on, "run", Deadlines(), silent)
    on.answers["exec"] = Completed(3, b"out", b"err")
    outcome = containers.perform(command("true", "x"), POD, ["true", "x"])
    assert on.asked[-1] == ["crun", "--root", "/run/crun", "exec", "c" * 64, "true", "x"]
    assert (outcome.exit_code, outcome.stdout, outcome.stderr, outcome.unknown) == (3, "out", "err", "")
    containers.perform(typed("tty", tty=True), POD, ["bash", "-c", "a b"])
    assert on.asked[-1][:2] == ["bash", "-c"]
    assert on.asked[-1][-1] == f"crun --root /run/crun exec --tty {'c' * 64} bash -c 'a b'"
    assert on.typed[-1] == b"tty\n"
    containers.perform(typed("true"), POD, ["bash"])
    assert on.typed[-1] == b"true\n"


@pytest.mark.parametrize("listens", ["", "sleep 1; "])
@pytest.mark.parametrize(("last", "code"), [("", 0), ("exit 3\n", 3), ("kill -9 $$\n", 137)])
def test_a_terminal_ends_with_its_input(listens: str, last: str, code: int) -> None:
    """Also where the shell begins to listen long after all of it was typed."""
    here = ThisMachine()
    shell = shlex.join(["sh", "-c", f"{listens}exec bash --norc"])
    done = here.run(["bash", "-c", container._TERMINAL, "bash", shell], seconds=60, stdin=f"tty\n{last}".encode())
    assert done.exit_code == code
    assert "/dev/pts/" in done.output


@pytest.mark.parametrize(
    ("answer", "tty"),
    [
        (Completed(1, b"", b"error opening file `/run/crun/cccc/status`: No such file or directory"), False),
        (Completed(1, b"error opening file `/run/crun/cccc/status`: No such file or directory\r\n"), True),
        (Completed(None, broken="no end within 60 s"), False),
    ],
)
def test_an_act_that_could_not_be_asked_has_no_outcome(answer: Completed, tty: bool) -> None:
    """It is never taken for the act's own exit code."""
    on = Machine({"exec": answer})
    outcome = Containers(on, "run", Deadlines(), silent).perform(typed("x", tty=tty), POD, ["bash"])
    assert outcome.exit_code is None
    assert outcome.unknown


def test_an_act_may_say_what_the_runtime_says() -> None:
    """Where it ends well that is its own word."""
    on = Machine({"exec": Completed(0, b"error opening file `/run/crun/x`")})
    assert Containers(on, "run", Deadlines(), silent).perform(command("x"), POD, ["x"]).exit_code == 0


def test_a_program_that_is_not_there_was_refused() -> None:
    """The runtime says so, and nothing is known of the act."""
    complaint = b"executable file `vi` not found in $PATH: No such file or directory\n"
    outcome = Containers(Machine({"exec": Completed(255, b"", complaint)}), "run", Deadlines(), silent).perform(
        command("vi"), POD, ["vi"]
    )
    assert outcome.refused
    assert "could not be started" in outcome.unknown
