"""What a run has of a kind cluster: it makes one and deletes it, keeps it, or uses one that is there.

What is ours is known by a note (`tetraproof/kubernetes/note.py`) that is written before anything is made, and by the
nodes' containers: each is born with a mark that is noted before (making.py), and its id is noted as soon as the engine
has it. So a cluster of that name that the user made meanwhile is never taken for ours, and what a killed run left is
found by the next one.
"""

from __future__ import annotations

import secrets
import sys
import tarfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import yaml

from tetraproof.errors import TetraproofError, UsageError
from tetraproof.kubernetes.cluster import Cluster, ClusterError, Object
from tetraproof.kubernetes.kind import making
from tetraproof.kubernetes.kind.command import Done, lives, run
from tetraproof.kubernetes.kind.engine import Engine
from tetraproof.kubernetes.note import Note
from tetraproof.machines.tool import Tool
from tetraproof.pacing.account import LOADING_IMAGES, MAKING, Account
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import Tell, silent
from tetraproof.pacing.waiting import Overdue, until
from tetraproof.text import shorten

#: The folder of the notes, and of what is kept of clusters.
NOTES = "kind"
#: The states of a cluster of ours.
_MAKING, _MADE, _KEPT = "making", "made", "kept"
#: A container in front of several control planes, which is no node of the cluster.
_BALANCER = "external-load-balancer"
_CONFIG = "name a YAML file of kind: Cluster with KIND_CONFIG="
_IMAGES = "name what docker save or podman save has written"
#: How often a deletion is tried.
_TIMES = 3


@dataclass(frozen=True)
class Wanted:
    """The cluster that a run is to have.

    `config` is kind's own, `image` its node image (kind's default where empty), `archives` are loaded into its nodes.
    `kept` says that it is to stay; one made anew is of no use where the run `installs` nothing.
    """

    name: str
    config: Path
    image: str = ""
    archives: Sequence[Path] = ()
    kept: bool = False
    installs: bool = True

    def check(self) -> None:
        """See that kind can be given it. Raises `UsageError`, before anything is made."""
        try:
            written = yaml.safe_load(self.config.read_bytes())
        except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
            why = str(error).partition("\n")[0]
            raise UsageError(f"kind's configuration {self.config} cannot be read: {why}.", remedy=_CONFIG) from error
        if not isinstance(written, dict) or written.get("kind") != "Cluster":
            raise UsageError(f"{self.config} is no configuration of kind's: it is of no kind Cluster.", remedy=_CONFIG)
        for archive in self.archives:
            try:
                whole = tarfile.is_tarfile(archive)
            except OSError as error:
                raise UsageError(f"IMAGES={archive} cannot be read: {error.strerror}.", remedy=_IMAGES) from error
            if not whole:
                raise UsageError(f"IMAGES={archive} is no archive of images.", remedy=_IMAGES)

    def nodes(self) -> list[str]:
        """The names that kind gives its nodes: of each role in order, from the second on with a number."""
        written = yaml.safe_load(self.config.read_bytes())
        named: Counter[str] = Counter()
        for node in written.get("nodes") or [{}]:
            named[node.get("role") or "control-plane"] += 1
        return [
            f"{self.name}-{role}{number if number > 1 else ''}"
            for role, count in named.items()
            for number in range(1, count + 1)
        ]

    @property
    def told(self) -> dict[str, str]:
        """What makes it another one than one of the same name."""
        return {"image": self.image, "config": self.config.read_text(encoding="utf-8")}


@dataclass
class Tenancy:
    """A kind cluster, for one run. `folder` is the run's own; what it made is `ours`, one that a run kept is `kept`."""

    wanted: Wanted
    kind: Tool
    kubectl: Tool
    engine: Engine
    folder: Path
    deadlines: Deadlines
    tell: Tell = silent
    account: Account = field(default_factory=Account)
    run: str = ""

    def __post_init__(self) -> None:
        self.kubeconfig = self.folder / "kubeconfig"
        self.ours = self.kept = False
        self._note: Note | None = None
        #: The process groups of a creation that was cut: the engine's commands go on there.
        self._cut: list[int] = []

    @property
    def name(self) -> str:
        """Its name."""
        return self.wanted.name

    @property
    def context(self) -> str:
        """Its context, as kind calls it."""
        return f"kind-{self.name}"

    @property
    def way_out(self) -> str:
        """The one command that removes it, as a user types it."""
        return self.engine.typed(f"kind delete cluster --name {self.name}")

    # at the beginning

    def nodes(self) -> list[str]:
        """The nodes that it has, where it is there, and would have if it were made. Raises `TetraproofError`."""
        there = self._kind("get", "nodes", "--name", self.name, what="the list of kind's nodes").printed.split()
        return list(dict.fromkeys([*there, *self.wanted.nodes()]))

    def open(self) -> None:
        """Have the cluster: made, or found and ready, with its images. Raises `TetraproofError`."""
        note = self._note = Note(NOTES, f"{self.engine.name}-{self.name}", f"the kind cluster {self.name}")
        there = self.name in self._listed()
        if not there or (note.told and not self._is_ours(note)):
            # it was deleted since, and perhaps somebody made one of the name
            _forget(note)
        with self.account.spending(MAKING):
            if note.told.get("state") == _KEPT:
                self._use_kept(note)
            elif there and note.told:
                self._make_anew(note, f"a run that was killed left the kind cluster {self.name}")
            elif there:
                self._use_somebodys()
            else:
                self._make(note)
        with self.account.spending(LOADING_IMAGES):
            self._load()

    def _listed(self) -> list[str]:
        listed = self._kind("get", "clusters", what="the list of kind's clusters")
        if not listed.ok:
            raise UsageError(
                "kind does not list its clusters.", causes=listed.complaint, remedy=f"see that {self.engine.name} works"
            )
        return listed.printed.split()

    def _is_ours(self, note: Note) -> bool:
        """Whether a cluster that is there is the noted one."""
        mark = note.told.get("mark")
        there = self.engine.containers(self.name)
        marked = self.engine.containers(self.name, str(mark)) if mark else frozenset()
        if there is None or marked is None:
            raise UsageError(
                f"{self.engine.name} does not say which containers the kind cluster {self.name} has.",
                remedy=f"see that {self.engine.name} works",
            )
        return bool(marked or there.intersection(note.told.get("containers") or ()))

    def _use_kept(self, note: Note) -> None:
        image = note.told.get("image")
        how = {"image": f"with NODE_IMAGE={image}" if image else "without NODE_IMAGE="}
        for name, value in self.wanted.told.items():
            if note.told.get(name) != value:
                made = how.get(name, "by another KIND_CONFIG=")
                raise UsageError(
                    f"The kind cluster {self.name}, which was kept, was made {made}.",
                    remedy=f"delete it with {self.way_out}, or ask for it as it was made",
                )
        self.tell(f"using the kind cluster {self.name}, which a run kept")
        note.add(state=_MADE)
        self.ours = self.kept = True
        try:
            self._await_use()
        except TetraproofError as error:
            self.kept = False
            self._make_anew(note, f"the kind cluster {self.name} that was kept is of no use: {error.sentence}")

    def _use_somebodys(self) -> None:
        self.tell(f"using the kind cluster {self.name} that is there; no run made it, so it stays")
        if self.wanted.image:
            self.tell("NODE_IMAGE= is for a cluster that is made, and means nothing here")
        try:
            self._await_use()
        except TetraproofError as error:
            raise UsageError(
                f"The kind cluster {self.name} is there, and is of no use: {error.sentence}",
                causes=error.causes,
                remedy=f"no run made it, so it is left alone: delete it with {self.way_out}, or have another one made "
                "with CLUSTER_NAME=",
            ) from error

    def _make_anew(self, note: Note, why: str) -> None:
        self.tell(f"{why}; deleting it, and making it anew")
        self.ours = True
        if left := self._delete():
            raise UsageError(left)
        self._make(note)

    def _make(self, note: Note) -> None:
        if not self.wanted.installs:
            raise UsageError(
                f"AGENT=existing uses the Tetragon that is there, and there is no kind cluster {self.name}.",
                remedy="leave AGENT= out, and one is installed",
            )
        # from here on it may be there, and then it is ours
        self.ours = True
        mark = secrets.token_hex(8)
        note.write(state=_MAKING, run=self.run, containers=[], mark=mark, **self.wanted.told)
        self.tell(f"making the kind cluster {self.name} by {self.engine}")
        program = [sys.executable, "-m", making.__name__]
        image = self.wanted.image
        words = (self.name, self.kubeconfig.resolve(), self.wanted.config.resolve(), image, self.kind.path)
        self.folder.mkdir(parents=True, exist_ok=True)
        done = run(
            [*program, *map(str, words), str(self.kubectl.path), self.engine.name, mark],
            self.engine.environment,
            self.deadlines.cluster,
            what=f"the kind cluster {self.name}",
            tell=self.tell,
            folder=self.folder,
            # kind makes them within a second, at some time, and may be killed with us right after
            watch=lambda: self._note_containers(note),
            outlived=self._cut,
        )
        (self.folder / "kind.log").write_text(done.said, encoding="utf-8")
        if not done.ok:
            raise UsageError(
                f"kind could not make the cluster {self.name}: exit {done.code}.",
                causes=done.complaint,
                remedy="TARGET=replay judges a recording, and needs no cluster",
            )
        self._note_containers(note)
        self._await_nodes(self.deadlines.nodes)
        note.add(state=_MADE)

    def _note_containers(self, note: Note) -> None:
        there = self.engine.containers(self.name) or frozenset()
        if there.difference(note.told["containers"]):
            note.add(containers=sorted(there))

    def _await_use(self) -> None:
        """See that a cluster that is there can be used."""
        told = self._kind("get", "kubeconfig", "--name", self.name, what="kind's kubeconfig")
        if not told.ok:
            raise ClusterError(f"kind has no kubeconfig of it: {'; '.join(told.complaint[:1])}.")
        self.folder.mkdir(parents=True, exist_ok=True)
        _write_privately(self.kubeconfig, told.printed)
        self._await_nodes(self.deadlines.command)

    def _await_nodes(self, seconds: float) -> None:
        """Await every node. Raises `ClusterError` naming one that does not come."""
        listed = self._kind("get", "nodes", "--name", self.name, what="the list of kind's nodes").printed.split()
        wanted = [name for name in listed if not name.endswith(_BALANCER)]
        cluster = Cluster(self.kubeconfig, self.context, self.deadlines)
        try:
            until(
                f"every node of the kind cluster {self.name}",
                lambda: _unready(wanted, _nodes(cluster)),
                lambda unready: not unready,
                seconds,
                tell=self.tell,
                shown=lambda unready: "; ".join(f"{name}: {why}" for name, why in unready.items()),
                every=0.5,
                longest=2.0,
                forgives=ClusterError,
            )
        except Overdue as error:
            raise ClusterError(error.sentence, remedy=error.remedy) from error
        finally:
            cluster.close()

    def _load(self) -> None:
        for archive in self.wanted.archives:
            self.tell(f"loading {archive.name} into the nodes")
            loaded = self._kind(
                *("load", "image-archive", "--name", self.name, str(archive.resolve())),
                seconds=self.deadlines.cluster,
                what=f"the images of {archive.name} in the nodes",
                tell=self.tell,
            )
            if not loaded.ok:
                raise UsageError(f"kind does not load {archive}.", causes=loaded.complaint)

    # at the end

    def close(self, *, whole: bool = True) -> str:
        """Give it back; returns what is left behind that should not be, with its way out, or nothing.

        `whole` says that nothing of a run is left in it: otherwise one that is to be kept counts as a killed run's.
        """
        note = self._note
        if note is None:
            return ""
        try:
            if not self.ours:
                return ""
            if (self.wanted.kept or self.kept) and note.told.get("state") == _MADE:
                return self._keep(note, whole=whole)
            self.tell(f"deleting the kind cluster {self.name}")
            left = self._delete()
            if not left:
                _forget(note)
            return left
        finally:
            self._note = None
            note.release()

    def _keep(self, note: Note, *, whole: bool) -> str:
        kubeconfig = _kubeconfig_of(note)
        _write_privately(kubeconfig, self.kubeconfig.read_text(encoding="utf-8"))
        if whole:
            note.add(state=_KEPT)
        self.tell(f"the kind cluster {self.name} is kept, with its Tetragon:")
        self.tell(f"  to look into it: kubectl --kubeconfig {kubeconfig} --context {self.context} get pods -A")
        if whole:
            self.tell("  to use it again: KEEP=1 installs Tetragon anew, AGENT=existing uses it as it is")
        else:
            self.tell("  the next run makes it anew, as something of this one is left in it")
        self.tell(f"  to delete it: {self.way_out}")
        return ""

    def _delete(self) -> str:
        """Delete it, until no container of it is left or comes any more; returns what is left, or nothing."""
        tried, complaint = 0, ""

        def attempt() -> frozenset[str] | None:
            nonlocal tried, complaint
            # asked first: a container that is made after this is made by nobody
            still_made = any(lives(group) for group in self._cut)
            # a kubeconfig that nobody has: kind's creation may have been cut while it held the lock of ours
            words = ("delete", "cluster", "--name", self.name, "--kubeconfig", str(self.folder.resolve() / "none"))
            try:
                done = self._kind(*words, what=what, seconds=self.deadlines.nodes, tell=self.tell)
            except TetraproofError as error:
                tried, complaint = tried + 1, error.sentence
                return None
            left = self.engine.containers(self.name)
            if not still_made:
                tried = _TIMES if done.ok and left == frozenset() else tried + 1
                self._cut.clear()
            complaint = "; ".join(done.complaint)
            return left

        what = f"the end of the kind cluster {self.name}"
        try:
            left = until(what, attempt, lambda _: tried >= _TIMES, self.deadlines.nodes, tell=self.tell, every=0.5)
        except Overdue as error:
            left, complaint = self.engine.containers(self.name), error.sentence
        if left == frozenset():
            return ""
        count = "it may be there" if left is None else f"{len(left)} of its containers are there"
        said = f" ({shorten(complaint, 200)})" if complaint else ""
        return f"The kind cluster {self.name} could not be deleted, {count}{said}: {self.way_out}"

    def export_logs(self, folder: Path) -> str:
        """Write what kind knows of the cluster into a folder; returns why not, or nothing."""
        folder.mkdir(parents=True, exist_ok=True)
        words = ("export", "logs", str(folder.resolve()), "--name", self.name)
        try:
            told = self._kind(*words, what="kind's logs", seconds=self.deadlines.nodes)
        except TetraproofError as error:
            return error.sentence
        return "" if told.ok else "; ".join(told.complaint[:1])

    def _kind(self, *words: str, what: str, seconds: float = 0.0, tell: Tell = silent) -> Done:
        return run(
            [str(self.kind.path), *words],
            self.engine.environment,
            seconds or self.deadlines.command,
            what=what,
            tell=tell,
        )


def _kubeconfig_of(note: Note) -> Path:
    """Where the kubeconfig of a cluster that is kept lies."""
    return note.path.with_suffix(".kubeconfig")


def _forget(note: Note) -> None:
    _kubeconfig_of(note).unlink(missing_ok=True)
    note.forget()


def _write_privately(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")


def _nodes(cluster: Cluster) -> list[Object]:
    """The nodes. Raises `ClusterError` where the server does not answer yet, `UsageError` where it will not."""
    try:
        return cluster.list("v1/Node")
    except ClusterError as error:
        if error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise UsageError(error.sentence) from error
        raise


def _unready(wanted: Sequence[str], nodes: Sequence[Object]) -> Mapping[str, str]:
    """The nodes that are not ready, with what they say of it."""
    there = {one["metadata"]["name"]: one for one in nodes}
    told = {}
    for name in wanted:
        conditions = there.get(name, {}).get("status", {}).get("conditions") or ()
        ready = next((one for one in conditions if one["type"] == "Ready"), None)
        if ready is None:
            told[name] = "says nothing of itself yet" if name in there else "has not joined"
        elif ready["status"] != "True":
            told[name] = shorten(ready.get("message") or ready.get("reason") or "is not ready", 160)
    return told
