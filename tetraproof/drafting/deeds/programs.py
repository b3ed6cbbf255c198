"""The deeds that are tried on a guarded program: how it is started, and the ways to run it otherwise."""

from __future__ import annotations

# ruff: noqa: S108 - these paths lie in the pods that are acted in
import posixpath
import shlex
from dataclasses import dataclass

from tetraproof.drafting.foretelling.happening import Deed, Fact, Happening
from tetraproof.drafting.place import Place, path_of
from tetraproof.observing.act import command, shell

BASH, TRUE = path_of("bash"), path_of("true")
#: Words that a shell does by itself, without a program.
_BUILTIN = {"true", "false", "test", "echo", "printf", "kill", "pwd", "["}
#: The dynamic loader, which runs any program that it is given.
_LOADER = "/lib*/ld-linux*"


@dataclass(frozen=True)
class Program:
    """The deeds on a guarded program, in a pod of `place`. One that the image lacks is a copy of `true`."""

    path: str
    place: Place
    phrase: str = "the guarded program"

    @property
    def made(self) -> bool:
        """Whether the acts put it there."""
        return not self.place.has(self.path)

    @property
    def typed(self) -> str:
        """How it is called: by its name, where a shell finds it by that."""
        name = posixpath.basename(self.path)
        return name if path_of(name) == self.path and name not in _BUILTIN else shlex.quote(self.path)

    def prepared(self) -> tuple[str, ...]:
        """The commands that put it there."""
        return f"mkdir -p {shlex.quote(posixpath.dirname(self.path))}", f"cp {TRUE} {shlex.quote(self.path)}"

    def by_shell(self) -> Deed:
        """A shell starts it."""
        script = f"{self.typed} --help; echo rc=$?"
        return Deed(
            "by_shell",
            shell(script, self.place.name),
            f"starting {self.phrase} from a shell",
            self._started(self.path),
            survivor="rc={}\n",
        )

    def direct(self) -> Deed:
        """The runtime starts it, with no shell between."""
        act = command(self.typed.strip("'"), "--help", pod=self.place.name)
        return Deed("direct", act, f"starting {self.phrase} from the runtime", self._started(self.path, ""))

    def other(self) -> Deed:
        """Another program is started."""
        return Deed(
            "plain",
            command("true", pod=self.place.name),
            "starting another program",
            self._started(TRUE, ""),
            outside=True,
        )

    def symlink(self) -> Deed:
        """It is started through a symbolic link."""
        script = f"ln -sf {shlex.quote(self.path)} /tmp/link; /tmp/link --help; echo rc=$?"
        return self._way("symlink", script, self._started(self.path, given="/tmp/link"), "through a symbolic link")

    def copied(self) -> Deed:
        """A copy of it is started."""
        copy = f"/tmp/{posixpath.basename(self.path)}2"
        script = f"cp {shlex.quote(self.path)} {copy}; {copy} --help > /dev/null && echo ran"
        return self._way("copied", script, self._started(copy), "as a copy", "a copy under another name")

    def hard_link(self) -> Deed:
        """Another name of the same file is started."""
        link = posixpath.join(posixpath.dirname(self.path), "hard")
        script = f"ln -f {shlex.quote(self.path)} {link} && {link} --help > /dev/null && echo ran"
        return self._way("hard_link", script, self._started(link), "through a hard link", "hard link")

    def loaded(self) -> Deed:
        """The dynamic loader is told to run it."""
        script = f"$(echo {_LOADER}) {shlex.quote(self.path)} --help > /dev/null && echo ran"
        happens = self._started("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
        return self._way("by_loader", script, happens, "by the dynamic loader", "the dynamic loader")

    def _way(
        self, name: str, script: str, happens: tuple[Happening, ...], how: str, around: str = "a symbolic link"
    ) -> Deed:
        act = shell(script, self.place.name)
        survivor = "rc={}\n" if script.endswith("rc=$?") else ""
        return Deed(name, act, f"starting {self.phrase} {how}", happens, around=around, survivor=survivor)

    def _started(self, path: str, by: str = BASH, given: str = "") -> tuple[Happening, ...]:
        facts: dict[str, Fact] = {"file": path, "given": given or path}
        return tuple(Happening(what, by, facts, root=False) for what in ("exec", "sys_execve"))
