"""Whether the agent tells an act whole: every process of it from exec to exit, once, in order, as it ended.

This is what Tetragon promises of every process, whatever the policy, and what
all other claims rest on: an event stream that contradicts itself proves nothing.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tetraproof.events.event import Event, Exit
from tetraproof.observing.act import Outcome
from tetraproof.observing.timeline import Performed, Timeline

#: What of an event tells of which process it is, and how that ended.
_TELLING = ("process", "parent", "signal", "status")
#: What is told of a process at its exec and stays the same in all its events.
_CONSTANT = ("binary", "arguments", "pod", "container", "pid", "uid", "auid", "cwd", "ns")
#: Where a runtime looks for a program that is named without its path.
_SEARCHED = ("/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/")
#: The agent tells this many characters of a container's id, and more where it can.
_SHORTEST_ID = 15


@dataclass(frozen=True)
class Fault:
    """Something told wrongly, or (`missing`) not told: only proven once the stream's end was heard.

    What could not be read (`unread`) is neither, and leaves open what else is missing.
    """

    text: str
    missing: bool = False
    unread: bool = False


def faults(performed: Performed, timeline: Timeline) -> Iterator[Fault]:
    """All that is wrong with how an act's own events tell it."""
    events = timeline.told
    if not events:
        if not performed.outcome.refused:
            yield Fault("no event of this act", missing=True)
        return
    unread = [event for event in events if event.could_not_read(*_TELLING)]
    for event in unread:
        yield Fault(f"{event.could_not_read(*_TELLING)} of its {event.kind} event cannot be read", unread=True)
    if unread:  # what the others say can still be held against each other
        timeline = replace(timeline, whole=tuple(one for one in timeline.whole if one.event not in unread))
        events = timeline.told
    begun = any(event.kind == "exec" and event.process.pid == timeline.root for event in unread)
    if not begun:  # with what it begins is then not known
        yield from _another(performed, timeline)
    yield from _repeated(events)
    yield from _inconsistent(events)
    yield from _unordered([event for event in events if event.typed])
    yield from _incomplete(events)
    yield from _ended_otherwise(timeline, performed.outcome)


def exit_of(timeline: Timeline) -> Exit | None:
    """How the act's own process ended, by the agent's word; nothing where that was not told, or cannot be read."""
    exits = (event for event in timeline.told if event.process.pid == timeline.root and event.kind == "exit")
    return next((event.detail for event in exits if not event.could_not_read("signal", "status")), None)


def stray_of(timeline: Timeline) -> str:
    """That an event may be the act's own, in a clause; nothing where of each one can tell whose it is."""
    doubtful = (entry.event for entry in timeline.whole if entry.stray or (entry.own and not entry.event.node))
    stray = next(doubtful, None)
    return f"of one {stray.kind} event nobody can tell whose it is" if stray else ""


def unread_end(timeline: Timeline) -> str:
    """Why nobody can say how the act's own process ended though that was told, in a clause; nothing where one can."""
    if (stray := stray_of(timeline)) or (timeline.root is None and timeline.own):
        return stray or "which process is its own cannot be read"
    ends = (event for event in timeline.told if event.kind == "exit")
    unread = (event.could_not_read("signal", "status", "process.pid") for event in ends)
    return next((f"{one} of an exit event cannot be read" for one in unread if one), "")


def exit_code(detail: Exit) -> int:
    """The exit code that a shell would give for this exit: 128 and the number where a signal ended it."""
    if not detail.signal:
        return detail.status
    known = signal.Signals.__members__.get(detail.signal)
    return 128 + int(known) if known else -1


def _another(performed: Performed, timeline: Timeline) -> Iterator[Fault]:
    """It begins with the exec of the act's program, and stays on the act's node, in its pod, in one container."""
    events = timeline.told
    begun = next((event for event in events if event.kind == "exec" and event.process.pid == timeline.root), None)
    if begun is None or begun is not events[0]:
        yield Fault(f"it does not begin with the exec of {performed.argv[0]}", missing=begun is None)
    elif not is_program(performed.argv[0], begun.process.binary):
        yield Fault(f"the program is told as {begun.process.binary}")
    pod = f"{performed.namespace}/{performed.pod}"
    # an agent that has not associated a pod yet tells none, which is no contradiction
    for other in dict.fromkeys(event.pod for event in events if event.pod not in {pod, ""}):
        yield Fault(f"an event of it is told of pod {other}")
    for node in dict.fromkeys(event.node for event in events if event.node not in {performed.node, ""}):
        yield Fault(f"an event of it comes from node {node}, and it was made on {performed.node or 'no node'}")
    containers = {performed.container} if performed.container else set()
    containers |= {one for event in events if (one := _container(event))}
    if len({_short(one) for one in containers}) > 1:
        yield Fault(f"its events are told of several containers: {' and '.join(sorted(containers))}")


def is_program(asked: str, told: str) -> bool:
    """Whether `told`, the path of a binary, is the program that was asked for, by its path or by its bare name."""
    if "/" in asked:
        return _merged(asked) == _merged(told)
    folder, _, name = told.rpartition("/")
    return name == asked and f"{folder}/" in _SEARCHED


def _merged(path: str) -> str:
    """A path as it is where /bin is /usr/bin, which the runtime follows and the agent may not."""
    return path.removeprefix("/usr") if path.startswith(("/usr/bin/", "/usr/sbin/", "/usr/lib/")) else path


def _container(event: Event) -> str:
    pod = event.process.pod
    return (pod.container.id if pod and pod.container else "") or event.process.docker


def _short(container: str) -> str:
    """The part of a container's id that every agent tells: it cuts them, and a runtime's scheme stands before some."""
    return container.rpartition("//")[2][:_SHORTEST_ID]


def _repeated(events: Sequence[Event]) -> Iterator[Fault]:
    for line, times in Counter(event.line for event in events).items():
        if times > 1:
            event = next(event for event in events if event.line == line)
            yield Fault(f"the {event.kind} event of {event.process.binary} is told {times} times")


def _inconsistent(events: Sequence[Event]) -> Iterator[Fault]:
    for exec_id in dict.fromkeys(event.process.exec_id for event in events):
        told = [event for event in events if event.process.exec_id == exec_id]
        for name in _CONSTANT:
            readable = [event for event in told if not event.could_not_read(f"process.{name}")]
            values = {_shown(event, name) for event in readable} - {None}
            if len(values) > 1:
                yield Fault(f"one process is told with two values of {name}: {' and '.join(sorted(map(str, values)))}")


def _shown(event: Event, name: str) -> str | None:
    """What an event says of its process, in one line; nothing where it says nothing."""
    if name == "pod":
        return event.pod or None
    if name == "container":
        return _short(_container(event)) or None
    value = getattr(event.process, name)
    # where the agent could not tell the folder it writes none
    return None if value is None or (name == "cwd" and not value) else str(value)


def _unordered(events: Sequence[Event]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    told = {event.process.exec_id: at for at, event in enumerate(events) if event.kind == "exec"}
    last: dict[int | None, int] = {}
    for at, event in enumerate(events):
        first.setdefault(event.process.exec_id, at)
        last[event.process.pid] = at
    for at, event in enumerate(events):
        process = event.process
        if event.kind == "exec" and first[process.exec_id] != at:
            yield Fault(f"{process.binary} acts before its exec is told")
        if event.kind == "exec" and told.get(process.parent_exec_id, -1) > at:
            yield Fault(f"{process.binary} is told before the process that started it")
        if event.kind == "exit" and last[process.pid] != at:
            yield Fault(f"{process.binary} acts after its exit is told")


def _incomplete(events: Sequence[Event]) -> Iterator[Fault]:
    by_id = {event.process.exec_id: event.process for event in events}
    execs = {event.process.exec_id for event in events if event.kind == "exec"}
    for exec_id, process in by_id.items():
        parent = by_id.get(process.parent_exec_id)
        # a fork that has not exec'ed is still its parent's program, and has no exec to tell
        fork = parent and (parent.binary, parent.arguments) == (process.binary, process.arguments)
        if exec_id not in execs and not fork:
            yield Fault(f"no exec event of {process.binary}", missing=True)
    exits = {event.process.pid for event in events if event.kind == "exit"}
    for pid in dict.fromkeys(event.process.pid for event in events):
        if pid not in exits:
            binary = next(event.process.binary for event in reversed(events) if event.process.pid == pid)
            yield Fault(f"no exit event of {binary}", missing=True)


def _ended_otherwise(timeline: Timeline, outcome: Outcome) -> Iterator[Fault]:
    told = exit_of(timeline)
    if told is not None and outcome.exit_code is not None and exit_code(told) != outcome.exit_code:
        how = told.signal or f"exit {told.status}"
        yield Fault(f"the agent says it ended with {how}, who asked saw exit {outcome.exit_code}")
