"""What an act makes happen, as the kernel's hooks see it, one happening at a time; and which hook sees which.

`SEEN` is what is known of hooks. A hook that it does not have may be met by any act or by none: nothing is drafted
of it but a TODO.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tetraproof.observing.act import Act

#: Bits of a file's mask (MAY_READ, MAY_WRITE), of a mapping (PROT_READ, MAP_SHARED, MAP_PRIVATE).
MAY_WRITE, MAY_READ = 2, 4
PROT_READ, PROT_WRITE, MAP_SHARED, MAP_PRIVATE = 1, 2, 1, 2
#: How open(2) is asked by `cat` and by a shell's `>` and `>>`.
O_RDONLY, O_RDWR, O_WRITE, O_APPEND = 0, 2, 0o1101, 0o2101
AT_FDCWD = -100
TCP, UDP, AF_INET = 6, 17, 2
_CACHE, _LIBC = "/etc/ld.so.cache", "/usr/lib/x86_64-linux-gnu/libc.so.6"
_FILESYSTEMS, _TERMINAL = "/proc/filesystems", "/dev/tty"
#: What tells a program its home, where its environment does not (seen of bash in a guest).
_USERS = ("/etc/nsswitch.conf", "/etc/passwd")
#: What a program opens besides, by its path: some have the library of SELinux, which asks for file systems.
_OPENS: Mapping[str, tuple[str, ...]] = {
    "/usr/bin/bash": (_TERMINAL, *_USERS),
    "/usr/bin/cp": (_FILESYSTEMS,),
    "/usr/bin/mv": (_FILESYSTEMS,),
    "/usr/bin/mkdir": (_FILESYSTEMS,),
    "/usr/bin/stat": (_FILESYSTEMS,),
    "/usr/bin/curl": ("/etc/ssl/openssl.cnf", *_USERS),
    "/usr/bin/sed": (_FILESYSTEMS,),
}


@dataclass(frozen=True)
class Address:
    """An IPv4 address as an act writes it: `text`, a placeholder of the bindings or the address itself.

    `ip` is the address where it is known; of a placeholder `ranges` names the bound ranges that it lies in.
    """

    text: str
    ip: str = ""
    ranges: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Socket:
    """One end of a connection or datagram: where it leads to, and by which protocol."""

    address: Address
    port: int
    protocol: int = TCP
    family: int = AF_INET


Fact = str | int | Socket


@dataclass(frozen=True)
class Happening:
    """One thing that a program does. `what` names it, `facts` are what a hook can be told of it, by name.

    `by` is the program's path; `root` whether it is the act's own process, and not one that it started; `own` whether
    it is of the container's own processes (PID 1 and what that started); `named` whether a suite can say its path.
    """

    what: str
    by: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    root: bool = True
    own: bool = False
    named: bool = True


@dataclass(frozen=True)
class Deed:
    """One act, called as in a suite, with what happens in it, in order: first `before`, and then what it is done for.

    `subject` says what is done as a gerund ("writing the guarded file"). `around` is the label of a way around, `""`
    where it is none; `outside` marks what a policy does not speak of. `printed` is what it prints where nobody stops
    it, `ends` its exit code then (nothing where nobody knows). `changes` marks what would change the file: behind it,
    where it is stopped, the file is looked at. `scene` are commands that set the scene for it, `survivor` what
    its shell prints of a child's exit code. `by_name` marks what goes around the name of a program, not of a file;
    `refusal` is the exit code of a program that does not say which error it was given.
    """

    name: str
    act: Act
    subject: str
    happens: tuple[Happening, ...]
    before: tuple[Happening, ...] = ()
    around: str = ""
    outside: bool = False
    printed: str | None = None
    ends: int | None = 0
    changes: bool = False
    scene: tuple[str, ...] = ()
    by_name: bool = False
    refusal: int | None = None
    survivor: str = ""

    @property
    def programs(self) -> tuple[str, ...]:
        """The programs that it starts, by their paths, each once."""
        return tuple(dict.fromkeys(one.by for one in (*self.before, *self.happens)))


def of_itself(program: str) -> Iterator[Happening]:
    """What a program does merely by being started: its loader opens, reads and maps libraries."""

    def does(what: str, **facts: Fact) -> Happening:
        return Happening(what, program, facts)

    for path in (_CACHE, _LIBC):
        yield does("open", file=path)
        yield Happening("sys_openat", program, {"0": -100, "given": path, "2": 0o2000000})
        yield does("map", file=path, prot=PROT_READ, flags=MAP_PRIVATE)
    yield does("read", file=_LIBC, mask=MAY_READ)
    for path in _OPENS.get(program, ()):
        yield does("open", file=path)
        yield Happening("sys_openat", program, {"0": -100, "given": path, "2": 0})
        if path != _TERMINAL:
            yield does("read", file=path, mask=MAY_READ)


@dataclass(frozen=True)
class Seen:
    """What a hook sees: happenings of these kinds, and by the function's parameters what it is told of them.

    `once` where an act makes just one event of it (recorded); `early` where an event belongs to the image before the
    new one, `vague` where it is not known to which; `entry` where the call happens all the same to whom is killed
    there (a system call's entry); `emptied` where what opened the file for writing has emptied it by then.
    """

    what: tuple[str, ...]
    at: Mapping[int, str]
    once: bool = False
    vague: bool = False
    early: bool = False
    entry: bool = False
    emptied: bool = True


def _file(*what: str, at: int = 0, once: bool = False, emptied: bool = True, **more: int) -> Seen:
    return Seen(what, {at: "file", **{place: name for name, place in more.items()}}, once=once, emptied=emptied)


def _call(name: str, *facts: str) -> tuple[str, Seen]:
    """A system call with what its parameters are told, in their order."""
    return f"sys_{name}", Seen((f"sys_{name}",), dict(enumerate(facts)), entry=True, emptied=False)


#: Calls by which a process takes another identity.
IDENTITIES = ("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid")
_FUNCTIONS: dict[str, Seen] = {
    "fd_install": _file("open", at=1, once=True),
    "security_file_open": _file("open", emptied=False),
    "do_dentry_open": _file("open", emptied=False),
    "security_file_permission": _file("read", "write", mask=1),
    "security_mmap_file": _file("map", prot=1, flags=2),
    "security_path_truncate": _file("truncate", emptied=False),
    "security_file_truncate": _file("empty", emptied=False),
    "security_bprm_check": Seen(("exec",), {0: "file"}, early=True),
    "security_bprm_creds_for_exec": Seen(("exec",), {0: "file"}, early=True),
    "security_bprm_creds_from_file": Seen(("exec",), {0: "file", 1: "file"}, early=True),
    "tcp_connect": Seen(("connect",), {0: "socket"}, once=True),
    "security_socket_connect": Seen(("connect", "connect udp"), {0: "socket", 1: "sockaddr"}),
    "tcp_sendmsg": Seen(("send",), {0: "socket"}),
    "tcp_close": Seen(("close",), {0: "socket"}),
    "udp_sendmsg": Seen(("send udp",), {0: "socket"}),
    "ip_output": Seen(("connect", "send", "send udp"), {1: "socket", 2: "socket"}),
    "inet_csk_listen_start": Seen(("listen",), {0: "own socket"}),
    "security_path_mkdir": Seen(("sys_mkdir",), {}),
    "security_inode_mkdir": Seen(("sys_mkdir",), {}),
    "security_path_symlink": Seen(("sys_symlinkat",), {}),
    "security_inode_symlink": Seen(("sys_symlinkat",), {}),
    "security_path_link": Seen(("sys_linkat",), {}),
    "security_inode_link": Seen(("sys_linkat",), {}),
    "security_path_unlink": Seen(("sys_unlinkat",), {}),
    "security_inode_unlink": Seen(("sys_unlinkat",), {}),
    "security_path_rename": Seen(("sys_renameat2",), {}),
    "security_inode_rename": Seen(("sys_renameat2",), {}),
    "security_inode_follow_link": Seen(("follow",), {}),
    "create_user_ns": Seen(("user namespace",), {}),
    "commit_creds": Seen(("sys_setuid",), {}),
    **{f"__sys_{name}": Seen((f"sys_{name}",), dict(enumerate(("0", "1", "2")))) for name in IDENTITIES},
}
#: System calls that some act makes, with what their parameters are: `given`, a path as the program writes it, `new`,
#: that of what is made, or a number under its own place.
_CALLS = dict(
    (
        _call("openat", "0", "given", "2"),
        _call("symlinkat", "given", "1", "new"),
        _call("linkat", "0", "given", "2", "new", "4"),
        _call("unlinkat", "0", "given", "2"),
        _call("renameat2", "0", "given", "2", "new", "4"),
        _call("mkdir", "given", "1"),
        _call("rmdir", "given"),
        _call("fchmodat", "0", "given", "2"),
        _call("truncate", "given", "1"),
        _call("execve", "given"),
        _call("setuid", "0"),
        _call("setgid", "0"),
        _call("setreuid", "0", "1"),
        _call("setregid", "0", "1"),
        _call("setresuid", "0", "1", "2"),
        _call("setresgid", "0", "1", "2"),
        _call("ptrace", "0", "1"),
        _call("mount", "given", "new", "type"),
        _call("unshare", "0"),
        _call("chroot", "given"),
        _call("dup", "0"),
        _call("dup2", "0", "1"),
        _call("kill", "0", "1"),
        _call("memfd_create", "given", "1"),
    )
)
#: The tracepoint of a system call's entry has four fields of every tracepoint, and the call's number, before these.
_BEFORE_ARGUMENTS = 5


def seen(call: str) -> Seen | None:
    """What a hook sees, by its name in a draft; nothing where that is not known."""
    if call.startswith("lsm:"):
        name = call.removeprefix("lsm:")
        return _FUNCTIONS.get("security_" + {"bprm_check_security": "bprm_check"}.get(name, name))
    if call == "tracepoint:sched/sched_process_exec":
        # of the raw one the third argument is the program, of the other the first field of its own
        return Seen(("exec",), {2: "file", 4: "file"}, vague=True)
    if call.startswith("tracepoint:syscalls/sys_enter_"):
        found = _CALLS.get("sys_" + call.removeprefix("tracepoint:syscalls/sys_enter_"))
        if found is None:
            return None
        return Seen(
            found.what, {place + _BEFORE_ARGUMENTS: name for place, name in found.at.items()}, entry=True, emptied=False
        )
    return _FUNCTIONS.get(call) or _CALLS.get(call)
