"""A result as SARIF, for code scanning: its annotations, by their levels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import tetraproof
from tetraproof.report.annotation import ERROR, NOTICE, WARNING, Annotation, annotated
from tetraproof.report.result import Result

_LEVELS = {ERROR: "error", WARNING: "warning", NOTICE: "note"}
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(results: Sequence[Result]) -> str:
    """A SARIF 2.1.0 log: a rule for each promise, a result for each that does not conform."""
    told = list(annotated(results))
    rules = {one.rule: {"id": one.rule, "name": one.rule, "shortDescription": {"text": one.rule}} for one in told}
    driver = {"name": "tetraproof", "version": tetraproof.__version__, "rules": list(rules.values())}
    run = {
        "tool": {"driver": driver},
        "results": [_result(one) for one in told],
        "columnKind": "unicodeCodePoints",
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _result(one: Annotation) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": quote(one.file)}, "region": {"startLine": one.line}}
    return {
        "ruleId": one.rule,
        "level": _LEVELS[one.level],
        "message": {"text": f"{one.title}: {one.text}"},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"promise/v1": f"{one.policy}/{one.rule}/{one.file}"},
    }
