"""matchActions that change what a call answers, that the agent acts upon, or that need more of the kernel."""

from dirty_equals import IsStr

from fixtures.findings import LSM_IS_NOT_COUNTED
from fixtures.language import ARCH, CALL, HERE, OTHER, Files, in_32_bits
from tetraproof.suite import Act, Case, Known, Kprobe, Lsm, Pattern, cases, command, program, shell

FILES = Files("do")
path, opened, event, made = FILES.path, FILES.opened, FILES.event, FILES.made

#: Known of every LSM hook: an event of it is reported, and nobody counted it.
NOT_COUNTED = Known(LSM_IS_NOT_COUNTED, lambda run: run.counts(post=0) and run.reported(Lsm()) > 0)


#: Make a folder as a program of 32 bits does.
MKDIRAT32 = f"""{CALL}path = ctypes.create_string_buffer(b"{path("override-call32")}-32")
{in_32_bits(296)}"""


def by_mkdirat(name: str) -> Act:
    """Make a folder by the call that has a descriptor: mkdir(1) makes another."""
    return command("python3", "-c", f"import os; os.mkdir('{path(name)}', dir_fd=os.open('/', 0))")


def denied(  # noqa: PLR0913 - the columns of a table
    name: str, says: str, match: Act, near: Act, reported: Pattern, *before: Act, known: Known | None = None
) -> Case:
    """A case of the policy of that name, under which the act that matches is refused."""
    policy = f"language/match-actions-{name}"
    # what `made` wrote
    reads = "x\n" if near.argv[0] == "cat" else None
    return Case(policy, says, match, near, reported, ends="denied", before=before, near_prints=reads, known=known)


pytestmark = cases(
    denied(
        "override",
        "Override has the function answer with an error, and the program lives.",
        command("cat", path("override")),
        command("cat", path("override-x")),
        Kprobe("security_file_permission", file=path("override"), action="OVERRIDE"),
        made("override"),
    ),
    denied(
        "override-error",
        "The error is the one that the policy names: EACCES.",
        command("cat", path("override-error")),
        command("cat", path("override-error-x")),
        Kprobe("security_file_permission", file=path("override-error"), action="OVERRIDE"),
        made("override-error"),
    ),
    denied(
        "override-syscall",
        "Override keeps a system call from being made.",
        by_mkdirat("override-call"),
        by_mkdirat("override-call-x"),
        Kprobe("sys_mkdirat", file=path("override-call"), action="OVERRIDE"),
        shell(f"rm -rf {path('override-call')}*"),
    ),
    denied(
        "override-syscall32",
        "Override keeps a program of 32 bits from making its system call.",
        program(MKDIRAT32),
        by_mkdirat("override-call32"),
        Kprobe("__ia32_sys_mkdirat", action="OVERRIDE"),
        shell(f"rm -rf {path('override-call32')}*"),
    ),
    denied(
        "override-lsm",
        "Override has a hook of the security modules refuse.",
        command("cat", path("override-lsm")),
        command("cat", path("override-lsm-x")),
        Lsm("file_open", file=path("override-lsm"), action="OVERRIDE"),
        made("override-lsm"),
        known=NOT_COUNTED,
    ),
    denied(
        "notify-enforcer",
        "NotifyEnforcer has the enforcer refuse the call.",
        by_mkdirat("enforcer"),
        by_mkdirat("enforcer-x"),
        Kprobe("sys_mkdirat", file=path("enforcer"), action="NOTIFYENFORCER"),
        shell(f"rm -rf {path('enforcer')}*"),
    ),
    Case(
        "language/match-actions-get-url",
        "GetUrl is reported; the agent fetches the address, which is on its own host.",
        match=opened("get-url"),
        near=opened("get-url-x"),
        reported=event("get-url", "GETURL"),
    ),
    Case(
        "language/match-actions-dns-lookup",
        "DnsLookup is reported; the agent looks the name up.",
        match=opened("dns-lookup"),
        near=opened("dns-lookup-x"),
        reported=event("dns-lookup", "DNSLOOKUP"),
    ),
    Case(
        "language/match-actions-track-sock",
        "TrackSock is reported, with the socket.",
        match=shell("true < /dev/tcp/127.0.0.1/7303 || true"),
        near=shell("true < /dev/tcp/127.0.0.1/7304 || true"),
        reported=Kprobe("tcp_connect", saddr=HERE, daddr=HERE, dport=7303, action="TRACKSOCK"),
    ),
    Case(
        "language/match-actions-ima-hash",
        "The hash of the program's file is reported.",
        match=ARCH,
        near=OTHER,
        reported=Lsm("bprm_check_security", file="/usr/bin/arch", ima_hash=IsStr(regex="sha(1|256):[0-9a-f]+")),
        known=NOT_COUNTED,
    ),
    Case(
        "language/options-policy-mode-monitor",
        "In monitor mode what matches is reported, and nothing is done about it.",
        match=opened("monitor"),
        near=opened("monitor-x"),
        reported=event("monitor", "SIGKILL"),
        ends="free",
    ),
    Case(
        "language/options-disable-kprobe-multi",
        "Hooked one by one, a function is seen all the same.",
        match=opened("single"),
        near=opened("single-x"),
        reported=event("single"),
    ),
)
