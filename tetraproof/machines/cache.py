"""What is fetched or built once and used again: kernels, bundles, root file systems.

A folder for each thing, under the user's own cache directory. A thing is made beside its
place and moved there when it is whole, so what an interrupted run leaves never counts.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from tetraproof.errors import UsageError


def root() -> Path:
    """The folder of everything that is cached; `XDG_CACHE_HOME` moves it."""
    return user_cache_path("tetraproof")


def place(kind: str, key: str) -> Path:
    """Where the thing `key` of a kind (`kernels`, `bundles`, `rootfs`) lies once it is made."""
    return root() / kind / re.sub(r"[^\w.+-]+", "_", key)


def made(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The folder of `key`, made by `make` (which is given an empty folder to fill) if it is not there yet.

    Raises `UsageError` where the cache cannot be written.
    """
    there = place(kind, key)
    if there.is_dir():
        return there
    try:
        there.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".making-", dir=there.parent))
    except OSError as error:
        raise UsageError(
            f"{there.parent} cannot be written: {error.strerror}.", remedy="set XDG_CACHE_HOME to a folder that can"
        ) from error
    try:
        make(unfinished)
        unfinished.chmod(0o755)
        try:
            unfinished.rename(there)
        except OSError:
            # somebody else was faster, and theirs is as good
            if not there.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return there
