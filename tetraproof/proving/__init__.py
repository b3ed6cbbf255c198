"""A recording comes in; damages to it go out, and who noticed them.

Open `proof.py` first; `rule.py` says which damages are none.
"""
