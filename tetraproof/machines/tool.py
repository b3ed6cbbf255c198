"""The tools that a live target starts (kind, kubectl, helm): found, asked for their version, refused if too old."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tetraproof.errors import UsageError
from tetraproof.pacing.progress import awaiting

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Kind:
    """What is known of a tool: how it tells its version, the oldest that does, and why."""

    words: tuple[str, ...]
    oldest: tuple[int, int, int]
    why: str


#: Every tool that is used, by name.
KNOWN = {
    "helm": Kind(("version", "--short"), (3, 8, 0), "older ones install no chart from an OCI registry"),
    "kind": Kind(("version",), (0, 20, 0), "older ones cannot start the node images of today's Kubernetes"),
    "kubectl": Kind(("version", "--client"), (1, 24, 0), "older ones do not fit the clusters of today"),
}


@dataclass(frozen=True)
class Tool:
    """A tool that is there: its path and its version, as `3.19.0`."""

    name: str
    path: Path
    version: str


def find(name: str, given: str = "") -> Tool:
    """The tool `name`, at the path `given` or on PATH. Raises `UsageError` in one sentence."""
    known = KNOWN[name]
    option = f"name its path with {name.upper()}="
    path = shutil.which(given or name)
    if path is None:
        where = f"{given} is no program" if given else f"{name} is not on PATH"
        raise UsageError(f"{name} is needed, and {where}.", remedy=f"install it, or {option}")
    try:
        with awaiting(f"the version of {name}"):
            done = subprocess.run(  # noqa: S603 - no shell
                [path, *known.words], capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{path} does not run: {error}.", remedy=option) from error
    found = _VERSION.search(done.stdout)
    if found is None:
        raise UsageError(f"{path} does not tell its version: {(done.stdout or done.stderr).strip()!r}.", remedy=option)
    version = tuple(int(part) for part in found.groups())
    told, oldest = ".".join(found.groups()), ".".join(map(str, known.oldest))
    if version < known.oldest:
        raise UsageError(f"{path} is {name} {told}, and at least {oldest} is needed: {known.why}.", remedy=option)
    return Tool(name, Path(path), told)
