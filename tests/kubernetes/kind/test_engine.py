"""The container engine that kind is told to use is the one that answers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.machines.test_tool import script
from tetraproof.errors import UsageError
from tetraproof.kubernetes.kind.engine import PROVIDER, Engine, find

DEAD = "echo Cannot connect to the Docker daemon >&2; exit 1"


@pytest.fixture(autouse=True)
def _no_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(PROVIDER, raising=False)


def test_docker_is_what_kind_takes_by_itself(tmp_path: Path) -> None:
    """So it is told nothing, and neither has the user to type anything."""
    script(tmp_path, "echo 28.5.2", "docker")
    script(tmp_path, "echo 5.0.0", "podman")
    found = find()
    assert str(found) == "docker 28.5.2"
    assert PROVIDER not in found.environment
    assert found.typed("kind delete cluster") == "kind delete cluster"


def test_a_client_without_its_daemon_is_no_engine(tmp_path: Path) -> None:
    """podman answers and is used, and kind, which would take Docker, is told so."""
    script(tmp_path, DEAD, "docker")
    script(tmp_path, "echo 5.0.0", "podman")
    found = find()
    assert str(found) == "podman 5.0.0"
    assert found.environment[PROVIDER] == "podman"
    assert found.typed("kind delete cluster") == f"{PROVIDER}=podman kind delete cluster"


def test_the_one_that_the_user_names_to_kind_is_used_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else answers."""
    script(tmp_path, "echo 28.5.2", "docker")
    script(tmp_path, "echo 5.0.0", "podman")
    monkeypatch.setenv(PROVIDER, "podman")
    assert find(os.environ).name == "podman"
    monkeypatch.setenv(PROVIDER, "nerdctl")
    with pytest.raises(UsageError) as told:
        find(os.environ)
    assert told.value.causes == ("nerdctl is not on PATH",)


def test_none_is_told_with_what_keeps_each_from_it(tmp_path: Path) -> None:
    """And what to do."""
    script(tmp_path, DEAD, "docker")
    script(tmp_path, "exit 0", "podman")
    with pytest.raises(UsageError, match="kind needs a container engine, and none answers") as told:
        find()
    assert told.value.causes == (
        "docker does not answer: Cannot connect to the Docker daemon",
        "nerdctl is not on PATH",
        "finch is not on PATH",
        "podman does not answer",
    )
    assert "TARGET=replay" in told.value.remedy


def test_it_names_the_containers_of_a_cluster(tmp_path: Path) -> None:
    """None is not the same as an engine that does not say."""
    script(
        tmp_path, f'[ "$7" = label=io.x-k8s.kind.cluster=made ] || [ "$5" ] && echo "$@" > {tmp_path}/asked', "docker"
    )
    assert Engine("docker", "28.5.2").containers("made") == frozenset()
    assert "--filter label=io.x-k8s.kind.cluster=made" in (tmp_path / "asked").read_text(encoding="utf-8")
    script(tmp_path, "echo abc; echo def", "docker")
    assert Engine("docker", "28.5.2").containers("made") == {"abc", "def"}
    script(tmp_path, DEAD, "docker")
    assert Engine("docker", "28.5.2").containers("made") is None
