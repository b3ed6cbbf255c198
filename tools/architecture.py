"""Draw `docs/architecture.svg`: the packages of the library in the layers of the import contract, each with its line.

    make architecture

The layers are read from the contract in `pyproject.toml`, the lines from the packages' own docstrings, so the picture
says what is checked. `tests/test_architecture.py` fails where it has grown old.
"""

from __future__ import annotations

import ast
import sys
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path

import jinja2

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs/architecture.svg"
LIBRARY = "tetraproof"
#: Pixels: the picture's width, its edge and the space between boxes, and lines of text.
WIDTH, EDGE, SPACE, LINE, HEAD = 1080, 64, 12, 16, 30
#: A letter of the small text is about so wide.
LETTER = 6.4

TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{ width }} {{ height }}" role="img"
     font-family="system-ui, sans-serif" font-size="12">
<title>The packages of tetraproof: each imports only from layers below its own</title>
<rect width="{{ width }}" height="{{ height }}" fill="#ffffff"/>
<defs><marker id="tip" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path
  d="M0 0 8 4 0 8z" fill="#57606a"/></marker></defs>
<path d="M30 24V{{ height - 24 }}" stroke="#57606a" stroke-width="2" marker-end="url(#tip)"/>
<text transform="translate(22 {{ height / 2 }}) rotate(-90)" text-anchor="middle"
 fill="#57606a">imports point down</text>
{% for box in boxes %}
<g><rect x="{{ box.x }}" y="{{ box.y }}" width="{{ box.width }}" height="{{ box.height }}" rx="6"
 fill="{{ "#eef6ff" if box.package else "#f6f8fa" }}" stroke="{{ "#54aeff" if box.package else "#d0d7de" }}"/>
<text x="{{ box.x + 12 }}" y="{{ box.y + 20 }}" font-weight="600" font-size="14" fill="#0a3069">{{ box.name }}</text>
{% for line in box.lines %}
<text x="{{ box.x + 12 }}" y="{{ box.y + head + 8 + loop.index0 * step }}" fill="#24292f">{{ line }}</text>
{% endfor %}
</g>
{% endfor %}
</svg>
"""


@dataclass(frozen=True)
class Box:
    """A package or a module with its place in the picture."""

    name: str
    package: bool
    lines: list[str]
    x: float
    y: float
    width: float
    height: float


def layers() -> list[list[str]]:
    """The layers of the contract, from the top, each with its members in the order of the alphabet."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    written = next(one["layers"] for one in contracts if one["type"] == "layers")
    members = [[name.strip(" ()") for name in layer.replace(":", "|").split("|")] for layer in written]
    return [sorted(name for name in layer if any((ROOT / LIBRARY).glob(f"{name}*"))) for layer in members]


def line_of(name: str) -> tuple[str, bool]:
    """What a member says of itself, in its docstring's first line; and whether it is a package."""
    package = ROOT / LIBRARY / name
    file = package / "__init__.py" if package.is_dir() else package.with_suffix(".py")
    told = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(told.split("\n\n")[0].replace("`", "").split()), package.is_dir()


def drawn() -> str:
    """The picture."""
    boxes, y = [], 20.0
    for layer in layers():
        width = (WIDTH - EDGE - 20 - SPACE * (len(layer) - 1)) / len(layer)
        row = []
        for at, name in enumerate(layer):
            line, package = line_of(name)
            lines = textwrap.wrap(line, int((width - 24) / LETTER))
            row.append((name, package, lines, EDGE + at * (width + SPACE)))
        height = HEAD + LINE * max(len(lines) for _, _, lines, _ in row) + 4
        boxes += [Box(name, package, lines, round(x, 1), y, round(width, 1), height) for name, package, lines, x in row]
        y += height + SPACE
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(TEMPLATE)
    return template.render(boxes=boxes, width=WIDTH, height=y + 8, head=HEAD, step=LINE) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))
    sys.exit(0)
