"""Whether a selector takes a happening: yes, no, or nobody here can say, with the reason.

The operators are Tetragon's: within a selector all filters have to agree, of the values of one filter any, of
several selectors the first that takes it says what is done. What is promised is what the author means: an exemption
of PID 1 is taken to be one of what the container itself runs, and PID 0 to be nobody's.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tetraproof.drafting.foretelling.happening import AF_INET, TCP, UDP, Address, Fact, Happening, Socket, seen
from tetraproof.drafting.foretelling.reading import Asked, Hook, Part, Selector
from tetraproof.drafting.place import Place


@dataclass(frozen=True)
class Unsure:
    """Nobody here can say, and why not, in a clause."""

    why: str


Match = bool | Unsure
_PROTOCOLS = {"IPPROTO_TCP": TCP, "IPPROTO_UDP": UDP}
_FAMILIES = {"AF_INET": AF_INET, "AF_INET6": 10, "AF_UNIX": 1}
_NEGATED = re.compile(r"Not(?=[A-Z])|^NotIn$")
#: The namespaces that a pod has of its own unless its manifest says otherwise; of users it has none.
_OWN_NAMESPACES = {"Uts", "Ipc", "Mnt", "Pid", "PidForChildren", "Net", "Cgroup"}
_HOSTS_NAMESPACES = {"User", "Time", "TimeForChildren"}
#: Capabilities that every runtime gives a container, and those that none does unasked.
_GIVEN = {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID", "CAP_KILL", "CAP_SETPCAP"}
_WITHHELD = {"CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_PTRACE", "CAP_NET_ADMIN", "CAP_BPF", "CAP_SYS_BOOT"}
_LAST_PRIVILEGED_PORT = 1023


def takes(hook: Hook, selector: Selector, happening: Happening, place: Place, bound: Mapping[str, str]) -> Match:
    """Whether a selector of a hook takes what happens in a pod of `place`. `bound` names the bound values."""
    answers: list[Match] = [_asked(hook, one, happening, bound) for one in selector.asked]
    return all_of([*answers, _process(selector, happening, place), *map(Unsure, selector.unread)])


def _process(selector: Selector, happening: Happening, place: Place) -> Match:
    """What a selector asks of the process alone."""
    answers: list[Match] = [_binary(one, happening.by) for one in selector.binaries]
    answers += [_pid(one, happening) for one in selector.pids]
    answers += [_namespace(one) for one in selector.namespaces]
    answers += [_capability(one, place) for one in selector.capabilities]
    return all_of(answers)


def may_meet(selector: Selector, happening: Happening, place: Place) -> bool:
    """Whether a selector may take what this process does, whatever it does."""
    return _process(selector, happening, place) is not False


def why_never(selector: Selector, place: Place) -> str:
    """Why a selector takes no act in a pod of `place`, whatever it does, in a clause; nothing where it may."""
    if any(_namespace(one) is False for one in selector.namespaces):
        return "it is for processes of other namespaces than a pod's (matchNamespaces), and acts are made in pods"
    if any(_capability(one, place) is False for one in selector.capabilities):
        return "it is for processes of other capabilities than a pod's (matchCapabilities)"
    if any(one.get("operator") == "In" for one in selector.pids):
        return "it is for processes of certain PIDs (matchPIDs), and nobody knows which an act will have"
    return ""


def all_of(answers: Iterable[Match]) -> Match:
    """Whether all hold: one that does not decides, then one of which nobody can say."""
    unsure: Unsure | None = None
    for answer in answers:
        if answer is False:
            return False
        if isinstance(answer, Unsure):
            unsure = unsure or answer
    return unsure or True


def _any_of(answers: Iterable[Match]) -> Match:
    return _not(all_of(_not(answer) for answer in answers))


def _not(answer: Match) -> Match:
    return answer if isinstance(answer, Unsure) else not answer


# what is asked of arguments


def _asked(hook: Hook, asked: Asked, happening: Happening, bound: Mapping[str, str]) -> Match:
    known = seen(hook.call)
    name = known.at.get(asked.index) if known else None
    fact = happening.facts.get(name) if name else None
    if fact is None:
        return Unsure(f"what argument {asked.index} of {hook.told} holds is not known here")
    if name in {"sockaddr", "own socket"}:  # of a bare address there is but one end
        asked = replace(asked, operator=re.sub(r"S(?=Addr|Port)", "D", asked.operator))
    return holds(asked, fact, bound)


def holds(asked: Asked, fact: Fact, bound: Mapping[str, str]) -> Match:
    """Whether one filter of matchArgs holds of what an act does."""
    operator = asked.operator
    plain = _NEGATED.sub("", operator, count=1)
    decide = _DECIDE.get(plain)
    if decide is None:
        return Unsure(f"what the operator {operator} says is not known here")
    if not asked.values and plain not in {"SPortPriv", "DPortPriv", "SportPriv"}:
        return Unsure(f"{operator} has no values")
    answer = decide(asked.values, fact, bound)
    return answer if plain == operator else _not(answer)


Values = Sequence[str]
Bound = Mapping[str, str]


def _texts(values: Values) -> list[str]:
    return [value.removesuffix("\0") for value in values]


def _of_text(test: Callable[[str, str], bool]) -> Callable[[Values, Fact, Bound], Match]:
    def decide(values: Values, fact: Fact, _: Bound) -> Match:
        if not isinstance(fact, str):
            return Unsure("it asks for text where the act has none")
        return any(test(fact, value) for value in _texts(values))

    return decide


def _equal(values: Values, fact: Fact, _: Bound) -> Match:
    if isinstance(fact, str):
        return fact in _texts(values)
    numbers = [_number(value) for value in values]
    if isinstance(fact, Socket) or None in numbers:
        return Unsure("its values are no numbers that are known here")
    return fact in numbers


def _of_numbers(test: Callable[[int, int], bool]) -> Callable[[Values, Fact, Bound], Match]:
    def decide(values: Values, fact: Fact, _: Bound) -> Match:
        numbers = [number for value in values if (number := _number(value)) is not None]
        if not isinstance(fact, int) or len(numbers) != len(values):
            return Unsure("its values are no numbers that are known here")
        return any(test(fact, number) for number in numbers)

    return decide


def _in_range(values: Values, fact: Fact, _: Bound) -> Match:
    spans = [_span(value) for value in values]
    if not isinstance(fact, int) or None in spans:
        return Unsure("its values are no ranges that are known here")
    return any(span[0] <= fact <= span[1] for span in spans if span)


def _address(values: Values, fact: Fact, bound: Bound) -> Match:
    if not isinstance(fact, Socket):
        return Unsure("it asks for an address where the act has none")
    return _any_of(within(fact.address, value, bound) for value in values)


def _port(values: Values, fact: Fact, _: Bound) -> Match:
    spans = [_span(value) for value in values]
    if not isinstance(fact, Socket) or None in spans:
        return Unsure("its ports cannot be read")
    return any(span[0] <= fact.port <= span[1] for span in spans if span)


def _privileged(_: Values, fact: Fact, __: Bound) -> Match:
    return fact.port <= _LAST_PRIVILEGED_PORT if isinstance(fact, Socket) else Unsure("the act has no port there")


def _named(names: Mapping[str, int], of: Callable[[Socket], int]) -> Callable[[Values, Fact, Bound], Match]:
    def decide(values: Values, fact: Fact, _: Bound) -> Match:
        numbers = [names.get(value, _number(value)) for value in values]
        if not isinstance(fact, Socket) or None in numbers:
            return Unsure(f"{', '.join(values)} is not known here")
        return of(fact) in numbers

    return decide


def _source(_: Values, __: Fact, ___: Bound) -> Match:
    return Unsure("from which address and port an act connects is the kernel's to say")


_DECIDE: Mapping[str, Callable[[Values, Fact, Bound], Match]] = {
    "Equal": _equal,
    "Prefix": _of_text(str.startswith),
    "Postfix": _of_text(str.endswith),
    "SubString": _of_text(str.__contains__),
    "SubStringIgnCase": _of_text(lambda text, value: value.lower() in text.lower()),
    "Mask": _of_numbers(lambda number, mask: bool(number & mask)),
    "GreaterThan": _of_numbers(int.__gt__),
    "GT": _of_numbers(int.__gt__),
    "LessThan": _of_numbers(int.__lt__),
    "LT": _of_numbers(int.__lt__),
    "InRange": _in_range,
    "DAddr": _address,
    "DPort": _port,
    "DPortPriv": _privileged,
    "SAddr": _source,
    "SPort": _source,
    "SPortPriv": _source,
    "SportPriv": _source,
    "Protocol": _named(_PROTOCOLS, lambda socket: socket.protocol),
    "Family": _named(_FAMILIES, lambda socket: socket.family),
}


def within(address: Address, value: str, bound: Mapping[str, str]) -> Match:
    """Whether an address lies in a range or is the address `value`; a bound one is known by its name."""
    if value in bound:
        return bound[value] in address.ranges
    network = network_of(value)
    if network is None:
        return Unsure(f"{value} is neither an address nor a range")
    if not address.ip:
        # where pods and services have their addresses is the cluster's affair, but never on the loopback device
        why = f"whether pods and services lie in {value} is the cluster's affair: bind it (tetraproof.dev/bind)"
        return False if network.is_loopback else Unsure(why)
    host = ipaddress.ip_address(address.ip)
    return host.version == network.version and host in network


def network_of(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The range that a value stands for, a single address for itself; nothing where it is none."""
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError:
        return None


def _number(value: str) -> int | None:
    try:
        return int(value, 0)
    except ValueError:
        return None


def _span(value: str) -> tuple[int, int] | None:
    first, _, last = value.partition(":")
    low, high = _number(first), _number(last or first)
    return (low, high) if low is not None and high is not None else None


# what is asked of the process


_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "In": lambda by, value: by == value,
    "Prefix": lambda by, value: by.startswith(value),
    "Postfix": lambda by, value: by.endswith(value),
}


def _binary(asked: Part, by: str) -> Match:
    values = [str(value) for value in asked.get("values") or ()]
    operator = asked.get("operator") or ""
    plain = _NEGATED.sub("", operator, count=1) if operator != "NotIn" else "In"
    test = _TESTS.get(plain)
    if test is None:
        return Unsure(f"what the operator {operator} says is not known here")
    if not by:
        return Unsure("which program the runtime is, as the agent tells it, differs from node to node")
    if any(value != by and value == by.removeprefix("/usr") for value in values):
        return Unsure(f"in the workloads {by} has another path behind a link, and the agent tells only one of them")
    found = any(test(by, value) for value in values)
    return found if plain == operator else not found


def _pid(asked: Part, happening: Happening) -> Match:
    values = set(asked.get("values") or ())
    if values - {0, 1}:
        return Unsure(f"which process has the PID {min(values - {0, 1})} is not known here")
    if not asked.get("isNamespacePID"):
        return asked.get("operator") == "NotIn"
    found = 1 in values and happening.own
    return found if asked.get("operator") == "In" else not found


def _namespace(asked: Part) -> Match:
    kind, values = asked.get("namespace") or "", list(asked.get("values") or ())
    if values != ["host_ns"]:
        return Unsure(f"matchNamespaces names the namespace {', '.join(map(str, values))} of one node")
    if kind not in _OWN_NAMESPACES | _HOSTS_NAMESPACES:
        return Unsure(f"whether a pod has a namespace {kind} of its own is not known here")
    found = kind in _HOSTS_NAMESPACES
    return found if asked.get("operator") == "In" else not found


def _capability(asked: Part, place: Place) -> Match:
    values = set(map(str, asked.get("values") or ()))
    if asked.get("isNamespaceCapability"):
        # process_filter_capabilities in bpf/process/pfilter.h: nobody in the host's user namespace, as pods are, counts
        return False
    if (asked.get("type") or "Effective") == "Inheritable":
        return Unsure("which capabilities an act inherits is the runtime's affair")
    if place.privileged or values & _GIVEN:
        found = True
    elif values <= _WITHHELD:
        found = False
    else:
        return Unsure(f"whether a pod has {', '.join(sorted(values - _WITHHELD))} is the runtime's affair")
    return found if asked.get("operator") == "In" else not found
