"""Whom the other side of a connection answered: the act's pod, a node in its place, or somebody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from tests.builders import NODE, Proc, execs, exits, hooked, performed, run_of, started
from tetraproof.answer import Judgement, Unknown, judge
from tetraproof.events.event import Event
from tetraproof.judging.scenario import Run
from tetraproof.observing.observation import Done
from tetraproof.observing.peer import Peer
from tetraproof.policies.binding import Bindings, PodBinding
from tetraproof.suite import AllOf, Kprobe, command, look
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


def judged(run: Run, *, by_its_word: bool = False) -> Judgement:
    """What comes of the promise that the answer is reported."""

    def body() -> None:
        address, port = run.it.as_seen_by("star", run.asked if by_its_word else None)
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


ASK = look(command("curl", "star/peer", pod="ship"))


def witnessed(said: str, told: list[Event], exit_code: int = 0) -> Run:
    """The same, with an act after it that asked the server as whom it sees the ship."""
    run = seen(asking(), told)
    act = performed(*ASK.argv, stdout=f"{said}\n", exit_code=exit_code, pod="galaxy/ship", id="asked")
    done = Done(act, replace(cast("Done", run.observed.acts["it"]).timeline, act="asked"))
    observed = replace(run.observed, acts={**run.observed.acts, "asked": done})
    return Run(observed, (*run.declared, replace(ASK, name="asked")))


@pytest.mark.parametrize(
    ("said", "told", "expected"),
    [
        (SHIP, answering(), C),
        # nothing is rewritten here, so an answer to the node is none to the ship
        (SHIP, answering(BRIDGE), V),
        (BRIDGE, answering(BRIDGE), C),
        # by its word the cluster rewrites to what is no node's; any other is not believed
        (OUTSIDE, answering(OUTSIDE), C),
        (OUTSIDE, answering(BRIDGE), I),
        (OUTSIDE, answering(OUTSIDE, PORT + 1), I),
        (OUTSIDE, answering(OUTSIDE, size=3), I),
        (BRIDGE, answering("10.0.2.15"), I),
        (BRIDGE, answering(), I),
        (BRIDGE, answering(OTHER), V),
        (OTHER, answering(OTHER), V),
        (BRIDGE, [], V),
        ("Ship landed", answering(), I),
    ],
)
def test_the_servers_own_word_outweighs_what_a_cluster_may_do(said: str, told: list[Event], expected: Verdict) -> None:
    """The address that it says it sees is the one that is believed, where all else fits."""
    assert judged(witnessed(said, told), by_its_word=True).verdict is expected


def test_a_server_that_was_not_heard_vouches_for_nothing() -> None:
    """An act that failed decides nothing; one that an older recording has not leaves it to the events."""
    failed = judged(witnessed(SHIP, answering(), exit_code=7), by_its_word=True)
    assert (failed.verdict, failed.reason) == (I, "act asked printed no address (exit 7)")
    for verdict, expected in ((Verdict.UNRECORDED, C), (I, I)):
        run = witnessed(SHIP, answering(BRIDGE))
        lack = {**run.observed.acts, "asked": Unknown(verdict, "it was not performed")}
        assert judged(Run(replace(run.observed, acts=lack), run.declared), by_its_word=True).verdict is expected


def test_what_others_do_meanwhile_is_not_the_answer() -> None:
    """Somebody else's connection to the same server, as a probe's, stands beside it."""
    probe = answering(BRIDGE, 40000)
    assert judged(seen(asking(), probe, answering(BRIDGE))).verdict is C
    assert judged(seen(asking(), probe, answering())).verdict is C
    assert judged(seen(asking(), probe)).verdict is I
