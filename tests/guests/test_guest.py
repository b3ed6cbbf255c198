"""Guests: asked over a socket, believed only when they answer, and told by their console when they do not.

The guest is a program that plays QEMU's guest agent; a real one is booted by tests/live.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.hosts import Going
from tetraproof.errors import UsageError
from tetraproof.guests import guest as guests
from tetraproof.guests.guest import Guest, boot
from tetraproof.guests.kernel import Kernel
from tetraproof.guests.relay import HEAD, HELLO
from tetraproof.machines.machine import MachineLost
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.waiting import until

KERNEL = Kernel("6.12.0-made", Path("/no/vmlinuz"), "")
DEADLINES = Deadlines(boot=20, boot_with_kvm=20, command=10)
IMPATIENT = Deadlines(boot=1.5, boot_with_kvm=1.5, command=1.5)
PLAYED = """
import base64, json, os, signal, socket, subprocess, sys
path, mode = sys.argv[1:]
print("[    0.1] Booting", flush=True)
if mode == "dies":
    print("[    0.2] Kernel panic - not syncing: no init", flush=True)
    sys.exit(1)
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
link, _ = server.accept()
lines, running, pending = link.makefile("w"), {}, ""
while chunk := link.recv(65536).decode():
    # a message is as long as its JSON is
    pending += chunk
    try:
        asked = json.loads(pending)
    except ValueError:
        continue
    pending = ""
    words = asked.get("arguments", {})
    command, answer = asked["execute"], {}
    if mode == "mute" or (mode == "falls silent" and command != "guest-ping"):
        continue
    if command == "guest-exec":
        if words["path"] == "panic":
            print("[   99.9] Kernel panic - not syncing: sysrq triggered crash", flush=True)
            print("\\n".join(f"[  100.{n}] RAX: 0" for n in range(30)), flush=True)
            sys.exit(1)
        try:
            process = subprocess.Popen([words["path"], *words["arg"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, start_new_session=True)
        except OSError as error:
            failed = {"error": {"class": "GenericError", "desc": f"Failed to execute child process: {error.strerror}"}}
            print(json.dumps({**failed, "id": asked.get("id")}), file=lines, flush=True)
            continue
        process.stdin.write(base64.b64decode(words.get("input-data", "")))
        process.stdin.close()
        answer = {"pid": process.pid}
        running[process.pid] = process
    elif command == "guest-exec-status":
        process = running.get(words["pid"])
        if process is None:
            print(json.dumps({"error": {"class": "GenericError", "desc": "no such PID"}, "id": asked.get("id")}),
                  file=lines, flush=True)
            continue
        answer = {"exited": process.poll() is not None}
        if answer["exited"]:
            code = process.returncode
            answer |= {"exitcode": code} if code >= 0 else {"signal": -code}
            answer |= {"out-data": base64.b64encode(process.stdout.read()).decode(),
                       "err-data": base64.b64encode(process.stderr.read()).decode()}
    print(json.dumps({"return": answer, "id": asked.get("id")}), file=lines, flush=True)
"""


def silent(line: str, /) -> None:
    del line


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs that a real guest needs are not what is tested here."""
    monkeypatch.setattr(guests, "_NEEDED", {"sh": "dash"})


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Has the next guest played so; `with_kvm` is how one is that is booted with KVM."""
    script = tmp_path / "played.py"
    script.write_text(PLAYED, encoding="utf-8")

    def playing(mode: str, with_kvm: str = "dies") -> None:
        def command(kernel, folder, sockets, name, *, accelerated) -> list[str]:
            return [sys.executable, str(script), str(sockets / "agent"), with_kvm if accelerated else mode]

        monkeypatch.setattr(guests, "_command", command)

    return playing


@pytest.fixture
def guest(play, tmp_path: Path) -> Iterator[Guest]:
    play("well")
    booted = boot(KERNEL, tmp_path / "guest", DEADLINES, silent, "emulation")
    yield booted
    booted.close()


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -15 $$", 143)])
def test_an_exit_code_is_what_a_shell_gives(guest: Guest, script: str, code: int) -> None:
    """128 and the number of a signal."""
    assert guest.run(shell(script), seconds=10).exit_code == code


def test_input_output_and_environment_go_through(guest: Guest) -> None:
    """As bytes, whichever they are."""
    done = guest.run(
        shell(r"cat; printf '\377'; echo $OWN >&2"), seconds=10, stdin=b"in\x00", environment={"OWN": "a b"}
    )
    assert (done.exit_code, done.stdout, done.stderr) == (0, b"in\x00\xff", b"a b\n")


def test_a_program_that_is_not_there_has_no_outcome(guest: Guest) -> None:
    """The guest lives on."""
    done = guest.run(["no-such-program"], seconds=10)
    assert done.exit_code is None
    assert "no-such-program could not be started" in done.complaint
    assert guest.run(["true"], seconds=10).ok


def test_a_command_without_end_is_killed(guest: Guest, tmp_path: Path) -> None:
    """And has no outcome."""
    done = guest.run(shell(f"echo $$ > {tmp_path}/pid; exec sleep 1000"), seconds=1)
    assert (done.exit_code, done.broken) == (None, "no end within 1 s")
    pid = (tmp_path / "pid").read_text(encoding="utf-8").strip()
    until("its end", Path(f"/proc/{pid}/cmdline").exists, lambda there: not there or _zombie(pid), 20)


def test_what_goes_on_writes_to_its_files_and_is_ended(guest: Guest, tmp_path: Path) -> None:
    """Its output and its errors apart."""
    out, err = tmp_path / "out", tmp_path / "err"
    going = guest.start(shell("echo here; echo there >&2; exec sleep 1000"), out, err)
    until("its words", lambda: err.is_file() and err.read_text(encoding="utf-8"), bool, 10)
    assert going.runs
    going.stop()
    assert not going.runs
    assert (out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")) == ("here\n", "there\n")


def test_what_cannot_go_on_is_told_by_its_end(guest: Guest, tmp_path: Path) -> None:
    """The shell that starts it says why."""
    going = guest.start(["no-such-program"], tmp_path / "out", tmp_path / "err")
    until("its end", lambda: going.runs, lambda runs: not runs, 10)
    assert "no-such-program" in (tmp_path / "err").read_text(encoding="utf-8")


def test_closing_leaves_no_process_and_no_socket(play, tmp_path: Path) -> None:
    """Closing twice is no error."""
    play("well")
    booted = boot(KERNEL, tmp_path / "guest", DEADLINES, silent, "emulation")
    pid, sockets = booted._process.pid, booted._sockets
    assert sockets.is_dir()
    booted.close()
    booted.close()
    assert not Path(f"/proc/{pid}").exists()
    assert not sockets.exists()


def test_a_guest_that_panics_gives_its_last_lines(guest: Guest) -> None:
    """From then on it is lost to whoever asks."""
    for _ in range(2):
        with pytest.raises(MachineLost, match=r"The guest on 6\.12\.0-made ended\.") as lost:
            guest.run(["panic"], seconds=10)
        assert "Kernel panic - not syncing: sysrq triggered crash" in lost.value.causes[1]
        assert "100.29" in lost.value.causes[-1]


def test_a_guest_that_falls_silent_is_lost(play, tmp_path: Path) -> None:
    """It is not waited for beyond the deadline of a command."""
    play("falls silent")
    booted = boot(KERNEL, tmp_path / "guest", IMPATIENT, silent, "emulation")
    with pytest.raises(MachineLost, match=r"did not answer guest-exec within 2 s"):
        booted.run(["true"], seconds=10)
    booted.close()
    assert not Path(f"/proc/{booted._process.pid}").exists()


@pytest.mark.parametrize(("mode", "how"), [("dies", "ended while it booted"), ("mute", "did not boot")])
def test_one_that_does_not_boot_is_told_and_ended(mode: str, how: str, play, tmp_path: Path) -> None:
    """With the last lines of its console; nothing of it is left."""
    play(mode)
    before = set(Path(os.environ.get("TMPDIR", "/tmp")).glob("tetraproof-*"))
    with pytest.raises(MachineLost, match=how) as lost:
        boot(KERNEL, tmp_path / "guest", IMPATIENT, silent, "emulation")
    assert any("Booting" in cause or "panic" in cause for cause in lost.value.causes)
    assert set(Path(os.environ.get("TMPDIR", "/tmp")).glob("tetraproof-*")) <= before


@pytest.mark.parametrize("with_kvm", ["dies", "mute"])
def test_where_kvm_boots_nothing_the_guest_is_emulated(with_kvm: str, play, tmp_path: Path, monkeypatch) -> None:
    """It can be there and useless; that is told."""
    monkeypatch.setattr("os.access", lambda path, mode: True)
    play("well", with_kvm)
    told: list[str] = []
    deadlines = Deadlines(boot=20, boot_with_kvm=1.5, command=10)
    booted = boot(KERNEL, tmp_path / "guest", deadlines, told.append)
    booted.close()
    assert not booted.accelerated
    assert any("KVM is there and boots no guest" in line for line in told)


def test_where_kvm_works_it_is_used(play, tmp_path: Path, monkeypatch) -> None:
    """Without a try of anything else."""
    monkeypatch.setattr("os.access", lambda path, mode: True)
    play("dies", with_kvm="well")
    booted = boot(KERNEL, tmp_path / "guest", DEADLINES, silent)
    booted.close()
    assert booted.accelerated


def test_who_asks_for_kvm_gets_nothing_else(play, tmp_path: Path) -> None:
    """Its failure is told."""
    play("well", with_kvm="dies")
    with pytest.raises(MachineLost, match="ended while it booted"):
        boot(KERNEL, tmp_path / "guest", DEADLINES, silent, "kvm")


def test_what_a_guest_needs_is_asked_for_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All of it in one sentence, before anything is booted."""
    monkeypatch.setattr(guests, "_NEEDED", {"no-qemu": "qemu-system-x86", "sh": "dash", "no-depmod": "kmod"})
    with pytest.raises(UsageError, match=r"A guest needs no-qemu and no-depmod, which are not installed\.") as refused:
        boot(KERNEL, tmp_path, DEADLINES, silent)
    assert refused.value.remedy == "apt-get install qemu-system-x86 kmod, or what your distribution calls them"


@pytest.mark.parametrize("accelerated", [True, False])
def test_a_guest_is_one_processor_without_a_network(accelerated: bool, tmp_path: Path) -> None:
    """Without AVX where it is emulated; and it writes into the run's folder only."""
    command = guests._command(KERNEL, tmp_path, tmp_path / "socket", "guest", accelerated=accelerated)
    options = next(word for word in command if word.startswith("--qemu-opts="))
    assert ("-cpu Nehalem" in options) is not accelerated
    assert ("--disable-kvm" in command) is not accelerated
    assert command[command.index("--cpus") + 1] == "1"
    assert command[command.index("--rwdir") + 1] == str(tmp_path)
    assert not [word for word in command if "net" in word.replace("Nehalem", "")]


def _zombie(pid: str) -> bool:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"


def test_a_guest_whose_port_nobody_is_at_cannot_be_reached(guest: Guest) -> None:
    """What is asked of the agent is asked in the guest then, as ever."""
    assert guest.reach("/run/agent.sock") == ""
    assert guest.run(["echo", "well"], seconds=10).output == "well\n"


def test_a_bridge_whose_far_end_was_killed_lets_everybody_go(guest: Guest, tmp_path: Path) -> None:
    """A policy may kill it. Whoever waits on the bridge would wait for ever."""
    with socket.socket(socket.AF_UNIX) as port:
        port.bind(str(guest._sockets / "bridge"))
        port.listen()

        def greet() -> None:
            link, _ = port.accept()
            with link:
                link.sendall(HEAD.pack(0, HELLO, 0))
                gone.wait(30)

        gone = threading.Event()
        thread = threading.Thread(target=greet)
        thread.start()
        # what runs the far end goes on until it is killed
        guest.start = lambda *given: Going([], tmp_path)  # type: ignore[method-assign]
        door = guest.reach("/run/agent.sock")
        assert Path(door).is_socket()
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(30)
            caller.connect(door)
            assert guest.reach("/run/agent.sock") == door
            guest._relay.runs = False  # type: ignore[union-attr,misc]
            assert guest.reach("/run/agent.sock") == ""
            with suppress(ConnectionResetError):  # it was not even let in
                assert caller.recv(1) == b""
        gone.set()
        thread.join()
