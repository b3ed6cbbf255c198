"""A policy comes in; what every agent refuses in it, and what it leaves open where it is taken, go out.

Open `survey.py` first: it lists every rule. A rule is a row of one of the `of_…` modules; add one there, with its
line in docs/lint.md. `mistake.py` tells what no agent takes, whatever its kernel.
"""
