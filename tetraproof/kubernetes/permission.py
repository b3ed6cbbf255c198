"""What a run needs to be allowed on a cluster, asked before anything is created."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tetraproof.errors import UsageError
from tetraproof.kubernetes.cluster import Cluster


@dataclass(frozen=True)
class Permission:
    """Some verbs on a resource of a group, in one namespace or in all."""

    verbs: tuple[str, ...]
    resource: str
    group: str = ""
    namespace: str = ""

    def missing(self, cluster: Cluster) -> Iterator[str]:
        """What of it is not allowed, each as `create pods/exec`."""
        where = f" in {self.namespace}" if self.namespace else ""
        named = f"{self.resource}.{self.group}" if self.group else self.resource
        for verb in self.verbs:
            if not cluster.may(verb, self.resource, self.group, self.namespace):
                yield f"{verb} {named}{where}"


#: What every run needs.
ALWAYS = (
    Permission(("list",), "nodes"),
    Permission(("create", "delete", "get", "list"), "namespaces"),
    Permission(("create", "list"), "pods"),
    Permission(("create", "list"), "services"),
    Permission(("create",), "deployments", "apps"),
    # a WebSocket is opened by a GET, and is a create as well since Kubernetes 1.35
    Permission(("create", "get"), "pods/exec"),
    Permission(("list",), "daemonsets", "apps"),
    Permission(("get",), "customresourcedefinitions", "apiextensions.k8s.io"),
    Permission(("create", "delete", "get", "list"), "tracingpolicies", "cilium.io"),
    Permission(("create", "delete", "get", "list"), "tracingpoliciesnamespaced", "cilium.io"),
)
#: What is needed where Tetragon is.
OF_TETRAGON = (
    Permission(("get",), "daemonsets", "apps"),
    Permission(("get",), "configmaps"),
    Permission(("list",), "pods"),
    Permission(("create", "get"), "pods/exec"),
    Permission(("get",), "pods/log"),
    Permission(("get",), "pods/proxy"),
)
#: What is needed besides to install it.
TO_INSTALL = (
    Permission(("create", "delete", "patch"), "daemonsets", "apps"),
    Permission(("delete", "list"), "customresourcedefinitions", "apiextensions.k8s.io"),
    Permission(("create", "delete"), "clusterroles", "rbac.authorization.k8s.io"),
    Permission(("create", "delete"), "secrets"),
    Permission(("patch",), "configmaps"),
)


#: What is needed besides to keep a workspace.
TO_KEEP = (Permission(("patch",), "namespaces"),)


def check(cluster: Cluster, namespace: str, *, install: bool, keeps: bool = False) -> None:
    """See that all of it is allowed. Raises `UsageError` naming every verb that is missing."""
    wanted = [
        *ALWAYS,
        *(TO_KEEP if keeps else ()),
        *(_in(one, namespace) for one in (*OF_TETRAGON, *(TO_INSTALL if install else ()))),
    ]
    missing = [lack for one in wanted for lack in one.missing(cluster)]
    if missing:
        raise UsageError(
            f"The context {cluster.context} may not do what a run needs.",
            causes=list(dict.fromkeys(missing)),
            remedy="have these allowed, or use another context",
        )


def _in(one: Permission, namespace: str) -> Permission:
    # some are in no namespace
    return (
        one
        if one.resource in {"clusterroles", "customresourcedefinitions"}
        else Permission(one.verbs, one.resource, one.group, namespace)
    )
