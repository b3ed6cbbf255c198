"""A stream that is too long to hold, sifted for what acts can be told by.

Most of such a stream is others': of processes in none of the pods that are acted in, which descend from no act. These
are counted and read anew where somebody asks of bystanders. What is held is all that may decide whose an event is, so
timelines of what is held are those of the whole stream.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tetraproof.events.event import Event
from tetraproof.events.reread import Reread
from tetraproof.observing.timeline import HELD_BACK, Crowd, Others, Performed, roots_of

_NOBODY = -1
#: What makes it uncertain whose an event is.
_WHOSE = ("process.exec_id", "process.parent_exec_id", "process.pod", "process.pid")


class Sieve:
    """Takes a stream event by event, and holds what concerns the acts that were `performed`, or these `pods`."""

    def __init__(self, performed: Sequence[Performed], pods: Iterable[str]) -> None:
        self._performed = performed
        self._pods = {*pods, *(f"{act.namespace}/{act.pod}" for act in performed)}
        self._containers = [act.container for act in performed if act.container]
        self._held: dict[int, Event] = {}
        self._places = array("q")
        # of each event: its process, the one that started it, its parent as it is told, and that one's
        self._lineage = tuple(array("q") for _ in range(4))
        self._pids = array("q")
        self._moments = array("d")
        self._nodes: dict[str, int] = {}
        self._of_node = array("q")
        self._latest: list[float] = []

    def take(self, event: Event, place: int) -> None:
        """The next event, whose line begins at `place`; it is held where it has no line of its own (-1)."""
        at = len(self._places)
        self._places.append(place)
        node = self._nodes.setdefault(event.node, len(self._nodes))
        if node == len(self._latest):
            self._latest.append(0.0)
        if event.time:
            self._latest[node] = max(self._latest[node], event.time.timestamp())
        self._of_node.append(node)
        self._moments.append(self._latest[node])
        process, parent = event.process, event.parent
        ids = (
            process.exec_id,
            process.parent_exec_id,
            *((parent.exec_id, parent.parent_exec_id) if parent else ("", "")),
        )
        for column, one in zip(self._lineage, ids, strict=True):
            # in one process a text has one hash, and two texts hardly ever have the same
            column.append(hash(one) if one else 0)
        of_host = process.pod is None and event.kind not in {"exec", "exit"} and process.pid is not None
        self._pids.append(process.pid if of_host and process.pid is not None else _NOBODY)
        if place < 0 or self._concerns(event):
            self._held[at] = event

    def _concerns(self, event: Event) -> bool:
        """Whether an event by itself may be an act's, or says something of the stream."""
        process = event.process
        if not event.node or event.kind in HELD_BACK or event.anonymous:
            return True
        if process.pod is not None:
            return f"{process.pod.namespace}/{process.pod.name}" in self._pods or self._unsure(event)
        return self._unsure(event) or any(one in process.arguments for one in self._containers)

    @staticmethod
    def _unsure(event: Event) -> bool:
        return bool(event.unread) and bool(event.could_not_read(*_WHOSE))

    def sifted(self, reread: Callable[[array[int], Mapping[int, Event]], Reread]) -> tuple[Reread, list[Event], Crowd]:
        """The whole stream, what is held of it in the one order of all nodes, and the crowd around that.

        `reread` makes the stream of places and of what is held.
        """
        stream = reread(self._places, self._held)
        held = [self._held[at] for at in sorted(self._held)]
        roots = [root for root in roots_of(self._performed, held) if root]
        positions = self._of_acts({hash(root.exec_id) for root in roots}, {root.pid for root in roots})
        missing = sorted(positions - self._held.keys())
        self._held |= dict(zip(missing, stream.at(missing), strict=True))
        order = self._order()
        rank_of = {at: rank for rank, at in enumerate(order) if at in self._held} if len(self._nodes) > 1 else None
        ranks = sorted(self._held if rank_of is None else rank_of.values())
        held_ranks = frozenset(ranks)

        def between(low: int, high: int) -> Others:
            # the ranks that are held are few: they are counted, and left out where the others are read
            own = sum(low <= rank < high for rank in ranks)
            return Others(max(0, high - low) - own, lambda: _read(stream, order, held_ranks, range(low, high)))

        return stream, [self._held[order[rank]] for rank in ranks], Crowd(tuple(ranks), len(self._places), between)

    def _of_acts(self, ours: set[int], pids: set[int | None]) -> set[int]:
        """The positions of events of processes that descend from `ours`, or were these `pids` before they were acts."""
        own, parents, told, told_parents = self._lineage
        grown = -1
        while grown < len(ours):
            grown = len(ours)
            for child, parent in ((own, parents), (told, told_parents)):
                ours.update(one for one, by in zip(child, parent, strict=True) if by in ours and one)
        found = {at for at, one in enumerate(own) if one in ours}
        return found | {at for at, pid in enumerate(self._pids) if pid != _NOBODY and pid in pids}

    def _order(self) -> Sequence[int]:
        """The positions of all events in one order: each node's as it sent them, nodes merged by time."""
        if len(self._nodes) <= 1:
            return range(len(self._places))
        moments, nodes = self._moments, self._of_node
        return array("q", sorted(range(len(self._places)), key=lambda at: (moments[at], nodes[at])))


def _read(stream: Reread, order: Sequence[int], held: frozenset[int], window: range) -> Iterator[tuple[int, Event]]:
    ranks = [rank for rank in window if rank not in held]
    return zip(ranks, stream.at([order[rank] for rank in ranks]), strict=True)
