"""A command that is interrupted while Python still loads it ends in a sentence, with the documented exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import NEWEST, ROOT
from tetraproof import start
from tetraproof.commands import show
from tetraproof.pacing import interrupting

#: Interrupts the process as soon as a module is looked for.
_INTERRUPTS = """
import os, signal, sys

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ.get("AT"):
            del os.environ["AT"]
            # from a text, as dataclasses are made: Python ends by the signal then, whoever caught the interrupt
            exec("os.kill(os.getpid(), getattr(signal, os.environ['SIGN']))")

sys.meta_path.insert(0, Interrupts())
"""
_TEST = ("test", "--target", "replay", "--recording", str(NEWEST), "suites/files/test_block_fd_install.py")
#: In the order in which they are loaded; the last when interrupts are heeded.
_LOADED = (
    *("tetraproof.cli", "tetraproof.commands.test", "_pytest.config", "tetraproof.marks"),
    "tetraproof.plugin.collecting",
)


def ran(folder: Path, customised: str, *words: str, **environment: str) -> tuple[int, list[str]]:
    """A command in a Python that is `customised` at its start; its exit code, and all that it said."""
    (folder / "sitecustomize.py").write_text(customised, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tetraproof", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, [*done.stdout.splitlines(), *done.stderr.splitlines()]


@pytest.mark.parametrize("sign", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    "at",
    [
        "tetraproof.cli",
        "tetraproof.commands.test",
        "_pytest.config",
        "tetraproof.marks",
        "tetraproof.plugin.collecting",
    ],
)
def test_a_run_that_is_interrupted_while_it_loads_has_made_nothing(at: str, sign: str, tmp_path: Path) -> None:
    """And says so; nothing is judged."""
    code, lines = ran(tmp_path, _INTERRUPTS, *_TEST, "--reports", str(tmp_path / "reports"), AT=at, SIGN=sign)
    assert (code, lines) == (2, ["tetraproof: interrupted while setting up; nothing was made"])
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (_TEST, (2, ["tetraproof: interrupted while setting up; nothing was made"])),
        (("events", str(NEWEST)), (130, ["tetraproof: interrupted"])),
    ],
)
def test_an_interrupt_after_the_last_word_changes_nothing(
    words: tuple[str, ...], told: tuple[int, list[str]], tmp_path: Path
) -> None:
    """Seen live: the second one came while Python was ending, and ended it with another exit code."""
    again = "import atexit\natexit.register(os.kill, os.getpid(), signal.SIGINT)\n"
    assert ran(tmp_path, _INTERRUPTS + again, *words, AT="tetraproof.settings.options", SIGN="SIGINT") == told


@pytest.mark.parametrize("at", ["tetraproof.cli", "argparse", "tetraproof.commands.show"])
def test_another_command_that_is_interrupted_while_it_loads_ends_in_a_sentence(at: str, tmp_path: Path) -> None:
    """Nothing of it is done."""
    code, lines = ran(tmp_path, _INTERRUPTS, "events", str(NEWEST), AT=at, SIGN="SIGINT")
    assert (code, lines) == (130, ["tetraproof: interrupted"])


@pytest.fixture
def _signals() -> Iterator[None]:
    """A command that ends heeds none any more, and here the process goes on."""
    before = {number: signal.getsignal(number) for number in interrupting.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals")
def test_what_a_command_starts_hears_of_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are held while it loads, and no longer: whom it starts begins with what its parent holds."""
    held: list[set[int]] = []
    monkeypatch.setattr(show, "run", lambda _: held.append(signal.pthread_sigmask(signal.SIG_BLOCK, ())) or 0)
    monkeypatch.setattr(sys, "argv", ["tetraproof", "events", "x"])
    assert start.main() == 0
    assert held == [set()]
