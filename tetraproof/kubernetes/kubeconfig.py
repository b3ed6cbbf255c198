"""A kubeconfig of the run's own: one context of the user's, copied with all that it needs.

The user's files are only read. What the run asks, and the tools that it starts, see this copy alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from kubernetes.config import ConfigException
from kubernetes.config.kube_config import KubeConfigMerger
from msgspec import Struct, field

from tetraproof import decoding
from tetraproof.decoding import Source
from tetraproof.errors import UsageError
from tetraproof.kubernetes import note as notes

#: The folder of the notes about copies.
_NOTES = "kubeconfigs"
_FILES = {"cluster": ("certificate-authority",), "user": ("client-certificate", "client-key", "tokenFile")}


class _Program(Struct):
    """A program that gives credentials."""

    command: str


class _Entry(Struct):
    """What is read of a cluster, a user or a context."""

    cluster: str | None = None
    user: str | None = None
    authority: str | None = field(name="certificate-authority", default=None)
    certificate: str | None = field(name="client-certificate", default=None)
    key: str | None = field(name="client-key", default=None)
    tokenFile: str | None = None  # noqa: N815 - as it is written there
    exec: _Program | None = None


class _Named(Struct):
    """One entry of a list, under its name."""

    name: str
    cluster: _Entry | None = None
    user: _Entry | None = None
    context: _Entry | None = None


class _Kubeconfig(Struct):
    """What is read of the files."""

    clusters: list[_Named] | None = None
    users: list[_Named] | None = None
    contexts: list[_Named] | None = None


class Copy:
    """A copy that a run is going to have, noted before it is written: it holds credentials, so none is forgotten."""

    def __init__(self, path: Path, run: str) -> None:
        """Note that it will be at `path`. Raises `UsageError`."""
        self.path = path
        self._note = notes.Note(_NOTES, run, f"the copy of a kubeconfig {path}")
        self._note.write(path=str(path))

    def remove(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)
        self._note.forget()
        self._note.release()


def left(*, remove: bool) -> Iterator[Path]:
    """The copies that killed runs left; those that are there are named, and removed if told so."""
    for one in notes.left(_NOTES):
        path = Path(str(one.told.get("path", "")))
        there = path.is_file()
        if there and remove:
            path.unlink()
        if remove or not there:
            one.forget()
        if there:
            yield path


def copy(context: str, destination: Path, source: str = "") -> None:
    """Write the context `context` of `source` (files as `KUBECONFIG` lists them) to `destination`, mode 0600.

    Without a source, `KUBECONFIG` and then `~/.kube/config` are read. Raises `UsageError` naming the contexts.
    """
    paths, merged = _read(source)
    named = _named(merged, "contexts", "context", context, paths)
    cluster = str(named.get("cluster", ""))
    chosen = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [{"name": context, "context": named}],
        "clusters": [{"name": cluster, "cluster": _named(merged, "clusters", "cluster", cluster, paths)}],
        "users": [],
    }
    if named.get("user"):
        chosen["users"] = [{"name": named["user"], "user": _named(merged, "users", "user", named["user"], paths)}]
    destination.touch(mode=0o600)
    destination.chmod(0o600)
    destination.write_text(yaml.safe_dump(chosen, sort_keys=False), encoding="utf-8")


def contexts(source: str = "") -> str:
    """The names of all contexts, in a line; why there are none, where there are none."""
    try:
        _, merged = _read(source)
        names = sorted(str(entry.value.get("name")) for entry in merged.value.get("contexts") or [])
    except UsageError as error:
        return f"none ({error.sentence.removesuffix('.')})"
    return ", ".join(names) or "none"


def _read(source: str) -> tuple[str, Any]:
    """The files that are read, and what they say together."""
    paths = source or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube/config")
    whence = Source(f"The kubeconfig {paths}", "see kubectl config view", UsageError)
    try:
        merged: Any = KubeConfigMerger(paths).config  # type: ignore[no-untyped-call]
    # a date that is none, an anchor that holds itself, an entry that is no mapping: the library lets them through
    except (ConfigException, OSError, yaml.YAMLError, ValueError, LookupError, RecursionError) as error:
        raise whence.refuse(f" cannot be read: {error}") from error
    except (AttributeError, TypeError) as error:
        raise whence.refuse(f" cannot be read: it is of another form ({error})") from error
    if merged is None:
        raise UsageError(f"There is no kubeconfig {paths}.", remedy="set KUBECONFIG, or use --kubeconfig")
    entries = {name: [one.value for one in merged.value.get(name) or []] for name in ("clusters", "users", "contexts")}
    decoding.as_kind(entries, _Kubeconfig, whence)
    return paths, merged


def _named(merged: Any, listed: str, kind: str, name: str, paths: str) -> dict[str, Any]:
    """One entry as a plain mapping, with the files that it names made absolute."""
    entries = list(merged.value.get(listed) or [])
    for entry in entries:
        if entry.value.get("name") == name:
            return _absolute(entry.value.get(kind) or {}, _FILES.get(kind, ()), Path(entry.path).parent)
    known = ", ".join(sorted(str(entry.value.get("name")) for entry in entries)) or "none"
    raise UsageError(
        f"The kubeconfig {paths} has no {kind} {name!r}.", remedy=f"name one of its {listed} with CONTEXT=: {known}"
    )


def _absolute(entry: dict[str, Any], names: Iterable[str], folder: Path) -> dict[str, Any]:
    files: dict[str, Any] = {name: str((folder / entry[name]).absolute()) for name in names if entry.get(name)}
    program = (entry.get("exec") or {}).get("command", "")
    if os.sep in program:
        # as kubectl has it; a bare name is looked up on PATH
        files["exec"] = {**entry["exec"], "command": str((folder / program).absolute())}
    return {**entry, **files}
