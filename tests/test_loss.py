"""Losses: only what grew while listening counts, and falling behind is a loss without a counter."""

from __future__ import annotations

import pytest

from tests.builders import RECORDINGS
from tetraproof.loss import keep, lost, posted, samples

LOST = "tetragon_observer_ringbuf_events_lost_total"
RECEIVED, HANDED_ON = (
    "tetragon_observer_ringbuf_events_received_total",
    "tetragon_observer_ringbuf_queue_events_received_total",
)
EVENTS = 'tetragon_policy_events_total{binary="%s",hook="kprobe:f",policy="%s"}'


def metrics(**values: float) -> str:
    return "".join(f"{name} {value}\n" for name, value in values.items())


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ({LOST: 0}, {LOST: 0}, ""),
        ({LOST: 7}, {LOST: 7}, ""),
        ({LOST: 7}, {LOST: 2}, "the agent restarted meanwhile"),
        ({RECEIVED: 900, HANDED_ON: 900}, {RECEIVED: 5, HANDED_ON: 5}, "the agent restarted meanwhile"),
        ({"go_goroutines": 100}, {"go_goroutines": 7}, ""),
        ({LOST: 7}, {LOST: 9}, "the agent lost 2 (tetragon_observer_ringbuf_events_lost)"),
        ({}, {LOST: 2}, "the agent lost 2"),
        ({}, {"tetragon_observer_ringbuf_queue_events_lost_total": 1}, "the agent lost 1"),
        ({}, {"tetragon_missed_prog_probes_total": 1}, "the agent lost 1"),
        # older names
        ({}, {"tetragon_ringbuf_perf_event_lost_total": 3}, "the agent lost 3"),
        # the export's own rate limit is not the stream's loss
        ({}, {"tetragon_export_ratelimit_events_dropped_total": 9}, ""),
        ({}, {"go_goroutines": 100}, ""),
        # behind: beyond a share of what was received and beyond a number
        ({RECEIVED: 0, HANDED_ON: 0}, {RECEIVED: 1000, HANDED_ON: 1000}, ""),
        ({RECEIVED: 0, HANDED_ON: 0}, {RECEIVED: 1000, HANDED_ON: 900}, ""),
        (
            {RECEIVED: 0, HANDED_ON: 0},
            {RECEIVED: 1000, HANDED_ON: 899},
            "of 1000 events from the ring 899 were handed on",
        ),
        ({RECEIVED: 0, HANDED_ON: 0}, {RECEIVED: 10000, HANDED_ON: 9501}, ""),
        ({RECEIVED: 0, HANDED_ON: 0}, {RECEIVED: 10000, HANDED_ON: 9499}, "the agent fell behind"),
        ({RECEIVED: 9000, HANDED_ON: 1000}, {RECEIVED: 9100, HANDED_ON: 1100}, ""),
        (
            {},
            {"tetragon_ringbuf_perf_event_received_total": 900, "tetragon_ringbuf_queue_received_total": 1},
            "fell behind",
        ),
    ],
)
def test_what_was_lost_between_two_readings(before: dict[str, float], after: dict[str, float], word: str) -> None:
    """Told in a clause with the counter's name; nothing where nothing was."""
    told = lost(metrics(**before), metrics(**after))
    assert word in told
    assert bool(told) == bool(word)


def test_each_label_is_counted_for_itself() -> None:
    """A probe missed on one hook is told with the hook's name, and an old loss of another is none."""
    one, other = (f'tetragon_missed_prog_probes_total{{attach="{name}",policy="guard"}}' for name in "ab")
    told = lost(f"{one} 1\n{other} 5\n", f"{one} 4\n{other} 5\n")
    assert told == "the agent lost 3 (tetragon_missed_prog_probes attach=a, policy=guard)"


def test_the_policies_events_are_counted_by_program() -> None:
    """Only this policy's, only what grew, over all hooks and pods."""
    before = f"{EVENTS % ('/bin/a', 'guard')} 1\n{EVENTS % ('/bin/b', 'guard')} 2\n"
    elsewhere = EVENTS.replace("kprobe:f", "kprobe:g") % ("/bin/a", "guard")
    other = f"{EVENTS % ('/bin/b', 'guard')} 2\n{EVENTS % ('/bin/a', 'other')} 9\n"
    after = f"{EVENTS % ('/bin/a', 'guard')} 3\n{elsewhere} 1\n{other}"
    assert posted(before, after, "guard") == {"/bin/a": 3}
    assert posted(before, after, "nobody") == {}


def test_what_is_kept_of_a_reading_is_what_is_read() -> None:
    """A trimmed exposition says the same as the whole one."""
    whole = [
        f"# TYPE {LOST} counter",
        f"{LOST} 2",
        f"{RECEIVED} 10",
        f"{HANDED_ON} 10",
        f"{EVENTS % ('/bin/a', 'guard')} 1",
        f"{EVENTS % ('/bin/a', 'guard-two')} 1",
        f"{EVENTS % ('/bin/a', 'other')} 1",
        'tetragon_missed_prog_probes_total{attach="a",policy="__base__"} 1',
        'tetragon_missed_prog_probes_total{attach="a",policy="other"} 1',
        "go_goroutines 100",
    ]
    kept = [line for line in whole if keep(line, "guard")]
    assert kept == [*whole[1:5], whole[7]]
    assert posted("", "\n".join(kept) + "\n", "guard") == posted("", "\n".join(whole) + "\n", "guard")


def test_a_counter_with_and_without_its_suffix_is_one() -> None:
    """An exposition names a counter's samples with `_total`."""
    assert samples("x_total 3\n") == samples("x 3\n") == {("x", ()): 3.0}


@pytest.mark.parametrize(
    "path", sorted(RECORDINGS.glob("*/scenarios/*/metrics-after.txt")), ids=lambda path: "/".join(path.parts[-4:-1])
)
def test_recorded_metrics_are_read(path: object) -> None:
    """Every recorded exposition parses, and lost nothing but what the drowned stream did."""
    after = path.read_text(encoding="utf-8")  # type: ignore[attr-defined]
    before = path.with_name("metrics-before.txt").read_text(encoding="utf-8")  # type: ignore[attr-defined]
    assert samples(after)
    assert bool(lost(before, after)) == ("unfiltered" in str(path))
