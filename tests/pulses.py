"""Beats and happenings, made up."""

from msgspec.structs import replace

from tetraproof.observing import gap
from tetraproof.observing.gap import Beat, Continuity, Happening, Pulse

K, OK, OTHER, NONE = 137, 0, 7, None


def pulse(*codes, node="n", start=1000.0, every=1.0, takes=0.2):
    """A beat a second, each 0.2 s long."""
    return Pulse(
        node, tuple(Beat(start + at * every, start + at * every + takes, code) for at, code in enumerate(codes))
    )


def shown(told, **changed):
    """A change with some of its fields replaced."""
    return replace(told, **changed)


def changed(*pulses, happenings=(), change="upgrade", nodes=()):
    return Continuity(change, "helm upgrade", pulses, tuple(happenings), nodes)


#: The node's clock is 5 s behind the asking machine's: what is asked at 1006 is node time 1001.
ASKED = (
    Happening(1003.0, gap.ENABLED),
    Happening(1004.5, gap.ACTS_BEGIN),
    Happening(1006.0, gap.CHANGE_BEGINS, "helm upgrade"),
    Happening(1008.0, gap.ROLLED_OUT, "done"),
    Happening(1010.9, gap.STATE, "loading"),
    Happening(1013.5, gap.STATE, "enabled"),
    Happening(1012.0, gap.ACTS_ENDED),
)
BEATS = pulse(K, K, OK, OK, OK, K, K)
