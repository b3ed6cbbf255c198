"""What hooks of open files leave open: they see a file by the path that it was opened by."""

from __future__ import annotations

from tetraproof.policies.inspection.hooking import Hooking
from tetraproof.policies.inspection.loophole import Inspected, Rule, Told

#: Functions that are asked of an open file, or of one that is being opened, with its path.
_OF_FILES = frozenset(
    {
        *("fd_install", "vfs_open", "do_dentry_open", "vfs_read", "vfs_write", "vfs_truncate", "do_truncate"),
        *("security_file_open", "security_file_permission", "security_file_truncate", "security_mmap_file"),
        "security_path_truncate",
    }
)
_OF_RENAMES = frozenset(
    {
        *("security_path_rename", "security_inode_rename", "vfs_rename", "do_renameat2"),
        *("sys_rename", "sys_renameat", "sys_renameat2"),
    }
)
_OF_LINKS = frozenset({"security_path_link", "security_inode_link", "vfs_link", "do_linkat", "sys_link", "sys_linkat"})
_OF_TRUNCATIONS = frozenset(
    {
        *("security_path_truncate", "security_file_truncate", "do_truncate", "vfs_truncate"),
        *("sys_truncate", "sys_ftruncate"),
    }
)
_OF_MAPPINGS = frozenset({"security_mmap_file", "do_mmap", "mmap_region", "sys_mmap"})
_BY_PATH = {"file", "path", "auto"}
#: Operators that single out a path.
_SINGLES_OUT = {"Equal", "Prefix", "Postfix", "SubString", "SubStringIgnCase"}
#: MAY_WRITE in the mask of security_file_permission.
_WRITE = 2


def _guards_paths(hook: Hooking) -> tuple[str, ...]:
    """The hook's functions of files, where each of its selectors that matter singles out a path."""
    singles = all(_path_asked(hook, at) for at in range(len(hook.guarding)))
    return hook.of(_OF_FILES) if hook.guarding and singles else ()


def _path_asked(hook: Hooking, at: int) -> bool:
    return any(kind in _BY_PATH for _, kind in hook.asked(hook.guarding[at], _SINGLES_OUT))


def _made_first(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for name in hook.of({"fd_install"}) if hook.only_kills else ():
            said = "it runs once the file is open: one that was not there has been made, and O_TRUNC has emptied it"
            yield hook.way, name, said
        for name in hook.of({"security_file_open"}) if hook.enforcing else ():
            yield hook.way, name, "open has made a file that was not there before it asks this hook"


def _renames(inspected: Inspected) -> Told:
    if inspected.functions & _OF_RENAMES:
        return
    for hook in inspected.hooks:
        for name in _guards_paths(hook):
            said = (
                "a rename goes by it: what was made elsewhere comes to the path, and what lies there leaves for another"
            )
            yield hook.way, name, said


def _links(inspected: Inspected) -> Told:
    if inspected.functions & _OF_LINKS:
        return
    for hook in inspected.hooks:
        for name in _guards_paths(hook):
            yield hook.way, name, "a hard link goes by it, and opens the same file by a path that it does not look for"


def _truncations(inspected: Inspected) -> Told:
    if inspected.functions & _OF_TRUNCATIONS:
        return
    for hook in inspected.hooks:
        for name in hook.of({"security_file_permission"}) if _is_of_writing(hook) else ():
            yield hook.way, name, "truncation goes by it: truncate(2), and opening with O_TRUNC, empty the file"


def _is_of_writing(hook: Hooking) -> bool:
    """Whether one of its selectors takes a write: by its mask, or since it asks for none."""
    for selector in hook.guarding:
        masks = [
            (asked, value)
            for asked, kind in hook.asked(selector, {"Equal", "Mask"})
            if kind not in _BY_PATH
            for value in asked.get("values") or ()
        ]
        if not masks or any(value.isdecimal() and int(value) & _WRITE for _, value in masks):
            return True
    return False


def _mappings(inspected: Inspected) -> Told:
    if inspected.functions & _OF_MAPPINGS:
        return
    for hook in inspected.hooks:
        for name in hook.of({"security_file_permission"}):
            yield hook.way, name, "a file that is mapped into memory is read and written without it"


RULES = (
    Rule(
        "file-is-made-first",
        "`fd_install` with a signal; `security_file_open` that enforces",
        "source",
        "recorded with 1.4.1 and 1.7.0 for fd_install: an empty file is left; else by the kernel's source",
        _made_first,
        frozenset({"fd_install"}),
    ),
    Rule(
        "rename-passes",
        "a hook of open files that singles out a path, and none of renames",
        "source",
        "recorded with 1.4.1 and 1.7.0",
        _renames,
        frozenset({"fd_install", "security_file_permission"}),
    ),
    Rule(
        "hard-link-passes",
        "a hook of open files that singles out a path, and none of links",
        "source",
        "recorded with 1.4.1 and 1.7.0",
        _links,
        frozenset({"fd_install", "security_file_permission"}),
    ),
    Rule(
        "truncation-passes",
        "`security_file_permission` that takes writes, and no hook of truncation",
        "recorded",
        "recorded with 1.7.0",
        _truncations,
    ),
    Rule(
        "mapping-passes",
        "`security_file_permission`, and no hook of mappings",
        "source",
        "by the kernel's source",
        _mappings,
    ),
)
