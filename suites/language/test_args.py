"""Arguments: where they are found, what they are, and how much of them is taken."""

from dirty_equals import HasLen, IsStr

from fixtures.findings import FD_IS_NOT_RESOLVED, FILENAME_IS_NOT_MATCHED
from fixtures.language import ARCH, OTHER, Files, connect, umask
from tetraproof.suite import (
    Act,
    Case,
    Exactly,
    InOrder,
    Known,
    Kprobe,
    Pattern,
    Tracepoint,
    cases,
    command,
    shell,
)

FILES = Files("arg")
path, made = FILES.path, FILES.made


def case(  # noqa: PLR0913 - the columns of a table
    name: str,
    says: str,
    match: Act,
    near: Act,
    reported: Pattern | InOrder | Exactly,
    *before: Act,
    ends: str = "succeeded",
    known: Known | None = None,
) -> Case:
    """A case of the policy of that name, both of whose acts end so."""
    return Case(
        f"language/args-{name}", says, match, near, reported, before=before, ends=ends, near_ends=ends, known=known
    )


#: Known of the filter: the agent refuses the policy, or takes it and reports every name.
NOT_MATCHED = Known(
    FILENAME_IS_NOT_MATCHED,
    lambda run: run.refused_with("MatchArgs type filename unsupported") or Kprobe("do_filp_open") in run.near.timeline,
)
#: Known of the type: the call is made, and nothing is reported of it.
NOT_RESOLVED = Known(FD_IS_NOT_RESOLVED, lambda run: Kprobe("sys_fchmod") not in run.match.timeline)

pytestmark = cases(
    case(
        "label",
        "The argument is reported under its label.",
        umask(144),
        umask(145),
        Kprobe("sys_umask", labelled={"mask": 144}),
    ),
    case(
        "nop",
        "An argument that is nothing is left out, and the others stay where they are.",
        umask(146),
        umask(147),
        Kprobe("sys_umask", arg0=146),
    ),
    case(
        "auto",
        "The type of a tracepoint's field is taken from the kernel.",
        umask(150),
        umask(151),
        Tracepoint("syscalls", "sys_enter_umask", arg0=150),
    ),
    case(
        "char-buf",
        "A buffer is compared and reported, as long as another argument says.",
        shell(f"echo lang-buffer > {path('buffer')}"),
        shell(f"echo lang-buffe > {path('buffer')}"),
        Kprobe("sys_write", arg1=b"lang-buffer\n", arg2=12),
    ),
    case(
        "return-copy",
        "A buffer that the call fills is reported as it was when it answered.",
        command("expand", path("copy")),
        command("cat", path("copy")),
        Kprobe("sys_read", arg1=b"x\n", returns=2).by("/usr/bin/expand"),
        made("copy"),
    ),
    case(
        "max-data",
        "More of a buffer is reported than the four kibibytes that are taken by themselves.",
        command("dd", "if=/dev/zero", f"of={path('many')}", "bs=6000", "count=1", "status=none"),
        command("dd", "if=/dev/zero", f"of={path('many')}", "bs=5999", "count=1", "status=none"),
        Kprobe("sys_write", arg1=HasLen(6000), arg2=6000),
    ),
    case(
        "path",
        "A path is compared and reported.",
        command("python3", "-c", f"import os; os.truncate('{path('path')}', 0)"),
        command("python3", "-c", f"import os; os.truncate('{path('path-x')}', 0)"),
        Kprobe("security_path_truncate", file=path("path")),
        made("path"),
    ),
    case(
        "dentry",
        "A name in a folder is compared and reported, within its mount.",
        command("rm", path("dentry")),
        command("rm", path("dentry-x")),
        Kprobe("security_path_unlink", arg1=IsStr(regex=".*lang-arg-dentry")),
        made("dentry"),
    ),
    case(
        "filename",
        "The kernel's copy of a name is compared and reported.",
        command("cat", path("filename")),
        command("cat", path("filename-x")),
        Kprobe("do_filp_open", file=path("filename")),
        made("filename"),
        known=NOT_MATCHED,
    ),
    case(
        "fd",
        "A descriptor is known by the file that is open there.",
        command("python3", "-c", f"import os; os.fchmod(os.open('{path('fd')}', 0), 0o600)"),
        command("python3", "-c", f"import os; os.fchmod(os.open('{path('fd-x')}', 0), 0o600)"),
        Kprobe("sys_fchmod", file=path("fd")),
        made("fd"),
        known=NOT_RESOLVED,
    ),
    case(
        "socket",
        "A socket is compared before it is connected.",
        connect(7205),
        connect(7206),
        Kprobe("security_socket_connect", sock_arg={"state": "TCP_CLOSE"}, sockaddr_arg={"port": 7205}),
    ),
    case(
        "sockaddr-un",
        "The path of a Unix socket is compared and reported.",
        shell(f"curl -sS --unix-socket {path('socket')} http://x/ || true"),
        shell(f"curl -sS --unix-socket {path('socket-x')} http://x/ || true"),
        Kprobe("unix_stream_connect", sockaddrun_arg={"path": path("socket")}).by("/usr/bin/curl"),
        ends="free",
    ),
    case(
        "skb",
        "A packet is compared by its port, and reported with both ends.",
        connect(7207),
        connect(7208),
        Kprobe("__ip_local_out", dport=7207, daddr="127.0.0.1"),
    ),
    case(
        "capability",
        "The capability that is asked for is reported, with the user namespace.",
        command("chgrp", "1", path("capability")),
        command("chmod", "600", path("capability")),
        Kprobe("cap_capable", capability_arg={"name": "CAP_CHOWN"}),
        made("capability"),
    ),
    case(
        "cred",
        "The credentials that a process takes on are reported.",
        command("setpriv", "--reuid", "65534", "true"),
        command("true"),
        Kprobe("commit_creds", process_credentials_arg={"uid": 65534, "euid": 65534}).by("/usr/bin/setpriv"),
    ),
    case(
        "capability-sets",
        "The sets of capabilities that a process sets are reported.",
        command("setpriv", "--inh-caps", "+chown", "true"),
        command("true"),
        Kprobe("security_capset", cap_inheritable_arg="0000000000000001").by("/usr/bin/setpriv"),
    ),
    case(
        "resolve",
        "A field of a structure is compared and reported.",
        ARCH,
        OTHER,
        Kprobe("security_bprm_check", file="/usr/bin/arch"),
    ),
    case(
        "source",
        "A field of the running task is compared and reported, beside the arguments.",
        command("head", "-1", path("source")),
        command("cat", path("source")),
        Kprobe("fd_install", file=path("source")).by("/usr/bin/head"),
        made("source"),
    ),
    case(
        "data-loc",
        "A text of a tracepoint that lies elsewhere is compared and reported.",
        ARCH,
        OTHER,
        Tracepoint("sched", "sched_process_exec", arg0="/usr/bin/arch"),
    ),
)
