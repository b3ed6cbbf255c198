"""Results come in; what a person reads goes out: the page of a run, the matrix of several, the terminal's summary.

All of it is drawn from a `Result` and from nothing else. Open `result.py` first, then `page.py`.
"""
