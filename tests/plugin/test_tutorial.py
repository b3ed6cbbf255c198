"""The tutorial, typed word by word: docs/your-own-policies.md prints what is printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.builders import ROOT

TUTORIAL = ROOT / "docs/your-own-policies.md"
BLOCK = re.compile(
    r"(?:^`(?P<file>[\w./-]+)`:\n\n)?(?P<live>^<!-- live -->\n)?^```(?P<kind>console|yaml|toml)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Step:
    """A file to write, or a command with what it prints."""

    text: str
    file: str = ""
    live: bool = False

    @property
    def command(self) -> str:
        return self.text.split("\n", 1)[0].removeprefix("$ ")

    @property
    def prints(self) -> re.Pattern[str]:
        """What is printed, with … for anything: alone on a line for any number of lines."""
        lines = self.text.rstrip("\n").split("\n")[1:]
        parts = [r"(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n" for line in lines]
        return re.compile("".join(parts))


def steps() -> Iterator[Step]:
    for found in BLOCK.finditer(TUTORIAL.read_text(encoding="utf-8")):
        if found["kind"] == "console" or found["file"]:
            yield Step(found["text"], found["file"] or "", bool(found["live"]))


def take(step: Step, folder: Path, changed: Mapping[str, str] | None = None) -> None:
    """Do what the page says in a folder; `changed` words of a command are others here."""
    if step.file:
        path = folder / step.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.text, encoding="utf-8")
        return
    command = step.command
    for word, instead in (changed or {}).items():
        command = command.replace(word, instead)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "160"}
    ran = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=1200, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert step.prints.fullmatch(ran.stdout), f"{command}\nprints\n{ran.stdout}\nand not\n{step.text}{ran.stderr}"


def test_the_tutorial_prints_what_it_says(tmp_path: Path) -> None:
    """As far as it needs no guest: `make guest BUNDLE=…` types the rest."""
    taken = [step for step in steps() if not step.live]
    assert [step.command.split()[1] for step in taken if not step.file] == ["init", "lint", "draft", "test"]
    for step in taken:
        take(step, tmp_path)
