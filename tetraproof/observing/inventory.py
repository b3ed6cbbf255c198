"""What is installed, by the word of the agents and of the cluster, and how a test asks about it: `run.installation`.

    assert run.installation.runs

Answers have three values, as those about acts have (`tetraproof.answer`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct

from tetraproof import decoding
from tetraproof.answer import Unknown, ask
from tetraproof.decoding import Source
from tetraproof.verdict import Verdict

FILE = "environment/installation.json"
_RELEASES, _DAEMONSET = "environment/helm-list.json", "environment/daemonset.json"
_VERSIONS = re.compile(r"(CLI|Server) version: v?(\S+)")
_UNASKED = Unknown(Verdict.UNRECORDED, "nobody asked")
#: The CRDs that a policy needs.
CRDS = ("tracingpolicies.cilium.io", "tracingpoliciesnamespaced.cilium.io")


class Agent(Struct, frozen=True):
    """What the agent of a node said: `tetra status` and `tetra version`, the command's own version and the server's."""

    node: str
    status: str = ""
    cli: str = ""
    server: str = ""


class Inventory(Struct, frozen=True):
    """An installation as it was found. `asked` is the chart's version, `nodes` are all of the cluster's.

    `wanted` and `ready` count the DaemonSet's agents, `crds` says of each whether it is established, `troubles` are
    sentences. What nobody asked is nothing.
    """

    agents: tuple[Agent, ...] = ()
    asked: str = ""
    nodes: tuple[str, ...] | None = None
    wanted: int | None = None
    ready: int | None = None
    crds: dict[str, bool] | None = None
    troubles: tuple[str, ...] | None = None


class _Release(Struct):
    """What is read of a release in `helm list -o json`."""

    app_version: str | None = None


class _Rollout(Struct):
    """What is read of a DaemonSet's status."""

    desiredNumberScheduled: int | None = None  # noqa: N815 - Kubernetes' name
    numberReady: int | None = None  # noqa: N815 - likewise


class _DaemonSet(Struct):
    """What is read of a DaemonSet."""

    status: _Rollout | None = None


def is_running(status: str) -> bool:
    """Whether what `tetra status` says is that the agent runs; its exit code is 0 whatever it says."""
    return "running" in status.lower() and "error" not in status.lower()


def versions(text: str) -> dict[str, str]:
    """What `tetra version` says, by `CLI` and `Server`."""
    return dict(_VERSIONS.findall(text))


def of_files(text: Callable[[str], str | None], node: str) -> Inventory:
    """The inventory that a recording's environment holds; `node` is the one that older ones speak of.

    Raises `RecordingError`.
    """
    own = text(FILE)
    if own is not None:
        inventory: Inventory = decoding.as_json(own, Inventory, _source(FILE))
        return inventory
    told = versions(text("environment/tetra-version.txt") or "")
    status = text("environment/tetra-status.txt") or ""
    releases = decoding.as_json(text(_RELEASES) or "[]", list[_Release], _source(_RELEASES))
    daemonset = decoding.as_json(text(_DAEMONSET) or "{}", _DaemonSet, _source(_DAEMONSET))
    return Inventory(
        (Agent(node, status.strip(), told.get("CLI", ""), told.get("Server", "")),) if status or told else (),
        asked=next((one.app_version or "" for one in releases), ""),
        wanted=daemonset.status.desiredNumberScheduled if daemonset.status else None,
        ready=daemonset.status.numberReady if daemonset.status else None,
    )


def _source(path: str) -> Source:
    return Source(path, "record the environment again, or convert the raw records again")


@dataclass(frozen=True)
class InstallationRun:
    """An installation, asked."""

    inventory: Inventory

    @property
    def runs(self) -> bool:
        """Every agent's `tetra status` says that it runs."""
        return self._each(
            "runs", lambda agent: is_running(agent.status), lambda agent: f"tetra status says {agent.status!r}"
        )

    @property
    def agents_are_as_asked(self) -> bool:
        """Every agent is of the version that was installed."""
        asked = self.inventory.asked
        if not asked:
            return ask(
                "", "as asked", Unknown(Verdict.UNRECORDED, "nobody noted which version was asked for"), lambda: ""
            )
        return self._each(
            "agents are as asked",
            lambda agent: agent.server == asked if agent.server else None,
            lambda agent: f"the agent is {agent.server}, and {asked} was asked for",
        )

    @property
    def command_is_as_asked(self) -> bool:
        """The `tetra` in every agent's container is of the version that was installed."""
        asked = self.inventory.asked
        return self._each(
            "command is as asked",
            lambda agent: agent.cli == asked if agent.cli and asked else None,
            lambda agent: f"tetra is {agent.cli}, and {asked} was asked for",
        )

    @property
    def covers_every_node(self) -> bool:
        """As many agents are ready as are wanted, more than none, and there is one on every node."""
        told, missing = self.inventory, []
        if told.wanted is None:
            answer: bool | Unknown = _UNASKED
        else:
            there = {agent.node for agent in told.agents}
            missing = [node for node in told.nodes or () if node not in there]
            answer = bool(told.wanted) and told.ready == told.wanted and not missing
        lacks = f"; none on {', '.join(missing)}" if missing else ""
        return ask("", "covers", answer, lambda: f"{told.ready} of {told.wanted} agents are ready{lacks}.")

    @property
    def crds_are_established(self) -> bool:
        """The CRDs of both kinds of policy are established."""
        crds = self.inventory.crds
        lacking = [name for name in CRDS if not (crds or {}).get(name)]
        answer: bool | Unknown = _UNASKED if crds is None else not lacking
        return ask("", "crds", answer, lambda: f"{', '.join(lacking)} not established.")

    @property
    def sound(self) -> bool:
        """Nothing is wrong that can be told from the cluster's objects and the agents' answers."""
        troubles = self.inventory.troubles
        answer: bool | Unknown = _UNASKED if troubles is None else not troubles
        return ask("", "sound", answer, lambda: " ".join(troubles or ()))

    def _each(self, question: str, holds: Callable[[Agent], bool | None], explain: Callable[[Agent], str]) -> bool:
        """The worst answer of any node's agent."""
        answers = [(holds(agent), agent) for agent in self.inventory.agents]
        refuted = next((agent for answer, agent in answers if answer is False), None)
        unasked = not answers or any(answer is None for answer, _ in answers)
        whole: bool | Unknown = False if refuted else (_UNASKED if unasked else True)
        return ask("", question, whole, lambda: f"on {refuted.node}: {explain(refuted)}." if refuted else question)
