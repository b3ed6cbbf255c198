"""How long things take: deadlines come in; waits that end by them, what is said meanwhile, and where time went go out.

Open `waiting.py` first.
"""
