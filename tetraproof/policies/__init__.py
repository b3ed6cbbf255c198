"""A manifest comes in; a policy goes out, with what it hooks, what it needs, and what keeps it to a place.

Open `policy.py` first; then `requirement.py` (what it needs) and `capability.py` (what is there).
"""
