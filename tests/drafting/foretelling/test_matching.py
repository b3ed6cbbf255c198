"""Whether a selector takes what an act does: as Tetragon has it, and undecided where nobody here can say."""

from __future__ import annotations

import pytest

from tetraproof.drafting.foretelling.happening import UDP, Address, Fact, Happening, Socket
from tetraproof.drafting.foretelling.matching import Unsure, all_of, holds, may_meet, takes, why_never, within
from tetraproof.drafting.foretelling.reading import Argument, Asked, Hook, Selector
from tetraproof.drafting.place import Place

PROBE, ADMIN = Place("probe"), Place("privileged", privileged=True)
READ = Happening("read", "/usr/bin/cat", {"file": "/etc/passwd", "mask": 4})
INTERNET = Address("{internet.ip}", "203.0.113.10")
SERVICE = Address("{deathstar.service}", "", frozenset({"ranges.services"}))


def socket(address: Address = INTERNET, port: int = 443, protocol: int = 6) -> Socket:
    return Socket(address, port, protocol)


@pytest.mark.parametrize(
    ("operator", "values", "fact", "holds_so"),
    [
        ("Equal", ["/etc/passwd", "/x"], "/etc/passwd", True),
        ("Equal", ["/etc/passwd\0"], "/etc/passwd", True),
        ("Equal", ["/etc"], "/etc/passwd", False),
        ("NotEqual", ["/etc/passwd"], "/etc/passwd", False),
        ("NotEqual", ["/a", "/b"], "/etc/passwd", True),
        ("Prefix", ["/srv/", "/etc"], "/etc/passwd", True),
        ("Prefix", ["/etc/passwd2"], "/etc/passwd", False),
        ("NotPrefix", ["/etc/"], "/etc/passwd", False),
        ("Postfix", ["wd"], "/etc/passwd", True),
        ("NotPostfix", ["wd"], "/etc/passwd", False),
        ("SubString", ["c/pa"], "/etc/passwd", True),
        ("SubStringIgnCase", ["C/PA"], "/etc/passwd", True),
        ("Equal", ["4", "0x2"], 2, True),
        ("Equal", ["4"], 2, False),
        ("Mask", ["6"], 2, True),
        ("Mask", ["4"], 2, False),
        ("GreaterThan", ["1"], 2, True),
        ("GT", ["2"], 2, False),
        ("LessThan", ["3"], 2, True),
        ("InRange", ["1:3"], 2, True),
        ("NotInRange", ["1:3"], 2, False),
        ("DAddr", ["203.0.113.0/24"], socket(), True),
        ("NotDAddr", ["127.0.0.1", "10.0.0.0/8"], socket(), True),
        ("NotDAddr", ["127.0.0.1", "203.0.113.10"], socket(), False),
        ("DPort", ["80", "440:443"], socket(), True),
        ("NotDPort", ["443"], socket(), False),
        ("DPortPriv", [], socket(), True),
        ("NotDPortPriv", [], socket(port=1024), True),
        ("Protocol", ["IPPROTO_TCP"], socket(), True),
        ("Protocol", ["17"], socket(protocol=UDP), True),
        ("Family", ["AF_INET6", "AF_INET"], socket(), True),
    ],
)
def test_an_operator(operator: str, values: list[str], fact: Fact, holds_so: bool) -> None:
    """As Tetragon's documentation has it."""
    assert holds(Asked(0, operator, tuple(values)), fact, {}) is holds_so


@pytest.mark.parametrize(
    ("operator", "values", "fact"),
    [
        ("InMap", ["list:x"], 2),
        ("Equal", ["two"], 2),
        ("Equal", ["2"], socket()),
        ("Prefix", ["/etc"], 2),
        ("Prefix", [], "/etc"),
        ("Mask", ["/etc"], 2),
        ("DAddr", ["nowhere"], socket()),
        ("DAddr", ["10.0.0.0/8"], socket(SERVICE)),
        ("NotDAddr", ["10.0.0.0/8"], socket(SERVICE)),
        ("DAddr", ["127.0.0.1"], "/etc"),
        ("DPort", ["https"], socket()),
        ("SAddr", ["10.0.0.1"], socket()),
        ("SPort", ["80"], socket()),
        ("Protocol", ["IPPROTO_SCTP_OF_OURS"], socket()),
    ],
)
def test_what_nobody_can_say_is_undecided(operator: str, values: list[str], fact: Fact) -> None:
    """Neither yes nor no, also where it is denied."""
    found = holds(Asked(0, operator, tuple(values)), fact, {})
    assert isinstance(found, Unsure)
    assert found.why


def test_a_bound_range_is_known_by_its_name() -> None:
    """A service lies in the services' range, whatever the manifest's range is; nothing else does."""
    bound = {"10.1.0.0/20": "ranges.services", "10.0.0.0/18": "ranges.pods"}
    assert within(SERVICE, "10.1.0.0/20", bound) is True
    assert within(SERVICE, "10.0.0.0/18", bound) is False
    assert within(INTERNET, "10.1.0.0/20", bound) is False
    assert within(SERVICE, "127.0.0.0/8", {}) is False
    assert within(INTERNET, "::/0", {}) is False


def hook(*selectors: Selector) -> Hook:
    arguments = (Argument(0, "file", 0), Argument(1, "int", 1))
    return Hook("kprobes", "security_file_permission", "Kprobe", (), arguments, selectors, "kprobes[0]")


def test_all_filters_of_a_selector_have_to_agree() -> None:
    """One that does not decides, whatever else nobody can say."""
    path, mask = Asked(0, "Prefix", ("/etc/",)), Asked(1, "Equal", ("2",))
    assert takes(hook(), Selector(0, (path,)), READ, PROBE, {}) is True
    assert takes(hook(), Selector(0, (path, mask)), READ, PROBE, {}) is False
    assert takes(hook(), Selector(0, (mask,), unread=("x",)), READ, PROBE, {}) is False
    assert takes(hook(), Selector(0, (path,), unread=("x",)), READ, PROBE, {}) == Unsure("x")
    assert isinstance(takes(hook(), Selector(0, (Asked(3, "Equal", ("1",)),)), READ, PROBE, {}), Unsure)
    assert all_of([]) is True


@pytest.mark.parametrize(
    ("operator", "values", "by", "taken"),
    [
        ("In", ["/usr/bin/cat"], "/usr/bin/cat", True),
        ("In", ["/usr/bin/cat"], "/usr/bin/head", False),
        ("NotIn", ["/usr/bin/cat"], "/usr/bin/cat", False),
        ("NotIn", ["/usr/bin/cat"], "/tmp/cat2", True),
        ("Prefix", ["/usr/"], "/usr/bin/cat", True),
        ("NotPrefix", ["/usr/"], "/usr/bin/cat", False),
        ("Postfix", ["/cat"], "/usr/bin/cat", True),
        ("NotPostfix", ["/cat"], "/tmp/cat2", True),
        ("In", ["/bin/cat"], "/usr/bin/cat", None),
        ("NotIn", ["/bin/cat"], "/usr/bin/cat", None),
        ("Like", ["cat"], "/usr/bin/cat", None),
        ("In", ["/usr/bin/runc"], "", None),
    ],
)
def test_a_program(operator: str, values: list[str], by: str, taken: bool | None) -> None:
    """By its path; one that Debian has behind a link, and the runtime, are known to nobody."""
    selector = Selector(0, binaries=({"operator": operator, "values": values},))
    found = takes(hook(), selector, Happening("read", by, READ.facts), PROBE, {})
    assert (None if isinstance(found, Unsure) else found) is taken
    assert may_meet(selector, Happening("read", by), PROBE) is (taken is not False)


@pytest.mark.parametrize(
    ("pids", "own", "taken"),
    [
        ({"operator": "NotIn", "isNamespacePID": True, "values": [0, 1]}, False, True),
        ({"operator": "NotIn", "isNamespacePID": True, "values": [0, 1]}, True, False),
        ({"operator": "NotIn", "isNamespacePID": True, "values": [0]}, True, True),
        ({"operator": "In", "isNamespacePID": True, "values": [1]}, False, False),
        ({"operator": "In", "isNamespacePID": True, "values": [1]}, True, True),
        ({"operator": "NotIn", "values": [1]}, True, True),
        ({"operator": "NotIn", "isNamespacePID": True, "values": [4711]}, False, None),
    ],
)
def test_pids_are_taken_as_they_are_meant(pids: dict[str, object], own: bool, taken: bool | None) -> None:
    """PID 1 is what the container runs, and PID 0 nobody."""
    selector = Selector(0, pids=(pids,))
    found = takes(hook(), selector, Happening("read", "/usr/sbin/nginx", READ.facts, own=own), PROBE, {})
    assert (None if isinstance(found, Unsure) else found) is taken


@pytest.mark.parametrize(
    ("selector", "place", "taken"),
    [
        (Selector(0, namespaces=({"namespace": "Pid", "operator": "NotIn", "values": ["host_ns"]},)), PROBE, True),
        (Selector(0, namespaces=({"namespace": "Pid", "operator": "In", "values": ["host_ns"]},)), PROBE, False),
        (Selector(0, namespaces=({"namespace": "User", "operator": "In", "values": ["host_ns"]},)), PROBE, True),
        (Selector(0, namespaces=({"namespace": "Mnt", "operator": "In", "values": ["4026531836"]},)), PROBE, None),
        (Selector(0, capabilities=({"operator": "NotIn", "values": ["CAP_SYS_ADMIN"]},)), PROBE, True),
        (Selector(0, capabilities=({"operator": "NotIn", "values": ["CAP_SYS_ADMIN"]},)), ADMIN, False),
        (Selector(0, capabilities=({"operator": "In", "values": ["CAP_CHOWN"]},)), PROBE, True),
        (Selector(0, capabilities=({"operator": "In", "values": ["CAP_NET_RAW"]},)), PROBE, None),
        (
            Selector(0, capabilities=({"operator": "In", "isNamespaceCapability": True, "values": ["CAP_CHOWN"]},)),
            *(PROBE, False),
        ),
        (Selector(0, capabilities=({"type": "Inheritable", "operator": "In", "values": ["CAP_CHOWN"]},)), PROBE, None),
    ],
)
def test_namespaces_and_capabilities_are_those_of_a_pod(selector: Selector, place: Place, taken: bool | None) -> None:
    """As a runtime gives them unasked."""
    found = takes(hook(), selector, READ, place, {})
    assert (None if isinstance(found, Unsure) else found) is taken
    assert bool(why_never(selector, place)) is (taken is False)
