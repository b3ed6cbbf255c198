"""Raw records of a change: `acts.txt`, `log.json` and `pods-watch.txt` of one folder, as a `Continuity`.

The folder's name says what was changed: `gap-<change>`, with anything behind it
(`gap-upgrade-1.4.1-to-1.7.0`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from tetraproof import decoding
from tetraproof.decoding import Source
from tetraproof.errors import RawRecordError
from tetraproof.observing import gap
from tetraproof.observing.gap import Beat, Continuity, Happening, Pulse
from tetraproof.recordings.objects import REMEDY, read_json, read_text
from tetraproof.text import shorten

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


class _Entry(Struct):
    """One entry of the log: what was done or said, and when."""

    time: str
    what: str
    state: str | None = None
    command: str | None = None
    out: str | None = None
    err: str | None = None


class _Watched(Struct):
    """One line of the pods that were watched."""

    time: str
    pod: str
    type: str = ""
    phase: str | None = None
    deleting: str | bool | None = None
    ready: dict[str, bool] | None = None


def read(folder: Path, node: str) -> Continuity:
    """The record of one node. Raises `RawRecordError`."""
    log = read_json(folder / _LOG, list[_Entry]) or []
    command = next((entry.command for entry in log if entry.command), "")
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
    if not (0 <= beat.started <= gap.LAST_MOMENT and 0 <= beat.ended <= gap.LAST_MOMENT):  # neither is NaN
        raise ValueError(f"{started} and {ended} are no times")
    return beat


def _code(word: str) -> int | None:
    """An exit code as it is written, nothing for a dash. Raises `ValueError`."""
    if word == "-":
        return None
    if not (word.isdecimal() and len(word) <= len(str(MOST)) and int(word) <= MOST):
        raise ValueError(f"{word} is no exit code")
    return int(word)


def _told(folder: Path, log: list[_Entry]) -> Iterator[Happening]:
    for number, entry in enumerate(log):
        at = _seconds(entry.time, f"{folder}/{_LOG}, entry {number}")
        said = (entry.state or entry.command or entry.out or entry.err or "").strip()
        if entry.what == gap.STATE:
            said = said.removeprefix("TP_STATE_").lower()
        # of what rollout status said the last line counts, of all else the first
        lines = said.splitlines()[-1:] if entry.what in _CALLED else said.splitlines()[:1]
        called = entry.what if entry.what in _CALLED and _DONE not in said else _CALLED.get(entry.what, entry.what)
        yield Happening(at, called, "".join(lines))


def _pods(folder: Path, node: str) -> Iterator[Happening]:
    for number, line in enumerate((read_text(folder / _PODS) or "").splitlines(), 1):
        where = f"{folder}/{_PODS}, line {number}"
        told: _Watched = decoding.as_json(line, _Watched, Source(where, REMEDY, RawRecordError))
        yield Happening(_seconds(told.time, where), gap.POD, f"{told.pod} {_state(told)}", node)


def _state(told: _Watched) -> str:
    """The pod's state in a word or two, as `kubectl get pods` would have it."""
    if told.type == "DELETED":
        return "gone"
    if told.deleting and told.phase == "Running":
        return "terminating"
    ready = told.ready or {}
    word = (told.phase or "").lower()
    return f"{word}, ready" if ready and all(ready.values()) else word


def _seconds(time: str, where: str) -> float:
    """A time in seconds since 1970. Raises `RawRecordError`."""
    try:
        moment = datetime.fromisoformat(time)
        seconds = moment.timestamp()
    except (ValueError, OverflowError) as error:
        why = shorten(error, 120)
        raise RawRecordError(f"{where}: {time[:60]!r} is no time: {why}.", remedy=REMEDY) from error
    if moment.tzinfo is None or not 0 <= seconds <= gap.LAST_MOMENT:
        why = "it has no time zone" if moment.tzinfo is None else "it is before 1970"
        raise RawRecordError(f"{where}: {time[:60]!r} is no time: {why}.", remedy=REMEDY)
    return seconds
