"""Kernels: what is asked for is understood or refused in a sentence, and what a folder holds is read, never guessed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tetraproof.errors import UsageError
from tetraproof.guests.kernel import Choice, Kernel, obtain, parse
from tetraproof.machines import cache

VERSION = "6.12.117+deb12-amd64"
CONFIG = "CONFIG_MODULES=y\nCONFIG_BPF=y\n"


def image(version: str = VERSION) -> bytes:
    """The beginning of a kernel image for x86: its magic, and its version 256 bytes after the boot sector."""
    head = bytearray(0x400)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = (0x100).to_bytes(2, "little")
    told = f"{version} (builder@host) #1 SMP".encode()
    head[0x300 : 0x300 + len(told)] = told
    return bytes(head)


def put(path: Path, content: bytes | str = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def boot_partition(folder: Path, version: str = VERSION) -> Path:
    """As Debian's package of 6.12 is unpacked."""
    put(folder / f"boot/vmlinuz-{version}", image(version))
    put(folder / f"boot/config-{version}", CONFIG)
    put(folder / f"lib/modules/{version}/modules.dep")
    return folder


def module_folder(folder: Path, version: str = VERSION) -> Path:
    """As Debian's packages of 7.2 are."""
    put(folder / f"usr/lib/modules/{version}/vmlinuz", image(version))
    put(folder / f"usr/lib/modules/{version}/config", CONFIG)
    put(folder / f"usr/lib/modules/{version}/modules.dep")
    return folder


def flat(folder: Path, version: str = VERSION) -> Path:
    """As somebody puts it together."""
    put(folder / "vmlinuz", image(version))
    put(folder / "config", CONFIG)
    put(folder / f"lib/modules/{version}/modules.dep")
    return folder


def silent(line: str, /) -> None:
    del line


def told_by(path: Path) -> Kernel:
    return obtain(parse(str(path))[0], silent)


def test_several_kernels_are_named_with_commas(tmp_path: Path) -> None:
    """Each as it was written."""
    assert parse(f"debian:6.1, debian:6.12.117,{tmp_path}") == [
        Choice("debian:6.1", "6.1"),
        Choice("debian:6.12.117", "6.12.117"),
        Choice(str(tmp_path), path=tmp_path.resolve()),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "No kernel is named"),
        (" , ", "No kernel is named"),
        ("debian:", "'debian:' names no release"),
        ("debian:6", "'debian:6' names no release"),
        ("debian:bookworm", "names no release"),
        ("debian:6.12;rm", "names no release"),
        ("ubuntu:24.04", "There is no kernel 'ubuntu:24.04'"),
        ("/no/such/folder", "There is no kernel '/no/such/folder'"),
    ],
)
def test_what_names_no_kernel_is_refused(text: str, sentence: str) -> None:
    """With what would."""
    with pytest.raises(UsageError) as refused:
        parse(text)
    assert sentence in refused.value.sentence
    assert "KERNEL=debian:6.1" in refused.value.remedy


def test_the_host_is_named_alone() -> None:
    """A guest's kernel and this machine's are not one list."""
    with pytest.raises(UsageError, match="named alone"):
        parse("debian:6.1,host")


@pytest.mark.parametrize("lay", [boot_partition, module_folder, flat])
def test_a_folder_holds_a_kernel(lay, tmp_path: Path) -> None:
    """The version is the image's own word; the config is that beside it."""
    kernel = told_by(lay(tmp_path))
    assert (kernel.version, kernel.config) == (VERSION, CONFIG)
    assert kernel.image.read_bytes() == image()


def test_an_image_can_be_named_itself(tmp_path: Path) -> None:
    """Where a folder holds several."""
    boot_partition(tmp_path)
    boot_partition(tmp_path, "6.1.0-56-amd64")
    with pytest.raises(UsageError, match=r"holds 2 kernels: boot/vmlinuz-6\.1\.0-56-amd64, boot/"):
        told_by(tmp_path)
    assert told_by(tmp_path / "boot/vmlinuz-6.1.0-56-amd64").version == "6.1.0-56-amd64"


def test_a_link_to_an_image_is_no_second_one(tmp_path: Path) -> None:
    """As distributions keep a plain vmlinuz beside the version's."""
    (boot_partition(tmp_path) / "vmlinuz").symlink_to(f"boot/vmlinuz-{VERSION}")
    assert told_by(tmp_path).version == VERSION


def test_the_name_of_a_file_does_not_tell_its_version(tmp_path: Path) -> None:
    """What would boot does."""
    put(tmp_path / "boot/vmlinuz-9.9", image())
    put(tmp_path / f"boot/config-{VERSION}", CONFIG)
    put(tmp_path / f"lib/modules/{VERSION}/modules.dep")
    assert told_by(tmp_path).version == VERSION


def test_a_kernel_without_modules_needs_none(tmp_path: Path) -> None:
    """Its config says so, or is not there to say otherwise."""
    put(tmp_path / "vmlinuz", image())
    assert told_by(tmp_path).config == ""


@pytest.mark.parametrize(
    ("spoil", "sentence", "remedy"),
    [
        (lambda folder: (folder / "vmlinuz").unlink(), "holds no kernel", "put a vmlinuz there"),
        (lambda folder: put(folder / "vmlinuz", b"\x7fELF" + bytes(600)), "is no kernel image for x86", "vmlinuz"),
        (lambda folder: put(folder / "vmlinuz", b"HdrS"), "is no kernel image for x86", "vmlinuz"),
        (lambda folder: put(folder / "vmlinuz", image("")[:0x300]), "is no kernel image for x86", "vmlinuz"),
        (
            lambda folder: (folder / f"lib/modules/{VERSION}").rename(folder / "lib/modules/6.1"),
            "they are not beside it",
            f"put lib/modules/{VERSION}",
        ),
        (lambda folder: (folder / f"lib/modules/{VERSION}/modules.dep").unlink(), "no modules.dep", "depmod -b"),
    ],
)
def test_what_cannot_be_booted_is_refused(spoil, sentence: str, remedy: str, tmp_path: Path) -> None:
    """Before a guest is tried with it, and with what to do."""
    spoil(flat(tmp_path))
    with pytest.raises(UsageError) as refused:
        told_by(tmp_path)
    assert sentence in refused.value.sentence
    assert remedy in refused.value.remedy


# Debian's, with a stand-in for apt

STANZAS = {
    "linux-image-6.1.0-9-amd64": ("6.1.27-1", "kmod, linux-base (>= 4.3~)"),
    "linux-image-6.1.0-10-amd64": ("6.1.37-1", "kmod, linux-base (>= 4.3~)"),
    "linux-image-6.12.117+deb12-amd64": ("6.12.117-1~deb12u1", "kmod, linux-base"),
    "linux-image-6.12.95+deb12-amd64": ("6.12.95-1~bpo12+1", "kmod, linux-base"),
    "linux-image-6.12.117+deb12-amd64-unsigned": ("6.12.117-1~deb12u1", "kmod"),
    "linux-image-6.12.117+deb12-cloud-amd64": ("6.12.117-1~deb12u1", "kmod"),
    "linux-image-6.12.999+deb12-rt-amd64": ("6.12.999-1", "kmod"),
    "linux-image-6.12-amd64": ("6.12.117-1~deb12u1", "linux-image-6.12.117+deb12-amd64"),
    "linux-image-amd64": ("6.1.37-1", "linux-image-6.1.0-10-amd64"),
}
SPLIT = {
    "linux-image-7.2.13+deb14-amd64": (
        "7.2.13-1",
        "dracut | linux-initramfs-tool, "
        + ", ".join(f"linux-{part}-7.2.13+deb14-amd64 (= 7.2.13-1)" for part in ("base", "binary", "modules")),
    )
}
SOURCES = """\
'http://mirror.example/ubuntu/dists/jammy/InRelease' x 0
'http://mirror.example/debian/dists/bookworm-updates/InRelease' x 0
'http://mirror.example/debian/dists/bookworm/InRelease' x 0
'http://mirror.example/security/dists/bookworm-security/InRelease' x 0
'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' x 0
"""
STAND_IN = """\
#!/bin/sh
echo "${0##*/} $*" >> "$TRACE"
lists=
for word in "$@"; do
  case $word in
    --option=Dir::Etc::SourceList=*) lists=${word#*SourceList=} ;;
    --option=*) ;;
    *) set -- "$@" "$word" ;;
  esac
  shift
done
[ -z "$lists" ] || cat "$lists" >> "$TRACE"
case "$1 $2" in
  "--print-uris update") cat "$FAKE/sources" ;;
  "update "*) [ ! -e "$FAKE/offline" ] || { echo "E: Failed to fetch"; exit 100; } ;;
  "pkgnames "*) if grep -q ' sid ' "$lists"; then cat "$FAKE/sid"; else cat "$FAKE/stable"; fi ;;
  "show "*) shift; for name in "$@"; do cat "$FAKE/stanza-$name"; echo; done ;;
  "download "*) shift; for one in "$@"; do cp "$FAKE/${one%%=*}.deb" . ; done ;;
esac
"""


def deb(folder: Path, name: str, files: dict[str, bytes | str]) -> None:
    tree = folder / f"tree-{name}"
    put(tree / "DEBIAN/control", f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n")
    for path, content in files.items():
        put(tree / path, content)
    command = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(folder / f"{name}.deb")]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose apt is a stand-in that writes down what it is asked."""
    folder = tmp_path / "fake"
    for program in ("apt-get", "apt-cache"):
        put(folder / f"bin/{program}", STAND_IN).chmod(0o755)
    put(folder / "bin/depmod", '#!/bin/sh\ntouch "$2/lib/modules/$3/modules.dep"\n').chmod(0o755)
    put(folder / "sources", SOURCES)
    put(folder / "stable", "".join(f"{name}\n" for name in STANZAS))
    put(folder / "sid", "".join(f"{name}\n" for name in (*STANZAS, *SPLIT)))
    for name, (version, depends) in {**STANZAS, **SPLIT}.items():
        put(folder / f"stanza-{name}", f"Package: {name}\nVersion: {version}\nDepends: {depends}\n")
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(folder))
    monkeypatch.setenv("TRACE", str(folder / "trace"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("tetraproof.guests.kernel._KEYRINGS", (str(put(tmp_path / "keys.gpg")),))
    return folder


def trace(fake: Path) -> str:
    return (fake / "trace").read_text(encoding="utf-8")


def package_of(version: str) -> dict[str, bytes | str]:
    return {
        f"boot/vmlinuz-{version}": image(version),
        f"boot/config-{version}": CONFIG,
        f"lib/modules/{version}/kernel/x.ko": b"",
        "usr/share/doc/x/changelog": "long",
    }


def test_the_newest_plain_kernel_of_a_series_is_fetched(fake: Path, tmp_path: Path) -> None:
    """By its whole version, from the machine's own mirrors, in folders of our own; and it is fetched once."""
    deb(fake, f"linux-image-{VERSION}", package_of(VERSION))
    kernel = obtain(parse("debian:6.12")[0], silent)
    assert (kernel.version, kernel.config) == (VERSION, CONFIG)
    assert kernel.image.is_relative_to(tmp_path / "cache")
    assert f"download linux-image-{VERSION}=6.12.117-1~deb12u1\n" in trace(fake)
    assert not list((tmp_path / "cache").rglob("*.deb"))
    assert not list((tmp_path / "cache").rglob("changelog"))

    (fake / "trace").unlink()
    assert obtain(parse("debian:6.12")[0], silent) == kernel
    assert not (fake / "trace").exists()


def test_the_machines_own_apt_is_only_read(fake: Path, tmp_path: Path) -> None:
    """Whatever writes has sources, lists and cache under our own folder, and keys that are the archive's."""
    deb(fake, "linux-image-6.1.0-10-amd64", package_of("6.1.0-10-amd64"))
    assert obtain(parse("debian:6.1")[0], silent).version == "6.1.0-10-amd64"
    asked = [line for line in trace(fake).splitlines() if line.startswith(("apt-get", "apt-cache"))]
    writing = [line for line in asked if "--print-uris" not in line]
    own = str(tmp_path / "cache/tetraproof/kernels")
    assert len(writing) == len(asked) - 1
    for option in ("Dir::Etc::SourceList", "Dir::State::Lists", "Dir::Cache"):
        assert all(f"--option={option}={own}/" in line for line in writing), option
    assert all("--option=Dir::Etc::SourceParts=/dev/null" in line for line in writing)
    sources = [line for line in trace(fake).splitlines() if line.startswith("deb ")]
    assert all("signed-by=" in line and "trusted" not in line for line in sources)
    assert f"deb [signed-by={tmp_path}/keys.gpg] http://mirror.example/debian bookworm main" in sources
    assert f"deb [signed-by={tmp_path}/keys.gpg] http://mirror.example/security bookworm-security main" in sources


def test_a_kernel_in_parts_is_put_together(fake: Path) -> None:
    """Since 7.2 the image, the modules and the config are packages of their own, found where older ones are not."""
    version, place = "7.2.13+deb14-amd64", "usr/lib/modules/7.2.13+deb14-amd64"
    deb(fake, f"linux-image-{version}", {"usr/share/doc/x": "x"})
    deb(fake, f"linux-base-{version}", {f"{place}/config": CONFIG})
    deb(fake, f"linux-binary-{version}", {f"{place}/vmlinuz": image(version)})
    deb(fake, f"linux-modules-{version}", {f"{place}/kernel/x.ko": b""})
    kernel = obtain(parse("debian:7.2")[0], silent)
    assert (kernel.version, kernel.config) == (version, CONFIG)
    assert trace(fake).count("=7.2.13-1") == 4


@pytest.mark.parametrize("release", ["5.10", "6.12.1", "6.13"])
def test_a_release_that_is_not_there_is_told_with_those_that_are(release: str, fake: Path) -> None:
    """And what was tried leaves nothing in the cache."""
    with pytest.raises(UsageError) as refused:
        obtain(parse(f"debian:{release}")[0], silent)
    assert refused.value.sentence == f"Debian has no kernel {release}."
    assert refused.value.remedy == "name one of debian:6.1, debian:6.12, debian:7.2"
    assert list(cache.root().glob("kernels/*")) == []
    assert (fake / "trace").exists()


def test_an_apt_that_reaches_nothing_is_told(fake: Path) -> None:
    """With its own words, and the way that needs none."""
    put(fake / "offline")
    with pytest.raises(UsageError) as refused:
        obtain(parse("debian:6.12")[0], silent)
    assert "debian:6.12 could not be fetched: apt-get update failed with exit code 100" in refused.value.sentence
    assert refused.value.causes == ("E: Failed to fetch",)
    assert "name a folder" in refused.value.remedy


def test_a_machine_without_a_mirror_of_debian_is_told(fake: Path) -> None:
    """No host is assumed."""
    put(fake / "sources", "'http://mirror.example/ubuntu/dists/jammy/InRelease' x 0\n")
    with pytest.raises(UsageError, match="name no mirror of Debian"):
        obtain(parse("debian:6.12")[0], silent)


def test_a_mirror_that_is_named_is_the_only_one(fake: Path, tmp_path: Path) -> None:
    """On a machine whose apt is not Debian's; the archive's keys verify it all the same."""
    put(fake / "sources", "'http://mirror.example/ubuntu/dists/jammy/InRelease' x 0\n")
    deb(fake, f"linux-image-{VERSION}", package_of(VERSION))
    assert obtain(parse("debian:6.12")[0], silent, "http://other.example/debian/").version == VERSION
    sources = {line for line in trace(fake).splitlines() if line.startswith("deb ")}
    signed = f"deb [signed-by={tmp_path}/keys.gpg] http://other.example/debian"
    assert sources == {f"{signed} {suite} main" for suite in ("bookworm", "bookworm-backports")}


def test_without_the_archives_keys_nothing_is_fetched(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be verified is not used."""
    monkeypatch.setattr("tetraproof.guests.kernel._KEYRINGS", ())
    with pytest.raises(UsageError, match="keys of Debian's archive are not there"):
        obtain(parse("debian:6.12")[0], silent)
    assert "update" not in trace(fake).replace("--print-uris update", "")
