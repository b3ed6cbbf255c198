"""A folder of policies as it lies in a repository: beside charts, kustomizations and drafts of policies."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tetraproof.errors import PolicyError
from tetraproof.policies import crd as crds
from tetraproof.policies import manifest
from tetraproof.policies.policy import MENTIONED, Policy, items_of, of_manifest, other_kind


@dataclass(frozen=True)
class Folder:
    """What a folder holds.

    `policies` are by the path of their file below the folder, without its suffix (`block-egress`, `team/guard`); those
    of a file that holds several by its folder and their own names. `passed_over` and `problems` are by file, with the
    line where it holds several documents: what is no policy and why not, and what is meant as one and is bad.
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
    for path in _files(folder):
        found.add(path)
    return Folder(folder, found.policies, found.passed_over, found.problems)


class _Search:
    """A folder that is being read, file by file."""

    def __init__(self, folder: Path, crd: str) -> None:
        self.folder = folder
        self.crd = crd
        self.policies: dict[str, Policy] = {}
        self.passed_over: dict[str, str] = {}
        self.problems: dict[str, PolicyError] = {}

    def add(self, path: Path) -> None:
        """Sort what a file holds into policies, what is passed over, and problems."""
        try:
            found = list(manifest.documents(manifest.text_of(path), str(path)))
        except PolicyError as error:
            self.problems[str(path)] = error
            return
        ours = [document for document in found if MENTIONED.search(document.text)]
        if not ours:
            self.passed_over[str(path)] = "it holds no TracingPolicy" if found else "it is empty"
        for document in ours:
            try:
                self._add(document, path, alone=len(ours) == 1)
            except PolicyError as error:
                self.problems[document.source] = error

    def _add(self, document: manifest.Document, path: Path, *, alone: bool) -> None:
        value = document.read()
        other = other_kind(value)
        if other:
            self.passed_over[document.source] = other
            return
        place = path.relative_to(self.folder)
        for item in items_of(value):
            policy = of_manifest(item, document, crd=self.crd)
            name = place.with_suffix("") if alone and item is value else place.with_name(policy.name)
            key = name.as_posix()
            if key in self.policies:
                raise PolicyError(
                    f"{document.source}: there is a policy {key} already, in {self.policies[key].source}.",
                    remedy="give each policy a name of its own",
                )
            self.policies[key] = policy


def _files(folder: Path) -> Iterator[Path]:
    """The YAML files below a folder, in order; what is hidden and what is no plain file is left out."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if path.suffix in {".yaml", ".yml"} and not name.startswith(".") and path.is_file():
                yield path
