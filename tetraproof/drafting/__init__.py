"""A policy and the workloads come in; the text of a suite that proves the policy goes out, or why not.

It knows no target and performs nothing. Open `draft.py` first (what is drawn from what), then `files.py` (what is
tried on a guarded file) and `fate.py` (what the policy makes of it).
"""
