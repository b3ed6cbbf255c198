"""One deliberate deed in a workload, and its outcome.

A suite declares its acts by name, in order:

    acts = Acts(
        bar=shell("echo 'foo' > /tmp/bar"),
        cat=command("cat", "/usr/share/nginx/html/index.html", pod="nginx"),
    )
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from msgspec import Struct

from tetraproof.errors import UsageError
from tetraproof.text import command_line

#: What a shell and kubectl call "killed by SIGKILL": 128 + 9. Weak alone: `exit 137` is 137 too.
KILLED = 137
#: In place of a workload, which cannot be called so: the agents, which are told something of the policy.
AGENT = "the agent"
#: What they can be told of it, as `tetra tracingpolicy` has it, and the words that follow.
ORDERS = {"enable": ((),), "disable": ((),), "set-mode": (("enforce",), ("monitor",))}
_TO_AN_AGENT = ("tetra", "tracingpolicy")
#: Bytes of a program that an act may bring along.
MOST_PROGRAM = 64 << 10
#: What EPERM reads as, in lower case.
DENIED = "operation not permitted"
_KUBECTL_LAST_WORD = re.compile(r"command terminated with exit code \d+\n?")
# kubectl's own word when it could not ask, or never heard the answer: nothing is known of the act then.
_NOT_ASKED = re.compile(
    r"^(?:error: (?!executing)(?:unable to upgrade|internal error|timed out|lost connection|error sending|.*dial tcp)"
    r"|Error from server|Unable to connect to the server|.*container not found)[^\n]*",
    re.IGNORECASE | re.MULTILINE,
)
# The runtime's own word when the program could not be started in the container.
_REFUSED = re.compile(
    r"^(?:.*OCI runtime exec failed.*|exec(?: \S+)?: .+|executable file \S+ not found in \$PATH.*)$", re.MULTILINE
)


@dataclass(frozen=True)
class Act:
    """What to do: `argv` in a pod of the workload `pod`, with `stdin` typed into it (through a terminal if `tty`).

    One that `prepare`s sets the scene; one that `look`s sees what an act before it has changed. `program` is the text
    of one that the act brings along.
    """

    argv: tuple[str, ...]
    pod: str = "probe"
    stdin: str | None = None
    tty: bool = False
    prepare: bool = False
    look: bool = False
    name: str = ""
    program: str = ""

    def __str__(self) -> str:
        return command_line(self.argv)


class Acts:
    """The acts of a scenario by name, in the order in which they are performed."""

    def __init__(self, **acts: Act) -> None:
        self._acts = tuple(with_programs(replace(act, name=name) for name, act in acts.items()))

    def __iter__(self) -> Iterator[Act]:
        return iter(self._acts)

    def __len__(self) -> int:
        return len(self._acts)


def command(*argv: str, pod: str = "probe") -> Act:
    """Run a program with its arguments, without a shell."""
    if not argv:
        raise UsageError("An act needs a program to run.", remedy='write command("cat", "/etc/hostname")')
    return Act(argv, pod)


def shell(script: str, pod: str = "probe") -> Act:
    """Run a script by `bash -c`."""
    return Act(("bash", "-c", script), pod)


def typed(*lines: str, pod: str = "probe", tty: bool = False) -> Act:
    """Type lines into an interactive bash, through a pipe or (`tty`) a terminal."""
    return Act(("bash",), pod, "\n".join(lines) + "\n", tty)


def program(text: str, *args: str, by: str = "python3", pod: str = "probe") -> Act:
    """Run a small program of the act's own, a script in the language of `by`, with its arguments.

    Before the first act that runs it, its text is put into the pod, where it stays as long as the pod. Its name there
    is made of the text: a recording of another text has no such act.
    """
    if not text.strip() or not by:
        raise UsageError("A program needs a text, and something to run it.", remedy='write program("print(1)")')
    if len(text.encode()) > MOST_PROGRAM or "\0" in text:
        limit = f"at most {MOST_PROGRAM >> 10} KiB of text without zero bytes"
        raise UsageError(f"A program is {limit}.", remedy="build a larger one into the workload's image")
    return Act((by, _place_of(text), *args), pod, program=text)


def agent(order: str, *words: str) -> Act:
    """Tell the agents something of the policy that is in force: a command of `tetra tracingpolicy`, without its name.

    `agent("disable")`, `agent("enable")`, `agent("set-mode", "monitor")`. As a preparation it is never judged by
    itself, and where it fails, what follows is undecided.
    """
    if words not in ORDERS.get(order, ()):
        known = ", ".join(" ".join((name, *more)) for name, forms in ORDERS.items() for more in forms)
        raise UsageError(
            f"An agent is not told {' '.join((order, *words))!r} of a policy.", remedy=f"write one of {known}"
        )
    return Act((*_TO_AN_AGENT, order, *words), AGENT, prepare=True)


class Deed(Protocol):
    """An act, as it was declared or as it was performed."""

    @property
    def argv(self) -> tuple[str, ...]:
        """The program and its arguments."""
        ...

    @property
    def pod(self) -> str:
        """Where it is done."""
        ...


def order_of(act: Deed) -> tuple[str, ...]:
    """What an act tells the agents: its command of `tetra tracingpolicy`; nothing of one that is done in a pod."""
    return act.argv[len(_TO_AN_AGENT) :] if act.pod == AGENT else ()


def with_programs(acts: Iterable[Act]) -> Iterator[Act]:
    """The acts in order, each behind the preparation that puts its program into the pod, once for each pod."""
    there: set[tuple[str, str]] = set()
    for act in acts:
        place = _place_of(act.program)
        if act.program and (act.pod, place) not in there:
            there.add((act.pod, place))
            # one program of its own, so that no more than that one is told of
            put = ("dd", "status=none", f"of={place}")
            yield Act(put, act.pod, act.program, prepare=True, name=f"program_of_{act.name}", program=act.program)
        yield act


def _place_of(text: str) -> str:
    return f"/tmp/tetraproof-program-{hashlib.sha256(text.encode()).hexdigest()[:16]}"  # noqa: S108 - of a pod of the run


def prepare(act: Act) -> Act:
    """The act, as one that sets the scene: performed in its place, never judged."""
    return replace(act, prepare=True)


def look(act: Act) -> Act:
    """The act, as one that looks at the world right after another: what that one left there.

    A recording that was made before the look was written has none: what it shows is then judged without.
    """
    return replace(act, look=True)


class Outcome(Struct, frozen=True):
    """What became of an act, as the one who asked saw it.

    `exit_code` is nothing where the answer never came; `broken` then says why. One that is `unstarted` was never
    begun; where its pod is `gone`, no other will be. `refusals` are the words with which a policy may have refused it,
    in lower case.
    """

    exit_code: int | None
    stdout: str = ""
    stderr: str = ""
    broken: str = ""
    unstarted: bool = False
    gone: bool = False
    refusals: tuple[str, ...] = (DENIED,)

    @property
    def output(self) -> str:
        """Standard output without kubectl's own last word (a terminal mixes it in)."""
        return _KUBECTL_LAST_WORD.sub("", self.stdout)

    @property
    def complaint(self) -> str:
        """Standard error without kubectl's own last word."""
        return _KUBECTL_LAST_WORD.sub("", self.stderr)

    @property
    def refused(self) -> bool:
        """Whether the runtime could not start the program at all (its exec failed)."""
        return bool(self.exit_code) and bool(_REFUSED.search(self.complaint))

    @property
    def unknown(self) -> str:
        """Why nothing is known of the act, in a clause; nothing where its exit code is its own."""
        if self.exit_code is None:
            return self.broken
        if self.refused:
            denied = any(words in self.complaint.lower() for words in self.refusals)
            return "" if denied else f"the program could not be started: {self.complaint.strip()}"
        failed = _NOT_ASKED.search(self.complaint) if self.exit_code else None
        return f"kubectl says “{failed[0]}”" if failed else ""

    def __str__(self) -> str:
        if self.exit_code is None:
            return f"no outcome: {self.broken}"
        return f"exit {self.exit_code}" + (" (the runtime could not start it)" if self.refused else "")
