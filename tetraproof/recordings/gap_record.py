"""Raw records of a change: `acts.txt`, `log.json` and `pods-watch.txt` of one folder, as a `Continuity`.

The folder's name says what was changed: `gap-<change>`, with anything behind it
(`gap-upgrade-1.4.1-to-1.7.0`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tetraproof.observing import gap
from tetraproof.recordings.environment import read_json, read_text
from tetraproof.errors import RawRecordError
from tetraproof.observing.gap import Beat, Continuity, Happening, Pulse

PREFIX = "gap-"
#: The greatest exit code that there is.
MOST = 255
CHANGES = ("rollout-restart", "upgrade", "rollback", "configure")
_BEATS, _LOG, _PODS = "acts.txt", "log.json", "pods-watch.txt"
#: What the log calls things, and what they are called here; what is not listed keeps its name.
_CALLED = {"rollout status": gap.ROLLED_OUT}
#: What rollout status says at its end when the roll-out is done; anything else is no such word.
_DONE = "successfully rolled out"


def is_one(folder: Path) -> bool:
    """Whether a folder holds the record of a change."""
    return folder.name.startswith(PREFIX) and (folder / _BEATS).is_file()


def change_of(name: str) -> str:
    """What was changed, by the scenario's name."""
    told = name.removeprefix(PREFIX)
    return next((change for change in CHANGES if told == change or told.startswith(f"{change}-")), told)


def read(folder: Path, node: str) -> Continuity:
    """The record of one node. Raises `RawRecordError`."""
    log = read_json(folder / _LOG, list) or []
    command = next((str(entry["command"]) for entry in log if entry.get("command")), "")
    happenings = sorted([*_told(folder, log), *_pods(folder, node)], key=lambda one: one.at)
    pulse = Pulse(node, tuple(_beats(folder)))
    return Continuity(change_of(folder.name), command, (pulse,), tuple(happenings), (node,))


def _beats(folder: Path) -> Iterator[Beat]:
    for number, line in enumerate((read_text(folder / _BEATS) or "").splitlines(), 1):
        try:
            yield _beat(*line.split())
        except (TypeError, ValueError) as error:
            raise RawRecordError(
                f"{folder}/{_BEATS}, line {number} is no act: {line[:80]!r}.",
                remedy="a line is start, end (seconds since 1970), exit code (0 to 255, or -), and maybe its twin's",
            ) from error


def _beat(started: str, ended: str, code: str, twin: str = "-") -> Beat:
    """One line's words as a beat. Raises `ValueError`."""
    beat = Beat(float(started), float(ended), _code(code), _code(twin))
    if not (math.isfinite(beat.started) and math.isfinite(beat.ended)):
        raise ValueError(f"{started} and {ended} are no times")
    return beat


def _code(word: str) -> int | None:
    """An exit code as it is written, nothing for a dash. Raises `ValueError`."""
    if word == "-":
        return None
    if not 0 <= int(word) <= MOST:
        raise ValueError(f"{word} is no exit code")
    return int(word)


def _told(folder: Path, log: list[Mapping[str, Any]]) -> Iterator[Happening]:
    for number, entry in enumerate(log):
        try:
            at, what = _seconds(entry["time"]), str(entry["what"])
        except (KeyError, TypeError, ValueError) as error:
            raise RawRecordError(f"{folder}/{_LOG}, entry {number}: {error} is no time or is missing.") from error
        said = str(entry.get("state") or entry.get("command") or entry.get("out") or entry.get("err") or "").strip()
        if what == gap.STATE:
            said = said.removeprefix("TP_STATE_").lower()
        # of what rollout status said the last line counts, of all else the first
        lines = said.splitlines()[-1:] if what in _CALLED else said.splitlines()[:1]
        called = what if what in _CALLED and _DONE not in said else _CALLED.get(what, what)
        yield Happening(at, called, "".join(lines))


def _pods(folder: Path, node: str) -> Iterator[Happening]:
    for number, line in enumerate((read_text(folder / _PODS) or "").splitlines(), 1):
        try:
            told = json.loads(line)
            at, pod = _seconds(told["time"]), str(told["pod"])
        except (KeyError, TypeError, ValueError) as error:
            raise RawRecordError(f"{folder}/{_PODS}, line {number} tells of no pod: {line[:80]!r}.") from error
        yield Happening(at, gap.POD, f"{pod} {_state(told)}", node)


def _state(told: Mapping[str, Any]) -> str:
    """The pod's state in a word or two, as `kubectl get pods` would have it."""
    if told.get("type") == "DELETED":
        return "gone"
    if told.get("deleting") and told.get("phase") == "Running":
        return "terminating"
    ready = told.get("ready") or {}
    word = str(told.get("phase", "")).lower()
    return f"{word}, ready" if ready and all(ready.values()) else word


def _seconds(time: str) -> float:
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError(f"{time} has no time zone")
    return moment.timestamp()
