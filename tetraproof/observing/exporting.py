"""What an agent's settings leave out of its export log, or change in it: a difference to the stream is no fault."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from tetraproof.events.event import Event
from tetraproof.observing.parity import Parity

#: Settings that change or sum up what is exported, whatever it is.
_CHANGES = ("field-filters", "enable-export-aggregation")
_OFF = {"", "false"}


def hides(settings: Mapping[str, str], export: Sequence[Event], parity: Parity) -> str:
    """The setting for which the export differs from the stream, in a clause; nothing where none explains it."""
    if parity.heard and parity.same:
        return ""
    for name in _CHANGES:
        if settings.get(name, "").lower() not in _OFF:
            return f"the agent is set to {name}: {settings[name]}, so its export tells otherwise than its stream"
    limit = settings.get("export-rate-limit", "-1") or "-1"
    if limit == "0":
        return "the agent is set to export-rate-limit: 0, so it exports nothing"
    if any(event.kind == "rate-limit" for event in export) or not limit.startswith("-"):
        return f"the agent is set to export-rate-limit: {limit}, so its export may lack events"
    if parity.only_stream and not parity.only_export:
        return _filtered(settings, parity.only_stream)
    return ""


def _filtered(settings: Mapping[str, str], lacking: Sequence[Event]) -> str:
    """The filter by which an export leaves out every one of the lacking events, in a clause."""
    exported, kinds = _exported_kinds(settings.get("export-allowlist", "")), {event.kind for event in lacking}
    if exported is not None and not kinds & exported:
        return f"the agent's export-allowlist has no events of the kind {', '.join(sorted(kinds))}"
    spaces = {event.process.pod.namespace if event.process.pod else "" for event in lacking}
    shown = ", ".join(sorted(spaces)) or "of hosts"
    # an event passes a list by any one of its lines
    denied = [line["namespace"] for line in _lines(settings, "export-denylist") if line.keys() == {"namespace"}]
    if spaces <= {name for names in denied if isinstance(names, list) for name in map(str, names)}:
        return f"the agent's export-denylist leaves out the namespace {shown}"
    allowed = _lines(settings, "export-allowlist")
    named = [line.get("namespace") for line in allowed]
    if named and all(isinstance(names, list) and not spaces & set(map(str, names)) for names in named):
        return f"the agent's export-allowlist leaves out the namespace {shown}"
    return ""


def _lines(settings: Mapping[str, str], name: str) -> list[dict[str, Any]]:
    """The filters of a list, a line each; one that cannot be read filters nothing that we could tell."""
    found = []
    for line in settings.get(name, "").splitlines():
        with suppress(ValueError):
            if isinstance(read := json.loads(line), dict):
                found.append(read)
    return found


def _exported_kinds(allowlist: str) -> set[str] | None:
    """The kinds of event that are exported; nothing where all are, or nobody can say."""
    kinds: set[str] = set()
    for line in allowlist.splitlines():
        with suppress(ValueError):
            chosen = json.loads(line)
            if not isinstance(chosen, dict) or not isinstance(chosen.get("event_set"), list):
                return None
            kinds |= {str(kind).removeprefix("PROCESS_").lower().replace("_", "-") for kind in chosen["event_set"]}
    return kinds or None
