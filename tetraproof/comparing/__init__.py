"""Two results side by side: which verdicts changed, and how behaviour changed underneath equal ones.

In come two results, as `verdicts.json` holds them; out goes what differs, without what always does (times, ids, ports,
addresses). Open `comparison.py` first.
"""
