"""Raw records of a change: `acts.txt`, `log.json` and `pods-watch.txt` of one folder, as a `Continuity`.

The folder's name says what was changed: `gap-<change>`, with anything behind it
(`gap-upgrade-1.4.1-to-1.7.0`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tetraproof import gap
from tetraproof.environment import read_json, read_text
from tetraproof.errors import RawRecordError
from tetraproof.gap import Beat, Continuity, Happening, Pulse

PREFIX = "gap-"
CHANGES = ("rollout-restart", "upgrade", "rollback", "configure")
_BEATS, _LOG, _PODS = "acts.txt", "log.json", "pods-watch.txt"
#: What the log calls things, and what they are called here; what is not listed keeps its name.
_CALLED = {"rollout status": gap.ROLLED_OUT}


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
    return Continuity(change_of(folder.name), command, (Pulse(node, tuple(_beats(folder))),), tuple(happenings))


def _beats(folder: Path) -> Iterator[Beat]:
    for number, line in enumerate((read_text(folder / _BEATS) or "").splitlines(), 1):
        try:
            started, ended, code = line.split()
            yield Beat(float(started), float(ended), None if code == "-" else int(code))
        except ValueError as error:
            raise RawRecordError(
                f"{folder}/{_BEATS}, line {number} is no act: {line[:80]!r}.",
                remedy="a line is start, end (seconds since 1970) and exit code",
            ) from error


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
        yield Happening(at, _CALLED.get(what, what), "".join(lines))


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
    return datetime.fromisoformat(time).timestamp()
