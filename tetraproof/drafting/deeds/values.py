"""For what a selector asks of a path: values just inside, and values just outside, nearest first."""

# ruff: noqa: S108 - these paths lie in the pods that are acted in

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tetraproof.drafting.foretelling.matching import holds
from tetraproof.drafting.foretelling.reading import Asked
from tetraproof.drafting.place import Place

#: Where files are made that nothing speaks of, best first.
SCRATCH = ("/tmp", "/var/tmp", "/root", "/srv")
_TEXT = re.compile(r"(Not)?(Equal|Prefix|Postfix|SubString|SubStringIgnCase)")
#: Names that files have and folders do not.
_FILES = {
    "passwd",
    "shadow",
    "group",
    "gshadow",
    "sudoers",
    "profile",
    "hosts",
    "hostname",
    "environment",
    "crontab",
    "fstab",
    "bashrc",
    "token",
}
_LINKS = ("/bin/", "/sbin/", "/lib/", "/lib64/", "/var/run/", "/var/lock/", "/proc/self/")
_LONGEST = 200


@dataclass(frozen=True)
class Inside:
    """A path that a selector takes. `folder` is the guarded folder, where it is one that the selector names."""

    path: str
    folder: str = ""


@dataclass(frozen=True)
class Outside:
    """A path that a selector leaves: what an act on it is called, and what is said of it."""

    name: str
    path: str
    phrase: str


def usable(path: str) -> bool:
    """Whether a file of this path can be made and be spoken of: absolute, plain, and no folder."""
    plain = path.isprintable() and posixpath.normpath(path) == path and len(path) < _LONGEST
    if behind_a_link(path):
        return False
    return plain and path.startswith("/") and not path.startswith("//") and posixpath.basename(path) not in {"", ".."}


def behind_a_link(path: str) -> bool:
    """Whether Debian's images have this path behind a link, so that an agent tells another (/bin is /usr/bin)."""
    return path.startswith(_LINKS)


def inside(asked: Sequence[Asked], place: Place) -> list[Inside]:
    """Paths that all of these filters take: one for each value of the first that names any."""
    found = [one for one in _candidates(asked, place) if usable(one.path) and _all_hold(asked, one.path)]
    return list({one.path: one for one in found}.values())


def outside(asked: Sequence[Asked], guarded: Inside) -> Iterator[Outside]:
    """Paths beside a guarded one that some filter leaves, nearest first."""
    for one in _neighbours(asked, guarded):
        if usable(one.path) and not _all_hold(asked, one.path):
            yield one


def scratch(asked: Iterable[Sequence[Asked]]) -> str:
    """A folder in which no selector takes a file."""
    selectors = [one for one in asked if one]
    free = (place for place in SCRATCH if not any(_all_hold(one, f"{place}/x") for one in selectors))
    return next(free, SCRATCH[0])


def _all_hold(asked: Sequence[Asked], path: str) -> bool:
    return all(holds(one, path, {}) is True for one in asked if _TEXT.fullmatch(one.operator))


def _candidates(asked: Sequence[Asked], place: Place) -> Iterator[Inside]:
    endings = [value for one in asked if one.operator == "Postfix" for value in one.values] or [""]
    for one in asked:
        for value in (value.removesuffix("\0") for value in one.values):
            yield from _of_value(one.operator, value, endings[0], place)
    yield Inside(f"{SCRATCH[0]}/guarded")


def _of_value(operator: str, value: str, ending: str, place: Place) -> Iterator[Inside]:
    if operator == "Equal":
        yield Inside(value)
    elif operator == "Prefix":
        yield from _below(value, ending, place)
    elif operator == "Postfix":
        yield Inside(f"{SCRATCH[0]}/{value.lstrip('/')}" if "/" in value else f"{SCRATCH[0]}/guarded{value}")
    elif operator.startswith("SubString"):
        yield Inside(f"{SCRATCH[0]}/{value.strip('/')}" if "/" not in value.strip("/") else f"{SCRATCH[0]}/{value}/x")
        yield Inside(f"{SCRATCH[0]}/{value.strip('/')}/x")


def _below(prefix: str, ending: str, place: Place) -> Iterator[Inside]:
    folder = prefix.rstrip("/") or "/"
    mentioned = place.mentions(prefix)
    if mentioned:
        yield Inside(mentioned[0], folder)
    elif is_file(prefix):
        yield Inside(prefix + ending)
    elif folder == "/":
        yield Inside(f"{SCRATCH[0]}/guarded{ending}", folder)
    else:
        yield Inside(f"{folder}/guarded{ending}", folder)


def is_file(prefix: str) -> bool:
    """Whether a prefix reads as the path of a file, and not as that of a folder."""
    name = posixpath.basename(prefix)
    return bool(name) and (name in _FILES or ("." in name.lstrip(".") or name.startswith(".bash")))


def _neighbours(asked: Sequence[Asked], guarded: Inside) -> Iterator[Outside]:
    if guarded.folder:
        yield from _beside_folder(asked, guarded)
        return
    path = guarded.path
    beside = posixpath.join(posixpath.dirname(path), "bar")
    for one in asked:
        values = [value.removesuffix("\0") for value in one.values]
        if one.operator in {"Equal", "Prefix"}:
            yield Outside("bar", beside, "another file")
            yield Outside("lookalike", f"{path}2", "a name that only begins alike")
            yield Outside("shorter", path[:-1], "a name that lacks the last character")
            yield Outside("elsewhere", f"/root{path}", "the same name in another folder")
        elif one.operator == "Postfix":
            ending = next((value for value in values if path.endswith(value)), "")
            yield Outside("lookalike", f"{path}2", "a name that goes on after the ending")
            yield Outside("shorter", path.removesuffix(ending) + ending[1:], "a name that lacks the ending's first")
        elif one.operator.startswith("SubString"):
            part = next((value for value in values if value in path), "")
            yield Outside("bar", beside, "another file")
            yield Outside("shorter", path.replace(part, part[:-1], 1), "a path that lacks the part's last")
        elif one.operator.startswith("Not"):
            yield Outside("exempt", _exempt(one.operator, values[0] if values else ""), "a file that is exempt")


def _beside_folder(asked: Sequence[Asked], guarded: Inside) -> Iterator[Outside]:
    prefixes = [value for one in asked if one.operator == "Prefix" for value in one.values]
    if any(value.endswith("/") and guarded.path.startswith(value) for value in prefixes):
        yield Outside("beside", f"{guarded.folder}2", "a path that only begins like the folder")
    elif guarded.folder != "/":
        yield Outside("shorter", guarded.folder[:-1], "a path that lacks the last character of the folder")


def _exempt(operator: str, value: str) -> str:
    if operator == "NotEqual":
        return value
    if operator == "NotPrefix":
        return value + "x" if not value.endswith("/") else f"{value}exempt"
    return f"{SCRATCH[0]}/exempt{value.lstrip('/')}"
