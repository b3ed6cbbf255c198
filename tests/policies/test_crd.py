"""The CRD's schemas: made from its own file, kept as differences, and judged by as an API server does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tetraproof.errors import PolicyError
from tetraproof.policies import crd


def test_every_version_is_kept() -> None:
    """And knows more than the one before it."""
    fields = {version: crd.fields_at(("kprobes",), version) for version in crd.VERSIONS}
    assert "usdts" not in fields["1.4.1"]
    assert {"usdts", "fentries", "hostSelector"} <= set(fields["1.7.0"])
    assert "nodeSelector" in fields["main"]
    assert "nodeSelector" not in fields["1.7.1"]


def file_of(spec: dict[str, Any], path: Path) -> Path:
    described = {"properties": {"spec": {**spec, "description": "gone"}}}
    path.write_text(yaml.safe_dump({"spec": {"versions": [{"schema": {"openAPIV3Schema": described}}]}}))
    return path


@pytest.mark.parametrize("version", crd.VERSIONS)
def test_what_is_kept_is_made_from_the_crd_by_a_command(tmp_path: Path, version: str) -> None:
    """Again, and it is the same file; descriptions are left out, a field that is called so is not."""
    made = crd.keep(file_of(dict(crd.schema(version)), tmp_path / "crd.yaml"), version, "here", tmp_path)
    shipped = Path(crd.__file__).parents[1] / "schemas" / made.name
    written, kept = (json.loads(path.read_bytes()) for path in (made, shipped))
    assert (written == kept) if version == crd.DEFAULT else (written["differs"] == kept["differs"])


def test_a_field_called_description_is_kept(tmp_path: Path) -> None:
    """Only the CRD's own descriptions go."""
    spec = {"properties": {"description": {"type": "string", "description": "gone"}}, "type": "object"}
    kept = {"properties": {"description": {"type": "string"}}, "type": "object"}
    assert crd.of_file(file_of(spec, tmp_path / "crd.yaml")) == kept


def test_a_file_that_is_no_crd_is_told(tmp_path: Path) -> None:
    """In a sentence."""
    (tmp_path / "crd.yaml").write_text("spec: {versions: []}")
    with pytest.raises(PolicyError, match="holds no CRD"):
        crd.of_file(tmp_path / "crd.yaml")


HOOK = {"call": "f", "syscall": False}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"hostSelector": {"matchLabels": {"a": "b"}}}, "should be either null or {}"),
        ({"kprobes": [{**HOOK, "return": True}]}, "ReturnArg not specified"),
        ({"uprobes": [{"path": "/x", "symbols": ["a"], "offsets": [1]}]}, "at most one of symbols"),
    ],
)
def test_the_rules_that_main_states_in_cel(spec: dict[str, Any], message: str) -> None:
    """Each refuses there, and what it allows is taken; older CRDs have no such rules."""
    found = crd.fault(spec, "main")
    assert found is not None
    assert message in found.message
    assert crd.fault(spec) is None
    for fine in (
        {"hostSelector": {}},
        {"kprobes": [{**HOOK, "return": True, "returnArg": {"index": 0, "type": "int"}}]},
    ):
        assert crd.fault(fine, "main") is None


def test_every_rule_of_every_version_is_known() -> None:
    """One that is not known would be passed over."""

    def rules(part: Any) -> set[str]:
        if isinstance(part, dict):
            own = {" ".join(rule["rule"].split()) for rule in part.get("x-kubernetes-validations", ())}
            return own.union(*map(rules, part.values()))
        return set().union(*map(rules, part)) if isinstance(part, list) else set()

    every = set().union(*(rules(crd.schema(version)) for version in crd.VERSIONS))
    assert every == set(crd._RULES)


def test_labels_are_names_that_nobody_knows_before() -> None:
    """A mapping of any names is no mapping of unknown fields; an element that is null stays and is refused."""
    assert crd.unknown_fields({"podSelector": {"matchLabels": {"a": "b"}}}) == []
    assert crd.unknown_fields({"kprobes": [{"cal": None}]}) == [("kprobes", "[0]", "cal")]
    assert crd.without_nulls({"kprobes": None, "lists": [None]}, crd.schema()) == {"lists": [None]}
    assert crd.fault({"lists": [None]}) is not None
