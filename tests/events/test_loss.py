"""Losses: only what grew while listening counts, and falling behind is a loss without a counter."""

from __future__ import annotations

import pytest

from tests.builders import RECORDINGS
from tetraproof.errors import RecordingError
from tetraproof.events.loss import LOSSES, keep, lost, posted, samples, stood_still, unread

LOST = "tetragon_observer_ringbuf_events_lost_total"
RECEIVED, HANDED_ON = (
    "tetragon_observer_ringbuf_events_received_total",
    "tetragon_observer_ringbuf_queue_events_received_total",
)
EVENTS = 'tetragon_policy_events_total{binary="%s",hook="kprobe:f",policy="%s"}'


QUEUE_LOST = "tetragon_observer_ringbuf_queue_events_lost_total"
#: What every agent counts from its start on.
ALL = {LOST: 0, QUEUE_LOST: 0, RECEIVED: 0, HANDED_ON: 0}
OLDER = {
    "tetragon_ringbuf_perf_event_lost_total": 0,
    "tetragon_ringbuf_queue_lost_total": 0,
    "tetragon_ringbuf_perf_event_received_total": 0,
    "tetragon_ringbuf_queue_received_total": 0,
}
STARTED = "process_start_time_seconds"


def metrics(**values: float | str) -> str:
    return "".join(f"{name} {value}\n" for name, value in values.items())


def whole(**values: float | str) -> str:
    """A reading of all that an agent counts, some of it with another value."""
    return metrics(**{**ALL, **values})


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ({LOST: 0}, {LOST: 0}, ""),
        ({LOST: 7}, {LOST: 7}, ""),
        (
            {LOST: 7},
            {LOST: 2},
            "the agent restarted meanwhile: its counters fell (tetragon_observer_ringbuf_events_lost)",
        ),
        ({RECEIVED: 900, HANDED_ON: 900}, {RECEIVED: 5, HANDED_ON: 5}, "the agent restarted meanwhile"),
        ({STARTED: 1.7e9}, {STARTED: 1.7e9}, ""),
        ({STARTED: 1.7e9}, {STARTED: 1.7e9 + 1}, "the agent restarted meanwhile: its process is another"),
        ({"go_goroutines": 100}, {"go_goroutines": 7}, ""),
        ({"go_goroutines": 100}, {}, ""),
        ({LOST: 7}, {LOST: 9}, "the agent lost 2 (tetragon_observer_ringbuf_events_lost)"),
        ({}, {LOST: 2}, "the agent lost 2"),
        ({}, {QUEUE_LOST: 1}, "the agent lost 1"),
        ({}, {"tetragon_missed_prog_probes_total": 1}, "the agent lost 1"),
        ({}, {"tetragon_missed_events_total": 1}, "the agent lost 1"),
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
        # no count at all
        ({LOST: "NaN"}, {LOST: 0}, "before the acts the agent's tetragon_observer_ringbuf_events_lost is nan, and no"),
        ({LOST: 0}, {LOST: "NaN"}, "after them the agent's tetragon_observer_ringbuf_events_lost is nan, and no count"),
        ({}, {LOST: "+Inf"}, "is inf, and no count"),
        ({}, {HANDED_ON: "+Inf"}, "is inf, and no count"),
        ({LOST: -3}, {LOST: -3}, "is -3, and no count"),
        # what can be read is read, and what cannot says so
        ({}, {LOST: "lots"}, "after them the agent's metrics cannot be read"),
        ({LOST: ""}, {}, "before the acts the agent's metrics cannot be read"),
    ],
)
def test_what_was_lost_between_two_readings(
    before: dict[str, float | str], after: dict[str, float | str], word: str
) -> None:
    """Told in a clause with the counter's name; nothing where nothing was."""
    told = lost(whole(**before), whole(**after))
    assert word in told
    assert bool(told) == bool(word)


def test_older_names_are_known() -> None:
    """Tetragon 1.1 and before called them otherwise."""
    before = metrics(**OLDER)
    assert lost(before, before) == ""
    worse = {**OLDER, "tetragon_ringbuf_perf_event_lost_total": 3}
    assert lost(before, metrics(**worse)) == "the agent lost 3 (tetragon_ringbuf_perf_event_lost)"
    behind = {**OLDER, "tetragon_ringbuf_perf_event_received_total": 900}
    assert "fell behind" in lost(before, metrics(**behind))


BASE = 'tetragon_missed_prog_probes_total{attach="a",policy="__base__"}'


@pytest.mark.parametrize("missing", [*ALL, BASE])
def test_a_counter_that_is_gone_excludes_no_loss(missing: str) -> None:
    """After the acts, or on both sides where every agent has it."""
    there = {**ALL, BASE: 0}
    less = metrics(**{name: value for name, value in there.items() if name != missing})
    name = missing.partition("{")[0].removesuffix("_total")
    told = lost(metrics(**there), less)
    assert name in told
    assert "a loss of events would not be seen" in told
    assert told == unread(metrics(**there), less)
    assert bool(lost(less, less)) == (missing in ALL)
    assert bool(lost(less, metrics(**there))) == (missing in ALL)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("", "", "no metrics were read before the acts"),
        ("", whole(), "no metrics were read before the acts"),
        (whole(), "", "no metrics were read after them"),
        (whole(), "\n \n", "no metrics were read after them"),
        (
            whole(),
            "# HELP x\n# TYPE x counter\n",
            "after them the agent's metrics lack tetragon_observer_ringbuf_events",
        ),
        (whole(), metrics(go_goroutines=7), "after them the agent's metrics lack"),
        (whole(), "<html>no such page</html>", "after them the agent's metrics cannot be read: invalid metric name"),
        (whole(), "HTTP/1.0 503 Unavailable\r\n\r\n", "after them the agent's metrics cannot be read"),
        (whole(), whole()[:-5], "after them the agent's metrics"),
        (whole(), whole() + f"{LOST} 3\n", "tetragon_observer_ringbuf_events_lost is told twice, as 0 and as 3"),
        # what was counted before is not known, so not what was lost since
        ("<html>", whole(**{LOST: 7}), "before the acts the agent's metrics cannot be read"),
        (whole(), '\x1b[31m{a="\n', "after them the agent's metrics cannot be read"),
    ],
)
def test_a_reading_that_is_none_excludes_no_loss(before: str, after: str, told: str) -> None:
    """No scrape, an empty one, a page of something else, one that was cut: nobody can say that nothing was lost."""
    for clause in (unread(before, after), lost(before, after)):
        assert clause
        assert told in clause
        assert clause.isprintable()


def test_what_is_known_to_be_lost_is_told_before_what_may_be() -> None:
    """Also where not every counter is there."""
    assert lost(metrics(go_goroutines=1), metrics(**{LOST: 5})).startswith("the agent lost 5")
    assert lost(whole(), whole(**{LOST: 5, QUEUE_LOST: "NaN"})).startswith("the agent lost 5")


def test_readings_that_can_be_read_leave_nothing_open() -> None:
    """Whether something was lost is another question."""
    assert unread(whole(), whole()) == ""
    assert unread(whole(), whole(**{LOST: 5})) == ""


def test_each_label_is_counted_for_itself() -> None:
    """A probe missed on one hook is told with the hook's name, and an old loss of another is none."""
    one, other = (f'tetragon_missed_prog_probes_total{{attach="{name}",policy="guard"}}' for name in "ab")
    told = lost(f"{whole()}{one} 1\n{other} 5\n", f"{whole()}{one} 4\n{other} 5\n")
    assert told == "the agent lost 3 (tetragon_missed_prog_probes attach=a, policy=guard)"


def test_the_policies_events_are_counted_by_program() -> None:
    """Only this policy's, only what grew, over all hooks and pods."""
    before = f"{EVENTS % ('/bin/a', 'guard')} 1\n{EVENTS % ('/bin/b', 'guard')} 2\n"
    elsewhere = EVENTS.replace("kprobe:f", "kprobe:g") % ("/bin/a", "guard")
    other = f"{EVENTS % ('/bin/b', 'guard')} 2\n{EVENTS % ('/bin/a', 'other')} 9\n"
    after = f"{EVENTS % ('/bin/a', 'guard')} 3\n{elsewhere} 1\n{other}"
    assert posted(before, after, "guard") == {"/bin/a": 3}
    assert posted(before, after, "nobody") == {}
    assert posted(before, f"{EVENTS % ('/bin/a', 'guard')} 2\n", "guard") == {"/bin/a": 1}


@pytest.mark.parametrize("value", ["NaN", "+Inf"])
def test_a_policy_s_count_that_is_none_is_refused(value: str) -> None:
    """It is neither 0 nor anything else."""
    name = EVENTS % ("/bin/a", "guard")
    for before, after in (("1", value), (value, "1")):
        with pytest.raises(RecordingError, match="is no count"):
            posted(f"{name} {before}\n", f"{name} {after}\n", "guard")
    assert posted(f"{name} {value}\n", f"{name} {value}\n", "other") == {}


def test_what_is_kept_of_a_reading_is_what_is_read() -> None:
    """A trimmed exposition says the same as the whole one."""
    told = [
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
        f"{STARTED} 1.7e9",
        "process_open_fds 7",
    ]
    kept = [line for line in told if keep(line, "guard")]
    assert kept == [*told[1:5], told[7], told[10]]
    assert posted("", "\n".join(kept) + "\n", "guard") == posted("", "\n".join(told) + "\n", "guard")


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
    assert unread(before, after) == ""
    assert bool(lost(before, after)) == ("unfiltered" in str(path))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x 1\nx 2\n", "metrics cannot be read: x is told twice, as 1 and as 2."),
        ('x{b="2",a="1"} 1\nx{a="1",b="2"} 3\n', "metrics cannot be read: x a=1, b=2 is told twice, as 1 and as 3."),
    ],
)
def test_an_exposition_that_contradicts_itself_is_refused(text: str, sentence: str) -> None:
    """With what to do about it."""
    with pytest.raises(RecordingError) as refused:
        samples(text)
    assert str(refused.value).startswith(sentence)
    assert str(refused.value).endswith("record them again, as the agent's /metrics has them")


def test_a_sample_that_is_told_twice_alike_is_told_once() -> None:
    """And one that is no number is none, however often."""
    assert samples("x 1\nx 1\n") == {("x", ()): 1.0}
    assert len(samples("x NaN\nx NaN\n")) == 1


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_one(name: str) -> None:
    """Under each of its names, of whichever version."""
    counter = f"{name}_total"
    assert lost(whole(**{counter: 0}), whole(**{counter: 3})) == f"the agent lost 3 ({name})"
    assert keep(f"{counter} 3", "guard")


def test_several_losses_are_told_together() -> None:
    """And falling behind with them."""
    told = lost(whole(), whole(**{LOST: 1, QUEUE_LOST: 2, RECEIVED: 1000}))
    assert told == (
        "the agent lost 1 (tetragon_observer_ringbuf_events_lost); "
        "the agent lost 2 (tetragon_observer_ringbuf_queue_events_lost); "
        "the agent fell behind: of 1000 events from the ring 0 were handed on"
    )


def test_a_restart_is_told_before_what_was_lost() -> None:
    """What fell in between counts for nothing."""
    before, after = whole(**{STARTED: 1.0}), whole(**{STARTED: 2.0, LOST: 5})
    assert lost(before, after) == "the agent restarted meanwhile: its process is another"
    assert unread(before, after) == "the agent restarted meanwhile: its process is another"


@pytest.mark.parametrize("number", [-1, 0, 1])
def test_the_bounds_of_a_backlog(number: int) -> None:
    """A hundred events, and a twentieth of what was received: at the bound itself nothing is said yet."""
    few = lost(whole(), whole(**{RECEIVED: 1000, HANDED_ON: 900 - number}))
    assert bool(few) is (number > 0)
    many = lost(whole(), whole(**{RECEIVED: 10000, HANDED_ON: 9500 - number}))
    assert bool(many) is (number > 0)


def test_policies_are_counted_apart() -> None:
    """By this policy's name alone, and by no program where none is told."""
    line = 'tetragon_policy_events_total{policy="guard"} 2\n'
    assert posted("", line, "guard") == {"": 2}
    assert posted(line, line, "guard") == {}
    assert posted("", f'{line}other{{policy="guard"}} 3\n', "guard") == {"": 2}


@pytest.mark.parametrize(
    ("before", "after", "still"),
    [(7, 7, True), (7, 8, False), (0, 0, True)],
)
def test_counters_that_stand_while_events_come_are_of_another_time(before: int, after: int, *, still: bool) -> None:
    """Two copies of one reading lose nothing, and prove nothing."""
    name = "tetragon_observer_ringbuf_events_received_total"
    assert bool(stood_still(f"{name} {before}\n", f"{name} {after}\n")) is still
    assert not stood_still("", "")
