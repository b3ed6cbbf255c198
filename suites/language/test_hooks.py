"""Hooks: where a policy looks, a kind or an option of a hook each."""

from fixtures.findings import GENERATED_LACKS_SUCCESSORS, LSM_IS_NOT_COUNTED
from fixtures.language import ARCH, HERE, OTHER, Files, connect, umask
from tetraproof.suite import Act, Case, Exactly, InOrder, Known, Kprobe, Lsm, Pattern, Tracepoint, cases, command, shell

opened = Files("hook").opened


def case(  # noqa: PLR0913, PLR0917 - the columns of a table
    name: str, says: str, match: Act, near: Act, reported: Pattern | InOrder | Exactly, known: Known | None = None
) -> Case:
    """A case of the policy of that name."""
    return Case(f"language/hooks-{name}", says, match, near, reported, known=known)


#: Known of every LSM hook: an event of it is reported, and nobody counted it.
NOT_COUNTED = Known(LSM_IS_NOT_COUNTED, lambda run: run.counts(post=0, enforce=0) and run.reported(Lsm()) > 0)
#: Known of the list of all system calls: a program's start and end are seen, and its uname between them is not.
NOT_SEEN = Known(
    GENERATED_LACKS_SUCCESSORS,
    lambda run: (
        InOrder(Kprobe("sys_brk"), Kprobe("sys_exit_group")) in run.match.timeline
        and Kprobe("sys_newuname") not in run.match.timeline
    ),
)


BASH = "/usr/bin/bash"
MASK = Tracepoint("syscalls", "sys_enter_umask")

pytestmark = cases(
    case(
        "kprobe-function",
        "A function of the kernel is hooked, by its name.",
        shell("echo x > /tmp/lang-hook-function; truncate -s 0 /tmp/lang-hook-function"),
        shell("echo x > /tmp/lang-hook-function; : > /tmp/lang-hook-function"),
        Exactly(1, Kprobe("do_truncate", action="POST").by("/usr/bin/truncate")),
    ),
    case(
        "kprobe-syscall",
        "A system call is hooked, by its name without the architecture's prefix.",
        umask(130),
        umask(131),
        Exactly(1, Kprobe("sys_umask", arg0=130, action="POST")),
    ),
    case(
        "kprobe-return",
        "What the call answers is reported with it: umask answers with the mask before.",
        shell("umask 0022; umask 0204"),
        umask(133),
        Exactly(1, Kprobe("sys_umask", arg0=132, returns=18, action="POST")),
    ),
    case(
        "kprobe-message",
        "The event has the hook's message.",
        umask(134),
        umask(135),
        Kprobe("sys_umask", arg0=134, message="the mask was set"),
    ),
    case(
        "kprobe-tags",
        "The event has the hook's tags.",
        umask(136),
        umask(137),
        Kprobe("sys_umask", arg0=136, tags=["observability.filesystem", "lang.tag"]),
    ),
    case(
        "kprobe-ignore",
        "A function that the kernel lacks is passed over, and the others are hooked.",
        opened("ignore"),
        opened("ignored"),
        Kprobe("fd_install", file="/tmp/lang-hook-ignore"),
    ),
    case(
        "fentry",
        "A function is hooked by fentry.",
        opened("fentry"),
        opened("fentry-x"),
        Kprobe("fd_install", file="/tmp/lang-hook-fentry"),
    ),
    case(
        "list-syscalls",
        "Each system call of a list is hooked.",
        umask(138),
        umask(139),
        Kprobe("sys_umask", arg0=138),
    ),
    case(
        "list-generated-syscalls",
        "Every system call is hooked: those of a program are reported from its start to its end, uname among them.",
        ARCH,
        OTHER,
        InOrder(Kprobe("sys_brk"), Kprobe("sys_newuname"), Kprobe("sys_exit_group")),
        NOT_SEEN,
    ),
    case(
        "list-generated-ftrace",
        "Every function whose name fits the pattern is hooked.",
        connect(7201),
        connect(7202),
        Kprobe("tcp_connect", saddr=HERE, daddr=HERE, dport=7201),
    ),
    case(
        "tracepoint-syscall",
        "A system call's tracepoint is hooked, and its field compared.",
        umask(140),
        umask(141),
        Exactly(1, MASK.having(arg0=140)),
    ),
    case(
        "tracepoint-sched",
        "A tracepoint of another subsystem is hooked.",
        command("timeout", "60", "true"),
        command("true"),
        Exactly(1, Tracepoint("sched", "sched_process_fork").by("/usr/bin/timeout")),
    ),
    case(
        "tracepoint-raw-syscalls",
        "The tracepoint of all system calls is hooked, and the call's number compared.",
        umask(18),
        shell("echo x"),
        Tracepoint("raw_syscalls", "sys_enter").by(BASH),
    ),
    case(
        "tracepoint-message",
        "A tracepoint's event has the message.",
        umask(142),
        umask(143),
        MASK.having(arg0=142, message="the mask was set", tags=["observability.filesystem"]),
    ),
    case(
        "tracepoint-raw",
        "A raw tracepoint is hooked, and an argument of it compared.",
        ARCH,
        OTHER,
        Tracepoint("sched", "sched_process_exec", file="/usr/bin/arch"),
    ),
    case(
        "lsm-file-open",
        "A hook of the security modules is hooked.",
        opened("lsm"),
        opened("lsm-x"),
        Lsm("file_open", file="/tmp/lang-hook-lsm", message="a file was opened"),
        NOT_COUNTED,
    ),
    case(
        "lsm-bprm-check",
        "The hook before a program is started tells which.",
        ARCH,
        OTHER,
        Lsm("bprm_check_security", file="/usr/bin/arch").by(BASH),
        NOT_COUNTED,
    ),
    case(
        "lsm-socket-connect",
        "The hook before a connection tells where to; the address is the sockaddr's source.",
        connect(7203),
        connect(7204),
        Lsm("socket_connect").by(BASH),
        NOT_COUNTED,
    ),
)
