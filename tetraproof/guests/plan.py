"""What a run without Kubernetes is made of: decided before anything is started."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tetraproof.guests.agent import DEFAULT_ADDRESS
from tetraproof.guests.bundle import Bundle
from tetraproof.guests.kernel import Kernel
from tetraproof.guests.rootfs import Rootfs
from tetraproof.guests.workload import Manifests
from tetraproof.pacing.account import Account
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import Tell


@dataclass(frozen=True)
class Plan:
    """What a standalone run is made of. `kernel` is none on this machine itself, `bundle` where an agent runs already.

    `settings` are the agent's, as the user asks for them; `folder` is the run's own, written to by all.
    """

    run_id: str
    folder: Path
    manifests: Manifests
    roots: Mapping[str, Rootfs]
    deadlines: Deadlines
    tell: Tell
    kernel: Kernel | None = None
    acceleration: str = "auto"
    bundle: Bundle | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    tetra: str = "tetra"
    address: str = DEFAULT_ADDRESS
    account: Account = field(default_factory=Account)

    @property
    def token(self) -> str:
        """What things on the machine are named after: the run's own name, told by its folder, in a few characters.

        Podman takes no path of more than 50, and a network device no name of more than 15.
        """
        return hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]
