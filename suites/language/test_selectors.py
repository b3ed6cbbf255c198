"""The other selectors: who does it, with which rights, and how selectors come together."""

from fixtures.findings import RETURN_FILTER_IS_NOT_COUNTED, USER_NAMESPACE_READS_AS_NONE
from fixtures.language import Files
from tetraproof.suite import Act, Case, Known, Kprobe, Pattern, cases, command, shell

FILES = Files("sel")
path, event = FILES.path, FILES.event


def opened(name: str, pod: str = "probe", through: str = "") -> Act:
    """Open the file for writing, perhaps by a shell that another program has started."""
    if through:
        return command(*through.split(), "bash", "-c", f"echo x > {path(name)}; true", pod=pod)
    return shell(f"echo x > {path(name)}", pod)


def case(  # noqa: PLR0913 - the columns of a table
    name: str,
    says: str,
    match: Act,
    near: Act,
    reported: Pattern,
    *before: Act,
    ends: str = "succeeded",
    known: Known | None = None,
) -> Case:
    """A case of the policy of that name."""
    return Case(f"language/{name}", says, match, near, reported, before=before, ends=ends, known=known)


def by_python(do: str, name: str, pod: str = "probe") -> Act:
    """Open the file for reading from a Python that has done something before."""
    return command("python3", "-c", f"import ctypes, os; {do}; open('{path(name)}').close()", pod=pod)


def made(name: str) -> Act:
    """Make the file, before the policy is there."""
    return shell(f"echo x > {path(name)}")


#: Known of filters on the user namespace: the host's is taken for another, so it matches where it should not, or not.
TAKEN_FOR_ANOTHER = Known(USER_NAMESPACE_READS_AS_NONE, lambda run: Kprobe("fd_install") in run.near.timeline)
NOT_TAKEN_FOR_IT = Known(USER_NAMESPACE_READS_AS_NONE, lambda run: Kprobe("fd_install") not in run.match.timeline)

MIGHTY = "privileged"
TO_NEW_USERS = "unshare --user"

pytestmark = cases(
    case(
        "match-capabilities-in",
        "A process that has the capability matches.",
        opened("cap-in", MIGHTY),
        opened("cap-in"),
        event("cap-in"),
    ),
    case(
        "match-capabilities-not-in",
        "A process that lacks the capability matches.",
        opened("cap-not-in"),
        opened("cap-not-in", MIGHTY),
        event("cap-not-in"),
    ),
    case(
        "match-capabilities-permitted",
        "A process that may take the capability matches.",
        opened("cap-permitted", MIGHTY),
        opened("cap-permitted"),
        event("cap-permitted"),
    ),
    case(
        "match-capabilities-inheritable",
        "A process that may hand the capability on matches.",
        opened("cap-inheritable", MIGHTY, "setpriv --inh-caps +sys_admin"),
        opened("cap-inheritable", MIGHTY, "setpriv --inh-caps -sys_admin"),
        event("cap-inheritable"),
    ),
    case(
        "match-capabilities-namespace",
        "A process that has the capability in a user namespace of its own matches.",
        opened("cap-namespace", MIGHTY, f"{TO_NEW_USERS} --map-root-user"),
        opened("cap-namespace", MIGHTY),
        event("cap-namespace"),
        known=TAKEN_FOR_ANOTHER,
    ),
    case(
        "match-capability-changes-in",
        "A process whose capability changed since it was started matches.",
        by_python("os.setuid(65534)", "cap-changes"),
        by_python("os.getuid()", "cap-changes"),
        event("cap-changes"),
        made("cap-changes"),
    ),
    case(
        "match-namespace-changes-in",
        "A process that left its namespace since it was started matches, and one that left another does not.",
        command(
            *(
                "python3",
                "-c",
                f"import ctypes; ctypes.CDLL(None).unshare(0x04000000); open('{path('ns-changes')}', 'w')",
            ),
            pod=MIGHTY,
        ),
        command(
            *(
                "python3",
                "-c",
                f"import ctypes; ctypes.CDLL(None).unshare(0x08000000); open('{path('ns-changes')}', 'w')",
            ),
            pod=MIGHTY,
        ),
        event("ns-changes"),
    ),
    case(
        "match-namespaces-user",
        "A process in the host's user namespace matches.",
        opened("ns-user", MIGHTY),
        opened("ns-user", MIGHTY, TO_NEW_USERS),
        event("ns-user"),
        known=NOT_TAKEN_FOR_IT,
    ),
    case(
        "match-namespaces-not-in",
        "A process in another user namespace than the host's matches.",
        opened("ns-not-in", MIGHTY, TO_NEW_USERS),
        opened("ns-not-in", MIGHTY),
        event("ns-not-in"),
        known=TAKEN_FOR_ANOTHER,
    ),
    case(
        "match-namespaces-time",
        "A process in the host's time namespace matches.",
        opened("ns-time", MIGHTY),
        opened("ns-time", MIGHTY, "unshare --time --fork"),
        event("ns-time"),
    ),
    case(
        "match-pids-in",
        "The process with this number in its own namespace matches.",
        opened("pids-in", MIGHTY, "unshare --pid --fork"),
        opened("pids-in", MIGHTY),
        event("pids-in"),
    ),
    case(
        "match-pids-not-in",
        "A process with another number in its own namespace matches.",
        opened("pids-not-in", MIGHTY),
        opened("pids-not-in", MIGHTY, "unshare --pid --fork"),
        event("pids-not-in"),
    ),
    case(
        "match-pids-follow-forks",
        "What a process with this number has started matches as well.",
        command("unshare", "--pid", "--fork", "bash", "-c", f"(echo x > {path('pids-forks')}); true", pod=MIGHTY),
        opened("pids-forks", MIGHTY),
        event("pids-forks"),
    ),
    case(
        "match-return-args-equal",
        "A call that answers so matches: here one that fails for want of the file.",
        shell(f"cat {path('return-none')} || true"),
        command("cat", path("return-one")),
        Kprobe("sys_openat", file=path("return-none"), returns=-2),
        made("return-one"),
        ends="free",
        known=Known(
            RETURN_FILTER_IS_NOT_COUNTED,
            lambda run: run.counts(post=2, enforce=0) and run.reported(Kprobe("sys_openat")) == 1,
        ),
    ),
    case(
        "match-return-actions-post",
        "An action is taken when the call answers.",
        shell("umask 0224"),
        shell("umask 0225"),
        Kprobe("sys_umask", arg0=148, return_action="POST"),
    ),
    case(
        "match-args-several-arguments",
        "An argument is named by its place in the policy.",
        opened("args"),
        opened("args-x"),
        event("args"),
    ),
    case(
        "selectors-or",
        "Of several selectors one is enough.",
        opened("or-2"),
        opened("or-3"),
        event("or-2"),
    ),
    case(
        "selectors-macros",
        "A macro stands for the filters that it names.",
        command("head", "-1", path("macros")),
        command("cat", path("macros")),
        event("macros"),
        made("macros"),
    ),
)
