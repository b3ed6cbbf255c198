"""A command in a pod, by the Kubernetes exec API: one WebSocket, a channel for each stream, and a status frame.

The exit code is what the status frame says. Where no such frame came, nothing is known of how the
command ended, and that is what is told: never 0 (kubernetes-client/python issue 2328).
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from kubernetes.stream.ws_client import ERROR_CHANNEL, STDERR_CHANNEL, STDIN_CHANNEL, STDOUT_CHANNEL
from websocket import WebSocketBadStatusException, WebSocketException

from tetraproof.machines.machine import Completed, called
from tetraproof.pacing.progress import awaiting
from tetraproof.text import shorten

#: The end of input, as a terminal has it.
_END_OF_INPUT = b"\x04"
#: Seconds after which a waiting loop looks whether it was told to stop.
_LOOK = 0.5
_CHUNK = 64 * 1024
#: The answers for a pod that is not there, or has ended: a name is given anew, but to another pod.
_FOR_GOOD = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_MESSAGE = re.compile(r'"message":"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True)
class Place:
    """A container in which commands are run."""

    namespace: str
    pod: str
    container: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}"


class Executor:
    """Runs commands in pods. `stop` makes those that run, and all later ones, end without an outcome."""

    def __init__(self, configuration: client.Configuration) -> None:
        self._configuration = configuration
        self._stopped = threading.Event()
        self._following: list[Following] = []

    def stop(self) -> None:
        """Give up what runs now, and refuse what comes later."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether nothing is run at present."""
        return self._stopped.is_set()

    def resume(self) -> None:
        """Run commands again."""
        self._stopped.clear()

    def run(
        self,
        place: Place,
        argv: Sequence[str],
        *,
        seconds: float,
        stdin: bytes | None = None,
        tty: bool = False,
    ) -> Completed:
        """Run a command to its end; one that takes longer than `seconds` has no outcome."""
        with awaiting(f"{called(argv)} in {place}"):
            return self._run(place, argv, seconds, stdin, tty=tty)

    def _run(self, place: Place, argv: Sequence[str], seconds: float, stdin: bytes | None, *, tty: bool) -> Completed:
        try:
            socket = self._open(place, argv, stdin=stdin is not None, tty=tty)
        except ApiException as error:
            status = _status_of(error)
            return Completed(
                None,
                broken=f"exec in {place} was refused: {reason(error)}",
                unstarted=bool(status),
                gone=status in _FOR_GOOD,
            )
        try:
            return self._followed(socket, seconds, stdin, tty=tty)
        except (WebSocketException, OSError) as error:
            out, err = _read(socket, STDOUT_CHANNEL), _read(socket, STDERR_CHANNEL)
            return Completed(None, out, err, f"the connection to {place} broke: {error}")
        finally:
            _close(socket)

    def start(self, place: Place, argv: Sequence[str], output: Path) -> Following:
        """Start a command whose output is written to a file as it comes. Raises `ApiException`."""
        # known before it is opened, so that an interrupt in between leaves nothing open
        following = Following(output)
        self._following.append(following)
        with awaiting(f"the beginning of {called(argv)} in {place}"):
            following.begin(self._open(place, argv, stdin=False, tty=False))
        return following

    def close(self) -> None:
        """Let go of every command whose output is followed."""
        for following in self._following:
            following.stop()
        self._following.clear()

    def _open(self, place: Place, argv: Sequence[str], *, stdin: bool, tty: bool) -> Any:
        # a client of its own: opening a stream changes the client for as long as it takes
        api = client.CoreV1Api(client.ApiClient(self._configuration))
        container = {"container": place.container} if place.container else {}
        try:
            return stream(
                api.connect_get_namespaced_pod_exec,
                place.pod,
                place.namespace,
                command=list(argv),
                stdin=stdin,
                stdout=True,
                # a terminal has one stream for both
                stderr=not tty,
                tty=tty,
                binary=True,
                _preload_content=False,
                **container,
            )
        except ApiException as error:
            # the library makes a refusal of an interrupt
            if not isinstance(error.__context__, KeyboardInterrupt | SystemExit):
                raise
            interrupt = type(error.__context__)
        # a new one, which holds on to nothing: the connection, if it was made, ends with the old one
        raise interrupt

    def _followed(self, socket: Any, seconds: float, stdin: bytes | None, *, tty: bool) -> Completed:
        end = time.monotonic() + seconds
        if stdin is not None:
            _type(socket, stdin, tty=tty)
        why = ""
        shown = 0
        while socket.is_open():
            left = end - time.monotonic()
            if left <= 0 or self._stopped.is_set():
                why = "it was given up" if self._stopped.is_set() else f"no end within {seconds:.0f} s"
                break
            socket.update(timeout=min(left, _LOOK))
            if tty and stdin is not None and socket.is_open():
                # the end is typed once the terminal is quiet: a shell that still sets it up would not see it
                quiet, shown = shown, len(socket.peek_channel(STDOUT_CHANNEL))
                if quiet == shown:
                    socket.write_channel(STDIN_CHANNEL, _END_OF_INPUT)
        out, err, status = (_read(socket, channel) for channel in (STDOUT_CHANNEL, STDERR_CHANNEL, ERROR_CHANNEL))
        if not status:
            return Completed(None, out, err, why or "the connection ended without a status: how it ended is not known")
        return ended(status, out, err)


class Following:
    """A command whose output goes on to a file."""

    def __init__(self, output: Path) -> None:
        self._socket: Any = None
        self._output = output
        self._stopping = False
        self.ending = ""
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def begin(self, socket: Any) -> None:
        """Follow what comes from `socket`."""
        self._socket = socket
        self._thread.start()

    @property
    def runs(self) -> bool:
        """Whether it still does."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Let go of it, and await that the file is complete."""
        self._stopping = True
        if self._thread.ident is not None:
            self._thread.join()
        elif self._socket is not None:
            _close(self._socket)

    def _follow(self) -> None:
        socket = self._socket
        try:
            with self._output.open("ab") as file:
                while socket.is_open() and not self._stopping:
                    socket.update(timeout=_LOOK)
                    file.write(_read(socket, STDOUT_CHANNEL))
                    file.flush()
            status, complaint = _read(socket, ERROR_CHANNEL), _read(socket, STDERR_CHANNEL)
            said = complaint or status or b"its connection ended"
            self.ending = "" if self._stopping else shorten(said.decode("utf-8", "replace").strip(), 200)
        except (WebSocketException, OSError) as error:
            self.ending = f"its connection broke: {error}"
        finally:
            _close(socket)


def ended(status: bytes, out: bytes = b"", err: bytes = b"") -> Completed:
    """How a command ended, by its status frame (a `v1.Status` as JSON)."""
    try:
        told = json.loads(status)
        if told["status"] == "Success":
            return Completed(0, out, err)
        causes = (told.get("details") or {}).get("causes") or []
        codes = [int(cause["message"]) for cause in causes if cause.get("reason") == "ExitCode"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return Completed(None, out, err, f"its status frame is none: {shorten(status.decode('utf-8', 'replace'), 200)}")
    if codes:
        return Completed(codes[0], out, err)
    # the runtime's own word, as kubectl prints it
    return Completed(1, out, err + f"error: {told.get('message', 'no reason')}\n".encode())


def _type(socket: Any, stdin: bytes, *, tty: bool) -> None:
    for at in range(0, len(stdin), _CHUNK):
        socket.write_channel(STDIN_CHANNEL, stdin[at : at + _CHUNK])
    if not tty:
        # only v5 of the protocol (Kubernetes 1.30 and newer) can say that the input has ended
        socket.close_channel(STDIN_CHANNEL)


def _read(socket: Any, channel: int) -> bytes:
    """What a channel holds by now."""
    try:
        held: bytes = socket.read_channel(channel)
    except (WebSocketException, OSError):
        return b""
    return held


def _close(socket: Any) -> None:
    # not by its own close, which awaits the other side and swallows an interrupt on the way
    if socket.is_open():
        with suppress(WebSocketException, OSError):  # it may have been closed from the other side
            socket.sock.send_close()
    socket.sock.shutdown()


def _status_of(error: ApiException) -> int:
    """The HTTP status that a command was refused with; 0 where there was no answer, so that it may have begun."""
    refused = error.__context__
    return int(refused.status_code) if isinstance(refused, WebSocketBadStatusException) else int(error.status or 0)


def reason(error: ApiException) -> str:
    """What the server said: a WebSocket that is refused has the answer, a `v1.Status`, within its own text."""
    said = str(error.reason or error.body or "no reason")
    # older clients show it as Python shows bytes
    for text in (said, said.replace("\\\\", "\\")):
        if found := _MESSAGE.search(text):
            with suppress(ValueError):
                return str(json.loads(found[0].partition(":")[2]))
    return shorten(said, 200)
