"""The run's own kubeconfig: one context of the user's, whole, and nothing else of what is theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tetraproof.errors import UsageError
from tetraproof.kubernetes.kubeconfig import copy

CLUSTER = {"server": "https://127.0.0.1:6443", "certificate-authority": "ca.crt"}
USER = {"client-certificate": "keys/user.crt", "client-key": "/abs/user.key"}
PLUGIN = {
    "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "gke-gcloud-auth-plugin", "args": ["-v"]}
}


def config(name: str, cluster: Any = None, user: Any = None, **context: str) -> dict[str, Any]:
    """A kubeconfig with one context."""
    named = {"cluster": f"{name}-cluster", "user": f"{name}-user", **context}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": named}],
        "clusters": [{"name": f"{name}-cluster", "cluster": cluster or CLUSTER}],
        "users": [{"name": f"{name}-user", "user": user or USER}],
    }


def written(path: Path, told: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(told if isinstance(told, str) else yaml.safe_dump(told), encoding="utf-8")
    return str(path)


def copied(context: str, tmp_path: Path, source: str = "") -> dict[str, Any]:
    copy(context, tmp_path / "own", source)
    told: dict[str, Any] = yaml.safe_load((tmp_path / "own").read_text(encoding="utf-8"))
    return told


def test_a_context_is_copied_with_all_that_it_needs(tmp_path: Path) -> None:
    """Its files by their whole paths, its namespace too; and nothing of the other contexts."""
    told = config("mine", namespace="shop")
    for listed in ("contexts", "clusters", "users"):
        told[listed] += config("theirs")[listed]
    source = written(tmp_path / "users/config", told)
    own = copied("mine", tmp_path, source)
    assert own["current-context"] == "mine"
    assert own["contexts"] == [{"name": "mine", "context": told["contexts"][0]["context"]}]
    ((cluster,), (user,)) = own["clusters"], own["users"]
    assert cluster["cluster"] == {**CLUSTER, "certificate-authority": str(tmp_path / "users/ca.crt")}
    assert user["user"] == {"client-certificate": str(tmp_path / "users/keys/user.crt"), "client-key": "/abs/user.key"}
    assert "theirs" not in (tmp_path / "own").read_text(encoding="utf-8")
    assert yaml.safe_load(Path(source).read_text(encoding="utf-8")) == told


def test_the_copy_is_for_nobody_else_to_read(tmp_path: Path) -> None:
    """Also where a file that others may read is there already."""
    source = written(tmp_path / "config", config("mine"))
    written(tmp_path / "own", "old").encode()
    (tmp_path / "own").chmod(0o644)
    copy("mine", tmp_path / "own", source)
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o600


def test_another_context_than_the_current_one_can_be_taken(tmp_path: Path) -> None:
    """The copy's current context is the one that was asked for: the tools that see it take no other."""
    told = config("first")
    for listed in ("contexts", "clusters", "users"):
        told[listed] += config("second")[listed]
    assert copied("second", tmp_path, written(tmp_path / "config", told))["current-context"] == "second"


def test_a_login_by_a_program_is_kept(tmp_path: Path) -> None:
    """As managed clusters have it."""
    own = copied("gke", tmp_path, written(tmp_path / "config", config("gke", user=PLUGIN)))
    assert own["users"][0]["user"] == PLUGIN


def test_a_program_beside_the_kubeconfig_is_named_whole(tmp_path: Path) -> None:
    """kubectl takes a relative path with a slash from the kubeconfig's folder, a bare name from PATH."""
    beside = {"exec": {**PLUGIN["exec"], "command": "./bin/login"}}
    own = copied("mine", tmp_path, written(tmp_path / "users/config", config("mine", user=beside)))
    assert own["users"][0]["user"]["exec"]["command"] == str(tmp_path / "users/bin/login")


def test_a_cluster_without_a_user_is_no_problem(tmp_path: Path) -> None:
    """Some need none."""
    own = copied("open", tmp_path, written(tmp_path / "config", config("open", user="")))
    assert len(own["users"]) == 1
    told = config("open")
    del told["contexts"][0]["context"]["user"]
    assert copied("open", tmp_path, written(tmp_path / "config", told))["users"] == []


def test_several_files_are_one_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As KUBECONFIG lists them; each one's files are beside it."""
    paths = [written(tmp_path / name / "config", config(name)) for name in ("a", "b")]
    monkeypatch.setenv("KUBECONFIG", ":".join(paths))
    assert copied("b", tmp_path)["clusters"][0]["cluster"]["certificate-authority"] == str(tmp_path / "b/ca.crt")
    assert copied("a", tmp_path)["clusters"][0]["cluster"]["certificate-authority"] == str(tmp_path / "a/ca.crt")


def test_the_home_folder_is_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where KUBECONFIG is not set."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path / ".kube/config", config("home"))
    assert copied("home", tmp_path)["current-context"] == "home"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (None, "There is no kubeconfig"),
        ("{", "cannot be read"),
        ("- a list", "cannot be read"),
        ("", "cannot be read|has no context"),
        (config("theirs"), r"has no context 'mine'\.\n.*name one of its contexts with CONTEXT=: theirs"),
        ({**config("mine"), "clusters": []}, r"has no cluster 'mine-cluster'"),
        ({**config("mine"), "users": None}, r"has no user 'mine-user'"),
        ({**config("mine"), "contexts": [{"name": "mine", "context": {}}]}, "has no cluster"),
    ],
)
def test_what_cannot_be_copied_is_told(told: Any, sentence: str, tmp_path: Path) -> None:
    """In a sentence that names the file; and nothing is written."""
    source = str(tmp_path / "config")
    if told is not None:
        written(tmp_path / "config", told)
    with pytest.raises(UsageError, match=sentence) as refused:
        copy("mine", tmp_path / "own", source)
    assert source in refused.value.sentence
    assert not (tmp_path / "own").exists()
