"""A stream that is too long to hold is judged as one that is held: nothing that could matter is left out."""

from __future__ import annotations

import importlib
import io
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.builders import (
    BASH,
    CAT,
    MANIFESTS,
    NODE,
    RECORDINGS,
    ROOT,
    Proc,
    child,
    event,
    execs,
    exits,
    hooked,
    performed,
    pod_on,
    recording,
    scenario_files,
    sentinel,
    started,
)
from tetraproof.errors import RecordingError
from tetraproof.events.event import Event, parse
from tetraproof.events.reread import Reread
from tetraproof.judging.claim import Claim
from tetraproof.judging.expectation import AllOf, Exactly, Exec, InOrder, Kprobe
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Act
from tetraproof.observing.sifting import Sieve
from tetraproof.observing.timeline import START, Node, Performed, timelines
from tetraproof.plugin.collecting import test_applying_is_loading as applying_is_loading
from tetraproof.plugin.collecting import test_every_act_is_told as every_act_is_told
from tetraproof.policies.directory import load_folder
from tetraproof.policies.policy import Policy
from tetraproof.recordings.recording import open_recording
from tetraproof.targets import Unanswerable
from tetraproof.targets.replay import Replay

SUITES = sorted((ROOT / "suites").rglob("test_*.py"))
SHOWN = "tetraproof.observing.hearing.LONG"
STRANGER = Proc(7, "/usr/bin/kubelet", "--x", pod="", ktime=1.0)
GUEST = Proc(8, "/usr/bin/redis", "", pod="shop/redis", ktime=2.0, parent=Proc(9, pod="", ktime=0.5))


@pytest.fixture
def sifting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stream is too long to hold."""
    monkeypatch.setattr(SHOWN, -1)


@cache
def replay(path: Path) -> Replay:
    return Replay(open_recording(path))


@cache
def policies() -> Mapping[str, Policy]:
    return load_folder(MANIFESTS).policies


def judgements(path: Path, suite: Path) -> Iterator[tuple[str, str, str]]:
    """Each promise of a suite in a recording, and what becomes of it."""
    module = importlib.import_module(".".join(suite.relative_to(ROOT).with_suffix("").parts))
    written = getattr(module, "pytestmark", [])
    acts: tuple[Act, ...] = tuple(getattr(module, "acts", ()))
    bodies: list[Any] = [applying_is_loading, every_act_is_told]
    bodies += [body for name, body in vars(module).items() if name.startswith("test_")]
    for mark in [one.mark for one in (written if isinstance(written, list) else [written])]:
        names = mark.args if mark.name == "tetraproof_policy" else ()
        wanted = [(policies()[name], {}, name) for name in names]
        if mark.name == "tetraproof_settings":
            wanted = [(None, mark.args[1], mark.args[0])]
        for policy, settings, name in wanted:
            for scenario in replay(path).scenarios(name, policy, settings):
                try:
                    run = Run(replay(path).observe(policy, settings, acts, scenario), acts)
                except Unanswerable:
                    continue
                for body in bodies:
                    told = Claim(body.__name__, body, about_loading=body is applying_is_loading).judge(run)
                    yield f"{scenario} {body.__name__}", told.word, told.judgement.reason.split("\n")[0]


@pytest.mark.parametrize(
    # the language's suites are tables, whose rows these suites' bodies do not judge
    "path",
    sorted(path.parent for path in RECORDINGS.glob("*/recording.json") if not path.parent.name.endswith("_language")),
    ids=lambda one: one.name[11:],
)
def test_every_shipped_verdict_is_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its reason."""
    held = [one for suite in SUITES for one in judgements(path, suite)]
    monkeypatch.setattr(SHOWN, -1)
    sifted = [one for suite in SUITES for one in judgements(path, suite)]
    assert held
    assert sifted == held


# streams made of acts, and of others in between


def strangers(count: int, seed: int = 1) -> list[Event]:
    """Events of processes that no act has to do with."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        who = chance.choice(
            (STRANGER, GUEST, Proc(100 + number, "/usr/bin/curl", "x", pod="shop/web", ktime=float(number)))
        )
        made.append(chance.choice((execs(who), exits(who), hooked(who, file=f"/tmp/{number}", action="POST"))))
    return made


def mixed(events: Sequence[Event], others: Sequence[Event], seed: int = 1) -> list[Event]:
    """Both, each in its own order."""
    chance, left = random.Random(seed), [list(events), list(others)]
    made = []
    while any(left):
        side = chance.choice([one for one in left if one])
        made.append(side.pop(0))
    return made


FIRST, SECOND = performed(BASH, "-c", "one"), performed(CAT, "/etc/hostname", id="cat")
OWN = started(100, BASH, "-c one")
NEXT = started(200, CAT, "/etc/hostname")
#: A process of an act that has left its pod.
ESCAPED = Proc(102, "/usr/bin/nsenter", "-t 1", pod="", ktime=102.0, parent=OWN)
FAR = Proc(103, "/usr/bin/id", "", pod="", ktime=103.0, parent=ESCAPED)
#: What the process that became an act did while it was still the runtime's.
BEFORE = Proc(200, "/usr/bin/runc", "init", pod="", ktime=3.0)
EVENTS = [
    execs(OWN),
    hooked(child(OWN, 101, CAT), file="/tmp/a"),
    execs(ESCAPED),
    execs(FAR),
    exits(FAR),
    hooked(BEFORE, file="/tmp/b"),
    exits(OWN),
    execs(NEXT),
    exits(NEXT),
]


def observed(events: Sequence[Event], policy: str = "") -> Run:
    """A run on a recording of these events, framed."""
    files = scenario_files("guard", [FIRST, SECOND], events, manifest=policy)
    made = Replay(recording({"guard": files}))
    acts = (Act((BASH, "-c", "one"), name="first"), Act((CAT, "/etc/hostname"), name="second"))
    return Run(made.observe(None, {}, acts, "guard"), acts)


def shape(run: Run) -> Any:
    """What timelines hold, in a form that can be compared."""
    every = []
    for name in ("first", "second"):
        told = run.observed.acts[name].timeline  # type: ignore[union-attr]
        around = told.surroundings("all", lambda _: True)
        every.append([told.own, told.told, told.possible, around, told.open, told.around, told.root])
    return every


@pytest.mark.parametrize("seed", range(40))
def test_timelines_are_those_of_the_whole_stream(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Own events, strays and bystanders, in their order; with processes that leave their pod, and come from none."""
    events = mixed(EVENTS, strangers(60, seed), seed)
    held = shape(observed(events))
    monkeypatch.setattr(SHOWN, -1)
    run = observed(events)
    assert isinstance(run.observed.stream, Reread)
    assert len(run.observed.stream.held) < 25
    assert shape(run) == held


@pytest.mark.parametrize("seed", range(20))
def test_several_nodes_are_merged_as_they_are_where_all_is_held(seed: int) -> None:
    """By time, which runs backwards now and then."""
    chance = random.Random(seed)
    acts: list[Performed] = []
    streams: list[list[Event]] = []
    for node in (NODE, "two", "three"):
        pod = pod_on(node)
        act = performed(BASH, "-c", node, id=node, node=node, pod=pod)
        acts += [sentinel(START, node=node), act, sentinel(node=node)]
        own = started(50, BASH, f"-c {node}", pod=pod, node=node)
        at = [chance.uniform(0, 20) for _ in range(30)]
        others = [execs(Proc(9, "/usr/bin/x", pod="", node=node, ktime=float(n)), at[n]) for n in range(30)]
        marks = [started(1, "/usr/bin/true", "sentinel-start-0", pod=pod, node=node), own]
        marks.append(started(99, "/usr/bin/true", "sentinel-end-0", pod=pod, node=node))
        told = [one for n, mark in enumerate(marks) for one in (execs(mark, 5.0 * n), exits(mark, at=5.0 * n + 1))]
        streams.append(mixed(told, others, seed))
    every = mixed(mixed(streams[0], streams[1], seed), streams[2], seed)
    nodes = {node: Node(node) for node in (NODE, "two", "three")}
    wanted = timelines(acts, every, nodes)
    sieve = Sieve(acts, ())
    content = b""
    for one in every:
        sieve.take(one, len(content))
        content += one.line + b"\n"
    stream, held, crowd = sieve.sifted(
        lambda places, kept: Reread(lambda: io.BytesIO(content), places, kept, lambda e: e)
    )
    found = timelines(acts, held, nodes, crowd)
    assert len(held) < len(every)
    assert list(stream) == every
    for mine, whole in zip(found, wanted, strict=True):
        assert (mine.own, mine.possible, mine.open, mine.root) == (whole.own, whole.possible, whole.open, whole.root)
        assert mine.surroundings("", lambda _: True) == whole.bystanders


@pytest.mark.parametrize(
    "odd",
    [
        event("process_kprobe", {"function_name": "fd_install"}),
        parse(b'{"process_exec":{"process":{"exec_id":7,"binary":"/x"}},"node_name":"tetra-node","time":"2026-11-23T07:00:00Z"}'),
        event("process_throttle", {"type": "THROTTLE_START", "cgroup": "x"}),
        event("process_exec", {"process": STRANGER.json()}, node=""),
        event("process_kprobe", {"process": {**STRANGER.json(), "pod": 3}, "function_name": "f"}),
    ],
    ids=["nobody's", "an id that is none", "held back", "of no node", "a pod that is none"],
)  # fmt: skip
def test_whatever_keeps_from_judging_is_held(odd: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves timelines open, or is a stray in them."""
    assert isinstance(odd, Event)
    events = [*EVENTS[:5], odd, *strangers(20), *EVENTS[5:]]
    held = shape(observed(events))
    monkeypatch.setattr(SHOWN, -1)
    assert shape(observed(events)) == held


@pytest.mark.parametrize(
    ("expectation", "there"),
    [
        (Exec("/usr/bin/kubelet"), True),
        (Exec("/usr/bin/nobody"), False),
        (Kprobe("fd_install", file="/tmp/3"), True),
        (Exactly(3, Exec("/usr/bin/redis")), True),
        (Exactly(2, Exec("/usr/bin/redis")), False),
        (InOrder(Exec("/usr/bin/kubelet"), Kprobe("fd_install", file="/tmp/3")), True),
        (InOrder(Kprobe("fd_install", file="/tmp/3"), Exec("/usr/bin/kubelet")), False),
        (AllOf(Exec("/usr/bin/redis"), Exec("/usr/bin/redis"), Exec("/usr/bin/redis")), True),
    ],
)  # fmt: skip
def test_bystanders_can_be_asked_about_whether_they_are_held_or_not(
    expectation: Any, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read anew for the question."""
    crowd = [execs(STRANGER), execs(GUEST), execs(GUEST), hooked(STRANGER, file="/tmp/3"), execs(GUEST)]
    events = [*EVENTS[:2], *crowd, *EVENTS[2:]]
    for long in (1 << 30, -1):
        monkeypatch.setattr(SHOWN, long)
        run = observed(events)
        told = Claim("it", lambda run: _ask(run, expectation)).judge(run)
        assert told.word == ("conforms" if there else "violates"), long


def _ask(run: Run, expectation: Any) -> None:
    assert expectation in run.first.surroundings


def test_a_crowd_that_may_be_meant_beyond_counting_decides_nothing(
    monkeypatch: pytest.MonkeyPatch, sifting: None
) -> None:
    """It is told as that."""
    monkeypatch.setattr("tetraproof.judging.sought.MOST_OF_A_CROWD", 5)
    run = observed([*EVENTS[:2], *[execs(GUEST)] * 9, *EVENTS[2:]])
    told = Claim("it", lambda run: _ask(run, Exactly(9, Exec("/usr/bin/redis")))).judge(run)
    assert told.word == "inconclusive"
    assert "more than 5 events of others may be meant" in told.judgement.reason
    assert Claim("it", lambda run: _ask(run, Exec("/usr/bin/redis"))).judge(run).word == "conforms"


def test_all_events_of_a_policy_are_counted(sifting: None) -> None:
    """Those of others as well, read once for all questions that are the same."""
    events = [*EVENTS[:2], *[hooked(STRANGER, file="/tmp/9", policy="guard")] * 7, *EVENTS[2:]]
    run = observed(events)
    reads: list[int] = []
    stream = run.observed.stream
    assert isinstance(stream, Reread)
    opened, stream._open = stream._open, lambda: (reads.append(1), opened())[1]
    assert [run.reported(Kprobe("fd_install", file="/tmp/9")) for _ in range(3)] == [7] * 3
    assert len(reads) == 1


def test_a_stream_that_is_changed_meanwhile_is_not_judged(sifting: None) -> None:
    """What was verified is what is read."""
    run = observed([*EVENTS[:2], *strangers(20), *EVENTS[2:]])
    stream = run.observed.stream
    assert isinstance(stream, Reread)
    stream._open = lambda: io.BytesIO(b"x" * 100_000)
    with pytest.raises(RecordingError, match="was changed meanwhile"):
        list(stream)


def test_a_stream_can_be_looked_up_by_position(sifting: None) -> None:
    """As any other sequence."""
    events = [*EVENTS[:2], *strangers(20), *EVENTS[2:]]
    stream = observed(events).observed.stream
    whole = list(stream)
    assert len(stream) == len(whole)
    assert [stream[0], stream[-1], stream[3:6]] == [whole[0], whole[-1], whole[3:6]]
    with pytest.raises(IndexError):
        stream[len(whole)]


def test_what_tetra_printed_of_the_acts_is_kept(sifting: None) -> None:
    """Of an event that is not held nobody asks."""
    events = [*EVENTS[:2], *strangers(20), *EVENTS[2:]]
    files = scenario_files("guard", [FIRST, SECOND], events, manifest="")
    count = len(files["scenarios/guard/events.jsonl"].splitlines())
    files["scenarios/guard/events.compact.txt"] = "".join(f"line {n}\n" for n in range(count)).encode()
    seen = Replay(recording({"guard": files})).observe(None, {}, (), "guard")
    stream, printed = seen.stream, seen.compact
    assert isinstance(stream, Reread)
    assert printed is not None
    assert {printed[at] for at in stream.held} == {f"line {at}" for at in stream.held}  # type: ignore[index]
    assert len(printed) == count  # type: ignore[arg-type]
