"""What a recording holds as typed records: its index, its scenarios, its acts.

A number out of its range, an empty command or a field that nobody knows is refused
where a record is read. What records say of each other is checked in `tetraproof.recordings.admission`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping
from itertools import chain, count
from typing import Annotated

from msgspec import Meta, Struct

from tetraproof.observing.gap import ExitCode
from tetraproof.policies.binding import Bindings

#: What an act may be.
ROLES = ("act", "prepare", "sentinel-start", "sentinel-end")
#: What may stand where nothing was performed: a recording decides no verdict.
OPEN = ("unsupported", "inconclusive")
_PERF = "use-perf-ring-buffer"

MOST_CPUS = 1_000_000
Count = Annotated[int, Meta(ge=1, le=MOST_CPUS)]
Number = Annotated[int, Meta(ge=0, le=MOST_CPUS)]


class ActRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """One act as it was performed. `role` is `act`, `prepare`, `sentinel-start` or `sentinel-end`; times in RFC 3339.

    `exit_code` is null where no answer came, and `broken` then says why; `lacks` says what was missing there of one
    that was not tried. `disturbed` says why it shows nothing against the policy: no agent enforced any more, or the
    workload that it speaks to was gone.
    """

    id: str
    namespace: str
    pod: str
    argv: Annotated[tuple[str, ...], Meta(min_length=1)]
    exit_code: ExitCode | None
    node: str = ""
    stdin: str | None = None
    tty: bool = False
    stdout: str = ""
    stderr: str = ""
    broken: str = ""
    lacks: str = ""
    disturbed: str = ""
    role: str = "act"
    cpu: Number | None = None
    started: str = ""
    ended: str = ""


class NodeRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """One node: its kernel, how many CPUs it has, and how many rings its agent reads."""

    name: str
    kernel: str = ""
    cpus: Count = 1
    rings: Count = 1
    system: str = ""
    architecture: str = ""
    runtime: str = ""


class Unanswered(Struct, frozen=True, forbid_unknown_fields=True):
    """Why nothing was performed: `verdict` is `unsupported` or `inconclusive`, `reason` a clause."""

    verdict: str
    reason: str


class ScenarioRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """One scenario of a recording. `settings` are what differs from the cell's, `notes` sentences for the report.

    `change` is what was changed of the installation while one act was repeated; empty where acts were performed once.
    `unanswered` says why a live target could not even begin with it; `nodes` are those that it speaks of, all of the
    recording's where none is named. `suite` is whose acts they are: of several that judge one policy the first has the
    scenario of its name, and each other one of its own, which stands `beside` that.
    """

    name: str
    policy: bool = True
    heard_to_the_end: bool | None = None
    settled_after: Annotated[float, Meta(ge=0)] | None = None
    started: str = ""
    settings: dict[str, str] = {}
    bindings: Bindings = Bindings()
    notes: tuple[str, ...] = ()
    unanswered: Unanswered | None = None
    change: str = ""
    nodes: tuple[str, ...] = ()
    suite: str = ""
    beside: str = ""


class Cell(Struct, frozen=True, forbid_unknown_fields=True):
    """One point of the matrix.

    `differs` is what of the agent's settings differs from the defaults, `target` what it was recorded on.
    """

    tetragon: str
    kubernetes: str
    kernel: str
    target: str
    label: str = "defaults"
    digest: str = ""
    differs: dict[str, str] = {}
    cli: str = ""

    @property
    def title(self) -> str:
        """The cell in one line."""
        place = f"Kubernetes {self.kubernetes}" if self.kubernetes else "no Kubernetes"
        return f"Tetragon {self.tetragon} ({self.label}) · kernel {self.kernel} · {place}"


class Provenance(Struct, frozen=True, forbid_unknown_fields=True):
    """When and where the run was recorded, by what, and what was left out of it."""

    recorded: str
    where: str
    made_by: str
    left_out: tuple[str, ...] = ()


class Index(Struct, frozen=True, forbid_unknown_fields=True):
    """`recording.json`."""

    format: int
    cell: Cell
    provenance: Provenance
    nodes: tuple[NodeRecord, ...]
    bindings: Bindings
    settings: dict[str, str]
    scenarios: tuple[ScenarioRecord, ...]


def numbered(name: str, taken: Container[str]) -> str:
    """A name for one more scenario of that name: the name itself, or the next that is free (`p~2`, `p~2@node`)."""
    head, at, node = name.partition("@")
    names = (f"{head}~{number}{at}{node}" for number in count(2))
    return next(one for one in chain([name], names) if one not in taken)


def digest_of(settings: Mapping[str, str]) -> str:
    """What tells one configuration from another: the first 12 hex digits of the SHA-256 of all settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def rings_to_hear(node: NodeRecord, settings: Mapping[str, str]) -> int:
    """How many rings of a node must be heard to their end, by its record and by the agent's settings.

    An agent reads one BPF ring buffer for all CPUs only if `use-perf-ring-buffer` (Tetragon 1.6 and later) is false,
    small programs are not forced on it, and the kernel is 5.11 or newer; any other reads a perf ring for each CPU.
    A record that says fewer is not believed, and one that says more is.
    """
    shared = (
        settings.get(_PERF, "").lower() in {"false", "f", "0"}
        and settings.get("force-small-progs", "false").lower() in {"false", "f", "0", ""}
        and not _older_than_5_11(node.kernel)
    )
    return node.rings if shared else max(node.rings, node.cpus)


def _older_than_5_11(kernel: str) -> bool:
    """Whether a kernel is known to be older; of a version that cannot be read nothing is known."""
    words = kernel.split("-", maxsplit=1)[0].split(".")
    try:
        return (int(words[0]), int(words[1])) < (5, 11)
    except (ValueError, IndexError):
        return False
