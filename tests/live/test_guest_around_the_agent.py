"""A real kernel, real containers, real acts: everything that a standalone run is made of, up to the agent.

`make guest` runs it; it takes a kernel that can be fetched, and about two minutes in emulation.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tetraproof.guests import guest as guests
from tetraproof.guests import kernel as kernels
from tetraproof.guests import rootfs, workload
from tetraproof.guests.container import Containers
from tetraproof.guests.guest import Guest
from tetraproof.guests.kernel import Kernel
from tetraproof.machines.machine import MachineLost
from tetraproof.observing.act import Act, Outcome, command, shell, typed
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.waiting import until
from tetraproof.policies.binding import Bindings, fill
from tetraproof.policies.capability import kernel_options

ROOT = Path(__file__).resolve().parents[2]
ASKED = os.environ.get("TETRAPROOF_KERNEL", "")
ACCELERATION = os.environ.get("TETRAPROOF_ACCELERATION", "auto")
DEADLINES = Deadlines().scaled(float(os.environ.get("TETRAPROOF_SLOWNESS", "1")))

pytestmark = pytest.mark.skipif(not ASKED, reason="boots a guest: make guest")


def tell(line: str) -> None:
    """Progress, shown by `pytest -s`."""
    print(line)


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    return kernels.obtain(kernels.parse(ASKED)[0], tell)


@pytest.fixture(scope="module")
def guest(kernel: Kernel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    booted = guests.boot(kernel, tmp_path_factory.mktemp("guest"), DEADLINES, tell, ACCELERATION)
    yield booted
    booted.close()


@pytest.fixture(scope="module")
def containers(guest: Guest) -> Containers:
    manifests = workload.load(ROOT / "manifests/workloads")
    started = Containers(guest, "live", DEADLINES, tell)
    roots = {one.name: rootfs.obtain(one.container.image, one.packages, tell).path for one in manifests.workloads}
    started.start(manifests, roots)
    return started


@pytest.fixture(scope="module")
def bindings(containers: Containers) -> Bindings:
    return containers.bindings(workload.load(ROOT / "manifests/workloads"))


@pytest.fixture(scope="module")
def perform(containers: Containers, bindings: Bindings):
    def performing(act: Act) -> Outcome:
        pod = bindings.pod(act.pod)
        assert pod is not None
        return containers.perform(act, pod, [fill(part, bindings.values()) for part in act.argv])

    return performing


def test_the_kernel_is_the_one_asked_for(guest: Guest, kernel: Kernel) -> None:
    """What runs is what was fetched, and its config is its own."""
    told = guest.run(["uname", "-r"], seconds=DEADLINES.command)
    assert (told.exit_code, told.output.strip()) == (0, kernel.version)
    options = kernel_options(kernel.config)
    assert options["CONFIG_KPROBES"] == "y"
    btf = guest.run(["test", "-s", "/sys/kernel/btf/vmlinux"], seconds=DEADLINES.command)
    assert btf.ok == (options.get("CONFIG_DEBUG_INFO_BTF") == "y")


def test_a_guest_sees_our_files_and_writes_its_own(guest: Guest, tmp_path: Path) -> None:
    """What the guest writes outside of the folder that both share stays in the guest."""
    ours = tmp_path / "ours"
    ours.write_text("ours\n", encoding="utf-8")
    assert guest.run(["cat", str(ours)], seconds=DEADLINES.command).output == "ours\n"
    theirs = guest.run(["sh", "-c", "echo changed > /etc/motd && cat /etc/motd"], seconds=DEADLINES.command)
    assert theirs.output == "changed\n"
    assert not Path("/etc/motd").is_file() or Path("/etc/motd").read_text(encoding="utf-8") != "changed\n"


_ECHO = """
import socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
while True:
    caller, _ = listening.accept()
    while chunk := caller.recv(4096):
        caller.sendall(chunk)
    caller.close()
"""


def test_what_listens_in_the_guest_is_reached_from_here(guest: Guest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Over the bridge, whole and in order; and what ends there ends here."""
    folder = guest.folder
    going = guest.start([sys.executable, "-c", _ECHO, "/run/echo"], folder / "echo.log", folder / "echo.log")

    def knocked() -> bytes:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(DEADLINES.command)
            caller.connect(guest.reach("/run/echo"))
            said = bytes(range(256)) * 400
            with suppress(BrokenPipeError, ConnectionResetError):  # nobody listens yet
                caller.sendall(said)
            heard = b""
            while chunk := caller.recv(4096):
                heard += chunk
                if len(heard) == len(said):
                    break
            return heard if heard == said else b""

    assert until("what is said in the guest", knocked, bool, DEADLINES.command)
    going.stop()


def test_a_bridge_whose_far_end_is_killed_is_none(guest: Guest) -> None:
    """As a policy may do: whoever waits is let go, and nobody is sent over it any more."""
    door = guest.reach("/run/echo")
    killed = (
        "for one in /proc/[0-9]*; do tr '\\0' ' ' < $one/cmdline | grep -q '[r]elay.py' && kill -9 ${one#/proc/}; done"
    )
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(DEADLINES.command)
        caller.connect(door)
        guest.run(["sh", "-c", killed], seconds=DEADLINES.command)
        until("the end of the bridge", lambda: guest.reach("/run/echo"), lambda path: not path, DEADLINES.command)
        with suppress(ConnectionResetError):
            assert caller.recv(1) == b""


def test_nothing_leaves_the_guest(guest: Guest) -> None:
    """There is no network device but loopback and the containers' bridge, and no way out."""
    assert guest.run(["ip", "route", "show", "default"], seconds=DEADLINES.command).output == ""
    links = guest.run(["ls", "/sys/class/net"], seconds=DEADLINES.command).output.split()
    assert not [name for name in links if name.startswith(("eth", "en"))]


@pytest.mark.parametrize(
    ("act", "code", "stdout", "stderr"),
    [
        (command("true"), 0, "", ""),
        (shell("exit 3"), 3, "", ""),
        (shell("kill -9 $$"), 137, "", ""),
        (shell("echo out; echo err >&2"), 0, "out\n", "err\n"),
        (typed("echo piped", "exit 4"), 4, "piped\n", ""),
    ],
)
def test_an_act_ends_as_it_ended(perform, act: Act, code: int, stdout: str, stderr: str) -> None:
    """Exit codes, signals, standard output, error and input go through."""
    outcome = perform(act)
    assert (outcome.exit_code, outcome.stdout, outcome.stderr, outcome.unknown) == (code, stdout, stderr, "")


def test_a_program_that_is_not_there_is_no_outcome(perform) -> None:
    """The runtime could not start it, so nothing is known of the act."""
    outcome = perform(command("no-such-program"))
    assert outcome.refused
    assert "could not be started" in outcome.unknown


def test_a_terminal_is_one(perform) -> None:
    """A shell in a terminal has a terminal, and ends at the end of its input."""
    outcome = perform(typed("tty", "echo still here", tty=True))
    assert outcome.exit_code == 0
    assert "/dev/pts/" in outcome.stdout
    assert "still here" in outcome.stdout


def test_the_site_is_served(perform) -> None:
    """nginx answers at its pod's address with the page that the manifest makes."""
    assert perform(command("curl", "-sS", "-m", "20", "http://{nginx.ip}/")).stdout == "hello-index\n"


def test_the_service_answers_by_its_name(perform) -> None:
    """The name that Kubernetes would give it leads to the service's pod."""
    landing = "deathstar.galaxy.svc.cluster.local/v1/request-landing"
    outcome = perform(command("curl", "-sS", "-m", "20", "-XPOST", landing, pod="tiefighter"))
    assert (outcome.exit_code, outcome.stdout) == (0, "Ship landed\n")


def test_the_internet_is_out_of_reach(perform) -> None:
    """A connect to the outside fails at once: curl could not connect."""
    assert perform(command("curl", "-sS", "-m", "10", "http://{internet.ip}/")).exit_code == 7


def test_a_privileged_pod_is_privileged_and_the_others_are_not(perform) -> None:
    """CAP_SYS_ADMIN, the 22nd bit of the effective set, is the privileged pod's alone."""
    script = "grep CapEff /proc/self/status"
    admin = [int(perform(shell(script, pod=pod)).stdout.split()[1], 16) >> 21 & 1 for pod in ("privileged", "probe")]
    assert admin == [1, 0]


def test_what_was_started_is_removed(guest: Guest, containers: Containers) -> None:
    """After closing there is no container's process and no network of ours."""
    containers.close()
    left = guest.run(["pgrep", "-x", "nginx"], seconds=DEADLINES.command)
    assert not left.ok
    links = guest.run(["ls", "/sys/class/net"], seconds=DEADLINES.command).output.split()
    assert not [name for name in links if name.startswith(("podman", "veth"))]


def test_a_guest_that_panics_gives_its_last_lines(kernel: Kernel, tmp_path: Path) -> None:
    """Whoever asks a guest that panics is told so, with the last lines of its console."""
    doomed = guests.boot(kernel, tmp_path, DEADLINES, tell, ACCELERATION)
    try:
        with pytest.raises(MachineLost) as lost:
            doomed.run(["sh", "-c", "echo c > /proc/sysrq-trigger; sleep 60"], seconds=DEADLINES.command)
    finally:
        doomed.close()
    assert "ended" in lost.value.sentence
    assert any("panic" in line.lower() for line in lost.value.causes)
