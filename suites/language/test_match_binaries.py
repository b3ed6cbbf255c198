"""matchBinaries and matchParentBinaries: who opens the file, one case an operator."""

from fixtures.findings import BINARIES_ARE_THE_LAST_HOOK_S
from fixtures.language import Files
from tetraproof.suite import Act, Case, Known, Kprobe, cases, command, shell

path = Files("by").path


def case(  # noqa: PLR0913 - the columns of a table
    name: str,
    says: str,
    *,
    match: tuple[str, ...],
    near: tuple[str, ...],
    file: str = "",
    known: Known | None = None,
) -> Case:
    """A case of the policy of that name: two programs read the same file, which was made before."""
    read = path(file or name)
    made: Act = shell(f"echo x > {read}")
    return Case(
        f"language/match-{name}" if file else f"language/match-binaries-{name}",
        says,
        command(*match, read),
        command(*near, read),
        Kprobe("fd_install", file=read, action="POST"),
        before=(made,),
        known=known,
    )


#: Known of several hooks: the program of the one hook opens the file, and nothing is reported.
THE_LAST_HOOK_S = Known(BINARIES_ARE_THE_LAST_HOOK_S, lambda run: Kprobe("fd_install") not in run.match.timeline)

HEAD, CAT = ("head", "-1"), ("cat",)
#: It starts the program as its child.
TIMEOUT = ("timeout", "60")

pytestmark = cases(
    case("in", "Only the programs that are named match.", match=HEAD, near=CAT),
    case("not-in", "Every program but the one that is named matches.", match=HEAD, near=CAT),
    case("prefix", "A program whose path begins so matches.", match=HEAD, near=CAT),
    case("not-prefix", "A program whose path does not begin so matches.", match=HEAD, near=CAT),
    case("postfix", "A program whose path ends so matches.", match=HEAD, near=CAT),
    case("not-postfix", "A program whose path does not end so matches.", match=HEAD, near=CAT),
    case(
        "several-hooks",
        "Each hook of a policy has programs of its own.",
        match=HEAD,
        near=CAT,
        known=THE_LAST_HOOK_S,
    ),
    case(
        "binaries-follow-children",
        "What the program has started matches as well.",
        match=(*TIMEOUT, *HEAD),
        near=HEAD,
        file="follow",
    ),
    case(
        "parent-binaries-in",
        "What the program has started matches, and what others have does not.",
        match=(*TIMEOUT, *CAT),
        near=CAT,
        file="parent",
    ),
)
