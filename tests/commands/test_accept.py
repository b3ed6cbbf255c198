"""`tetraproof accept`: a real replay is pinned, asked for, refused; what is written is held by the next run."""

from __future__ import annotations

import builtins
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.builders import NEWEST, ROOT
from tetraproof.cli import main
from tetraproof.recordings.recording import EXPECTED
from tetraproof.report.result import FILE, encode, read

SHIPPED: dict[str, Any] = json.loads((NEWEST / EXPECTED).read_bytes())


def replay(project: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "tetraproof", "test", "--shipped", "--target", "replay", "--recording", "mine"]
    own = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(words, cwd=project, env=own, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a recording of its own, that was replayed and is not pinned."""
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(NEWEST, project / "recordings/mine", ignore=shutil.ignore_patterns(EXPECTED))
    done = replay(project)
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture
def project(replayed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One to be changed; it is where we are."""
    shutil.copytree(replayed, tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path / "mine"


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, list[str], str]:
    code = main(["accept", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


def cites() -> Iterator[str]:
    """What the shipped table cites, as answers."""
    for policy, entry in SHIPPED.items():
        for name, pinned in entry.get("promises", {}).items():
            if not isinstance(pinned, str):
                yield f"--cite={policy}::{name}={pinned['cites']}"


def pinned(project: Path) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((project / "recordings/mine" / EXPECTED).read_bytes())
    return table


def typing(monkeypatch: pytest.MonkeyPatch, *answers: str | BaseException) -> list[str]:
    """A person at a terminal, who types this; what they are asked."""
    asked: list[str] = []
    left = list(answers)

    def read_line(prompt: str) -> str:
        asked.append(prompt.strip())
        answer = left.pop(0) if left else EOFError()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(builtins, "input", read_line)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    return asked


def test_without_a_terminal_what_wants_an_answer_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each entry by its name, and nothing is written."""
    code, lines, told = said(capsys)
    assert (code, lines) == (2, [])
    assert told.startswith("tetraproof: recordings/mine/expected.json: 20 entries want an answer, and there is no term")
    assert "\n  override-symlink::test_applying_is_loading is unsupported: Override on a system call needs" in told
    assert "\n  block-nginx-write-index::test_nginx_serves_again is violates by workers-are-killed: " in told
    assert told.splitlines()[-1].startswith("  to mend it: --cite 'block-fd-install-monitor::test_the_event_tells_wha")
    assert not (project / "recordings/mine" / EXPECTED).exists()


def test_what_is_answered_is_pinned_and_held(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the hand-written table has it; the next run holds it, and a second time there is nothing to do."""
    code, lines, told = said(capsys, *cites())
    assert (code, told) == (0, "")
    assert lines[0].startswith("reports/")
    assert lines[0].endswith("-mine is held against recordings/mine/expected.json")
    assert "pinned: override-symlink::test_applying_is_loading unsupported, citing “bpf_override_return" in "\n".join(
        lines
    )
    assert lines[-1] == "expected.json was written: 174 held, 0 differ"
    recorded = {
        name: entry for name, entry in SHIPPED.items() if entry["verdict"] != "unrecorded" or "promises" in entry
    }
    assert pinned(project) == recorded
    assert not list((project / "recordings/mine").glob(".expected*"))
    done = replay(project)
    assert done.returncode == 0, done.stdout
    assert "174 entries of expected.json held, 0 differ" in done.stdout
    before = (project / "recordings/mine" / EXPECTED).read_bytes()
    code, lines, _ = said(capsys)
    assert (code, len(lines), lines[-1]) == (0, 2, "expected.json is as it was: 174 held, 0 differ")
    assert (project / "recordings/mine" / EXPECTED).read_bytes() == before


def test_one_answer_stands_for_all_of_a_name(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And an entry's own goes before it."""
    others = [one for one in cites() if "test_applying_is_loading" not in one]
    own = "--cite=override-symlink::test_applying_is_loading=bpf_override_return"
    code, _, _ = said(capsys, *others, own, "--cite=test_applying_is_loading=the agent refuses")
    assert code == 0
    found = {name: entry["promises"].get("test_applying_is_loading") for name, entry in pinned(project).items()}
    assert found["override-symlink"] == {"verdict": "unsupported", "cites": "bpf_override_return"}
    assert found["override-bprm-creds"] == {"verdict": "unsupported", "cites": "the agent refuses"}


def settled(project: Path) -> dict[str, Any]:
    """The project's recording, pinned as it should be."""
    shutil.copyfile(NEWEST / EXPECTED, project / "recordings/mine" / EXPECTED)
    return pinned(project)


def put(project: Path, table: dict[str, Any]) -> None:
    (project / "recordings/mine" / EXPECTED).write_text(json.dumps(table))


def test_what_is_pinned_otherwise_is_asked(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is seen, why, and what is pinned; nothing that still holds is touched."""
    table = settled(project)
    table["override-symlink"]["promises"]["test_applying_is_loading"] = "conforms"
    table["block-fd-install"]["limits"]["hard link"] = "stops"
    put(project, table)
    asked = typing(monkeypatch, "passes", "because", "bpf_override_return helper not available")
    code, lines, _ = said(capsys)
    assert code == 0
    assert asked == ["is that so [passes]:", "cites:", "cites:"]
    text = "\n".join(lines)
    assert "(1/2) block-fd-install::hard link: " in text
    assert "    is passes (pinned: stops)" in text
    assert "(2/2) override-symlink::test_applying_is_loading: Applied, the policy is in force on every node" in text
    assert "    that does not explain it: its reason does not hold “because”: " in text
    assert pinned(project) == SHIPPED


def test_what_is_left_stays_open(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing typed leaves one, the end of input all that follow; the exit code says so."""
    table = settled(project)
    del table["override-symlink"]
    table["privileged-exec"]["promises"]["test_starting_it_from_the_runtime_is_reported"] = "conforms"
    table["override-bprm-creds"]["promises"]["test_applying_is_loading"]["cites"] = "never said"
    put(project, table)
    asked = typing(monkeypatch, "", "use --disable-kprobe-multi")
    code, lines, _ = said(capsys)
    assert code == 1
    assert len(asked) == 3
    assert "left open: privileged-exec::test_starting_it_from_the_runtime_is_reported is violates by old" in "\n".join(
        lines
    )
    assert lines[-1] == "expected.json was written: 172 held, 2 differ"
    after = pinned(project)
    assert after["privileged-exec"]["promises"]["test_starting_it_from_the_runtime_is_reported"] == "conforms"
    assert after["override-bprm-creds"]["promises"]["test_applying_is_loading"]["cites"] == "use --disable-kprobe-multi"
    assert "override-symlink" not in after


def test_the_last_answer_is_offered_where_it_explains_the_next(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a violation's finding, always."""
    table = settled(project)
    for name in ("override-bprm-creds", "override-file-permission", "privileged-exec"):
        del table[name]
    put(project, table)
    asked = typing(monkeypatch, "y", "use --disable-kprobe-multi option", "y")
    assert said(capsys)[0] == 0
    assert asked == ["cites [old-image-hides-the-event]:", "cites:", "cites [use --disable-kprobe-multi option]:"]
    assert pinned(project) == SHIPPED


def test_an_interrupt_writes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even what was answered."""
    typing(monkeypatch, "y", KeyboardInterrupt())
    code, _, told = said(capsys)
    assert (code, told) == (130, "\ntetraproof: interrupted; nothing was written\n")
    assert not (project / "recordings/mine" / EXPECTED).exists()


def test_what_was_not_judged_is_kept_until_it_is_pruned(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And told."""
    table = settled(project)
    table["gone"] = {"verdict": "conforms", "promises": {"test_a": "conforms"}}
    table["block-fd-install"]["promises"]["test_gone"] = "conforms"
    put(project, table)
    code, lines, _ = said(capsys)
    assert code == 1
    assert "kept: gone, which was not judged (--prune leaves it out)" in lines
    assert "differs still: gone is expected, and was not judged" in lines
    assert pinned(project) == table
    code, lines, _ = said(capsys, "--prune")
    assert code == 0
    assert "left out: block-fd-install::test_gone" in lines
    assert pinned(project) == SHIPPED


def changed(project: Path, **run: Any) -> Path:
    """The run, made over."""
    (folder,) = (project / "reports").iterdir()
    result = read(folder)
    target = {name: run.pop(name) for name in ("kind", "recording", "cell") if name in run}
    made = msgspec.structs.replace(
        result,
        run=msgspec.structs.replace(result.run, **run),
        target=msgspec.structs.replace(result.target, **target),
    )
    (folder / FILE).write_bytes(encode(made))
    return folder


def test_a_violation_that_no_finding_explains_is_left_open(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not even asked for."""
    settled(project)
    (folder,) = (project / "reports").iterdir()
    text = (folder / FILE).read_text(encoding="utf-8")
    (folder / FILE).write_text(text.replace('"finding": "monitor-says-sigkill"', '"finding": ""'))
    asked = typing(monkeypatch)
    code, lines, _ = said(capsys)
    assert (code, asked) == (1, [])
    assert (
        "    left open: it violates by no known finding: explain it in the suite with @finding(…), and run again"
        in lines
    )
    assert pinned(project) == SHIPPED


def test_a_shipped_recording_is_never_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its folder, by its name, and by a link to it."""
    (project / "link").symlink_to(NEWEST)
    before = (NEWEST / EXPECTED).read_bytes()
    for place in (NEWEST, project / "link"):
        code, _, told = said(capsys, "--recording", place)
        assert code == 2
        assert "is shipped with tetraproof, and no command writes what a shipped recording" in told
    changed(project, recording=NEWEST.name)
    code, _, told = said(capsys)
    assert code == 2
    assert "is shipped with tetraproof" in told
    assert (NEWEST / EXPECTED).read_bytes() == before


@pytest.mark.parametrize(
    ("run", "words", "sentence"),
    [
        ({"whole": False}, [], "judged only a part, and a policy's verdict is that of all of its promises."),
        ({"recording": ""}, [], "No run in reports replayed a recording."),
        (
            {"recording": "", "kind": "standalone"},
            ["reports/it"],
            "reports/it is a run on the target standalone, and only",
        ),
        ({"recording": "other"}, [], "There is no recording recordings/other."),
        ({}, ["--recording", "nowhere"], "There is no recording nowhere."),
        ({}, ["nowhere"], "There is no result nowhere"),
        ({}, ["--cite", "x"], "--cite x: no = in it."),
        ({}, ["--cite", "guard::test_x=y"], "--cite guard::test_x=y: the run judged no guard::test_x."),
        (
            {},
            ["--cite", "test_nginx_serves_again=masks"],
            "that does not explain block-nginx-write-index::test_nginx_serves_again: only workers-are-killed is.",
        ),
    ],
)
def test_what_cannot_be_accepted_is_told(
    run: dict[str, Any], words: list[str], sentence: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a sentence, with exit code 2, and nothing is written."""
    changed(project, **run).rename(project / "reports/it")
    code, lines, told = said(capsys, *words)
    assert (code, lines) == (2, [])
    assert sentence in told.splitlines()[0]
    assert not (project / "recordings/mine" / EXPECTED).exists()


def test_the_newest_replay_is_taken(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A newer run that is live, or cannot be read, is passed over."""
    settled(project)
    (folder,) = (project / "reports").iterdir()
    shutil.copytree(folder, project / "reports/live")
    live = read(project / "reports/live")
    made = msgspec.structs.replace(live, target=msgspec.structs.replace(live.target, recording="", kind="kind"))
    (project / "reports/live" / FILE).write_bytes(encode(made))
    (project / "reports/cut").mkdir()
    (project / "reports/cut" / FILE).write_text("{")
    code, lines, _ = said(capsys)
    assert code == 0
    assert lines[0].startswith(f"reports/{folder.name} is held against")


def test_another_cells_recording_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever it is called."""
    cell = read(next((project / "reports").iterdir())).target.cell
    changed(project, cell=msgspec.structs.replace(cell, tetragon="0.1"))
    code, _, told = said(capsys)
    assert code == 2
    assert "recordings/mine is of another cell (" in told


def test_what_cannot_be_written_leaves_the_table_as_it_was(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole, or not at all."""
    table = settled(project)
    del table["baseline"]
    put(project, table)

    def full(_: Path, __: Any) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    code, _, told = said(capsys)
    assert code == 2
    assert "expected.json cannot be written: No space left on device." in told
    assert pinned(project) == table
    assert {path.name for path in (project / "recordings/mine").glob("*expected*")} == {EXPECTED}
