"""`tetraproof init`: what a repository of policies begins with. What is there is left as it is."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from tetraproof.errors import TetraproofError, UsageError
from tetraproof.policies.directory import load_folder
from tetraproof.settings import shipped
from tetraproof.settings.configuration import OWN, find
from tetraproof.text import safe

ABOUT = "begin a repository of policies: configuration, a workflow, a README, a workload"
#: Where policies are looked for in a repository that says nothing of itself.
_USUAL = ("policies", "manifests/policies")
_WORKLOAD = "probe.yaml"
_IGNORED = ".gitignore"


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="the repository (default: this folder)")


def run(given: argparse.Namespace) -> int:
    """Write what is not there; say what was written, what was left, and what to type next."""
    folder: Path = given.folder
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.", remedy="make it first, or go there")
    configuration = find(folder.resolve())
    own = configuration.file is not None and configuration.folder == folder.resolve()
    policies, workloads = _places(folder, configured=own)
    told = [f"left as it is: {configuration.file.name}"] if own and configuration.file else []
    for place, text in _begun(policies, workloads):
        if not (own and place == OWN):
            told.append(f"written: {place}" if _write(folder / place, text) else _left(folder, place))
    for line in (*told, "next:", *(f"    {line}" for line in _next(folder, policies))):
        print(safe(line))
    return 0


def _places(folder: Path, *, configured: bool) -> tuple[str, str]:
    """Where the policies and the workloads of a repository lie, relative to it."""
    if configured:
        options = find(folder.resolve()).options({})
        return _within(options.policies, folder), _within(options.workloads, folder)
    return next((place for place in _USUAL if (folder / place).is_dir()), _USUAL[0]), "workloads"


def _within(path: Path, folder: Path) -> str:
    whole = folder.resolve()
    return path.relative_to(whole).as_posix() if path.is_relative_to(whole) else path.as_posix()


def _begun(policies: str, workloads: str) -> Iterator[tuple[str, str]]:
    """Each file that a repository begins with: its place, and its text."""
    values = {"@policies@": policies, "@workloads@": workloads}
    templates = files("tetraproof.commands").joinpath("templates")
    for place, name in (
        (OWN, OWN),
        (".github/workflows/tetraproof.yml", "workflow.yml"),
        ("README.md", "README.md"),
        (_IGNORED, "gitignore"),
    ):
        text = templates.joinpath(name).read_text(encoding="utf-8")
        for word, value in values.items():
            text = text.replace(word, value)
        yield place, text
    probe = shipped.root() / "manifests" / "workloads" / _WORKLOAD
    yield f"{workloads}/{_WORKLOAD}", probe.read_text(encoding="utf-8")


def _write(path: Path, text: str) -> bool:
    """Write a file that is not there; whether it was written. Raises `UsageError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        if path.is_symlink() or path.exists():
            return False
        raise UsageError(f"{path.parent} is no folder.", remedy="move it away, or begin elsewhere") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    return True


def _left(folder: Path, place: str) -> str:
    """What is said of a file that was there."""
    path = folder / place
    lacks = place == _IGNORED and path.is_file() and "reports" not in path.read_text(encoding="utf-8", errors="replace")
    return f"left as it is: {place}{' (runs write into reports/, which it does not ignore)' if lacks else ''}"


def _next(folder: Path, policies: str) -> Iterator[str]:
    """What to type, in order."""
    first = _first_policy(folder / policies)
    if first is None:
        yield f"put a policy into {policies}/"
    yield f"tetraproof lint {policies}/"
    yield f"tetraproof draft {policies}/{first or 'guard.yaml'}"
    yield "tetraproof record --into recordings/mine --target standalone"
    yield "tetraproof accept"


def _first_policy(folder: Path) -> str | None:
    """The file of the first policy in a folder, relative to it; nothing where there is none."""
    try:
        found = load_folder(folder).policies
    except TetraproofError:
        return None
    first = min((one.source.removesuffix(f":{one.line}") for one in found.values()), default=None)
    return Path(first).relative_to(folder).as_posix() if first else None
