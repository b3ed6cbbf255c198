"""What is kept of a cluster beside the recording when a run is red: pods, nodes, logs, metrics, and on request more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tetraproof import filing
from tetraproof.errors import TetraproofError
from tetraproof.kubernetes.installation import AgentPod
from tetraproof.recordings.discretion.redaction import kept, redacted_text
from tetraproof.targets.pods import Kubernetes

#: Of a log, so many seconds back.
_LOG_SECONDS = 3600
_ARCHIVE = "/tmp/tetraproof-bugtool.tar.gz"  # noqa: S108 - in the agent's own container


def gather(site: Kubernetes, folder: Path, seconds: float, *, bugtool: bool) -> list[str]:
    """Write it into `folder`, without secrets; returns what could not be had, in a sentence each.

    `bugtool` asks each agent for the archive of `tetra bugtool`, which is not redacted.
    """
    filing.folder(folder)
    problems: list[str] = []
    for name, content in _objects(site, problems):
        filing.write(folder / name, content)
    for node, pod in site.installation.agents.items():
        there = site.installation
        for name, text in (
            (f"agent-{node}.log", there.log(node, since=_LOG_SECONDS)),
            (f"agent-{node}-previous.log", there.log(node, previous=True) if pod.restarts else ""),
            (f"metrics-{node}.txt", there.metrics(node)),
        ):
            if text:
                filing.write(folder / name, redacted_text(text))
        if bugtool:
            with suppress(TetraproofError):
                problems += _bugtool(site, pod, folder / f"bugtool-{node}.tar.gz", seconds)
    return problems


def _objects(site: Kubernetes, problems: list[str]) -> Iterator[tuple[str, str]]:
    wanted = {
        "nodes.json": ("v1/Node", ""),
        "agents.json": ("v1/Pod", site.installation.namespace),
        **{f"pods-{name}.json": ("v1/Pod", own) for name, own in site.workspace.namespaces.items()},
        **{f"events-{name}.json": ("v1/Event", own) for name, own in site.workspace.namespaces.items()},
    }
    agents = {pod.name for pod in site.installation.agents.values()}
    for name, (kind, namespace) in wanted.items():
        try:
            listed = site.cluster.list(kind, namespace)
        except TetraproofError as error:
            problems.append(error.sentence)
            continue
        # others' pods beside the agents are not ours to keep
        ours = [one for one in listed if name != "agents.json" or one["metadata"]["name"] in agents]
        yield name, json.dumps(kept(ours, kind.removeprefix("v1/")), indent=1)


def _bugtool(site: Kubernetes, pod: AgentPod, file: Path, seconds: float) -> Iterator[str]:
    run = site.cluster.executor.run
    made = run(pod.place, ["tetra", "bugtool", "--out", _ARCHIVE], seconds=seconds)
    if not made.ok:
        yield f"tetra bugtool failed on {pod.node}: {made.complaint.strip()[-200:]}"
        return
    filing.write(file, run(pod.place, ["cat", _ARCHIVE], seconds=seconds).stdout)
    run(pod.place, ["rm", "-f", _ARCHIVE], seconds=seconds)
