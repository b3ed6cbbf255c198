"""A policy and the workloads come in; the text of a suite that proves the policy goes out, or why not.

It knows no target and performs nothing. Open `derivation.py` first; then `on_files.py` (what is drawn of a guarded
file), `deeds/` (the acts), `foretelling/` (what the policy makes of an act) and `promise.py` (what is asserted of it).
"""
