"""A project's configuration: found from anywhere in it, and told in a sentence where it is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tetraproof.errors import UsageError
from tetraproof.settings.configuration import OWN, SHARED, find
from tetraproof.settings.options import described


def written(folder: Path, text: str, name: str = OWN) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


# where it is


def test_the_nearest_folder_that_has_one_counts(tmp_path: Path) -> None:
    """What a folder has keeps those above it out, whole."""
    written(tmp_path, 'target = "kind"\nkernel = "host"\n')
    own = written(tmp_path / "a/b", 'target = "replay"\n')
    found = find(tmp_path / "a/b/c/d")
    assert (found.file, found.folder, found.values) == (own, tmp_path / "a/b", {"target": "replay"})
    assert find(tmp_path / "a").values == {"target": "kind", "kernel": "host"}


def test_of_two_files_in_one_folder_the_own_one_counts(tmp_path: Path) -> None:
    """tetraproof.toml, whatever [tool.tetraproof] says."""
    written(tmp_path, '[tool.tetraproof]\ntarget = "kind"\nkernel = "host"\n', SHARED)
    assert find(tmp_path).values == {"target": "kind", "kernel": "host"}
    written(tmp_path, 'target = "replay"\n')
    assert find(tmp_path).values == {"target": "replay"}


@pytest.mark.parametrize(
    "text",
    [
        '[tool.tetraproof]\ntarget = "replay"\n',
        '[tool]\ntetraproof = {target = "replay"}\n',
        '[tool]\ntetraproof.target = "replay"\n',
        '["tool" . "tetraproof"]\ntarget = "replay"\n',
    ],
)
def test_a_table_is_seen_however_it_is_written(text: str, tmp_path: Path) -> None:
    """TOML has many ways of saying it."""
    written(tmp_path, text, SHARED)
    assert find(tmp_path).values == {"target": "replay"}


@pytest.mark.parametrize(
    "text", ["", "[project]\nname = 'tetraproof'\n", "tool = 3\n# tetraproof", "[tool.tetraproof", "\0tetraproof"]
)
def test_somebody_elses_pyproject_is_passed_over(text: str, tmp_path: Path) -> None:
    """Also one that is broken: whoever reads it tells better."""
    above = written(tmp_path, 'target = "replay"\n')
    written(tmp_path / "a", text, SHARED)
    assert find(tmp_path / "a").file == above


def test_a_table_that_says_nothing_is_a_configuration(tmp_path: Path) -> None:
    """It tells where the project is."""
    written(tmp_path, 'target = "kind"\n')
    file = written(tmp_path / "a", "[tool.tetraproof]\n", SHARED)
    assert (find(tmp_path / "a").file, find(tmp_path / "a").values) == (file, {})


def test_a_project_without_one_is_where_suites_and_policies_are(tmp_path: Path) -> None:
    """From its sub-folders too; else it is where one stands."""
    (tmp_path / "a/b").mkdir(parents=True)
    assert (find(tmp_path / "a/b").folder, find(tmp_path / "a/b").file) == (tmp_path / "a/b", None)
    (tmp_path / "suites").mkdir()
    assert find(tmp_path / "a/b").folder == tmp_path / "a/b"
    (tmp_path / "policies").mkdir()
    assert (find(tmp_path / "a/b").folder, find(tmp_path / "a/b").file) == (tmp_path, None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no other user to look as")
def test_a_folder_that_may_not_be_entered_holds_nothing(tmp_path: Path) -> None:
    """Whoever may not look is told nothing, and not left with a traceback."""
    closed = tmp_path / "closed"
    written(closed / "open", "", "empty")
    written(closed, 'target = "kind"\n')
    closed.chmod(0o000)
    # root may enter every folder, so somebody else looks
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            code = 0 if find(closed / "open").file is None else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    closed.chmod(0o700)
    assert os.waitstatus_to_exitcode(status) == 0
    assert find(closed / "open").file == closed / OWN


# what it says


def test_paths_are_relative_to_its_folder_and_given_ones_to_where_one_stands(tmp_path: Path) -> None:
    """Wherever pytest is started."""
    written(tmp_path, 'policies = "p"\nsuites = ["a", "../b"]\nreports = "/tmp/r"\nvalues = "v.yaml"\nslowness = 3\n')
    here = tmp_path / "c"
    told = find(here).options({"recordings": Path("mine")}, here)
    assert told.policies == tmp_path / "p"
    assert told.suites == (tmp_path / "a", tmp_path / "../b")
    assert told.reports == Path("/tmp/r")
    assert told.values == (tmp_path / "v.yaml",)
    assert told.recordings == here / "mine"
    assert told.workloads == tmp_path / "workloads"
    assert told.slowness == 3


def test_text_that_leads_to_something_there_is_a_path(tmp_path: Path) -> None:
    """A bundle, a kernel, a chart beside the file; a name stays a name."""
    for folder in ("bundles/mine", "kernels/a", "kernels/b", "1.7.0", "recordings/mine"):
        (tmp_path / folder).mkdir(parents=True)
    written(
        tmp_path,
        'bundle = "bundles/mine"\nkernel = "kernels/a,debian:6.12,kernels/b"\nrecording = "./recordings/mine"\n'
        'chart = "oci://there/tetragon"\nhelm = "helm"\nagent-options = "bundles/mine"\n',
    )
    told = find(tmp_path / "sub").options({})
    assert told.bundle == str(tmp_path / "bundles/mine")
    assert told.kernel == f"{tmp_path}/kernels/a,debian:6.12,{tmp_path}/kernels/b"
    assert Path(told.recording) == tmp_path / "recordings/mine"
    assert (told.chart, told.helm, told.agent_options) == ("oci://there/tetragon", "helm", "bundles/mine")
    written(tmp_path, 'bundle = "1.7.0"\n')
    assert find(tmp_path).options({}).bundle == "1.7.0"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("polices = 'x'", ["there is no option polices.", "did you mean policies?"]),
        ("cluster-wde = true", ["there is no option cluster-wde.", "did you mean cluster_wide?"]),
        ("zzz = 1", ["there is no option zzz.", "there are target, recording, suites"]),
        ("run-id = 'x'", ["run-id is chosen for each run anew.", "--run-id"]),
        ("record = 'x'", ["record is chosen for each run anew.", "--record"]),
        ("into = 'x'", ["into is chosen for each run anew.", "--into"]),
        ("agent-options = ''\nagent_options = 'a'", ["agent_options stands there with - and with _.", "once"]),
        ("target = 'nowhere'", ["target is 'nowhere'.", "auto, replay, standalone, kind, cluster"]),
        ("target = 3", ["target is 3.", "text in quotes"]),
        ("kernel = ['host']", ["kernel is ['host'].", "text in quotes"]),
        ("policies = ['a']", ["policies is ['a'].", "a path in quotes"]),
        ("policies = 1", ["policies is 1.", "a path in quotes"]),
        ("suites = ['a', 3]", ["suites is ['a', 3].", "or a list of them"]),
        ("suites = {a = 1}", ["suites is {'a': 1}."]),
        ("slowness = '3'", ["slowness is '3'.", "a number above 0"]),
        ("slowness = true", ["slowness is True."]),
        ("slowness = 0", ["slowness is 0.", "a number above 0"]),
        ("slowness = nan", ["slowness is nan."]),
        ("cluster-wide = 1", ["cluster-wide is 1.", "true or false"]),
        ("cluster-wide = 'yes'", ["cluster-wide is 'yes'."]),
        ("bugtool = 2026-11-26", ["bugtool is datetime.date(2026, 11, 26)."]),
    ],
)
@pytest.mark.parametrize("name", [OWN, SHARED])
def test_what_is_wrong_is_told_with_file_field_and_remedy(
    text: str, words: list[str], name: str, tmp_path: Path
) -> None:
    """In either file."""
    file = written(tmp_path, f"[tool.tetraproof]\n{text}" if name == SHARED else text, name)
    with pytest.raises(UsageError) as refused:
        find(tmp_path)
    assert refused.value.sentence.startswith(f"{file}: ")
    assert refused.value.remedy
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize("text", ["target = ", "target = 'a'\ntarget = 'b'", "[" * 5000])
def test_an_own_file_that_is_no_toml_is_told(text: str, tmp_path: Path) -> None:
    """Nobody else reads it."""
    file = written(tmp_path, text)
    with pytest.raises(UsageError, match="write it as TOML") as refused:
        find(tmp_path)
    assert refused.value.sentence.startswith(f"{file} ")


def test_an_own_file_of_other_bytes_is_told(tmp_path: Path) -> None:
    """Not with a traceback."""
    (tmp_path / OWN).write_bytes(b"target = '\xff'")
    with pytest.raises(UsageError, match="write it as TOML"):
        find(tmp_path)


@pytest.mark.parametrize("written_as", ["3", "'replay'", "['target']", "[[tool.tetraproof]]"])
def test_what_is_no_table_is_told(written_as: str, tmp_path: Path) -> None:
    """`tetraproof = 3` below [tool]."""
    text = written_as if written_as.startswith("[[") else f"[tool]\ntetraproof = {written_as}\n"
    written(tmp_path, text, SHARED)
    with pytest.raises(UsageError, match=r"tool\.tetraproof is no table"):
        find(tmp_path)


_KEYS = st.sampled_from([one.name for one in described()]) | st.text(st.characters(categories=("L", "N")), min_size=1)
_VALUES = st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "kind", "a/b"]) | st.lists(st.just("a"), max_size=2)


@given(st.dictionaries(_KEYS, _VALUES, max_size=3))
def test_whatever_is_written_is_taken_or_refused(
    tmp_path_factory: pytest.TempPathFactory, said: dict[str, object]
) -> None:
    """Never a traceback; what is taken makes options."""
    folder = tmp_path_factory.mktemp("project")
    lines = (
        f'"{key}" = {str(value).lower() if isinstance(value, bool) else repr(value)}\n' for key, value in said.items()
    )
    file = written(folder, "".join(lines))
    wrong = None
    try:
        assert find(folder).options({}).reports.is_absolute()
    except UsageError as error:
        wrong = error
    if wrong is not None:
        assert wrong.sentence.startswith(str(file))
        assert wrong.remedy
