"""The far end of a bridge: what the guest runs. It imports nothing of tetraproof, so that it begins quickly.

Frames go either way over one port: the number of a connection, what it is, and as many bytes as it says.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys

HEAD = struct.Struct(">IBI")
#: What a frame is: a greeting; a connection to the address that it holds; what is said; the end of a connection.
HELLO, OPEN, DATA, END = range(4)
_CHUNK = 1 << 16
#: Until somebody is at the other side, a port reads as ended: how long to look away, in seconds.
_PAUSE = 0.2


class Relay:
    """Carries between a port, a file descriptor that is ours alone, and sockets of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: dict[int, socket.socket] = {}
        #: What a socket was not ready to take yet.
        self._unsaid: dict[int, bytes] = {}
        self._pending = b""

    def run(self) -> None:
        """Carry until the port is gone."""
        os.set_blocking(self._port, False)
        self._send(0, HELLO)
        while True:
            numbers = {one.fileno(): number for number, one in self._open.items()}
            wanted = [one for one, number in numbers.items() if self._unsaid.get(number)]
            ready, writable, _ = select.select([self._port, *numbers], wanted, [])
            for one in writable:
                self._say(numbers[one])
            for one in ready:
                if one == self._port:
                    self._take()
                else:
                    self._carry(numbers[one])

    def _take(self) -> None:
        """What came over the port, as far as it is whole."""
        try:
            chunk = os.read(self._port, _CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            select.select([], [], [], _PAUSE)
        self._pending += chunk
        while len(self._pending) >= HEAD.size:
            number, what, length = HEAD.unpack_from(self._pending)
            if len(self._pending) < HEAD.size + length:
                return
            content, self._pending = self._pending[HEAD.size :][:length], self._pending[HEAD.size + length :]
            self._heed(number, what, content)

    def _heed(self, number: int, what: int, content: bytes) -> None:
        if what == OPEN:
            try:
                self._open[number] = _connected(content.decode())
            except OSError:
                self._send(number, END)
        elif number in self._open and what == END:
            self._say(number)
            self._close(number)
        elif number in self._open:
            self._unsaid[number] = self._unsaid.get(number, b"") + content
            self._say(number)

    def _say(self, number: int) -> None:
        """Say at a socket what it is ready to take."""
        if number not in self._open:
            return
        try:
            sent = self._open[number].send(self._unsaid[number]) if self._unsaid.get(number) else 0
            self._unsaid[number] = self._unsaid.get(number, b"")[sent:]
        except BlockingIOError:
            return
        except OSError:
            self._end(number)

    def _carry(self, number: int) -> None:
        """What is said at a socket, over the port."""
        if number not in self._open:
            return  # it was ended by what came before it
        content = b""
        try:
            content = self._open[number].recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            pass
        if content:
            self._send(number, DATA, content)
        else:
            self._end(number)

    def _end(self, number: int) -> None:
        self._close(number)
        self._send(number, END)

    def _close(self, number: int) -> None:
        self._open.pop(number).close()
        self._unsaid.pop(number, None)

    def _send(self, number: int, what: int, content: bytes = b"") -> None:
        left = HEAD.pack(number, what, len(content)) + content
        while left:
            try:
                left = left[os.write(self._port, left) :]
            except BlockingIOError:
                select.select([], [self._port], [])


def _connected(address: str) -> socket.socket:
    """A connection to the path of a socket, or to `host:port`, on which nobody waits."""
    host, _, port = address.rpartition(":")
    family, there = (socket.AF_UNIX, address) if address.startswith("/") else (socket.AF_INET, (host, int(port)))
    made = socket.socket(family)
    try:
        made.connect(there)
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made


if __name__ == "__main__":
    Relay(os.open(sys.argv[1], os.O_RDWR)).run()
