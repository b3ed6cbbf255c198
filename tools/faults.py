"""Replay shipped scenarios with faults put into them, and see that none makes a false verdict of a promise.

    python tools/faults.py                 a thousand replays
    python tools/faults.py --replays 60    a share of them, as CI runs it

A fault hides something: a value cannot be read, a file is cut or gone, a metric is gone, an event is lost and counted
as lost. What is hidden may leave a promise undecided, or the recording refused. A promise that is decided must be
decided as it is without the fault: anything else is a false verdict, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from tetraproof.errors import TetraproofError
from tetraproof.judging.claim import Claim
from tetraproof.judging.scenario import Run
from tetraproof.marks import LIMIT
from tetraproof.observing.act import Act
from tetraproof.plugin import collecting
from tetraproof.policies.directory import load_folder
from tetraproof.policies.policy import Policy
from tetraproof.recordings.recording import INDEX, SUMS, Recording, from_files, open_recording, sealed
from tetraproof.targets import Unanswerable
from tetraproof.targets.replay import Replay

ROOT = Path(__file__).resolve().parents[1]
#: What decides a promise, or a limit.
DECIDED = frozenset({"conforms", "violates", "stops", "passes"})
REFUSED = "refused"
LOSSES = "tetragon_observer_ringbuf_events_lost_total"

Files = dict[str, bytes]
#: Puts a fault into the files of a scenario's recording; returns what it did, nothing where it found no place for it.
Fault = Callable[[random.Random, Files, str], str]


@dataclass(frozen=True)
class Trial:
    """One suite on one recorded scenario, with what becomes of its promises where nothing is wrong."""

    recording: str
    files: Mapping[str, bytes]
    scenario: str
    policy: Policy | None
    settings: Mapping[str, str]
    suite: str
    truth: Mapping[str, str]


# faults


def value_unreadable(chance: random.Random, files: Files, inside: str) -> str:
    """A value of an event, of another type than its field has."""
    path = f"{inside}events.jsonl"
    lines = files[path].splitlines()
    if not lines:
        return ""
    at = chance.randrange(len(lines))
    told = json.loads(lines[at])
    way = chance.choice([way for way in _leaves(told) if way])
    _put(told, way, _of_another_type(chance, told, way))
    lines[at] = json.dumps(told).encode()
    files[path] = b"\n".join(lines) + b"\n"
    return f"event {at}, {'.'.join(map(str, way))}"


def value_gone(chance: random.Random, files: Files, inside: str) -> str:
    """A value of an event that is told as null, under another name, or as bytes that are no JSON."""
    path = f"{inside}events.jsonl"
    lines = files[path].splitlines()
    if not lines:
        return ""
    at = chance.randrange(len(lines))
    cut = chance.randrange(1, len(lines[at]))
    lines[at] = chance.choice(
        (lines[at][:cut], lines[at][:cut] + b"\xff\xfe" + lines[at][cut:], lines[at].replace(b'"', b"'"))
    )
    files[path] = b"\n".join(lines) + b"\n"
    return f"line {at} of the stream"


def state_unreadable(chance: random.Random, files: Files, inside: str) -> str:
    """What an agent says of the policy."""
    path = chance.choice(
        [path for path in (f"{inside}state.json", f"{inside}state-after.json") if path in files] or [""]
    )
    told = json.loads(files[path]) if path else {}
    ways = [way for way in _leaves(told) if len(way) > 2]  # noqa: PLR2004 - node, number, field
    if not ways:
        return ""
    way = chance.choice(ways)
    _put(told, way, _of_another_type(chance, told, way))
    files[path] = json.dumps(told).encode()
    return f"{path.rpartition('/')[2]}, {'.'.join(map(str, way))}"


def outcome_gone(chance: random.Random, files: Files, inside: str) -> str:
    """An act's outcome, of which the answer never came."""
    path = f"{inside}acts.json"
    acts = json.loads(files[path])
    act = chance.choice(acts)
    act |= {"exit_code": None, "broken": "the connection was lost", "stdout": "", "stderr": ""}
    files[path] = json.dumps(acts).encode()
    return str(act["id"])


def file_cut(chance: random.Random, files: Files, inside: str) -> str:
    """A file that ends early, in the middle of a line or not."""
    path = chance.choice([path for path in files if path.startswith((inside, "environment/")) or path == INDEX])
    end = chance.randrange(len(files[path]) + 1)
    if chance.choice((True, False)):
        end = files[path].rfind(b"\n", 0, end) + 1
    files[path] = files[path][:end]
    return f"{path} at {end}"


def file_gone(chance: random.Random, files: Files, inside: str) -> str:
    """A file that is not there."""
    path = chance.choice([path for path in files if path.startswith((inside, "environment/"))])
    del files[path]
    return path


def metric_gone(chance: random.Random, files: Files, inside: str) -> str:
    """A metric that one reading lacks, or has as no number."""
    path = chance.choice(
        [path for path in (f"{inside}metrics-before.txt", f"{inside}metrics-after.txt") if path in files] or [""]
    )
    lines = files[path].splitlines() if path else []
    told = [at for at, line in enumerate(lines) if line and not line.startswith(b"#")]
    if not told:
        return ""
    at = chance.choice(told)
    name, _, _ = lines[at].rpartition(b" ")
    shown = f"{path.rpartition('/')[2]}, {lines[at].decode()}"
    instead = chance.choice((None, b"NaN", b"-1", b"+Inf", b"many"))
    lines[at : at + 1] = [] if instead is None else [name + b" " + instead]
    files[path] = b"\n".join(lines) + b"\n"
    return f"{shown} is {instead.decode() if instead else 'gone'}"


def event_lost(chance: random.Random, files: Files, inside: str) -> str:
    """Events that the agent lost, by its own count."""
    path, metrics = f"{inside}events.jsonl", f"{inside}metrics-after.txt"
    lines = files[path].splitlines()
    counters = files.get(metrics, b"").splitlines()
    counted = [at for at, line in enumerate(counters) if line.startswith(LOSSES.encode())]
    if not lines or not counted:
        return ""
    at, count = chance.randrange(len(lines)), chance.choice((1, 1, 2, 5))
    del lines[at : at + count]
    name, _, value = counters[counted[0]].rpartition(b" ")
    counters[counted[0]] = name + b" " + str(float(value) + count).encode()
    files[path], files[metrics] = b"\n".join(lines) + b"\n", b"\n".join(counters) + b"\n"
    return f"{count} from line {at} on"


def stream_ended(chance: random.Random, files: Files, inside: str) -> str:
    """A stream that ends before its sentinel, or begins after one."""
    path = f"{inside}events.jsonl"
    lines = files[path].splitlines()
    at = chance.randrange(len(lines) + 1)
    files[path] = b"".join(line + b"\n" for line in (lines[:at] if chance.choice((True, False)) else lines[at:]))
    return f"at line {at} of {len(lines)}"


FAULTS: dict[str, Fault] = {
    "a value of an event unreadable": value_unreadable,
    "a line of the stream unreadable": value_gone,
    "a value of a state unreadable": state_unreadable,
    "an outcome that never came": outcome_gone,
    "a file cut": file_cut,
    "a file gone": file_gone,
    "a metric gone or no number": metric_gone,
    "events lost, and counted": event_lost,
    "a stream without its begin or end": stream_ended,
}


def _leaves(value: Any, way: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = False
    for name, part in parts:
        found = True
        yield from _leaves(part, (*way, name))
    if not found:
        yield way


def _of_another_type(chance: random.Random, value: Any, way: tuple[str | int, ...]) -> Any:
    """What no reader can take for a value of its field, whose type is that of what stands there."""
    for step in way:
        value = value[step]
    others: tuple[Any, ...] = ([[1]], {"x": [1]})
    return chance.choice((*others, "many", 0.5) if isinstance(value, bool | int | float) else others)


def _put(value: Any, way: tuple[str | int, ...], instead: Any) -> None:
    for step in way[:-1]:
        value = value[step]
    value[way[-1]] = instead


# trials


@cache
def _suite(name: str) -> ModuleType:
    return importlib.import_module(name)


def trials() -> Iterator[Trial]:
    """Each shipped suite on each shipped scenario that answers for it."""
    for path in sorted(one.parent for one in ROOT.glob("recordings/*/recording.json")):
        recording = open_recording(path)
        # of these nothing was observed that could be wrong
        unanswered = {scenario.name for scenario in recording.index.scenarios if scenario.unanswered}
        for file in sorted((ROOT / "suites").rglob("test_*.py")):
            suite = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            for policy, settings, name in _cases(_suite(suite)):
                for named in Replay(recording).scenarios(name, policy, settings):
                    scenario = Replay(recording).answering(named, getattr(_suite(suite), "acts", ()))
                    if scenario in unanswered:
                        continue
                    small = _alone(recording, scenario)
                    trial = Trial(path.name, small, scenario, policy, settings, suite, {})
                    yield replace(trial, truth=judge(trial, small))


def _cases(suite: ModuleType) -> Iterator[tuple[Policy | None, Mapping[str, str], str]]:
    written = getattr(suite, "pytestmark", [])
    for mark in [one.mark for one in (written if isinstance(written, list) else [written])]:
        if mark.name == "tetraproof_policy":
            for name in mark.args:
                yield _policies()[name], {}, name
        elif mark.name == "tetraproof_settings":
            yield None, mark.args[1], mark.args[0]


@cache
def _policies() -> Mapping[str, Policy]:
    return load_folder(ROOT / "manifests/policies").policies


def _alone(recording: Recording, scenario: str) -> Files:
    """The files of a recording of one scenario alone, not sealed."""
    index = json.loads(recording.files[INDEX])
    index["scenarios"] = [one for one in index["scenarios"] if one["name"] == scenario]
    keep = ("environment/", f"scenarios/{scenario}/")
    files = {path: content for path, content in recording.files.items() if path.startswith(keep) and path != SUMS}
    return {**files, INDEX: json.dumps(index).encode()}


def judge(trial: Trial, files: Mapping[str, bytes]) -> dict[str, str]:
    """What becomes of each promise and limit; `refused` where the recording is."""
    acts: tuple[Act, ...] = tuple(getattr(_suite(trial.suite), "acts", ()))
    claims = list(_claims(_suite(trial.suite)))
    try:
        replay = Replay(from_files(trial.recording, sealed(files)))
        answering = replay.scenarios(trial.scenario, trial.policy, trial.settings)
        observed = replay.observe(trial.policy, trial.settings, acts, answering[0] if answering else "")
        run = Run(observed, acts)
        return {claim.name: claim.judge(run).word for claim in claims}
    except Unanswerable as error:
        return {claim.name: str(error.verdict) for claim in claims}
    except TetraproofError:
        return {claim.name: REFUSED for claim in claims}


def _claims(suite: ModuleType) -> Iterator[Claim]:
    common = (collecting.test_applying_is_loading, collecting.test_every_act_is_told)
    for body in (*common, *(body for name, body in vars(suite).items() if name.startswith("test_"))):
        marks = {mark.name: mark for mark in getattr(body, "pytestmark", [])}
        limit = marks[LIMIT].args[0] if LIMIT in marks else ""
        yield Claim(body.__name__, body, limit, about_loading=body is common[0])


def main() -> int:
    """Put the faults in, and tell what came of them, by kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replays", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="other faults (default: 1)")
    asked = parser.parse_args()
    every = list(trials())
    rows = {kind: Counter[str]() for kind in FAULTS}
    wrong = []
    number = 0
    while sum(row["replays"] for row in rows.values()) < asked.replays:
        chance = random.Random(f"{asked.seed} {number}")  # noqa: S311 - no secret
        kind, trial = list(FAULTS)[number % len(FAULTS)], chance.choice(every)
        number += 1
        files = dict(trial.files)
        did = FAULTS[kind](chance, files, f"scenarios/{trial.scenario}/")
        if not did:
            continue
        row = rows[kind]
        row["replays"] += 1
        found = judge(trial, files)
        row["refused"] += REFUSED in found.values()
        for promise, word in found.items():
            true = trial.truth[promise]
            row["same"] += word == true and word != REFUSED
            row["undecided"] += word not in {true, REFUSED} and word not in DECIDED
            if word in DECIDED and word != true:
                row["false"] += 1
                wrong.append(f"{kind}: {did}: {trial.recording}, {trial.scenario}: {promise} is {word}, and was {true}")
    print(f"{'fault':36} {'replays':>8} {'refused':>8} {'promises':>9} {'the same':>9} {'undecided':>10} {'false':>6}")
    for kind, row in [*rows.items(), ("all of them", sum(rows.values(), Counter[str]()))]:
        judged = row["same"] + row["undecided"] + row["false"]
        numbers = (row["replays"], row["refused"], judged, row["same"], row["undecided"], row["false"])
        print(f"{kind:36} {'{:8} {:8} {:9} {:9} {:10} {:6}'.format(*numbers)}")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
