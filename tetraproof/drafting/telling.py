"""What an event says of an effect, so far as that is known before it is seen."""

from __future__ import annotations

import re

from tetraproof.drafting.foretelling.fate import Effect
from tetraproof.drafting.foretelling.happening import Seen, Socket, seen
from tetraproof.drafting.foretelling.reading import Hook
from tetraproof.drafting.outline import Bound, Expected

#: What an event says of an action, by the action's name, and what an expectation of that is called.
_SAID = {"Sigkill": "SIGKILL", "Signal": "SIGNAL", "Override": "OVERRIDE", "Post": "POST"}
_ROLES = {"SIGKILL": "KILLED", "OVERRIDE": "REFUSED", "SIGNAL": "SIGNALLED", "POST": "SEEN"}
#: Types of arguments of which an event tells a path or text.
_TEXTS = {"file", "path", "string", "filename", "linux_binprm", "auto", "data_loc", "char_buf"}
_PLACEHOLDER = re.compile(r"\{(?P<name>[a-z][a-z0-9-]*\.[a-z]+)\}")


def known_of(effect: Effect) -> Seen:
    """What is known of the hook of an effect."""
    known = seen(effect.hook.call)
    assert known is not None
    return known


def event_of(effect: Effect, *, monitored: bool) -> Expected:
    """The event that tells of an effect: its hook, what is known of its arguments, its action."""
    hook, happening = effect.hook, effect.happening
    stated: dict[str, str | int | Bound] = {}
    for index, name in known_of(effect).at.items():
        fact, told = happening.facts.get(name), hook.argument(index)
        if fact is None or told is None or told.type == "nop":
            continue
        if isinstance(fact, Socket):
            stated |= {"sport": fact.port} if name == "own socket" else _of_socket(fact)
        elif isinstance(fact, str):
            if happening.named and told.type in _TEXTS and "file" not in stated:
                stated["file"] = fact
        elif effect.selector and effect.selector.asks(index):
            stated["mask" if name == "mask" else f"arg{told.position}"] = fact
    said = action_of(effect, monitored=monitored)
    if said:
        stated["action"] = said
    done = _SAID.get(effect.action.name, "") if effect.action is not None and not monitored else ""
    return Expected(hook.event, hook.named, tuple(stated.items()), _ROLES.get(done, "SEEN"))


def action_of(effect: Effect, *, monitored: bool) -> str:
    """What the event says that was done; nothing where that is not known, as of a policy that only monitors."""
    if monitored:
        return ""
    actions = effect.selector.actions if effect.selector is not None else ()
    # of several actions an event names the last (seen)
    return _SAID.get(actions[-1].name, "") if actions else "POST"


def tells_the_file(hook: Hook) -> bool:
    """Whether a hook's events tell the path of the file."""
    known = seen(hook.call)
    told = [hook.argument(index) for index, name in (known.at if known else {}).items() if name == "file"]
    return any(one is not None and one.type in _TEXTS for one in told)


def is_loud(hook: Hook) -> bool:
    """Whether a hook may tell of files that nobody here thinks of: it takes whatever is not named."""
    known = seen(hook.call)
    if known is None or not set(known.at.values()) & {"file", "given"}:
        return False
    named = [[one for one in selector.asked if not one.operator.startswith("Not")] for selector in hook.selectors]
    return not hook.selectors or not all(named)


def _of_socket(socket: Socket) -> dict[str, str | int | Bound]:
    found = _PLACEHOLDER.fullmatch(socket.address.text)
    address: str | Bound = Bound(found["name"]) if found else socket.address.text
    return {"daddr": address, "dport": socket.port}
