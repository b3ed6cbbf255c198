"""How each word is read in an event: its values, and the clause that says why there may be others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders import BASH, SHELL_OF, event, execs, exits, hooked
from tetraproof.errors import UsageError
from tetraproof.events import api
from tetraproof.events.event import Event, parse
from tetraproof.judging.expectation import Exec, Kprobe, Loader, Tracepoint, Uprobe
from tetraproof.judging.pattern import Doubt, Pattern, check, holds
from tetraproof.judging.vocabulary import Read, value_of, word, words


def made(kind: str = "process_kprobe", *, drop: str = "", **body: Any) -> Event:
    """An event of the shell, with fields of its kind as they are given and one of them left out."""
    told = {"process": SHELL_OF.json(), "function_name": "fd_install", **body}
    told.pop(drop, None)
    line = {kind: told, "node_name": "tetra-node", "time": "2026-11-23T07:00:00Z"}
    again = parse(json.dumps(line).encode())
    assert isinstance(again, Event)
    return again


def by(**process: Any) -> Event:
    """An event of a process of which this is told."""
    return made(process={**SHELL_OF.json(), **process})


def given(*args: Any, **more: Any) -> Event:
    """An event with these arguments."""
    return made(args=list(args), **more)


UNKNOWN_ARG = {"a_newer_arg": {"x": 1}}
ERROR = {"error_arg": {"Message": "page fault"}}
NO_REASON = {"error_arg": {}}
SOCK = {"sock_arg": {"saddr": "10.0.0.1", "daddr": "10.0.0.2", "sport": 1, "dport": 2, "family": "AF_INET"}}
SKB = {"skb_arg": {"saddr": "10.0.0.3", "daddr": "10.0.0.4", "sport": 3, "dport": 4, "protocol": "IPPROTO_UDP"}}
ADDRESS = {"sockaddr_arg": {"addr": "203.0.113.9", "port": 443, "family": "AF_INET6"}}
UNRESOLVED = {"file_arg": {"path": "/b", "flags": "unresolvedPathComponents"}}
MASKED = "the agent masked a part of its arguments"
NEWER = "its argument 0 is of a form that is not known here"


@pytest.mark.parametrize(
    ("of", "name", "values", "doubt"),
    [
        # the kind's own fields
        (made(action="KPROBE_ACTION_POST"), "action", ("POST",), ""),
        (made(return_action="KPROBE_ACTION_SIGKILL"), "return_action", ("SIGKILL",), ""),
        (made(action="KPROBE_ACTION_POST"), "return_action", ("",), ""),
        (made(function_name="__x64_sys_openat"), "function", ("sys_openat",), ""),
        (made(function_name="__x64_sys_openat"), "function_name", ("sys_openat",), ""),
        (made(drop="function_name"), "function", ("",), "its function is not told"),
        (made(policy_name="guard"), "policy", ("guard",), ""),
        (made(tags=["a", "b"]), "tags", (("a", "b"),), ""),
        (exits(SHELL_OF, 3), "status", (3,), ""),
        (exits(SHELL_OF, signal="SIGKILL"), "status", (None,), ""),
        (exits(SHELL_OF, signal="SIGKILL"), "signal", ("SIGKILL",), ""),
        # the process
        (by(uid=0), "uid", (0,), ""),
        (by(), "auid", (None,), "its auid is not told"),
        (made(drop="process"), "uid", (None,), "its uid is not told"),
        (made(drop="process"), "exec_id", ("",), "its exec_id is not told"),
        (by(), "binary", (BASH,), ""),
        (made(drop="process"), "binary", ("",), "its process is not told"),
        (made(drop="process"), "arguments", ("",), "its process is not told"),
        (by(flags="execve clone"), "binary", (BASH,), ""),
        (by(flags="execve truncFilename"), "binary", (BASH,), "the agent flags its process truncFilename"),
        (by(flags="errorFilename"), "binary", (BASH,), "the agent flags its process errorFilename"),
        (by(flags="miss"), "binary", (BASH,), "the agent flags its process miss"),
        (by(flags="unknown"), "binary", (BASH,), "the agent flags its process unknown"),
        (by(flags="truncArgs"), "binary", (BASH,), ""),
        (by(flags="truncArgs"), "arguments", ("-c x",), "the agent flags its process truncArgs"),
        (by(flags="errorArgs"), "arguments", ("-c x",), "the agent flags its process errorArgs"),
        (by(flags="miss"), "arguments", ("-c x",), "the agent flags its process miss"),
        (by(flags="unknown"), "arguments", ("-c x",), "the agent flags its process unknown"),
        (by(flags="truncFilename"), "arguments", ("-c x",), ""),
        (by(), "arguments", ("-c x",), ""),
        (by(arguments="-c *****"), "arguments", ("-c *****",), MASKED),
        (by(arguments="*****", flags="truncArgs"), "arguments", ("*****",), "the agent flags its process truncArgs"),
        (by(cwd="/srv", flags="noCWDSupport"), "cwd", ("/srv",), "the agent flags its process noCWDSupport"),
        (by(cwd="/srv", flags="errorCWD"), "cwd", ("/srv",), "the agent flags its process errorCWD"),
        (by(cwd="/srv", flags="needsCWD"), "cwd", ("/srv",), "the agent flags its process needsCWD"),
        (by(cwd="/srv", flags="unknown"), "cwd", ("/srv",), "the agent flags its process unknown"),
        (by(cwd="/srv", flags="miss"), "cwd", ("/srv",), ""),
        (by(), "pod", ("other/probe",), ""),
        (by(pod=None), "pod", ("",), ""),
        (by(), "workload", ("probe",), ""),
        (by(pod=None), "workload", ("",), ""),
        (by(pod={"name": "a", "pod_labels": {"app": "x"}}), "labels", ({"app": "x"},), ""),
        (by(pod=None), "labels", (None,), ""),
        (by(pod={"name": "a", "container": {"id": "i"}}), "container", (api.Container(id="i"),), ""),
        (by(pod=None), "container", (None,), ""),
        (by(cap={"effective": ["CAP_KILL"]}), "capabilities", (frozenset({"CAP_KILL"}),), ""),
        (by(), "capabilities", (None,), ""),
        (by(), "credentials", (None,), ""),
        (by(), "namespaces", (None,), ""),
        (made(parent={"binary": "/bin/sh"}), "parent", ("/bin/sh",), ""),
        (made(), "parent", (None,), ""),
        (made(ancestors=[{"binary": "/a"}, {"binary": "/b"}]), "ancestors", (("/a", "/b"),), ""),
        (made(), "ancestors", ((),), ""),
        (made(), "node", ("tetra-node",), ""),
        # arguments by what they mean
        (given({"file_arg": {"path": "/a"}}, {"string_arg": "/b"}), "file", ("/a", "/b"), ""),
        (given({"path_arg": {"path": "/a"}}, {"linux_binprm_arg": {"path": "/b"}}), "file", ("/a", "/b"), ""),
        (given({"sockaddrun_arg": {"path": "/a"}}), "file", ("/a",), ""),
        (given({"int_arg": 3}), "file", (None,), ""),
        (
            given({"file_arg": {"path": "/a"}}, UNRESOLVED),
            "file",
            ("/a", "/b"),
            "the agent could not resolve the whole path",
        ),
        (given(UNRESOLVED), "bytes", (None,), ""),
        (
            given({"path_arg": {"path": "/a", "flags": "unresolvedPathComponents"}}),
            "file",
            ("/a",),
            "the agent could not resolve the whole path",
        ),
        (
            given({"linux_binprm_arg": {"path": "/a", "flags": "unresolvedPathComponents"}}),
            "file",
            ("/a",),
            "the agent could not resolve the whole path",
        ),
        (given(UNKNOWN_ARG, {"string_arg": "/b"}), "file", ("/b",), NEWER),
        (given({"int_arg": 3}, ERROR), "file", (None,), "the agent could not read its argument 1: page fault"),
        (given(NO_REASON), "file", (None,), "the agent could not read its argument 0: no reason given"),
        (given({"int_arg": 0}, {"uint_arg": 1}, {"long_arg": "2"}, {"size_arg": "3"}), "bytes", (0, 1, 2, 3), ""),
        (given({"int_arg": 0}), "mask", (0,), ""),
        (given({"string_arg": "x"}), "bytes", (None,), ""),
        (given(SOCK, SKB, ADDRESS), "saddr", ("10.0.0.1", "10.0.0.3"), ""),
        (given(SOCK, SKB, ADDRESS), "sport", (1, 3), ""),
        (given(SOCK, SKB, ADDRESS), "daddr", ("10.0.0.2", "10.0.0.4", "203.0.113.9"), ""),
        (given(SOCK, SKB, ADDRESS), "dport", (2, 4, 443), ""),
        (given(SOCK, SKB, ADDRESS), "family", ("AF_INET", "", "AF_INET6"), ""),
        (given(SOCK, SKB, ADDRESS), "protocol", ("", "IPPROTO_UDP"), ""),
        (given(SOCK, SKB, ADDRESS), "state", ("",), ""),
        (given(SKB, ADDRESS), "state", (None,), ""),
        (given({"int_arg": 1}), "saddr", (None,), ""),
        # by type, by label and by position
        (given({"int_arg": 3}, {"int_arg": 4}), "int_arg", (3, 4), ""),
        (given({"string_arg": "x"}), "int_arg", (None,), ""),
        (given(UNKNOWN_ARG), "int_arg", (None,), NEWER),
        (given({"int_arg": 3, "label": "fd"}, {"int_arg": 4}), "labelled", ({"fd": 3},), ""),
        (
            given({"int_arg": 3, "label": "fd"}, ERROR),
            "labelled",
            ({"fd": 3},),
            "the agent could not read its argument 1: page fault",
        ),
        (given({"int_arg": 3}, {"int_arg": 4}), "arg1", (4,), ""),
        (given({"int_arg": 3}), "arg1", (None,), ""),
        (given({"file_arg": {"path": "/a"}}), "arg0", ("/a", api.KprobeFile(path="/a")), ""),
        (given({"int_arg": 3}, UNKNOWN_ARG), "arg0", (3,), ""),
        (given({"int_arg": 3}, UNKNOWN_ARG), "arg1", (None, ""), NEWER),
        (
            given(ERROR),
            "arg0",
            (api.KprobeError(Message="page fault"),),
            "the agent could not read its argument 0: page fault",
        ),
        (made(data=[{"string_arg": "x"}]), "data0", ("x",), ""),
        (made(data=[{"string_arg": "x"}]), "data1", (None,), ""),
        # what it returned
        (made(), "returns", (None,), ""),
        (made(**{"return": {"int_arg": -1}}), "returns", (-1,), ""),
        (made(**{"return": {"file_arg": {"path": "/a"}}}), "returns", ("/a", api.KprobeFile(path="/a")), ""),
        (made(**{"return": UNKNOWN_ARG}), "returns", (None, ""), NEWER),
        (
            made(**{"return": ERROR}),
            "returns",
            (api.KprobeError(Message="page fault"),),
            "the agent could not read its argument 0: page fault",
        ),
    ],
)
def test_a_word_is_read_with_its_doubt(of: Event, name: str, values: tuple[Any, ...], doubt: str) -> None:
    """A doubt too many makes a refutation undecided, one too few makes an absence conform."""
    assert word(of.kind, name).read(of) == Read(values, doubt)
    assert value_of(of, name) == (values[0] if name in words(of.kind) else None)


CONTAINER = api.Container(id="i", name="main")


@pytest.mark.parametrize(
    ("expected", "value", "held"),
    [
        (1, 1, True),
        ("1", 1, False),
        ("a", ("a", "b"), True),
        ("ab", ("a", "b"), False),
        (("a", "b"), ("a", "b"), True),
        (["a", "b"], ("a", "b"), True),
        (["a"], ("a", "b"), False),
        (["b", "a"], ("a", "b"), False),
        ((), (), True),
        ({"id": "i"}, CONTAINER, True),
        ({"id": "i", "name": "side"}, CONTAINER, False),
        ({}, CONTAINER, True),
        ({"pid": None}, CONTAINER, True),
        ("i", CONTAINER, True),
        ("main", CONTAINER, True),
        ("side", CONTAINER, False),
        (7, api.Namespace(inum=7), True),
        (8, api.Namespace(inum=7), False),
        ("7", api.Namespace(inum=7), False),
        ({"inum": 7}, api.Namespace(inum=7), True),
        ([{"name": "main"}], (CONTAINER,), True),
        ([{"name": "side"}], (CONTAINER,), False),
        (None, None, True),
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
    ],
)
def test_a_value_is_what_was_expected_or_not(expected: object, value: object, *, held: bool) -> None:
    """A mapping describes a message by some of its fields; a plain object is compared whole."""
    assert holds(expected, value) is held


@pytest.mark.parametrize(
    ("refuse", "sentence", "remedy"),
    [
        (lambda: words("exce"), "There is no kind of event 'exce'.", "did you mean exec?"),
        (lambda: words("zzzzzz"), "There is no kind of event 'zzzzzz'.", "Tetragon's kinds are "),
        (
            lambda: word("exec", "binayr"),
            "An event of the kind exec has no field 'binayr' to expect.",
            "did you mean binary?",
        ),
        (lambda: word("exec", "arg1"), "An event of the kind exec has no field 'arg1' to expect.", ""),
        (lambda: word("tracepoint", "data0"), "An event of the kind tracepoint has no field 'data0' to expect.", ""),
        (lambda: word("throttle", "qqqq"), "An event of the kind throttle has no field 'qqqq'", "known are cgroup, "),
        (
            lambda: check("kprobe", {"action": "SIGKIL"}),
            "kprobe action='SIGKIL': there is no action of that name (did you mean SIGKILL?).",
            "write a name that exists",
        ),
        (
            lambda: check("kprobe", {"return_action": "qqqq"}),
            "kprobe return_action='qqqq': there is no action of that name.",
            "write a name that exists",
        ),
        (
            lambda: check("exit", {"signal": "SIGKIL"}),
            "exit signal='SIGKIL': there is no signal of that name (did you mean SIGKILL?).",
            "write a name that exists",
        ),
        (
            lambda: check("kprobe", {"sock_arg": {"dprot": 1}}),
            "kprobe sock_arg: Tetragon's KprobeSock has no field 'dprot'.",
            "did you mean dport?",
        ),
        (
            lambda: check("kprobe", {"sock_arg": {"qqqq": 1}}),
            "kprobe sock_arg: Tetragon's KprobeSock has no field 'qqqq'.",
            "known are family, ",
        ),
        (
            lambda: check("exec", {"credentials": {"caps": {"efective": "x"}}}),
            "exec credentials.caps: Tetragon's Capabilities has no field 'efective'.",
            "did you mean effective?",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(refuse: Any, sentence: str, remedy: str) -> None:
    """With the nearest word that can, or with all of them."""
    with pytest.raises(UsageError) as refused:
        refuse()
    assert sentence in str(refused.value)
    assert remedy in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "stated"),
    [
        ("exit", {"signal": ""}),
        ("exit", {"signal": "SIGRTMIN"}),
        ("exit", {"signal": "SIGRTMIN+3"}),
        ("exit", {"signal": "SIGRTMAX-1"}),
        ("exit", {"signal": "SIGKILL"}),
        ("kprobe", {"action": "KPROBE_ACTION_SIGKILL"}),
        ("kprobe", {"action": "SIGKILL", "return_action": "POST"}),
        ("lsm", {"function": "no_such_hook"}),
        ("tracepoint", {"event": "no_such_event"}),
        ("tracepoint", {"subsys": "my_module", "event": "no_such_event"}),
        ("kprobe", {"function": "a_function_of_a_module"}),
        ("kprobe", {"sock_arg": {"dport": 1}}),
        ("exec", {"credentials": {"caps": {"effective": "x"}}}),
        ("kprobe", {"labelled": {"anything": 1}}),
    ],
)
def test_what_may_come_is_not_refused(kind: str, stated: dict[str, Any]) -> None:
    """A name that nobody here can know may exist."""
    check(kind, stated)


def test_words_of_one_meaning_are_one() -> None:
    """The short name and Tetragon's own; a position only where the kind has such values."""
    for kind, short, own in (
        ("kprobe", "function", "function_name"),
        ("kprobe", "policy", "policy_name"),
        ("tracepoint", "subsystem", "subsys"),
        ("rate-limit", "dropped", "number_of_dropped_process_events"),
        ("exec", "credentials", "process_credentials"),
        ("exec", "namespaces", "ns"),
    ):
        known = words(kind)
        assert known[short] is known[own]
    assert "policy" not in words("exec")
    assert "parent" in words("exec")
    assert "data" not in words("kprobe")
    assert value_of(execs(SHELL_OF), "file") is None
    assert value_of(event("process_new", {"binary": "x"}), "binary") is None


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("capabilities", "enable-process-cred"),
        ("credentials", "enable-process-cred"),
        ("process_credentials", "enable-process-cred"),
        ("namespaces", "enable-process-ns"),
        ("ns", "enable-process-ns"),
        ("ancestors", "enable-ancestors"),
        ("binary", ""),
        ("pod", ""),
        ("function", ""),
        ("file", ""),
    ],
)
def test_what_a_setting_hides_names_the_setting(name: str, setting: str) -> None:
    """Whatever else is lacking is lacking for another reason."""
    assert word("kprobe", name).setting == setting


@pytest.mark.parametrize(
    ("pattern", "of", "matched"),
    [
        # a value that is there, however much else cannot be read
        (Kprobe(file="/b"), given(UNKNOWN_ARG, {"string_arg": "/b"}), True),
        (Kprobe(file="/c"), given(UNKNOWN_ARG, {"string_arg": "/b"}), Doubt(NEWER)),
        (Exec(arguments="-c y"), execs(SHELL_OF), False),
        (Kprobe(arguments="-c secret"), by(arguments="-c *****"), Doubt(MASKED)),
        (Kprobe(uid=0), made(process=None), Doubt("its uid is not told")),
        (Kprobe(uid=0), by(uid=[]), Doubt("its process.uid cannot be read")),
        (Kprobe(action="POST"), made(action=77), Doubt("its action cannot be read")),
        (Kprobe(node="a"), made(), False),
        (
            Exec(ancestors="/sbin/init"),
            execs(SHELL_OF),
            Doubt("an agent tells this only with enable-ancestors", "enable-ancestors"),
        ),
        (
            Exec(namespaces={"net": 1}),
            execs(SHELL_OF),
            Doubt("an agent tells this only with enable-process-ns", "enable-process-ns"),
        ),
        # told, and otherwise: the setting is on
        (Kprobe(ancestors="/x"), made(ancestors=[{"binary": "/a"}]), False),
        (Kprobe(capabilities=frozenset({"CAP_X"})), by(cap={"effective": []}), False),
        # the first doubt is told, and a field that differs outweighs it
        (Kprobe(action="POST", uid=0), made(action=77, process=None), Doubt("its action cannot be read")),
        (Kprobe(action="POST", file="/x"), given({"string_arg": "/y"}, action=77), False),
        (Tracepoint(), made(), False),
        (Uprobe("/bin/a"), made("process_uprobe", path="/bin/b"), False),
        (Loader("/lib/a"), made("process_loader", path=[]), Doubt("its path cannot be read")),
    ],
)
def test_what_a_pattern_makes_of_a_doubt(pattern: Pattern, of: Event, matched: object) -> None:
    """In its own words, with the setting that hides it."""
    assert pattern.match(of) == matched
    doubts = [field.doubt for field in pattern.hold(of) if field.doubt]
    if isinstance(matched, Doubt):
        assert doubts[0] == matched.text


def test_a_file_that_could_not_be_resolved_may_be_another() -> None:
    """Its path is a part only; a path that is the one is it all the same."""
    assert Kprobe(file="/b").match(given(UNRESOLVED)) is True
    found = Kprobe(file="/a/b").match(given(UNRESOLVED))
    assert found == Doubt("the agent could not resolve the whole path")
    assert Kprobe(file="/a/b").match(hooked(SHELL_OF, file="/b")) is False
