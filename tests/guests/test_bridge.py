"""The bridge into a guest: what is said at its doors is said there, whole and in order, and its end is told both ways.

The guest's port is a socket here, which reads and writes as a port does; `make guest` has a real one.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tetraproof.guests.bridge import Bridge
from tetraproof.guests.relay import Relay

LONG = bytes(range(256)) * 20_000


class Port:
    """The port's two sides: what QEMU listens on, and the guest's end once somebody is there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self.end: socket.socket | None = None

    def relay(self) -> None:
        """Have the far end run on it."""
        self.end, _ = self._listening.accept()
        relay = Relay(os.dup(self.end.fileno()))
        threading.Thread(target=self._run, args=(relay,), daemon=True).start()

    @staticmethod
    def _run(relay: Relay) -> None:
        with suppress(OSError):
            relay.run()

    def close(self) -> None:
        self._listening.close()
        if self.end is not None:
            with suppress(OSError):
                self.end.shutdown(socket.SHUT_RDWR)
            self.end.close()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    made = Port(tmp_path / "port")
    yield made
    made.close()


@pytest.fixture
def bridge(port: Port, tmp_path: Path) -> Iterator[Bridge]:
    made = Bridge(port.path, tmp_path)
    port.relay()
    assert made.stands(30)
    yield made
    made.close()


def serving(family: socket.AddressFamily, address: object, serve: Callable[[socket.socket], None]) -> socket.socket:
    """Something that listens in the guest, and serves one after another."""
    listening = socket.socket(family)
    listening.bind(address)
    listening.listen()

    def go_on() -> None:
        with suppress(OSError):
            while True:
                caller, _ = listening.accept()
                threading.Thread(target=serve, args=(caller,), daemon=True).start()

    threading.Thread(target=go_on, daemon=True).start()
    return listening


def echo(caller: socket.socket) -> None:
    with caller:
        while chunk := caller.recv(5000):
            caller.sendall(chunk)


def knock(door: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(30)
    made.connect(str(door))
    return made


def said(caller: socket.socket, length: int) -> bytes:
    content = b""
    while len(content) < length and (chunk := caller.recv(length - len(content))):
        content += chunk
    return content


def test_what_is_said_at_a_door_is_said_there(bridge: Bridge, tmp_path: Path) -> None:
    """And what is answered comes back, however long; several at once keep apart; a door is one for all."""
    with serving(socket.AF_UNIX, str(tmp_path / "there"), echo):
        door = bridge.door(str(tmp_path / "there"))
        assert bridge.door(str(tmp_path / "there")) == door
        with knock(door) as one, knock(door) as other:
            writing = threading.Thread(target=one.sendall, args=(LONG,))
            writing.start()
            other.sendall(b"short")
            assert said(other, 5) == b"short"
            assert said(one, len(LONG)) == LONG
            writing.join()


def test_a_port_of_the_guests_own_loopback_is_reached(bridge: Bridge) -> None:
    """As the agent serves its metrics; its end is the end here."""

    def greet(caller: socket.socket) -> None:
        with caller:
            caller.sendall(b"hello")

    with serving(socket.AF_INET, ("127.0.0.1", 0), greet) as listening:
        number = listening.getsockname()[1]
        with knock(bridge.door(f"127.0.0.1:{number}")) as caller:
            assert said(caller, 99) == b"hello"


def test_whoever_goes_is_gone_there_as_well(bridge: Bridge, tmp_path: Path) -> None:
    """Nobody is served who does not listen any more."""
    gone = threading.Event()

    def serve(caller: socket.socket) -> None:
        with caller:
            caller.recv(5)
            caller.recv(5)
            gone.set()

    with serving(socket.AF_UNIX, str(tmp_path / "there"), serve):
        with knock(bridge.door(str(tmp_path / "there"))) as caller:
            caller.sendall(b"hello")
        assert gone.wait(30)


def test_where_nobody_listens_a_caller_is_let_go(bridge: Bridge, tmp_path: Path) -> None:
    """At once; and the next one is served as ever."""
    with knock(bridge.door(str(tmp_path / "nobody"))) as caller:
        assert said(caller, 1) == b""
    with serving(socket.AF_UNIX, str(tmp_path / "there"), echo), knock(bridge.door(str(tmp_path / "there"))) as caller:
        caller.sendall(b"hello")
        assert said(caller, 5) == b"hello"


def test_a_far_end_that_never_says_that_it_is_there_is_none(port: Port, tmp_path: Path) -> None:
    """Nobody is sent over it."""
    bridge = Bridge(port.path, tmp_path)
    assert not bridge.stands(0.01)
    bridge.close()
    bridge.close()
    assert bridge.broken


def test_a_guest_that_is_gone_lets_everybody_go(bridge: Bridge, port: Port, tmp_path: Path) -> None:
    """Whoever waits for an answer has none, and the bridge is known to be broken."""
    with serving(socket.AF_UNIX, str(tmp_path / "there"), echo), knock(bridge.door(str(tmp_path / "there"))) as caller:
        caller.sendall(b"hello")
        assert said(caller, 5) == b"hello"
        port.close()
        assert said(caller, 1) == b""
        assert bridge.broken


def test_where_no_port_is_there_is_no_bridge(tmp_path: Path) -> None:
    """That is an error, for whoever can do without to heed."""
    with pytest.raises(OSError, match="No such file"):
        Bridge(tmp_path / "nothing", tmp_path)
