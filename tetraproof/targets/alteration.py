"""A change of a live installation that is ours: an act is repeated on each node while Helm or an edit changes it.

What is observed becomes a scenario of the recording, and `replay` judges it, as it does the recorded ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from threading import Event

from kubernetes.client.exceptions import ApiException

from tetraproof.errors import TetraproofError
from tetraproof.kubernetes.cluster import ClusterError
from tetraproof.kubernetes.execution import Following, Place, reason
from tetraproof.kubernetes.helm import Chart, Helm, HelmError
from tetraproof.observing import gap
from tetraproof.observing.gap import Beat, Continuity, Happening, Pulse
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import Tell
from tetraproof.pacing.waiting import Overdue, until
from tetraproof.policies.binding import Bindings
from tetraproof.policies.policy import Policy
from tetraproof.policies.policy_state import SETTLED
from tetraproof.targets import Unanswerable
from tetraproof.targets.keeping import manifest_of
from tetraproof.targets.pods import Kubernetes
from tetraproof.text import command_line
from tetraproof.verdict import Verdict

#: The act that is repeated: what `block-fd-install` kills.
ACT = ("bash", "-c", "echo 'foo' > /tmp/tetragon")
_STOP = "/tmp/tetraproof-stop"  # noqa: S108 - in a pod of our own
#: Its twin, which no policy that is changed under speaks of: it must go through where the act is killed.
_TWIN = ("bash", "-c", "echo 'foo' > /tmp/tetraproof-free")
#: Each repetition is a line: begun, ended (the node's clock), exit code, and that of the twin, which is tried where the
#: act was killed. A twentieth of a second lies between two.
_BEATING = (
    f"rm -f {_STOP}; while [ ! -e {_STOP} ]; do "
    'begun=$EPOCHREALTIME; "$@" 2>/dev/null; code=$? ended=$EPOCHREALTIME twin=-; '
    f'if [ "$code" = {gap.KILLED} ]; then {command_line(_TWIN)} 2>/dev/null; twin=$?; fi; '
    'echo "$begun $ended $code $twin"; sleep 0.05; done'
)
#: Seconds of enforced beats before a change and after it, so that some are certain to lie there: how far the two clocks
#: differ is known no better than to the seconds that it takes to begin the acts and to end them.
_CERTAINLY = gap.LONGEST_AT_THE_ENDS
_KEEPING = {"keep-sensors-on-exit": "true", "release-pinned-bpf": "false"}
_EDITED = {"enable-process-cred": "true"}


class _Changing:
    """A change that goes on: what is being said of it, by whom, when."""

    def __init__(self, site: Kubernetes) -> None:
        self.site = site
        self.happenings: list[Happening] = []
        self.over = Event()

    def note(self, what: str, said: str = "", node: str = "") -> None:
        """Something happened, now."""
        self.happenings.append(Happening(time.time(), what, said, node))


@dataclass(frozen=True)
class _Change:
    """How a change is made. `before` sets the installation up for it, `after` puts it back; `command` is as typed."""

    command: str
    make: Callable[[Kubernetes, Helm], str]
    before: Callable[[Kubernetes, Helm], None] | None = None
    after: Callable[[Kubernetes, Helm], None] | None = None
    needs_chart: bool = False


def alter(site: Kubernetes, change: str, policy: Policy, deadlines: Deadlines, tell: Tell) -> Continuity:
    """Make a change, one of `CHANGES`, under a policy, and put the installation back. Raises `TetraproofError`."""
    return _Alteration(site, change, policy, deadlines, tell).run()


_ENABLED = "enabled"


class _Alteration:
    """One change, while it is made."""

    def __init__(self, site: Kubernetes, change: str, policy: Policy, deadlines: Deadlines, tell: Tell) -> None:
        self.site = site
        self._change = change
        self._policy = policy
        self._deadlines = deadlines
        self._tell = tell

    def run(self) -> Continuity:
        """Everything that was observed of it."""
        site, change, known, helm = self.site, self._change, CHANGES[self._change], self.site.helm
        assert helm is not None
        going = _Changing(site)
        try:
            beats = self._made(going, known, helm)
        except _NotInForce as error:
            self._put_back(known, helm)
            # what would have become of enforcement nobody can say
            why = f"nothing was changed, since the policy did not come into force: {error.sentence.removesuffix('.')}"
            raise Unanswerable(why, Verdict.INCONCLUSIVE) from error
        except TetraproofError:
            self._put_back(known, helm)
            raise
        # after an interrupt nothing is put back: the installation goes as a whole
        self._put_back(known, helm)
        told = tuple(Pulse(place, tuple(beats[place].read()), ACT) for place in site.places)
        happenings = tuple(sorted(going.happenings, key=lambda one: one.at))
        return Continuity(change, known.command, told, happenings, tuple(site.places))

    def _made(self, going: _Changing, known: _Change, helm: Helm) -> dict[str, _Beats]:
        site, change, policy = self.site, self._change, self._policy
        if refused := site.unsupported(policy):
            raise Unanswerable(refused, Verdict.UNSUPPORTED)
        if known.before:
            self._tell(f"{change}: setting up")
            known.before(site, helm)
            site.installation.await_ready()
        self._tell(f"{change}: applying {policy.name}")
        site.apply(policy, manifest_of(site.fitted(policy)))
        self._await_in_force()
        for node in site.places:
            going.note(gap.ENABLED, node=node)
        with _beating(going, self._deadlines.act) as beats:
            self._await_steady(beats, "before the change")
            self._told_of_settings(going)
            self._tell(f"{change}: {known.command}")
            going.note(gap.CHANGE_BEGINS, known.command)
            try:
                going.note(gap.CHANGE_RETURNED, known.make(site, helm))
            except (HelmError, ClusterError) as error:
                going.note(gap.REFUSED, " ".join((error.sentence, *error.causes)))
            self._follow(going, beats)
            self._told_of_settings(going)
        # what was enforced to the end counts only where the agents still say so
        for node, word in _words(site, policy).items():
            going.note(gap.STATE, word, node)
        return beats

    def _put_back(self, known: _Change, helm: Helm) -> None:
        site = self.site
        site.installation.refresh()
        with suppress(TetraproofError):
            site.remove(self._policy)
        self._tell(f"{self._change}: putting the installation back")
        try:
            if known.after:
                known.after(site, helm)
        except TetraproofError as error:
            self._tell(f"the installation could not be put back: {error}")
        site.installation.await_ready()
        site.listen_anew()

    def _await_in_force(self) -> None:
        """Wait until the policy is in force before anything is changed. Raises `_NotInForce` with the agents' word."""
        try:
            # an agent that has ended with it does not begin again by itself
            words = self._await(SETTLED)
        except Overdue as error:
            raise _NotInForce(error.sentence) from error
        if any(word != _ENABLED for word in words.values()):
            raise _NotInForce(f"{_said(words)}.")

    def _await(self, wanted: Container[str]) -> dict[str, str]:
        """Wait until every node's agent, the one that is there by now, says one of these words of the policy."""

        def ask() -> dict[str, str]:
            self.site.installation.refresh()
            return {node: _word(self._policy, told) for node, told in self.site.states().items()}

        return until(
            f"{self._policy.name} on every node",
            ask,
            lambda words: bool(words) and all(word in wanted for word in words.values()),
            self._deadlines.policy,
            tell=self._tell,
            shown=_said,
            forgives=TetraproofError,
        )

    def _await_steady(self, beats: Mapping[str, _Beats], when: str) -> None:
        """Wait until acts in a row, begun from now on, are enforced on every node, for so long that it is certain."""
        since = {place: len(one.read()) for place, one in beats.items()}

        def steady(told: Mapping[str, list[Beat]]) -> bool:
            return all(
                len(some) >= gap.STEADY and some[-1].ended - some[0].started >= _CERTAINLY for some in told.values()
            )

        def last() -> dict[str, list[Beat]]:
            # asked first: what it wrote last is there once it has ended
            ended = [f"{place} ({one.following.ending})" for place, one in beats.items() if not one.following.runs]
            told = {place: _enforced_last(one.read()[since[place] :]) for place, one in beats.items()}
            if ended and not steady(told):
                raise _Ended(f"The act is not repeated any more on {', '.join(ended)}.")
            return told

        until(
            f"enforcement {when}",
            last,
            steady,
            self._deadlines.rollout + self._deadlines.policy,
            tell=self._tell,
            shown=lambda told: ", ".join(
                f"{place}: {len(some)} acts in a row were enforced" for place, some in told.items()
            ),
            every=0.2,
            longest=0.5,
            final=_Ended,
        )

    def _follow(self, going: _Changing, beats: Mapping[str, _Beats]) -> None:
        """Listen to what is said of the change until enforcement is back, or does not come back in time.

        Enforcement may outlive the old agent, and end only once the new one has come. So acts that are enforced count
        from the moment on at which the new one says that the policy is.
        """
        with ThreadPoolExecutor(max_workers=2) as pool:
            rollout = pool.submit(_watch_rollout, going, self._deadlines.rollout)
            pool.submit(_watch_states, going, self._policy)
            try:
                until("the end of the roll-out", rollout.done, bool, self._deadlines.rollout, every=0.2, longest=0.2)
                self._await({_ENABLED})
                self._await_steady(beats, "after the change")
            except Overdue as error:
                self._tell(error.sentence)
            finally:
                going.over.set()

    def _told_of_settings(self, going: _Changing) -> None:
        """What the user asked for at the installation, and the hand edit, as the cluster has it now."""
        settings = self.site.installation.settings()
        for name in (*self.site.asked_for, *_EDITED):
            going.note(gap.SETTING, f"{name}: {settings.get(name, 'nothing')}")


class _NotInForce(TetraproofError):  # noqa: N818 - what happened, by its name
    """The policy under which something was to be changed is not in force."""


class _Ended(TetraproofError):  # noqa: N818 - what happened, by its name
    """The act is repeated no more."""


@dataclass
class _Beats:
    """The beats of one place, as they are written to a file."""

    file: Path
    following: Following

    def read(self) -> list[Beat]:
        """All so far."""
        beats = []
        for line in self.file.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError):  # the last line may not be whole yet
                begun, ended, code, twin = line.split()
                beats.append(Beat(float(begun), float(ended), int(code), None if twin == "-" else int(twin)))
        return beats


def _enforced_last(beats: list[Beat]) -> list[Beat]:
    """The beats that were enforced one after another up to the last one."""
    return list(takewhile(lambda beat: beat.outcome == gap.ENFORCED, reversed(beats)))[::-1]


@contextmanager
def _beating(going: _Changing, seconds: float) -> Iterator[dict[str, _Beats]]:
    """Repeat the act in the probe's pod of every place; at the end each stops by itself.

    What bounds the acts of a node is noted for it alone: the tighter, the nearer its clock is known.
    """
    site = going.site
    beats: dict[str, _Beats] = {}
    places: dict[str, Place] = {}
    try:
        for place in site.places:
            where = _probe(site.bindings(place))
            file = site.folder / f"beats-{place}-{time.time_ns()}.txt"
            file.touch()
            words = ["bash", "-c", _BEATING, "bash", *ACT]
            going.note(gap.ACTS_BEGIN, node=place)
            try:
                beats[place] = _Beats(file, site.cluster.executor.start(where, words, file))
            except ApiException as error:
                raise ClusterError(f"The act cannot be repeated on {place}: {reason(error)}.") from error
            places[place] = where
        yield beats
    finally:
        # one after the other, so that each node's end is noted when it is there
        for place, where in places.items():
            site.cluster.executor.run(where, ["touch", _STOP], seconds=seconds)
            following = beats[place].following
            with suppress(Overdue):
                until("the end of the beats", lambda one=following: one.runs, lambda runs: not runs, seconds)  # type: ignore[misc]
            following.stop()
            going.note(gap.ACTS_ENDED, node=place)


def _probe(bindings: Bindings) -> Place:
    pod = bindings.pod("probe")
    if pod is None:
        raise Unanswerable("there is no workload probe to act in", Verdict.UNSUPPORTED)
    return Place(pod.namespace, pod.name)


def _watch_rollout(going: _Changing, seconds: float) -> None:
    """Note when `kubectl rollout status` would say that it is done."""
    try:
        until("the roll-out", going.site.installation.rolled_out, bool, seconds, every=0.2, longest=0.2)
    except TetraproofError as error:
        going.note("rollout", error.sentence)
        return
    going.note(gap.ROLLED_OUT, "successfully rolled out")


def _watch_states(going: _Changing, policy: Policy) -> None:
    """Note each change of what the agents say of the policy, until the change is over."""
    said: dict[str, str] = {}

    def ask() -> bool:
        for node, word in _words(going.site, policy).items():
            if said.get(node) != word:
                said[node] = word
                going.note(gap.STATE, word, node)
        return going.over.is_set()

    with suppress(Overdue):
        until("the end of the change", ask, bool, _FOREVER, every=0.2, longest=0.2)


_FOREVER = 86_400.0


def _words(site: Kubernetes, policy: Policy) -> dict[str, str]:
    """What the agents that are there by now say of a policy, in a word for each node."""
    with suppress(TetraproofError):
        site.installation.refresh()
    words = dict.fromkeys(site.places, "no answer")
    with suppress(TetraproofError):
        words |= {node: _word(policy, told) for node, told in site.states().items()}
    return words


def _said(words: Mapping[str, str]) -> str:
    """The agents' words in a clause."""
    return ", ".join(f"{node} says {word}" for node, word in words.items())


def _word(policy: Policy, told: list[dict[str, object]]) -> str:
    """What an agent says of a policy, in a word."""
    states = [str(one.get("state", "")) for one in told if one.get("name") == policy.name]
    return states[0].removeprefix("TP_STATE_").lower() if states else "unknown to it"


def _restart(site: Kubernetes, helm: Helm) -> str:
    del helm
    site.installation.restart()
    return "restarted"


def _upgrade(*words: str) -> Callable[[Kubernetes, Helm], str]:
    def make(site: Kubernetes, helm: Helm) -> str:
        newer = site.newer or Chart()
        return helm.upgrade(newer, *words, pinned=bool(newer.version)).partition("\n")[0]

    return make


def _upgrade_and_wait(site: Kubernetes, helm: Helm) -> None:
    _upgrade()(site, helm)
    site.installation.await_ready()


def _roll_back(site: Kubernetes, helm: Helm) -> str:
    del site
    return helm.rollback().strip()


def _put_back(site: Kubernetes, helm: Helm) -> None:
    """Roll back, if what was to be undone was done at all."""
    if helm.revision() != site.revision:
        helm.rollback(site.revision)
    site.revision = helm.revision()


def _edit(site: Kubernetes, helm: Helm) -> None:
    del helm
    site.installation.configure(_EDITED)


def _undo_edit(site: Kubernetes, helm: Helm) -> None:
    # first, so that Helm finds what it wrote itself
    site.installation.configure(dict.fromkeys(_EDITED, "false"))
    _put_back(site, helm)


def _upgrade_to_itself(site: Kubernetes, helm: Helm) -> str:
    return helm.upgrade(site.chart).partition("\n")[0]


def _keep(site: Kubernetes, helm: Helm) -> None:
    del helm
    site.installation.configure(_KEEPING)


def _undo_keep(site: Kubernetes, helm: Helm) -> None:
    del helm
    site.installation.configure(dict.fromkeys(_KEEPING))


_UPGRADE = "helm upgrade tetragon cilium/tetragon -n kube-system"
#: Every change that is known, by name.
CHANGES = {
    "rollout-restart": _Change("kubectl rollout restart -n kube-system ds/tetragon", _restart),
    "rollout-restart-keeping-sensors": _Change(
        "kubectl rollout restart -n kube-system ds/tetragon", _restart, _keep, _undo_keep
    ),
    "upgrade": _Change(_UPGRADE, _upgrade(), after=_put_back, needs_chart=True),
    "upgrade-reusing-values": _Change(
        f"{_UPGRADE} --reuse-values", _upgrade("--reuse-values"), after=_put_back, needs_chart=True
    ),
    "rollback": _Change(
        "helm rollback tetragon -n kube-system", _roll_back, _upgrade_and_wait, _put_back, needs_chart=True
    ),
    "upgrade-after-hand-edit": _Change(_UPGRADE, _upgrade_to_itself, _edit, _undo_edit),
}
