"""The Tetragon under test on a machine without Kubernetes, and `tetra`, by which it is asked.

The agent is started from a bundle and ended with the run, or it runs already and is left as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from tetraproof import decoding
from tetraproof.deadline import Deadlines
from tetraproof.decoding import Source
from tetraproof.errors import AgentError, AgentGone
from tetraproof.guests.bundle import Bundle
from tetraproof.machines.machine import Background, Completed, Machine, MachineLost, ThisMachine
from tetraproof.observing.inventory import is_running
from tetraproof.policies.policy_state import listed
from tetraproof.progress import Tell, silent
from tetraproof.text import shorten
from tetraproof.waiting import Overdue, until

#: Where a running agent of the official package listens.
DEFAULT_ADDRESS = "unix:///var/run/tetragon/tetragon.sock"
_METRICS = 22112
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
        """Run a command of `tetra` against it, for which it is given `seconds` (default: those of a command)."""
        seconds = seconds or self._deadlines.command
        # by itself tetra gives up after 30 seconds, which is what loading a policy may take in emulation
        options = ["--server-address", self._address, "--timeout", f"{seconds:.0f}s"]
        # a third of its second or two in an emulated guest is Go collecting what it would not miss
        return self._machine.run(
            [self._tetra, *options, *words], seconds=seconds + _GRACE, stdin=stdin, environment={"GOGC": "off"}
        )

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
        # no curl and no Python: a program that starts is an event, and this one is small
        script = 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf "GET /metrics HTTP/1.0\\r\\n\\r\\n" >&3 && cat <&3'
        done = self._machine.run(["bash", "-c", script, "bash", str(_METRICS)], seconds=self._deadlines.command)
        _, _, body = done.output.replace("\r\n", "\n").partition("\n\n")
        return body if done.ok else ""

    def stream(self, output: Path) -> Background:
        """Start `tetra getevents -o json`, into a file."""
        words = [self._tetra, "--server-address", self._address, "getevents", "-o", "json"]
        return self._machine.start(words, output, output.with_suffix(".err"))

    def stop(self) -> None:
        """End it, if it is ours."""
        if self._process is not None:
            self._process.stop()


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
        until("the agent's word that it runs", lambda: _status(agent), is_running, deadlines.agent, tell=tell)
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
    said = _status(agent)
    if not is_running(said):
        raise AgentError(
            f"No agent answers at {address}: tetra status says {shorten(said, 120)!r}.",
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
