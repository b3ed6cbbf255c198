"""A Tetragon to start: the official package's layout, in a folder, an archive, or a release that is downloaded once."""

from __future__ import annotations

import hashlib
import os
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from tetraproof.errors import UsageError
from tetraproof.machines import cache, program
from tetraproof.machines.program import ProgramError
from tetraproof.pacing.progress import Tell, awaiting
from tetraproof.text import shorten

#: Names the bundle where BUNDLE= does not.
VARIABLE = "TETRAGON_BUNDLE"
#: Where the official releases lie.
RELEASES = "https://github.com/cilium/tetragon/releases/download"
_VERSION = re.compile(r"v?(\d+\.\d+\.\d+(?:-[\w.]+)?)")
_AGENT, _CLI, _LIBRARY = "usr/local/bin/tetragon", "usr/local/bin/tetra", "usr/local/lib/tetragon/bpf"
#: Seconds without a byte after which a download is given up.
_SILENCE = 30.0
_CHUNK = 1 << 20
#: A line is told each time that so many bytes more have come.
_NEWS_EVERY = 20 * _CHUNK
_CHOICES = "BUNDLE= is a version (1.7.0), or a folder or .tar.gz with the layout of the official package"


@dataclass(frozen=True)
class Bundle:
    """A Tetragon that can be started: its folder, the agent, `tetra`, and the folder of its BPF programs."""

    path: Path
    agent: Path
    cli: Path
    library: Path


def find(text: str, environment: Mapping[str, str]) -> str:
    """Which bundle to use: the one named, else that of TETRAGON_BUNDLE, else the newest release in the cache.

    Empty where there is none.
    """
    cached = [path.name for path in cache.root().glob("bundles/*") if _VERSION.fullmatch(path.name)]
    newest = max(cached, key=lambda name: [int(number) for number in re.findall(r"\d+", name)], default="")
    return text or environment.get(VARIABLE, "") or newest


def obtain(text: str, tell: Tell, *, releases: str = RELEASES) -> Bundle:
    """The bundle that `text` names; an archive is unpacked and a release is downloaded once. Raises `UsageError`."""
    path = Path(text).expanduser()
    try:
        if path.is_dir():
            return _bundle(path.resolve(), text)
        if path.is_file():
            digest = _digest(path)
            return _bundle(cache.made("bundles", f"archive-{digest}", lambda place: _unpack(path, place, text)), text)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", remedy=_CHOICES) from error
    version = _VERSION.fullmatch(text)
    if not version:
        raise UsageError(f"There is no bundle {shorten(text, 80)!r}.", remedy=_CHOICES)
    place = cache.made("bundles", version[1], lambda place: _download(version[1], place, tell, releases))
    return _bundle(place, text)


def _bundle(folder: Path, text: str) -> Bundle:
    """The bundle in a folder, or in the one folder in it (an archive has all of it in one)."""
    root = next((one for one in (folder, *sorted(folder.glob("*/"))) if (one / _AGENT).exists()), folder)
    found = Bundle(root, root / _AGENT, root / _CLI, root / _LIBRARY)
    missing = [name for name in (_AGENT, _CLI) if not os.access(root / name, os.X_OK) or (root / name).is_dir()]
    if not any(found.library.glob("*.o")):
        missing.append(f"{_LIBRARY}/*.o")
    if missing:
        raise UsageError(
            f"The bundle {shorten(text, 80)} is not complete: it lacks {', '.join(missing)}.",
            remedy=_CHOICES,
        )
    return found


def _unpack(archive: Path, place: Path, text: str) -> None:
    try:
        program.run(
            ["tar", "--extract", "--gzip", "--file", str(archive), "--directory", str(place), "--no-same-owner"]
        )
    except ProgramError as error:
        raise UsageError(
            f"The bundle {shorten(text, 80)} is no archive that can be unpacked: {error.sentence}",
            causes=error.causes,
            remedy=_CHOICES,
        ) from error
    # one that is not whole is not kept
    _bundle(place, text)


def _download(version: str, place: Path, tell: Tell, releases: str) -> None:
    name = f"tetragon-v{version}-amd64.tar.gz"
    address = f"{releases}/v{version}/{name}"
    archive = place / name
    try:
        with awaiting(f"{address}.sha256sum"), _opened(f"{address}.sha256sum") as answer:
            told = answer.read(4096).decode("ascii", "replace").split()
        if not told or not re.fullmatch(r"[0-9a-f]{64}", told[0]):
            raise UsageError(f"{address}.sha256sum holds no checksum.", remedy=_elsewhere(name))
        with awaiting(address), _opened(address) as answer, archive.open("wb") as file:
            _copy(answer, file, f"downloading Tetragon {version}", tell)
    except urllib.error.HTTPError as error:
        error.close()
        raise UsageError(
            f"There is no release {version} of Tetragon to download: {error.url} answers {error.code}.",
            remedy=_CHOICES,
        ) from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise UsageError(
            f"Tetragon {version} cannot be downloaded: {address} is out of reach ({shorten(str(reason), 120)}).",
            remedy=_elsewhere(name),
        ) from error
    digest = _digest(archive)
    if digest != told[0]:
        raise UsageError(
            f"Tetragon {version} was not downloaded as it was released: its sha256 is {digest}, and not {told[0]}.",
            remedy=f"try again; if it stays so, do not use it. {_elsewhere(name)}",
        )
    tell(f"unpacking Tetragon {version}, its sha256 verified")
    _unpack(archive, place, version)
    archive.unlink()


def _elsewhere(name: str) -> str:
    return f"fetch {name} where it can be, and name the file: BUNDLE=…/{name}"


def _opened(address: str) -> BinaryIO:
    answer: BinaryIO = urllib.request.urlopen(address, timeout=_SILENCE)  # noqa: S310 - the scheme is ours
    return answer


def _copy(answer: BinaryIO, file: BinaryIO, what: str, tell: Tell) -> None:
    tell(what)
    done = told = 0
    while chunk := answer.read(_CHUNK):
        file.write(chunk)
        done += len(chunk)
        if done - told >= _NEWS_EVERY:
            told = done
            tell(f"{what}: {done / _CHUNK:.0f} MiB")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
