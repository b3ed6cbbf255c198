"""What is left open by telling processes by their PIDs and their programs, and by hooks that run while one starts."""

from __future__ import annotations

from pathlib import PurePosixPath

from tetraproof.policies.inspection.hooking import Part, Selector
from tetraproof.policies.inspection.loophole import Inspected, Rule, Told
from tetraproof.policies.requirement import multi_is_off

#: Hooks that run before a new program is in place.
_BEFORE_THE_IMAGE = frozenset(
    {
        *("security_bprm_check", "security_bprm_creds_for_exec", "security_bprm_creds_from_file"),
        *("sys_execve", "sys_execveat"),
    }
)
_ALLOWS, _DENIES = {"NotIn", "NotPrefix", "NotPostfix"}, {"In", "Prefix", "Postfix"}
#: What names of scripts end in.
_SCRIPTS = {".sh", ".bash", ".py", ".pl", ".rb"}


def _asked(selector: Selector, name: str, operators: set[str]) -> list[Part]:
    return [one for one in selector.filters.get(name) or () if one.get("operator") in operators and one.get("values")]


def _pid_0(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for selector in hook.guarding:
            for one in _asked(selector, "matchPIDs", {"NotIn"}):
                if 0 in one["values"] and one.get("followForks") and one.get("isNamespacePID"):
                    said = "the value 0 in matchPIDs exempts every program that kubectl exec starts: leave it out"
                    yield (*hook.way, "selectors", selector.at), "", said


def _children(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for selector in hook.enforcing:
            for one in _asked(selector, "matchPIDs", {"NotIn"}):
                if any(one["values"]) and not one.get("followForks") and one.get("isNamespacePID"):
                    pids = ", ".join(str(value) for value in one["values"])
                    said = (
                        f"matchPIDs without followForks exempts the processes with the PIDs {pids}, and none that they "
                        "start: a server's workers are hit"
                    )
                    yield (*hook.way, "selectors", selector.at), "", said


def _replaced(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for selector in hook.enforcing:
            if _asked(selector, "matchBinaries", _ALLOWS):
                said = "matchBinaries exempts by the program's path: whoever may write there puts another in its place"
                yield (*hook.way, "selectors", selector.at), "", said


def _copied(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        if hook.enforcing and all(_asked(one, "matchBinaries", _DENIES) for one in hook.enforcing):
            said = "matchBinaries tells a program by its path: a copy that lies elsewhere, by another name, passes"
            yield (*hook.way, "selectors", hook.enforcing[0].at), "", said


def _scripts(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for selector in hook.selectors:
            for one in _asked(selector, "matchBinaries", _ALLOWS | _DENIES):
                for value in one["values"]:
                    if PurePosixPath(value).suffix in _SCRIPTS:
                        said = f"matchBinaries tells a script by its interpreter, never as {value}"
                        yield (*hook.way, "selectors", selector.at), "", said


def _old_image(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for name in hook.of(_BEFORE_THE_IMAGE) if any(not one.does({"NoPost"}) for one in hook.selectors) else ():
            said = (
                "its event belongs to the program before: of one that kubectl exec starts that is the runtime, in no "
                "pod, so a filter by namespace or pod hides it"
            )
            yield hook.way, name, said


def _of_another_hook(inspected: Inspected) -> Told:
    if multi_is_off(inspected.policy):
        return
    first: dict[int, object] = {}
    for hook in inspected.hooks:
        for selector in hook.selectors if hook.kind == "kprobes" else ():
            named = selector.filters.get("matchBinaries") or []
            if first.setdefault(selector.at, named) != named:
                said = (
                    "where the kernel has kprobe-multi, all kprobes of a policy filter by the programs that the last "
                    "one names in the selector of that number: turn it off (disable-kprobe-multi), or write a policy "
                    "for each"
                )
                yield (*hook.way, "selectors", selector.at), "", said


RULES = (
    Rule(
        "pid-0-exempts-everything",
        "`matchPIDs: NotIn` with the value 0, `followForks` and `isNamespacePID`",
        "recorded",
        "recorded with 1.4.1 and 1.7.0 (docs/findings.md)",
        _pid_0,
    ),
    Rule(
        "children-are-not-exempt",
        "an enforcing selector with `matchPIDs: NotIn`, `isNamespacePID` and no `followForks`",
        "recorded",
        "recorded with 1.4.1 and 1.7.0 (docs/findings.md, workers-are-killed)",
        _children,
    ),
    Rule(
        "exempt-program-is-replaced",
        "an enforcing selector with `matchBinaries: NotIn`, `NotPrefix` or `NotPostfix`",
        "recorded",
        "recorded with 1.7.0",
        _replaced,
    ),
    Rule(
        "copied-program-passes",
        "all enforcing selectors of a hook have `matchBinaries: In`, `Prefix` or `Postfix`",
        "source",
        "by Tetragon's source: the path is what is compared",
        _copied,
    ),
    Rule(
        "script-is-its-interpreter",
        "`matchBinaries` with a value that ends like a script's name",
        "documentation",
        "by Tetragon's documentation of selectors",
        _scripts,
    ),
    Rule(
        "programs-of-the-last-hook",
        "kprobes of one policy whose selectors of one number have different `matchBinaries`, or one of them none",
        "recorded",
        "recorded with 1.7.0 (docs/findings.md, binaries-are-the-last-hook-s); of a hook without any seen live",
        _of_another_hook,
    ),
    Rule(
        "old-image-hides-the-event",
        "a hook that runs while a program is started, before it is in place",
        "source",
        "recorded with 1.4.1 and 1.7.0 for security_bprm_creds_from_file (docs/findings.md)",
        _old_image,
        frozenset({"security_bprm_creds_from_file"}),
    ),
)
