"""Change the judging code one place at a time, and see that its tests notice: what mutmut does, of more of the code.

    make mutate                     all of it, about an hour of one core
    make mutate MODULES=question    one module; several with commas

mutmut leaves what is decorated alone, and half of what a suite asks is a property. So a copy is made of the checkout
in which each property is a plain method that is made a property on the next line, and nothing is cached, and mutmut
runs there. Expectations are made where a test's module is loaded, so each change has it loaded anew. What no test
noticed is printed, and the exit code is 1 where fewer than 95 of 100 changes were noticed.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import libcst
from mutmut.mutation.diff_apply import get_diff_for_mutant

ROOT = Path(__file__).resolve().parents[1]
COPY = ROOT / "build/mutation"
#: Of a hundred changes so many must be noticed.
WANTED = 95
#: What makes a method a value, and what makes a function be called once.
_LIFTED, _DROPPED = ("property", "cached_property"), ("cache",)
#: mutmut asks the tests again and again in one process, with all that they made when they were loaded.
_LOAD_ANEW = """


def pytest_configure():
    import sys

    for name in [name for name in sys.modules if name.startswith("tests.")]:
        del sys.modules[name]
"""
#: mutmut's words for a change that its tests passed, and for one that no test came by.
_SURVIVED, _NO_TEST = 0, 33


class Lift(libcst.CSTTransformer):
    """Writes `@property` above a method as `name = property(name)` below it, and leaves `@cache` out."""

    def leave_FunctionDef(  # noqa: N802 - libcst's name
        self, original_node: libcst.FunctionDef, updated_node: libcst.FunctionDef
    ) -> libcst.FunctionDef | libcst.FlattenSentinel[libcst.BaseStatement]:
        """Lift one method, where this is all that decorates it."""
        del original_node
        if len(updated_node.decorators) != 1:
            return updated_node
        made = updated_node.decorators[0].decorator
        if not isinstance(made, libcst.Name) or made.value not in {*_LIFTED, *_DROPPED}:
            return updated_node
        if made.value in _DROPPED:
            return updated_node.with_changes(decorators=[])
        name = updated_node.name.value
        below = libcst.parse_statement(f"{name} = {made.value}({name})\n")
        return libcst.FlattenSentinel([updated_node.with_changes(decorators=[]), below])


def prepare(modules: list[str]) -> None:
    """Make the copy, with the properties of these modules lifted."""
    # what an earlier run found is kept: mutmut asks anew only what was changed
    for name in ("tetraproof", "tests"):
        shutil.rmtree(COPY / name, ignore_errors=True)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
    for name in ("pyproject.toml", "tetraproof", "tests", *settings["also_copy"]):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, COPY / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            COPY.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, COPY / name)
    with (COPY / "conftest.py").open("a") as conftest:
        conftest.write(_LOAD_ANEW)
    for name in modules:
        path = COPY / f"tetraproof/{name}.py"
        path.write_text(libcst.parse_module(path.read_text()).visit(Lift()).code)


def judging() -> list[str]:
    """The modules that are to be changed, by their names."""
    only = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]["only_mutate"]
    every = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tetraproof").rglob("*.py"))
    return [Path(path).stem for path in every if any(fnmatch.fnmatch(path, one) for one in only)]


def results(module: str) -> dict[str, int | None]:
    """What became of each change of a module: mutmut's exit code by the change's name."""
    told = json.loads((COPY / f"mutants/tetraproof/{module}.py.meta").read_text())
    found: dict[str, int | None] = told["exit_code_by_key"]
    return found


def main() -> int:
    """Run mutmut in the copy and tell what it found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="?", default="", help="names of modules, with commas (default: all of them)")
    parser.add_argument("--jobs", type=int, default=1, help="how many changes are tried at a time")
    asked = parser.parse_args()
    known = judging()
    modules = [name for name in asked.modules.split(",") if name] or known
    strangers = sorted(set(modules) - set(known))
    if strangers:
        print(f"{', '.join(strangers)}: not among the modules of [tool.mutmut]: {', '.join(known)}", file=sys.stderr)
        return 2
    prepare(known)
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(asked.jobs)]
    command += [f"tetraproof.{name}.*" for name in modules]
    if subprocess.run(command, cwd=COPY, check=False).returncode:  # noqa: S603 - what stands above
        return 2
    os.chdir(COPY)  # mutmut reads its settings there
    lived = total = 0
    lines = []
    for name in modules:
        found = results(name)
        survivors = [change for change, code in found.items() if code in {_SURVIVED, _NO_TEST}]
        lived, total = lived + len(survivors), total + len(found)
        lines.append(f"{name:14} {len(found) - len(survivors):5} of {len(found):5} changes noticed")
        for change in survivors:
            print(get_diff_for_mutant(change))
    noticed = total - lived
    print("\n".join(lines))
    print(f"{noticed} of {total} changes noticed ({100 * noticed / max(total, 1):.1f} %); {WANTED} % are asked for")
    return 0 if noticed * 100 >= WANTED * total else 1


if __name__ == "__main__":
    sys.exit(main())
