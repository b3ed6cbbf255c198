"""Damages to the world: an act ended otherwise than its policy means, and everybody agrees on how.

A lie that contradicts itself is easily found. Here who asked for the act and the agent
tell the same, so only a promise that says how an act has to end can notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tetraproof.events.event import Event
from tetraproof.observing.observation import Done
from tetraproof.policies.inspection.overriding import denials, words_of
from tetraproof.proving.damage import KILLED, Damage, Json, Scene, in_body, together

#: What gets out although nothing should, and what is served for a page.
SECRET = "root:x:0:0:root:/root:/bin/bash\n"  # noqa: S105 - a line of a public file
ERROR_PAGE = "<html><head><title>502 Bad Gateway</title></head></html>\n"
_OTHER_ERRORS = ("ENOENT", "EACCES", "EPERM", "EIO")
#: A program that shows what is there, without changing it.
_LOOKING = frozenset({"cat", "stat", "ls", "head", "test"})


def damages(scene: Scene) -> Iterator[Damage]:
    """Every way in which an act may have ended otherwise."""
    for act, done in scene.done:
        if done.performed.role == "prepare":
            yield from _of_preparation(scene, act, done)
            continue
        yield from _alone(scene, act, act, done)
        yield from _of_ends(scene, act, done)
        yield from _of_output(scene, act, done)


def _alone(scene: Scene, act: str, about: str, done: Done) -> Iterator[Damage]:
    """Who asked says otherwise than the agent."""
    was = done.performed.outcome.exit_code
    what = f"exit {was}" if about == act else f"exit {was} of {act}"
    for code in (0, KILLED):
        if was not in {code, None}:
            yield Damage(f"exit code turned into {code}", about, what, scene.outcome(done, exit_code=code))
    if was is not None:
        lost = scene.outcome(done, exit_code=None, broken="the exec's status frame never came")
        yield Damage("outcome lost", about, what, lost)


def _of_ends(scene: Scene, act: str, done: Done) -> Iterator[Damage]:
    outcome, end = done.performed.outcome, _end_of(done)
    if end is None:
        return
    killed = scene.outcome(done, exit_code=KILLED)
    children = [event for event in done.timeline.own if event.kind == "exit" and event is not end]
    saved = [event for event in children if not event.detail.signal]
    if outcome.exit_code == 0:
        of_children = any(event.detail.signal for event in children)
        kind = "the shell around a killed child ends as well" if of_children else "what is allowed is killed in the end"
        yield Damage(kind, act, f"exit {outcome.exit_code}", together(killed, scene.event(end, _by_sigkill)))
        terminated = together(scene.outcome(done, exit_code=143), scene.event(end, in_body(_by("SIGTERM"))))
        yield Damage("what is allowed is terminated in the end", act, "exit 0", terminated)
        failed = together(scene.outcome(done, exit_code=1), scene.event(end, in_body(_with_status(1))))
        yield Damage("what is allowed fails", act, "exit 0", failed)
        for event in saved:
            what = f"exit event of {event.process.binary}"
            yield Damage("a child of what is allowed is killed", act, what, scene.event(event, _by_sigkill))
    if _stopped(scene, done):
        went_through = together(scene.outcome(done, exit_code=0, stderr=""), scene.event(end, in_body(_with_status(0))))
        yield Damage("what is stopped goes through", act, f"exit {outcome.exit_code}", went_through)
        other = together(scene.outcome(done, exit_code=1, stderr=""), scene.event(end, in_body(_with_status(1))))
        yield Damage("what is stopped ends by itself", act, f"exit {outcome.exit_code}", other)


def _of_output(scene: Scene, act: str, done: Done) -> Iterator[Damage]:
    outcome = done.performed.outcome
    if _stopped(scene, done):
        got_out = scene.outcome(done, stdout=outcome.output + SECRET)
        yield Damage("something gets out of what is stopped", act, f"exit {outcome.exit_code}", got_out)
    if refusal := _refusal(scene, done):
        another = next(error for error in _OTHER_ERRORS if error not in denials(scene.observed.policy))
        said = _without(outcome.stderr, refusal, words_of(another))
        yield Damage("refused with another error", act, words_of(another), scene.outcome(done, stderr=said))
    if outcome.exit_code == 0 and outcome.output.strip():
        looking = done.performed.argv[0].rpartition("/")[2] in _LOOKING
        kind = "what is there afterwards is another" if looking else "what is shown is an error page"
        for what, stdout in (("an error page", ERROR_PAGE), ("nothing", ""), ("more of it", outcome.output + "x\n")):
            yield Damage(kind, act, what, scene.outcome(done, stdout=stdout))


def _of_preparation(scene: Scene, act: str, done: Done) -> Iterator[Damage]:
    # nothing is asked of what only prepares: it is the acts after it that show it
    yield from _alone(scene, act, "", done)
    if done.performed.outcome.exit_code == 0:
        failed = scene.outcome(done, exit_code=1, stderr="no space left on device")
        yield Damage("a preparation failed", "", act, failed)


def _stopped(scene: Scene, done: Done) -> bool:
    """Whether the act's own process was killed, or refused."""
    outcome, end = done.performed.outcome, _end_of(done)
    killed = outcome.exit_code == KILLED and end is not None and end.detail.signal == "SIGKILL"
    return killed or (outcome.exit_code not in {0, None} and bool(_refusal(scene, done)))


def _refusal(scene: Scene, done: Done) -> str:
    """The words of the policy's own error in which an act complains, in lower case; nothing where it does not."""
    complaint = done.performed.outcome.complaint.lower()
    words = (words_of(error).lower() for error in denials(scene.observed.policy))
    return next((one for one in words if one in complaint), "")


def _end_of(done: Done) -> Event | None:
    """The exit of the act's own process."""
    root = done.timeline.root
    return next((one for one in done.timeline.told if one.kind == "exit" and one.process.pid == root), None)


def _by(signal: str) -> Any:
    def change(body: Json) -> None:
        body.pop("status", None)
        body["signal"] = signal

    return change


_by_sigkill = in_body(_by("SIGKILL"))


def _with_status(status: int) -> Any:
    def change(body: Json) -> None:
        body.pop("signal", None)
        body["status"] = status

    return change


def _without(complaint: str, words: str, instead: str) -> str:
    at = complaint.lower().index(words)
    return complaint[:at] + instead + complaint[at + len(words) :]
