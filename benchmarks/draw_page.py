"""How large a run's page is, and how long it takes to draw: `python benchmarks/draw_page.py RUN PAGE [policies]`.

RUN is a run's folder, whose recorded policies are repeated until there are so many; PAGE is where the page is written,
to be opened in a browser.
"""

from __future__ import annotations

import sys
import time
from itertools import cycle, islice
from pathlib import Path

from msgspec.structs import replace

from tetraproof.report.page import page
from tetraproof.report.result import read


def main(run: str, into: str, policies: int = 200) -> None:
    """Repeat, draw, tell."""
    result = read(Path(run))
    recorded = [policy for policy in result.policies if policy.verdict != "unrecorded"]
    many = [replace(policy, name=f"{policy.name}-{at}") for at, policy in enumerate(islice(cycle(recorded), policies))]
    begun = time.perf_counter()
    drawn = page(replace(result, policies=tuple(many))).encode()
    seconds = time.perf_counter() - begun
    Path(into).write_bytes(drawn)
    print(f"{policies} policies of {len(recorded)}: {len(drawn) / 1e6:.1f} MB, drawn in {seconds:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
