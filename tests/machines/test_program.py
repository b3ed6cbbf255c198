"""Programs of the machine: heard line by line, ended with all that they started, and told by their own last words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tetraproof.machines.program import ProgramError, find, need, run
from tetraproof.pacing.waiting import until


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_what_it_wrote_is_returned_and_heard_as_it_comes() -> None:
    """Standard output and error as one, the first call before any line."""
    heard: list[str] = []

    def hear(line: str) -> float:
        heard.append(line)
        return 60.0

    assert run(shell("echo out; echo err >&2; printf last"), hear) == "out\nerr\nlast"
    assert heard == ["", "out", "err", "last"]


def test_it_speaks_plain_english_and_sees_what_it_is_given(tmp_path: Path) -> None:
    """Whatever the user's language; nothing waits for its input."""
    told = run(shell("cat; echo $LC_ALL $OWN; pwd"), environment={"OWN": "x"}, folder=str(tmp_path))
    assert told == f"C.UTF-8 x\n{tmp_path}"


def test_bytes_that_are_no_text_are_no_error() -> None:
    """They are replaced."""
    assert run(shell(r"printf 'a\377b'")) == "a\ufffdb"


@pytest.mark.parametrize(
    ("script", "causes"),
    [
        ("for n in 1 2 3 4 5 6; do echo line $n; done; exit 3", ("line 3", "line 4", "line 5", "line 6")),
        ("echo E: no such package; for n in 1 2 3 4 5; do echo $n; done; exit 3", ("E: no such package",)),
        ("echo Error: denied; echo usage; exit 3", ("Error: denied",)),
        ("exit 3", ()),
    ],
)
def test_one_that_fails_is_told_by_its_errors_or_its_last_lines(script: str, causes: tuple[str, ...]) -> None:
    """And by its exit code."""
    with pytest.raises(ProgramError) as failed:
        run(shell(script), called="the thing")
    assert failed.value.sentence == "the thing failed with exit code 3."
    assert failed.value.causes == causes


def test_one_that_is_silent_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """Its children are not left behind."""
    script = f"sleep 1000 & echo $! > {tmp_path}/child; echo started; wait"
    with pytest.raises(ProgramError, match=r"sh said nothing for 0 s\.") as silent:
        run(shell(script), lambda line: 0.2 if line else 60.0)
    assert silent.value.causes == ("started",)
    _gone(int((tmp_path / "child").read_text(encoding="utf-8")))


def test_one_is_ended_where_whoever_hears_it_gives_up(tmp_path: Path) -> None:
    """As on Ctrl-C."""

    def interrupted(line: str) -> float:
        if line:
            raise KeyboardInterrupt
        return 60.0

    with pytest.raises(KeyboardInterrupt):
        run(shell(f"sleep 1000 & echo $! > {tmp_path}/child; echo started; wait"), interrupted)
    _gone(int((tmp_path / "child").read_text(encoding="utf-8")))


def test_one_that_is_not_installed_is_told() -> None:
    """Before anything is started."""
    with pytest.raises(ProgramError, match=r"no-such-program is not installed\."):
        run(["no-such-program"])
    with pytest.raises(ProgramError, match="no-such-program"):
        need("sh", "no-such-program", "neither-this")
    need("sh")


def test_programs_for_root_are_found_by_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their folders are no part of a user's path."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert find("chroot").endswith("sbin/chroot")
    assert find("no-such-program") == ""


def _gone(pid: int) -> None:
    """Its process ends; one that nobody waits for may stay as a zombie."""
    stat = Path(f"/proc/{pid}/stat")

    def state() -> str:
        return stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] if stat.exists() else "Z"

    until("the end of a child", state, lambda now: now == "Z", 20)
