"""A suite drawn from a policy: for each selector what is meant and what is just outside, and the ways around.

Every deed that is known of a hook's kind is held against the whole policy (`fate.py`). One that the policy takes is
promised to be stopped, or reported; one beside it to be left alone; a way around that it does not take is a limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tetraproof.drafting.claim import claim_of, notes
from tetraproof.drafting.deeds import calls, files, network, values
from tetraproof.drafting.deeds.calls import Call, Program
from tetraproof.drafting.deeds.files import CONTENT, Bench, File
from tetraproof.drafting.deeds.network import Wire
from tetraproof.drafting.fate import End, Fate, Rules
from tetraproof.drafting.happening import Deed, Seen, seen
from tetraproof.drafting.matching import why_never
from tetraproof.drafting.place import Place, Scene, choose
from tetraproof.drafting.promise import Looking, Promises, counters, mode
from tetraproof.drafting.reading import Asked, Hook, Selector, hooks
from tetraproof.drafting.suite import Suite
from tetraproof.drafting.writing import written
from tetraproof.policies.policy import Policy

_OF_FILES = {"open", "read", "write", "map", "truncate", "empty", "sys_openat", "sys_truncate"}
_OF_NETWORK = {"connect", "send", "close", "connect udp", "send udp"}
_OF_PROGRAMS = {"exec", "sys_execve"}
_ENDS = {End.KILLED, End.DENIED, End.SIGNALLED, End.TOLD}
#: So many further values of a selector are tried.
_MORE_VALUES = 3
_UNKNOWN = "which act meets it is not known here"
_WHY_NOT = {
    "uprobes": "it hooks a file of the node's, as the agent sees it, and no act in a pod runs that",
    "usdts": "it hooks a program of the node's, as the agent sees it, and no act in a pod runs that",
}
#: The most that a suite may be.
MOST_LINES = 170
_SPARED = frozenset({"shorter", "elsewhere", "head", "child", "truncated", "new_file", "silent"})
#: What is left out of a suite that would be longer, step by step.
_LEANER = (frozenset[str](), _SPARED, _SPARED | {"sed", "relative", "symlink", "proc_root", "outside", "lookalike"})
_EMPTY_SELECTOR = Selector(-1)
Tried = list[tuple[Deed, Fate]]


def draft(policy: Policy, stem: str, places: Sequence[Place]) -> Suite:
    """The suite of a policy whose file is called `stem`, with acts in these workloads."""
    read = hooks(policy)
    scene = choose(policy, places, _paths(read), _programs(read))
    rules = Rules(policy, read, scene.place)
    drawings = (_Drawing(Suite(stem), rules, scene, without) for without in _LEANER)
    return next(one.suite for one in drawings if one.fits() or one.without is _LEANER[-1])


def _paths(read: Iterable[Hook]) -> list[str]:
    asked = (one for hook in read for selector in hook.selectors for one in selector.asked)
    texts = (value.removesuffix("\0") for one in asked for value in one.values)
    return [text for text in texts if text.startswith("/") and len(text) > 1]


def _programs(read: Iterable[Hook]) -> list[str]:
    return [program for hook in read for selector in hook.selectors for program in selector.programs]


@dataclass
class _Drawing:
    """A suite that is being drawn."""

    suite: Suite
    rules: Rules
    scene: Scene
    #: What is left out, by the names of acts, where the suite would be too long to be read.
    without: frozenset[str]

    def fits(self) -> bool:
        """Whether what is drawn is short enough."""
        self.draw()
        return len(written(self.suite).splitlines()) <= MOST_LINES

    def draw(self) -> None:
        """Draw all of it, hook by hook, selector by selector."""
        suite, rules = self.suite, self.rules
        if self.scene.unfit:
            suite.todo(self.scene.unfit)
        mode(suite, rules)
        for note in notes(rules):
            suite.notes.append(note)
        if rules.policy.spec.get("loader"):
            suite.todo("loader: which libraries a program maps, and with which build IDs, only a person knows")
        elif not rules.hooks:
            suite.todo("the policy hooks nothing, so nothing becomes of it")
        for hook in rules.hooks:
            known = seen(hook.call)
            if hook.unread or known is None:
                self._todo(hook, hook.unread or _WHY_NOT.get(hook.kind, _UNKNOWN))
                continue
            for selector in hook.selectors or (_EMPTY_SELECTOR,):
                self._selector(hook, known, selector)
        counters(suite, rules)
        suite.claim = suite.claim or f"What the policy {rules.policy.name} promises."

    def _selector(self, hook: Hook, known: Seen, selector: Selector) -> None:
        what = set(known.what)
        if what & _OF_FILES:
            self._files(hook, known, selector)
        elif what & _OF_NETWORK:
            self._network(hook, known, selector)
        elif "listen" in what:
            self._listening(hook, selector)
        elif what & _OF_PROGRAMS:
            self._program(hook, known, selector)
        elif what & set(calls.CALLS):
            self._call(hook, known, selector)
        else:
            self._todo(hook, _UNKNOWN)

    # files

    def _files(self, hook: Hook, known: Seen, selector: Selector) -> None:
        index = _index(known, "file", "given")
        asked = selector.asks(index)
        inside = [one for one in values.inside(asked, self.scene.place) if not File(one.path, one.folder).unreachable]
        if not inside:
            self._todo(hook, f"no file that it takes can be made in a pod, or is there ({_said(asked)})")
            return
        guarded, first = inside[0], not self.suite.claim
        scratch = values.scratch([one.asks(index) for one in hook.selectors])
        spoken_of = bool(self.scene.place.mentions(guarded.path))
        file = File(guarded.path, guarded.folder, "the guarded file" if first else guarded.path, spoken_of)
        bench = Bench(file, self.scene.place, True, scratch)
        tried = self._tried(hook, files.all_of(bench, selector, frozenset(known.what)))
        meant = self._meant(hook, selector, tried)
        if not meant:
            return
        self._claim(hook, selector, meant, file.folder or file.path)
        self._prepare(bench)
        if not first:
            plain = [(deed, fate) for deed, fate in meant if fate.effect and fate.effect.happening.named]
            self._add(Promises(self.suite, self.rules, hook), [*plain, *meant][:1])
            self._untried(hook, asked, [guarded])
            return
        self._name(file)
        self.suite.set_scene(bench.place.name, *(() if file.lent else bench.scene()))
        promises = Promises(self.suite, self.rules, hook, self._looking(bench))
        self._add(promises, tried)
        plainly = {deed.name for deed, _ in meant} & {"read", "write", "append"}
        bench = Bench(file, self.scene.place, bool(plainly - {"read"}), scratch)
        if plainly:
            self._add(promises, self._tried(hook, _beside(bench, asked, guarded)))
            self._past_the_entry(promises, known, "sys_openat", file.path, "opening")
            self._other_pod(promises, bench)
        self._served(promises, bench, meant[0][1])
        self._more(hook, inside[1 : _MORE_VALUES + 1], bench)
        self._untried(hook, asked, inside[: _MORE_VALUES + 1])

    def _name(self, file: File) -> None:
        """Names for the paths that acts will name often."""
        if file.folder:
            self.suite.words["FOLDER"] = file.folder
        self.suite.words["FILE"] = file.path

    def _more(self, hook: Hook, inside: Sequence[values.Inside], bench: Bench) -> None:
        """The further values of a selector: a deed for each of a few."""
        for one in inside:
            beside = Bench(File(one.path, one.folder, one.path), bench.place, bench.writing, bench.scratch)
            self._prepare(beside)
            deed = beside.writing_it() if beside.writing and not beside.file.runs else beside.reading()
            self._add(Promises(self.suite, self.rules, hook), self._tried(hook, [deed]))

    def _untried(self, hook: Hook, asked: Sequence[Asked], tried: Sequence[values.Inside]) -> None:
        """Note the values that no act is tried on."""
        named = [
            value.removesuffix("\0") for one in asked if not one.operator.startswith("Not") for value in one.values
        ]
        left = [value for value in named if not any(value in one.path for one in tried)]
        linked = [value for value in left if values.behind_a_link(f"{value}/")]
        if linked:
            self._todo(hook, f"Debian's images have this behind a link, and the agent tells where: {', '.join(linked)}")
        if rest := [value for value in left if value not in linked]:
            self._todo(hook, f"these further values are not tried: {', '.join(rest)}")

    def _looking(self, bench: Bench) -> Looking | None:
        """How the file is looked at behind a deed that was stopped."""
        file = bench.file
        if file.lent:
            return None
        if file.made and not file.folder:
            return Looking(bench.size(), ("0\n", f"{len(CONTENT)}\n"))
        reading = bench.reading()
        if self.rules.fate(reading).end in {End.FREE, End.TOLD}:
            return Looking(reading.act, before="read")
        if self.rules.fate(bench.sizing()).end not in {End.FREE, End.TOLD}:
            return None
        return Looking(bench.size(), before=self.suite.add_act("size", bench.size()))

    def _prepare(self, bench: Bench) -> None:
        """Have the file there, where something can be made there."""
        if not bench.file.lent:
            self.suite.set_scene(bench.place.name, *bench.file.prepared())

    def _other_pod(self, promises: Promises, bench: Bench) -> None:
        """The same deed in a pod that the policy does not select."""
        if self.scene.other is not None and not bench.file.lent:
            there = Bench(bench.file, self.scene.other, bench.writing, bench.scratch)
            self._prepare(there)
            promises.untouched(there.writing_it() if there.writing else there.reading())

    def _served(self, promises: Promises, bench: Bench, meant: Fate) -> None:
        """The container's own program goes on reading what is guarded, where it is exempt."""
        place = self.scene.place
        if not (place.ports and place.main and bench.file.own_words):
            return
        served = bench.served(self.scene.asking, place.ports[0])
        if self.rules.fate(served).end is End.FREE:
            promises.served(served, meant, place.main)
        elif self.rules.enforces:
            name = place.main.rpartition("/")[2]
            self.suite.todo(f"{name} itself reads what is guarded, and is not exempt: what {place.name} serves ends")

    # connections

    def _network(self, hook: Hook, known: Seen, selector: Selector) -> None:
        asked = [
            network.of_address(one) if name == "sockaddr" else one
            for index, name in known.at.items()
            for one in selector.asks(index)
        ]
        wire = Wire(self.scene, known.what)
        found = list(network.ends(asked, self.rules.policy.bound, self.scene))
        tried = self._tried(hook, map(wire.by_udp if set(known.what) == {"send udp"} else wire.by_curl, found))
        meant = self._meant(hook, selector, tried)
        if not meant:
            return
        main = next(end for end, (deed, _) in zip(found, tried, strict=True) if deed == meant[0][0])
        first = not self.suite.claim
        self._claim(hook, selector, meant, main.phrase)
        promises = Promises(self.suite, self.rules, hook)
        if not first:
            answered = [one for one in meant if one[0].ends == 0] or meant
            self._add(promises, [*answered[:1], *[one for one in tried if one[1].end is End.FREE][:1]])
            return
        self._add(promises, [*tried, *self._tried(hook, network.ways(wire, main, selector.programs))])
        if self.scene.other is not None:
            promises.untouched(wire.by_curl(main, self.scene.other))

    def _listening(self, hook: Hook, selector: Selector) -> None:
        wire = Wire(self.scene, ("listen",))
        asked = [network.of_address(one) for one in selector.asked]
        inside, outside = network.ports(asked)
        tried = self._tried(hook, map(wire.listening, inside))
        meant = self._meant(hook, selector, tried)
        if meant:
            self._claim(hook, selector, meant, f"port {inside[0]}")
            promises = Promises(self.suite, self.rules, hook)
            self._add(promises, [*tried, *self._tried(hook, map(wire.not_listening, outside))])

    # programs

    def _program(self, hook: Hook, known: Seen, selector: Selector) -> None:
        asked = selector.asks(next((index for index in known.at if selector.asks(index)), -1))
        inside = values.inside(asked, self.scene.place) if asked else [values.Inside(calls.TRUE)]
        if not inside:
            self._todo(hook, f"no program is known here that it takes ({_said(asked)})")
            return
        program = Program(inside[0].path, self.scene.place)
        tried = self._tried(hook, (program.by_shell(), program.direct(), program.symlink()))
        meant = self._meant(hook, selector, tried)
        if not meant:
            return
        if program.made:
            self.suite.set_scene(self.scene.place.name, *program.prepared())
        self._claim(hook, selector, meant, program.path if asked else "a program")
        promises = Promises(self.suite, self.rules, hook)
        self._add(promises, tried)
        if asked:
            beside = (program.other(), program.copied(), program.hard_link(), program.loaded())
            self._add(promises, self._tried(hook, beside))

    # system calls

    def _call(self, hook: Hook, known: Seen, selector: Selector) -> None:
        name = next(one for one in known.what if one in calls.CALLS)
        asked = selector.asks(_index(known, "given"))
        inside = values.inside(asked, self.scene.place) if asked else [values.Inside(calls.MADE)]
        if not inside:
            self._todo(hook, f"no path is known here that it takes ({_said(asked)})")
            return
        call = Call(name, self.scene.place, inside[0].path)
        if call.harmful:
            self._todo(hook, f"a pod leans on {call.path}: whether to remove it there is yours to say")
            return
        tried = self._tried(hook, (call.meant(),))
        meant = self._meant(hook, selector, tried)
        if not meant:
            return
        self._claim(hook, selector, meant, call.path)
        self.suite.set_scene(self.scene.place.name, *call.scene())
        looking = Looking(call.looking(), (call.made.left,)) if call.made.look else None
        promises = Promises(self.suite, self.rules, hook, looking)
        self._add(promises, tried)
        if asked or (selector.asked and call.of_identity):
            self._add(promises, self._tried(hook, (call.other(), *call.ways())))
        if asked:
            self._past_the_entry(promises, known, name, call.path, call.made.verb)

    def _past_the_entry(self, promises: Promises, known: Seen, name: str, path: str, verb: str) -> None:
        """The ways that do not pass the entry of a system call."""
        if not known.entry:
            return
        deed = calls.by_uring(name, path, verb, self.scene.place)
        if deed is None:
            self._todo(promises.hook, "io_uring makes calls without passing the hook: try it, where a program can")
        else:
            self.suite.programs[calls.URING_NAME] = calls.URING
            self._add(promises, self._tried(promises.hook, [deed]))
        self._todo(promises.hook, f"a 32-bit program makes another call (__ia32_{name}), and none is here")

    # what all have in common

    def _tried(self, hook: Hook, deeds: Iterable[Deed]) -> Tried:
        return [(deed, self.rules.fate(deed, hook)) for deed in deeds if deed.name not in self.without]

    def _meant(self, hook: Hook, selector: Selector, tried: Tried) -> Tried:
        """The deeds that this selector takes; where there are none, why not is noted."""
        ours = [(deed, fate) for deed, fate in tried if fate.effect and fate.effect.hook is hook and fate.end in _ENDS]
        found = [(deed, fate) for deed, fate in ours if fate.effect and fate.effect.selector in (selector, None)]
        if not found:
            elsewhere = "what it takes is taken by a selector or hook before it" if ours else ""
            why = next((fate.why for _, fate in tried if fate.why), elsewhere)
            why = why or why_never(selector, self.scene.place) or "none of the acts known here meets it"
            self._todo(hook, why)
        return found

    def _add(self, promises: Promises, tried: Iterable[tuple[Deed, Fate]]) -> None:
        for deed, fate in tried:
            if not promises.add(deed, fate) and fate.end is End.UNSURE and fate.why:
                self._todo(promises.hook, fate.why)

    def _todo(self, hook: Hook, what: str) -> None:
        told = f"{hook.place} ({hook.told})" if hook.told else hook.place
        self.suite.todo(f"{told}: {what}")

    def _claim(self, hook: Hook, selector: Selector, meant: Tried, what: str) -> None:
        """What the suite as a whole says, by the first that it draws."""
        self.suite.claim = self.suite.claim or claim_of(hook, selector, meant, what)


def _beside(bench: Bench, asked: Sequence[Asked], guarded: values.Inside) -> Iterator[Deed]:
    """What is beside a guarded file: other paths to it, other files, and the ways around."""
    file = bench.file
    if file.lent:
        return
    yield from (bench.relative(), bench.symlink(), bench.proc_root())
    for one in values.outside(asked, guarded):
        yield bench.outside(one.name, one.path, one.phrase)
    if file.folder:
        yield bench.outside_of_folder()
    yield bench.hard_link()
    if file.made:
        yield bench.renamed()


def _index(known: Seen, *names: str) -> int:
    return next((at for at, name in known.at.items() if name in names), -1)


def _said(asked: Iterable[Asked]) -> str:
    return "; ".join(f"{one.operator} {', '.join(one.values)}" for one in asked) or "it asks nothing of a path"
