"""matchArgs on a text, the path as openat is given it: one case an operator."""

import os

from fixtures.findings import SUB_STRING_MATCHES_NOTHING
from fixtures.language import Files
from tetraproof.suite import Case, Known, Kprobe, cases

opened = Files("text").opened

#: How a shell opens what it redirects into.
TO_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def case(name: str, says: str, *, match: str, near: str, known: Known | None = None) -> Case:
    """A case of the policy of that name, about two paths."""
    reported = Kprobe("sys_openat", file=f"/tmp/lang-text-{match}", arg2=TO_WRITE, action="POST")
    return Case(f"language/match-args-string-{name}", says, opened(match), opened(near), reported, known=known)


#: Known of both: the file is opened, and nothing is reported of it.
NOTHING = Known(SUB_STRING_MATCHES_NOTHING, lambda run: Kprobe("sys_openat") not in run.match.timeline)


pytestmark = cases(
    case("equal", "Just this text matches, and none that begins with it.", match="equal", near="equals"),
    case("not-equal", "Every text but this one matches.", match="not-equal-x", near="not-equal-free"),
    case("prefix", "What begins so matches.", match="prefix-x", near="prefi"),
    case("not-prefix", "What does not begin so matches.", match="not-prefix-x", near="not-prefix-free-x"),
    case("postfix", "What ends so matches.", match="postfix", near="postfix-x"),
    case("not-postfix", "What does not end so matches.", match="not-postfix-x", near="not-postfix-x-free"),
    case("sub-string", "What holds it anywhere matches.", match="sub-string-x", near="sub-strin", known=NOTHING),
    case(
        "sub-string-any-case",
        "What holds it in letters of any size matches.",
        match="Any-Case-x",
        near="any-cas",
        known=NOTHING,
    ),
)
