"""What is drawn of a guarded file or folder: what is meant, what is beside it, and how the world looks afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tetraproof.drafting.deeds import files, values
from tetraproof.drafting.deeds.calls import by_uring
from tetraproof.drafting.deeds.files import Bench
from tetraproof.drafting.deeds.guarded import CONTENT, File
from tetraproof.drafting.foretelling.fate import End, Fate
from tetraproof.drafting.foretelling.happening import Deed, Seen
from tetraproof.drafting.foretelling.reading import Asked, Hook, Selector
from tetraproof.drafting.on_programs import past_the_entry
from tetraproof.drafting.promise import Looking, Promises
from tetraproof.drafting.sketch import Drawing, asked_for, index_of

#: So many further values of a selector are tried.
_MORE_VALUES = 3


def draw(drawing: Drawing, hook: Hook, known: Seen, selector: Selector) -> None:
    """Draw what a selector of a hook guards: the first of all in full, any further one by its main act."""
    index = index_of(known, "file", "given")
    asked = selector.asks(index)
    inside = [one for one in values.inside(asked, drawing.scene.place) if not File(one.path, one.folder).unreachable]
    if not inside:
        drawing.todo(hook, f"no file that it takes can be made in a pod, or is there ({asked_for(asked)})")
        return
    guarded, first = inside[0], not drawing.suite.claim
    scratch = values.scratch([one.asks(index) for one in hook.selectors])
    spoken_of = bool(drawing.scene.place.mentions(guarded.path))
    file = File(guarded.path, guarded.folder, "the guarded file" if first else guarded.path, spoken_of)
    bench = Bench(file, drawing.scene.place, True, scratch)
    tried = drawing.tried(hook, files.all_of(bench, selector, frozenset(known.what)))
    meant = drawing.meant(hook, selector, tried)
    if not meant:
        return
    drawing.claim(hook, selector, meant, file.folder or file.path)
    _prepare(drawing, bench)
    if not first:
        plain = [(deed, fate) for deed, fate in meant if fate.effect and fate.effect.happening.named]
        drawing.add(drawing.promises(hook), [*plain, *meant][:1])
        _untried(drawing, hook, asked, [guarded])
        return
    _name(drawing, file)
    drawing.suite.set_scene(bench.place.name, *(() if file.lent else bench.scene()))
    promises = drawing.promises(hook, _looking(drawing, bench))
    drawing.add(promises, tried)
    plainly = {deed.name for deed, _ in meant} & {"read", "write", "append"}
    bench = Bench(file, drawing.scene.place, bool(plainly - {"read"}), scratch)
    if plainly:
        drawing.add(promises, drawing.tried(hook, _beside(bench, asked, guarded)))
        if known.entry:
            past_the_entry(drawing, promises, "sys_openat", by_uring("sys_openat", file.path, "opening", bench.place))
        _other_pod(drawing, promises, bench)
    drawing.add(promises, drawing.tried(hook, files.last_of(bench, selector)))
    _served(drawing, promises, bench, meant[0][1])
    _more(drawing, hook, inside[1 : _MORE_VALUES + 1], bench)
    _untried(drawing, hook, asked, inside[: _MORE_VALUES + 1])


def _name(drawing: Drawing, file: File) -> None:
    """Names for the paths that acts will name often."""
    if file.folder:
        drawing.suite.words["FOLDER"] = file.folder
    drawing.suite.words["FILE"] = file.path


def _more(drawing: Drawing, hook: Hook, inside: Sequence[values.Inside], bench: Bench) -> None:
    """The further values of a selector: a deed for each of a few."""
    for one in inside:
        beside = Bench(File(one.path, one.folder, one.path), bench.place, bench.writing, bench.scratch)
        _prepare(drawing, beside)
        deed = beside.writing_it() if beside.writing and not beside.file.runs else beside.reading()
        drawing.add(drawing.promises(hook), drawing.tried(hook, [deed]))


def _untried(drawing: Drawing, hook: Hook, asked: Sequence[Asked], tried: Sequence[values.Inside]) -> None:
    """Note the values that no act is tried on."""
    named = [value.removesuffix("\0") for one in asked if not one.operator.startswith("Not") for value in one.values]
    left = [value for value in named if not any(value in one.path for one in tried)]
    linked = [value for value in left if values.behind_a_link(f"{value}/")]
    if linked:
        drawing.todo(hook, f"Debian's images have this behind a link, and the agent tells where: {', '.join(linked)}")
    if rest := [value for value in left if value not in linked]:
        drawing.todo(hook, f"these further values are not tried: {', '.join(rest)}")


def _looking(drawing: Drawing, bench: Bench) -> Looking | None:
    """How the file is looked at behind a deed that was stopped."""
    file = bench.file
    if file.lent:
        return None
    if file.made and not file.folder:
        return Looking(bench.size(), ("0\n", f"{len(CONTENT)}\n"))
    reading = bench.reading()
    if drawing.rules.fate(reading).end in {End.FREE, End.TOLD}:
        return Looking(reading.act, before="read")
    if drawing.rules.fate(bench.sizing()).end not in {End.FREE, End.TOLD}:
        return None
    return Looking(bench.size(), before=drawing.suite.add_act("size", bench.size()))


def _prepare(drawing: Drawing, bench: Bench) -> None:
    """Have the file there, where something can be made there."""
    if not bench.file.lent:
        drawing.suite.set_scene(bench.place.name, *bench.file.prepared())


def _other_pod(drawing: Drawing, promises: Promises, bench: Bench) -> None:
    """The same deed in a pod that the policy does not select."""
    if drawing.scene.other is not None and not bench.file.lent:
        there = Bench(bench.file, drawing.scene.other, bench.writing, bench.scratch)
        _prepare(drawing, there)
        promises.untouched(there.writing_it() if there.writing else there.reading())


def _served(drawing: Drawing, promises: Promises, bench: Bench, meant: Fate) -> None:
    """The container's own program goes on reading what is guarded, where it is exempt."""
    place = drawing.scene.place
    if not (place.ports and place.main and bench.file.own_words):
        return
    served = bench.served(drawing.scene.asking, place.ports[0])
    if drawing.rules.fate(served).end is End.FREE:
        promises.served(served, meant, place.main)
    elif drawing.rules.enforces:
        name = place.main.rpartition("/")[2]
        drawing.suite.todo(f"{name} itself reads what is guarded, and is not exempt: what {place.name} serves ends")


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
