"""A bridge to sockets in a guest: programs of this machine reach what listens there, over one serial port.

What a program takes a second or two to begin in an emulated guest, it does here at once. The bridge makes no traffic
that the agent under test would see as a network's: the guest has none.
"""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from tetraproof.guests.relay import DATA, END, HEAD, HELLO, OPEN

#: The name of the port in the guest.
PORT = "tetraproof.bridge"
_CHUNK = 1 << 16
#: Programs that may knock at the same time.
_BACKLOG = 16


class Bridge:
    """The near end of a bridge, at the socket `port` of a guest's serial port; its sockets here lie in `folder`.

    Raises `OSError` where nobody listens.
    """

    def __init__(self, port: Path, folder: Path) -> None:
        self._folder = folder
        self._link = socket.socket(socket.AF_UNIX)
        try:
            self._link.connect(str(port))
        except OSError:
            self._link.close()
            raise
        self._writing = threading.Lock()
        self._numbers = itertools.count(1)
        #: Who listens at each connection, and what is still to be said to them.
        self._open: dict[int, tuple[socket.socket, SimpleQueue[bytes]]] = {}
        self._doors: dict[str, tuple[Path, socket.socket]] = {}
        self._stands = threading.Event()
        self.broken = False
        self._begin(self._carry_back)

    def stands(self, seconds: float) -> bool:
        """Whether the far end has said that it is there, within `seconds`."""
        return self._stands.wait(seconds) and not self.broken

    def door(self, address: str) -> Path:
        """A socket here that leads to `address` in the guest: the path of a socket, or `127.0.0.1:port`."""
        if address not in self._doors:
            path = self._folder / f"door-{len(self._doors)}"
            listening = socket.socket(socket.AF_UNIX)
            listening.bind(str(path))
            listening.listen(_BACKLOG)
            self._doors[address] = path, listening
            self._begin(lambda: self._let_in(listening, address))
        return self._doors[address][0]

    def close(self) -> None:
        """Close both ends, and every door; closing twice is no error."""
        self.broken = True
        for _, listening in self._doors.values():
            _shut(listening)
        _shut(self._link)
        for number in list(self._open):
            self._forget(number)

    def _begin(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, daemon=True).start()

    def _let_in(self, listening: socket.socket, address: str) -> None:
        with suppress(OSError):  # the door was closed
            while True:
                caller, _ = listening.accept()
                number = next(self._numbers)
                answers: SimpleQueue[bytes] = SimpleQueue()
                self._open[number] = caller, answers
                try:
                    self._send(number, OPEN, address.encode())
                except OSError:  # the bridge was closed as it was let in
                    self._forget(number)
                    raise
                self._begin(partial(self._carry, number, caller))
                self._begin(partial(self._answer, number, caller, answers))

    def _carry(self, number: int, caller: socket.socket) -> None:
        """What a caller says, to the guest."""
        with suppress(OSError):
            while chunk := caller.recv(_CHUNK):
                self._send(number, DATA, chunk)
            self._send(number, END)
        self._forget(number)

    def _answer(self, number: int, caller: socket.socket, answers: SimpleQueue[bytes]) -> None:
        """What is said to a caller, as fast as it listens: nobody else waits for it. Nothing is its end."""
        with suppress(OSError):
            while content := answers.get():
                caller.sendall(content)
        self._open.pop(number, None)
        _shut(caller)

    def _carry_back(self) -> None:
        """What is said in the guest, to the callers."""
        try:
            while True:
                number, what, length = HEAD.unpack(self._read(HEAD.size))
                content = self._read(length)
                if what == HELLO:
                    self._stands.set()
                elif known := self._open.get(number):
                    known[1].put(b"" if what == END else content)
        except OSError:
            self.broken = True
            for number in list(self._open):
                self._forget(number)

    def _read(self, length: int) -> bytes:
        content = b""
        while len(content) < length:
            chunk = self._link.recv(length - len(content))
            if not chunk:
                raise ConnectionResetError("the guest is gone")
            content += chunk
        return content

    def _send(self, number: int, what: int, content: bytes = b"") -> None:
        with self._writing:
            self._link.sendall(HEAD.pack(number, what, len(content)) + content)

    def _forget(self, number: int) -> None:
        if known := self._open.pop(number, None):
            caller, answers = known
            answers.put(b"")
            _shut(caller)


def _shut(one: socket.socket) -> None:
    """Close a socket, and have whoever waits on it go on."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
