"""Damages to what the other side tells of an act's connection: its answer missing, or given to or by somebody else.

Each is a lie that is told consistently, in every event of the answer. That an answer goes to
the act's own node is one only where another act printed as whom the other side sees it:
where a cluster rewrites addresses that is what is seen, and no event tells whether it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tetraproof.events import api
from tetraproof.events.argument import sockets
from tetraproof.events.event import Event
from tetraproof.observing.observation import Done, of_policy
from tetraproof.proving.damage import Apply, Damage, Json, Scene, in_body, in_process, together
from tetraproof.proving.of_events import ELSEWHERE


def damages(scene: Scene) -> Iterator[Damage]:
    """Every damage to the answers that acts got."""
    for act, done in scene.done:
        answer = answers(scene, act)
        if not answer:
            continue
        what = f"{len(answer)} events of {answer[0].process.binary}"
        functions = dict.fromkeys(event.detail.function_name for event in answer)
        for gone in functions if len(functions) > 1 else ():
            some = [event for event in answer if event.detail.function_name == gone]
            yield Damage("the answer in part dropped", act, gone, _dropped(scene, some), answer=True)
        for kind, apply in (("the answer dropped", _dropped(scene, answer)), *_elsewhere(scene, done, answer)):
            yield Damage(kind, act, what, apply, answer=True)


def answers(scene: Scene, act: str) -> list[Event]:
    """What bystanders tell of a connection to one of an act's own ports."""
    done = scene.observed.acts[act]
    if not isinstance(done, Done):
        return []
    ports = {sock.sport for event in done.timeline.own for sock in _sockets(event) if sock.sport}
    mine = [event for event in done.timeline.bystanders if of_policy(event, scene.observed.applied)]
    return [event for event in mine if any(sock.dport in ports for sock in _sockets(event))]


def redirected(scene: Scene, answer: Sequence[Event], **ends: str) -> Apply:
    """The answer, with another address at one of its ends."""

    def change(body: Json) -> None:
        for one in body["args"]:
            one.get("sock_arg", {}).update(ends)

    return _each(scene, answer, in_body(change))


def _elsewhere(scene: Scene, done: Done, answer: Sequence[Event]) -> Iterator[tuple[str, Apply]]:
    yield "the answer goes elsewhere", redirected(scene, answer, daddr=ELSEWHERE)
    yield "the answer comes from elsewhere", redirected(scene, answer, saddr=ELSEWHERE)
    own = {sock.saddr for event in done.timeline.own for sock in _sockets(event)}
    node = next(iter(scene.observed.hosts.get(done.timeline.node, ())), "")
    if node and own & _printed(scene):
        yield "the answer goes to the act's own node", redirected(scene, answer, daddr=node)
    yield "the answer goes to another port", _each(scene, answer, in_body(_to_the_next_port))
    parties = {f"{done.performed.namespace}/{done.performed.pod}", answer[0].pod}
    pods = [pod for pods in scene.observed.bindings.workloads.values() for pod in pods]
    other = next((pod for pod in pods if pod.ip and str(pod) not in parties), None)
    if other is not None:
        named = {"namespace": other.namespace, "name": other.name}
        rename = in_process(lambda told: told.setdefault("pod", {}).update(named))
        yield "the answer goes to another pod", redirected(scene, answer, daddr=other.ip)
        yield "another pod answers", _each(scene, answer, rename)


def _printed(scene: Scene) -> set[str]:
    """What acts printed that is one word, as an address is."""
    return {done.performed.outcome.output.strip() for _, done in scene.done}


def _sockets(event: Event) -> Iterator[api.KprobeSock]:
    return sockets(event.detail.args) if event.kind == "kprobe" else iter(())


def _each(scene: Scene, answer: Sequence[Event], alter: Callable[[Json], None]) -> Apply:
    return together(*(scene.event(event, alter) for event in answer))


def _to_the_next_port(body: Json) -> None:
    for one in body["args"]:
        if "sock_arg" in one:
            one["sock_arg"]["dport"] += 1


def _dropped(scene: Scene, events: Sequence[Event]) -> Apply:
    gone = {scene.at(event) for event in events}

    def change(lines: list[bytes]) -> None:
        lines[:] = [line for at, line in enumerate(lines) if at not in gone]

    return scene.stream(change)
