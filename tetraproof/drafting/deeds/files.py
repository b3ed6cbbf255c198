"""The deeds that are tried on a guarded file or folder: what is meant, what is just outside, and the ways around."""

# ruff: noqa: S108 - these paths lie in the pods that are acted in

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tetraproof.drafting.deeds.guarded import EVERYWHERE, File, made, opens, quoted, reads, writes
from tetraproof.drafting.foretelling.happening import (
    AT_FDCWD,
    MAP_SHARED,
    O_APPEND,
    O_RDONLY,
    O_RDWR,
    O_WRITE,
    PROT_READ,
    PROT_WRITE,
    Deed,
    Fact,
    Happening,
)
from tetraproof.drafting.foretelling.reading import Selector
from tetraproof.drafting.place import Place, path_of
from tetraproof.observing.act import Act, command, shell

BASH, CAT = "/usr/bin/bash", "/usr/bin/cat"
#: Programs that read the files that they are given, and how others are made to.
_READERS = {"tail", "md5sum", "sha256sum", "wc"}
_READING: Mapping[str, tuple[str, ...]] = {
    "/usr/bin/sed": ("sed", "-n", "p", "{}"),
    "/usr/bin/dd": ("dd", "if={}", "status=none"),
    "/usr/bin/curl": ("curl", "-s", "file://{}"),
}


def _word(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "it"


@dataclass(frozen=True)
class Bench:
    """The deeds on one file, in a pod of `place`. They write where `writing`, else they read."""

    file: File
    place: Place
    writing: bool = True
    scratch: str = "/tmp"

    def _shell(self, script: str) -> Act:
        return shell(script, self.place.name)

    def _command(self, *argv: str) -> Act:
        return command(*argv, pod=self.place.name)

    def scene(self) -> tuple[str, ...]:
        """The commands that set the scene for the ways around: no link of an earlier scenario."""
        return (f"rm -f {self.scratch}/link {quoted(self._same_disk() + '/hard')}",)

    def size(self) -> Act:
        """How large the file is, without opening it."""
        return self._command("stat", "-c", "%s", self.file.path)

    def sizing(self) -> Deed:
        """The file's size is asked for."""
        return Deed("size", self.size(), f"looking at {self.file.phrase}", (Happening("stat", path_of("stat")),))

    # what is meant

    def reading(self) -> Deed:
        """The file is read."""
        path = self.file.path
        return Deed("read", self._command("cat", path), f"reading {self.file.phrase}", reads(path, CAT))

    def writing_it(self) -> Deed:
        """The file is written: one that others lean on by a blank line at its end, a page by a line more."""
        path, written = self.file.path, quoted(self.file.path)
        if self.file.stands or self.file.folder:
            script = f"echo more >> {written}" if self.file.folder else f"echo >> {written}"
            happens = writes(path, BASH, flags=O_APPEND)
            return Deed("append", self._shell(script), f"appending to {self.file.phrase}", happens, changes=True)
        script = f"echo 'foo' > {written}"
        return Deed("write", self._shell(script), f"writing {self.file.phrase}", writes(path, BASH), changes=True)

    def mapping(self) -> Deed:
        """The file is mapped into memory, as the other processes that map it see it."""
        path = self.file.path
        code = f"import mmap; f = open({path!r}); mmap.mmap(f.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)"
        python = path_of("python3")
        mapped = Happening("map", python, {"file": path, "prot": PROT_READ, "flags": MAP_SHARED})
        before = (*opens(path, python, O_RDONLY),)
        return Deed("map", self._command("python3", "-c", code), f"mapping {self.file.phrase}", (mapped,), before)

    def mapping_to_write(self) -> Deed:
        """The file is mapped into memory to be written there, which no write shows."""
        path, python = self.file.path, path_of("python3")
        code = f"import mmap; f = open({path!r}, 'r+'); mmap.mmap(f.fileno(), 0)"
        mapped = Happening("map", python, {"file": path, "prot": PROT_READ | PROT_WRITE, "flags": MAP_SHARED})
        subject = f"mapping {self.file.phrase} to write there"
        act = self._command("python3", "-c", code)
        return Deed("map_to_write", act, subject, (mapped,), opens(path, python, O_RDWR))

    def truncating(self) -> Deed:
        """The file is cut by its path, without being opened."""
        path, python = self.file.path, path_of("python3")
        code = f"import os; os.truncate({path!r}, os.stat({path!r}).st_size)"
        happens = (
            Happening("sys_truncate", python, {"given": path}),
            Happening("truncate", python, {"file": path}),
        )
        act = self._command("python3", "-c", code)
        return Deed("truncate", act, f"truncating {self.file.phrase}", happens)

    def emptying(self) -> Deed:
        """A file is emptied as a shell does it, which opens it and writes nothing."""
        folder = self.file.folder
        path = self._beside("empty") if folder else self.file.path
        happens = (*opens(path, BASH, O_WRITE), Happening("empty", BASH, {"file": path}))
        subject = "emptying a file in the guarded folder" if folder else f"emptying {self.file.phrase}"
        return Deed("truncated", self._shell(f": > {quoted(path)}"), subject, happens, around="truncation")

    def new_file(self) -> Deed:
        """Another file is made in the guarded folder."""
        path = self._beside("new")
        act = self._shell(f"echo x > {quoted(path)}")
        return Deed("new_file", act, "making another file in the guarded folder", writes(path, BASH))

    def reading_otherwise(self) -> Deed:
        """The file is read by another program."""
        path = self.file.path
        subject = f"reading {self.file.phrase} by another program"
        return Deed("head", self._command("head", "-1", path), subject, reads(path, path_of("head")))

    def editing(self) -> Deed:
        """The file is edited by sed, which writes a copy and renames it."""
        path, sed = self.file.path, path_of("sed")
        copy = posixpath.join(self.file.directory, "sedXXXXXX")
        happens = (*reads(path, sed), *(replace(one, named=False) for one in writes(copy, sed)))
        act = self._command("sed", "-i", "s/hello/bye/", path)
        return Deed("sed", act, f"editing {self.file.phrase} by sed", happens, changes=True)

    def by_a_child(self) -> Deed:
        """A child of a shell writes the file; the shell lives."""
        path, dd = self.file.path, path_of("dd")
        script = f"dd if=/dev/zero of={quoted(path)} bs=1 count=1 2>/dev/null; echo parent survives with $?"
        happens = writes(path, dd, root=False)
        subject = f"writing {self.file.phrase} by a child"
        return Deed(
            *("child", self._shell(script), subject, happens), printed="parent survives with 0\n",
            survivor="parent survives with {}\n", changes=True,
        )  # fmt: skip

    def by_program(self, program: str) -> Deed | None:
        """The file is read by one program of a list; one that an image lacks is a copy of cat in its place."""
        path, name = self.file.path, posixpath.basename(program)
        argv: tuple[str, ...] = _READING.get(program, (name, "{}"))
        scene: tuple[str, ...] = ()
        if not self.place.has(program):
            argv = (program, "{}")
            scene = (f"mkdir -p {quoted(posixpath.dirname(program))}", f"cp {CAT} {quoted(program)}")
        elif program not in _READING and name not in _READERS:
            return None
        act = self._command(*(one.replace("{}", path) for one in argv))
        subject = f"reading {self.file.phrase} by {name}"
        return Deed(f"by_{_word(name)}", act, subject, reads(path, program), scene=scene)

    def copied(self) -> Deed:
        """A copy of cat under another name reads the file."""
        copy = f"{self.scratch}/cat2"
        act = self._shell(f"cp {CAT} {copy}; {copy} {quoted(self.file.path)}")
        before = (*reads(CAT, path_of("cp"), root=False), *writes(copy, path_of("cp"), root=False))
        return Deed(
            *("copied_cat", act, f"reading {self.file.phrase} by a copy of cat", reads(self.file.path, copy), before),
            around="a copy under another name", by_name=True,
        )  # fmt: skip

    def impostor(self) -> Deed:
        """Another program is put in the place of cat, and edits the file under its name."""
        kept = f"{self.scratch}/cat.bak"
        script = (
            f"cp {CAT} {kept}; cp /usr/bin/sed {CAT}; cat -i s/hello/bye/ {quoted(self.file.path)}; "
            f"r=$?; cp {kept} {CAT}; exit $r"
        )
        happens = tuple(replace(one, root=False) for one in reads(self.file.path, CAT))
        subject = f"editing {self.file.phrase} under the name of cat"
        return Deed(
            "impostor", self._shell(script), subject, happens, around="cat overwritten by another program", by_name=True
        )

    def interpreted(self, name: str) -> Deed:
        """A script runs in an interpreter of the list."""
        path = self.file.path
        act = self._command(name, "-c", f"print(open({path!r}).read())" if name == "python3" else f": < {quoted(path)}")
        return Deed(
            *(f"script_of_{_word(name)}", act, f"reading {self.file.phrase} by a script", reads(path, path_of(name))),
            around=f"a script that {name} runs", by_name=True,
        )  # fmt: skip

    # the ways to the same file

    def _does(self, given: str, first: str = "", file: str = "") -> tuple[Act, tuple[Happening, ...]]:
        """The deed of the bench by another path to the file: what is typed, and what happens."""
        path = file or self.file.path
        lead = f"{first}; " if first else ""
        if self.writing:
            sign = ">>" if self.file.stands or self.file.folder else ">"
            flags = O_APPEND if sign == ">>" else O_WRITE
            what = "" if self.file.stands else " more" if self.file.folder else " foo"
            return self._shell(f"{lead}echo{what} {sign} {given}"), writes(path, BASH, given, flags=flags)
        if not lead:
            return self._command("cat", given), reads(path, CAT, given)
        return self._shell(f"{lead}cat {given}"), reads(path, CAT, given)

    def relative(self) -> Deed:
        """By a path relative to its folder."""
        name = posixpath.basename(self.file.path)
        act, happens = self._does(quoted(name), f"cd {quoted(self.file.directory)}")
        subject = f"opening {self.file.phrase} by a relative path"
        return Deed("relative", act, subject, happens, around="a relative path", changes=self.writing)

    def symlink(self) -> Deed:
        """Behind a symbolic link."""
        name = f"{self.scratch}/link"
        act, happens = self._does(name, f"ln -sf {quoted(self.file.path)} {name}")
        link: dict[str, Fact] = {"given": self.file.path, "1": AT_FDCWD, "new": name}
        before = (Happening("sys_symlinkat", path_of("ln"), link, root=False),)
        subject = f"opening {self.file.phrase} through a symbolic link"
        return Deed("symlink", act, subject, happens, before, around="a symbolic link", changes=self.writing)

    def proc_root(self) -> Deed:
        """Behind /proc/self/root."""
        given = f"/proc/self/root{self.file.path}"
        act, happens = self._does(quoted(given))
        subject = f"opening {self.file.phrase} through /proc/self/root"
        return Deed("proc_root", act, subject, happens, around="/proc/self/root", changes=self.writing)

    def hard_link(self) -> Deed:
        """Through another name of the same file."""
        path = quoted(self.file.path)
        name = f"{self._same_disk()}/hard"
        link = f"ln {path} {name}"
        if self.writing:
            sign, flags = (">>", O_APPEND) if self.file.stands or self.file.folder else (">", O_WRITE)
            what = "" if self.file.stands else " foo"
            script = f"{link} && echo{what} {sign} {name} && stat -c %s {path}"
            happens = writes(name, BASH, flags=flags)
        else:
            script, happens = f"{link} && cat {name} && echo read", reads(name, CAT, root=False)
        linked: dict[str, Fact] = {"0": AT_FDCWD, "given": self.file.path, "2": AT_FDCWD, "new": name, "4": 0}
        before = (Happening("sys_linkat", path_of("ln"), linked, root=False),)
        subject = f"opening {self.file.phrase} through a hard link"
        return Deed(
            "hard_link", self._shell(script), subject, happens, before, around="hard link", changes=self.writing
        )

    def renamed(self) -> Deed:
        """A file that was made elsewhere is put in its place."""
        source = f"{self.scratch}/{'y' if self.file.folder else 'x'}"
        target = self._beside("moved") if self.file.folder else self.file.path
        word = "x" if self.file.folder else "foo"
        act = self._shell(f"echo {word} > {source} && mv {source} {quoted(target)} && echo moved")
        moved: dict[str, Fact] = {"0": AT_FDCWD, "given": source, "2": AT_FDCWD, "new": target, "4": 0}
        happens = (Happening("sys_renameat2", path_of("mv"), moved, root=False),)
        subject = f"moving a file {'into the guarded folder' if self.file.folder else f'onto {self.file.phrase}'}"
        return Deed("renamed", act, subject, happens, writes(source, BASH), around="rename into place")

    # what is just outside

    def outside(self, name: str, path: str, subject: str) -> Deed:
        """A file that is not meant is opened in the same way."""
        folder = posixpath.dirname(path)
        there = "" if folder in {*EVERYWHERE, self.file.directory} else f"mkdir -p {quoted(folder)}; "
        if self.writing:
            what = "'foo'" if name == "bar" else "foo"
            act = self._shell(f"{there}echo {what} > {quoted(path)}")
            return Deed(name, act, f"writing {subject}", writes(path, BASH), outside=True)
        act = self._command("cat", path)
        return Deed(name, act, f"reading {subject}", reads(path, CAT), outside=True, scene=made(path))

    def outside_of_folder(self) -> Deed:
        """A file elsewhere is written and read."""
        path = f"{self.scratch}/outside"
        act = self._shell(f"echo x > {path} && cat {path}")
        happens = (*writes(path, BASH), *reads(path, CAT))
        return Deed("outside", act, "writing and reading files elsewhere", happens, outside=True, printed="x\n")

    def served(self, client: Place, port: int) -> Deed:
        """The container's own program reads the file as it answers."""
        at = "" if port == 80 else f":{port}"  # noqa: PLR2004 - HTTP's own
        act = command("curl", "-sS", "-m", "10", f"http://{{{self.place.name}.ip}}{at}/", pod=client.name)
        happens = reads(self.file.path, self.place.main, own=True)
        return Deed("served", act, "serving what is guarded", happens, outside=True)

    def _same_disk(self) -> str:
        """A folder in which a hard link can be made: that of the file, or the one above the guarded folder."""
        return posixpath.dirname(self.file.folder).rstrip("/") if self.file.folder else self.file.directory.rstrip("/")

    def _beside(self, name: str) -> str:
        """Another file of the guarded folder, with the ending of the one that is known."""
        ending = posixpath.splitext(self.file.path)[1]
        return posixpath.join(self.file.directory, name + ending)


def all_of(bench: Bench, selector: Selector, sees: frozenset[str]) -> Iterator[Deed]:
    """Every deed on a file that the hooks which see these happenings can tell apart."""
    file, place = bench.file, bench.place
    yield bench.reading()
    if file.lent:
        return
    if selector.binaries or file.folder:
        yield bench.reading_otherwise()
    if file.folder and place.has("sed"):
        yield bench.editing()
    if not file.runs:
        yield bench.writing_it()
    if file.folder:
        yield bench.new_file()
    if file.made:
        yield bench.emptying()
    if place.has("python3"):
        yield from _of_python(bench, sees)
    if not file.folder and file.made:
        yield bench.by_a_child()
    yield from _of_programs(bench, selector)


def _of_python(bench: Bench, sees: frozenset[str]) -> Iterator[Deed]:
    """The deeds for which a program is needed."""
    if "map" in sees and bench.file.filled:
        yield bench.mapping()
        if not bench.file.runs:
            yield bench.mapping_to_write()
    if sees & {"truncate", "sys_truncate"}:
        yield bench.truncating()


def _of_programs(bench: Bench, selector: Selector) -> Iterator[Deed]:
    """The deeds by the programs that a selector names, and the ways around their names."""
    known = {CAT, BASH, path_of("head"), bench.place.main}
    for program in selector.programs:
        if program not in known and program.startswith("/") and not program.startswith(("/bin/", "/sbin/")):
            yield from filter(None, (bench.by_program(program),))
    if selector.programs:
        yield bench.copied()
    exempt = _exempt(selector)
    for name in ("bash", "python3"):
        if path_of(name) in exempt:
            yield bench.interpreted(name)


def last_of(bench: Bench, selector: Selector) -> Iterator[Deed]:
    """The deeds that edit the file where nobody stops them: tried when nobody looks at it any more."""
    if CAT in _exempt(selector) and bench.place.has("sed"):
        yield bench.impostor()


def _exempt(selector: Selector) -> set[str]:
    """The programs that a selector leaves alone by their names."""
    return {str(one) for part in selector.binaries if part.get("operator") == "NotIn" for one in part["values"] or ()}
