"""Bundles: the official layout in a folder, an archive or a release, and nothing that is not whole and verified."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tetraproof.errors import UsageError
from tetraproof.guests.bundle import VARIABLE, find, obtain
from tetraproof.machines import cache

LAYOUT = {
    "usr/local/bin/tetragon": 0o755,
    "usr/local/bin/tetra": 0o755,
    "usr/local/lib/tetragon/bpf/bpf_execve_event.o": 0o644,
}
ARCHIVE = "/v1.7.0/tetragon-v1.7.0-amd64.tar.gz"
SUM = f"{ARCHIVE}.sha256sum"


def silent(line: str, /) -> None:
    del line


def lay(folder: Path, layout: dict[str, int] = LAYOUT) -> Path:
    for name, mode in layout.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n", encoding="utf-8")
        path.chmod(mode)
    return folder


def packed(layout: dict[str, int] = LAYOUT, top: str = "tetragon-v1.7.0-amd64/") -> bytes:
    """An archive as it is released: all of it in one folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, mode in layout.items():
            member = tarfile.TarInfo(top + name)
            member.mode, member.size, member.uid, member.gid = mode, 10, 4711, 4711
            archive.addfile(member, io.BytesIO(b"#!/bin/sh\n"))
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@dataclass
class Releases:
    """A server of releases; `asked` are the paths that it was asked for."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cut: bool = False


@pytest.fixture
def releases() -> Iterator[Releases]:
    served = Releases()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            content = served.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write((content or b"")[: -1 if served.cut and self.path == ARCHIVE else None])

        def log_message(self, *args) -> None:
            del args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    served.address = f"http://127.0.0.1:{server.server_address[1]}"
    content = packed()
    served.files = {ARCHIVE: content, SUM: f"{hashlib.sha256(content).hexdigest()}  tetragon.tar.gz\n".encode()}
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def kept() -> list[str]:
    return sorted(path.name for path in cache.root().glob("bundles/*"))


@pytest.mark.parametrize("top", ["", "tetragon-v1.7.0-amd64/"])
def test_a_folder_is_used_where_it_lies(top: str, tmp_path: Path) -> None:
    """Also where the layout begins one folder deeper, as an archive unpacks."""
    root = lay(tmp_path / "bundle" / top)
    bundle = obtain(str(tmp_path / "bundle"), silent)
    assert (bundle.path, bundle.agent, bundle.cli) == (
        root,
        root / "usr/local/bin/tetragon",
        root / "usr/local/bin/tetra",
    )
    assert bundle.library == root / "usr/local/lib/tetragon/bpf"
    assert kept() == []


@pytest.mark.parametrize(
    ("layout", "lacks"),
    [
        ({}, "usr/local/bin/tetragon, usr/local/bin/tetra, usr/local/lib/tetragon/bpf/*.o"),
        ({name: mode for name, mode in LAYOUT.items() if "bpf" not in name}, "it lacks usr/local/lib/tetragon/bpf/*.o"),
        ({**LAYOUT, "usr/local/bin/tetra": 0o644}, "it lacks usr/local/bin/tetra."),
        ({name: mode for name, mode in LAYOUT.items() if name != "usr/local/bin/tetragon"}, "usr/local/bin/tetragon"),
    ],
)
def test_what_is_not_whole_is_refused(layout: dict[str, int], lacks: str, tmp_path: Path) -> None:
    """As a folder and as an archive, which is then not kept."""
    (tmp_path / "bundle").mkdir()
    lay(tmp_path / "bundle", layout)
    archive = tmp_path / "bundle.tar.gz"
    archive.write_bytes(packed(layout))
    for given in (tmp_path / "bundle", archive):
        with pytest.raises(UsageError, match="is not complete") as refused:
            obtain(str(given), silent)
        assert lacks in refused.value.sentence
    assert kept() == []


def test_an_archive_is_unpacked_once(tmp_path: Path) -> None:
    """And is known again by its content, wherever it lies; its files are the user's."""
    for name in ("a.tar.gz", "b.tar.gz"):
        (tmp_path / name).write_bytes(packed())
    first, second = (obtain(str(tmp_path / name), silent) for name in ("a.tar.gz", "b.tar.gz"))
    assert first == second
    assert len(kept()) == 1
    assert first.agent.stat().st_uid == tmp_path.stat().st_uid


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    """With tar's own word."""
    (tmp_path / "notes.txt").write_text("no archive\n", encoding="utf-8")
    with pytest.raises(UsageError, match="is no archive that can be unpacked: tar failed") as refused:
        obtain(str(tmp_path / "notes.txt"), silent)
    assert any("gzip" in cause for cause in refused.value.causes)
    assert kept() == []


@pytest.mark.parametrize("text", ["1.7", "latest", "/no/such/folder", "1.7.0.tar.gz", "v1.7.0/../x"])
def test_what_names_no_bundle_is_refused(text: str) -> None:
    """With what would."""
    with pytest.raises(UsageError, match="There is no bundle") as refused:
        obtain(text, silent)
    assert "BUNDLE= is a version (1.7.0)" in refused.value.remedy


@pytest.mark.parametrize("text", ["1.7.0", "v1.7.0"])
def test_a_release_is_downloaded_once(text: str, releases: Releases) -> None:
    """Its checksum and itself; the archive is not kept beside what it held."""
    bundle = obtain(text, silent, releases=releases.address)
    assert releases.asked == [SUM, ARCHIVE]
    assert bundle.agent.is_file()
    assert kept() == ["1.7.0"]
    assert not list(cache.root().rglob("*.tar.gz"))
    assert obtain("1.7.0", silent, releases="http://127.0.0.1:1") == bundle


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda served: served.files.update({ARCHIVE: packed(top="evil/")}), "was not downloaded as it was released"),
        (lambda served: setattr(served, "cut", True), "was not downloaded as it was released"),
        (lambda served: served.files.update({SUM: b""}), "holds no checksum"),
        (lambda served: served.files.update({SUM: b"<html>not found</html>"}), "holds no checksum"),
        (lambda served: served.files.pop(SUM), "There is no release 1.7.0 of Tetragon to download"),
        (lambda served: served.files.pop(ARCHIVE), "There is no release 1.7.0 of Tetragon to download"),
        (lambda served: setattr(served, "address", "http://127.0.0.1:1"), "is out of reach (Connection refused"),
    ],
)
def test_what_is_not_as_released_is_never_used(spoil, sentence: str, releases: Releases) -> None:
    """Another content, a part of it, no checksum, no release, no network: nothing is kept."""
    spoil(releases)
    with pytest.raises(UsageError) as refused:
        obtain("1.7.0", silent, releases=releases.address)
    assert sentence.removesuffix("(Connection refused") in refused.value.sentence
    assert refused.value.remedy
    assert kept() == []


def test_the_bundle_named_comes_before_the_variable_and_that_before_the_cache() -> None:
    """Of the cache the newest release, by number; an unpacked archive has no version, and is never guessed."""
    assert find("", {}) == ""
    for name in ("1.9.0", "1.10.0", "1.10.0-rc.1", "archive-0123", ".making-x"):
        cache.place("bundles", name).mkdir(parents=True)
    assert find("", {}) in {"1.10.0", "1.10.0-rc.1"}
    assert find("", {VARIABLE: "/opt/tetragon"}) == "/opt/tetragon"
    assert find("1.7.0", {VARIABLE: "/opt/tetragon"}) == "1.7.0"
