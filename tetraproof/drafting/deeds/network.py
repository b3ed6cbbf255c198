"""The deeds that are tried on a guarded connection: addresses and ports at the edges, and the ways around."""

# ruff: noqa: S108 - these paths lie in the pods that are acted in

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tetraproof.drafting.foretelling.happening import UDP, Address, Deed, Happening, Socket
from tetraproof.drafting.foretelling.matching import network_of
from tetraproof.drafting.foretelling.reading import Asked
from tetraproof.drafting.place import Place, Scene, path_of
from tetraproof.observing.act import command, shell
from tetraproof.policies.binding import INTERNET

CURL, BASH = path_of("curl"), path_of("bash")
_HTTP, _DISCARD, _DOMAIN, _SOME_PORT = 80, 9, 53, 8099
#: What curl ends with where it cannot connect, whatever error it was given.
_NOT_CONNECTED = 7
#: So many ranges of a selector are tried at their edges, the first of them at all four.
_MOST_RANGES = 5
#: How the services of shipped workloads are asked, where that is more than their address.
_REQUESTS: Mapping[str, tuple[tuple[str, ...], str]] = {"deathstar": (("-s", "-XPOST"), "/v1/request-landing")}
_VERBS = {"connect": "connecting to", "send": "sending to", "close": "closing a connection to"}


@dataclass(frozen=True)
class End:
    """Where a connection leads to: what the act is called, and what is said of it.

    `url` is what curl is given, `ends` its exit code where nobody stops it (nothing where that is not known), and
    `accepts` whether somebody answers.
    """

    name: str
    address: Address
    port: int
    phrase: str
    url: str = ""
    options: tuple[str, ...] = ("-sS", "-m", "8")
    ends: int | None = None
    accepts: bool = False


@dataclass(frozen=True)
class Wire:
    """The deeds on connections from a pod of the scene's client. `what` is that which the hook sees of them."""

    scene: Scene
    what: tuple[str, ...]

    @property
    def client(self) -> Place:
        """Who connects."""
        return self.scene.client or self.scene.place

    def by_curl(self, end: End, place: Place | None = None) -> Deed:
        """A connection by curl."""
        pod = (place or self.client).name
        at = "" if end.port == _HTTP else f":{end.port}"
        url = end.url or f"http://{end.address.text}{at}/"
        act = command("curl", *end.options, url, pod=pod)
        return Deed(end.name, act, self._subject(end), self._happens(end, CURL), ends=end.ends, refusal=_NOT_CONNECTED)

    def by_python(self, end: End) -> Deed:
        """A connection that sends nothing."""
        code = f'import socket; s=socket.socket(); s.settimeout(5); s.connect(("{end.address.text}", {end.port}))'
        act = command("python3", "-c", code, pod=self.client.name)
        happens = tuple(one for one in self._happens(end, path_of("python3")) if one.what != "send")
        return Deed("silent", act, f"connecting to {end.phrase} and sending nothing", happens, ends=None)

    def by_a_copy(self, end: End) -> Deed:
        """A copy of curl under another name."""
        script = f"cp {CURL} /tmp/curl2; /tmp/curl2 {' '.join(end.options)} http://{end.address.text}:{end.port}/"
        happens = self._happens(end, "/tmp/curl2", root=False)
        act = shell(f"{script}; test $? -lt 128 && echo tried", self.client.name)
        return Deed(
            "copied_curl",
            act,
            f"connecting to {end.phrase} by a copy of curl",
            happens,
            around="a copy under another name",
            by_name=True,
        )

    def by_another_program(self, end: End) -> Deed:
        """Another program than the one that a policy names: the shell itself."""
        script = f": < /dev/tcp/{end.address.text}/{end.port}; test $? -lt 128 && echo tried"
        return Deed(
            "by_bash",
            shell(f"({script}) 2>/dev/null", self.client.name),
            f"connecting to {end.phrase} by another program",
            self._happens(end, BASH, root=False),
            around="another program",
            by_name=True,
        )

    def by_a_child(self, end: End) -> Deed:
        """A child of a shell connects; the shell lives."""
        at = "" if end.port == _HTTP else f":{end.port}"
        script = f"curl {' '.join(end.options)} http://{end.address.text}{at}/; echo rc=$?"
        return Deed(
            "child",
            shell(script, self.client.name),
            f"connecting to {end.phrase} by a child",
            self._happens(end, CURL, root=False),
            ends=None,
            survivor="rc={}\n",
            refusal=_NOT_CONNECTED,
        )

    def by_udp(self, end: End) -> Deed:
        """A datagram to the end's own port."""
        deed = self._datagram(end, end.port)
        return replace(deed, name=end.name, around="", printed=None, ends=None)

    def around_by_udp(self, end: End) -> Deed:
        """A datagram, past what guards connections."""
        return self._datagram(end, _DOMAIN)

    def _datagram(self, end: End, port: int) -> Deed:
        script = f"echo x > /dev/udp/{end.address.text}/{port} && echo sent"
        socket = Socket(end.address, port, UDP)
        facts = {"socket": socket, "sockaddr": socket}
        happens = (Happening("connect udp", BASH, facts), Happening("send udp", BASH, facts))
        subject = f"sending a datagram to {end.phrase}"
        return Deed("udp", shell(script, self.client.name), subject, happens, around="UDP", printed="sent\n")

    def listening(self, port: int) -> Deed:
        """A port is listened at."""
        code = f'import socket; s=socket.socket(); s.bind(("", {port})); s.listen()'
        socket = Socket(Address("0.0.0.0", "0.0.0.0"), port)  # noqa: S104 - what is listened at is any address
        happens = (Happening("listen", path_of("python3"), {"own socket": socket}),)
        act = command("python3", "-c", code, pod=self.client.name)
        return Deed(f"listen_{port}", act, f"listening at port {port}", happens)

    def not_listening(self, port: int) -> Deed:
        """A port that is not meant is listened at."""
        return replace(self.listening(port), outside=True)

    def _subject(self, end: End) -> str:
        verb = next((word for what, word in _VERBS.items() if what in self.what), "connecting to")
        return f"{verb} {end.phrase}"

    def _happens(self, end: End, by: str, *, root: bool = True) -> tuple[Happening, ...]:
        socket = Socket(end.address, end.port)
        facts = {"socket": socket, "sockaddr": socket}
        whats = ("connect", "send", "close") if end.accepts else ("connect", "close")
        return tuple(Happening(what, by, facts, root) for what in whats)


def of_address(asked: Asked) -> Asked:
    """What is asked of a bare address, which has but one end, as it is asked of the end that is connected to."""
    return replace(asked, operator=re.sub(r"S(?=Addr|Port)", "D", asked.operator))


def ends(asked: Sequence[Asked], bound: Mapping[str, str], scene: Scene) -> Iterator[End]:
    """Where connections are tried to: outside, at the edges of each range, and within the cluster."""
    addresses = [value for one in asked if one.operator.endswith("Addr") for value in one.values]
    port = next(iter(_ports(asked)), _HTTP)
    yield End("by_address", _internet(addresses), port, "the internet")
    ranges = [value for value in addresses if value not in bound]
    for at, value in enumerate(ranges[:_MOST_RANGES]):
        edges = list(_edges(value, port))
        yield from (
            edges if at == 0 else (edge for edge in edges if edge.phrase.startswith(("the first", "the address after")))
        )
    if "ranges.pods" in {bound[value] for value in addresses if value in bound}:
        end = Address("{ranges.outside}")
        yield End("outside_by_one", end, port, "the first address after the pods' range", options=("-sS", "-m", "5"))
    if "127.0.0.1" not in addresses:
        localhost = Address("127.0.0.1", "127.0.0.1")
        yield End("localhost", localhost, _DISCARD, "localhost", options=("-sS", "-m", "5"), ends=_NOT_CONNECTED)
    yield from _service(scene, bound)
    for one in _ports(asked)[1:]:
        yield End(f"port_{one}", _internet(addresses), one, f"port {one}")
    for one in _next_ports(asked):
        yield End(f"port_{one}", _internet(addresses), one, f"port {one}")


def ports(asked: Sequence[Asked]) -> tuple[list[int], list[int]]:
    """The ports that a selector takes, as far as it names any, and the next ones."""
    return _ports(asked) or [_SOME_PORT], _next_ports(asked)


def _ports(asked: Sequence[Asked]) -> list[int]:
    """The ports that a selector takes, as far as it names any."""
    named = [value for one in asked if one.operator in {"DPort", "NotDPort"} for value in one.values]
    spans = [value.partition(":") for value in named]
    found = [int(part) for first, _, last in spans for part in (first, last) if part.isdecimal()]
    negated = any(one.operator == "NotDPort" for one in asked)
    return [_HTTP if _HTTP not in found else max(found) + 1] if negated and found else list(dict.fromkeys(found))


def _next_ports(asked: Sequence[Asked]) -> list[int]:
    named = [value for one in asked if one.operator in {"DPort", "NotDPort"} for value in one.values]
    last = [value.rpartition(":")[2] for value in named]
    negated = any(one.operator == "NotDPort" for one in asked)
    numbers = [int(one) for one in last if one.isdecimal()]
    return numbers[:1] if negated else [one + 1 for one in numbers if one < 65535][:1]  # noqa: PLR2004 - the last port


#: Addresses that no network routes (RFC 5737), for where a policy names the one that is taken first.
_NOWHERE = (INTERNET, "198.51.100.10", "192.0.2.10")


def _internet(addresses: Sequence[str]) -> Address:
    networks = [network for value in addresses if (network := network_of(value)) is not None and network.prefixlen]
    for one in _NOWHERE:
        if not any(ipaddress.ip_address(one) in network for network in networks if network.version == 4):  # noqa: PLR2004
            return Address("{internet.ip}" if one == INTERNET else one, one)
    return Address("{internet.ip}", INTERNET)


def _edges(value: str, port: int) -> Iterator[End]:
    """The first and the last address of a range, and those just before and after it."""
    network = network_of(value)
    if not isinstance(network, ipaddress.IPv4Network) or not network.prefixlen:
        return
    first, last = int(network.network_address), int(network.broadcast_address)
    single = first == last
    inner = (first,) if single else (first + 1, last - 1)
    phrases = (f"the address {value}",) if single else (f"the first address of {value}", f"the last address of {value}")
    found = list(zip(inner, phrases, strict=True))
    found += [(last + 1, f"the address after {value}"), (first - 1, f"the address before {value}")]
    for number, phrase in found:
        if 0 < number < 2**32 - 1:
            text = str(ipaddress.IPv4Address(number))
            name = "at_" + text.replace(".", "_")
            loopback = ipaddress.IPv4Address(number).is_loopback
            if loopback and number & 0xFF in {0, 0xFF}:  # such an address is for all, and nobody connects to it
                continue
            at, ends_with = (_DISCARD, _NOT_CONNECTED) if loopback and port == _HTTP else (port, None)
            yield End(name, Address(text, text), at, phrase, options=("-sS", "-m", "5"), ends=ends_with)


def _service(scene: Scene, bound: Mapping[str, str]) -> Iterator[End]:
    server = scene.server
    if server is None:
        return
    service = server.services[0]
    options, path = _REQUESTS.get(service.name, (("-sS", "-m", "10"), "/"))
    at = "" if service.port == _HTTP else f":{service.port}"
    url = f"{service.name}.{{{server.namespace}.namespace}}.svc.cluster.local{at}{path}"
    address = Address(f"{{{service.name}.service}}", "", frozenset({"ranges.services"} & set(bound.values())))
    yield End("in_cluster", address, service.port, "a service of the cluster", url, options, 0, accepts=True)


def ways(wire: Wire, main: End, programs: Sequence[str]) -> Iterator[Deed]:
    """Other ways to connect to the same end."""
    if set(wire.what) == {"send udp"}:
        return
    if wire.client.has("python3") and not programs:
        yield wire.by_python(main)
    yield wire.by_a_child(main)
    yield wire.around_by_udp(main)
    if programs:
        yield wire.by_a_copy(main)
        yield wire.by_another_program(main)
