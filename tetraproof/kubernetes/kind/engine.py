"""The container engine that kind works with: the one that answers, and no other."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from tetraproof.errors import UsageError
from tetraproof.text import shorten

#: kind's own variable for the engine that it is to use.
PROVIDER = "KIND_EXPERIMENTAL_PROVIDER"
#: What asks each engine for the version of its daemon, or of itself where it has none; in the order of kind's.
_ASKED = {
    "docker": ("info", "--format", "{{.ServerVersion}}"),
    "nerdctl": ("info", "--format", "{{.ServerVersion}}"),
    "finch": ("info", "--format", "{{.ServerVersion}}"),
    "podman": ("info", "--format", "{{.Version.Version}}"),
}
#: What kind labels the containers of a cluster with, and what a run of ours does besides.
_LABEL, MARK = "io.x-k8s.kind.cluster", "tetraproof.dev/mark"
_SECONDS = 20.0


@dataclass(frozen=True)
class Engine:
    """An engine that answered. `named` says that kind has to be told of it, which takes Docker by itself."""

    name: str
    version: str
    named: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def environment(self) -> dict[str, str]:
        """What a command of kind sees, so that it uses this engine."""
        return {**os.environ, **({PROVIDER: self.name} if self.named else {})}

    def typed(self, command: str) -> str:
        """A command of kind as the user has to type it."""
        return f"{PROVIDER}={self.name} {command}" if self.named else command

    def containers(self, cluster: str, mark: str = "") -> frozenset[str] | None:
        """The containers of a cluster's nodes by their ids, stopped ones too; nothing where the engine does not say.

        With a `mark`, those alone that were made under it (making.py).
        """
        labels = [f"{_LABEL}={cluster}", *([f"{MARK}={mark}"] if mark else [])]
        filters = [word for label in labels for word in ("--filter", f"label={label}")]
        told = _told(self.name, "ps", "--all", "--no-trunc", *filters, "--format", "{{.ID}}")
        return None if told is None or told.returncode else frozenset(told.stdout.split())


def find(environment: Mapping[str, str] = os.environ) -> Engine:
    """The first engine that answers; where the user names one to kind, that one or none.

    Raises `UsageError` with what keeps each from it.
    """
    wanted = environment.get(PROVIDER, "")
    why = []
    for name in [wanted] if wanted in _ASKED else _ASKED:
        if shutil.which(name) is None:
            why.append(f"{name} is not on PATH")
            continue
        told = _told(name, *_ASKED[name])
        if told is not None and told.returncode == 0 and told.stdout.strip():
            return Engine(name, told.stdout.strip().split()[0], named=name != "docker" or bool(wanted))
        said = "" if told is None else next(iter(told.stderr.strip().splitlines()), "")
        why.append(f"{name} does not answer" + (f": {shorten(said, 160)}" if said else ""))
    raise UsageError(
        "kind needs a container engine, and none answers.",
        causes=why,
        remedy="start Docker or Podman, or use TARGET=replay",
    )


def _told(*words: str) -> subprocess.CompletedProcess[str] | None:
    """What a command of an engine says; nothing where it does not run, or not end."""
    with suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(  # noqa: S603 - no shell
            words,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    return None
