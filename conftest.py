"""Loads fixtures/, nothing else."""

pytest_plugins = ["fixtures.options", "fixtures.suite", "fixtures.run", "fixtures.report", "fixtures.prove"]
