"""matchArgs on a socket: connections to the loopback address, where nobody listens; one case an operator."""

from fixtures.language import HERE, connect
from tetraproof.suite import Act, Case, Kprobe, cases, shell

ELSEWHERE, SIXTH = "127.0.0.5", "::1"
#: One that was refused would not do: the kernel has it forget its port. Nor one that is left open: when the kernel
#: closes it, the agent has let go of the program.
TO_NGINX = "exec 3<>/dev/tcp/{nginx.ip}/80"


def curl(port: int, *options: str) -> Act:
    """Connect from curl, whose source can be chosen."""
    return shell(f"curl -sS {' '.join(options)} http://{HERE}:{port}/ || true")


def case(name: str, says: str, *, match: Act, near: Act, call: str = "tcp_connect", **reported: object) -> Case:
    """A case of the policy of that name. A curl that nobody answers fails, and is left alone."""
    ends = {"saddr": HERE, "daddr": HERE} if call == "tcp_connect" else {}
    event = Kprobe(call, action="POST", **ends | reported)
    return Case(f"language/match-args-sock-{name}", says, match, near, event, ends="free", near_ends="free")


pytestmark = cases(
    case(
        "daddr",
        "A connection into the range matches.",
        match=connect(7101),
        near=connect(7101, ELSEWHERE),
        dport=7101,
    ),
    case(
        "not-daddr",
        "A connection to outside of the range matches.",
        match=connect(7102, ELSEWHERE),
        near=connect(7102),
        daddr=ELSEWHERE,
        dport=7102,
    ),
    case(
        "daddr-6",
        "An address of IPv6 matches.",
        match=connect(7103, SIXTH),
        near=connect(7103),
        saddr=SIXTH,
        daddr=SIXTH,
        dport=7103,
    ),
    case(
        "saddr",
        "A connection from the address matches.",
        match=curl(7104, "--interface", HERE),
        near=curl(7104, "--interface", ELSEWHERE),
        dport=7104,
    ),
    case(
        "not-saddr",
        "A connection from any other address matches.",
        match=curl(7105, "--interface", ELSEWHERE),
        near=curl(7105, "--interface", HERE),
        saddr=ELSEWHERE,
        dport=7105,
    ),
    case("dport", "A connection to the port matches.", match=connect(7106), near=connect(7107), dport=7106),
    case(
        "dport-range",
        "A port of the range matches, its ends included.",
        match=connect(7110),
        near=connect(7111),
        dport=7110,
    ),
    case("not-dport", "A connection to any other port matches.", match=connect(7112), near=connect(7113), dport=7112),
    case(
        "sport",
        "A connection from the port matches.",
        match=curl(7199, "--local-port", "7115"),
        near=curl(7199, "--local-port", "7114"),
        sport=7115,
    ),
    case(
        "not-sport",
        "A connection from any other port matches.",
        match=curl(7116, "--local-port", "7118"),
        near=curl(7116, "--local-port", "7117"),
        sport=7118,
        dport=7116,
    ),
    case(
        "dport-priv",
        "A connection to a port below 1024 matches.",
        match=connect(1022),
        near=connect(7118),
        dport=1022,
    ),
    case(
        "not-dport-priv",
        "A connection to a port from 1024 on matches.",
        match=connect(7119),
        near=connect(1021),
        dport=7119,
    ),
    case(
        "sport-priv",
        "A connection from a port below 1024 matches.",
        match=curl(7120, "--local-port", "1020"),
        near=curl(7120, "--local-port", "7129"),
        sport=1020,
    ),
    case(
        "not-sport-priv",
        "A connection from a port from 1024 on matches.",
        match=curl(7121, "--local-port", "7130"),
        near=curl(7121, "--local-port", "1019"),
        sport=7130,
    ),
    case(
        "protocol",
        "A socket of the protocol matches.",
        match=shell(f"echo x > /dev/udp/{HERE}/7122"),
        near=connect(7122),
        call="security_sk_classify_flow",
        protocol="IPPROTO_UDP",
    ),
    case(
        "family",
        "A socket of the family matches.",
        match=connect(7123, SIXTH),
        near=connect(7123),
        family="AF_INET6",
        saddr=SIXTH,
        daddr=SIXTH,
    ),
    case(
        "state",
        "A socket in the state matches: one that its own side closes first, and none that the other side has closed.",
        match=shell(f"{TO_NGINX}; exec 3>&-"),
        near=shell(f"{TO_NGINX}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3 > /dev/null; exec 3>&-"),
        call="tcp_close",
        state="TCP_ESTABLISHED",
        dport=80,
    ),
)
