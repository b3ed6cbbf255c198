"""make passes on what was typed, whatever it holds: nothing of it is run, expanded or split."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.builders import ROOT

VARIABLES = re.findall(r"^(\w+) \?=", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
#: Those that are passed on to `tetraproof test` as the value of an option.
GIVEN = [
    *("TARGET", "SUITES", "RECORDING", "POLICIES", "WORKLOADS", "ACKNOWLEDGED", "CRD", "KERNEL", "RECORD", "INTO"),
    *("BUNDLE", "AGENT", "AGENT_ADDRESS", "AGENT_OPTIONS", "SLOWNESS", "CONTEXT", "NODES", "CHART", "TETRAGON"),
    *("UPGRADE", "UPGRADE_VERSION", "HELM", "KIND", "KUBECTL", "NODE_IMAGE", "PODS_RANGE", "SERVICES_RANGE", "K"),
]
FLAGS = ["CLUSTER_WIDE", "KEEP_WORKSPACE", "BUGTOOL", "KEEP"]
LISTS = ["VALUES", "IMAGES"]
HOSTILE = [
    "it's",
    'say "it"',
    "`touch ran`",
    "$(touch ran)",
    "$(shell touch ran)",
    "${shell touch ran}",
    "$$(touch ran)",
    "$HOME and $K",
    "a b  c",
    "trailing  ",  # a blank in front is dropped by make, as it reads its own command line
    "a; touch ran",
    "a && touch ran || touch ran",
    "a\ntouch ran",
    "a\n\ttouch ran #",
    "x' ; touch ran ; '",
    'x" ; touch ran ; "',
    "#hash",
    "back\\slash\\",
    "*",
    "~",
    "-x",
    "--version",
    "a=b",
    "%s%%",
    "é🚀",
    "(a or b) and not c",
    "$(error stop)",
    "$(eval override TARGET := x)",
    "$(info told)",
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose programs write down what they were told."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes(b"")
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    (tmp_path / "recordings").mkdir()
    for name in ("tetraproof", "python"):
        (programs / name).write_text(f'#!/bin/sh\nprintf "%s\\0" {name} "$@" >> told\n', encoding="utf-8")
        (programs / name).chmod(0o755)
    for name in ("run", "check", "mutate"):
        (programs.parent / name).touch()
    return tmp_path


def told(checkout: Path, *words: str, environment: dict[str, str] | None = None) -> list[str]:
    """What the program was told by a make that ended well, which printed nothing and made nothing else."""
    (checkout / "told").unlink(missing_ok=True)
    before = sorted(checkout.rglob("*"))
    own = {name: value for name, value in os.environ.items() if name not in {*VARIABLES, "MAKEFLAGS", "MAKELEVEL"}}
    done = subprocess.run(
        ["make", *words], cwd=checkout, env={**own, **(environment or {})}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(path for path in checkout.rglob("*") if path.name != "told") == before
    return (checkout / "told").read_bytes().decode().split("\0")[1:-1]


@pytest.mark.parametrize("value", HOSTILE)
def test_every_variable_reaches_the_program_as_it_was_typed(checkout: Path, value: str) -> None:
    """All of them at once, by make's command line and by the environment."""
    typed = told(checkout, "test", *(f"{name}={value}" for name in GIVEN))
    assert len(typed) == 3 + len(GIVEN)
    assert typed[:3] == ["test", "--typed", "make"]
    assert {one.partition("=")[2] for one in typed[3:]} == {value}
    assert told(checkout, "test", environment=dict.fromkeys(GIVEN, value)) == typed


@pytest.mark.parametrize("name", GIVEN)
def test_each_variable_is_an_option_of_its_own(checkout: Path, name: str) -> None:
    """And none is passed on where it is not given, but the target."""
    typed = told(checkout, "test", f"{name}=it's `one`")
    assert [one for one in typed if one.endswith("=it's `one`")] == typed[-1:]
    assert len(typed) == (4 if name == "TARGET" else 5)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", LISTS)
def test_of_several_each_is_an_option(checkout: Path, name: str, value: str) -> None:
    """Blanks stand between them, and nothing else means anything."""
    typed = told(checkout, "test", f"{name}={value}")
    assert [one.partition("=")[2] for one in typed[4:]] == value.split()


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_is_there_whatever_it_is_set_to(checkout: Path, name: str, value: str) -> None:
    """It has no value."""
    typed = told(checkout, "test", f"{name}={value}")
    assert typed[4:] == [{"KEEP": "--keep-cluster"}.get(name, f"--{name.lower().replace('_', '-')}")]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    ("target", "names", "words"),
    [
        ("prove", ["RECORDING"], ["prove", "--recording={}"]),
        (
            "clean-cluster",
            ["CONTEXT", "HELM", "SLOWNESS", "YES"],
            ["clean-cluster", "--typed", "make", "--context={}", "--helm={}", "--slowness={}", "--yes"],
        ),
        ("mutate", ["MODULES"], ["tools/mutate.py", "{}"]),
    ],
)  # fmt: skip
def test_other_targets_pass_on_what_was_typed(
    checkout: Path, target: str, names: list[str], words: list[str], value: str
) -> None:
    """As `test` does."""
    assert told(checkout, target, *(f"{name}={value}" for name in names)) == [
        value if word == "{}" else word.replace("{}", value) for word in words
    ]


def test_every_variable_is_exported_as_it_was_typed() -> None:
    """One that is not listed would be expanded by make on its way to the shell."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    listed = text[text.index("VARIABLES := ") :].partition("$(foreach")[0].replace("\\", "").split()[2:]
    assert sorted(listed) == sorted(VARIABLES)
    recipes = [line for line in text.splitlines() if line.startswith("\t")]
    assert [line for line in recipes for name in VARIABLES if f"$({name})" in line or f"${{{name}}}" in line] == []
