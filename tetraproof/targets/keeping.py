"""A scenario on one place, while it is observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import yaml

from tetraproof.errors import TetraproofError
from tetraproof.policies.binding import Bindings
from tetraproof.policies.policy import Policy
from tetraproof.recordings.recorder import as_json
from tetraproof.recordings.recording import ActRecord, ScenarioRecord, Unanswered
from tetraproof.verdict import Verdict


@dataclass
class Scene:
    """What there is of it so far. `position` is where its stream began, `listened` the seconds spent listening."""

    name: str
    place: str
    policy: Policy | None
    settings: Mapping[str, str]
    bindings: Bindings = field(default_factory=Bindings)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    position: int | None = None
    acts: list[ActRecord] = field(default_factory=list)
    lacking: Mapping[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    heard: bool | None = None
    settled_after: float | None = None
    state_known: bool = False
    unanswered: Unanswered | None = None
    failed: bool = False
    listened: float = 0.0

    @property
    def applied(self) -> str:
        """The name of the policy, if there is one."""
        return self.policy.name if self.policy else ""

    def fail(self, error: TetraproofError) -> None:
        """Go no further here; what was observed so far is judged, if there is anything to judge it by."""
        self.failed = True
        self.notes += [error.sentence, *error.causes]
        if not self.state_known:
            self.unanswered = Unanswered(str(Verdict.INCONCLUSIVE), error.sentence)

    def record(self, nodes: tuple[str, ...]) -> tuple[ScenarioRecord, dict[str, bytes]]:
        """It as a recording has it: its entry, and its files. `nodes` are those that it speaks of."""
        files = {name: content for name, content in self.files.items() if content}
        files.setdefault("events.jsonl", b"")
        if self.policy is not None:
            files.setdefault("policy.yaml", manifest_of(self.policy).encode())
            files.setdefault("state.json", b"{}\n")
        files["acts.json"] = as_json(self.acts)
        entry = ScenarioRecord(
            self.name,
            policy=self.policy is not None,
            heard_to_the_end=self.heard,
            settled_after=self.settled_after,
            started=self.started.isoformat(),
            settings=dict(self.settings),
            bindings=self.bindings,
            notes=tuple(self.notes),
            unanswered=self.unanswered,
            nodes=nodes,
        )
        return entry, files


def manifest_of(policy: Policy) -> str:
    """The manifest of a policy whose bound values may have been replaced."""
    metadata: dict[str, Any] = {"name": policy.name}
    if policy.namespace:
        metadata["namespace"] = policy.namespace
    document = {"apiVersion": "cilium.io/v1alpha1", "kind": policy.kind, "metadata": metadata, "spec": policy.spec}
    return yaml.safe_dump(document, sort_keys=False)
