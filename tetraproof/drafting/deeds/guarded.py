"""A guarded file: whether it can be made or leant on, and what happens where a program opens, reads or writes it."""

from __future__ import annotations

# ruff: noqa: S108 - these paths lie in the pods that are acted in
import posixpath
import shlex
from dataclasses import dataclass, replace

from tetraproof.drafting.foretelling.happening import (
    AT_FDCWD,
    MAY_READ,
    MAY_WRITE,
    O_RDONLY,
    O_WRITE,
    Fact,
    Happening,
)

#: Files of an image that everything else there leans on: they are added to, and never written anew.
_LEANT_ON = {
    f"/etc/{name}"
    for name in (
        *("passwd", "shadow", "group", "gshadow", "hosts", "hostname", "resolv.conf", "nsswitch.conf", "sudoers"),
        *("ld.so.cache", "ld.so.conf", "ld.so.preload", "profile", "bash.bashrc", "environment", "crontab", "fstab"),
        *("services", "protocols", "localtime", "os-release", "machine-id"),
    )
} | {"/root/.bashrc", "/root/.profile"}
#: Those of them that are not empty in any image.
_FILLED = {f"/etc/{name}" for name in ("passwd", "shadow", "group", "profile", "bash.bashrc", "os-release")}
_SYSTEM = ("/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/boot/")
#: What the kernel shows as files, or a cluster mounts to be read: nothing can be made there.
_NOT_OURS = ("/proc/", "/sys/", "/dev/", "/var/run/secrets/", "/run/secrets/")
#: Folders that every image has.
EVERYWHERE = {"/", "/tmp", "/var/tmp", "/etc", "/root", "/usr", "/srv", "/opt", "/mnt", "/home"}
#: What is written into a file that the draft makes.
CONTENT = "guarded\n"


@dataclass(frozen=True)
class File:
    """A file that acts are tried on. `folder` is the guarded folder where it is that which a policy names.

    `stands` where an image has it, so that it is added to and never made anew; `made` where the acts make it.
    """

    path: str
    folder: str = ""
    phrase: str = "the guarded file"
    own_words: bool = False

    @property
    def stands(self) -> bool:
        """Whether it is part of an image, and everything there leans on it."""
        return self.path in _LEANT_ON or (self.path.startswith(_SYSTEM) and not self.folder)

    @property
    def runs(self) -> bool:
        """Whether it is a program or a library, which cannot be written while it runs."""
        return self.stands and self.path.startswith(_SYSTEM)

    @property
    def lent(self) -> bool:
        """Whether nothing can be made where it lies."""
        return self.path.startswith(_NOT_OURS)

    @property
    def unreachable(self) -> bool:
        """Whether nobody can make it, nor knows that it is there."""
        return self.lent and (bool(self.folder) or self.path.startswith("/dev/"))

    @property
    def filled(self) -> bool:
        """Whether it is known to hold something."""
        return self.made or self.path in _FILLED

    @property
    def made(self) -> bool:
        """Whether the acts make it, or overwrite it."""
        return not self.stands and not self.lent

    @property
    def directory(self) -> str:
        """Where it lies."""
        return posixpath.dirname(self.path)

    def prepared(self) -> tuple[str, ...]:
        """The commands that make it, with what it holds."""
        return (f"touch {quoted(self.path)}",) if self.stands or self.own_words else made(self.path)


def made(path: str) -> tuple[str, ...]:
    """The commands that make a file."""
    folder = posixpath.dirname(path)
    there = () if folder in EVERYWHERE else (f"mkdir -p {quoted(folder)}",)
    return (*there, f"echo guarded > {quoted(path)}")


def quoted(path: str) -> str:
    """A path as a shell reads it."""
    return shlex.quote(path)


def opens(path: str, by: str, flags: int, given: str = "", *, root: bool = True) -> tuple[Happening, ...]:
    """A program opens a file, by the path that it is `given`."""
    call: dict[str, Fact] = {"0": AT_FDCWD, "given": given or path, "2": flags}
    return (Happening("sys_openat", by, call, root), Happening("open", by, {"file": path}, root))


def reads(path: str, by: str, given: str = "", *, root: bool = True, own: bool = False) -> tuple[Happening, ...]:
    """A program reads a file."""
    found = (
        *opens(path, by, O_RDONLY, given, root=root),
        Happening("read", by, {"file": path, "mask": MAY_READ}, root),
    )
    return tuple(replace(one, own=own) for one in found)


def writes(path: str, by: str, given: str = "", *, flags: int = O_WRITE, root: bool = True) -> tuple[Happening, ...]:
    """A program writes a file."""
    emptied = (Happening("empty", by, {"file": path}, root),) if flags == O_WRITE else ()
    written = Happening("write", by, {"file": path, "mask": MAY_WRITE}, root)
    return (*opens(path, by, flags, given, root=root), *emptied, written)
