"""A Kubernetes cluster: its objects, as plain mappings, and commands in its pods.

Every request goes by one context of a kubeconfig that is the run's own copy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError, NotFoundError, ResourceNotFoundError
from urllib3.exceptions import HTTPError

from tetraproof.errors import TetraproofError
from tetraproof.kubernetes.execution import Executor
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import awaiting
from tetraproof.text import shorten

Object = dict[str, Any]
_FIELD_MANAGER = "tetraproof"


class ClusterError(TetraproofError):
    """The API server refused, or did not answer. `status` is its HTTP status, 0 where there was no answer."""

    def __init__(self, sentence: str, *, status: int = 0, remedy: str = "") -> None:
        super().__init__(sentence, remedy=remedy)
        self.status = status


class Cluster:
    """The cluster that a kubeconfig's current context names."""

    def __init__(self, kubeconfig: Path, context: str, deadlines: Deadlines) -> None:
        self.kubeconfig = kubeconfig
        self.context = context
        self._deadlines = deadlines
        self._configuration: client.Configuration = client.Configuration()
        try:
            config.load_kube_config(str(kubeconfig), context, self._configuration, persist_config=False)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError) as error:
            raise ClusterError(
                f"The context {context} cannot be used: {error}.", remedy="see that kubectl --context works with it"
            ) from error
        self.executor = Executor(self._configuration)

    @cached_property
    def _client(self) -> DynamicClient:
        # what it learns of the server stays with the run: by itself it keeps that in a folder that all users share
        learnt = self.kubeconfig.with_name("discovery.json")
        learnt.unlink(missing_ok=True)
        try:
            with awaiting(f"what the API server of {self.context} knows"):
                return _Client(client.ApiClient(self._configuration), learnt, self._deadlines.command)
        except DynamicApiError as error:
            raise _refused("say what it knows", error) from error
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        except (ValueError, AttributeError) as error:
            why = shorten(str(error), 160)
            raise ClusterError(f"What answers for {self.context} is no Kubernetes: {why}.") from error

    @cached_property
    def version(self) -> str:
        """The server's version, as `1.36.2`. Raises `ClusterError` where it does not answer."""
        return str(self.raw_json("/version")["gitVersion"]).removeprefix("v")

    def close(self) -> None:
        """Let go of the connections, if there are any."""
        self.executor.close()
        if "_client" in self.__dict__:
            self._client.client.rest_client.pool_manager.clear()

    def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """One object, or nothing where there is none. `kind` is `v1/Pod` or `cilium.io/v1alpha1/TracingPolicy`."""
        try:
            return self._asked(kind, "get", name=name, namespace=namespace)
        except ClusterError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def list(self, kind: str, namespace: str = "", selector: str = "") -> list[Object]:
        """All objects of a kind, in one namespace or in all; `selector` selects by labels."""
        listed = self._asked(kind, "get", namespace=namespace, label_selector=selector or None)
        return list(listed["items"])

    def has(self, kind: str) -> bool:
        """Whether the server knows a kind."""
        try:
            self._resource(kind)
        except ClusterError as error:
            if error.status == _NOT_FOUND:
                return False
            raise
        return True

    def create(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Create an object, or only ask whether it would be accepted."""
        kind, metadata = f"{manifest['apiVersion']}/{manifest['kind']}", manifest["metadata"]
        return self._asked(
            kind,
            "create",
            body=dict(manifest),
            namespace=metadata.get("namespace", ""),
            field_manager=_FIELD_MANAGER,
            dry_run="All" if dry_run else None,
            # a field that the server would drop is refused, as kubectl has it
            query_params=[("fieldValidation", "Strict")],
        )

    def patch(self, kind: str, name: str, namespace: str, patch: Mapping[str, Any]) -> Object:
        """Change an object by a merge patch."""
        return self._asked(
            kind,
            "patch",
            body=dict(patch),
            name=name,
            namespace=namespace,
            field_manager=_FIELD_MANAGER,
            content_type="application/merge-patch+json",
        )

    def delete(self, kind: str, name: str, namespace: str = "") -> bool:
        """Delete an object; false where there was none."""
        try:
            self._asked(kind, "delete", name=name, namespace=namespace)
        except ClusterError as error:
            if error.status == _NOT_FOUND:
                return False
            raise
        return True

    def raw(self, path: str) -> str:
        """What a path of the API server answers, as text."""
        api = self._client.client
        try:
            request = api.param_serialize("GET", path, header_params={"Accept": "*/*"}, auth_settings=["BearerToken"])
            with awaiting(f"the API server's answer for {path.partition('?')[0]}"):
                answer = api.call_api(*request, _request_timeout=self._deadlines.command)
                body = bytes(answer.read())
        except (HTTPError, OSError, ApiException) as error:
            raise self._unreachable(error) from error
        text = body.decode("utf-8", "replace")
        if not _OK <= answer.status < _OK + 100:
            raise ClusterError(f"{path} answered {answer.status}: {_message(text)}.", status=answer.status)
        return text

    def raw_json(self, path: str) -> Any:
        """The same, as JSON."""
        text = self.raw(path)
        try:
            return json.loads(text)
        except ValueError as error:
            raise ClusterError(f"What {path} answers is no JSON: {shorten(text, 100)!r}.") from error

    def may(self, verb: str, resource: str, group: str = "", namespace: str = "") -> bool:
        """Whether we may do that; `resource` may name a subresource (`pods/exec`)."""
        name, _, sub = resource.partition("/")
        wanted = {"verb": verb, "resource": name, "group": group, "namespace": namespace}
        if sub:
            wanted["subresource"] = sub
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "metadata": {},
            "spec": {"resourceAttributes": wanted},
        }
        return bool(self.create(review)["status"]["allowed"])

    def logs(self, namespace: str, pod: str, container: str, *, since: int = 0, previous: bool = False) -> str:
        """What a container logged, the last `since` seconds or all; of its run before this one, if `previous`."""
        query = f"container={container}" + (f"&sinceSeconds={since}" if since else "")
        return self.raw(f"/api/v1/namespaces/{namespace}/pods/{pod}/log?{query}{'&previous=true' if previous else ''}")

    def _resource(self, kind: str) -> Any:
        version, _, name = kind.rpartition("/")
        try:
            with awaiting(f"what the API server knows of {name}"):
                return self._client.resources.get(api_version=version, kind=name)
        except ResourceNotFoundError as error:
            raise ClusterError(f"The cluster knows no {name} of {version}.", status=_NOT_FOUND) from error
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        except DynamicApiError as error:
            raise _refused(f"asking for {name}", error) from error

    def _asked(self, kind: str, verb: str, **arguments: Any) -> Object:
        resource = self._resource(kind)
        given = {name: value for name, value in arguments.items() if value is not None and value != ""}
        named = given.get("name") or (given.get("body") or {}).get("metadata", {}).get("name", "")
        asked = f"{verb} {kind.rpartition('/')[2]} {named}".strip()
        try:
            with awaiting(f"the API server's answer to {asked}"):
                answer = getattr(resource, verb)(_request_timeout=self._deadlines.command, **given)
        except NotFoundError as error:
            raise ClusterError(f"There is no {kind} {given.get('name', '')}.", status=_NOT_FOUND) from error
        except DynamicApiError as error:
            raise _refused(asked, error) from error
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        plain: Object = answer.to_dict()
        return plain

    def _unreachable(self, error: Exception) -> ClusterError:
        return ClusterError(
            f"The API server of {self.context} does not answer: {shorten(str(error), 160)}.",
            remedy="see that kubectl --context reaches it",
        )


class _Client(DynamicClient):
    """The library's client, with a deadline for all that it asks, also while it learns what the server knows."""

    def __init__(self, api: client.ApiClient, learnt: Path, seconds: float) -> None:
        self._seconds = seconds
        super().__init__(api, str(learnt))  # type: ignore[no-untyped-call]

    def request(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """Ask the server."""
        return super().request(method, path, body, **{"_request_timeout": self._seconds, **params})


_OK, _NOT_FOUND = 200, 404


def _refused(what: str, error: DynamicApiError) -> ClusterError:
    body = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else str(error.body or "")
    return ClusterError(
        f"The API server refused to {what}: {_message(body) or error.reason}.", status=error.status or 0
    )


def _message(body: str) -> str:
    """What a `v1.Status` says; the text itself where it is none."""
    try:
        return str(json.loads(body)["message"]).rstrip(".")
    except (ValueError, KeyError, TypeError):
        return shorten(body.strip(), 200)
