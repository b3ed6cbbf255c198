"""The context of a kubeconfig comes in; a cluster goes out, an installation of Tetragon, and commands in pods.

Open `cluster.py` first, then `installation.py`.
"""
