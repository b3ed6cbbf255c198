"""Results come in; files in the words of others go out, for code scanning and for what counts tests.

Open `junit.py` first; what becomes of each verdict stands there. `sarif.py` has what `annotation.py` says of a promise.
"""
