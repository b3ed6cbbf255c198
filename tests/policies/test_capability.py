"""Capabilities: the agent's word decides what becomes of a policy, what it can do explains it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.builders import NODE, POLICY, RECORDINGS, policy, state
from tetraproof.policies.capability import Capabilities, PolicyState, holding, kernel_options, loading, probed
from tetraproof.policies.policy import Policy, parse
from tetraproof.policies.policy_state import HookState
from tetraproof.verdict import Verdict

KILLS = policy()
GUARDED = POLICY.replace("fd_install", "security_file_open")
OVERRIDES = policy(GUARDED.replace("Sigkill", "Override\n              argError: -1"))
ALONE = policy(
    GUARDED.replace("Sigkill", "Override").replace(
        "spec:\n", "spec:\n  options:\n    - {name: disable-kprobe-multi, value: '1'}\n"
    )
)
SYSTEM_CALL = policy(
    POLICY.replace("Sigkill", "Override").replace("fd_install", "sys_openat").replace("false", "true", 1)
)
OTHER = "other-node"
PREAMBLE = "policy handler 'tracing' failed loading policy 'guard': "
# as recorded of 1.4.1 and 1.7.0
NO_HELPER = (
    f"{PREAMBLE}validation failed: Error override action not supported, bpf_override_return helper not available"
)
BY_MULTI = (
    f"{PREAMBLE}override validation failed: can't override 'f' function with kprobe_multi, "
    "use --disable-kprobe-multi option"
)
REFUSED = (
    "sensor generic_kprobe from collection guard failed to load: failed prog /var/lib/tetragon/bpf_multi_kprobe_v61.o "
    "kern_version 396288 loadInstance: opening collection failed: program generic_kprobe_event: load program: "
    "invalid argument"
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NO_HELPER, Verdict.UNSUPPORTED),
        (BY_MULTI, Verdict.UNSUPPORTED),
        (
            f"{PREAMBLE}override action not supported on syscalls, bpf_override_return helper not available",
            Verdict.UNSUPPORTED,
        ),
        ("LSM hooks are not supported", Verdict.UNSUPPORTED),
        ("the kernel doesn't support it", Verdict.UNSUPPORTED),
        ("function f not found in BTF", Verdict.VIOLATES),
        ("call 'sys_nothing' not found", Verdict.VIOLATES),
        (REFUSED, Verdict.VIOLATES),
        ("timed out", Verdict.INCONCLUSIVE),
        ("open /etc/guard.yaml: file not found", Verdict.VIOLATES),
        ("", Verdict.VIOLATES),
    ],
)
def test_a_lack_is_told_apart_from_a_failure(error: str, expected: Verdict) -> None:
    """Unsupported is only what the agent itself says that it lacks."""
    assert loading(KILLS, [state(told="load_error", error=error)], {}).verdict is expected


@pytest.mark.parametrize(
    ("told", "error", "expected"),
    [
        ("enabled", "", Verdict.CONFORMS),
        ("enabled", "half of it failed", Verdict.VIOLATES),
        ("partially_enabled", "half of it failed", Verdict.VIOLATES),
        ("disabled", "", Verdict.VIOLATES),
        ("load_error", "", Verdict.VIOLATES),
        ("error", "", Verdict.VIOLATES),
        ("unloading", "", Verdict.VIOLATES),
        ("unknown", "", Verdict.INCONCLUSIVE),
        ("skipped", "", Verdict.INCONCLUSIVE),
        ("partially_enabled", "", Verdict.INCONCLUSIVE),
        ("a_state_of_tomorrow", "", Verdict.INCONCLUSIVE),
        ("9", "", Verdict.INCONCLUSIVE),
    ],
)
def test_applied_is_not_loaded(told: str, error: str, expected: Verdict) -> None:
    """In force is enabled without an error, and nothing else."""
    judged = loading(KILLS, [state(told=told, error=error)], {})
    assert judged.verdict is expected
    assert (NODE in judged.reason) is (expected is not Verdict.CONFORMS)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([state(), state(OTHER)], Verdict.CONFORMS),
        ([state(), state(OTHER, "load_error", REFUSED)], Verdict.VIOLATES),
        ([state(), state(OTHER, "load_error", NO_HELPER)], Verdict.UNSUPPORTED),
        ([state(NODE, "load_error", REFUSED), state(OTHER, "load_error", NO_HELPER)], Verdict.VIOLATES),
        ([], Verdict.INCONCLUSIVE),
    ],
)
def test_the_worst_node_decides(states: list[PolicyState], expected: Verdict) -> None:
    """In force on every node, by every agent's word; nobody's word is no word."""
    assert loading(KILLS, states, {NODE: Capabilities(), OTHER: Capabilities()}).verdict is expected


def test_of_several_nodes_the_reason_names_its_own() -> None:
    """Whose word it is."""
    states = [state(), state(OTHER, "load_error", NO_HELPER)]
    assert loading(OVERRIDES, states, {}).reason.startswith(f"on {OTHER}: the agent refuses")


def test_a_node_whose_agent_says_nothing_of_the_policy_is_not_in_force() -> None:
    """Enabled on one of two nodes is not in force on every node."""
    judged = loading(KILLS, [state()], {NODE: Capabilities(), OTHER: Capabilities()})
    assert judged.verdict is not Verdict.CONFORMS
    assert OTHER in judged.reason


def here(
    settings: dict[str, str] | None = None, options: dict[str, str] | None = None, **features: bool
) -> dict[str, Capabilities]:
    return {NODE: Capabilities(features, options or {}, settings or {})}


def test_the_reason_names_what_is_lacking_and_where_that_was_looked_up() -> None:
    """Derivation explains the agent's word: the need, the probe, the kernel option behind it."""
    options = {"CONFIG_FUNCTION_ERROR_INJECTION": "n", "CONFIG_BPF_KPROBE_OVERRIDE": "y"}
    nodes = here(options=options, override_return=False, fmodret=False)
    judged = loading(SYSTEM_CALL, [state(told="load_error", error=NO_HELPER)], nodes)
    assert judged.verdict is Verdict.UNSUPPORTED
    for word in (
        "Override on a system call needs bpf_override_return",
        "`tetra probe` says override_return: false",
        "(CONFIG_FUNCTION_ERROR_INJECTION is not set)",
        "the agent refuses: Error override action not supported",
    ):
        assert word in judged.reason
    assert "failed loading policy" not in judged.reason


def test_a_refusal_that_derivation_does_not_explain_says_so() -> None:
    """Where a feature is there that should be enough, the disagreement is told; the agent's word still decides."""
    judged = loading(ALONE, [state(told="load_error", error=NO_HELPER)], here(override_return=False, fmodret=True))
    assert judged.verdict is Verdict.UNSUPPORTED
    assert "(by derivation it could: `tetra probe` says fmodret: true)" in judged.reason


def test_what_nobody_probed_leaves_nothing_in_doubt() -> None:
    """Only a feature that is there should have been enough."""
    assert "by derivation" not in loading(ALONE, [state(told="load_error", error=NO_HELPER)], {}).reason


def test_with_kprobe_multi_on_fmod_ret_is_no_help() -> None:
    """So nothing is in doubt, and the agent's own remedy is told last."""
    judged = loading(OVERRIDES, [state(told="load_error", error=BY_MULTI)], here(override_return=False, fmodret=True))
    assert "by derivation" not in judged.reason
    assert judged.reason.endswith("; its remedy: use --disable-kprobe-multi option")
    settings = {"disable-kprobe-multi": "true"}
    off = loading(
        OVERRIDES, [state(told="load_error", error=NO_HELPER)], here(settings, override_return=False, fmodret=True)
    )
    assert "by derivation it could" in off.reason


def test_enabled_against_all_derivation_is_enabled() -> None:
    """The agent decides; that the probe says otherwise is told."""
    judged = loading(KILLS, [state()], here(signal=False))
    assert judged.verdict is Verdict.CONFORMS
    assert judged.reason.startswith("enabled, though Sigkill needs the helper")


@pytest.mark.parametrize(
    ("name", "has"),
    [
        ("signal", True),
        ("lsm", False),
        ("large", None),
        ("policy_filter", True),
        ("CONFIG_KPROBES", True),
        ("CONFIG_UPROBES", False),
        ("CONFIG_BPF_LSM", None),
    ],
)
def test_what_nobody_said_is_neither_there_nor_lacking(name: str, *, has: bool | None) -> None:
    """Features by the probe, options by the kernel's config, the policy filter by the agent's settings."""
    known = Capabilities(
        {"signal": True, "lsm": False},
        {"CONFIG_KPROBES": "y", "CONFIG_UPROBES": "n"},
        {"enable-policy-filter": "true"},
    )
    assert known.has(name) is has
    assert name.replace("policy_filter", "enable-policy-filter") in known.source(name)
    assert ("the kernel's config says" in known.source(name)) is name.startswith("CONFIG_")
    assert Capabilities().has(name) is None


def test_a_probe_is_read_whatever_stands_between() -> None:
    """1.7.0 writes a colon after every name, 1.4.1 leaves some out; its log and anything else is passed over."""
    text = 'override_return: false\nuprobe_multi true\nlevel=error msg="x: true"\nlsm: maybe\nsignal: true \n'
    assert probed(text) == {"override_return": False, "uprobe_multi": True, "signal": True}


def test_a_kernel_option_that_is_not_set_is_n() -> None:
    """Set, a module, a text, or not set."""
    text = 'CONFIG_BPF=y\nCONFIG_X=m\nCONFIG_LSM="bpf,yama"\n# CONFIG_BPF_LSM is not set\n# a comment\n'
    assert kernel_options(text) == {
        "CONFIG_BPF": "y",
        "CONFIG_X": "m",
        "CONFIG_LSM": '"bpf,yama"',
        "CONFIG_BPF_LSM": "n",
    }


@pytest.mark.parametrize(
    "path", sorted(RECORDINGS.glob("*/environment/tetra-probe.txt")), ids=lambda path: path.parts[-3]
)
def test_every_recorded_probe_is_understood(path: Path) -> None:
    """It names what policies need."""
    features = probed(path.read_text(encoding="utf-8"))
    assert {"override_return", "fmodret", "signal", "lsm", "large"} <= features.keys()


def recorded_errors() -> dict[str, str]:
    states: dict[str, list[dict[str, Any]]] = {}
    for path in RECORDINGS.glob("*/scenarios/*/state.json"):
        states |= {str(path): [one for told in json.loads(path.read_bytes()).values() for one in told]}
    return {str(one["error"]): str(one["name"]) for told in states.values() for one in told if one.get("error")}


#: Policies that were refused for what a kernel or an agent lacks: an override's helper, or a map that is off.
LACKING = ("override", "match-actions-override", "match-actions-notify-enforcer", "match-parent-binaries")
#: What others were refused with that is no violation: the agent's CRD or the kernel lacks it, or it says nothing.
NO_VIOLATION = {
    "in body should be one of": Verdict.UNSUPPORTED,
    "json: unknown field": Verdict.UNSUPPORTED,
    'call "do_filp_open": not found': Verdict.UNSUPPORTED,
    "can't use override regs action, no kernel support": Verdict.UNSUPPORTED,
    "can't preload string for argument": Verdict.UNSUPPORTED,
    "Only matchPIDs selector is supported": Verdict.UNSUPPORTED,
    "too many open files": Verdict.INCONCLUSIVE,
}


def test_every_recorded_refusal_is_understood() -> None:
    """What the agent says that it lacks is unsupported; what the verifier refuses, or the agent does not do, is not."""
    errors = recorded_errors()
    assert len(errors) > 5
    for error, name in errors.items():
        judged = loading(KILLS, [state(told="load_error", error=error)], {}).verdict
        told = next((verdict for words, verdict in NO_VIOLATION.items() if words in error), Verdict.VIOLATES)
        assert judged is (Verdict.UNSUPPORTED if name.startswith(LACKING) else told), error


def test_a_policy_that_is_still_being_loaded_cannot_be_judged() -> None:
    """It is neither in force nor refused; where the agent tells an error with it, that is its word."""
    judged = loading(KILLS, [state(told="loading", error="")], {})
    assert (judged.verdict, judged.reason) == (Verdict.INCONCLUSIVE, f"the agent of {NODE} was still loading it")
    assert loading(KILLS, [state(told="loading", error="no such hook")], {}).verdict is Verdict.VIOLATES


def test_a_policy_that_hooks_nothing_is_never_in_force() -> None:
    """Whatever the agent says of it."""
    nothing = policy(POLICY.split("spec:")[0] + "spec: {}")
    judged = loading(nothing, [state()], {})
    assert (judged.verdict, "hooks nothing" in judged.reason) == (Verdict.VIOLATES, True)


MONITORS = policy(POLICY.replace("spec:\n", "spec:\n  options: [{name: policy-mode, value: monitor}]\n"))
LOGS = policy(POLICY.replace("Sigkill", "Post"))


@pytest.mark.parametrize(
    ("applied", "mode", "expected"),
    [
        (KILLS, "enforce", Verdict.CONFORMS),
        (KILLS, "monitor", Verdict.VIOLATES),
        (KILLS, "monitor_only", Verdict.VIOLATES),
        (KILLS, "", Verdict.CONFORMS),
        (MONITORS, "monitor", Verdict.CONFORMS),
        (MONITORS, "enforce", Verdict.VIOLATES),
        (MONITORS, "", Verdict.CONFORMS),
        (LOGS, "monitor_only", Verdict.CONFORMS),
        (LOGS, "enforce", Verdict.CONFORMS),
    ],
)
def test_the_mode_is_the_one_that_the_policy_demands(applied: Policy, mode: str, expected: Verdict) -> None:
    """A policy that enforces and is in monitor mode enforces nothing; one that only reports has no mode to demand."""
    judged = loading(applied, [state(mode=mode)], {})
    assert judged.verdict is expected
    assert ("the policy demands mode" in judged.reason) is (expected is Verdict.VIOLATES)


IGNORES = policy(POLICY.replace("syscall: false", "syscall: false\n      ignore: {callNotFound: true}"))
TWO = policy(
    POLICY.replace("  kprobes:\n", "  kprobes:\n    - {call: tcp_connect, syscall: false}\n").replace(
        "call: fd_install\n", "call: fd_install\n      ignore: {callNotFound: true}\n"
    )
)


def hook(told: str, at: int = 0) -> HookState:
    return HookState("kprobes", at, told, "fd_install")


@pytest.mark.parametrize("told", ["enabled", "partially_enabled"])
@pytest.mark.parametrize(
    ("applied", "hooks", "expected"),
    [
        (KILLS, [hook("loaded")], Verdict.CONFORMS),
        (KILLS, [hook("call_not_found")], Verdict.VIOLATES),
        (KILLS, [hook("partial_call_not_found")], Verdict.VIOLATES),
        (KILLS, [hook("digest_rejected")], Verdict.VIOLATES),
        (KILLS, [hook("unspecified")], Verdict.INCONCLUSIVE),
        (KILLS, [hook("state_of_tomorrow")], Verdict.INCONCLUSIVE),
        (IGNORES, [hook("call_not_found")], Verdict.UNSUPPORTED),
        (IGNORES, [hook("partial_call_not_found")], Verdict.CONFORMS),
        (TWO, [hook("loaded"), hook("call_not_found", 1)], Verdict.CONFORMS),
        (TWO, [hook("call_not_found"), hook("loaded", 1)], Verdict.VIOLATES),
        (TWO, [hook("call_not_found", 7)], Verdict.VIOLATES),
    ],
)
def test_a_hook_that_was_left_out_is_not_in_force(
    told: str, applied: Policy, hooks: list[HookState], expected: Verdict
) -> None:
    """Unless the policy itself allows it, and has another."""
    states = [state(told=told, hooks=tuple(hooks))]
    if told == "enabled" or any(one.state != "loaded" for one in hooks):
        assert loading(applied, states, {}).verdict is expected


def test_a_policy_whose_own_selector_leaves_a_node_out() -> None:
    """Is not judged there; one that has no such selector was skipped for a reason that nobody told."""
    selects = parse(POLICY.replace("spec:\n", "spec:\n  nodeSelector: {matchLabels: {a: b}}\n"), "x.yaml", crd="main")
    assert loading(selects, [state(told="skipped")], {}).verdict is Verdict.UNSUPPORTED
    assert loading(KILLS, [state(told="skipped")], {}).verdict is Verdict.INCONCLUSIVE


# to the end

BEFORE = state(mode="enforce", id="7")


@pytest.mark.parametrize(
    ("after", "expected", "word"),
    [
        (BEFORE, Verdict.CONFORMS, ""),
        (state(), Verdict.CONFORMS, ""),
        (state(mode="enforce", id="8"), Verdict.VIOLATES, "loaded anew on tetra-node during the acts: its id was 7"),
        (state(mode="enforce", id=""), Verdict.CONFORMS, ""),
        (state(mode="monitor", id="7"), Verdict.VIOLATES, "mode monitor"),
        (state(told="disabled"), Verdict.VIOLATES, "the state is disabled"),
        (state(told="load_error", error=REFUSED), Verdict.VIOLATES, "invalid argument"),
        (state(told="load_error", error=NO_HELPER), Verdict.VIOLATES, "helper not available"),
        (state(error="half of it failed"), Verdict.VIOLATES, "half of it failed"),
        (state(told="unloading"), Verdict.VIOLATES, "unloading"),
        (state(told="unknown"), Verdict.INCONCLUSIVE, "unknown"),
        (state(told="loading"), Verdict.INCONCLUSIVE, "still loading"),
    ],
)
def test_a_policy_holds_to_the_end(after: PolicyState, expected: Verdict, word: str) -> None:
    """The same loading of it, in force, in the same mode; a lack that shows only then is no excuse."""
    judged = holding(KILLS, [BEFORE], [after], {})
    assert judged.verdict is expected
    assert word in judged.reason


def test_a_number_that_was_not_told_before_says_nothing_after() -> None:
    """Of an agent that tells none, or told none then."""
    assert holding(KILLS, [state()], [state(id="8")], {}).verdict is Verdict.CONFORMS


def test_the_end_names_the_node_where_there_are_several() -> None:
    """And does not where there is one."""
    off = state(OTHER, "load_error", REFUSED)
    assert OTHER in holding(KILLS, [state(), state(OTHER)], [state(), off], {}).reason
    alone = holding(KILLS, [state()], [state(told="unknown")], {}).reason
    assert not alone.startswith("on ")


def test_a_lack_of_before_is_one_after_as_well() -> None:
    """Only what was in force can be lost."""
    refused = state(told="load_error", error=NO_HELPER)
    assert holding(KILLS, [refused], [refused], {}).verdict is Verdict.UNSUPPORTED


def test_a_mode_that_changes_is_told_of_any_policy() -> None:
    """Also of one that demands none."""
    judged = holding(LOGS, [state(mode="enforce")], [state(mode="monitor")], {})
    assert (judged.verdict, judged.reason) == (
        Verdict.VIOLATES,
        f"on {NODE} the mode was enforce, and is monitor after the acts",
    )


@pytest.mark.parametrize(
    ("after", "answered", "expected"),
    [
        ([], None, Verdict.INCONCLUSIVE),
        ([], [], Verdict.INCONCLUSIVE),
        ([], [OTHER], Verdict.VIOLATES),
        ([], [NODE, OTHER], Verdict.VIOLATES),
        ([state()], [NODE, OTHER], Verdict.VIOLATES),
        ([state()], [NODE], Verdict.INCONCLUSIVE),
        ([state()], None, Verdict.INCONCLUSIVE),
        ([state(), state(OTHER)], None, Verdict.CONFORMS),
        ([state(OTHER), state()], [NODE, OTHER], Verdict.CONFORMS),
    ],
)
def test_every_node_is_heard_to_the_end(
    after: list[PolicyState], answered: list[str] | None, expected: Verdict
) -> None:
    """An agent that answers without the policy has lost it; one that does not answer leaves it undecided."""
    judged = holding(KILLS, [state(), state(OTHER)], after, {}, answered)
    assert judged.verdict is expected
    assert bool(judged.reason) is (expected is not Verdict.CONFORMS)


# what a person reads


@pytest.mark.parametrize(
    ("told", "name", "source"),
    [
        (Capabilities(), "signal", "nobody probed signal"),
        (Capabilities({"signal": True}), "signal", "`tetra probe` says signal: true"),
        (Capabilities({"lsm": False}, {"CONFIG_BPF_LSM": "y"}), "lsm", "`tetra probe` says lsm: false"),
        (
            Capabilities({"lsm": False}, {"CONFIG_BPF_LSM": "n"}),
            "lsm",
            "`tetra probe` says lsm: false (CONFIG_BPF_LSM is not set)",
        ),
        (
            Capabilities({}, {"CONFIG_BPF_KPROBE_OVERRIDE": "n", "CONFIG_FUNCTION_ERROR_INJECTION": "n"}),
            "override_return",
            "nobody probed override_return (CONFIG_BPF_KPROBE_OVERRIDE, CONFIG_FUNCTION_ERROR_INJECTION is not set)",
        ),
        (Capabilities({}, {"CONFIG_BPF": "m"}), "CONFIG_BPF", "the kernel's config says CONFIG_BPF=m"),
        (Capabilities(), "CONFIG_BPF", "the kernel's config says CONFIG_BPF=nothing"),
        (
            Capabilities(settings={"enable-policy-filter": "False"}),
            "policy_filter",
            "the agent's settings say enable-policy-filter: False",
        ),
    ],
)
def test_where_a_capability_was_looked_up_is_told(told: Capabilities, name: str, source: str) -> None:
    """With the kernel's options behind it where those are not set."""
    assert told.source(name) == source


@pytest.mark.parametrize(("value", "has"), [("true", True), ("True", True), ("false", False), ("", False)])
def test_a_setting_is_read_in_either_case(value: str, *, has: bool) -> None:
    """As Go reads it."""
    settings = {"enable-policy-filter": value, "disable-kprobe-multi": value}
    assert Capabilities(settings=settings).has("policy_filter") is has
    assert Capabilities(settings=settings).multi_is_off is has
    assert not Capabilities().multi_is_off


NEITHER = "Override is for system calls and security_ functions, and fd_install is neither"
REMEDY = "use --disable-kprobe-multi option"
MISPLACED = policy(POLICY.replace("Sigkill", "Override"))
NOWHERE = state("", "load_error", REFUSED)
WORDS = PolicyState(NODE, "guard", "", "load_error", REFUSED).word


@pytest.mark.parametrize(
    ("applied", "told", "verdict", "reason"),
    [
        (KILLS, state(), Verdict.CONFORMS, ""),
        (KILLS, state(mode="enforce"), Verdict.CONFORMS, ""),
        (MONITORS, state(mode="monitor_only"), Verdict.CONFORMS, ""),
        (
            KILLS,
            state(mode="monitor"),
            Verdict.VIOLATES,
            "the policy demands mode enforce, and the agent of tetra-node has it in mode monitor",
        ),
        (
            KILLS,
            state("", mode="monitor"),
            Verdict.VIOLATES,
            "the policy demands mode enforce, and the agent of the node has it in mode monitor",
        ),
        (
            KILLS,
            state(told="disabled"),
            Verdict.VIOLATES,
            "applied, but not in force on tetra-node: the state is disabled",
        ),
        (
            KILLS,
            state("", "disabled"),
            Verdict.VIOLATES,
            "applied, but not in force on the node: the state is disabled",
        ),
        (
            KILLS,
            state(told="unknown"),
            Verdict.INCONCLUSIVE,
            "the agent of tetra-node says unknown, which tells nothing of it",
        ),
        (
            KILLS,
            state("", "loading"),
            Verdict.INCONCLUSIVE,
            "the agent of the node was still loading it",
        ),
        (
            KILLS,
            state(told="partially_enabled"),
            Verdict.INCONCLUSIVE,
            "some hooks were not loaded on tetra-node, and the agent does not say which",
        ),
        (
            KILLS,
            state("", "partially_enabled"),
            Verdict.INCONCLUSIVE,
            "some hooks were not loaded on the node, and the agent does not say which",
        ),
        # a refusal, by whose fault it is
        (
            KILLS,
            state(told="load_error", error="timed out"),
            Verdict.INCONCLUSIVE,
            "applied, but not in force on tetra-node: timed out; this says nothing of the policy",
        ),
        (
            KILLS,
            state(told="load_error", error="a word that nobody knows"),
            Verdict.VIOLATES,
            "applied, but not in force on tetra-node: a word that nobody knows",
        ),
        (KILLS, NOWHERE, Verdict.VIOLATES, f"applied, but not in force on the node: {WORDS}"),
        (
            MISPLACED,
            state(told="load_error", error="can't Override it"),
            Verdict.VIOLATES,
            f"applied, but not in force on tetra-node: can't Override it; {NEITHER}",
        ),
        # a mistake that the refusal does not speak of is not told as its reason
        (
            MISPLACED,
            state(told="load_error", error="a word that nobody knows"),
            Verdict.VIOLATES,
            "applied, but not in force on tetra-node: a word that nobody knows",
        ),
        (
            KILLS,
            state(told="load_error", error=NO_HELPER),
            Verdict.UNSUPPORTED,
            "the agent refuses: Error override action not supported, bpf_override_return helper not available",
        ),
        (
            KILLS,
            state(told="load_error", error=BY_MULTI),
            Verdict.UNSUPPORTED,
            f"the agent refuses: can't override 'f' function with kprobe_multi; its remedy: {REMEDY}",
        ),
        # hooks that were left out
        (
            KILLS,
            state(hooks=(hook("unspecified"),)),
            Verdict.INCONCLUSIVE,
            "the agent says unspecified of kprobes[0] (fd_install)",
        ),
        (
            KILLS,
            state(hooks=(HookState("kprobes", 0, "call_not_found"),)),
            Verdict.VIOLATES,
            "kprobes[0] is not in force: its function was not found",
        ),
        (
            KILLS,
            state(hooks=(hook("digest_rejected"),)),
            Verdict.VIOLATES,
            "kprobes[0] (fd_install) is not in force: its program has another digest than the policy asks for",
        ),
        (
            IGNORES,
            state(hooks=(hook("call_not_found"),)),
            Verdict.UNSUPPORTED,
            "no hook of the policy is in force here, as it allows: kprobes[0] (fd_install), its function was not found",
        ),
        (
            IGNORES,
            state(hooks=(hook("partial_call_not_found"),)),
            Verdict.CONFORMS,
            "enabled without kprobes[0] (fd_install), as the policy allows: some of its functions were not found",
        ),
        # of several the worst is told
        (
            TWO,
            state(hooks=(hook("call_not_found", 1), hook("unspecified", 0))),
            Verdict.INCONCLUSIVE,
            "the agent says unspecified of kprobes[0] (fd_install)",
        ),
        (
            TWO,
            state(hooks=(hook("call_not_found", 1), hook("call_not_found", 0))),
            Verdict.VIOLATES,
            "kprobes[0] (fd_install) is not in force: its function was not found",
        ),
    ],
)
def test_what_became_of_a_policy_is_told_in_a_sentence(
    applied: Policy, told: PolicyState, verdict: Verdict, reason: str
) -> None:
    """Whose word it is, what it says, and what follows from it."""
    judged = loading(applied, [told], {})
    assert (judged.verdict, judged.reason) == (verdict, reason)


def test_of_several_nodes_each_reason_has_its_node_once() -> None:
    """And a node of which nobody spoke has its own."""
    nodes = {NODE: Capabilities(), OTHER: Capabilities(), "third": Capabilities()}
    judged = loading(KILLS, [state(), state(OTHER)], nodes)
    assert (judged.verdict, judged.reason) == (
        Verdict.INCONCLUSIVE,
        "the agent of node third says nothing of the policy's state",
    )
    off = [state(hooks=(hook("call_not_found"),)), state(OTHER, "disabled")]
    assert (
        loading(KILLS, off, {}).reason
        == f"on {NODE}: kprobes[0] (fd_install) is not in force: its function was not found"
    )
    assert (
        loading(KILLS, off[1:] + off[:1], {}).reason == f"applied, but not in force on {OTHER}: the state is disabled"
    )
    assert loading(KILLS, [], {}).reason == "no agent says anything of the policy's state"


@pytest.mark.parametrize(
    ("features", "named"),
    [
        ({"override_return": True}, "override_return"),
        ({"override_return": False, "fmodret": True}, "fmodret"),
        ({}, ""),
    ],
)
def test_the_capability_that_should_have_been_enough_is_named(features: dict[str, bool], named: str) -> None:
    """Where derivation says that it could."""
    applied = SYSTEM_CALL if named == "override_return" else ALONE
    settings = {"disable-kprobe-multi": "true"}
    judged = loading(applied, [state(told="load_error", error=NO_HELPER)], here(settings, **features))
    words = f" (by derivation it could: `tetra probe` says {named}: true)" if named else ""
    assert judged.reason.endswith(f"bpf_override_return helper not available{words}")


@pytest.mark.parametrize(
    ("before", "after", "answered", "reason"),
    [
        ("", [], [""], "after the acts the agent of the node has no such policy any more"),
        ("", [], None, "after the acts the agent of the node says nothing of the policy's state"),
        (NODE, [], [NODE], "after the acts the agent of tetra-node has no such policy any more"),
        (
            NODE,
            [state(told="unknown")],
            None,
            "after the acts: the agent of tetra-node says unknown, which tells nothing of it",
        ),
        (
            NODE,
            [state(id="8", mode="enforce")],
            None,
            "the policy was loaded anew on tetra-node during the acts: its id was 7, and is 8",
        ),
        (NODE, [state(id="7", mode="enforce")], None, ""),
    ],
)
def test_what_became_of_it_in_the_end_is_told_in_a_sentence(
    before: str, after: list[PolicyState], answered: list[str] | None, reason: str
) -> None:
    """By the node's name, or as the node where it has none."""
    assert holding(KILLS, [state(before, mode="enforce", id="7")], after, {}, answered).reason == reason


def test_nothing_that_was_in_force_before_is_nothing_that_was_lost() -> None:
    """A target without nodes has no end to tell of."""
    assert holding(KILLS, [], [state(told="disabled")], {}).verdict is Verdict.CONFORMS


def test_the_end_of_one_node_of_several_is_named_and_that_of_the_only_one_is_not() -> None:
    """Where the reason does not name it by itself."""
    left_out = "after the acts: kprobes[0] (fd_install) is not in force: its function was not found"
    one, other = (state(node, hooks=(hook("call_not_found"),)) for node in (NODE, OTHER))
    assert holding(KILLS, [state()], [one], {}).reason == left_out
    assert holding(KILLS, [state(), state(OTHER)], [state(), other], {}).reason == f"on {OTHER}: {left_out}"
    third = state("third", hooks=(hook("call_not_found"),))
    states = [state(), state(OTHER), state("third")]
    assert holding(KILLS, states, [state(), state(OTHER), third], {}).reason == f"on third: {left_out}"


def test_what_a_node_can_do_explains_what_it_lost() -> None:
    """By that node's own capabilities."""
    lost = [state(told="load_error", error=NO_HELPER)]
    judged = holding(SYSTEM_CALL, [state()], lost, here(override_return=False))
    assert judged.verdict is Verdict.VIOLATES
    assert "`tetra probe` says override_return: false" in judged.reason
    assert "tetra probe" not in holding(SYSTEM_CALL, [state()], lost, {OTHER: here()[NODE]}).reason


def test_of_two_words_of_one_agent_the_worse_counts() -> None:
    """In whichever order it says them."""
    good, bad = state(), state(told="load_error", error="invalid argument")
    for after in ((good, bad), (bad, good)):
        assert holding(policy(), (good,), after, {}).verdict is Verdict.VIOLATES
