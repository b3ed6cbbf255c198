"""The Tetragon under test on a machine without Kubernetes, and `tetra`, by which it is asked.

The agent is started from a bundle and ended with the run, or it runs already and is left as it is.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec import Struct

from tetraproof import decoding
from tetraproof.decoding import Source
from tetraproof.errors import AgentError, AgentGone
from tetraproof.guests.bundle import Bundle
from tetraproof.machines.machine import Background, Completed, Machine, MachineLost, ThisMachine
from tetraproof.observing.inventory import is_running
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import Tell, awaiting, silent
from tetraproof.pacing.waiting import Overdue, until
from tetraproof.policies.policy_state import listed
from tetraproof.text import shorten

#: Where a running agent of the official package listens.
DEFAULT_ADDRESS = "unix:///var/run/tetragon/tetragon.sock"
_METRICS = 22112
_UNIX = "unix://"
#: Commands of tetra's about the machine that they run on: what they ask is there, or what they start.
_OF_THE_MACHINE = {"probe", "policytest"}
#: What an agent of ours is set to, besides what the user asks for: it speaks to us only, and to no Kubernetes.
_SETTINGS = {
    "enable-k8s-api": "false",
    "enable-tracing-policy-crd": "false",
    "gops-address": "",
    "health-server-address": "",
    "log-format": "json",
    "metrics-server": f"127.0.0.1:{_METRICS}",
    # all binaries' names in the metrics, as the chart has it
    "metrics-label-filter": "namespace,workload,pod,binary",
}
#: Settings that say where the agent keeps its things, and nothing of what it does.
PLACES = {"bpf-dir", "bpf-lib", "server-address", "config-dir", "export-filename", "log-file", "metrics-server"}
_REPORTED = re.compile(r"time=\S+ level=\S+ ")
_LOG_LINES = 8
#: Seconds in which tetra says that its time is up.
_GRACE = 10.0


@dataclass(frozen=True)
class _Carried:
    """A stream that is read on another machine than its agent's: deaf once there is no way there any more."""

    process: Background
    nearest: Callable[[], tuple[Machine, str]]
    machine: Machine

    @property
    def runs(self) -> bool:
        return self.process.runs and self.nearest()[0] is self.machine

    def stop(self) -> None:
        self.process.stop()


class _Logged(Struct):
    """What is read of a line of the agent's log."""

    config: dict[str, Any] | None = None


class Agent:
    """An agent that runs, asked by `tetra`.

    `settings` are its own word on how it is set, by name; `export` is the file of its export log, where we know it.
    """

    def __init__(  # noqa: PLR0913 - an agent is where, what, and how it is asked
        self,
        machine: Machine,
        tetra: str,
        address: str,
        deadlines: Deadlines,
        *,
        process: Background | None = None,
        log: Path | None = None,
        export: Path | None = None,
        given: Mapping[str, str] | None = None,
    ) -> None:
        self._machine = machine
        self._tetra = tetra
        self._address = address
        self._deadlines = deadlines
        self._process = process
        self._log = log
        self.export = export
        self._given = dict(given or {})
        self._here = ThisMachine()
        #: What `tetra status` said when it was known to run.
        self.said = ""

    @cached_property
    def version(self) -> str:
        """What `tetra version --server` says, asked once."""
        return self.tetra("version", "--server").output

    @property
    def runs(self) -> bool:
        """Whether it still does, as far as its process tells; one that is not ours is taken to."""
        return self._process is None or self._process.runs

    @property
    def settings(self) -> dict[str, str]:
        """How the agent says that it is set; what it was given where it says nothing."""
        for line in self.log.splitlines():
            if "config settings" in line:
                told = _settings_in(line)
                if told:
                    return told
        return self._given

    @property
    def log(self) -> str:
        """What it has logged; nothing where its log is not ours."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log and self._log.is_file() else ""

    def tetra(self, *words: str, stdin: bytes | None = None, seconds: float | None = None) -> Completed:
        """Run a command of `tetra` against it, for which it is given `seconds` (default: those of a command).

        Where the agent can be reached from this machine, it is run here: it begins at once, where a guest takes a
        second or two. What `tetra` says of the machine itself (`probe`) is asked there.
        """
        seconds = seconds or self._deadlines.command
        machine, address = (self._machine, self._address) if words[0] in _OF_THE_MACHINE else self._nearest()
        # by itself tetra gives up after 30 seconds, which is what loading a policy may take in emulation
        argv = [self._tetra, *words, "--server-address", address, "--timeout", f"{seconds:.0f}s"]
        # a third of its second or two in an emulated guest is Go collecting what it would not miss
        environment = {"GOGC": "off"}
        done = machine.run(argv, seconds=seconds + _GRACE, stdin=stdin, environment=environment)
        if not done.ok and machine is not self._machine:
            self._see_that_it_is_there()
        return done

    def _nearest(self) -> tuple[Machine, str]:
        """Where tetra runs best, and the agent's address from there."""
        if door := self._machine.reach(self._address.removeprefix(_UNIX)):
            return self._here, f"{_UNIX}{door}"
        return self._machine, self._address

    def _see_that_it_is_there(self) -> None:
        """Ask the machine itself for a word. Raises `MachineLost`."""
        self._machine.run(["true"], seconds=self._deadlines.command)

    def states(self) -> list[dict[str, Any]]:
        """What it says of every policy, as `tetra tracingpolicy list -o json` has it.

        Raises `AgentError`, and `AgentGone` where it has ended.
        """
        done = self.tetra("tracingpolicy", "list", "-o", "json")
        if not done.ok and not self.runs:
            raise AgentGone("The agent has ended.", causes=_last(self.log))
        if not done.ok:
            raise AgentError("The agent does not list its policies.", causes=_last(done.complaint))
        return listed(done.output, "the agent")

    def metrics(self) -> str:
        """Its metrics, in Prometheus' text form; nothing where it serves none to us."""
        if door := self._machine.reach(f"127.0.0.1:{_METRICS}"):
            with awaiting("the agent's metrics"), suppress(OSError):
                return _body(_fetched(door, self._deadlines.command))
            self._see_that_it_is_there()
            return ""
        # no curl and no Python: a program that starts is an event, and this one is small
        script = 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf "GET /metrics HTTP/1.0\\r\\n\\r\\n" >&3 && cat <&3'
        done = self._machine.run(["bash", "-c", script, "bash", str(_METRICS)], seconds=self._deadlines.command)
        return _body(done.output) if done.ok else ""

    def stream(self, output: Path) -> Background:
        """Start `tetra getevents -o json`, into a file."""
        machine, address = self._nearest()
        words = [self._tetra, "getevents", "-o", "json", "--server-address", address]
        process = machine.start(words, output, output.with_suffix(".err"))
        return process if machine is self._machine else _Carried(process, self._nearest, machine)

    def stop(self) -> None:
        """End it, if it is ours."""
        if self._process is not None:
            self._process.stop()


def _fetched(door: str, seconds: float) -> str:
    """What answers at a socket when it is asked for metrics. Raises `OSError`."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(seconds)
        link.connect(door)
        link.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        with link.makefile("rb") as answer:
            return answer.read().decode("utf-8", "replace")


def _body(answer: str) -> str:
    _, _, body = answer.replace("\r\n", "\n").partition("\n\n")
    return body


def start(  # noqa: PLR0913 - an agent is where, what, and how it is set
    machine: Machine,
    bundle: Bundle,
    folder: Path,
    settings: Mapping[str, str],
    deadlines: Deadlines,
    *,
    run_id: str,
    number: int = 0,
    tell: Tell = silent,
) -> Agent:
    """An agent of the bundle, once `tetra status` says that it runs. Raises `AgentError` with its last words."""
    log, export = folder / f"agent-{number}.log", folder / f"export-{number}.jsonl"
    address = f"unix:///run/tetraproof-{run_id}/agent-{number}.sock"
    given = {
        **_SETTINGS,
        "bpf-lib": str(bundle.library),
        # the BPF file system takes no name with a dot
        "bpf-dir": f"tetraproof-{run_id}".replace(".", "-"),
        "server-address": address,
        "export-filename": str(export),
        **settings,
    }
    machine.run(["mkdir", "-p", f"/run/tetraproof-{run_id}"], seconds=deadlines.command)
    words = [str(bundle.agent), *(f"--{name}={value}" for name, value in given.items())]
    process = machine.start(words, log, log)
    agent = Agent(machine, str(bundle.cli), address, deadlines, process=process, log=log, export=export, given=given)
    try:
        tell("starting the agent")
        # its log is read for nothing, where tetra costs a second or two of a busy machine
        until("the agent", lambda: _last_line(agent), _listens, deadlines.agent, tell=tell)
        running = "the agent's word that it runs"
        agent.said = until(running, lambda: _status(agent), is_running, deadlines.agent, tell=tell)
    except (Overdue, AgentError) as error:
        process.stop()
        raise AgentError(
            "The agent did not start.",
            causes=[error.sentence, *_last(agent.log)],
            remedy="see its options (AGENT_OPTIONS=) and that the kernel has BTF",
        ) from error
    except MachineLost:
        raise
    except BaseException:
        process.stop()
        raise
    return agent


def existing(machine: Machine, tetra: str, address: str, deadlines: Deadlines) -> Agent:
    """An agent that runs already. Raises `AgentError` where none answers at the address."""
    agent = Agent(machine, tetra, address, deadlines)
    agent.said = _status(agent)
    if not is_running(agent.said):
        raise AgentError(
            f"No agent answers at {address}: tetra status says {shorten(agent.said, 120)!r}.",
            remedy="start it, or name its address with AGENT_ADDRESS=",
        )
    return agent


def offline(tetra: str, *words: str, seconds: float, stdin: bytes = b"") -> bytes:
    """What tetra prints that needs no agent, run on this machine whatever the target: quick, where a guest is slow."""
    done = ThisMachine().run([tetra, *words], seconds=seconds, stdin=stdin)
    return done.stdout if done.ok else b""


def _status(agent: Agent) -> str:
    """What `tetra status` says; its exit code is 0 even when it says that there is an error."""
    if not agent.runs:
        raise AgentError("The agent ended while it started.")
    done = agent.tetra("status")
    return (done.output or done.complaint).strip()


def _last_line(agent: Agent) -> str:
    if not agent.runs:
        raise AgentError("The agent ended while it started.")
    return next(reversed(agent.log.splitlines()), "an empty log")


def _listens(line: str) -> bool:
    return "Listening for events" in line


def _settings_in(line: str) -> dict[str, str]:
    """The settings in a line of the agent's log."""
    try:
        told: _Logged = decoding.as_json(line, _Logged, Source("a line of the log", "", AgentError))
    except AgentError:
        return {}
    return {name: _text(value) for name, value in (told.config or {}).items()}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def _last(text: str, lines: int = _LOG_LINES) -> Sequence[str]:
    return [shorten(_REPORTED.sub("", line), 300) for line in text.splitlines()[-lines:]]
