"""A command comes in; how it ended goes out, on this machine or in a guest. What is fetched once is kept here.

Open `machine.py` first.
"""
