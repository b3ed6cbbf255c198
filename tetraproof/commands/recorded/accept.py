"""`tetraproof accept`: what a run of a recording showed becomes what that recording is expected to show."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tetraproof.errors import TetraproofError, UsageError
from tetraproof.recordings.recording import EXPECTED, Recording, open_recording
from tetraproof.report.acceptance import PLAIN, Acceptance, OpenEntry, accept, written
from tetraproof.report.pin import hold
from tetraproof.report.result import FILE, Result
from tetraproof.report.result import read as read_result
from tetraproof.settings import shipped
from tetraproof.settings.configuration import find
from tetraproof.settings.options import Options
from tetraproof.text import safe

ABOUT = "pin what a run of a recording showed; whatever does not conform is asked for"
#: The exit code of a program that SIGINT ended, as a shell tells it.
INTERRUPTED = 130
_YES = "y"


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument("run", nargs="?", type=Path, help="a run's folder (default: the newest replay in reports/)")
    parser.add_argument(
        "--recording", type=Path, metavar="DIR", help="where the recording lies (default: recordings/, by its name)"
    )
    parser.add_argument(
        "--cite",
        action="append",
        default=[],
        metavar="ENTRY=WORDS",
        help="answer an entry, or all of that name: guard::test_x=finding, test_x=words of its reason",
    )
    parser.add_argument("--prune", action="store_true", help="leave out entries of what was not judged any more")


def run(given: argparse.Namespace) -> int:
    """Pin it. Ends with 0 where the run is as expected now, with 1 where something is left open."""
    options = find(Path.cwd()).options({})
    folder, result = _run(given.run, options.reports)
    place, recording = _recording(given.recording, result, options)
    acceptance = accept(recording.expected or {}, result.policies)
    answers = _cited(given.cite, acceptance)
    unanswered = [one for one in acceptance.open if one not in answers]
    if unanswered and not sys.stdin.isatty():
        raise _wanting(unanswered, place)
    print(safe(f"{_near(folder)} is held against {_near(place / EXPECTED)}"))
    try:
        answers |= _asked(unanswered)
    except KeyboardInterrupt:
        print("\ntetraproof: interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    table = acceptance.table(answers, prune=given.prune)
    for line in _told(acceptance, answers, pruned=given.prune):
        print(safe(line))
    changed = table != (recording.expected or {})
    if changed:
        _write(place / EXPECTED, written(table))
    pins = hold(table, result.policies, whole=True)
    for difference in pins.differences:
        print(safe(f"differs still: {difference}"))
    print(
        f"{EXPECTED} {'was written' if changed else 'is as it was'}: {pins.held} held, {len(pins.differences)} differ"
    )
    return 1 if pins.differences else 0


def _run(given: Path | None, reports: Path) -> tuple[Path, Result]:
    """The run: the one that is named, or the newest that replayed a recording. Raises `UsageError`."""
    folder, result = (given, read_result(given)) if given else _newest(reports)
    if not result.target.recording:
        raise UsageError(
            f"{folder} is a run on the target {result.target.kind}, and only what is replayed has entries to hold.",
            remedy="keep it with RECORD=, and judge that recording with TARGET=replay",
        )
    if not result.run.whole:
        raise UsageError(
            f"{folder} judged only a part, and a policy's verdict is that of all of its promises.",
            remedy="run all suites, without K=",
        )
    return folder, result


def _newest(reports: Path) -> tuple[Path, Result]:
    files = sorted(reports.glob(f"*/{FILE}"), key=lambda path: (path.stat().st_mtime, path), reverse=True)
    for file in files:
        with suppress(TetraproofError):
            result = read_result(file)
            if result.target.recording:
                return file.parent, result
    raise UsageError(
        f"No run in {_near(reports)} replayed a recording.",
        remedy="make test TARGET=replay, or name the folder of a run",
    )


def _recording(given: Path | None, result: Result, options: Options) -> tuple[Path, Recording]:
    """The recording that was replayed, and where it lies. Raises `UsageError` where it is shipped, or another."""
    name = result.target.recording
    place = given or options.recordings / name
    kept = shipped.root() / "recordings"
    if (not given and not place.is_dir() and (kept / name).is_dir()) or place.resolve().is_relative_to(kept):
        raise UsageError(
            f"{name} is shipped with tetraproof, and no command writes what a shipped recording is expected to show.",
            remedy="record one of your own: tetraproof record --into recordings/mine",
        )
    if not place.is_dir():
        raise UsageError(f"There is no recording {_near(place)}.", remedy="say where it lies with --recording DIR")
    recording = open_recording(place)
    if recording.index.cell != result.target.cell:
        theirs, ours = recording.index.cell.title, result.target.cell.title
        raise UsageError(
            f"{_near(place)} is of another cell ({theirs}) than the run ({ours}).",
            remedy="name the recording that was replayed with --recording DIR",
        )
    return place, recording


def _cited(given: Sequence[str], acceptance: Acceptance) -> dict[OpenEntry, str]:
    """The answers of `--cite`, an entry's own before those of its name. Raises `UsageError`."""
    answers: dict[OpenEntry, str] = {}
    for text in sorted(given, key=lambda one: "::" in one.partition("=")[0]):
        key, found, words = text.partition("=")
        if not found:
            raise UsageError(f"--cite {text}: no = in it.", remedy="write --cite 'guard::test_x=what explains it'")
        meant = [one for one in acceptance.open if key in {one.key, one.name or one.policy}]
        known = {name for policy in acceptance.policies.values() for name in _names(acceptance, policy.name)}
        if not meant and key not in known:
            near = difflib.get_close_matches(key, known, 1)
            raise UsageError(
                f"--cite {text}: the run judged no {key}.", remedy=f"did you mean {near[0]}?" if near else "see the run"
            )
        for one in meant:
            refused = one.why_not(words)
            if refused:
                raise UsageError(f"--cite {text}: that does not explain {one.key}: {refused}.", remedy=_how(one))
            answers[one] = words
    return answers


def _names(acceptance: Acceptance, policy: str) -> Iterator[str]:
    """All that an entry of a policy may be called."""
    result = acceptance.policies[policy]
    names = [*(claim.name for claim in result.claims), *(limit.label for limit in result.limits)]
    yield policy
    for name in names:
        yield from (name, f"{policy}::{name}")


def _how(one: OpenEntry) -> str:
    if one.seen in PLAIN:
        return f"--cite '{one.key}={one.seen}' takes it"
    return one.unanswerable or (f"it is {one.suggestion}" if one.suggestion else "cite words of the reason")


def _wanting(unanswered: Sequence[OpenEntry], place: Path) -> UsageError:
    wants = "an entry wants an answer" if len(unanswered) == 1 else f"{len(unanswered)} entries want an answer"
    return UsageError(
        f"{_near(place / EXPECTED)}: {wants}, and there is no terminal to ask at; nothing was written.",
        causes=[safe(f"{one.key} {_shown(one)}") for one in unanswered],
        remedy=f"--cite '{unanswered[0].key}=…' answers one, --cite 'test_x=…' all of that name",
    )


def _asked(unanswered: Sequence[OpenEntry]) -> dict[OpenEntry, str]:
    """The answers that a person types; whatever is left out stays open."""
    answers: dict[OpenEntry, str] = {}
    if unanswered:
        print(
            f"{len(unanswered)} to decide: type what explains it, {_YES} for what stands in [ ], or nothing to leave it"
        )
    last = ""
    for at, one in enumerate(unanswered, 1):
        print(safe(f"({at}/{len(unanswered)}) {one.key}: {one.title}"))
        print(safe(f"    {_shown(one)}"))
        if one.unanswerable:
            print(safe(f"    left open: {one.unanswerable}"))
            continue
        offered = one.suggestion or (last if not one.why_not(last) else "")
        try:
            answer = _ask(one, offered, input)
        except EOFError:
            print()
            break
        if answer:
            answers[one] = answer
            last = answer if one.seen not in PLAIN else last
    return answers


def _ask(one: OpenEntry, offered: str, read: Callable[[str], str]) -> str:
    """One answer that explains the entry; nothing where it is left open."""
    asked = "is that so" if one.seen in PLAIN else "cites"
    prompt = safe(f"    {asked}{f' [{offered}]' if offered else ''}: ")
    while True:
        answer = read(prompt).strip()
        answer = offered if answer == _YES and offered else answer
        if not answer:
            return ""
        refused = one.why_not(answer)
        if not refused:
            return answer
        print(safe(f"    that does not explain it: {refused}"))


def _shown(one: OpenEntry) -> str:
    """What is seen, and what is pinned."""
    because = f": {one.reason}" if one.reason and one.seen not in PLAIN else ""
    by = f" by {one.finding}" if one.finding else ""
    return f"is {one.seen}{by}{because} (pinned: {one.pinned or 'nothing'})"


def _told(acceptance: Acceptance, answers: Mapping[OpenEntry, str], *, pruned: bool) -> Iterator[str]:
    """What becomes of each entry that is new, changed or gone."""
    for policy, parts in acceptance.added.items():
        for entries in parts.values():
            yield from (f"pinned: {policy}::{name} {seen}" for name, seen in entries.items())
    for one in acceptance.open:
        if one in answers:
            yield f"pinned: {one.key} {one.seen}" + ("" if one.seen in PLAIN else f", citing “{answers[one]}”")
        else:
            yield f"left open: {one.key} {_shown(one)}"
    for key in acceptance.gone:
        yield f"left out: {key}" if pruned else f"kept: {key}, which was not judged (--prune leaves it out)"


def _write(path: Path, text: str) -> None:
    """Write the file whole, or not at all. Raises `UsageError`."""
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        made.write_text(text, encoding="utf-8")
        made.replace(path)
    except OSError as error:
        made.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error


def _near(path: Path) -> Path:
    """A path as a person would type it from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
