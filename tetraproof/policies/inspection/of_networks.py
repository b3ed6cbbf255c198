"""What hooks of connections leave open: other protocols, and addresses of another family."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

from tetraproof.policies.inspection.hooking import Hooking, Part
from tetraproof.policies.inspection.loophole import Inspected, Rule, Told

#: Hooks by which datagrams go as well.
_OF_DATAGRAMS = frozenset(
    {
        *("security_socket_sendmsg", "security_socket_connect", "sock_sendmsg", "inet_sendmsg", "inet6_sendmsg"),
        *("ip4_datagram_connect", "ip6_datagram_connect", "ip_send_skb", "ip_output", "ip6_output", "ip_local_out"),
        *("__dev_queue_xmit", "dev_queue_xmit", "dev_hard_start_xmit", "__cgroup_bpf_run_filter_skb"),
        *("sys_sendto", "sys_sendmsg", "sys_sendmmsg"),
    }
)
_CONNECTS = {"security_socket_connect", "sys_connect"}
_UNCONNECTED = _OF_DATAGRAMS - {"security_socket_connect", "ip4_datagram_connect", "ip6_datagram_connect"}
#: Types of arguments that hold the address as the socket has it.
_OF_SOCKETS = {"sock", "socket", "sockaddr"}
_BOTH, _EITHER = ("tcp_", "security_s", "inet_csk_"), ("tcp_v4_", "tcp_v6_")
_TCP = {"IPPROTO_TCP", "tcp", "TCP", "6"}
_MAPPED = IPv6Network("::ffff:0:0/96")


def _udp(inspected: Inspected) -> Told:
    if _sees(inspected, _OF_DATAGRAMS):
        return
    for hook in inspected.hooks:
        for name in hook.of({"tcp_connect"}):
            yield hook.way, name, "UDP goes by it, and so does whatever else is no TCP"


def _without_connect(inspected: Inspected) -> Told:
    if _sees(inspected, _UNCONNECTED):
        return
    for hook in inspected.hooks:
        for name in () if _of_tcp_alone(hook) else hook.of(_CONNECTS):
            yield hook.way, name, "a datagram that is sent without connect (sendto) goes by it"


def _sees(inspected: Inspected, functions: frozenset[str]) -> bool:
    """Whether a hook is of one of these functions, of one of UDP's own, or of a tracepoint of packets."""
    own = any(name.startswith(("udp_", "udpv6_", "udplite")) for name in inspected.functions)
    traced = any(hook.part.get("subsystem") in {"net", "skb", "udp"} for hook in inspected.hooks)
    return own or traced or bool(inspected.functions & functions)


def _of_tcp_alone(hook: Hooking) -> bool:
    """Whether each of its selectors that matter asks for TCP."""
    asked = [
        {value for one, _ in hook.asked(at, {"Protocol"}) for value in one.get("values") or ()} for at in hook.guarding
    ]
    return all(values and values <= _TCP for values in asked)


def _of_both_families(hook: Hooking) -> tuple[str, ...]:
    """Its functions to which sockets of IPv4 and of IPv6 come alike."""
    both = (name for name in hook.functions if name.startswith(_BOTH) and not name.startswith(_EITHER))
    return tuple(both)


def _mapped(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for selector in hook.guarding if _of_both_families(hook) else ():
            for asked, kind in hook.asked(selector, {"DAddr", "SAddr"}):
                networks = _networks(asked)
                covered = any(isinstance(one, IPv6Network) and one.overlaps(_MAPPED) for one in networks)
                if kind in _OF_SOCKETS and not covered and any(isinstance(one, IPv4Network) for one in networks):
                    said = "an IPv6 socket has an IPv4 address as ::ffff:a.b.c.d, which is none of these addresses"
                    yield (*hook.way, "selectors", selector.at), ", ".join(_of_both_families(hook)), said


def _one_family(inspected: Inspected) -> Told:
    for hook in inspected.hooks:
        for selector in hook.guarding if _of_both_families(hook) else ():
            for asked, _ in hook.asked(selector, {"NotDAddr", "NotSAddr"}):
                versions = {one.version for one in _networks(asked)}
                if len(versions) == 1:
                    own, other = ("IPv4", "IPv6 (::1 too)") if versions == {4} else ("IPv6", "IPv4 (127.0.0.1 too)")
                    said = (
                        f"all its addresses are {own}: one of {other} is never met up to Tetragon 1.4, and always from "
                        "1.5 on"
                    )
                    yield (*hook.way, "selectors", selector.at), ", ".join(_of_both_families(hook)), said


def _networks(asked: Part) -> list[IPv4Network | IPv6Network]:
    """The addresses of a filter that can be read."""
    found = []
    for value in asked.get("values") or ():
        try:
            found.append(ip_network(value, strict=False))
        except ValueError:
            continue
    return found


RULES = (
    Rule(
        "udp-passes",
        "`tcp_connect`, and no hook by which datagrams go",
        "recorded",
        "recorded with 1.4.1 and 1.7.0",
        _udp,
    ),
    Rule(
        "unconnected-passes",
        "`security_socket_connect` or `sys_connect`, and no hook of sending",
        "source",
        "by the kernel's source",
        _without_connect,
    ),
    Rule(
        "mapped-address-passes",
        "`DAddr` or `SAddr` of a socket of either family, with IPv4 addresses and without `::ffff:0:0/96`",
        "source",
        "by the kernel's and Tetragon's source (1.7.0, set_event_from_sock)",
        _mapped,
    ),
    Rule(
        "one-family-only",
        "`NotDAddr` or `NotSAddr` of a socket of either family, with addresses of one alone",
        "source",
        "by Tetragon's source (filter_addr_map; changed between 1.4 and 1.5)",
        _one_family,
    ),
)
