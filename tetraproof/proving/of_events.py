"""Damages to the events of an act: dropped, doubled, altered, told of another process, or unreadable in one value.

Not every value of every exec and exit is made unreadable: of these, each event gets a
few, in turn, so that every value has its share and a proof takes minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from tetraproof.events.event import Event
from tetraproof.observing.timeline import END
from tetraproof.proving.damage import Change, Damage, Json, Scene, altered, body_of, in_body, in_process

#: An address of TEST-NET-2 (RFC 5737), which no recorded event holds.
ELSEWHERE = "198.51.100.7"
#: An action that no released agent has.
NEWER_ACTION = 99
#: What stands for a value that cannot be read: no field of Tetragon's API is a list of lists.
ODD: list[list[str]] = [["odd"]]
#: Of how many values of an exec or exit one is made unreadable, and of how many contradictions one is told.
_EVERY_THIRD = 3
_EVERY_OTHER = 2

Alter = Callable[[Json], None]


def damages(scene: Scene) -> Iterator[Damage]:
    """Every damage to what is told of each act."""
    for act, done in scene.done:
        own = done.timeline.own
        for event in own:
            yield from _to_the_line(scene, act, event)
            yield from _altered(scene, act, event)
            yield from _contradicted(scene, act, event)
            if sum(bool(one.detail == event.detail) for one in own) == 1:  # an equal one tells the same
                yield from _unread(scene, act, event)
        yield from _swapped(scene, act, own)
        if own:
            yield _from_another_node(scene, act, own)
    yield from _cut(scene)


def told(event: Event) -> str:
    """What an event is called in the name of a damage."""
    return f"{event.kind} event of {event.process.binary}"


def _to_the_line(scene: Scene, act: str, event: Event) -> Iterator[Damage]:
    at = scene.at(event)
    for kind, change in (
        ("event dropped", _drop(at)),
        ("event duplicated", _duplicate(at)),
        ("event delayed past the window", _delay(at)),
    ):
        yield Damage(kind, act, told(event), scene.stream(change), event=event)
    yield Damage("event of an unknown kind", act, told(event), scene.event(event, _newer_kind), event=event)


def _altered(scene: Scene, act: str, event: Event) -> Iterator[Damage]:
    for kind, alter in _alterations(event):
        yield Damage(kind, act, told(event), scene.event(event, alter), event=event)


def _alterations(event: Event) -> Iterator[tuple[str, Alter]]:
    process = event.process
    yield "binary altered", in_process(lambda told: told.update(binary=process.binary + "x"))
    if process.pod and _tells_its_pod(event):
        renamed = process.pod.name + "-x"
        yield "pod altered", in_process(lambda told: told["pod"].update(name=renamed))
    elif process.docker:  # an agent without Kubernetes tells the container, and no pod
        yield "container altered", in_process(lambda told: told.update(docker="e" * 31))
    if event.kind == "exit":
        yield "exit code altered", in_body(_other_exit)
    if event.kind == "kprobe":
        yield "action altered", in_body(_other_action)
        for argument in body_of(event.json()).get("args", ()):
            if "file_arg" in argument:
                yield "path altered", in_body(_other_path)
            if "sock_arg" in argument:
                yield "address altered", in_body(lambda body: _argument(body, "sock_arg").update(daddr=ELSEWHERE))
                yield "address altered", in_body(lambda body: _argument(body, "sock_arg").update(saddr=ELSEWHERE))


def _contradicted(scene: Scene, act: str, event: Event) -> Iterator[Damage]:
    """The event is told of somebody else than its process's other events are."""
    process = event.process
    ways: list[tuple[str, Alter]] = [("event from another node", lambda whole: whole.update(node_name="elsewhere"))]
    if process.uid is not None:
        ways.append(("event of another user", in_process(lambda told: told.update(uid=4711))))
    if process.pod and _tells_its_pod(event):
        namespace = process.pod.namespace + "-x"
        ways.append(("event of another namespace", in_process(lambda told: told["pod"].update(namespace=namespace))))
        if process.pod.container:
            ways.append(("event of another container", in_process(_other_container)))
    for at, (kind, alter) in enumerate(ways):
        # an exit that is told of somebody else is as one of the exec is, so they share them
        if event.kind == "kprobe" or at % _EVERY_OTHER == scene.at(event) % _EVERY_OTHER:
            yield Damage(kind, act, told(event), scene.event(event, alter), event=event)


def _from_another_node(scene: Scene, act: str, own: Sequence[Event]) -> Damage:
    moves = [altered(scene.at(event), lambda whole: whole.update(node_name="elsewhere")) for event in own]

    def change(lines: list[bytes]) -> None:
        for move in moves:
            move(lines)

    return Damage("every event from another node", act, f"{len(own)} events", scene.stream(change))


def _unread(scene: Scene, act: str, event: Event) -> Iterator[Damage]:
    for at, (field, alter) in enumerate(_unreadable(event)):
        if event.kind == "kprobe" or at % _EVERY_THIRD == scene.at(event) % _EVERY_THIRD:
            what = f"{field} of the {told(event)}"
            apply = scene.event(event, alter)
            # without a node, an event may be anybody's
            about = "" if field == "node_name" else act
            yield Damage("a value that cannot be read", about, what, apply, event=event, field=field, veils=True)


def _unreadable(event: Event) -> Iterator[tuple[str, Alter]]:
    yield "process", in_body(lambda body: body.pop("process"))
    yield "node_name", lambda whole: _forget(whole, "node_name")
    if "time" in event.json():  # a loader event has none
        yield "time", lambda whole: _forget(whole, "time")
    yield "process.exec_id", in_process(lambda told: told.update(exec_id=ODD))
    yield "process.pid", in_process(lambda told: told.update(pid="many"))
    yield "process.binary", in_process(lambda told: told.update(binary=ODD))
    if _tells_its_pod(event):
        yield "process.pod", in_process(lambda told: told.update(pod="a pod"))
    if event.kind == "exit":
        yield "signal", in_body(lambda body: body.update(signal=9.5))
        yield "status", in_body(lambda body: body.update(status="well"))
    if event.kind == "kprobe":
        yield "action", in_body(lambda body: body.update(action=NEWER_ACTION))
        yield "function_name", in_body(lambda body: body.update(function_name=ODD))
        yield "policy_name", in_body(lambda body: body.update(policy_name=ODD))
        # of a hook that reads no argument nothing can be asked of any
        if arguments := body_of(event.json()).get("args"):
            yield "args", in_body(lambda body: body.update(args="some"))
            last = len(arguments) - 1
            yield f"args.{last}", in_body(lambda body: _form_of_a_newer_agent(body["args"]))


def _form_of_a_newer_agent(arguments: list[Any]) -> None:
    arguments[-1] = {"newer_arg": next(iter(arguments[-1].values()))}


def _newer_kind(whole: Json) -> None:
    field = next(name for name in whole if name.startswith("process_"))
    whole["process_new"] = whole.pop(field)


def _forget(whole: Json, field: str) -> None:
    whole.pop(field)


def _swapped(scene: Scene, act: str, own: Sequence[Event]) -> Iterator[Damage]:
    for first, second in pairwise(own):
        what = f"{first.kind} of {first.process.binary} and {second.kind} of {second.process.binary}"
        swap = scene.stream(_swap(scene.at(first), scene.at(second)))
        if _related(first, second):
            yield Damage("two events swapped", act, what, swap, event=first)
        else:
            yield Damage("unrelated events reordered", act, what, swap, harmless=True, event=first)


def _related(first: Event, second: Event) -> bool:
    """Whether the order of two events means something: one process, or one that started the other."""
    one, other = first.process, second.process
    if one.pid == other.pid:
        return True
    return first.kind == "exec" and other.parent_exec_id == one.exec_id


def _cut(scene: Scene) -> Iterator[Damage]:
    order = scene.observed.stream
    # what comes behind the end sentinel nobody waits for
    ended = [at for at, event in enumerate(order) if event.process.arguments.startswith(END)]
    order = order[: ended[-1] + 1] if ended else order
    if not order:
        return
    last = order[-1].process.exec_id
    before_last = next(at for at, event in enumerate(order) if event.process.exec_id == last)
    for at, where in ((before_last, "before its last process"), (len(order) // 2, "in the middle")):
        yield Damage("stream cut", "", where, scene.stream(_cut_at(at)), deaf=True)


# changes to lines


def _cut_at(at: int) -> Change:
    def change(lines: list[bytes]) -> None:
        del lines[at:]

    return change


def _drop(at: int) -> Change:
    def change(lines: list[bytes]) -> None:
        del lines[at]

    return change


def _duplicate(at: int) -> Change:
    return lambda lines: lines.insert(at, lines[at])


def _delay(at: int) -> Change:
    return lambda lines: lines.append(lines.pop(at))


def _swap(first: int, second: int) -> Change:
    def change(lines: list[bytes]) -> None:
        lines[first], lines[second] = lines[second], lines[first]

    return change


# changes to what an event says


def _other_exit(body: Json) -> None:
    if body.pop("signal", None) is None:
        body["status"] = body.get("status", 0) + 1


def _other_action(body: Json) -> None:
    body["action"] = "KPROBE_ACTION_SIGKILL" if body["action"].endswith("POST") else "KPROBE_ACTION_POST"


def _other_path(body: Json) -> None:
    file = _argument(body, "file_arg")
    file["path"] = "/x" + file.get("path", "")


def _argument(body: Json, form: str) -> Json:
    found: Json = next(argument[form] for argument in body["args"] if form in argument)
    return found


def _tells_its_pod(event: Event) -> bool:
    """Whether the agent itself names the pod; where it knows none, a reader takes it from the container."""
    return bool(body_of(event.json())["process"].get("pod"))


def _other_container(told: Json) -> None:
    told["pod"]["container"]["id"] = "containerd://" + "e" * 64
    told["docker"] = "e" * 31
