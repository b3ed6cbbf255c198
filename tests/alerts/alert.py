"""The alerts of `manifests/alerts/`, held against exported lines as Cloud Logging keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.alerts import logging_filter
from tests.alerts.log_entry import SOMEWHERE, Origin, entry
from tests.alerts.logging_filter import Filter
from tetraproof.errors import TetraproofError

#: Where the alert policies for Cloud Monitoring lie, and the log-based metrics, under `manifests/alerts/`.
POLICIES, METRICS = "cloud-monitoring", "cloud-logging"


class AlertError(TetraproofError):
    """A file that is no alert policy and no log-based metric."""


@dataclass(frozen=True)
class Alert:
    """An alert policy or a log-based metric: its file's name, its whole text as data, and the filter that it has.

    A policy that watches a metric has no filter on logs of its own.
    """

    name: str
    manifest: Mapping[str, Any]
    filter: Filter | None

    def selects(self, lines: Iterable[str | bytes], origin: Origin = SOMEWHERE) -> list[int]:
        """Which of the exported lines the filter selects, by their place."""
        if self.filter is None:
            return []
        return [at for at, line in enumerate(lines) if self.filter.matches(entry(line, origin))]


def policies(folder: Path) -> dict[str, Alert]:
    """The alert policies by name. Raises `TetraproofError`."""
    return {path.stem: _policy(path) for path in _files(folder / POLICIES)}


def metrics(folder: Path) -> dict[str, Alert]:
    """The log-based metrics by name. Raises `TetraproofError`."""
    return {path.stem: _metric(path) for path in _files(folder / METRICS)}


def _policy(path: Path) -> Alert:
    manifest = _read(path)
    conditions = [condition for condition in manifest.get("conditions") or () if isinstance(condition, Mapping)]
    if not conditions:
        raise AlertError(f"{path} is no alert policy: it has no conditions.")
    texts = [
        condition["conditionMatchedLog"]["filter"] for condition in conditions if "conditionMatchedLog" in condition
    ]
    if len(texts) > 1 or (texts and len(conditions) > 1):
        raise AlertError(
            f"{path} has other conditions beside one that matches a log.",
            remedy="Cloud Monitoring takes such a condition alone: make two policies",
        )
    return Alert(path.stem, manifest, logging_filter.parse(texts[0], str(path)) if texts else None)


def _metric(path: Path) -> Alert:
    manifest = _read(path)
    if not isinstance(manifest.get("filter"), str):
        raise AlertError(f"{path} is no log-based metric: it has no filter.")
    return Alert(path.stem, manifest, logging_filter.parse(manifest["filter"], str(path)))


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise AlertError(f"There is no folder {folder}.", remedy="name the folder of the alerts")
    yield from sorted(folder.glob("*.yaml"))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise AlertError(f"{path} is no YAML: {error}.") from error
    if not isinstance(manifest, Mapping):
        raise AlertError(f"{path} holds a {type(manifest).__name__}, no alert.")
    return manifest
