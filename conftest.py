"""Loads fixtures/, nothing else."""

pytest_plugins = [
    f"fixtures.{name}"
    for name in ("kubernetes", "standalone", "target", "options", "suite", "attachments", "run", "report", "prove")
]
