"""The picture of the library says what the import contract checks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.builders import ROOT
from tools import architecture

MOST_MODULES = 12
PACKAGES = sorted(path.parent for path in (ROOT / "tetraproof").rglob("__init__.py"))


def test_the_picture_is_the_contracts() -> None:
    """`make architecture` draws it anew."""
    assert architecture.PICTURE.read_text(encoding="utf-8") == architecture.drawn()


def test_every_package_and_module_has_its_layer() -> None:
    """But for what starts the command."""
    here = {
        path.stem for path in (ROOT / "tetraproof").glob("*") if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert {name for layer in architecture.layers() for name in layer} == here - {"__init__", "__main__"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_is_a_room_that_one_can_look_over(package: Path) -> None:
    """At most a dozen modules; what comes in and goes out, and which file to open first, stands in front."""
    modules = [path for path in package.glob("*.py") if path.name != "__init__.py"]
    if package.name == "tetraproof":
        return
    assert len(modules) <= MOST_MODULES
    first, _, rest = (package / "__init__.py").read_text(encoding="utf-8").partition("\n\n")
    assert first.startswith('"""')
    assert re.search(r"[Oo]pen `", rest)


def test_no_name_stands_at_two_levels() -> None:
    """A file's name tells which it is."""
    modules = [path for path in (ROOT / "tetraproof").rglob("*.py") if path.name != "__init__.py"]
    names = [path.stem for path in modules] + [path.name for path in PACKAGES if path.name != "tetraproof"]
    assert sorted(names) == sorted(set(names))
