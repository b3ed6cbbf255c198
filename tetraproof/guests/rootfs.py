"""The root file system of a workload's container: a plain folder that any machine can run a container from.

It is pulled as the container's image, or built from the distribution's packages where there
is no registry; either is cached, and once it is there no network is asked.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tetraproof.errors import TetraproofError, UsageError
from tetraproof.guests.workload import PACKAGES
from tetraproof.machines import cache, program
from tetraproof.machines.program import SILENCE, ProgramError
from tetraproof.pacing.progress import Tell
from tetraproof.text import shorten

#: The release of Debian that root file systems are built from: that of the manifests' images.
SUITE = "bookworm"
SOURCES = ("auto", "image", "packages")
#: Seconds in which a registry says something; where there is none, this is what finding out costs at most.
_ANSWER = 20.0
_NEWS_EVERY = 10
_CONFIGURATION = """\
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
tmp_dir = "{home}/tmp"
[network]
network_config_dir = "{home}/networks"
"""
#: Where a container looks for programs.
_PROGRAMS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
# /proc, /sys and /dev are the machine's own while this runs: keep to folders without mounts
_FINISH = """\
set -e
test ! -L "$1/etc"
rm -f "$1/etc/hostname" "$1/etc/resolv.conf"
echo tetraproof > "$1/etc/hostname"
: > "$1/etc/resolv.conf"
mkdir -p "$1/proc" "$1/sys" "$1/dev" "$1/tmp"
chmod 1777 "$1/tmp"
for folder in etc root usr var; do
  mkdir -p "$1/$folder"
  find "$1/$folder" -xdev "(" -type f -o -type d ")" -exec chmod a+rX {} +
done
"""


@dataclass(frozen=True)
class Rootfs:
    """A root file system: its folder, and a clause on where it is from, for the report."""

    path: Path
    origin: str

    def holds(self, program: str) -> bool:
        """Whether a container finds a program that is called by its name; a path may be made later by an act."""
        return "/" in program or any(os.path.lexists(self.path / folder / program) for folder in _PROGRAMS)


class _WayError(TetraproofError):
    """A way to a root file system leads nowhere."""


@dataclass(frozen=True)
class _Way:
    """A way to a root file system: its key in the cache, and what fills a folder with it and says its origin."""

    key: str
    make: Callable[[Path], str]


def obtain(
    container_image: str, packages: Sequence[str], tell: Tell, *, source: str = "auto", mirror: str = ""
) -> Rootfs:
    """The root file system of `container_image`, or one of Debian's `packages`.

    `source` is `image`, `packages`, or `auto`: whichever is cached, else the image, else the packages. An image is
    pulled once: who wants a newer one removes it from the cache. Packages are had from `mirror`, or as this machine's
    apt has them. Raises `UsageError`.
    """
    if source not in SOURCES:
        raise UsageError(f"{source!r} is no source of root file systems.", remedy=f"name one of {', '.join(SOURCES)}")
    names = sorted(set(packages))
    digest = hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]
    ways = {
        "image": _Way(f"image-{container_image}", lambda folder: _pull(container_image, folder, tell)),
        "packages": _Way(f"{SUITE}-{digest}", lambda folder: _build(names, folder, tell, mirror)),
    }
    wanted = [way for name, way in ways.items() if source in {"auto", name}]
    causes: list[str] = []
    for way in sorted(wanted, key=lambda way: not cache.place("rootfs", way.key).is_dir()):
        try:
            return _made(way)
        except (_WayError, ProgramError) as error:
            tell(error.sentence)
            causes += [error.sentence, *(f"  {cause}" for cause in error.causes)]
    cannot = {"auto": "can neither be pulled nor built", "image": "cannot be pulled", "packages": "cannot be built"}
    pulling, building = "install podman, and let it reach a registry", "install mmdebstrap, and let it reach a mirror"
    mend = {"auto": f"{pulling}; or {building}", "image": pulling, "packages": building}
    raise UsageError(f"The root file system of {container_image} {cannot[source]}.", causes=causes, remedy=mend[source])


def _made(way: _Way) -> Rootfs:
    def make(unfinished: Path) -> None:
        # mmdebstrap may work as another user
        unfinished.chmod(0o755)
        (unfinished / "origin").write_text(way.make(unfinished / "root"), encoding="utf-8")

    there = cache.made("rootfs", way.key, make)
    return Rootfs(there / "root", (there / "origin").read_text(encoding="utf-8"))


def _pull(image: str, root: Path, tell: Tell) -> str:
    """Pull `image` into the folder `root`; returns its name with its digest. The user's own images are not touched."""
    program.need("podman", "tar")

    def heard(line: str) -> float:
        # podman says this once the registry has answered
        answered = line.startswith(("Getting", "Copying", "Writing"))
        if answered:
            tell(f"pulling {image}: {shorten(line, 60)}")
        return SILENCE if answered else _ANSWER

    with _podman(root.parent / "podman") as podman:
        tell(f"pulling {image}")
        podman("pull", image, heard=heard)
        digest = re.findall(r"sha256:[0-9a-f]{64}", podman("image", "inspect", "--format", "{{.Digest}}", image))
        container = re.findall(r"^[0-9a-f]{64}$", podman("create", "--pull=never", image, "true"), re.MULTILINE)
        if not container:
            raise _WayError(f"podman made no container of {image}.")
        tell(f"unpacking {image}")
        archive = root.parent / "root.tar"
        podman("export", "--output", str(archive), container[0])
        root.mkdir()
        # podman mounts a /dev of its own
        options = ("--same-permissions", "--numeric-owner", "--anchored", "--exclude=dev/*", "--exclude=./dev/*")
        program.run(["tar", "--extract", "--file", str(archive), "--directory", str(root), *options])
        archive.unlink()
    program.run(["sh", "-c", _FINISH, "sh", str(root)])
    return f"{image}@{digest[0]}" if digest and "@" not in image else image


@contextmanager
def _podman(home: Path) -> Iterator[Callable[..., str]]:
    """Runs podman with a storage and a configuration of its own in `home`, all of which is removed."""
    home.mkdir()
    # podman takes no path of more than 50 characters here
    sockets = tempfile.mkdtemp(prefix="tp-")
    configuration = home / "containers.conf"
    configuration.write_text(_CONFIGURATION.format(home=home), encoding="utf-8")
    storage = ["--root", f"{home}/storage", "--runroot", sockets, "--storage-driver", "vfs"]

    def podman(*words: str, heard: Callable[[str], float] = lambda _: SILENCE) -> str:
        own = {"CONTAINERS_CONF": str(configuration)}
        return program.run(["podman", *storage, *words], heard, own, called=f"podman {words[0]}")

    try:
        yield podman
    finally:
        if os.geteuid() != 0:
            # the layers' files are not ours to remove
            with suppress(ProgramError):
                podman("rmi", "--all", "--force")
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(sockets, ignore_errors=True)


def _build(packages: Sequence[str], root: Path, tell: Tell, mirror: str) -> str:
    """Install `packages` and what they need into the folder `root`; returns which they are."""
    if not packages:
        raise _WayError(f"No packages are named to build it from (annotation {PACKAGES}).")
    program.need("mmdebstrap", "unshare")
    what = "building a root file system from the distribution's packages"
    done = total = 0

    def heard(line: str) -> float:
        nonlocal done, total
        if line.startswith("I: ") and line.endswith("..."):
            tell(f"{what}: {line.removeprefix('I: ')}")
        elif found := re.search(r"(\d+) newly installed", line):
            done, total = 0, int(found[1])
        elif line.startswith("Setting up "):
            done += 1
            if done % _NEWS_EVERY == 0 or done == total:
                tell(f"{what}: set up {done} of {total}")
        return SILENCE

    tell(what)
    command = [
        *("mmdebstrap", "--verbose", f"--mode={'root' if os.geteuid() == 0 else 'auto'}", "--variant=minbase"),
        *(f"--include={','.join(packages)}", f"--customize-hook={_FINISH}", SUITE, str(root)),
        *([mirror] if mirror else []),
    ]
    program.run([*_apart(), *command], heard, called="mmdebstrap")
    for node in (root / "dev").glob("*"):
        if node.is_char_device() or node.is_block_device():
            # podman mounts a /dev of its own
            node.unlink()
    versions = _versions(root)
    installed = ", ".join(f"{name} {versions[name]}" if name in versions else name for name in packages)
    return f"built from Debian {SUITE}'s packages {installed}"


def _apart() -> list[str]:
    """What keeps a command's mounts to itself, so that removing what an interrupted one left follows none of them."""
    unshare = ["unshare", "--mount", "--"]
    if os.geteuid() != 0:
        return []
    # where this is not allowed, mounting is not either
    return [] if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode else unshare  # noqa: S603


def _versions(root: Path) -> dict[str, str]:
    """The versions of all packages installed in `root`, by name."""
    status = root / "var/lib/dpkg/status"
    text = status.read_text(encoding="utf-8", errors="replace") if status.is_file() else ""
    return dict(re.findall(r"^Package: (\S+)\n(?:.+\n)*?Version: (\S+)$", text, re.MULTILINE))
