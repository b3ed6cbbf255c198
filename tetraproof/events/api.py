"""Tetragon's events, as its protobuf definition has them. Made by tools/api_types.py: not to be edited.

Fields are named as in the definition; an enum's value is its name; a field that an event does not set has
protobuf's default, or nothing where it is a message, a wrapped value or one of several.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, field

#: Which definition this is.
VERSION = "Tetragon main of 2026-08-21 (4fbfe2d, after 1.8.0-pre.0)"
#: The names of each enum's numbers.
NUMBERS: dict[str, dict[int, str]] = {}

NUMBERS["BpfCmd"] = {
    0: "BPF_MAP_CREATE",
    1: "BPF_MAP_LOOKUP_ELEM",
    2: "BPF_MAP_UPDATE_ELEM",
    3: "BPF_MAP_DELETE_ELEM",
    4: "BPF_MAP_GET_NEXT_KEY",
    5: "BPF_PROG_LOAD",
    6: "BPF_OBJ_PIN",
    7: "BPF_OBJ_GET",
    8: "BPF_PROG_ATTACH",
    9: "BPF_PROG_DETACH",
    10: "BPF_PROG_TEST_RUN",
    11: "BPF_PROG_GET_NEXT_ID",
    12: "BPF_MAP_GET_NEXT_ID",
    13: "BPF_PROG_GET_FD_BY_ID",
    14: "BPF_MAP_GET_FD_BY_ID",
    15: "BPF_OBJ_GET_INFO_BY_FD",
    16: "BPF_PROG_QUERY",
    17: "BPF_RAW_TRACEPOINT_OPEN",
    18: "BPF_BTF_LOAD",
    19: "BPF_BTF_GET_FD_BY_ID",
    20: "BPF_TASK_FD_QUERY",
    21: "BPF_MAP_LOOKUP_AND_DELETE_ELEM",
    22: "BPF_MAP_FREEZE",
    23: "BPF_BTF_GET_NEXT_ID",
    24: "BPF_MAP_LOOKUP_BATCH",
    25: "BPF_MAP_LOOKUP_AND_DELETE_BATCH",
    26: "BPF_MAP_UPDATE_BATCH",
    27: "BPF_MAP_DELETE_BATCH",
    28: "BPF_LINK_CREATE",
    29: "BPF_LINK_UPDATE",
    30: "BPF_LINK_GET_FD_BY_ID",
    31: "BPF_LINK_GET_NEXT_ID",
    32: "BPF_ENABLE_STATS",
    33: "BPF_ITER_CREATE",
    34: "BPF_LINK_DETACH",
    35: "BPF_PROG_BIND_MAP",
    36: "BPF_TOKEN_CREATE",
}
BpfCmd = Annotated[str, Meta(extra={"enum": "BpfCmd"})]

NUMBERS["CapabilitiesType"] = {
    0: "CAP_CHOWN",
    1: "DAC_OVERRIDE",
    2: "CAP_DAC_READ_SEARCH",
    3: "CAP_FOWNER",
    4: "CAP_FSETID",
    5: "CAP_KILL",
    6: "CAP_SETGID",
    7: "CAP_SETUID",
    8: "CAP_SETPCAP",
    9: "CAP_LINUX_IMMUTABLE",
    10: "CAP_NET_BIND_SERVICE",
    11: "CAP_NET_BROADCAST",
    12: "CAP_NET_ADMIN",
    13: "CAP_NET_RAW",
    14: "CAP_IPC_LOCK",
    15: "CAP_IPC_OWNER",
    16: "CAP_SYS_MODULE",
    17: "CAP_SYS_RAWIO",
    18: "CAP_SYS_CHROOT",
    19: "CAP_SYS_PTRACE",
    20: "CAP_SYS_PACCT",
    21: "CAP_SYS_ADMIN",
    22: "CAP_SYS_BOOT",
    23: "CAP_SYS_NICE",
    24: "CAP_SYS_RESOURCE",
    25: "CAP_SYS_TIME",
    26: "CAP_SYS_TTY_CONFIG",
    27: "CAP_MKNOD",
    28: "CAP_LEASE",
    29: "CAP_AUDIT_WRITE",
    30: "CAP_AUDIT_CONTROL",
    31: "CAP_SETFCAP",
    32: "CAP_MAC_OVERRIDE",
    33: "CAP_MAC_ADMIN",
    34: "CAP_SYSLOG",
    35: "CAP_WAKE_ALARM",
    36: "CAP_BLOCK_SUSPEND",
    37: "CAP_AUDIT_READ",
    38: "CAP_PERFMON",
    39: "CAP_BPF",
    40: "CAP_CHECKPOINT_RESTORE",
}
CapabilitiesType = Annotated[str, Meta(extra={"enum": "CapabilitiesType"})]

NUMBERS["KprobeAction"] = {
    0: "KPROBE_ACTION_UNKNOWN",
    1: "KPROBE_ACTION_POST",
    2: "KPROBE_ACTION_FOLLOWFD",
    3: "KPROBE_ACTION_SIGKILL",
    4: "KPROBE_ACTION_UNFOLLOWFD",
    5: "KPROBE_ACTION_OVERRIDE",
    6: "KPROBE_ACTION_COPYFD",
    7: "KPROBE_ACTION_GETURL",
    8: "KPROBE_ACTION_DNSLOOKUP",
    9: "KPROBE_ACTION_NOPOST",
    10: "KPROBE_ACTION_SIGNAL",
    11: "KPROBE_ACTION_TRACKSOCK",
    12: "KPROBE_ACTION_UNTRACKSOCK",
    13: "KPROBE_ACTION_NOTIFYENFORCER",
    14: "KPROBE_ACTION_CLEANUPENFORCERNOTIFICATION",
    15: "KPROBE_ACTION_SET",
}
KprobeAction = Annotated[str, Meta(extra={"enum": "KprobeAction"})]

NUMBERS["ProcessPrivilegesChanged"] = {
    0: "PRIVILEGES_CHANGED_UNSET",
    1: "PRIVILEGES_RAISED_EXEC_FILE_CAP",
    2: "PRIVILEGES_RAISED_EXEC_FILE_SETUID",
    3: "PRIVILEGES_RAISED_EXEC_FILE_SETGID",
}
ProcessPrivilegesChanged = Annotated[str, Meta(extra={"enum": "ProcessPrivilegesChanged"})]

NUMBERS["SecureBitsType"] = {
    0: "SecBitNotSet",
    1: "SecBitNoRoot",
    2: "SecBitNoRootLocked",
    4: "SecBitNoSetUidFixup",
    8: "SecBitNoSetUidFixupLocked",
    16: "SecBitKeepCaps",
    32: "SecBitKeepCapsLocked",
    64: "SecBitNoCapAmbientRaise",
    128: "SecBitNoCapAmbientRaiseLocked",
}
SecureBitsType = Annotated[str, Meta(extra={"enum": "SecureBitsType"})]

NUMBERS["TaintedBitsType"] = {
    0: "TAINT_UNSET",
    1: "TAINT_PROPRIETARY_MODULE",
    2: "TAINT_FORCED_MODULE",
    4: "TAINT_FORCED_UNLOAD_MODULE",
    1024: "TAINT_STAGED_MODULE",
    4096: "TAINT_OUT_OF_TREE_MODULE",
    8192: "TAINT_UNSIGNED_MODULE",
    32768: "TAINT_KERNEL_LIVE_PATCH_MODULE",
    262144: "TAINT_TEST_MODULE",
}
TaintedBitsType = Annotated[str, Meta(extra={"enum": "TaintedBitsType"})]

NUMBERS["ThrottleType"] = {
    0: "THROTTLE_UNKNOWN",
    1: "THROTTLE_START",
    2: "THROTTLE_STOP",
}
ThrottleType = Annotated[str, Meta(extra={"enum": "ThrottleType"})]


class Image(Struct, frozen=True, gc=False):
    """Tetragon's message Image."""

    id: str = ""
    name: str = ""


class SecurityContext(Struct, frozen=True, gc=False):
    """Tetragon's message SecurityContext."""

    privileged: bool = False


class Container(Struct, frozen=True, gc=False):
    """Tetragon's message Container."""

    id: str = ""
    name: str = ""
    image: Image | None = None
    start_time: datetime | None = None
    pid: int | None = None
    maybe_exec_probe: bool = False
    security_context: SecurityContext | None = None


class Pod(Struct, frozen=True, gc=False):
    """Tetragon's message Pod."""

    namespace: str = ""
    name: str = ""
    uid: str = ""
    container: Container | None = None
    pod_labels: dict[str, str] = {}
    workload: str = ""
    workload_kind: str = ""
    pod_annotations: dict[str, str] = {}


class Capabilities(Struct, frozen=True, gc=False):
    """Tetragon's message Capabilities."""

    permitted: tuple[CapabilitiesType, ...] = ()
    effective: tuple[CapabilitiesType, ...] = ()
    inheritable: tuple[CapabilitiesType, ...] = ()


class Namespace(Struct, frozen=True, gc=False):
    """Tetragon's message Namespace."""

    inum: int = 0
    is_host: bool = False


class Namespaces(Struct, frozen=True, gc=False):
    """Tetragon's message Namespaces."""

    uts: Namespace | None = None
    ipc: Namespace | None = None
    mnt: Namespace | None = None
    pid: Namespace | None = None
    pid_for_children: Namespace | None = None
    net: Namespace | None = None
    time: Namespace | None = None
    time_for_children: Namespace | None = None
    cgroup: Namespace | None = None
    user: Namespace | None = None


class UserNamespace(Struct, frozen=True, gc=False):
    """Tetragon's message UserNamespace."""

    level: int | None = None
    uid: int | None = None
    gid: int | None = None
    ns: Namespace | None = None


class ProcessCredentials(Struct, frozen=True, gc=False):
    """Tetragon's message ProcessCredentials."""

    uid: int | None = None
    gid: int | None = None
    euid: int | None = None
    egid: int | None = None
    suid: int | None = None
    sgid: int | None = None
    fsuid: int | None = None
    fsgid: int | None = None
    securebits: tuple[SecureBitsType, ...] = ()
    caps: Capabilities | None = None
    user_ns: UserNamespace | None = None


class InodeProperties(Struct, frozen=True, gc=False):
    """Tetragon's message InodeProperties."""

    number: int = 0
    links: int | None = None


class FileProperties(Struct, frozen=True, gc=False):
    """Tetragon's message FileProperties."""

    inode: InodeProperties | None = None
    path: str = ""


class BinaryProperties(Struct, frozen=True, gc=False):
    """Tetragon's message BinaryProperties."""

    setuid: int | None = None
    setgid: int | None = None
    privileges_changed: tuple[ProcessPrivilegesChanged, ...] = ()
    file: FileProperties | None = None


class UserRecord(Struct, frozen=True, gc=False):
    """Tetragon's message UserRecord."""

    name: str = ""


class EnvVar(Struct, frozen=True, gc=False):
    """Tetragon's message EnvVar."""

    Key: str = ""
    Value: str = ""


class Process(Struct, frozen=True, gc=False):
    """Tetragon's message Process."""

    exec_id: str = ""
    pid: int | None = None
    uid: int | None = None
    cwd: str = ""
    binary: str = ""
    arguments: str = ""
    flags: str = ""
    start_time: datetime | None = None
    auid: int | None = None
    pod: Pod | None = None
    docker: str = ""
    parent_exec_id: str = ""
    refcnt: int = 0
    cap: Capabilities | None = None
    ns: Namespaces | None = None
    tid: int | None = None
    process_credentials: ProcessCredentials | None = None
    binary_properties: BinaryProperties | None = None
    user: UserRecord | None = None
    in_init_tree: bool | None = None
    environment_variables: tuple[EnvVar, ...] = ()


class ProcessExec(Struct, frozen=True, gc=False):
    """Tetragon's message ProcessExec."""

    process: Process | None = None
    parent: Process | None = None
    ancestors: tuple[Process, ...] = ()


class ProcessExit(Struct, frozen=True, gc=False):
    """Tetragon's message ProcessExit."""

    process: Process | None = None
    parent: Process | None = None
    signal: str = ""
    status: int = 0
    time: datetime | None = None
    ancestors: tuple[Process, ...] = ()


class KprobeSkb(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeSkb."""

    hash: int = 0
    len: int = 0
    priority: int = 0
    mark: int = 0
    saddr: str = ""
    daddr: str = ""
    sport: int = 0
    dport: int = 0
    proto: int = 0
    sec_path_len: int = 0
    sec_path_olen: int = 0
    protocol: str = ""
    family: str = ""


class KprobePath(Struct, frozen=True, gc=False):
    """Tetragon's message KprobePath."""

    mount: str = ""
    path: str = ""
    flags: str = ""
    permission: str = ""


class KprobeFile(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeFile."""

    mount: str = ""
    path: str = ""
    flags: str = ""
    permission: str = ""


class KprobeTruncatedBytes(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeTruncatedBytes."""

    bytes_arg: bytes = b""
    orig_size: int = 0


class KprobeSock(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeSock."""

    family: str = ""
    type: str = ""
    protocol: str = ""
    mark: int = 0
    priority: int = 0
    saddr: str = ""
    daddr: str = ""
    sport: int = 0
    dport: int = 0
    cookie: int = 0
    state: str = ""


class KprobeCred(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeCred."""

    permitted: tuple[CapabilitiesType, ...] = ()
    effective: tuple[CapabilitiesType, ...] = ()
    inheritable: tuple[CapabilitiesType, ...] = ()


class KprobeBpfAttr(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeBpfAttr."""

    ProgType: str = ""
    InsnCnt: int = 0
    ProgName: str = ""


class KprobePerfEvent(Struct, frozen=True, gc=False):
    """Tetragon's message KprobePerfEvent."""

    KprobeFunc: str = ""
    Type: str = ""
    Config: int = 0
    ProbeOffset: int = 0


class KprobeBpfMap(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeBpfMap."""

    MapType: str = ""
    KeySize: int = 0
    ValueSize: int = 0
    MaxEntries: int = 0
    MapName: str = ""


class KprobeUserNamespace(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeUserNamespace."""

    level: int | None = None
    owner: int | None = None
    group: int | None = None
    ns: Namespace | None = None


class KprobeCapability(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeCapability."""

    value: int | None = None
    name: str = ""


class KernelModule(Struct, frozen=True, gc=False):
    """Tetragon's message KernelModule."""

    name: str = ""
    signature_ok: bool | None = None
    tainted: tuple[TaintedBitsType, ...] = ()


class KprobeLinuxBinprm(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeLinuxBinprm."""

    path: str = ""
    flags: str = ""
    permission: str = ""


class KprobeNetDev(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeNetDev."""

    name: str = ""


class SyscallId(Struct, frozen=True, gc=False):
    """Tetragon's message SyscallId."""

    id: int = 0
    abi: str = ""


class KprobeSockaddr(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeSockaddr."""

    family: str = ""
    addr: str = ""
    port: int = 0


class KprobeBpfProg(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeBpfProg."""

    ProgType: str = ""
    InsnCnt: int = 0
    ProgName: str = ""


class KprobeError(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeError."""

    Message: str = ""


class KprobeSockaddrUn(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeSockaddrUn."""

    family: str = ""
    path: str = ""


class KprobeArgument(Struct, frozen=True, gc=False):
    """Tetragon's message KprobeArgument."""

    string_arg: str | None = None
    int_arg: int | None = None
    skb_arg: KprobeSkb | None = None
    size_arg: int | None = None
    bytes_arg: bytes | None = None
    path_arg: KprobePath | None = None
    file_arg: KprobeFile | None = None
    truncated_bytes_arg: KprobeTruncatedBytes | None = None
    sock_arg: KprobeSock | None = None
    cred_arg: KprobeCred | None = None
    long_arg: int | None = None
    bpf_attr_arg: KprobeBpfAttr | None = None
    perf_event_arg: KprobePerfEvent | None = None
    bpf_map_arg: KprobeBpfMap | None = None
    uint_arg: int | None = None
    user_namespace_arg: KprobeUserNamespace | None = None
    capability_arg: KprobeCapability | None = None
    process_credentials_arg: ProcessCredentials | None = None
    user_ns_arg: UserNamespace | None = None
    module_arg: KernelModule | None = None
    kernel_cap_t_arg: str | None = None
    cap_inheritable_arg: str | None = None
    cap_permitted_arg: str | None = None
    cap_effective_arg: str | None = None
    linux_binprm_arg: KprobeLinuxBinprm | None = None
    net_dev_arg: KprobeNetDev | None = None
    bpf_cmd_arg: BpfCmd | None = None
    syscall_id: SyscallId | None = None
    sockaddr_arg: KprobeSockaddr | None = None
    bpf_prog_arg: KprobeBpfProg | None = None
    error_arg: KprobeError | None = None
    sockaddrun_arg: KprobeSockaddrUn | None = None
    label: str = ""


class StackTraceEntry(Struct, frozen=True, gc=False):
    """Tetragon's message StackTraceEntry."""

    address: int = 0
    offset: int = 0
    symbol: str = ""
    module: str = ""


class ProcessKprobe(Struct, frozen=True, gc=False):
    """Tetragon's message ProcessKprobe."""

    process: Process | None = None
    parent: Process | None = None
    function_name: str = ""
    args: tuple[KprobeArgument, ...] = ()
    return_: KprobeArgument | None = field(default=None, name="return")
    action: KprobeAction = ""
    kernel_stack_trace: tuple[StackTraceEntry, ...] = ()
    policy_name: str = ""
    return_action: KprobeAction = ""
    message: str = ""
    tags: tuple[str, ...] = ()
    user_stack_trace: tuple[StackTraceEntry, ...] = ()
    ancestors: tuple[Process, ...] = ()
    data: tuple[KprobeArgument, ...] = ()


class ProcessTracepoint(Struct, frozen=True, gc=False):
    """Tetragon's message ProcessTracepoint."""

    process: Process | None = None
    parent: Process | None = None
    subsys: str = ""
    event: str = ""
    args: tuple[KprobeArgument, ...] = ()
    policy_name: str = ""
    action: KprobeAction = ""
    message: str = ""
    tags: tuple[str, ...] = ()
    ancestors: tuple[Process, ...] = ()


class ProcessLoader(Struct, frozen=True, gc=False):
    """Tetragon's message ProcessLoader."""

    process: Process | None = None
    path: str = ""
    buildid: bytes = b""
    parent: Process | None = None
    ancestors: tuple[Process, ...] = ()


class ProcessUprobe(Struct, frozen=True, gc=False):
    """Tetragon's message ProcessUprobe."""

    process: Process | None = None
    parent: Process | None = None
    path: str = ""
    symbol: str = ""
    policy_name: str = ""
    message: str = ""
    args: tuple[KprobeArgument, ...] = ()
    tags: tuple[str, ...] = ()
    ancestors: tuple[Process, ...] = ()
    offset: int = 0
    ref_ctr_offset: int = 0
    action: KprobeAction = ""
    data: tuple[KprobeArgument, ...] = ()


class ProcessThrottle(Struct, frozen=True, gc=False):
    """Tetragon's message ProcessThrottle."""

    type: ThrottleType = ""
    cgroup: str = ""


class ProcessLsm(Struct, frozen=True, gc=False):
    """Tetragon's message ProcessLsm."""

    process: Process | None = None
    parent: Process | None = None
    function_name: str = ""
    policy_name: str = ""
    message: str = ""
    args: tuple[KprobeArgument, ...] = ()
    action: KprobeAction = ""
    tags: tuple[str, ...] = ()
    ancestors: tuple[Process, ...] = ()
    ima_hash: str = ""


class ProcessUsdt(Struct, frozen=True, gc=False):
    """Tetragon's message ProcessUsdt."""

    process: Process | None = None
    parent: Process | None = None
    path: str = ""
    provider: str = ""
    name: str = ""
    policy_name: str = ""
    message: str = ""
    args: tuple[KprobeArgument, ...] = ()
    tags: tuple[str, ...] = ()
    ancestors: tuple[Process, ...] = ()
    action: KprobeAction = ""
    flags: str = ""


class Test(Struct, frozen=True, gc=False):
    """Tetragon's message Test."""

    arg0: int = 0
    arg1: int = 0
    arg2: int = 0
    arg3: int = 0


class RateLimitInfo(Struct, frozen=True, gc=False):
    """Tetragon's message RateLimitInfo."""

    number_of_dropped_process_events: int = 0


class AggregationInfo(Struct, frozen=True, gc=False):
    """Tetragon's message AggregationInfo."""

    count: int = 0


class GetEventsResponse(Struct, frozen=True, gc=False):
    """Tetragon's message GetEventsResponse."""

    process_exec: ProcessExec | None = None
    process_exit: ProcessExit | None = None
    process_kprobe: ProcessKprobe | None = None
    process_tracepoint: ProcessTracepoint | None = None
    process_loader: ProcessLoader | None = None
    process_uprobe: ProcessUprobe | None = None
    process_throttle: ProcessThrottle | None = None
    process_lsm: ProcessLsm | None = None
    process_usdt: ProcessUsdt | None = None
    test: Test | None = None
    rate_limit_info: RateLimitInfo | None = None
    node_name: str = ""
    time: datetime | None = None
    aggregation_info: AggregationInfo | None = None
    cluster_name: str = ""
    node_labels: dict[str, str] = {}


#: The kinds of event by the field that holds them.
KINDS: dict[str, type[Struct]] = {
    "process_exec": ProcessExec,
    "process_exit": ProcessExit,
    "process_kprobe": ProcessKprobe,
    "process_tracepoint": ProcessTracepoint,
    "process_loader": ProcessLoader,
    "process_uprobe": ProcessUprobe,
    "process_throttle": ProcessThrottle,
    "process_lsm": ProcessLsm,
    "process_usdt": ProcessUsdt,
    "test": Test,
    "rate_limit_info": RateLimitInfo,
}
