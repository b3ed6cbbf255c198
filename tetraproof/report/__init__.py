"""What a person reads of a result: the page of a run, the matrix of several runs, the terminal's summary.

All of it is drawn from `tetraproof.report.result.Result` and from nothing else.
"""
