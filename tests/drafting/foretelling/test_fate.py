"""What becomes of a deed under a whole policy: by the first selector that takes it, of whichever hook."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tetraproof.drafting.deeds.files import Bench
from tetraproof.drafting.deeds.guarded import File
from tetraproof.drafting.foretelling.fate import End, Rules
from tetraproof.drafting.foretelling.happening import Deed, Happening
from tetraproof.drafting.foretelling.reading import hooks
from tetraproof.drafting.place import Place
from tetraproof.observing.act import command
from tetraproof.policies.policy import Policy, parse

PROBE = Place("probe", packages=("bash", "coreutils", "python3"))
BENCH = Bench(File("/tmp/secret"), PROBE)
READ, WRITE = BENCH.reading(), BENCH.writing_it()
KILL, POST = {"action": "Sigkill"}, {"action": "Post"}
FILE = [{"index": 0, "type": "file"}, {"index": 1, "type": "int"}]


def asked(index: int, operator: str, *values: str) -> dict[str, Any]:
    return {"index": index, "operator": operator, "values": list(values)}


def selector(*filters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"matchArgs": list(filters), **more}


def kprobe(call: str, args: list[dict[str, Any]], *selectors: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"call": call, "syscall": False, "args": args, "selectors": list(selectors), **more}


def policy(*kprobes: dict[str, Any], **spec: Any) -> Policy:
    written = {
        "apiVersion": "cilium.io/v1alpha1",
        "kind": "TracingPolicy",
        "metadata": {"name": "drawn"},
        "spec": {"kprobes": list(kprobes), **spec},
    }
    return parse(yaml.safe_dump(written), "drawn.yaml")


def fate_of(deed: Deed, *kprobes: dict[str, Any], **spec: Any) -> tuple[End, str]:
    found = Rules.of(policy(*kprobes, **spec), PROBE).fate(deed)
    return found.end, found.error or found.why


SECRET = asked(0, "Equal", "/tmp/secret")


@pytest.mark.parametrize(
    ("actions", "end"),
    [
        ([KILL], (End.KILLED, "")),
        ([{"action": "Signal", "argSig": 9}], (End.KILLED, "")),
        ([{"action": "Signal", "argSig": 15}], (End.SIGNALLED, "")),
        ([{"action": "Override", "argError": -1}], (End.DENIED, "EPERM")),
        ([{"action": "Override", "argError": -13}, POST], (End.DENIED, "EACCES")),
        ([{"action": "Override", "argError": -1}, KILL], (End.KILLED, "")),
        ([POST], (End.TOLD, "")),
        ([], (End.TOLD, "")),
        ([{"action": "NoPost"}], (End.FREE, "")),
    ],
)
def test_an_action(actions: list[dict[str, Any]], end: tuple[End, str]) -> None:
    """Each ends a deed in its own way."""
    assert fate_of(READ, kprobe("security_file_open", FILE[:1], selector(SECRET, matchActions=actions))) == end


@pytest.mark.parametrize("action", [{"action": "Override", "argError": 0}, {"action": "NotifyEnforcer", "argSig": 9}])
def test_what_an_action_comes_to_may_be_unknown(action: dict[str, Any]) -> None:
    """Then it is told why."""
    end, why = fate_of(READ, kprobe("security_file_open", FILE[:1], selector(SECRET, matchActions=[action])))
    assert end is End.UNSURE
    assert why


def test_the_first_selector_that_takes_a_deed_decides() -> None:
    """Whoever reads is reported, whoever writes is killed; and one behind both never comes to its turn."""
    mine = kprobe(
        "security_file_permission",
        FILE,
        selector(SECRET, asked(1, "Equal", "4")),
        selector(SECRET, matchActions=[KILL]),
        selector(SECRET, matchActions=[{"action": "Signal", "argSig": 15}]),
    )
    assert fate_of(READ, mine) == (End.TOLD, "")
    assert fate_of(WRITE, mine) == (End.KILLED, "")


def test_whichever_hook_comes_first_decides() -> None:
    """One that opens is killed as it opens, whatever a later hook would do."""
    reads = kprobe("security_file_permission", FILE, selector(SECRET))
    opens = kprobe(
        "fd_install", [{"index": 1, "type": "file"}], selector(asked(1, "Equal", "/tmp/secret"), matchActions=[KILL])
    )
    assert fate_of(READ, reads, opens) == (End.KILLED, "")
    rules = Rules.of(policy(reads, kprobe("security_file_open", FILE[:1], selector(SECRET))), PROBE)
    for hook in rules.hooks:
        effect = rules.fate(READ, hook).effect
        assert effect is not None
        assert effect.hook is hook


def test_a_policy_that_monitors_stops_nobody() -> None:
    """It tells whom it would stop."""
    mine = kprobe("security_file_open", FILE[:1], selector(SECRET, matchActions=[KILL]))
    assert fate_of(READ, mine, options=[{"name": "policy-mode", "value": "monitor"}]) == (End.TOLD, "")


def test_what_takes_every_program_as_it_starts_lets_nothing_be_foretold() -> None:
    """Its loader opens its libraries: no act would ever come to its deed."""
    mine = kprobe("security_file_open", FILE[:1], selector(asked(0, "NotPrefix", "/tmp/"), matchActions=[KILL]))
    end, why = fate_of(READ, mine)
    assert end is End.ELSEWHERE
    assert "as it starts" in why


def test_what_comes_before_a_deed_may_be_stopped_itself() -> None:
    """Then the deed shows nothing."""
    mine = kprobe("security_file_open", FILE[:1], selector(asked(0, "Equal", "/tmp/x"), matchActions=[KILL]))
    assert fate_of(BENCH.renamed(), mine)[0] is End.ELSEWHERE


def test_another_hooks_word_on_a_deed_is_kept() -> None:
    """What is not told of it is then said of this file only."""
    rules = Rules.of(policy(kprobe("security_mmap_file", FILE)), PROBE)
    assert rules.fate(READ).also == {"security_mmap_file"}
    plain = Deed("plain", command("true"), "x", (Happening("any", "/usr/bin/true"),))
    assert rules.fate(plain).end is End.FREE


def test_lists_and_macros_are_spelt_out() -> None:
    """A hook for each call of a list, and in a selector what its macros ask."""
    listed = {"name": "l", "type": "syscalls", "values": ["sys_dup", "__x64_sys_symlinkat"]}
    made = {"name": "g", "type": "generated_syscalls"}
    found = hooks(
        policy(
            {"call": "list:l", "selectors": [{"macros": ["by-cat"]}]},
            {"call": "list:g"},
            lists=[listed, made],
            selectorsMacros={"by-cat": {"matchBinaries": [{"operator": "In", "values": ["/usr/bin/cat"]}]}},
        )
    )
    assert [one.call for one in found[:2]] == ["sys_dup", "sys_symlinkat"]
    assert [one.selectors[0].programs for one in found[:2]] == [("/usr/bin/cat",)] * 2
    assert found[2].unread


def test_filters_that_nobody_can_judge_are_named() -> None:
    """With the reason."""
    (found,) = hooks(
        policy(
            kprobe("fd_install", FILE, selector(matchCapabilityChanges=[{"operator": "In", "values": ["CAP_CHOWN"]}]))
        )
    )
    assert found.selectors[0].unread == ("matchCapabilityChanges: no act here changes its capabilities",)
