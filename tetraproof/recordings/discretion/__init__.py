"""What was observed comes in; it goes out without secrets, and without the machine that it was observed from.

Open `redaction.py` for secrets, `neutral.py` for folders.
"""
