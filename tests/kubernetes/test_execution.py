"""A command in a pod, over a real WebSocket: what it wrote, how it ended, and where nothing is known of that."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes.client.exceptions import ApiException

from tests.api_server import ApiServer, Exec, Play, Refusal, interrupt, never
from tests.clusters import Lab, cluster_of, endless, hurried
from tests.kubernetes.test_cluster import nobody, pod
from tetraproof.kubernetes.execution import Executor, Following, Place, ended
from tetraproof.machines.machine import Completed
from tetraproof.observing.act import Outcome
from tetraproof.pacing.waiting import until

HERE = Place("default", "one")
BIG = bytes(range(256)) * 4000


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    hurried(monkeypatch)
    with ApiServer() as server:
        lab = Lab(server)
        lab.api.created[0](server.put(pod("one")))
        yield server


@pytest.fixture
def executor(api: ApiServer, tmp_path: Path) -> Executor:
    return cluster_of(api, tmp_path).executor


def ran(executor: Executor, *argv: str, seconds: float = 30, **more: object) -> Completed:
    return executor.run(HERE, argv or ("true",), seconds=seconds, **more)  # type: ignore[arg-type]


def says(*, out: str = "", err: str = "", code: int = 0) -> Play:
    async def play(command: Exec) -> None:
        await command.err(err)
        await command.out(out)
        await command.ends(code)

    return play


@pytest.mark.parametrize("code", [0, 1, 137, 255])
def test_the_exit_code_is_the_status_frames(code: int, api: ApiServer, executor: Executor) -> None:
    """And the two streams are apart."""
    api.exec = says(out="to out\n", err="to err\n", code=code)
    assert ran(executor) == Completed(code, b"to out\n", b"to err\n")


def test_a_command_is_passed_on_as_it_is(api: ApiServer, executor: Executor) -> None:
    """Its words, its container; without input and without a terminal."""
    seen: list[Exec] = []

    async def play(command: Exec) -> None:
        seen.append(command)
        await command.ends()

    api.exec = play
    executor.run(Place("default", "one", "a"), ["sh", "-c", "echo 'x & y' = ü"], seconds=30)
    assert seen[0].argv == ("sh", "-c", "echo 'x & y' = ü")
    assert (seen[0].container, seen[0].tty, seen[0].typing_ended.is_set()) == ("a", False, True)


def test_much_output_is_whole(api: ApiServer, executor: Executor) -> None:
    """However it is cut into frames, and whatever bytes it has."""

    async def play(command: Exec) -> None:
        for at in range(0, len(BIG), 30_001):
            await command.out(BIG[at : at + 30_001])
        await command.ends()

    api.exec = play
    assert ran(executor).stdout == BIG


def test_input_reaches_the_command_whole_and_ends(api: ApiServer, executor: Executor) -> None:
    """Version 5 of the protocol can say that it has ended, and a program that reads to the end goes on."""

    async def play(command: Exec) -> None:
        await command.typing_ended.wait()
        await command.out(command.typed)
        await command.ends()

    api.exec = play
    assert ran(executor, "cat", stdin=BIG).stdout == BIG
    assert ran(executor, "cat", stdin=b"").stdout == b""


def test_a_terminal_has_one_stream_and_its_end_is_typed(api: ApiServer, executor: Executor) -> None:
    """Once it is quiet: what a shell has not read yet would be lost."""

    async def play(command: Exec) -> None:
        assert command.tty
        await command.out("$ ")
        await command.typing_ended.wait()
        await command.out(command.typed.replace(b"\x04", b"^D"))
        await command.ends(137)

    api.exec = play
    done = ran(executor, "bash", stdin=b"echo hello\n", tty=True)
    assert done.exit_code == 137
    assert done.stdout.startswith(b"$ echo hello\n^D")
    assert done.stderr == b""


def test_a_program_that_is_not_there_is_the_runtimes_word(api: ApiServer, executor: Executor) -> None:
    """As kubectl prints it, so that an outcome reads the same on every target."""

    async def play(command: Exec) -> None:
        await command.fails("error executing command: OCI runtime exec failed: exec: no such file or directory")

    api.exec = play
    done = ran(executor)
    assert done.exit_code == 1
    outcome = Outcome(done.exit_code, done.output, done.stderr.decode())
    assert outcome.refused
    assert "could not be started" in outcome.unknown


def test_a_kubelet_that_cannot_be_reached_says_nothing_of_the_command(api: ApiServer, executor: Executor) -> None:
    """The server's own error is no exit code: nothing is known of the act."""

    async def play(command: Exec) -> None:
        await command.fails("error dialing backend: dial tcp 10.0.2.15:10250: i/o timeout")

    api.exec = play
    done = ran(executor)
    outcome = Outcome(done.exit_code, done.output, done.stderr.decode(), done.broken)
    assert not outcome.refused
    assert "error dialing backend" in outcome.unknown


def test_an_ending_without_a_status_is_no_zero(api: ApiServer, executor: Executor) -> None:
    """What it wrote is kept; how it ended is not known (kubernetes-client/python issue 2328)."""

    async def play(command: Exec) -> None:
        await command.out("all of it\n")

    api.exec = play
    assert ran(executor) == Completed(
        None, b"all of it\n", b"", "the connection ended without a status: how it ended is not known"
    )


@pytest.mark.parametrize(
    ("status", "exit_code", "told"),
    [
        (b"not json", None, "its status frame is none: not json"),
        (b"[]", None, "its status frame is none"),
        (b"null", None, "its status frame is none"),
        (b'{"status": "Failure"}', 1, ""),
        (b'{"status": "Failure", "details": null, "message": "why"}', 1, ""),
        (b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "x"}]}}', None, "its status"),
        (b'{"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}}', 7, ""),
        (b'{"details": {}}', None, "its status frame is none"),
        ('{"status": "Failure", "message": "für"}'.encode(), 1, ""),
    ],
)
def test_only_a_status_tells_how_it_ended(status: bytes, exit_code: int | None, told: str) -> None:
    """One that cannot be read is told as that."""
    done = ended(status, b"out", b"err")
    assert (done.exit_code, done.stdout) == (exit_code, b"out")
    assert told in done.broken
    assert bool(done.broken) == (exit_code is None)


def test_a_connection_that_breaks_leaves_what_came(api: ApiServer, executor: Executor) -> None:
    """And no exit code."""

    async def play(command: Exec) -> None:
        await command.out("half of it")
        await asyncio.sleep(0)
        command.cut()

    api.exec = play
    done = ran(executor)
    assert done.exit_code is None
    assert "broke" in done.broken or "without a status" in done.broken
    assert done.stdout in {b"half of it", b""}


def test_a_pod_that_is_deleted_under_a_command_takes_it_along(api: ApiServer, executor: Executor) -> None:
    """As a container that is killed: its exec ends with 137, or without any word."""

    async def play(command: Exec) -> None:
        del api.objects["v1/Pod", "default", "one"]
        await command.err("")

    api.exec = play
    assert ran(executor).exit_code is None
    assert 'pods "one" not found' in ran(executor).broken


def test_a_command_that_never_ends_is_given_up(api: ApiServer, executor: Executor) -> None:
    """What it wrote until then is kept, and the server sees its caller go."""

    async def play(command: Exec) -> None:
        await command.out("still at it\n")
        await never()

    api.exec = play
    assert ran(executor, seconds=0.3) == Completed(None, b"still at it\n", b"", "no end within 0 s")
    assert until("its end", lambda: len(api.running), lambda running: running == 0, 10) == 0


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        (404, "NotFound", 'pods "one" not found'),
        (403, "Forbidden", 'pods "one" is forbidden: User "somebody" cannot create resource "pods/exec"'),
        (500, "InternalError", 'container "x" is not running, its runtime said \\ "no"'),
        (503, "ServiceUnavailable", "the server is currently unable to handle the request"),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(
    code: int, reason: str, message: str, api: ApiServer, executor: Executor
) -> None:
    """And where; it was never started, and where the pod is not there none will be."""

    def refuse(asked: object) -> None:
        raise Refusal(code, reason, message)

    api.faults = [refuse]
    refused = f"exec in default/one was refused: {message}"
    assert ran(executor) == Completed(None, broken=refused, unstarted=True, gone=code == 404)


def test_a_server_that_is_gone_is_told(tmp_path: Path) -> None:
    """As no outcome, never as an error that ends the run."""
    done = ran(nobody(tmp_path).executor)
    assert done.exit_code is None
    assert "refused" in done.broken
    assert not done.unstarted  # it may have begun, and its answer was lost


def test_an_interrupt_while_a_command_is_opened_is_one(api: ApiServer, executor: Executor, tmp_path: Path) -> None:
    """The library takes it for a refusal, which would be an act without an outcome, and the run would go on."""
    api.faults = [lambda asked: interrupt()]
    with pytest.raises(KeyboardInterrupt):
        ran(executor)
    with pytest.raises(KeyboardInterrupt):
        executor.start(HERE, ["getevents"], tmp_path / "events")
    api.faults = []
    assert ran(executor).ok


def test_those_that_run_are_given_up_when_told_so(api: ApiServer, executor: Executor) -> None:
    """And later ones are, until it is told otherwise."""
    began = threading.Event()

    async def play(command: Exec) -> None:
        began.set()
        await never()

    api.exec = play
    done: list[Completed] = []
    running = threading.Thread(target=lambda: done.append(ran(executor, seconds=10_000)), daemon=True)
    running.start()
    assert began.wait(10)
    executor.stop()
    running.join(20)
    assert done == [Completed(None, broken="it was given up")]
    assert ran(executor).broken == "it was given up"
    executor.resume()
    api.exec = says()
    assert ran(executor).ok


# streams


def followed(executor: Executor, tmp_path: Path) -> tuple[Following, Path]:
    output = tmp_path / "events"
    output.touch()
    return executor.start(HERE, ["getevents"], output), output


def over(following: Following) -> str:
    until("its end", lambda: following.runs, lambda runs: not runs, 10)
    return following.ending


def test_a_stream_goes_into_a_file_as_it_comes(api: ApiServer, executor: Executor, tmp_path: Path) -> None:
    """It is let go of without a word, and the server sees that."""
    more = asyncio.Event()

    async def play(command: Exec) -> None:
        await command.out("one\n")
        await more.wait()
        await command.out("two\n")
        await never()

    api.exec = play
    following, output = followed(executor, tmp_path)
    until("the first", output.read_bytes, lambda text: text == b"one\n", 10)
    api.within(set_event(more))
    until("the second", output.read_bytes, lambda text: text == b"one\ntwo\n", 10)
    assert following.runs
    following.stop()
    assert (following.runs, following.ending) == (False, "")
    assert until("its end", lambda: len(api.running), lambda running: running == 0, 10) == 0


async def set_event(event: asyncio.Event) -> None:
    event.set()


@pytest.mark.parametrize(
    ("play", "ending"),
    [
        (says(out="last\n", err="connection refused\n"), "connection refused"),
        (says(out="last\n", code=1), "command terminated"),
        (says(out="last\n"), "Success"),
    ],
)
def test_a_stream_that_ends_says_why(
    play: Play, ending: str, api: ApiServer, executor: Executor, tmp_path: Path
) -> None:
    """And what came last is in the file."""
    api.exec = play
    following, output = followed(executor, tmp_path)
    assert ending in over(following)
    assert output.read_bytes() == b"last\n"


def test_a_stream_that_is_cut_says_so(api: ApiServer, executor: Executor, tmp_path: Path) -> None:
    """It is never begun anew in silence."""
    more = asyncio.Event()

    async def play(command: Exec) -> None:
        await command.out("one\n")
        await more.wait()
        command.cut()

    api.exec = play
    following, output = followed(executor, tmp_path)
    until("the first", output.read_bytes, lambda text: text == b"one\n", 10)
    api.within(set_event(more))
    assert "connection" in over(following)
    assert output.read_bytes() == b"one\n"


def test_a_stream_that_is_refused_is_an_error(api: ApiServer, executor: Executor, tmp_path: Path) -> None:
    """Nothing is listened to then."""
    with pytest.raises(ApiException):
        executor.start(Place("default", "gone"), ["getevents"], tmp_path / "events")
    api.exec = endless
    following, _ = followed(executor, tmp_path)
    following.stop()
    assert following.ending == ""
