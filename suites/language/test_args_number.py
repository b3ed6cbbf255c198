"""The types that an argument can have which is a number: what is compared is what the program gave."""

from fixtures.language import umask
from tetraproof.suite import Case, Kprobe, cases

#: In the order of the policies: each has a number of its own, the even ones from 96 on.
TYPES = (
    *("int", "sint8", "int8", "uint8", "sint16", "int16", "uint16", "sint32", "int32", "uint32"),
    *("long", "ulong", "sint64", "int64", "uint64", "size-t"),
)


def case(name: str, number: int) -> Case:
    """A case of a type: this number matches, and the next does not."""
    reported = Kprobe("sys_umask", arg0=number, action="POST")
    says = f"A number read as {name.replace('-', '_')} is compared, and reported as it was given."
    return Case(f"language/args-{name}", says, umask(number), umask(number + 1), reported)


pytestmark = cases(*(case(name, 96 + 2 * at) for at, name in enumerate(TYPES)))
