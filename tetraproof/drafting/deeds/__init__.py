"""What a policy guards comes in; the deeds that are tried on it go out, each as a person would type it.

Open `files.py` first. `values.py` says which paths are just inside of a selector, and which just outside.
"""
