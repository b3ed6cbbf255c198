"""The schema of a policy's spec in each version of Tetragon's CRD, and what an API server makes of a spec by it.

`schemas/tracingpolicy.spec.json` is the schema of `DEFAULT`; beside it lies for each other version
what differs from that, as a JSON merge patch (RFC 7386). They are made from the CRD's own file:

    python -m tetraproof.policies.crd cilium.io_tracingpolicies.yaml 1.7.1 "tag v1.7.1"
"""

from __future__ import annotations

import difflib
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from tetraproof.errors import PolicyError
from tetraproof.text import shorten

#: The version by which a policy is judged where none is asked for.
DEFAULT = "1.7.0"
#: Every version that is known, the oldest first; `main` is that of the branch from which 1.8 will be made.
VERSIONS = ("1.4.1", "1.5.0", "1.6.1", DEFAULT, "1.7.1", "main")

Schema = Mapping[str, Any]
_FEW = 20
_KINDS = ("TracingPolicy", "TracingPolicyNamespaced")
_POLICY = {"kind": _KINDS[0]}
_FORMATS = jsonschema.FormatChecker(())


@_FORMATS.checks("int32")
def _is_int32(value: object) -> bool:
    return not isinstance(value, int | float) or -(1 << 31) <= value < 1 << 31


@_FORMATS.checks("int64")
def _is_int64(value: object) -> bool:
    return not isinstance(value, int | float) or -(1 << 63) <= value < 1 << 63


def _at_most_one(*names: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda it: len(it.keys() & set(names)) < 2  # noqa: PLR2004 - two are more than one


#: The rules that the CRD states in CEL, each with what it asks of the object that it stands at.
_RULES: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "!has(self.matchLabels) && !has(self.matchExpressions)": lambda it: (
        not it.keys() & {"matchLabels", "matchExpressions"}
    ),
    "!has(self.return) || (!self.return || has(self.returnArg))": lambda it: not it.get("return") or "returnArg" in it,
    "!(has(self.symbols) && has(self.addrs)) && !(has(self.symbols) && has(self.offsets)) && "
    "!(has(self.addrs) && has(self.offsets))": _at_most_one("symbols", "addrs", "offsets"),
    "!(has(self.argNewSymbol) && has(self.argNewAddr)) && !(has(self.argNewSymbol) && has(self.argNewOffset)) && "
    "!(has(self.argNewAddr) && has(self.argNewOffset))": _at_most_one("argNewSymbol", "argNewAddr", "argNewOffset"),
}


@cache
def schema(version: str = DEFAULT) -> Schema:
    """The schema of a policy's spec in the CRD of `version`: one of `VERSIONS`, or the path of a CRD's own file.

    Raises `PolicyError` where there is none.
    """
    if version not in VERSIONS:
        if Path(version).is_file():
            return of_file(Path(version))
        known = ", ".join(VERSIONS)
        raise PolicyError(
            f"There is no CRD of Tetragon {version} here.", remedy=f"choose one of {known}, or name the file of a CRD"
        )
    spec: Schema = _kept("tracingpolicy.spec.json")
    return spec if version == DEFAULT else _patched(spec, _kept(f"tracingpolicy.spec.{version}.json")["differs"])


def unknown_fields(spec: Any, version: str = DEFAULT) -> list[tuple[str, ...]]:
    """The fields of `spec` that the CRD of `version` does not have, each as the way to it (`kprobes`, `[0]`, `cal`)."""
    return list(_unknown(spec, schema(version), ()))


def fields_at(way: Sequence[str], version: str = DEFAULT) -> list[str]:
    """The names of the fields that the CRD of `version` knows where the last name of `way` stands."""
    part: Schema = schema(version)
    for step in way[:-1]:
        part = part.get("items", {}) if step.startswith("[") else _field(part, step) or {}
    return sorted(part.get("properties", {}))


def without_nulls(value: Any, part: Schema) -> Any:
    """`value` as an API server keeps it: a field that is null is absent, an element that is null stays."""
    if isinstance(value, Mapping):
        return {
            name: without_nulls(inner, _field(part, name) or {})
            for name, inner in value.items()
            if inner is not None or name not in part.get("properties", {name: None})
        }
    if isinstance(value, list):
        return [without_nulls(inner, part.get("items", {})) for inner in value]
    return value


def with_defaults(value: Any, part: Schema) -> Any:
    """`value` with what the CRD fills in where a field is left out."""
    if isinstance(value, Mapping):
        filled = {name: inner["default"] for name, inner in part.get("properties", {}).items() if "default" in inner}
        filled |= {name: with_defaults(inner, _field(part, name) or {}) for name, inner in value.items()}
        return filled
    if isinstance(value, list):
        return [with_defaults(inner, part.get("items", {})) for inner in value]
    return value


def fault(spec: Any, version: str = DEFAULT) -> jsonschema.exceptions.ValidationError | None:
    """The worst of what the CRD of `version` has against `spec`, unknown fields apart; nothing where it takes it."""
    return next(iter(faults(spec, version)), None)


def faults(spec: Any, version: str = DEFAULT) -> list[jsonschema.exceptions.ValidationError]:
    """What the CRD of `version` has against `spec`, unknown fields apart, the worst first, and at most `_FEW`."""
    whole = with_defaults(without_nulls(spec, schema(version)), schema(version))
    errors = itertools.chain(_validator(version).iter_errors(whole), _ruled_out(whole, schema(version), ()))
    # a file that is wrong throughout is not read to its end
    few = list(itertools.islice(errors, _FEW))
    worst = jsonschema.exceptions.best_match(few)
    others = (jsonschema.exceptions.best_match([error]) for error in few)
    return [worst, *(error for error in others if error is not worst)] if few else []


def takes(spec: Any, version: str) -> bool:
    """Whether the CRD of `version` takes `spec`."""
    return not unknown_fields(spec, version) and fault(spec, version) is None


def check(spec: Mapping[str, Any], source: str, version: str = DEFAULT) -> None:
    """Refuse what `kubectl apply` refuses by the CRD of `version`: unknown fields, and values that it does not take.

    `source` names the file. Raises `PolicyError` naming file, field and fix, and the version that knows better; what
    else is refused is its `more`.
    """
    first, *more = (*_unknown_in(spec, source, version), *_refused_in(spec, source, version)) or (None,)
    if first is not None:
        first.more = tuple(one for one in more if one is not None)
        raise first


def _unknown_in(spec: Mapping[str, Any], source: str, version: str) -> list[PolicyError]:
    return [_unknown_field(way, source, version) for way in unknown_fields(spec, version)[:_FEW]]


def _refused_in(spec: Mapping[str, Any], source: str, version: str) -> list[PolicyError]:
    found = faults(spec, version)
    elsewhere = next((one for one in _others(version) if takes(spec, one)), "") if found else ""
    return [_refused(error, source, elsewhere, version) for error in found]


def _unknown_field(way: tuple[str, ...], source: str, version: str) -> PolicyError:
    field = f"{source}: {_shown(way)}"
    place = ("spec", *(int(step[1:-1]) if step.startswith("[") else step for step in way))
    known = fields_at(way, version)
    elsewhere = next((one for one in _others(version) if way[-1] in fields_at(way, one)), "")
    if elsewhere:
        return PolicyError(
            f"{field} is a field of {_whose(elsewhere)} CRD, judged by that of {version}.",
            remedy=f"{_choose(elsewhere)} (there are {', '.join(VERSIONS)})",
            way=place,
        )
    near = difflib.get_close_matches(way[-1], known, 1)
    return PolicyError(
        f"{field} is a field that the CRD does not know.",
        remedy=f"did you mean {near[0]}?" if near else f"the CRD knows {', '.join(known)}",
        way=place,
    )


def _others(version: str) -> list[str]:
    """The other versions, the nearest newer one first; of a CRD that came as a file nobody knows what is near."""
    at = VERSIONS.index(version) if version in VERSIONS else -1
    return [*VERSIONS[at + 1 :], *reversed(VERSIONS[: max(at, 0)])]


def _choose(version: str) -> str:
    return f"choose the CRD of your Tetragon: CRD={version}"


def _whose(version: str) -> str:
    return f"{version}'s"


def _shown(way: Sequence[str]) -> str:
    text = "spec" + "".join(step if step.startswith("[") else f".{step}" for step in way)
    return shorten(text, 120)


def _refused(error: jsonschema.exceptions.ValidationError, source: str, elsewhere: str, version: str) -> PolicyError:
    """The sentence for a value that the CRD does not take; `elsewhere` is a version whose CRD takes the policy."""
    choice = _choose(elsewhere) if elsewhere else ""
    judged = f", judged by that of {version}; {_whose(elsewhere)} takes it" if elsewhere else ""
    way = ("spec", *error.absolute_path)
    named = "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in way[1:])
    where = f"{source}: {shorten(named, 120)}"
    limits: Any = error.validator_value
    if error.validator == "enum":
        near = difflib.get_close_matches(str(error.instance), limits, 1, 0.5)
        values = ", ".join(sorted(limits))
        known = f"did you mean {near[0]}? It knows {values}" if near else f"it knows {values}"
        return PolicyError(
            f"{where}: {shorten(repr(error.instance), 60)} is no value that the CRD knows{judged}.",
            remedy=choice or known,
            way=way,
        )
    if error.validator == "type" and limits == "string" and isinstance(error.instance, bool | int | float):
        remedy = f'quote it: "{json.dumps(error.instance)}"'
    elif error.validator == "required":
        remedy = "write it"
    elif error.validator == "format":
        remedy = f"write a number of {str(limits).removeprefix('int')} bits"
    else:
        remedy = "see the CRD of TracingPolicy"
    message = error.message if error.validator != "required" else f"{error.message.split()[0]} is a required field"
    return PolicyError(f"{where}: {shorten(message, 100).rstrip('.')}{judged}.", remedy=choice or remedy, way=way)


def _unknown(value: Any, part: Schema, way: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            known = _field(part, name)
            if known is not None:
                yield from _unknown(inner, known, (*way, name))
            elif part.get("type") == "object":
                yield (*way, name)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _unknown(inner, part.get("items", {}), (*way, f"[{at}]"))


def _field(part: Schema, name: str) -> Schema | None:
    """The schema of one field of an object; nothing where it has none by that name."""
    found: Schema | None = part.get("properties", {}).get(name, part.get("additionalProperties"))
    return found


def _ruled_out(value: Any, part: Schema, way: tuple[str | int, ...]) -> Iterator[jsonschema.exceptions.ValidationError]:
    if isinstance(value, Mapping):
        for rule in part.get("x-kubernetes-validations", ()):
            # a rule that is not known here has no say: an API server may refuse what is taken here, never the reverse
            holds = _RULES.get(" ".join(rule["rule"].split()))
            if holds is not None and not holds(value):
                yield jsonschema.exceptions.ValidationError(rule["message"], validator="rule", path=way)
        for name, inner in value.items():
            yield from _ruled_out(inner, _field(part, name) or {}, (*way, name))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _ruled_out(inner, part.get("items", {}), (*way, at))


@cache
def _validator(version: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema(version), format_checker=_FORMATS)


def _kept(name: str) -> Any:
    return json.loads(files("tetraproof").joinpath("schemas", name).read_text(encoding="utf-8"))


def _patched(base: Any, patch: Any) -> Any:
    """`base` with a JSON merge patch applied."""
    if not isinstance(patch, Mapping):
        return patch
    made = dict(base) if isinstance(base, Mapping) else {}
    for name, part in patch.items():
        if part is None:
            made.pop(name, None)
        else:
            made[name] = _patched(made.get(name), part)
    return made


def _patch(base: Any, wanted: Any) -> Any:
    """The JSON merge patch that makes `wanted` of `base`."""
    if not (isinstance(base, Mapping) and isinstance(wanted, Mapping)):
        return wanted
    gone = {name: None for name in base if name not in wanted}
    return gone | {
        name: _patch(base.get(name), part) for name, part in wanted.items() if name not in base or base[name] != part
    }


def _bare(part: Any, *, named: bool = False) -> Any:
    """A schema without its descriptions; `named` where the keys are fields' own names."""
    if isinstance(part, list):
        return [_bare(inner) for inner in part]
    if not isinstance(part, Mapping):
        return part
    kept = {name: inner for name, inner in part.items() if named or name != "description"}
    return {name: _bare(inner, named=name == "properties" and not named) for name, inner in kept.items()}


def of_file(crd: Path) -> Schema:
    """The schema of the spec in a CRD's own file, without descriptions. Raises `PolicyError`."""
    try:
        # a file may hold several: that of TracingPolicyNamespaced has the same spec
        documents = [one for one in yaml.safe_load_all(crd.read_text(encoding="utf-8-sig")) if one]
        document = next(one for one in documents if one["spec"].get("names", _POLICY)["kind"] in _KINDS)
        whole = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        spec: Schema = _bare(whole["properties"]["spec"])
        jsonschema.Draft202012Validator.check_schema(spec)
    except (
        *(OSError, ValueError, yaml.YAMLError, TypeError, KeyError, IndexError, AttributeError, StopIteration),
        *(RecursionError, jsonschema.exceptions.SchemaError),
    ) as error:
        why = shorten(str(error).partition("\n")[0] or "it is of another kind", 100)
        raise PolicyError(
            f"{crd} holds no CRD with a schema of spec: {why}.", remedy="name the CRD's file, as Tetragon ships it"
        ) from error
    return spec


def keep(crd: Path, version: str, made_from: str, folder: Path) -> Path:
    """Write what the CRD in a file says of `version` into `folder`; the path of what was written."""
    spec = of_file(crd)
    name = "tracingpolicy.spec.json" if version == DEFAULT else f"tracingpolicy.spec.{version}.json"
    text = json.dumps(spec, separators=(",", ":"), sort_keys=True)
    if version != DEFAULT:
        record = {"made_from": made_from, "differs": _patch(schema(), spec)}
        text = json.dumps(record, separators=(",", ":"), sort_keys=True)
    (folder / name).write_text(text + "\n", encoding="utf-8")
    return folder / name


if __name__ == "__main__":
    try:
        _crd, _version, _made_from = sys.argv[1:]
    except ValueError:
        sys.exit('python -m tetraproof.policies.crd FILE VERSION "where the file is from"')
    try:
        print(keep(Path(_crd), _version, _made_from, Path(__file__).parents[1] / "schemas"))
    except PolicyError as problem:
        sys.exit(f"tetraproof: {problem}")
