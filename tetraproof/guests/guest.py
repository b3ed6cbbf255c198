"""A guest on a kernel of choice: booted by virtme-ng over this machine's own files, asked by QEMU's guest agent.

The guest sees this machine's files, read-only, and one folder that both write to. It has
no network device, so nothing it sends leaves it, and it is asked over a serial port, so
that asking makes no traffic that the agent under test would see.
"""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tetraproof.errors import UsageError
from tetraproof.guests import bridge as bridges
from tetraproof.guests import relay
from tetraproof.guests.bridge import Bridge
from tetraproof.guests.kernel import Kernel
from tetraproof.guests.link import Link, Refused
from tetraproof.machines import program
from tetraproof.machines.machine import Background, Completed, MachineLost, called
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import Tell, awaiting
from tetraproof.pacing.waiting import Overdue, until
from tetraproof.text import safe

_PORT = "org.qemu.guest_agent.0"
_SCRIPT = "guest.sh"
#: What a guest needs of this machine, and the Debian package that has it.
_NEEDED = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-ga": "qemu-guest-agent",
    "busybox": "busybox-static",
    "depmod": "kmod",
    "ip": "iproute2",
}
#: Without AVX: Go's memory moves are several times slower where AVX is emulated.
_EMULATED = "Nehalem"
_CONSOLE_LINES = 12
_PANIC = "Kernel panic"
#: How soon a running command is asked for first, in seconds: each asking costs an emulated guest some of its time.
_POLL = 0.02
#: How long a guest that boots is listened to before it is asked again, in seconds.
_PING = 5.0


class Guest:
    """A virtual machine of one CPU with this machine's files; `folder` is written to by both."""

    def __init__(self, kernel: Kernel, folder: Path, deadlines: Deadlines, *, accelerated: bool) -> None:
        self.name = "guest"
        self.kernel = kernel.version
        self.accelerated = accelerated
        self.seconds = 0.0
        self._deadlines = deadlines
        self._console = folder / "console.log"
        # a socket's path may have 107 characters, and a run's folder may lie deep
        self._sockets = Path(tempfile.mkdtemp(prefix="tetraproof-"))
        self._socket = self._sockets / "agent"
        self._link: Link | None = None
        self.folder = folder
        self._bridge: Bridge | None = None
        self._relay: Background | None = None
        (folder / _SCRIPT).write_text(_INIT, encoding="utf-8")
        with self._console.open("wb") as console:
            self._process = subprocess.Popen(  # noqa: S603 - no shell
                _command(kernel, folder, self._sockets, self.name, accelerated=accelerated),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"},
            )

    @property
    def console(self) -> list[str]:
        """The last lines of its console, and before them the last that tells of a panic."""
        text = self._console.read_text(encoding="utf-8", errors="replace") if self._console.is_file() else ""
        lines = [safe(line) for line in text.splitlines() if line.strip()]
        panics = [line for line in lines[:-_CONSOLE_LINES] if _PANIC in line]
        return [*(f"{line} …" for line in panics[-1:]), *lines[-_CONSOLE_LINES:]]

    def await_boot(self, tell: Tell) -> None:
        """Wait until it answers. Raises `MachineLost` with the console's last lines."""
        begun = time.monotonic()
        seconds = self._deadlines.boot if self.accelerated is False else self._deadlines.boot_with_kvm
        try:
            until(
                f"a guest on {self.kernel}", self._answers, bool, seconds, tell=tell, shown=lambda _: self._last_line()
            )
        except (Overdue, OSError) as error:
            raise self._lost("did not boot") from error
        self.seconds = time.monotonic() - begun

    def _last_line(self) -> str:
        return next(reversed(self.console), "a silent console")

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise self._lost("ended while it booted")
        if not self._socket.exists():
            return False
        if self._link is None:
            try:
                self._link = Link(self._socket)
            except OSError:
                return False  # the socket is there before anybody listens
        try:
            self._link.ask("guest-ping", {}, _PING)
        except TimeoutError:
            return False
        except (Refused, OSError) as error:
            raise self._lost("ended while it booted") from error
        return True

    def run(
        self,
        argv: Sequence[str],
        *,
        seconds: float,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command to its end, on the guest."""
        words = [*(["env", *(f"{name}={value}" for name, value in environment.items())] if environment else []), *argv]
        given = {"input-data": base64.b64encode(stdin).decode()} if stdin is not None else {}
        started = self._ask("guest-exec", path=words[0], arg=list(words[1:]), **{"capture-output": True}, **given)
        if isinstance(started, str):
            return Completed(None, broken=f"{words[0]} could not be started: {started}", unstarted=True)
        pid = started["pid"]
        try:
            told = until(
                f"{called(argv)} on the guest",
                lambda: self._ask("guest-exec-status", pid=pid),
                lambda status: bool(status["exited"]),
                seconds,
                shown=lambda _: "it runs",
                every=_POLL,
            )
        except Overdue:
            self._ask("guest-exec", path="kill", arg=["-9", str(pid)])
            return Completed(None, broken=f"no end within {seconds:.0f} s")
        out, err = (base64.b64decode(told.get(name, "")) for name in ("out-data", "err-data"))
        return Completed(told["exitcode"] if "exitcode" in told else 128 + told.get("signal", 0), out, err)

    def start(self, argv: Sequence[str], output: Path, errors: Path) -> Background:
        """Start a command on the guest that writes to these files, which lie in the folder that both write to."""
        script = 'out=$1 err=$2; shift 2; exec "$@" >>"$out" 2>>"$err" </dev/null'
        words = ["-c", script, "sh", str(output), str(errors), *argv]
        started = self._ask("guest-exec", path="sh", arg=words)
        if isinstance(started, str):
            raise MachineLost(f"{argv[0]} could not be started on the guest: {started}.")
        return _GuestProcess(self, started["pid"])

    def reach(self, address: str) -> str:
        """The path of a socket here that leads to one there (its path, or `127.0.0.1:port`); nothing if none can."""
        if self._relay is None:
            self._bridge, self._relay = self._bridged()
        bridge = self._bridge
        if bridge is not None and not bridge.broken and not self._relay.runs:
            # a policy may have killed it: whoever is on the bridge is let go
            bridge.close()
        return "" if bridge is None or bridge.broken else str(bridge.door(address))

    def _bridged(self) -> tuple[Bridge | None, Background]:
        """A bridge whose far end is there, if one can be, and what runs that."""
        log = self.folder / "relay.log"
        far = self.start(["sh", "-c", _RELAY, "sh", bridges.PORT, sys.executable, relay.__file__], log, log)
        try:
            bridge = Bridge(self._sockets / "bridge", self._sockets)
        except OSError:
            return None, far
        with awaiting("the bridge into the guest"):
            if not bridge.stands(self._deadlines.command):
                bridge.close()
        return bridge, far

    def ended(self, pid: int) -> bool:
        """Whether a command that was started has ended."""
        told = self._ask("guest-exec-status", pid=pid)
        return isinstance(told, str) or bool(told["exited"])

    def close(self) -> None:
        """Switch it off."""
        if self._bridge is not None:
            self._bridge.close()
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._process.poll() is None:
            # virtme-ng and its QEMU are a process group of their own
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                with awaiting("the end of the guest"):
                    self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _ask(self, command: str, **arguments: Any) -> Any:
        """The guest agent's answer; the text of its refusal where it refuses."""
        if self._link is None or self._process.poll() is not None:
            raise self._lost("ended")
        try:
            with awaiting(f"the guest's answer to {command}"):
                return self._link.ask(command, arguments, self._deadlines.command)
        except Refused as error:
            return str(error)
        except TimeoutError as error:
            raise self._lost(f"did not answer {command} within {self._deadlines.command:.0f} s") from error
        except OSError as error:
            raise self._lost("ended") from error

    def _lost(self, how: str) -> MachineLost:
        causes = ["the last lines of its console:", *(f"  {line}" for line in self.console)]
        return MachineLost(f"The guest on {self.kernel} {how}.", causes=causes)


class _GuestProcess:
    """A command that goes on in a guest."""

    def __init__(self, guest: Guest, pid: int) -> None:
        self._guest = guest
        self._pid = pid

    @property
    def runs(self) -> bool:
        return not self._guest.ended(self._pid)

    def stop(self) -> None:
        self._guest.run(["kill", str(self._pid)], seconds=10)
        until("the end of a command on the guest", lambda: self.runs, lambda runs: not runs, 30)


def boot(kernel: Kernel, folder: Path, deadlines: Deadlines, tell: Tell, acceleration: str = "auto") -> Guest:
    """A guest on `kernel` that answers; `folder` is written to by both. Raises `UsageError`, `MachineLost`.

    `acceleration` is `kvm`, `emulation`, or `auto`: KVM where a guest boots with it, else emulation.
    """
    missing = {name: package for name, package in _NEEDED.items() if not program.find(name)}
    if missing:
        raise UsageError(
            f"A guest needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed.",
            remedy=f"apt-get install {' '.join(missing.values())}, or what your distribution calls them",
        )
    folder.mkdir(parents=True, exist_ok=True)
    if acceleration != "emulation" and (acceleration == "kvm" or os.access("/dev/kvm", os.R_OK | os.W_OK)):
        tell(f"booting a guest on {kernel.version} with KVM")
        try:
            return _booted(kernel, folder, deadlines, tell, accelerated=True)
        except MachineLost as error:
            if acceleration == "kvm":
                raise
            tell(f"KVM is there and boots no guest ({error.sentence}) so the guest is emulated")
    tell(f"booting a guest on {kernel.version} in emulation")
    return _booted(kernel, folder, deadlines, tell, accelerated=False)


def _booted(kernel: Kernel, folder: Path, deadlines: Deadlines, tell: Tell, *, accelerated: bool) -> Guest:
    guest = Guest(kernel, folder, deadlines, accelerated=accelerated)
    try:
        guest.await_boot(tell)
    except BaseException:
        guest.close()
        raise
    tell(f"the guest on {kernel.version} answers after {guest.seconds:.0f} s")
    return guest


#: Finds the port by its name, and runs the far end of the bridge on it, with nothing but the language itself.
_RELAY = """
for port in /sys/class/virtio-ports/*; do
  [ "$(cat "$port/name")" = "$1" ] && exec "$2" -I -S "$3" /dev/"${port##*/}"
done
"""
_INIT = f"""\
# What the guest runs: QEMU's guest agent, on the port of that name (there may be no udev to link it).
for port in /sys/class/virtio-ports/*; do
  [ "$(cat "$port/name")" = {_PORT} ] && exec qemu-ga --method=virtio-serial --path=/dev/"${{port##*/}}"
done
echo "the guest has no port {_PORT}"
"""


def _command(kernel: Kernel, folder: Path, sockets: Path, name: str, *, accelerated: bool) -> list[str]:
    """The virtme-ng command of a guest, whose ports are sockets in the folder `sockets`."""
    options = [*([] if accelerated else ["-cpu", _EMULATED]), "-device", "virtio-serial-pci"]
    for own, port in (("agent", _PORT), ("bridge", bridges.PORT)):
        options += ["-chardev", f"socket,path={sockets / own},server=on,wait=off,id={own}"]
        options += ["-device", f"virtserialport,chardev={own},name={port}"]
    return [
        *("vng", "--run", str(kernel.image), "--verbose", "--name", name),
        *("--user", "root", "--cpus", "1", "--memory", "3G", "--disable-monitor", "--force-9p"),
        *([] if accelerated else ["--disable-kvm"]),
        *("--rwdir", str(folder)),
        # panic=-1 is virtme-ng's own: a guest that panics ends
        f"--qemu-opts={shlex.join(options)}",
        *("--exec", f"bash {shlex.quote(str(folder / _SCRIPT))}"),
    ]
