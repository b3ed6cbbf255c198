"""Everything around one act: the act, its events in order, and proof that the stream was heard to its end.

An event belongs to an act by ancestry: the act's own process is the one that
the runtime started with the act's arguments, and whatever descends from it is
the act's (`own`). A bystander's events (nginx's worker answering) belong by the
window, from the act's first event to that of the next act.

Events are kept in the order of the stream. Their times are the node's, and on
an emulated or busy node they can run backwards by a tenth of a second within
one process (recorded), so order is never read off them.

A window is closed by the scenario's end sentinel: a marked act on the same
node, heard in the stream. The next act only bounds it. An agent with one ring
for each CPU keeps order within a ring only, so there each ring needs its own
sentinel; `Node.rings` says how many.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge

from tetraproof.act import Outcome
from tetraproof.event import Event

START, END = "sentinel-start", "sentinel-end"
#: Notices that the agent left events out of the stream.
_HELD_BACK = ("throttle", "rate-limit")
#: An argument list of more characters than this may have been cut by the agent.
_CUT = 200
_NOT_TEXT = re.compile(r'[\s"\\]+')


@dataclass(frozen=True)
class Performed:
    """One act as it was performed: in which pod of which node, and with which outcome.

    `role` is `act`, or `sentinel-start` and `sentinel-end`; `cpu` the one that a sentinel was pinned to.
    """

    id: str
    namespace: str
    pod: str
    node: str
    argv: tuple[str, ...]
    outcome: Outcome
    stdin: str | None = None
    tty: bool = False
    role: str = "act"
    cpu: int | None = None
    started: str = ""


@dataclass(frozen=True)
class Node:
    """What of a node matters to hearing: how many rings its agent reads, and what it lost meanwhile."""

    name: str
    rings: int = 1
    lost: str = ""


@dataclass(frozen=True)
class Entry:
    """One event on a timeline: seconds since the act's first event, and whether it is the act's own."""

    event: Event
    offset: float
    own: bool


@dataclass(frozen=True)
class Timeline:
    """The events around one act. `root` is its process's host pid; `open` says why its end was not heard, or nothing.

    `whole` holds every entry in stream order; iterate `own` or `bystanders` for a side of it.
    """

    act: str
    node: str
    whole: tuple[Entry, ...] = ()
    root: int | None = None
    open: str = ""

    @property
    def own(self) -> tuple[Event, ...]:
        """The act's own events, in order."""
        return tuple(entry.event for entry in self.whole if entry.own)

    @property
    def bystanders(self) -> tuple[Event, ...]:
        """What others did meanwhile, in order."""
        return tuple(entry.event for entry in self.whole if not entry.own)

    @property
    def seconds(self) -> float:
        """From the first event to the last."""
        return self.whole[-1].offset - self.whole[0].offset if self.whole else 0.0


@dataclass
class _Started:
    """A process that the runtime started in a pod, with all that its events say of it."""

    exec_id: str
    pid: int
    position: int
    pods: set[str] = field(default_factory=set)
    binaries: set[str] = field(default_factory=set)
    arguments: set[str] = field(default_factory=set)


def timelines(performed: Sequence[Performed], stream: Iterable[Event], nodes: Mapping[str, Node]) -> list[Timeline]:
    """One timeline for each of `performed`, sentinels included, in the same order."""
    events = in_order(stream)
    roots = _roots(performed, _started(events))
    owners = _owners(events, roots)
    positions: list[list[int]] = [[] for _ in performed]
    for position, owner in enumerate(owners):
        if owner is not None:
            positions[owner].append(position)
    first = [min(own, default=None) for own in positions]
    held_back = next((event.kind for event in events if event.kind in _HELD_BACK), "")
    ends = _end_positions(performed, roots)
    result = []
    for index, act in enumerate(performed):
        limit = ends.get(act.node, len(events))
        # what comes after the end sentinel came too late to be proven complete
        own = [at for at in positions[index] if at < limit or act.role != "act"]
        begin, stop = _window(index, first, own, limit)
        whole = sorted({*own, *(at for at in range(begin, stop) if owners[at] is None)})
        root = roots[index]
        result.append(
            Timeline(
                act.id,
                act.node,
                _entries(events, whole, frozenset(own)),
                root.pid if root else None,
                f"the agent held events back: it sent a {held_back} notice"
                if held_back
                else _why_open(act, performed, roots, nodes),
            )
        )
    return result


def _entries(events: list[Event], whole: list[int], own: frozenset[int]) -> tuple[Entry, ...]:
    zero = next((events[at].time for at in sorted(own) or whole if events[at].time), None)
    return tuple(
        Entry(events[at], (moment - zero).total_seconds() if zero and (moment := events[at].time) else 0.0, at in own)
        for at in whole
    )


def in_order(stream: Iterable[Event]) -> list[Event]:
    """The events of one or several nodes in one order: each node's as it sent them, nodes merged by time."""
    by_node: dict[str, list[Event]] = {}
    for event in stream:
        by_node.setdefault(event.node, []).append(event)
    if len(by_node) == 1:
        return next(iter(by_node.values()))
    return [event for _, _, event in merge(*(_by_latest_time(events) for events in by_node.values()))]


def same_arguments(argv: Sequence[str], arguments: str) -> bool:
    """Whether an event's `arguments` (joined and quoted by the agent, perhaps cut) are those of `argv`."""
    asked, told = (_NOT_TEXT.sub("", text) for text in ("".join(argv[1:]), arguments))
    return asked == told or (len(told) > _CUT and asked.startswith(told))


def _by_latest_time(events: list[Event]) -> Iterable[tuple[float, int, Event]]:
    latest = 0.0
    for index, event in enumerate(events):
        latest = max(latest, event.time.timestamp() if event.time else latest)
        yield latest, index, event


def _started(events: list[Event]) -> list[_Started]:
    """The processes that the runtime started in pods, in order of appearance."""
    known: dict[str, _Started] = {}
    for position, event in enumerate(events):
        process, parent = event.process, event.parent
        if process.pod is None or parent is None or parent.pod is not None:
            continue
        started = known.setdefault(process.exec_id, _Started(process.exec_id, process.pid, position))
        started.pods.add(event.pod)
        started.binaries.add(process.binary.rsplit("/", 1)[-1])
        started.arguments.add(process.arguments)
    return list(known.values())


def _roots(performed: Sequence[Performed], started: list[_Started]) -> list[_Started | None]:
    """The process of each act. Acts follow each other, so the matches do as well, pod by pod."""
    roots: list[_Started | None] = []
    searched_to: dict[str, int] = {}
    for act in performed:
        pod = f"{act.namespace}/{act.pod}"
        candidates = range(searched_to.get(pod, 0), len(started))
        found = next((at for at in candidates if pod in started[at].pods and _is_root(act, started[at])), None)
        if found is not None:
            searched_to[pod] = found + 1
        roots.append(None if found is None else started[found])
    return roots


def _is_root(act: Performed, started: _Started) -> bool:
    if not any(same_arguments(act.argv, arguments) for arguments in started.arguments):
        return False
    # arguments tell programs apart well enough; without any, the program's name must
    return len(act.argv) > 1 or act.argv[0].rsplit("/", 1)[-1] in started.binaries


def _owners(events: list[Event], roots: Sequence[_Started | None]) -> list[int | None]:
    """For each event the index of the act that its process descends from."""
    owner_of: dict[str, int | None] = {root.exec_id: index for index, root in enumerate(roots) if root}
    parent_of: dict[str, str] = {}
    for event in events:
        parent_of.setdefault(event.process.exec_id, event.process.parent_exec_id)

    def owner(exec_id: str) -> int | None:
        line: list[str] = []
        while exec_id and exec_id not in owner_of and exec_id not in line:
            line.append(exec_id)
            exec_id = parent_of.get(exec_id, "")
        found = owner_of.get(exec_id)
        owner_of.update(dict.fromkeys(line, found))
        return found

    return [owner(event.process.exec_id) for event in events]


def _end_positions(performed: Sequence[Performed], roots: Sequence[_Started | None]) -> dict[str, int]:
    """Where on each node the last end sentinel was heard."""
    ends: dict[str, int] = {}
    for act, root in zip(performed, roots, strict=True):
        if act.role == END and root is not None:
            ends[act.node] = max(ends.get(act.node, 0), root.position)
    return ends


def _window(index: int, first: Sequence[int | None], own: Sequence[int], limit: int) -> tuple[int, int]:
    later = [at for at in first[index + 1 :] if at is not None]
    stop = min([limit, *later])
    if own:
        return min(own), stop
    earlier = [at for at in first[:index] if at is not None]
    return (max(earlier) + 1 if earlier else 0), stop


def _why_open(
    act: Performed, performed: Sequence[Performed], roots: Sequence[_Started | None], nodes: Mapping[str, Node]
) -> str:
    node = nodes.get(act.node, Node(act.node))
    if node.lost:
        return node.lost
    heard = [(other, root) for other, root in zip(performed, roots, strict=True) if root and other.node == act.node]
    if not any(other.role == START for other, _ in heard):
        return f"the stream of node {act.node or '?'} was not heard before the acts began"
    ends = [other for other, _ in heard if other.role == END]
    if not ends:
        return f"no sentinel was heard on node {act.node or '?'} after the acts"
    proven = len({other.cpu for other in ends})
    if node.rings > proven:
        return f"the agent of node {act.node} reads {node.rings} rings, and sentinels were heard of {proven} only"
    return ""
