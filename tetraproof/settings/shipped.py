"""What is shipped beside the library: policies, workloads, suites, recordings, chart values."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def root() -> Path:
    """The folder that holds `manifests/`, `suites/`, `fixtures/` and `recordings/`: in the package, or the checkout."""
    inside = _PACKAGE / "shipped"
    return inside if inside.is_dir() else _PACKAGE.parent


def within(path: Path) -> bool:
    """Whether a path is that of a shipped recording, or of their folder."""
    return path.resolve().is_relative_to(root() / "recordings")
