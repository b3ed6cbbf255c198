"""No silence is long: whatever a live run asks names itself while it is awaited, in every phase.

Here every answer is held back until a line has named it, or counted it beside one that is awaited for longer, so that
nothing depends on how long anything takes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.api_server import ApiServer, Asked
from tests.clusters import ACTS, Lab, guard, hurried, opened
from tests.guests.test_guest import DEADLINES, KERNEL, _installed, play
from tetraproof.guests.guest import boot
from tetraproof.kubernetes.helm import Helm
from tetraproof.machines import program, tool
from tetraproof.machines.machine import Completed, ThisMachine
from tetraproof.machines.tool import Tool
from tetraproof.pacing import progress
from tetraproof.pacing.progress import Narrator, silent

__all__ = ["_installed", "play"]
Play = Callable[[str], None]
#: Seconds that a line is awaited before the test fails.
_PATIENCE = 30.0


class Held:
    """Answers that are held back until what is asked was named; `unnamed` are those that never were."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.unnamed: list[str] = []
        self._said = threading.Condition()

    def say(self, line: str) -> None:
        with self._said:
            self.lines.append(line)
            self._said.notify_all()

    def until_named(self, name: str) -> None:
        with self._said:
            begun = len(self.lines)
            # of several that are awaited at once the longest is named, and the others are counted
            if not self._said.wait_for(
                lambda: any("awaiting" in line and (name in line or " more)" in line) for line in self.lines[begun:]),
                _PATIENCE,
            ):
                self.unnamed.append(name)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    monkeypatch.setattr(progress, "_A_WHILE", 0.0)
    made = Held()
    with Narrator(made.say, limit=0.005):
        yield made


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    hurried(monkeypatch)
    with ApiServer() as server:
        yield server


def test_every_answer_of_a_cluster_is_named_while_it_is_awaited(api: ApiServer, held: Held, tmp_path: Path) -> None:
    """From setting up to the removal of all of it, with the phase that it is part of."""
    lab = Lab(api)

    def slow(asked: Asked) -> None:
        what = asked.sub.partition("?")[0] if asked.sub in {"log", "proxy/metrics"} else asked.kind.name
        held.until_named(asked.command.split()[0] if asked.command else what)

    api.faults = [slow]
    with opened(lab, tmp_path, tell=held.say) as (live, _):
        live.observe(guard(), {}, tuple(ACTS), "guard")
    assert held.unnamed == []
    told = "\n".join(held.lines)
    for phase in ("setting up", "evidence", "acts", "sentinels", "loading policies", "removing policies"):
        assert f", {phase})" in told or f"({phase})" in told, phase


@pytest.mark.parametrize("how", ["this machine", "a guest", "a program", "a tool", "helm"])
def test_a_command_is_named_while_it_is_awaited(how: str, held: Held, play: Play, tmp_path: Path) -> None:
    """Whatever it is that runs it."""
    play("well")
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\ncat {gate}\n", encoding="utf-8")
    slow.chmod(0o755)
    name = {"a tool": "the version of helm", "helm": "helm list", "a guest": "slow on the guest"}.get(how, "slow")

    def open_it() -> None:
        held.until_named(name)
        gate.write_text("v3.19.0\n", encoding="utf-8")

    thread = threading.Thread(target=open_it)
    thread.start()
    run: dict[str, Callable[[], object]] = {
        "this machine": lambda: ThisMachine().run([str(slow)], seconds=60),
        "a guest": lambda: in_a_guest(str(slow), tmp_path / "guest"),
        "a program": lambda: program.run([str(slow)]),
        "a tool": lambda: tool.find("helm", str(slow)),
        "helm": lambda: Helm(Tool("helm", slow, "3.19.0"), tmp_path / "kubeconfig", "made", tmp_path, 60).run("list"),
    }
    assert "3.19.0" in str(run[how]())
    thread.join()
    assert held.unnamed == []


def in_a_guest(program: str, folder: Path) -> Completed:
    with closing(boot(KERNEL, folder, DEADLINES, silent, "emulation")) as guest:
        return guest.run([program], seconds=60)
