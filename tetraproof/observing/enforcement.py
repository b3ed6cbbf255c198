"""What the agent says that it did to an act, and how the act and what it started ended.

An event is what the agent says, not what happened; so whoever asks whether an act was
left alone asks both: no hook of the policy tells of an enforcement, and nothing that the
act started was ended by a signal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tetraproof.events.event import Event
from tetraproof.observing.timeline import Timeline

_PREFIX = "KPROBE_ACTION_"
#: Actions that change what becomes of the process or its call.
ENFORCING = frozenset({"SIGKILL", "OVERRIDE", "SIGNAL", "NOTIFYENFORCER", "SET"})
#: Actions that change nothing for it.
OBSERVING = frozenset(
    {
        "",
        "UNKNOWN",
        "POST",
        "NOPOST",
        "FOLLOWFD",
        "UNFOLLOWFD",
        "COPYFD",
        "GETURL",
        "DNSLOOKUP",
        "TRACKSOCK",
        "UNTRACKSOCK",
        "CLEANUPENFORCERNOTIFICATION",
    }
)
#: A writer whose reader has gone ends by this signal, and nobody enforced anything.
_ORDINARY = frozenset({"SIGPIPE"})


@dataclass(frozen=True)
class Told:
    """Something that speaks against an act having been left alone; `doubtful` where it may, and may not."""

    text: str
    doubtful: bool = False


def enforces(action: str) -> bool:
    """Whether an action, as an event tells it, changes what becomes of the process or its call."""
    return action.removeprefix(_PREFIX) in ENFORCING


def enforced(event: Event) -> Told | None:
    """What an event says was enforced, or may have been: its action may not be readable, or not be known here."""
    if event.could_not_read("action", "return_action"):
        return Told(f"the action of a {event.kind} event cannot be read", doubtful=True)
    for field in ("action", "return_action"):
        detail = event.detail
        said = detail.get(field) if isinstance(detail, dict) else getattr(detail, field, "")
        action = said.removeprefix(_PREFIX) if isinstance(said, str) else str(said)
        if action in ENFORCING:
            return Told(f"{action} is told of {event.process.binary or 'it'} ({event.kind} event)")
        if action not in OBSERVING and said is not None:
            return Told(f"{action}, an action that is not known here, is told of it", doubtful=True)
    return None


def against(timeline: Timeline, mine: Callable[[Event], bool | None], *, monitored: bool) -> Iterator[Told]:
    """Whatever speaks against an act having been left alone by the policy whose events are `mine` (or nobody can say).

    Where the policy only monitors, an action in an event tells what would have been done.
    """
    for entry in timeline.whole:
        whose = mine(entry.event)
        told = enforced(entry.event) if (entry.own or entry.stray) and whose is not False and not monitored else None
        if told is not None:
            yield Told(told.text, doubtful=told.doubtful or entry.stray or whose is None)
    yield from _ended_by_signal(timeline.own)


def failed(events: Sequence[Event]) -> Iterator[Told]:
    """The processes that ended with another exit code than 0."""
    for event in events:
        if event.kind == "exit" and not event.detail.signal and event.detail.status:
            yield Told(f"{event.process.binary} ended with exit {event.detail.status}")


def _ended_by_signal(events: Sequence[Event]) -> Iterator[Told]:
    for event in events:
        if event.kind != "exit":
            continue
        if event.could_not_read("signal"):
            yield Told(f"how {event.process.binary} ended cannot be read", doubtful=True)
        elif event.detail.signal and event.detail.signal not in _ORDINARY:
            yield Told(f"{event.detail.signal} ended {event.process.binary}")
