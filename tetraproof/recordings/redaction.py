"""What is kept of a cluster is kept without secrets: no values of environment variables, nor what is named like one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

REDACTED = "(redacted)"
_NAMED = re.compile(
    r"passw|secret|token|credential|api-?key|private-?key|authorization|\.dockerconfigjson", re.IGNORECASE
)
#: Fields that are named like a secret and say only where one is, or how long it lasts.
_HARMLESS = re.compile(
    r"name$|names$|path$|ref$|keyref$|seconds$|automount|^serviceaccounttoken$|secrets$", re.IGNORECASE
)
_IN_TEXT = (
    re.compile(r"(Bearer\s+)[\w.~+/=-]{8,}"),
    re.compile(r"((?:password|passwd|secret|token|api_?key)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;]{4,}", re.IGNORECASE),
    # a JSON Web Token, wherever it stands
    re.compile(r"()\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"),
)


def redacted(value: Any) -> Any:
    """A Kubernetes object, or a part of one, without the values of its environment variables and of its secrets."""
    if isinstance(value, Mapping):
        return {key: _field(str(key), part) for key, part in value.items() if key != "managedFields"}
    if isinstance(value, list):
        return [redacted(part) for part in value]
    return redacted_text(value) if isinstance(value, str) else value


def redacted_text(text: str) -> str:
    """A log or the like, without what reads like a password or a token."""
    for pattern in _IN_TEXT:
        text = pattern.sub(rf"\g<1>{REDACTED}", text)
    return text


def redacted_yaml(text: str) -> str:
    """Chart values without their secrets; `helm get values` begins with a line that is kept."""
    head, _, body = (
        text.partition("\n") if text.startswith(("COMPUTED VALUES", "USER-SUPPLIED VALUES")) else ("", "", text)
    )
    return (f"{head}\n" if head else "") + yaml.safe_dump(redacted(yaml.safe_load(body)), sort_keys=False)


def _field(name: str, part: Any) -> Any:
    if name == "env" and isinstance(part, list):
        return [{**one, "value": REDACTED} if isinstance(one, Mapping) and one.get("value") else one for one in part]
    if isinstance(part, str | bytes) and part and _NAMED.search(name) and not _HARMLESS.search(name):
        return REDACTED
    return redacted(part)
