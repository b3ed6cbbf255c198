"""Root file systems: pulled where a registry answers, else built, once; with stand-ins for podman and mmdebstrap."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.guests.test_kernel import put
from tetraproof.errors import UsageError
from tetraproof.guests.rootfs import Rootfs, obtain
from tetraproof.machines import cache

IMAGE = "docker.io/library/x:1"
DIGEST = f"sha256:{'a' * 64}"
PODMAN = f"""\
#!/bin/sh
echo "podman $*" >> "$TRACE"
[ ! -e "$FAKE/offline" ] || {{ echo "Error: dial tcp: no such host"; exit 125; }}
archive= do=
while [ $# -gt 0 ]; do
  case $1 in
    --root|--runroot|--storage-driver) shift ;;
    --output) shift; archive=$1 ;;
    -*) ;;
    *) do=${{do:-$1}} ;;
  esac
  shift
done
case $do in
  pull) echo "Trying to pull"; echo "Getting image source signatures"; echo "Writing manifest" ;;
  image) echo {DIGEST} ;;
  create) printf 'c%.0s' $(seq 64) ;;
  export) tar --create --file "$archive" --directory "$FAKE/image" . ;;
esac
"""
MMDEBSTRAP = """\
#!/bin/sh
echo "mmdebstrap $*" >> "$TRACE"
[ ! -e "$FAKE/no-mirror" ] || { echo "E: unable to fetch"; exit 25; }
for word; do case $word in http*) ;; *) root=$word ;; esac; done
echo "I: running apt-get update..."
mkdir -p "$root/etc" "$root/var/lib/dpkg"
printf 'Package: bash\\nStatus: x\\nVersion: 5.2-1\\n\\nPackage: sed\\nVersion: 4.9\\n' > "$root/var/lib/dpkg/status"
echo "0 upgraded, 2 newly installed"
echo "Setting up bash"
echo "Setting up sed"
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose podman and mmdebstrap are stand-ins that write down what they are asked."""
    folder = tmp_path / "fake"
    put(folder / "bin/podman", PODMAN).chmod(0o755)
    put(folder / "bin/mmdebstrap", MMDEBSTRAP).chmod(0o755)
    put(folder / "image/etc/hostname", "builder")
    put(folder / "image/usr/bin/x", "x").chmod(0o700)
    (folder / "image/dev").mkdir()
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(folder))
    monkeypatch.setenv("TRACE", str(folder / "trace"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def obtained(source: str = "auto", packages: tuple[str, ...] = ("sed", "bash")) -> tuple[Rootfs, list[str]]:
    told: list[str] = []
    return obtain(IMAGE, packages, told.append, source=source), told


def trace(fake: Path) -> str:
    path = fake / "trace"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_an_image_is_pulled_where_a_registry_answers(fake: Path) -> None:
    """Into a storage of our own; it is known by its digest, and has no name of whoever built it."""
    root, told = obtained()
    assert root.origin == f"{IMAGE}@{DIGEST}"
    assert (root.path / "etc/hostname").read_text(encoding="utf-8") == "tetraproof\n"
    assert (root.path / "usr/bin/x").stat().st_mode & 0o777 == 0o755
    assert told[0] == f"pulling {IMAGE}"
    for line in trace(fake).splitlines():
        assert "--root " in line
        assert f"{cache.root()}/rootfs/.making-" in line
    assert [path.name for path in root.path.parent.iterdir() if path.name not in {"root", "origin"}] == []


def test_without_a_registry_it_is_built(fake: Path) -> None:
    """Of the packages that the manifest names, whose versions are its origin."""
    put(fake / "offline")
    root, told = obtained()
    assert root.origin == "built from Debian bookworm's packages bash 5.2-1, sed 4.9"
    assert "podman pull failed with exit code 125." in told
    assert "building a root file system from the distribution's packages: set up 2 of 2" in told
    assert "--include=bash,sed" in trace(fake)


def test_packages_come_from_the_mirror_that_is_named(fake: Path) -> None:
    """For a machine whose own sources are of another distribution."""
    obtain(IMAGE, ["bash", "sed"], [].append, source="packages", mirror="http://other.example/debian")
    suite, root, mirror = trace(fake).split()[-3:]
    assert (suite, Path(root).name, mirror) == ("bookworm", "root", "http://other.example/debian")


def test_once_it_is_there_nothing_is_asked(fake: Path) -> None:
    """Neither the registry, nor for the same packages in another order."""
    put(fake / "offline")
    first, _ = obtained()
    (fake / "trace").unlink()
    again, told = obtained(packages=("bash", "sed", "bash"))
    assert (again, told, trace(fake)) == (first, [], "")


def test_a_program_is_looked_for_where_a_container_looks(tmp_path: Path) -> None:
    """Links that lead somewhere only inside of the container included; what is called by its path may come later."""
    root = Rootfs(tmp_path, "a test")
    put(tmp_path / "usr/bin/sed")
    put(tmp_path / "opt/tool")
    (tmp_path / "usr/bin/vi").symlink_to("/etc/alternatives/vi")
    assert [root.holds(name) for name in ("sed", "vi", "tool", "ps", "/opt/tool", "/tmp/made/later")] == [
        *(True, True, False, False),
        *(True, True),
    ]


def test_a_source_can_be_chosen(fake: Path) -> None:
    """And then no other is tried."""
    root, _ = obtained("packages")
    assert root.origin.startswith("built from")
    assert "podman" not in trace(fake)
    pulled, _ = obtained("image")
    assert pulled.origin.startswith(IMAGE)
    put(fake / "offline")
    assert obtained("image")[0] == pulled
    with pytest.raises(UsageError, match="'tape' is no source"):
        obtained("tape")


@pytest.mark.parametrize(
    ("source", "packages", "sentence", "causes"),
    [
        ("auto", ("bash",), "can neither be pulled nor built", ["Error: dial tcp: no such host", "E: unable to fetch"]),
        ("image", ("bash",), "cannot be pulled", ["podman pull failed with exit code 125."]),
        ("packages", ("bash",), "cannot be built", ["mmdebstrap failed with exit code 25."]),
        ("packages", (), "cannot be built", ["No packages are named to build it from"]),
    ],
)
def test_where_no_way_leads_to_it_each_is_told(
    fake: Path, source: str, packages: tuple[str, ...], sentence: str, causes: list[str]
) -> None:
    """With what was said on it; nothing is left in the cache."""
    put(fake / "offline")
    put(fake / "no-mirror")
    with pytest.raises(UsageError, match=sentence) as refused:
        obtained(source, packages)
    told = "\n".join(refused.value.causes)
    for cause in causes:
        assert cause in told
    assert refused.value.remedy
    assert list(cache.root().glob("rootfs/*")) == []


def test_what_is_not_installed_is_told(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one more way that leads nowhere."""
    real = __import__("shutil").which
    hidden = {"podman", "mmdebstrap"}
    monkeypatch.setattr("shutil.which", lambda name, **kind: None if name in hidden else real(name, **kind))
    with pytest.raises(UsageError, match="can neither be pulled nor built") as refused:
        obtained()
    assert refused.value.causes == ("podman is not installed.", "mmdebstrap is not installed.")
    assert trace(fake) == ""
