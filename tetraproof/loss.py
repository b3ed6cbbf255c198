"""What an agent lost while it listened, by its own metrics.

Read before and after a scenario; only what grew in between counts. The names
differ by version, so families are told by what they end on. An agent whose
metrics lose nothing can still fall behind: events that came out of the ring
and were not handed on yet are a backlog, and a growing one hides events just as
well (recorded: a stream that fed itself, with every loss counter at 0).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

from tetraproof.errors import RecordingError

#: Families that count what never reached the stream. The export's own rate limit is not among them.
LOSSES = (
    "tetragon_observer_ringbuf_events_lost",
    "tetragon_observer_ringbuf_queue_events_lost",
    "tetragon_observer_ringbuf_errors",
    "tetragon_ringbuf_perf_event_lost",
    "tetragon_ringbuf_queue_lost",
    "tetragon_missed_link_probes",
    "tetragon_missed_prog_probes",
    "tetragon_bpf_missed_events",
    # dropped for a listener that is too slow: which one is not told, so it may be ours
    "tetragon_notify_overflowed_events",
)
_RECEIVED = ("tetragon_observer_ringbuf_events_received", "tetragon_ringbuf_perf_event_received")
_HANDED_ON = ("tetragon_observer_ringbuf_queue_events_received", "tetragon_ringbuf_queue_received")
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


def samples(text: str) -> dict[Sample, float]:
    """All samples of a Prometheus exposition, by family (without `_total`) and labels. Raises `RecordingError`."""
    try:
        return {
            (sample.name.removesuffix("_total"), tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    except ValueError as error:
        raise RecordingError(
            f"metrics: {error}.", remedy="record them again, as the agent's /metrics has them"
        ) from error


def lost(before: str, after: str) -> str:
    """What was lost between two readings, in a clause; nothing where nothing was."""
    return "; ".join(_lost(samples(before), samples(after)))


def posted(before: str, after: str, policy: str) -> dict[str, int]:
    """How many events of `policy` the agent counted between two readings, by binary."""
    earlier = samples(before)
    counts: dict[str, int] = {}
    for sample, value in samples(after).items():
        labels = dict(sample[1])
        if sample[0] == _POSTED and labels.get("policy") == policy:
            binary = labels.get("binary", "")
            counts[binary] = counts.get(binary, 0) + int(value - earlier.get(sample, 0.0))
    return {binary: count for binary, count in counts.items() if count > 0}


def keep(line: str, policy: str) -> bool:
    """Whether a line of an exposition is one that is read here, for a scenario of `policy`."""
    if 'policy="' in line and 'policy="__base__"' not in line and f'policy="{policy}"' not in line:
        return False
    if line.startswith(_POSTED):
        return f'policy="{policy}"' in line
    return line.startswith((*LOSSES, *_RECEIVED, *_HANDED_ON, *_WATCHED))


def _lost(before: Mapping[Sample, float], after: Mapping[Sample, float]) -> Iterator[str]:
    if any(value < before.get(sample, 0.0) for sample, value in after.items() if sample[0] in _COUNTED):
        yield "the agent restarted meanwhile: its counters fell"
        return
    for sample, value in after.items():
        grown = value - before.get(sample, 0.0)
        if sample[0] in LOSSES and grown > 0:
            labels = ", ".join(f"{key}={text}" for key, text in sample[1])
            yield f"the agent lost {grown:.0f} ({sample[0]}{f' {labels}' if labels else ''})"
    received, handed_on = (_grown(names, before, after) for names in (_RECEIVED, _HANDED_ON))
    if received - handed_on > max(_BACKLOG_EVENTS, _BACKLOG_SHARE * received):
        yield f"the agent fell behind: of {received:.0f} events from the ring {handed_on:.0f} were handed on"


def _grown(names: tuple[str, ...], before: Mapping[Sample, float], after: Mapping[Sample, float]) -> float:
    return sum(value - before.get(sample, 0.0) for sample, value in after.items() if sample[0] in names)
