"""The link to QEMU's guest agent: a socket on which one JSON object is asked and one answered, a line each."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tetraproof import decoding
from tetraproof.decoding import Source
from tetraproof.errors import TetraproofError

_CHUNK = 1 << 16
#: Bytes of one answer.
_MOST = 256 << 20


class Refused(Exception):  # noqa: N818 - an answer, if not the one hoped for
    """The guest agent's own word that it does not do what it was asked."""


class Link:
    """A connection to the guest agent behind the socket `path`. Raises `OSError` where nobody listens."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._asked = 0
        self._pending = b""
        #: Who asks beside another waits for the other's answer first: it would be taken for theirs, or thrown away.
        self._asking = threading.Lock()

    def ask(self, command: str, arguments: Mapping[str, Any], seconds: float) -> Any:
        """The answer to a command. Raises `Refused`, `TimeoutError` after `seconds`, `OSError` where the link broke.

        What comes too late for an earlier question is passed over. Of several that ask at once each gets its own.
        """
        with self._asking:
            return self._answered(command, arguments, seconds)

    def _answered(self, command: str, arguments: Mapping[str, Any], seconds: float) -> Any:
        """The answer to a command, while nobody else asks."""
        self._asked += 1
        asked = {"execute": command, "arguments": arguments, "id": self._asked}
        end = time.monotonic() + seconds
        self._socket.settimeout(seconds)
        self._socket.sendall(json.dumps(asked).encode() + b"\n")
        while True:
            told = self._line(end)
            if told.get("id") != self._asked:
                continue
            if "error" in told:
                raise Refused(str(told["error"].get("desc", told["error"])))
            return told.get("return")

    def close(self) -> None:
        """Close it; closing twice is no error."""
        self._socket.close()

    def _line(self, end: float) -> dict[str, Any]:
        """The next object that the guest agent writes."""
        while b"\n" not in self._pending:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            chunk = self._socket.recv(_CHUNK)
            if not chunk:
                raise ConnectionResetError("the guest agent is gone")
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        try:
            # what a program printed there is part of the answer
            told: dict[str, Any] = decoding.as_json(line, dict[str, Any], Source("an answer", ""), most=_MOST)
        except TetraproofError as error:
            raise ConnectionError(f"what the guest agent writes is no JSON: {line[:80]!r}") from error
        return told
