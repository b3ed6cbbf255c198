"""A suite drawn from a policy: for each selector what is meant and what is just outside, and the ways around.

Every deed that is known of a hook's kind is held against the whole policy (`fate.py`). One that the policy takes is
promised to be stopped, or reported; one beside it to be left alone; a way around that it does not take is a limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tetraproof.drafting import on_files, on_network, on_programs
from tetraproof.drafting.deeds import calls
from tetraproof.drafting.foretelling.fate import Rules
from tetraproof.drafting.foretelling.happening import Seen, seen
from tetraproof.drafting.foretelling.reading import Hook, Selector, hooks
from tetraproof.drafting.outline import Suite
from tetraproof.drafting.place import Place, choose
from tetraproof.drafting.preface import counters, mode, notes
from tetraproof.drafting.rendering import written
from tetraproof.drafting.sketch import Drawing
from tetraproof.policies.policy import Policy

#: The most lines that a suite may have.
MOST_LINES = 170
_SPARED = frozenset({"shorter", "elsewhere", "head", "child", "truncated", "new_file", "silent"})
#: What is left out of a suite that would be longer, by the names of acts, step by step.
_LEANER = (frozenset[str](), _SPARED, _SPARED | {"sed", "relative", "symlink", "proc_root", "outside", "lookalike"})
_OF_FILES = {"open", "read", "write", "map", "truncate", "empty", "sys_openat", "sys_truncate"}
_OF_NETWORK = {"connect", "send", "close", "connect udp", "send udp"}
_OF_PROGRAMS = {"exec", "sys_execve"}
_UNKNOWN = "which act meets it is not known here"
_WHY_NOT = {
    "tracepoint:raw_syscalls": "it tells of every system call, and no stream was heard to its end under it",
    "uprobes": "it hooks a file of the node's, as the agent sees it, and no act in a pod runs that",
    "usdts": "it hooks a program of the node's, as the agent sees it, and no act in a pod runs that",
}
_EMPTY_SELECTOR = Selector(-1)


def draft(policy: Policy, stem: str, places: Sequence[Place]) -> Suite:
    """The suite of a policy whose file is called `stem`, with acts in these workloads."""
    read = hooks(policy)
    scene = choose(policy, places, _paths(read), _programs(read))
    rules = Rules(policy, read, scene.place)
    for without in _LEANER:
        drawing = Drawing(Suite(stem), rules, scene, without)
        _draw(drawing)
        if len(written(drawing.suite).splitlines()) <= MOST_LINES:
            break
    return drawing.suite


def _paths(read: Iterable[Hook]) -> list[str]:
    asked = (one for hook in read for selector in hook.selectors for one in selector.asked)
    texts = (value.removesuffix("\0") for one in asked for value in one.values)
    return [text for text in texts if text.startswith("/") and len(text) > 1]


def _programs(read: Iterable[Hook]) -> list[str]:
    return [program for hook in read for selector in hook.selectors for program in selector.programs]


def _draw(drawing: Drawing) -> None:
    """Draw all of it, hook by hook, selector by selector."""
    suite, rules = drawing.suite, drawing.rules
    if drawing.scene.unfit:
        suite.todo(drawing.scene.unfit)
    mode(suite, rules)
    suite.notes += notes(rules)
    if rules.policy.spec.get("loader"):
        suite.todo("loader: which libraries a program maps, and with which build IDs, only a person knows")
    elif not rules.hooks:
        suite.todo("the policy hooks nothing, so nothing becomes of it")
    for hook in rules.hooks:
        known = seen(hook.call)
        if hook.unread or known is None:
            drawing.todo(
                hook, hook.unread or _WHY_NOT.get(hook.call.split("/")[0]) or _WHY_NOT.get(hook.kind, _UNKNOWN)
            )
            continue
        for selector in hook.selectors or (_EMPTY_SELECTOR,):
            _draw_selector(drawing, hook, known, selector)
    counters(suite, rules)
    suite.claim = suite.claim or f"What the policy {rules.policy.name} promises."


def _draw_selector(drawing: Drawing, hook: Hook, known: Seen, selector: Selector) -> None:
    what = set(known.what)
    if what & _OF_FILES:
        on_files.draw(drawing, hook, known, selector)
    elif what & _OF_NETWORK:
        on_network.draw(drawing, hook, known, selector)
    elif "listen" in what:
        on_network.draw_listening(drawing, hook, selector)
    elif what & _OF_PROGRAMS:
        on_programs.draw(drawing, hook, known, selector)
    elif what & set(calls.CALLS):
        on_programs.draw_call(drawing, hook, known, selector)
    else:
        drawing.todo(hook, _UNKNOWN)
