"""Acts and outcomes: what is asked for, and what the one who asked saw."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tetraproof.errors import UsageError
from tetraproof.observing.act import (
    AGENT,
    Act,
    Acts,
    Outcome,
    agent,
    command,
    look,
    order_of,
    prepare,
    program,
    shell,
    typed,
)

LAST_WORD = "command terminated with exit code 137\n"
REFUSED = (
    'error: Internal error occurred: OCI runtime exec failed: exec failed: unable to start: "x": not found: unknown\n'
)


@pytest.mark.parametrize(
    ("act", "argv", "pod", "stdin", "tty"),
    [
        (command("cat", "/tmp/a"), ("cat", "/tmp/a"), "probe", None, False),
        (command("cat", pod="nginx"), ("cat",), "nginx", None, False),
        (shell("echo a > b"), ("bash", "-c", "echo a > b"), "probe", None, False),
        (typed("a", "b"), ("bash",), "probe", "a\nb\n", False),
        (typed("a", tty=True, pod="nginx"), ("bash",), "nginx", "a\n", True),
    ],
)
def test_how_acts_are_declared(act: Act, argv: tuple[str, ...], pod: str, stdin: str | None, *, tty: bool) -> None:
    """A program, a script, lines typed into a shell."""
    assert (act.argv, act.pod, act.stdin, act.tty, act.prepare) == (argv, pod, stdin, tty, False)


def test_what_the_agents_are_told_of_a_policy_is_a_preparation() -> None:
    """It is done in no pod, and its name there is the target's to add."""
    told = agent("set-mode", "monitor")
    assert (told.argv, told.pod, told.prepare) == (("tetra", "tracingpolicy", "set-mode", "monitor"), AGENT, True)
    assert order_of(told) == ("set-mode", "monitor")
    assert order_of(agent("disable")) == ("disable",)
    assert order_of(command("tetra", "tracingpolicy", "disable")) == ()


@pytest.mark.parametrize("words", [("delete",), ("disable", "guard"), ("set-mode",), ("set-mode", "off"), ("", "")])
def test_what_agents_are_not_told_is_refused(words: tuple[str, ...]) -> None:
    """With what there is to tell."""
    with pytest.raises(UsageError, match="An agent is not told") as refused:
        agent(*words)
    assert refused.value.remedy == "write one of enable, disable, set-mode enforce, set-mode monitor"


def test_acts_have_their_names_and_their_order() -> None:
    """As the suite declares them; a prepare act stays what it is."""
    acts = Acts(second=prepare(shell("a")), first=command("b"))
    assert [(act.name, act.prepare) for act in acts] == [("second", True), ("first", False)]
    assert len(acts) == 2
    assert str(next(iter(acts))) == "bash -c a"


SCRIPT = "import sys\nopen(sys.argv[1])\n"


def test_a_program_is_put_into_the_pod_before_the_act_that_runs_it() -> None:
    """Once for each pod, under a name that is made of its text."""
    acts = tuple(
        Acts(
            reads=program(SCRIPT, "/tmp/a"),
            again=look(program(SCRIPT, "/tmp/b")),
            there=program(SCRIPT, pod="nginx"),
            other=program("echo a", by="bash"),
        )
    )
    assert [(act.name, act.pod, act.prepare) for act in acts] == [
        ("program_of_reads", "probe", True),
        ("reads", "probe", False),
        ("again", "probe", False),
        ("program_of_there", "nginx", True),
        ("there", "nginx", False),
        ("program_of_other", "probe", True),
        ("other", "probe", False),
    ]
    put, reads, again, _, there, bash, other = acts
    place = reads.argv[1]
    assert put.argv == ("dd", "status=none", f"of={place}")
    assert (put.stdin, bash.stdin) == (SCRIPT, "echo a")
    assert reads.argv == ("python3", place, "/tmp/a")
    assert again.argv == ("python3", place, "/tmp/b")
    assert there.argv == ("python3", place)
    assert other.argv[0] == "bash"
    assert other.argv[1] != place
    assert again.look


@pytest.mark.parametrize(
    ("text", "by"), [("", "python3"), (" \n", "bash"), ("x", ""), ("a\0b", "bash"), ("#" * 65537, "bash")]
)
def test_what_is_no_small_program_is_refused(text: str, by: str) -> None:
    """In a sentence that says what is one."""
    with pytest.raises(UsageError) as refused:
        program(text, by=by)
    assert refused.value.remedy
    assert program("#" * 65536, by="bash").program


def test_what_puts_a_program_there_does_so(tmp_path: Path) -> None:
    """As it is performed: the argv, with the text as its input."""
    put, act = Acts(reads=program(SCRIPT, "/dev/null"))
    place = str(tmp_path / "program")
    argv = [part.replace(act.argv[1], place) for part in put.argv]
    assert not subprocess.run(argv, input=SCRIPT.encode(), check=True, capture_output=True).stderr
    assert Path(place).read_text(encoding="utf-8") == SCRIPT
    subprocess.run([sys.executable, place, *act.argv[2:]], check=True)


def test_an_act_without_a_program_is_refused() -> None:
    """In a sentence with an example."""
    with pytest.raises(UsageError, match="needs a program") as refused:
        command()
    assert "command(" in refused.value.remedy


@pytest.mark.parametrize(
    ("outcome", "refused", "text"),
    [
        (Outcome(0), False, "exit 0"),
        (Outcome(137, stderr=LAST_WORD), False, "exit 137"),
        (Outcome(126, stderr=REFUSED), True, "exit 126 (the runtime could not start it)"),
        (
            Outcome(127, stderr="exec /bin/x: no such file or directory\n"),
            True,
            "exit 127 (the runtime could not start it)",
        ),
        (Outcome(1, stderr=f"a\n{REFUSED}b\n"), True, "exit 1 (the runtime could not start it)"),
        # a program may say such words and live
        (Outcome(0, stderr=REFUSED), False, "exit 0"),
        (Outcome(1, stdout=REFUSED), False, "exit 1"),
        (Outcome(1, stderr="bash: exec: x: not found\n"), False, "exit 1"),
        (Outcome(None, broken="the connection was cut"), False, "no outcome: the connection was cut"),
    ],
)
def test_an_outcome_says_how_it_ended(outcome: Outcome, text: str, *, refused: bool) -> None:
    """What the runtime could not start is told apart from what ended with an error."""
    assert outcome.refused is refused
    assert str(outcome) == text


@pytest.mark.parametrize(
    ("written", "own"),
    [
        ("", ""),
        ("a\n", "a\n"),
        (LAST_WORD, ""),
        (f"a\n{LAST_WORD}", "a\n"),
        ("command terminated by me\n", "command terminated by me\n"),
    ],
)
def test_kubectls_last_word_is_not_the_programs(written: str, own: str) -> None:
    """A terminal mixes it into the output."""
    outcome = Outcome(137, written, written)
    assert (outcome.output, outcome.complaint) == (own, own)


GONE = 'Error from server (NotFound): pods "probe" not found\n'
LOST = "error: unable to upgrade connection: container not found\n"
WRAPPED = "error: Internal error occurred: failed to exec in container: OCI runtime exec failed: exec: %s: unknown\n"


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Outcome(0), ""),
        (Outcome(1), ""),
        (Outcome(137, stderr=LAST_WORD), ""),
        (Outcome(None, broken="the connection was cut"), "the connection was cut"),
        # kubectl's own failures are no outcome of the act
        (Outcome(1, stderr=GONE), 'pods "probe" not found'),
        (Outcome(1, stderr=LOST), "container not found"),
        (Outcome(1, stderr="Unable to connect to the server: EOF\n"), "Unable to connect"),
        (Outcome(127, stderr=WRAPPED % "no such file or directory"), "no such file"),
        # but a denial is one, however it is wrapped
        (Outcome(126, stderr=WRAPPED % "operation not permitted"), ""),
        (Outcome(1, stderr="exec /usr/bin/passwd: operation not permitted\n"), ""),
        # and what went well went well
        (Outcome(0, stderr=GONE), ""),
        (Outcome(1, stdout=GONE), ""),
    ],
)
def test_what_kubectl_could_not_ask_is_not_known(outcome: Outcome, word: str) -> None:
    """A vanished pod or a broken connection is told apart from a program that failed."""
    assert word in outcome.unknown
    assert bool(outcome.unknown) == bool(word)
