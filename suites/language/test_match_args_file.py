"""matchArgs on the path of a file: one case an operator."""

from fixtures.language import Files
from tetraproof.suite import Act, Case, Kprobe, cases, shell

opened = Files("file").opened


def case(name: str, says: str, *, match: str, near: str) -> Case:
    """A case of the policy of that name, about two files."""
    reported = Kprobe("fd_install", file=f"/tmp/lang-file-{match}", action="POST")
    return Case(f"language/match-args-file-{name}", says, opened(match), opened(near), reported)


#: Opened for reading and writing at once, it waits for nobody.
PIPE = "rm -f {0}; mkfifo {0}; exec 3<>{0}"


def piped(name: str) -> Act:
    """Make a pipe with a name, and open it."""
    return shell(PIPE.format(f"/tmp/lang-file-{name}"))


pytestmark = cases(
    case("equal", "Just this path matches, and none that begins with it.", match="equal", near="equals"),
    case("not-equal", "Every path but this one matches.", match="not-equal-x", near="not-equal-free"),
    case("prefix", "What begins so matches.", match="prefix-x", near="prefi"),
    case("not-prefix", "What does not begin so matches.", match="not-prefix-x", near="not-prefix-free-x"),
    case("postfix", "What ends so matches.", match="postfix", near="postfix-x"),
    case("not-postfix", "What does not end so matches.", match="not-postfix-x", near="not-postfix-x-free"),
    case("values", "Of several values one is enough.", match="values-2", near="values-3"),
    Case(
        "language/match-args-file-type",
        "A pipe matches, and a regular file does not.",
        match=piped("type-pipe"),
        near=opened("type-regular"),
        reported=Kprobe("fd_install", file="/tmp/lang-file-type-pipe", action="POST"),
    ),
    Case(
        "language/match-args-file-not-type",
        "All but a pipe matches.",
        match=opened("not-type-regular"),
        near=piped("not-type-pipe"),
        reported=Kprobe("fd_install", file="/tmp/lang-file-not-type-regular", action="POST"),
    ),
)
