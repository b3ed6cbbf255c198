"""What is drawn of guarded connections: the edges of what is named, and the other ways to connect."""

from __future__ import annotations

from tetraproof.drafting.deeds import network
from tetraproof.drafting.deeds.network import Wire
from tetraproof.drafting.foretelling.fate import End
from tetraproof.drafting.foretelling.happening import Seen
from tetraproof.drafting.foretelling.reading import Hook, Selector
from tetraproof.drafting.sketch import Drawing


def draw(drawing: Drawing, hook: Hook, known: Seen, selector: Selector) -> None:
    """Draw the connections that a selector guards: the first of all in full, any further one by its main act."""
    asked = [
        network.of_address(one) if name == "sockaddr" else one
        for index, name in known.at.items()
        for one in selector.asks(index)
    ]
    wire = Wire(drawing.scene, known.what)
    found = list(network.ends(asked, drawing.rules.policy.bound, drawing.scene))
    tried = drawing.tried(hook, map(wire.by_udp if set(known.what) == {"send udp"} else wire.by_curl, found))
    meant = drawing.meant(hook, selector, tried)
    if not meant:
        return
    main = next(end for end, (deed, _) in zip(found, tried, strict=True) if deed == meant[0][0])
    first = not drawing.suite.claim
    drawing.claim(hook, selector, meant, main.phrase)
    promises = drawing.promises(hook)
    if not first:
        answered = [one for one in meant if one[0].ends == 0] or meant
        drawing.add(promises, [*answered[:1], *[one for one in tried if one[1].end is End.FREE][:1]])
        return
    drawing.add(promises, [*tried, *drawing.tried(hook, network.ways(wire, main, selector.programs))])
    if drawing.scene.other is not None:
        promises.untouched(wire.by_curl(main, drawing.scene.other))


def draw_listening(drawing: Drawing, hook: Hook, selector: Selector) -> None:
    """Draw the ports that a selector guards, and the next."""
    wire = Wire(drawing.scene, ("listen",))
    asked = [network.of_address(one) for one in selector.asked]
    inside, outside = network.ports(asked)
    tried = drawing.tried(hook, map(wire.listening, inside))
    meant = drawing.meant(hook, selector, tried)
    if meant:
        drawing.claim(hook, selector, meant, f"port {inside[0]}")
        promises = drawing.promises(hook)
        drawing.add(promises, [*tried, *drawing.tried(hook, map(wire.not_listening, outside))])
