"""Events come in; the lines go out that the `tetra` of each version prints of them.

Open `compact.py` first; `dialect.py` tells the versions apart.
"""
