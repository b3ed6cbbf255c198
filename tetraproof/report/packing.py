"""What a page holds folded up: compressed, and unfolded by its script when somebody wants to see it.

Timelines are nine tenths of a run's page, and hardly anybody opens all of them.
"""

from __future__ import annotations

import base64
import gzip

from markupsafe import Markup

#: As small as it gets: a page is written once and loaded often.
_EFFORT = 9


def packed(content: str) -> Markup:
    """Text as a page's script unfolds it: gzip, in base64. The same text is always the same."""
    return Markup(base64.b64encode(gzip.compress(content.encode(), _EFFORT, mtime=0)).decode())  # noqa: S704 - base64
