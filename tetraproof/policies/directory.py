"""A folder of policies as it lies in a repository: beside charts, kustomizations and drafts of policies."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tetraproof.errors import PolicyError
from tetraproof.policies import crd as crds
from tetraproof.policies import manifest
from tetraproof.policies.policy import MENTIONED, Policy, items_of, of_manifest, other_kind

#: What a value begins with that `helm template`, or another program, is still to fill in.
_TEMPLATE = "{{"


@dataclass(frozen=True)
class Folder:
    """What a folder holds.

    `policies` are by the path of their file below the folder, without its suffix (`block-egress`, `team/guard`); those
    of a file that holds several by its folder and their own names, with their namespaces where these tell them apart.
    `passed_over` and `problems` are by file, with the line where it holds several documents: what is no policy and why
    not, and what is meant as one and is bad.
    """

    path: Path
    policies: Mapping[str, Policy]
    passed_over: Mapping[str, str]
    problems: Mapping[str, PolicyError]

    def named(self, name: str) -> Policy:
        """The policy that a suite calls `name`, which is its file's path or name, or its own. Raises `PolicyError`."""
        if name in self.policies:
            return self.policies[name]
        found = {one.source: one for key, one in self.policies.items() if name in {one.name, Path(key).name}}
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            places = " and ".join(sorted(found))
            raise PolicyError(f"Several policies are called {name}: {places}.", remedy="name one by its path")
        for source, problem in self.problems.items():
            if Path(source.rpartition(".y")[0]).name == Path(name).name:
                raise problem
        known = sorted(self.policies)
        near = difflib.get_close_matches(name, known, 1)
        remedy = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}"
        raise PolicyError(f"There is no policy {name} in {self.path}.", remedy=remedy)


def load_folder(folder: Path, *, crd: str = crds.DEFAULT) -> Folder:
    """Every policy in the YAML files of a folder and those below it; one that is bad does not lose the others.

    They are judged by the CRD of version `crd`. What is no policy (another kind, a kustomization, a chart's values)
    is passed over. Raises `PolicyError` only for an unknown `crd`, and for a folder that is none.
    """
    crds.schema(crd)
    if not folder.is_dir():
        raise PolicyError(f"There is no folder of policies {folder}.", remedy="name the folder of their manifests")
    found = _Search(folder, crd)
    for path in found.files():
        found.add(path)
    return Folder(folder, found.policies, found.passed_over, found.problems)


def load_file(path: Path, *, crd: str = crds.DEFAULT) -> Folder:
    """The same of one file, whatever it is called. Raises `PolicyError` for an unknown `crd`."""
    crds.schema(crd)
    found = _Search(path.parent, crd)
    found.add(path)
    return Folder(path, found.policies, found.passed_over, found.problems)


def load_text(text: str, source: str, *, crd: str = crds.DEFAULT) -> Folder:
    """The same of what a text holds; `source` is what it is called. Raises `PolicyError` for an unknown `crd`."""
    crds.schema(crd)
    found = _Search(Path(), crd)
    found.read(text, Path(source))
    return Folder(Path(source), found.policies, found.passed_over, found.problems)


class _Search:
    """A folder that is being read, file by file."""

    def __init__(self, folder: Path, crd: str) -> None:
        self.folder = folder
        self.crd = crd
        self.policies: dict[str, Policy] = {}
        self.passed_over: dict[str, str] = {}
        self.problems: dict[str, PolicyError] = {}

    def files(self) -> Iterator[Path]:
        """The YAML files below the folder, in order; what is hidden is left out, and what cannot be read is noted."""
        for place, folders, names in os.walk(self.folder, onerror=self._unlisted):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in folders:
                if Path(place, name).is_symlink():
                    self.passed_over[str(Path(place, name))] = "it is a link to a folder"
            for name in sorted(names):
                path = Path(place, name)
                if path.suffix not in {".yaml", ".yml"} or name.startswith("."):
                    continue
                if path.is_file():
                    yield path
                else:
                    self.passed_over[str(path)] = "it is no file, or a link that leads to none"

    def _unlisted(self, error: OSError) -> None:
        folder = str(error.filename)
        self.problems[folder] = PolicyError(f"The folder {folder} cannot be read: {error.strerror}.")

    def add(self, path: Path) -> None:
        """Sort what a file holds into policies, what is passed over, and problems."""
        try:
            text = manifest.text_of(path)
        except PolicyError as error:
            self.problems[str(path)] = error
            return
        self.read(text, path)

    def read(self, text: str, path: Path) -> None:
        """Sort what a text holds, which stands in `path`."""
        found = list(manifest.documents(text, str(path)))
        ours = [document for document in found if MENTIONED.search(document.text)]
        if not ours:
            self.passed_over[str(path)] = "it holds no TracingPolicy" if found else "it is empty"
        for document in ours:
            bad = list(self._add(document, path, alone=len(ours) == 1))
            if bad:
                bad[0].more = (*bad[0].more, *(further for one in bad[1:] for further in (one, *one.more)))
                self.problems[document.source] = bad[0]

    def _add(self, document: manifest.Document, path: Path, *, alone: bool) -> Iterator[PolicyError]:
        """Note what a document holds; what is bad in it, each with its line."""
        try:
            value = document.read()
        except PolicyError as error:
            error.unfilled = _TEMPLATE in document.text
            yield error
            return
        other = other_kind(value)
        if other:
            self.passed_over[document.source] = other
            return
        place = path.relative_to(self.folder)
        for item in items_of(value):
            # the place of an item in its list, which the ways of its problems begin from
            at: tuple[str | int, ...] = (
                () if item is value else ("items", next(i for i, one in enumerate(value["items"]) if one is item))
            )
            try:
                policy = replace(of_manifest(item, document, crd=self.crd), within=at)
                self._keep(policy, place.with_suffix("") if alone and item is value else place.with_name(policy.name))
            except PolicyError as error:
                for one in (error, *error.more):
                    one.line = document.line_of((*at, *one.way))
                    meant = _found(item, one.way)
                    one.unfilled = isinstance(meant, str) and _TEMPLATE in meant
                yield error

    def _keep(self, policy: Policy, name: Path) -> None:
        key = name.as_posix()
        if key in self.policies and policy.namespace not in {"", self.policies[key].namespace}:
            key = name.with_name(f"{policy.namespace}.{name.name}").as_posix()
        if key in self.policies:
            raise PolicyError(
                f"{policy.source}: there is a policy {key} already, in {self.policies[key].source}.",
                remedy="give each policy a name of its own",
                way=("metadata", "name"),
            )
        self.policies[key] = policy


def _found(value: Any, way: Sequence[str | int]) -> Any:
    """What a way leads to; nothing where it leads nowhere."""
    for step in way:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value
