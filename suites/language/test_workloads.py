"""Which pods, containers or hosts a policy is for. What needs Kubernetes is told as unsupported where there is none."""

from fixtures.language import Files
from tetraproof.suite import Case, cases, shell

FILES = Files("pods")


def case(name: str, file: str, says: str, pod: str = "probe", other: str = "privileged") -> Case:
    """A case of the policy of that name: what is opened in the one pod matches, and what is opened in the other not."""
    write = f"echo x > {FILES.path(file)}"
    return Case(f"language/{name}", says, shell(write, pod), shell(write, other), FILES.event(file))


SHIP = "tiefighter"
pytestmark = cases(
    case("pod-selector-labels", "labels", "A policy is for the pods that carry the labels."),
    case("pod-selector-in", "in", "A policy is for the pods whose label is one of these."),
    case("pod-selector-not-in", "not-in", "A policy is for the pods whose label is none of these."),
    case("pod-selector-exists", "exists", "A policy is for the pods that have the label.", other=SHIP),
    case(
        "pod-selector-does-not-exist", "does-not-exist", "A policy is for the pods that lack the label.", SHIP, "probe"
    ),
    case("pod-selector-namespaced", "namespaced", "A namespaced policy is for its namespace's pods.", SHIP, "probe"),
    case("container-selector-labels", "container", "A policy is for the containers of that name."),
    case("container-selector-in", "container-in", "A policy is for the containers whose name is one of these."),
    case(
        "container-selector-not-in", "container-not-in", "A policy is for the containers whose name is none of these."
    ),
    Case(
        "language/host-selector",
        "A policy is for what runs on the host: without Kubernetes that is everything.",
        match=FILES.opened("host"),
        near=FILES.opened("host-x"),
        reported=FILES.event("host"),
    ),
)
