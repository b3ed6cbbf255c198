"""The link to a guest: an answer belongs to its question, and what breaks is told apart from what is refused."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tetraproof.guests.link import Link, Refused

Answering = Callable[[dict[str, object]], bytes]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[[Answering], Link]]:
    """Links to a guest agent that answers so."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "agent"))
    server.listen()
    made: list[Link] = []
    threads: list[threading.Thread] = []

    def link(answering: Answering) -> Link:
        def serve() -> None:
            there, _ = server.accept()
            with there, there.makefile("rb") as lines:
                for line in lines:
                    answer = answering(json.loads(line))
                    if not answer:
                        return
                    there.sendall(answer)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        made.append(Link(tmp_path / "agent"))
        return made[-1]

    yield link
    for one in made:
        one.close()
        one.close()
    for thread in threads:
        thread.join()
    server.close()


def line(**told: object) -> bytes:
    return json.dumps(told).encode() + b"\n"


def test_an_answer_is_returned(served) -> None:
    """Whatever its form, one after another, and however it arrives."""
    link = served(lambda asked: line(**{"return": [asked["execute"], asked["arguments"]], "id": asked["id"]}))
    assert link.ask("guest-exec", {"path": "true"}, 10) == ["guest-exec", {"path": "true"}]
    large = {"data": "x" * 300_000}
    assert link.ask("guest-exec", large, 10) == ["guest-exec", large]


def test_an_answer_to_an_earlier_question_is_passed_over(served) -> None:
    """As to a ping of a guest that was still booting."""
    link = served(lambda asked: line(**{"return": "late", "id": 0}) + line(**{"return": "now", "id": asked["id"]}))
    assert link.ask("guest-ping", {}, 10) == "now"


def test_of_several_that_ask_at_once_each_gets_its_own_answer(served) -> None:
    """As the agent's counters and its word of the policy, which are asked for beside each other."""
    link = served(lambda asked: line(**{"return": asked["execute"], "id": asked["id"]}))
    questions = [f"question-{number}" for number in range(200)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        assert list(pool.map(lambda one: link.ask(one, {}, 5), questions)) == questions


def test_a_refusal_is_an_answer(served) -> None:
    """And the link lives on."""
    answers = iter([{"error": {"class": "GenericError", "desc": "no such file"}}, {"return": 1}])
    link = served(lambda asked: line(**next(answers), id=asked["id"]))
    with pytest.raises(Refused, match="no such file"):
        link.ask("guest-exec", {}, 10)
    assert link.ask("guest-exec", {}, 10) == 1


def test_silence_ends(served) -> None:
    """Also where what comes is never the answer."""
    mute = threading.Event()
    link = served(lambda asked: b"x" * 10 if not mute.set() else b"")
    with pytest.raises(TimeoutError):
        link.ask("guest-ping", {}, 0.3)
    assert mute.is_set()


@pytest.mark.parametrize("answer", [b"", b"no JSON\n"])
def test_a_broken_link_is_told_as_that(served, answer: bytes) -> None:
    """It was closed, or speaks another language."""
    link = served(lambda asked: answer)
    with pytest.raises(ConnectionError):
        link.ask("guest-ping", {}, 10)


def test_nobody_there_is_told(tmp_path: Path) -> None:
    """At once."""
    with pytest.raises(OSError, match="No such file"):
        Link(tmp_path / "nobody")
