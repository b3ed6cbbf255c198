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

An event whose process nobody can tell (it is missing, or could not be read) may be
any act's of that node: it is a stray in the window that it falls into.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from operator import itemgetter

from tetraproof.events.event import MASK, Event
from tetraproof.observing.act import Outcome

START, END = "sentinel-start", "sentinel-end"
#: Notices that the agent left events out of the stream.
HELD_BACK = ("throttle", "rate-limit")
#: An argument list of more characters than this may have been cut by the agent.
_CUT = 200
_NOT_TEXT = re.compile(r'[\s"\\]+')


@dataclass(frozen=True)
class Performed:
    """One act as it was performed: in which pod of which node, and with which outcome.

    `role` is `act`, or `sentinel-start` and `sentinel-end`; `cpu` the one that a sentinel was pinned to. `disturbed`
    says why what became of it shows nothing against a policy.
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
    container: str = ""
    lacks: str = ""
    disturbed: str = ""


@dataclass(frozen=True)
class Node:
    """What of a node matters to hearing: how many rings its agent reads, and what it lost meanwhile."""

    name: str
    rings: int = 1
    lost: str = ""


@dataclass(frozen=True)
class Entry:
    """One event on a timeline: seconds since the act's first event, and whether it is the act's own.

    `runtime` marks what of it the runtime still did, before the act's program was in place; `stray` what may be the
    act's own, and nobody can say.
    """

    event: Event
    offset: float
    own: bool
    runtime: bool = False
    stray: bool = False


@dataclass(frozen=True)
class Others:
    """What further bystanders did meanwhile, where a stream is too long to hold: how many events, which are read anew.

    Each comes with its rank, its place in the order of all events of the stream. `found` is what was found among them,
    by the question: reading them takes its time.
    """

    count: int = 0
    read: Callable[[], Iterator[tuple[int, Event]]] = lambda: iter(())
    found: dict[str, tuple[Event, ...]] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Crowd:
    """The whole of a stream of which only what concerns the acts is held.

    `ranks` are the places of what is held in the order of all, which are `size`; `between` gives those of a range of
    ranks that are not held.
    """

    ranks: Sequence[int]
    size: int
    between: Callable[[int, int], Others]


@dataclass(frozen=True)
class Timeline:
    """The events around one act, `whole` in stream order. `root` is the host pid of the act's own process.

    `open` says why the stream of the act's node was not heard to its end, or nothing; `around` the same of any
    node, since a bystander may be on another one. Of a stream that is too long to hold, `others` are bystanders beside
    those in `whole`, whose `ranks` are their places among all.
    """

    act: str
    node: str
    whole: tuple[Entry, ...] = ()
    root: int | None = None
    open: str = ""
    around: str = ""
    others: Others = Others()
    ranks: tuple[int, ...] = ()

    @property
    def own(self) -> tuple[Event, ...]:
        """The act's own events, in order."""
        return tuple(entry.event for entry in self.whole if entry.own)

    @property
    def told(self) -> tuple[Event, ...]:
        """Its own events since its program was in place, in order."""
        return tuple(entry.event for entry in self.whole if entry.own and not entry.runtime)

    @property
    def possible(self) -> tuple[Event, ...]:
        """Its own events and those that may be its own, in order."""
        return tuple(entry.event for entry in self.whole if entry.own or entry.stray)

    @property
    def bystanders(self) -> tuple[Event, ...]:
        """What others did meanwhile, in order, as far as that is held."""
        return tuple(entry.event for entry in self.whole if not entry.own)

    def surroundings(self, question: str, matters: Callable[[Event], bool]) -> tuple[Event, ...]:
        """What others did meanwhile, in order: all of it that is held, and of the rest what matters to a question."""
        if not self.others.count:
            return self.bystanders
        if question not in self.others.found:
            held = ((rank, one.event) for rank, one in zip(self.ranks, self.whole, strict=True) if not one.own)
            rest = ((rank, event) for rank, event in self.others.read() if matters(event))
            self.others.found[question] = tuple(event for _, event in merge(held, rest, key=itemgetter(0)))
        return self.others.found[question]

    @property
    def seconds(self) -> float:
        """From the first event to the last."""
        return self.whole[-1].offset - self.whole[0].offset if self.whole else 0.0


@dataclass
class Root:
    """A process that the runtime started in a pod, with all that its events say of it."""

    exec_id: str
    pid: int | None
    position: int
    pods: set[str] = field(default_factory=set)
    nodes: set[str] = field(default_factory=set)
    binaries: set[str] = field(default_factory=set)
    arguments: set[str] = field(default_factory=set)


def timelines(
    performed: Sequence[Performed], stream: Iterable[Event], nodes: Mapping[str, Node], crowd: Crowd | None = None
) -> list[Timeline]:
    """One timeline for each of `performed`, sentinels included, in the same order.

    Where the stream is what is held of a longer one, it is in order already, and `crowd` is the rest.
    """
    events = in_order(stream) if crowd is None else list(stream)
    roots = roots_of(performed, events)
    owners = _owners(events, {root.exec_id: index for index, root in enumerate(roots) if root})
    nobodys = _of_unreadable_roots(events, owners)
    positions: list[list[int]] = [[] for _ in performed]
    for position, owner in enumerate(owners):
        if owner is not None:
            positions[owner].append(position)
    first = [min(own, default=None) for own in positions]
    told = {*nodes, *(act.node for act in performed)}
    unheard = {name: _why_open(nodes.get(name, Node(name)), performed, roots, events) for name in sorted(told)}
    ends = _end_positions(performed, positions)
    windows = []
    for index, act in enumerate(performed):
        limit = ends.get(act.node, len(events))
        # what comes after the end sentinel came too late to be proven complete
        positions[index] = [at for at in positions[index] if at < limit or act.role != "act"]
        windows.append(_window(index, first, positions[index], limit))
    before = _before(events, performed, roots, windows)
    result = []
    for index, act in enumerate(performed):
        runtime = frozenset(at for at, owner in before.items() if owner == index)
        own = {*positions[index], *runtime}
        around = [at for at in range(*windows[index]) if owners[at] is None and at not in before]
        # what may be its own may also come before what is known to be
        early = range(max((at + 1 for earlier in positions[:index] for at in earlier), default=0), windows[index][0])
        pod = f"{act.namespace}/{act.pod}"
        mine = [at for at in (*early, *around) if owners[at] is None and at not in before]
        strays = frozenset(
            at
            for at in mine
            if _may_be_of(act, events[at])
            or (at in nobodys and events[at].pod in {pod, ""})
            or (roots[index] is None and _may_be_its_runtimes(act, events[at]))
        )
        around = [*(at for at in early if at in strays), *around]
        whole = sorted({*own, *around})
        root = roots[index]
        result.append(
            Timeline(
                act.id,
                act.node,
                _entries(events, whole, frozenset(own), runtime, strays),
                root.pid if root else None,
                unheard[act.node],
                unheard[act.node] or next(filter(None, unheard.values()), ""),
                _others(crowd, *windows[index], began=bool(positions[index])) if crowd else Others(),
                tuple(crowd.ranks[at] for at in whole) if crowd else (),
            )
        )
    return result


def _others(crowd: Crowd, low: int, high: int, *, began: bool) -> Others:
    """What is not held of a window of what is held; it begins with an act's first event, or behind another's."""
    ranks = crowd.ranks
    begin = ranks[low] if began else ranks[low - 1] + 1 if low else 0
    return crowd.between(begin, ranks[high] if high < len(ranks) else crowd.size)


def roots_of(performed: Sequence[Performed], events: Sequence[Event]) -> list[Root | None]:
    """The process of each act, in a stream that is in order."""
    return _roots(performed, _started(events))


def _entries(
    events: list[Event], whole: list[int], own: frozenset[int], runtime: frozenset[int], strays: frozenset[int]
) -> tuple[Entry, ...]:
    zero = next((events[at].time for at in sorted(own) or whole if events[at].time), None)

    def offset(at: int) -> float:
        moment = events[at].time
        return (moment - zero).total_seconds() if zero and moment else 0.0

    return tuple(Entry(events[at], offset(at), at in own, at in runtime, at in strays) for at in whole)


def _may_be_of(act: Performed, event: Event) -> bool:
    """Whether an event that belongs to nobody may be this act's: nobody can say of which process it is."""
    if event.typed and not hasattr(event.detail, "process"):
        return False
    unread = event.could_not_read("process.exec_id", "process.parent_exec_id", "process.pod")
    # by its number the runtime's process is known for the one that became the act's
    unread = unread or (event.could_not_read("process.pid") if event.process.pod is None else "")
    unknown = event.anonymous or bool(unread)
    elsewhere = event.node not in {act.node, ""}
    of_another = event.pod not in {f"{act.namespace}/{act.pod}", ""} and not event.could_not_read("process.pod")
    return unknown and not elsewhere and not of_another


def _may_be_its_runtimes(act: Performed, event: Event) -> bool:
    """Whether an event may be of the runtime that was to start this act, whose container's id is masked in it."""
    told = event.process.pod is not None or event.kind in {"exec", "exit"}
    return bool(act.container) and not told and MASK in event.process.arguments and event.node == act.node


def _before(
    events: Sequence[Event],
    performed: Sequence[Performed],
    roots: Sequence[Root | None],
    windows: Sequence[tuple[int, int]],
) -> dict[int, int]:
    """The act of each event that its process made while it was still the runtime's (it is in no pod then).

    It is the process that becomes the act's program; where that never happened (it was refused), the runtime's
    process that names the act's container, within the act's window.
    """
    found: dict[int, int] = {}
    refused: dict[int, int | None] = {}
    for at, event in enumerate(events):
        process = event.process
        if process.pod is not None or event.kind in {"exec", "exit"}:
            continue
        there = [index for index, act in enumerate(performed) if act.node == event.node]
        became = [index for index in there if (root := roots[index]) and root.pid == process.pid and at < root.position]
        fits = [
            index
            for index in there
            if roots[index] is None
            and (act := performed[index]).container
            and act.container in process.arguments
            and at in range(*windows[index])
            and refused.get(index, process.pid) == process.pid
        ]
        if became:
            found[at] = became[0]
        elif fits:
            found[at] = fits[0]
            refused[fits[0]] = process.pid
    return found


def in_order(stream: Iterable[Event]) -> list[Event]:
    """The events of one or several nodes in one order: each node's as it sent them, nodes merged by time."""
    by_node: dict[str, list[Event]] = {}
    for event in stream:
        by_node.setdefault(event.node, []).append(event)
    if len(by_node) == 1:
        return next(iter(by_node.values()))
    streams = (_by_latest_time(events) for events in by_node.values())
    return [event for _, event in merge(*streams, key=lambda item: item[0])]


def same_arguments(argv: Sequence[str], arguments: str) -> bool:
    """Whether an event's `arguments` (joined and quoted by the agent, perhaps cut) are those of `argv`."""
    asked, told = (_NOT_TEXT.sub("", text) for text in ("".join(argv[1:]), arguments))
    if MASK in told:
        return re.fullmatch(".+".join(map(re.escape, told.split(MASK))), asked) is not None
    return asked == told or (len(told) > _CUT and asked.startswith(told))


def _by_latest_time(events: list[Event]) -> Iterable[tuple[float, Event]]:
    latest = 0.0
    for event in events:
        latest = max(latest, event.time.timestamp() if event.time else latest)
        yield latest, event


def _started(events: Sequence[Event]) -> list[Root]:
    """The processes that the runtime started in pods, in order of appearance."""
    known: dict[str, Root] = {}
    for position, event in enumerate(events):
        process, parent = event.process, event.parent
        if process.pod is None or not process.exec_id or parent is None or parent.pod is not None:
            continue
        started = known.setdefault(process.exec_id, Root(process.exec_id, process.pid, position))
        started.pods.add(event.pod)
        started.nodes.add(event.node)
        started.binaries.add(process.binary.rsplit("/", 1)[-1])
        started.arguments.add(process.arguments)
    return list(known.values())


def _roots(performed: Sequence[Performed], started: list[Root]) -> list[Root | None]:
    """The process of each act. Acts follow each other, and so do their processes, pod by pod."""
    roots: list[Root | None] = [None] * len(performed)
    for pod in dict.fromkeys((act.namespace, act.pod) for act in performed):
        acts = [at for at, act in enumerate(performed) if (act.namespace, act.pod) == pod]
        there = [process for process in started if "/".join(pod) in process.pods]
        for at, process in _aligned(acts, there, performed):
            roots[at] = process
    return roots


def _aligned(acts: Sequence[int], there: Sequence[Root], performed: Sequence[Performed]) -> Iterable[tuple[int, Root]]:
    """As many acts as possible with a process each, both in their order (a longest common subsequence)."""
    longest = [[0] * (len(there) + 1) for _ in range(len(acts) + 1)]
    for row in reversed(range(len(acts))):
        for column in reversed(range(len(there))):
            skipped = max(longest[row + 1][column], longest[row][column + 1])
            paired = 1 + longest[row + 1][column + 1] if _is_root(performed[acts[row]], there[column]) else 0
            longest[row][column] = max(skipped, paired)
    row = column = 0
    while row < len(acts) and column < len(there):
        found = _is_root(performed[acts[row]], there[column])
        if found and longest[row][column] == 1 + longest[row + 1][column + 1]:
            yield acts[row], there[column]
            row, column = row + 1, column + 1
        elif longest[row][column] == longest[row][column + 1]:
            column += 1
        else:
            row += 1


def _is_root(act: Performed, started: Root) -> bool:
    if not any(same_arguments(act.argv, arguments) for arguments in started.arguments):
        return False
    # arguments tell programs apart well enough; without any, the program's name must
    return len(act.argv) > 1 or act.argv[0].rsplit("/", 1)[-1] in started.binaries


def _of_unreadable_roots(events: Sequence[Event], owners: Sequence[int | None]) -> frozenset[int]:
    """Events of no act's, of processes that descend from one of which it cannot be read what it is, or whose child."""
    unreadable = {
        event.process.exec_id: 0
        for event, owner in zip(events, owners, strict=True)
        if owner is None
        and event.unread
        and event.process.pod is not None
        and (_may_be_a_root(event) or event.could_not_read("process.parent_exec_id"))
    }
    if not unreadable:
        return frozenset()
    return frozenset(at for at, of in enumerate(_owners(events, unreadable)) if of is not None and owners[at] is None)


def _may_be_a_root(event: Event) -> bool:
    """Whether the runtime started it, with nobody can read what."""
    started = event.parent is not None and event.parent.pod is None
    return started and bool(event.could_not_read("process.arguments", "process.binary"))


def _owners(events: Sequence[Event], roots: Mapping[str, int]) -> list[int | None]:
    """For each event the index of the root, by its exec id, that its process descends from."""
    owner_of: dict[str, int | None] = dict(roots)
    parent_of: dict[str, str] = {}
    for event in events:
        # a subshell may tell nothing of itself, and yet be known as its child's parent
        for process in (event.process, event.parent):
            if process and process.parent_exec_id:
                parent_of.setdefault(process.exec_id, process.parent_exec_id)

    def owner(exec_id: str) -> int | None:
        line: list[str] = []
        while exec_id and exec_id not in owner_of and exec_id not in line:
            line.append(exec_id)
            exec_id = parent_of.get(exec_id, "")
        found = owner_of.get(exec_id)
        owner_of.update(dict.fromkeys(line, found))
        return found

    return [owner(event.process.exec_id) for event in events]


def _end_positions(performed: Sequence[Performed], positions: Sequence[Sequence[int]]) -> dict[str, int]:
    """Where on each node the last end sentinel was heard to its end; one that is pinned moves after its exec."""
    ends: dict[str, int] = {}
    for act, own in zip(performed, positions, strict=True):
        if act.role == END and own:
            ends[act.node] = max(ends.get(act.node, 0), own[-1])
    return ends


def _window(index: int, first: Sequence[int | None], own: Sequence[int], limit: int) -> tuple[int, int]:
    later = [at for at in first[index + 1 :] if at is not None]
    stop = min([limit, *later])
    if own:
        return min(own), stop
    earlier = [at for at in first[:index] if at is not None]
    return (max(earlier) + 1 if earlier else 0), stop


def _why_open(node: Node, performed: Sequence[Performed], roots: Sequence[Root | None], events: Sequence[Event]) -> str:
    """Why the stream of a node was not heard from the first act to the last, in a clause; nothing where it was."""
    if node.lost:
        return node.lost
    held_back = next((event.kind for event in events if event.kind in HELD_BACK and event.node == node.name), "")
    if held_back:
        return f"the agent of node {node.name} held events back: it sent a {held_back} notice"
    if any(not event.node for event in events):
        return "an event of the stream names no node, so nobody can say whose it is"
    return _why_unheard(node, performed, roots)


def _why_unheard(node: Node, performed: Sequence[Performed], roots: Sequence[Root | None]) -> str:
    """Why its sentinels do not prove that a node was heard."""
    # a sentinel that was heard from elsewhere proves nothing of this node
    heard = [
        act
        for act, root in zip(performed, roots, strict=True)
        if root and act.node == node.name and root.nodes == {node.name}
    ]
    if not any(act.role == START for act in heard):
        return f"the stream of node {node.name or '?'} was not heard before the acts began"
    ends = [act for act in heard if act.role == END]
    if not ends:
        return f"no sentinel was heard on node {node.name or '?'} after the acts"
    # a sentinel that is pinned to no CPU proves one ring, and nobody knows which
    proven = len({act.cpu for act in ends if act.cpu is not None}) or 1
    if node.rings > proven:
        return f"the agent of node {node.name} reads {node.rings} rings, and sentinels were heard of {proven} only"
    return ""
