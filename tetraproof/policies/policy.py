"""A policy: a `TracingPolicy` or `TracingPolicyNamespaced` as `kubectl apply` accepts it.

The spec is checked against the schema of Tetragon's own CRD, and refused as a
strict API server would, so a typo is told before anything is applied.

Which values of a manifest are bound to the target is written in the manifest:

    metadata:
      annotations:
        tetraproof.dev/bind: '{"10.0.0.0/18": "ranges.pods", "10.1.0.0/20": "ranges.services"}'

A file that a policy hooks, in a pod of the `probe` workload, is bound by `{"/usr/bin/bash": "probe.file"}`: the agent
opens it in its own mounts, and there that pod's files are elsewhere.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from tetraproof import decoding
from tetraproof.decoding import Source
from tetraproof.errors import PolicyError
from tetraproof.policies import manifest
from tetraproof.policies.binding import Bindings, owner
from tetraproof.policies.crd import DEFAULT, check, schema, with_defaults, without_nulls
from tetraproof.text import shorten

KINDS = ("TracingPolicy", "TracingPolicyNamespaced")
#: The kinds that hold other manifests under `items`.
LISTS = ("List", "TracingPolicyList", "TracingPolicyNamespacedList")
API_VERSION = "cilium.io/v1alpha1"
BIND = "tetraproof.dev/bind"
#: The feature of the policy language that the policy is a case of (`tetraproof.language.feature`).
FEATURE = "tetraproof.dev/feature"
#: The parts of a spec that hook something; a policy without any does nothing.
HOOKS = ("kprobes", "tracepoints", "lsmhooks", "uprobes", "usdts", "fentries", "loader", "enforcers")
#: The fields of an object's metadata, those that a cluster writes included.
_METADATA = (
    *("name", "namespace", "labels", "annotations", "generateName", "uid", "resourceVersion", "generation", "selfLink"),
    *("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "finalizers"),
    "managedFields",
)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NAME = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
#: A document without one of these words is no policy, whatever else it is, and need not be read.
MENTIONED = re.compile(rf"TracingPolic(?:y|ies)|tracingpolic|{re.escape(API_VERSION)}\b", re.IGNORECASE)


@dataclass(frozen=True)
class Policy:
    """One policy. `spec` is as written; `bound` maps its bound values to logical names; `text` is the document.

    `namespace` is empty where it is global, and where it is for the namespace that it will be applied to. `crd` is the
    version of the CRD by which it was judged, or that CRD's file. `line` is where its document begins in the file, and
    `within` leads to it there: it is empty where the document is the policy, and not one item of a list. `feature` is
    what of the policy language it is a case of, if it says so.
    """

    name: str
    namespace: str
    kind: str
    spec: Mapping[str, Any]
    bound: Mapping[str, str]
    text: str
    source: str
    crd: str = DEFAULT
    line: int = 1
    within: tuple[str | int, ...] = ()
    feature: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """`(namespace, name)`, as `tetra tracingpolicy list` tells policies apart; a global one has no namespace."""
        return self.namespace, self.name

    @cached_property
    def normalised(self) -> dict[str, Any]:
        """The spec with the CRD's defaults filled in: two policies that say the same are equal here."""
        filled: dict[str, Any] = with_defaults(self.spec, schema(self.crd))
        return filled

    @property
    def hooks_nothing(self) -> bool:
        """Whether the policy has no hook at all, so that nothing becomes of it wherever it is applied."""
        return not any(self.spec.get(hook) for hook in HOOKS)


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


def load(path: Path, *, crd: str = DEFAULT) -> Policy:
    """The policy in the file `path`, judged by the CRD of version `crd`.

    Raises `PolicyError` naming file, field and fix.
    """
    return parse(manifest.text_of(path), str(path), crd=crd)


@cache
def parse(text: str, source: str, *, recorded: bool = False, crd: str = DEFAULT) -> Policy:
    """The policy that `text` holds; `source` names it in errors.

    A `recorded` one was accepted by an agent that may be newer than the CRD known here, which then has no say.
    """
    found = list(manifest.documents(text, source))
    if len(found) > 1:
        # what stands beside the one policy (a namespace, a comment's leftover) is not ours to judge
        found = [document for document in found if MENTIONED.search(document.text)]
    if len(found) != 1:
        raise PolicyError(f"{source} holds {len(found)} policies where one is expected.", remedy="one policy a file")
    (document,) = found
    value = document.read()
    items = items_of(value) if isinstance(value, dict) else [value]
    if len(items) != 1:
        raise PolicyError(f"{source} holds {len(items)} policies where one is expected.", remedy="one policy a file")
    return of_manifest(items[0], document, recorded=recorded, crd=crd)


def other_kind(value: Any) -> str:
    """Why a document that mentions a policy is none, in a clause; nothing where it is meant as one."""
    if not isinstance(value, dict):
        return f"it holds a {type(value).__name__}, and no manifest"
    kind = value.get("kind")
    if kind in LISTS:
        return ""
    if isinstance(kind, str) and kind not in KINDS and not difflib.get_close_matches(kind, KINDS, 1, 0.8):
        return f"its kind is {shorten(kind, 60)}"
    return "" if "kind" in value or "spec" in value else "it has no kind"


def items_of(value: dict[str, Any]) -> list[Any]:
    """The manifests that a document stands for: itself, or those of a list."""
    if value.get("kind") not in LISTS:
        return [value]
    items = value.get("items")
    return [item for item in items if not other_kind(item)] if isinstance(items, list) else []


def of_manifest(value: Any, document: manifest.Document, *, recorded: bool = False, crd: str = DEFAULT) -> Policy:
    """The policy that `value`, read from `document` or an item of a list in it, holds. Raises `PolicyError`."""
    source = document.source
    if not isinstance(value, dict):
        raise PolicyError(
            f"{source} holds a {type(value).__name__} where a policy is a mapping.",
            remedy="begin with apiVersion, kind, metadata and spec",
        )
    kind = value.get("kind")
    if kind not in KINDS:
        near = difflib.get_close_matches(str(kind), KINDS, 1)
        remedy = f"write kind: {near[0] if near else 'TracingPolicy'}"
        raise PolicyError(
            f"{source}: kind is {_quoted(kind)}, which is no Tetragon policy.", remedy=remedy, way=("kind",)
        )
    if value.get("apiVersion") != API_VERSION:
        raise PolicyError(
            f"{source}: apiVersion is {_quoted(value.get('apiVersion'))}, and no other than {API_VERSION} is served.",
            remedy=f"write apiVersion: {API_VERSION}",
            way=("apiVersion",),
        )
    name, namespace = _identity(value.get("metadata"), kind, source, recorded=recorded)
    spec = value.get("spec")
    if not isinstance(spec, dict):
        raise PolicyError(f"{source}: spec is missing.", remedy="a policy says under spec what it hooks")
    if not recorded:
        _check_names(value, ("apiVersion", "kind", "metadata", "spec"), source)
        check(spec, source, crd)
        _check_host(kind, spec, source, crd)
    spec = without_nulls(spec, schema(crd))
    bound = _bound(value["metadata"], spec, source)
    feature = str((value["metadata"].get("annotations") or {}).get(FEATURE) or "")
    return Policy(name, namespace, kind, spec, bound, document.text, source, crd, document.line, feature=feature)


def _identity(metadata: Any, kind: str, source: str, *, recorded: bool) -> tuple[str, str]:
    """A policy's name and its namespace. A namespaced one without is for the namespace that it is applied to."""
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise PolicyError(f"{source}: metadata.name is missing.", remedy="give the policy a name", way=("metadata",))
    namespace = metadata.get("namespace") or ""
    if not isinstance(namespace, str):
        raise PolicyError(f"{source}: metadata.namespace is no text.", remedy="quote it", way=("metadata", "namespace"))
    if not recorded:
        _check_names(metadata, _METADATA, source, "metadata.")
        _check_name(metadata["name"], _NAME, 253, source, "name")
        if namespace:
            _check_name(namespace, _LABEL, 63, source, "namespace")
    return metadata["name"], namespace if kind == "TracingPolicyNamespaced" else ""


def _check_name(name: str, pattern: re.Pattern[str], most: int, source: str, field: str) -> None:
    if len(name) > most or not pattern.fullmatch(name):
        near = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")[:most]
        raise PolicyError(
            f"{source}: metadata.{field} is {_quoted(name)}, and Kubernetes takes lower-case letters, digits, "
            "- and . alone.",
            remedy=f"write {near}" if near else "give it such a name",
            way=("metadata", field),
        )


def _check_names(value: Mapping[str, Any], known: Sequence[str], source: str, within: str = "") -> None:
    for name in value:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise PolicyError(
                f"{source}: {within}{shorten(name, 60)} is a field that no manifest has.",
                remedy=f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}",
                way=(*filter(None, (within.rstrip("."),)), name),
            )
    if not within:
        return
    for field in ("labels", "annotations"):
        told = value.get(field)
        if told is not None and not isinstance(told, dict):
            raise PolicyError(
                f"{source}: metadata.{field} is no mapping.", remedy="write name: value", way=("metadata", field)
            )
        for name, text in (told or {}).items():
            if text is not None and not isinstance(text, str) and name != BIND:
                raise PolicyError(
                    f"{source}: metadata.{field}.{shorten(name, 60)} is no text.",
                    remedy=f'write "{_shown(text)}"',
                    way=("metadata", field, name),
                )


def with_values(policy: Policy, bindings: Bindings) -> Policy:
    """`policy` with each bound value replaced by what stands for it here; what nobody knows stays as it is."""
    here = {value: bindings.of_policy(name, value) for value, name in policy.bound.items()}
    replacements = {value: there for value, there in here.items() if there is not None}
    return dataclasses.replace(
        policy,
        spec=_replaced(policy.spec, replacements),
        bound={replacements.get(value, value): name for value, name in policy.bound.items()},
    )


def compare(ours: Policy, theirs: Policy) -> Likeness:
    """Whether `theirs` (recorded) says what `ours` (a manifest) says, and what its bound values are there."""
    bindings: dict[str, str] = {}
    # by one CRD: what another fills in is no difference
    there = (theirs if theirs.crd == ours.crd else dataclasses.replace(theirs, crd=ours.crd)).normalised
    differences = list(_differences(ours.normalised, there, "spec", ours.bound, bindings))
    if ours.kind != theirs.kind:
        differences.insert(0, Difference("kind", ours.kind, theirs.kind))
    return Likeness(bindings, tuple(differences))


def _bound(metadata: Mapping[str, Any], spec: Mapping[str, Any], source: str) -> dict[str, str]:
    field, way = f"{source}: metadata.annotations[{BIND!r}]", ("metadata", "annotations", BIND)
    form = 'write {"value in spec": "logical name"}'
    annotations = metadata.get("annotations") or {}
    if not isinstance(annotations, dict):
        raise PolicyError(f"{source}: metadata.annotations is no mapping.", remedy="write name: value")
    written = annotations.get(BIND)
    if written is None:
        return {}
    if not isinstance(written, str):
        raise PolicyError(f"{field} is no JSON but a {type(written).__name__}.", remedy=form, way=way)
    try:
        bound = decoding.as_json(written, Any, Source(field, form, PolicyError))
    except PolicyError as error:
        raise PolicyError(error.sentence, remedy=form, way=way) from error
    if not isinstance(bound, dict) or not all(isinstance(name, str) for name in bound.values()):
        raise PolicyError(f"{field} is no mapping of text.", remedy=form, way=way)
    for value in bound:
        if value not in _leaves(spec):
            raise PolicyError(
                f"{field} binds {value!r}, which spec does not hold.", remedy="bind a value of the spec", way=way
            )
    return bound


def _check_host(kind: str, spec: Mapping[str, Any], source: str, crd: str) -> None:
    # a rule of the whole object, which the schema of the spec does not hold
    if kind == "TracingPolicyNamespaced" and crd == "main" and spec.get("hostSelector") is not None:
        raise PolicyError(
            f"{source}: spec.hostSelector selects hosts, and a TracingPolicyNamespaced guards pods of one namespace.",
            remedy="leave it out, or write kind: TracingPolicy",
            way=("spec", "hostSelector"),
        )


def _quoted(value: Any) -> str:
    return shorten(repr(value), 60)


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
        if owner(name):
            if not theirs.endswith(ours):
                yield Difference(field, ours, theirs)
                return
            theirs = theirs.removesuffix(ours)
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
