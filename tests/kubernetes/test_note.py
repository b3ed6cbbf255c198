"""Notes of what runs hold on this machine: held while the run lives, found when it is gone, whatever ended it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tetraproof.errors import UsageError
from tetraproof.kubernetes import kubeconfig
from tetraproof.kubernetes.note import Note, left, root

HOLDS = (
    "import sys, time; from tetraproof.kubernetes.note import Note\n"
    "note = Note('kind', 'made', 'the kind cluster made'); note.write(state='made'); print('held', flush=True)\n"
    "time.sleep(60)"
)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def note() -> Note:
    return Note("kind", "made", "the kind cluster made")


def test_what_is_noted_is_there_for_the_next_one() -> None:
    """Until it is forgotten; then nothing is left but an empty folder."""
    first = note()
    assert first.told == {}
    first.write(state="making")
    first.add(containers=["a"])
    first.release()
    second = note()
    assert second.told["state"] == "making"
    assert second.told["containers"] == ["a"]
    second.forget()
    second.release()
    assert list((root() / "kind").iterdir()) == []
    assert note().told == {}


def test_one_that_is_held_is_refused_and_stays_as_it_is() -> None:
    """With the process that holds it; when that is killed, the kernel lets go of it."""
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match=rf"Another run uses the kind cluster made: process {holder.pid}\."):
            note()
        assert list(left("kind")) == []
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert [one.told["state"] for one in left("kind")] == ["made"]
    taken = note()
    assert taken.told["state"] == "made"
    taken.release()


def test_the_same_process_does_not_hold_it_twice() -> None:
    """Neither does another name get in the way."""
    first = note()
    with pytest.raises(UsageError, match="Another run uses the kind cluster made"):
        note()
    Note("kind", "other", "the kind cluster other").release()
    first.release()
    note().release()


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"state": '])
def test_one_that_cannot_be_read_says_nothing(text: str) -> None:
    """Whatever damaged it."""
    note().release()
    (root() / "kind" / "made.json").write_text(text, encoding="utf-8")
    taken = note()
    assert taken.told == {}
    assert list(left("kind")) == []
    taken.write(state="making")
    assert json.loads(taken.path.read_text(encoding="utf-8"))["state"] == "making"
    taken.release()


def test_notes_that_cannot_be_written_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable that moves them."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="cannot be written") as told:
        note()
    assert "XDG_STATE_HOME" in told.value.remedy


def test_the_copy_of_a_kubeconfig_is_noted_before_it_is_written(tmp_path: Path) -> None:
    """A killed run's is found, named and removed; that of a run that lives is left alone."""
    ended, lives = kubeconfig.Copy(tmp_path / "ended", "ended"), kubeconfig.Copy(tmp_path / "lives", "lives")
    for copy in (ended, lives):
        copy.path.touch()
    # as the kernel does when a run is killed
    ended._note.release()
    assert list(kubeconfig.left(remove=False)) == [ended.path]
    assert ended.path.exists()
    assert list(kubeconfig.left(remove=True)) == [ended.path]
    assert not ended.path.exists()
    assert lives.path.exists()
    assert list(kubeconfig.left(remove=True)) == []
    lives.remove()
    assert not lives.path.exists()
    assert not list((root() / "kubeconfigs").iterdir())
