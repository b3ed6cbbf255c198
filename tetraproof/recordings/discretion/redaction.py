"""What is kept of a cluster is kept without secrets.

Of an object just those fields are kept that evidence needs (`KEPT`): a list of what is needed misses nothing that a
list of secrets would. What is left, and all text, goes without what stands under a secret's name, behind a secret's
flag, or has a known secret's form (those that detect-secrets knows, and some more).
"""

from __future__ import annotations

import base64
import importlib
import inspect
import pkgutil
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import re2
import yaml

from tetraproof.errors import PolicyError
from tetraproof.policies.manifest import documents
from tetraproof.settings import extra

REDACTED = "(redacted)"

_METADATA = (
    "metadata.name metadata.namespace metadata.uid metadata.generation metadata.creationTimestamp "
    "metadata.deletionTimestamp metadata.labels metadata.ownerReferences.kind metadata.ownerReferences.name"
)
_CONTAINER = (
    "name image command args workingDir env.name env.value env.valueFrom envFrom ports resources securityContext "
    "volumeMounts livenessProbe readinessProbe"
)
_POD = (
    "nodeName hostNetwork hostPID hostIPC priorityClassName serviceAccountName tolerations nodeSelector "
    "securityContext dnsPolicy restartPolicy runtimeClassName volumes.name volumes.hostPath volumes.emptyDir "
    "volumes.configMap.name volumes.secret.secretName volumes.projected.sources.configMap.name "
    "volumes.projected.sources.secret.name "
    + " ".join(f"{kind}.{field}" for kind in ("containers", "initContainers") for field in _CONTAINER.split())
)
#: By kind, the fields that evidence needs, each by its way; lists are passed through. All of what lies below is kept.
KEPT = {
    "Node": "spec.taints spec.unschedulable spec.podCIDR status.conditions status.nodeInfo status.capacity "
    "status.allocatable status.addresses",
    "Pod": " ".join(f"spec.{field}" for field in _POD.split())
    + " status.phase status.reason status.message status.conditions status.podIP status.hostIP status.startTime "
    "status.qosClass status.containerStatuses status.initContainerStatuses",
    "DaemonSet": "spec.selector spec.updateStrategy spec.template.metadata.labels status "
    + " ".join(f"spec.template.spec.{field}" for field in _POD.split()),
    "Event": "involvedObject reason message type count firstTimestamp lastTimestamp eventTime source "
    "reportingComponent reportingInstance",
    "ConfigMap": "data",
    "Service": "spec.clusterIP spec.type spec.ports spec.selector",
    "ServiceCIDR": "spec.cidrs",
    "Namespace": "status.phase",
}

#: Words of which a secret's name has one.
_WORDS = (
    r"passw(?:or)?d|passwd|passphrase|\bpwd\b|secret|token|credential|(?:api|access|private|auth|signing|encryption|"
    r"account|shared|master|service|storage)[-_.]?keys?\b|authorization|\bauth\b|cookie|dockerconfigjson|dockercfg|"
    r"\bkeytab|\bhtpasswd|session[-_]?id|\bsas\b|connection[-_]?string|private[-_]?key"
)
_NAMED = re.compile(_WORDS, re.IGNORECASE)
#: A file's name by which it holds a key.
_KEY_FILE = re.compile(
    r"(?:.\.(?:key|pem|p12|pfx|jks|keystore|kubeconfig)|^id_(?:rsa|dsa|ecdsa|ed25519))$", re.IGNORECASE
)
#: Names that are like a secret's and say only where one is, what it is for, or how long it lasts.
_HARMLESS = re.compile(
    r"(?:name|names|namespace|path|paths|ref|keyref|refs|seconds|file|files|dir|type|kind|class|mode|ttl|version|"
    r"enabled|optional|audience|audiences|items|projection)$|automount|^serviceaccounttokens?$|secrets$|^(?:key|keys)$",
    re.IGNORECASE,
)
#: What a value may be that is none.
_NOTHING = {"", "true", "false", "null", "none", "nil", "~", "{}", "[]", '""', "''", REDACTED}
_ENVIRONMENT = re.compile(r"env(?:ironment)?(?:vars?|variables?)?$", re.IGNORECASE)
_WAS_APPLIED = "last-applied-configuration"

# each is bounded in what it looks at: a log may hold a line of a megabyte
_NAME = rf"(?<![\w.-])[\w.-]{{0,60}}?(?:{_WORDS})[\w.-]{{0,60}}"
_SWITCH = rf"(?<![\w-])--?[\w.-]{{0,60}}?(?:{_WORDS})[\w.-]{{0,60}}"
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r".*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_ADDRESS = re.compile(r"(://)[^\s/@\"'<>]{1,500}(?=@)")
_SCHEME = re.compile(r"\b(Bearer|Basic|Digest|Negotiate|Token)(\s{1,8})([\w.~+/=-]{8,})")
#: `Authorization: Basic x`, `Cookie: a=b; c=d`, to the end of the text that it stands in
_HEADER = re.compile(
    r"(\b(?:proxy-)?authorization\\*[\"']?\s{0,8}[:=]\s{0,8}\\*[\"']?"
    r"(?:(?:basic|bearer|digest|negotiate|token|aws4-hmac-sha256)\s{1,8})?"
    r"|\b(?:set-)?cookie\\*[\"']?\s{0,8}[:=]\s{0,8}\\*[\"']?)([^\"'\n\\]+)",
    re.IGNORECASE,
)
#: `name=value`, `name: value`, `"name": "value"`, also where that is quoted once more
_VALUE = re.compile(
    rf"(?P<name>{_NAME})(?P<sign>\\*[\"']?\s{{0,8}}(?:=>|:=|[=:])\s{{0,8}})"
    r"(?P<value>\\*\"(?:[^\"\\]|\\[^\"])*\\*\"|'[^']*'|[^\s\"',;&<>\]})\\]+)",
    re.IGNORECASE,
)
#: the same at the end of a line of YAML, which may have blanks
_LINE = re.compile(
    rf"^(?P<name>[ \t]*(?:- )?[\"']?{_NAME}[\"']?)(?P<sign>:[ \t]{{1,8}})(?P<value>[^\n|>\"'{{\[].*)$",
    re.IGNORECASE | re.MULTILINE,
)
#: `--password value`, `"--password", "value"`, `-u user:password`
_FLAG = re.compile(
    rf"(?P<name>{_SWITCH})(?P<sign>\s{{1,8}}|\\*[\"'],\s{{0,8}}\\*[\"'])(?P<value>[^\s\"',\\-][^\s\"',\\\]]*)",
    re.IGNORECASE,
)
_USER = re.compile(r"((?:^|\s)(?:-u|--user|--proxy-user)[\s=]{1,8}[^\s:\"']{1,200}:)([^\s\"']+)")
_SHORT_FLAG = re.compile(
    r"(\b(?:sshpass|mysql|mysqldump|mysqladmin|redis-cli)\b[^\n|;]{0,200}?\s(?:-p|-a)\s?)([^\s-][^\s\"']*)"
)
_FLAG_ALONE = re.compile(_SWITCH, re.IGNORECASE)
#: Forms of tokens that detect-secrets does not know.
_MORE_FORMS = (
    # a JSON Web Token with its signature
    r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?",
    r"AIza[\w-]{35}",
    r"github_pat_\w{22,}",
    r"ya29\.[\w.-]{20,}",
    r"hv[bs]\.[\w-]{20,}",
    r"npm_[A-Za-z0-9]{36}",
    r"AGE-SECRET-KEY-1[A-Z0-9]{50,}",
    r"dop_v1_[a-f0-9]{64}",
    r"shp(?:at|ss|ca|pa)_[a-fA-F0-9]{32}",
)
#: Rules of detect-secrets that are about something else: addresses, and what only looks random.
_NO_SECRETS = {"ip_public", "high_entropy_strings", "keyword"}


def kept(value: Any, kind: str = "") -> Any:
    """Of a Kubernetes object, or a list of some, what evidence needs, redacted. `kind` is that of objects without one.

    Of a kind that is not in `KEPT` only its name is kept.
    """
    if isinstance(value, list | tuple):
        return [kept(one, kind) for one in value]
    if not isinstance(value, Mapping):
        return None
    if "items" in value:
        return {"kind": "List", "items": kept(value["items"], str(value.get("kind", kind)).removesuffix("List"))}
    own = str(value.get("kind") or kind)
    ways = [way.split(".") for way in f"apiVersion kind {_METADATA} {KEPT.get(own, '')}".split()]
    told = _below(value, ways)
    settings = told.get("data") if own == "ConfigMap" else None
    if not isinstance(settings, Mapping):
        return redacted(told)
    # an agent's settings are judged by: a filter that speaks of passwords is none
    shown = {name: _hidden(part) if _is_secret(str(name)) else part for name, part in settings.items()}
    return {**redacted({**told, "data": None}), "data": shown}


def _below(value: Any, ways: Sequence[Sequence[str]]) -> Any:
    """Of a value what lies on one of the ways."""
    if isinstance(value, list | tuple):
        return [_below(one, ways) for one in value]
    if not isinstance(value, Mapping) or any(not way for way in ways):
        return value
    found = {}
    for name, part in value.items():
        own = [way[1:] for way in ways if way[0] == name]
        if own:
            found[name] = _below(part, own)
    return found


def redacted(value: Any) -> Any:
    """Values of JSON without environment variables' values, and without what is or is named like a secret."""
    if isinstance(value, Mapping):
        if value.get("kind") == "Secret" or ({"data", "stringData"} & value.keys() and value.get("type") == "Opaque"):
            value = {name: part for name, part in value.items() if name not in {"data", "stringData"}}
        return {
            name: _field(str(name), part)
            for name, part in value.items()
            if name != "managedFields" and _WAS_APPLIED not in str(name)
        }
    if isinstance(value, list | tuple):
        return _words(value)
    return redacted_text(value) if isinstance(value, str) else value


def redacted_text(text: str) -> str:
    """A log or the like, without what reads like a password, a token or a key."""
    text = _PEM.sub(REDACTED, text)
    text = _ADDRESS.sub(rf"\g<1>{REDACTED}", text)
    text = _HEADER.sub(rf"\g<1>{REDACTED}", text)
    text = _SCHEME.sub(_scheme, text)
    text = _USER.sub(rf"\g<1>{REDACTED}", text)
    text = _SHORT_FLAG.sub(rf"\g<1>{REDACTED}", text)
    for pattern in (_LINE, _VALUE, _FLAG):
        text = pattern.sub(_valued, text)
    for form in _forms():
        text = form.sub(REDACTED, text)
    return text


def redacted_yaml(text: str) -> str:
    """Chart values without their secrets; `helm get values` begins with a line that is kept.

    What cannot be read is left out whole.
    """
    first, _, body = (
        text.partition("\n") if text.startswith(("COMPUTED VALUES", "USER-SUPPLIED VALUES")) else ("", "", text)
    )
    try:
        values = [one.read() for one in documents(body, "chart values")]
    except PolicyError as error:
        return f"# left out: {error.sentence}\n"
    told = "---\n".join(yaml.safe_dump(redacted(one), sort_keys=False) for one in values)
    return (f"{first}\n" if first else "") + told


def _field(name: str, part: Any) -> Any:
    if _ENVIRONMENT.search(name):
        return _environment(part)
    return _hidden(part) if _is_secret(name) else redacted(part)


def _is_secret(name: str) -> bool:
    return bool(_KEY_FILE.search(name) or (_NAMED.search(name) and not _HARMLESS.search(name)))


def _environment(part: Any) -> Any:
    """Environment variables: their names, and where a value is taken from."""
    if isinstance(part, list | tuple):
        return [
            {name: REDACTED if name == "value" and inner else redacted(inner) for name, inner in one.items()}
            if isinstance(one, Mapping)
            else _assigned(one)
            for one in part
        ]
    if isinstance(part, Mapping):
        return {name: inner if inner is None or isinstance(inner, bool) else REDACTED for name, inner in part.items()}
    return redacted(part)


def _assigned(one: Any) -> Any:
    """`NAME=value` without its value."""
    return f"{one.partition('=')[0]}={REDACTED}" if isinstance(one, str) and "=" in one else redacted(one)


def _hidden(part: Any) -> Any:
    """What stands under a secret's name: nothing of it but names of where it is."""
    if isinstance(part, Mapping):
        return {
            name: redacted(inner) if _HARMLESS.search(str(name)) and not isinstance(inner, Mapping) else _hidden(inner)
            for name, inner in part.items()
        }
    if isinstance(part, list | tuple):
        return [_hidden(one) for one in part]
    if part is None or isinstance(part, bool) or part == "":
        return part
    return REDACTED


def _words(value: Sequence[Any]) -> list[Any]:
    """A list, which may be the words of a command: what follows a secret's flag is one."""
    made: list[Any] = []
    secret = False
    for one in value:
        if secret and isinstance(one, str) and not one.startswith("-"):
            made.append(REDACTED)
            secret = False
            continue
        named = one.get("name") if isinstance(one, Mapping) else None
        if isinstance(named, str) and isinstance(one.get("value"), str) and _NAMED.search(named):
            made.append({**redacted(one), "value": REDACTED if one["value"] else ""})
        else:
            made.append(redacted(one))
        secret = isinstance(one, str) and bool(_FLAG_ALONE.fullmatch(one)) and not _HARMLESS.search(one)
    return made


def _valued(found: re.Match[str]) -> str:
    name = found["name"].strip(" \t\"'-")
    value = found["value"].strip("\\\"' \t")
    if _HARMLESS.search(name) or value.lower() in _NOTHING or REDACTED in value:
        return found[0]
    quote = re.match(r"\\*[\"']", found["value"])
    around = quote[0] if quote else ""
    return f"{found['name']}{found['sign']}{around}{REDACTED}{around}"


def _scheme(found: re.Match[str]) -> str:
    """`Basic …` is one where it is base64 of a name and a password; the word stands in prose as well."""
    if found[1] == "Basic":
        try:
            if b":" not in base64.b64decode(found[3] + "=" * (-len(found[3]) % 4)):
                return found[0]
        except ValueError:
            return found[0]
    elif found[1] in {"Token", "Digest", "Negotiate"} and not re.search(r"\d", found[3]):
        return found[0]
    return f"{found[1]}{found[2]}{REDACTED}"


@cache
def _forms() -> tuple[Any, ...]:
    """The forms of secrets that are known by themselves, as patterns."""
    extra.need("cluster", "Leaving secrets out of what is kept")
    from detect_secrets import plugins  # noqa: PLC0415 - of an extra
    from detect_secrets.plugins.base import RegexBasedDetector  # noqa: PLC0415 - likewise

    found: list[re.Pattern[str]] = [re.compile(form) for form in _MORE_FORMS]
    for info in pkgutil.iter_modules(plugins.__path__):
        if info.name in _NO_SECRETS:
            continue
        module = importlib.import_module(f"{plugins.__name__}.{info.name}")
        for _, one in inspect.getmembers(module, inspect.isclass):
            if issubclass(one, RegexBasedDetector) and not inspect.isabstract(one):
                found += list(one().denylist)
    return tuple(map(_linear, found))


def _linear(form: re.Pattern[str]) -> Any:
    """The pattern as RE2 reads it, whose time grows with the text alone; itself where RE2 has no such pattern."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(f"(?i){form.pattern}" if form.flags & re.IGNORECASE else form.pattern, options)
    except re2.error:
        return form
