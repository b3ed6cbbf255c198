"""Many cells, every night: which there are, running them one beside another, and joining what came of them.

In comes a `matrix.yaml`, and results of any number of runs; out go cells, one table of all, and what is unstable in
it. Open `axes.py` first, then `rounds.py` and `merging.py`; `listing.py`, `grid.py` and `wording.py` tell the matrix.
"""
