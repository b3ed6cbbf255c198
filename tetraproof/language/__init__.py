"""The policy language: which features it has, what a case of one is, and on which recorded cells it is proven.

In come the CRD's schema, the manifests and what recordings are pinned to show; out go the features
of a policy and what is known of each. Open `feature.py` first.
"""
