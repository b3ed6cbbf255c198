"""What an event is expected to say, and what of an act is not promised since it may be the runtime's own."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.builders import ROOT
from tetraproof.drafting.derivation import draft
from tetraproof.drafting.place import load_places
from tetraproof.drafting.rendering import written
from tetraproof.policies.policy import parse

PLACES = load_places(ROOT / "manifests/workloads")
KILL, DENY, POST = {"action": "Sigkill"}, {"action": "Override", "argError": -1}, {"action": "Post"}


def drafted(hook: str, call: dict[str, Any]) -> str:
    spec = {hook: [call]}
    document = {
        "apiVersion": "cilium.io/v1alpha1",
        "kind": "TracingPolicy",
        "metadata": {"name": "drawn"},
        "spec": spec,
    }
    return written(draft(parse(yaml.safe_dump(document), "drawn.yaml"), "drawn", PLACES))


def opening(*actions: dict[str, Any]) -> str:
    asked = {"index": 0, "operator": "Equal", "values": ["/tmp/secret"]}
    selector = {"matchArgs": [asked], "matchActions": list(actions)}
    return drafted("lsmhooks", {"hook": "file_open", "args": [{"index": 0, "type": "file"}], "selectors": [selector]})


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ([KILL], 'KILLED = Lsm("file_open", file="/tmp/secret", action="SIGKILL")'),
        ([DENY], 'REFUSED = Lsm("file_open", file="/tmp/secret", action="OVERRIDE")'),
        ([DENY, POST], 'REFUSED = Lsm("file_open", file="/tmp/secret", action="POST")'),
        ([DENY, KILL], 'KILLED = Lsm("file_open", file="/tmp/secret", action="SIGKILL")'),
        ([POST], 'SEEN = Lsm("file_open", file="/tmp/secret", action="POST")'),
        ([{"action": "GetUrl", "argUrl": "http://127.0.0.1/"}], 'SEEN = Lsm("file_open", file="/tmp/secret")'),
    ],
)
def test_of_several_actions_an_event_names_the_last(actions: list[dict[str, Any]], expected: str) -> None:
    """As seen in a guest; what is done is called by what it comes to."""
    assert expected in opening(*actions).splitlines()


def identity(**more: Any) -> str:
    asked = {"index": 1, "operator": "Equal", "values": ["0"]}
    args = [{"index": 0, "type": "int"}, {"index": 1, "type": "int"}]
    selector = {"matchArgs": [asked], "matchActions": [{**POST, **more}]}
    return drafted("kprobes", {"call": "__sys_setresuid", "syscall": False, "args": args, "selectors": [selector]})


def test_what_the_runtime_does_as_well_is_asked_of_the_acts_own_program() -> None:
    """It sets its identity before the act's program is in place."""
    text = identity()
    assert 'assert SEEN.by("/usr/bin/python3") in run.setresuid.timeline' in text
    assert 'assert Kprobe("__sys_setresuid").by("/usr/bin/python3") not in run.other.timeline' in text


def test_an_event_that_a_rate_limit_may_hold_back_is_not_promised() -> None:
    """The runtime's own call was the first in that thread."""
    text = identity(rateLimit="1m")
    assert "_to_root_is_reported" not in text
    assert "rateLimit may hold the act's own event back" in " ".join(text.replace("\n#", " ").split())
