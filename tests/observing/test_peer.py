"""Whom the other side of a connection answered: the act's pod, a node in its place, or somebody else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import NODE, Proc, execs, exits, hooked, performed, run_of, started
from tetraproof.answer import Judgement, judge
from tetraproof.events.event import Event
from tetraproof.judging.scenario import Run
from tetraproof.observing.peer import Peer
from tetraproof.policies.binding import Bindings, PodBinding
from tetraproof.suite import AllOf, Kprobe, command
from tetraproof.verdict import Verdict

V, C, I = Verdict.VIOLATES, Verdict.CONFORMS, Verdict.INCONCLUSIVE  # noqa: E741 - columns of a table
SHIP, STAR, OTHER, SERVICE, BRIDGE, OUTSIDE = "10.0.0.5", "10.0.0.6", "10.0.0.8", "10.96.1.1", "10.0.0.1", "192.0.2.9"
PORT = 53690
ACT = command("curl", "star", pod="ship")
CURL = started(100, "/usr/bin/curl", "star", pod="galaxy/ship")
SERVER = started(50, "/usr/bin/python3", pod="galaxy/star")
STRANGER = started(60, "/usr/sbin/nginx", pod="default/nginx")
PRINTED = "Ship landed\n"


def sock(saddr: str, sport: int, daddr: str, dport: int) -> dict[str, Any]:
    return {"saddr": saddr, "sport": sport, "daddr": daddr, "dport": dport}


def called(process: Proc, function: str, ends: dict[str, Any], size: int | None = None) -> Event:
    args = [{"sock_arg": ends}, *([] if size is None else [{"int_arg": size}])]
    return hooked(process, function=function, action="POST", args=args)


def asking(port: int = PORT) -> list[Event]:
    return [called(CURL, name, sock(SHIP, port, SERVICE, 80)) for name in ("tcp_connect", "tcp_sendmsg")]


def answering(to: str = SHIP, port: int = PORT, size: int = 124, server: Proc = SERVER) -> list[Event]:
    """What a server tells of its answer; a closed socket has no port of its own any more."""
    sent = called(server, "tcp_sendmsg", sock(STAR, 80, to, port), size)
    return [sent, called(server, "tcp_close", sock(STAR, 0, to, port))]


def seen(*told: list[Event], hosts: tuple[str, ...] = ("10.0.2.15", BRIDGE), heard: bool = True, **more: Any) -> Run:
    """A run of one request, with what is told between its exec and its exit."""
    workloads = {
        "ship": (PodBinding("galaxy", "ship", SHIP, NODE),),
        "star": (PodBinding("galaxy", "star", STAR, NODE),),
        "nginx": (PodBinding("default", "nginx", OTHER, NODE),),
    }
    bound = more.pop("bindings", Bindings(workloads, {"star": SERVICE}))
    act = performed(*ACT.argv, stdout=PRINTED, pod="galaxy/ship", **more)
    events = [execs(CURL), *(event for part in told for event in part), exits(CURL)]
    return run_of({"it": (ACT, act)}, events, frame={"heard": heard}, bindings=bound, hosts={NODE: hosts})


def judged(run: Run) -> Judgement:
    """What comes of the promise that the answer is reported."""

    def body() -> None:
        address, port = run.it.as_seen_by("star")
        answer = {"daddr": address, "dport": port, "saddr": STAR, "pod": "galaxy/star"}
        sent, closed = (Kprobe(name, action="POST", **answer) for name in ("tcp_sendmsg", "tcp_close"))
        assert AllOf(sent, closed) in run.it.surroundings

    return judge(body)


def test_without_rewriting_it_is_the_pods_own() -> None:
    """The address and port that the act's own events tell."""
    assert seen(asking(), answering()).it.as_seen_by("star") == Peer(SHIP, PORT)
    assert judged(seen(asking(), answering())).verdict is C


@pytest.mark.parametrize("address", [BRIDGE, "10.0.2.15"])
def test_a_node_that_stands_in_is_believed_where_all_fits(address: str) -> None:
    """Its own address, the act's port, and as many bytes as were printed."""
    run = seen(asking(), answering(address))
    assert run.it.as_seen_by("star") == Peer(address, PORT)
    assert judged(run).verdict is C


@pytest.mark.parametrize(
    ("told", "expected", "why"),
    [
        (answering(OTHER), V, ""),
        ([], V, ""),
        (answering(SHIP, PORT + 1), V, ""),
        (answering(server=STRANGER), V, ""),
        (answering(BRIDGE)[:1], V, ""),
        (answering(BRIDGE)[1:], I, "star sent 10.0.0.1:53690 0 bytes, and 12 were printed"),
        ([*answering(BRIDGE)[:1], *answering(OTHER)[1:]], V, ""),
        (answering(BRIDGE, size=11), I, "star sent 10.0.0.1:53690 11 bytes, and 12 were printed"),
        (answering(BRIDGE, PORT + 1), I, "star answered 10.0.0.1:53691: whether the cluster rewrote 10.0.0.5:53690"),
        (answering(OUTSIDE), I, "star answered 192.0.2.9:53690: whether the cluster rewrote 10.0.0.5:53690"),
        ([*answering(BRIDGE), *answering("10.0.2.15")], I, "star answered 10.0.0.1:53690, 10.0.2.15:53690"),
    ],
)
def test_an_answer_to_anybody_else_never_conforms(told: list[Event], expected: Verdict, why: str) -> None:
    """To another pod, another port, by another pod, not closed, or not sent; where nobody can tell, that is said."""
    judgement = judged(seen(asking(), told))
    assert judgement.verdict is expected
    assert why in judgement.reason


@pytest.mark.parametrize(
    ("run", "expected", "why"),
    [
        # the node's addresses are not known, or another node's
        (seen(asking(), answering(BRIDGE), hosts=()), I, "whether the cluster rewrote"),
        # the act's own word is missing, or of two connections
        (seen(answering(BRIDGE)), I, "its own events tell of 0 connections to star, not of one"),
        (seen(asking(), asking(4711), answering(BRIDGE)), I, "its own events tell of 2 connections to star"),
        (seen(answering(BRIDGE), heard=False), I, "no sentinel was heard on node tetra-node after the acts"),
        (seen(asking(), heard=False), I, "no sentinel was heard on node tetra-node after the acts"),
        (seen(asking(), answering(), bindings=Bindings()), Verdict.UNRECORDED, "ship.ip is bound to nothing here"),
    ],
)
def test_what_is_not_known_leaves_it_undecided(run: Run, expected: Verdict, why: str) -> None:
    """It never decides it."""
    judgement = judged(run)
    assert judgement.verdict is expected
    assert why in judgement.reason


def test_what_others_do_meanwhile_is_not_the_answer() -> None:
    """Somebody else's connection to the same server, as a probe's, stands beside it."""
    probe = answering(BRIDGE, 40000)
    assert judged(seen(asking(), probe, answering(BRIDGE))).verdict is C
    assert judged(seen(asking(), probe, answering())).verdict is C
    assert judged(seen(asking(), probe)).verdict is I
