"""The tools that are started: found, asked for their version, and refused in one sentence.

The real ones are looked for on PATH and in the folder that TETRAPROOF_TOOLS names.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tetraproof.errors import UsageError
from tetraproof.machines.tool import KNOWN, find


def real(name: str) -> str:
    """The path of a real tool; the test is skipped where it is not there."""
    folder = os.environ.get("TETRAPROOF_TOOLS", "")
    found = shutil.which(name, path=f"{folder}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        pytest.skip(f"{name} is neither on PATH nor in TETRAPROOF_TOOLS")
    return found


def script(tmp_path: Path, text: str, name: str = "helm") -> str:
    """A program that says `text`."""
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_the_real_one_tells_its_version(name: str) -> None:
    """As three numbers."""
    path = real(name)
    tool = find(name, path)
    assert (tool.name, tool.path) == (name, Path(path))
    assert len(tool.version.split(".")) == 3


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("v3.19.0+g3d8990f", "3.19.0"),
        ("kind v0.30.0 go1.24.6 linux/amd64", "0.30.0"),
        ("Client Version: v1.36.4\nKustomize Version: v5.8.1", "1.36.4"),
    ],
)
def test_a_version_is_read_however_it_is_told(said: str, version: str, tmp_path: Path) -> None:
    """The first that is told."""
    name = {"3": "helm", "0": "kind", "1": "kubectl"}[version[0]]
    assert find(name, script(tmp_path, f"echo '{said}'")).version == version


def test_one_on_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no path is given."""
    path = script(tmp_path, "echo v3.19.0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert find("helm").path == Path(path)


def test_one_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the option that names its path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"helm is needed, and helm is not on PATH\.\n.*HELM=") as refused:
        find("helm")
    assert "\n" not in refused.value.sentence
    with pytest.raises(UsageError, match=r"kind is needed, and /no/kind is no program\."):
        find("kind", "/no/kind")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "echo v2.17.0",
            "is helm 2.17.0, and at least 3.8.0 is needed: older ones install no chart from an OCI registry",
        ),
        ("echo v3.7.9", "is helm 3.7.9"),
        ("echo hello", "does not tell its version: 'hello'"),
        ("echo broken >&2; exit 1", "does not tell its version: 'broken'"),
    ],
)
def test_one_that_is_too_old_or_no_helm_is_told(text: str, sentence: str, tmp_path: Path) -> None:
    """In one sentence, with why."""
    with pytest.raises(UsageError) as refused:
        find("helm", script(tmp_path, text))
    assert sentence in refused.value.sentence
    assert "HELM=" in refused.value.remedy


def test_a_program_that_does_not_run_is_told(tmp_path: Path) -> None:
    """A file of another machine's, say."""
    path = tmp_path / "helm"
    path.write_bytes(b"\x7fELF nonsense")
    path.chmod(0o755)
    with pytest.raises(UsageError, match=r"helm does not run: "):
        find("helm", str(path))


def test_the_oldest_that_is_enough_is_enough(tmp_path: Path) -> None:
    """The bound itself."""
    assert find("helm", script(tmp_path, "echo v3.8.0")).version == "3.8.0"
