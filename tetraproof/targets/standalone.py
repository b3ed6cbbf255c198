"""The `standalone` target: an agent on a plain Linux machine, with containers for pods and no Kubernetes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from tetraproof.errors import AgentError, AgentGone, TetraproofError
from tetraproof.events.event import Event, Kprobe, parse
from tetraproof.events.stream import whole_lines
from tetraproof.guests import agent as agents
from tetraproof.guests import guest as guests
from tetraproof.guests.agent import Agent
from tetraproof.guests.container import Containers
from tetraproof.guests.identity import KIND, environment, identify
from tetraproof.guests.plan import Plan
from tetraproof.machines.machine import Background, Completed, Machine, MachineLost, ThisMachine
from tetraproof.observing.act import Act, Outcome
from tetraproof.observing.inventory import versions
from tetraproof.pacing.account import SETTING_AGENTS, SETTING_UP
from tetraproof.policies.binding import Bindings, PodBinding
from tetraproof.policies.confinement import (
    Scope,
    by_version,
    confined,
    not_applied,
    why_not,
    why_not_in,
    without_kubernetes,
)
from tetraproof.policies.policy import Policy
from tetraproof.recordings.discretion import neutral
from tetraproof.recordings.recorder import Recorder
from tetraproof.recordings.recording import Index
from tetraproof.targets import Unanswerable
from tetraproof.targets.keeping import exported_to
from tetraproof.targets.live import Live
from tetraproof.tetra.compact import PLAIN
from tetraproof.verdict import Verdict

Answer = TypeVar("Answer")
_UNHEARD = re.compile(r"DeadlineExceeded|no end within")
#: What an agent says that keeps nothing of a policy which it refused.
_NEVER_THERE = re.compile(r"tracing policy .+ does not exist")
#: A guest that was lost is booted again for the next scenario, this many times in a run.
_BOOTS = 3


class Standalone:
    """One machine with its containers and its agent; a site for a live target."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._boots = 0
        self._agents = 0
        self._streams = 0
        self._asked: dict[str, str] = {}
        self._exported = 0
        self._applied: set[str] = set()
        self._policy = ""
        self._machine: Machine | None = None
        self._agent: Agent | None = None
        self._stream: Background | None = None
        self._bindings = Bindings()

    # setting up, and leaving everything as it was

    def open(self) -> None:
        """Boot, start the containers and the agent, and listen. Raises what keeps it from that."""
        plan = self._plan
        folder = plan.folder / f"machine-{self._boots}"
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._boots += 1
        self._machine = (
            guests.boot(plan.kernel, folder, plan.deadlines, plan.tell, plan.acceleration)
            if plan.kernel
            else ThisMachine()
        )
        self.name = self._machine.name
        self._containers = Containers(self._machine, plan.token, plan.deadlines, plan.tell)
        self._containers.start(plan.manifests, {name: root.path for name, root in plan.roots.items()})
        self._bindings = self._containers.bindings(plan.manifests)
        self._shared = self._containers.namespace_inode() if plan.kernel is None else ""
        self._start_agent({})

    def close(self) -> None:
        """End the stream and the agent, remove the containers, switch the guest off."""
        machine, self._machine = self._machine, None
        if machine is None:
            return
        for step in (self._stop_agent, self._containers.close if self._plan.kernel is None else None, machine.close):
            if step is not None:
                with suppress(TetraproofError):
                    step()

    def _start_agent(self, settings: Mapping[str, str]) -> None:
        plan, machine = self._plan, self._on
        if plan.bundle is None:
            self._agent = agents.existing(machine, plan.tetra, plan.address, plan.deadlines)
        else:
            asked = {**plan.settings, **settings}
            self._agent = agents.start(
                machine,
                plan.bundle,
                self._folder,
                asked,
                plan.deadlines,
                run_id=plan.token,
                number=self._agents,
                tell=plan.tell,
            )
        self._asked = dict(settings)
        self._agents += 1
        self._listen()

    def _listen(self) -> None:
        self._streams += 1
        self._events = self._folder / f"events-{self._streams}.jsonl"
        self._events.touch()
        self._stream = self.agent.stream(self._events)

    def _stop_agent(self) -> None:
        stream, agent, self._stream, self._agent = self._stream, self._agent, None, None
        if stream is not None:
            stream.stop()
        if agent is not None:
            agent.stop()

    @property
    def agent(self) -> Agent:
        """The agent under test. Raises `AgentError` where it was not to be started."""
        if self._agent is None:
            raise AgentError("There is no agent: it did not start the last time.", remedy="see the notes on it above")
        return self._agent

    @property
    def _on(self) -> Machine:
        if self._machine is None:
            if self._boots >= _BOOTS:
                raise MachineLost(f"The machine was lost {self._boots} times, and is not started again.")
            self.open()
            assert self._machine is not None
        return self._machine

    # what a live target asks of a site

    @property
    def places(self) -> tuple[str, ...]:
        """The one machine."""
        return (self.name,)

    def nodes(self, place: str) -> tuple[str, ...]:
        """The machine is all there is."""
        return (place,)

    def bindings(self, place: str) -> Bindings:
        """What the suites' logical names are here."""
        del place
        return self._bindings

    def lacking(self, place: str, acts: Sequence[Act]) -> dict[str, str]:
        """Why an act cannot be tried, by its name: its program is not in the container's root file system."""
        del place
        roots = self._plan.roots
        return {
            act.name: f"{act.argv[0]} is not in the image of {act.pod}"
            for act in acts
            if act.pod in roots and not roots[act.pod].holds(act.argv[0])
        }

    def disturbed(self) -> dict[str, str]:
        """An agent that ended is not started again in silence."""
        return {} if self._agent is not None and self._agent.runs else {self.name: "the agent ended"}

    def gone(self, place: str) -> dict[str, str]:
        """None: containers are the run's own, and who ends one ends its acts."""
        del place
        return {}

    def export(self, place: str, since: datetime, heard: bytes) -> bytes:
        """What the agent has exported since the scenario began, once it shows `heard`; nothing of one not ours."""
        del place, since

        path = self.agent.export
        if path is None:
            return b""

        def exported() -> bytes:
            # of its policy also while that is being taken away
            return b"" if not path.is_file() else self._ours(path, self._exported, self._policy)

        def ask() -> bytes:
            # asked first: what it exported last is there once it has ended
            ended = self.disturbed()
            log = exported()
            if ended and heard not in log:
                raise AgentGone("The agent has ended.")
            return log

        return exported_to(heard, ask, self._plan.deadlines.export, self._plan.tell, otherwise=exported)

    def interrupt(self) -> None:
        """Acts are waited for in the thread that is interrupted."""

    def unsupported(self, policy: Policy) -> str:
        """What only Kubernetes has is not there; and on this machine itself, a policy that would meet others."""
        decides = policy.spec.get("hostSelector") is not None
        if self._plan.kernel is None:
            decides = decides or by_version(policy, Scope.CONTAINERS)
        agent = self._agent_version() if decides else ""
        if lacking := without_kubernetes(policy, agent):
            return lacking
        if self._plan.kernel is not None:
            return ""
        reason = why_not_in(self._shared) or why_not(policy, [agent], Scope.CONTAINERS)
        return not_applied(policy, reason, Scope.CONTAINERS) if reason else ""

    def _agent_version(self) -> str:
        """The agent's own word on it; nothing where none runs, or it does not say."""
        agent = self._agent
        if agent is None:
            return ""
        return versions(self._guarded(lambda: agent.tetra("version", "--server")).output).get("Server", "")

    def configure(self, settings: Mapping[str, str]) -> str:
        """Start the agent anew where it is set otherwise."""
        machine = self._on
        runs = self._agent is not None and self._guarded(lambda: self.agent.runs)
        effective = self.agent.settings if runs else {}
        wanted = {name: value for name, value in settings.items() if effective.get(name, "false") != value}
        beyond = self._asked.keys() - settings.keys()
        if runs and not wanted and not beyond:
            return ""
        if self._plan.bundle is None:
            name, value = next(iter(wanted.items()))
            return (
                f"the agent is set to {name}: {effective.get(name, 'nothing')}, not {value}, and is not ours to change"
            )
        why = "set otherwise" if runs else "for it does not run any more"
        self._plan.tell(f"starting the agent anew on {machine.name}, {why}")
        with self._plan.account.spending(SETTING_AGENTS):
            self._stop_agent()
            self._start_agent(settings)
        return ""

    def perform(self, act: Act, pod: PodBinding, argv: Sequence[str]) -> Outcome:
        """Perform an act in a pod's container."""
        return self._guarded(lambda: self._containers.perform(act, pod, argv))

    def order(self, place: str, policy: Policy, order: Sequence[str]) -> Completed:
        """Tell the agent something of the policy."""
        del place
        word, *more = order
        return self._guarded(
            lambda: self.agent.tetra("tracingpolicy", word, policy.name, *more, seconds=self._plan.deadlines.policy)
        )

    def fitted(self, policy: Policy) -> Policy:
        """A guest is all ours; on this machine itself a policy is confined to the run's containers.

        Whoever applies one comes by here, so what cannot be confined goes no further. Raises `Unanswerable`.
        """
        if refused := self.unsupported(policy):
            raise Unanswerable(refused, Verdict.UNSUPPORTED)
        return policy if self._plan.kernel else dataclasses.replace(policy, spec=confined(policy.spec, self._shared))

    def apply(self, policy: Policy, manifest: str) -> str:
        """Add a policy by `tetra tracingpolicy add`."""
        file = self._folder / f"{policy.name}.yaml"
        file.write_text(manifest, encoding="utf-8")
        self._applied.add(policy.name)
        self._policy = policy.name
        done = self._guarded(
            lambda: self.agent.tetra("tracingpolicy", "add", str(file), seconds=self._plan.deadlines.policy)
        )
        # one that was not heard to its end is loaded or not: its state will say
        return "" if done.ok or _UNHEARD.search(done.complaint) else _error(done.complaint)

    def remove(self, policy: Policy) -> None:
        """Delete a policy, if it was applied; an agent that does not let go of it is started anew.

        One that says that it has none has let go of it.
        """
        if policy.name not in self._applied:
            return
        self._applied.discard(policy.name)
        done = self.agent.tetra("tracingpolicy", "delete", policy.name, seconds=self._plan.deadlines.policy)
        let_go = done.ok or _NEVER_THERE.search(done.complaint)
        if not let_go and self._plan.bundle is not None:
            self._stop_agent()
            self._start_agent(self._asked)

    def states(self) -> dict[str, list[dict[str, Any]]]:
        """What the agent says of every policy."""
        return {self.name: self._guarded(self.agent.states)}

    def answers(self) -> dict[str, list[dict[str, Any]]]:
        """What the agent says of every policy, if it answers at once."""
        with suppress(AgentError):
            return self.states()
        return {}

    def metrics(self, place: str) -> str:
        """The agent's metrics."""
        del place
        return self._guarded(self.agent.metrics)

    def position(self, place: str) -> int:
        """Where in the stream we are. One that has ended is begun anew, in a file of its own."""
        del place
        if self._stream is None or not self._stream.runs:
            self._listen()
        self._policy = ""
        export = self.agent.export
        self._exported = whole_lines(export) if export is not None and export.is_file() else 0
        return whole_lines(self._events)

    def ended(self, place: str) -> str:
        """How the stream has ended, in a clause; nothing where it goes on."""
        del place
        stream = self._stream
        if stream is not None and self._guarded(lambda: stream.runs):
            return ""
        return "the agent has ended" if self.disturbed() else "tetra getevents has ended"

    def heard(self, place: str, position: int, applied: str) -> bytes:
        """The stream since a position."""
        del place
        return self._ours(self._events, position, applied)

    def _ours(self, path: Path, position: int, applied: str) -> bytes:
        """The lines of a file of events since a position that are the run's; the last may not be whole yet."""
        with path.open("rb") as stream:
            stream.seek(position)
            lines = stream.read().split(b"\n")
        containers = tuple(self._bindings.by_container())
        return b"".join(line + b"\n" for line in lines[:-1] if _concerns(parse(line), containers, applied))

    def compact(self, place: str, stream: bytes) -> bytes:
        """The same as tetra prints it; asked here, for it needs no agent."""
        del place
        return agents.offline(self._plan.tetra, "getevents", *PLAIN, seconds=self._plan.deadlines.command, stdin=stream)

    def log(self, place: str, since: datetime) -> bytes:
        """The agent's log, all of it."""
        del place, since
        return self.agent.log.encode()

    def _guarded(self, ask: Callable[[], Answer]) -> Answer:
        """Ask; a machine that is lost is given up, so that the next scenario starts one anew."""
        try:
            return ask()
        except MachineLost:
            self._give_up()
            raise

    def index(self) -> Index:
        """What a recording of this site begins with."""
        self._plan.tell("asking the agent what it is, what it can and how it is set")
        made = identify(self._plan, self._on, self.agent, f"podman {self._containers.version}, crun")
        return replace(made, bindings=self._bindings)

    def _give_up(self) -> None:
        machine, self._machine = self._machine, None
        if machine is not None:
            with suppress(TetraproofError):
                machine.close()


def open_standalone(plan: Plan) -> tuple[Live, Standalone]:
    """A live target on a machine that is set up; the caller closes the site. Raises what keeps it from that."""
    site, account = Standalone(plan), plan.account
    try:
        with account.spending(SETTING_UP):
            site.open()
            index = site.index()
            folders = {
                neutral.RUN: plan.folder,
                neutral.BUNDLE: plan.bundle.path if plan.bundle else None,
                neutral.KERNEL: plan.kernel.image.parent if plan.kernel else None,
            }
            names = neutral.of_this_machine(folders)
            recorder = Recorder(plan.run_id, index, environment(plan, site.agent), names)
    except BaseException:
        site.close()
        raise
    lines = [f"judging {index.cell.title}, live on {index.provenance.where}"]
    lines.append(
        "its network ends in the guest: nothing that an act sends leaves it"
        if plan.kernel
        else "policies are enforced on this machine, confined to the run's own containers"
    )
    return Live(KIND, site, recorder, plan.deadlines, introduction=lines, tell=plan.tell, account=account), site


def _concerns(line: Event | Any, containers: Sequence[str], applied: str) -> bool:
    """Whether a line is of the run's containers, or of its policy whoever it met; what is no event is kept."""
    if not isinstance(line, Event):
        return True
    if applied and isinstance(line.detail, Kprobe) and line.detail.policy_name == applied:
        return True
    return bool(line.process.docker) and any(one.startswith(line.process.docker) for one in containers)


def _error(complaint: str) -> str:
    """What tetra said, without its log's decoration."""
    lines = [line for line in complaint.strip().splitlines() if not line.startswith("level=warn")]
    return " ".join(lines)
