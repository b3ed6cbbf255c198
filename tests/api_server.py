"""A Kubernetes API server made in memory: real HTTP and WebSocket on loopback, as Kubernetes 1.36 was seen to answer.

Objects are plain mappings in `objects`. What else happens in a cluster (pods that become ready,
programs that run) is played by whoever sets `created`, `patched`, `exec`, `logs` and `metrics`.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import itertools
import json
import re
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Self

import yaml
from aiohttp import WSMsgType, web

from tests.builders import Json

SERVICES = "10.96.0.0/16"
CONTEXT, TOKEN = "made", "made-token"
_STDIN, _STDOUT, _STDERR, _STATUS, _CLOSE = 0, 1, 2, 3, 255
_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>.+))?)?"
)
_VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}


@dataclass(frozen=True)
class Kind:
    """A kind that the server knows."""

    group_version: str
    plural: str
    name: str
    namespaced: bool = True

    @property
    def key(self) -> str:
        return f"{self.group_version}/{self.name}"

    @property
    def group(self) -> str:
        return self.group_version.rpartition("/")[0]


KINDS = (
    *(Kind("v1", f"{name.lower()}s", name) for name in ("Pod", "Service", "ConfigMap", "Secret", "ServiceAccount")),
    Kind("v1", "namespaces", "Namespace", namespaced=False),
    Kind("v1", "nodes", "Node", namespaced=False),
    *(Kind("apps/v1", f"{name.lower()}s", name) for name in ("Deployment", "DaemonSet", "ReplicaSet", "StatefulSet")),
    Kind("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False),
    Kind("authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False),
    Kind("networking.k8s.io/v1", "servicecidrs", "ServiceCIDR", namespaced=False),
    Kind("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", namespaced=False),
)


@dataclass(frozen=True)
class Asked:
    """A request for an object, or for a list of them."""

    verb: str
    kind: Kind
    namespace: str
    name: str
    sub: str
    query: Mapping[str, str]
    command: str = ""

    @property
    def resource(self) -> str:
        """What a role would have to name."""
        named = f"{self.kind.plural}.{self.kind.group}" if self.kind.group else self.kind.plural
        return f"{named}/{self.sub.partition('/')[0]}" if self.sub else named

    def __str__(self) -> str:
        dry = " (dry run)" if self.query.get("dryRun") else ""
        return f"{self.verb} {self.resource} {self.namespace}/{self.name}{dry} {self.command}".rstrip()


class Refusal(Exception):  # noqa: N818 - an answer of the server
    """A `v1.Status` that says no."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }


class Cut(Exception):  # noqa: N818 - what a fault does
    """The connection is to break without an answer."""


@dataclass
class Exec:
    """A command that somebody runs in a pod, as the one who plays the pod sees it."""

    pod: Json
    container: str
    argv: tuple[str, ...]
    tty: bool
    socket: web.WebSocketResponse
    transport: asyncio.Transport
    typed: bytes = b""
    typing_ended: asyncio.Event = field(default_factory=asyncio.Event)
    listeners: list[Callable[[bytes], None]] = field(default_factory=list)

    @property
    def line(self) -> str:
        return " ".join(self.argv)

    async def frame(self, channel: int, content: bytes) -> None:
        await self.socket.send_bytes(bytes([channel]) + content)

    async def out(self, text: str | bytes) -> None:
        await self.frame(_STDOUT, text if isinstance(text, bytes) else text.encode())

    async def err(self, text: str) -> None:
        await self.frame(_STDERR, text.encode())

    async def ends(self, code: int = 0) -> None:
        """The status frame of a command that ran."""
        if code == 0:
            await self.status({"metadata": {}, "status": "Success"})
            return
        await self.status(
            {
                "metadata": {},
                "status": "Failure",
                "message": f"command terminated with non-zero exit code: exit status {code}",
                "reason": "NonZeroExitCode",
                "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
            }
        )

    async def fails(self, message: str) -> None:
        """The status frame of a command that was never started."""
        causes = {"causes": [{"message": message}]}
        status = {"metadata": {}, "status": "Failure", "message": f"Internal error occurred: {message}"}
        await self.status({**status, "reason": "InternalError", "details": causes, "code": 500})

    async def status(self, status: Json) -> None:
        await self.frame(_STATUS, _compact(status).encode())

    def cut(self) -> None:
        """The connection breaks."""
        self.transport.abort()


Play = Callable[[Exec], Awaitable[None]]
Fault = Callable[[Asked], None]


async def never() -> None:
    """Wait for what does not come."""
    await asyncio.Event().wait()


async def _succeeds(command: Exec) -> None:
    await command.ends()


class ApiServer:
    """The server. `forbidden` are verbs and resources, as `create pods/exec`; `faults` may raise instead of an answer.

    A namespace that is deleted is seen `lingers` times more.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Json] = {}
        self.asked: list[str] = []
        self.used: set[str] = set()
        self.forbidden: set[str] = set()
        self.faults: list[Fault] = []
        self.created: list[Callable[[Json], None]] = []
        self.patched: list[Callable[[Json], None]] = []
        self.exec: Play = _succeeds
        self.logs: Callable[[str, str, Mapping[str, str]], str] = lambda pod, container, query: ""
        self.metrics: Callable[[str], str] = lambda pod: ""
        self.lingers = 1
        #: Whether everybody has to log in: tools in Go send no token where there is no TLS.
        self.guarded = True
        #: Paths that are never answered, what every answer is instead (with status 502), and a page that is (with 200).
        self.silent: set[str] = set()
        self.broken: str | None = None
        self.page: str | None = None
        self.running: list[Exec] = []
        self._ending: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._runner: web.ServerRunner | None = None
        self.port = 0

    # life

    def __enter__(self) -> Self:
        self._thread.start()
        self.within(self._begin())
        return self

    def __exit__(self, *error: object) -> None:
        self.within(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def within(self, doing: Awaitable[Any]) -> Any:
        """Have something done in the server's own thread."""
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(30)

    async def _begin(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _end(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            for connection in list(runner.server.connections):
                if connection.transport is not None:
                    connection.transport.abort()
            await runner.cleanup()

    def down(self) -> None:
        """Be gone: nothing listens any more, and what is open breaks. Call it within a fault or from a test."""
        if threading.current_thread() is self._thread:
            self._going = self._loop.create_task(self._end())
            raise Cut
        self.within(self._end())

    def up(self) -> None:
        """Be there again, at the same address."""
        self.within(self._begin())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kubeconfig(self, path: Path) -> Path:
        """A kubeconfig for this server alone."""
        cluster, user = {"server": self.url}, {"token": TOKEN}
        told = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXT,
            "clusters": [{"name": "there", "cluster": cluster}],
            "users": [{"name": "somebody", "user": user}],
            "contexts": [{"name": CONTEXT, "context": {"cluster": "there", "user": "somebody"}}],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(told), encoding="utf-8")
        return path

    # objects, for those who play the cluster

    def put(self, document: Json) -> Json:
        """Store an object, with what a server adds to it."""
        document = copy.deepcopy(document)
        metadata = document["metadata"]
        metadata.setdefault("uid", f"00000000-0000-4000-8000-{next(self._numbers):012d}")
        metadata["resourceVersion"] = str(next(self._numbers))
        metadata.setdefault("creationTimestamp", "2026-11-23T06:12:06Z")
        metadata.setdefault("generation", 1)
        key = f"{document['apiVersion']}/{document['kind']}"
        self.objects[key, metadata.get("namespace", ""), metadata["name"]] = document
        return document

    def of(self, kind: str, namespace: str = "", selector: str = "") -> list[Json]:
        """The objects of a kind."""
        return [
            one
            for (key, own, _), one in sorted(self.objects.items())
            if key == kind and namespace in {"", own} and _selected(one, selector)
        ]

    def names(self, kind: str) -> list[str]:
        return [one["metadata"]["name"] for one in self.of(kind)]

    def snapshot(self) -> dict[tuple[str, str, str], Json]:
        """All objects as they are."""
        return copy.deepcopy(self.objects)

    def kinds(self) -> Iterator[Kind]:
        """The kinds that are built in, and those of the CRDs that are there."""
        yield from KINDS
        for crd in self.of("apiextensions.k8s.io/v1/CustomResourceDefinition"):
            spec = crd["spec"]
            version = spec["versions"][0]["name"]
            names = spec["names"]
            yield Kind(f"{spec['group']}/{version}", names["plural"], names["kind"], spec["scope"] == "Namespaced")

    # requests

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answered(request)
        except Refusal as refusal:
            return _json(refusal.status, status=refusal.code)
        except Cut:
            assert request.transport is not None
            request.transport.abort()
            return web.Response(status=500)

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path in self.silent:
            await never()
        if self.broken is not None or self.page is not None:
            return web.Response(text=self.broken or self.page or "", status=200 if self.page else 502)
        if self.guarded and request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refusal(401, "Unauthorized", "Unauthorized")
        found = _PATH.fullmatch(request.path)
        version = (found["core"] or f"{found['group']}/{found['version']}") if found else ""
        kinds = list(self.kinds())
        kind = next(
            (one for one in kinds if found and (one.group_version, one.plural) == (version, found["plural"])), None
        )
        if found is None or kind is None:
            return self._discovered(request.path.rstrip("/"), kinds)
        verb = _VERBS.get(request.method) or ("get" if found["name"] else "list")
        asked = Asked(
            verb,
            kind,
            found["namespace"] or "",
            found["name"] or "",
            found["sub"] or "",
            dict(request.query),
            " ".join(request.query.getall("command", [])),
        )
        self.asked.append(str(asked))
        self.used.add(f"{verb} {asked.resource}")
        for fault in list(self.faults):
            fault(asked)
        self._allowed(asked)
        if asked.sub == "exec":
            self._allowed(asked, "create")
            return await self._exec(request, asked)
        if asked.sub:
            return self._within_pod(asked)
        body = _body(await request.read()) if request.method in {"POST", "PATCH", "PUT"} else {}
        answer = getattr(self, f"_{verb}")(asked, body)
        return _json(answer, status=201 if verb == "create" else 200)

    def _allowed(self, asked: Asked, verb: str = "") -> None:
        verb = verb or asked.verb
        if f"{verb} {asked.resource}" in self.forbidden:
            what = f"{asked.kind.plural}/{asked.sub}" if asked.sub else asked.kind.plural
            where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
            raise Refusal(
                403,
                "Forbidden",
                f'{what} "{asked.name}" is forbidden: User "somebody" cannot {verb} resource "{what}" '
                f'in API group "{asked.kind.group}" {where}',
            )

    def _discovered(self, path: str, kinds: list[Kind]) -> web.Response:
        groups: dict[str, list[str]] = {}
        for kind in kinds:
            groups.setdefault(kind.group_version, []).append(kind.name)
        if path == "/version":
            return _json({"major": "1", "minor": "36", "gitVersion": "v1.36.2", "platform": "linux/amd64"})
        if path == "/openapi/v2":
            # an empty document of protobuf: nothing is validated by it
            return web.Response(body=b"", content_type="application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        if path == "/api":
            return _json({"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"]})
        if path == "/apis":
            listed = [
                {"name": one.rpartition("/")[0], "versions": [version], "preferredVersion": version}
                for one in groups
                if "/" in one
                for version in [{"groupVersion": one, "version": one.rpartition("/")[2]}]
            ]
            return _json({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})
        version = path.removeprefix("/apis/").removeprefix("/api/")
        if version not in groups:
            return web.Response(status=404, text="404 page not found\n")
        verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
        resources = [
            {"name": one.plural, "singularName": "", "namespaced": one.namespaced, "kind": one.name, "verbs": verbs}
            for one in kinds
            if one.group_version == version
        ]
        told = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}
        return _json(told)

    # verbs

    def _found(self, asked: Asked) -> Json:
        found = self.objects.get((asked.kind.key, asked.namespace, asked.name))
        if found is None:
            named = f"{asked.kind.plural}.{asked.kind.group}" if asked.kind.group else asked.kind.plural
            raise Refusal(404, "NotFound", f'{named} "{asked.name}" not found')
        return found

    def _get(self, asked: Asked, body: Json) -> Json:
        del body
        found = self._found(asked)
        self._linger(asked)
        return found

    def _list(self, asked: Asked, body: Json) -> Json:
        del body
        items = self.of(asked.kind.key, asked.namespace, asked.query.get("labelSelector", ""))
        self._linger(asked)
        metadata = {"resourceVersion": str(next(self._numbers))}
        return {
            "kind": f"{asked.kind.name}List",
            "apiVersion": asked.kind.group_version,
            "metadata": metadata,
            "items": items,
        }

    def _create(self, asked: Asked, body: Json) -> Json:
        if asked.kind.name == "SelfSubjectAccessReview":
            return {**body, "status": {"allowed": self._may(body["spec"]["resourceAttributes"])}}
        metadata = body["metadata"]
        if asked.namespace:
            space = self.objects.get(("v1/Namespace", "", asked.namespace))
            if space is None:
                raise Refusal(404, "NotFound", f'namespaces "{asked.namespace}" not found')
            if space["metadata"].get("deletionTimestamp"):
                raise Refusal(403, "Forbidden", f"{asked.namespace} is being terminated")
            metadata["namespace"] = asked.namespace
        if asked.query.get("fieldValidation") == "Strict":
            self._strict(asked.kind, body)
        if (asked.kind.key, asked.namespace, metadata["name"]) in self.objects:
            raise Refusal(409, "AlreadyExists", f'{asked.kind.plural} "{metadata["name"]}" already exists')
        if asked.kind.name == "Service":
            self._address(body)
        if asked.query.get("dryRun"):
            return body
        made = self.put(body)
        for hook in self.created:
            hook(made)
        return made

    def _may(self, wanted: Mapping[str, str]) -> bool:
        group, sub = wanted.get("group", ""), wanted.get("subresource", "")
        resource = f"{wanted['resource']}.{group}" if group else wanted["resource"]
        return f"{wanted['verb']} {resource}{f'/{sub}' if sub else ''}" not in self.forbidden

    def _strict(self, kind: Kind, body: Json) -> None:
        """Refuse a field that the schema of a CRD does not have."""
        for crd in self.of("apiextensions.k8s.io/v1/CustomResourceDefinition"):
            if crd["spec"]["names"]["kind"] == kind.name:
                schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
                unknown = ", ".join(
                    f'unknown field "{one}"' for one in _unknown(schema["properties"]["spec"], body["spec"], "spec")
                )
                if unknown:
                    version = kind.group_version.rpartition("/")[2]
                    raise Refusal(
                        400,
                        "BadRequest",
                        f'{kind.name} in version "{version}" cannot be handled as a {kind.name}: '
                        f"strict decoding error: {unknown}",
                    )

    def _address(self, service: Json) -> None:
        spec = service["spec"]
        given = spec.setdefault("clusterIP", f"10.96.0.{next(self._numbers) % 200 + 20}")
        if ip_address(given) not in ip_network(SERVICES):
            name = service["metadata"]["name"]
            raise Refusal(
                422,
                "Invalid",
                f'Service "{name}" is invalid: spec.clusterIPs: Invalid value: ["{given}"]: failed to allocate IP '
                f"{given}: the provided IP ({given}) is not in the valid range. The range of valid IPs is {SERVICES}",
            )

    def _patch(self, asked: Asked, body: Json) -> Json:
        key = asked.kind.key, asked.namespace, asked.name
        if key not in self.objects and "force" in asked.query:
            return self._create(asked, body)
        found = self._found(asked)
        if body.get("metadata", {}).get("resourceVersion", "") not in {"", found["metadata"]["resourceVersion"]}:
            told = f'Operation cannot be fulfilled on {asked.kind.plural} "{asked.name}": the object has been modified'
            raise Refusal(409, "Conflict", told)
        before = copy.deepcopy(found.get("spec"))
        _merge(found, body)
        metadata = found["metadata"]
        metadata["resourceVersion"] = str(next(self._numbers))
        metadata["generation"] = metadata.get("generation", 1) + (found.get("spec") != before)
        for hook in self.patched:
            hook(found)
        return found

    def _update(self, asked: Asked, body: Json) -> Json:
        self._found(asked)
        if asked.namespace:
            body["metadata"]["namespace"] = asked.namespace
        return self.put(body)

    def _delete(self, asked: Asked, body: Json) -> Json:
        del body
        found = self._found(asked)
        if asked.kind.name == "Namespace":
            found["metadata"]["deletionTimestamp"] = "2026-11-23T08:00:00Z"
            found["status"] = {"phase": "Terminating"}
            self._ending.setdefault(asked.name, self.lingers)
            for key in [key for key in self.objects if key[1] == asked.name]:
                del self.objects[key]
            return found
        del self.objects[asked.kind.key, asked.namespace, asked.name]
        # the garbage collector takes what it owned
        for key in [key for key, one in self.objects.items() if _owner(one) == found["metadata"]["uid"]]:
            del self.objects[key]
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}

    def _linger(self, asked: Asked) -> None:
        """Namespaces that end are gone once they were seen often enough."""
        if asked.kind.name == "Namespace":
            for name in [name for name in self._ending if asked.name in {"", name}]:
                self._ending[name] -= 1
                if self._ending[name] < 0:
                    del self._ending[name]
                    self.objects.pop(("v1/Namespace", "", name), None)

    # pods

    def _within_pod(self, asked: Asked) -> web.Response:
        name, _, port = asked.name.partition(":")
        pod = self.objects.get(("v1/Pod", asked.namespace, name))
        if pod is None:
            raise Refusal(404, "NotFound", f'pods "{name}" not found')
        if asked.sub == "log":
            return web.Response(text=self.logs(name, asked.query.get("container", ""), asked.query))
        if asked.sub == "proxy/metrics" and port:
            return web.Response(text=self.metrics(name))
        raise Refusal(404, "NotFound", "the server could not find the requested resource")

    async def _exec(self, request: web.BaseRequest, asked: Asked) -> web.StreamResponse:
        pod = self.objects.get(("v1/Pod", asked.namespace, asked.name))
        if pod is None:
            raise Refusal(404, "NotFound", f'pods "{asked.name}" not found')
        names = [one["name"] for one in pod["spec"]["containers"]]
        container = request.query.get("container", names[0])
        if container not in names:
            raise Refusal(400, "BadRequest", f"container {container} is not valid for pod {asked.name}")
        assert isinstance(request.transport, asyncio.Transport)
        socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io", "v4.channel.k8s.io"), timeout=0.1)
        await socket.prepare(request)
        command = Exec(
            pod,
            container,
            tuple(request.query.getall("command")),
            request.query.get("tty") == "true",
            socket,
            request.transport,
        )
        if request.query.get("stdin") != "true":
            command.typing_ended.set()
        self.running.append(command)
        playing = asyncio.create_task(self._played(command))
        try:
            async for message in socket:
                if message.type is not WSMsgType.BINARY:
                    break
                _typed(command, message.data)
        finally:
            # a command whose caller is gone goes, too
            playing.cancel()
            await asyncio.wait([playing])
            self.running.remove(command)
        return socket

    async def _played(self, command: Exec) -> None:
        # as the kubelet does: an empty frame tells that the streams are open
        await command.frame(_STDOUT, b"")
        try:
            await self.exec(command)
        finally:
            if not command.socket.closed and not command.transport.is_closing():
                await command.socket.close()


def _body(sent: bytes) -> Json:
    """JSON or YAML; or a Secret as protobuf, which is what Helm keeps its releases in."""
    if not sent.startswith(b"k8s\0"):
        told: Json = yaml.safe_load(sent) if sent[:1] != b"{" else json.loads(sent)
        return told
    unknown = dict(_fields(sent[4:]))
    secret = list(_fields(unknown[2]))
    metadata = list(_fields(dict(secret)[1]))
    labels = dict(_pair(value) for number, value in metadata if number == 11)
    named = dict(metadata)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": named[1].decode(), "labels": {key: value.decode() for key, value in labels.items()}},
        "type": dict(secret)[3].decode(),
        "data": {key: base64.b64encode(value).decode() for key, value in map(_pair, _all(secret, 2))},
    }


def _all(fields: list[tuple[int, bytes]], wanted: int) -> Iterator[bytes]:
    return (value for number, value in fields if number == wanted)


def _pair(entry: bytes) -> tuple[str, bytes]:
    """An entry of a map."""
    found = dict(_fields(entry))
    return found.get(1, b"").decode(), found.get(2, b"")


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message that have a length, by their number."""

    def number(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = message[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at

    at = 0
    while at < len(message):
        tag, at = number(at)
        value, at = number(at)
        if tag & 7 == 2:
            yield tag >> 3, message[at : at + value]
            at += value


def _compact(told: object) -> str:
    """JSON as Go writes it."""
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False)


def _json(told: object, status: int = 200) -> web.Response:
    return web.json_response(told, status=status, dumps=_compact)


def _typed(command: Exec, data: bytes) -> None:
    if data[:1] == bytes([_CLOSE]):
        command.typing_ended.set()
    elif data[:1] == bytes([_STDIN]):
        text = data[1:]
        command.typed += text
        if command.tty and b"\x04" in text:
            command.typing_ended.set()
        for listener in command.listeners:
            listener(text)


def _selected(one: Json, selector: str) -> bool:
    labels = one["metadata"].get("labels") or {}
    for part in filter(None, selector.split(",")):
        name, sign, value = re.fullmatch(r"([^!=]+)(!=|==|=)?(.*)", part).groups()  # type: ignore[union-attr]
        if sign == "!=" and labels.get(name) == value:
            return False
        if sign in {"=", "=="} and labels.get(name) != value:
            return False
        if sign is None and name not in labels:
            return False
    return True


def _owner(one: Json) -> str:
    return next((owner["uid"] for owner in one["metadata"].get("ownerReferences") or ()), "")


def _merge(target: Json, patch: Json) -> None:
    """RFC 7396."""
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict) and isinstance(target.get(name), dict):
            _merge(target[name], value)
        else:
            target[name] = copy.deepcopy(value)


def _unknown(schema: Json, value: Any, path: str) -> Iterator[str]:
    """The fields of a value that a structural schema does not have."""
    if isinstance(value, list):
        for at, one in enumerate(value):
            yield from _unknown(schema.get("items", {}), one, f"{path}[{at}]")
    elif isinstance(value, dict) and "properties" in schema:
        for name, one in value.items():
            if name in schema["properties"]:
                yield from _unknown(schema["properties"][name], one, f"{path}.{name}")
            else:
                yield f"{path}.{name}"


def interrupt() -> None:
    """What Ctrl-C does: it reaches the main thread, wherever that is."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)
