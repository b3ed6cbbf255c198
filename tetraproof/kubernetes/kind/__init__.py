"""A name and what is wanted of it come in; a kind cluster goes out, made or found, and is given back at the end.

Open `tenancy.py` first.
"""
