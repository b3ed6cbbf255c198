"""An agent's word on one policy on one node: `tetra tracingpolicy list -o json`, read as protojson is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from tetraproof import decoding
from tetraproof.decoding import Source
from tetraproof.errors import AgentError
from tetraproof.text import safe, shorten

_PREAMBLE = re.compile(r"^policy handler '\w+' failed loading policy '[^']*': (?:override )?(?:validation failed: )?")
#: The numbers of states, modes and the states of hooks in Tetragon's API, which protojson may write for their names.
_STATES = (
    *("unknown", "enabled", "disabled", "load_error", "error", "loading", "unloading", "skipped"),
    "partially_enabled",
)
#: The states that an agent comes to by itself, and stays in.
SETTLED = frozenset(_STATES) - {"unknown", "loading", "unloading"}
_MODES = ("unknown", "enforce", "monitor", "monitor_only")
_HOOK_STATES = ("unspecified", "loaded", "digest_rejected", "call_not_found", "partial_call_not_found")
#: The counters of actions that were carried out, as `tetra tracingpolicy list` sums them up as NENFORCE.
_ENFORCED = ("signal", "override", "notify_enforcer", "set")
#: The sums of an agent's counters, and the single ones that every agent has which keeps any: one that is 0 is not told.
SUMS, SINGLE = ("post", "enforce", "monitor"), ("signal", "override", "notify_enforcer")


class _Listed(Struct):
    """What `tetra tracingpolicy list -o json` prints."""

    policies: list[dict[str, Any]] | None = None


def listed(output: str, whose: str) -> list[dict[str, Any]]:
    """What an agent says of each of its policies; `whose` is the agent. Raises `AgentError` where that is no list."""
    source = Source("It", "see that tetra and the agent are of one version", AgentError)
    try:
        told: _Listed = decoding.as_json(output or "{}", _Listed, source)
    except AgentError as error:
        raise AgentError(
            f"The list of policies of {whose} is no JSON.",
            causes=[error.sentence, shorten(output, 200)],
            remedy=error.remedy,
        ) from error
    return told.policies or []


@dataclass(frozen=True)
class Counters:
    """How often a policy posted, enforced, and only monitored, by the agent's own count.

    `each` has every single counter by the agent's name for it (`signal`, `override`, `monitor_signal`, …).
    """

    post: int = 0
    enforce: int = 0
    monitor: int = 0
    each: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}), compare=False)

    @classmethod
    def of(cls, told: object) -> Counters | None:
        """The counters in a policy's `stats`; nothing where there are none, or any of them cannot be read."""
        counted = _told(told, "action_counters") if isinstance(told, Mapping) else None
        if not isinstance(counted, Mapping):
            return None
        each = {_snake(name): _count(value) for name, value in counted.items() if value is not None}
        known = {name: value for name, value in each.items() if value is not None}
        if len(known) < len(each):
            return None
        enforced = sum(known.get(name, 0) for name in _ENFORCED)
        monitored = sum(value for name, value in known.items() if name.startswith("monitor_"))
        return cls(known.get("post", 0), enforced, monitored, known)

    def told(self, name: str) -> int | None:
        """One counter by its name; nothing where it is not told, and may be one that the agent does not have."""
        if name in SUMS:
            number: int = getattr(self, name)
            return number
        return self.each.get(name, 0 if name in SINGLE else None)

    def __add__(self, other: Counters) -> Counters:
        return self._with(other, 1)

    def __sub__(self, other: Counters) -> Counters:
        """How far they moved since `other`; below 0 where they fell."""
        return self._with(other, -1)

    def _with(self, other: Counters, sign: int) -> Counters:
        names = dict.fromkeys((*self.each, *other.each))
        return Counters(
            self.post + sign * other.post,
            self.enforce + sign * other.enforce,
            self.monitor + sign * other.monitor,
            {name: self.each.get(name, 0) + sign * other.each.get(name, 0) for name in names},
        )

    @property
    def fell(self) -> bool:
        """Whether one of them is below 0, as no count is."""
        return min(self.post, self.enforce, self.monitor, *self.each.values()) < 0


@dataclass(frozen=True)
class HookState:
    """What became of one hook, as newer agents tell: `kind` and `at` are its place in the spec (`kprobes`, 0)."""

    kind: str
    at: int
    state: str
    name: str = ""


@dataclass(frozen=True)
class PolicyState:
    """The agent's word on one policy on one node. `state` as it prints it (`enabled`, `load_error`, …).

    `id` is the agent's number for this loading of the policy; another one means that it was loaded anew.
    """

    node: str
    name: str
    namespace: str
    state: str
    error: str = ""
    mode: str = ""
    counters: Counters | None = None
    id: str = ""
    hooks: tuple[HookState, ...] = ()

    @classmethod
    def of(cls, node: str, told: object) -> PolicyState:
        """What one entry of `tetra tracingpolicy list -o json` says, read as protojson is: null is absent, enums may be
        numbers, names may be lowerCamelCase. What cannot be read leaves the state `unknown` and counters untold.
        """  # noqa: D205 - one sentence, of which two lines are needed
        if not isinstance(told, Mapping):
            return cls(node, "", "", "unknown")
        state = _enum(_told(told, "state"), _STATES, "TP_STATE_")
        if state == "unknown" and _told(told, "state") is None and told.get("enabled") is True:
            state = "enabled"  # agents from before states told just this
        hooks = _told(told, "hook_statuses")
        return cls(
            node,
            _text(told.get("name")),
            _text(told.get("namespace")),
            state,
            safe(_text(told.get("error"))),
            _enum(_told(told, "mode"), _MODES, "TP_MODE_").removeprefix("unknown"),
            Counters.of(told.get("stats")),
            _text(told.get("id")),
            tuple(_hook(one) for one in hooks if isinstance(one, Mapping)) if isinstance(hooks, list) else (),
        )

    @property
    def enabled(self) -> bool:
        """Whether the policy is in force: enabled, and no error."""
        return self.state == "enabled" and not self.error

    @property
    def word(self) -> str:
        """The agent's own words, without the part that repeats the policy's name."""
        return _PREAMBLE.sub("", self.error) or f"the state is {self.state}"


def _told(told: Mapping[str, Any], name: str) -> Any:
    """A field by its own name or in lowerCamelCase."""
    head, *rest = name.split("_")
    return told[name] if name in told else told.get(head + "".join(part.capitalize() for part in rest))


def _snake(name: object) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", str(name)).lower()


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _count(value: object) -> int | None:
    """A count, which protojson writes as text where it has 64 bits; nothing where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value) if isinstance(value, int) else value
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(1 << 64)) else None


def _enum(value: object, names: Sequence[str], prefix: str) -> str:
    """The name of an enum's value, which may be told by its number, without the enum's own name before it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return names[value] if 0 <= value < len(names) else str(value)
    return value.removeprefix(prefix).lower() or names[0] if isinstance(value, str) else names[0]


def _hook(told: Mapping[str, Any]) -> HookState:
    at = _told(told, "hook_idx")
    return HookState(
        _text(told.get("section")),
        _count(at) or 0,
        _enum(told.get("state"), _HOOK_STATES, "STATUS_"),
        _text(_told(told, "hook_description")),
    )
