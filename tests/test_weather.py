"""Bad weather: whatever somebody's bytes are, they are answered or refused in a sentence that steers no terminal."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import (
    MANIFESTS,
    NEWEST,
    ROOT,
    Json,
    performed,
    recording_files,
    reindexed,
    scenario_files,
    write_tree,
)
from tests.report.test_result import WHOLE
from tetraproof.cli import main
from tetraproof.errors import TetraproofError
from tetraproof.recordings.recording import sealed
from tetraproof.report.result import encode
from tools import fuzz, hostile
from tools.readers import READERS, Reader, Refused

#: Cases of the million that are tried here, and seconds that one command may take.
SHARE, LONGEST = 1500, 10
POLICY = (MANIFESTS / "block-fd-install.yaml").read_text(encoding="utf-8")
STEERING = "\x1b]0;owned\x07\x1b[2J\u202e"
BOMB = "\n".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9) if n else '1'}]" for n in range(40))


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of bad input: in time, with exit code 2, in lines that steer no terminal, with a way out."""
    begun = time.monotonic()
    code = main(words)
    captured = capsys.readouterr()
    assert code == 2, captured.out
    assert time.monotonic() - begun < LONGEST
    assert all(line.isprintable() for line in captured.err.splitlines())
    assert captured.err.splitlines()[-1].startswith("  to mend it: ")
    sentence = captured.err.splitlines()[0]
    assert sentence.startswith("tetraproof: ")
    assert len(sentence) < 1100
    return sentence


def test_a_share_of_the_million_cases_has_no_fault() -> None:
    """`python tools/fuzz.py` tries all of them."""
    words = [sys.executable, "tools/fuzz.py", "--cases", str(SHARE), "--seed", "3"]
    told = subprocess.run(
        words, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, f"{told.stdout}{told.stderr}"
    assert " 0 faults" in told.stdout


def _raises(error: BaseException) -> Callable[[Path, str], str]:
    def read(folder: Path, path: str) -> str:
        del folder, path
        raise error

    return read


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (_raises(KeyError("metadata")), "KeyError in "),
        (_raises(MemoryError()), "MemoryError in "),
        (_raises(SystemExit(3)), "SystemExit in "),
        (_raises(Refused("It is bad.")), "sentence: it names no file"),
        (_raises(TetraproofError("given.json is bad.")), "sentence: it says nothing of what to do"),
        (_raises(Refused(f"given.json {STEERING}\n  to mend it: x")), "sentence: it steers a terminal"),
        (_raises(Refused(f"given.json {'x' * 2000}\n  to mend it: x")), "sentence: it is too long"),
        (lambda *_: STEERING, "what is printed steers a terminal"),
    ],
)  # fmt: skip
def test_the_fuzzer_finds_what_is_wrong(
    read: Callable[[Path, str], str], kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each kind of fault."""
    monkeypatch.setattr(fuzz, "KEPT", tmp_path)
    reader = Reader("made", lambda: {"given.json": b'{"a": [1, "b"]}'}, lambda c, _, b: hostile.in_json(c, b), read, 1)
    tally = fuzz.run(reader, 0, 3, 1)
    assert [fault.kind.startswith(kind) for fault in tally.faults] == [True] * 3
    assert list(tmp_path.iterdir())


def test_the_fuzzer_takes_an_answer_and_a_refusal_for_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same case is the same bytes again."""
    seen: list[bytes] = []

    def read(folder: Path, path: str) -> str:
        seen.append((folder / path).read_bytes())
        if len(seen) % 2:
            raise Refused(f"{path} is bad.\n  to mend it: write it anew")
        return "well"

    monkeypatch.setattr(fuzz, "KEPT", tmp_path)
    reader = Reader("made", lambda: {"given.json": b'{"a": [1, "b"]}'}, lambda c, _, b: hostile.in_json(c, b), read, 1)
    tally = fuzz.run(reader, 5, 4, 1)
    assert (tally.cases, tally.answered, tally.refused, tally.faults) == (4, 2, 2, [])
    fuzz.run(reader, 5, 4, 1)
    assert seen[:4] == seen[4:]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_what_every_reader_is_given_is_good_to_begin_with(reader: Reader, tmp_path: Path) -> None:
    """Else nothing but refusals would be tried."""
    seeds = reader.seeds()
    write_tree(seeds, tmp_path)
    for path in random.Random(1).sample(sorted(seeds), min(4, len(seeds))):
        shown = reader.read(tmp_path, path)
        assert all(line.isprintable() for line in shown.split("\n"))


# policies


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (f"{BOMB}\n{POLICY}", "more than 100,000 values, aliases expanded"),
        (POLICY.replace("spec:", "spec: &a\n  self: *a", 1), "holds itself"),
        (POLICY.replace("name: block-fd-install", "name: 2026-99-99T"), "metadata.name"),
        (POLICY.replace("index: 1", f"index: {'9' * 5000}", 1), "a number of 5,000 digits"),
        (POLICY.replace("spec:", f"spec: {'[' * 100_000}", 1), "is nested deeper than"),
        (POLICY + "# " + "x" * (10 << 20), "characters long"),
        (POLICY.replace("spec:", f"sp{STEERING}ec:", 1), "special characters are not allowed"),
    ],
    ids=["aliases of aliases", "an anchor that holds itself", "a date", "5,000 digits", "100,000 deep", "10 MB", "ESC"],
)  # fmt: skip
def test_a_hostile_policy_is_told_with_its_file(
    text: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By `tetraproof lint`, as a problem of that file, in bounded time."""
    path = tmp_path / "guard.yaml"
    path.write_text(text, encoding="utf-8")
    begun = time.monotonic()
    assert main(["lint", str(path)]) == 1
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith(str(path))]
    assert time.monotonic() - begun < LONGEST
    assert len(told) == 1
    assert word in told[0]
    assert told[0].isprintable()
    assert "To mend it: " in told[0]


# recordings


def whole() -> dict[str, bytes]:
    return recording_files({"guard": scenario_files("guard", [performed("bash", "-c", "x")])})


def with_act(**changed: object) -> dict[str, bytes]:
    files = whole()
    path = "scenarios/guard/acts.json"
    acts: list[Json] = json.loads(files[path])
    acts[1] = {**acts[1], **changed}
    return sealed({**files, path: json.dumps(acts).encode()})


def with_digits(count: int) -> dict[str, bytes]:
    files = whole()
    path = "scenarios/guard/acts.json"
    return sealed({**files, path: files[path].replace(b": 0", b": " + b"9" * count, 1)})


def with_scenario(**changed: object) -> dict[str, bytes]:
    return reindexed(whole(), scenarios=[{"name": "guard", **changed}])


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (with_act(started="2026-11-23T07:00:00"), ("acts.json", "started", "no time of RFC 3339 with its zone")),
        (with_act(started="2026-13-45T25:61:61Z"), ("acts.json", "started", "there is no such time")),
        (with_act(argv=[]), ("acts.json", "argv", "length >= 1")),
        (with_act(exit_code=2**63), ("acts.json", "exit_code")),
        (with_scenario(bindings=None), ("recording.json", "bindings", "`null`")),
        (with_scenario(unanswered={"verdict": "maybe", "reason": ""}), ("recording.json", "verdict", "maybe")),
        (with_scenario(settled_after=-1), ("recording.json", "settled_after")),
        (sealed({**whole(), "scenarios/guard/state.json": b"null"}), ("state.json", "`null`")),
        (
            sealed({**whole(), "scenarios/guard/state.json": b'{"tetra-node": [{"a": ' + b"[" * 100_000}),
            ("state.json", "nested too deeply"),
        ),
        (with_digits(5000), ("acts.json", "out of range")),
        (sealed({**whole(), "scenarios/guard/policy.yaml": BOMB.encode()}), ("policy.yaml", "100,000 values")),
    ],
)  # fmt: skip
def test_a_hostile_recording_is_refused(
    files: dict[str, bytes], words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By file and field, before anything is judged."""
    write_tree(files, tmp_path / "made")
    sentence = refused(["verify", str(tmp_path / "made")], capsys)
    assert [word for word in words if word not in sentence] == []


def test_names_that_steer_a_terminal_are_shown_and_not_obeyed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recording's own, a file's, and that of a folder of results or of raw records."""
    made = tmp_path / f"made{STEERING}"
    write_tree(recording_files(), made)
    assert main(["verify", str(made)]) == 0
    assert capsys.readouterr().out.strip().isprintable()
    (made / f"more{STEERING}").write_bytes(b"")
    assert "\\x1b" in refused(["verify", str(made)], capsys).replace("\\e", "\\x1b")
    refused(["report", str(made)], capsys)
    (made / "verdicts.json").write_bytes(encode(WHOLE))
    for words in ([], ["--json"], ["--matrix", str(made / f"matrix{STEERING}.html")]):
        assert main(["report", str(made), *words]) < 2
        assert [line for line in capsys.readouterr().out.splitlines() if not line.isprintable()] == []
    refused(["convert", str(made), str(tmp_path / "new")], capsys)
    refused(["events", str(made / "gone")], capsys)


# results

LIMIT = {"name": "", "label": "", "title": "", "result": "x"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda told: told["policies"][0].update(verdict="maybe"), "policies[0].verdict is 'maybe'"),
        (lambda told: told["policies"][0]["claims"][0].update(verdict="perhaps"), "claims[0].verdict is 'perhaps'"),
        (lambda told: told["policies"][0].update(limits=[LIMIT]), "limits[0].result is 'x'"),
        (lambda told: told.update(policies=None), "`null`"),
        (lambda told: told.update(format=True), "format is True"),
        (lambda told: told["run"].update(seconds="NaN"), "$.run.seconds"),
    ],
)  # fmt: skip
def test_a_hostile_result_is_refused(
    change: Callable[[Json], None], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By file and field, by `tetraproof report`."""
    told = json.loads(encode(WHOLE))
    change(told)
    (tmp_path / "verdicts.json").write_text(json.dumps(told), encoding="utf-8")
    sentence = refused(["report", str(tmp_path)], capsys)
    assert "verdicts.json" in sentence
    assert word in sentence


def test_a_result_that_is_a_pipe_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody may ever write into it."""
    os.mkfifo(tmp_path / "verdicts.json")
    assert "is no file" in refused(["report", str(tmp_path / "verdicts.json")], capsys)


def test_a_run_with_a_hostile_policy_judges_the_others(tmp_path: Path) -> None:
    """It is told in the header, harmlessly."""
    folder = tmp_path / "policies"
    write_tree({"block-fd-install.yaml": POLICY, f"b{STEERING}.yaml": f"{BOMB}\nkind: TracingPolicy\n"}, folder)
    words = [
        "--target",
        "replay",
        "--policies",
        str(folder),
        "--recording",
        str(NEWEST),
        "--reports",
        str(tmp_path / "r"),
    ]
    words += ["suites/files/test_block_fd_install.py", "-p", "no:cacheprovider"]
    told = subprocess.run(
        [sys.executable, "-m", "tetraproof", "test", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "not taken: " in told.stdout
    assert [line for line in told.stdout.splitlines() if not line.isprintable()] == []
    assert told.returncode == 0, told.stdout
