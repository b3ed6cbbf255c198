"""A line of the export-stdout container as Cloud Logging keeps it.

On GKE the logging agent reads what a container prints, a line at a time. A line
that is a JSON object becomes `jsonPayload`, with its numbers as doubles; its
`time` becomes the entry's timestamp. Any other line becomes `textPayload`. What
comes from standard output has the severity INFO. `resource` names the container
that printed the line, which is Tetragon's own, whatever pod the event is about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CONTAINER = "export-stdout"


@dataclass(frozen=True)
class Origin:
    """Where a line was printed. The defaults stand for what a recording does not know: Google's own names."""

    project: str = "a-project"
    location: str = "a-region"
    cluster: str = "a-cluster"
    namespace: str = "kube-system"
    pod: str = "tetragon-x7k2p"
    node: str = "a-node"
    container: str = CONTAINER
    labels: Mapping[str, str] = field(
        default_factory=lambda: {
            "app.kubernetes.io/component": "agent",
            "app.kubernetes.io/instance": "tetragon",
            "app.kubernetes.io/name": "tetragon",
        }
    )


#: Where a recorded line was printed, as far as an alert asks.
SOMEWHERE = Origin()


def entry(line: str | bytes, origin: Origin = SOMEWHERE) -> dict[str, Any]:
    """The log entry that a printed line becomes."""
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    text = text.removesuffix("\n")
    payload: dict[str, Any] = {"textPayload": text}
    time = ""
    try:
        told = json.loads(text, parse_int=float)
    except ValueError:
        told = None
    if isinstance(told, dict):
        time = str(told.pop("time", ""))
        payload = {"jsonPayload": told}
    return {
        **payload,
        "logName": f"projects/{origin.project}/logs/stdout",
        "severity": "INFO",
        "timestamp": time,
        "resource": {
            "type": "k8s_container",
            "labels": {
                "project_id": origin.project,
                "location": origin.location,
                "cluster_name": origin.cluster,
                "namespace_name": origin.namespace,
                "pod_name": origin.pod,
                "container_name": origin.container,
            },
        },
        "labels": {
            "compute.googleapis.com/resource_name": origin.node,
            **{f"k8s-pod/{_label(name)}": value for name, value in origin.labels.items()},
        },
    }


def _label(name: str) -> str:
    # the agent puts underscores for the dots of a label's name
    return name.replace(".", "_")
