"""Recordings: whole or refused in a sentence that names file, field and remedy."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from tests.builders import (
    BASH,
    NAME,
    RECORDINGS,
    execs,
    exits,
    performed,
    read_tree,
    recording,
    recording_files,
    reindexed,
    scenario_files,
    started,
    write_tree,
)
from tetraproof.errors import RecordingError
from tetraproof.recordings.recording import (
    EXPECTED,
    FORMAT,
    INDEX,
    SUMS,
    Cell,
    from_files,
    open_recording,
    sealed,
    write,
)

Files = dict[str, bytes]
Change = Callable[[Files], Files]
SHELL = started(100, BASH, "-c x")
ACTS = "scenarios/guard/acts.json"


def whole() -> Files:
    """A recording of one scenario with one act."""
    act = performed("bash", "-c", "x", started="2026-11-23T07:00:00+00:00")
    return recording_files({"guard": scenario_files("guard", [act], [execs(SHELL), exits(SHELL)])})


def test_a_recording_is_written_and_opened_again(tmp_path: Path) -> None:
    """Byte by byte, acts and states as they were."""
    write(whole(), tmp_path / "made")
    opened = open_recording(tmp_path / "made")
    assert opened.name == "made"
    assert opened.files == whole()
    assert [act.id for act in opened.acts("guard")] == ["sentinel-start-0", "bash -c x", "sentinel-end-0"]
    assert opened.states("guard")["tetra-node"][0]["name"] == "guard"
    after = lacking("scenarios/guard/state-after.json")(whole())
    assert from_files(NAME, after).states("guard", after=True) == {}
    assert opened.text("scenarios/guard/policy.yaml")
    assert opened.text("nothing") is None
    assert opened.in_scenario("guard", "nothing") is None


def without(path: str) -> Change:
    return lambda files: {name: content for name, content in files.items() if name != path}


def added(path: str, content: bytes = b"x") -> Change:
    return lambda files: {**files, path: content}


def resealed(path: str, content: bytes) -> Change:
    return lambda files: sealed({**files, path: content})


def lacking(path: str) -> Change:
    return lambda files: sealed(without(path)(files))


def act_with(**fields: object) -> Change:
    def change(files: Files) -> Files:
        acts = msgspec.json.decode(files[ACTS])
        acts[1].update(fields)
        return sealed({**files, ACTS: msgspec.json.encode(acts)})

    return change


def act_without(field: str) -> Change:
    def change(files: Files) -> Files:
        acts = msgspec.json.decode(files[ACTS])
        del acts[1][field]
        return sealed({**files, ACTS: msgspec.json.encode(acts)})

    return change


def doubled(path: str, once: bytes, twice: bytes) -> Change:
    def change(files: Files) -> Files:
        assert once in files[path]
        return sealed({**files, path: files[path].replace(once, twice, 1)})

    return change


def sums(edit: Callable[[list[str]], list[str]]) -> Change:
    """The sums with their lines edited."""
    return lambda files: {
        **files,
        SUMS: "".join(f"{one}\n" for one in edit(files[SUMS].decode().splitlines())).encode(),
    }


def tampered(files: Files) -> Files:
    return {**files, ACTS: files[ACTS].replace(b'"exit_code": 0', b'"exit_code": 1')}


COPY, CONVERT = "copy the recording again", "convert"


@pytest.mark.parametrize(
    ("change", "sentence", "remedy"),
    [
        (without(INDEX), f"{INDEX} is missing", CONVERT),
        (without(SUMS), f"{SUMS} is missing", COPY),
        (without(ACTS), f"{ACTS} is missing", COPY),
        (without("scenarios/guard/events.jsonl"), "scenarios/guard/events.jsonl is missing", COPY),
        (lacking(ACTS), f"{ACTS} is missing", COPY),
        (lacking("scenarios/guard/policy.yaml"), "scenarios/guard/policy.yaml is missing", COPY),
        (lacking("scenarios/guard/state.json"), "scenarios/guard/state.json is missing", COPY),
        (added("scenarios/guard/extra.txt"), f"scenarios/guard/extra.txt is not listed in {SUMS}", "remove the file"),
        (tampered, f"{ACTS} has another checksum than {SUMS} says", "never edited"),
        (lambda files: {**files, SUMS: b""}, f"is not listed in {SUMS}", "remove"),
        (lambda files: {**files, SUMS: b"\xff\xfe" + files[SUMS]}, SUMS, ""),
        (
            lambda files: reindexed(files, format=FORMAT + 1),
            f"format is {FORMAT + 1}, and this tetraproof reads up to {FORMAT}",
            "newer tetraproof",
        ),
        *(
            (lambda files, one=one: reindexed(files, format=one), f"format is {told}, and there is none but 1", CONVERT)
            for one, told in (
                ("1", '"1"'),
                (None, "null"),
                (0, "0"),
                (-1, "-1"),
                (True, "true"),
                (1.0, "1.0"),
                ([], "[]"),
            )
        ),
        (
            lambda files: resealed(INDEX, files[INDEX].replace(b'"format":1', b'"form":1'))(files),
            "format is null",
            CONVERT,
        ),
        (lambda files: reindexed(files, format=10**15), "format is 1000000000000000, and this", "newer tetraproof"),
        (resealed(INDEX, b"null"), f"{INDEX}: Expected `object`, got `null`", CONVERT),
        (resealed(INDEX, b"[" * 100_000 + b"]" * 100_000), f"{INDEX}: Expected `object`", CONVERT),
        (resealed(INDEX, b'{"format":' + b"[" * 100_000), f"{INDEX} is nested too deeply", CONVERT),
        (resealed(INDEX, b'{"format": 1, "x": ' + b"9" * 5000 + b"}"), f"{INDEX}: ", CONVERT),
        (resealed(INDEX, b'{"format": NaN}'), f"{INDEX} is no JSON: ", CONVERT),
        (resealed(INDEX, b'{"format": 1e999}'), f"{INDEX}: ", CONVERT),
        (doubled(INDEX, b'"format":1', b'"format":1,"format":1'), "'format' stands twice in an object", CONVERT),
        (doubled(ACTS, b'"tty": false', b'"tty": false, "tty": true'), "'tty' stands twice in an object", CONVERT),
        (
            doubled("scenarios/guard/state.json", b'"name": "guard"', b'"name": "guard", "name": "other"'),
            "'name' stands twice in an object",
            CONVERT,
        ),
        (lambda files: reindexed(files, nodes=None), "got `null` - at `$.nodes`", CONVERT),
        (
            lambda files: reindexed(files, nodes=[]),
            f"{ACTS}: acts were performed, and the index names no nodes",
            CONVERT,
        ),
        (lambda files: reindexed(files, nodes=[{"name": "n", "cpus": 0}]), "at `$.nodes[0].cpus`", CONVERT),
        (lambda files: reindexed(files, nodes=[{"name": "n", "cpus": -1}]), "at `$.nodes[0].cpus`", CONVERT),
        (lambda files: reindexed(files, nodes=[{"name": "n", "rings": -2}]), "at `$.nodes[0].rings`", CONVERT),
        (lambda files: reindexed(files, scenarios=[{"name": "x", "settled_after": -1}]), "settled_after`", CONVERT),
        (act_with(exit_code=256), "at `$[1].exit_code`", CONVERT),
        (act_with(exit_code=-1), "at `$[1].exit_code`", CONVERT),
        (act_with(argv=[]), "at `$[1].argv`", CONVERT),
        (act_with(cpu=-1), "at `$[1].cpu`", CONVERT),
        (act_with(**{"\x1b[31mred": 1}), "unknown field", CONVERT),
        (resealed(ACTS, b"null"), f"{ACTS}: Expected `array`, got `null`", CONVERT),
        (resealed(ACTS, b"[" * 100_000), f"{ACTS}: ", CONVERT),
        (
            resealed("scenarios/guard/state.json", b'{"tetra-node": [{"x": ' + b"[" * 100_000),
            "scenarios/guard/state.json is nested too deeply",
            CONVERT,
        ),
        (resealed("scenarios/guard/state.json", b"null"), "Expected `object`, got `null`", CONVERT),
        (resealed("scenarios/guard/state.json", b'{"tetra-node": [null]}'), "Expected `object`, got `null`", CONVERT),
        (resealed("../outside", b"x"), "../outside is no path of a recording's file: it leads to another", "remove"),
        (resealed("/etc/passwd", b"x"), "it is absolute", "remove"),
        (resealed("scenarios/\x1b[31m/x", b"x"), "scenarios/\\e[31m/x is no path", "remove"),
        (sums(lambda lines: [*lines, lines[0]]), "is listed twice", COPY),
        (sums(lambda lines: [*lines, f"{'0' * 64}  {ACTS}"]), "is listed twice", COPY),
        (sums(lambda lines: [*lines, ""]), "is no checksum and path: ''", COPY),
        (sums(lambda lines: [*lines, "0123  x"]), "is no checksum and path: '0123  x'", COPY),
        (sums(lambda lines: [line.replace("  ", " ") for line in lines]), f"{SUMS}, line 1 is no checksum", COPY),
        (sums(lambda lines: [line.upper() for line in lines]), f"{SUMS}, line 1 is no checksum", COPY),
        (sums(lambda lines: [f"{line}\r" for line in lines]), "line 1", COPY),
        (sums(lambda lines: [*lines, f"{'0' * 64}  ../x"]), "it leads to another folder", COPY),
        (sums(lambda lines: [*lines, f"{'0' * 64}  {SUMS}"]), f"{SUMS} is not among what is sealed", COPY),
        (sums(lambda lines: [*lines, f"{'0' * 64}  x\x1b[31m"]), "it holds characters that cannot be printed", COPY),
        (lambda files: reindexed(files, nodes={}), f"{INDEX}: Expected `array`, got `object` - at `$.nodes`", CONVERT),
        (lambda files: reindexed(files, surprise=1), "unknown field `surprise`", CONVERT),
        (lambda files: reindexed(files, nodes=[{"name": "n", "rings": "two"}]), "$.nodes[0].rings", CONVERT),
        (lambda files: reindexed(files, scenarios=[{"name": "gone"}]), "scenarios/gone/acts.json is missing", COPY),
        (resealed(INDEX, b"{oops"), f"{INDEX} is no JSON: ", CONVERT),
        (resealed(INDEX, b"[]"), f"{INDEX}: Expected `object`", CONVERT),
        (resealed(ACTS, b"[] and more"), f"{ACTS} is no JSON: ", CONVERT),
        (resealed(ACTS, b"\xff"), f"{ACTS} is no JSON: ", CONVERT),
        (act_with(exit_code="137"), f"{ACTS}: Expected `int | null`, got `str` - at `$[1].exit_code`", CONVERT),
        (act_with(argv="bash -c x"), "at `$[1].argv`", CONVERT),
        (act_with(surprise=1), f"{ACTS}: Object contains unknown field `surprise`", CONVERT),
        (act_without("exit_code"), f"{ACTS}: Object missing required field `exit_code`", CONVERT),
        (resealed("scenarios/guard/state.json", b"[]"), "scenarios/guard/state.json: Expected `object`", CONVERT),
        (resealed("scenarios/guard/state-after.json", b'{"n": {}}'), "scenarios/guard/state-after.json: ", CONVERT),
    ],
)
def test_what_is_not_whole_is_refused(change: Change, sentence: str, remedy: str) -> None:
    """Before anything is judged, by name, in one sentence."""
    with pytest.raises(RecordingError) as refused:
        from_files(NAME, change(whole()))
    error = refused.value
    assert NAME in error.sentence
    assert sentence in error.sentence
    assert error.sentence.endswith(".")
    assert error.sentence.isprintable()
    assert remedy in error.remedy


@pytest.mark.parametrize("field", ["node", "stdin", "tty", "stdout", "stderr", "broken", "role", "cpu"])
def test_what_an_act_may_leave_out(field: str) -> None:
    """An older or simpler record is read all the same."""
    assert from_files(NAME, act_without(field)(whole())).acts("guard")


def test_a_file_that_is_decoded_whole_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its records take many times as much memory."""
    files = whole()
    monkeypatch.setattr("tetraproof.decoding.MOST_JSON", len(files[INDEX]) - 1)
    with pytest.raises(RecordingError, match=f"{INDEX} is larger than"):
        from_files(NAME, files)
    monkeypatch.setattr("tetraproof.decoding.MOST_JSON", max(len(content) for content in files.values()))
    assert from_files(NAME, files)


@pytest.mark.parametrize(
    "written",
    [b"null", b"[]", b'{"guard": 1, "guard": 2}', b'{"guard": ' + b"[" * 100_000, b"\xff", b'{"x": 9' + b"9" * 5000],
)
def test_a_table_of_expected_verdicts_that_cannot_be_read_is_told(tmp_path: Path, written: bytes) -> None:
    """In a sentence that names it, with what to do."""
    write(whole(), tmp_path / "made")
    (tmp_path / "made" / EXPECTED).write_bytes(written)
    with pytest.raises(RecordingError, match=EXPECTED) as refused:
        open_recording(tmp_path / "made")
    assert "mend it" in refused.value.remedy


def test_a_folder_with_an_escape_in_its_name_is_told_without_it(tmp_path: Path) -> None:
    """Nothing of a name reaches the terminal raw."""
    with pytest.raises(RecordingError) as refused:
        open_recording(tmp_path / "\x1b[31mred")
    assert str(refused.value).replace("\n", "").isprintable()
    write(whole(), tmp_path / "\x1b[31mred")
    assert open_recording(tmp_path / "\x1b[31mred").name == "\\e[31mred"


@pytest.mark.parametrize("path", ["../outside", "/outside", "a//b", "a/./b", "a\\b"])
def test_nothing_is_written_outside_of_the_folder(tmp_path: Path, path: str) -> None:
    """Whatever the files are called."""
    with pytest.raises(RecordingError, match="is no path"):
        write({**whole(), path: b"x"}, tmp_path / "made")
    assert list(tmp_path.iterdir()) == []


def test_a_scenario_without_a_policy_needs_no_state() -> None:
    """Nothing was applied."""
    made = recording({"baseline": scenario_files("baseline", manifest="")})
    assert not made.index.scenarios[0].policy
    assert made.states("baseline") == {}


@pytest.mark.parametrize("there", [False, True], ids=["nothing", "a file"])
def test_there_is_no_recording_where_there_is_no_directory(tmp_path: Path, *, there: bool) -> None:
    """The path is named."""
    path = tmp_path / "nowhere"
    if there:
        path.write_text("x", encoding="utf-8")
    with pytest.raises(RecordingError, match=r"There is no recording .*nowhere\."):
        open_recording(path)


def test_expected_verdicts_are_no_part_of_what_is_sealed(tmp_path: Path) -> None:
    """They are kept by hand beside the sums."""
    write(whole(), tmp_path)
    assert open_recording(tmp_path).expected is None
    (tmp_path / EXPECTED).write_text('{"guard": {"verdict": "conforms"}}', encoding="utf-8")
    assert open_recording(tmp_path).expected == {"guard": {"verdict": "conforms"}}
    (tmp_path / EXPECTED).write_text("{", encoding="utf-8")
    with pytest.raises(RecordingError, match=EXPECTED):
        open_recording(tmp_path)


def test_a_file_called_as_the_expected_verdicts_elsewhere_is_extra(tmp_path: Path) -> None:
    """Only the one beside the sums is left alone."""
    write(whole(), tmp_path)
    (tmp_path / "scenarios/guard" / EXPECTED).write_text("{}", encoding="utf-8")
    with pytest.raises(RecordingError, match="is not listed"):
        open_recording(tmp_path)


@pytest.mark.parametrize("occupied", [{"x": b"y"}, None], ids=["a folder with something in it", "a file"])
def test_nothing_is_written_over(tmp_path: Path, occupied: Mapping[str, bytes] | None) -> None:
    """A destination that is taken is refused, and stays as it is."""
    destination = tmp_path / "taken"
    if occupied is None:
        destination.write_bytes(b"z")
    else:
        write_tree(occupied, destination)
    with pytest.raises(RecordingError, match="taken"):
        write(whole(), destination)
    assert destination.read_bytes() == b"z" if occupied is None else read_tree(destination) == occupied


def test_an_empty_folder_may_be_written_into(tmp_path: Path) -> None:
    """It is as good as none."""
    write(whole(), tmp_path)
    assert open_recording(tmp_path).files == whole()


def test_sealing_again_changes_nothing() -> None:
    """And counts every file but the sums themselves."""
    files = whole()
    assert sealed(files) == files
    assert len(files[SUMS].splitlines()) == len(files) - 1


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="no sha256sum here")
def test_the_sums_are_what_sha256sum_reads(tmp_path: Path) -> None:
    """Anybody can check a recording without tetraproof; a changed file is noticed."""
    write(whole(), tmp_path)
    check = ["sha256sum", "--check", "--strict", "--quiet", SUMS]
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    (tmp_path / ACTS).write_bytes(b"[]")
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 1


@pytest.mark.parametrize(
    "path", sorted(path for path in RECORDINGS.iterdir() if path.is_dir()), ids=lambda path: path.name
)
def test_every_shipped_recording_is_whole(path: Path) -> None:
    """Sums, fields, acts; and every file has the sum that is listed."""
    opened = open_recording(path)
    observed = [one for one in opened.index.scenarios if one.unanswered is None]
    assert observed
    assert all(opened.continuity(one.name).pulses if one.change else opened.acts(one.name) for one in observed)
    listed = (path / SUMS).read_text(encoding="utf-8").splitlines()
    assert f"{hashlib.sha256((path / INDEX).read_bytes()).hexdigest()}  {INDEX}" in listed


@pytest.mark.parametrize(("kubernetes", "place"), [("1.36.2", "Kubernetes 1.36.2"), ("", "no Kubernetes")])
def test_a_cell_in_one_line(kubernetes: str, place: str) -> None:
    """Agent, configuration, kernel, Kubernetes if there is one."""
    assert Cell("1.7.0", kubernetes, "6.12", "x").title == f"Tetragon 1.7.0 (defaults) · kernel 6.12 · {place}"
