"""Policies: what is no policy is refused in a sentence, and two that say the same are the same."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders import MANIFESTS, POLICY, policy
from tetraproof.errors import PolicyError
from tetraproof.policies.binding import Bindings
from tetraproof.policies.policy import BIND, Policy, compare, load, parse, with_values

NAMESPACED = POLICY.replace("kind: TracingPolicy", "kind: TracingPolicyNamespaced")
BOUND = POLICY.replace(
    "  name: guard\n", '  name: guard\n  annotations:\n    tetraproof.dev/bind: \'{"/tmp/guarded": "ranges.pods"}\'\n'
)


def annotated(value: str) -> str:
    return POLICY.replace("  name: guard\n", f"  name: guard\n  annotations:\n    {BIND}: {value}\n")


@pytest.mark.parametrize("path", sorted(MANIFESTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_manifest_is_a_policy_by_its_own_name(path: Path) -> None:
    """A file is called as its policy is."""
    loaded = load(path)
    assert loaded.name == path.stem
    assert compare(loaded, loaded).same


def test_there_are_manifests() -> None:
    """The test above would prove nothing without them."""
    assert len(list(MANIFESTS.glob("*.yaml"))) > 10


@pytest.mark.parametrize(
    ("text", "sentence", "remedy"),
    [
        (POLICY.replace("selectors", "selektors"), "spec.kprobes[0].selektors is a field", "did you mean selectors?"),
        (POLICY.replace("matchActions", "xyz"), "spec.kprobes[0].selectors[0].xyz is a field", "matchArgs"),
        (POLICY.replace("spec:\n", "spec:\n  kprobs: []\n"), "spec.kprobs is a field", "did you mean kprobes?"),
        (POLICY.replace("spec:\n", "spec:\n  1: x\n"), "spec.1 is a field", "the CRD knows"),
        (POLICY.replace("spec:\n", "spec:\n  on: x\n"), "spec.", "the CRD knows"),
        (POLICY.replace("syscall: false", "syscall: maybe"), "spec.kprobes[0].syscall: 'maybe' is not of type", "CRD"),
        (POLICY.replace("index: 0", "index: -1"), "spec.kprobes[0].args[0].index: -1 is less", "CRD"),
        (POLICY.replace("type: file", "type: fyle"), "spec.kprobes[0].args[1].type: 'fyle'", "file"),
        (POLICY.replace("action: Sigkill", "action: sigkill"), "matchActions[0].action: 'sigkill'", "Sigkill"),
        (
            POLICY.replace("    - call: fd_install\n      syscall", "    - syscall"),
            "'call' is a required field",
            "write it",
        ),
        (POLICY.split("spec:")[0] + "spec: {kprobes: many}", "spec.kprobes: 'many' is not of type 'array'", "CRD"),
        (POLICY.split("spec:")[0], "spec is missing", "what it hooks"),
        (POLICY.split("spec:")[0] + "spec: [1]", "spec is missing", "what it hooks"),
        (POLICY + "---\n" + POLICY, "holds 2 policies", "one policy a file"),
        ("", "holds 0 policies", "one policy a file"),
        ("# nothing\n---\n---\n", "holds 0 policies", "one policy a file"),
        ("- a\n- b\n", "holds a list", "begin with apiVersion"),
        ("just text", "holds a str", "begin with apiVersion"),
        (POLICY.replace("  name: guard", "  name: [guard"), "is no YAML at line", ""),
        (POLICY + "\tx: y", "is no YAML at line", ""),
        (POLICY + "\0", "is no YAML", ""),
        (POLICY.replace("kind: TracingPolicy", "kind: TracingPolicies"), "kind is 'TracingPolicies'", "write kind: Tr"),
        (POLICY.replace("kind: TracingPolicy", "kind: Pod"), "kind is 'Pod'", "write kind: TracingPolicy"),
        (POLICY.replace("kind: TracingPolicy\n", ""), "kind is None", "write kind: TracingPolicy"),
        (POLICY.replace("cilium.io/v1alpha1", "v1"), "apiVersion is 'v1'", "cilium.io/v1alpha1"),
        (POLICY.replace("  name: guard", "  labels: {}"), "metadata.name is missing", "a name"),
        (POLICY.replace("  name: guard", "  name: 7"), "metadata.name is", "a name"),
        (POLICY.replace("metadata:\n  name: guard", "metadata: guard"), "metadata.name is missing", "a name"),
        (POLICY.replace("name: guard", "name: Guard_1"), "metadata.name is 'Guard_1'", "write guard-1"),
        (POLICY.replace("name: guard", f"name: {'a' * 254}"), "metadata.name is", "write aaa"),
        (POLICY.replace("name: guard", "name: '__'"), "metadata.name is", "such a name"),
        (POLICY.replace("  name: guard", "  name: guard\n  lables: {}"), "metadata.lables is a field", "mean labels?"),
        (
            POLICY.replace("  name: guard", "  name: guard\n  labels: {a: 1}"),
            "metadata.labels.a is no text",
            'write "1"',
        ),
        (
            POLICY.replace("  name: guard", "  name: guard\n  labels: []"),
            "metadata.labels is no mapping",
            "name: value",
        ),
        (POLICY + "staus: {}\n", "staus is a field that no manifest has", "there are apiVersion"),
        (NAMESPACED.replace("name: guard", "name: guard\n  namespace: 5"), "metadata.namespace is no text", "quote it"),
        (NAMESPACED.replace("name: guard", "name: guard\n  namespace: a.b"), "metadata.namespace is 'a.b'", "write"),
        (
            POLICY.replace("v1alpha1", "v1beta1"),
            "apiVersion is 'cilium.io/v1beta1'",
            "write apiVersion: cilium.io/v1alpha1",
        ),
        (POLICY.replace("name: guard", "name: {{ .Values.name }}"), "line 4, column 10: a mapping", "helm template"),
        (POLICY.replace("index: 0", "index: 4294967296"), "index: 4294967296 is not a 'int32'", "a number of 32 bits"),
        (
            POLICY.replace("values: [/tmp/guarded]", "values: [80]"),
            "values[0]: 80 is not of type 'string'",
            'quote it: "80"',
        ),
        (POLICY.replace("values: [/tmp/guarded]", "values: [null]"), "values[0]: None is not of type 'string'", "CRD"),
        (annotated("'{oops'"), f"metadata.annotations[{BIND!r}] is no JSON", "logical name"),
        (annotated("'[1]'"), "is no mapping of text", "logical name"),
        (annotated("""'{"/tmp/guarded": 7}'"""), "is no mapping of text", "logical name"),
        (annotated("{a: b}"), f"metadata.annotations[{BIND!r}] is no JSON", "logical name"),
        (
            annotated("""'{"/tmp/other": "ranges.pods"}'"""),
            "binds '/tmp/other', which spec does not hold",
            "of the spec",
        ),
        (POLICY.replace("  name: guard\n", "  name: guard\n  annotations: [x]\n"), "metadata.annotations", "mapping"),
    ],
)
def test_what_is_no_policy_is_refused_in_a_sentence(text: str, sentence: str, remedy: str) -> None:
    """The first line stands alone, names the file and the field, and is of a length to read; a remedy follows."""
    with pytest.raises(PolicyError) as refused:
        parse(text, "guard.yaml")
    error = refused.value
    assert error.sentence.startswith("guard.yaml")
    assert sentence in error.sentence
    assert error.sentence.endswith(".")
    assert len(error.sentence) < 240
    assert "\n" not in error.sentence
    assert remedy in str(error)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "cannot be read: No such file or directory."), (b"\xff\xfe", "is no text: byte 0 is not UTF-8.")],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    """By its path."""
    path = tmp_path / "guard.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PolicyError, match=f"The policy .*guard.yaml {sentence}"):
        load(path)


@pytest.mark.parametrize(
    "text",
    [
        POLICY.replace("type: int}", "type: null}"),
        POLICY.replace(", type: int}", "}"),
        POLICY.replace("syscall: false", "syscall: null"),
        POLICY.replace("spec:\n", "spec:\n  lists: null\n  podSelector: null\n"),
        POLICY.replace("  name: guard\n", "  name: guard\n  labels: null\n  creationTimestamp: null\n"),
        POLICY.replace("values: [/tmp/guarded]", "values: null"),
        POLICY.replace("values: [/tmp/guarded]", "values: [2001-13-45, 22:80, 1:30:00]"),
        POLICY.split("spec:")[0] + "spec: {}\n",
        POLICY.split("spec:")[0] + "spec: {kprobes: null}\n",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: galaxy}\n---\n" + POLICY,
        "apiVersion: v1\nkind: List\nitems:\n- " + POLICY.replace("\n", "\n  "),
        "\ufeff" + POLICY,
    ],
)
def test_what_kubectl_takes_is_taken(tmp_path: Path, text: str) -> None:
    """Defaults are filled in before the CRD is asked, null is absent, dates and ranges are text."""
    path = tmp_path / "guard.yaml"
    path.write_text(text, encoding="utf-8")
    assert load(path).name == "guard"


def test_what_is_null_is_absent() -> None:
    """Wherever a policy is read, at any depth; and where there is a default, that holds."""
    nulls = policy(POLICY.replace("syscall: false", "syscall: null\n      return: null\n      tags: null"))
    assert nulls.spec["kprobes"][0].keys() & {"syscall", "return", "tags"} == set()
    assert nulls.normalised["kprobes"][0]["syscall"] is True


def test_a_policy_without_hooks_is_taken_and_told() -> None:
    """As an API server does, and it hooks nothing."""
    nothing = policy(POLICY.split("spec:")[0] + "spec: {kprobes: []}\n")
    assert nothing.hooks_nothing
    assert not policy().hooks_nothing


NEWER = POLICY.replace("type: int}", "type: int, btfType: sockaddr_alg, btfTypeModule: af_alg}")


def test_a_field_of_another_crd_is_told_as_such() -> None:
    """Whose it is, by whose it was judged, and how to choose another."""
    with pytest.raises(
        PolicyError, match=r"btfTypeModule is a field of 1\.7\.1's CRD, judged by that of 1\.7\.0\."
    ) as error:
        policy(NEWER)
    assert "CRD=1.7.1" in error.value.remedy
    assert parse(NEWER, "guard.yaml", crd="1.7.1").crd == "1.7.1"
    with pytest.raises(PolicyError, match=r"containerSelector is a field of 1\.5\.0's CRD|of 1\.6\.1's CRD"):
        parse(POLICY.replace("spec:\n", "spec:\n  usdts: []\n"), "guard.yaml", crd="1.4.1")


def test_a_value_of_another_crd_is_told_as_such() -> None:
    """An operator, a type or an action that another version knows."""
    substring = POLICY.replace("operator: Equal", "operator: SubString")
    with pytest.raises(
        PolicyError, match=r"'SubString' is no value .* by that of 1\.6\.1; 1\.7\.0's takes it"
    ) as error:
        parse(substring, "guard.yaml", crd="1.6.1")
    assert "CRD=1.7.0" in error.value.remedy
    assert policy(substring).name == "guard"


def test_a_crd_that_is_not_kept_is_refused() -> None:
    """With those that are."""
    with pytest.raises(PolicyError, match=r"no CRD of Tetragon 0\.9 here") as error:
        parse(POLICY, "guard.yaml", crd="0.9")
    assert "1.7.0" in error.value.remedy


def test_policies_judged_by_two_crds_are_compared_by_one() -> None:
    """What a newer CRD fills in is no difference."""
    assert compare(policy(), parse(POLICY, "guard.yaml", crd="main")).same


def test_a_namespaced_policy_without_namespace_is_for_the_one_it_is_applied_to() -> None:
    """As by `kubectl apply -n`."""
    assert policy(NAMESPACED).key == ("", "guard")
    assert policy(NAMESPACED).kind == "TracingPolicyNamespaced"


def test_a_namespaced_policy_selects_no_hosts() -> None:
    """By main's CRD; older ones leave it to the agent to refuse."""
    hosts = NAMESPACED.replace("spec:\n", "spec:\n  hostSelector: {}\n")
    assert parse(hosts, "guard.yaml").spec["hostSelector"] == {}
    with pytest.raises(PolicyError, match=r"spec\.hostSelector selects hosts"):
        parse(hosts, "guard.yaml", crd="main")


def test_a_policy_is_known_by_namespace_and_name() -> None:
    """A namespaced one by both, a global one has no namespace even if it writes one."""
    within = "  name: guard\n  namespace: galaxy\n"
    assert policy(NAMESPACED.replace("  name: guard\n", within)).key == ("galaxy", "guard")
    assert policy(POLICY.replace("  name: guard\n", within)).key == ("", "guard")


def spec_of(text: str = POLICY) -> Any:
    return copy.deepcopy(yaml.safe_load(text)["spec"])


def with_spec(spec: Any, text: str = POLICY) -> Policy:
    document = yaml.safe_load(text)
    return parse(yaml.safe_dump({**document, "spec": spec}, sort_keys=False), "there.yaml")


def test_layout_comments_and_the_order_of_keys_say_nothing() -> None:
    """The same spec written otherwise is the same policy."""
    backwards = yaml.safe_dump({"spec": spec_of()}, sort_keys=True)
    head = "kind: TracingPolicy\napiVersion: cilium.io/v1alpha1\nmetadata: {name: another}\n"
    assert compare(policy(), parse(f"# a comment\n{head}{backwards}", "there.yaml")).same


def test_a_default_written_out_says_nothing() -> None:
    """What the CRD fills in may be written or left out."""
    spec = spec_of()
    del spec["kprobes"][0]["syscall"]
    explicit = spec_of()
    explicit["kprobes"][0] |= {"return": False, "syscall": True}
    assert compare(with_spec(spec), with_spec(explicit)).same
    assert policy().spec["kprobes"][0].get("return") is None


def change(path: str, value: Any) -> Any:
    """The spec with one value changed; a path of keys and indexes."""
    spec = spec_of()
    *way, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    place = spec
    for part in way:
        place = place[part]
    place[last] = value
    return spec


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("kprobes/0/call", "fd_open", "spec.kprobes[0].call"),
        ("kprobes/0/syscall", True, "spec.kprobes[0].syscall"),
        ("kprobes/0/return", True, "spec.kprobes[0].return"),
        ("kprobes/0/selectors/0/matchActions/0/action", "Post", "selectors[0].matchActions[0].action"),
        ("kprobes/0/selectors/0/matchArgs/0/values", ["/tmp/guarded", "/tmp/x"], "matchArgs[0].values"),
        ("kprobes/0/selectors/0/matchArgs/0/values/0", "/tmp/other", "matchArgs[0].values[0]"),
        ("kprobes/0/args", [], "spec.kprobes[0].args"),
        ("podSelector", {"matchLabels": {"app": "x"}}, "spec.podSelector"),
    ],
)
def test_a_policy_that_says_something_else_differs_there(path: str, value: Any, field: str) -> None:
    """The difference names the field, what is here and what is there; from either side."""
    likeness = compare(policy(), with_spec(change(path, value)))
    assert not likeness.same
    (difference,) = likeness.differences
    assert difference.field.endswith(field)
    assert "here" in str(difference)
    assert not compare(with_spec(change(path, value)), policy()).same


def test_the_order_of_selectors_says_something() -> None:
    """The first that matches acts."""
    spec = spec_of()
    spec["kprobes"][0]["selectors"].append({"matchActions": [{"action": "Post"}]})
    turned = copy.deepcopy(spec)
    turned["kprobes"][0]["selectors"].reverse()
    assert not compare(with_spec(spec), with_spec(turned)).same


def test_another_kind_is_another_policy() -> None:
    """A global policy guards more than a namespaced one."""
    namespaced = policy(NAMESPACED.replace("  name: guard\n", "  name: guard\n  namespace: galaxy\n"))
    assert [one.field for one in compare(policy(), namespaced).differences] == ["kind"]


# values that the target binds


def test_a_bound_value_may_be_anything_there() -> None:
    """And the comparison says what it is."""
    ours = policy(BOUND)
    assert ours.bound == {"/tmp/guarded": "ranges.pods"}
    likeness = compare(ours, policy(BOUND.replace("/tmp/guarded", "10.0.0.0/8")))
    assert likeness.same
    assert likeness.bindings == {"ranges.pods": "10.0.0.0/8"}


def test_a_value_that_is_not_bound_may_not() -> None:
    """Only what the manifest names."""
    assert not compare(policy(), policy(POLICY.replace("/tmp/guarded", "/tmp/x"))).same


def test_a_bound_name_is_one_value_throughout() -> None:
    """Two places with the same name must hold the same there."""
    both = BOUND.replace("values: [/tmp/guarded]", "values: [/tmp/guarded, /tmp/guarded]")
    agreed = both.replace("values: [/tmp/guarded, /tmp/guarded]", "values: [a, a]").replace("/tmp/guarded", "a")
    parted = both.replace("values: [/tmp/guarded, /tmp/guarded]", "values: [a, b]").replace("/tmp/guarded", "a")
    assert compare(policy(both), policy(agreed)).same
    assert not compare(policy(both), policy(parted)).same


UPROBE = """\
apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: hooked
  annotations:
    tetraproof.dev/bind: '{"/usr/bin/bash": "probe.file", "/usr/lib/libc.so.6": "probe.file"}'
spec:
  uprobes:
    - path: /usr/bin/bash
      symbols: [times_builtin]
    - path: /usr/lib/libc.so.6
      symbols: [umask]
"""


def test_a_file_is_hooked_where_the_agent_finds_the_workload_s() -> None:
    """Each of its files under the one root; where nobody knows that, the path stays as it was written."""
    ours = policy(UPROBE)
    put = with_values(ours, Bindings(roots={"probe": "/proc/42/root", "nginx": "/proc/43/root"}))
    assert [hook["path"] for hook in put.spec["uprobes"]] == [
        "/proc/42/root/usr/bin/bash",
        "/proc/42/root/usr/lib/libc.so.6",
    ]
    assert with_values(ours, Bindings(roots={"nginx": "/proc/43/root"})).spec == ours.spec


@pytest.mark.parametrize(
    ("bash", "libc", "same"),
    [
        ("/proc/42/root/usr/bin/bash", "/proc/42/root/usr/lib/libc.so.6", True),
        ("/usr/bin/bash", "/usr/lib/libc.so.6", True),
        ("/proc/42/root/usr/bin/bash", "/proc/43/root/usr/lib/libc.so.6", False),
        ("/proc/42/root/usr/bin/dash", "/proc/42/root/usr/lib/libc.so.6", False),
        ("/proc/42/root/usr/lib/libc.so.6", "/proc/42/root/usr/bin/bash", False),
    ],
)
def test_a_recorded_file_is_the_same_under_any_one_root(bash: str, libc: str, same: bool) -> None:
    """Another file is another policy, and so is one of another pod beside it."""
    theirs = UPROBE.replace("path: /usr/bin/bash", f"path: {bash}").replace("path: /usr/lib/libc.so.6", f"path: {libc}")
    found = compare(policy(UPROBE), policy(theirs[: theirs.index("  annotations")] + theirs[theirs.index("spec:") :]))
    assert found.same is same
    if same:
        assert found.bindings == {"probe.file": bash.removesuffix("/usr/bin/bash")}


def test_values_are_put_in_place_of_the_bound_ones() -> None:
    """Everywhere in the spec, and nowhere else; the original stays."""
    ours = policy(BOUND)
    put = with_values(ours, Bindings(ranges={"ranges.pods": "10.0.0.0/8", "ranges.services": "x"}))
    assert put.spec["kprobes"][0]["selectors"][0]["matchArgs"][0]["values"] == ["10.0.0.0/8"]
    assert put.bound == {"10.0.0.0/8": "ranges.pods"}
    assert ours.spec["kprobes"][0]["selectors"][0]["matchArgs"][0]["values"] == ["/tmp/guarded"]
    assert with_values(ours, Bindings()).spec == ours.spec
