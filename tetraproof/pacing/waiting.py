"""Waiting, with a deadline: the one place where anything is asked again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import tenacity

from tetraproof.errors import TetraproofError
from tetraproof.pacing.progress import Tell, awaiting, silent

#: Seconds between two lines that say what is still awaited.
_NEWS = 5.0

T = TypeVar("T")


class Overdue(TetraproofError):  # noqa: N818 - what happened, by its name
    """Something did not come in time; says what, how often it was asked for, and the last answer."""

    def __init__(self, what: str, seconds: float, times: int, last: str) -> None:
        self.what = what
        asked = f"asked {times} times in {seconds:.0f} s" if times != 1 else f"asked once in {seconds:.0f} s"
        super().__init__(
            f"{what} was awaited and did not come: {asked}; the last answer was {last or 'nothing'}.",
            remedy="where everything is merely slow, SLOWNESS=2 doubles every deadline",
        )


class Hopeless(Overdue):
    """Something cannot come any more, by an answer that no other follows; `why` is that answer."""

    def __init__(self, what: str, why: TetraproofError) -> None:
        self.what, self.why = what, why
        TetraproofError.__init__(
            self,
            f"{what} was awaited and cannot come any more: {why.sentence.removesuffix('.')}.",
            causes=why.causes,
            remedy=why.remedy,
        )


def until(  # noqa: PLR0913 - what, how it is asked, until when, and how that is told
    what: str,
    ask: Callable[[], T],
    settled: Callable[[T], bool],
    seconds: float,
    *,
    tell: Tell = silent,
    shown: Callable[[T], str] = str,
    every: float = 0.1,
    longest: float | None = None,
    forgives: type[TetraproofError] | tuple[type[TetraproofError], ...] = (),
    final: type[TetraproofError] | tuple[type[TetraproofError], ...] = (),
) -> T:
    """Ask until the answer is `settled`, and return it. Raises `Overdue` after `seconds`, and what `ask` raises.

    What it `forgives` is no answer: it is asked again, and told at the end if that was the last. After what is `final`
    no other answer comes: it is asked no more, and `Hopeless` is raised, also where it is of a kind that is forgiven.

    `what` names what is awaited, as a noun; `shown` makes a clause of an answer; `every` is the first pause, in
    seconds, which grows to ten times that, or to `longest`.
    """
    begun = told = time.monotonic()
    heard: list[tenacity.Future] = []

    def said(outcome: tenacity.Future) -> str:
        failed = outcome.exception()
        return failed.sentence.removesuffix(".") if isinstance(failed, TetraproofError) else shown(outcome.result())

    def news(state: tenacity.RetryCallState) -> None:
        nonlocal told
        if state.outcome:
            heard[:] = [state.outcome]
        if time.monotonic() - told >= _NEWS:
            told = time.monotonic()
            tell(f"awaiting {what} for {told - begun:.0f} s: {said(state.outcome) if state.outcome else ''}")

    asking = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda answer: not settled(answer))
        | tenacity.retry_if_exception(lambda error: isinstance(error, forgives) and not isinstance(error, final)),
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_exponential(multiplier=every, min=every, max=every * 10 if longest is None else longest),
        before_sleep=news,
    )
    try:
        with awaiting(what, lambda: said(heard[0]) if heard else ""):
            return asking(ask)
    except final as error:
        raise Hopeless(what, error) from error
    except tenacity.RetryError as error:
        last = error.last_attempt
        raise Overdue(what, time.monotonic() - begun, last.attempt_number, said(last)) from None
