"""A kernel and a Tetragon come in; a machine without Kubernetes goes out that can be acted on.

Open `plan.py` first: it says what such a run is made of.
"""
