"""A policy and an act come in; what becomes of the act goes out: killed, refused, told of, left alone, or unknown.

Open `fate.py` first; `reading.py` is a policy's hooks, `happening.py` what an act makes happen and which hook sees it.
"""
