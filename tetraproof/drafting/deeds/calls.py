"""The deeds that are tried on a guarded program, and on a guarded system call: what is meant, and the ways around."""

# ruff: noqa: S108 - these paths lie in the pods that are acted in

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from tetraproof.drafting.deeds.guarded import File
from tetraproof.drafting.foretelling.happening import AT_FDCWD, IDENTITIES, Deed, Fact, Happening
from tetraproof.drafting.place import Place, path_of
from tetraproof.observing.act import Act, command, shell

BASH, TRUE = path_of("bash"), path_of("true")
#: A program that makes one call by io_uring, which passes no hook of a system call. It is given the operation's
#: number, its length field, and the paths; the two numbers in it are those of every architecture.
URING_NAME = "URING"
URING = """\
import ctypes, mmap, os, struct, sys
libc, setup = ctypes.CDLL(None), (ctypes.c_char * 120)()
ring = libc.syscall(425, 1, setup)
if ring < 0:
    sys.exit("io_uring is not to be had here")
at = struct.unpack("30I", bytes(setup))
queue, calls = mmap.mmap(ring, 4096), mmap.mmap(ring, 4096, offset=1 << 28)
paths = [ctypes.create_string_buffer(path.encode()) for path in sys.argv[3:]]
first, second = [*map(ctypes.addressof, paths), 0][:2]
calls[:64] = struct.pack("BBHiQQII32x", int(sys.argv[1]), 0, 0, -100, second, first, int(sys.argv[2]), 0)
queue[at[16] : at[16] + 4], queue[at[11] : at[11] + 4] = bytes(4), struct.pack("I", 1)
libc.syscall(426, ring, 1, 1, 1, None, 0)
answer = struct.unpack_from("i", queue, at[25] + 8)[0]
sys.exit(os.strerror(-answer)) if answer < 0 else print("done")
"""
#: The numbers of its operations, with what their length field holds and a second path where they take one.
_OPERATIONS: Mapping[str, tuple[int, int, str]] = {
    "sys_openat": (18, 0, ""),
    "sys_symlinkat": (38, 0, "/tmp/l5"),
    "sys_linkat": (39, 2**32 + AT_FDCWD, "{}/hard5"),
}


def by_uring(name: str, path: str, verb: str, place: Place) -> Deed | None:
    """A system call, made without making it; nothing where no program here can."""
    operation = _OPERATIONS.get(name)
    if operation is None or not place.has("python3"):
        return None
    number, length, second = operation
    paths = [path, *([second.format(posixpath.dirname(path).rstrip("/"))] if second else [])]
    act = command("python3", "-c", URING, str(number), str(length), *paths, pod=place.name)
    return Deed("by_uring", act, f"{verb} {path} by io_uring", (), around="io_uring")


@dataclass(frozen=True)
class Made:
    """How a system call is made: the act on a path, which facts that gives it, and what the world then shows.

    `look` is the script that shows `left` where the call was stopped.
    """

    verb: str
    script: Callable[[str], str]
    facts: Callable[[str], Mapping[str, Fact]]
    by: str
    look: str = ""
    left: str = ""
    prepare: str = ""
    root: bool = True


def _python(verb: str, code: str, facts: Mapping[str, Fact], by: str = "python3") -> Made:
    return Made(verb, lambda _: code, lambda _: facts, path_of(by))


#: What is made, linked to or removed by calls of which a policy names no path.
MADE = "/tmp/made"
#: How a program of Python's makes a system call that it has no word for.
_LIBC = "import ctypes; ctypes.CDLL(None)"
#: The number of nobody's user and group.
_NOBODY = 65534
_ROOTS: Mapping[str, Fact] = {"0": 0, "1": 0, "2": 0}
#: How each system call is made by an act, by its name.
CALLS: Mapping[str, Made] = {
    "sys_symlinkat": Made(
        "linking to",
        lambda path: f"ln -s {path} /tmp/l1",
        lambda path: {"given": path, "1": AT_FDCWD, "new": "/tmp/l1"},
        path_of("ln"),
        "test -L /tmp/l1; echo $?",
        "1\n",
        "rm -f /tmp/l1 /tmp/l2 /tmp/l5",
    ),
    "sys_linkat": Made(
        "making a hard link to",
        lambda path: f"ln {path} {posixpath.dirname(path)}/hard1",
        lambda path: {"0": AT_FDCWD, "given": path, "2": AT_FDCWD, "new": f"{posixpath.dirname(path)}/hard1", "4": 0},
        path_of("ln"),
    ),
    "sys_unlinkat": Made(
        "removing",
        lambda path: f"rm -f {path}",
        lambda path: {"0": AT_FDCWD, "given": path, "2": 0},
        path_of("rm"),
    ),
    "sys_mkdir": Made(
        "making the folder", lambda path: f"mkdir {path}", lambda path: {"given": path, "1": 0o777}, path_of("mkdir"),
    ),
    "follow": Made(
        "following a symbolic link",
        lambda _: "cat /tmp/link",
        lambda _: {},
        path_of("cat"),
        prepare="ln -sf /etc/hostname /tmp/link",
    ),
    "sys_rmdir": Made(
        "removing the folder", lambda path: f"rmdir {path}", lambda path: {"given": path}, path_of("rmdir")
    ),
    "sys_fchmodat": Made(
        "changing the mode of",
        lambda path: f"chmod 644 {path}",
        lambda path: {"0": AT_FDCWD, "given": path, "2": 0o644},
        path_of("chmod"),
    ),
    "sys_setuid": _python("setting the user id to root", "import os; os.setuid(0)", {"0": 0}),
    "sys_setgid": _python("setting the group id to root", "import os; os.setgid(0)", {"0": 0}),
    "sys_setreuid": _python("setting both user ids to root", "import os; os.setreuid(0, 0)", {"0": 0, "1": 0}),
    "sys_setregid": _python("setting both group ids to root", "import os; os.setregid(0, 0)", {"0": 0, "1": 0}),
    "sys_setresuid": _python("setting all user ids to root", "import os; os.setresuid(0, 0, 0)", _ROOTS),
    "sys_setresgid": _python("setting all group ids to root", "import os; os.setresgid(0, 0, 0)", _ROOTS),
    "sys_dup2": _python("copying a file descriptor onto another", f"{_LIBC}.dup2(1, 9)", {"0": 1, "1": 9}),
    "sys_ptrace": _python("asking to be traced", f"{_LIBC}.ptrace(0, 0, 0, 0)", {"0": 0, "1": 0}),
    "sys_mount": _python(
        "mounting a file system",
        f'{_LIBC}.mount(b"none", b"/mnt", b"tmpfs", 0, None)',
        {"given": "none", "new": "/mnt", "type": "tmpfs"},
    ),
    "sys_unshare": _python("leaving a namespace", f"{_LIBC}.unshare({0x08000000})", {"0": 0x08000000}),
    "user namespace": _python("making a user namespace", f"{_LIBC}.unshare({0x10000000})", {}),
    "sys_chroot": _python("changing the root", 'import os; os.chroot("/")', {"given": "/"}),
    "sys_dup": _python("copying a file descriptor", f"{_LIBC}.dup(1)", {"0": 1}),
    "sys_memfd_create": _python("making a file in memory", 'import os; os.memfd_create("x")', {"given": "x", "1": 1}),
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """The deeds on a system call, in a pod of `place`, with the path `path` where it takes one."""

    name: str
    place: Place
    path: str

    @property
    def made(self) -> Made:
        """How it is made."""
        return CALLS[self.name]

    @property
    def of_python(self) -> bool:
        """Whether it is a program's own code that makes it."""
        return self.made.by == path_of("python3")

    @property
    def of_identity(self) -> bool:
        """Whether a process takes another identity by it."""
        return self.name.removeprefix("sys_") in IDENTITIES

    @property
    def harmful(self) -> bool:
        """Whether it would take from a pod what everything there leans on."""
        return self.name in {"sys_unlinkat", "sys_rmdir"} and not File(self.path).made

    def scene(self) -> tuple[str, ...]:
        """The commands that set the scene for it."""
        if self.of_python or self.made.prepare:
            return tuple(filter(None, (self.made.prepare,)))
        there = shlex.quote(self.path)
        if self.name in {"sys_mkdir", "sys_rmdir"}:
            return (f"rm -rf {there}", *([f"mkdir -p {there}"] if self.name == "sys_rmdir" else []))
        links = f"rm -f {posixpath.dirname(self.path)}/hard[12345]"
        return (links, f"touch {there}") if self.name == "sys_linkat" else (f"touch {there}",)

    @property
    def act_name(self) -> str:
        """What its act is called."""
        return self.name.removeprefix("sys_").replace(" ", "_")

    def meant(self) -> Deed:
        """The call as it is meant."""
        takes_a_path = "given" in self.made.facts(self.path) and not self.of_python
        subject = f"{self.made.verb} {self.path}" if takes_a_path else self.made.verb
        return Deed(
            self.act_name, self._act(self.path), subject, self._happens(self.path), changes=bool(self.made.look)
        )

    def looking(self) -> Act:
        """What shows whether the call was made."""
        return shell(self.made.look, self.place.name)

    def other(self) -> Deed:
        """The same call with another path."""
        scene: tuple[str, ...] = ()
        if self.of_identity:
            act = command("python3", "-c", self.made.script("").replace("0", str(_NOBODY)), pod=self.place.name)
            facts = dict.fromkeys(self.made.facts(""), _NOBODY)
            subject = self.made.verb.replace("root", "nobody")
            return Deed("other", act, subject, (Happening(self.name, self.made.by, facts),), outside=True)
        if self.name == "sys_symlinkat":
            path = "/etc/hostname"
            act = command("ln", "-s", path, "/tmp/l2", pod=self.place.name)
        else:
            path = f"{self.path}2"
            beside = replace(self, path=path)
            act, scene = self._act(path), tuple(one for one in beside.scene() if "hard" not in one)
            act = replace(act, argv=tuple(one.replace("/hard1", "/hard2") for one in act.argv))
        return Deed("other", act, f"{self.made.verb} {path}", self._happens(path), outside=True, scene=scene)

    def ways(self) -> Iterator[Deed]:
        """The same path, written otherwise."""
        folder, name = posixpath.split(self.path)
        words = self.made.script("{}").replace("{}", "").split()
        if self.of_python or folder in {"", "/"} or self.name in {"sys_unlinkat", "sys_rmdir", "sys_mkdir"}:
            return
        doubled = f"{folder}//{name}"
        lead = f"{words[0]} -f" if words[0] == "ln" else words[0]
        rest = self.made.script(doubled).partition(" ")[2].replace("/l1", "/l3").replace("hard1", "hard3")
        yield self._way("doubled", f"{lead} {rest} && echo done", doubled, "a doubled slash")
        relative = self.made.script(f"..{self.path}").partition(" ")[2].replace("/l1", "/l4")
        relative = relative.replace(f"..{folder}/hard1", f"{folder}/hard4")
        yield self._way("relative", f"cd /tmp; {lead} {relative} && echo done", f"..{self.path}", "a relative path")

    def _way(self, name: str, script: str, given: str, around: str) -> Deed:
        happens = tuple(replace(one, root=False) for one in self._happens(given))
        subject = f"{self.made.verb} {self.path} by {around}"
        return Deed(name, shell(script, self.place.name), subject, happens, around=around)

    def _act(self, path: str) -> Act:
        script = self.made.script(path)
        if self.of_python:
            return command("python3", "-c", script, pod=self.place.name)
        return command(*script.split(" "), pod=self.place.name)

    def _happens(self, path: str) -> tuple[Happening, ...]:
        return (Happening(self.name, self.made.by, self.made.facts(path)),)
