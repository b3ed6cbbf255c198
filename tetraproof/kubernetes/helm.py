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

from tetraproof.errors import TetraproofError, UsageError
from tetraproof.machines.tool import Tool
from tetraproof.pacing.progress import awaiting
from tetraproof.text import shorten

RELEASE, NAMESPACE = "tetragon", "kube-system"
REPOSITORY, CHART = "https://helm.cilium.io", "tetragon"
#: The newest release that a shipped recording proves.
VERSION = "1.7.0"
#: Whose run installed a release, and whether Tetragon's CRDs came with it. They are annotations of the DaemonSet, by a
#: value of the chart, so that the release is known for ours from the first thing on that Helm writes.
INSTALLED_BY, CRDS_MADE = "tetraproof.dev/installed-by", "tetraproof.dev/crds-made"
_ANNOTATIONS = "daemonSetAnnotations"
#: Releases in whatever state: by itself Helm 3 lists those only that are whole.
_ANY = ("--deployed", "--failed", "--pending", "--uninstalling")

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

    def check(self, option: str = "CHART") -> None:
        """See that it can be one. Raises `UsageError`, before anything is made."""
        if self.local:
            path = Path(self.reference)
            if path.is_dir() and not (path / "Chart.yaml").is_file():
                raise UsageError(f"{option}: {path} is no chart: it has no Chart.yaml.", remedy="name a chart's folder")
        elif self.reference != CHART and not self.reference.startswith("oci://"):
            raise UsageError(
                f"{option}: there is no chart {self.reference}.",
                remedy="name a folder, an archive or an oci:// reference",
            )

    def words(self, *, pinned: bool = True) -> list[str]:
        """It as Helm's arguments; without `--version` where it is not `pinned`: the newest."""
        if self.local:
            return [str(Path(self.reference).resolve())]
        version = ["--version", self.version] if pinned and self.version else []
        remote = self.reference.startswith("oci://")
        return [self.reference, *([] if remote else ["--repo", self.repository]), *version]


def check_values(files: Sequence[Path]) -> None:
    """See that these can be given to Helm. Raises `UsageError` naming file and fix, before anything is made."""
    for file in files:
        if not file.is_file():
            raise UsageError(f"There is no file of values {file}.", remedy="name one with VALUES=")
        try:
            written = yaml.safe_load(file.read_bytes())
        except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
            why = str(error).replace("\n", " ")
            raise UsageError(f"The values {file} cannot be read: {why}.", remedy="mend it there") from error
        if written is not None and not isinstance(written, dict):
            raise UsageError(f"The values {file} are no mapping.", remedy="write name: value, a line for each")


@dataclass(frozen=True)
class Helm:
    """Helm, for one cluster. `folder` is the run's own; `seconds` is how long one command may take.

    `values` are files, `sets` values besides.
    """

    tool: Tool
    kubeconfig: Path
    context: str
    folder: Path
    seconds: float
    release: str = RELEASE
    namespace: str = NAMESPACE
    values: Sequence[Path] = ()
    sets: Mapping[str, str] = field(default_factory=dict)

    def install(self, chart: Chart, marks: Mapping[str, str] | None = None) -> None:
        """`helm install`, with annotations that mark what it makes. It is not waited for here."""
        marked = [f"{_ANNOTATIONS}.{name.replace('.', chr(92) + '.')}={value}" for name, value in (marks or {}).items()]
        given = [*self._given(), *(word for one in marked for word in ("--set-string", one))]
        self.run("install", self.release, *chart.words(), *given)

    def marks(self) -> dict[str, str] | None:
        """The annotations that the release was installed with, however far that came; none where there is no release.

        Raises `HelmError`.
        """
        if not any(one["name"] == self.release for one in self.releases(*_ANY)):
            return None
        given = yaml.safe_load(self.run("get", "values", self.release, "-o", "json")) or {}
        return dict(given.get(_ANNOTATIONS) or {})

    def upgrade(self, chart: Chart, *words: str, pinned: bool = True) -> str:
        """`helm upgrade`, with further arguments (`--reuse-values`); returns what it said."""
        return self.run("upgrade", self.release, *chart.words(pinned=pinned), *words)

    def rollback(self, revision: int = 0) -> str:
        """`helm rollback` to a revision, 0 being the one before."""
        return self.run("rollback", self.release, *([str(revision)] if revision else []))

    def uninstall(self) -> None:
        """`helm uninstall`."""
        self.run("uninstall", self.release, "--ignore-not-found")

    def releases(self, *words: str) -> list[dict[str, Any]]:
        """`helm list` of the release's namespace, as it tells it."""
        listed: list[dict[str, Any]] = yaml.safe_load(self.run("list", *words, "-o", "json")) or []
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
        try:
            with awaiting(f"helm {words[0]} {self.release}"):
                done = self._ended(words)
        except subprocess.TimeoutExpired as error:
            raise HelmError(f"helm {words[0]} did not end within {self.seconds:.0f} s.") from error
        if done.returncode:
            raise HelmError(
                f"helm {words[0]} {self.release} failed.",
                causes=[shorten(line, 300) for line in done.stderr.strip().splitlines()[-6:]],
                remedy=_REACH if words[0] in {"install", "upgrade", "template"} else "",
            )
        return done.stdout

    def _ended(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Helm, run to its end. Raises `subprocess.TimeoutExpired`."""
        options = ["--namespace", self.namespace, "--kubeconfig", str(self.kubeconfig), "--kube-context", self.context]
        own = {f"HELM_{name}_HOME": str(self.folder / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        return subprocess.run(  # noqa: S603 - no shell
            [str(self.tool.path), *words, *options],
            capture_output=True,
            text=True,
            timeout=self.seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **own},
            # the terminal's interrupt is ours to heed: Helm cut in the middle leaves half a release
            start_new_session=True,
        )

    def _given(self) -> list[str]:
        files = [word for path in self.values for word in ("--values", str(path))]
        return [*files, *(word for name, value in self.sets.items() for word in ("--set", f"{name}={value}"))]
