"""A recording tells of a cell, not of the machine that made it: its maker's folders go by neutral names in it.

They stand in what was observed: the folder that a container's runtime was started in, the agent's own command line, its
log and its errors. They are renamed before anything is kept, so a live run judges what its recording holds. What has a
meaning is never renamed: what a process in a container did, the words of an act, and a path that an act or the policy
speaks of.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from tetraproof.errors import TetraproofError
from tetraproof.events import api
from tetraproof.policies.policy import parse as parse_policy
from tetraproof.recordings.record import Index, ScenarioRecord, digest_of

#: What folders of a maker's machine are called in a recording.
HOME, WORK, RUN, BUNDLE, KERNEL, TEMPORARY = (
    "/home/user",
    "/home/user/project",
    "/home/user/project/reports/run",
    "/opt/tetragon",
    "/opt/kernel",
    "/tmp",  # noqa: S108 - a name
)
#: Folders that every machine has: they name nobody, and a program below them is what it is by its path.
_EVERYBODYS = ("/usr", "/etc", "/proc", "/sys", "/dev")
#: What follows a folder in a path; what may end one without being a part of it does.
_TAIL = r"[^\s\"'`\\,;:=<>|&(){}\[\]*?]*"
#: A folder ends where its name does: /home/alice is none of /home/alice2.
_ENDS = r"(?![\w-]|\.\w)"
#: Of an act these are told by whoever performed it; its words and its output are the act.
_TOLD_OF_ACTS = ("stderr", "broken", "lacks", "disturbed")
_PROCESSES = {"process", "parent", "ancestors"}
#: Of a scenario: what is judged by, as it is.
_OWN = ("policy.yaml", "applied.yaml")
_UNREADABLE = (ValueError, RecursionError, TypeError, AttributeError, KeyError)


@dataclass(frozen=True)
class _Spoken:
    """What acts and policies speak of: paths at or below a folder that would be renamed, and a policy's own values."""

    paths: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    def tells_apart(self, one: str, other: str) -> bool:
        """Whether something is said of one path that would not be said of the other."""
        if any(one == path or one.startswith(f"{path.rstrip('/')}/") for path in self.paths):
            return True
        return any(
            one.startswith(value) != other.startswith(value) or one.endswith(value) != other.endswith(value)
            for value in self.values
        )


_NOTHING = _Spoken()


class Neutral:
    """Renames folders, by what each is called instead. One that every machine has keeps its name."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self._names = {path: name for path, name in (names or {}).items() if _tells(path) and path != name}
        self._forms = {form: path for path in self._names for form in _written(path)}
        # of a folder and one inside of it the inner is meant where it stands
        longest = sorted(self._forms, key=len, reverse=True)
        self._pattern = re.compile(f"(?:{'|'.join(map(re.escape, longest))}){_ENDS}(?={_TAIL})") if longest else None
        self._tail = re.compile(_TAIL)

    def index(self, index: Index) -> Index:
        """An index without its scenarios' own."""
        if self._pattern is None:
            return index
        told = {name: self._value(msgspec.to_builtins(getattr(index, name))) for name in _OF_INDEX}
        renamed = {name: msgspec.convert(value, type(getattr(index, name))) for name, value in told.items()}
        made = replace(index, **renamed)
        if made.settings != index.settings and index.cell.digest == digest_of(index.settings):
            made = replace(made, cell=replace(made.cell, digest=digest_of(made.settings)))
        return made

    def environment(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Files of the environment, by their path in the recording."""
        return {path: self._text(content, _NOTHING) for path, content in files.items()}

    def scenario(self, record: ScenarioRecord, files: Mapping[str, bytes]) -> tuple[ScenarioRecord, dict[str, bytes]]:
        """A scenario's entry, and its files by their names."""
        if self._pattern is None:
            return record, dict(files)
        spoken = self._spoken(files)
        told = {"notes": record.notes, "settings": record.settings, "unanswered": record.unanswered}
        renamed = {name: self._value(msgspec.to_builtins(value), spoken) for name, value in told.items()}
        made = msgspec.convert({**msgspec.to_builtins(record), **renamed}, ScenarioRecord)
        return made, {name: self._file(name, content, spoken) for name, content in files.items()}

    def _file(self, name: str, content: bytes, spoken: _Spoken) -> bytes:
        if name in _OWN or not self._stands_in(content):
            return content
        if name == "acts.json":
            return self._json(content, lambda acts: [self._act(act, spoken) for act in acts], spoken)
        if name == "continuity.json":
            return self._json(content, lambda told: self._change(told, spoken), spoken)
        if name.endswith(".jsonl"):
            return b"\n".join(self._line(line, spoken) for line in content.split(b"\n"))
        return self._text(content, spoken)

    def _spoken(self, files: Mapping[str, bytes]) -> _Spoken:
        """What the acts and the policy of a scenario speak of."""
        words = list(_words(files))
        values: list[str] = []
        for name in _OWN:
            with suppress(TetraproofError):
                text = files.get(name, b"").decode("utf-8", "replace")
                values += _texts(parse_policy(text, name, recorded=True).spec) if text else []
        paths = {f"{self._forms[one[0]]}{self._tail_of(one)}" for word in words for one in self._found(word)}
        # what is no path, or every path's beginning, tells none apart
        speaking = {value for value in values if len(value) > 1 and "/" in value}
        return _Spoken(tuple(sorted(paths)), tuple(sorted(speaking)))

    # what a value, a line or a text is without them

    def _found(self, text: str) -> Iterator[re.Match[str]]:
        return self._pattern.finditer(text) if self._pattern else iter(())

    def _stands_in(self, content: bytes) -> bool:
        return next(self._found(content.decode("utf-8", "surrogateescape")), None) is not None

    def _tail_of(self, found: re.Match[str]) -> str:
        tail = self._tail.match(found.string, found.end())
        return tail[0] if tail else ""

    def _renamed(self, text: str, spoken: _Spoken = _NOTHING) -> str:
        def name_of(found: re.Match[str]) -> str:
            path, tail = self._forms[found[0]], self._tail_of(found)
            name = self._names[path]
            return found[0] if spoken.tells_apart(f"{path}{tail}", f"{name}{tail}") else name

        return self._pattern.sub(name_of, text) if self._pattern else text

    def _text(self, content: bytes, spoken: _Spoken) -> bytes:
        text = content.decode("utf-8", "surrogateescape")
        return self._renamed(text, spoken).encode("utf-8", "surrogateescape")

    def _value(self, value: Any, spoken: _Spoken = _NOTHING) -> Any:
        """A value of JSON, text by text; names of fields stay."""
        if isinstance(value, str):
            return self._renamed(value, spoken)
        if isinstance(value, list | tuple):
            return [self._value(one, spoken) for one in value]
        if isinstance(value, dict):
            return {name: self._value(one, spoken) for name, one in value.items()}
        return value

    def _act(self, act: dict[str, Any], spoken: _Spoken) -> dict[str, Any]:
        return {**act, **{name: self._value(act[name], spoken) for name in _TOLD_OF_ACTS if name in act}}

    def _change(self, told: dict[str, Any], spoken: _Spoken) -> dict[str, Any]:
        """A change of the installation; what was repeated meanwhile stays."""
        return {name: one if name == "pulses" else self._value(one, spoken) for name, one in told.items()}

    def _json(self, content: bytes, change: Callable[[Any], Any], spoken: _Spoken) -> bytes:
        """A file of JSON, changed, in the form of a recording's files."""
        try:
            value = change(json.loads(content))
        except _UNREADABLE:
            return self._text(content, spoken)
        return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"

    def _line(self, line: bytes, spoken: _Spoken) -> bytes:
        """A line of a stream: of processes in containers it stays, for theirs are other folders of the same name."""
        if not self._stands_in(line):
            return line
        text = line.decode("utf-8", "surrogateescape")
        try:
            event = json.loads(text)
            kinds = [name for name in event if name in api.KINDS and isinstance(event[name], dict)]
        except _UNREADABLE:
            kinds = []
        if not kinds:
            return self._text(line, spoken)
        told = json.dumps(
            {**event, **{kind: self._event(event[kind], spoken) for kind in kinds}},
            # half a character has no other form
            ensure_ascii="\\ud" in text.lower(),
            separators=(",", ":"),
        )
        return told.encode("utf-8", "surrogateescape")

    def _event(self, body: dict[str, Any], spoken: _Spoken) -> dict[str, Any]:
        inside = _is_contained(body.get("process"))
        return {
            name: self._processes(one, spoken) if name in _PROCESSES else one if inside else self._value(one, spoken)
            for name, one in body.items()
        }

    def _processes(self, told: Any, spoken: _Spoken) -> Any:
        if isinstance(told, list):
            return [self._processes(one, spoken) for one in told]
        return told if _is_contained(told) else self._value(told, spoken)


#: What of an index may hold a folder of the machine's.
_OF_INDEX = ("cell", "provenance", "settings")


def of_this_machine(folders: Mapping[str, Path | None], more: Mapping[str, str] | None = None) -> Neutral:
    """What the folders of this machine are called: those given by their neutral names, the home and where we work.

    The same folder may be told by a way that leads over links. `more` are names of folders, also of other machines.
    """
    here = {TEMPORARY: Path(tempfile.gettempdir()), HOME: Path.home(), WORK: Path.cwd()}
    here |= {name: folder for name, folder in folders.items() if folder is not None}
    ways = [(name, str(way)) for name, path in here.items() for way in (path, path.absolute(), path.resolve())]
    logical = os.environ.get("PWD", "")
    if logical and Path(logical).resolve() == here[WORK].resolve():
        ways.append((WORK, logical))
    return Neutral({**{way.rstrip("/"): name for name, way in ways}, **(more or {})})


def _is_contained(process: Any) -> bool:
    """Whether a process is one of a container's: its paths are the container's own."""
    return isinstance(process, dict) and bool(process.get("docker") or process.get("pod"))


def _tells(path: str) -> bool:
    """Whether a folder's path tells of a machine: /home/alice does, /root and /workspace are many machines'."""
    is_deep = path.startswith("/") and path.strip("/").count("/") > 0
    return is_deep and not any(path == one or path.startswith(f"{one}/") for one in _EVERYBODYS)


def _written(path: str) -> set[str]:
    """The forms in which a path stands in text and in JSON, ours and the agent's."""
    written = [json.dumps(path, ensure_ascii=ascii_only)[1:-1] for ascii_only in (False, True)]
    # Go's JSON escapes what HTML would read as well
    escaped = [one.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e") for one in written]
    return {path, *written, *escaped}


def _words(files: Mapping[str, bytes]) -> Iterator[str]:
    """Everything that the acts of a scenario say."""
    with suppress(*_UNREADABLE):
        for act in json.loads(files.get("acts.json") or b"[]"):
            yield from (*act["argv"], act.get("stdin") or "")
    with suppress(*_UNREADABLE):
        for pulse in json.loads(files.get("continuity.json") or b"{}").get("pulses", []):
            yield from pulse["argv"]


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value of YAML."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
