"""Loads fixtures/, nothing else."""

pytest_plugins = [
    f"fixtures.{name}" for name in ("target", "options", "suite", "attachments", "run", "report", "prove")
]
