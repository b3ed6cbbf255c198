"""What an agent lost while it listened, by its own metrics.

Read before and after a scenario; only what grew in between counts. The names
differ by version, so families are told by what they end on. An agent whose
metrics lose nothing can still fall behind: events that came out of the ring
and were not handed on yet are a backlog, and a growing one hides events just as
well (recorded: a stream that fed itself, with every loss counter at 0).

A counter says that nothing was lost only where it is there on both sides and reads as
a number that did not fall. All else leaves it open, and `unread` says why.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

from prometheus_client.parser import text_string_to_metric_families

from tetraproof.errors import RecordingError
from tetraproof.text import safe, shorten

#: Families that count what never reached the stream. The export's own rate limit is not among them.
LOSSES = (
    "tetragon_observer_ringbuf_events_lost",
    "tetragon_observer_ringbuf_queue_events_lost",
    "tetragon_observer_ringbuf_errors",
    # of Tetragon 1.1 and before
    "tetragon_ringbuf_perf_event_lost",
    "tetragon_ringbuf_perf_event_errors",
    "tetragon_ringbuf_queue_lost",
    "tetragon_missed_events",
    "tetragon_missed_link_probes",
    "tetragon_missed_prog_probes",
    "tetragon_bpf_missed_events",
    # dropped for a listener that is too slow: which one is not told, so it may be ours
    "tetragon_notify_overflowed_events",
)
_RECEIVED = ("tetragon_observer_ringbuf_events_received", "tetragon_ringbuf_perf_event_received")
_HANDED_ON = ("tetragon_observer_ringbuf_queue_events_received", "tetragon_ringbuf_queue_received")
#: What every agent counts from its start on, by each of its names: where one is missing, not all was read.
_NEEDED = (
    ("tetragon_observer_ringbuf_events_lost", "tetragon_ringbuf_perf_event_lost"),
    ("tetragon_observer_ringbuf_queue_events_lost", "tetragon_ringbuf_queue_lost"),
    _RECEIVED,
    _HANDED_ON,
)
#: When the agent's process was started, in seconds since 1970.
_STARTED = "process_start_time_seconds"
_RESTARTED = "the agent restarted meanwhile"
_POSTED = "tetragon_policy_events"
#: Families that nothing here reads, and the Prometheus rules of manifests/alerts/ do.
_WATCHED = (
    "tetragon_tracingpolicy_loaded",
    "tetragon_export_ratelimit_events_dropped",
)
_COUNTED = (*LOSSES, *_RECEIVED, *_HANDED_ON)
#: The two counts are not read at one instant, so a backlog counts only beyond this share of what was received …
_BACKLOG_SHARE = 0.05
#: … and beyond this number of events.
_BACKLOG_EVENTS = 100

Sample = tuple[str, tuple[tuple[str, str], ...]]


@lru_cache(maxsize=32)  # one reading is asked for losses, for what it lacks and for a policy's events
def samples(text: str) -> Mapping[Sample, float]:
    """All samples of a Prometheus exposition, by family (without `_total`) and labels. Raises `RecordingError`."""
    told: dict[Sample, float] = {}
    try:
        for family in text_string_to_metric_families(text):
            for one in family.samples:
                sample = one.name.removesuffix("_total"), tuple(sorted(one.labels.items()))
                if told.setdefault(sample, one.value) != one.value and not math.isnan(one.value):
                    raise _unreadable(f"{_shown(sample)} is told twice, as {told[sample]:g} and as {one.value:g}")
    except (ValueError, IndexError, KeyError) as error:
        raise _unreadable(shorten(error, 80) or "a line is no sample") from error
    return told


def lost(before: str, after: str) -> str:
    """What was lost between two readings, or why that cannot be said, in a clause; nothing where nothing was."""
    why = unread(before, after)
    if why.startswith(_RESTARTED):
        return why  # what fell in between counts for nothing
    earlier, later = _readable(before), _readable(after)
    return "; ".join(_lost(earlier, later) if earlier and later else ()) or why


def unread(before: str, after: str) -> str:
    """Why a loss between two readings cannot be excluded, in a clause; nothing where it can be told.

    A reading is missing or no exposition, a counter that every agent has is not in it, one that was there is gone,
    fell, or is no number.
    """
    readings = []
    for moment, text in (("before the acts", before), ("after them", after)):
        if not text.strip():
            return f"no metrics were read {moment}, so a loss of events would not be seen"
        try:
            told = samples(text)
        except RecordingError as error:
            return f"{moment} the agent's {error.sentence.removesuffix('.')}, so a loss of events would not be seen"
        fault = _fault(told)
        if fault:
            return f"{moment} {fault}, so a loss of events would not be seen"
        readings.append(told)
    return _broken(*readings)


def stood_still(before: str, after: str) -> str:
    """Why two readings are none of a time in which events came, in a clause; nothing where they may be."""
    try:
        earlier, later = samples(before), samples(after)
    except RecordingError:
        return ""  # `unread` says so
    if any(sample[0] in _RECEIVED for sample in later) and _grown(_RECEIVED, earlier, later) <= 0:
        return (
            "the agent counted no event from its ring while the stream has some, so its counters are not of that time"
        )
    return ""


def posted(before: str, after: str, policy: str) -> dict[str, int]:
    """How many events of `policy` the agent counted between two readings, by binary. Raises `RecordingError`."""
    earlier = samples(before)
    counts: dict[str, int] = {}
    for sample, value in samples(after).items():
        labels = dict(sample[1])
        if sample[0] == _POSTED and labels.get("policy") == policy:
            binary, was = labels.get("binary", ""), earlier.get(sample, 0.0)
            if not 0 <= was <= value < math.inf:  # neither is NaN
                raise _unreadable(f"{_shown(sample)} is no count, or fell")
            counts[binary] = counts.get(binary, 0) + int(value - was)
    return {binary: count for binary, count in counts.items() if count > 0}


def keep(line: str, policy: str) -> bool:
    """Whether a line of an exposition is one that is read here, for a scenario of `policy`."""
    if 'policy="' in line and 'policy="__base__"' not in line and f'policy="{policy}"' not in line:
        return False
    if line.startswith(_POSTED):
        return f'policy="{policy}"' in line
    return line.startswith((*LOSSES, *_RECEIVED, *_HANDED_ON, *_WATCHED, _STARTED))


def _lost(before: Mapping[Sample, float], after: Mapping[Sample, float]) -> Iterator[str]:
    for sample, value in after.items():
        grown = value - before.get(sample, 0.0)
        if sample[0] in LOSSES and 0 < grown < math.inf:
            yield f"the agent lost {grown:.0f} ({_shown(sample)})"
    received, handed_on = (_grown(names, before, after) for names in (_RECEIVED, _HANDED_ON))
    if math.inf > received - handed_on > max(_BACKLOG_EVENTS, _BACKLOG_SHARE * received):
        yield f"the agent fell behind: of {received:.0f} events from the ring {handed_on:.0f} were handed on"


def _readable(text: str) -> Mapping[Sample, float]:
    try:
        return samples(text)
    except RecordingError:
        return {}


def _fault(told: Mapping[Sample, float]) -> str:
    """What is wrong with one reading, in a clause."""
    names = {sample[0] for sample in told}
    for group in _NEEDED:
        if not names.intersection(group):
            return f"the agent's metrics lack {group[0]}"
    for sample, value in told.items():
        if sample[0] in _COUNTED and not 0 <= value < math.inf:  # neither is NaN
            return f"the agent's {_shown(sample)} is {value:g}, and no count"
    return ""


def _broken(before: Mapping[Sample, float], after: Mapping[Sample, float]) -> str:
    """Why two readings are not of one life of the agent, in a clause."""
    if any(after.get(sample, value) != value for sample, value in before.items() if sample[0] == _STARTED):
        return f"{_RESTARTED}: its process is another"
    for sample, value in before.items():
        if sample[0] in _COUNTED and after.get(sample, value) < value:
            return f"{_RESTARTED}: its counters fell ({_shown(sample)})"
    gone = next((sample for sample in before if sample[0] in _COUNTED and sample not in after), None)
    return f"the agent's {_shown(gone)} is gone after the acts, so a loss of events would not be seen" if gone else ""


def _shown(sample: Sample) -> str:
    labels = ", ".join(f"{key}={text}" for key, text in sample[1])
    return safe(f"{sample[0]}{f' {labels}' if labels else ''}")


def _unreadable(why: str) -> RecordingError:
    return RecordingError(
        f"metrics cannot be read: {why}.", remedy="record them again, as the agent's /metrics has them"
    )


def _grown(names: tuple[str, ...], before: Mapping[Sample, float], after: Mapping[Sample, float]) -> float:
    return sum(value - before.get(sample, 0.0) for sample, value in after.items() if sample[0] in names)
