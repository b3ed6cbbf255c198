"""What is made once: whole or not at all, and never made twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tetraproof.errors import UsageError
from tetraproof.machines import cache


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def fill(folder: Path) -> None:
    (folder / "thing").write_text("whole", encoding="utf-8")


def forbidden(folder: Path) -> None:
    raise AssertionError(folder)


def left() -> list[str]:
    return sorted(path.name for path in cache.root().glob("kernels/*"))


def test_a_thing_is_made_once(tmp_path: Path) -> None:
    """In its place under the user's cache, readable by others."""
    there = cache.made("kernels", "debian-6.12", fill)
    assert there == tmp_path / "tetraproof/kernels/debian-6.12"
    assert (there / "thing").read_text(encoding="utf-8") == "whole"
    assert there.stat().st_mode & 0o777 == 0o755
    assert cache.made("kernels", "debian-6.12", forbidden) == there


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_what_is_not_whole_is_not_there(error: type[BaseException]) -> None:
    """An interrupted or failed making leaves nothing, and is tried again."""

    def interrupted(folder: Path) -> None:
        fill(folder)
        raise error

    with pytest.raises(error):
        cache.made("kernels", "debian-6.12", interrupted)
    assert left() == []
    assert cache.made("kernels", "debian-6.12", fill).is_dir()


def test_of_two_that_make_the_same_the_first_counts() -> None:
    """The other one's is as good, and is removed."""

    def slower(folder: Path) -> None:
        cache.made("kernels", "same", fill)
        (folder / "mine").touch()

    there = cache.made("kernels", "same", slower)
    assert [path.name for path in there.iterdir()] == ["thing"]
    assert left() == ["same"]


@pytest.mark.parametrize("key", ["../../etc", "docker.io/library/nginx:1.27", "a b", "ä/ö"])
def test_no_key_leaves_the_cache(key: str) -> None:
    """Whatever it is made of."""
    assert cache.made("rootfs", key, fill).parent == cache.root() / "rootfs"


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/version").exists(), reason="needs a folder that is no folder")
def test_a_cache_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable that moves it."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/version")
    with pytest.raises(UsageError, match="cannot be written") as refused:
        cache.made("kernels", "debian-6.12", fill)
    assert "XDG_CACHE_HOME" in refused.value.remedy
