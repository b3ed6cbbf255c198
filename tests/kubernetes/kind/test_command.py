"""A command of kind: out of the terminal's reach, told as it goes, and ended with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.api_server import interrupt
from tests.builders import ROOT
from tests.machines.test_tool import script
from tetraproof.kubernetes.kind import making
from tetraproof.kubernetes.kind.command import run
from tetraproof.pacing.waiting import Overdue, until


def alive(process: int) -> bool:
    """Whether it runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(process: int) -> bool:
    until(f"the end of {process}", lambda: alive(process), lambda lives: not lives, 10)
    return True


def test_its_steps_are_told_as_it_takes_them_without_their_pictures(tmp_path: Path) -> None:
    """Once each; what it printed and said is kept."""
    said = r" • Preparing nodes 📦 📦 ...\n ✓ Preparing nodes 📦 📦\n • Joining 🚜\n"
    text = f'echo here; printf "{said}" >&2; exit 3'
    told: list[str] = []
    done = run([script(tmp_path, text, "kind")], os.environ, 10, what="it", tell=told.append)
    assert told == ["kind: Preparing nodes", "kind: Joining"]
    assert (done.code, done.printed, done.ok) == (3, "here\n", False)
    assert done.complaint[-1].startswith("• Joining")


def test_its_error_comes_first_of_its_last_words(tmp_path: Path) -> None:
    """kind says it before what a command of its own printed."""
    text = "echo ERROR: failed to create cluster >&2; for one in 1 2 3 4 5 6 7; do echo line $one >&2; done; exit 1"
    done = run([script(tmp_path, text, "kind")], os.environ, 10, what="it")
    assert done.complaint == ["ERROR: failed to create cluster", *(f"line {number}" for number in range(3, 8))]


def test_it_leads_a_session_of_its_own(tmp_path: Path) -> None:
    """So the terminal's interrupt does not reach it."""
    done = run([script(tmp_path, "cut -d' ' -f1,6 /proc/$$/stat", "kind")], os.environ, 10, what="it")
    process, session = done.printed.split()
    assert process == session


def test_an_interrupt_ends_it_with_all_that_it_started(tmp_path: Path) -> None:
    """Also what does not end when it is told to."""
    child = tmp_path / "child"
    text = f"trap '' TERM; sleep 60 & echo $! > {child}.new; mv {child}.new {child}; wait"

    def look() -> None:
        if child.exists():
            interrupt()
            # the handler runs in between
            time.sleep(0)

    with pytest.raises(KeyboardInterrupt):
        run([script(tmp_path, text, "kind")], os.environ, 60, what="it", watch=look)
    assert gone(int(child.read_text(encoding="utf-8")))


def test_one_that_takes_too_long_is_ended_and_told(tmp_path: Path) -> None:
    """With the step that it was at."""
    text = 'echo " • Starting control-plane 🕹️ ..." >&2; sleep 60'
    with pytest.raises(Overdue, match=r"the cluster was awaited .* the last answer was Starting control-plane"):
        run([script(tmp_path, text, "kind")], os.environ, 1, what="the cluster")


@pytest.mark.parametrize("how", ["killed", "closed"])
def test_who_makes_a_cluster_ends_with_the_run(how: str, tmp_path: Path) -> None:
    """However that ends: nobody is there to say what becomes of it."""
    creates = f"echo $$ > {tmp_path}/kind.new; mv {tmp_path}/kind.new {tmp_path}/creates; sleep 60"
    kind = script(tmp_path, f'case "$*" in create*) {creates};; esac', "kind")
    words = [sys.executable, "-m", making.__name__, "made", str(tmp_path / "config"), "none", "", kind, "kubectl"]
    words += ["docker", "mark"]
    runs = (
        "import subprocess, sys, time\n"
        "subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", runs, *words], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as holder:
        started = tmp_path / "creates"
        until("the creation", started.exists, bool, 30)
        creating = int(started.read_text(encoding="utf-8"))
        assert alive(creating)
        holder.send_signal(signal.SIGKILL if how == "killed" else signal.SIGTERM)
        holder.wait()
    assert gone(creating)


def test_what_kind_asks_the_engine_for_is_marked(tmp_path: Path) -> None:
    """Each container, from its birth on; every other command is passed on as it is."""
    script(tmp_path, f'for one; do echo "[$one]" >> {tmp_path}/asked; done', "podman")
    text = 'case "$*" in create*) podman run --name "a b"; podman create x; podman ps run; exit 1;; esac'
    kind = script(tmp_path, text, "kind")
    words = [sys.executable, "-m", making.__name__, "made", str(tmp_path / "config"), "none", "", kind, "kubectl"]
    path = os.pathsep.join((str(tmp_path), os.environ["PATH"]))
    done = run([*words, "podman", "m a"], {**os.environ, "PATH": path}, 30, what="it", folder=tmp_path)
    assert done.code == 1
    marked = "[--label]\n[tetraproof.dev/mark=m a]\n"
    assert (tmp_path / "asked").read_text(encoding="utf-8") == (
        f"[run]\n{marked}[--name]\n[a b]\n[create]\n{marked}[x]\n[ps]\n[run]\n"
    )
