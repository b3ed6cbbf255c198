"""A kernel of choice: one of Debian's, unpacked from its packages and never installed, or one that lies in a folder."""

from __future__ import annotations

import os
import re
import shutil
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tetraproof.errors import UsageError
from tetraproof.machines import cache, program
from tetraproof.machines.program import ProgramError
from tetraproof.pacing.progress import Tell
from tetraproof.text import shorten

_DEBIAN = "debian:"
_RELEASE = re.compile(r"\d+\.\d+(\.\d+)*")
#: Where a release is looked for, in this order: what the release of Debian of our root file systems gets, then what
#: the next one will be.
_SUITES = (("bookworm", "bookworm-security", "bookworm-backports"), ("sid",))
#: The suites that Debian's main mirror has under one of its names, as a machine's own sources write it.
_MAIN = re.compile(r"(oldoldstable|oldstable|stable|testing|unstable|sid|bullseye|bookworm|trixie|forky|duke)")
_SECURITY = re.compile(r"\S+(-security|/updates)")
_INDEX = re.compile(r"'(\S+?)/?/dists/(\S+)/(?:In)?Release'")
_KEYRINGS = ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg")
#: The plain kernel by its full version; not one for clouds or real time, not unsigned, no debug symbols.
_PACKAGE = re.compile(r"linux-image-\d+\.\d+\.[\w.+~]+(?:-\d+)?-amd64")
#: Where a folder may hold its kernel: that of a boot partition, of a package, of a package since 7.2.
_IMAGES = ("vmlinuz*", "boot/vmlinuz*", "lib/modules/*/vmlinuz", "usr/lib/modules/*/vmlinuz")
#: The header of a kernel image for x86: its magic, and where its version is told, less the boot sector.
_MAGIC_AT, _MAGIC, _VERSION_AT, _SECTOR = 0x202, b"HdrS", 0x20E, 0x200
_CHOICES = "KERNEL=debian:6.1, debian:6.12 or debian:7.2, or a folder with a vmlinuz, its modules and its config"


@dataclass(frozen=True)
class Choice:
    """A kernel as it was asked for: a release of Debian's (`6.12`, `6.12.117`), or a folder or image."""

    text: str
    release: str = ""
    path: Path = Path()


@dataclass(frozen=True)
class Kernel:
    """A kernel that can be booted: its version as `uname -r` says it, its image, and its config as text.

    `config` is empty where none lies with it.
    """

    version: str
    image: Path
    config: str = field(repr=False)


def parse(text: str) -> list[Choice]:
    """The kernels that `text` names, with commas between them. Raises `UsageError`."""
    words = [word.strip() for word in text.split(",")]
    if not any(words):
        raise UsageError("No kernel is named.", remedy=_CHOICES)
    return [_choice(word) for word in words if word]


def obtain(choice: Choice, tell: Tell, mirror: str = "") -> Kernel:
    """The kernel of a choice; one of Debian's is fetched once, from `mirror` or those of this machine's own sources.

    Raises `UsageError`.
    """
    if not choice.release:
        return _kernel(choice.path)
    try:
        key = f"debian-{choice.release}"
        return _kernel(cache.made("kernels", key, lambda place: _fetch(choice, place, tell, mirror)))
    except ProgramError as error:
        raise UsageError(
            f"The kernel {choice.text} could not be fetched: {error.sentence}",
            causes=error.causes,
            remedy="let apt reach a mirror of Debian (DEBIAN_MIRROR= names one), or name a folder with a vmlinuz",
        ) from error


def _choice(word: str) -> Choice:
    if word.startswith(_DEBIAN):
        release = word.removeprefix(_DEBIAN)
        if not _RELEASE.fullmatch(release):
            raise UsageError(f"{word!r} names no release of a kernel.", remedy=_CHOICES)
        return Choice(word, release)
    path = Path(word).expanduser()
    if word == "host":
        raise UsageError("KERNEL=host is this machine itself, and is named alone.", remedy="run it by itself")
    if not path.exists():
        raise UsageError(f"There is no kernel {shorten(word, 80)!r}.", remedy=_CHOICES)
    return Choice(word, path=path.resolve())


# a folder, and what is in it


def _kernel(path: Path) -> Kernel:
    images = [path] if path.is_file() else _images(path)
    if not images:
        raise UsageError(
            f"{path} holds no kernel.",
            remedy=f"put a vmlinuz there ({', '.join(_IMAGES)}); of a source tree, make install and modules_install",
        )
    if len(images) > 1:
        named = ", ".join(str(image.relative_to(path)) for image in images)
        raise UsageError(f"{path} holds {len(images)} kernels: {named}.", remedy="name one of these files")
    (image,) = images
    version = _version(image)
    modules = _modules(image, version)
    config = _config(image, version, modules)
    if modules is None and "\nCONFIG_MODULES=y\n" in f"\n{config}\n":
        raise UsageError(
            f"{image} is a kernel {version} with modules, and they are not beside it.",
            remedy=f"put lib/modules/{version} into a folder above it",
        )
    if modules is not None and not (modules / "modules.dep").is_file():
        root = modules.parents[2]
        raise UsageError(f"{modules} has no modules.dep.", remedy=f"depmod -b {root} {version}")
    return Kernel(version, image, config)


def _images(folder: Path) -> list[Path]:
    found = {path.resolve(): path for pattern in _IMAGES for path in sorted(folder.glob(pattern)) if path.is_file()}
    return list(found.values())


def _version(image: Path) -> str:
    """The version that a kernel's image tells in its header."""
    try:
        head = image.read_bytes()[: 1 << 16]
    except OSError as error:
        raise UsageError(f"{image} cannot be read: {error.strerror}.", remedy="name a vmlinuz that can") from error
    if head[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] == _MAGIC:
        (offset,) = struct.unpack_from("<H", head, _VERSION_AT)
        told = head[offset + _SECTOR :].partition(b"\0")[0].decode("ascii", "replace").split()
        if offset and told:
            return told[0]
    raise UsageError(f"{image} is no kernel image for x86.", remedy="name a vmlinuz, as a distribution ships it")


def _modules(image: Path, version: str) -> Path | None:
    """The folder of a kernel's modules, in a folder above its image."""
    above = (folder / lib / version for folder in image.parents for lib in ("lib/modules", "usr/lib/modules"))
    return next((folder for folder in above if folder.is_dir()), None)


def _config(image: Path, version: str, modules: Path | None) -> str:
    beside = [image.with_name(f"config-{version}"), image.with_name("config"), image.with_name(".config")]
    for path in [*beside, *([modules / "config"] if modules else [])]:
        if path.is_file():
            return path.read_text(encoding="utf-8", errors="replace")
    return ""


# Debian's packages


@dataclass(frozen=True)
class _Package:
    """A package of a kernel: its name, version, and what it depends on."""

    name: str
    version: str
    depends: str

    def is_of(self, release: str) -> bool:
        return re.match(rf"{re.escape(release)}(?![\d])", self.version) is not None

    @property
    def order(self) -> list[int]:
        """Newer packages have more of it."""
        return [int(number) for number in re.findall(r"\d+", self.version)]

    @property
    def parts(self) -> list[str]:
        """The packages that make up the kernel: itself, and since 7.2 its base, its binary and its modules."""
        suffix = self.name.removeprefix("linux-image")
        others = {name for name in re.findall(r"linux-[\w.+~-]+", self.depends) if name.endswith(suffix)}
        return [f"{name}={self.version}" for name in (self.name, *sorted(others - {self.name}))]


class _Apt:
    """The machine's apt with sources, lists and a cache of its own in `folder`; the machine's own are only read."""

    def __init__(self, folder: Path, tell: Tell) -> None:
        self._folder = folder
        self._tell = tell
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        self._options = [
            f"--option={name}={value}"
            for name, value in {
                "Dir::Etc::SourceList": folder / "sources.list",
                "Dir::Etc::SourceParts": "/dev/null",
                "Dir::Etc::Preferences": "/dev/null",
                "Dir::Etc::PreferencesParts": "/dev/null",
                "Dir::State::Lists": folder / "lists",
                "Dir::State::Status": "/dev/null",
                "Dir::Cache": folder / "cache",
                "APT::Architecture": "amd64",
                "APT::Architectures::": "amd64",
                # what other programs of the machine hang into its updates is not for this one
                "APT::Update::Post-Invoke": "",
                "APT::Update::Post-Invoke-Success": "",
                "Acquire::Languages": "none",
                # root's cache is not for other users to read, apt's own included
                "APT::Sandbox::User": "root",
                "Acquire::Retries": "2",
            }.items()
        ]

    def packages(self, suites: Iterable[str], mirror: str) -> list[_Package]:
        """All plain kernels of these suites. Raises `UsageError` where the machine knows no mirror, `ProgramError`."""
        main, security = (mirror.rstrip("/"), "") if mirror else _mirrors()
        keyring = _keyring()
        lines = [
            f"deb [signed-by={keyring}] {source} {suite} main"
            for suite in suites
            if (source := security if _SECURITY.fullmatch(suite) else main)
        ]
        (self._folder / "sources.list").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._tell(f"reading what Debian's {', '.join(suites)} hold")
        self._run("apt-get", "update")
        names = self._run("apt-cache", "pkgnames", "linux-image-").split()
        wanted = [name for name in names if _PACKAGE.fullmatch(name)]
        return list(_stanzas(self._run("apt-cache", "show", *wanted))) if wanted else []

    def unpack(self, package: _Package, folder: Path) -> None:
        """Download a kernel, which apt verifies, and unpack it into `folder`."""
        self._tell(f"downloading {package.name} {package.version}")

        def heard(line: str) -> float:
            if found := re.match(r"Get:\d+ \S+ .* (linux-\S+) \S+ \S+ (\[.*\])", line):
                self._tell(f"downloading {found[1]} {found[2]}")
            return program.SILENCE

        downloads = self._folder / "downloads"
        downloads.mkdir()
        command = ["apt-get", *self._options, "download", *package.parts]
        program.run(command, heard, called="apt-get download", folder=str(downloads))
        self._tell(f"unpacking {package.name}")
        for file in sorted(downloads.glob("*.deb")):
            program.run(["dpkg-deb", "--extract", str(file), str(folder)])

    def _run(self, command: str, *words: str) -> str:
        return program.run([command, *self._options, *words], called=f"{command} {words[0]}")


def _fetch(choice: Choice, place: Path, tell: Tell, mirror: str) -> None:
    program.need("apt-get", "apt-cache", "dpkg-deb", "depmod")
    apt = place / "apt"
    there: list[_Package] = []
    for number, suites in enumerate(_SUITES):
        own = _Apt(apt / str(number), tell)
        packages = own.packages(suites, mirror)
        there += packages
        fitting = [package for package in packages if package.is_of(choice.release)]
        if fitting:
            own.unpack(max(fitting, key=lambda package: package.order), place)
            break
    else:
        series = {".".join(package.version.split(".")[:2]): package.order for package in there}
        raise UsageError(
            f"Debian has no kernel {choice.release}.",
            remedy=f"name one of {', '.join(f'debian:{one}' for one in sorted(series, key=lambda one: series[one]))}",
        )
    shutil.rmtree(apt)
    shutil.rmtree(place / "usr/share", ignore_errors=True)
    if not (place / "lib").exists():
        (place / "lib").symlink_to("usr/lib")
    for modules in (place / "lib/modules").iterdir():
        tell(f"indexing the modules of {modules.name}")
        program.run(["depmod", "--basedir", str(place), modules.name])


def _mirrors() -> tuple[str, str]:
    """The machine's own mirrors of Debian and of its security updates, the latter empty where it has none."""
    told = program.run(["apt-get", "--print-uris", "update"], called="apt-get update")
    found = _INDEX.findall(told)
    main = next((mirror for mirror, suite in found if _MAIN.fullmatch(suite.removesuffix("-backports"))), "")
    security = next((mirror for mirror, suite in found if _SECURITY.fullmatch(suite)), "")
    if not main:
        raise UsageError(
            "The sources of this machine's apt name no mirror of Debian, so its kernels cannot be fetched.",
            remedy="DEBIAN_MIRROR=http://… names one, or KERNEL= a folder with a vmlinuz, its modules and its config",
        )
    return main, security


def _keyring() -> Path:
    for name in _KEYRINGS:
        path = Path("/usr/share/keyrings") / name
        if os.access(path, os.R_OK):
            return path
    raise UsageError("The keys of Debian's archive are not there.", remedy="install debian-archive-keyring")


def _stanzas(text: str) -> Iterator[_Package]:
    """The packages that `apt-cache show` tells."""
    for stanza in text.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|Depends): (.*)$", stanza, re.MULTILINE))
        if "Package" in fields:
            yield _Package(fields["Package"], fields.get("Version", ""), fields.get("Depends", ""))
