"""Why a test failed, for a person: the timeline, the nearest miss field by field.

The first line stands alone; whoever reports adds the line that reproduces it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tetraproof.events.event import Event
from tetraproof.judging.pattern import Field, Found
from tetraproof.observing.lifecycle import exit_of
from tetraproof.observing.timeline import Entry, Performed, Timeline
from tetraproof.tetra.subject import subject
from tetraproof.text import command_line, safe, shorten

#: More events than this are cut in the middle: the nearest miss and the ends are what is read.
MOST_EVENTS = 40
_WIDTH = 100


def of_act(
    headline: str,
    performed: Performed,
    timeline: Timeline,
    found: Found | None = None,
    events: Sequence[Event] = (),
) -> str:
    """The whole message: `headline`, the act's timeline, and what came nearest."""
    marked = {id(events[at].line): "✓" for at in found.events} if found else {}
    if found and found.nearest:
        marked[id(events[found.nearest[0]].line)] = "≈"
    lines = [headline, *(f"  {line}" for line in _timeline(performed, timeline, marked))]
    if found and found.nearest:
        at, fields = found.nearest
        offset = next((entry.offset for entry in timeline.whole if entry.event is events[at]), 0.0)
        lines += [f"  nearest miss {offset:+.3f}", *(f"    {line}" for line in _fields(fields))]
    return "\n".join(lines)


def how_it_ended(performed: Performed, timeline: Timeline) -> str:
    """The outcome in a clause: what the one who asked saw, and what the agent says of it."""
    told = exit_of(timeline)
    heard = "the agent tells no exit of it" if told is None else f"the agent tells {safe(told.signal or told.status)}"
    said = shorten(performed.outcome.output.strip() or performed.outcome.complaint.strip(), 60)
    return f"{safe(performed.outcome)}; {heard}" + (f"; it said “{said}”" if said else "")


def what_happened(event: Event) -> str:
    """One event in a few words, without its kind: who, what, and how it went."""
    detail, process = event.detail, event.process
    if event.kind == "exec":
        return f"{process.binary} {process.arguments}".rstrip()
    if event.kind == "exit":
        return f"{process.binary}  {detail.signal or detail.status}"
    return "  ".join(filter(None, (subject(event), _action(event), process.binary)))


def _action(event: Event) -> str:
    if event.could_not_read("action"):
        return "action not readable"
    return str(getattr(event.detail, "action", "")).removeprefix("KPROBE_ACTION_")


def _timeline(performed: Performed, timeline: Timeline, marked: dict[int, str]) -> Iterator[str]:
    heard = safe(timeline.open or "stream alive to the end")
    more = f" and {timeline.others.count} of others" if timeline.others.count else ""
    yield (
        f"timeline   node {safe(timeline.node) or '?'} · window {timeline.seconds:.2f} s · "
        f"{len(timeline.whole)} events{more} · {heard}"
    )
    argv = shorten(command_line(performed.argv), _WIDTH)
    yield f"  ▸ act {safe(performed.id)}   {argv}   in {safe(performed.namespace)}/{safe(performed.pod)}"
    yield f"    {'':9} ended    {safe(performed.outcome)}"
    for entry in _cut(timeline.whole):
        if entry is None:
            yield f"    {'':9} …        {len(timeline.whole) - MOST_EVENTS} events more"
            continue
        mark = marked.get(id(entry.event.line), " " if entry.own else "?" if entry.stray else "·")
        told = shorten(what_happened(entry.event), _WIDTH)
        yield f"    {entry.offset:+8.3f} {mark} {safe(entry.event.kind):8} {told}"
    if not timeline.open:
        yield f"    {'':8} ▪ sentinel"


def _cut(entries: Sequence[Entry]) -> Iterator[Entry | None]:
    if len(entries) <= MOST_EVENTS:
        yield from entries
        return
    half = MOST_EVENTS // 2
    yield from entries[:half]
    yield None
    yield from entries[-half:]


def _fields(fields: Sequence[Field]) -> Iterator[str]:
    width = max(len(field.name) for field in fields)
    for field in fields:
        actual = shorten(field.actual, 60)
        if field.matches:
            yield f"{field.name:{width}}  {actual}  ✓"
        elif field.doubt:
            yield f"{field.name:{width}}  {actual}  ? expected {shorten(field.expected, 60)}, and {safe(field.doubt)}"
        else:
            yield f"{field.name:{width}}  {actual}  ✗ expected {shorten(field.expected, 60)}"
