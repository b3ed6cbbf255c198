"""What hooks of system calls leave open: a call is one door of several, and its arguments are still the program's."""

from __future__ import annotations

from tetraproof.policies.hook import is_call_on
from tetraproof.policies.inspection.hooking import is_foreign
from tetraproof.policies.inspection.loophole import Inspected, Rule, Told
from tetraproof.policies.requirement import multi_is_off

#: System calls that do the same to the same end: who wants the one can take another.
_SAME = (
    ("open", "openat", "openat2", "creat", "open_by_handle_at"),
    ("link", "linkat"),
    ("symlink", "symlinkat"),
    ("rename", "renameat", "renameat2"),
    ("unlink", "unlinkat"),
    ("mkdir", "mkdirat"),
    ("mknod", "mknodat"),
    ("execve", "execveat"),
    ("chmod", "fchmod", "fchmodat", "fchmodat2"),
    ("chown", "fchown", "lchown", "fchownat"),
    ("truncate", "ftruncate"),
    ("read", "pread64", "readv", "preadv", "preadv2"),
    ("write", "pwrite64", "writev", "pwritev", "pwritev2"),
    ("sendto", "sendmsg", "sendmmsg"),
    ("recvfrom", "recvmsg", "recvmmsg"),
    ("accept", "accept4"),
    ("init_module", "finit_module"),
    ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"),
    ("setuid", "setreuid", "setresuid"),
    ("setgid", "setregid", "setresgid"),
    ("fork", "vfork", "clone", "clone3"),
    ("mount", "move_mount"),
    ("clock_settime", "settimeofday", "clock_adjtime", "adjtimex"),
)
#: System calls whose work io_uring does without them (IORING_OP_… in the kernel's include/uapi/linux/io_uring.h).
_IN_IO_URING = frozenset(
    {
        *("open", "openat", "openat2", "creat", "close", "read", "readv", "pread64", "preadv", "preadv2", "write"),
        *("writev", "pwrite64", "pwritev", "pwritev2", "fsync", "fdatasync", "fallocate", "ftruncate", "statx"),
        *("connect", "accept", "accept4", "bind", "listen", "socket", "shutdown", "send", "sendto", "sendmsg", "recv"),
        *("recvfrom", "recvmsg", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat"),
        *("symlink", "symlinkat", "link", "linkat", "splice", "tee", "setxattr", "fsetxattr", "getxattr", "fgetxattr"),
        *("madvise", "fadvise64", "sync_file_range", "epoll_ctl", "waitid", "futex"),
    }
)
#: Signals that no program can catch or ignore: SIGKILL and SIGSTOP.
_SURE = {9, 19}
#: Functions that say 0 where they allow.
_CHECKS = ("security_file_", "security_path_", "security_socket_", "security_bprm_", "security_task_kill")
_TEXTS = {"string", "filename"}


def _others_do_the_same(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for call in hook.calls:
            family = next((family for family in _SAME if call in family), ())
            machines = hook.machines or {"x86_64", "arm64"}
            others = [
                one
                for one in family
                if one not in inspected.calls and any(is_call_on(machine, one) for machine in machines)
            ]
            if others:
                yield hook.way, f"sys_{call}", f"{_listed(others)} can do the same, and no hook is of them"


def _io_uring(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for call in hook.calls:
            if call in _IN_IO_URING:
                yield hook.way, f"sys_{call}", "io_uring does its work without the call, and without an event"


def _other_width(inspected: Inspected) -> Told:
    if any(is_foreign(name) for name in inspected.functions):
        return
    for hook in inspected.hooks:
        for call in hook.calls if hook.machines <= {"x86_64"} else ():
            said = "on x86-64 a 32-bit program, or int 0x80 in any, makes the call by an entry of its own (i386/…)"
            yield hook.way, f"sys_{call}", said


def _one_machine(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for machine in sorted(hook.machines) if hook.kind == "kprobes" and hook.part.get("syscall") else ():
            said = f"by the name that is written only {machine} has it, and agents elsewhere refuse the policy"
            yield (*hook.way, "call"), ", ".join(f"sys_{call}" for call in hook.calls), said


def _as_written(inspected: Inspected) -> Told:
    said = (
        "it sees the path as the program writes it: a relative one, /etc//passwd or a link to the folder is another "
        "text, and another thread can change it after the hook"
    )
    for hook in inspected.hooks:
        asked = [(one, kind) for selector in hook.guarding for one, kind in hook.asked(selector, {"Equal", "Prefix"})]
        if any(kind in _TEXTS and value[:1] == "/" for one, kind in asked for value in one.get("values") or ()):
            for call in hook.calls:
                yield hook.way, f"sys_{call}", said


def _goes_on(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for call in hook.calls if hook.at_entry and hook.only_kills else ():
            said = (
                "the process is killed on its way out of the call, which may be done by then: only Override refuses it"
            )
            yield hook.way, f"sys_{call}", said


def _faked(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        given = [
            int(action.get("argError", 0))
            for selector in hook.enforcing
            for action in selector.actions
            if action.get("action") == "Override" and hook.kind == "kprobes"
        ]
        for name in hook.functions:
            if name.startswith(_CHECKS) and 0 in given:
                yield hook.way, name, "argError is 0, which is what a check says that allows: nothing is refused"
            for number in given if name.removeprefix("sys_") in hook.calls else ():
                if number >= 0:
                    said = f"argError is {number}, and errors are below 0: the program is told of a success"
                    yield hook.way, name, said


def _wants_single(inspected: Inspected) -> Told:
    if multi_is_off(inspected.policy):
        return
    for hook in inspected.hooks:
        overrides = hook.kind == "kprobes" and any(one.does({"Override"}) for one in hook.selectors)
        for name in hook.functions if overrides else ():
            if name.startswith("security_"):
                said = (
                    "Override is refused where the kernel has kprobe-multi, unless the policy's or the agent's option "
                    "disable-kprobe-multi is set"
                )
                yield hook.way, name, said


def _ignorable(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for selector in hook.enforcing:
            for action in selector.actions:
                number = action.get("argSig")
                if action.get("action") == "Signal" and number not in _SURE and not selector.does({"Sigkill"}):
                    said = f"a program can catch or ignore signal {number}" if number else "signal 0 does nothing"
                    yield hook.way, ", ".join(hook.functions[:1]), said


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


RULES = (
    Rule(
        "call-goes-on",
        "`Sigkill` or `Signal` without `Override` at the entry of a system call",
        "documentation",
        "recorded with 1.7.0: the link is made all the same",
        _goes_on,
        frozenset({"sys_symlinkat"}),
    ),
    Rule("signal-can-be-ignored", "`Signal` with another than 9 or 19", "documentation", "by signal(7)", _ignorable),
    Rule(
        "success-is-faked",
        "`Override` of a system call with an `argError` that is not below 0, or with none; of a check with 0",
        "source",
        "recorded with 1.7.0 for a system call and 0; else by the kernel's source",
        _faked,
        frozenset({"sys_symlinkat"}),
    ),
    Rule(
        "override-wants-single",
        "`Override` of a `security_` function without the option `disable-kprobe-multi`",
        "source",
        "recorded with 1.7.0; 1.4.1 refuses it in any case where the kernel has no bpf_override_return",
        _wants_single,
        frozenset({"security_file_permission", "security_bprm_creds_from_file"}),
    ),
    Rule(
        "same-by-another-call",
        "a system call that has siblings, of which one is not hooked",
        "documentation",
        "recorded with 1.7.0 for symlink and symlinkat; else by the manual pages",
        _others_do_the_same,
        frozenset({"sys_symlinkat"}),
    ),
    Rule(
        "io-uring-passes",
        "a system call whose work io_uring can do",
        "source",
        "recorded with 1.7.0 for SYMLINKAT and OPENAT; else by the kernel's source",
        _io_uring,
        frozenset({"sys_symlinkat", "sys_openat"}),
    ),
    Rule(
        "other-width-passes",
        "a system call, and no hook of a call of 32-bit programs; not of one that is named for another machine",
        "source",
        "recorded with 1.7.0 on x86-64",
        _other_width,
        frozenset({"sys_symlinkat"}),
    ),
    Rule(
        "one-architecture-only",
        "a system call by the name of one architecture (`__x64_sys_…`)",
        "documentation",
        "by Tetragon's documentation of hooks: `sys_…` is the call everywhere",
        _one_machine,
    ),
    Rule(
        "path-as-written",
        "a system call whose argument is compared with a path",
        "documentation",
        "recorded with 1.7.0; the other thread by Tetragon's documentation of hooks",
        _as_written,
        frozenset({"sys_symlinkat"}),
    ),
)
