"""The templates of the pages: strangers' text in them is made safe and escaped, whoever forgets to ask for it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tetraproof.report import drawing, label
from tetraproof.text import safe_block, shorten

#: Of a longer text only the head is on the page; the whole is in verdicts.json.
MOST_TEXT = 200_000
#: Of a longer event likewise.
MOST_JSON = 20_000
_LINE = 100


def render(name: str, **values: object) -> str:
    """The page that the template `name` makes of `values`: complete in itself, and closed to anything from outside.

    Its policy allows the one style and the one script that are ours, by their digests, and nothing else: the script of
    `page.html.j2` is `page.js.j2`, and its style `page.css.j2`, or `style.css.j2` where it has none of its own.
    """
    environment = _environment()
    stem = name.partition(".")[0]
    style = environment.select_template([f"{stem}.css.j2", "style.css.j2"])
    allowed = {
        "style": style.name,
        "style_digest": _digest(style.render()),
        "script_digest": _digest(environment.get_template(f"{stem}.js.j2").render()),
    }
    return environment.get_template(name).render(**values, **allowed)


def pretty(value: object, indent: str = "") -> str:
    """JSON as a person reads it: what fits on a line stays on one."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(flat) <= _LINE or not value or not isinstance(value, dict | list | tuple):
        return flat
    inner = f"{indent} "
    if isinstance(value, Mapping):
        parts = [f"{json.dumps(name, ensure_ascii=False)}: {pretty(one, inner)}" for name, one in value.items()]
    else:
        parts = [pretty(one, inner) for one in value]
    opening, closing = "{}" if isinstance(value, Mapping) else "[]"
    body = ",\n".join(f"{inner}{part}" for part in parts)
    return f"{opening}\n{body}\n{indent}{closing}"


def packed(content: str) -> str:
    """Text as a page's script unfolds it: gzip, in base64. The same text is always the same.

    Acts are nine tenths of a run's page, and hardly anybody opens all of them.
    """
    return base64.b64encode(gzip.compress(content.encode(), mtime=0)).decode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tetraproof.report", ""),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shorten": shorten,
        "text": lambda value: _content(_head(safe_block(value), MOST_TEXT)),
        "pretty": lambda value: _content(_head(safe_block(pretty(value)), MOST_JSON)),
        "shares": label.shares,
        "known_verdict": label.known_verdict,
        "shape": drawing.shape,
        "cut": drawing.cut,
        "packed": packed,
    }
    environment.globals |= {"meanings": label.MEANINGS, "not_judged": label.NOT_JUDGED}
    return environment


def _finalize(value: object) -> object:
    """What every `{{ … }}` goes through before it is escaped."""
    if isinstance(value, Markup):
        return value
    return "" if value is None else safe_block(value)


def _head(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]}\n… {len(text) - most} characters more, in verdicts.json"


def _content(text: str) -> Markup:
    """Text as the content of an element, where quotes need no escape: JSON is a quarter quotes."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Markup(escaped)  # noqa: S704 - escaped in the line above


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
