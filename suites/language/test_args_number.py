"""The types that an argument can have which is a number: what is compared is what the program gave."""

from fixtures.findings import SMALL_NUMBERS_ARE_NOT_FILTERED
from fixtures.language import umask
from tetraproof.suite import Case, Known, Kprobe, cases

#: In the order of the policies: each has a number of its own, the even ones from 96 on.
TYPES = (
    *("int", "sint8", "int8", "uint8", "sint16", "int16", "uint16", "sint32", "int32", "uint32"),
    *("long", "ulong", "sint64", "int64", "uint64", "size-t"),
)
#: Those of 8 and 16 bits.
SMALL = {"int8", "uint8", "int16", "uint16", "sint8", "sint16"}
#: Known of these: the next number is reported as well.
NOT_FILTERED = Known(SMALL_NUMBERS_ARE_NOT_FILTERED, lambda run: Kprobe("sys_umask") in run.near.timeline)


def case(name: str, number: int) -> Case:
    """A case of a type: this number matches, and the next does not."""
    reported = Kprobe("sys_umask", arg0=number, action="POST")
    says = f"A number read as {name.replace('-', '_')} is compared, and reported as it was given."
    known = NOT_FILTERED if name in SMALL else None
    return Case(f"language/args-{name}", says, umask(number), umask(number + 1), reported, known=known)


pytestmark = cases(*(case(name, 96 + 2 * at) for at, name in enumerate(TYPES)))
