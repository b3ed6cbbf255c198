"""How many rings of a node must be heard."""

from __future__ import annotations

import pytest

from tetraproof.recordings.record import NodeRecord, rings_to_hear

OPTION = "use-perf-ring-buffer"


@pytest.mark.parametrize(
    ("settings", "kernel", "cpus", "rings", "expected"),
    [
        # one ring for all CPUs, as the record says
        ({OPTION: "false"}, "6.12.117", 4, 1, 1),
        ({OPTION: "False"}, "6.12.117", 4, 1, 1),
        ({OPTION: "0"}, "", 4, 1, 1),
        # a ring for each CPU, whatever the record says
        ({OPTION: "true"}, "6.12.117", 4, 1, 4),
        ({OPTION: "1"}, "6.12.117", 4, 1, 4),
        ({}, "6.12.117", 4, 1, 4),
        ({OPTION: ""}, "6.12.117", 4, 1, 4),
        # the agent's own choice on older kernels, and with small programs
        ({OPTION: "false"}, "5.10.0-30-amd64", 4, 1, 4),
        ({OPTION: "false"}, "4.19.0", 4, 1, 4),
        ({OPTION: "false"}, "5.11.0", 4, 1, 1),
        ({OPTION: "false"}, "5.4", 2, 1, 2),
        ({OPTION: "false", "force-small-progs": "true"}, "6.12.117", 4, 1, 4),
        # of a kernel that cannot be told nothing is known
        ({OPTION: "false"}, "unknown", 4, 1, 1),
        # a record of more rings is believed
        ({OPTION: "false"}, "6.12.117", 4, 4, 4),
        ({}, "6.12.117", 1, 1, 1),
    ],
)
def test_how_many_rings_must_be_heard(
    settings: dict[str, str], kernel: str, cpus: int, rings: int, expected: int
) -> None:
    """One where the agent shares one among all CPUs, one for each CPU otherwise."""
    assert rings_to_hear(NodeRecord("n", kernel, cpus, rings), settings) == expected
