"""What was observed comes in, and what a suite asks of it; a verdict goes out, with its reason.

It knows no target. Open `scenario.py` first (`run.guarded`), then `question.py`, `sought.py` and `claim.py`.
"""
