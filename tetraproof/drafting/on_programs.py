"""What is drawn of guarded programs and system calls: how they are started and made, and the ways past them."""

from __future__ import annotations

from tetraproof.drafting.deeds import calls, values
from tetraproof.drafting.deeds.calls import Call
from tetraproof.drafting.deeds.programs import TRUE, Program
from tetraproof.drafting.foretelling.happening import Deed, Seen
from tetraproof.drafting.foretelling.reading import Hook, Selector
from tetraproof.drafting.promise import Looking, Promises
from tetraproof.drafting.sketch import Drawing, asked_for, index_of


def draw(drawing: Drawing, hook: Hook, known: Seen, selector: Selector) -> None:
    """Draw a program that a selector guards: how it is started, and the ways to run it otherwise."""
    asked = selector.asks(next((index for index in known.at if selector.asks(index)), -1))
    inside = values.inside(asked, drawing.scene.place) if asked else [values.Inside(TRUE)]
    if not inside:
        drawing.todo(hook, f"no program is known here that it takes ({asked_for(asked)})")
        return
    program = Program(inside[0].path, drawing.scene.place)
    tried = drawing.tried(hook, (program.by_shell(), program.direct(), program.symlink()))
    meant = drawing.meant(hook, selector, tried)
    if not meant:
        return
    if program.made:
        drawing.suite.set_scene(drawing.scene.place.name, *program.prepared())
    drawing.claim(hook, selector, meant, program.path if asked else "a program")
    promises = drawing.promises(hook)
    drawing.add(promises, tried)
    if asked:
        beside = (program.other(), program.copied(), program.hard_link(), program.loaded())
        drawing.add(promises, drawing.tried(hook, beside))


def draw_call(drawing: Drawing, hook: Hook, known: Seen, selector: Selector) -> None:
    """Draw a call that a selector guards: with what it asks for, with something else, and the ways around."""
    name = next(one for one in known.what if one in calls.CALLS)
    asked = selector.asks(index_of(known, "given"))
    inside = values.inside(asked, drawing.scene.place) if asked else [values.Inside(calls.MADE)]
    if not inside:
        drawing.todo(hook, f"no path is known here that it takes ({asked_for(asked)})")
        return
    call = Call(name, drawing.scene.place, inside[0].path)
    if call.harmful:
        drawing.todo(hook, f"a pod leans on {call.path}: whether to remove it there is yours to say")
        return
    tried = drawing.tried(hook, (call.meant(),))
    meant = drawing.meant(hook, selector, tried)
    if not meant:
        return
    drawing.claim(hook, selector, meant, call.path)
    drawing.suite.set_scene(drawing.scene.place.name, *call.scene())
    looking = Looking(call.looking(), (call.made.left,)) if call.made.look else None
    promises = drawing.promises(hook, looking)
    drawing.add(promises, tried)
    if asked or (selector.asked and call.of_identity):
        drawing.add(promises, drawing.tried(hook, (call.other(), *call.ways())))
    if asked and known.entry:
        past_the_entry(drawing, promises, name, calls.by_uring(name, call.path, call.made.verb, drawing.scene.place))


def past_the_entry(drawing: Drawing, promises: Promises, name: str, by_uring: Deed | None) -> None:
    """Draw the ways that do not pass the entry of the system call `name`."""
    if by_uring is None:
        drawing.todo(promises.hook, "io_uring makes calls without passing the hook: try it, where a program can")
    else:
        drawing.suite.programs[calls.URING_NAME] = calls.URING
        drawing.add(promises, drawing.tried(promises.hook, [by_uring]))
    drawing.todo(promises.hook, f"a 32-bit program makes another call (__ia32_{name}), and none is here")
