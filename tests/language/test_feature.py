"""The features of the policy language by name: of the CRD, and of a policy."""

from __future__ import annotations

import pytest
import yaml

from tests.builders import POLICY
from tetraproof.language.feature import features, known, used, within
from tetraproof.policies.crd import VERSIONS, schema


def of(text: str) -> frozenset[str]:
    return used(yaml.safe_load(text))


def test_a_policy_uses_what_it_says() -> None:
    """Each field and word once, and an operator with the type that it is on."""
    assert used(yaml.safe_load(POLICY)["spec"]) == {
        *("kprobes", "kprobes.args", "kprobes.call", "kprobes.selectors", "kprobes.syscall"),
        *("args.index", "args/int", "args/file", "matchArgs", "matchArgs.index", "matchArgs.values"),
        *("matchArgs/Equal", "matchArgs/Equal/file", "matchActions", "matchActions/Sigkill"),
        "matchActions/Sigkill/function",
    }


@pytest.mark.parametrize("kind", ["kprobes", "tracepoints", "lsmhooks", "uprobes"])
def test_what_every_kind_of_hook_has_is_one_feature(kind: str) -> None:
    """A selector is one, wherever it stands."""
    found = of(f"{kind}: [{{selectors: [{{matchPIDs: [{{operator: In, values: [1]}}]}}]}}]")
    assert found == {kind, f"{kind}.selectors", "matchPIDs", "matchPIDs/In", "matchPIDs.values"}


@pytest.mark.parametrize(
    ("spec", "feature"),
    [
        ("kprobes: [{returnArg: {index: 0, type: file}, return: true}]", "args/file"),
        ("kprobes: [{data: [{index: 0, type: string, resolve: comm}]}]", "args.resolve"),
        ("kprobes: [{selectors: [{matchReturnArgs: [{operator: Postfix}]}]}]", "matchArgs/Postfix"),
        ("kprobes: [{selectors: [{matchReturnActions: [{action: Post}]}]}]", "matchActions/Post"),
        ("lists: [{name: a, type: generated_syscalls}]", "lists/generated_syscalls"),
        ("options: [{name: policy-mode, value: monitor}]", "options/policy-mode"),
        ("podSelector: {matchExpressions: [{key: a, operator: Exists}]}", "podSelector.matchExpressions/Exists"),
        ("kprobes: [{selectors: [{matchNamespaces: [{namespace: Pid, operator: In}]}]}]", "matchNamespaces/Pid"),
        ("kprobes: [{selectors: [{matchCapabilities: [{type: Effective}]}]}]", "matchCapabilities.type/Effective"),
        (
            "kprobes: [{returnArg: {index: 0, type: int}, selectors: [{matchReturnArgs: [{operator: Equal}]}]}]",
            "matchArgs/Equal/int",
        ),
        (
            "kprobes: [{data: [{index: 0, type: string}], selectors: [{matchData: [{index: 0, operator: Equal}]}]}]",
            "matchArgs/Equal/string",
        ),
    ],
)
def test_a_feature_goes_by_what_it_is(spec: str, feature: str) -> None:
    """Not by the place where it is written."""
    assert feature in of(spec)


@pytest.mark.parametrize(
    ("hook", "sort"),
    [
        ("kprobes: [{call: fd_install, SELECTORS}]", "function"),
        ("kprobes: [{call: security_file_permission, SELECTORS}]", "security"),
        ("fentries: [{call: security_file_permission, SELECTORS}]", "security"),
        ("kprobes: [{call: sys_openat, syscall: true, SELECTORS}]", "syscall"),
        ("kprobes: [{call: __ia32_sys_openat, syscall: true, SELECTORS}]", "syscall32"),
        ("{lists: [{name: a, type: syscalls, values: [sys_x]}], kprobes: [{call: 'list:a', SELECTORS}]}", "syscall"),
        ("{lists: [{name: a, type: generated_syscalls}], kprobes: [{call: 'list:a', SELECTORS}]}", "syscall"),
        ("{lists: [{name: a, values: [security_x]}], kprobes: [{call: 'list:a', SELECTORS}]}", "security"),
        ("tracepoints: [{subsystem: a, event: b, SELECTORS}]", "tracepoint"),
        ("lsmhooks: [{hook: file_open, SELECTORS}]", "lsm"),
        ("uprobes: [{path: /a, SELECTORS}]", "uprobe"),
        ("usdts: [{path: /a, SELECTORS}]", "usdt"),
    ],
)
def test_an_action_is_also_told_with_the_kind_of_hook_that_it_is_taken_on(hook: str, sort: str) -> None:
    """By a selector's own word, or by that of a macro that it uses."""
    assert f"matchActions/Override/{sort}" in of(
        hook.replace("SELECTORS", "selectors: [{matchActions: [{action: Override}]}]")
    )
    spec = of(hook.replace("SELECTORS", "selectors: [{macros: [m]}]"))
    assert not any(one.startswith("matchActions") for one in spec)
    text = hook if hook.startswith("{") else f"{{{hook}}}"
    text = text.replace("SELECTORS", "selectors: [{macros: [m]}]")[:-1]
    assert f"matchActions/Override/{sort}" in of(
        f"{text}, selectorsMacros: {{m: {{matchActions: [{{action: Override}}]}}}}}}"
    )


def test_a_value_that_is_no_word_of_the_language_is_no_feature() -> None:
    """What a hook or a file is called."""
    assert not [one for one in of("kprobes: [{call: fd_install, message: x}]") if "fd_install" in one or "/x" in one]


@pytest.mark.parametrize("spec", ["kprobes: 1", "kprobes: [1]", "kprobes: [{selectors: 2, args: [3]}]", "kprobes:"])
def test_what_is_no_policy_has_no_more(spec: str) -> None:
    """Nothing is raised."""
    assert of(spec) <= {"kprobes", "kprobes.selectors", "kprobes.args"}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_crd_has_its_features(version: str) -> None:
    """Each once; what is added since is there as well."""
    found = features(schema(version))
    assert len(found) == len(set(found)) > 200
    assert {"matchArgs/Postfix", "args/file", "matchActions/Override", "kprobes.return"} <= set(found) <= known()


def test_a_part_is_within_the_whole_and_not_in_what_merely_begins_so() -> None:
    """`matchArgs/In` is no part of `matchArgs/I`."""
    assert within("matchArgs/Equal/file", "matchArgs/Equal")
    assert within("args.resolve", "args")
    assert not within("matchArgs/InRange", "matchArgs/In")
    assert not within("matchArgs", "matchArgs/Equal")
