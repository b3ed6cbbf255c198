"""A run comes in, raw or as it happens; a folder goes out that replays with the same verdicts, and is read back.

Open `recording.py` first; `admission.py` says what is refused.
"""
