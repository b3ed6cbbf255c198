"""What ends a run before it can judge: bad input, told in one sentence.

The first line of every error is a whole sentence that stands alone; causes
follow, and last what to do about it. What is told may name what a stranger has
written: here, at one place, it is made harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tetraproof.text import head

#: Characters of a sentence, of a cause or of a remedy; what is longer is some file's content.
_LONGEST = 1000


class TetraproofError(Exception):
    """A problem that the user can do something about; ends a run with exit code 2.

    `sentence` stands alone. `causes` are further lines, `remedy` says what to do. Each is one printable line.
    """

    def __init__(self, sentence: str, *, causes: Iterable[str] = (), remedy: str = "") -> None:
        self.sentence = head(sentence, _LONGEST)
        self.causes = tuple(head(cause, _LONGEST) for cause in causes)
        self.remedy = head(remedy, _LONGEST)
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [self.sentence, *(f"  {cause}" for cause in self.causes)]
        if self.remedy:
            lines.append(f"  to mend it: {self.remedy}")
        return "\n".join(lines)


class PolicyError(TetraproofError):
    """A policy file that is no policy, or not one that the CRD accepts.

    `way` leads to what is meant, from the top of the document (`"spec", "kprobes", 0, "call"`); `line` is its line in
    the file (from 1), 0 where that is not known. `more` are further problems of the same document. One that is
    `unfilled` is a template's: what a program is still to fill in is all that is wrong with it.
    """

    def __init__(
        self,
        sentence: str,
        *,
        causes: Iterable[str] = (),
        remedy: str = "",
        way: Sequence[str | int] = (),
        line: int = 0,
    ) -> None:
        super().__init__(sentence, causes=causes, remedy=remedy)
        self.way = tuple(way)
        self.line = line
        self.more: tuple[PolicyError, ...] = ()
        self.unfilled = False


class RecordingError(TetraproofError):
    """A recording that is missing, incomplete, damaged or of a newer format."""


class RawRecordError(TetraproofError):
    """A folder of raw records that cannot be made into a recording."""


class AgentError(TetraproofError):
    """The agent did not start, ended, or does not answer; its own last words are the causes."""


class AgentGone(AgentError):  # noqa: N818 - what happened, by its name
    """There is no agent any more, nor will there be one: nobody waits for its word."""


class OutputError(TetraproofError):
    """What a run has to say cannot be written where it was to be."""


class UsageError(TetraproofError):
    """An option, name or selection that means nothing here."""
