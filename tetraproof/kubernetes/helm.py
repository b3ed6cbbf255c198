"""Tetragon by Helm: installed at a version, upgraded, rolled back, removed.

Helm sees the run's own kubeconfig and keeps its cache in the run's folder, so the user's
repositories are neither needed nor changed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tetraproof.errors import TetraproofError
from tetraproof.machines.tool import Tool
from tetraproof.text import shorten

RELEASE, NAMESPACE = "tetragon", "kube-system"
REPOSITORY, CHART = "https://helm.cilium.io", "tetragon"
#: The version of the guide.
VERSION = "1.4.1"


_REACH = "a chart that cannot be reached may be given as a local folder or archive: CHART="


class HelmError(TetraproofError):
    """Helm refused; its own words are the causes."""


@dataclass(frozen=True)
class Chart:
    """Where a chart is from: a name in a repository, an `oci://` reference, or a local folder or archive.

    `version` means nothing for the last.
    """

    reference: str = CHART
    version: str = VERSION
    repository: str = REPOSITORY

    @property
    def local(self) -> bool:
        """Whether it is a folder or an archive here."""
        return Path(self.reference).exists()

    def words(self, *, pinned: bool = True) -> list[str]:
        """It as Helm's arguments; without `--version` where it is not `pinned`: the newest."""
        if self.local:
            return [str(Path(self.reference).resolve())]
        version = ["--version", self.version] if pinned and self.version else []
        remote = self.reference.startswith("oci://")
        return [self.reference, *([] if remote else ["--repo", self.repository]), *version]


@dataclass(frozen=True)
class Helm:
    """Helm, for one cluster. `folder` is the run's own; `seconds` is how long one command may take."""

    tool: Tool
    kubeconfig: Path
    context: str
    folder: Path
    seconds: float
    release: str = RELEASE
    namespace: str = NAMESPACE
    values: Sequence[Path] = ()
    sets: Mapping[str, str] = field(default_factory=dict)

    def install(self, chart: Chart) -> None:
        """`helm install`. It is not waited for here."""
        self.run("install", self.release, *chart.words(), *self._given())

    def upgrade(self, chart: Chart, *words: str, pinned: bool = True) -> str:
        """`helm upgrade`, with further arguments (`--reuse-values`); returns what it said."""
        return self.run("upgrade", self.release, *chart.words(pinned=pinned), *words)

    def rollback(self, revision: int = 0) -> str:
        """`helm rollback` to a revision, 0 being the one before."""
        return self.run("rollback", self.release, *([str(revision)] if revision else []))

    def uninstall(self) -> None:
        """`helm uninstall`."""
        self.run("uninstall", self.release, "--ignore-not-found")

    def releases(self) -> list[dict[str, Any]]:
        """`helm list` of the release's namespace, as it tells it."""
        listed: list[dict[str, Any]] = yaml.safe_load(self.run("list", "-o", "json")) or []
        return listed

    def revision(self) -> int:
        """The release's newest revision. Raises `HelmError` where there is none."""
        found = [int(one["revision"]) for one in self.releases() if one["name"] == self.release]
        if not found:
            raise HelmError(f"There is no release {self.release} in {self.namespace}.")
        return found[0]

    def computed(self) -> str:
        """`helm get values --all`, as YAML."""
        return self.run("get", "values", self.release, "--all")

    def template(self, chart: Chart) -> list[dict[str, Any]]:
        """The objects that an installation would create."""
        text = self.run("template", self.release, *chart.words(), *self._given())
        return [one for one in yaml.safe_load_all(text) if one]

    def run(self, *words: str) -> str:
        """Run Helm; returns its standard output. Raises `HelmError`."""
        options = ["--namespace", self.namespace, "--kubeconfig", str(self.kubeconfig), "--kube-context", self.context]
        own = {f"HELM_{name}_HOME": str(self.folder / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        try:
            done = subprocess.run(  # noqa: S603 - no shell
                [str(self.tool.path), *words, *options],
                capture_output=True,
                text=True,
                timeout=self.seconds,
                check=False,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **own},
            )
        except subprocess.TimeoutExpired as error:
            raise HelmError(f"helm {words[0]} did not end within {self.seconds:.0f} s.") from error
        if done.returncode:
            raise HelmError(
                f"helm {words[0]} {self.release} failed.",
                causes=[shorten(line, 300) for line in done.stderr.strip().splitlines()[-6:]],
                remedy=_REACH if words[0] in {"install", "upgrade", "template"} else "",
            )
        return done.stdout

    def _given(self) -> list[str]:
        files = [word for path in self.values for word in ("--values", str(path))]
        return [*files, *(word for name, value in self.sets.items() for word in ("--set", f"{name}={value}"))]
