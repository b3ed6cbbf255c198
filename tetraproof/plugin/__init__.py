"""Options and suites go in, pytest's own results and a report come out: tetraproof as a plugin of pytest.

Open `entry.py` first: it decides whether a session is about suites at all, and loads the rest only then.
`foreseeing.py` sees before a live target is opened that something is selected, `session.py` opens the target,
`collecting.py` makes tests of a suite, `judgement.py` judges them, and `writing.py` tells what came of it.
"""
