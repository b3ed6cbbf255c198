"""What follows from whom a policy is for and from what it does: it reaches further, or less far, than it reads."""

from __future__ import annotations

from tetraproof.policies.inspection.loophole import Inspected, Rule, Told
from tetraproof.policies.requirement import allowed_to_lack, demanded_mode

#: The CRDs of versions in which uprobes and USDTs heed podSelector.
_SCOPED = {"1.7.1", "main"}


def _nothing(inspected: Inspected) -> Told:
    if inspected.policy.hooks_nothing:
        yield ("spec",), "", "it has no hook, so nothing becomes of it wherever it is applied"


def _of_no_namespace(inspected: Inspected) -> Told:
    namespace = inspected.metadata.get("namespace")
    if inspected.policy.kind == "TracingPolicy" and namespace:
        said = (
            f"a TracingPolicy is of the whole cluster, whatever its namespace {namespace}: TracingPolicyNamespaced is"
        )
        yield ("metadata", "namespace"), "", f"{said} of one"


def _monitors(inspected: Inspected) -> Told:
    if demanded_mode(inspected.policy) == "monitor":
        said = "its own option puts it in monitor mode: it stops nothing, though its events name the action"
        yield ("spec", "options"), "", said


def _hosts(inspected: Inspected) -> Told:
    spec = inspected.policy.spec
    others = [name for name in ("podSelector", "containerSelector") if spec.get(name) is not None]
    if spec.get("hostSelector") is not None and others:
        said = f"hostSelector takes every process of the hosts as well, whatever {others[0]} says"
        yield ("spec", "hostSelector"), "", said


def _probes(inspected: Inspected) -> Told:
    if inspected.policy.crd in _SCOPED or not inspected.filters_pods:
        return
    for kind in ("uprobes", "usdts"):
        if inspected.policy.spec.get(kind):
            yield ("spec", kind), kind, "up to Tetragon 1.7.0 they reach every process, in whatever pod"


def _loader(inspected: Inspected) -> Told:
    if inspected.policy.spec.get("loader") and inspected.filters_pods:
        yield ("spec", "loader"), "loader", "it is of every process: agents refuse it for some pods alone"


def _feeds_itself(inspected: Inspected) -> Told:
    if inspected.filters_pods or inspected.policy.spec.get("hostSelector") is not None:
        return
    for hook in inspected.hooks:
        if any(one.unlimited and not one.does({"NoPost"}) for one in hook.selectors):
            for name in hook.of({"tcp_sendmsg"}):
                said = (
                    "it reports the sending of its own events too: read unfiltered, the stream feeds itself, and drowns"
                )
                yield hook.way, name, said


def _rate(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for selector in hook.selectors:
            for action in selector.actions:
                if action.get("action") == "Post" and action.get("rateLimit"):
                    scope = action.get("rateLimitScope") or "thread"
                    said = (
                        f"what repeats itself within the rateLimit is not told again, by {scope}: no event is no proof"
                    )
                    yield (*hook.way, "selectors", selector.at), "", said


def _unseen(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for selector in hook.enforcing:
            if selector.does({"NoPost"}):
                yield (*hook.way, "selectors", selector.at), "", "NoPost: it enforces, and tells nobody"


def _never_reached(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for at, selector in enumerate(hook.selectors[:-1]):
            if selector.unlimited:
                said = f"its selector {at} takes every call, and the first that matches acts: those after it never do"
                yield (*hook.way, "selectors", at + 1), ", ".join(hook.functions[:1]), said
                break


def _may_be_missing(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        if allowed_to_lack(inspected.policy, hook.kind, hook.at):
            said = "its ignore lets the agent leave the hook out, and call the policy enabled all the same"
            yield (*hook.way, "ignore"), ", ".join(hook.functions), said


RULES = (
    Rule("hooks-nothing", "a policy without any hook", "source", "by Tetragon's source", _nothing),
    Rule(
        "namespace-means-nothing",
        "a `TracingPolicy` with `metadata.namespace`",
        "source",
        "by Kubernetes' source: of what is no namespace's the field is cleared",
        _of_no_namespace,
    ),
    Rule(
        "monitor-mode",
        "the option `policy-mode: monitor` beside an action that enforces",
        "recorded",
        "recorded with 1.7.0 (docs/findings.md, monitor-says-sigkill)",
        _monitors,
    ),
    Rule(
        "hosts-as-well",
        "`hostSelector` beside `podSelector` or `containerSelector`",
        "documentation",
        "by Tetragon's documentation of filtering, and its issue 5347",
        _hosts,
    ),
    Rule(
        "uprobes-ignore-pods",
        "`uprobes` or `usdts` for some pods alone, judged by a CRD up to 1.7.0",
        "source",
        "by Tetragon's source, and its pull request 5218; mended in 1.5.1, 1.6.2 and 1.7.1",
        _probes,
    ),
    Rule(
        "loader-ignores-pods",
        "`loader` for some pods alone",
        "source",
        "by Tetragon's source (loader_linux.go)",
        _loader,
    ),
    Rule(
        "feeds-itself",
        "`tcp_sendmsg` of the whole machine, without a filter",
        "recorded",
        "recorded with 1.4.1 (docs/findings.md, the drowned stream)",
        _feeds_itself,
    ),
    Rule("rate-limited", "`Post` with `rateLimit`", "documentation", "by Tetragon's documentation of selectors", _rate),
    Rule(
        "enforced-unseen",
        "`NoPost` beside an action that enforces",
        "documentation",
        "by Tetragon's documentation of selectors",
        _unseen,
    ),
    Rule(
        "never-reached",
        "a selector without any filter before another",
        "documentation",
        "by Tetragon's documentation of selectors",
        _never_reached,
    ),
    Rule("hook-may-be-missing", "`ignore` that is true", "source", "by Tetragon's source", _may_be_missing),
)
