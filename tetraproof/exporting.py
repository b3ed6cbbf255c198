"""What an agent's settings leave out of its export log, or change in it: a difference to the stream is no fault."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress

from tetraproof.event import Event
from tetraproof.parity import Parity

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
    exported = _exported_kinds(settings.get("export-allowlist", ""))
    lacking = {event.kind for event in parity.only_stream}
    if exported is not None and lacking and not lacking & exported and not parity.only_export:
        return f"the agent's export-allowlist has no events of the kind {', '.join(sorted(lacking))}"
    return ""


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
