"""The features of the policy language, by name: a field of the CRD, or a value that the CRD lists.

A feature is named by where it stands, without what every policy has: the hook's kind is left out where all
kinds have the same fields (`args`, `selectors`), and so is the name of the field whose values are the feature.

    kprobes.return                 a field of a hook
    args/file, args.resolve        a type of an argument, a field of one
    matchArgs/Postfix              an operator; matchArgs/Postfix/file says of which type of argument
    matchActions/Override          an action; matchActions/Override/syscall says on what kind of hook
    matchActions.argError          a field of an action
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from tetraproof.policies.crd import VERSIONS, Schema, schema
from tetraproof.policies.policy import HOOKS
from tetraproof.policies.requirement import SYSCALL_LISTS

#: What every kind of hook has, and is one language; an argument is one wherever it comes from.
_SHARED = {"args": "args", "data": "args", "returnArg": "args", "selectors": ""}
#: What stands elsewhere under another name, and reads the same.
_SAME = {"matchReturnArgs": "matchArgs", "matchData": "matchArgs", "matchReturnActions": "matchActions"}
#: The fields that say what the object around them is: a feature is named by their value alone.
_SAYS = {("args", "type"), ("lists", "type"), ("matchNamespaces", "namespace"), ("options", "name")}
_WORDS = {"operator", "action"}
#: What the hooks of a kind are of; a kprobe's or fentry's is told by what it hooks.
_SORTS = {"tracepoints": "tracepoint", "lsmhooks": "lsm", "uprobes": "uprobe", "usdts": "usdt"}


def features(spec: Schema) -> tuple[str, ...]:
    """Every feature that the schema of a policy's spec has, in its order."""
    return tuple(dict.fromkeys(_of_schema(spec, ())))


def used(spec: Mapping[str, Any]) -> frozenset[str]:
    """The features that a spec uses, of any version; an operator also with each type that it is used on.

    So is an action with each kind of hook.
    """
    own = frozenset(one for one in _of_spec(spec, ()) if one in known() or one.startswith("options/"))
    return own | frozenset(_typed(spec)) | frozenset(_taken(spec))


@cache
def known() -> frozenset[str]:
    """The features of every version of the CRD that is known here."""
    return frozenset(one for version in VERSIONS for one in features(schema(version)))


def within(feature: str, wider: str) -> bool:
    """Whether `feature` is `wider` or a part of it, as `matchArgs/Postfix/file` is of `matchArgs/Postfix`."""
    return feature == wider or feature.startswith((f"{wider}/", f"{wider}."))


def _of_schema(part: Schema, way: tuple[str, ...]) -> Iterator[str]:
    while part.get("type") == "array":
        part = part.get("items", {})
    for value in part.get("enum", ()):
        yield _valued(way, value)
    for name, inner in part.get("properties", {}).items():
        step = (*way, name)
        yield from _named(step)
        yield from _of_schema(inner, _folded(step))


def _of_spec(value: Any, way: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, list):
        for inner in value:
            yield from _of_spec(inner, way)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            step = (*way, str(name))
            yield from _named(step)
            yield from _of_spec(inner, _folded(step))
    elif isinstance(value, str) and way:
        yield _valued(way, value)


def _typed(spec: Mapping[str, Any]) -> Iterator[str]:
    """Each operator with the type of the argument that it is used on."""
    for hook in (one for kind in HOOKS for one in _objects(spec.get(kind))):
        types = {arg.get("index"): arg.get("type") for arg in _objects(hook.get("args"))}
        returned = hook.get("returnArg")
        came = returned.get("type") if isinstance(returned, Mapping) else None
        data = {at: arg.get("type") for at, arg in enumerate(_objects(hook.get("data")))}
        for selector in _objects(hook.get("selectors")):
            for filters, of in (("matchArgs", types), ("matchData", data)):
                for one in _objects(selector.get(filters)):
                    named = [one.get("index"), *(one.get("args") or ())]
                    yield from _operated(one, (of.get(at) for at in named if at is not None))
            for one in _objects(selector.get("matchReturnArgs")):
                yield from _operated(one, [came])


def _taken(spec: Mapping[str, Any]) -> Iterator[str]:
    """Each action with the kind of hook that it is taken on."""
    macros = spec.get("selectorsMacros") or {}
    for kind, hook in [(own, hook) for own in HOOKS for hook in _objects(spec.get(own))]:
        selectors = _objects(hook.get("selectors"))
        shared = [macros.get(name) for selector in selectors for name in selector.get("macros") or ()]
        for part in (*selectors, *_objects(shared)):
            for action in (*_objects(part.get("matchActions")), *_objects(part.get("matchReturnActions"))):
                if "action" in action:
                    yield f"matchActions/{action['action']}/{_sort(kind, hook, spec)}"


def _sort(kind: str, hook: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    """What a hook is of, as far as it matters to what may be done there."""
    if kind not in {"kprobes", "fentries"}:
        return _SORTS.get(kind, kind)
    call = str(hook.get("call", ""))
    named = next((one for one in _objects(spec.get("lists")) if call == f"list:{one.get('name')}"), None)
    first = str(next(iter((named or {}).get("values") or ()), "")) if named else call
    if first.startswith("__ia32_"):
        return "syscall32"
    if hook.get("syscall") if named is None else named.get("type") in SYSCALL_LISTS:
        return "syscall"
    return "security" if first.startswith("security_") else "function"


def _operated(one: Mapping[str, Any], types: Iterable[Any]) -> Iterator[str]:
    yield from (f"matchArgs/{one['operator']}/{type_}" for type_ in types if type_ and "operator" in one)


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _named(step: tuple[str, ...]) -> Iterator[str]:
    """The feature that a field is; none where its values are the features."""
    if step[-1] not in _WORDS and step[-2:] not in _SAYS:
        yield ".".join(step)


def _valued(way: tuple[str, ...], value: str) -> str:
    about = way[:-1] if way[-1] in _WORDS or way[-2:] in _SAYS else way
    return f"{'.'.join(about)}/{value}"


def _folded(step: tuple[str, ...]) -> tuple[str, ...]:
    """The way on from a field: what several places share begins anew."""
    *before, last = step
    if before and before[-1] in HOOKS and last in _SHARED:
        return (_SHARED[last],) if _SHARED[last] else ()
    return (_SAME.get(last, last),) if last in _SAME else step
