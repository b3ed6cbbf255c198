"""matchArgs on a number, the mask that bash gives umask: one case an operator."""

from fixtures.language import umask
from tetraproof.suite import Case, Kprobe, cases


def case(name: str, says: str, *, match: int, near: int) -> Case:
    """A case of the policy of that name, about two numbers."""
    reported = Kprobe("sys_umask", arg0=match, action="POST")
    return Case(f"language/match-args-number-{name}", says, umask(match), umask(near), reported)


pytestmark = cases(
    case("equal", "Just this number matches.", match=257, near=256),
    case("not-equal", "Every number but this one matches.", match=258, near=259),
    case("greater-than", "A greater number matches, and the number itself does not.", match=505, near=504),
    case("gt", "GT is another word for GreaterThan.", match=505, near=504),
    case("less-than", "A lesser number matches, and the number itself does not.", match=2, near=3),
    case("lt", "LT is another word for LessThan.", match=2, near=3),
    case("mask", "A number that has one of these bits matches.", match=262, near=261),
    case("in-range", "A number of the range matches, its ends included.", match=266, near=267),
    case("not-in-range", "A number outside of the range matches.", match=268, near=270),
    case("in-map", "One of many numbers matches.", match=272, near=273),
    case("not-in-map", "A number that is none of many matches.", match=273, near=274),
    case("cel", "A number for which the expression is true matches.", match=277, near=278),
)
