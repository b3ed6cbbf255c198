"""What a drafted suite says of the policy as a whole, and what its reader has to know before believing it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tetraproof.drafting.foretelling.fate import End, Fate, Rules
from tetraproof.drafting.foretelling.happening import Deed, seen
from tetraproof.drafting.foretelling.reading import Hook, Selector
from tetraproof.drafting.outline import Asked, Expected, Suite, Test, Told

_WORDS = {End.KILLED: "is killed", End.DENIED: "is refused", End.TOLD: "is reported", End.SIGNALLED: "is ended"}
#: How it is said what a hook sees, by what that is; of a hook that sees several by which of them are meant.
_VERBS = {
    "open": "Opening",
    "read": "Reading",
    "write": "Writing",
    "map": "Mapping",
    "truncate": "Truncating",
    "empty": "Emptying",
    "sys_openat": "Opening",
    "sys_truncate": "Truncating",
    "exec": "Starting",
    "sys_execve": "Starting",
    "connect": "Connecting to",
    "send": "Sending to",
    "close": "Closing a connection to",
    "send udp": "Sending datagrams to",
    "listen": "Listening at",
}
_FEW = 3


def claim_of(hook: Hook, selector: Selector, meant: Sequence[tuple[Deed, Fate]], what: str) -> str:
    """The claim of a suite in a sentence: what is done by whom, what becomes of it, and of all else."""
    happened = list(dict.fromkeys(fate.effect.happening.what for _, fate in meant if fate.effect))
    verbs = list(dict.fromkeys(_VERBS[one] for one in happened if one in _VERBS))
    deed, fate = meant[0]
    if not verbs:
        done = deed.subject[:1].upper() + deed.subject[1:]
    else:
        done = " and ".join([verbs[0], *(verb[:1].lower() + verb[1:] for verb in verbs[1:])])
        folder = any(one.operator == "Prefix" for one in selector.asked) and not what.endswith(hook.told)
        done += f" what lies below {what}" if folder and "/" in what and verbs[0] != "Starting" else f" {what}"
    done += _by(selector)
    rest = "anything else is not reported" if fate.end is End.TOLD else "anything else is left alone"
    verb = _WORDS[fate.end] if len(verbs) < 2 else _WORDS[fate.end].replace("is ", "are ")  # noqa: PLR2004 - a plural
    return f"{done} {verb}; {rest}." if hook.selectors else f"{done} {verb}."


def _by(selector: Selector) -> str:
    """Who is meant, where a selector names programs."""
    names = [program.rpartition("/")[2] for program in selector.programs]
    if not names or len(names) > _FEW:
        return ""
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    negated = any(str(part.get("operator")).startswith("Not") for part in selector.binaries)
    return f" by any program but {listed}" if negated else f" by {listed}"


def notes(rules: Rules) -> Iterator[str]:
    """What is known to make a policy of this form do something else than it says."""
    pids = [part for hook in rules.hooks for selector in hook.selectors for part in selector.pids]
    exempt = [part for part in pids if part.get("operator") == "NotIn" and part.get("isNamespacePID")]
    if any(0 in (part.get("values") or ()) and part.get("followForks") for part in exempt):
        yield (
            "What is promised here is what the policy means. With followForks, the value 0 in matchPIDs exempts every "
            "program that kubectl exec starts, and so all acts (docs/findings.md, pid-0-exempts-everything)."
        )
    elif any(1 in (part.get("values") or ()) and not part.get("followForks") for part in exempt):
        yield (
            "What is promised here is what the policy means. Without followForks, the value 1 in matchPIDs exempts "
            "PID 1 alone, and nothing that it has started (docs/findings.md, workers-are-killed)."
        )
    for name, why in _SIDE.items():
        if any(action.name == name for hook in rules.hooks for one in hook.selectors for action in one.actions):
            yield f"{name} {why}"


#: Actions whose own work no act can show.
_SIDE = {
    "GetUrl": "has the agent ask a URL: whether it does only that server can tell.",
    "DnsLookup": "has the agent look up a name: whether it does only that name's server can tell.",
    "TrackSock": "has the agent remember sockets: what that adds to later events is not asked here.",
    "UntrackSock": "has the agent forget sockets: what that takes from later events is not asked here.",
}


def mode(suite: Suite, rules: Rules) -> None:
    """That a policy which only monitors is in that mode, by the agent's word."""
    if rules.monitors:
        sentence = "The agent says that the policy is in monitor mode."
        suite.add_test(Test("the_mode_is_monitor", sentence, (Asked('in_mode("monitor")'),)))


def counters(suite: Suite, rules: Rules) -> None:
    """The agent's own counters, where each enforcement is one event that the stream shows."""
    actions = {action.name for hook in rules.hooks for one in hook.selectors for action in one.actions}
    told = [claim.expected for test in suite.tests for claim in test.claims if isinstance(claim, Told)]
    said = [one for one in told if one.role in {"KILLED", "REFUSED"} or (rules.monitors and one.role == "SEEN")]
    early = any(known.early for hook in rules.hooks if (known := seen(hook.call)))
    if len(actions) != 1 or not said or early or not (rules.enforces or rules.monitors):
        return
    action = dict(said[0].stated).get("action")
    named = said[0].named if len({(one.event, one.named) for one in said}) == 1 else ()
    event = Expected(said[0].event, named, (("action", action),) if action else ())
    if rules.monitors:
        sentence = "The agent counts what it would have enforced as monitored, and nothing as enforced."
        question = Asked("counts(enforce=0, monitor=run.reported({}))", event)
        suite.add_test(Test("nothing_is_counted_as_enforced", sentence, (question,)))
        return
    sentence = "The agent's own counter of enforcements agrees with what it reported."
    name = "every_kill_is_counted" if action == "SIGKILL" else "every_refusal_is_counted"
    suite.add_test(Test(name, sentence, (Asked("counts(enforce=run.reported({}))", event),)))
