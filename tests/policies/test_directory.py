"""A folder of policies: what is bad, or no policy at all, loses no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.builders import MANIFESTS, POLICY
from tetraproof.errors import PolicyError
from tetraproof.policies.directory import Folder, load_file, load_folder, load_text

OTHER = POLICY.replace("name: guard", "name: other")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "guard.yaml": POLICY,
        "kustomization.yaml": "kind: Kustomization\nresources: [guard.yaml]\n",
        "patches.yaml": "kind: Kustomization\npatches: [{target: {kind: TracingPolicy}}]\n",
        "values.yml": "policies: [TracingPolicy]\n",
        "empty.yaml": "# TracingPolicy\n",
        "list.yaml": "- kind: TracingPolicy\n",
        "bad.yaml": POLICY.replace("call:", "cal:"),
        "chart/templates/guard.yaml": POLICY.replace("name: guard", "name: {{ .Values.name }}"),
        "chart/notes.txt": POLICY,
        "team/several.yml": f"{POLICY}---\nkind: Pod\n---\n{OTHER}---\n{OTHER.replace('syscall', 'sycall')}",
        "team/third.yaml": POLICY.replace("name: guard", "name: thirdly"),
        ".git/guard.yaml": POLICY,
        "broken.yaml": "kind: Pod\nmetadata: [",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop").symlink_to(tmp_path)
    return tmp_path


def relative(found: Folder, names: object) -> set[str]:
    return {str(name).removeprefix(f"{found.path}/") for name in names}  # type: ignore[attr-defined]


def test_one_bad_policy_does_not_lose_the_others(folder: Path) -> None:
    """Each file is a policy, is passed over, or is a problem told by its place."""
    found = load_folder(folder)
    assert found.policies.keys() == {"guard", "team/guard", "team/other", "team/third"}
    assert relative(found, found.passed_over) == {
        *("kustomization.yaml", "patches.yaml", "values.yml", "empty.yaml", "list.yaml", "broken.yaml"),
        *("pipe.yaml", "loop"),
    }
    assert relative(found, found.problems) == {
        *("bad.yaml", "bytes.yaml", "chart/templates/guard.yaml", "team/several.yml:36"),
    }
    assert all(reason and "\n" not in reason for reason in found.passed_over.values())


def test_a_suite_names_a_policy_by_its_file_or_its_own_name(folder: Path) -> None:
    """A name that means several is refused, one that is bad is told why, and one that is not there has a near one."""
    found = load_folder(folder)
    assert found.named("guard").source == str(folder / "guard.yaml")
    assert found.named("team/guard").source == f"{folder}/team/several.yml:1"
    assert found.named("third") is found.named("thirdly") is found.named("team/third")
    with pytest.raises(PolicyError, match=r"bad\.yaml: spec\.kprobes\[0\]\.cal is a field"):
        found.named("bad")
    with pytest.raises(PolicyError, match="There is no policy gard in") as error:
        found.named("gard")
    assert "did you mean guard?" in error.value.remedy
    (folder / "guard.yaml").unlink()
    (folder / "more").mkdir()
    (folder / "more/guard.yaml").write_text(POLICY)
    with pytest.raises(PolicyError, match="Several policies are called guard"):
        load_folder(folder).named("guard")


def test_two_files_by_one_name_are_told(tmp_path: Path) -> None:
    """The first is kept."""
    (tmp_path / "guard.yaml").write_text(POLICY)
    (tmp_path / "guard.yml").write_text(POLICY)
    found = load_folder(tmp_path)
    assert found.policies.keys() == {"guard"}
    assert "there is a policy guard already" in str(found.problems[str(tmp_path / "guard.yml")])


def test_a_folder_is_judged_by_the_crd_that_is_asked_for(tmp_path: Path) -> None:
    """And one that is not kept, or a folder that is none, is refused."""
    (tmp_path / "guard.yaml").write_text(POLICY.replace("type: int}", "type: int, btfTypeModule: m}"))
    assert not load_folder(tmp_path).policies
    assert load_folder(tmp_path, crd="1.7.1").policies["guard"].crd == "1.7.1"
    for place, version in ((tmp_path, "0.1"), (tmp_path / "nowhere", "1.7.0")):
        with pytest.raises(PolicyError):
            load_folder(place, crd=version)


def test_the_shipped_manifests_are_a_folder_without_problems() -> None:
    """Every one of them is a policy."""
    found = load_folder(MANIFESTS)
    assert len(found.policies) > 10
    assert not found.problems
    assert not found.passed_over


def test_a_file_and_a_text_are_read_like_a_folder(tmp_path: Path) -> None:
    """By the file's name, whatever that is; the line is where the document begins."""
    (tmp_path / "guard.txt").write_text(f"kind: Pod\n---\n{POLICY}")
    policy = load_file(tmp_path / "guard.txt").policies["guard"]
    assert (policy.source, policy.line, policy.within) == (f"{tmp_path}/guard.txt:2", 2, ())
    found = load_text(f"kind: List\nitems:\n- {{}}\n- {POLICY.replace(chr(10), chr(10) + '  ').rstrip()}\n", "-")
    assert found.policies["guard"].within == ("items", 1)
    assert load_text("a: b", "-").passed_over == {"-": "it holds no TracingPolicy"}
    with pytest.raises(PolicyError):
        load_text(POLICY, "-", crd="0.1")


def test_all_that_is_bad_in_a_document_is_told(tmp_path: Path) -> None:
    """Each with its line; the first of them is the document's."""
    bad = POLICY.replace("syscall", "sycall").replace("Equal", "Equals")
    (tmp_path / "bad.yaml").write_text(bad)
    (problem,) = load_folder(tmp_path).problems.values()
    every = (problem, *problem.more)
    assert [one.line for one in every] == [8, 14]
    assert [one.way[-1] for one in every] == ["sycall", "operator"]
    rows = bad.splitlines()
    assert ["sycall" in rows[7], "Equals" in rows[13]] == [True, True]
