"""A machine made in memory: it answers what it is told to, and writes down what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tetraproof.machines.machine import Completed, MachineLost

Answer = Completed | str | Callable[[Sequence[str], bytes], Completed]


@dataclass
class Going:
    """A command that goes on until it is stopped, or `ends` by itself."""

    argv: Sequence[str]
    output: Path
    runs: bool = True
    stopped: int = 0

    def stop(self) -> None:
        self.runs = False
        self.stopped += 1


@dataclass
class Machine:
    """`answers` are found by a word of the command, the last that fits first; what fits none ends well."""

    answers: dict[str, Answer] = field(default_factory=dict)
    name: str = "made"
    kernel: str = "6.12.0-made"
    asked: list[list[str]] = field(default_factory=list)
    typed: list[bytes] = field(default_factory=list)
    going: list[Going] = field(default_factory=list)
    begins: Callable[[Going], None] | None = None
    lost: bool = False
    closed: int = 0
    doors: dict[str, str] = field(default_factory=dict)

    def run(
        self,
        argv: Sequence[str],
        *,
        seconds: float,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Completed:
        del seconds, environment
        self._alive()
        self.asked.append(list(argv))
        self.typed.append(stdin or b"")
        words = " ".join(argv)
        for key in reversed(self.answers):
            if key in words:
                answer = self.answers[key]
                if callable(answer):
                    return answer(argv, stdin or b"")
                return Completed(0, answer.encode()) if isinstance(answer, str) else answer
        return Completed(0)

    def start(self, argv: Sequence[str], output: Path, errors: Path) -> Going:
        del errors
        self._alive()
        going = Going(list(argv), output)
        self.going.append(going)
        if self.begins:
            self.begins(going)
        return going

    def reach(self, address: str) -> str:
        return self.doors.get(address, "")

    def close(self) -> None:
        self.closed += 1

    def lines(self, word: str) -> list[str]:
        """What was asked that has this word."""
        return [" ".join(argv) for argv in self.asked if word in " ".join(argv)]

    def _alive(self) -> None:
        if self.lost:
            raise MachineLost("The machine made here was lost.")
