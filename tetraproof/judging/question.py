"""What a test can ask of one act: `run.guarded.killed`, `GUARDED in run.guarded.timeline`.

Each answer has three values (see `tetraproof.answer`): an act that was not
performed, broke, or was not heard to its end has no answer yet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain

from tetraproof.answer import Undecided, Unknown, ask
from tetraproof.errors import UsageError
from tetraproof.events.event import MASK, Event
from tetraproof.judging import explanation
from tetraproof.judging.expectation import Exit
from tetraproof.judging.sought import Sought
from tetraproof.observing import enforcement
from tetraproof.observing.act import KILLED, Act, Outcome
from tetraproof.observing.lifecycle import exit_of, faults, stray_of, unread_end
from tetraproof.observing.observation import Done, Observed, of_policy, printed_of
from tetraproof.observing.peer import Peer, peer_of
from tetraproof.policies.binding import fill, unbound
from tetraproof.policies.hosts import is_address
from tetraproof.policies.inspection.overriding import EPERM, answered, denials, words_of
from tetraproof.tetra.dialect import dialect_of
from tetraproof.tetra.quoting import quoted_if_needed, unquoted
from tetraproof.text import safe
from tetraproof.verdict import Verdict

#: An exit code above this may be a shell's word for a signal.
_SIGNALLED = 128


class ActRun:
    """One declared act with what became of it. Every property is a question; ask it in an `assert`."""

    def __init__(self, act: Act, observed: Observed, title: str) -> None:
        self.act = act
        self._observed = observed
        self._done = observed.acts[act.name]
        self._title = title

    @property
    def name(self) -> str:
        """The act's name in its suite."""
        return self.act.name

    @property
    def recorded(self) -> bool:
        """Whether the act was performed at all. Not a question: it decides nothing."""
        return isinstance(self._done, Done)

    @property
    def timeline(self) -> Sought:
        """The act's own events, to look for an expectation in."""
        return self._sought("own")

    @property
    def surroundings(self) -> Sought:
        """What bystanders did meanwhile, to look for an expectation in."""
        return self._sought("bystanders")

    def as_seen_by(self, workload: str, by_its_word: ActRun | None = None) -> Peer:
        """Its address and port on its one connection to `workload`, as that one's own events name them.

        Where the cluster rewrites addresses between pods, that is not the pod's own. `by_its_word` is an act that
        asked `workload` for the address that it sees, and printed that: then no other is believed. Undecided where it
        cannot be told.
        """
        if isinstance(self._done, Unknown):
            raise Undecided(self._done)
        said = by_its_word.address if by_its_word else ""
        return peer_of(self._done, self._observed, self.act.pod, workload, said)

    @property
    def address(self) -> str:
        """The address that it printed; nothing where an older recording has no such look. Undecided otherwise."""
        done = self._done
        if isinstance(done, Unknown):
            if self.act.look and done.verdict is Verdict.UNRECORDED:
                return ""
            raise Undecided(done)
        outcome = done.performed.outcome
        printed = _plain(outcome).strip()
        fits = outcome.exit_code == 0 and is_address(printed)
        answer = fits or Unknown(Verdict.INCONCLUSIVE, f"act {self.name} printed no address ({outcome})")
        ask(self.name, "printed an address", answer, lambda: printed, "printed")
        if isinstance(answer, Unknown):
            raise Undecided(answer)
        return printed

    def shown(self, *lines: str) -> bool:
        """What `tetra getevents -o compact` prints of the act's own events: these lines, `…` standing for anything."""
        question = "shown as " + " / ".join(lines)
        compact, done = self._observed.compact, self._done
        if self._observed.ask_compact is not None:
            compact = self._observed.ask_compact()
        if isinstance(done, Unknown):
            return ask(self.name, question, done, lambda: done.reason)
        if isinstance(compact, Unknown):
            return ask(self.name, question, compact, lambda: compact.reason)
        by_line = printed_of(self._observed.stream, compact)
        printed = [_with_pod(by_line[id(event)], event) for event in done.timeline.told if id(event) in by_line]
        values = self._observed.bindings.values()
        for name in [name for line in lines for name in unbound(line, values)]:
            raise Undecided(Unknown(Verdict.UNRECORDED, f"{name} is bound to nothing here"))
        patterns = [".*".join(re.escape(part) for part in fill(line, values).split("…")) for line in lines]
        quotes = dialect_of(self._observed.tetra).quote is quoted_if_needed

        def fits(pattern: str, line: str) -> bool:
            # a suite's line holds for every tetra: the quotes of the newer ones are undone
            return any(re.fullmatch(pattern, one) for one in ((line, unquoted(line)) if quotes else (line,)))

        answer: bool | Unknown = len(printed) == len(patterns) and all(map(fits, patterns, printed))
        stray = stray_of(done.timeline) or next((path for one in done.timeline.own for path in one.unread), "")
        if not answer and (done.timeline.open or stray):
            answer = Unknown(Verdict.INCONCLUSIVE, done.timeline.open or f"not all can be read: {stray}")
        told = "\n".join(f"    {safe(line)}" for line in printed)
        return ask(self.name, question, answer, lambda: f"{self._title}: tetra printed otherwise:\n{told}")

    @property
    def free(self) -> bool:
        """It was left alone: it and all that it started ended by themselves, and the policy enforced nothing in it.

        Whatever its exit code: a connection that nobody accepts fails, and was left alone.
        """
        return self._ask("was left alone", "was not left alone", lambda _: self._left_alone(), explain=self._against)

    @property
    def succeeded(self) -> bool:
        """It went through: exit code 0, as of all that it started, and nobody enforced anything in it (`free`)."""

        def decide(outcome: Outcome) -> bool | Unknown:
            if outcome.exit_code != 0 or any(enforcement.failed(self._known.timeline.own)):
                return False
            return self._left_alone()

        return self._ask("succeeded", "did not succeed", decide, explain=self._against)

    def exited(self, code: int) -> bool:
        """It ended by itself with this exit code: the agent tells of no signal."""

        def decide(outcome: Outcome) -> bool | Unknown:
            return self._by_itself() if outcome.exit_code == code else False

        return self._ask(f"exited with {code}", f"did not exit by itself with {code}", decide)

    def printed(self, *texts: str) -> bool:
        """It ended by itself with exit code 0, and its standard output is exactly this (one of several).

        A terminal's line breaks and kubectl's last word do not count.
        """

        def decide(outcome: Outcome) -> bool | Unknown:
            return self._by_itself() if outcome.exit_code == 0 and _plain(outcome) in texts else False

        shown = " or ".join(map(repr, texts))
        return self._ask(f"printed {shown}", f"did not print {shown} and end with 0", decide, about="printed")

    def printed_as(self, other: ActRun) -> bool:
        """Both ended by themselves with exit code 0, and printed the same, which is not nothing."""
        told = other._done

        def decide(outcome: Outcome) -> bool | Unknown:
            if isinstance(told, Unknown):
                return told
            there = told.performed.outcome
            if there.unknown or there.exit_code != 0:
                return Unknown(Verdict.INCONCLUSIVE, f"act {other.name} did not end well ({there})")
            same = outcome.exit_code == 0 and _plain(outcome) == _plain(there) and bool(_plain(there))
            return self._by_itself() if same else False

        wanted = f"what {other.name} did"
        return self._ask(f"printed {wanted}", f"did not print {wanted}", decide, about="printed")

    def said(self, text: str) -> bool:
        """It ended by itself, and this appears on its standard output or error."""

        def decide(outcome: Outcome) -> bool | Unknown:
            return self._by_itself() if text in outcome.output + outcome.complaint else False

        return self._ask(f"said {text!r}", f"did not end by itself and say {text!r}", decide, about="printed")

    @property
    def killed(self) -> bool:
        """SIGKILL ended it before anything got out: exit code 137, the agent tells SIGKILL, and it printed nothing.

        137 alone proves nothing. What it changed before is asked of an act that looks, after it.
        """
        return self._ask("was killed", self._in_time("killed"), lambda outcome: self._killed(outcome, got_out=""))

    def killed_after(self, text: str) -> bool:
        """SIGKILL ended it when just this had got out; through a terminal, which echoes, when this was among it."""

        def decide(outcome: Outcome) -> bool | Unknown:
            shown = _plain(outcome)
            if self.act.tty and text in shown:
                return self._killed(outcome, got_out=shown)
            return self._killed(outcome, got_out=text)

        return self._ask(f"was killed after {text!r}", f"was not killed after {text!r}", decide)

    @property
    def denied(self) -> bool:
        """It was refused before anything got out, and lived to say so, with an error that the policy answers with.

        That is its `argError`; EPERM where it has none. One that is not below 0 fakes a success, and denies nothing.
        """
        return self._denied(denials(self._observed.policy))

    def denied_with(self, error: str) -> bool:
        """It was refused with this error (`EACCES`) before anything got out, and lived to say so.

        Where the policy answers with other errors only, nobody can tell who refused it so.
        """
        words_of(error)
        own = answered(self._observed.policy)
        foreign = own is not None and error not in own
        return self._denied((error,), f"the policy answers with {' or '.join(own or ()) or 'none'}" if foreign else "")

    def _denied(self, errors: tuple[str, ...], doubt: str = "") -> bool:
        words = [words_of(error).lower() for error in errors]
        named = "" if set(errors) <= set(EPERM) else f" with {' or '.join(errors)}"

        def decide(outcome: Outcome) -> bool | Unknown:
            failed = outcome.exit_code not in {0, KILLED, None}
            if not failed or not any(one in outcome.complaint.lower() for one in words) or _plain(outcome):
                return False
            answer = True if outcome.refused else self._by_itself()
            if answer is True and doubt:
                return Unknown(Verdict.INCONCLUSIVE, f"act {self.name} was refused{named}, and {doubt}")
            return answer

        otherwise = self._in_time("denied", named)
        if not errors:
            otherwise += " (the policy refuses nothing: its argError is none below 0, or it only monitors)"
        return self._ask(f"was denied{named}", otherwise, decide)

    @property
    def stopped(self) -> bool:
        """It did not reach its end, and nothing got out: it or a process of it was killed, or refused (`denied`)."""

        def decide(outcome: Outcome) -> bool | Unknown:
            if outcome.exit_code == 0 or _plain(outcome):
                return False
            if any(words in (outcome.complaint + outcome.output).lower() for words in outcome.refusals):
                return True
            if Exit(signal="SIGKILL").find(self._known.timeline.own, closed=True).met:
                return True
            return Unknown(Verdict.INCONCLUSIVE, f"act {self.name} failed ({outcome}), but not by enforcement")

        return self._ask("was stopped", "was not stopped", decide)

    def masked(self, secret: str) -> bool:
        """The agent masks this part of its arguments: `*****` stands there, and no event or exported line holds it.

        A scenario whose stream was not heard to its end is not judged, nor one without any event of the act.
        """
        if not any(secret in part for part in self.act.argv):
            raise UsageError(
                f"Act {self.name} has no argument that holds {secret!r}.", remedy="name a part of its argv"
            )
        return self._ask(f"masks {secret!r}", f"does not mask {secret!r}", lambda _: self._masks(secret), about="own")

    @property
    def told(self) -> bool:
        """The agent tells it whole: every process from exec to exit, once, in order, ending as it ended."""

        def decide(_: Outcome) -> bool | Unknown:
            found = list(faults(self._known.performed, self._known.timeline))
            if found and (stray := stray_of(self._known.timeline)):
                return Unknown(Verdict.INCONCLUSIVE, stray)
            if any(not fault.missing and not fault.unread for fault in found):
                return False
            unread = next((fault.text for fault in found if fault.unread), "")
            return Unknown(Verdict.INCONCLUSIVE, unread) if unread else self._unheard(otherwise=not found)

        def explain(done: Done) -> str:
            found = [fault.text for fault in faults(done.performed, done.timeline)]
            return "; ".join(found) or "told whole"

        return self._ask("is told whole", "is not told whole", decide, about="own", explain=explain)

    def _sought(self, side: str) -> Sought:
        return Sought(side, self.name, self._done, self._observed, self._title)

    @property
    def _known(self) -> Done:
        assert isinstance(self._done, Done)
        return self._done

    def _in_time(self, what: str, named: str = "") -> str:
        """How it is said that an act was not stopped: it was not, or only after something had got out."""
        outcome = self._done.performed.outcome if isinstance(self._done, Done) else None
        loud = outcome is not None and (_plain(outcome) or (what == "killed" and outcome.complaint.strip()))
        if outcome is not None and outcome.exit_code and loud:
            return f"was not {what}{named} before something got out"
        return f"was not {what}{named}"

    def _killed(self, outcome: Outcome, *, got_out: str) -> bool | Unknown:
        # what stands on standard error has got out as well
        if outcome.exit_code != KILLED or _plain(outcome) != got_out or outcome.complaint.strip():
            return False
        told = exit_of(self._known.timeline)
        if told is not None:
            return told.signal == "SIGKILL"
        return self._unheard_end()

    def _by_itself(self) -> bool | Unknown:
        """Whether no signal ended its own process, by the agent's word: who asked cannot tell 137 from a kill."""
        told = exit_of(self._known.timeline)
        if told is not None:
            return not told.signal
        code = self._known.performed.outcome.exit_code
        return True if code is not None and code <= _SIGNALLED else self._unheard_end()

    def _unheard_end(self) -> bool | Unknown:
        """What to make of an end that is not told: it proves nothing, once all was heard and could be read."""
        unread = unread_end(self._known.timeline)
        return Unknown(Verdict.INCONCLUSIVE, unread) if unread else self._unheard(otherwise=False)

    def _left_alone(self) -> bool | Unknown:
        found = list(self._told_against())
        if any(not one.doubtful for one in found):
            return False
        if found:
            return Unknown(Verdict.INCONCLUSIVE, found[0].text)
        code = self._known.performed.outcome.exit_code
        if code is not None and code > _SIGNALLED and exit_of(self._known.timeline) is None:
            return self._unheard_end()
        return self._unheard(otherwise=True)

    def _told_against(self) -> Iterator[enforcement.Told]:
        observed = self._observed
        return enforcement.against(
            self._known.timeline,
            lambda event: of_policy(event, observed.applied),
            monitored=observed.monitored(self.name),
        )

    def _against(self, done: Done) -> str:
        found = [*self._told_against(), *enforcement.failed(done.timeline.own)]
        return "; ".join([explanation.how_it_ended(done.performed, done.timeline), *(one.text for one in found)])

    def _masks(self, secret: str) -> bool | Unknown:
        observed = self._observed
        written = {secret.encode(), json.dumps(secret)[1:-1].encode()}
        exported = () if isinstance(observed.export, Unknown) else observed.export
        if any(one in event.line for event in chain(observed.stream, exported) for one in written):
            return False
        own = self._known.timeline.own
        if not own:
            return Unknown(Verdict.INCONCLUSIVE, f"no event of act {self.name} was heard")
        if not any(MASK in event.process.arguments for event in own):
            return self._unheard(otherwise=False)
        heard = self._unheard(otherwise=True)
        return observed.export if heard is True and isinstance(observed.export, Unknown) else heard

    def _unheard(self, *, otherwise: bool) -> bool | Unknown:
        why = self._known.timeline.open
        return Unknown(Verdict.INCONCLUSIVE, why) if why else otherwise

    def _ask(
        self,
        question: str,
        otherwise: str,
        decide: Callable[[Outcome], bool | Unknown],
        *,
        about: str = "outcome",
        explain: Callable[[Done], str] | None = None,
    ) -> bool:
        """Ask `question`, a predicate in the affirmative; `otherwise` is the same denied."""
        done = self._done
        if isinstance(done, Unknown):
            # nobody looked, where an older recording has no such look: the promise rests on what was seen
            looked: bool | Unknown = True if self.act.look and done.verdict is Verdict.UNRECORDED else done
            return ask(self.name, question, looked, lambda: f"{self._title}: {done.reason}", about)
        outcome = done.performed.outcome
        answer: bool | Unknown
        if outcome.unknown:
            answer = Unknown(Verdict.INCONCLUSIVE, f"act {self.name} has no outcome: {safe(outcome.unknown)}")
        else:
            answer = decide(outcome)
        if answer is False and done.performed.disturbed:
            answer = Unknown(Verdict.INCONCLUSIVE, done.performed.disturbed)

        def tell() -> str:
            said = explain(done) if explain else explanation.how_it_ended(done.performed, done.timeline)
            headline = f"{self._title}: act {self.name} {question if answer is True else otherwise}: {said}."
            return explanation.of_act(headline, replace(done.performed, id=self.name), done.timeline)

        return ask(self.name, question, answer, tell, about)


def _plain(outcome: Outcome) -> str:
    """What got out by standard output: a terminal's line breaks and kubectl's last word apart."""
    return outcome.output.replace("\r\n", "\n")


def _with_pod(line: str, event: Event) -> str:
    """A line of tetra's; where its agent knows no pods, tetra has the node's name in the place of the pod's."""
    return line if f" {event.pod} " in line else line.replace(f" {event.node} ", f" {event.pod} ", 1)
