"""A policy: a `TracingPolicy` or `TracingPolicyNamespaced` as `kubectl apply` accepts it.

The spec is checked against the schema of Tetragon's own CRD, and refused as a
strict API server would, so a typo is told before anything is applied.

Which values of a manifest are bound to the target is written in the manifest:

    metadata:
      annotations:
        tetraproof.dev/bind: '{"10.0.0.0/18": "ranges.pods", "10.1.0.0/20": "ranges.services"}'
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from tetraproof.errors import PolicyError
from tetraproof.text import shorten

KINDS = ("TracingPolicy", "TracingPolicyNamespaced")
BIND = "tetraproof.dev/bind"
#: The parts of a spec that hook something; a policy without any does nothing.
HOOKS = ("kprobes", "tracepoints", "lsmhooks", "uprobes", "usdts", "fentries", "loader", "enforcers")


@dataclass(frozen=True)
class Policy:
    """One policy. `spec` is as written; `bound` maps its bound values to logical names; `text` is the file."""

    name: str
    namespace: str
    kind: str
    spec: Mapping[str, Any]
    bound: Mapping[str, str]
    text: str
    source: str

    @property
    def key(self) -> tuple[str, str]:
        """`(namespace, name)`, as `tetra tracingpolicy list` tells policies apart; a global one has no namespace."""
        return self.namespace, self.name

    @cached_property
    def normalised(self) -> dict[str, Any]:
        """The spec with the CRD's defaults filled in: two policies that say the same are equal here."""
        filled: dict[str, Any] = _with_defaults(self.spec, _schema())
        return filled


@dataclass(frozen=True)
class Difference:
    """Where two specs part: the field, what the one says and what the other."""

    field: str
    ours: Any
    theirs: Any

    def __str__(self) -> str:
        return f"{self.field}: here {_shown(self.ours)}, there {_shown(self.theirs)}"


@dataclass(frozen=True)
class Likeness:
    """How two specs compare: the values that bound places have there, and all true differences."""

    bindings: Mapping[str, str]
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether both say the same, bound values apart."""
        return not self.differences


def load(path: Path) -> Policy:
    """The policy in the file `path`. Raises `PolicyError` naming file, field and fix."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(f"The policy {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise PolicyError(f"The policy {path} is no text: byte {error.start} is not UTF-8.") from error
    return parse(text, str(path))


@cache
def parse(text: str, source: str, *, recorded: bool = False) -> Policy:
    """The policy that `text` holds; `source` names it in errors.

    A `recorded` one was accepted by an agent that may be newer than the CRD known here, which then has no say.
    """
    document = _only_document(text, source)
    kind = document.get("kind")
    if kind not in KINDS:
        near = difflib.get_close_matches(str(kind), KINDS, 1)
        remedy = f"write kind: {near[0] if near else 'TracingPolicy'}"
        raise PolicyError(f"{source}: kind is {kind!r}, which is no Tetragon policy.", remedy=remedy)
    if not str(document.get("apiVersion", "")).startswith("cilium.io/"):
        raise PolicyError(
            f"{source}: apiVersion is {document.get('apiVersion')!r}.", remedy="write apiVersion: cilium.io/v1alpha1"
        )
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise PolicyError(f"{source}: metadata.name is missing.", remedy="give the policy a name")
    namespace = str(metadata.get("namespace", "")) if kind == "TracingPolicyNamespaced" else ""
    if kind == "TracingPolicyNamespaced" and not namespace:
        raise PolicyError(
            f"{source}: metadata.namespace is missing, and a TracingPolicyNamespaced guards just one.",
            remedy="name the namespace",
        )
    spec = document.get("spec")
    if not isinstance(spec, dict):
        raise PolicyError(f"{source}: spec is missing.", remedy="a policy says under spec what it hooks")
    if not recorded:
        _check(spec, source)
    if not any(spec.get(hook) for hook in HOOKS):
        raise PolicyError(f"{source}: spec hooks nothing.", remedy=f"add one of {', '.join(HOOKS)}")
    return Policy(metadata["name"], namespace, kind, spec, _bound(metadata, spec, source), text, source)


def with_values(policy: Policy, values: Mapping[str, str]) -> Policy:
    """`policy` with each bound value replaced by what its logical name is bound to in `values`."""
    replacements = {value: values[name] for value, name in policy.bound.items() if name in values}
    return Policy(
        policy.name,
        policy.namespace,
        policy.kind,
        _replaced(policy.spec, replacements),
        {replacements.get(value, value): name for value, name in policy.bound.items()},
        policy.text,
        policy.source,
    )


def compare(ours: Policy, theirs: Policy) -> Likeness:
    """Whether `theirs` (recorded) says what `ours` (a manifest) says, and what its bound values are there."""
    bindings: dict[str, str] = {}
    differences = list(_differences(ours.normalised, theirs.normalised, "spec", ours.bound, bindings))
    if ours.kind != theirs.kind:
        differences.insert(0, Difference("kind", ours.kind, theirs.kind))
    return Likeness(bindings, tuple(differences))


class _Loader(yaml.SafeLoader):
    """Refuses a key that is written twice, of which YAML's usual readers keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        seen = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key_node.value!r} is written twice", problem_mark=key_node.start_mark
                )
            seen.add(str(key_node.value))
        return super().construct_mapping(node, deep)


def _only_document(text: str, source: str) -> dict[str, Any]:
    try:
        documents = [document for document in yaml.load_all(text, _Loader) if document is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise PolicyError(f"{source} is no YAML{where}: {problem}.") from error
    if len(documents) != 1:
        raise PolicyError(
            f"{source} holds {len(documents)} documents where one policy is expected.", remedy="one policy a file"
        )
    if not isinstance(documents[0], dict):
        raise PolicyError(
            f"{source} holds a {type(documents[0]).__name__} where a policy is a mapping.",
            remedy="begin with apiVersion, kind, metadata and spec",
        )
    return documents[0]


def _bound(metadata: Mapping[str, Any], spec: Mapping[str, Any], source: str) -> dict[str, str]:
    field = f"{source}: metadata.annotations[{BIND!r}]"
    annotations = metadata.get("annotations") or {}
    if not isinstance(annotations, dict):
        raise PolicyError(f"{source}: metadata.annotations is no mapping.", remedy="write name: value")
    written = annotations.get(BIND)
    if written is None:
        return {}
    try:
        bound = json.loads(written)
    except (TypeError, ValueError) as error:
        raise PolicyError(f"{field} is no JSON: {error}.", remedy='write {"value in spec": "logical name"}') from error
    if not isinstance(bound, dict) or not all(isinstance(name, str) for name in bound.values()):
        raise PolicyError(f"{field} is no mapping of text.", remedy='write {"value in spec": "logical name"}')
    for value in bound:
        if value not in _leaves(spec):
            raise PolicyError(f"{field} binds {value!r}, which spec does not hold.", remedy="bind a value of the spec")
    return bound


@cache
def _schema() -> dict[str, Any]:
    written = files("tetraproof").joinpath("schemas/tracingpolicy.spec.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(written)
    return schema


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_strict(_schema()))


def _strict(schema: Any) -> Any:
    """The schema, refusing the unknown fields that an API server would prune in silence."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(part) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    return strict


def _check(spec: Mapping[str, Any], source: str) -> None:
    for field in _unreadable(spec, "spec"):
        raise PolicyError(
            f"{source}: {field} is a field that the CRD does not know.", remedy="write a name that the CRD knows"
        )
    error = jsonschema.exceptions.best_match(_validator().iter_errors(spec))
    if error is None:
        return
    where = "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = next(key for key in error.instance if key not in known)
        near = difflib.get_close_matches(unknown, known, 1)
        raise PolicyError(
            f"{source}: {where}.{unknown} is a field that the CRD does not know.",
            remedy=f"did you mean {near[0]}?" if near else f"the CRD knows {', '.join(sorted(known))}",
        )
    if error.validator == "enum":
        near = difflib.get_close_matches(str(error.instance), error.validator_value, 1, 0.5)
        values = ", ".join(sorted(error.validator_value))
        raise PolicyError(
            f"{source}: {where}: {error.instance!r} is no value that the CRD knows.",
            remedy=f"did you mean {near[0]}? It knows {values}" if near else f"it knows {values}",
        )
    raise PolicyError(f"{source}: {where}: {shorten(error.message, 160)}.", remedy="see the CRD of TracingPolicy")


def _unreadable(value: Any, field: str) -> Iterator[str]:
    """The fields whose names are no text (YAML lets a number or nothing be a name)."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            if not isinstance(key, str):
                yield f"{field}.{'' if key is None else key}"
            else:
                yield from _unreadable(part, f"{field}.{key}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _unreadable(part, f"{field}[{index}]")


def _with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        properties = schema.get("properties", {})
        filled = {key: part["default"] for key, part in properties.items() if "default" in part}
        filled |= {key: _with_defaults(part, properties.get(key, {})) for key, part in value.items()}
        return filled
    if isinstance(value, list):
        return [_with_defaults(part, schema.get("items", {})) for part in value]
    return value


def _differences(
    ours: Any, theirs: Any, field: str, bound: Mapping[str, str], bindings: dict[str, str]
) -> Iterator[Difference]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            yield from _differences(ours.get(key), theirs.get(key), f"{field}.{key}", bound, bindings)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(mine, other, f"{field}[{index}]", bound, bindings)
    elif isinstance(ours, str) and isinstance(theirs, str) and ours in bound:
        name = bound[ours]
        if bindings.setdefault(name, theirs) != theirs:
            yield Difference(field, f"{name}={bindings[name]}", theirs)
    elif ours != theirs:
        yield Difference(field, ours, theirs)


def _replaced(value: Any, replacements: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _replaced(part, replacements) for key, part in value.items()}
    if isinstance(value, list):
        return [_replaced(part, replacements) for part in value]
    return replacements.get(value, value) if isinstance(value, str) else value


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def _shown(value: Any) -> str:
    return "nothing" if value is None else shorten(json.dumps(value, ensure_ascii=False), 60)
