"""With which error a policy answers, by its own word."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tetraproof.errors import UsageError
from tetraproof.policies.inspection.overriding import answered, denials, error_of, words_of
from tetraproof.policies.policy import Policy, parse


def policy(*actions: dict[str, Any], hook: str = "kprobes", **spec: Any) -> Policy:
    """A policy of one hook with these actions."""
    place: dict[str, Any] = {
        "kprobes": {"call": "security_file_open", "syscall": False},
        "lsmhooks": {"hook": "file_open"},
        "uprobes": {"path": "/usr/bin/bash", "symbols": ["readline"]},
    }[hook]
    written = {
        "apiVersion": "cilium.io/v1alpha1",
        "kind": "TracingPolicy",
        "metadata": {"name": "drawn"},
        "spec": {hook: [place | {"selectors": [{"matchActions": list(actions)}]}], **spec},
    }
    return parse(yaml.safe_dump(written), "drawn.yaml")


def override(number: int | None, action: str = "Override") -> dict[str, Any]:
    return {"action": action} if number is None else {"action": action, "argError": number}


KILL = {"action": "Sigkill"}
MONITOR = [{"name": "policy-mode", "value": "monitor"}]


@pytest.mark.parametrize(
    ("written", "own", "denied"),
    [
        (None, None, ("EPERM",)),
        (policy(KILL), None, ("EPERM",)),
        (policy(override(-1)), ("EPERM",), ("EPERM",)),
        (policy(override(-13)), ("EACCES",), ("EACCES",)),
        (policy(override(-13), hook="lsmhooks"), ("EACCES",), ("EACCES",)),
        (policy(override(-2, "NotifyEnforcer")), ("ENOENT",), ("ENOENT",)),
        (policy(override(-13), override(-1), override(-13)), ("EACCES", "EPERM"), ("EACCES", "EPERM")),
        # a success, or no error's number
        (policy(override(0)), (), ()),
        (policy(override(None)), (), ()),
        (policy(override(13)), (), ()),
        (policy(override(-4000)), (), ()),
        (policy(override(0), override(-13)), ("EACCES",), ("EACCES",)),
        # it only says what it would do
        (policy(override(-13), options=MONITOR), (), ()),
        # what changes a program's own registers answers no call
        (policy(override(-13), hook="uprobes"), None, ("EPERM",)),
    ],
)
def test_the_errors_are_the_policys_own(
    written: Policy | None, own: tuple[str, ...] | None, denied: tuple[str, ...]
) -> None:
    """Each once; EPERM where no call is answered."""
    assert answered(written) == own
    assert denials(written) == denied


def test_an_action_in_a_macro_counts() -> None:
    """As one written into the selector."""
    macro = {"denying": {"matchActions": [override(-13)]}}
    spec = {"kprobes": [{"call": "security_file_open", "syscall": False, "selectors": [{"macros": ["denying"]}]}]}
    written = {
        "apiVersion": "cilium.io/v1alpha1",
        "kind": "TracingPolicy",
        "metadata": {"name": "drawn"},
        "spec": {**spec, "selectorsMacros": macro},
    }
    assert answered(parse(yaml.safe_dump(written), "drawn.yaml")) == ("EACCES",)


def test_an_error_has_its_name_and_words() -> None:
    """A number that is none has no name, and a name that is none is refused with the nearest."""
    assert (error_of(-13), error_of(0), error_of(13), error_of(-4000)) == ("EACCES", "", "", "")
    assert words_of("EACCES") == "Permission denied"
    for wrong, right in (("EACCESS", "EACCES"), ("errorcode", "EPERM")):
        with pytest.raises(UsageError) as caught:
            words_of(wrong)
        assert f"{wrong!r}" in caught.value.sentence
        assert right in str(caught.value)
