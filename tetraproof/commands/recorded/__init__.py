"""The commands about recordings as such: making one of raw records, seeing that it is whole, pinning what it shows.

In come folders of records or of a recording; out go recordings, and their `expected.json`. Open `verify.py` first.
"""
