"""Under which address and port the other side of an act's connection sees it: `run.landing.as_seen_by("deathstar")`.

Mostly that is the pod's own. Some clusters rewrite it between pods (they masquerade);
then the other side's events name another address instead. That is believed only where
all that is told fits this one connection: the address is the one that the other side
says it sees, or where nobody asked it one of the act's own node; the port is the one
that the act's own events tell, and as much was sent to it as the act printed. Where
something of that does not fit, nobody can tell whose the answer was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tetraproof.answer import Undecided, Unknown
from tetraproof.events import api
from tetraproof.events.argument import sockets
from tetraproof.events.event import Event
from tetraproof.observing.observation import Done, Observed, of_policy
from tetraproof.policies.binding import PodBinding
from tetraproof.text import safe
from tetraproof.verdict import Verdict

_SENDING = "tcp_sendmsg"


class Peer(NamedTuple):
    """One end of a connection."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{safe(self.address)}:{self.port}"


def peer_of(done: Done, observed: Observed, client: str, server: str, said: str = "") -> Peer:
    """The act's end of its one connection to the workload `server`, as that one sees it.

    `client` is the workload that was acted in, `said` the address that the server says it sees, where it was asked.
    Raises `Undecided` where it cannot be told.
    """
    own = _own_end(done, observed, client, server)
    told = list(_answers(done, observed, server))
    ends = {end for _, end in told}
    if said == own.address or not ends:
        return own  # nothing is rewritten here, or nothing was told
    if any(end.address == own.address for end in ends) and not said:
        return own
    pods = {pod.ip for pods in observed.bindings.workloads.values() for pod in pods}
    if all(end.address in pods - {own.address} for end in ends):
        return own  # to somebody else, and nothing else can be meant
    believed = (said,) if said else observed.hosts.get(done.timeline.node, ())
    rewritten = {end for end in ends if end.port == own.port and end.address in believed}
    if len(rewritten) != 1:
        others = ", ".join(sorted(map(str, ends)))
        word = f", and says that it sees {safe(said)}" if said else ""
        raise _undecided(f"{server} answered {others}{word}: whether the cluster rewrote {own} to that cannot be told")
    (end,) = rewritten
    sent = sum(_size(event) for event, to in told if to == end)
    printed = len(done.performed.outcome.output.encode())
    if sent < printed:
        raise _undecided(
            f"{server} sent {end} {sent} bytes, and {printed} were printed: whether that is the answer cannot be told"
        )
    return end


def _own_end(done: Done, observed: Observed, client: str, server: str) -> Peer:
    """The act's own word on its end of the connection."""
    pods = observed.bindings.workloads.get(client, ())
    acted_in = f"{done.performed.namespace}/{done.performed.pod}"
    own = next((pod.ip for pod in pods if str(pod) == acted_in and pod.ip), "")
    if not own:
        raise Undecided(Unknown(Verdict.UNRECORDED, f"{client}.ip is bound to nothing here"))
    reached = {pod.ip for pod in _pods(observed, server)} | {observed.bindings.services.get(server, "")}
    ports = {
        sock.sport
        for event in done.timeline.own
        if of_policy(event, observed.applied)
        for sock in _sockets(event)
        if sock.saddr == own and sock.daddr in reached and sock.sport
    }
    if len(ports) != 1:
        told = done.timeline.open or f"its own events tell of {len(ports)} connections to {server}, not of one"
        raise _undecided(told)
    return Peer(own, ports.pop())


def _answers(done: Done, observed: Observed, server: str) -> Iterator[tuple[Event, Peer]]:
    """What the server's events tell of connections that it accepted meanwhile: each event with the other end."""
    pods = {str(pod): pod.ip for pod in _pods(observed, server)}

    def matters(event: Event) -> bool:
        return event.pod in pods and any(sock.saddr == pods[event.pod] for sock in _sockets(event))

    for event in done.timeline.surroundings(f"connections of {server}", matters):
        if matters(event) and of_policy(event, observed.applied):
            yield from (
                (event, Peer(sock.daddr, sock.dport)) for sock in _sockets(event) if sock.saddr == pods[event.pod]
            )


def _pods(observed: Observed, workload: str) -> Sequence[PodBinding]:
    return [pod for pod in observed.bindings.workloads.get(workload, ()) if pod.ip]


def _sockets(event: Event) -> Iterator[api.KprobeSock]:
    return sockets(event.detail.args) if event.kind == "kprobe" else iter(())


def _size(event: Event) -> int:
    """The bytes that an event says were sent."""
    if event.detail.function_name != _SENDING:
        return 0
    return sum(size for one in event.detail.args if (size := one.int_arg or one.size_arg) is not None)


def _undecided(reason: str) -> Undecided:
    return Undecided(Unknown(Verdict.INCONCLUSIVE, reason))
